"""Posture and movement of figures whose joints are known, and of a real picture."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from skimage.data import astronaut

from featmer.extractors import BodyPose, FaceLandmarks, ImageEmbedding, Motion, Scene, models, people
from featmer.extractors.people import LANDMARKS, find_people, share_of_picture
from featmer.media import Frame, write_video

WIDTH, HEIGHT = 320, 240
# Someone who faces the camera with hanging arms: metres to the right of the picture and upwards from the hips.
STANDING = {
    "nose": (0, 0.7), "eye": (0.03, 0.74), "eye_inner": (0.02, 0.74), "eye_outer": (0.05, 0.74), "ear": (0.08, 0.72),
    "mouth": (0.03, 0.66), "shoulder": (0.2, 0.5), "elbow": (0.2, 0.2), "wrist": (0.2, -0.05), "pinky": (0.2, -0.1),
    "index": (0.2, -0.12), "thumb": (0.2, -0.1), "hip": (0.12, 0), "knee": (0.12, -0.45), "ankle": (0.12, -0.85),
    "heel": (0.12, -0.9), "foot": (0.12, -0.92),
}  # fmt: skip


def figure(**moved: tuple[float, ...]) -> np.ndarray:
    """Return the landmarks (33, 3) of the standing person in metres, some of them elsewhere; z is to the camera."""
    points = []
    for name in LANDMARKS:
        side = "left" if "left" in name else "right"
        across, up = STANDING[name.replace(f"{side}_", "").replace(f"_{side}", "")]
        points.append(moved.get(name, (across if side == "left" else -across, up)))
    return np.array([(*point, 0.0)[:3] for point in points])


def turned(points: np.ndarray, degrees: float, axis: int) -> np.ndarray:
    """Return landmarks turned about the x, y or z axis."""
    vector = np.zeros(3)
    vector[axis] = np.radians(degrees)
    return points @ cv2.Rodrigues(vector)[0].T


class StubLandmarker:
    """Stands for MediaPipe's landmarker: it sees the figures that belong to a picture, 2 m to its height."""

    def __init__(self) -> None:
        self.figures: dict[bytes, list[tuple[np.ndarray, tuple[float, float], float, tuple[str, ...]]]] = {}
        self.calls = 0

    def show(self, points, middle=(0.5, 0.6), scale=1.0, hidden=(), with_others=()) -> np.ndarray:
        """Return a picture in which a figure is to be seen, its hips at a place given in shares of the picture."""
        image = np.full((HEIGHT, WIDTH, 3), len(self.figures), np.uint8)
        self.figures[image.tobytes()] = [(points, middle, scale, hidden), *with_others]
        return image

    def detect(self, image) -> SimpleNamespace:
        self.calls += 1
        landmarks, world = [], []
        for points, middle, scale, hidden in self.figures.get(np.array(image.numpy_view()).tobytes(), []):
            seen = [0.1 if any(part in name for part in hidden) else 0.9 for name in LANDMARKS]
            per_metre = scale / 2 * HEIGHT / WIDTH  # in picture widths
            landmarks.append(
                [
                    SimpleNamespace(
                        x=middle[0] + x * per_metre,
                        y=middle[1] - y * per_metre * WIDTH / HEIGHT,
                        z=-3 * z,
                        visibility=share,
                        presence=0.95,
                    )
                    for (x, y, z), share in zip(points, seen, strict=True)
                ]
            )
            world.append([SimpleNamespace(x=x, y=-y, z=-z) for x, y, z in points])
        return SimpleNamespace(pose_landmarks=landmarks, pose_world_landmarks=world)


@pytest.fixture
def stage(monkeypatch) -> StubLandmarker:
    """Return a landmarker that sees what the test shows it."""
    stub = StubLandmarker()
    monkeypatch.setattr(people, "_open_landmarker", lambda model: stub)
    return stub


@pytest.fixture(scope="module")
def pose_model() -> Path:
    try:
        return models.POSE_MODEL.find()
    except models.MissingModelError as error:
        pytest.skip(str(error))


def describe(image: np.ndarray, previous: np.ndarray | None = None, elapsed: float = 0.5) -> dict[str, float]:
    frame = Frame(image, 1.0, previous, None if previous is None else 1.0 - elapsed)
    values, _ = BodyPose().describe(frame)
    return {name.removeprefix("person."): value for name, value in zip(BodyPose().channels, values, strict=True)}


class TestPosture:
    def test_a_standing_person(self, stage):
        found = describe(stage.show(figure()))
        assert found["joint.left_shoulder_x"] == pytest.approx(0.5)
        assert found["joint.right_ankle_y"] == pytest.approx(-1.35 / 0.4)
        for name in ("lean_side", "lean_forward", "shoulder_slope", "asymmetry"):
            assert found[f"posture.{name}"] == pytest.approx(0, abs=1e-6)
        assert found["posture.left_elbow"] == pytest.approx(180)
        assert found["posture.openness"] == pytest.approx(0.5)
        assert found["posture.hand_to_face"] == pytest.approx(np.hypot(0.2, 0.75) / 0.4)

    @pytest.mark.parametrize(("middle", "scale"), [((0.3, 0.5), 1), ((0.5, 0.6), 0.4), ((0.6, 0.9), 2)])
    def test_place_and_distance_do_not_matter(self, stage, middle, scale):
        arms = {"left_wrist": (0.4, 0.5), "right_elbow": (-0.4, 0.3)}
        found, other = describe(stage.show(figure(**arms))), describe(stage.show(figure(**arms), middle, scale))
        for name, value in found.items():
            if name.startswith(("joint", "posture")):
                assert other[name] == pytest.approx(value)

    @pytest.mark.parametrize("degrees", [-70, 40])
    def test_a_turned_body_keeps_its_measure(self, stage, degrees):
        found, aside = describe(stage.show(figure())), describe(stage.show(turned(figure(), degrees, 1)))
        assert aside["joint.left_shoulder_x"] == pytest.approx(0.5 * np.cos(np.radians(degrees)))
        for name in ("joint.nose_y", "joint.left_hip_y", "joint.right_wrist_y"):
            assert aside[name] == pytest.approx(found[name])

    @pytest.mark.parametrize("degrees", [-20, 10])
    def test_leaning(self, stage, degrees):
        aside = describe(stage.show(turned(figure(), -degrees, 2)))
        assert aside["posture.lean_side"] == pytest.approx(degrees)
        assert aside["posture.shoulder_slope"] == pytest.approx(-degrees)
        assert aside["posture.lean_forward"] == pytest.approx(0, abs=1e-6)
        assert aside["posture.openness"] == pytest.approx(0.5)
        forward = describe(stage.show(turned(figure(), degrees, 0)))
        assert forward["posture.lean_forward"] == pytest.approx(degrees)
        assert forward["posture.lean_side"] == pytest.approx(0, abs=1e-6)

    def test_arms(self, stage):
        crossed = describe(stage.show(figure(left_wrist=(-0.15, 0.3), right_wrist=(0.15, 0.3))))
        spread = {"left_elbow": (0.5, 0.5), "left_wrist": (0.75, 0.5), "right_elbow": (-0.5, 0.5)}
        spread = describe(stage.show(figure(**spread, right_wrist=(-0.75, 0.5))))
        one = describe(stage.show(figure(left_wrist=(0.2, 0.7), left_index=(0.05, 0.7))))
        assert crossed["posture.openness"] < 0.1 < 0.5 < spread["posture.openness"]
        assert spread["posture.openness"] == pytest.approx((0.5 + 0.75) / 2 / 0.4)
        assert spread["posture.left_elbow"] == pytest.approx(180)
        assert crossed["posture.asymmetry"] == pytest.approx(0, abs=1e-6)
        assert one["posture.asymmetry"] == pytest.approx(0.75 / 0.4 / 2), "of two joints one is elsewhere"
        assert one["posture.hand_to_face"] == pytest.approx(0.05 / 0.4)
        assert one["posture.left_elbow"] == pytest.approx(0, abs=1e-6)

    def test_what_is_hidden_is_nan(self, stage):
        found = describe(stage.show(figure(), hidden=("hip", "knee", "ankle", "heel", "foot", "left_wrist")))
        for name in ("joint.left_hip_x", "joint.left_wrist_y", "posture.lean_side", "posture.lean_forward"):
            assert np.isnan(found[name])
        assert found["joint.right_wrist_y"] == pytest.approx(-0.55 / 0.4)
        assert found["posture.openness"] == pytest.approx(0.5), "of what is seen"
        without_shoulders = describe(stage.show(figure(), hidden=("shoulder",)))
        assert np.isnan([value for name, value in without_shoulders.items() if name.startswith("joint")]).all()
        assert without_shoulders["box.share"] > 0


class TestSpeed:
    def test_hands_and_body(self, stage):
        before = stage.show(figure())
        after = stage.show(figure(left_wrist=(0.4, -0.05)), middle=(0.6, 0.6))
        found = describe(after, before)
        per_metre = HEIGHT / WIDTH / 2
        assert found["speed.body"] == pytest.approx(0.1 / per_metre / 0.4 / 0.5)
        assert found["speed.left_hand"] == pytest.approx(0.2 / 0.4 / 0.5), "relative to the body"
        assert [found["speed.right_hand"], found["speed.head"]] == pytest.approx([0, 0], abs=1e-6)

    def test_nobody_before(self, stage):
        shown = stage.show(figure())
        for found in (describe(shown), describe(shown, np.full((HEIGHT, WIDTH, 3), 255, np.uint8))):
            assert np.isnan([value for name, value in found.items() if name.startswith("speed")]).all()

    def test_the_nearest_one_is_the_same_person(self, stage):
        other = (figure(), (0.8, 0.6), 1.2, ())
        before = stage.show(figure(), (0.2, 0.6), with_others=[other])
        after = stage.show(figure(), (0.2, 0.6), scale=1.5)
        assert describe(after, before)["speed.body"] < 1

    def test_a_clip_looks_at_each_picture_once(self, stage, tmp_path):
        pictures = [stage.show(figure(), (0.1 * k, 0.6)) for k in range(2, 8)]
        frames = [
            Frame(picture, k / 5, pictures[k - 1] if k else None, (k - 1) / 5) for k, picture in enumerate(pictures)
        ]
        for frame in frames:
            BodyPose().describe(frame)
        assert stage.calls == len(pictures)


class TestClip:
    def test_several_people_are_a_warning_and_nobody_a_reason(self, stage):
        small = (figure(), (0.2, 0.6), 0.3, ())
        shown = [stage.show(figure(), with_others=[small]), np.full((HEIGHT, WIDTH, 3), 255, np.uint8)]
        extractor = BodyPose()
        observed = [extractor.observe(Frame(image, 0.2 * k)) for k, image in enumerate(shown)]
        found = extractor.summarize(np.array([0, 0.2]), observed, None)
        assert found.quality["person_count"] == 2
        assert found.quality["person_share"] == 0.5
        assert found.warnings[0][0] == "2 people"
        nobody = extractor.summarize(np.array([0.0]), observed[1:], None)
        assert nobody.reason == "no person in any frame"

    def test_the_largest_comes_first(self, stage):
        small = (figure(), (0.2, 0.6), 0.3, ())
        first, second = find_people(stage.show(*small[:3], with_others=[(figure(), (0.6, 0.6), 1.0, ())]))
        assert first.size > second.size


class TestRealPicture:
    @pytest.fixture(autouse=True)
    def _needs_the_model(self, pose_model):
        pass

    def test_landmarks_of_an_astronaut(self):
        found = describe(astronaut())
        assert found["joint.nose_y"] > 0.3
        assert found["joint.left_shoulder_x"] > 0.3 > -0.3 > found["joint.right_shoulder_x"]
        assert found["joint.left_elbow_y"] < -0.3
        assert np.isnan(found["joint.left_knee_y"]), "below the picture"

    def test_the_face_is_where_the_face_model_finds_it(self):
        (face,) = FaceLandmarks().find(Frame(astronaut(), 0.0))
        guessed = find_people(astronaut())[0].face_box
        both = (*np.maximum(face.box[:2], guessed[:2]), *np.minimum(face.box[2:], guessed[2:]))
        union = share_of_picture(face.box) + share_of_picture(guessed) - share_of_picture(both)
        assert share_of_picture(both) / union > 0.6

    def test_size_and_a_mirror(self):
        found = describe(astronaut())
        large = describe(cv2.resize(astronaut(), (1024, 1024)))
        mirrored = describe(np.ascontiguousarray(astronaut()[:, ::-1]))
        assert large["joint.nose_y"] == pytest.approx(found["joint.nose_y"], abs=0.1)
        assert mirrored["joint.nose_x"] == pytest.approx(-found["joint.nose_x"], abs=0.1)
        assert mirrored["box.x"] == pytest.approx(1 - found["box.x"], abs=0.05)

    def test_one_decoding_feeds_all_pictures_extractors(self, tmp_path, tiny_image_model):
        write_video(tmp_path / "still.mp4", [cv2.resize(astronaut(), (256, 256))] * 6, 5)
        extractors = [Motion(), Scene(), BodyPose(), ImageEmbedding(str(tiny_image_model), region="person")]
        outcomes = BodyPose.describe_clip(extractors, tmp_path / "still.mp4", None, None)
        assert [len(found.values) for found in outcomes] == [len(extractor.names) for extractor in extractors]
        person = dict(zip(extractors[2].names, outcomes[2].values, strict=True))
        assert person["person.speed.body_mean"] < 0.5
        assert outcomes[2].quality["person_share"] == 1


class TestPoseModel:
    def test_named_by_the_variable(self, tmp_path, monkeypatch):
        monkeypatch.setenv("FEATMER_POSE_MODEL", str(tmp_path / "none.task"))
        with pytest.raises(models.MissingModelError, match="FEATMER_POSE_MODEL, is not a file; name a pose_landmarker"):
            BodyPose().fingerprint()

    def test_the_packaged_file_is_the_official_one(self, pose_model):
        assert models.file_sha256(pose_model) == models.POSE_MODEL.sha256
