"""The wheels that come with the package, and the forms of the words on them."""

from __future__ import annotations

import pandas as pd

from featmer._resources import read_resource
from featmer.labels.mapping import find_mapping
from featmer.labels.spaces import label_space
from featmer.labels.wheels import EmotionWheel


def _read_forms() -> dict[str, tuple[str, ...]]:
    """Return all forms of a word as the bases of each of them: "angry" may be on a wheel as "anger"."""
    families = [tuple(row["forms"].split("; ")) for row in read_resource("emotion_word_forms.csv")]
    return {form: family for family in families for form in family}


def _read_wheels(forms: dict[str, tuple[str, ...]]) -> dict[str, EmotionWheel]:
    rows = pd.DataFrame(read_resource("emotion_wheels.csv"))
    rows["level3"] = rows["level3"].str.split("; ")
    return {
        str(name): EmotionWheel.from_frame(
            str(name), rings.explode("level3"), forms=forms, source=rings["source"].iloc[0]
        )
        for name, rings in rows.groupby("name", sort=False)
    }


def _of_mappings(name: str, forms: dict[str, tuple[str, ...]], *spaces: str) -> EmotionWheel:
    """Make a wheel of label spaces that are mapped onto each other, from the outer ring to the inner one."""
    outer, *others = map(label_space, spaces)
    inner_of = find_mapping(others[-2] if len(others) > 1 else outer, others[-1])
    middle_of = find_mapping(outer, others[0]) if len(others) > 1 else {label: (label,) for label in outer.labels}
    tree: dict[str, dict[str, list[str]]] = {label: {} for label in others[-1].labels}
    for word in outer.labels:
        (middle,) = middle_of[word]
        (inner,) = inner_of[middle]
        tree[inner].setdefault(middle, []).append(word)
    return EmotionWheel(name, tree, forms=forms, source=outer.source)


def _all_wheels() -> dict[str, EmotionWheel]:
    forms = _read_forms()
    spaces = {
        "plutchik": ("plutchik_intensities", "plutchik"),
        "goemotions": ("goemotions", "ekman_neutral"),
        "goemotions_polarity": ("goemotions", "ekman_neutral", "goemotions_polarity"),
    }
    return _read_wheels(forms) | {name: _of_mappings(name, forms, *rings) for name, rings in spaces.items()}


EMOTION_WHEELS = _all_wheels()
"""Wheels by name, for `EmotionWheel.map` and the scores of `featmer.evaluation.openvocab`.

"shaver" (six inner labels, 25 middle ones, 135 words), "roberts" (seven, 41, 126), "plutchik" (eight, each in three
strengths), "goemotions" (Ekman's six and neutral over its 28 labels) and "goemotions_polarity" (polarity over these).
Related forms of a word ("angry", "anger") count as the same. The tables are ``featmer/resources/emotion_wheels.csv``
and ``emotion_word_forms.csv``.
"""
