"""Training: one loop, seeded, scheduled, stopped early on validation dialogues, best weights kept."""

from featmer.training.checkpoint import Best, Checkpoint
from featmer.training.loop import Examples, predict, seeded, train
from featmer.training.steps import Plan, TrainingError

__all__ = ["Best", "Checkpoint", "Examples", "Plan", "TrainingError", "predict", "seeded", "train"]
