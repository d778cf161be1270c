"""Optical flow, the camera, what moves by itself, and cuts, on pictures moved by known amounts."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.data import astronaut, chelsea, coffee

from featmer.extractors import Absence, Motion
from featmer.media import Frame, write_video

WIDTH, HEIGHT = 640, 360
ELAPSED = 0.2  # seconds between two pictures
STATISTICS = ("flow.mean", "flow.p95", "residual.mean", "residual.p95")


def scene(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, (WIDTH, HEIGHT))


def moved(picture: np.ndarray, matrix: object) -> np.ndarray:
    """Return a picture whose points went where the matrix says; what comes in at the border is the border, mirrored."""
    size = picture.shape[1::-1]
    return cv2.warpAffine(picture, np.array(matrix, np.float64), size, borderMode=cv2.BORDER_REFLECT_101)


def shifted(picture: np.ndarray, right: float, down: float) -> np.ndarray:
    return moved(picture, [[1, 0, right], [0, 1, down]])


def about_the_middle(picture: np.ndarray, degrees: float = 0.0, scale: float = 1.0) -> np.ndarray:
    height, width = picture.shape[:2]
    return moved(picture, cv2.getRotationMatrix2D((width / 2, height / 2), degrees, scale))


def describe(before: np.ndarray, after: np.ndarray, elapsed: float = ELAPSED) -> dict[str, float]:
    values, _ = Motion().describe(Frame(after, 1.0, before, 1.0 - elapsed))
    return {name.removeprefix("motion."): value for name, value in zip(Motion().channels, values, strict=True)}


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return scene(astronaut())


class TestKnownMovements:
    @pytest.mark.parametrize(
        ("right", "down", "direction"),
        [(20, 0, 0), (20, -20, 45), (0, -20, 90), (-20, -20, 135), (-20, 0, 180), (0, 20, 270), (60, 0, 0), (2, 0, 0)],
    )
    def test_a_pan_is_measured_and_removed(self, picture, right, down, direction):
        found = describe(picture, shifted(picture, right, down))
        speed = np.hypot(right, down) / WIDTH / ELAPSED
        assert found["flow.mean"] == pytest.approx(speed, rel=0.1)
        assert found["camera.x"] == pytest.approx(right / WIDTH / ELAPSED, abs=0.05 * speed)
        assert found["camera.y"] == pytest.approx(-down / WIDTH / ELAPSED, abs=0.05 * speed)
        assert found[f"flow.direction_{direction:03d}"] > 0.9 * found["flow.mean"]
        assert found["residual.mean"] < 0.1 * speed
        assert found["camera.share"] > 0.8

    @pytest.mark.parametrize("degrees", [3, -3, 8])
    def test_a_rotation(self, picture, degrees):
        found = describe(picture, about_the_middle(picture, degrees))
        assert found["camera.rotation"] == pytest.approx(degrees / ELAPSED, rel=0.1)
        across, down = np.meshgrid(np.arange(WIDTH) - WIDTH / 2, np.arange(HEIGHT) - HEIGHT / 2)
        expected = np.mean(2 * np.sin(np.radians(abs(degrees)) / 2) * np.hypot(across, down)) / WIDTH / ELAPSED
        assert found["flow.mean"] == pytest.approx(expected, rel=0.1)
        assert found["residual.mean"] < 0.15 * expected
        assert abs(found["camera.x"]) + abs(found["camera.y"]) < 0.1 * expected

    @pytest.mark.parametrize("scale", [1.05, 1.15, 0.95])
    def test_a_zoom(self, picture, scale):
        found = describe(picture, about_the_middle(picture, scale=scale))
        assert found["camera.zoom"] == pytest.approx(np.log(scale) / ELAPSED, rel=0.1)
        assert found["residual.mean"] < 0.15 * found["flow.mean"]
        assert abs(found["camera.rotation"]) < 1.5

    def test_the_parts_in_all_directions_add_up_to_the_mean(self, picture):
        found = describe(picture, about_the_middle(picture, 5))
        for kind in ("flow", "residual"):
            parts = [value for name, value in found.items() if name.startswith(f"{kind}.direction")]
            assert len(parts) == 8
            assert sum(parts) == pytest.approx(found[f"{kind}.mean"])
        largest = max(value for name, value in found.items() if name.startswith("flow.direction"))
        assert largest < 0.25 * found["flow.mean"], "a rotation goes everywhere"

    @pytest.mark.parametrize("camera", [0, 24])
    def test_what_moves_by_itself_keeps_its_speed_whatever_the_camera_does(self, picture, camera):
        patch = np.random.default_rng(0).integers(0, 255, (32, 40, 3), np.uint8)
        patch = cv2.resize(patch, None, fx=5, fy=5)
        before, after = picture.copy(), shifted(picture, camera, 0)
        before[100:260, 200:400] = patch
        after[80:240, 200 + camera : 400 + camera] = patch  # 20 pixels upwards within the scene
        found = describe(before, after)
        own = 20 / WIDTH / ELAPSED
        assert found["camera.x"] == pytest.approx(camera / WIDTH / ELAPSED, abs=0.01)
        assert abs(found["camera.y"]) < 0.01
        assert found["residual.p95"] == pytest.approx(own, rel=0.1)
        assert found["residual.mean"] == pytest.approx(
            own * patch.shape[0] * patch.shape[1] / picture[..., 0].size, rel=0.35
        )
        assert found["residual.direction_090"] > 0.6 * found["residual.mean"]

    def test_a_plain_wall_goes_with_the_camera(self, picture):
        wall = np.full_like(picture, 90)
        wall[:, 200:440] = picture[:, 200:440]
        found = describe(wall, shifted(wall, 20, 0))
        assert found["camera.x"] == pytest.approx(20 / WIDTH / ELAPSED, rel=0.1)
        assert found["residual.mean"] < 0.1 * found["camera.x"]


class TestUnits:
    @pytest.mark.parametrize("size", [(1280, 720), (320, 180), (1920, 1080)])
    def test_the_size_of_the_picture_does_not_matter(self, picture, size):
        after = about_the_middle(shifted(picture, 12, 6), 2)
        found = describe(picture, after)
        other = describe(cv2.resize(picture, size), cv2.resize(after, size))
        for name in STATISTICS[:2]:
            assert other[name] == pytest.approx(found[name], rel=0.05)
        assert other["camera.x"] == pytest.approx(found["camera.x"], rel=0.05)

    def test_movement_is_per_second(self, picture):
        after = shifted(picture, 12, 0)
        slow, fast = describe(picture, after, 0.4), describe(picture, after, 0.1)
        for name in ("flow.mean", "flow.std", "residual.mean", "camera.x", "camera.zoom", "flow.direction_000"):
            assert fast[name] == pytest.approx(4 * slow[name])
        assert fast["camera.share"] == slow["camera.share"]

    def test_the_frame_rate_does_not_matter(self, picture, tmp_path):
        write_video(tmp_path / "pan.mp4", (shifted(picture, 4 * k, 0) for k in range(31)), 30)
        speeds = {fps: clip(tmp_path / "pan.mp4", fps=fps)["motion.camera.x_mean"] for fps in (5, 7, 15, 30)}
        for speed in speeds.values():
            assert speed == pytest.approx(4 / WIDTH * 30, rel=0.05)

    def test_portrait_and_tiny_pictures(self, picture):
        for size in ((360, 640), (24, 16), (400, 20)):
            small = cv2.resize(picture, size)
            assert np.isfinite(list(describe(small, small).values())).all()


class TestStill:
    @pytest.mark.parametrize("level", [0, 255])
    def test_black_and_white_pictures_rest(self, picture, level):
        empty = np.full_like(picture, level)
        found = describe(empty, empty)
        assert found.pop("camera.share") == 1
        assert not any(found.values())

    def test_light_is_no_movement(self, picture):
        found = describe(picture, cv2.convertScaleAbs(picture, alpha=0.8))
        assert found["flow.mean"] < 0.02
        assert found["cuts"] == 0


class TestCuts:
    PICTURES = (astronaut, chelsea, coffee)

    def test_a_cut_is_one_picture_and_no_movement(self):
        for before, after in pairwise([scene(make()) for make in self.PICTURES]):
            found = describe(before, after)
            assert found.pop("cuts") == pytest.approx(1 / ELAPSED)
            assert np.isnan(list(found.values())).all()

    def test_no_cut_in_pans_zooms_and_flashes(self):
        for picture in (scene(make()) for make in self.PICTURES):
            window = np.ascontiguousarray(picture[:, :480])
            others = (
                np.ascontiguousarray(picture[:, 80:560]),
                np.ascontiguousarray(picture[:, 160:]),
                about_the_middle(window, 10, 1.2),
                cv2.convertScaleAbs(window, alpha=0.5),
                window[:, ::-1],
            )
            assert [describe(window, other)["cuts"] for other in others] == [0] * len(others)

    def test_a_clip_tells_its_rate_of_cuts(self, tmp_path):
        pictures = [scene(make()) for make in self.PICTURES]
        shots = [shifted(picture, 3 * k, 0) for picture in pictures for k in range(10)]
        write_video(tmp_path / "shots.mp4", shots, 10)
        found = clip(tmp_path / "shots.mp4", fps=10)
        assert found["motion.cuts_mean"] * 2.9 == pytest.approx(2, abs=0.01), "two cuts between 30 pictures in 2.9 s"
        assert found["motion.camera.x_mean"] == pytest.approx(3 / WIDTH * 10, rel=0.1), "a cut is no movement"
        frames = clip(tmp_path / "shots.mp4", fps=10, level="frames")
        assert np.flatnonzero(frames["motion.cuts"] > 0).tolist() == [10, 20]
        assert np.flatnonzero(np.isnan(frames["motion.flow.mean"])).tolist() == [0, 10, 20]


def test_one_picture_is_no_movement(picture, tmp_path):
    write_video(tmp_path / "one.mp4", [picture], 10)
    (outcome,) = Motion.describe_clip([Motion()], tmp_path / "one.mp4", None, None)
    assert isinstance(outcome, Absence)
    assert outcome.reason == "no movement in any frame"


def test_the_same_bits_whatever_came_before(picture):
    after = about_the_middle(picture, 4)
    first = describe(picture, after)
    describe(after, picture)
    assert describe(picture, after) == first


def clip(path: Path, **parameters: object) -> dict[str, np.ndarray]:
    extractor = Motion(**parameters)
    (outcome,) = Motion.describe_clip([extractor], path, None, None)
    return dict(zip(extractor.names, outcome.values.T, strict=True))
