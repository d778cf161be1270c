"""Alignment: what lies in an interval enters it, nothing else does, and order and shifts change nothing."""

from __future__ import annotations

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from featmer import Block, FeatureTable
from featmer.alignment import NOTHING, align, join_intervals
from featmer.segments import check_segments

# Whole milliseconds, as seconds.
TIMES = st.integers(0, 3000).map(lambda tick: tick / 1000)
ROW = st.tuples(TIMES, st.integers(1, 2000).map(lambda tick: tick / 1000), st.lists(TIMES, max_size=12))
ROWS = st.lists(ROW, min_size=1, max_size=5)
WIDTHS = st.integers(50, 1500).map(lambda tick: tick / 1000)


def table_of(rows: list[tuple[float, float, list[float]]]) -> FeatureTable:
    """Make a table whose only feature is the media time of the frame, and whose text vector is the turn."""
    segments = pd.DataFrame(
        {
            "dialogue": ["d1" if turn % 2 else "d2" for turn in range(len(rows))],
            "turn": range(len(rows)),
            "speaker": "Ann",
            "start": [start for start, _, _ in rows],
            "end": [round(start + duration, 3) for start, duration, _ in rows],
            "emotion": "joy",
        }
    )
    segments.attrs["root"] = "somewhere"
    values = [np.round(start + np.array(times)[:, None], 3) if times else None for start, _, times in rows]
    face = Block(values, ["face.time"], times=[times for *_, times in rows])
    text = Block(np.arange(len(rows), dtype=float)[:, None], ["text.turn"])
    return FeatureTable(segments, {"face": face, "text": text})


def words_of(table: FeatureTable, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    segments = table.segments.iloc[rng.integers(0, len(table), 6)]
    starts = np.round(segments["start"] + rng.random(6), 3)
    return pd.DataFrame(
        {
            "dialogue": segments["dialogue"],
            "turn": segments["turn"],
            "word": list("abcdef"),
            "start": starts,
            "end": np.round(starts + rng.random(6), 3),
        }
    )


def inside(table: FeatureTable, start: float, end: float, row: int) -> list[float]:
    return sorted(time for time in table.blocks["face"].values[row].ravel() if start <= time < end)


def assert_cut(table: FeatureTable, aligned: FeatureTable) -> None:
    """Compare every interval's frames with those that a loop finds."""
    rows = dict(zip(zip(table.segments["dialogue"], table.segments["turn"], strict=True), range(99), strict=False))
    for place, values in zip(aligned.segments.itertuples(), aligned.blocks["face"].values, strict=True):
        row = rows[place.dialogue, place.utterance]
        assert values.ravel().tolist() == inside(table, place.start, place.end, row)
        assert aligned.blocks["text"].values[place.Index] == row


@settings(deadline=None, max_examples=60)
@given(ROWS, WIDTHS, st.integers(1, 3))
def test_a_window_holds_the_frames_of_its_time_and_no_other(rows: list, length: float, parts: int) -> None:
    table = table_of(rows)
    assert_cut(table, align(table, "window", length=length, hop=length / parts, statistics=None))


@settings(deadline=None, max_examples=60)
@given(ROWS)
def test_an_utterance_holds_the_frames_of_its_time_and_no_other(rows: list) -> None:
    table = table_of(rows)
    aligned = align(table, statistics=None)
    pd.testing.assert_frame_equal(aligned.segments, table.segments)
    for row, place in enumerate(table.segments.itertuples()):
        assert sorted(aligned.blocks["face"].values[row].ravel()) == inside(table, place.start, place.end, row)


@settings(deadline=None, max_examples=60)
@given(ROWS, st.integers(0, 99))
def test_a_word_holds_the_frames_of_its_time_and_no_other(rows: list, seed: int) -> None:
    table = table_of(rows)
    assert_cut(table, align(table, "word", words=words_of(table, seed), statistics=None))


@settings(deadline=None, max_examples=60)
@given(ROWS, WIDTHS)
def test_windows_without_overlap_divide_the_frames(rows: list, length: float) -> None:
    table = table_of(rows)
    aligned = align(table, "window", length=length, statistics=None)
    got = pd.Series(aligned.blocks["face"].lengths).groupby(aligned.segments[["dialogue", "utterance"]].agg(tuple, 1))
    for row, place in enumerate(table.segments.itertuples()):
        assert got.sum()[place.dialogue, place.turn] == len(inside(table, place.start, place.end, row))
    first = aligned.segments.groupby(["dialogue", "utterance"], sort=False)
    assert first["start"].min().tolist() == table.segments["start"].tolist()
    assert first["end"].max().tolist() == table.segments["end"].tolist()
    assert (first["start"].shift(-1).dropna() == aligned.segments["end"][first["start"].shift(-1).notna()]).all()


@settings(deadline=None, max_examples=40)
@given(ROWS, WIDTHS, st.integers(0, 99))
def test_the_order_of_rows_words_and_frames_does_not_matter(rows: list, length: float, seed: int) -> None:
    table = table_of(rows)
    rng = np.random.default_rng(seed)
    backwards = table_of([(start, duration, times[::-1]) for start, duration, times in rows])
    shuffled = backwards[rng.permutation(len(rows))]
    words = words_of(table)
    for options in ({}, {"to": "window", "length": length, "hop": length / 2}, {"to": "word", "words": words}):
        mixed_words = {"words": words.sample(frac=1, random_state=seed)} if "words" in options else {}
        straight, mixed = (
            aligned.to_frame().sort_values(["dialogue", "turn"], ignore_index=True)
            for aligned in (align(table, **options), align(shuffled, **options | mixed_words))
        )
        pd.testing.assert_frame_equal(straight, mixed)


@settings(deadline=None, max_examples=40)
@given(ROWS, WIDTHS, st.integers(0, 10_000_000))
def test_a_shift_of_the_media_shifts_the_rows(rows: list, length: float, milliseconds: int) -> None:
    table, shift = table_of(rows), milliseconds / 1000
    times = {name: table.segments[name] + shift for name in ("start", "end")}
    later = FeatureTable(table.segments.assign(**times), table.blocks)
    words = words_of(table)
    later_words = words.assign(start=words["start"] + shift, end=words["end"] + shift)
    for options, moved in (
        ({}, {}),
        ({"to": "window", "length": length}, {"to": "window", "length": length}),
        ({"to": "word", "words": words}, {"to": "word", "words": later_words}),
    ):
        here, there = align(table, **options), align(later, **moved)
        np.testing.assert_array_equal(np.asarray(here), np.asarray(there))
        np.testing.assert_allclose(here.segments["start"] + shift, there.segments["start"], atol=1e-6)
        np.testing.assert_allclose(here.segments["end"] + shift, there.segments["end"], atol=1e-6)


@settings(deadline=None, max_examples=60)
@given(ROWS, WIDTHS, st.integers(1, 3))
def test_windows_put_together_are_the_utterances_again(rows: list, length: float, parts: int) -> None:
    table = table_of(rows)
    windows = align(table, "window", length=length, hop=length / parts, statistics=None)
    again = align(windows, statistics=None)
    pd.testing.assert_frame_equal(again.segments, table.segments)
    assert again.segments.attrs == table.segments.attrs
    for row, (place, values) in enumerate(zip(table.segments.itertuples(), again.blocks["face"].values, strict=True)):
        assert values.ravel().tolist() == inside(table, place.start, place.end, row)
        np.testing.assert_allclose(place.start + again.blocks["face"].times[row], values.ravel(), atol=1e-9)
    np.testing.assert_array_equal(again.blocks["text"].values, table.blocks["text"].values)


@settings(deadline=None, max_examples=40)
@given(ROWS, WIDTHS, st.integers(0, 99))
def test_vectors_of_windows_are_pooled_in_their_utterance(rows: list, length: float, seed: int) -> None:
    table = table_of(rows)
    windows = align(table, "window", length=length, statistics=["mean"])
    order = np.random.default_rng(seed).permutation(len(windows))
    for given_windows in (windows, windows[order]):
        again = align(given_windows, statistics=["max"])
        assert again.blocks["face"].names == ("face.time_mean_max",)
        for place, value in zip(again.segments.itertuples(), again.blocks["face"].values, strict=True):
            own = windows.segments[["dialogue", "utterance"]].agg(tuple, axis=1) == (place.dialogue, place.turn)
            expected = pd.Series(windows.blocks["face"].values[own.to_numpy(), 0]).max()
            np.testing.assert_array_equal(value, [expected])


def test_words_put_together_lose_their_own_columns_and_keep_reasons(tmp_path) -> None:
    table = table_of([(0.0, 1.0, [0.1, 0.6]), (2.0, 1.0, [])])
    words = pd.DataFrame({"dialogue": ["d2", "d2", "d1"], "turn": [0, 0, 1], "word": ["a", "b", "c"]})
    words = words.assign(start=[0.5, 0.0, 2.0], end=[0.9, 0.4, 2.5])
    align(table, "word", words=words, statistics=["mean"]).save(tmp_path / "words.parquet")
    again = align(FeatureTable.load(tmp_path / "words.parquet"), statistics=["mean"])
    assert list(again.segments) == list(table.segments)
    assert again.segments[["turn", "start", "end"]].values.tolist() == [[0, 0.0, 0.9], [1, 2.0, 2.5]]
    np.testing.assert_array_equal(again.blocks["face"].values, [[0.35], [np.nan]])
    assert again.blocks["face"].reasons.tolist() == ["", "no value given"]


def test_statistics_are_those_of_the_frames_and_missing_has_a_reason() -> None:
    face = Block(
        [np.array([[1.0], [3.0], [np.nan]]), None], ["face.x"], times=[[0.0, 0.1, 0.6], None], reasons=["", "no file"]
    )
    segments = pd.DataFrame({"dialogue": "a", "turn": [0, 1], "start": [1.0, 2.0], "end": [2.0, 2.5]})
    table = align(FeatureTable(segments, {"face": face}), "window", length=0.5, statistics=["mean", "min", "std"])
    np.testing.assert_allclose(np.asarray(table)[0], [2, 1, 1])
    assert table.blocks["face"].names == ("face.x_mean", "face.x_min", "face.x_std")
    assert table.blocks["face"].reasons.tolist() == ["", NOTHING, "no file"]


def test_sums_of_floats_move_no_frame() -> None:
    times = [number / 10 for number in range(30)]
    segments = pd.DataFrame({"dialogue": ["a"], "turn": [0], "start": [5.4], "end": [8.4]})
    table = FeatureTable(segments, {"face": Block([np.ones((30, 1))], ["face.x"], times=[times])})
    assert align(table, "window", length=0.1, statistics=None).blocks["face"].lengths.tolist() == [1] * 30


def test_intervals_keep_the_schema_the_labels_and_the_root(tmp_path) -> None:
    table = table_of([(0.0, 1.0, [0.1, 0.6]), (2.0, 1.0, [0.5]), (4.0, 0.5, [])])
    aligned = align(table, "window", length=0.5)
    assert len(check_segments(aligned.segments)) == 5
    assert aligned.segments["turn"].tolist() == [0, 1, 0, 1, 2]
    assert aligned.segments["utterance"].tolist() == [0, 0, 1, 1, 2]
    assert set(aligned.segments["emotion"]) == {"joy"}
    assert aligned.segments.attrs["root"] == "somewhere"
    assert aligned.provenance["alignment"]["hop"] == 0.5
    aligned.save(tmp_path / "windows.parquet")
    loaded = FeatureTable.load(tmp_path / "windows.parquet")
    assert loaded.digest() == aligned.digest()
    with pytest.raises(ValueError, match="already"):
        align(loaded, "window", length=0.1)


def test_without_an_end_windows_go_on_while_there_are_frames() -> None:
    table = table_of([(0.0, 1.0, [0.0, 1.0]), (0.0, 1.0, [])])
    whole = FeatureTable(table.segments.drop(columns=["start", "end"]), table.blocks)
    aligned = align(whole, "window", length=0.5)
    assert aligned.segments["start"].tolist() == [0.0, 0.5, 1.0, 0.0]
    assert aligned.segments["end"].tolist() == [0.5, 1.0, 1.5, 0.5]


def test_a_picture_shown_just_before_the_segment_is_its_first() -> None:
    segments = pd.DataFrame({"dialogue": ["a"], "turn": [0], "start": [1.0], "end": [2.0]})
    face = Block([np.array([[5.0], [7.0]])], ["face.x"], times=[[-0.0005, -0.5]])
    aligned = align(FeatureTable(segments, {"face": face}), "window", length=1.0, statistics=None)
    assert aligned.blocks["face"].frames.tolist() == [[5.0]]
    assert aligned.blocks["face"].times[0].tolist() == [0.0]


def test_utterances_are_pooled_and_vectors_can_be_left_out() -> None:
    table = table_of([(0.0, 1.0, [0.0, 0.5])])
    assert np.asarray(align(table, statistics=["mean", "max"])).tolist() == [[0.25, 0.5, 0.0]]
    assert align(table, vectors="drop").modalities == ("face",)
    assert align(table, "window", length=1.0, vectors="drop").modalities == ("face",)


def test_words_outside_the_table_are_left_out_and_their_columns_kept() -> None:
    table = table_of([(0.0, 1.0, [0.0, 0.5])])
    words = pd.DataFrame(
        {"dialogue": ["d2", "x"], "turn": [0, 0], "word": ["no", "yes"], "start": 0.4, "end": 0.9, "estimated": True}
    )
    aligned = align(table, "word", words=words, statistics=["mean"])
    assert aligned.segments[["word", "estimated", "utterance"]].values.tolist() == [["no", True, 0]]
    assert aligned.blocks["face"].values.tolist() == [[0.5]]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"to": "windw"}, "did you mean 'window'"),
        ({"to": "window"}, "length is missing"),
        ({"to": "utterance", "length": 1.0}, "length was given"),
        ({"to": "word"}, "words is missing"),
        ({"to": "window", "length": 1.0, "hop": 2.0}, "0 < hop <= length"),
        ({"to": "window", "length": float("nan")}, "no number of seconds"),
        ({"to": "window", "length": 1.0, "statistics": ["median"]}, "Unknown statistic"),
        ({"vectors": "keep"}, "Unknown treatment"),
        ({"to": "word", "words": pd.DataFrame({"dialogue": ["a"]})}, "lacks the columns"),
        ({"to": "word", "words": pd.DataFrame({"dialogue": ["a"], "turn": 0, "start": 0.0, "end": 1.0})}, "No word"),
        ({"to": "word", "words": pd.DataFrame({"dialogue": ["d2"], "turn": 0, "start": 1.0, "end": 0.0})}, "before"),
    ],
)
def test_faults_are_named(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        align(table_of([(0.0, 1.0, [0.0])]), **options)


def test_frames_without_times_cannot_be_cut() -> None:
    segments = pd.DataFrame({"dialogue": ["a"], "turn": [0]})
    table = FeatureTable(segments, {"face": Block([np.ones((2, 1))], ["face.x"])})
    with pytest.raises(ValueError, match="'face' have no times"):
        align(table, "window", length=1.0)
    assert align(table).shape == (1, 3)


SPEECH = st.lists(st.tuples(st.integers(0, 9), st.integers(0, 5), st.sampled_from(["Ann", "Bob", None])), max_size=8)


@settings(deadline=None, max_examples=80)
@given(SPEECH, SPEECH)
def test_joined_are_all_pairs_that_overlap_and_no_other(left: list, right: list) -> None:
    frames = []
    for rows in (left, right):
        frame = pd.DataFrame(rows, columns=["start", "end", "speaker"]).astype({"start": float, "end": float})
        frames.append(frame.assign(end=frame["start"] + frame["end"], dialogue="d", number=range(len(frame))))
    got = join_intervals(*frames)
    expected = {
        (i, j)
        for i, (a, duration, who) in enumerate(left)
        for j, (b, other, whom) in enumerate(right)
        if who is not None and who == whom and a < max(b + other, b + 0.5) and b < max(a + duration, a + 0.5)
    }
    assert sorted(zip(got["number"], got["number_right"], strict=True)) == sorted(expected)
    for pair in got.itertuples():
        assert pair.overlap == max(0, min(pair.end, pair.end_right) - max(pair.start, pair.start_right))


@settings(deadline=None, max_examples=40)
@given(SPEECH, SPEECH, st.integers(0, 10_000), st.integers(0, 99))
def test_joined_pairs_do_not_depend_on_order_and_shift(left: list, right: list, shift: int, seed: int) -> None:
    frames, moved = [], []
    for rows in (left, right):
        frame = pd.DataFrame(rows, columns=["start", "end", "speaker"]).astype({"start": float, "end": float})
        frame = frame.assign(end=frame["start"] + frame["end"], dialogue="d", number=range(len(frame)))
        frames.append(frame)
        later = frame.assign(start=frame["start"] + shift, end=frame["end"] + shift)
        moved.append(later.sample(frac=1, random_state=seed))
    here, there = (
        join_intervals(*pair).sort_values(["number", "number_right"], ignore_index=True) for pair in (frames, moved)
    )
    assert (
        here[["number", "number_right", "overlap"]].values.tolist()
        == there[["number", "number_right", "overlap"]].values.tolist()
    )


def test_what_has_no_end_overlaps_all_that_follows() -> None:
    left = pd.DataFrame({"dialogue": ["a"], "start": [3.0], "end": [4.0]})
    right = pd.DataFrame({"dialogue": ["a", "a"], "start": [1.0, np.nan], "end": [np.nan, 2.0], "turn": [0, 1]})
    assert join_intervals(left, right, by=["dialogue"])[["turn", "overlap"]].values.tolist() == [[0, 1.0]]
    assert join_intervals(right, right, by=["dialogue"])["overlap"].tolist() == [1.0, np.inf, 2.0, 1.0]
    with pytest.raises(ValueError, match="left lacks the columns"):
        join_intervals(left, right)
