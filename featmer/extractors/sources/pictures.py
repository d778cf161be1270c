"""Base of the extractors of pictures; hides one decoding for several extractors, and statistics over frames."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from featmer._checks import check_name
from featmer.extractors.base import Absence, Extractor, Features, Outcome, attempt, checked
from featmer.media import Frame, read_frames
from featmer.table.statistics import STATISTICS

_FUNCTIONALS = ("mean", "std", "max")


class Excerpt(NamedTuple):
    """Name a part of a media file.

    Attributes
    ----------
    path : Path
        The file.
    start, end : float or None
        Seconds in the file; None for its beginning and end.

    Examples
    --------
    >>> Excerpt(Path("a.mp4"), 1.5).end is None
    True
    """

    path: Path
    start: float | None = None
    end: float | None = None


class VideoExtractor(Extractor):
    """Base of extractors that describe pictures.

    The author writes ``channels`` and ``describe(frame)``. Frames come one by one, so that memory stays flat and one
    decoding feeds several extractors. Extractors that must see all frames before they can judge one, such as whose face
    it is, write ``observe`` and ``summarize`` instead.

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
        statistics = [f"{channel}_{name}" for name in _FUNCTIONALS for channel in self.channels]
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

    def observe(self, frame: Frame) -> Any:
        """Return what must be remembered of one picture until the clip has ended.

        Parameters
        ----------
        frame : Frame
            Upright RGB picture.

        Returns
        -------
        object
            Small: a clip may be hours long. By default what `describe` gives, checked.
        """
        values, quality = self.describe(frame)
        return None if values is None else checked(values, self.channels), quality

    def summarize(self, times: NDArray[np.float64], observations: list[Any], excerpt: Excerpt | None) -> Outcome:
        """Sum up a clip.

        Parameters
        ----------
        times : ndarray of shape (n_frames,)
            Seconds from the start of the clip.
        observations : list of n_frames objects
            What `observe` gave.
        excerpt : Excerpt or None
            Where the clip is, for those who want its sound too; None if there is no media file.

        Returns
        -------
        Features or Absence
            Functionals or frames.
        """
        # A frame that does not show the subject is a row of NaN: it must not vanish from the sequence.
        rows = np.full((len(times), len(self.channels)), np.nan, np.float32)
        for row, (values, _) in zip(rows, observations, strict=True):
            if values is not None:
                row[:] = values
        share = sum(values is not None for values, _ in observations) / len(observations)
        quality = {}
        for name, statistic in self.quality_statistics.items():
            known = [seen[name] for _, seen in observations if not math.isnan(seen[name])]
            quality[name] = float(statistic(known)) if known else math.nan
        return self.conclude(rows, times, share, quality)

    def conclude(
        self,
        rows: NDArray[np.float32],
        times: NDArray[np.float64],
        share: float,
        quality: dict[str, float],
        warnings: tuple[tuple[str, str], ...] = (),
    ) -> Outcome:
        """Turn the rows of a clip into frames or functionals; into an absence if there is nothing in them.

        Parameters
        ----------
        rows : ndarray of shape (n_frames, n_channels)
            NaN where the subject is not seen.
        times : ndarray of shape (n_frames,)
            Seconds from the start of the clip.
        share : float
            Share of the pictures that show the subject.
        quality : dict of str to float
            Quality of the clip.
        warnings : tuple of (reason, advice), default=()
            What a person should know although there are values.

        Returns
        -------
        Features or Absence
            What `extract` puts into the table.
        """
        quality = {f"{self.modality}_share": share, **quality}
        if not share:
            return Absence(
                f"no {self.subject} in any frame",
                f"check that the video shows a {self.subject}, large enough and lit",
                quality,
            )
        if self.is_sequence:
            return Features(rows, times, quality, warnings)
        statistics = [STATISTICS[name](rows, np.zeros(1, np.int64))[0] for name in _FUNCTIONALS]
        return Features(np.concatenate([*statistics, [share]], dtype=np.float32), None, quality, warnings)

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
        excerpt = Excerpt(path, start, end)
        clips = [_Clip(extractor, excerpt) for extractor in extractors]

        def watch() -> list[Outcome]:
            for frame in read_frames(path, fps=extractors[0].fps, start=start, end=end):
                for clip in clips:
                    clip.add(frame)
            return [attempt(clip.summarize) for clip in clips]

        outcomes = attempt(watch)
        return [outcomes] * len(clips) if isinstance(outcomes, Absence) else outcomes


class _Clip:
    """Collects what one extractor observes in the frames of one clip."""

    def __init__(self, extractor: VideoExtractor, excerpt: Excerpt) -> None:
        self.extractor = extractor
        self.excerpt = excerpt
        self.times: list[float] = []
        self.observations: list[Any] = []
        self.accident: Absence | None = None

    def add(self, frame: Frame) -> None:
        if self.accident is not None:  # one extractor's failure must not take the frames from the others
            return
        observed = attempt(self.extractor.observe, frame)
        if isinstance(observed, Absence):
            self.accident = observed
            return
        self.times.append(frame.time - (self.excerpt.start or 0.0))
        self.observations.append(observed)

    def summarize(self) -> Outcome:
        if self.accident is not None:
            return self.accident
        return self.extractor.summarize(np.array(self.times), self.observations, self.excerpt)
