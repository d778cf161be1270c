"""From the labels of one space to those of another; what is lost on the way is said."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from featmer._checks import check_name, closest
from featmer._resources import read_resource
from featmer.labels.spaces import LabelSpace, folded, label_set, label_space


def _read_mappings() -> dict[tuple[str, str], dict[str, tuple[str, ...]]]:
    """Return, for each pair of spaces, what each label becomes."""
    mappings: dict[tuple[str, str], dict[str, tuple[str, ...]]] = {}
    for row in read_resource("label_mappings.csv"):
        mapping = mappings.setdefault((row["source"], row["target"]), {})
        mapping.update(dict.fromkeys(row["labels"].split("; "), tuple(row["mapped"].split("; "))))
    return mappings


LABEL_MAPPINGS = _read_mappings()
"""What labels become, by source and target space: ``LABEL_MAPPINGS["c_expr", "ekman"]["sadly angry"]``.

A label that is not there has no counterpart. The table is ``featmer/resources/label_mappings.csv``.
"""


@dataclass(frozen=True)
class MappedLabels:
    """Labels of the target space, and the price.

    Attributes
    ----------
    labels : Series of n_rows rows
        A label a row; or, where rows have several labels or a label becomes several, a tuple of labels in the order of
        the target space. Missing where nobody annotated, and where all labels of a row were lost.
    losses : DataFrame of columns label, rows, rows_lost, problem
        A row for each label that could not be mapped: how many rows have it, how many of them are left without any
        label, and why.
    n_lost : int
        How many annotated rows are left without any label.

    Examples
    --------
    >>> mapped = map_labels(["happy", "calm", "calm"], "ravdess", "ekman_neutral")
    >>> mapped.n_lost, mapped.losses.problem.item()
    (2, "has no counterpart in 'ekman_neutral'")
    """

    labels: pd.Series
    losses: pd.DataFrame
    n_lost: int


def map_labels(
    labels: Iterable[Any],
    source: str | LabelSpace,
    target: str | LabelSpace,
    mapping: Mapping[str, str | Iterable[str]] | None = None,
) -> MappedLabels:
    """Say labels in the words of another space.

    Case and outer blanks do not matter. A label that is misspelt or without counterpart is not guessed: it is lost, and
    the losses name it, the rows it costs, and the closest label of the source space.

    Parameters
    ----------
    labels : iterable of str or of collections of str
        A label a row, or the labels of a row; None or NaN where nobody annotated. A Series keeps its index.
    source, target : str or LabelSpace
        Names in `LABEL_SPACES`, or spaces of one's own.
    mapping : dict of str to str or iterable of str, default=None
        What each label of the source becomes. None looks it up in `LABEL_MAPPINGS`; from a space to itself every label
        stays.

    Returns
    -------
    MappedLabels
        Labels and losses.

    Raises
    ------
    ValueError
        If no mapping is known between the spaces, or the one given has labels that the spaces do not have.

    Examples
    --------
    >>> mapped = map_labels([["grief", "love"], ["neutral"], []], "goemotions", "ekman_neutral")
    >>> mapped.labels.tolist()
    [('joy', 'sadness'), ('neutral',), ()]
    >>> map_labels(["fearfully surprised"], "c_expr", "ekman").labels.item()
    ('fear', 'surprise')
    >>> map_labels(["joy", "faer"], "meld", "ekman_neutral").losses.problem.item()
    "is not in 'meld', did you mean 'fear'?"
    """
    source, target = label_space(source), label_space(target)
    known = {folded(label): into for label, into in find_mapping(source, target, mapping).items()}
    rows = labels if isinstance(labels, pd.Series) else pd.Series(list(labels), dtype=object)
    sets = [label_set(value) for value in rows]
    mapped = [_map_set(labels, known, target) for labels in sets]
    lost = [before is not None and after is None for before, after in zip(sets, mapped, strict=True)]
    single = all(isinstance(value, str) for value in rows if label_set(value) is not None)
    values: list[Any] = list(mapped)
    if single and all(len(into) == 1 for into in known.values()):
        values = [None if after is None else after[0] for after in mapped]
    return MappedLabels(pd.Series(values, rows.index), _count_losses(sets, lost, known, source, target), sum(lost))


def find_mapping(
    source: LabelSpace, target: LabelSpace, mapping: Mapping[str, str | Iterable[str]] | None = None
) -> dict[str, tuple[str, ...]]:
    """Return what the labels of the source become.

    Parameters
    ----------
    source, target : LabelSpace
        From where to where.
    mapping : dict of str to str or iterable of str, default=None
        A mapping to check instead of one to look up.

    Returns
    -------
    dict of str to tuple of str
        Labels of the target by label of the source; those without counterpart are not in it.

    Raises
    ------
    ValueError
        As in `map_labels`.

    Examples
    --------
    >>> find_mapping(label_space("iemocap"), label_space("iemocap_four"))["excited"]
    ('happy',)
    """
    if mapping is None and source == target:
        return {label: (label,) for label in source.labels}
    if mapping is None:
        if (source.name, target.name) not in LABEL_MAPPINGS:
            targets = sorted(to for known, to in LABEL_MAPPINGS if known == source.name)
            raise ValueError(
                f"No mapping is known from {source.name!r} to {target.name!r}, only to {targets}; "
                "give mapping={label: label, ...}."
            )
        return LABEL_MAPPINGS[source.name, target.name]
    found = {label: (into,) if isinstance(into, str) else tuple(into) for label, into in mapping.items()}
    for label, into in found.items():
        check_name(label, source.labels, f"label of {source.name!r}")
        for each in into:
            check_name(each, target.labels, f"label of {target.name!r}")
    return {label: into for label, into in found.items() if into}


def _map_set(
    labels: tuple[str, ...] | None, known: dict[str, tuple[str, ...]], target: LabelSpace
) -> tuple[str, ...] | None:
    """Return the labels of a row in the target's words and order, None if nothing is left of something."""
    if labels is None:
        return None
    found = {each for label in labels for each in known.get(folded(label), ())}
    return None if labels and not found else tuple(label for label in target.labels if label in found)


def _count_losses(
    sets: list[tuple[str, ...] | None],
    lost: list[bool],
    known: dict[str, tuple[str, ...]],
    source: LabelSpace,
    target: LabelSpace,
) -> pd.DataFrame:
    """Return a row for each label that could not be mapped, the most frequent first."""
    missed = [{label for label in labels or () if folded(label) not in known} for labels in sets]
    rows = Counter(label for labels in missed for label in labels)
    costs = Counter(label for labels, gone in zip(missed, lost, strict=True) if gone for label in labels)
    counted = [
        (label, count, costs[label], _problem(label, source, target))
        for label, count in sorted(rows.items(), key=lambda each: (-each[1], each[0]))
    ]
    return pd.DataFrame(counted, columns=["label", "rows", "rows_lost", "problem"])


def _problem(label: str, source: LabelSpace, target: LabelSpace) -> str:
    if folded(label) in {folded(one) for one in source.labels}:
        return f"has no counterpart in {target.name!r}"
    hint = closest(label, source.labels)
    return f"is not in {source.name!r}" + (f", did you mean {hint!r}?" if hint else "")
