"""Feature-based multimodal emotion recognition: extract, align, fit, compare.

Public names are imported on first use, so that ``import featmer`` stays light.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

_HOMES = {
    "Block": "featmer.table",
    "FeatureTable": "featmer.table",
    "align": "featmer.alignment",
    "extract": "featmer.extraction",
    "OpenSmile": "featmer.extractors",
    "FaceLandmarks": "featmer.extractors",
    "SentenceEmbedding": "featmer.extractors",
    "FusionClassifier": "featmer.estimators",
    "FusionRegressor": "featmer.estimators",
    "MultitaskFusion": "featmer.estimators",
    "BoostedClassifier": "featmer.baselines",
    "BoostedRegressor": "featmer.baselines",
    "evaluate": "featmer.evaluation",
    "leaderboard": "featmer.report",
}

if TYPE_CHECKING:
    from featmer.alignment import align
    from featmer.baselines import BoostedClassifier, BoostedRegressor
    from featmer.estimators import FusionClassifier, FusionRegressor, MultitaskFusion
    from featmer.evaluation import evaluate
    from featmer.extraction import extract
    from featmer.extractors import FaceLandmarks, OpenSmile, SentenceEmbedding
    from featmer.report import leaderboard
    from featmer.table import Block, FeatureTable

__all__ = [
    "Block",
    "BoostedClassifier",
    "BoostedRegressor",
    "FaceLandmarks",
    "FeatureTable",
    "FusionClassifier",
    "FusionRegressor",
    "MultitaskFusion",
    "OpenSmile",
    "SentenceEmbedding",
    "align",
    "evaluate",
    "extract",
    "leaderboard",
]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'featmer' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOMES})
