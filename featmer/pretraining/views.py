"""The encoder of pre-training that looks at each modality by itself."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import torch
from torch import Tensor, nn

from featmer.collate import Batch
from featmer.nn import Encoders


class Views(nn.Module):
    """An embedding a modality, of one hidden layer and a linear one.

    Parameters
    ----------
    in_features, hidden, dropout, sequences
        As :class:`featmer.nn.Encoders` takes them.

    Examples
    --------
    >>> import numpy as np, pandas as pd
    >>> from featmer import Block, FeatureTable
    >>> from featmer.collate import collate
    >>> segments = pd.DataFrame({"dialogue": [1, 1], "turn": [0, 1]})
    >>> table = FeatureTable(segments, {"text": Block([[1.0], [2.0]], ["text.length"])})
    >>> Views({"text": 1}, hidden=8, dropout=0.1)(collate(table)).shape
    torch.Size([2, 1, 8])
    """

    def __init__(
        self, in_features: Mapping[str, int], hidden: int, dropout: float, sequences: Collection[str] = ()
    ) -> None:
        super().__init__()
        self.encoders = Encoders(in_features, hidden, dropout, sequences)
        self.last = nn.ModuleList(nn.Linear(hidden, hidden) for _ in in_features)

    def forward(self, batch: Batch) -> Tensor:
        """Embed a batch.

        Parameters
        ----------
        batch : Batch
            Standardised rows.

        Returns
        -------
        Tensor, shape (n_rows, n_modalities, hidden)
            An embedding a modality; one that means nothing where the modality is missing.
        """
        views = self.encoders(batch)[0].unbind(1)
        return torch.stack([last(view) for last, view in zip(self.last, views, strict=True)], dim=1)
