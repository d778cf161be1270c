"""Compound emotions: which basic ones they are made of, and how probable they are if only those are known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from featmer._checks import check_name
from featmer.labels.mapping import find_mapping
from featmer.labels.spaces import LabelSpace, label_space

RULES = ("product", "geometric", "minimum")


def compound_components(
    compounds: str | LabelSpace = "c_expr", basic: str | LabelSpace = "ekman"
) -> dict[str, tuple[str, str]]:
    """Return the pair of basic emotions of each compound one.

    Parameters
    ----------
    compounds : str or LabelSpace, default="c_expr"
        "c_expr", "du", "raf_ce" or "plutchik_dyads".
    basic : str or LabelSpace, default="ekman"
        The space of the components: "ekman", or "plutchik" for its dyads.

    Returns
    -------
    dict of str to pair of str
        Components by label, in the order of the space. Labels that are no compound, such as Du's "happy", are not in
        it.

    Raises
    ------
    ValueError
        If no mapping is known between the spaces.

    Examples
    --------
    >>> compound_components()["sadly angry"]
    ('sadness', 'anger')
    >>> compound_components("plutchik_dyads", "plutchik")["love"]
    ('joy', 'trust')
    """
    space = label_space(compounds)
    mapping = find_mapping(space, label_space(basic))
    pairs = {label: mapping[label] for label in space.labels if label in mapping}
    return {label: (pair[0], pair[1]) for label, pair in pairs.items() if len(pair) == 2}


def compound_probabilities(
    probabilities: pd.DataFrame,
    compounds: str | LabelSpace = "c_expr",
    basic: str | LabelSpace = "ekman",
    *,
    rule: str = "product",
) -> pd.DataFrame:
    """Score compound emotions by the probabilities of their two components: no compound is needed to learn from.

    Parameters
    ----------
    probabilities : DataFrame of n_rows rows
        Of basic emotions; columns are labels, of which others than the components do not matter.
    compounds, basic
        As in `compound_components`.
    rule : {"product", "geometric", "minimum"}, default="product"
        Score of a pair: product, geometric mean or minimum of the two.

    Returns
    -------
    DataFrame of shape (n_rows, n_compounds)
        Scores, made to sum to 1 over the compounds; all the same where every score is 0, missing where a probability
        is.

    Raises
    ------
    ValueError
        If a component has no column, or two compounds have the same components, which this rule cannot tell apart.

    References
    ----------
    Richet et al.: Textualized and feature-based models for compound multimodal emotion recognition in the wild.
    ECCV workshops, 2024 (the task and its pairs).

    Examples
    --------
    >>> basic = pd.DataFrame([{"anger": 0.4, "sadness": 0.5, "fear": 0.1, "joy": 0, "surprise": 0, "disgust": 0}])
    >>> compound_probabilities(basic).idxmax(axis=1).item()
    'sadly angry'
    """
    return score_pairs(probabilities, compound_components(compounds, basic), rule)


def score_pairs(probabilities: pd.DataFrame, pairs: Mapping[Any, tuple[Any, Any]], rule: str) -> pd.DataFrame:
    """Score classes by the probabilities of the two labels that each is made of.

    Parameters
    ----------
    probabilities : DataFrame of n_rows rows
        A column a label, of which others than those in the pairs do not matter.
    pairs : mapping of label to pair of label
        What each class is made of; twice the same label where it is one.
    rule : {"product", "geometric", "minimum"}
        As in `compound_probabilities`.

    Returns
    -------
    DataFrame of shape (n_rows, n_pairs)
        Scores, made to sum to 1; all the same where every score is 0, missing where a probability is.

    Raises
    ------
    ValueError
        If a label has no column, or two classes are made of the same.

    Examples
    --------
    >>> two = {"love": ("joy", "trust"), "other": ("other", "other")}
    >>> score_pairs(pd.DataFrame([{"joy": 0.5, "trust": 0.5, "other": 0.0}]), two, "product")
       love  other
    0   1.0    0.0
    """
    check_name(rule, RULES, "rule")
    for component in sorted({str(each) for pair in pairs.values() for each in pair}):
        check_name(component, [str(column) for column in probabilities], "column of a component")
    by_pair: dict[frozenset[Any], Any] = {}
    for label, pair in pairs.items():
        other = by_pair.setdefault(frozenset(pair), label)
        if other != label:
            raise ValueError(f"{other!r} and {label!r} are both made of {pair}; leave one out of the label space.")
    first, second = (probabilities[list(each)].to_numpy(np.float64) for each in zip(*pairs.values(), strict=True))
    scores = np.minimum(first, second) if rule == "minimum" else first * second
    scores = np.sqrt(scores) if rule == "geometric" else scores
    total = scores.sum(axis=1, keepdims=True)
    even = np.full_like(scores, 1 / len(pairs))
    return pd.DataFrame(np.divide(scores, total, out=even, where=total != 0), probabilities.index, list(pairs))
