"""A table with every kind of target, and every public estimator at work on it, for the spy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from featmer import (
    Block,
    BoostedClassifier,
    BoostedRegressor,
    FeatureTable,
    FusionClassifier,
    FusionRegressor,
    MultitaskFusion,
)
from featmer.baselines import (
    AugmentedClassifier,
    AUPrototypeClassifier,
    BroadLearningClassifier,
    BroadLearningRegressor,
    DistilledClassifier,
    LinearClassifier,
    LinearRegressor,
    MajorityClassifier,
    PairwiseCompound,
    StackedClassifier,
)
from featmer.calibration import CalibratedClassifier, SelectiveClassifier
from featmer.causal import BackdoorClassifier, CounterfactualClassifier
from featmer.descriptions import Describer
from featmer.nn import HEADS, Concat, SelfDistilled, Transformer
from featmer.objectives import CrossEntropy
from featmer.pretraining import PairwiseContrastive, ScenePerson, TripletEmbedder, UnifiedMasked

EMOTIONS = ["anger", "sadness", "surprise"]
COMPOUNDS = {(0, 1): "sadly angry", (0, 2): "angrily surprised", (1, 2): "sadly surprised"}
PLAIN, PRETRAINED = ["audio", "face", "text"], ["audio", "text"]
UNITS = {"AU04": (1, 1, 0), "AU23": (1, 0, 0), "AU01": (0, 1, 1), "AU15": (0, 1, 0), "AU26": (0, 0, 1)}
JOINT = ("emotion", "valence", "labels.")

SHORT: dict[str, Any] = {"epochs": 3, "random_state": 0}
EMBEDDERS: dict[str, Any] = {
    "contrastive": PairwiseContrastive(PRETRAINED, epochs=2, random_state=0),
    "triplet": TripletEmbedder(PRETRAINED, epochs=2, random_state=0),
    "unified": UnifiedMasked(PRETRAINED, hidden=8, heads=2, epochs=2, random_state=0),
    "scene and person": ScenePerson(["scene", "person"], hidden=8, epochs=2, random_state=0),
}


def fusion(head: Any = None, **more: Any) -> FusionClassifier:
    return FusionClassifier(Concat(hidden=8) if head is None else head, **{**SHORT, **more})


LABELS: dict[str, Any] = {
    "majority": MajorityClassifier(),
    "linear": LinearClassifier(),
    "boosted": BoostedClassifier(n_estimators=30, n_jobs=1),
    "broad": BroadLearningClassifier(),
    "stacked": StackedClassifier(n_folds=2),
    "augmented": AugmentedClassifier(),
    "fusion": fusion(Transformer(hidden=8, context="both")),
    "balanced": fusion(objective=CrossEntropy(class_weight="balanced")),
    "self-distilled": fusion(SelfDistilled(Concat(hidden=8))),
    "prototypes": AUPrototypeClassifier(["face"]),
    **{f"fusion on {name}": fusion(pretraining=embedder) for name, embedder in EMBEDDERS.items()},
    **{f"linear on {name}": make_pipeline(embedder, LinearClassifier()) for name, embedder in EMBEDDERS.items()},
    "words": make_pipeline(
        Describer("sentences", relative_to="corpus", min_rows=5), CountVectorizer(), LogisticRegression()
    ),
    **{f"{method} scaling": CalibratedClassifier(LinearClassifier(), method) for method in ("temperature", "vector")},
    "isotonic": CalibratedClassifier(fusion(), "isotonic"),
    "selective": SelectiveClassifier(LinearClassifier(), coverage=0.7),
    "backdoor": BackdoorClassifier(LinearClassifier()),
    "counterfactual": CounterfactualClassifier(LinearClassifier(), ["audio"]),
    "both causal": BackdoorClassifier(CounterfactualClassifier(LinearClassifier(), ["audio"])),
    "search": GridSearchCV(make_pipeline(SimpleImputer(), LogisticRegression()), {"logisticregression__C": [0.1, 1.0]}),
    "nested search": GridSearchCV(
        CalibratedClassifier(fusion()), {"estimator__head__hidden": [4, 8], "method": ["temperature", "vector"]}, cv=2
    ),
}
VALUES: dict[str, Any] = {
    "linear": LinearRegressor(),
    "boosted": BoostedRegressor(n_estimators=30, n_jobs=1),
    "broad": BroadLearningRegressor(),
    "fusion": FusionRegressor(Concat(hidden=8), **SHORT),
    "concordance": FusionRegressor(Concat(hidden=8), objective="ccc", **SHORT),
}
SEVERAL: dict[str, Any] = {
    "thresholds": fusion(thresholds="class"),
    "linear": LinearClassifier(thresholds="class"),
    "boosted": BoostedClassifier(n_estimators=20, n_jobs=1, thresholds="class"),
    "stacked": StackedClassifier(n_folds=2),
    "distilled": DistilledClassifier(LinearClassifier()),
    "calibrated": CalibratedClassifier(LinearClassifier()),
    "hybrid": fusion(objective="hybrid"),
}
SHARES: dict[str, Any] = {
    "fusion": fusion(),
    "linear": LinearClassifier(),
    "distilled": DistilledClassifier(LinearClassifier()),
}
PAIRS: dict[str, Any] = {
    "pair rule": PairwiseCompound(LinearClassifier()),
    "pair rule, fusion": PairwiseCompound(fusion()),
}
ALL: dict[str, Any] = {
    "one": MultitaskFusion(Concat(hidden=8), **SHORT),
    "own epochs": MultitaskFusion(Concat(hidden=8), best_epoch="by_task", thresholds="class", **SHORT),
    "label graph": MultitaskFusion(Concat(hidden=8), objective="label_graph", **SHORT),
    "alone": {"emotion": LinearClassifier(), "valence": LinearRegressor()},
}
BY_TARGET: dict[Any, dict[str, Any]] = {
    "emotion": LABELS, "valence": VALUES, "labels.": SEVERAL, "votes.": SHARES, "compound": PAIRS, JOINT: ALL,
}  # fmt: skip
EVERY_HEAD: dict[str, Any] = {
    name: FusionClassifier(name, modalities=PLAIN, epochs=1, random_state=0) for name in sorted(HEADS)
}


def make_spied_table(n_dialogues: int = 36, n_turns: int = 4) -> FeatureTable:
    """Return three corpora of dialogues in which faces, voices and texts show an emotion, with gaps."""
    rng, n_rows = np.random.default_rng(0), n_dialogues * n_turns
    dialogue = np.repeat(np.arange(n_dialogues), n_turns)
    codes = np.where(
        rng.random(n_rows) < 0.3, rng.integers(3, size=n_rows), rng.integers(3, size=n_dialogues)[dialogue]
    )
    second = np.where(rng.random(n_rows) < 0.4, (codes + 1) % 3, codes)
    pairs = [tuple(sorted(pair)) for pair in zip(codes.tolist(), second.tolist(), strict=True)]
    shown = np.eye(3)[codes] + np.eye(3)[second]
    segments = pd.DataFrame(
        {
            "corpus": np.array(["here", "there", "yonder"])[dialogue % 3],
            "session": dialogue // 3 % 4,
            "dialogue": [f"d{number:02d}" for number in dialogue],
            "turn": np.tile(np.arange(n_turns), n_dialogues),
            "speaker": [f"s{number}" for number in dialogue // 6],
            "split": np.array(["train", "train", "valid", "test"])[dialogue // 3 % 4],
            "text": [f"this is {EMOTIONS[code]} number {row}" for row, code in enumerate(codes)],
            "emotion": np.array(EMOTIONS)[codes],
            "compound": [COMPOUNDS.get(pair, EMOTIONS[pair[0]]) for pair in pairs],
            "valence": np.array([-0.8, -0.4, 0.6])[codes] + 0.1 * rng.standard_normal(n_rows),
            "arousal": np.array([0.8, -0.6, 0.7])[codes] + 0.1 * rng.standard_normal(n_rows),
            **{f"labels.{name}": shown[:, code].clip(max=1) for code, name in enumerate(EMOTIONS)},
            **{f"votes.{name}": 2 * shown[:, code] for code, name in enumerate(EMOTIONS)},
        }
    )
    for column in ("emotion", "valence"):
        segments.loc[rng.random(n_rows) < 0.1, column] = None
    faces = np.clip(shown @ np.array(list(UNITS.values())).T / 3 + 0.2 * rng.random((n_rows, len(UNITS))), 0, 1)
    blocks = {"face": Block(faces, [f"face.au.{unit}_mean" for unit in UNITS])}
    for modality, width in {"audio": 6, "text": 6, "scene": 4, "person": 4}.items():
        values = rng.standard_normal((n_rows, width)) + shown @ np.eye(3, width)
        values[rng.choice(n_rows, 6, replace=False)] = np.nan
        blocks[modality] = Block(values, [f"{modality}.spied.{number}" for number in range(width)])
    return FeatureTable(segments, blocks)
