"""What a fitted model says of every frame of a clip."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.utils.validation import check_is_fitted

from featmer.collate import TensorTable
from featmer.estimators.fusion import FusionEstimator
from featmer.table import FeatureTable
from featmer.training import seeded


def frame_outputs(model: FusionEstimator, X: FeatureTable | ArrayLike) -> list[NDArray[np.float64]]:
    """Return what a model says of every frame of each row, for heads that answer frame by frame.

    Parameters
    ----------
    model : FusionClassifier or FusionRegressor
        Fitted, with the head "lfan".
    X : FeatureTable of n_rows rows, or array-like of shape (n_rows, n_features)
        Rows.

    Returns
    -------
    list of n_rows ndarray of shape (n_frames, n_outputs)
        Raw outputs: of a classifier, scores before the softmax, as `featmer.decisions.decide_clips` takes them.

    Raises
    ------
    ValueError
        If the head answers for whole rows only.

    Examples
    --------
    >>> import pandas as pd
    >>> from featmer import Block, FeatureTable, FusionClassifier
    >>> pitch = Block([np.ones((n, 1)) for n in (4, 2)], ["audio.pitch"])
    >>> table = FeatureTable(pd.DataFrame({"dialogue": [1, 2], "turn": 0}), {"audio": pitch})
    >>> model = FusionClassifier("lfan", epochs=1, random_state=0).fit(table, ["joy", "fear"])
    >>> [outputs.shape for outputs in frame_outputs(model, table)]
    [(4, 2), (2, 2)]
    """
    check_is_fitted(model)
    module: Any = copy.deepcopy(model.module_).double().eval()
    scaling, head = module
    if not hasattr(head, "frame_outputs"):
        raise ValueError(f"{model.head!r} answers for whole rows, not for frames; fit a model with the head 'lfan'.")
    tensors = TensorTable(model._seen(X), model._device(), torch.float64)
    found: list[Any] = [None] * tensors.n_rows
    with torch.no_grad(), seeded(0, tensors.device):
        for rows in tensors.dialogue_batches(model.batch_size):
            outputs, real = head.frame_outputs(scaling(tensors.batch(rows)))
            for row, own, there in zip(rows.tolist(), outputs, real, strict=True):
                found[row] = own[there].cpu().numpy()
    return found
