"""The dialogues of a page: what was said, what was meant, what the models took it for, what face and voice did."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd

from featmer.evaluation.outcomes import PROBABILITY, is_values
from featmer.report.charts.style import colours
from featmer.report.tracks import choose_tracks, lay_out
from featmer.segments import KEY
from featmer.table import FeatureTable

_ROW = "row of the table"


def explore(
    predictions: pd.DataFrame, models: Sequence[str], folder: str | os.PathLike[str], table: FeatureTable | None = None
) -> dict[str, Any]:
    """Gather what the dialogue explorer of a page shows, as plain numbers and text.

    Parameters
    ----------
    predictions : DataFrame
        Of one part; seeds are averaged.
    models : sequence of str
        Best first.
    folder : path-like
        Where the page will lie; media are named relative to it.
    table : FeatureTable, default=None
        Of the same utterances: its segments give text, times and media, its features the tracks. Turns that were not
        scored are shown too.

    Returns
    -------
    dict
        ``models``, ``labels`` (empty for values), ``colours`` and ``dialogues``.

    Examples
    --------
    >>> rows = pd.DataFrame({"model": "a", "dialogue": "d", "turn": [0, 1], "row": [0, 1], "target": ["x", "y"]})
    >>> rows = rows.assign(prediction="x", **{"p.x": [0.9, 0.6], "p.y": [0.1, 0.4]})
    >>> explore(rows, ["a"], ".")["dialogues"][0]["answers"]["a"][1]
    {'said': 'x', 'p': [600, 400]}
    """
    key = [name for name in KEY if name in predictions and (table is None or name in table.segments)]
    values = is_values(predictions["target"])
    labels = [] if values else sorted(set(predictions["target"].astype(str)) | set(_classes(predictions)))
    turns = _turns(predictions, key, table)
    answers = _answers(predictions, models, key, labels)
    tracks = [] if table is None else choose_tracks(table)
    groups = list(turns.groupby(key[:-1], sort=True))
    corpora = turns["corpus"].nunique() if "corpus" in key else 1
    dialogues = []
    for names, rows in groups:
        said = {model: _of_turns(found, rows, key) for model, found in answers.items()}
        name = " ".join(map(str, names)) if corpora > 1 else str(names[-1])
        spoken = [_turn(row, table, Path(folder)) for row in rows.to_dict("records")]
        drawn = lay_out(tracks, rows[_ROW].to_numpy(np.int64), len(groups)) if tracks else {}
        dialogues.append({"name": name, "turns": spoken, "answers": said, "tracks": drawn})
    return {"models": list(answers), "labels": labels, "colours": colours(labels), "dialogues": dialogues}


def _classes(predictions: pd.DataFrame) -> list[str]:
    return [str(name).removeprefix(PROBABILITY) for name in predictions if str(name).startswith(PROBABILITY)]


def _turns(predictions: pd.DataFrame, key: list[str], table: FeatureTable | None) -> pd.DataFrame:
    """Return the turns of all dialogues that were asked about, in order, with the target where it was scored."""
    known = predictions.drop_duplicates(key)
    if table is None:
        return known.sort_values(key, kind="stable")
    whole = table.segments.assign(**{_ROW: np.arange(len(table))}).drop(columns="target", errors="ignore")
    asked = whole.merge(known[key[:-1]].drop_duplicates(), on=key[:-1])
    return asked.merge(known[[*key, "target"]], how="left", on=key).sort_values(key, kind="stable")


def _answers(
    predictions: pd.DataFrame, models: Sequence[str], key: list[str], labels: list[str]
) -> dict[str, dict[Any, dict[str, Any]]]:
    """Return, by model and turn, what was answered over all seeds."""
    columns = [f"{PROBABILITY}{label}" for label in labels]
    found: dict[str, dict[Any, dict[str, Any]]] = {}
    for model in models:
        rows = predictions[predictions["model"] == model]
        turns = rows.groupby(key, sort=False)
        if not labels:
            means = turns["prediction"].mean()
            found[model] = {place: {"said": round(value, 3)} for place, value in means.items()}
            continue
        shares = rows.reindex(columns=columns).groupby([rows[name] for name in key], sort=False).mean()
        if shares.isna().all(axis=None):
            commonest = turns["prediction"].agg(lambda said: said.astype(str).mode()[0])
            found[model] = {place: {"said": said} for place, said in commonest.items()}
            continue
        shares = shares.fillna(0.0)
        best = shares.to_numpy().argmax(axis=1)
        mille = (1000 * shares).round().astype(int).to_numpy().tolist()
        found[model] = {
            place: {"said": labels[top], "p": row} for place, top, row in zip(shares.index, best, mille, strict=True)
        }
    return found


def _of_turns(found: dict[Any, dict[str, Any]], rows: pd.DataFrame, key: list[str]) -> list[dict[str, Any] | None]:
    return [found.get(tuple(place)) for place in rows[key].itertuples(index=False)]


def _turn(row: dict[Any, Any], table: FeatureTable | None, folder: Path) -> dict[str, Any]:
    target = row["target"]
    gold = None if pd.isna(target) else round(target, 3) if isinstance(target, float) else str(target)
    told = {name: str(row[name]) for name in ("speaker", "text") if pd.notna(row.get(name))}
    return {"turn": int(row["turn"]), "gold": gold, **told, **_media(row, table, folder)}


def _media(row: dict[Any, Any], table: FeatureTable | None, folder: Path) -> dict[str, str]:
    """Return the address of a turn's video, or else sound, seen from the page; nothing where no such file lies."""
    root = None if table is None else table.segments.attrs.get("root")
    for kind in ("video", "audio") if root is not None else ():
        path = Path(root or ".") / str(row[kind]) if pd.notna(row.get(kind)) else None
        if path is None or not path.is_file():
            continue
        ends = [f"{row[name]:.3f}" if pd.notna(row.get(name)) else "" for name in ("start", "end")]
        part = f"#t={','.join(ends)}".rstrip(",") if any(ends) else ""
        address = quote(Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix())
        return {kind: address + part}
    return {}
