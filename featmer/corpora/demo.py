"""The demo corpus that `featmer.demo.make_corpus` writes."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from featmer.corpora.manifest import load_manifest
from featmer.labels import LABEL_SPACES

LABELS = {"emotion": ("neutral", "joy", "sadness", "anger", "fear", "surprise", "disgust")}


def load_demo(root: str | Path) -> pd.DataFrame:
    """Read the demo corpus; its label typo is mended and reported.

    Parameters
    ----------
    root : path
        The folder given to `featmer.demo.make_corpus`.

    Returns
    -------
    DataFrame of n_rows rows
        Segments with ``emotion``, ``valence`` and ``arousal`` (from -1 to 1), and ``compound`` if the corpus was made
        with compound emotions; ``attrs["faults"]`` tells of the typo.

    Raises
    ------
    FileNotFoundError
        If no demo corpus is there.

    Examples
    --------
    >>> load_demo("nowhere")
    Traceback (most recent call last):
    FileNotFoundError: nowhere/segments.csv is not there; make the corpus with featmer.demo.make_corpus('nowhere').
    """
    path = Path(root) / "segments.csv"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there; make the corpus with featmer.demo.make_corpus({str(root)!r}).")
    labels: dict[str, tuple[str, ...]] = dict(LABELS)
    if "compound" in pd.read_csv(path, nrows=0):
        labels["compound"] = LABEL_SPACES["c_expr"].labels
    return load_manifest(path, labels=labels)
