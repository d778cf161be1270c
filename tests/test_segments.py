"""The schema of the segments frame: every fault is found, named and, where there is one remedy, mended."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featmer.segments import SegmentsError, check_segments, describe_faults, find_faults, mend_segments

EMOTIONS = {"emotion": ["anger", "joy", "surprise"]}


def frame(**columns: list) -> pd.DataFrame:
    """Return two good rows, with some columns replaced or added."""
    return pd.DataFrame({"dialogue": ["d1", "d1"], "turn": [0, 1], **columns})


def test_a_good_frame_comes_back_in_canonical_form() -> None:
    given_frame = frame(start=["0.5", None], end=[2, 3], note=["a", "b"]).set_index(pd.Index([7, 3]))
    before = given_frame.copy()
    checked = check_segments(given_frame)
    assert checked.index.tolist() == [0, 1]
    assert checked["start"].tolist()[0] == 0.5
    assert checked.dtypes[["turn", "start", "end"]].tolist() == [np.int64, np.float64, np.float64]
    assert checked["note"].tolist() == ["a", "b"]
    pd.testing.assert_frame_equal(given_frame, before)


@pytest.mark.parametrize(
    ("columns", "row", "column", "words", "suggestion"),
    [
        ({"turn": [0, 0]}, 1, "turn", "taken by row 0", ""),
        ({"turn": ["0", "0.0"]}, 1, "turn", "taken by row 0", ""),
        ({"turn": [0, 1.5]}, 1, "turn", "whole number", ""),
        ({"turn": ["first", 1]}, 0, "turn", "whole number", ""),
        ({"turn": [0, None]}, 1, "turn", "missing", ""),
        ({"dialogue": ["d1", " "]}, 1, "dialogue", "missing", ""),
        ({"start": [0, 3.0], "end": [1, 2.0]}, 1, "end", "before its start at 3.0 s", ""),
        ({"start": [-1.0, 0]}, 0, "start", "seconds", ""),
        ({"end": [np.inf, 0]}, 0, "end", "seconds", ""),
        ({"end": ["0:16", 1]}, 0, "end", "not a number", ""),
        ({"split": ["train", "dev"]}, 1, "split", "not one of", "valid"),
        ({"split": ["train", "tset"]}, 1, "split", "not one of", "test"),
        ({"emotion": ["joy", "suprise"]}, 1, "emotion", "not one of", "surprise"),
        ({"emotion": ["Joy ", None]}, 0, "emotion", "not one of", "joy"),
        ({"emotion": ["joy", "xyz"]}, 1, "emotion", "not one of", ""),
        ({"video": [None, "b.mp4"]}, 1, "video", "not a file", ""),
    ],
)
def test_each_fault_is_found_where_it_is(
    tmp_path: Path, columns: dict, row: int, column: str, words: str, suggestion: str
) -> None:
    labels = EMOTIONS if "emotion" in columns else None
    segments = frame(**columns)
    fault = find_faults(segments, root=tmp_path, labels=labels)
    assert len(fault) == 1
    assert (fault.row.item(), fault.column.item(), fault.suggestion.item()) == (row, column, suggestion)
    assert words in fault.problem.item()
    with pytest.raises(SegmentsError, match=f"row {row}, {column}"):
        check_segments(segments, root=tmp_path, labels=labels)
    csv_line = find_faults(segments, root=tmp_path, labels=labels, source="mine.csv")
    assert csv_line.row.item() == row + 2
    assert describe_faults(csv_line)[0].startswith(f"mine.csv, line {row + 2}, {column}: ")


def test_missing_columns_name_the_one_that_may_be_meant() -> None:
    with pytest.raises(SegmentsError) as error:
        check_segments(pd.DataFrame({"Dialogue": ["d1"], "trun": [0], "emotoin": ["joy"]}), labels=EMOTIONS)
    assert error.value.faults.suggestion.tolist() == ["Dialogue", "trun", "emotoin"]
    assert "did you mean 'trun'" in str(error.value)


def test_all_faults_come_at_once_and_the_message_stays_readable() -> None:
    segments = pd.DataFrame({"dialogue": "d1", "turn": np.arange(30), "start": -1.0, "split": "quux"})
    with pytest.raises(SegmentsError, match="60 faults") as error:
        check_segments(segments)
    assert len(error.value.faults) == 60
    assert str(error.value).count("\n") == 21
    assert "40 more" in str(error.value)


def test_equal_dialogues_of_two_corpora_are_different() -> None:
    assert find_faults(frame(turn=[0, 0], corpus=["one", "two"])).empty


def test_files_are_looked_for_only_under_a_given_root(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    segments = frame(audio=["a.wav", str(tmp_path / "a.wav")], video=["", None])
    assert find_faults(segments, root=tmp_path).empty
    assert find_faults(segments).empty
    assert find_faults(segments, root=tmp_path / "elsewhere").value.tolist() == ["a.wav"]


def test_mending_replaces_misspelt_values_and_reports(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    segments = frame(emotion=["suprise", None], split=["dev", "train"], audio=["gone.wav", None])
    with caplog.at_level(logging.WARNING):
        mended = mend_segments(segments, root=tmp_path, labels=EMOTIONS, source=tmp_path / "mine.csv")
    assert mended["emotion"].iloc[0] == "surprise"
    assert pd.isna(mended["emotion"].iloc[1])
    assert mended["split"].tolist() == ["valid", "train"]
    assert mended.attrs["root"] == str(tmp_path)
    assert [(fault["row"], fault["value"]) for fault in mended.attrs["faults"]] == [
        (2, "dev"),
        (2, "suprise"),
        (2, "gone.wav"),
    ]
    assert "did you mean 'surprise'?" in caplog.text
    assert ": 1" in caplog.text
    assert check_segments(mended, labels=EMOTIONS) is not None


def test_mending_raises_only_what_has_no_remedy(tmp_path: Path) -> None:
    segments = frame(emotion=["suprise", "xyz"], turn=[0, 0])
    with pytest.raises(SegmentsError, match="2 faults") as error:
        mend_segments(segments, root=tmp_path, labels=EMOTIONS)
    assert error.value.faults.column.tolist() == ["turn", "emotion"]


TIMES = st.one_of(st.none(), st.floats(-1, 5), st.sampled_from(["1.5", "soon", ""]))
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "dialogue": st.sampled_from(["d1", "d2", None]),
            "turn": st.sampled_from([0, 1, 2, 0.5, "x", None]),
            "start": TIMES,
            "end": TIMES,
            "split": st.sampled_from(["train", "dev", "quux", None]),
            "emotion": st.sampled_from(["joy", "joi", "xyz", None]),
        }
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=60, deadline=None)
@given(rows=ROWS, order=st.randoms(use_true_random=False))
def test_shuffled_rows_have_the_same_faults(rows: list[dict], order) -> None:
    def faults(rows: list[dict]) -> list[tuple]:
        found = find_faults(pd.DataFrame(rows, dtype=object), labels=EMOTIONS)
        # Of two equal turns the later is at fault, and the message says in which row the earlier is.
        return sorted(
            (column, value, problem.split(" is taken by row")[0], suggestion)
            for column, value, problem, suggestion in found[["column", "value", "problem", "suggestion"]].to_numpy()
        )

    shuffled = rows.copy()
    order.shuffle(shuffled)
    assert faults(rows) == faults(shuffled)


@settings(max_examples=30, deadline=None)
@given(rows=ROWS)
def test_what_passes_is_canonical_and_passes_again(rows: list[dict]) -> None:
    segments = pd.DataFrame(rows, dtype=object)
    if find_faults(segments, labels=EMOTIONS).empty:
        checked = check_segments(segments, labels=EMOTIONS)
        pd.testing.assert_frame_equal(check_segments(checked, labels=EMOTIONS), checked)
    else:
        with pytest.raises(SegmentsError):
            check_segments(segments, labels=EMOTIONS)


def test_many_faults_do_not_slow_what_is_done_with_the_frame(caplog: pytest.LogCaptureFixture) -> None:
    segments = pd.DataFrame({"dialogue": "d", "turn": range(500), "emotion": "joi", "audio": "gone.wav"})
    mended = mend_segments(segments, root="nowhere", labels={"emotion": ["joy"]})
    assert len(mended.attrs["faults"]) == 1000
    assert [record.getMessage() for record in caplog.records] == [
        "took the suggestion in 500 rows, first: row 0, emotion: 'joi' is not one of ['joy'], did you mean 'joy'?",
        "media files not found under nowhere: 500",
    ]
    for part in (mended.iloc[:10], mended.assign(split="train"), mended["emotion"], mended.copy()):
        assert part.attrs["faults"] is mended.attrs["faults"]  # pandas would copy each of them, at every step
