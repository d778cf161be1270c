"""Lexicons: formats, words and phrases of any script, statistics, and accidents."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from featmer import extract
from featmer.extractors import Absence, Features, Lexicon, Vader
from featmer.extractors.lexicon import split_words

VAD = """Word\tValence\tArousal
joyful\t0.98\t0.75
Not happy\t0.20\t0.5
happy\t0.95\t0.6
null\t0.3\t
"cool"\t0.8\t0.2
"""
EMOLEX = "joyful\tjoy\t1\njoyful\tfear\t0\nafraid\tfear\t1\nafraid\tjoy\t0\n"


@pytest.fixture
def lexicon(tmp_path: Path):
    """Return a maker of lexicons."""

    def make(content: str, name: str = "own.tsv") -> Lexicon:
        (tmp_path / name).write_text(content, encoding="utf-8")
        return Lexicon(tmp_path / name)

    return make


def found(extractor: Lexicon, text: str) -> dict[str, float]:
    (outcome,) = extractor.describe_texts([text])
    assert isinstance(outcome, Features), outcome
    names = (name.split(".")[-1] for name in extractor.names)
    return {**dict(zip(names, outcome.values.round(4).tolist(), strict=True)), **outcome.quality}


class TestValues:
    def test_scales(self, lexicon):
        values = found(lexicon(VAD), "A joyful, HAPPY man")
        assert values == pytest.approx(
            {
                "Valence_mean": 0.965,
                "Valence_min": 0.95,
                "Valence_max": 0.98,
                "Arousal_mean": 0.675,
                "Arousal_min": 0.6,
                "Arousal_max": 0.75,
                "own_coverage": 0.5,
            },
            abs=1e-4,
        )

    def test_a_phrase_hides_its_words(self, lexicon):
        assert found(lexicon(VAD), "I am not happy")["Valence_max"] == pytest.approx(0.2)
        assert found(lexicon(VAD), "not un-happy, happy")["Valence_max"] == pytest.approx(0.95)

    def test_a_word_without_one_of_the_ratings(self, lexicon):
        values = found(lexicon(VAD), "null")
        assert values["Valence_mean"] == pytest.approx(0.3)
        assert np.isnan(values["Arousal_mean"])

    @pytest.mark.parametrize(
        ("content", "name"),
        [
            (EMOLEX, "own.txt"),
            ("English Word\tEmotion\tAssociation\n" + EMOLEX, "own.txt"),
            (EMOLEX.replace("\t", ","), "own.csv"),
            ("\ufeffword\tjoy\tfear\njoyful\t1\t0\nafraid\t0\t1\n", "own.tsv"),
            ('word,joy,fear\n"joyful",1,0\n\n afraid ,0,1\n', "own.csv"),
        ],
        ids=["long", "long with header", "long csv", "wide", "wide csv"],
    )
    def test_emotions_in_every_format(self, lexicon, content, name):
        values = found(lexicon(content, name), "Joyful and afraid, so joyful!")
        assert values == pytest.approx(
            {"joy_count": 2, "joy_share": 0.4, "fear_count": 1, "fear_share": 0.2, "own_coverage": 0.6}
        )

    def test_intensities_of_emotions_are_scales(self, lexicon):
        extractor = lexicon("word\temotion\tscore\nfury\tanger\t0.9\nawe\tfear\t0.4\nfury\tfear\t0.3\n")
        values = found(extractor, "awe")
        assert values["fear_mean"] == pytest.approx(0.4)
        assert np.isnan(values["anger_mean"])

    def test_emotions_that_a_word_has_no_row_for(self, lexicon):
        assert found(lexicon("fury\tanger\t1\nawe\tfear\t1\n"), "awe")["anger_count"] == 0

    def test_entries_that_differ_in_case_are_averaged(self, lexicon):
        extractor = lexicon("word\tvalence\nMay\t0.5\nmay\t0.7\n")
        assert found(extractor, "may")["valence_mean"] == pytest.approx(0.6)

    @given(st.lists(st.sampled_from(["joyful", "not happy", "happy", "day", "null"]), min_size=1, max_size=8))
    def test_equals_a_count_by_hand(self, tmp_path_factory, words):
        path = tmp_path_factory.getbasetemp() / "counted.tsv"
        path.write_text(VAD)
        text, ratings = " - ".join(words), {"joyful": 0.98, "not happy": 0.2, "happy": 0.95, "null": 0.3}
        rated = [ratings[word] for word in words if word in ratings]
        (outcome,) = Lexicon(path).describe_texts([text])
        if not rated:
            assert outcome.reason == "no word of the lexicon"
            return
        np.testing.assert_allclose(outcome.values[:3], [np.mean(rated), min(rated), max(rated)], rtol=1e-6)
        n_words = len(text.replace("-", " ").split())
        covered = sum(len(word.split()) for word in words if word in ratings)
        assert outcome.quality == {"counted_coverage": covered / n_words}


class TestWords:
    @pytest.mark.parametrize(
        ("text", "entry"),
        [
            ("أنا سَعِيدٌ جداً", "سعيد"),
            ("أنا ســعيد", "سعيد"),
            ("Ich bin FROH", "froh"),
            ("c'est la JOIE\u0301", "joié"),
            ("मैं खुश हूँ", "खुश"),
            ("it’s", "it's"),
            ("я счастлив!", "СЧАСТЛИВ"),
        ],
    )
    def test_any_script(self, lexicon, text, entry):
        assert found(lexicon(f"word\tvalence\n{entry}\t0.9\n"), text)["valence_mean"] == pytest.approx(0.9)

    def test_a_part_of_a_word_is_no_word(self, lexicon):
        (outcome,) = lexicon("word\tvalence\nart\t0.9\nखु\t0.1\n").describe_texts(["party खुश"])
        assert isinstance(outcome, Absence)

    @given(st.text())
    def test_words_are_letters_and_do_not_change_again(self, text):
        words = split_words(text)
        assert all(word and not word.isspace() for word in words)
        assert split_words(" ".join(words)) == words


class TestAccidents:
    def test_nothing_found_and_no_words_are_reasons(self, lexicon):
        segments = pd.DataFrame({"dialogue": "a", "turn": range(4), "text": ["happy", "the train", "?!", None]})
        table, failures = extract(segments, lexicon(VAD), progress=False)
        assert table.blocks["text"].reasons.tolist() == ["", "no word of the lexicon", "no words", "no text"]
        assert table.blocks["text"].quality["own_coverage"].tolist()[:2] == [1.0, 0.0]
        assert failures["severity"].tolist() == ["missing"] * 3

    @pytest.mark.parametrize(
        ("content", "message"),
        [
            ("", "has 0 columns parted by tabs"),
            ("word\njoy\n", "has 1 columns parted by tabs"),
            ("word,valence\njoy,1\n", "has 1 columns parted by tabs"),
            ("word\tvalence\tx\njoy\t0.5\t0.1\njoy\t0.5\n", r"own.tsv, line 3: got 2 columns, expected 3"),
            ("word\tvalence\njoy\thigh\n", r"own.tsv, line 2: got 'high', expected a number"),
            ("word\tvalence\njoy\tinf\n", r"own.tsv, line 2: got 'inf', expected a number"),
            ("joy\tjoy\t1\n\nhate\tanger\tmuch\n", r"line 3: got 'much', expected a number"),
            ("word\tvalence\n", "has no word with a rating"),
            ("word\tvalence\n?!\t0.5\n", "has no word with a rating"),
        ],
    )
    def test_no_lexicon(self, lexicon, content, message):
        with pytest.raises(ValueError, match=message):
            lexicon(content).fingerprint()

    def test_no_file(self, tmp_path):
        segments = pd.DataFrame({"dialogue": ["a"], "turn": [0], "text": ["happy"]})
        with pytest.raises(FileNotFoundError, match=r"none.tsv', but there is no such file"):
            extract(segments, Lexicon(tmp_path / "none.tsv"), progress=False)

    def test_another_content_is_another_cache_key(self, lexicon, tmp_path):
        segments = pd.DataFrame({"dialogue": ["a"], "turn": [0], "text": ["happy"]})
        for rating in (0.9, 0.25):
            extractor = lexicon(f"word\tvalence\nhappy\t{rating}\n")
            table, _ = extract(segments, extractor, cache=tmp_path / "cache", progress=False)
            assert np.asarray(table)[0, 0] == pytest.approx(rating)
        assert table.provenance["extractors"][0]["fingerprint"].keys() == {"lexicon"}

    def test_several_lexicons_side_by_side(self, lexicon):
        segments = pd.DataFrame({"dialogue": ["a"], "turn": [0], "text": ["happy joyful day"]})
        block = extract(segments, [lexicon(VAD), lexicon(EMOLEX, "nrc.tsv"), Vader()], progress=False)[0].blocks["text"]
        assert block.quality.round(2).to_dict("records") == [{"own_coverage": 0.67, "nrc_coverage": 0.33}]
        assert {name.split(".")[1] for name in block.names} == {"own", "nrc", "vader"}


class TestVader:
    def test_equals_the_package(self):
        from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

        texts = ["The book was good.", "Not bad at all!!", "I HATE it :("]
        scores = map(SentimentIntensityAnalyzer().polarity_scores, texts)
        expected = [[score[name] for name in ("neg", "neu", "pos", "compound")] for score in scores]
        np.testing.assert_allclose([each.values for each in Vader().describe_texts(texts)], expected, rtol=1e-6)

    def test_a_text_without_words_is_neutral(self):
        assert Vader().describe_texts(["?!"])[0].values.tolist() == [0, 1, 0, 0]
