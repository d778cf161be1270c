"""EmoryNLP's emotions in scenes of the series Friends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pandas as pd

from featmer.corpora._files import find_file, join_parts, read_json
from featmer.labels import LABEL_SPACES
from featmer.segments import mend_segments

LABELS = {"emotion": LABEL_SPACES["emorynlp"].labels}

_FILES = {
    "train": "emotion-detection-trn.json",
    "valid": "emotion-detection-dev.json",
    "test": "emotion-detection-tst.json",
}


def load_emorynlp(root: str | Path) -> pd.DataFrame:
    """Read the three parts; a scene is a dialogue.

    Parameters
    ----------
    root : path
        Folder of ``emotion-detection-trn.json``, ``emotion-detection-dev.json`` and ``emotion-detection-tst.json``, or
        a copy of github.com/emorynlp/emotion-detection, which has them in ``json``.

    Returns
    -------
    DataFrame of 12,606 rows
        Segments of 897 scenes, called ``s01_e02_c01``, with ``emotion``. Several speakers at once are joined by "&".

    Raises
    ------
    FileNotFoundError
        If a file is not there.
    ValueError
        If a file is not of this form: with file and place.
    SegmentsError
        If an emotion is unknown and unlike any.

    References
    ----------
    Zahiri, Choi, "Emotion detection on TV show transcripts with sequence-based convolutional neural networks", AAAI
    workshop on affective content analysis, 2018. Layout: the repository's README.

    Examples
    --------
    >>> load_emorynlp("nowhere")
    Traceback (most recent call last):
    FileNotFoundError: nowhere/emotion-detection-trn.json or ... is not there; give the folder that holds it.
    """
    paths = {split: find_file(root, name, f"json/{name}") for split, name in _FILES.items()}
    return join_parts([_load_part(path, split) for split, path in paths.items()], root)


def _load_part(source: Path, split: str) -> pd.DataFrame:
    """Read one split."""
    rows = pd.DataFrame(_utterances(source, split))
    return mend_segments(rows, root=source.parent, labels=LABELS, source=source)


def _utterances(source: Path, split: str) -> Iterator[dict[str, object]]:
    """Yield the rows of a file."""
    place = ""
    try:
        for episode in read_json(source)["episodes"]:
            for scene in episode["scenes"]:
                for turn, utterance in enumerate(scene["utterances"]):
                    place = f", scene {scene['scene_id']}, utterance {turn}"
                    yield {
                        "corpus": "emorynlp",
                        "dialogue": scene["scene_id"],
                        "turn": turn,
                        "speaker": " & ".join(utterance["speakers"]),
                        "text": utterance["transcript"],
                        "split": split,
                        "emotion": utterance["emotion"].lower(),
                    }
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{source}{place}: expected episodes of scenes of utterances, each with speakers, transcript and emotion; "
            f"got {error!r}."
        ) from error
