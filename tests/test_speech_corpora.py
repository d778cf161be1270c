"""Readers of corpora of speech and video: small trees in the published layouts, the real ones where at hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from featmer.corpora import (
    CORPORA,
    load_c_expr_db,
    load_crema_d,
    load_emodb,
    load_iemocap,
    load_mer2023,
    load_msp_podcast,
)
from featmer.evaluation import BySession
from featmer.evaluation.splits import make_splits
from featmer.labels import aggregate_votes, penalty_matrix
from featmer.segments import SegmentsError, check_segments

# CREMA-D


def make_crema_d(root: Path, name: str = "1037_ITS_DIS_XX") -> None:
    """Write the votes of two clips in three channels, and one clip's files."""
    for folder in ("processedResults", "AudioWAV", "VideoFlash"):
        (root / folder).mkdir()
    rows = ['"","A","D","F","H","N","S","fileName","numResponses"']
    for channel, votes in {1: "0,9,1,0,0,0", 2: "0,0,0,0,10,0", 3: "0,5,5,0,0,0"}.items():
        rows += [f'"{channel}00001",{votes},"{name}",10', f'"{channel}00002",0,0,0,8,1,0,"1002_IEO_HAP_HI",9']
    (root / "processedResults" / "tabulatedVotes.csv").write_text("\n".join(rows))
    (root / "VideoDemographics.csv").write_text(
        '"ActorID","Age","Sex","Race","Ethnicity"\n1002,21,"Female","x","y"\n1037,45,"Male","x","y"\n'
    )
    (root / "AudioWAV" / f"{name}.wav").touch()
    (root / "VideoFlash" / f"{name}.flv").touch()


@pytest.mark.parametrize(("channel", "disgust", "neutral"), [("voice", 9, 0), ("face", 0, 10), ("both", 5, 0)])
def test_crema_d_votes_of_a_channel(tmp_path: Path, channel: str, disgust: int, neutral: int) -> None:
    make_crema_d(tmp_path)
    segments = load_crema_d(tmp_path, channel=channel)  # type: ignore[arg-type]
    first, second = (row for _, row in segments.iterrows())
    assert first[["speaker", "session", "sex", "age"]].tolist() == ["1037", 1, "male", 45]
    assert first[["emotion", "text"]].tolist() == ["disgust", "I think I've seen this before."]
    assert first[["audio", "video"]].tolist() == ["AudioWAV/1037_ITS_DIS_XX.wav", "VideoFlash/1037_ITS_DIS_XX.flv"]
    assert first[["votes.disgust", "votes.neutral"]].tolist() == [disgust, neutral]
    assert second[["intensity", "session", "votes.happy"]].tolist() == ["high", 2, 8]
    assert [fault["value"] for fault in segments.attrs["faults"]] == [
        "AudioWAV/1002_IEO_HAP_HI.wav",
        "VideoFlash/1002_IEO_HAP_HI.flv",
    ]


@pytest.mark.parametrize("name", ["1037_ITS_DIS", "1092_ITS_DIS_XX", "1037_ITS_JOY_XX"])
def test_crema_d_says_which_clip_is_called_wrongly(tmp_path: Path, name: str) -> None:
    make_crema_d(tmp_path, name)
    with pytest.raises(ValueError, match=rf"tabulatedVotes\.csv, line 4: the clip '{name}' is not called like"):
        load_crema_d(tmp_path, channel="face")


@pytest.mark.parametrize(
    ("channel", "raters", "majority", "plurality", "meant"),
    [
        ("voice", 9.21, 0.6735, 0.9135, 0.397),
        ("face", 9.63, 0.7421, 0.9368, 0.572),
        ("both", 9.64, 0.7945, 0.9436, 0.629),
    ],
)
def test_crema_d_real(
    shared_data: Callable[[str], Path], channel: str, raters: float, majority: float, plurality: float, meant: float
) -> None:
    segments = load_crema_d(shared_data("CREMA-D_votes"), channel=channel)  # type: ignore[arg-type]
    assert len(segments) == 7442
    assert segments.filter(like="votes.").sum(axis=1).mean() == pytest.approx(raters, abs=0.005)
    for rule, share in {"majority": majority, "plurality": plurality}.items():
        assert aggregate_votes(segments, rule=rule).retention["rows_share"] == pytest.approx(share, abs=5e-5)
    said = aggregate_votes(segments, rule="all", form="soft").values
    intended = pd.get_dummies(segments["emotion"])[said.columns]
    assert (said * intended).sum(axis=1).mean() == pytest.approx(meant, abs=5e-4)
    for fold in make_splits(BySession(), segments):
        speakers = [set(segments["speaker"].iloc[rows]) for rows in fold]
        assert not speakers[0] & speakers[1] | speakers[0] & speakers[2] | speakers[1] & speakers[2]
        assert sum(map(len, speakers)) == 91
    speakers = segments.groupby("session")["speaker"].agg(set)
    assert [len(found) for found in speakers] == [18, 18, 19, 18, 18]
    assert len(set().union(*speakers)) == 91
    assert segments["sex"].value_counts().index.tolist() == ["male", "female"]
    assert segments[["sex", "age", "text"]].notna().all(axis=None)
    if channel == "voice":
        penalties = penalty_matrix(segments)
        assert penalties.loc["anger", "disgust"] == pytest.approx(0.270, abs=5e-4)
        assert penalties.loc["happy", "sad"] == pytest.approx(0.725, abs=5e-4)


# IEMOCAP

EVALUATION = """% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]

[6.2901 - 8.2357]\tSes01F_impro01_F000\tneu\t[2.5000, 2.5000, 2.0000]
C-E2:\tNeutral;\t()
C-E3:\tNeutral; Other;\t(puzzled)
C-E4:\tAnger;\t()
C-F1:\tNeutral;\t()
A-E3:\tval 3; act 2; dom  2;\t()
A-F1:\tval 3; act 2; dom  1;\t()

[0.5000 - 7.0000]\tSes01F_impro01_M000\texc\t[4.0000, 4.5000, 3.0000]
C-E2:\tExcited;\t()
C-E3:\tHappiness;\t()
C-M1:\tHappiness;\t()
A-E3:\tval 4; act 4; dom  3;\t()

[9.0000 - 9.5000]\tSes01F_impro01_F001\txxx\t[3.0000, 3.0000, 3.0000]
C-E2:\tFrustration;\t()
C-E3:\tSadness;\t()
"""
TRANSCRIPT = """Ses01F_impro01_M000 [000.5000-007.0000]: Guess what!
Ses01F_impro01_F000 [006.2901-008.2357]: Excuse me: what?
M: [LAUGHTER]
Ses01F_impro01_FXX0 [008.3000-008.4000]: Mhm.
"""


def make_iemocap(root: Path, evaluation: str = EVALUATION) -> None:
    """Write a scene each of the five sessions, with the resource forks that the release's archive has."""
    for session in range(1, 6):
        name = f"Ses0{session}F_impro01"
        dialog = root / f"Session{session}" / "dialog"
        for kind in ("EmoEvaluation/Categorical", "transcriptions", "wav"):
            (dialog / kind).mkdir(parents=True)
        renamed = evaluation.replace("Ses01", f"Ses0{session}")
        (dialog / "EmoEvaluation" / f"{name}.txt").write_text(renamed)
        (dialog / "EmoEvaluation" / f"._{name}.txt").write_bytes(b"\0\1Mac OS X")
        (dialog / "EmoEvaluation" / "Categorical" / f"{name}_e2_cat.txt").write_text("Ses01F :Neutral state; ()")
        (dialog / "transcriptions" / f"{name}.txt").write_text(TRANSCRIPT.replace("Ses01", f"Ses0{session}"))
        sentences = root / f"Session{session}" / "sentences" / "wav" / name
        sentences.mkdir(parents=True)
        for turn in ("F000", "F001", "M000"):
            (sentences / f"{name}_{turn}.wav").touch()


def test_iemocap_turns_in_order_with_votes_and_values(tmp_path: Path) -> None:
    make_iemocap(tmp_path)
    segments = load_iemocap(tmp_path)
    assert len(segments) == 15
    first, second, third = (row for _, row in segments.head(3).iterrows())
    assert segments["turn"].tolist()[:4] == [0, 1, 2, 0]
    assert segments["speaker"].tolist()[:4] == ["Ses01M", "Ses01F", "Ses01F", "Ses02M"]
    assert [first["text"], second["text"]] == ["Guess what!", "Excuse me: what?"]
    assert second["scene_start"] == 6.2901
    assert second[["valence", "arousal", "dominance"]].tolist() == [2.5, 2.5, 2.0]
    assert {name: count for name, count in second.filter(like="votes.").items() if count} == {
        "votes.neutral": 2,
        "votes.angry": 1,
        "votes.other": 1,
    }
    assert third.filter(like="votes.").sum() == 2
    assert pd.isna(third["text"])
    assert first["audio"] == "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_M000.wav"
    assert segments.attrs["faults"] == []
    assert check_segments(segments, root=tmp_path) is not None


@pytest.mark.parametrize(
    ("classes", "emotions"),
    [
        ("four", ["happy", "neutral", None]),
        ("six", ["excited", "neutral", None]),
        ("ten", ["excited", "neutral", None]),
    ],
)
def test_iemocap_classes(tmp_path: Path, classes: str, emotions: list[str | None]) -> None:
    make_iemocap(tmp_path)
    found = load_iemocap(tmp_path, classes=classes)["emotion"].head(3)  # type: ignore[arg-type]
    assert [None if pd.isna(label) else label for label in found] == emotions


def test_iemocap_classes_that_are_left_out_are_missing(tmp_path: Path) -> None:
    make_iemocap(tmp_path, EVALUATION.replace("neu", "fru").replace("exc", "dis"))
    assert load_iemocap(tmp_path, classes="four")["emotion"].isna().all()
    assert load_iemocap(tmp_path)["emotion"].dropna().unique().tolist() == ["frustrated"]
    assert load_iemocap(tmp_path, classes="ten")["emotion"].dropna().unique().tolist() == ["disgusted", "frustrated"]


def test_iemocap_sessions_are_parts_and_folds(tmp_path: Path) -> None:
    make_iemocap(tmp_path)
    segments = load_iemocap(tmp_path)
    assert segments.groupby("session")["split"].unique().str[0].tolist() == ["train"] * 4 + ["test"]
    folds = make_splits("by_session", segments)
    assert [segments["session"].iloc[fold.test].unique().tolist() for fold in folds] == [[1], [2], [3], [4], [5]]
    for fold in folds:
        assert not {*segments["speaker"].iloc[fold.train]} & {*segments["speaker"].iloc[fold.test]}
    (official,) = make_splits("official", segments)
    assert segments["session"].iloc[official.test].unique().tolist() == [5]
    assert len(official.valid)
    assert not {*official.valid} & {*official.test}


def test_iemocap_scenes_have_times_and_video(tmp_path: Path) -> None:
    make_iemocap(tmp_path)
    segments = load_iemocap(tmp_path, media="dialogues")
    assert segments["video"].iloc[1] == "Session1/dialog/avi/DivX/Ses01F_impro01.avi"
    assert segments["audio"].iloc[1] == "Session1/dialog/wav/Ses01F_impro01.wav"
    assert segments[["start", "end"]].iloc[1].tolist() == [6.2901, 8.2357]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (("neu\t", "neq\t"), "line 3: .* is not like"),
        (("2.5000, 2.5000, 2.0000", "2.5, 2.5"), "line 3: .* is not like"),
    ],
)
def test_iemocap_says_what_is_wrong(tmp_path: Path, wrong: tuple[str, str], message: str) -> None:
    make_iemocap(tmp_path, EVALUATION.replace(*wrong))
    with pytest.raises(ValueError, match=rf"Ses01F_impro01\.txt, {message}"):
        load_iemocap(tmp_path)


def test_iemocap_reports_votes_that_cannot_be_read(tmp_path: Path) -> None:
    make_iemocap(tmp_path, EVALUATION.replace("C-E2:\tNeutral;", "C-E2:\tBored;").replace("% [", "C-E1:\tAnger;\n% ["))
    segments = load_iemocap(tmp_path)
    assert segments["votes.neutral"].iloc[1] == 1
    assert segments.filter(like="votes.").iloc[0].sum() == 2
    told = [(fault["row"], fault["column"], fault["value"]) for fault in segments.attrs["faults"][:2]]
    assert told == [(1, "votes", "C-E1:\tAnger;"), (5, "votes", "C-E2:\tBored;\t()")]
    assert len(segments.attrs["faults"]) == 10


# EmoDB


def test_emodb_from_file_names(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    for path in ("wav/03a01Fa.wav", "copy/wav/03a01Fa.wav", "wav/14b09Wc.wav", "wav/04a01Fa.wav", "wav/notes.wav"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).touch()
    segments = load_emodb(tmp_path)
    assert segments["dialogue"].tolist() == ["03a01Fa", "14b09Wc"]
    assert segments["audio"].tolist() == ["wav/03a01Fa.wav", "wav/14b09Wc.wav"]
    assert segments["emotion"].tolist() == ["happiness", "anger"]
    assert segments[["speaker", "sex", "version"]].iloc[1].tolist() == ["14", "female", "c"]
    assert segments["text"].iloc[0] == "Der Lappen liegt auf dem Eisschrank."
    assert caplog.text.count("left out") == 2


# MSP-Podcast

CONSENSUS = """FileName,EmoClass,EmoAct,EmoVal,EmoDom,SpkrID,Gender,Split_Set
MSP-PODCAST_0001_0008.wav,N,2.2,4.0,2.6,30,Male,Test1
MSP-PODCAST_0001_0003.wav,A,5.9,2.5,5.1,31,Female,Test1
MSP-PODCAST_0002_0001_0004.wav,X,3.5,4.0,3.0,Unknown,Unknown,Train
MSP-PODCAST_0003_0001.wav,U,3.5,4.0,3.0,40,Female,Development
MSP-PODCAST_0004_0001.wav,C,3.5,4.0,3.0,41,Male,Test2
"""


def make_msp_podcast(root: Path, consensus: str = CONSENSUS) -> None:
    """Write labels, a transcript and the sound of one segment."""
    for folder in ("Labels", "Audios", "Transcripts"):
        (root / folder).mkdir()
    (root / "Labels" / "labels_consensus.csv").write_text(consensus)
    (root / "Transcripts" / "MSP-PODCAST_0001_0008.txt").write_text("So, well.\n")
    (root / "Audios" / "MSP-PODCAST_0001_0008.wav").touch()


def test_msp_podcast_as_released(tmp_path: Path) -> None:
    make_msp_podcast(tmp_path)
    (tmp_path / "Labels" / "labels_detailed.csv").write_text(
        "FileName,Worker,EmoClass_Major,EmoClass_Second\nMSP-PODCAST_0001_0008.wav,W1,N,\n"
        "MSP-PODCAST_0001_0008.wav,W2,Neutral,\nMSP-PODCAST_0001_0008.wav,W3,Other-bored,\n"
        "MSP-PODCAST_0001_0003.wav,W1,Angry,\n"
    )
    segments = load_msp_podcast(tmp_path)
    first, second, third = (row for _, row in segments.head(3).iterrows())
    assert first[["dialogue", "turn", "speaker", "sex", "emotion", "text"]].tolist() == [
        "MSP-PODCAST_0001", 1, "30", "male", "neutral", "So, well.",
    ]  # fmt: skip
    assert first[["valence", "arousal", "dominance"]].tolist() == [4.0, 2.2, 2.6]
    assert first[["votes.neutral", "votes.other", "votes.angry"]].tolist() == [2, 1, 0]
    assert second[["turn", "votes.angry"]].tolist() == [0, 1]
    assert third[["emotion", "speaker", "sex"]].isna().all()
    assert third.filter(like="votes.").sum() == 0
    assert segments["split"].fillna("").tolist() == ["test", "test", "train", "valid", ""]
    other = load_msp_podcast(tmp_path, test="Test2")
    assert other["split"].fillna("").tolist() == ["", "", "train", "valid", "test"]
    assert len(segments.attrs["faults"]) == 4  # files of sound that are not there


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (("_0003.wav,A", "_0003.wav,Q"), "line 3: 'Q' is not one of"),
        (("2.5", "low"), r"line 3: 'low' \(EmoVal\) is no number"),
        (("MSP-PODCAST_0003_0001.wav", "podcast3.wav"), "line 5: 'podcast3.wav' is not a name like"),
        (("EmoVal", "Val"), "line 1: no column 'EmoVal'"),
    ],
)
def test_msp_podcast_says_what_is_wrong(tmp_path: Path, wrong: tuple[str, str], message: str) -> None:
    make_msp_podcast(tmp_path, CONSENSUS.replace(*wrong))
    with pytest.raises(ValueError, match=rf"labels_consensus\.csv, {message}"):
        load_msp_podcast(tmp_path)


# MER2023


def make_mer2023(root: Path) -> None:
    """Write the tables of train and two tests, with one clip of each."""
    for part, ending in (("train", "avi"), ("test1", "mp4")):
        (root / part).mkdir()
        (root / part / f"sample_{part}.{ending}").touch()
    (root / "test-labels").mkdir()
    (root / "train-label.csv").write_text("name,discrete,valence\nsample_train,worried,-1.5\n")
    (root / "test-labels" / "test1-label.csv").write_text("name,discrete,valence\nsample_test1,hapy,2\n")
    (root / "test3-label.csv").write_text("name,discrete\nsample_test3,sad\n")
    (root / "transcription.csv").write_text("name,sentence\nsample_test1,\u4f60\u597d\n", "utf-8")


def test_mer2023_parts(tmp_path: Path) -> None:
    make_mer2023(tmp_path)
    segments = load_mer2023(tmp_path)
    assert segments["video"].tolist() == ["train/sample_train.avi", "test1/sample_test1.mp4"]
    assert segments["emotion"].tolist() == ["worried", "happy"]
    assert segments["valence"].tolist() == [-1.5, 2.0]
    assert segments["text"].tolist()[1] == "\u4f60\u597d"
    assert segments["split"].tolist() == ["train", "test"]
    assert [fault["value"] for fault in segments.attrs["faults"]] == ["hapy"]
    semi = load_mer2023(tmp_path, test="test3")
    assert semi["valence"].isna().tolist() == [False, True]
    assert semi["video"].isna().tolist() == [False, True]


# C-EXPR-DB


def make_c_expr_db(root: Path, line: str = "Other/26_Other_0,7,nobody is speaking") -> None:
    """Write three folds, called test or val, and a clip."""
    for number, (name, first) in enumerate(
        {"val": "Sadly-Fearful/26_Sadly-Fearful_4,5,Well, I think", "test": "Other/2_Other_1,7,", "val ": line}.items()
    ):
        (root / f"split-{number}").mkdir()
        (root / f"split-{number}" / f"{name.strip()}.txt").write_text(first + "\n")
    (root / "Other").mkdir()
    (root / "Other" / "2_Other_1.mp4").touch()


def test_c_expr_db_folds_and_videos(tmp_path: Path) -> None:
    make_c_expr_db(tmp_path)
    segments = load_c_expr_db(tmp_path)
    assert segments["emotion"].tolist() == ["sadly fearful", "other", "other"]
    assert segments["text"].tolist() == ["Well, I think", "", "nobody is speaking"]
    assert segments["fold"].tolist() == [0, 1, 2]
    assert segments["speaker"].tolist() == ["26", "2", "26"]
    assert segments["video"].iloc[1] == "Other/2_Other_1.mp4"
    assert [fold.test.tolist() for fold in make_splits(BySession("fold"), segments)] == [[0], [1], [2]]


@pytest.mark.parametrize("line", ["Other/26_Other_0,8,x", "Other/26_Other_0 7 x", "Other_0,7,x"])
def test_c_expr_db_says_what_is_wrong(tmp_path: Path, line: str) -> None:
    make_c_expr_db(tmp_path, line)
    with pytest.raises(ValueError, match=r"split-2/val\.txt, line 1: .* is not like"):
        load_c_expr_db(tmp_path)


def test_c_expr_db_clip_in_two_folds(tmp_path: Path) -> None:
    make_c_expr_db(tmp_path, "Other/2_Other_1,7,x")
    with pytest.raises(SegmentsError, match="is taken by row 1"):
        load_c_expr_db(tmp_path)


@pytest.mark.parametrize("name", ["c_expr_db", "crema_d", "emodb", "iemocap", "mer2023", "msp_podcast"])
def test_a_folder_without_the_corpus(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError, match="give the folder"):
        CORPORA[name](tmp_path)
