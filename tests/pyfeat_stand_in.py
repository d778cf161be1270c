"""A stand-in for py-feat: an interpreter whose `feat` has the real classes' signatures and columns, and no networks.

What it does with a picture is told by the picture's mean brightness, so that a video can order a crash.
"""

from __future__ import annotations

import sys
from pathlib import Path

BRIGHTNESS = {"no face": 10, "one face": 50, "two faces": 90, "noise": 130, "error": 170, "crash": 210, "hang": 250}

TORCH = """
import numpy
__version__ = "2.13.0"
uint8 = numpy.uint8
class Tensor:
    def __init__(self, array): self.array = array
    def reshape(self, *shape): return Tensor(self.array.reshape(shape))
    def permute(self, *axes): return Tensor(self.array.transpose(axes))
    def contiguous(self): return self
def frombuffer(content, dtype): return Tensor(numpy.frombuffer(content, dtype))
"""

FEAT = """
import os
import sys
import time
import numpy as np
import pandas as pd
from huggingface_hub import hf_hub_download

print("py-feat says hello")
if os.environ.get("STAND_IN") == "broken":
    raise RuntimeError("operator torchvision::nms does not exist")
__version__ = "2.1.5"
AUS = [f"AU{n:02d}" for n in (1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15, 17, 20, 23, 24, 25, 26, 28, 43)]
BOX = ["FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight", "FaceScore"]
LANDMARKS = [f"{axis}_{n}" for axis in "xy" for n in range(68)]
POSE = ["Pitch", "Roll", "Yaw", "X", "Y", "Z"]
GAZE = ["gaze_pitch", "gaze_yaw", "gaze_angle"]
FRAME = ["FrameHeight", "FrameWidth", "input", "frame", "Identity"]


class Fex(pd.DataFrame):
    _metadata = ["au_columns", "emotion_columns"]


class Detector:
    def __init__(self, weights):
        for repository, name in weights:
            hf_hub_download(repo_id=f"py-feat/{repository}", filename=name, cache_dir=os.environ["STAND_IN_CACHE"])

    def detect(self, inputs, data_type="image", output_size=None, batch_size=1, num_workers=0, pin_memory=False,
               face_identity_threshold=0.8, face_detection_threshold=0.5, skip_frames=None, progress_bar=True):
        assert (data_type, batch_size, progress_bar) == ("tensor", 1, False)
        _, colours, height, width = inputs.array.shape
        assert colours == 3
        order = round((inputs.array.mean() - 10) / 40)
        if order == 3:
            print("noise on stdout", flush=True)
            os.write(1, b"and past Python")
        elif order == 4:
            raise RuntimeError("weights made for another picture")
        elif order == 5:
            print("last words", file=sys.stderr, flush=True)
            os._exit(139)
        elif order == 6:
            time.sleep(60)
        faces = {0: 0, 2: 2}.get(max(order, 0), 1)
        names = [*BOX, *LANDMARKS, *POSE, *self.aus, *self.emotions, *self.affect, *GAZE, *FRAME]
        fex = Fex(np.full((max(faces, 1), len(names)), np.nan), columns=names)
        fex["FrameHeight"], fex["FrameWidth"], fex["frame"] = float(height), float(width), 0.0
        fex["FaceScore"] = 0.0
        for number in range(faces):
            known = [*LANDMARKS, *POSE, *self.aus, *self.emotions, *self.affect, *GAZE]
            fex.loc[number, known] = 0.1
            fex.loc[number, ["AU12", "Yaw"]] = [0.25 + number / 2, 0.5]
            fex.loc[number, ["y_62", "y_66"]] = [10.0, 13.0]
            fex.loc[number, BOX] = [width * number / 2, 0.0, width / 4 * (number + 1), height / 2, 0.9]
        fex.au_columns, fex.emotion_columns = self.aus, self.emotions
        return fex


class Detectorv1(Detector):
    aus, affect = AUS, []
    emotions = ["anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral"]

    def __init__(self, face_model="retinaface", landmark_model="mobilefacenet", au_model="xgb",
                 emotion_model="resmasknet", identity_model="arcface", gaze_model="l2cs", device="cpu"):
        super().__init__([("retinaface_r34", "model.safetensors")])


class Detectorv2(Detector):
    aus = AUS + ["AU16", "AU18", "AU27", "AU45"] if os.environ.get("STAND_IN") == "other heads" else AUS
    affect = ["valence", "arousal"]
    emotions = ["Neutral", "Happy", "Sad", "Surprise", "Fear", "Disgust", "Anger"]

    def __init__(self, device="cpu", face_detection_threshold=0.5, identity_model="arcface", multitask_weights=None,
                 amp=None, compile=False):
        named = multitask_weights or os.environ.get("FEAT_MULTITASK_WEIGHTS")
        network = [] if named else [("face_multitask_v2", "face_multitask_v28.safetensors")]
        super().__init__([("retinaface_r34", "model.safetensors"), *network])
"""

WEIGHTS = (
    "retinaface_r34/model.safetensors",
    "face_multitask_v2/face_multitask_v28.safetensors",
    "pose_mlp_v2/pose_mlp_v2.safetensors",
    "pose_mlp_v2/pose_mlp_v2.json",
)


def make_interpreter(folder: Path, kind: str = "") -> Path:
    """Write an interpreter that finds the stand-in.

    Its kind is "", "absent" (no package), "broken" (the package fails), "babbling" (another word on stdout), "other
    heads" or "no weights". Weights lie in the folder's `weights`, and in its `cache` as the hub's client would have
    left them; the hub is out of reach.
    """
    packages = folder / "packages"
    if not packages.exists() and kind != "absent":
        (packages / "feat").mkdir(parents=True)
        (packages / "feat" / "__init__.py").write_text(FEAT)
        (packages / "torch.py").write_text(TORCH)
        for name in WEIGHTS:
            repository, _, file = name.partition("/")
            cached = folder / "cache" / f"models--py-feat--{repository}"
            write(folder / "weights" / name, name)
            write(cached / "snapshots" / "0a1b" / file, name)
            write(cached / "refs" / "main", "0a1b")
    python = folder / f"python-{kind.replace(' ', '-') or 'well'}"
    before = "echo first of all a word to the world; " if kind == "babbling" else ""
    cache = folder / ("empty" if kind == "no weights" else "cache")
    python.write_text(
        f"#!/bin/sh\n{before}HF_HUB_OFFLINE=1 STAND_IN='{kind}' STAND_IN_CACHE='{cache}' "
        f"PYTHONPATH='{packages}' exec '{sys.executable}' \"$@\"\n"
    )
    python.chmod(0o755)
    return python


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
