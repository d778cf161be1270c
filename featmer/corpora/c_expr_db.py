"""C-EXPR-DB's clips with a compound emotion, as 125 of them were labelled for work on features against text."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from featmer.corpora._files import read_text
from featmer.labels import LABEL_SPACES
from featmer.segments import mend_segments

# In the order of the numbers that stand for them.
LABELS = {"emotion": (*LABEL_SPACES["c_expr"].labels, "other")}

_LINE = re.compile(r"([^,]+/(\d+)_[^,]+),(\d+),(.*)")
_ENDING = ".mp4"


def load_c_expr_db(root: str | Path) -> pd.DataFrame:
    """Read the published folds, and the paths of the clips if there.

    Parameters
    ----------
    root : path
        Folder of ``split-0`` to ``split-4``, each with ``test.txt`` or ``val.txt`` (they are the same): lines of clip,
        number of the emotion and transcript with commas between. Clips, ``Sadly-Angry/29_Sadly-Angry_0.mp4``, lie
        beside.

    Returns
    -------
    DataFrame of 125 rows
        Segments, a clip a row and a dialogue of its own, with ``emotion`` (seven compound ones and "other") and
        ``fold`` (0 to 4), the fold that tests the clip: ``BySession("fold")``. These folds cut some videos in two;
        ``speaker`` is the number of the video that a clip comes from, so that "by_speaker" keeps videos whole.

    Raises
    ------
    FileNotFoundError
        If no fold is there.
    ValueError
        If a line is not of this form, or its number no emotion's: with file and line.
    SegmentsError
        If a clip is in two folds.

    References
    ----------
    Kollias, "Multi-label compound expression recognition: C-EXPR database and network", CVPR 2023.
    Richet et al., "Textualized and feature-based models for compound multimodal emotion recognition in the wild", ECCV
    workshops 2024. Layout: ``folds/C-EXPR-DB`` of github.com/sbelharbi/feature-vs-text-compound-emotion.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (Path(folder) / "split-0").mkdir()
    ...     _ = (Path(folder) / "split-0" / "val.txt").write_text("Sadly-Angry/29_Sadly-Angry_0,6,No, go.")
    ...     segments = load_c_expr_db(folder)
    >>> segments[["dialogue", "speaker", "emotion", "text"]].iloc[0].tolist()
    ['Sadly-Angry/29_Sadly-Angry_0', '29', 'sadly angry', 'No, go.']
    """
    root = Path(root)
    rows = [row for folder in sorted(root.glob("split-*")) for row in _read_fold(folder)]
    if not rows:
        raise FileNotFoundError(f"No split-0/test.txt or split-0/val.txt in {root}; give the folder of the folds.")
    segments = pd.DataFrame(rows)
    if any((root / folder).is_dir() for folder in segments["dialogue"].str.split("/").str[0].unique()):
        segments["video"] = segments["dialogue"] + _ENDING
    return mend_segments(segments, root=root, labels=LABELS)


def _read_fold(folder: Path) -> list[dict[str, object]]:
    """Return the rows that a fold tests."""
    source = next((path for path in (folder / "test.txt", folder / "val.txt") if path.is_file()), None)
    lines = read_text(source).splitlines() if source else []
    return [
        {**_read_line(line, f"{source}, line {number}"), "fold": int(folder.name.removeprefix("split-"))}
        for number, line in enumerate(lines, 1)
        if line.strip()
    ]


def _read_line(line: str, place: str) -> dict[str, object]:
    """Return the columns of a clip."""
    found = _LINE.fullmatch(line)
    if not found or int(found[3]) >= len(LABELS["emotion"]):
        raise ValueError(f"{place}: {line!r} is not like 'Sadly-Angry/29_Sadly-Angry_0,6,No, go.', with 0 to 7 inside.")
    clip, video, number, text = found.groups()
    return {
        "corpus": "c_expr_db",
        "dialogue": clip,
        "turn": 0,
        "speaker": video,
        "text": text,
        "emotion": LABELS["emotion"][int(number)],
    }
