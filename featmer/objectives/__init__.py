"""How a head's outputs meet the targets: the loss, and what the outputs mean."""

from featmer.objectives.base import Kind, Objective
from featmer.objectives.categorical import CrossEntropy
from featmer.objectives.dimensional import ConcordanceLoss, MeanSquaredError
from featmer.objectives.distillation import Distillation
from featmer.objectives.hybrid import HybridLoss
from featmer.objectives.label_graph import LabelGraph
from featmer.objectives.multilabel import AsymmetricLoss, BinaryCrossEntropy
from featmer.objectives.raters import RaterHeads
from featmer.objectives.several import SeveralObjectives
from featmer.objectives.soft import SoftCrossEntropy
from featmer.objectives.transport import ConditionalTransport

OBJECTIVES: dict[str, type[Objective]] = {
    "cross_entropy": CrossEntropy,
    "soft": SoftCrossEntropy,
    "raters": RaterHeads,
    "multilabel": BinaryCrossEntropy,
    "asymmetric": AsymmetricLoss,
    "hybrid": HybridLoss,
    "transport": ConditionalTransport,
    "label_graph": LabelGraph,
    "mse": MeanSquaredError,
    "ccc": ConcordanceLoss,
}

__all__ = [
    "OBJECTIVES",
    "AsymmetricLoss",
    "BinaryCrossEntropy",
    "ConcordanceLoss",
    "ConditionalTransport",
    "CrossEntropy",
    "Distillation",
    "HybridLoss",
    "Kind",
    "LabelGraph",
    "MeanSquaredError",
    "Objective",
    "RaterHeads",
    "SeveralObjectives",
    "SoftCrossEntropy",
]
