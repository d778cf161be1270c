"""MSP-Podcast, natural speech cut from podcasts, with emotion, valence, arousal and dominance by raters."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pandas as pd

from featmer._checks import check_name
from featmer.corpora._files import find_file, read_strings
from featmer.labels import LABEL_SPACES
from featmer.segments import mend_segments

LABELS = {"emotion": LABEL_SPACES["msp_podcast"].labels}
TESTS = ("Test1", "Test2", "Test3")

_LETTERS = dict(zip("ASHUFDCNO", LABELS["emotion"], strict=True))
_UNDECIDED = "X"  # no label has most votes
_VALUES = {"valence": "EmoVal", "arousal": "EmoAct", "dominance": "EmoDom"}
_COLUMNS = ("FileName", "EmoClass", *_VALUES.values(), "SpkrID", "Gender", "Split_Set")
_NAME = r"(MSP-PODCAST_\d+)_(\d+(?:_\d+)*)\.wav"


def load_msp_podcast(root: str | Path, *, test: Literal["Test1", "Test2", "Test3"] = "Test1") -> pd.DataFrame:
    """Read MSP-Podcast's consensus, and each rater's votes, transcripts and sound if there.

    Parameters
    ----------
    root : path
        Folder of ``Labels/labels_consensus.csv``, and optionally of ``Labels/labels_detailed.csv``, ``Audios`` and
        ``Transcripts``.
    test : {"Test1", "Test2", "Test3"}, default="Test1"
        Which official test part is ``split`` "test"; rows of the others have no split. Test2 is of other podcasts and
        Test3 balanced, its labels withheld in releases that have it.

    Returns
    -------
    DataFrame of n_segments rows
        Segments; a podcast is a dialogue, with turns in the order of their numbers, which leave gaps. ``emotion``
        (missing where raters do not agree), ``valence``, ``arousal`` and ``dominance`` (1 to 7), ``votes.<label>`` of
        the raters' first choice, ``sex`` of the speaker; ``speaker`` is missing where the corpus does not know it.

    Raises
    ------
    FileNotFoundError
        If the consensus is not there.
    ValueError
        If there is no such test part, or a name, letter or value is none: with file and line.
    SegmentsError
        Naming every other fault with its line.

    References
    ----------
    Lotfian, Busso, "Building naturalistic emotionally balanced speech corpus by retrieving emotional speech from
    existing podcast recordings", IEEE Transactions on Affective Computing, 2019. Layout: the release's README, 1.8 on.

    Examples
    --------
    >>> load_msp_podcast("nowhere", test="Test4")
    Traceback (most recent call last):
    ValueError: Unknown test part 'Test4', did you mean 'Test3'? Choose from ['Test1', 'Test2', 'Test3'].
    """
    check_name(test, TESTS, "test part")
    root = Path(root)
    source = find_file(root, "Labels/labels_consensus.csv", "labels_consensus.csv")
    rows = read_strings(source, columns=_COLUMNS)
    named = rows["FileName"].str.extract(rf"^{_NAME}$")
    _refuse(rows["FileName"], named[0].isna(), "is not a name like MSP-PODCAST_0001_0008.wav", source)
    _refuse(rows["EmoClass"], ~rows["EmoClass"].isin([*_LETTERS, _UNDECIDED]), f"is not one of {[*_LETTERS]}", source)
    segments = pd.DataFrame(
        {
            "corpus": "msp_podcast",
            "dialogue": named[0],
            "turn": rows["FileName"].groupby(named[0]).rank().sub(1),
            "speaker": rows["SpkrID"].mask(rows["SpkrID"].str.lower() == "unknown"),
            "sex": rows["Gender"].str.lower().where(rows["Gender"].isin(["Male", "Female"])),
            "split": rows["Split_Set"].map({"Train": "train", "Development": "valid", test: "test"}),
            "emotion": rows["EmoClass"].map(_LETTERS),
            **{name: _numbers(rows[column], source) for name, column in _VALUES.items()},
        }
    )
    if (root / "Audios").is_dir():
        segments["audio"] = "Audios/" + rows["FileName"]
    if (root / "Transcripts").is_dir():
        segments["text"] = [_read_transcript(root / "Transcripts", str(name)) for name in rows["FileName"]]
    votes = _read_votes(source.with_name("labels_detailed.csv"))
    if votes is not None:
        segments = segments.join(votes.reindex(rows["FileName"], fill_value=0).set_index(segments.index))
    return mend_segments(segments, root=root, labels=LABELS, source=source)


def _refuse(values: pd.Series, wrong: pd.Series, problem: str, source: Path) -> None:
    """Raise for the first wrong value."""
    for row in values.index[wrong]:
        raise ValueError(f"{source}, line {row + 2}: {values[row]!r} {problem}.")


def _numbers(values: pd.Series, source: Path) -> pd.Series:
    """Return values as numbers."""
    numbers = pd.to_numeric(values, errors="coerce")
    _refuse(values, numbers.isna() & values.notna(), f"({values.name}) is no number", source)
    return numbers


def _read_transcript(folder: Path, name: str) -> str | None:
    """Return the words of a segment, None where nobody wrote them down."""
    path = (folder / name).with_suffix(".txt")
    return path.read_text("utf-8").strip() if path.is_file() else None


def _read_votes(source: Path) -> pd.DataFrame | None:
    """Return how many raters chose each label first; releases write letters or words, "Other" with a comment."""
    if not source.is_file():
        return None
    rows = read_strings(source, columns=("FileName", "EmoClass_Major"))
    said = rows["EmoClass_Major"]
    label = said.map(_LETTERS).fillna(said.str.lower().str.split("-").str[0])
    _refuse(said, ~label.isin(LABELS["emotion"]), f"is not one of {list(LABELS['emotion'])}", source)
    counts = pd.crosstab(rows["FileName"], label).reindex(columns=list(LABELS["emotion"]), fill_value=0)
    return counts.rename_axis(columns=None).add_prefix("votes.")
