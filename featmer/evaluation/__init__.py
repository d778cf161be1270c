"""Honest comparison: splits that do not leak, metrics, intervals and tests."""

from featmer.evaluation.confidence import confidence_report, risk_coverage
from featmer.evaluation.conflicts import conflict_report, conflict_subsets, vote_labels
from featmer.evaluation.forgetting import forgetting
from featmer.evaluation.identity import digest
from featmer.evaluation.leaks import find_leaks
from featmer.evaluation.metrics import METRICS, Metric
from featmer.evaluation.protocol import evaluate, status
from featmer.evaluation.robustness import auilc, selection_gap
from featmer.evaluation.searching import TrialPruner, validation_score
from featmer.evaluation.splits import (
    SPLITTERS,
    ByDialogue,
    BySession,
    BySpeaker,
    CrossCorpus,
    LabelShift,
    LeaveOneCorpusOut,
    LeaveOneGroupOut,
    Official,
    RandomRows,
    SpeakerShift,
    check_disjoint,
)
from featmer.evaluation.tasks import group_report

__all__ = [
    "METRICS",
    "SPLITTERS",
    "ByDialogue",
    "BySession",
    "BySpeaker",
    "CrossCorpus",
    "LabelShift",
    "LeaveOneCorpusOut",
    "LeaveOneGroupOut",
    "Metric",
    "Official",
    "RandomRows",
    "SpeakerShift",
    "TrialPruner",
    "auilc",
    "check_disjoint",
    "confidence_report",
    "conflict_report",
    "conflict_subsets",
    "digest",
    "evaluate",
    "find_leaks",
    "forgetting",
    "group_report",
    "risk_coverage",
    "selection_gap",
    "status",
    "validation_score",
    "vote_labels",
]
