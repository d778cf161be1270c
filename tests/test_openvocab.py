"""Wheels and sets of words: the published tables to 1e-5, the laws of the scores, and that naming everything loses."""

from __future__ import annotations

import ast
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featmer.evaluation.openvocab import (
    MER_UNIBENCH,
    EmotionWheel,
    benchmark_mean,
    ew_score,
    hit_rate,
    read_mertools_wheels,
    set_level_scores,
    wheel_agreement,
    word_coverage,
)
from featmer.labels import EMOTION_WHEELS, LABEL_SPACES

Rows = list[list[str]]

TREE = {
    "glad": {"joyful": ["merry", "jolly"], "calm": ["serene"]},
    "low": {"sad": ["blue", "gloomy"], "lonely": ["alone"]},
    "cross": {"angry": ["mad"], "bitter": ["sour"]},
}
WHEEL = EmotionWheel("mine", TREE)
WORDS = st.sampled_from(sorted(WHEEL.words | {"green", "unknown"}))
SETS = st.lists(st.lists(WORDS, max_size=5), min_size=1, max_size=8)
PAIRS = st.lists(
    st.tuples(st.lists(WORDS, min_size=1, max_size=5), st.lists(WORDS, max_size=5)), min_size=1, max_size=8
)


def known(rows: Rows) -> bool:
    return any(WHEEL.map(word) for row in rows for word in row)


# The published tables


@pytest.fixture(scope="module")
def tables(shared_data: Callable[[str], Path]) -> Path:
    return shared_data("EmotionWheels")


@pytest.fixture(scope="module")
def mer2024(tables: Path) -> tuple[list[str], Rows, Rows]:
    """Return names, true and predicted words of MER2024's example files."""
    folder = tables / "MER2024" / "ov_store"
    true, predicted = (pd.read_csv(folder / f"{name}-openset.csv", index_col="name") for name in ("check", "predict"))
    sets = [[list(map(str, ast.literal_eval(cell))) for cell in frame["openset"]] for frame in (true, predicted)]
    assert list(true.index) == list(predicted.index)
    return list(true.index), *sets


@pytest.fixture(scope="module")
def wheels(tables: Path) -> tuple[EmotionWheel, ...]:
    return read_mertools_wheels(tables / "MER2026" / "MER2026_Track2" / "emotion_wheel")


def test_set_level_scores_of_mer2024(tables: Path, mer2024: tuple[list[str], Rows, Rows]) -> None:
    names, true, predicted = mer2024
    # MER2024's own reader ends words at an apostrophe, and made its groups of what was left: "don", "t believe".
    true, predicted = (
        [[part for word in row for part in word.split("'")] for row in rows] for rows in (true, predicted)
    )
    with zipfile.ZipFile(tables / "MER2024" / "ov_store" / "openset-synonym.zip") as archive:
        cells = [np.load(io.BytesIO(archive.read(f"openset-synonym/{name}.npy"))).item() for name in names]
    scores = set_level_scores(true, predicted, [ast.literal_eval(cell) for cell in cells])
    assert scores.precision == pytest.approx(0.581777108433735, abs=1e-9)
    assert scores.recall == pytest.approx(0.4977911646586345, abs=1e-9)
    assert scores.average == pytest.approx(0.5397841365461847, abs=1e-9)
    assert (scores.n_rows, scores.n_skipped) == (332, 0)


def test_wheel_scores_of_mer2024(wheels: tuple[EmotionWheel, ...], mer2024: tuple[list[str], Rows, Rows]) -> None:
    _, true, predicted = mer2024
    inner = ew_score(true, predicted, wheels)
    assert inner.per_wheel["f1"].tolist() == pytest.approx([0.56400, 0.57728, 0.55451, 0.54825, 0.52900], abs=1e-5)
    assert inner.per_wheel["n_rows"].tolist() == [327, 328, 324, 327, 316]
    assert (inner.f1, inner.precision, inner.recall) == pytest.approx((0.55461, 0.56052, 0.54919), abs=1e-5)
    middle = ew_score(true, predicted, wheels, level=2)
    assert (middle.f1, middle.precision, middle.recall) == pytest.approx((0.42458, 0.44803, 0.40476), abs=1e-5)
    assert inner.mean_size == pytest.approx(np.mean([len(set(words)) for words in predicted]), abs=0.05)


@pytest.mark.parametrize(
    ("method", "expected", "n_rows"),
    [("base", (0.33389, 0.25820, 0.29120), 331), ("synonym", (0.35660, 0.30373, 0.32805), None)],
)
def test_word_forms_and_synonyms_of_mer2024(
    wheels: tuple[EmotionWheel, ...],
    mer2024: tuple[list[str], Rows, Rows],
    method: str,
    expected: tuple[float, ...],
    n_rows: int | None,
) -> None:
    lead = getattr(wheels[0], method)
    true, predicted = ([[lead(word) or "" for word in row] for row in rows] for rows in mer2024[1:])
    scores = set_level_scores(true, predicted)
    assert (scores.precision, scores.recall, scores.f1) == pytest.approx(expected, abs=1e-5)
    assert n_rows in (None, scores.n_rows)


def test_the_published_wheels_have_the_sizes_counted(tables: Path, wheels: tuple[EmotionWheel, ...]) -> None:
    """Excel tables and JSON of two years: the same rings; the words of the outer one are counted from Excel."""
    pytest.importorskip("openpyxl")
    excel = read_mertools_wheels(tables / "MER2025" / "MER2025_Track23" / "emotion_wheel")
    assert [len(wheel.words) for wheel in excel] == [114, 126, 78, 102, 77]
    assert [len(wheel.to_frame()) for wheel in excel] == [72, 82, 36, 48, 36]
    assert [wheel.repeated for wheel in excel if wheel.repeated] == [
        ("disappointed", "embarrassed", "inferior", "overwhelmed")
    ]
    for pair in zip(excel, wheels, strict=True):
        bare, other = (EmotionWheel(wheel.name, wheel.tree) for wheel in pair)  # the tables of words differ a little
        assert bare.words == other.words
        assert all(bare.map(word, level) == other.map(word, level) for word in bare.words for level in (1, 2))
    assert len(frozenset().union(*(wheel.words for wheel in wheels))) == 253
    assert (len(wheels[0].synonyms), len(wheels[0].forms)) == (1255, 7356)
    assert wheels[0].map("neutral") is None


def test_an_eighth_of_the_words_is_out_of_vocabulary(
    wheels: tuple[EmotionWheel, ...], mer2024: tuple[list[str], Rows, Rows]
) -> None:
    shares, unknown = word_coverage(mer2024[1], wheels)
    assert sum(map(len, mer2024[1])) == 1121
    assert unknown.sum() / 1121 == pytest.approx(0.13, abs=0.001)
    assert shares.max() == pytest.approx(0.76, abs=0.001)


def test_missing_tables_are_named(tmp_path: Path) -> None:
    (tmp_path / "format.csv").write_text("name,format\n")
    with pytest.raises(FileNotFoundError, match=r"nor synonym.xlsx, wheel1.xlsx, .* a copy of MERTools"):
        read_mertools_wheels(tmp_path)


def test_excel_tables_are_read(tmp_path: Path) -> None:
    pytest.importorskip("openpyxl")
    (tmp_path / "format.csv").write_text('name,format\nGlad,"gladly, gladness"\nblue,blues\n')
    runs = {f"{kind}_run{run}": ["Merry", "sad"] for run in range(1, 9) for kind in ("word", "synonym")}
    runs["synonym_run3"] = ["glad, cheery", "blue"]
    pd.DataFrame(runs).to_excel(tmp_path / "synonym.xlsx", index=False)
    for number in range(1, 6):
        WHEEL.to_frame().to_excel(tmp_path / f"wheel{number}.xlsx", index=False)
    wheel = read_mertools_wheels(tmp_path)[4]
    assert wheel.name == "wheel5"
    assert [wheel.map(word, 2) for word in ("gladly", "Cheery ", "blues", "sad", "greenish")] == [
        "calm",
        "joyful",
        "sad",
        "sad",
        None,
    ]


# The wheels that come with the package


@pytest.mark.parametrize("wheel", EMOTION_WHEELS.values(), ids=EMOTION_WHEELS)
def test_a_bundled_wheel(wheel: EmotionWheel) -> None:
    assert wheel.source
    again = EmotionWheel.from_frame(wheel.name, pd.read_csv(io.StringIO(wheel.to_frame().to_csv(index=False))))
    assert again.tree == wheel.tree
    for label in wheel.labels(1):
        assert wheel.map(label) == label
    for word in wheel.words:
        assert wheel.map(word, 2) in wheel.labels(2)
    doubled = {"roberts": ("disappointed", "embarrassed", "inferior", "overwhelmed")}
    assert wheel.repeated == doubled.get(wheel.name, ())


def test_sizes_of_the_bundled_wheels() -> None:
    sizes = {name: (len(w.labels(1)), len(w.labels(2)), len(w.words)) for name, w in EMOTION_WHEELS.items()}
    assert sizes == {
        "shaver": (6, 25, 135),
        "roberts": (7, 41, 126),
        "plutchik": (8, 24, 24),
        "goemotions": (7, 28, 28),
        "goemotions_polarity": (4, 7, 31),
    }


@pytest.mark.parametrize("space", ["meld", "ravdess", "crema_d", "iemocap", "emocontext"])
def test_labels_of_corpora_find_their_place_in_any_form(space: str) -> None:
    lost = {label for label in LABEL_SPACES[space].labels if EMOTION_WHEELS["shaver"].map(label) is None}
    assert lost <= {"neutral", "calm", "others"}
    assert EMOTION_WHEELS["shaver"].map("angrily") == EMOTION_WHEELS["shaver"].map("anger") == "anger"
    assert EMOTION_WHEELS["roberts"].map("Anger") == "angry"


def test_forms_are_families_without_overlap() -> None:
    forms = EMOTION_WHEELS["shaver"].forms
    on_wheels = frozenset().union(*(wheel.words for wheel in EMOTION_WHEELS.values()))
    for form, family in forms.items():
        assert form in family
        assert all(forms[other] == family for other in family)
        assert set(family) & on_wheels, family


def test_agreement_of_wheels() -> None:
    assert wheel_agreement(EMOTION_WHEELS["shaver"], EMOTION_WHEELS["plutchik"]) > 0.3
    turned = EmotionWheel("turned", {"a": {"joyful": ["blue", "mad"]}, "b": {"sad": ["merry", "sour"]}})
    assert wheel_agreement(WHEEL, turned) < 0.1
    with pytest.raises(ValueError, match="share 0 words"):
        wheel_agreement(WHEEL, EmotionWheel("other", {"x": {"y": ["z"]}}))


# Wheels


def test_a_word_listed_twice_is_reported_and_the_last_place_counts() -> None:
    wheel = EmotionWheel(
        "twice", {"a": {"b": ["word", "c"], "d": []}, "e": {"f": ["word"], "b": []}, "g": {"g": ["g"]}}
    )
    assert wheel.repeated == ("b", "word")
    assert (wheel.map("word"), wheel.map("word", 2), wheel.map("b")) == ("e", "f", "e")
    assert (wheel.map("a", 2), wheel.map("g", 2)) == ("b", "g")


def test_all_bases_and_synonyms_are_tried_in_the_order_of_the_alphabet() -> None:
    synonyms = {"cheery": ["merry", "alone"], "down": ["sad", "joyful"], "off": ["nowhere"]}
    wheel = EmotionWheel("mine", TREE, synonyms, {"cheerily": ["cheery"], "downs": ["off", "down"]})
    assert wheel.map("Cheerily") == "low"
    assert wheel.map("cheery") == "low"
    assert wheel.map("downs") == "glad"
    assert wheel.map("off") is None
    assert wheel.map("sad") == "low"
    assert (wheel.base("downs"), wheel.synonym("downs"), wheel.base("sad"), wheel.synonym("sad")) == (
        "down",
        "joyful",
        None,
        None,
    )


def test_wheels_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="has no labels"):
        EmotionWheel("none", {})
    with pytest.raises(ValueError, match="expected 1 .* or 2"):
        WHEEL.map("sad", 3)
    with pytest.raises(ValueError, match="Unknown column of a wheel 'level2'"):
        EmotionWheel.from_frame("half", pd.DataFrame({"level1": ["a"], "level3": ["b"]}))


# Scores


def test_scores_by_hand() -> None:
    true = [["merry", "sad"], ["mad"], ["green"], ["blue"]]
    predicted = [["serene"], ["mad", "sour", "alone", "xyz"], ["mad"], []]
    scores = ew_score(true, predicted, WHEEL)
    assert scores.precision == pytest.approx((1 + 1 / 2 + 0) / 3)
    assert scores.recall == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert scores.f1 == pytest.approx(0.5)
    assert scores.average == pytest.approx(0.5)
    assert scores.penalised_f1 == pytest.approx((2 / 3 + (2 / 3) / 4 + 0) / 3)
    assert scores.penalised_recall == pytest.approx((1 / 2 + 1 / 4 + 0) / 3)
    assert (scores.n_rows, scores.n_skipped) == (3, 1)
    assert (scores.mean_size, scores.mean_true_size) == pytest.approx((5 / 3, 4 / 3))
    assert scores.coverage == pytest.approx(5 / 6)
    by_penalty = [
        ew_score(true, predicted, WHEEL, penalty=name).penalised_recall for name in ("reciprocal", "logarithm")
    ]
    assert by_penalty == pytest.approx([(1 / 2 + 1 / 4) / 3, (1 / 2 + 0) / 3])


def test_several_wheels_are_averaged() -> None:
    other = EmotionWheel("other", {"up": {"merry": []}, "down": {"sad": [], "mad": []}})
    true, predicted = [["merry"], ["mad"]], [["merry"], ["sad"]]
    both = ew_score(true, predicted, [WHEEL, other])
    assert both.per_wheel["f1"].to_dict() == {"mine": 0.5, "other": 1.0}
    assert both.f1 == 0.75
    with pytest.raises(ValueError, match="of different names"):
        ew_score(true, predicted, [WHEEL, WHEEL])


@settings(deadline=None)
@given(pairs=PAIRS)
def test_a_perfect_score_is_equal_sets(pairs: list[tuple[list[str], list[str]]]) -> None:
    true, predicted = map(list, zip(*pairs, strict=True))
    if not known(true):
        with pytest.raises(ValueError, match="No row has a true word"):
            ew_score(true, predicted, WHEEL)
        return
    mapped = [[{WHEEL.map(word) for word in words} - {None} for words in rows] for rows in (true, predicted)]
    equal = all(one == other for one, other in zip(*mapped, strict=True) if one)
    scores = ew_score(true, predicted, WHEEL)
    assert (scores.f1 == pytest.approx(1)) == equal
    for value in (scores.precision, scores.recall, scores.f1, scores.penalised_f1, scores.coverage):
        assert 0 <= value <= 1
    assert scores.penalised_recall <= scores.recall + 1e-12


@settings(deadline=None)
@given(pairs=PAIRS, seed=st.integers(0, 1000))
def test_case_order_repetition_and_words_of_the_same_place_do_not_matter(
    pairs: list[tuple[list[str], list[str]]], seed: int
) -> None:
    true, predicted = map(list, zip(*pairs, strict=True))
    if not known(true):
        return
    rng = np.random.default_rng(seed)
    same = {
        word: sorted(other for other in WHEEL.words if WHEEL.map(other, 2) == WHEEL.map(word, 2))
        for word in WHEEL.words
    }
    turned = [[f" {word.upper()}" for word in rng.permutation(words + words[:1])] for words in predicted]
    replaced = [[str(rng.choice(same.get(word, [word]))) for word in words] for words in predicted]
    expected = ew_score(true, predicted, WHEEL)
    assert ew_score(true, turned, WHEEL) == expected
    for level in (1, 2):
        found, wanted = (ew_score(true, rows, WHEEL, level=level) for rows in (replaced, predicted))
        assert (found.precision, found.recall) == (wanted.precision, wanted.recall)


@given(one=st.lists(WORDS, max_size=5), other=st.lists(WORDS, max_size=5))
def test_equal_middle_labels_are_equal_inner_labels(one: list[str], other: list[str]) -> None:
    middle, inner = (
        [{WHEEL.map(word, level) for word in words} - {None} for words in (one, other)] for level in (2, 1)
    )
    if middle[0] == middle[1]:
        assert inner[0] == inner[1]


def test_a_coarser_ring_may_score_lower() -> None:
    true, predicted = [["joyful", "calm", "sad"]], [["joyful", "calm", "angry"]]
    assert ew_score(true, predicted, WHEEL, level=2).f1 == pytest.approx(2 / 3)
    assert ew_score(true, predicted, WHEEL, level=1).f1 == pytest.approx(1 / 2)


def test_naming_everything_wins_until_length_counts() -> None:
    """A synonym of the right place for each true word, sometimes missed, against whole clusters of synonyms."""
    rng = np.random.default_rng(0)
    tree = {f"c{i}": {f"m{i}": [f"w{i}.{j}" for j in range(8)]} for i in range(6)}
    wheel = EmotionWheel("toy", tree)
    active = [np.flatnonzero(rng.random(6) < 0.3) for _ in range(500)]
    active = [row if len(row) else rng.integers(6, size=1) for row in active]
    true = [[f"w{i}.{rng.integers(8)}" for i in row] for row in active]
    sober = [[f"w{i}.0" for i in row if rng.random() < 0.9] for row in active]
    flood = [[f"w{i}.{j}" for i in row for j in range(6) if rng.random() < 0.95] for row in active]
    plain, flooded = (ew_score(true, rows, wheel) for rows in (sober, flood))
    assert flooded.f1 > plain.f1
    assert flooded.mean_size > 3 * plain.mean_size
    for penalty in ("reciprocal", "ratio", "logarithm"):
        scores = [ew_score(true, rows, wheel, penalty=penalty).penalised_f1 for rows in (sober, flood)]
        assert scores[0] > 2 * scores[1]


def test_hits() -> None:
    found = hit_rate(["sad", "mad", "neutral"], [["alone"], ["merry", "sour", "blue"], ["merry"]], WHEEL)
    assert (found.rate, found.mean_size, found.n_rows, found.n_skipped) == (1.0, 2.0, 2, 1)
    assert found.penalised_rate == pytest.approx((1 + 1 / 3) / 2)
    assert found.per_wheel.to_dict() == {"mine": 1.0}
    with pytest.raises(TypeError, match="one true label a row"):
        hit_rate([["sad", "mad"]], [["alone"]], WHEEL)


def test_unknown_words_are_counted() -> None:
    shares, unknown = word_coverage([["sad", "xyz"], ["Sad", "green"], ["xyz"]], [WHEEL, EMOTION_WHEELS["plutchik"]])
    assert shares.round(3).to_dict() == {"mine": 0.4, "plutchik": 0.4}
    assert unknown.to_dict() == {"xyz": 2, "green": 1}


def test_groups_of_synonyms_of_a_row() -> None:
    scores = set_level_scores([["a", "b"], ["c"]], [["B2", "x"], ["c"]], [[["b", "b2"], ["a"]], []])
    assert (scores.precision, scores.recall) == (0.75, 0.75)
    with pytest.raises(ValueError, match="groups of 1 rows for 2"):
        set_level_scores([["a"], ["b"]], [["a"], ["b"]], [[["a"]]])
    with pytest.raises(ValueError, match="2 rows of true and 1 of predicted"):
        set_level_scores([["a"], ["b"]], [["a"]])
    with pytest.raises(ValueError, match="Unknown penalty 'ratioo', did you mean 'ratio'"):
        set_level_scores([["a"]], [["a"]], penalty="ratioo")


def test_the_mean_of_mer_unibench() -> None:
    """AffectGPT's nine scores."""
    scores = dict(zip(MER_UNIBENCH, [78.54, 78.80, 55.65, 60.54, 81.30, 80.90, 88.49, 86.18, 62.52], strict=True))
    assert round(benchmark_mean(scores), 2) == 74.77
    table = pd.DataFrame([scores, {name: 50.0 for name in scores}], index=["AffectGPT", "half"])
    assert benchmark_mean(table).round(2).to_dict() == {"AffectGPT": 74.77, "half": 50.0}
    with pytest.raises(ValueError, match="Unknown test set 'MELD'"):
        benchmark_mean({name: value for name, value in scores.items() if name != "MELD"})
    with pytest.raises(ValueError, match=r"No score on \['SIMS'\]"):
        benchmark_mean(table.assign(SIMS=[np.nan, 50.0]))
