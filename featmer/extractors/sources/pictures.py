"""Base of the extractors of pictures; hides one decoding for several extractors, and statistics over frames."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from featmer._checks import check_name
from featmer.extractors.base import Absence, Extractor, Features, Outcome, attempt, checked
from featmer.media import Frame, read_frames


class VideoExtractor(Extractor):
    """Base of extractors that describe pictures.

    The author writes ``channels`` and ``describe(frame)``. Frames come one by one, so that memory stays flat and one
    decoding feeds several extractors.

    Parameters
    ----------
    fps : float, default=5.0
        Frames a second to look at.
    level : {"functionals", "frames"}, default="functionals"
        Mean, deviation and maximum of every channel and the share of frames described; or the frames themselves.

    Attributes
    ----------
    channels : tuple of str
        Names of the values of one frame.
    subject : str
        What is looked for, for the reason when no frame shows it.
    quality_statistics : dict of str to callable
        How each quality of the frames is summed up for the clip.

    Examples
    --------
    >>> class Brightness(VideoExtractor):
    ...     modality = "scene"
    ...     channels = ("scene.brightness",)
    ...
    ...     def describe(self, frame):
    ...         return [frame.image.mean() / 255], {}
    >>> Brightness().names
    ('scene.brightness_mean', 'scene.brightness_std', 'scene.brightness_max', 'scene.share')
    """

    column = "video"
    packages: ClassVar[tuple[str, ...]] = ("av",)
    channels: tuple[str, ...]
    subject: ClassVar[str] = "picture"
    quality_statistics: ClassVar[dict[str, Callable[[list[float]], float]]] = {}

    def __init__(self, *, fps: float = 5.0, level: str = "functionals") -> None:
        self.fps = fps
        self.level = level

    @property
    def is_sequence(self) -> bool:
        """Whether a row is a sequence of frames."""
        check_name(self.level, ("functionals", "frames"), "level")
        return self.level == "frames"

    @property
    def sampling(self) -> float:
        """Frames a second."""
        return self.fps

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the values of a clip."""
        if self.is_sequence:
            return self.channels
        statistics = [f"{channel}_{name}" for name in ("mean", "std", "max") for channel in self.channels]
        return (*statistics, f"{self.modality}.share")

    def describe(self, frame: Frame) -> tuple[Any, dict[str, float]]:
        """Describe one picture; the author's part.

        Parameters
        ----------
        frame : Frame
            Upright RGB picture, its time, and the picture sampled before it.

        Returns
        -------
        values : array-like of shape (n_channels,) or None
            None if the picture does not show the subject.
        quality : dict of str to float
            A number for each name in ``quality_statistics``.
        """
        raise NotImplementedError(f"{type(self).__name__} must define describe(frame).")

    def warn(self, quality: dict[str, float]) -> tuple[tuple[str, str], ...]:
        """Say what a person should know about a described clip; nothing by default.

        Parameters
        ----------
        quality : dict of str to float
            Quality of the clip.

        Returns
        -------
        tuple of (reason, advice)
            The warnings.
        """
        return ()

    @staticmethod
    def describe_clip(
        extractors: Sequence[VideoExtractor], path: Path, start: float | None, end: float | None
    ) -> list[Outcome]:
        """Decode a video once and let several extractors describe its frames.

        Parameters
        ----------
        extractors : sequence of VideoExtractor
            With the same ``fps``.
        path : Path
            A video file.
        start, end : float or None
            Seconds in the file.

        Returns
        -------
        list of Features or Absence
            One an extractor.
        """
        clips = [_Clip(extractor, start or 0.0) for extractor in extractors]

        def watch() -> list[Outcome]:
            for frame in read_frames(path, fps=extractors[0].fps, start=start, end=end):
                for clip in clips:
                    clip.add(frame)
            return [attempt(clip.summarize) for clip in clips]

        outcomes = attempt(watch)
        return [outcomes] * len(clips) if isinstance(outcomes, Absence) else outcomes


class _Clip:
    """Collects what one extractor says about the frames of one clip, and sums it up."""

    def __init__(self, extractor: VideoExtractor, start: float) -> None:
        self.extractor = extractor
        self.start = start
        self.shown: list[bool] = []
        self.rows: list[NDArray[np.float32]] = []
        self.times: list[float] = []
        self.qualities: list[dict[str, float]] = []
        self.accident: Absence | None = None

    def add(self, frame: Frame) -> None:
        if self.accident is not None:  # one extractor's failure must not take the frames from the others
            return
        described = attempt(self.extractor.describe, frame)
        if isinstance(described, Absence):
            self.accident = described
            return
        values, quality = described
        channels = self.extractor.channels
        # A frame that does not show the subject is a row of NaN: it must not vanish from the sequence.
        self.rows.append(np.full(len(channels), np.nan, np.float32) if values is None else checked(values, channels))
        self.shown.append(values is not None)
        self.times.append(frame.time - self.start)
        self.qualities.append(quality)

    def summarize(self) -> Outcome:
        extractor = self.extractor
        if self.accident is not None:
            return self.accident
        share = sum(self.shown) / len(self.shown)
        quality = {f"{extractor.modality}_share": share}
        for name, statistic in extractor.quality_statistics.items():
            known = [row[name] for row in self.qualities if not math.isnan(row[name])]
            quality[name] = float(statistic(known)) if known else math.nan
        if not share:
            return Absence(
                f"no {extractor.subject} in any frame",
                f"check that the video shows a {extractor.subject}, large enough and lit",
                quality,
            )
        frames = np.stack(self.rows)
        if extractor.is_sequence:
            return Features(frames, np.asarray(self.times), quality, extractor.warn(quality))
        frames = frames[self.shown]
        statistics = (frames.mean(axis=0), frames.std(axis=0), frames.max(axis=0), [share])
        return Features(np.concatenate(statistics, dtype=np.float32), None, quality, extractor.warn(quality))
