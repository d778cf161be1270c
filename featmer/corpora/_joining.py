"""Several corpora as one: rows below each other, labels in the words of one space."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from featmer.labels import LabelSpace, map_corpus_labels
from featmer.segments import MEDIA, Faults, check_segments

logger = logging.getLogger(__name__)


def join_corpora(
    parts: Mapping[str, pd.DataFrame],
    *,
    target: str | LabelSpace = "ekman_neutral",
    column: str = "emotion",
    sources: Mapping[str, str | LabelSpace] | None = None,
) -> pd.DataFrame:
    """Put corpora below each other, with the labels that all of them have, and say what that costs.

    A label that has no counterpart in the space, or that another corpus lacks, becomes missing: nobody could learn it
    in one corpus to be asked in another. Its row stays, as context for its neighbours. How many rows each such label
    costs is logged.

    Parameters
    ----------
    parts : dict of str to DataFrame
        Segments, at least two, as readers return them. The names are for the caller; corpora are told apart by the
        column ``corpus``.
    target : str or LabelSpace, default="ekman_neutral"
        The space whose words are wanted.
    column : str, default="emotion"
        The column of labels, one a row.
    sources : dict of corpus to str or LabelSpace, default=None
        Spaces that the corpora's labels are of. A corpus that is not named has the space of its name.

    Returns
    -------
    DataFrame of n_rows rows
        All segments. Media paths are absolute, for no one folder holds all; ``attrs["faults"]`` has those of all parts.

    Raises
    ------
    ValueError
        If there are fewer than two parts, two have the same corpus, the space of a corpus is not known, or they share
        no label.

    Examples
    --------
    >>> series = pd.DataFrame({"corpus": "meld", "dialogue": [0], "turn": [0], "emotion": ["joy"]})
    >>> chats = pd.DataFrame({"corpus": "emocontext", "dialogue": [0], "turn": [0], "emotion": ["happy"]})
    >>> join_corpora({"series": series, "chats": chats}).emotion.tolist()
    ['joy', 'joy']
    """
    names = [name for part in parts.values() for name in part["corpus"].unique()]
    if len(parts) < 2 or len({*names}) < len(names):
        raise ValueError(
            f"To join are corpora {names}; give two or more, each once: run.py corpus=several "
            "+corpus@corpus.parts.a=meld +corpus@corpus.parts.b=emocontext, for instance."
        )
    joined = pd.concat([_absolute(part) for part in parts.values()], ignore_index=True)
    joined, losses = map_corpus_labels(joined, target, column=column, sources=sources, only_common=True)
    for corpus, lost in losses.groupby("corpus"):
        told = [f"{loss.label} {loss.problem} ({loss.rows_lost} rows)" for loss in lost.itertuples()]
        logger.warning("%s loses labels: %s", corpus, "; ".join(told))
    joined = check_segments(joined)
    joined.attrs = {"root": ".", "faults": Faults(sum((part.attrs.get("faults", []) for part in parts.values()), []))}
    return joined


def _absolute(part: pd.DataFrame) -> pd.DataFrame:
    """Return the segments with paths that need no root, and without attributes, which could differ."""
    root = Path(part.attrs.get("root", ".")).absolute()
    media = {kind: part[kind].map(lambda path: str(root / path), na_action="ignore") for kind in MEDIA if kind in part}
    absolute = part.assign(**media)
    absolute.attrs = {}
    return absolute
