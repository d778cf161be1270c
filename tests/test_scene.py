"""Colour, light, edges and gist of pictures whose values are known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from skimage.data import astronaut, coffee

from featmer.extractors import Motion, Scene
from featmer.media import Frame, write_video

HUES = {0: (255, 0, 0), 135: (0, 255, 64), 225: (0, 64, 255), 315: (255, 0, 191)}


def describe(picture: np.ndarray) -> dict[str, float]:
    values, _ = Scene().describe(Frame(np.ascontiguousarray(picture), 0.0))
    return {name.removeprefix("scene."): value for name, value in zip(Scene().channels, values, strict=True)}


def plain(colour: tuple[int, int, int], size: tuple[int, int] = (90, 160)) -> np.ndarray:
    return np.full((*size, 3), colour, np.uint8)


def grating(degrees: float, wavelength: float, side: int = 96) -> np.ndarray:
    """Return stripes that run at an angle, counter-clockwise from the right."""
    down, across = np.mgrid[:side, :side]
    angle = np.radians(degrees)
    stripes = np.cos(2 * np.pi / wavelength * (np.sin(angle) * across + np.cos(angle) * down))
    return np.repeat((127 + 100 * stripes).astype(np.uint8)[..., None], 3, axis=2)


def part(found: dict[str, float], prefix: str) -> dict[str, float]:
    return {name.removeprefix(prefix): value for name, value in found.items() if name.startswith(prefix)}


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    return cv2.resize(astronaut(), (640, 360))


class TestColour:
    @pytest.mark.parametrize("level", [0, 51, 128, 255])
    def test_grey_has_brightness_and_nothing_else(self, level):
        found = describe(plain((level, level, level)))
        assert found["colour.brightness"] == pytest.approx(level / 255, abs=1e-6)
        assert found["colour.dark"] == (level < 25.5)
        assert found["colour.bright"] == (level > 229.5)
        layout = part(found, "layout.")
        np.testing.assert_allclose(list(layout.values()), level / 255, atol=1e-4)
        known = {"colour.brightness", "colour.dark", "colour.bright", *(f"layout.{place}" for place in layout)}
        np.testing.assert_allclose([value for name, value in found.items() if name not in known], 0, atol=1e-5)

    @pytest.mark.parametrize("degrees", HUES)
    def test_hues(self, degrees):
        found = describe(plain(HUES[degrees]))
        hues = part(found, "colour.hue_")
        assert hues[f"{degrees:03d}"] == pytest.approx(1)
        angle = np.degrees(np.arctan2(hues["sin"], hues["cos"])) % 360
        assert (angle - degrees + 180) % 360 - 180 == pytest.approx(0, abs=5)
        assert found["colour.saturation"] == pytest.approx(1)

    def test_opposite_hues_cancel(self):
        both = np.concatenate([plain((255, 0, 0)), plain((0, 255, 255))])
        found = describe(both)
        assert abs(found["colour.hue_cos"]) < 0.01
        assert found["colour.hue_000"] == pytest.approx(0.5, abs=0.01)
        assert found["colour.hue_180"] == pytest.approx(0.5, abs=0.01)

    def test_darker_is_darker_in_the_same_hue(self, picture):
        found, darker = describe(picture), describe(cv2.convertScaleAbs(picture, alpha=0.5))
        for name in ("brightness", "contrast", "colourfulness", "hue_000"):
            assert darker[f"colour.{name}"] == pytest.approx(0.5 * found[f"colour.{name}"], rel=0.03)
        for name in ("saturation", "hue_cos", "hue_sin"):
            assert darker[f"colour.{name}"] == pytest.approx(found[f"colour.{name}"], abs=0.03)

    def test_colourfulness_grows_with_saturation(self, picture):
        grey = np.repeat(picture.mean(axis=2, keepdims=True), 3, axis=2)
        found = [describe((grey + share * (picture - grey)).astype(np.uint8)) for share in (0, 0.5, 1)]
        none, half, full = (values["colour.colourfulness"] for values in found)
        assert none < 1 < half < full
        assert half == pytest.approx(full / 2, rel=0.05)

    def test_colourfulness_by_hand(self):
        halves = np.concatenate([plain((200, 0, 0)), plain((0, 0, 200))])
        # red - green: 200 or 0; (red + green) / 2 - blue: 100 or -200
        expected = np.hypot(100, 150) + 0.3 * np.hypot(100, 50)
        assert describe(halves)["colour.colourfulness"] == pytest.approx(expected, rel=0.01)


class TestStructure:
    @pytest.mark.parametrize(("degrees", "wavelength"), [(0, 4), (45, 8), (112.5, 8), (90, 16), (135, 32)])
    def test_stripes_are_found_by_their_filter(self, degrees, wavelength):
        found = describe(grating(degrees, wavelength))
        energies = part(found, "gist.")
        by_filter: dict[str, list[float]] = {}
        for name, value in energies.items():
            by_filter.setdefault(name.rsplit("_", 1)[0], []).append(value)
        means = {name: np.mean(values) for name, values in by_filter.items()}
        assert max(means, key=means.get) == f"w{wavelength:02d}_{int(degrees):03d}"
        orientations = part(found, "edges.orientation_")
        assert max(orientations, key=orientations.get) == f"{int(degrees):03d}"

    def test_a_mirror_mirrors_places_and_directions(self, picture):
        found, mirrored = describe(picture), describe(picture[:, ::-1])
        places = {f"r{row}c{column}": f"r{row}c{3 - column}" for row in range(4) for column in range(4)}
        turned = {"000": "000", "022": "157", "045": "135", "067": "112", "090": "090"}
        turned |= {new: old for old, new in turned.items()}
        for name, value in found.items():
            kind, *rest = name.split("_")
            if kind == "layout.brightness":
                assert mirrored[f"{kind}_{places[rest[0]]}"] == pytest.approx(value, abs=0.01)
            elif kind.startswith("gist"):
                assert mirrored[f"{kind}_{turned[rest[0]]}_{places[rest[1]]}"] == pytest.approx(value, abs=0.01)
            elif kind == "edges.orientation":
                assert mirrored[f"{kind}_{turned[rest[0]]}"] == pytest.approx(value, rel=0.05, abs=1e-4)
            else:
                assert mirrored[name] == pytest.approx(value, rel=0.02, abs=1e-3)

    def test_the_gist_hardly_sees_the_light(self, picture):
        found, darker = (part(describe(image), "gist.") for image in (picture, cv2.convertScaleAbs(picture, alpha=0.6)))
        assert np.corrcoef(list(found.values()), list(darker.values()))[0, 1] > 0.99
        other = part(describe(coffee()), "gist.")
        assert np.corrcoef(list(found.values()), list(other.values()))[0, 1] < 0.9

    def test_structure_is_told_by_its_place(self, picture):
        corner = plain((128, 128, 128), (96, 96))
        corner[:24, 72:] = grating(90, 4)[:24, 72:]
        found = part(describe(corner), "gist.w04_090_")
        assert max(found, key=found.get) == "r0c3"
        assert found["r3c0"] < 0.05 * found["r0c3"]

    def test_blur_takes_edges(self, picture):
        sharp, soft = describe(picture), describe(cv2.GaussianBlur(picture, (0, 0), 6))
        assert soft["edges.density"] < 0.2 * sharp["edges.density"]

    def test_layout_is_brightness_by_place(self):
        picture = plain((0, 0, 0))
        picture[:45, 80:] = 255
        layout = part(describe(picture), "layout.brightness_")
        assert {place for place, value in layout.items() if value > 0.9} == {"r0c2", "r0c3", "r1c2", "r1c3"}


class TestPictures:
    def test_the_size_of_the_picture_hardly_matters(self, picture):
        found, larger = describe(picture), describe(cv2.resize(picture, (1280, 720)))
        assert np.corrcoef(list(found.values()), list(larger.values()))[0, 1] > 0.999
        assert larger["edges.density"] == pytest.approx(found["edges.density"], rel=0.1)

    @pytest.mark.parametrize("size", [(16, 24), (640, 360), (20, 400)])
    def test_odd_shapes(self, picture, size):
        assert np.isfinite(list(describe(cv2.resize(picture, size)).values())).all()

    def test_one_decoding_feeds_motion_and_scene(self, picture, tmp_path: Path):
        write_video(tmp_path / "still.mp4", [picture] * 10, 10)
        extractors = [Motion(), Scene(), Scene(level="frames")]
        moving, still, frames = Scene.describe_clip(extractors, tmp_path / "still.mp4", None, None)
        assert moving.values.shape == (len(Motion().names),)
        named = dict(zip(Scene().names, still.values, strict=True))
        assert named["scene.share"] == 1
        assert named["scene.colour.brightness_mean"] == pytest.approx(describe(picture)["colour.brightness"], abs=0.01)
        assert frames.values.shape == (5, len(Scene().channels))
