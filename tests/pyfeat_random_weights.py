"""Save random weights in the real architectures of py-feat 2.1, by hub repository: a program for py-feat's environment.

Its one argument is the folder to write to. Nothing here is a prediction: the weights serve to run the real classes.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np

HOG = 5408  # features of the histograms of gradients of a face of 112 pixels
LANDMARKS = 136  # coordinates of 68 landmarks


def main(folder: Path) -> None:
    import torch

    torch.manual_seed(0)
    for save in (save_face_detector, save_multitask, save_landmarks, save_emotions, save_gaze, save_pose, save_units):
        save(folder)


def place(folder: Path, name: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def save_state(module, path: Path, metadata=None) -> None:
    from safetensors.torch import save_file

    state = {name: value.contiguous().clone() for name, value in module.state_dict().items()}
    save_file(state, path, metadata=metadata)


def save_face_detector(folder: Path) -> None:
    import torch
    from feat.face_detectors.Retinaface.Retinaface_model import RETINAFACE_R34_CFG, RetinaFace

    network = RetinaFace(RETINAFACE_R34_CFG)
    for head in network.ClassHead._convs:  # a face everywhere, with a score of 0.98
        torch.nn.init.zeros_(head.weight)
        head.bias.data = torch.tensor([-2.0, 2.0] * (head.bias.numel() // 2))
    for head in network.BboxHead._convs:
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.zeros_(head.bias)
    save_state(network, place(folder, "retinaface_r34/model.safetensors"))


def save_multitask(folder: Path) -> None:
    from feat.multitask import MEGraphAUv2, ModelV2Config

    heads = {"n_blendshape": 52, "mesh_normalized": True, "use_head_v3": True, "drop_mefl": True, "pretrained": False}
    for name, n_units in (("face_multitask_v28", 20), ("other_heads", 24)):
        config = ModelV2Config(n_au=n_units, n_emotion=7, **heads)
        path = place(folder, f"face_multitask_v2/{name}.safetensors")
        save_state(MEGraphAUv2(config), path, {"config": json.dumps(asdict(config))})


def save_landmarks(folder: Path) -> None:
    import torch
    from feat.landmark_detectors.mobilefacenet_test import MobileFaceNet

    network = MobileFaceNet([112, 112], LANDMARKS, device="cpu")
    torch.nn.init.constant_(network.output_layer.bn.weight, 0.01)
    network.output_layer.bn.bias.data = torch.rand(LANDMARKS)  # spread over the face: alignment needs an area
    path = place(folder, "mobilefacenet/mobilefacenet_model_best.pth.tar")
    torch.save({"state_dict": network.state_dict()}, path)


def save_emotions(folder: Path) -> None:
    import torch
    from feat.emo_detectors.ResMaskNet.resmasknet_test import ResMasking

    network = ResMasking("", in_channels=3)
    network.fc = torch.nn.Sequential(torch.nn.Dropout(0.4), torch.nn.Linear(512, 7))
    torch.save({"net": network.state_dict()}, place(folder, "resmasknet/ResMaskNet_Z_resmasking_dropout1_rot30.pth"))
    place(folder, "resmasknet/config.json").write_text(json.dumps({"in_channels": 3, "num_classes": 7}))


def save_gaze(folder: Path) -> None:
    from feat.gaze_detectors.l2cs import l2cs_resnet50

    save_state(l2cs_resnet50(), place(folder, "l2cs/l2cs_gaze360_resnet50.safetensors"))


def save_pose(folder: Path) -> None:
    from feat.utils.face_pose_mlp import PoseMLP

    save_state(PoseMLP(), place(folder, "pose_mlp_v2/pose_mlp_v2.safetensors"))
    scale = {"mean": [0.0] * 6, "std": [0.1] * 6}
    architecture = {"hidden": [512, 256, 128], "dropout": 0.15, "output_normalization": scale}
    place(folder, "pose_mlp_v2/pose_mlp_v2.json").write_text(json.dumps({"architecture": architecture}))


def save_units(folder: Path) -> None:
    import skops.io
    from feat.au_detectors.StatLearning.SL_test import XGBClassifier
    from sklearn.decomposition import PCA
    from sklearn.preprocessing import StandardScaler
    from xgboost import XGBClassifier as Trees

    rng = np.random.default_rng(0)
    histograms = rng.random((12, HOG))
    scaler = StandardScaler().fit(histograms)
    components = PCA(4).fit(scaler.transform(histograms))
    trees = Trees(n_estimators=2, max_depth=2).fit(rng.random((12, 4 + LANDMARKS)), np.arange(12) % 2)
    units = XGBClassifier()
    parts = {}
    for part in ("upper", "lower", "full"):
        parts |= {f"scaler_{part}": scaler, f"pca_model_{part}": components}
    units.load_weights(**parts, classifiers=dict.fromkeys(units.au_keys, trees))
    place(folder, "xgb_au/xgb_au_classifier_v2.skops").write_bytes(skops.io.dumps(units))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
