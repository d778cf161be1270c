"""How much the rows of a class count, so that rare emotions are learnt too."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from featmer._checks import check_name

ClassWeight = Literal["balanced", "effective"] | None
_WEIGHTINGS = ("balanced", "effective", "none")


def check_weighting(class_weight: ClassWeight, beta: float | None) -> None:
    """Raise unless the way to weigh classes is one that `class_weights` knows.

    Raises
    ------
    ValueError
        If the name is unknown, or ``beta`` is not between 0 and 1, or has no use.
    """
    check_name(class_weight or "none", _WEIGHTINGS, "class_weight")
    if beta is not None and not (class_weight == "effective" and 0 <= beta < 1):
        raise ValueError(
            f"beta={beta!r} with class_weight={class_weight!r}; expected a number from 0 to below 1, with 'effective'."
        )


def class_weights(counts: Tensor, n_rows: int, class_weight: ClassWeight, beta: float | None) -> Tensor:
    """Return the weight of each class; they sum to the number of classes.

    Parameters
    ----------
    counts : Tensor, shape (n_classes,)
        Training rows of each class; a class without any counts as if it had one.
    n_rows : int
        Training rows.
    class_weight : {"balanced", "effective", None}
        By the inverse of the number of rows; by the inverse of its effective number,
        ``(1 - beta**n) / (1 - beta)``; or all alike.
    beta : float or None
        How soon more rows of a class no longer bring anything new; None is ``(n_rows - 1) / n_rows``.

    Returns
    -------
    Tensor, shape (n_classes,)
        The weights.

    References
    ----------
    Cui, Jia, Lin, Song, Belongie: Class-balanced loss based on effective number of samples. CVPR, 2019.

    Examples
    --------
    >>> counts = torch.tensor([9, 1])
    >>> class_weights(counts, 10, "balanced", None), class_weights(counts, 10, "effective", 0.5).round(decimals=2)
    (tensor([0.2000, 1.8000]), tensor([0.6700, 1.3300]))
    """
    counts = counts.clamp(min=1).double()
    if class_weight is None:
        return torch.ones(len(counts))
    share = (n_rows - 1) / n_rows if beta is None else beta
    numbers = counts if class_weight == "balanced" else 1 - torch.tensor(share, dtype=torch.double) ** counts.cpu()
    weights = 1 / numbers
    return (weights * len(weights) / weights.sum()).float()
