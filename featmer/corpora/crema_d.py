"""CREMA-D, twelve sentences acted by 91 people, and what others heard in the voice, saw in the face, or both."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import pandas as pd

from featmer._checks import check_name
from featmer.corpora._files import find_file, read_strings
from featmer.labels import LABEL_SPACES
from featmer.segments import mend_segments

LABELS = {
    "emotion": LABEL_SPACES["crema_d"].labels,
    "intensity": ("low", "medium", "high"),
}
CHANNELS = {"voice": "1", "face": "2", "both": "3"}

# First and last actor of the five sessions that work on speech splits by.
SESSIONS = {1: (1037, 1054), 2: (1001, 1018), 3: (1073, 1091), 4: (1055, 1072), 5: (1019, 1036)}

SENTENCES = {
    "DFA": "Don't forget a jacket.",
    "IEO": "It's eleven o'clock.",
    "IOM": "I'm on my way to the meeting.",
    "ITH": "I think I have a doctor's appointment.",
    "ITS": "I think I've seen this before.",
    "IWL": "I would like a new alarm clock.",
    "IWW": "I wonder what this is about.",
    "MTI": "Maybe tomorrow it will be cold.",
    "TAI": "The airplane is almost full.",
    "TIE": "That is exactly what happened.",
    "TSI": "The surface is slick.",
    "WSI": "We'll stop in a couple of minutes.",
}

_EMOTIONS = dict(zip(("ANG", "DIS", "FEA", "HAP", "NEU", "SAD"), LABELS["emotion"], strict=True))
_INTENSITIES = dict(zip(("LO", "MD", "HI"), LABELS["intensity"], strict=True))
_NAME = re.compile(rf"(10(?:0[1-9]|[1-8]\d|9[01]))_({'|'.join(SENTENCES)})_({'|'.join(_EMOTIONS)})_(LO|MD|HI|XX?)")
_VOTED = ("A", "D", "F", "H", "N", "S")  # columns of votes, in the order of the labels
_VOTES = "tabulatedVotes.csv"
_PEOPLE = "VideoDemographics.csv"
# Folders of clips, the better ones first, and how their files end.
_MEDIA = {
    "audio": {"AudioWAV": ".wav", "AudioMP3": ".mp3"},
    "video": {"VideoFlash": ".flv"},
}


def load_crema_d(root: str | Path, *, channel: Literal["voice", "face", "both"] = "both") -> pd.DataFrame:
    """Read CREMA-D's votes, and the paths of the clips if there.

    Parameters
    ----------
    root : path
        A copy of github.com/CheyneyComputerScience/CREMA-D: ``processedResults/tabulatedVotes.csv`` (or
        ``tabulatedVotes.csv``), ``VideoDemographics.csv``, and optionally ``AudioWAV`` or ``AudioMP3``, and
        ``VideoFlash``.
    channel : {"voice", "face", "both"}, default="both"
        What the voters had: the sound alone, the picture alone, or both. For speech, take the votes on the voice.

    Returns
    -------
    DataFrame of 7,442 rows
        Segments, a clip a row and a dialogue of its own. ``emotion`` is what the actor meant, ``votes.<label>`` how
        many of about ten people took it for what: for what was meant 40 % (voice) to 63 % (both). Further columns:
        ``intensity`` where one was asked for, ``sex`` and ``age`` of the speaker, and ``session`` (1 to 5), for there
        is no official split: test one session at a time, or split by speaker.

    Raises
    ------
    FileNotFoundError
        If a table is not there.
    ValueError
        If there is no such channel, or a clip is not called as it should be: with file and line.

    References
    ----------
    Cao, Cooper, Keutmann, Gur, Nenkova, Verma, "CREMA-D: Crowd-sourced emotional multimodal actors dataset", IEEE
    Transactions on Affective Computing, 2014. Sessions: Wu, Chou et al., "EMO-SUPERB", arXiv:2402.13018, 2024.

    Examples
    --------
    >>> load_crema_d("nowhere", channel="ear")
    Traceback (most recent call last):
    ValueError: Unknown channel 'ear', did you mean 'face'? Choose from ['both', 'face', 'voice'].
    """
    check_name(channel, CHANNELS, "channel")
    source = find_file(root, f"processedResults/{_VOTES}", _VOTES)
    rows = _read_votes(source, channel)
    described = pd.DataFrame([_describe(name, source, line) for line, name in rows["fileName"].items()], rows.index)
    people = (
        read_strings(find_file(root, _PEOPLE), columns=("ActorID", "Sex", "Age"))
        .set_index("ActorID")
        .reindex(described["speaker"])
    )
    votes = rows[list(_VOTED)].astype(int)
    segments = described.assign(
        sex=people["Sex"].str.lower().to_numpy(),
        age=people["Age"].astype(float).to_numpy(),
        **{column: _clip_paths(Path(root), column, rows["fileName"]) for column in _MEDIA},
        **{f"votes.{label}": votes[column] for label, column in zip(LABELS["emotion"], votes, strict=True)},
    )
    return mend_segments(segments, root=root, labels=LABELS)


def _read_votes(source: Path, channel: str) -> pd.DataFrame:
    """Return the rows of a channel under their lines; the first digit of a row's number says which it is."""
    rows = read_strings(source, columns=("fileName", *_VOTED))
    rows.index += 2
    return rows[rows.iloc[:, 0].str.startswith(CHANNELS[channel])]


def _describe(name: str, source: Path, line: object) -> dict[str, object]:
    """Return the columns that a clip's name tells."""
    found = _NAME.fullmatch(str(name))
    if not found:
        raise ValueError(f"{source}, line {line}: the clip {name!r} is not called like 1001_IEO_NEU_XX.")
    actor, sentence, emotion, intensity = found.groups()
    return {
        "corpus": "crema_d",
        "dialogue": name,
        "turn": 0,
        "speaker": actor,
        "session": next(number for number, (first, last) in SESSIONS.items() if first <= int(actor) <= last),
        "text": SENTENCES[sentence],
        "emotion": _EMOTIONS[emotion],
        "intensity": _INTENSITIES.get(intensity),
    }


def _clip_paths(root: Path, column: str, names: pd.Series) -> pd.Series:
    """Return the clips' paths relative to the root; missing where no folder of clips is there."""
    for folder, ending in _MEDIA[column].items():
        if (root / folder).is_dir():
            return folder + "/" + names + ending
    return pd.Series(None, names.index, dtype=str)
