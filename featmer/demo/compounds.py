"""Clips of two emotions at once, which the demo corpus has where they are asked for."""

from __future__ import annotations

import numpy as np

from featmer.demo.story import SPEAKERS, Cue, Lines, Turn
from featmer.labels import compound_components

PAIRS = compound_components("c_expr")

_DIALOGUES, _TURNS = 28, 6  # 24 clips of each of the seven
_BOTH, _ONE = 0.5, 0.4  # how often a channel shows both emotions, or one of them; otherwise hardly any
_TWO_LINES = 0.5


def write_compounds(rng: np.random.Generator) -> list[Turn]:
    """Write the turns of people who feel two things at once.

    Parameters
    ----------
    rng : numpy.random.Generator
        The same generator writes the same turns.

    Returns
    -------
    list of Turn
        Twenty-eight dialogues of six turns; the seven compound emotions of the C-EXPR-DB task are equally frequent.

    Examples
    --------
    >>> turns = write_compounds(np.random.default_rng(0))
    >>> len(turns), sorted({turn.emotion for turn in turns})[0]
    (168, 'angrily surprised')
    """
    felt = iter(rng.permutation(np.resize(list(PAIRS), _DIALOGUES * _TURNS)).tolist())
    lines, turns = Lines(rng), []
    for dialogue in [f"c{number:02d}" for number in range(1, _DIALOGUES + 1)]:
        cast = rng.choice(SPEAKERS, size=2, replace=False)
        for turn in range(_TURNS):
            emotion = next(felt)
            first, second = (str(each) for each in rng.permutation(PAIRS[emotion]))
            words = lines.deal(first)
            if rng.random() < _TWO_LINES:
                words = f"{words} {lines.deal(second)}"
            cues = [_show(PAIRS[emotion], rng) for _ in ("voice", "face")]
            turns.append(Turn(dialogue, turn, str(cast[turn % 2]), emotion, words, *cues))
    return turns


def _show(pair: tuple[str, str], rng: np.random.Generator) -> Cue:
    """Return what a channel shows: both emotions, one, or a mask of calm."""
    first, second = (str(each) for each in rng.permutation(pair))
    way = rng.random()
    if way < _BOTH:
        return Cue(first, rng.uniform(0.6, 1.0), second)
    return Cue(first, rng.uniform(0.6, 1.0) if way < _BOTH + _ONE else rng.uniform(0.0, 0.3))
