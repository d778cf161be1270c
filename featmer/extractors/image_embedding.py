"""Embeddings of pictures by pretrained networks; hides where models lie, their libraries, and the person's crop."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from featmer._checks import check_name
from featmer.extractors.embedding_models import model_folder, model_hash, open_model
from featmer.extractors.models import POSE_MODEL, file_sha256
from featmer.extractors.people import find_people
from featmer.extractors.sources import VideoExtractor
from featmer.media import Frame

_MODALITIES = {"frame": "scene", "person": "person"}
_MARGIN = 0.15  # of the box's size, added on each side: landmarks lie within the body


class ImageEmbedding(VideoExtractor):
    """Describe pictures, or the person in them, by the embedding of a pretrained network.

    Any image model of sentence-transformers (CLIP, SigLIP, ViT, DINOv2 and all that it opens from transformers; a model
    without an embedding of its own gets mean pooling) and any of timm.

    Parameters
    ----------
    model : str
        A local folder, or a name on the Hugging Face hub: ``"sentence-transformers/clip-ViT-B-32"``,
        ``"facebook/dinov2-small"``, ``"timm/resnet50.a1_in1k"``. The hub's names that begin with ``timm/`` and folders
        that ``timm.models.save_for_hf`` wrote are opened by timm (``pip install timm``), all others by
        sentence-transformers.
    region : {"frame", "person"}, default="frame"
        What is embedded: the whole picture, in the block "scene"; or the largest person, cut out with a margin, in the
        block "person". The person is found as by `BodyPose`, and once for both.
    fps : float, default=5.0
        Pictures a second to look at.
    level : {"functionals", "frames"}, default="functionals"
        Mean, deviation and maximum of every dimension and the share of pictures embedded; or the pictures.

    Attributes
    ----------
    channels : tuple of str
        ``"scene.<model>.000"`` and so on.

    References
    ----------
    Radford et al. (2021), "Learning transferable visual models from natural language supervision", ICML.
    Wightman (2019), "PyTorch image models".

    Examples
    --------
    >>> ImageEmbedding("sentence-transformers/clip-ViT-B-32", region="person").modality
    'person'
    """

    def __init__(self, model: str, *, region: str = "frame", fps: float = 5.0, level: str = "functionals") -> None:
        super().__init__(fps=fps, level=level)
        self.model = model
        self.region = region

    @property
    def modality(self) -> str:  # type: ignore[override]
        """Name of the block: "scene" or "person"."""
        check_name(self.region, _MODALITIES, "region")
        return _MODALITIES[self.region]

    @property
    def subject(self) -> str:  # type: ignore[override]
        """What is looked for."""
        return "person" if self.region == "person" else "picture"

    @property
    def packages(self) -> tuple[str, ...]:  # type: ignore[override]
        """Distributions whose version changes the values."""
        finder = ("mediapipe",) if self.region == "person" else ()
        libraries = ("timm", "torchvision") if _is_timm(self.model) else ("sentence-transformers", "transformers")
        return ("av", "pillow", "torch", *libraries, *finder)

    @property
    def channels(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the dimensions."""
        return tuple(f"{self._prefix}.{index:03d}" for index in range(_width(self.model)))

    @property
    def names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Names of the values of a clip."""
        # The block has other extractors' values, too, with a share of their own.
        return super().names if self.is_sequence else (*super().names[:-1], f"{self._prefix}.share")

    @property
    def _prefix(self) -> str:
        return f"{self.modality}.{Path(self.model).name}"

    def fingerprint(self) -> dict[str, str]:
        """Return the versions of the packages and the hash, or the commit, of the models.

        Returns
        -------
        dict of str to str
            Version of each package; hash of each model.

        Raises
        ------
        MissingExtra
            If a package is missing.
        MissingModelError
            If the model that finds people is missing.
        """
        versions = super().fingerprint()
        if self.region == "person":
            versions["pose_model"] = file_sha256(POSE_MODEL.find())
        in_timm = _is_timm(self.model) and model_folder(self.model) is None
        return {**versions, "model": _weights_hash(self.model) if in_timm else model_hash(self.model)}

    def describe(self, frame: Frame) -> tuple[NDArray[np.float32] | None, dict[str, float]]:
        """Embed a picture.

        Parameters
        ----------
        frame : Frame
            Upright RGB picture.

        Returns
        -------
        values : ndarray of shape (n_channels,) or None
            None if the person is looked for and there is none.
        quality : dict
            Empty.
        """
        image = frame.image if self.region == "frame" else _cut_person(frame.image)
        if image is None:
            return None, {}
        return _open_encoder(self.model)(image), {}


def _cut_person(image: NDArray[np.uint8]) -> NDArray[np.uint8] | None:
    """Return the part of a picture that shows the largest person, face included; None if there is no person."""
    people = find_people(image)
    if not people:
        return None
    boxes = np.array([box for box in (people[0].box, people[0].face_box) if box is not None])
    corners = np.stack([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])
    margin = _MARGIN * (corners[1] - corners[0])
    size = np.array(image.shape[1::-1])
    (left, top), (right, bottom) = (np.clip(corners + [-margin, margin], 0, 1) * size).round().astype(int)
    return image[top : max(bottom, top + 1), left : max(right, left + 1)]


def _is_timm(model: str) -> bool:
    """Return whether a model is timm's: it writes the name of the architecture into the folder's config."""
    config = Path(model) / "config.json"
    if not config.is_file():
        return model.startswith("timm/")
    return "architecture" in json.loads(config.read_text(encoding="utf-8"))


@cache
def _open_encoder(model: str) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """Return what turns an RGB picture into its embedding."""
    from PIL import Image

    if not _is_timm(model):
        opened = open_model(model)
        return lambda image: opened.encode(Image.fromarray(image), show_progress_bar=False, convert_to_numpy=True)
    import torch

    network, transform = _open_timm(model)

    def encode(image: NDArray[np.uint8]) -> NDArray[np.float32]:
        with torch.inference_mode():
            return network(transform(Image.fromarray(image))[None])[0].numpy()

    return encode


@cache
def _open_timm(model: str) -> tuple[Any, Any]:
    """Open a network of timm without its classifier, on the CPU, and the preparation of pictures that belongs to it."""
    import timm
    from timm.data import create_transform, resolve_model_data_config

    place = f"hf-hub:{model}" if model_folder(model) is None else f"local-dir:{model}"
    network = timm.create_model(place, pretrained=True, num_classes=0).eval()
    return network, create_transform(**resolve_model_data_config(network), is_training=False)


@cache
def _width(model: str) -> int:
    return len(_open_encoder(model)(np.zeros((64, 64, 3), np.uint8)))


@cache
def _weights_hash(model: str) -> str:
    """Return the hash of a network's weights."""
    digest = hashlib.sha256()
    for name, weights in _open_timm(model)[0].state_dict().items():
        digest.update(name.encode())
        digest.update(weights.numpy().tobytes())
    return digest.hexdigest()
