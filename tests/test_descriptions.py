"""Faces and voices in words: golden strings, thresholds from training rows only, and who is compared with whom."""

from __future__ import annotations

import csv
from importlib import resources

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from featmer import Block, FeatureTable, OpenSmile, SentenceEmbedding, extract
from featmer.descriptions import ACTION_UNITS, VOICE_CUES, Describer, describe_face, describe_voice
from featmer.extractors import FaceLandmarks, LowLevelDescriptors
from featmer.extractors.pyfeat.fex import fex_columns

EGEMAPS = {
    "pitch": "audio.eGeMAPSv02.F0semitoneFrom27.5Hz_sma3nz_amean",
    "rate": "audio.eGeMAPSv02.loudnessPeaksPerSec",
    "loudness": "audio.eGeMAPSv02.loudness_sma3_amean",
}


def make_table(n_rows: int = 40, seed: int = 0, **columns) -> FeatureTable:
    """Return a table of faces and voices of uniform values."""
    rng = np.random.default_rng(seed)
    segments = pd.DataFrame({"dialogue": "a", "turn": range(n_rows), "text": "I never said that."}).assign(**columns)
    blocks = {
        "face": Block(rng.random((n_rows, 3)), [f"face.au.{au}_max" for au in ("AU01", "AU12", "AU15")]),
        "audio": Block(rng.random((n_rows, 3)) + 1, list(EGEMAPS.values())),
    }
    return FeatureTable(segments, blocks)


def one_row(face=None, audio=None, text="I never said that.", **columns) -> FeatureTable:
    """Return a table of one row from the values of each modality by name."""
    blocks = {}
    for name, values in {"face": face, "audio": audio}.items():
        if values is not None:
            blocks[name] = Block([list(values.values())], list(values))
    return FeatureTable(pd.DataFrame({"dialogue": ["a"], "turn": [0], "text": [text]}).assign(**columns), blocks)


class TestWords:
    def test_golden_faces(self):
        assert describe_face({"AU01": 0.9, "AU15": 0.6}) == "inner brows raised strongly, lip corners down"
        assert describe_face({"AU15": 0.3, "AU04": 0.5}) == "brows lowered slightly, lip corners down slightly"
        assert describe_face({"AU12": 0.1, "AU04": np.nan}) == "face at rest"
        assert describe_face({"AU12": np.nan}) == "no face detected"
        assert describe_face({"AU12": 3.0}, {"AU12": (1, 2, 4)}) == "lip corners up"

    def test_golden_voices(self):
        assert describe_voice({"pitch": 0.1, "rate": 0.1, "loudness": 0.1}) == "low, slow, quiet voice"
        assert describe_voice({"loudness": 0.99, "pitch": 0.9}) == "high, very loud voice"
        assert describe_voice({"melody": 0.1, "clarity": 0.1}) == "monotonous, hoarse voice"
        assert describe_voice({"pitch": 0.5, "rate": np.nan}) == "ordinary voice"
        assert describe_voice({"pitch": np.nan}) == "no speech detected"

    def test_unknown_names(self):
        with pytest.raises(ValueError, match="Unknown action unit 'AU1', did you mean"):
            describe_face({"AU1": 0.5})
        with pytest.raises(ValueError, match="Unknown cue of the voice 'pich', did you mean 'pitch'"):
            describe_voice({"pich": 0.5})

    def test_every_action_unit_of_the_tools_has_words(self):
        text = (resources.files("featmer") / "resources" / "blendshape_to_au.csv").read_text()
        mapped = {row["au"]: row["name"] for row in csv.DictReader(text.splitlines())}
        assert {au: ACTION_UNITS[au].name for au in mapped} == mapped
        named = {name.split(".")[-1] for version in ("v1", "v2") for name in fex_columns(version) if ".au." in name}
        assert named <= set(ACTION_UNITS)
        assert len({unit.words for unit in ACTION_UNITS.values()}) == len(ACTION_UNITS)

    def test_every_cue_is_measured_by_the_extractors(self):
        for extractor in (OpenSmile(), OpenSmile("GeMAPSv01b"), LowLevelDescriptors()):
            ends = {name.split(".", 2)[2] for name in extractor.names}
            measured = [cue for cue, words in VOICE_CUES.items() if ends & set(words.features)]
            assert {"pitch", "loudness", "melody", "clarity"} <= set(measured)


class TestSentences:
    def test_levels_come_from_training_rows(self):
        grid = np.linspace(0, 1, 101)
        table = FeatureTable(
            pd.DataFrame({"dialogue": "a", "turn": range(101)}),
            {"face": Block(grid[:, None], ["face.au.AU12_max"]), "audio": Block(grid[:, None] + 3, [EGEMAPS["pitch"]])},
        )
        describer = Describer().fit(table)
        told = {
            value: describer.transform(one_row({"face.au.AU12_max": value}, {EGEMAPS["pitch"]: value + 3}, text=None))[
                0
            ]
            for value in (0.01, 0.1, 0.5, 0.65, 0.9, 0.99)
        }
        assert told == {
            0.01: "face at rest; very low voice",
            0.1: "face at rest; low voice",
            0.5: "face at rest; ordinary voice",
            0.65: "lip corners up slightly; ordinary voice",
            0.9: "lip corners up; high voice",
            0.99: "lip corners up strongly; very high voice",
        }

    def test_hardly_moving_is_at_rest_however_rare(self):
        moves = Block(np.linspace(0, 0.01, 50)[:, None], ["face.au.AU06_max"])
        table = FeatureTable(pd.DataFrame({"dialogue": "a", "turn": range(50)}), {"face": moves})
        assert set(Describer().fit_transform(table)) == {"face at rest"}

    def test_missing_modalities_say_so(self):
        describer = Describer(transcript=False).fit(make_table())
        nothing = dict.fromkeys(EGEMAPS.values(), np.nan)
        assert describer.transform(one_row({"face.au.AU12_max": np.nan}, nothing)).tolist() == [
            "no face detected; no speech detected"
        ]
        assert describer.transform(one_row(audio=dict.fromkeys(EGEMAPS.values(), 1.5))).tolist() == [
            "no face detected; ordinary voice"
        ]

    def test_a_sound_without_voice_is_no_speech(self):
        describer = Describer(transcript=False).fit(make_table().select("audio"))
        unvoiced = dict.fromkeys(EGEMAPS.values(), 1.5) | {EGEMAPS["pitch"]: 0.0}
        assert describer.transform(one_row(audio=unvoiced)).tolist() == ["no speech detected"]
        hum = one_row(audio=dict.fromkeys(EGEMAPS.values(), 1.5))
        hum.blocks["audio"].quality = pd.DataFrame({"audio_voiced_share": [0.0]})
        assert describer.transform(hum).tolist() == ["no speech detected"]

    def test_transcript_comes_first_where_there_is_one(self):
        table = make_table(text=["Yes.", None] * 20)
        said, unsaid = Describer().fit(table).transform(table)[:2]
        assert said.startswith('"Yes." ')
        assert '"' not in unsaid

    def test_relative_to_the_speaker(self):
        quiet, loud = make_table(seed=1, speaker="Ann"), make_table(seed=2, speaker="Bob")
        loud.blocks["audio"].frames[:] += 10
        both = FeatureTable.concat([quiet, loud])
        ordinary = dict.fromkeys(EGEMAPS.values(), 1.5)
        describer = Describer(transcript=False).fit(both)
        told = {name: describer.transform(one_row(audio=ordinary, speaker=name))[0] for name in ("Ann", "Bob", "Cleo")}
        assert told["Ann"].endswith("; ordinary voice")
        assert told["Bob"].endswith("; very low, very slow, very quiet voice")
        by_corpus = Describer(relative_to="corpus", transcript=False).fit(both).transform
        assert told["Cleo"] == by_corpus(one_row(audio=ordinary))[0], "a speaker not seen in fit"
        assert by_corpus(one_row(audio=ordinary, speaker="Ann")) == by_corpus(one_row(audio=ordinary, speaker="Bob"))
        assert Describer(min_rows=41).fit(both).cuts_.keys() == {(), ("",)}

    def test_two_corpora_with_speakers_of_one_name(self):
        loud = make_table(corpus="y", speaker="Ann")
        loud.blocks["audio"].frames[:] += 10
        describer = Describer().fit(FeatureTable.concat([make_table(corpus="x", speaker="Ann"), loud]))
        assert set(describer.cuts_) == {(), ("x",), ("y",), ("x", "Ann"), ("y", "Ann")}
        assert describer.cuts_["x", "Ann"]["pitch"][3] < 2 < 11 < describer.cuts_["y",]["pitch"][0]

    def test_a_cue_that_a_speaker_has_too_rarely_is_compared_with_the_corpus(self):
        rare = make_table(speaker="Ann")
        rare.blocks["face"].frames[5:, 0] = np.nan
        both = FeatureTable.concat([rare, make_table(seed=1, speaker="Bob")])
        cuts = Describer().fit(both).cuts_
        assert cuts["", "Ann"]["AU01"] == cuts["",]["AU01"]
        assert cuts["", "Ann"]["AU12"] != cuts["",]["AU12"]


class TestCues:
    FACE = {
        "face.au.AU01_max": 0.9,
        "face.au.AU12_max": 0.5,
        "face.au.AU15_max": 0.51,
        "face.au.AU15_mean": 0.1,
        "face.emotion.joy_mean": 0.05,
        "face.emotion.sadness_mean": 0.7,
        "face.emotion.fear_mean": 0.2,
        "face.emotion.neutral_mean": 0.15,
    }
    AUDIO = {**dict.fromkeys(EGEMAPS.values(), 1.01), "audio.w2v.arousal": 0.71, "audio.w2v.valence": 0.2}

    @pytest.fixture
    def describer(self) -> Describer:
        """Return one that knows voices from 1 to 2, and the columns of FACE and AUDIO."""
        rng = np.random.default_rng(0)
        blocks = {
            "face": Block(rng.random((40, len(self.FACE))), list(self.FACE)),
            "audio": Block(rng.random((40, len(self.AUDIO))) + 1, list(self.AUDIO)),
        }
        return Describer("cues").fit(FeatureTable(pd.DataFrame({"dialogue": "a", "turn": range(40)}), blocks))

    def test_golden(self, describer):
        assert describer.transform(one_row(self.FACE, self.AUDIO)).tolist() == [
            "Transcription: I never said that.; Action units: inner brow raiser, lip corner depressor; "
            "Emotions: sadness, fear, neutral; Prosody: Low pitch, Low rate, Low loudness; "
            "Audio state: high arousal (0.71), low valence (0.20)"
        ]

    def test_golden_nothing_detected(self, describer):
        blank, mute = dict.fromkeys(self.FACE, np.nan), dict.fromkeys(self.AUDIO, np.nan)
        expected = ["Transcription: none; No face detected; No speech detected"]
        assert describer.transform(one_row(blank, mute, text=None)).tolist() == expected
        assert describer.transform(one_row(text=" ")).tolist() == expected

    def test_golden_at_rest(self, describer):
        face, audio = dict.fromkeys(self.FACE, 0.1), dict.fromkeys(EGEMAPS.values(), 1.5)
        assert describer.set_params(transcript=False).transform(one_row(face, audio)).tolist() == [
            "Action units: none; Emotions: fear, joy, neutral; Prosody: ordinary"
        ]

    @given(
        st.lists(st.floats(0, 1), min_size=8, max_size=8),
        st.integers(0, 7),
        st.floats(0.5, 1, exclude_min=True),
    )
    def test_raising_one_action_unit_adds_exactly_its_name(self, values, raised, value):
        aus = [f"AU{number:02d}" for number in (1, 2, 4, 5, 6, 12, 15, 26)]
        values = np.minimum(values, 1.0)
        values[raised] = 0.5  # not yet above
        names = [f"face.au.{au}_max" for au in aus]
        describer = Describer("cues", transcript=False).fit(one_row(dict.fromkeys(names, 0.5)))

        def units(values):
            (text,) = describer.transform(one_row(dict(zip(names, values, strict=True))))
            return set(text.removeprefix("Action units: ").split(", ")) - {"none"}

        before = units(values)
        values[raised] = value
        assert units(values) - before == {ACTION_UNITS[aus[raised]].name}
        assert before <= units(values)

    def test_scale_of_openface(self):
        names = ["face.openface.AU12_r_mean", "face.openface.AU12_c_mean", "face.openface.AU04_r_mean"]
        table = one_row(dict(zip(names, (2.6, 1.0, 2.4), strict=True)))
        describer = Describer("cues", transcript=False, au_scale=5).fit(table)
        assert describer.transform(table).tolist() == ["Action units: lip corner puller"]


class TestConventions:
    @pytest.mark.parametrize("style", ["sentences", "cues"])
    def test_other_rows_change_nothing(self, style):
        """Neither other rows of the call nor rows that were not fitted decide about a row's words."""
        table = make_table(60, speaker=["Ann", "Bob"] * 30)
        train, test = table[:40], table[40:]
        describer = Describer(style).fit(train)
        together = describer.transform(test)
        assert np.concatenate([describer.transform(test[[row]]) for row in range(20)]).tolist() == together.tolist()
        louder = make_table(60, speaker=["Ann", "Bob"] * 30)
        louder.blocks["audio"].frames[40:] *= 100
        again = Describer(style).fit(louder[:40])
        assert again.cuts_ == describer.cuts_
        assert again.transform(test).tolist() == together.tolist()

    def test_order_of_rows_is_free(self):
        table, order = make_table(speaker=["Ann", "Bob"] * 20), np.random.default_rng(0).permutation(40)
        assert Describer().fit(table[order]).transform(table).tolist() == Describer().fit_transform(table).tolist()

    def test_sequences_are_pooled(self):
        frames = [np.array([[0.1], [0.9]]), np.array([[0.2], [np.nan]])]
        segments = pd.DataFrame({"dialogue": "a", "turn": range(2)})
        table = FeatureTable(segments, {"face": Block(frames, ["face.au.AU12"])})
        assert Describer("cues", transcript=False).fit_transform(table).tolist() == [
            "Action units: lip corner puller",
            "Action units: none",
        ]

    def test_scikit_learn(self):
        describer = Describer("cues", min_rows=3)
        with pytest.raises(NotFittedError):
            describer.transform(make_table())
        assert clone(describer).get_params() == describer.get_params()
        describer.fit(make_table())
        with pytest.raises(NotFittedError):
            clone(describer).transform(make_table())

    @pytest.mark.parametrize("style", ["sentences", "cues"])
    def test_saved_and_loaded(self, style, tmp_path):
        table = make_table(90)
        describer = Describer(style, min_rows=3).fit(table)
        describer.save(tmp_path / "words")
        describer.save(tmp_path / "words")  # a saved one is replaced
        loaded = Describer.load(tmp_path / "words")
        assert loaded.get_params() == describer.get_params()
        assert loaded.cuts_ == describer.cuts_
        assert loaded.transform(table).tolist() == describer.transform(table).tolist()

    def test_what_is_no_describer(self, tmp_path):
        with pytest.raises(NotFittedError):
            Describer().save(tmp_path / "words")
        with pytest.raises(ValueError, match="holds no saved Describer"):
            Describer.load(tmp_path)
        (tmp_path / "describer.json").write_text('{"params": {"face_quantiles": [0.1]}}')
        with pytest.raises(ValueError, match="holds no saved Describer"):
            Describer.load(tmp_path)
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "thesis.txt").write_text("mine")
        with pytest.raises(FileExistsError, match="not replaced"):
            Describer().fit(make_table()).save(tmp_path / "other")

    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ({"style": "sentence"}, "Unknown style 'sentence', did you mean 'sentences'"),
            ({"relative_to": "row"}, "Unknown group to compare with 'row'"),
            ({"face_quantiles": (0.5, 0.4, 0.9)}, "expected 3 rising shares"),
            ({"voice_quantiles": (0.5, 0.6, 0.9)}, "expected 4 rising shares"),
        ],
    )
    def test_unfit_parameters(self, parameters, message):
        with pytest.raises(ValueError, match=message):
            Describer(**parameters).fit(make_table())

    def test_nothing_to_tell(self):
        table = FeatureTable(make_table().segments, {"text": Block(np.ones((40, 1)), ["text.length"])})
        with pytest.raises(ValueError, match=r"No feature can be told in words, of \['text.length'\]"):
            Describer().fit(table)
        with pytest.raises(TypeError, match="Got ndarray as X, expected a FeatureTable"):
            Describer().fit(np.ones((3, 2)))

    def test_a_textualised_model(self):
        table = make_table(120)
        labels = np.where(table.blocks["face"].frames[:, 1] > 0.5, "joy", "neutral")
        model = make_pipeline(Describer("cues"), TfidfVectorizer(), LogisticRegression())
        assert model.fit(table[:80], labels[:80]).score(table[80:], labels[80:]) > 0.9

    def test_a_description_is_embedded_as_any_text(self):
        table = make_table(4)
        described = table.segments.assign(text=Describer().fit_transform(table))
        embedded, failures = extract(described, SentenceEmbedding(), progress=False)
        assert not np.isnan(np.asarray(embedded)).any()
        assert failures.empty


def test_the_demo_corpus_in_words(demo_extraction):
    table, _ = demo_extraction
    describer = Describer(transcript=False).fit(table)
    parts = describer.describe_parts(table)
    assert (parts["face"][table.blocks["face"].missing] == "no face detected").all()
    assert (parts["voice"][table.blocks["audio"].missing] == "no speech detected").all()
    seen = table.segments["emotion"][~table.blocks["face"].missing]
    smiling = parts["face"].str.contains("lip corners up").groupby(seen).mean()
    assert smiling["joy"] > smiling.drop("joy").max()
    assert set(describer.measured_["face"]) <= {name.split(".")[-1].split("_")[0] for name in FaceLandmarks().names}
