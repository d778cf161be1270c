"""Run py-feat for another process: a program, to be run by its path in the environment where py-feat is installed.

It imports nothing of featmer. It is told what to open in its first argument (JSON), says hello with what it has opened,
and then answers each picture on stdin with the faces that py-feat finds in it, until stdin ends. A picture is two
unsigned 32-bit numbers, height and width, followed by height x width x 3 bytes. A message from here is four bytes that
no other output begins with, an unsigned 32-bit length, and as many bytes of JSON. Numbers are little-endian.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

MAGIC = b"\xfafx\x00"


def main() -> None:
    """Say hello, then answer pictures until stdin ends."""
    # Whatever py-feat and its libraries print must not come between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    hello, detect = _attempt(lambda: _open(json.loads(sys.argv[1])))
    _send(answers, hello)
    while detect is not None and (picture := _receive(sys.stdin.buffer)) is not None:
        shape, pixels = picture
        try:
            answer = {"faces": detect(shape, pixels)}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        _send(answers, answer)


def _attempt(opening: Callable[[], Any]) -> Any:
    """Open py-feat; say what is missing if that fails."""
    try:
        return opening()
    except ModuleNotFoundError as error:
        return {"error": str(error), "missing": "package"}, None
    except _MissingWeights as error:
        return {"error": str(error), "missing": "weights", "wanted": error.wanted}, None
    except Exception as error:
        return {"error": f"{type(error).__name__}: {error}"}, None


class _MissingWeights(Exception):
    """Weights could neither be found nor downloaded."""

    def __init__(self, error: Exception, wanted: list[str]) -> None:
        super().__init__(type(error).__name__)
        self.wanted = wanted


def _open(settings: dict[str, Any]) -> tuple[dict[str, Any], Callable[..., Any]]:
    """Open a detector; return what there is to know about it, and a function from pictures to rows of numbers."""
    weights = _Weights(settings["weights"])
    import feat
    import torch

    try:
        detector = _DETECTORS[settings["detector"]](feat, settings, weights)
    except Exception as error:
        if weights.missing:
            raise _MissingWeights(error, weights.missing) from error
        raise

    def detect(shape: tuple[int, int], pixels: bytearray) -> Any:
        picture = torch.frombuffer(pixels, dtype=torch.uint8).reshape(1, *shape, 3).permute(0, 3, 1, 2).contiguous()
        return detector.detect(
            picture,
            data_type="tensor",
            batch_size=1,
            face_detection_threshold=settings["threshold"],
            progress_bar=False,
        )

    # The schema is py-feat's own word, given by the very call that will be used.
    schema = detect((64, 64), bytearray(64 * 64 * 3))
    columns = settings["columns"]
    hello = {
        "versions": {"py-feat": feat.__version__, "torch": torch.__version__},
        "columns": list(schema.columns),
        "aus": list(schema.au_columns),
        "emotions": list(schema.emotion_columns),
        "weights": {name: _sha256(path) for name, path in sorted(weights.used.items())},
    }

    def describe(shape: tuple[int, int], pixels: bytearray) -> list[list[float | None]]:
        found = detect(shape, pixels)
        # A picture without a face is a row without a box.
        found = found[found["FaceRectX"].notna()]
        rows = found[columns].to_numpy(dtype=float).tolist()
        return [[None if number != number else number for number in row] for row in rows]  # NaN is no JSON

    return hello, describe


def _open_v1(feat: Any, settings: dict[str, Any], weights: _Weights) -> Any:
    detector = feat.Detectorv1(identity_model=None, device=settings["device"])
    # Detectorv1 leaves the pose out without a word where these weights are missing: they are asked for here.
    named = os.environ.get("FEAT_POSE_MLP_PATH")
    if named and Path(named).exists():
        weights.used["FEAT_POSE_MLP_PATH"] = Path(named)
    else:
        for name in ("pose_mlp_v2.safetensors", "pose_mlp_v2.json"):
            weights.find("py-feat/pose_mlp_v2", name, cache_dir=_resources(feat))
    return detector


def _open_v2(feat: Any, settings: dict[str, Any], weights: _Weights) -> Any:
    named = settings["multitask_weights"] or os.environ.get("FEAT_MULTITASK_WEIGHTS")
    if named:
        weights.used["multitask_weights"] = Path(named)
    return feat.Detectorv2(
        identity_model=None, device=settings["device"], multitask_weights=settings["multitask_weights"]
    )


_DETECTORS = {"v1": _open_v1, "v2": _open_v2}


class _Weights:
    """Stand before the hub: local files first, and a record of every file used or missed."""

    def __init__(self, folder: str | None) -> None:
        import huggingface_hub

        self.folder = folder
        self.used: dict[str, Path] = {}
        self.missing: list[str] = []
        self._download = huggingface_hub.hf_hub_download
        # py-feat takes the function from here when it is imported, and so gets every file by way of `find`.
        huggingface_hub.hf_hub_download = self.find  # type: ignore[assignment]

    def find(self, repo_id: str, filename: str, **options: Any) -> str:
        """Return the path of a file of a hub repository."""
        name = f"{repo_id.split('/')[-1]}/{filename}"
        local = Path(self.folder, name) if self.folder else None
        try:
            found = local if local and local.is_file() else self._download(repo_id, filename, **options)
        except Exception:
            self.missing.append(name)
            raise
        self.used[name] = Path(found)
        return str(found)


def _resources(feat: Any) -> str:
    """Return the folder where py-feat keeps what it downloads."""
    return str(Path(feat.__path__[0]) / "resources")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _receive(questions: BinaryIO) -> tuple[tuple[int, int], bytearray] | None:
    """Return height, width and bytes of the next picture; None when there is no more."""
    head = questions.read(8)
    if len(head) < 8:
        return None
    height, width = struct.unpack("<II", head)
    pixels = bytearray(height * width * 3)
    return None if questions.readinto(pixels) < len(pixels) else ((height, width), pixels)  # type: ignore[attr-defined]


def _send(answers: BinaryIO, message: dict[str, Any]) -> None:
    content = json.dumps(message).encode()
    answers.write(MAGIC + struct.pack("<I", len(content)) + content)
    answers.flush()


if __name__ == "__main__":
    main()
