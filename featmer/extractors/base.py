"""What every extractor has in common: parameters, identity, and an outcome for every row, whatever goes wrong."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator

from featmer._checks import MissingExtra
from featmer.media import MediaError


class UndescribableError(ValueError):
    """Raised by `describe` when there is nothing to describe; the row becomes missing with this reason.

    Parameters
    ----------
    reason : str
        Why the row is missing, in a few words.
    advice : str
        What a person can do.

    Examples
    --------
    >>> UndescribableError("no speech", "leave the row out").reason
    'no speech'
    """

    def __init__(self, reason: str, advice: str) -> None:
        super().__init__(reason, advice)
        self.reason = reason
        self.advice = advice


@dataclass(frozen=True)
class Features:
    """What an extractor found in one row.

    Attributes
    ----------
    values : ndarray of shape (n_features,) or (n_frames, n_features)
        float32.
    times : ndarray of shape (n_frames,) or None
        Seconds of the frames from the start of the segment; None for a vector.
    quality : dict of str to float
        How far to trust the values.
    warnings : tuple of (reason, advice)
        What a person should know although there are values.

    Examples
    --------
    >>> Features(np.ones(3, np.float32)).quality
    {}
    """

    values: NDArray[np.float32]
    times: NDArray[np.float64] | None = None
    quality: dict[str, float] = field(default_factory=dict)
    warnings: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Absence:
    """Why an extractor has no values for a row.

    Attributes
    ----------
    reason : str
        Why the row is missing.
    advice : str
        What a person can do.
    quality : dict of str to float
        What is known all the same: no face in any frame is a share of 0.
    lasting : bool
        False for an accident that another run may not have; it is not cached.

    Examples
    --------
    >>> Absence("no text", "fill the column").lasting
    True
    """

    reason: str
    advice: str
    quality: dict[str, float] = field(default_factory=dict)
    lasting: bool = True


Outcome = Features | Absence
"""What comes of describing a row: values, or the reason why there are none."""


class Extractor(BaseEstimator):
    """Base of all extractors: stateless, with scikit-learn's parameters.

    Nothing is learned here, and nothing heavy is held: models are opened once a process by cached functions, so that an
    extractor is cheap to copy and to send to a worker.

    Attributes
    ----------
    modality : str
        Name of the block that the values go to, and first part of their names.
    names : tuple of str
        Names of the values, ``"audio.eGeMAPSv02.loudness_mean"``.
    column : str
        Column of the segments that it reads: "audio", "video" or "text".
    version : int
        Raised by the author when `describe` gives other values than before.
    packages : tuple of str
        Distributions whose version changes the values.
    is_sequence : bool
        Whether a row is a sequence of frames.

    Examples
    --------
    >>> from featmer.extractors import OpenSmile
    >>> OpenSmile(level="lld").get_params()["level"]
    'lld'
    """

    modality: ClassVar[str]
    column: ClassVar[str]
    version: ClassVar[int] = 1
    packages: ClassVar[tuple[str, ...]] = ()
    names: tuple[str, ...]

    @property
    def is_sequence(self) -> bool:
        """Whether a row is a sequence of frames."""
        return False

    @property
    def sampling(self) -> float | None:
        """What media must be read at; extractors with the same need share one reading."""
        return None

    def fingerprint(self) -> dict[str, str]:
        """Return the versions that the values depend on; raise if something needed is not installed.

        Returns
        -------
        dict of str to str
            Version of each package, hash of each model file.

        Raises
        ------
        MissingExtra
            If a package is missing; the message names the pip command.

        Examples
        --------
        >>> from featmer.extractors import OpenSmile
        >>> sorted(OpenSmile().fingerprint())
        ['av', 'opensmile']
        """
        try:
            return {package: version(package) for package in self.packages}
        except PackageNotFoundError as error:
            name = type(self).__name__
            raise MissingExtra(
                f"{name} needs the package {error.name!r}, which is not installed: pip install {error.name}"
            ) from error

    def identity(self) -> dict[str, Any]:
        """Return all that decides about the values besides the media: it enters the cache key and the provenance.

        Returns
        -------
        dict
            Class, version, parameters and fingerprint.

        Examples
        --------
        >>> from featmer.extractors import OpenSmile
        >>> OpenSmile().identity()["parameters"]["feature_set"]
        'eGeMAPSv02'
        """
        return {
            "extractor": f"{type(self).__module__}.{type(self).__qualname__}",
            "version": self.version,
            "parameters": {name: _plain(value) for name, value in self.get_params().items()},
            "fingerprint": self.fingerprint(),
        }


def attempt(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function; what it raises becomes the reason of an `Absence`, for one row must not stop the others."""
    try:
        return function(*arguments)
    except (MediaError, UndescribableError) as error:
        return Absence(error.reason, error.advice)
    except Exception as error:
        advice = "an error of the extractor: report it with this file; the row is tried again in the next run"
        return Absence(f"{type(error).__name__}: {error}", advice, lasting=False)


def checked(values: Any, names: tuple[str, ...]) -> NDArray[np.float32]:
    """Return the values as float32 after checking that they are as wide as the names, and finite or NaN."""
    array = np.asarray(values, dtype=np.float32)
    if array.shape[-1:] != (len(names),):
        raise ValueError(f"describe gave values of shape {array.shape}, but there are {len(names)} names")
    if np.isnan(array).all():
        raise UndescribableError("every value is NaN", "look at the clip: too little can be measured in it")
    if np.isinf(array).any():
        raise ValueError(f"describe gave an infinite value for {names[np.argwhere(np.isinf(array))[0][-1]]!r}")
    return array


def _plain(value: Any) -> Any:
    """Return a parameter as JSON knows it."""
    return value if isinstance(value, str | int | float | bool | None) else str(value)
