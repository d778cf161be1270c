"""IEMOCAP, improvised and scripted scenes of two actors in five sessions, with the votes of three raters."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pandas as pd

from featmer._checks import check_name
from featmer.corpora._files import read_text
from featmer.labels import LABEL_SPACES
from featmer.segments import mend_segments

logger = logging.getLogger(__name__)

LABELS = {"emotion": LABEL_SPACES["iemocap_ten"].labels}

_CODES = {
    "ang": "angry",
    "hap": "happy",
    "sad": "sad",
    "neu": "neutral",
    "fru": "frustrated",
    "exc": "excited",
    "fea": "fearful",
    "sur": "surprised",
    "dis": "disgusted",
    "oth": "other",
    "xxx": None,  # the raters do not agree
}
_WORDS = {
    "Anger": "angry",
    "Happiness": "happy",
    "Sadness": "sad",
    "Neutral": "neutral",
    "Neutral state": "neutral",
    "Frustration": "frustrated",
    "Excited": "excited",
    "Fear": "fearful",
    "Surprise": "surprised",
    "Disgust": "disgusted",
    "Other": "other",
}
# What emotions become in each of the usual sets; others are missing.
CLASSES = {
    "four": {**{label: label for label in LABEL_SPACES["iemocap_four"].labels}, "excited": "happy"},
    "six": {label: label for label in LABEL_SPACES["iemocap"].labels},
    "ten": {label: label for label in LABELS["emotion"]},
}

# [6.2901 - 8.2357]	Ses01F_impro01_F000	neu	[2.5000, 2.5000, 2.5000]
_TURN = re.compile(r"\[([\d.]+)\s*-\s*([\d.]+)\]\s+((Ses\d\d)[FM]_\w+)_([FM])(\w+)\s+(\w{3})\s+\[([\d., ]+)\]")
# C-E2:	Neutral; Other;	()    where E is a rater, and F or M would be the actor
_RATER = re.compile(r"C-E\d+:\s+(.*?)\s*(\(.*)?")
# Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me.
_SAID = re.compile(r"(Ses\w+) \[[\d.]+-[\d.]+\]:\s*(.*)")

_TEST_SESSION = 5
# Folders of sound; without one, there are transcripts only.
_WAVES = {"sentences": "Session*/sentences/wav", "dialogues": "Session*/dialog/wav"}


def load_iemocap(
    root: str | Path,
    *,
    classes: Literal["four", "six", "ten"] = "six",
    media: Literal["sentences", "dialogues"] = "sentences",
) -> pd.DataFrame:
    r"""Read IEMOCAP from the folders of its release.

    Parameters
    ----------
    root : path
        ``IEMOCAP_full_release``, the folder of ``Session1`` to ``Session5``, each with ``dialog/EmoEvaluation/*.txt``
        and ``dialog/transcriptions/*.txt``.
    classes : {"four", "six", "ten"}, default="six"
        Which emotions there are; turns with others have none, and stay as context. "six" (happy, sad, neutral, angry,
        excited, frustrated: 7,433 turns) is usual for conversations; "four" (excited counts as happy, without
        frustrated: 5,531 turns) for speech.
    media : {"sentences", "dialogues"}, default="sentences"
        If sound is there, "sentences" gives ``audio``, a file a turn; "dialogues" gives ``audio`` and ``video`` of the
        whole scene, in which both actors are seen and heard, with ``start`` and ``end``.

    Returns
    -------
    DataFrame of 10,039 rows
        Segments in the order of their starts; ``speaker`` is ``Ses01F`` and so on. ``emotion``; ``votes.<label>`` of
        about three raters, who may have said several, the actors' own votes left out; ``valence``, ``arousal`` (the
        files say activation) and ``dominance`` from 1 to 5, means; ``session``; ``scene_start`` and ``scene_end``. Work
        on conversations tests on session 5, which is what ``split`` says, and holds validation dialogues out of the
        others; work on speech tests each session in turn (`featmer.evaluation.BySession`). ``attrs["faults"]`` lists
        votes that could not be read.

    Raises
    ------
    FileNotFoundError
        If there are no evaluations.
    ValueError
        If a set or kind of media is unknown, or a line cannot be read: with file and line.

    References
    ----------
    Busso et al., "IEMOCAP: Interactive emotional dyadic motion capture database", Language Resources and Evaluation,
    2008. Layout: the release's README and the header of the files.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     dialog = Path(folder) / "Session1" / "dialog"
    ...     for kind in ["EmoEvaluation", "transcriptions"]:
    ...         (dialog / kind).mkdir(parents=True)
    ...     _ = (dialog / "EmoEvaluation" / "Ses01F_impro01.txt").write_text(
    ...         "[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 2.0000]\nC-E2:\tNeutral;\t()\n")
    ...     segments = load_iemocap(folder)
    >>> segments[["dialogue", "speaker", "emotion"]].iloc[0].tolist()
    ['Ses01F_impro01', 'Ses01F', 'neutral']
    """
    check_name(classes, CLASSES, "set of classes")
    check_name(media, _WAVES, "kind of media")
    files = [path for path in sorted(Path(root).glob("Session*/dialog/EmoEvaluation/*.txt")) if path.name[0] != "."]
    if not files:
        raise FileNotFoundError(f"No Session1/dialog/EmoEvaluation/*.txt in {root}; give the folder of Session1.")
    faults: list[dict[str, object]] = []
    segments = pd.DataFrame([turn for path in files for turn in _read_scene(path, faults)])
    segments = segments.sort_values(["dialogue", "scene_start", "name"], kind="stable", ignore_index=True)
    segments["turn"] = segments.groupby("dialogue").cumcount()
    segments["emotion"] = segments["emotion"].map(CLASSES[classes])
    segments["split"] = (segments["session"] == _TEST_SESSION).map({True: "test", False: "train"})
    if any(Path(root).glob(_WAVES[media])):
        segments = _add_media(segments, media)
    mended = mend_segments(segments.drop(columns="name"), root=root, labels=LABELS)
    mended.attrs["faults"] += faults
    return mended


def _read_scene(path: Path, faults: list[dict[str, object]]) -> Iterator[dict[str, object]]:
    """Yield the turns of a scene from its evaluation and its transcript; votes that cannot be read are faults."""
    said = _read_transcript(path.parents[1] / "transcriptions" / path.name)
    turn: dict[str, object] | None = None
    for number, line in enumerate(read_text(path).splitlines(), 1):
        if line.startswith("["):
            if turn:
                yield turn
            turn = _read_turn(line, f"{path}, line {number}")
            turn["text"] = said.get(str(turn["name"]))
        elif line.startswith("C-E") and not _count_votes(turn, line):
            faults.append(_unread_vote(path, number, line))
    if turn:
        yield turn


def _read_transcript(path: Path) -> dict[str, str]:
    """Return what is said in each turn; lines that name no turn are passed over, as are scenes without transcript."""
    if not path.is_file():
        return {}
    found = (_SAID.fullmatch(line.strip()) for line in read_text(path).splitlines())
    return {match[1]: match[2] for match in found if match}


def _read_turn(line: str, place: str) -> dict[str, object]:
    """Return the columns of a turn without votes."""
    found = _TURN.fullmatch(line.strip())
    values = found[8].split(",") if found else []
    if not found or found[7] not in _CODES or len(values) != 3:
        raise ValueError(
            f"{place}: {line.strip()!r} is not like '[6.2901 - 8.2357] Ses01F_impro01_F000 neu [2.5, 2.5, 2.5]'."
        )
    start, end, dialogue, session, sex, number, code, _ = found.groups()
    return {
        "corpus": "iemocap",
        "dialogue": dialogue,
        "name": f"{dialogue}_{sex}{number}",
        "speaker": session + sex,
        "session": int(session.removeprefix("Ses")),
        "scene_start": float(start),
        "scene_end": float(end),
        "emotion": _CODES[code],
        **dict(zip(("valence", "arousal", "dominance"), map(float, values), strict=True)),
        **dict.fromkeys([f"votes.{label}" for label in LABELS["emotion"]], 0),
    }


def _count_votes(turn: dict[str, object] | None, line: str) -> bool:
    """Add what one rater said to the turn; return whether it could be read."""
    found = _RATER.fullmatch(line.strip())
    words = [word.strip() for word in found[1].split(";") if word.strip()] if found else []
    if turn is None or not words or not {*words} <= {*_WORDS}:
        return False
    for label in {_WORDS[word] for word in words}:
        turn[f"votes.{label}"] = int(str(turn[f"votes.{label}"])) + 1
    return True


def _unread_vote(path: Path, number: int, line: str) -> dict[str, object]:
    """Return and log the fault that a rater's vote is not counted."""
    problem = "is not the vote of a rater on the turn above, like 'C-E2: Anger; ()', and therefore left out"
    logger.warning("%s, line %d: %r %s", path, number, line.strip(), problem)
    return {
        "source": str(path), "row": number, "column": "votes", "value": line.strip(), "problem": problem,
        "suggestion": "",
    }  # fmt: skip


def _add_media(segments: pd.DataFrame, media: str) -> pd.DataFrame:
    """Return the frame with paths, and with times where the paths are whole scenes."""
    session = "Session" + segments["session"].astype(str)
    if media == "sentences":
        audio = session + "/sentences/wav/" + segments["dialogue"] + "/" + segments["name"] + ".wav"
        return segments.assign(audio=audio)
    scene = session + "/dialog/"
    return segments.assign(
        audio=scene + "wav/" + segments["dialogue"] + ".wav",
        video=scene + "avi/DivX/" + segments["dialogue"] + ".avi",
        start=segments["scene_start"],
        end=segments["scene_end"],
    )
