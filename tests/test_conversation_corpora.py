"""Readers of corpora of conversations: small files in the published layouts, and the real ones where at hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from featmer.corpora import (
    CORPORA,
    load_dailydialog,
    load_emocontext,
    load_emorynlp,
    load_emotionlines,
    load_meld,
)
from featmer.evaluation.splits import make_splits
from featmer.labels import aggregate_votes
from featmer.segments import check_segments

# EmotionLines


def make_emotionlines(root: Path, **changes: object) -> None:
    utterance = {"speaker": "Ross", "utterance": "It\u0092s me", "emotion": "joy", "annotation": "1300100"}
    for part in ("train", "dev", "test"):
        dialogues = [[utterance, {**utterance, "emotion": "non-neutral"}], [{**utterance, **changes}]]
        (root / f"friends_{part}.json").write_text(json.dumps(dialogues))


def test_emotionlines_has_the_votes_of_each_turn(tmp_path: Path) -> None:
    make_emotionlines(tmp_path, emotion="angr", annotation="0000500")
    segments = load_emotionlines(tmp_path)
    assert segments["dialogue"].tolist()[:4] == ["train_0", "train_0", "train_1", "valid_0"]
    assert segments["turn"].tolist()[:4] == [0, 1, 0, 0]
    assert segments["emotion"].fillna("?").tolist()[:3] == ["joy", "?", "anger"]
    assert segments["text"].unique().tolist() == ["It\u2019s me"]
    assert segments.filter(like="votes.").iloc[0].to_dict() == {
        **dict.fromkeys(("votes.sadness", "votes.fear", "votes.surprise", "votes.disgust"), 0),
        **{"votes.neutral": 1, "votes.joy": 3, "votes.anger": 1},
    }
    assert [fault["value"] for fault in segments.attrs["faults"]] == ["angr"] * 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"annotation": "12"}, r"friends_train.json, dialogue 1, utterance 0: the annotation is '12'"),
        ({"speaker": None}, r"friends_train.json, dialogue 1, utterance 0: no text called speaker"),
        ({"emotion": "xyz"}, "emotion: 'xyz' is not one of"),
    ],
)
def test_emotionlines_says_what_is_wrong(tmp_path: Path, changes: dict[str, object], message: str) -> None:
    make_emotionlines(tmp_path, **changes)
    with pytest.raises(ValueError, match=message):
        load_emotionlines(tmp_path)


def test_emotionlines_that_is_no_json(tmp_path: Path) -> None:
    (tmp_path / "friends_train.json").write_text("[")
    (tmp_path / "friends_dev.json").touch()
    (tmp_path / "friends_test.json").touch()
    with pytest.raises(ValueError, match=r"friends_train\.json is no JSON"):
        load_emotionlines(tmp_path)
    (tmp_path / "friends_train.json").write_text('{"dialogues": []}')
    with pytest.raises(ValueError, match=r"friends_train\.json, dialogue 0, utterance 0: 'd'; expected a list of"):
        load_emotionlines(tmp_path)


def test_emotionlines_real(shared_data: Callable[[str], Path]) -> None:
    segments = load_emotionlines(shared_data("EmotionLines_Friends_votes"))
    assert segments["split"].value_counts().to_dict() == {"train": 10561, "test": 2764, "valid": 1178}
    assert segments.groupby("split")["dialogue"].nunique().to_dict() == {"train": 720, "test": 200, "valid": 80}
    assert segments.filter(like="votes.").sum(axis=1).eq(5).all()
    assert segments["emotion"].isna().sum() == 2017 + 214 + 541
    assert not segments["text"].str.contains("[\x80-\x9f]").any()
    # The emotion is what more than half of the votes say, where there is such.
    decided = aggregate_votes(segments, rule="majority", form="hard").values
    assert segments["emotion"].dropna().eq(decided.reindex(segments["emotion"].dropna().index)).all()
    # MELD's parts are made of the same dialogues, as the docstring says; short turns are said everywhere.
    meld = load_meld(shared_data("MELD"))
    for part in ("train", "valid", "test"):
        said = segments.loc[(segments["split"] == part) & (segments["text"].str.len() > 40), "text"]
        assert said.isin(set(meld.loc[meld["split"] == part, "text"])).mean() > 0.95
        assert said.isin(set(meld.loc[meld["split"] != part, "text"])).mean() < 0.01


# EmoContext


def test_emocontext_chats_are_dialogues_of_three_turns(tmp_path: Path) -> None:
    for part in ("train", "dev", "test"):
        (tmp_path / f"{part}.txt").write_text(
            'id\tturn1\tturn2\tturn3\tlabel\n4\tHi "you\tHello\tBye\thapy\n2\ta\tb\tc\tothers\n'
        )
    segments = load_emocontext(tmp_path)
    assert segments["dialogue"].tolist()[:6] == ["train_4"] * 3 + ["train_2"] * 3
    assert segments["text"].tolist()[:6] == ['Hi "you', "Hello", "Bye", "a", "b", "c"]
    assert segments["speaker"].tolist()[:3] == ["A", "B", "A"]
    assert segments["emotion"].fillna("?").tolist()[:6] == ["?", "?", "happy", "?", "?", "others"]
    assert len(segments.attrs["faults"]) == 3
    assert check_segments(segments) is not None


def test_emocontext_says_what_is_wrong(tmp_path: Path) -> None:
    for part in ("train", "valid", "test"):
        (tmp_path / f"{part}.txt").write_text("id\tturn1\tturn2\tturn3\tlabel\n4\tHi\tHello\tBye\n")
    with pytest.raises(ValueError, match=r"train\.txt, line 2: 4 fields"):
        load_emocontext(tmp_path)


def test_emocontext_real(shared_data: Callable[[str], Path]) -> None:
    segments = load_emocontext(shared_data("EmoContext_SemEval2019"))
    labelled = segments[segments["emotion"].notna()]
    assert labelled["split"].value_counts().to_dict() == {"train": 30160, "test": 5509, "valid": 2755}
    assert labelled["turn"].eq(2).all()
    counts = labelled[labelled["split"] == "train"]["emotion"].value_counts().to_dict()
    assert counts == {"others": 14948, "angry": 5506, "sad": 5463, "happy": 4243}
    assert labelled[labelled["split"] == "test"]["emotion"].eq("others").mean() == pytest.approx(0.849, abs=0.001)
    (fold,) = make_splits("official", segments)
    assert [len(rows) for rows in fold] == [90480, 8265, 16527]


# EmoryNLP


def make_emorynlp(root: Path, **changes: object) -> None:
    said = {"speakers": ["Ross Geller"], "transcript": "Hi.", "tokens": [["Hi", "."]], "emotion": "Sad"}
    for number, part in enumerate(("trn", "dev", "tst")):
        utterances = [{**said, "utterance_id": "u1"}, {**said, "speakers": ["Joey", "Ross"], **changes}]
        scenes = [{"scene_id": f"s01_e0{number}_c01", "utterances": utterances}]
        content = {"season_id": part, "episodes": [{"episode_id": f"s01_e0{number}", "scenes": scenes}]}
        (root / f"emotion-detection-{part}.json").write_text(json.dumps(content))


def test_emorynlp_scenes_are_dialogues(tmp_path: Path) -> None:
    (tmp_path / "json").mkdir()
    make_emorynlp(tmp_path / "json", emotion="Peacful")
    segments = load_emorynlp(tmp_path)
    assert segments["dialogue"].tolist()[::2] == ["s01_e00_c01", "s01_e01_c01", "s01_e02_c01"]
    assert segments["speaker"].tolist()[:2] == ["Ross Geller", "Joey & Ross"]
    assert segments["emotion"].tolist()[:2] == ["sad", "peaceful"]
    assert segments["split"].tolist()[::2] == ["train", "valid", "test"]
    assert {fault["value"] for fault in segments.attrs["faults"]} == {"peacful"}


def test_emorynlp_says_what_is_wrong(tmp_path: Path) -> None:
    make_emorynlp(tmp_path, emotion=None)
    with pytest.raises(ValueError, match=r"emotion-detection-trn\.json, scene s01_e00_c01, utterance 1: expected"):
        load_emorynlp(tmp_path)
    (tmp_path / "emotion-detection-trn.json").write_text("[]")
    with pytest.raises(ValueError, match=r"emotion-detection-trn\.json: expected episodes"):
        load_emorynlp(tmp_path)


# DailyDialog


def make_dailydialog(root: Path, emotions: str = "0 4\n6 0 1\n") -> None:
    """Write a conversation of two turns and one of three in each part."""
    for part in ("train", "validation", "test"):
        folder = root / part
        folder.mkdir()
        (folder / f"dialogues_{part}.txt").write_text(
            "Hi , there . __eou__ Hello ! __eou__\nWell \u2019 __eou__ What ? __eou__ No . __eou__\n", "utf-8"
        )
        (folder / f"dialogues_emotion_{part}.txt").write_text(emotions)
        (folder / f"dialogues_act_{part}.txt").write_text("1 1 \n1 2 4 \n")


def test_dailydialog_turns_and_labels(tmp_path: Path) -> None:
    make_dailydialog(tmp_path)
    segments = load_dailydialog(tmp_path)
    assert segments["dialogue"].tolist()[:5] == ["train_0"] * 2 + ["train_1"] * 3
    assert segments["text"].tolist()[:3] == ["Hi , there .", "Hello !", "Well \u2019"]
    assert segments["speaker"].tolist()[:5] == ["A", "B", "A", "B", "A"]
    assert segments["emotion"].tolist()[:5] == ["no emotion", "happiness", "surprise", "no emotion", "anger"]
    assert segments["act"].tolist()[3:5] == ["question", "commissive"]
    assert segments["split"].unique().tolist() == ["train", "valid", "test"]
    assert segments.attrs["faults"] == []


def test_dailydialog_reports_a_dialogue_with_too_few_labels(tmp_path: Path) -> None:
    make_dailydialog(tmp_path, emotions="0 4\n6 0\n")
    segments = load_dailydialog(tmp_path)
    assert segments["emotion"].isna().tolist()[:5] == [False, False, True, True, True]
    assert segments["act"].notna().all()
    fault = segments.attrs["faults"][0]
    assert (Path(fault["source"]).name, fault["row"], fault["column"], fault["value"]) == (
        "dialogues_emotion_train.txt",
        2,
        "emotion",
        "2",
    )


@pytest.mark.parametrize(
    ("emotions", "message"),
    [
        ("0 4\n6 0 7\n", "line 2: '7' is no number of a label"),
        ("0 4\n", "has 1 lines; expected 2, as .*dialogues_train"),
    ],
)
def test_dailydialog_says_what_is_wrong(tmp_path: Path, emotions: str, message: str) -> None:
    make_dailydialog(tmp_path, emotions)
    with pytest.raises(ValueError, match=rf"dialogues_emotion_train\.txt,? {message}"):
        load_dailydialog(tmp_path)


@pytest.mark.parametrize("name", ["dailydialog", "emocontext", "emorynlp", "emotionlines"])
def test_a_folder_without_the_corpus(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError, match="is not there; give the folder"):
        CORPORA[name](tmp_path)
