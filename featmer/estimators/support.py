"""Which modality or stretch of frames supports which label."""

from __future__ import annotations

import pandas as pd
import torch
from numpy.typing import ArrayLike

from featmer.estimators.classifier import FusionClassifier
from featmer.nn import Aligner
from featmer.objectives import ConditionalTransport
from featmer.table import FeatureTable


def label_support(model: FusionClassifier, X: FeatureTable | ArrayLike) -> pd.DataFrame:
    """Tell from which tokens each label of each row comes: the plan that its probability is made with.

    Parameters
    ----------
    model : FusionClassifier
        Fitted with the objective "transport". With the head `featmer.nn.Aligner` tokens are modalities or stretches
        of frames; with another they are numbers without a meaning.
    X : FeatureTable or array-like of shape (n_rows, n_features)
        Rows; give whole dialogues to heads that look at the context.

    Returns
    -------
    DataFrame of n_rows * n_tokens rows
        Indexed by ``row`` and ``token``, a column a label: shares from 0 to 1 that sum to 1 over the tokens of a row;
        NaN where the token is missing.

    Raises
    ------
    ValueError
        If the model has another objective.

    Examples
    --------
    >>> import numpy as np
    >>> from featmer import Block, FeatureTable
    >>> segments = pd.DataFrame({"dialogue": range(4), "turn": 0})
    >>> blocks = {name: Block(np.eye(4), [f"{name}.{i}" for i in range(4)]) for name in ("face", "audio")}
    >>> table = FeatureTable(segments, blocks)
    >>> y = pd.DataFrame({"joy": [1, 1, 0, 0], "fear": [0, 1, 1, 0]})
    >>> objective = ConditionalTransport(tokens=2, hidden=8)
    >>> model = FusionClassifier(Aligner(tokens=2), objective=objective, epochs=2).fit(table, y)
    >>> label_support(model, table).loc[0].sum().round(6).tolist()
    [1.0, 1.0]
    """
    objective = getattr(model, "objective_", None)
    if not isinstance(objective, ConditionalTransport):
        raise ValueError(
            f"{model!r} has no plan of tokens and labels; fit it with objective='transport' and head Aligner()."
        )
    outputs = model._outputs(model._seen(X))
    head = model.module_[1]
    tokens = head.places() if isinstance(head, Aligner) else [str(number + 1) for number in range(objective.tokens)]
    with torch.no_grad():
        plan = objective.navigators(outputs).backward
        missing = outputs.unflatten(1, (len(tokens), -1)).isnan().any(-1)
        shares = plan.masked_fill(missing[..., None], torch.nan).flatten(0, 1).cpu().numpy()
    index = pd.MultiIndex.from_product([range(len(outputs)), tokens], names=["row", "token"])
    return pd.DataFrame(shares, index, model.classes_)
