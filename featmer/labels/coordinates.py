"""Where emotions lie in the space of valence, arousal and dominance, and how near they are to each other."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from scipy.special import softmax

from featmer._checks import check_name
from featmer._resources import read_resource

DIMENSIONS = ("valence", "arousal", "dominance")
LABEL_COORDINATES = {
    row["label"]: tuple(float(row[dimension]) for dimension in DIMENSIONS)
    for row in read_resource("label_coordinates.csv")
}
"""Valence, arousal and dominance by label, from -1 to 1; the table is ``featmer/resources/label_coordinates.csv``."""


def label_coordinates(labels: Iterable[str]) -> pd.DataFrame:
    """Return valence, arousal and dominance of labels, as targets of a regression for instance.

    Parameters
    ----------
    labels : iterable of str
        Labels in `LABEL_COORDINATES`, as often as wanted. `map_labels` brings others to these words.

    Returns
    -------
    DataFrame of columns valence, arousal, dominance
        A row a label, from -1 to 1.

    Raises
    ------
    ValueError
        If a label has no coordinates.

    References
    ----------
    Russell, Mehrabian: Evidence for a three-factor theory of emotions. Journal of Research in Personality, 1977.

    Examples
    --------
    >>> label_coordinates(["joy", "anger"])
           valence  arousal  dominance
    joy       0.76     0.48       0.35
    anger    -0.51     0.59       0.25
    """
    labels = list(labels)
    for label in dict.fromkeys(labels):
        check_name(label, LABEL_COORDINATES, "label with coordinates")
    return pd.DataFrame([LABEL_COORDINATES[label] for label in labels], labels, list(DIMENSIONS))


def label_similarity(labels: Iterable[str]) -> pd.DataFrame:
    """Return how near labels are: 1 at the same place, 0 at opposite corners of the cube from -1 to 1.

    Parameters
    ----------
    labels : iterable of str
        As in `label_coordinates`.

    Returns
    -------
    DataFrame of shape (n_labels, n_labels)
        Symmetric.

    Examples
    --------
    >>> label_similarity(["joy", "surprise", "sadness"]).loc["joy"].round(2).tolist()
    [1.0, 0.82, 0.5]
    """
    squares = _squared_distances(labels)
    return 1 - np.sqrt(squares) / (2 * np.sqrt(len(DIMENSIONS)))


def soften_labels(labels: Iterable[str], temperature: float = 0.1) -> pd.DataFrame:
    """Return a distribution for each label that gives something to its neighbours.

    Parameters
    ----------
    labels : iterable of str
        As in `label_coordinates`, each once.
    temperature : float, default=0.1
        Of a softmax over minus the squared distances; near 0 the label has everything.

    Returns
    -------
    DataFrame of shape (n_labels, n_labels)
        A row for each label; ``soften_labels(classes).loc[y]`` are soft targets for labels y.

    Examples
    --------
    >>> soften_labels(["joy", "surprise", "sadness"]).loc["joy"].round(2).tolist()
    [0.98, 0.02, 0.0]
    """
    squares = _squared_distances(labels)
    return pd.DataFrame(softmax(-squares.to_numpy() / temperature, axis=1), squares.index, squares.columns)


def _squared_distances(labels: Iterable[str]) -> pd.DataFrame:
    places = label_coordinates(labels)
    steps = places.to_numpy()[:, None] - places.to_numpy()[None]
    return pd.DataFrame(np.square(steps).sum(axis=2), places.index, places.index)
