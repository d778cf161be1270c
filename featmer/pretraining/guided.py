"""Pre-training with a guide: blocks of the table that fit may learn from and that transform can do without."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from featmer._checks import check_name
from featmer._estimator import TableEstimator
from featmer.table import FeatureTable


class Guided(TableEstimator):
    """Mixed into what learns from more than the modalities: from embeddings of texts, or of a teacher.

    A guide is a block of the table that a parameter names. It is no modality: it is there in ``fit``, for all rows or
    for some, and never looked at in ``transform`` or ``predict``. In ``fit`` the checked table holds the guides after
    the modalities.
    """

    def guides(self) -> tuple[str, ...]:
        """Return the names of the blocks to learn from.

        Returns
        -------
        tuple of str
            Those that parameters name; none is fine.
        """
        raise NotImplementedError(f"{type(self).__name__} must name its guides in guides().")

    def _check_table(self, X: Any, *, reset: bool) -> FeatureTable:
        if not isinstance(X, FeatureTable):
            if self.guides():
                raise ValueError(
                    f"{type(self).__name__} is to learn from the blocks {list(self.guides())}, but X is a "
                    f"{type(X).__name__}: give a FeatureTable that has them."
                )
            return super()._check_table(X, reset=reset)
        both = sorted({*self.guides()}.intersection(self.modalities or ()))
        if both:
            raise ValueError(
                f"modalities names {both}, which {type(self).__name__} is to learn from and can do without later: "
                "leave it out, or give the table the same block under another name."
            )
        others = [name for name in X.modalities if name not in self.guides()]
        table = super()._check_table(X.select(others), reset=reset)
        if not reset:
            return table
        for name in self.guides():
            check_name(name, X.blocks, "block to learn from")
            if X.blocks[name].is_sequence:
                raise ValueError(f"The block {name!r} holds sequences, expected a vector a row: pool() it first.")
        return FeatureTable(
            table.segments, table.blocks | {name: X.blocks[name] for name in self.guides()}, provenance=X.provenance
        )


def guide_values(table: FeatureTable, name: str) -> Tensor:
    """Return what a guide tells of each row.

    Parameters
    ----------
    table : FeatureTable of n_rows rows
        The training rows.
    name : str
        A vector block.

    Returns
    -------
    Tensor, shape (n_rows, n_features)
        NaN in rows that it tells nothing of; a single missing number counts as 0.
    """
    block = table.blocks[name]
    values = torch.tensor(block.frames, dtype=torch.float32).nan_to_num(nan=0.0)
    values[torch.from_numpy(block.missing)] = torch.nan
    return values
