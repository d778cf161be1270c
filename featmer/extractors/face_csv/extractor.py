"""Faces from CSV files that other tools have written; hides their layouts, units, clocks and faults."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from featmer._checks import check_name
from featmer.extractors.base import Outcome, UndescribableError, attempt
from featmer.extractors.face_csv.layouts import TOOLS, Layout
from featmer.extractors.face_csv.reading import read_columns
from featmer.extractors.faces import Face, FaceExtractor
from featmer.extractors.faces.choice import POLICIES
from featmer.media import MediaError

_CLOCK = 1e-3  # seconds by which times are rounded in files


class FaceCsv(FaceExtractor):
    r"""Describe faces by the CSV files that OpenFace, LibreFace or py-feat wrote, a row a frame and face.

    A column of the segments names the file of each row, relative to the corpus root; ``start`` and ``end`` cut it as
    they cut the video it was made from. A frame in which the tool did not find the face is a row of NaN. Values keep
    the tool's unit where tools differ in what they measure (see ``channels``): compare them within a table, not between
    tools.

    Parameters
    ----------
    tool : {"openface", "libreface", "pyfeat_v1", "pyfeat_v2"}, default="openface"
        What wrote the files: OpenFace 2 (FeatureExtraction or FaceLandmarkVidMulti), LibreFace's Python package, or
        py-feat's ``Detectorv1`` or ``Detectorv2`` (``Fex.to_csv``).
    column : str, default="face_csv"
        Column of the segments that names the file.
    parts : sequence of str or None, default=None
        What to read, of "au", "au_presence", "emotion", "valence", "arousal", "pose" and "gaze", as far as the tool
        has it; None for all. A file that lacks a column of these parts is missing.
    fps : float or None, default=None
        Frames a second of the video that the file was made from; needed for py-feat, whose frames have no times.
    level : {"functionals", "frames"}, default="functionals"
        Mean, deviation and maximum of every channel and the share of frames with the face; or the frames themselves.
    max_faces : int, default=3
        Faces looked at in a frame, the largest ones.
    policy : {"largest", "centre", "all"}, default="largest"
        Which face is meant where several are seen at once, see `FaceExtractor`; a CSV file has no sound to tell the
        speaker by.

    Attributes
    ----------
    channels : tuple of str
        ``face.au.AU12``: OpenFace and LibreFace give intensities from 0 to 5, py-feat probabilities from 0 to 1.
        ``face.au_presence.AU12``: 0 or 1 (OpenFace, LibreFace). ``face.emotion.anger``: probabilities (py-feat), or 1
        for the one expression named (LibreFace). ``face.valence``, ``face.arousal``: -1 to 1 (pyfeat_v2).
        ``face.pose.pitch``, ``yaw``, ``roll`` and ``face.gaze.pitch``, ``yaw``: degrees, with the signs of
        `FaceLandmarks`: pitch positive downwards, yaw to the right of the picture, roll counter-clockwise. LibreFace's
        pose is read as it is: its scale and signs are documented nowhere.

    Notes
    -----
    Faces of one frame are told apart by their boxes: py-feat's own; LibreFace's landmarks; OpenFace's position of the
    head, projected as if the picture was 16:9 and OpenFace had estimated the focal length. py-feat before version 2
    wrote pose in other signs and no gaze: leave them out by ``parts``.

    References
    ----------
    Baltrusaitis et al. (2018), "OpenFace 2.0: facial behavior analysis toolkit". Chang et al. (2024), "LibreFace: an
    open-source toolkit for deep facial expression analysis". Cheong et al. (2023), "Py-Feat".

    Examples
    --------
    >>> extractor = FaceCsv("openface", parts=["au"], level="frames")
    >>> extractor.names[:2], len(extractor.names)
    (('face.au.AU01', 'face.au.AU02'), 17)
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     header = ["timestamp", "success", *(f"{name[-4:]}_r" for name in extractor.names)]
    ...     _ = Path(folder, "a.csv").write_text("\n".join([", ".join(header), "0, 1" + ", 2.5" * 17]))
    ...     (outcome,) = extractor.describe_clip([extractor], Path(folder, "a.csv"), None, None)
    >>> outcome.values.shape, float(outcome.values[0, 0])
    ((1, 17), 2.5)
    """

    packages = ("pandas",)

    def __init__(
        self,
        tool: str = "openface",
        *,
        column: str = "face_csv",
        parts: Sequence[str] | None = None,
        fps: float | None = None,
        level: str = "functionals",
        max_faces: int = 3,
        policy: str = "largest",
    ) -> None:
        super().__init__(level=level, max_faces=max_faces, policy=policy)
        self.tool = tool
        self.column = column  # type: ignore[misc]
        self.parts = parts
        self.fps = fps  # type: ignore[assignment]

    @property
    def _layout(self) -> Layout:
        check_name(self.tool, TOOLS, "tool")
        return TOOLS[self.tool]

    @property
    def _read(self) -> dict[str, tuple[str, float]]:
        """Channels without modality, with column and factor."""
        channels = self._layout.channels
        having = {name.split(".")[0] for name in channels}
        for part in self.parts or ():
            check_name(part, having, f"part of {self.tool}")
        return {name: read for name, read in channels.items() if self.parts is None or name.split(".")[0] in self.parts}

    @property
    def channels(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the values of one face."""
        return tuple(f"{self.modality}.{name}" for name in self._read)

    def fingerprint(self) -> dict[str, str]:
        """Return the versions that the values depend on, after checking the parameters.

        Returns
        -------
        dict of str to str
            Version of each package.

        Raises
        ------
        ValueError
            If the tool, a part or the policy is unknown.
        """
        check_name(self.policy, set(POLICIES) - {"speaker"}, "policy of FaceCsv")
        check_name(self.tool, TOOLS, "tool")
        return super().fingerprint()

    @staticmethod
    def describe_clip(
        extractors: Sequence[FaceCsv], path: Path, start: float | None, end: float | None
    ) -> list[Outcome]:
        """Read a file for each extractor.

        Parameters
        ----------
        extractors : sequence of FaceCsv
            Any.
        path : Path
            A CSV file.
        start, end : float or None
            Seconds in the video that the file was made from.

        Returns
        -------
        list of Features or Absence
            One an extractor.
        """
        return [attempt(extractor.describe_file, path, start, end) for extractor in extractors]

    def describe_file(self, path: Path, start: float | None = None, end: float | None = None) -> Outcome:
        """Describe the faces of a file.

        Parameters
        ----------
        path : Path
            A CSV file.
        start, end : float or None
            Seconds in the video that the file was made from.

        Returns
        -------
        Features or Absence
            Functionals or frames.

        Raises
        ------
        MediaError
            If the file is broken, or its times do not ascend.
        UndescribableError
            If it has no frame between start and end.
        """
        start = start or 0.0
        rows, times = self._rows(path)
        within = (times >= start - _CLOCK) & (times < (math.inf if end is None else end))
        if not within.any():
            raise UndescribableError(f"no frame from {start:g} s on", "correct the segment's times")
        rows = rows[within]
        moments, frame = np.unique(times[within], return_inverse=True)
        seen = self._layout.seen(rows)
        observations: list[list[Face]] = [[] for _ in moments]
        for number, face in zip(frame[seen], self._faces(rows[seen]), strict=True):
            observations[number].append(face)
        largest = [sorted(faces, key=lambda face: -face.size)[: self.max_faces] for faces in observations]
        return self.summarize(np.maximum(moments - start, 0.0), largest, None)

    def _rows(self, path: Path) -> tuple[pd.DataFrame, NDArray[np.float64]]:
        """Read a file; return its rows and the seconds of each."""
        layout = self._layout
        columns = [column for column, _ in self._read.values()]
        words = {column.split("=")[0] for column in columns if "=" in column}
        needed = list(dict.fromkeys([*layout.needed, *(column.split("=")[0] for column in columns)]))
        rows = read_columns(path, needed, [name for name in layout.optional if name not in needed], sorted(words))
        times = layout.times(rows, self.fps)
        back = np.flatnonzero(~(np.diff(times, prepend=-math.inf) >= 0))
        if len(back):
            advice = "sort the file by time; a file must hold the frames of one video"
            raise MediaError(path, f"line {rows.index[back[0]]}: time is unknown or goes back", advice)
        return rows, times

    def _faces(self, rows: pd.DataFrame) -> list[Face]:
        """Turn rows into faces."""
        layout = self._layout
        values = np.column_stack([_channel(rows, column, factor) for column, factor in self._read.values()])
        boxes = _placed(layout.boxes(rows))
        quality = [{"confidence": score} if layout.confidence else {} for score in _scores(rows, layout.confidence)]
        parts = zip(values.astype(np.float32), boxes.tolist(), layout.mouths(rows).tolist(), quality, strict=True)
        return [Face(value, tuple(box), mouth, known) for value, box, mouth, known in parts]


def _channel(rows: pd.DataFrame, column: str, factor: float) -> NDArray[np.float64]:
    """Return the numbers of a channel, (n_rows,)."""
    name, _, word = column.partition("=")
    numbers: pd.Series = (rows[name] == word).astype(float) if word else rows[name]
    return factor * numbers.to_numpy(np.float64)


def _scores(rows: pd.DataFrame, column: str) -> list[Any]:
    return rows[column].tolist() if column else [math.nan] * len(rows)


def _placed(boxes: NDArray[np.float64]) -> NDArray[np.float64]:
    """Put faces of unknown place where they fill the picture: all there is to say of a face that is alone."""
    known = np.isfinite(boxes).all(axis=1, keepdims=True)
    return np.where(known, boxes, [0.0, 0.0, 1.0, 1.0])
