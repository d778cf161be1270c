"""GoEmotions, comments from Reddit with any of 27 emotions or none."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from featmer.corpora._files import find_file, join_parts, label_columns, read_tabs
from featmer.labels import LABEL_SPACES
from featmer.segments import mend_segments

LABELS = {"labels": LABEL_SPACES["goemotions"].labels}

_COLUMNS = ("text", "labels", "id")
_FILES = {"train": "train.tsv", "valid": "dev.tsv", "test": "test.tsv"}


def load_goemotions(root: str | Path) -> pd.DataFrame:
    r"""Read GoEmotions' filtered parts.

    Parameters
    ----------
    root : path
        Folder of ``train.tsv``, ``dev.tsv`` and ``test.tsv``, or with these in ``data`` (as the authors' repository) or
        ``original``: comment, comma-separated numbers of labels, and name of the comment between tabs.

    Returns
    -------
    DataFrame of 54,263 rows
        Segments, a comment a row and a dialogue of its own, with ``labels.<label>`` of 27 emotions and neutral. Fewer
        labels come by `featmer.labels.map_labels` ("ekman_neutral", "goemotions_polarity").

    Raises
    ------
    FileNotFoundError
        If a file is not there.
    ValueError
        If a line has not three fields, repeats a comment, or numbers no label: with file and line.

    References
    ----------
    Demszky, Movshovitz-Attias, Ko, Cowen, Nemade, Ravi, "GoEmotions: A dataset of fine-grained emotions", ACL 2020.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for number, part in enumerate(["train", "dev", "test"]):
    ...         _ = (Path(folder) / f"{part}.tsv").write_text(f"Lovely, thanks!\t0,15\ted{number}")
    ...     segments = load_goemotions(folder)
    >>> segments.filter(like="labels.").sum().loc[lambda counts: counts > 0].to_dict()
    {'labels.admiration': 3, 'labels.gratitude': 3}
    """
    parts = [
        _load_part(find_file(root, name, f"data/{name}", f"original/{name}"), split) for split, name in _FILES.items()
    ]
    return join_parts(parts, root)


def _load_part(source: Path, split: str) -> pd.DataFrame:
    """Read one split."""
    rows = read_tabs(source, _COLUMNS, key="id")
    sets = [_read_labels(numbers, source, line) for line, numbers in rows["labels"].items()]
    frame = pd.DataFrame({"corpus": "goemotions", "dialogue": rows["id"], "turn": 0, "text": rows["text"]})
    labels = label_columns(sets, LABELS["labels"]).set_index(frame.index)
    return mend_segments(frame.assign(split=split).join(labels), root=source.parent)


def _read_labels(numbers: str, source: Path, line: object) -> list[str]:
    """Return the labels of a row from their numbers."""
    known = {str(number): label for number, label in enumerate(LABELS["labels"])}
    try:
        return [known[number.strip()] for number in numbers.split(",")]
    except KeyError as error:
        raise ValueError(
            f"{source}, line {line}: the labels are {numbers!r}; expected numbers from 0 to {len(known) - 1} "
            "with commas between."
        ) from error
