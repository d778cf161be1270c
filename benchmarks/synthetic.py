"""Measure on made-up rows, in which one mechanism and no other finds the answer, what papers claim of their methods.

    python benchmarks/synthetic.py
    python benchmarks/synthetic.py missing --seeds 10

missing
    CIDer: a head trained with features missing, and one distilled from itself, keep more when features go missing at
    test (area under the curve of accuracy) than one trained on whole rows. "Complete" is the least accuracy of the
    three on whole rows.
shift
    CIDer: subtracting what a shortcut alone says helps where it no longer holds. Tau is chosen on 1000 rows like those
    of training and 1000 shifted ones; "new" rows did not choose it.
conflict
    MoSEAR: experts trained on rows that favour audio have a smaller gap between audio-aligned and video-aligned rows
    than concatenation, with weights of the modalities balanced or left free.

Prints a column a seed, their mean, and what the claim asks. The tests of these claims measure with the same functions.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.linear_model import LogisticRegression

from featmer import Block, FeatureTable, FusionClassifier
from featmer.causal import CounterfactualClassifier
from featmer.collate import collate
from featmer.evaluation import auilc
from featmer.missing import RATES, Missing
from featmer.nn import Concat, Experts, Head, SelfDistilled

SUBSETS = ("consistent", "audio-aligned", "video-aligned")
AUDIO_BIASED, EVENLY = (0.70, 0.22, 0.08), (1 / 3, 1 / 3, 1 / 3)
SHORTCUT = [4, 5, 6]
ASKED = {
    **{"complete": ">= .99", "augmented - whole": ">= .02", "distilled - whole": ">= .01"},
    "augmented - distilled": "within .03",
    **{"cost": "<= .02", "gain": ">= .05", "new gain": ">= .05"},
    **{"free - concat, gap": "<= 0", "balanced - concat, gap": "<= 0"},
    **{"free - concat, consistent": ">= -.01", "balanced - concat, consistent": ">= -.01"},
    "audio weight, balanced": "within .05 of .5",
}


def make_table(dialogues: ArrayLike, **modalities: Sequence[NDArray[np.float64]] | NDArray[np.float64]) -> FeatureTable:
    """Return a table; `dialogues` has the number of each row's dialogue, a modality (n_rows, n_features)."""
    turns = pd.Series(dialogues).groupby(dialogues).cumcount()
    segments = pd.DataFrame({"dialogue": dialogues, "turn": turns, "speaker": turns % 2})
    blocks = {
        name: Block(values, [f"{name}.{i}" for i in range(values[0].shape[-1])]) for name, values in modalities.items()
    }
    return FeatureTable(segments, blocks)


# missing features


def key_frames(
    seed: int, n_rows: int = 800, n_frames: int = 16, *, faint: float = 0.4
) -> tuple[FeatureTable, NDArray[np.int64]]:
    """Return rows of audio and text sequences, and labels, 0 or 1: one loud frame of audio gives them away.

    Text tells them too, faintly in every frame, but only by whether two features have the same sign, which is harder
    to learn.
    """
    rng = np.random.default_rng(seed)
    labels, every = rng.integers(2, size=n_rows), np.arange(n_rows)
    audio, text = 0.5 * rng.standard_normal((2, n_rows, n_frames, 4))
    shown, sign = 2 * labels - 1, rng.choice([-1, 1], n_rows)
    audio[every, rng.integers(n_frames, size=n_rows), 0] += 16 * shown
    text[:, :, :2] += faint * np.stack([sign, sign * shown], axis=1)[:, None]
    return make_table(every, audio=list(audio), text=list(text)), labels


def missing(seed: int) -> dict[str, float]:
    """Return areas under the curve of accuracy over rates of missing frames, for three ways to train a head."""
    (train, y), (test, labels) = key_frames(seed), key_frames(seed + 100)
    heads = {
        "whole": Concat(hidden=16),
        "augmented": SelfDistilled(Concat(hidden=16), distillation=False),
        "distilled": SelfDistilled(Concat(hidden=16)),
    }
    areas, complete = {}, 1.0
    for name, head in heads.items():
        model = FusionClassifier(head, lr=5e-3, epochs=20, random_state=seed).fit(train, y)
        scores = [np.mean(model.predict(seen.apply(test)) == labels) for seen in Missing(how="rmfm").at(RATES)]
        areas[name], complete = auilc(RATES, scores), min(complete, scores[0])
    pairs = [("augmented", "whole"), ("distilled", "whole"), ("augmented", "distilled")]
    return {**areas, "complete": complete, **{f"{a} - {b}": areas[a] - areas[b] for a, b in pairs}}


# shifted rows


def spurious(
    seed: int, n_rows: int, kept: float, *, n_labels: int = 3
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return causes of a label, and one thing (columns 4 to 6) that goes with it in a share ``kept`` of the rows."""
    rng = np.random.default_rng(seed)
    y = rng.integers(n_labels, size=n_rows)
    causes = 1.2 * np.eye(n_labels, 4)[y] + rng.standard_normal((n_rows, 4))
    goes_with = np.where(rng.random(n_rows) < kept, y, (y + rng.integers(1, n_labels, n_rows)) % n_labels)
    return np.column_stack([causes, np.eye(n_labels)[goes_with]]), y


def shift(seed: int) -> dict[str, float]:
    """Return accuracy without and with subtraction, on the rows that chose tau and on new ones."""
    train = spurious(seed, 3000, 0.8)
    chose, new = (
        {"alike": spurious(seed + first, n_rows, 0.8), "shifted": spurious(seed + second, n_rows, 0.1)}
        for first, second, n_rows in ((30, 40, 1000), (10, 20, 3000))
    )
    X, y = (np.concatenate(both) for both in zip(*chose.values(), strict=True))
    model = CounterfactualClassifier(LogisticRegression(), SHORTCUT)
    model.fit(*train, validation=(X, y), shifted=np.arange(2000) >= 1000)
    told = {"tau": model.tau_}
    for kind, parts in {"": chose, "new ": new}.items():
        for name, part in parts.items():
            told |= {f"{kind}{name}, tau 0": model.estimator_.score(*part), f"{kind}{name}": model.score(*part)}
        told[f"{kind}cost"] = told[f"{kind}alike, tau 0"] - told[f"{kind}alike"]
        told[f"{kind}gain"] = told[f"{kind}shifted"] - told[f"{kind}shifted, tau 0"]
    return told


# conflicting modalities


def make_conflict(
    seed: int,
    n_rows: int = 2000,
    shares: Sequence[float] = AUDIO_BIASED,
    *,
    n_labels: int = 4,
    width: int = 16,
    noise: float = 0.7,
    faint: float = 1.0,
    cue: float = 1.0,
    frames: tuple[int, int] | None = None,
) -> tuple[FeatureTable, NDArray[np.int64]]:
    """Return a table of audio and video with the column `subset`, and labels.

    Consistent rows show the label in both modalities; audio-aligned ones show it in audio and another one in video;
    video-aligned ones the other way round. A modality that misleads does so more faintly, and its last feature, the
    cue, is lower. With `frames`, modalities are sequences of so many frames, as noisy when averaged.
    """
    rng = np.random.default_rng(seed)
    subset = rng.choice(3, n_rows, p=shares)
    labels = rng.integers(n_labels, size=n_rows)
    other = (labels + rng.integers(1, n_labels, n_rows)) % n_labels
    blocks = {}
    for number, (modality, misled) in enumerate({"audio": subset == 2, "video": subset == 1}.items()):
        shown = 2 * np.eye(n_labels, width)[np.where(misled, other, labels)]
        shown *= np.where(misled, faint, 1.0)[:, None]
        shown[:, -1] += np.where(misled, -cue, cue)
        if frames is None:
            values = shown + noise * rng.standard_normal(shown.shape)
        else:
            n_frames = frames[number]
            values = list(shown[:, None] + noise * n_frames**0.5 * rng.standard_normal((n_rows, n_frames, width)))
        blocks[modality] = Block(values, [f"{modality}.{i}" for i in range(width)])
    segments = pd.DataFrame({"dialogue": np.arange(n_rows), "turn": 0, "subset": np.array(SUBSETS)[subset]})
    return FeatureTable(segments, blocks), labels


def conflict_scores(model: Any, table: FeatureTable, labels: NDArray[np.int64]) -> dict[str, float]:
    """Return accuracy on consistent, audio-aligned and video-aligned rows, and the gap between the last two."""
    right = pd.Series(model.predict(table) == labels).groupby(table.segments["subset"]).mean()
    return {**right[list(SUBSETS)], "gap": abs(right["audio-aligned"] - right["video-aligned"])}


def fitted(head: Head, seed: int, table: FeatureTable, labels: NDArray[np.int64], epochs: int = 30) -> FusionClassifier:
    """Return a fitted head."""
    return FusionClassifier(head, lr=3e-3, epochs=epochs, random_state=seed).fit(table, labels)


@torch.no_grad()
def weight_of_audio(model: FusionClassifier, table: FeatureTable) -> float:
    """Return how much experts believe audio, in the mean."""
    scaling, head = model.module_
    return float(head.eval().weights(*head.encoders(scaling(collate(table))))[:, 0].mean())


def conflict(seed: int) -> dict[str, float]:
    """Return what concatenation and experts score on each subset of rows, and how experts weigh audio."""
    train, test = make_conflict(seed), make_conflict(seed + 100, 3000, EVENLY)
    sizes = {"hidden": 32, "dropout": 0.1}
    heads = {"concat": Concat(**sizes), "free": Experts(modality_balance=0.0, **sizes), "balanced": Experts(**sizes)}
    models = {name: fitted(head, seed, *train) for name, head in heads.items()}
    scores = {name: conflict_scores(model, *test) for name, model in models.items()}
    told = {f"{name}, {subset}": scores[name][subset] for subset in (*SUBSETS, "gap") for name in heads}
    for name in ("free", "balanced"):
        for subset in ("gap", "consistent"):
            told[f"{name} - concat, {subset}"] = scores[name][subset] - scores["concat"][subset]
        told[f"audio weight, {name}"] = weight_of_audio(models[name], train[0])
    return told


CLAIMS: dict[str, Callable[[int], dict[str, float]]] = {"missing": missing, "shift": shift, "conflict": conflict}


def table_of(claim: str, seeds: Sequence[int]) -> pd.DataFrame:
    """Return what was measured, a column a seed, beside the mean and what is asked."""
    found = pd.DataFrame({str(seed): CLAIMS[claim](seed) for seed in seeds})
    asked = [ASKED.get(name, "") for name in found.index]
    return found.assign(mean=found.mean(axis=1)).round(3).assign(asked=asked)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("claims", nargs="*", help=", ".join(CLAIMS))
    parser.add_argument("--seeds", type=int, default=3)
    arguments = parser.parse_args()
    for claim in arguments.claims or CLAIMS:
        print(f"{claim}\n{table_of(claim, range(arguments.seeds)).to_string()}\n", flush=True)
