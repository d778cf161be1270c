"""How a head's outputs meet the targets: the loss, and what the outputs mean."""

from featmer.objectives.base import Kind, Objective
from featmer.objectives.categorical import CrossEntropy
from featmer.objectives.dimensional import ConcordanceLoss, MeanSquaredError
from featmer.objectives.multilabel import BinaryCrossEntropy
from featmer.objectives.soft import SoftCrossEntropy

OBJECTIVES: dict[str, type[Objective]] = {
    "cross_entropy": CrossEntropy,
    "soft": SoftCrossEntropy,
    "multilabel": BinaryCrossEntropy,
    "mse": MeanSquaredError,
    "ccc": ConcordanceLoss,
}

__all__ = [
    "OBJECTIVES",
    "BinaryCrossEntropy",
    "ConcordanceLoss",
    "CrossEntropy",
    "Kind",
    "MeanSquaredError",
    "Objective",
    "SoftCrossEntropy",
]
