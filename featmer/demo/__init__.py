"""The demo corpus: made on the spot, real sound and video files, seven emotions, and the field's accidents."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd

from featmer._saving import write_whole
from featmer.corpora import load_demo
from featmer.demo.compounds import PAIRS, write_compounds
from featmer.demo.filming import film
from featmer.demo.story import ACCIDENTS, Turn, core_affect, split_of, write_story

__all__ = ["ACCIDENTS", "make_corpus"]

_EDITION = 1  # raise it whenever other files would come out of the same random_state
_MARKER = "demo.json"


def make_corpus(root: str | Path, random_state: int = 0, *, compound: bool = False) -> pd.DataFrame:
    """Make the demo corpus in a folder, or find it there.

    Thirty-five dialogues of 4 to 8 turns between two or three of eight speakers. Every turn has a WAV file, an MP4
    file with sound, words, an emotion, valence and arousal. Each channel gives the emotion away only sometimes; moods
    last in a speaker and spread in a dialogue. `ACCIDENTS` tells where something is wrong with a file or a label, as
    in every real corpus.

    Parameters
    ----------
    root : str or Path
        Folder to make it in. A corpus begun there with the same ``random_state`` is completed; a finished one is
        only read.
    random_state : int, default=0
        Seed of the whole corpus: the same seed gives the same words, sound and pictures.
    compound : bool, default=False
        Whether 28 more dialogues of 6 turns follow whose people feel two things at once: column ``compound`` has one of
        the seven compound emotions of the C-EXPR-DB task, and ``emotion`` none. The other rows are as they would be
        without.

    Returns
    -------
    DataFrame
        Segments, a row an utterance, as ``featmer.corpora.load_demo(root)`` reads them.

    Raises
    ------
    FileExistsError
        If the folder holds a corpus of another seed or edition, or one with compound emotions where none are asked for.
    MissingExtra
        If a package of the extra ``demo`` is not installed.

    References
    ----------
    The face is a NASA photograph of Eileen Collins (public domain) that scikit-image ships; the voices are eSpeak NG's.

    Examples
    --------
    >>> ACCIDENTS["silent"]  # dialogue and turn
    ('d03', 1)
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (Path(folder) / "holiday.jpg").touch()
    ...     make_corpus(folder)
    Traceback (most recent call last):
    FileExistsError: ... holds holiday.jpg; expected ... or an empty folder. Choose another folder or empty this one.
    """
    root = Path(root)
    _claim(root, random_state, compound)
    story_seed, label_seed, film_seed, compound_seed = np.random.default_rng(random_state).spawn(4)
    turns = write_story(story_seed)
    if compound:
        turns += write_compounds(compound_seed)
    segments = _annotate(turns, label_seed)
    film(root, turns, film_seed)
    _write_once(root / "segments.csv", segments.to_csv(index=False, lineterminator="\n"))
    return load_demo(root)


def _claim(root: Path, random_state: int, compound: bool) -> None:
    """Mark the folder as this corpus's, or raise when it is another's."""
    more = {"compound": True} if compound else {}
    ours = json.dumps({"corpus": "featmer demo", "edition": _EDITION, "random_state": random_state, **more})
    root.mkdir(parents=True, exist_ok=True)
    marker = root / _MARKER
    if marker.is_file():
        found = marker.read_text("utf-8")
    else:
        found = ", ".join(sorted(path.name for path in root.iterdir() if not path.name.startswith("."))[:5]) or ours
    if found != ours:
        raise FileExistsError(
            f"{root} holds {found}; expected {ours} or an empty folder. Choose another folder or empty this one."
        )
    _write_once(marker, ours)


def _annotate(turns: list[Turn], rng: np.random.Generator) -> pd.DataFrame:
    """Return the segments as the annotators left them, with their misspelt label."""
    rows = []
    for turn in turns:
        felt = PAIRS.get(turn.emotion, (turn.emotion,))
        affects = [core_affect(emotion, rng) for emotion in felt]
        valence, arousal = affects[0] if len(felt) == 1 else np.mean(affects, axis=0).round(3).tolist()
        rows.append(
            {
                "corpus": "demo",
                "dialogue": turn.dialogue,
                "turn": turn.turn,
                "speaker": turn.speaker,
                "start": np.nan,
                "end": np.nan,
                "audio": turn.audio_path,
                "video": turn.video_path,
                "text": turn.text,
                "emotion": _written(turn),
                "valence": valence,
                "arousal": arousal,
                "split": split_of(turn.dialogue),
                **({"compound": turn.emotion} if turn.emotion in PAIRS else {}),
            }
        )
    return pd.DataFrame(rows)


def _written(turn: Turn) -> str | None:
    """Return the basic emotion that the annotators wrote down."""
    if turn.emotion in PAIRS:
        return None
    return "suprise" if turn.accident == "label typo" else turn.emotion


def _write_once(path: Path, text: str) -> None:
    """Write a small file that is not there yet, whole or not at all."""
    if not path.is_file():
        write_whole(path, text.encode())
