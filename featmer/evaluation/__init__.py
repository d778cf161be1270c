"""Honest comparison: splits that do not leak, metrics, intervals and tests."""

from featmer.evaluation.forgetting import forgetting
from featmer.evaluation.identity import digest
from featmer.evaluation.metrics import METRICS, Metric
from featmer.evaluation.protocol import evaluate
from featmer.evaluation.splits import SPLITTERS, ByDialogue, BySpeaker, Official, RandomRows

__all__ = [
    "METRICS",
    "SPLITTERS",
    "ByDialogue",
    "BySpeaker",
    "Metric",
    "Official",
    "RandomRows",
    "digest",
    "evaluate",
    "forgetting",
]
