"""Faces: tracks, the choice among several, who speaks, quality, gaze, and action units."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from importlib import resources
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.data import astronaut

from featmer.demo.face import LOOKS, beside
from featmer.demo.face import Face as Portrait
from featmer.demo.story import Cue
from featmer.demo.voice import loudness
from featmer.extractors import Absence, Face, FaceExtractor, FaceLandmarks, Features, VideoExtractor
from featmer.extractors.face import BLENDSHAPES
from featmer.extractors.faces import speaker
from featmer.extractors.faces.quality import blur, occlusion
from featmer.extractors.faces.tracks import join_tracks
from featmer.extractors.sources import pictures
from featmer.media import Frame, write_video

RATE = 16000
FPS = 12.5


class Actors(FaceExtractor):
    """Faces that the tests write down."""

    channels = ("face.who", "face.pose.pitch", "face.pose.yaw")


def actor(who: float, x: float, width: float = 0.1, *, y: float = 0.5, yaw: float = 0.0, mouth: float = np.nan) -> Face:
    half = width / 2
    return Face(np.array([who, 0.0, yaw], np.float32), (x - half, y - half, x + half, y + half), mouth)


def play(frames: list[list[Face]], *, fps: float = 10.0, **parameters: object) -> Features | Absence:
    """Sum up written faces, without a media file."""
    return Actors(**parameters).summarize(np.arange(len(frames)) / fps, frames, None)


def who(outcome: Features) -> list[float]:
    return [float(value) for value in outcome.values[:, 0]]


def describe(extractor: VideoExtractor, clip: Path, *times: float) -> Features | Absence:
    (outcome,) = extractor.describe_clip([extractor], clip, *(times or (None, None)))
    return outcome


class TestTracks:
    def test_crossing_faces_keep_their_numbers(self):
        path = np.linspace(0, 1, 21)
        frames = [np.array([[x, 0, x + 0.2, 0.2], [1 - x, 0.05, 1.2 - x, 0.25]]) for x in path]
        tracks = np.array(join_tracks(path * 4, frames))
        assert (tracks == [0, 1]).all()

    def test_a_face_hidden_while_crossing_goes_on(self):
        path = np.linspace(0, 1, 21)
        seen = [[[x, 0, x + 0.2, 0.2]] + [[1 - x, 0, 1.2 - x, 0.2]] * bool(abs(x - 0.5) > 0.12) for x in path]
        tracks = join_tracks(path * 2, [np.array(boxes) for boxes in seen])
        assert {number for track in tracks for number in track} == {0, 1}
        assert [track.tolist() for track in tracks if len(track) == 2] == [[0, 1]] * 16

    def test_a_gap_is_bridged_for_a_second(self):
        box, nothing = np.array([[0.4, 0.4, 0.6, 0.6]]), np.empty((0, 4))
        for absent, n_tracks in ((8, 1), (12, 2)):
            frames = [box, *[nothing] * absent, box]
            assert join_tracks(np.arange(len(frames)) / 10, frames)[-1] == [n_tracks - 1]

    def test_a_leap_is_another_face(self):
        tracks = join_tracks(np.arange(2) / 5, [np.array([[0.0, 0, 0.2, 0.2]]), np.array([[0.7, 0, 0.9, 0.2]])])
        assert [track.tolist() for track in tracks] == [[0], [1]]

    def test_neighbours_are_joined_however_far_apart_frames_are(self):
        assert join_tracks(np.arange(3) * 4.0, [np.array([[0.4, 0.4, 0.6, 0.6]])] * 3)[-1] == [0]

    boxes = st.lists(st.tuples(*[st.floats(0, 0.7)] * 2, *[st.floats(0.05, 0.3)] * 2), max_size=4, unique=True)

    @settings(max_examples=60, deadline=None)
    @given(st.lists(boxes, min_size=1, max_size=6), st.randoms(use_true_random=False))
    def test_the_order_of_faces_in_a_frame_does_not_matter(self, drawn, random):
        frames = [np.array([[x, y, x + w, y + h] for x, y, w, h in faces]).reshape(-1, 4) for faces in drawn]
        orders = [random.sample(range(len(faces)), len(faces)) for faces in frames]
        times = np.arange(len(frames)) / 5
        tracks = join_tracks(times, frames)
        shuffled = join_tracks(times, [faces[order] for faces, order in zip(frames, orders, strict=True)])
        for straight, mixed, order in zip(tracks, shuffled, orders, strict=True):
            assert straight[order].tolist() == mixed.tolist()
            assert len(set(straight.tolist())) == len(straight), "one face a track in a frame"


class TestPolicies:
    def test_largest_is_one_track_although_another_face_is_larger_for_a_moment(self):
        frames = [[actor(1, 0.3, 0.2), actor(2, 0.7, 0.3 if n == 4 else 0.1)] for n in range(10)]
        outcome = play(frames, level="frames")
        assert who(outcome) == [1] * 10
        assert outcome.quality["face_score"] == pytest.approx(0.04)
        assert outcome.quality["face_margin"] == pytest.approx(0.04 - 0.018)
        assert outcome.warnings[0][0] == "2 faces"

    def test_centre(self):
        frames = [[actor(1, 0.15, 0.3), actor(2, 0.55, 0.1)] for _ in range(10)]
        assert who(play(frames, level="frames")) == [1] * 10
        outcome = play(frames, level="frames", policy="centre")
        assert who(outcome) == [2] * 10
        assert outcome.quality["face_score"] == pytest.approx(1 - 0.05 / np.sqrt(0.5))

    def test_who_comes_and_goes_leaves_nan_and_nobody_takes_the_place(self):
        frames = [[actor(1, 0.3, 0.3), actor(2, 0.7)][n >= 12 :] for n in range(20)]
        outcome = play(frames, level="frames")
        assert who(outcome)[:12] == [1] * 12
        assert np.isnan(outcome.values[12:]).all()
        assert outcome.quality["face_share"] == pytest.approx(0.6)

    def test_a_face_alone_is_taken_although_its_track_breaks(self):
        frames = [[actor(1, 0.2 if n < 10 else 0.8)] if n != 4 else [] for n in range(20)]
        outcome = play(frames, level="frames")
        assert outcome.quality["face_tracks"] == 2
        assert np.flatnonzero(np.isnan(who(outcome))).tolist() == [4]
        assert np.isnan(outcome.quality["face_margin"])
        assert outcome.warnings == ()

    def test_all_repeats_times_and_sums_up_every_face(self):
        frames = [[actor(1, 0.2), actor(3, 0.7, 0.2)], [], [actor(2, 0.2)]]
        outcome = play(frames, level="frames", policy="all")
        np.testing.assert_array_equal(who(outcome), [1, 3, np.nan, 2])
        np.testing.assert_allclose(outcome.times, [0, 0, 0.1, 0.2])
        functionals = play(frames, policy="all")
        named = dict(zip(Actors().names, functionals.values, strict=True))
        assert named["face.who_mean"] == 2
        assert named["face.who_max"] == 3
        assert named["face.share"] == pytest.approx(2 / 3)
        assert functionals.warnings == ()

    def test_quality_tells_numbers_and_turned_heads(self):
        frames = [[actor(1, 0.3, 0.2, yaw=-40), actor(2, 0.7)], [actor(1, 0.3, 0.2, yaw=20)], []]
        quality = play(frames).quality
        assert (quality["face_count"], quality["face_count_mean"]) == (2, 1)
        assert quality["face_turned"] == 0.5
        assert quality["face_size"] == pytest.approx(0.04)

    @pytest.mark.parametrize("policy", ["largest", "centre", "speaker", "all"])
    def test_nobody_is_an_absence(self, policy):
        outcome = play([[], []], policy=policy)
        assert outcome.reason == "no face in any frame"
        assert outcome.quality["face_count"] == outcome.quality["face_share"] == 0

    @settings(max_examples=40, deadline=None)
    @given(
        st.lists(st.lists(st.sampled_from([0.1, 0.3, 0.5, 0.9]), max_size=3, unique=True), min_size=2, max_size=8),
        st.sampled_from(["largest", "centre", "all"]),
        st.randoms(use_true_random=False),
    )
    def test_the_order_of_faces_does_not_matter(self, places, policy, random):
        class Found(Actors):
            def find(self, frame):
                return [actor(x, x, 0.1 + x / 10) for x in self.seen]

        def watch(orders):
            extractor, observations = Found(level="frames", policy=policy), []
            for extractor.seen in orders:
                observations.append(extractor.observe(Frame(np.zeros((8, 8, 3), np.uint8), 0.0)))
            return extractor.summarize(np.arange(len(orders)) / 10, observations, None)

        straight, mixed = watch(places), watch([random.sample(faces, len(faces)) for faces in places])
        assert straight.quality == pytest.approx(mixed.quality, nan_ok=True)
        if isinstance(straight, Features):
            np.testing.assert_array_equal(straight.values, mixed.values)

    def test_bad_policies_are_named_before_any_work(self):
        with pytest.raises(ValueError, match="Unknown policy 'centers', did you mean 'centre'"):
            FaceLandmarks(policy="centers").identity()
        with pytest.raises(ValueError, match=r"needs at least 10 pictures a second .* got fps=5: set fps=10"):
            FaceLandmarks(policy="speaker").identity()

    def test_a_forgotten_find_is_named(self):
        with pytest.raises(NotImplementedError, match=r"Actors must define find\(frame\)"):
            Actors().describe(Frame(np.zeros((8, 8, 3), np.uint8), 0.0))


def babble(seed: int, seconds: float = 4.0) -> np.ndarray:
    """Return noise in syllables: four a second or so, with pauses."""
    rng = np.random.default_rng(seed)
    times = np.arange(int(seconds * RATE)) / RATE
    starts = np.cumsum(rng.uniform(0.15, 0.4, 40))
    syllables = sum(
        height * np.exp(-0.5 * ((times - start) / 0.05) ** 2)
        for start, height in zip(starts, rng.uniform(0, 1, 40), strict=True)
    )
    return (0.3 * syllables * rng.uniform(-1, 1, len(times))).astype(np.float32)


@pytest.fixture(scope="module")
def sounds() -> list[np.ndarray]:
    """Return what two people say."""
    return [babble(1), babble(2)]


@pytest.fixture(scope="module")
def film(tmp_path_factory, sounds) -> Callable[..., Path]:
    """Return what writes a clip of two people side by side, whose mouths move all the time, each with its sound."""
    folder, portrait, rng = tmp_path_factory.mktemp("dialogue"), Portrait(), np.random.default_rng(0)
    sides = [
        list(portrait.perform(LOOKS[name], Cue("neutral", 1.0), loudness(sound, RATE, FPS), FPS, rng))
        for name, sound in zip(("Ada", "Ben"), sounds, strict=True)
    ]
    frames = list(beside(*sides))

    def shoot(name: str, signal: np.ndarray | None = None, fps: float = FPS) -> Path:
        sound = {} if signal is None else {"signal": signal, "rate": RATE}
        write_video(folder / name, frames[:: round(FPS / fps)], fps, **sound)
        return folder / name

    return shoot


def jaw_alone(clip: Path, side: int, *times: float) -> np.ndarray:
    """Return how open the jaw is of the left (0) or the right (1) face, the other one being cut off."""
    jaw, half = FaceLandmarks().channels.index("face.au.AU26"), slice(128 * side, 128 * (side + 1))
    frames = pictures.read_frames(clip, fps=FPS, **dict(zip(("start", "end"), times, strict=False)))
    alone = [Frame(np.ascontiguousarray(frame.image[:, half]), 0.0) for frame in frames]
    return np.array([FaceLandmarks().describe(frame)[0][jaw] for frame in alone])


class TestSpeaker:
    EXTRACTOR = FaceLandmarks(fps=FPS, level="frames", policy="speaker")

    def jaw(self, outcome: Features) -> np.ndarray:
        return outcome.values[:, FaceLandmarks().channels.index("face.au.AU26")]

    @pytest.mark.parametrize("speaking", [0, 1])
    def test_the_face_that_moves_with_the_sound_speaks(self, film, sounds, speaking):
        clip = film(f"{speaking}.mp4", sounds[speaking])
        outcome = describe(self.EXTRACTOR, clip)
        assert outcome.quality["face_score"] > 0.4
        assert outcome.quality["face_margin"] > 0.1
        assert outcome.quality["face_share"] == 1
        assert [reason for reason, _ in outcome.warnings] == ["2 faces"]
        # The values are those of the face by itself.
        right, wrong = (np.abs(self.jaw(outcome) - jaw_alone(clip, side)).mean() for side in (speaking, 1 - speaking))
        assert right < 0.02 < 2 * wrong

    @pytest.mark.parametrize(
        ("name", "signal", "fps", "reason"),
        [
            ("nosound.mp4", None, FPS, "no audio stream"),
            ("silence.mp4", np.zeros(4 * RATE, np.float32), FPS, "silent"),
            ("slow.mp4", babble(1), FPS / 2, "6.2 pictures a second"),
        ],
    )
    def test_what_cannot_be_judged_falls_back_to_the_largest(self, film, name, signal, fps, reason):
        clip = film(name, signal, fps)
        outcome = describe(FaceLandmarks(fps=FPS, policy="speaker"), clip)
        assert f"who speaks is unknown: {reason}" in [told for told, _ in outcome.warnings]
        assert np.isnan(outcome.quality["face_score"])
        largest = describe(FaceLandmarks(fps=FPS), clip)
        np.testing.assert_array_equal(outcome.values, largest.values)

    def test_a_part_of_the_film_has_its_part_of_the_sound(self, film, sounds):
        clip = film("turns.mp4", np.concatenate([sounds[0][: 2 * RATE], sounds[1][2 * RATE :]]))
        for side, times in enumerate([(0.0, 2.0), (2.0, 4.0)]):
            jaw = self.jaw(describe(self.EXTRACTOR, clip, *times))
            right, wrong = (np.abs(jaw - jaw_alone(clip, one, *times)).mean() for one in (side, 1 - side))
            assert right < wrong

    def test_sound_is_read_only_when_it_is_wanted(self, film, sounds, monkeypatch):
        def refuse(*_, **__):
            raise AssertionError("nobody wants the sound")

        monkeypatch.setattr(speaker, "read_audio", refuse)
        assert isinstance(describe(FaceLandmarks(fps=2), film("unheard.mp4", sounds[0])), Features)

    def test_one_decoding_feeds_every_policy(self, film, sounds, monkeypatch):
        opened, read = [], pictures.read_frames
        monkeypatch.setattr(pictures, "read_frames", lambda *a, **k: opened.append(a) or read(*a, **k))
        extractors = [FaceLandmarks(fps=FPS, policy=policy) for policy in ("largest", "speaker", "all")]
        outcomes = VideoExtractor.describe_clip(extractors, film("once.mp4", sounds[0]), 0.0, 1.5)
        assert len(opened) == 1
        assert all(isinstance(outcome, Features) for outcome in outcomes)

    @pytest.mark.parametrize("lag", [-0.1, 0.0, 0.1])
    @pytest.mark.parametrize("fps", [10.0, 15.0, 25.0])
    def test_scores_tell_the_right_mouth_at_ten_pictures_and_more(self, fps, lag):
        times = np.arange(0, 4, 1 / fps)
        rng = np.random.default_rng(3)
        for seed in range(8):
            envelope, other = (
                np.convolve(np.abs(babble(s)).reshape(-1, RATE // 50).mean(axis=1), np.ones(3) / 3, "same")
                for s in (seed, seed + 100)
            )
            grid = 0.02 * np.arange(len(envelope))
            mouths = [
                0.3 * np.interp(times + lag, grid, own) + 0.002 * rng.standard_normal(len(times))
                for own in (envelope, other)
            ]
            right, wrong = (speaker.agreement(times, mouth, envelope) for mouth in mouths)
            assert right > wrong + 0.1, (seed, right, wrong)

    def test_too_little_to_judge(self):
        times = np.arange(9) / 10
        assert np.isnan(speaker.agreement(times, times, np.ones(50)))
        assert speaker.agreement(np.arange(20) / 10, np.full(20, 0.1), np.ones(100)) == pytest.approx(0)


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    """Return a smiling face."""
    return np.ascontiguousarray(astronaut()[:300, 80:380])


def values_of(image: np.ndarray) -> dict[str, float]:
    values, _ = FaceLandmarks().describe(Frame(np.ascontiguousarray(image), 0.0))
    return dict(zip(FaceLandmarks().channels, values, strict=True))


class Measured(FaceLandmarks):
    """Faces whose first value is how wide their box is, in shares of the picture."""

    def find(self, frame: Frame) -> list[Face]:
        faces = super().find(frame)
        for face in faces:
            face.values[0] = face.box[2] - face.box[0]
        return faces


class TestPictures:
    """Two people made of one portrait: the larger on the left, the smaller, mirrored, nearer to the middle."""

    LARGER, SMALLER = (0.17, 0.25), (0.10, 0.16)  # how wide their boxes are

    def street(self, places: tuple[int | None, ...]) -> np.ndarray:
        """Return a picture, 512 pixels wide, with heads whose left edges are given."""
        picture = np.full((256, 512, 3), 128, np.uint8)
        head = astronaut()[14:206, 127:319]
        for place, size, face in zip(places, (220, 160), (head, head[:, ::-1]), strict=True):
            if place is not None:
                top = (256 - size) // 2
                picture[top : top + size, place : place + size] = cv2.resize(face, (size, size))
        return picture

    def clip(self, path: Path, places: list[tuple[int | None, ...]]) -> Path:
        write_video(path, [self.street(each) for each in places], 5)
        return path

    def widths(self, clip: Path, **parameters: object) -> np.ndarray:
        return describe(Measured(level="frames", **parameters), clip).values[:, 0]

    def test_policies(self, tmp_path):
        clip = self.clip(tmp_path / "two.mp4", [(0, 230)] * 4)
        alone = self.clip(tmp_path / "one.mp4", [(0, None)] * 4)
        largest, expected = (describe(FaceLandmarks(level="frames"), path) for path in (clip, alone))
        scale = [30 if "pose" in name or "gaze" in name else 1 for name in FaceLandmarks().channels]
        np.testing.assert_allclose(largest.values / scale, expected.values / scale, atol=0.1)
        assert largest.quality["face_count"] == 2
        for policy, expected in (("largest", self.LARGER), ("centre", self.SMALLER)):
            least, most = expected
            widths = self.widths(clip, policy=policy)
            assert ((widths > least) & (widths < most)).all()
        assert (self.widths(clip, policy="all").reshape(4, 2) > [self.LARGER[0], self.SMALLER[0]]).all()

    def test_crossing_and_leaving(self, tmp_path):
        # The larger one walks to the right, behind the smaller one who walks to the left, and out of the picture.
        larger = [0, 40, 80, None, None, 200, 240, 280, None, None]
        smaller = [340, 300, 260, 220, 180, 20, 0, 0, 0, 0]
        clip = self.clip(tmp_path / "crossing.mp4", list(zip(larger, smaller, strict=True)))
        widths = self.widths(clip)
        assert (widths[[0, 1, 2, 5, 6, 7]] > self.LARGER[0]).all()
        assert np.isnan(widths[[3, 4, 8, 9]]).all()

    def test_single_face_clips_are_as_before(self, tmp_path, portrait):
        path = tmp_path / "one.mp4"
        write_video(path, [portrait, portrait[:, ::-1], 0 * portrait, portrait], 5)
        outcome = describe(FaceLandmarks(level="frames"), path)
        frames = [FaceLandmarks().describe(frame)[0] for frame in pictures.read_frames(path)]
        frames[2] = np.full(len(FaceLandmarks().channels), np.nan)
        np.testing.assert_array_equal(outcome.values, np.array(frames, np.float32))
        assert outcome.warnings == ()


class TestQuality:
    def occlusion(self, image: np.ndarray) -> float:
        return FaceLandmarks().describe(Frame(np.ascontiguousarray(image), 0.0))[1]["face_occlusion"]

    def test_blur_grows_with_blur_and_not_with_light(self, portrait):
        box = FaceLandmarks().observe(Frame(portrait, 0.0))[0].box
        blurs = [blur(portrait, box)] + [blur(cv2.GaussianBlur(portrait, (0, 0), width), box) for width in (1, 2, 4)]
        assert np.all(np.diff(blurs) > 0.05)
        assert blur((0.3 * portrait).astype(np.uint8), box) == pytest.approx(blurs[0], abs=0.05)
        enlarged = cv2.resize(portrait, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
        assert blur(enlarged, box) == pytest.approx(blurs[0], abs=0.08)
        assert np.isnan(blur(portrait, (1.2, 0.2, 1.4, 0.4)))
        assert np.isnan(blur(np.zeros_like(portrait), box))

    def test_quality_of_a_clip_names_it(self, tmp_path, portrait):
        write_video(tmp_path / "a.mp4", [portrait] * 2, 5)
        quality = describe(FaceLandmarks(), tmp_path / "a.mp4").quality
        assert {"face_blur", "face_occlusion", "face_turned", "face_size", "face_count_mean"} <= set(quality)
        assert quality["face_turned"] == 0

    def test_a_bar_before_half_of_the_face_occludes_half(self, portrait):
        left, top, right, bottom = (np.array(FaceLandmarks().observe(Frame(portrait, 0.0))[0].box) * 300).astype(int)
        assert self.occlusion(portrait) < 0.1
        half = slice(top - 5, bottom + 5), slice((left + right) // 2, right + 10)
        eyes = slice(top + 22, top + 44), slice(left - 5, right + 5)
        for place, least, most in ((half, 0.35, 0.65), (eyes, 0.15, 0.5)):
            for colour in ((0, 0, 0), (90, 160, 90), (170, 200, 220)):
                barred = portrait.copy()
                barred[place] = colour
                assert least < self.occlusion(barred) < most

    def test_light_and_grey_do_not_occlude(self, portrait):
        sideways = np.clip(portrait * np.linspace(0.25, 1.1, 300)[None, :, None], 0, 255).astype(np.uint8)
        grey = np.repeat(cv2.cvtColor(portrait, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2)
        for image in (sideways, grey, (0.3 * portrait).astype(np.uint8)):
            assert self.occlusion(image) < 0.1

    def test_the_border_of_the_picture_occludes(self, portrait):
        assert self.occlusion(portrait[:, 136:]) > 0.3
        assert occlusion(portrait, np.array([[-5.0, 10.0], [400.0, 20.0]])) == 1


class TestGaze:
    IRISES = ((371, 305), (500, 311))  # x and y in the portrait three times as large

    def glance(self, portrait: np.ndarray, right: float, down: float = 0.0) -> np.ndarray:
        """Return the portrait, enlarged, with its irises moved by pixels to the right of the picture and down."""
        image = cv2.resize(portrait, None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
        y, x = np.mgrid[: image.shape[0], : image.shape[1]].astype(np.float32)
        weight = sum(np.exp(-0.5 * (((x - px) / 9) ** 2 + ((y - py) / 7) ** 2)) for px, py in self.IRISES)
        return cv2.remap(image, x - right * weight, y - down * weight, cv2.INTER_LINEAR)

    def test_yaw_is_to_the_right_of_the_picture_and_a_mirror_turns_it(self, portrait):
        seen = [values_of(self.glance(portrait, right)) for right in (-8, 0, 8)]
        mirrored = [values_of(self.glance(portrait, right)[:, ::-1]) for right in (-8, 8)]
        yaw = [values["face.gaze.yaw"] for values in seen]
        assert yaw[0] < yaw[1] - 4 < yaw[2] - 8
        assert np.sign([values["face.gaze.yaw"] for values in mirrored]).tolist() == [1, -1]
        assert mirrored[0]["face.gaze.yaw"] == pytest.approx(-yaw[0], abs=5)

    def test_pitch_is_downwards(self, portrait):
        up, down = (values_of(self.glance(portrait, 0, moved))["face.gaze.pitch"] for moved in (-4, 4))
        assert down > up + 2

    def test_scale_and_sign_are_those_documented(self, portrait):
        values = values_of(self.glance(portrait, -8))
        looks = {
            name: values[f"face.blendshape.eyeLook{name}"] for name in ("OutLeft", "InLeft", "OutRight", "InRight")
        }
        both = (looks["OutLeft"] - looks["InLeft"] + looks["InRight"] - looks["OutRight"]) / 2
        assert values["face.gaze.yaw"] == pytest.approx(30 * both, abs=1e-3)


@pytest.fixture(scope="module")
def table() -> list[dict[str, str]]:
    """Return the rows of the table of action units."""
    path = resources.files("featmer") / "resources" / "blendshape_to_au.csv"
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


class TestActionUnits:
    UNMAPPED = {"_neutral", "mouthClose", "mouthLeft", "mouthRight", "mouthShrugUpper"} | {
        name for name in BLENDSHAPES if name.startswith("eyeLook")
    }

    def test_every_unit_has_a_number_parts_and_a_source(self, table):
        for row in table:
            assert re.fullmatch(r"AU(0[1-9]|[1-3]\d|4[0-5])", row["au"])
            assert set(row["blendshapes"].split()) <= set(BLENDSHAPES)
            assert re.search(rf"ARKit: .+; FACS .*AU{int(row['au'][2:])}\b", row["source"])
        assert [row["au"] for row in table] == sorted({row["au"] for row in table})

    def test_every_blendshape_stands_for_one_unit_or_is_known_not_to(self, table):
        mapped = [part for row in table for part in row["blendshapes"].split()]
        assert sorted(mapped) == sorted(set(BLENDSHAPES) - self.UNMAPPED)

    def test_each_maps_to_the_mean_of_its_blendshapes(self, table, portrait):
        values = values_of(portrait)
        for row in table:
            parts = [values[f"face.blendshape.{part}"] for part in row["blendshapes"].split()]
            assert values[f"face.au.{row['au']}"] == pytest.approx(np.mean(parts), abs=1e-6)
