"""The words that corpora and theories have for emotions, each set with its source."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import pandas as pd

from featmer._checks import check_name
from featmer._resources import read_resource

KINDS = ("categorical", "multi-label", "compound", "dimensions")


def folded(label: str) -> str:
    """Return a label without outer blanks and in lower case, as labels are compared.

    Parameters
    ----------
    label : str
        A label as a corpus writes it.

    Returns
    -------
    str
        The label to compare.

    Examples
    --------
    >>> folded("Happiness ")
    'happiness'
    """
    return label.strip().casefold()


@dataclass(frozen=True)
class LabelSpace:
    """A set of labels, in order.

    Parameters
    ----------
    name : str
        What it is called in `LABEL_SPACES`.
    labels : tuple of str
        The labels.
    kind : {"categorical", "multi-label", "compound", "dimensions"}
        One label a row; any number of them; one of which some stand for several emotions at once; numbers.
    source : str
        Who defined it.

    Examples
    --------
    >>> LabelSpace("mood", ("good", "bad"), "categorical", "made up").labels
    ('good', 'bad')
    >>> LabelSpace("mood", ("good", "good"), "categorical", "made up")
    Traceback (most recent call last):
    ValueError: The labels of 'mood' must differ, got ('good', 'good').
    """

    name: str
    labels: tuple[str, ...]
    kind: str
    source: str

    def __post_init__(self) -> None:
        check_name(self.kind, KINDS, "kind of labels")
        if len({folded(label) for label in self.labels}) < len(self.labels):
            raise ValueError(f"The labels of {self.name!r} must differ, got {self.labels}.")


LABEL_SPACES = {
    row["name"]: LabelSpace(row["name"], tuple(row["labels"].split("; ")), row["kind"], row["source"])
    for row in read_resource("label_spaces.csv")
}
"""Label spaces by name; the table is ``featmer/resources/label_spaces.csv``."""


def label_space(space: str | LabelSpace) -> LabelSpace:
    """Return a label space by its name, or as it is.

    Parameters
    ----------
    space : str or LabelSpace
        A name in `LABEL_SPACES`, or a space of one's own.

    Returns
    -------
    LabelSpace
        The space.

    Raises
    ------
    ValueError
        If the name is unknown.

    Examples
    --------
    >>> label_space("ekman").labels
    ('anger', 'disgust', 'fear', 'joy', 'sadness', 'surprise')
    """
    if isinstance(space, LabelSpace):
        return space
    check_name(space, LABEL_SPACES, "label space")
    return LABEL_SPACES[space]


def label_set(value: Any) -> tuple[str, ...] | None:
    """Return the labels of one cell: none, one or several.

    Parameters
    ----------
    value : str, collection of str, or missing value
        A label, several labels, or None or NaN where nobody annotated.

    Returns
    -------
    tuple of str or None
        The labels; None where nobody annotated, which is not the same as no label.

    Raises
    ------
    TypeError
        If the value is neither text nor a collection of texts.

    Examples
    --------
    >>> label_set("joy"), label_set(["joy", "fear"]), label_set([]), label_set(float("nan"))
    (('joy',), ('joy', 'fear'), (), None)
    """
    if isinstance(value, str):
        return (value,)
    if isinstance(value, Collection) and not isinstance(value, bytes) and all(isinstance(one, str) for one in value):
        return tuple(value)
    if not isinstance(value, Collection) and pd.isna(value):
        return None
    raise TypeError(f"A label is a text or a collection of texts, got {value!r}.")
