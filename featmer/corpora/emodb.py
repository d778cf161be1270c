"""EmoDB, the Berlin database of German sentences acted by ten people; everything is in its file names."""

from __future__ import annotations

import logging
import re
from pathlib import Path

import pandas as pd

from featmer.labels import LABEL_SPACES
from featmer.segments import mend_segments

logger = logging.getLogger(__name__)

LABELS = {"emotion": LABEL_SPACES["emodb"].labels}

SENTENCES = {
    "a01": "Der Lappen liegt auf dem Eisschrank.",
    "a02": "Das will sie am Mittwoch abgeben.",
    "a04": "Heute abend könnte ich es ihm sagen.",
    "a05": "Das schwarze Stück Papier befindet sich da oben neben dem Holzstück.",
    "a07": "In sieben Stunden wird es soweit sein.",
    "b01": "Was sind denn das für Tüten, die da unter dem Tisch stehen?",
    "b02": "Sie haben es gerade hochgetragen und jetzt gehen sie wieder runter.",
    "b03": "An den Wochenenden bin ich jetzt immer nach Hause gefahren und habe Agnes besucht.",
    "b09": "Ich will das eben wegbringen und dann mit Karl was trinken gehen.",
    "b10": "Die wird auf dem Platz sein, wo wir sie immer hinlegen.",
}

# By the first letter of the German word: Wut, Langeweile, Ekel, Angst, Freude, neutral, Trauer.
_EMOTIONS = dict(zip("WLEAFNT", LABELS["emotion"], strict=True))
_FEMALE = {"08", "09", "13", "14", "16"}
_MALE = {"03", "10", "11", "12", "15"}
_NAME = re.compile(rf"({'|'.join(sorted(_FEMALE | _MALE))})({'|'.join(SENTENCES)})([{''.join(_EMOTIONS)}])([a-g])")


def load_emodb(root: str | Path) -> pd.DataFrame:
    """Read EmoDB from the names of its files, wherever they lie.

    Parameters
    ----------
    root : path
        Folder with ``wav/03a01Fa.wav`` and so on at any depth.

    Returns
    -------
    DataFrame of 535 rows
        Segments, a clip a row and a dialogue of its own, with ``emotion``, ``sex`` of the speaker and ``version`` (a,
        b, ... where a sentence was acted several times). There is no official split; split by speaker.

    Raises
    ------
    FileNotFoundError
        If no file of such a name is below the root.

    References
    ----------
    Burkhardt, Paeschke, Rolfes, Sendlmeier, Weiss, "A database of German emotional speech", Interspeech 2005.
    Layout: emodb.bilderbar.info, "additional information".

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     (Path(folder) / "16b10Lb.wav").touch()
    ...     segments = load_emodb(folder)
    >>> segments[["speaker", "sex", "emotion", "version"]].iloc[0].tolist()
    ['16', 'female', 'boredom', 'b']
    """
    root = Path(root)
    rows = {}
    for path in sorted(root.rglob("*.wav"), key=lambda path: (path.stem, len(path.parts), path)):
        found = _NAME.fullmatch(path.stem)
        if not found:
            logger.warning("left out, its name is not one of EmoDB: %s", path)
        elif path.stem not in rows:  # copies of the corpus repeat whole folders
            rows[path.stem] = {**_describe(found), "audio": path.relative_to(root).as_posix()}
    if not rows:
        raise FileNotFoundError(
            f"No file named like 03a01Fa.wav is in or below {root}; give the folder that holds wav."
        )
    return mend_segments(pd.DataFrame(list(rows.values())), root=root, labels=LABELS)


def _describe(found: re.Match[str]) -> dict[str, object]:
    """Return the columns that a file name tells."""
    speaker, sentence, emotion, version = found.groups()
    return {
        "corpus": "emodb",
        "dialogue": found[0],
        "turn": 0,
        "speaker": speaker,
        "sex": "female" if speaker in _FEMALE else "male",
        "text": SENTENCES[sentence],
        "emotion": _EMOTIONS[emotion],
        "version": version,
    }
