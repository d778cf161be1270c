"""Results on disk: one pair of files a call of `evaluate`, any number of them merged into comparisons."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from featmer._saving import write_whole
from featmer.evaluation.metrics import find_metric
from featmer.evaluation.runs import VARIANTS
from featmer.evaluation.stats import data_set_scores
from featmer.report.variants import as_they_are
from featmer.segments import KEY
from featmer.table import FeatureTable

MIN_CORPORA = 4
"""Corpora from which on models can be told apart by their ranks: with three, the critical difference of two is 1.13."""

COMPARISON = ("corpus", "target", "protocol", "features_digest")
_RESULTS, _PREDICTIONS = ".results.parquet", ".predictions.parquet"
_RUN = ["model", "seed", "fold", "part"]


class Comparison(NamedTuple):
    """Results and predictions of one corpus, target, protocol and set of features.

    Examples
    --------
    >>> Comparison("demo-emotion", pd.DataFrame(), pd.DataFrame()).name
    'demo-emotion'
    """

    name: str
    results: pd.DataFrame
    predictions: pd.DataFrame


def comparisons(results: pd.DataFrame, predictions: pd.DataFrame | Mapping[str, pd.DataFrame]) -> list[Comparison]:
    """Divide what `evaluate` returned into a comparison for each target.

    Parameters
    ----------
    results : DataFrame
        From ``featmer.evaluate(..., return_predictions=True)``.
    predictions : DataFrame or dict of str to DataFrame
        From there too; a dict where there are several targets.

    Returns
    -------
    list of Comparison
        In the order of the targets; `leaderboard`, `write_page` and the tests take one of them.

    Examples
    --------
    >>> results = pd.DataFrame({"corpus": "demo", "target": ["emotion", "valence"], "protocol": "official"})
    >>> found = comparisons(results, {"emotion": pd.DataFrame(), "valence": pd.DataFrame()})
    >>> [comparison.name for comparison in found]
    ['demo-emotion-official', 'demo-valence-official']
    """
    if not isinstance(predictions, Mapping):
        predictions = {results["target"].iloc[0]: predictions}
    own = {target: results[results["target"] == target].reset_index(drop=True) for target in predictions}
    keys = {target: tuple(rows[list(COMPARISON[:3])].iloc[0].astype(str)) for target, rows in own.items()}
    return [Comparison(_name(keys[target], ()), own[target], said) for target, said in predictions.items()]


def save_results(
    results: pd.DataFrame,
    predictions: pd.DataFrame | Mapping[str, pd.DataFrame],
    folder: str | os.PathLike[str],
) -> None:
    """Write what `evaluate` returned to a folder; the same runs take the same files.

    Parameters
    ----------
    results, predictions
        From ``featmer.evaluate(..., return_predictions=True)``.
    folder : path-like
        Where; made if needed.
    """
    for comparison in comparisons(results, predictions):
        _save(comparison.results, comparison.predictions, folder)


def _save(results: pd.DataFrame, predictions: pd.DataFrame, folder: str | os.PathLike[str]) -> None:
    runs = results[[*COMPARISON, "model", "model_digest", "seed"]].drop_duplicates().sort_values(["model", "seed"])
    stem = Path(folder) / hashlib.sha256(runs.to_csv(index=False).encode()).hexdigest()[:16]
    write_whole(stem.with_name(stem.name + _PREDICTIONS), predictions.to_parquet())
    write_whole(stem.with_name(stem.name + _RESULTS), results.to_parquet())


def load_results(folders: str | os.PathLike[str] | Iterable[str | os.PathLike[str]]) -> list[Comparison]:
    """Merge all results of some folders, a comparison for each corpus, target, protocol and set of features.

    Where one name stands for several configurations, the digest is added to it. A run that is in several files is
    taken once, from the newest.

    Parameters
    ----------
    folders : path-like or iterable of path-like
        Folders that :func:`save_results` wrote to.

    Returns
    -------
    list of Comparison
        The largest last.

    Raises
    ------
    FileNotFoundError
        If no folder holds results.

    Examples
    --------
    >>> import tempfile
    >>> import numpy as np
    >>> from sklearn.dummy import DummyClassifier
    >>> from featmer import Block, FeatureTable, evaluate
    >>> segments = pd.DataFrame({"dialogue": range(12), "turn": 0, "emotion": ["joy", "fear"] * 6})
    >>> table = FeatureTable(segments, {"text": Block(np.ones((12, 1)), ["text.length"])})
    >>> found = evaluate(DummyClassifier(), table, n_bootstrap=0, return_predictions=True, progress=False)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_results(*found, folder)
    ...     [comparison.name for comparison in load_results(folder)]
    ['-emotion-by_dialogue']
    """
    folders = [folders] if isinstance(folders, str | os.PathLike) else list(folders)
    files = [file for folder in folders for file in Path(folder).glob(f"*{_RESULTS}")]
    if not files:
        raise FileNotFoundError(f"No results in {[str(folder) for folder in folders]}: run experiments/run.py first.")
    parts: dict[tuple[str, ...], list[tuple[pd.DataFrame, pd.DataFrame]]] = {}
    for file in sorted(files, key=lambda file: file.stat().st_mtime):
        results = pd.read_parquet(file)
        predictions = pd.read_parquet(file.with_name(file.name.removesuffix(_RESULTS) + _PREDICTIONS))
        digests = results.drop_duplicates("model").set_index("model")["model_digest"]
        key = tuple(results[list(COMPARISON)].iloc[0].astype(str))
        parts.setdefault(key, []).append((results, predictions.assign(model_digest=predictions["model"].map(digests))))
    merged = [Comparison(_name(key, parts), *_merge(pairs)) for key, pairs in parts.items()]
    return sorted(merged, key=lambda comparison: len(comparison.results))


def over_corpora(found: Sequence[Comparison]) -> pd.DataFrame | None:
    """Return the score of each model on each of several corpora, for a diagram of critical differences.

    Of a corpus that was compared in several ways, the largest comparison counts. Each is scored by its own first
    metric, as its leaderboard ranks: only ranks within a corpus are averaged.

    Parameters
    ----------
    found : sequence of Comparison
        As :func:`load_results` returns them, the largest last.

    Returns
    -------
    DataFrame of shape (n_corpora, n_models) or None
        Higher is better; models without a score on every corpus are left out. None for fewer than four corpora or two
        models: of three corpora, not even two models that always rank the same way can be told apart.

    Examples
    --------
    >>> over_corpora([Comparison("demo-emotion", pd.DataFrame({"corpus": ["demo"]}), pd.DataFrame())])
    """
    largest = {str(comparison.results["corpus"].iloc[0]): comparison.results for comparison in found}
    if len(largest) < MIN_CORPORA:
        return None
    scores = []
    for results in largest.values():
        metric = find_metric(results["metric"].iloc[0])
        scores.append(metric.gain(data_set_scores(as_they_are(results), metric)))
    shared = pd.concat(scores, join="inner")
    return shared if shared.shape[1] > 1 else None


def find_table(folder: str | os.PathLike[str], predictions: pd.DataFrame) -> FeatureTable | None:
    """Find a table that holds every utterance of some predictions, for the dialogue explorer of their page.

    Parameters
    ----------
    folder : path-like
        Holds tables that `FeatureTable.save` wrote.
    predictions : DataFrame
        As `featmer.evaluate` returns them.

    Returns
    -------
    FeatureTable or None
        The one with most sequences, which show face and voice over time; of those alike, the newest.

    Examples
    --------
    >>> find_table("no/such/folder", pd.DataFrame({"dialogue": ["a"], "turn": [0]}))
    """
    best: tuple[int, FeatureTable] | None = None
    for path in sorted(Path(folder).glob("*.parquet"), key=lambda path: path.stat().st_mtime, reverse=True):
        table = FeatureTable.load(path)
        key = [name for name in KEY if name in predictions]
        if not set(key) <= set(table.segments):
            continue
        here, asked = (set(frame[key].itertuples(index=False, name=None)) for frame in (table.segments, predictions))
        richness = sum(block.is_sequence for block in table.blocks.values())
        if asked <= here and (best is None or richness > best[0]):
            best = richness, table
    return None if best is None else best[1]


def _name(key: tuple[str, ...], parts: Iterable[tuple[str, ...]]) -> str:
    """Name a comparison as a folder may be named; the features tell apart those that are otherwise alike."""
    alike = [other for other in parts if other[:3] == key[:3]]
    words = key if len(alike) > 1 else key[:3]
    return "-".join(re.sub(r"[^\w=+]+", "_", word.replace("'", "")).strip("_") for word in words)


def _merge(pairs: list[tuple[pd.DataFrame, pd.DataFrame]]) -> list[pd.DataFrame]:
    results, predictions = (pd.concat(frames, ignore_index=True) for frames in zip(*pairs, strict=True))
    digests = results.groupby("model")["model_digest"].nunique()
    several = set(digests.index[digests > 1])
    for frame in (results, predictions):
        names = frame["model"] + " " + frame["model_digest"].str[:6]
        frame["model"] = frame["model"].where(~frame["model"].isin(several), names)
    # That a search pruned a run is no news of it where it was done, before or after.
    results = pd.concat([results[(cut := results["error"].str.startswith("pruned: "))], results[~cut]])
    return [
        frame.drop_duplicates([*_run(frame), what], keep="last", ignore_index=True)
        for frame, what in ((results, "metric"), (predictions, "row"))
    ]


def _run(frame: pd.DataFrame) -> list[str]:
    """Return the columns that tell one run from another."""
    return [*_RUN, *(name for name in VARIANTS if name in frame)]
