"""Transcripts: every format to the same words frame, and faults by file and line."""

from __future__ import annotations

import json
from pathlib import Path

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings

from featmer import Block, FeatureTable
from featmer.alignment import align, join_intervals
from featmer.transcripts import COLUMNS, read_words, spread_words

LONG_GRID = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 1.5
tiers? <exists>
size = 3
item []:
    item [1]:
        class = "IntervalTier"
        name = "Ann - words"
        xmin = 0
        xmax = 1.5
        intervals: size = 3
        intervals [1]:
            xmin = 0
            xmax = 0.5
            text = "say"
        intervals [2]:
            xmin = 0.5
            xmax = 0.7
            text = ""
        intervals [3]:
            xmin = 0.7
            xmax = 1.5
            text = "\"\"no\"\""
    item [2]:
        class = "TextTier"
        name = "clicks"
        xmin = 0
        xmax = 1.5
        points: size = 1
        points [1]:
            number = 0.3
            mark = "click"
    item [3]:
        class = "IntervalTier"
        name = "Ann - phones"
        xmin = 0
        xmax = 1.5
        intervals: size = 1
        intervals [1]:
            xmin = 0
            xmax = 1.5
            text = "s"
"""
SHORT_GRID = """File type = "ooTextFile"
"TextGrid"

0
1.5
<exists>
1
"IntervalTier"
"turns"
0
1.5
1
0
1.5
"say no"
"""
SRT = """1
00:00:01,000 --> 00:00:02,000
<i>I</i> <3u

2
00:01:00,500 --> 00:01:01,000
No!
"""
VTT = """WEBVTT - a title

NOTE nothing

intro
00:01.000 --> 00:04.000 align:start
<v Ann>so <00:00:02.000><c>what</c>

00:05.000 --> 00:07.000
<v Ann>yes</v>
<v.loud Bob>no &amp; no</v>
"""


def write(folder: Path, name: str, content: str | bytes | list | dict) -> Path:
    path = folder / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    else:
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def rows(words: pd.DataFrame) -> list[list[object]]:
    assert list(words) == COLUMNS
    speakers = words["speaker"].astype(object).where(words["speaker"].notna(), None)
    times = words[["start", "end"]].round(6).to_numpy().tolist()
    return [list(row) for row in zip(words["word"], times, speakers, words["estimated"], strict=True)]


def test_ctm(tmp_path: Path) -> None:
    lines = ";; a comment\nrec1 1 0.1 0.2 so 0.9\n\nrec2 B 0.5 0.0 what 1.0 lex Ann\nrec2 B 0.5 0.25 now\n"
    words = read_words(write(tmp_path, "many.ctm", lines))
    assert rows(words) == [
        ["so", [0.1, 0.3], None, False],
        ["what", [0.5, 0.5], "Ann", False],
        ["now", [0.5, 0.75], "B", False],
    ]
    assert words["recording"].tolist() == ["rec1", "rec2", "rec2"]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_long_textgrid_takes_the_tier_of_words(tmp_path: Path, encoding: str) -> None:
    words = read_words(write(tmp_path, "a.TextGrid", LONG_GRID.encode(encoding)))
    assert rows(words) == [["say", [0.0, 0.5], "Ann", False], ['"no"', [0.7, 1.5], "Ann", False]]
    assert set(words["recording"]) == {"a"}


def test_short_textgrid_takes_its_only_tier_and_spreads_it(tmp_path: Path) -> None:
    words = read_words(write(tmp_path, "a.textgrid", SHORT_GRID))
    assert rows(words) == [["say", [0.0, 0.9], None, True], ["no", [0.9, 1.5], None, True]]


WORDS = [{"word": " so", "start": 0.0, "end": 0.5}, {"word": "no", "start": 0.5, "end": 1, "speaker": "Ann"}]


@pytest.mark.parametrize("content", [WORDS, {"words": WORDS}, {"segments": [{"words": WORDS}]}, [{"words": WORDS}]])
def test_json_in_the_shapes_that_recognizers_write(tmp_path: Path, content: list | dict) -> None:
    words = read_words(write(tmp_path, "a.json", content))
    assert rows(words) == [["so", [0.0, 0.5], None, False], ["no", [0.5, 1.0], "Ann", False]]


def test_json_words_without_times_share_what_is_between(tmp_path: Path) -> None:
    segment = {
        "start": 0.0,
        "end": 4.0,
        "speaker": "Ann",
        "words": [{"word": "in"}, {"word": "May", "start": 1.0, "end": 2.0}, {"word": "19"}, {"word": "84"}],
    }
    plain = {"start": 4.0, "end": 5.0, "text": "why?", "words": []}
    words = read_words(write(tmp_path, "a.json", {"segments": [segment, plain]}))
    assert rows(words) == [
        ["in", [0.0, 1.0], "Ann", True],
        ["May", [1.0, 2.0], "Ann", False],
        ["19", [2.0, 3.0], "Ann", True],
        ["84", [3.0, 4.0], "Ann", True],
        ["why?", [4.0, 5.0], None, False],
    ]


def test_captions_are_spread_over_their_times(tmp_path: Path) -> None:
    words = read_words(write(tmp_path, "a.srt", "\ufeff" + SRT.replace("\n", "\r\n")))
    assert rows(words) == [
        ["I", [1.0, round(1 + 1 / 3, 6)], None, True],
        ["<3u", [round(1 + 1 / 3, 6), 2.0], None, True],
        ["No!", [60.5, 61.0], None, False],
    ]


def test_webvtt_has_voices_and_times_inside(tmp_path: Path) -> None:
    words = read_words(write(tmp_path, "a.vtt", VTT))
    assert [row[0] for row in rows(words)] == ["so", "what", "yes", "no", "&", "no"]
    assert rows(words)[:2] == [["so", [1.0, 2.0], "Ann", False], ["what", [2.0, 4.0], "Ann", False]]
    assert words["speaker"].tolist() == ["Ann"] * 3 + ["Bob"] * 3
    assert words["estimated"].tolist() == [False] * 2 + [True] * 4
    assert words["end"].iloc[-1] == 7.0


@pytest.mark.parametrize("name", ["a.ctm", "a.json", "a.srt"])
def test_a_transcript_without_words_is_an_empty_frame(tmp_path: Path, name: str) -> None:
    words = read_words(write(tmp_path, name, "[]" if name == "a.json" else ""))
    assert rows(words) == []
    assert words["start"].dtype == float


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.doc", "", "Unknown ending of a transcript '.doc'"),
        ("a.ctm", "r 1 0 1 a\nr 1 0 x b\n", "a.ctm, line 2: got 'r 1 0 x b'"),
        ("a.ctm", "r 1 0\n", "line 1.*duration and word"),
        ("a.ctm", "r 1 0 -1 a\n", "line 1: got '0 to -1'"),
        ("a.ctm", b"r 1 0 1 a\nr 1 0 1 \xe9 b\n", "line 2.*UTF-8"),
        ("a.srt", SRT.replace("--> 00:01:01,000", "-> 00:01:01,000"), "a.srt, line 6"),
        ("a.srt", SRT.replace("00:01:01,000", "1:01"), "a.srt, line 6.*expected times"),
        ("a.srt", SRT.replace("00:01:01,000", "00:00:01,000"), "line 6: got '60.5 to 1'"),
        ("a.vtt", SRT, "line 1: got '1', expected WEBVTT"),
        ("a.vtt", VTT.replace("<00:00:02.000>", "<00:00:09.000>"), "line 6: got '9 to 4'"),
        ("a.json", "[\n{]", "a.json, line 2: not JSON"),
        ("a.json", "3", "its top: got 'int'"),
        ("a.json", [{"wrd": "a"}], r"\[0\]: got"),
        ("a.json", [{"word": None, "start": 0, "end": 1}], r"\[0\]: got"),
        ("a.json", [{"words": 5}], r"\[0\]: got"),
        ("a.json", {"segments": [{"words": [{"word": "a"}]}]}, r"segments\[0\].words\[0\]: got \[None, None\]"),
        ("a.textgrid", LONG_GRID.replace('"say"', "say"), "line 20: got '0.5', expected the text of an interval"),
        ("a.textgrid", LONG_GRID.replace("xmax = 0.5", "xmax = half"), "expected the end of an interval"),
        ("a.textgrid", LONG_GRID.replace("Ann - words", "Ann"), "expected one called 'words'"),
        ("a.textgrid", SHORT_GRID[:-9], "line 14: got 'the end of the file'"),
        ("a.textgrid", SHORT_GRID.replace('"TextGrid"', '"Pitch"'), "another Praat object"),
        ("a.textgrid", SHORT_GRID.replace('"IntervalTier"', '"Tier"'), "line 8: got 'Tier'"),
    ],
)
def test_faults_are_named_by_file_and_line(tmp_path: Path, name: str, content: str | list | dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_words(write(tmp_path, name, content))


UTTERANCE = st.tuples(st.text("ab é!", max_size=12), st.floats(0, 1e4), st.floats(0, 60))


@settings(deadline=None, max_examples=60)
@given(st.lists(UTTERANCE, max_size=5))
def test_spread_words_fill_their_utterance_in_order(utterances: list) -> None:
    segments = pd.DataFrame(utterances, columns=["text", "start", "end"]).assign(
        dialogue="d", turn=range(len(utterances))
    )
    segments["end"] += segments["start"]
    words = spread_words(segments)
    assert words["estimated"].all()
    for turn, (text, start, _) in enumerate(utterances):
        own = words[words["turn"] == turn]
        assert own["word"].tolist() == text.split()
        if len(own):
            assert own["start"].iloc[0] == start
            assert own["end"].iloc[-1] == segments["end"].iloc[turn]
            np.testing.assert_array_equal(own["end"].iloc[:-1], own["start"].iloc[1:])
            assert (own["end"] >= own["start"]).all()


def test_spread_words_needs_times_where_there_are_words() -> None:
    segments = pd.DataFrame({"dialogue": "a", "turn": [0, 1], "text": [None, "no"], "start": 0.0, "end": [np.nan, 1.0]})
    assert spread_words(segments)["turn"].tolist() == [1]
    with pytest.raises(ValueError, match="1 utterances have words but no times .row 1"):
        spread_words(segments.assign(end=np.nan))
    with pytest.raises(ValueError, match=r"lacks the columns \['text'\]"):
        spread_words(segments.drop(columns="text"))


def test_from_a_transcript_to_word_rows(tmp_path: Path) -> None:
    turns = pd.DataFrame({"dialogue": "d1", "turn": [0, 1], "start": [0.0, 1.0], "end": [1.0, 2.0]})
    face = Block([np.array([[1.0], [2.0]]), np.array([[3.0], [4.0]])], ["face.x"], times=[[0.0, 0.5], [0.0, 0.5]])
    words = read_words(write(tmp_path, "d1.ctm", "d1 1 0.4 0.3 so\nd1 1 1.0 0.9 what\n"))
    words = join_intervals(words.rename(columns={"recording": "dialogue"}), turns, by=["dialogue"])
    table = align(FeatureTable(turns, {"face": face}), "word", words=words, statistics=["mean"])
    assert table.to_frame()[["word", "utterance", "face.x_mean"]].values.tolist() == [["so", 0, 2.0], ["what", 1, 3.5]]
