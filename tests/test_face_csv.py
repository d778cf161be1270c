"""Faces from CSV files of other tools: their published layouts, units and signs, and the ways in which files break."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone

from featmer import extract
from featmer.corpora import load_ravdess, load_ravdess_au
from featmer.extractors import Absence, FaceCsv, FaceLandmarks
from featmer.extractors.face_csv.layouts import TOOLS

INTENSITIES = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 45)
PRESENCES = (1, 2, 4, 5, 6, 7, 9, 10, 12, 14, 15, 17, 20, 23, 25, 26, 28, 45)

# FeatureExtraction of OpenFace 2.2, all output on: 714 columns.
OPENFACE = [
    "frame", "face_id", "timestamp", "confidence", "success",
    *(f"gaze_{eye}_{axis}" for eye in (0, 1) for axis in "xyz"), "gaze_angle_x", "gaze_angle_y",
    *(f"eye_lmk_{axis}_{n}" for axis in "xyXYZ" for n in range(56)),
    *(f"pose_{kind}{axis}" for kind in "TR" for axis in "xyz"),
    *(f"{axis}_{n}" for axis in "xyXYZ" for n in range(68)),
    *(f"p_{name}" for name in ("scale", "rx", "ry", "rz", "tx", "ty", *range(34))),
    *(f"AU{unit:02d}_r" for unit in INTENSITIES), *(f"AU{unit:02d}_c" for unit in PRESENCES),
]  # fmt: skip

# The CSV of a video by LibreFace's Python package, joint model.
LIBREFACE = [
    "frame_idx", "frame_time_in_ms", "pitch", "yaw", "roll",
    *(f"lm_mp_{n}_{axis}" for n in range(478) for axis in "xyz"),
    *(f"au_{unit}" for unit in (1, 2, 4, 6, 7, 10, 12, 14, 15, 17, 23, 24)),
    *(f"au_{unit}_intensity" for unit in (1, 2, 4, 5, 6, 9, 12, 15, 17, 20, 25, 26)),
    "facial_expression",
]  # fmt: skip

UNITS = [f"AU{unit:02d}" for unit in (1, 2, 4, 5, 6, 7, 9, 10, 11, 12, 14, 15, 17, 20, 23, 24, 25, 26, 28, 43)]
BOX = ["FaceRectX", "FaceRectY", "FaceRectWidth", "FaceRectHeight", "FaceScore"]

# Fex.to_csv of py-feat 2.1's Detectorv2, less mesh, blendshapes and identity embedding.
FEX = [
    *BOX, *(f"{axis}_{n}" for axis in "xy" for n in range(68)), "Pitch", "Roll", "Yaw", "X", "Y", "Z", *UNITS,
    "Neutral", "Happy", "Sad", "Surprise", "Fear", "Disgust", "Anger", "valence", "arousal",
    "gaze_pitch", "gaze_yaw", "gaze_angle", "FrameHeight", "FrameWidth", "input", "frame", "Identity",
]  # fmt: skip


def openface(**columns: list) -> pd.DataFrame:
    """Return rows of OpenFace, ten a second, whose other columns are 0.25."""
    n_rows = len(next(iter(columns.values())))
    rows = pd.DataFrame(0.25, index=range(n_rows), columns=OPENFACE)
    rows["timestamp"] = np.round(np.arange(n_rows) / 10, 3)
    rows[["success", "confidence", "pose_Tx", "pose_Ty", "pose_Tz"]] = [1, 0.98, 0.0, 0.0, 600.0]
    return rows.assign(frame=range(1, n_rows + 1), face_id=0, **columns)


def written(rows: pd.DataFrame, folder: Path, name: str = "clip.csv", **options) -> Path:
    rows.to_csv(folder / name, index=False, **options)
    return folder / name


def describe(extractor: FaceCsv, path: Path, start: float | None = None, end: float | None = None):
    (outcome,) = extractor.describe_clip([extractor], path, start, end)
    return outcome


def frames(path: Path, tool: str = "openface", start=None, end=None, **options) -> pd.DataFrame:
    """Return the frames of a file by name of the channel, indexed by their times."""
    extractor = FaceCsv(tool, level="frames", **options)
    outcome = describe(extractor, path, start, end)
    if isinstance(outcome, Absence):
        raise AssertionError(outcome)
    names = [name.removeprefix("face.") for name in extractor.names]
    return pd.DataFrame(outcome.values, columns=names, index=outcome.times)


class TestOpenFace:
    def test_names_units_and_signs(self, tmp_path):
        given = openface(AU12_r=[3.5], AU28_c=[1], pose_Rx=[0.1], pose_Ry=[0.2], pose_Rz=[0.3], gaze_angle_x=[0.4])
        row = frames(written(given, tmp_path)).iloc[0]
        assert len(row) == 17 + 18 + 5
        assert row[["au.AU12", "au_presence.AU28"]].tolist() == [3.5, 1]
        assert row[["pose.pitch", "pose.yaw", "pose.roll"]].tolist() == pytest.approx(np.degrees([0.1, -0.2, -0.3]))
        assert row[["gaze.pitch", "gaze.yaw"]].tolist() == pytest.approx(np.degrees([0.25, 0.4]))

    def test_a_failed_frame_is_a_row_of_nan(self, tmp_path):
        found = frames(written(openface(success=[1, 0, 1]), tmp_path))
        assert found.index.tolist() == [0, 0.1, 0.2]
        assert found.isna().all(axis=1).tolist() == [False, True, False]

    def test_a_file_without_a_face(self, tmp_path):
        outcome = describe(FaceCsv(), written(openface(success=[0, 0]), tmp_path))
        assert outcome.reason == "no face in any frame"
        assert outcome.quality["face_share"] == 0

    @pytest.mark.parametrize("change", ["spaces", "mark", "endings", "missing numbers", "blank lines"])
    def test_what_files_look_like(self, tmp_path, change):
        path = written(openface(AU12_r=[1.0, 2.0], confidence=[0.5, 0.7]), tmp_path)
        expected = frames(path)
        text = path.read_text()
        if change == "spaces":  # of OpenFace before 2.2
            text = text.replace(",", ", ")
        elif change == "mark":
            text = "\ufeff" + text
        elif change == "endings":
            text = text.replace("\n", "\r\n")
        elif change == "missing numbers":
            text = text.replace("0.98", "-nan(ind)")
        else:
            text = text.replace("\n", "\n\n")
        path.write_bytes(text.encode())
        pd.testing.assert_frame_equal(frames(path), expected)

    def test_first_versions_have_no_gaze_angle(self, tmp_path):
        path = written(openface(AU12_r=[1.0]).drop(columns=["gaze_angle_x", "gaze_angle_y"]), tmp_path)
        absence = describe(FaceCsv(), path)
        assert absence.reason == "no column gaze_angle_y, gaze_angle_x"
        assert "parts" in absence.advice
        assert frames(path, parts=["au", "pose"])["au.AU12"].tolist() == [1.0]

    def test_action_units_are_those_of_ravdess(self, shared_data):
        block = load_ravdess_au(shared_data("RAVDESS"), load_ravdess(shared_data("RAVDESS")))
        columns = {
            f"face.openface.{column}_mean" for column, _ in TOOLS["openface"].channels.values() if "AU" in column
        }
        assert columns == set(block.names)


class TestLibreFace:
    @pytest.fixture
    def path(self, tmp_path) -> Path:
        rows = pd.DataFrame(0.5, index=range(3), columns=LIBREFACE)
        rows["frame_time_in_ms"] = [0.0, 33.367, 66.733]
        rows["facial_expression"] = ["Happiness", "Neutral", "Contempt"]
        rows["au_12_intensity"], rows["au_7"] = [4.5, 0.0, 1.0], [1, 0, 1]
        rows[["lm_mp_234_x", "lm_mp_454_x", "lm_mp_10_y", "lm_mp_152_y"]] = [0.25, 0.75, 0.2, 0.8]
        rows.iloc[1, 2:] = np.nan
        return written(rows, tmp_path)

    def test_names_and_units(self, path):
        found = frames(path, "libreface")
        assert found.shape == (3, 12 + 12 + 8 + 3)
        assert found["au.AU12"].tolist() == pytest.approx([4.5, np.nan, 1.0], nan_ok=True)
        assert found["au_presence.AU07"].tolist() == pytest.approx([1, np.nan, 1], nan_ok=True)
        assert found["emotion.happiness"].tolist() == pytest.approx([1, np.nan, 0], nan_ok=True)
        assert found["emotion.contempt"].tolist() == pytest.approx([0, np.nan, 1], nan_ok=True)
        assert found.index.tolist() == pytest.approx([0, 0.033367, 0.066733])

    def test_the_face_is_as_large_as_its_landmarks(self, path):
        assert describe(FaceCsv("libreface"), path).quality["face_size"] == pytest.approx(0.5 * 0.6)


class TestPyFeat:
    @pytest.fixture
    def rows(self) -> pd.DataFrame:
        rows = pd.DataFrame(0.25, index=range(3), columns=FEX).astype({"input": object, "Identity": object})
        rows["input"], rows["Identity"], rows["frame"] = "a, b.mp4", "Person_0", [0, 1, 1]
        rows[["FrameWidth", "FrameHeight"]] = [640.0, 480.0]
        rows[BOX] = [[160.0, 120.0, 320.0, 240.0, 0.9]] * 3
        rows["FaceRectX"] = [160.0, 0.0, 320.0]
        rows["FaceRectWidth"] = [320.0, 64.0, 320.0]
        rows["AU12"], rows["Yaw"] = [0.1, 0.2, 0.3], 0.5
        return rows

    def test_names_are_those_of_the_extractor(self, rows, tmp_path):
        found = frames(written(rows, tmp_path), "pyfeat_v2", fps=25, policy="all")
        assert found["au.AU12"].tolist() == pytest.approx([0.1, 0.3, 0.2])
        assert found["pose.yaw"].tolist() == pytest.approx([-np.degrees(0.5)] * 3)
        assert found.index.tolist() == [0, 0.04, 0.04]

    def test_faces_that_were_not_found(self, rows, tmp_path):
        rows.loc[0, [*BOX[:4], *UNITS]] = np.nan
        found = frames(written(rows, tmp_path), "pyfeat_v2", fps=25)
        assert found["au.AU12"].tolist() == pytest.approx([np.nan, 0.3], nan_ok=True)

    def test_boxes_are_shares_of_the_picture(self, rows, tmp_path):
        path = written(rows.iloc[:1], tmp_path)
        assert describe(FaceCsv("pyfeat_v2", fps=25), path).quality["face_size"] == pytest.approx(0.25)
        assert describe(FaceCsv("pyfeat_v2", fps=25), path).quality["face_confidence"] == pytest.approx(0.9)

    def test_frames_need_a_clock(self, rows, tmp_path):
        absence = describe(FaceCsv("pyfeat_v2"), written(rows, tmp_path))
        assert absence.advice == "name the video's frames a second in fps"

    def test_version_1_by_its_own_names(self, rows, tmp_path):
        emotions = {name: name.lower() for name in ("Neutral", "Surprise", "Fear", "Disgust", "Anger")}
        names = {**emotions, "Happy": "happiness", "Sad": "sadness"}
        path = written(rows.rename(columns=names).drop(columns=["valence", "arousal"]), tmp_path)
        assert frames(path, "pyfeat_v1", fps=25)["emotion.happiness"].tolist() == [0.25, 0.25]
        absence = describe(FaceCsv("pyfeat_v2", fps=25), path)
        assert absence.reason == "no column Neutral, Happy, Sad, Surprise, Fear and 4 more"

    def test_a_file_without_a_face(self, rows, tmp_path):
        rows[[*BOX[:4], *UNITS]] = np.nan
        outcome = describe(FaceCsv("pyfeat_v2", fps=25), written(rows, tmp_path))
        assert outcome.reason == "no face in any frame"


class TestSegments:
    def test_a_part_equals_a_file_of_that_part(self, tmp_path):
        rng = np.random.default_rng(0)
        given = openface(AU12_r=rng.uniform(0, 5, 20).round(2).tolist())
        whole = frames(written(given, tmp_path), start=0.5, end=1.2)
        part = given[(given["timestamp"] >= 0.5) & (given["timestamp"] < 1.2)]
        alone = frames(written(part.assign(timestamp=np.round(part["timestamp"] - 0.5, 3)), tmp_path, "part.csv"))
        assert whole.index.tolist() == pytest.approx(alone.index.tolist(), abs=1e-9)
        np.testing.assert_array_equal(whole.to_numpy(), alone.to_numpy())

    def test_nothing_between_start_and_end(self, tmp_path):
        assert describe(FaceCsv(), written(openface(AU12_r=[1.0]), tmp_path), 5.0, 6.0).reason == "no frame from 5 s on"

    def test_functionals_are_statistics_of_the_frames(self, tmp_path):
        path = written(openface(AU12_r=[1.0, 2.0, 4.0], success=[1, 0, 1]), tmp_path)
        values = dict(zip(FaceCsv().names, describe(FaceCsv(), path).values, strict=True))
        assert values["face.au.AU12_mean"] == 2.5
        assert values["face.au.AU12_max"] == 4
        assert values["face.share"] == pytest.approx(2 / 3)

    def test_extract_reads_cuts_caches_and_reports(self, tmp_path):
        written(openface(AU12_r=[1.0] * 10 + [3.0] * 10), tmp_path, "a.csv")
        (tmp_path / "b.csv").write_text("frame,timestamp\n")
        segments = pd.DataFrame(
            {
                "dialogue": ["d"] * 5,
                "turn": range(5),
                "start": [0.0, 1.0, np.nan, np.nan, np.nan],
                "end": [1.0, 2.0, np.nan, np.nan, np.nan],
                "openface": ["a.csv", "a.csv", "b.csv", "c.csv", None],
            }
        )
        segments.attrs["root"] = str(tmp_path)
        extractor = FaceCsv(column="openface", parts=["au"])
        table, failures = extract(segments, extractor, cache=tmp_path / "cache", n_jobs=2, progress=False)
        assert table.blocks["face"].values[:2, table.blocks["face"].names.index("face.au.AU12_mean")].tolist() == [1, 3]
        told = failures.set_index("row")["reason"].to_dict()
        assert told == {
            2: "no column success, AU01_r, AU02_r, AU04_r, AU05_r and 13 more",
            3: "missing file",
            4: "no openface named in the segments",
        }
        assert failures["file"].tolist()[0].endswith("b.csv")
        (tmp_path / "a.csv").touch()
        again, _ = extract(segments, clone(extractor), cache=tmp_path / "cache", progress=False)
        np.testing.assert_array_equal(again.blocks["face"].values, table.blocks["face"].values)


class TestSeveralFaces:
    @pytest.fixture
    def rows(self) -> pd.DataFrame:
        """Two people over five frames: a near one on the left, a far one in the middle."""
        near, far = openface(AU12_r=[4.0] * 5), openface(AU12_r=[1.0] * 5)
        near[["pose_Tx", "pose_Tz"]], far[["pose_Tx", "pose_Tz"]] = [-250.0, 500.0], [0.0, 900.0]
        return pd.concat([near, far.assign(face_id=1)]).sort_values("frame", kind="stable", ignore_index=True)

    @pytest.mark.parametrize(("policy", "smile"), [("largest", 4.0), ("centre", 1.0), ("all", 2.5)])
    def test_policies(self, rows, tmp_path, policy, smile):
        extractor = FaceCsv(policy=policy)
        outcome = describe(extractor, written(rows, tmp_path))
        assert dict(zip(extractor.names, outcome.values, strict=True))["face.au.AU12_mean"] == smile
        assert outcome.quality["face_count"] == 2
        assert bool(outcome.warnings) == (policy != "all")

    @settings(max_examples=10, deadline=None)
    @given(order=st.permutations(range(2)), times=st.integers(1, 5))
    def test_the_order_of_faces_in_a_frame_does_not_matter(self, tmp_path_factory, order, times):
        folder = tmp_path_factory.mktemp("faces")
        near, far = (openface(AU12_r=[smile] * times) for smile in (4.0, 1.0))
        far["pose_Tz"] = 900.0
        mixed = pd.concat([(near, far)[index] for index in order]).sort_values("frame", kind="stable")
        assert frames(written(mixed, folder))["au.AU12"].tolist() == [4.0] * times

    def test_only_the_largest_are_looked_at(self, rows, tmp_path):
        assert describe(FaceCsv(max_faces=1), written(rows, tmp_path)).quality["face_count"] == 1

    def test_a_file_has_no_sound_to_tell_the_speaker_by(self):
        with pytest.raises(ValueError, match="Unknown policy of FaceCsv 'speaker'"):
            FaceCsv(policy="speaker").fingerprint()


class TestBrokenFiles:
    @pytest.mark.parametrize(
        ("damage", "reason"),
        [
            (lambda text: "", "empty file"),
            (lambda text: "\n", "empty file"),
            (lambda text: text.split("\n")[0], "no line after the header"),
            (lambda text: text.split("\n")[0] + "\n\n", "no line after the header"),
            (lambda text: text.replace(",", ";"), "values are separated by ';', expected commas"),
            (lambda text: text.replace(",", "\t"), r"values are separated by '\t', expected commas"),
            (lambda text: text.replace("AU12_r", "AU21_r"), "no column AU12_r"),
            (lambda text: text.replace("AU12_r", "AU10_r"), "no column AU12_r"),
            (lambda text: text.replace("X_7,", "AU12_r,"), "two columns 'AU12_r'"),
            (lambda text: text.replace("4.75", "smile"), "line 3: AU12_r is 'smile', expected a number"),
            (lambda text: text.replace("4.75", "4,75"), "line 3 has 715 values, the header 714 names"),
            (lambda text: text.replace("4.75", "inf"), "line 3: AU12_r is 'inf', expected a number"),
            (lambda text: text[: len(text) * 3 // 4], "line 3 has 66 values, the header 714 names"),
            (lambda text: text.replace("\n2,0,0.1", "\n2,0,-0.1"), "line 3: time is unknown or goes back"),
            (lambda text: text.replace("\n2,0,0.1", "\n2,0,nan"), "line 3: time is unknown or goes back"),
            (lambda text: text.replace("\n2,0,", "\n2,0,\x00"), "line 3: timestamp is"),
        ],
    )
    def test_the_reason_names_the_line(self, tmp_path, damage, reason):
        path = written(openface(AU12_r=[1.0, 4.75]), tmp_path)
        path.write_text(damage(path.read_text()))
        outcome = describe(FaceCsv(), path)
        assert isinstance(outcome, Absence)
        assert reason in outcome.reason
        assert outcome.lasting
        assert outcome.advice

    @pytest.mark.parametrize("content", [b"\x00\x01\xff" * 100, b"\xff\xfet\x00i\x00m\x00e\x00", b"RIFF\x00\x00\x00"])
    def test_other_files(self, tmp_path, content):
        (tmp_path / "a.csv").write_bytes(content)
        outcome = describe(FaceCsv(), tmp_path / "a.csv")
        assert isinstance(outcome, Absence)
        assert outcome.lasting

    @settings(max_examples=40, deadline=None)
    @given(content=st.binary(max_size=200))
    def test_no_bytes_crash_it(self, tmp_path_factory, content):
        path = tmp_path_factory.mktemp("bytes") / "a.csv"
        header = ",".join(["timestamp", "success", *(f"AU{unit:02d}_r" for unit in INTENSITIES)])
        path.write_bytes(header.encode() + b"\n" + content)
        outcome = describe(FaceCsv(parts=["au"]), path)
        assert outcome.lasting if isinstance(outcome, Absence) else np.isfinite(outcome.values).all()


class TestNames:
    @pytest.mark.parametrize("tool", sorted(TOOLS))
    def test_action_units_are_named_as_by_the_other_extractors(self, tool):
        shared = set(FaceLandmarks(level="frames").names) & set(FaceCsv(tool, level="frames").names)
        assert {"face.au.AU12", "face.pose.yaw"} <= shared

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"tool": "openfase"}, "Unknown tool 'openfase', did you mean 'openface'"),
            ({"parts": ["aus"]}, "Unknown part of openface 'aus', did you mean 'au'"),
            ({"parts": ["emotion"]}, "Unknown part of openface 'emotion'"),
        ],
    )
    def test_unknown_words(self, options, message):
        with pytest.raises(ValueError, match=message):
            FaceCsv(**options).names  # noqa: B018
