"""The dialogues of a page: what was said, what was meant, what the models took it for, what face and voice did."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pandas as pd

from featmer.report.answers import labels_of, mean_answers, true_answers
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
        Of one part; seeds are averaged, as `featmer.report.answers.mean_answers` says.
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
    {'said': ['x'], 'p': [600, 400]}
    """
    key = [name for name in KEY if name in predictions and (table is None or name in table.segments)]
    labels = labels_of(predictions)
    turns = _turns(predictions, key, table)
    known = predictions.drop_duplicates(key)
    gold = dict(zip(_places(known, key), true_answers(known, labels), strict=True))
    answers = {model: mean_answers(predictions[predictions["model"] == model], key, labels) for model in models}
    tracks = [] if table is None else choose_tracks(table)
    groups = list(turns.groupby(key[:-1], sort=True))
    corpora = turns["corpus"].nunique() if "corpus" in key else 1
    dialogues = []
    for names, rows in groups:
        places = _places(rows, key)
        told = [_turn(row, table, Path(folder)) for row in rows.to_dict("records")]
        dialogues.append(
            {
                "name": " ".join(map(str, names)) if corpora > 1 else str(names[-1]),
                "turns": [{**turn, "gold": gold.get(place)} for turn, place in zip(told, places, strict=True)],
                "answers": {model: [found.get(place) for place in places] for model, found in answers.items()},
                "tracks": lay_out(tracks, rows[_ROW].to_numpy(np.int64), len(groups)) if tracks else {},
            }
        )
    return {"models": list(models), "labels": labels, "colours": colours(labels), "dialogues": dialogues}


def _places(rows: pd.DataFrame, key: list[str]) -> list[tuple[Any, ...]]:
    return list(rows[key].itertuples(index=False, name=None))


def _turns(predictions: pd.DataFrame, key: list[str], table: FeatureTable | None) -> pd.DataFrame:
    """Return the turns of all dialogues that were asked about, in order."""
    known = predictions.drop_duplicates(key)
    if table is None:
        return known.sort_values(key, kind="stable")
    whole = table.segments.assign(**{_ROW: np.arange(len(table))})
    return whole.merge(known[key[:-1]].drop_duplicates(), on=key[:-1]).sort_values(key, kind="stable")


def _turn(row: dict[Any, Any], table: FeatureTable | None, folder: Path) -> dict[str, Any]:
    told = {name: str(row[name]) for name in ("speaker", "text") if pd.notna(row.get(name))}
    return {"turn": int(row["turn"]), **told, **_media(row, table, folder)}


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
