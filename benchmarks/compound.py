"""Compare ways to tell compound emotions on the demo corpus, and what words lose and keep on made-up clips.

    python benchmarks/compound.py --folder featmer-output

The demo corpus with compound emotions: 168 clips of seven compound emotions in 28 dialogues, five folds over the
dialogues; scores of all folds' answers together, mean and deviation over seeds of what is random. Only the pair rules
learn from the 201 clips of basic emotions, whose dialogues are others. Features are voice (eGeMAPS), face (action units
and more, frame by frame or pooled) and the sentence's embedding; textualised models read the sentence with, in place
of voice and face, the cues of Richet et al. (2024) or calibrated sentences. Where a model answers frame by frame,
frames are scored, and clips by three ways to decide. Pairs of models are tested on the same clips by swapping their
answers dialogue by dialogue (macro F1, all seeds together, Holm over all of these tests).

The information bottleneck: either the intensity of an action unit tells the class, which is above the threshold of the
cues in any case, or a word does, which features of the face do not hold.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from featmer import (
    Block,
    BoostedClassifier,
    FaceLandmarks,
    FeatureTable,
    FusionClassifier,
    OpenSmile,
    SentenceEmbedding,
    extract,
)
from featmer.baselines import AUPrototypeClassifier, LinearClassifier, MajorityClassifier, PairwiseCompound
from featmer.decisions import decide_clips
from featmer.demo import make_corpus
from featmer.descriptions import Describer
from featmer.estimators import frame_outputs
from featmer.evaluation.stats import approximate_randomisation, holm
from featmer.labels import compound_components
from featmer.nn import LFAN

RULES = ("logits", "probabilities", "vote")
RANDOM = ("direct, boosted", "pair rule, boosted, no compound seen", "LFAN")  # what a seed changes
DIRECT, FRAMES = "direct, linear", ("LFAN", "clip, logits")
TESTS = [
    *((name, "clip", DIRECT, "clip") for name in ("pair rule", "pair rule, compound clips only")),
    ("pair rule, no compound seen", "clip", DIRECT, "clip"),
    ("pair rule, boosted, no compound seen", "clip", "direct, boosted", "clip"),
    (*FRAMES, DIRECT, "clip"),
    *((DIRECT, "clip", f"textualised, {style}", "clip") for style in ("cues, TF-IDF", "sentences, TF-IDF")),
    *((*FRAMES, f"textualised, {style}", "clip") for style in ("cues, TF-IDF", "sentences, TF-IDF")),
]
Answers = Iterator[tuple[str, str, np.ndarray, np.ndarray]]  # model, level, clips and answers


def embed(texts: np.ndarray) -> np.ndarray:
    """Return the sentence embeddings of texts."""
    return np.stack([outcome.values for outcome in SentenceEmbedding().describe_texts(list(texts))])


def textualised(style: str) -> dict[str, Any]:
    """Return models of a style's words: counted, or embedded."""
    return {
        f"textualised, {style}, TF-IDF": make_pipeline(
            Describer(style, min_rows=10), TfidfVectorizer(ngram_range=(1, 2)), LogisticRegression(C=10.0)
        ),
        f"textualised, {style}, embedded": make_pipeline(
            Describer(style, min_rows=10), FunctionTransformer(embed), LinearClassifier()
        ),
    }


def pooled_models(seed: int) -> dict[str, tuple[Any, str]]:
    """Return what answers for a clip as a whole, and which clips it learns from."""
    boosted = BoostedClassifier(n_estimators=150, random_state=seed)
    return {
        "majority": (MajorityClassifier(), "compound"),
        "pair rule, no compound seen": (PairwiseCompound(LinearClassifier()), "basic"),
        "pair rule, boosted, no compound seen": (PairwiseCompound(boosted), "basic"),
        "pair rule, compound clips only": (PairwiseCompound(LinearClassifier()), "compound"),
        "pair rule": (PairwiseCompound(LinearClassifier()), "both"),
        "AU prototypes": (AUPrototypeClassifier(["face"], class_weight="balanced"), "compound"),
        **{name: (model, "compound") for style in ("cues", "sentences") for name, model in textualised(style).items()},
        "direct, linear": (LinearClassifier(), "compound"),
        "direct, boosted": (boosted, "compound"),
    }


def by_frame(table: FeatureTable) -> tuple[np.ndarray, np.ndarray]:
    """Return the frames of the face beside what is known of the whole clip, and the clip of each."""
    face = table.blocks["face"]
    clips = np.repeat(np.arange(len(table)), np.diff(face.offsets))
    whole = np.column_stack([table.blocks[name].values for name in ("audio", "text")])
    return np.column_stack([face.frames, whole[clips]]), clips


def frame_answers(name: str, outputs: np.ndarray, clips: np.ndarray, asked: np.ndarray, classes: np.ndarray) -> Answers:
    """Yield what was answered frame by frame, and about clips by each rule."""
    yield name, "frame", asked[clips], classes[outputs.argmax(axis=1)]
    for rule in RULES:
        owners, codes = decide_clips(outputs, clips, rule=rule)
        yield name, f"clip, {rule}", asked[owners], classes[codes]


def labels_of(table: FeatureTable) -> np.ndarray:
    """Return the compound emotion of each clip, or its basic one."""
    return table.segments["compound"].fillna(table.segments["emotion"]).to_numpy(object)


def answers(table: FeatureTable, seed: int) -> Answers:
    """Yield the answers of all models for each fold; those that no seed changes for the first seed only."""
    compound, pooled = table.segments["compound"].notna().to_numpy(), table.pool()
    labels = labels_of(table)
    rows, basic = np.flatnonzero(compound), np.flatnonzero(~compound)
    for train, test in GroupKFold(5).split(rows, groups=table.segments["dialogue"].to_numpy(object)[rows]):
        taught = {"compound": rows[train], "basic": basic, "both": np.concatenate([basic, rows[train]])}
        asked = rows[test]
        for name, (model, kind) in pooled_models(seed).items():
            if seed == 0 or name in RANDOM:
                model.fit(pooled[taught[kind]], labels[taught[kind]])
                yield name, "clip", asked, model.predict(pooled[asked])
        if seed == 0:
            (known, owners), (unseen, clips) = (by_frame(table[each]) for each in (rows[train], asked))
            model = LinearClassifier().fit(known, labels[rows[train]][owners])
            outputs = np.log(model.predict_proba(unseen))
            yield from frame_answers("direct, linear on frames", outputs, clips, asked, model.classes_)
        model = FusionClassifier("lfan", random_state=seed, modalities=["face", "audio", "text"])
        model.fit(table[rows[train]], labels[rows[train]])
        frames = frame_outputs(model, table[asked])
        clips = np.repeat(np.arange(len(asked)), [len(own) for own in frames])
        yield from frame_answers("LFAN", np.concatenate(frames), clips, asked, model.classes_)


def summary(found: pd.DataFrame) -> pd.DataFrame:
    """Return the scores of all folds' answers together: mean over seeds, and deviation where there are several."""
    scores = {
        "macro F1": lambda own: f1_score(own["truth"], own["answer"], average="macro", zero_division=0),
        "weighted F1": lambda own: f1_score(own["truth"], own["answer"], average="weighted", zero_division=0),
        "accuracy": lambda own: accuracy_score(own["truth"], own["answer"]),
    }
    runs = found.groupby(["model", "level", "seed"], sort=False)
    each = pd.DataFrame({name: runs.apply(score) for name, score in scores.items()})
    by_model = each.groupby(["model", "level"], sort=False)
    means, deviations = by_model.mean(), by_model.std()
    told = means.map("{:.3f}".format) + deviations.map(lambda value: "" if np.isnan(value) else f" ± {value:.3f}")
    return told.iloc[means["macro F1"].argsort()]


def tests(found: pd.DataFrame, n_seeds: int) -> pd.DataFrame:
    """Return the difference in macro F1 of pairs of models on the same clips, with p-values."""
    rows = []
    for first, level, second, other in TESTS:
        pair = [of_all_seeds(found[(found["model"] == name) & (found["level"] == at)], n_seeds)
                for name, at in ((first, level), (second, other))]  # fmt: skip
        result = approximate_randomisation("f1_macro", *pair, n_resamples=10_000)
        rows.append((f"{first} - {second}", result.difference, result.pvalue))
    told = pd.DataFrame(rows, columns=["models", "macro F1", "p"]).set_index("models")
    return told.assign(corrected=holm(told["p"])).round(4)


def of_all_seeds(said: pd.DataFrame, n_seeds: int) -> pd.DataFrame:
    """Return answers once a seed, also those that no seed changes."""
    said = said.rename(columns={"truth": "target", "answer": "prediction"})
    return said if said["seed"].nunique() == n_seeds else pd.concat(said.assign(seed=seed) for seed in range(n_seeds))


def bottleneck_clips(seed: int, told_by: str, n_rows: int = 400, n_frames: int = 4) -> tuple[FeatureTable, np.ndarray]:
    """Return clips, and labels that either an intensity of the face or a word tells.

    Each action unit has its peak in one of the frames: below .4, or above .6 and so above the threshold of the cues.
    With ``told_by="intensity"`` AU12 is above it in all rows, and how far tells the label; with "words" the last word.
    """
    rng = np.random.default_rng(seed)
    units, labels = ("AU01", "AU04", "AU12", "AU15", "AU25", "AU26"), list(compound_components())[:3]
    codes = rng.integers(3, size=n_rows)
    active = rng.random((n_rows, len(units))) < 0.5
    peak = np.where(active, rng.uniform(0.6, 1.0, active.shape), rng.uniform(0.0, 0.4, active.shape))
    words = np.full(n_rows, "weather")
    if told_by == "intensity":
        peak[:, 2] = np.array([0.6, 0.75, 0.9])[codes] + rng.uniform(0.0, 0.1, n_rows)
    else:
        words = np.array(["ghost", "gift", "funeral"])[codes]
    frames = peak[:, None] * rng.uniform(0.8, 1.0, (n_rows, n_frames, 1))
    frames[np.arange(n_rows), rng.integers(n_frames, size=n_rows)] = peak
    begins = rng.choice(["well", "you know", "really", "there it is"], n_rows)
    texts = [f"{begin}, the {word}." for begin, word in zip(begins, words, strict=True)]
    segments = pd.DataFrame({"dialogue": np.arange(n_rows), "turn": 0, "text": texts})
    return FeatureTable(segments, {"face": Block(list(frames), [f"face.au.{unit}" for unit in units])}), np.array(
        labels
    )[codes]


def bottleneck(n_seeds: int) -> pd.DataFrame:
    """Return the accuracy of textualised and feature-based models where intensities or words tell the class."""
    scores = []
    for told_by in ("intensity", "words"):
        for seed in range(n_seeds):
            train, test = (bottleneck_clips(2 * seed + each, told_by) for each in (0, 1))
            models = {
                "textualised, cues, TF-IDF": textualised("cues")["textualised, cues, TF-IDF"],
                "direct, linear": LinearClassifier(),
                "direct, boosted": BoostedClassifier(n_estimators=60, random_state=seed),
                "LFAN": FusionClassifier(LFAN(hidden=16), epochs=15, lr=0.01, random_state=seed),
            }
            scores += [(name, told_by, model.fit(*train).score(*test)) for name, model in models.items()]
    found = pd.DataFrame(scores, columns=["model", "the class is told by", "accuracy"])
    return found.pivot_table("accuracy", "model", "the class is told by", sort=False).round(3)


def demo_table(folder: Path) -> FeatureTable:
    """Return voice, frames of the face and text of the demo corpus with compound emotions."""
    segments = make_corpus(folder / "demo-compound", random_state=0, compound=True)
    extractors = [OpenSmile(), FaceLandmarks(level="frames"), SentenceEmbedding()]
    return extract(segments, extractors, cache=folder / "demo-cache", progress=False)[0]


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, default=Path("featmer-output"), help="where media and caches are kept")
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    pd.set_option("display.width", 200, "display.max_columns", None, "display.max_rows", None)
    print("Information bottleneck: accuracy, three classes, 400 clips to learn from and 400 to answer")
    print(bottleneck(arguments.seeds), flush=True)
    table = demo_table(arguments.folder)
    labels, dialogues = labels_of(table), table.segments["dialogue"].to_numpy(object)
    found = pd.concat(
        pd.DataFrame({"model": name, "level": level, "seed": seed, "row": clips, "dialogue": dialogues[clips],
                      "truth": labels[clips], "answer": answer})
        for seed in range(arguments.seeds)
        for name, level, clips, answer in answers(table, seed)
    )  # fmt: skip
    print(f"\nDemo corpus, compound emotions: {arguments.seeds} seeds, five folds over dialogues")
    print(summary(found), flush=True)
    print(tests(found, arguments.seeds))


if __name__ == "__main__":
    main()
