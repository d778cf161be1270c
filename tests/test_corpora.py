"""Corpus readers on small trees in the published layouts, and on the real ones where they are at hand."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import featmer.corpora
from featmer.corpora import (
    CORPORA,
    load_demo,
    load_manifest,
    load_meld,
    load_meld_feats,
    load_meld_feats_features,
    load_mosi,
    load_mosi_features,
    load_ravdess,
    load_ravdess_au,
)
from featmer.segments import SegmentsError, check_segments

MELD_HEADER = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime"


def test_every_reader_is_registered() -> None:
    modules = [
        importlib.import_module(f"featmer.corpora.{found.name}")
        for found in pkgutil.iter_modules(featmer.corpora.__path__)
        if not found.name.startswith("_")
    ]
    readers = {getattr(module, f"load_{module.__name__.rsplit('.', 1)[1]}") for module in modules}
    assert set(CORPORA.values()) == readers
    for module in modules:
        if not module.__name__.endswith("manifest"):
            assert all(module.LABELS.values()), f"{module.__name__} says no label set"


# manifest


def test_manifest_keeps_names_and_words_as_text_and_reads_numbers(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("\ufeffdialogue,turn,start,text,valence,note\n007,0,0.5,None,NA,x\n007,1,,1984,-0.25,\n", "utf-8")
    segments = load_manifest(path)
    assert segments["dialogue"].tolist() == ["007", "007"]
    assert segments["text"].tolist() == ["None", "1984"]
    assert segments["valence"].tolist()[1] == -0.25
    assert segments["valence"].isna().tolist() == [True, False]
    assert segments["start"].isna().tolist() == [False, True]
    assert segments["corpus"].unique() == ["mine"]
    assert "note" in segments
    assert segments.attrs == {"root": str(tmp_path), "faults": []}


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".parquet"])
def test_manifest_formats_agree(tmp_path: Path, ending: str) -> None:
    rows = pd.DataFrame(
        {"corpus": "c", "dialogue": ["a", "a"], "turn": [0, 1], "end": [1.5, np.nan], "text": ["Hi, you", "x\ty"]}
    )
    path = tmp_path / f"mine{ending}"
    if ending == ".parquet":
        rows.to_parquet(path)
    else:
        rows.to_csv(path, index=False, sep="," if ending == ".csv" else "\t")
    pd.testing.assert_frame_equal(load_manifest(path), rows)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
def test_manifest_mends_windows_characters(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "mine.csv"
    words = "caf\u00e9, it\u2019s \u2026" if encoding == "cp1252" else "caf\u00e9, it\u0092s \u0085"
    path.write_bytes(f'dialogue,turn,text\na,0,"{words}"\n'.encode(encoding))
    assert load_manifest(path)["text"].item() == "caf\u00e9, it\u2019s \u2026"


def test_manifest_reports_and_mends_by_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("dialogue,turn,emotion,audio\na,0,joy,\na,1,jyo,gone.wav\n")
    segments = load_manifest(path, labels={"emotion": ["joy", "anger"]})
    assert segments["emotion"].tolist() == ["joy", "joy"]
    typo, gone = segments.attrs["faults"]
    assert (typo["source"], typo["row"], typo["value"], typo["suggestion"]) == (str(path), 3, "jyo", "joy")
    assert (gone["row"], gone["column"], gone["value"]) == (3, "audio", "gone.wav")


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("mine.csv", "dialogue;turn\na;0\n", "separated by commas"),
        ("mine.tsv", "dialogue,turn\na,0\n", "separated by tabs"),
        ("mine.csv", "", "separated by commas"),
        ("mine.csv", "dialogue,turn\n", "no rows"),
        ("mine.xlsx", "", r"Choose from \['.csv', '.parquet', '.tsv'\]"),
        ("mine.csv", "dialog,trun\na,0\n", "did you mean 'dialog'"),
        ("mine.csv", "dialogue,turn,start\na,0,soon\n", "line 2, start: 'soon' is not a number"),
    ],
)
def test_manifest_says_what_is_wrong(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=message):
        load_manifest(tmp_path / name)


# demo


def test_demo_typo_is_mended_and_reported(tmp_path: Path) -> None:
    (tmp_path / "segments.csv").write_text(
        "corpus,dialogue,turn,speaker,start,end,audio,video,text,emotion,valence,arousal,split\n"
        "demo,d00,0,Ann,,,,,Oh.,suprise,0.1,0.7,train\n"
    )
    segments = load_demo(tmp_path)
    assert segments["emotion"].item() == "surprise"
    assert segments["arousal"].item() == 0.7
    assert segments.attrs["faults"][0]["value"] == "suprise"


# MELD


def make_meld(root: Path, *, unpacked: bool) -> None:
    """Write a MELD of a few utterances, with clips: in one folder, or as its archives unpack."""
    rows = {
        ("train", "train_splits"): [(0, 0, "neutral"), (125, 3, "joy"), (309, 0, "joi")],
        ("dev", "dev_splits_complete"): [(0, 0, "fear"), (110, 7, "anger")],
        ("test", "output_repeated_splits_test"): [(0, 0, "sadness"), (38, 4, "joy"), (220, 0, "neutral")],
    }
    for (part, clips), utterances in rows.items():
        folder = root / part if unpacked else root
        (folder / clips).mkdir(parents=True)
        lines = [MELD_HEADER]
        for number, (dialogue, turn, emotion) in enumerate(utterances):
            lines.append(
                f'{number},"It\u0092s, well",Joey,{emotion},neutral,{dialogue},{turn},8,21,"00:16:16,059","0:16:21,731"'
            )
            (folder / clips / f"dia{dialogue}_utt{turn}.mp4").touch()
        (folder / f"{part}_sent_emo.csv").write_text("\n".join(lines), "utf-8")


@pytest.mark.parametrize("unpacked", [False, True])
def test_meld_as_released(tmp_path: Path, unpacked: bool) -> None:
    make_meld(tmp_path, unpacked=unpacked)
    segments = load_meld(tmp_path)
    assert segments["dialogue"].tolist()[::3] == ["train_dia0", "valid_dia0", "test_dia38"]
    assert segments["split"].tolist() == ["train"] * 3 + ["valid"] * 2 + ["test"] * 3
    assert segments["text"].unique() == ["It\u2019s, well"]
    assert segments["episode_start"].iloc[0] == pytest.approx(976.059)
    assert segments["episode_end"].iloc[0] == pytest.approx(981.731)
    assert segments[["start", "end"]].isna().all(axis=None)
    assert segments["video"].iloc[0] == f"{'train/' * unpacked}train_splits/dia0_utt0.mp4"
    assert check_segments(segments, root=segments.attrs["root"]) is not None


def test_meld_knows_its_bad_clips_and_reports_its_typos(tmp_path: Path) -> None:
    make_meld(tmp_path, unpacked=False)
    segments = load_meld(tmp_path).set_index(["dialogue", "turn"])
    unusable = segments.index[segments["video"].isna()].tolist()
    assert unusable == [("train_dia125", 3), ("valid_dia110", 7)]
    noted = segments.index[segments["clip_note"].notna()].tolist()
    assert noted == [*unusable[:1], ("train_dia309", 0), *unusable[1:], ("test_dia38", 4), ("test_dia220", 0)]
    (typo,) = segments.attrs["faults"]
    assert (Path(typo["source"]).name, typo["row"], typo["value"]) == ("train_sent_emo.csv", 4, "joi")


def test_meld_without_clips_is_text(tmp_path: Path) -> None:
    make_meld(tmp_path, unpacked=False)
    for clip in tmp_path.rglob("*.mp4"):
        clip.unlink()
    assert len(load_meld(tmp_path).attrs["faults"]) == 7
    for folder in [path for path in tmp_path.iterdir() if path.is_dir()]:
        folder.rmdir()
    segments = load_meld(tmp_path)
    assert segments["video"].isna().all()
    assert len(segments.attrs["faults"]) == 1


def test_meld_real(shared_data: Callable[[str], Path]) -> None:
    segments = load_meld(shared_data("MELD"))
    assert segments["split"].value_counts().to_dict() == {"train": 9989, "test": 2610, "valid": 1109}
    assert segments.groupby("split")["dialogue"].nunique().to_dict() == {"train": 1038, "test": 280, "valid": 114}
    assert segments[segments["split"] == "test"]["emotion"].value_counts()["neutral"] == 1256
    assert segments["clip_note"].notna().sum() == 5
    assert segments[["speaker", "text", "emotion", "sentiment", "episode_start"]].notna().all(axis=None)
    assert segments.attrs["faults"] == []
    assert not segments["text"].str.contains("[\x80-\x9f]").any()


# MELD_feats


def make_meld_feats(root: Path, part: str, utterances: list[tuple[int, int, str]]) -> None:
    """Write a file of three arrays of features, each row full of its own number."""
    dialogues, turns, emotions = zip(*utterances, strict=True)
    numbers = np.arange(len(utterances), dtype=np.float32)[:, None]
    np.savez(
        root / f"meld_dev{part}_feats.npz",
        dialogue_id=np.array(dialogues),
        utterance_id=np.array(turns),
        emotion=np.array(emotions),
        sentiment=np.array(["neutral"] * len(turns)),
        speaker=np.array(["Joey"] * len(turns)),
        text_roberta_base=numbers + np.zeros(4, np.float32),
        audio_wav2vec2=numbers + 10 * dialogues[0] + np.zeros(3, np.float32),
        audio_mel=numbers + np.zeros(2, np.float32),
    )


def test_meld_feats_of_both_halves_follow_the_rows(tmp_path: Path) -> None:
    make_meld_feats(tmp_path, "_even", [(0, 0, "joy"), (0, 1, "feer")])
    make_meld_feats(tmp_path, "_odd", [(1, 0, "anger")])
    segments = load_meld_feats(tmp_path)
    assert segments["dialogue"].tolist() == ["valid_dia0", "valid_dia0", "valid_dia1"]
    assert segments["emotion"].tolist() == ["joy", "fear", "anger"]
    assert segments.attrs["faults"][0]["value"] == "feer"
    assert "split" not in segments
    block = load_meld_feats_features(tmp_path, segments.iloc[[2, 0]], "audio_wav2vec2")
    assert block.names[:2] == ("audio.wav2vec2.000", "audio.wav2vec2.001")
    np.testing.assert_array_equal(block.values[:, 0], [10, 0])
    strange = load_meld_feats_features(tmp_path, pd.DataFrame({"dialogue": ["valid_dia1"], "turn": [5]}), "audio_mel")
    assert strange.missing.all()
    assert strange.reasons[0].startswith("no row in meld_dev")


def test_meld_feats_twice_the_same_rows_are_a_fault(tmp_path: Path) -> None:
    make_meld_feats(tmp_path, "_even", [(0, 0, "joy")])
    make_meld_feats(tmp_path, "", [(0, 0, "joy"), (1, 0, "joy")])
    with pytest.raises(SegmentsError, match="turn"):
        load_meld_feats(tmp_path)


def test_meld_feats_real(shared_data: Callable[[str], Path]) -> None:
    root = shared_data("MELD_feats")
    segments = load_meld_feats(root)
    assert segments.attrs["faults"] == []
    widths = {"text_roberta_base": 768, "audio_wav2vec2": 768, "audio_mel": 300}
    for array, width in widths.items():
        block = load_meld_feats_features(root, segments, array)
        assert block.values.shape == (len(segments), width)
        assert not block.missing.any()
    released = load_meld(shared_data("MELD")).set_index(["dialogue", "turn"])
    rows = released.loc[pd.MultiIndex.from_frame(segments[["dialogue", "turn"]])]
    for column in ("speaker", "emotion", "sentiment"):
        assert rows[column].tolist() == segments[column].tolist()


# MOSI


def make_mosi(root: Path) -> None:
    """Write a CMU-MOSI of three monologues, one of whose utterances has no sound."""
    (root / "mosi_text_audio.csv").write_text(
        "id,video,utt,poria_split,sdk_split,sentiment,text,poria_label2\n"
        "-a_1_1,-a_1,1,train,train,-0.5,BEFORE I WENT IN,0\n"
        "-a_1_2,-a_1,2,train,train,2.2,NONE,1\n"
        "07_1,07,1,test,val,0,BUT I,1\n"
        "c_10,c,10,train,test,-3,OH,0\n"
    )
    audio = np.arange(6, dtype=np.float32).reshape(3, 2)
    np.savez(root / "mosi_audio73.npz", id=np.array(["07_1", "-a_1_2", "-a_1_1"]), audio=audio)


def test_mosi_monologues_and_their_sound(tmp_path: Path) -> None:
    make_mosi(tmp_path)
    segments = load_mosi(tmp_path)
    assert segments["dialogue"].tolist() == ["-a_1", "-a_1", "07", "c"]
    assert segments["turn"].tolist() == [1, 2, 1, 10]
    assert segments["sentiment"].tolist() == [-0.5, 2.2, 0.0, -3.0]
    assert segments["polarity"].tolist() == ["negative", "positive", "positive", "negative"]
    assert segments["split"].tolist() == ["train", "train", "test", "train"]
    assert load_mosi(tmp_path, splits="sdk")["split"].tolist() == ["train", "train", "valid", "test"]
    block = load_mosi_features(tmp_path, segments)
    assert block.names == ("audio.opensmile.00", "audio.opensmile.01")
    np.testing.assert_array_equal(block.values, [[4, 5], [2, 3], [0, 1], [np.nan, np.nan]])
    assert block.reasons[3] == "no row in mosi_audio73.npz"


def test_mosi_knows_two_splits_and_no_other(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Choose from"):
        load_mosi(tmp_path, splits="zadeh")  # type: ignore[arg-type]
    with pytest.raises(FileNotFoundError, match=r"mosi_text_audio\.csv is not there"):
        load_mosi(tmp_path)


def test_mosi_real(shared_data: Callable[[str], Path]) -> None:
    root = shared_data("MOSI")
    segments = load_mosi(root)
    published = pd.read_csv(root / "mosi_text_audio.csv")
    assert len(segments) == len(published)
    assert ((segments["polarity"] == "positive") == published["poria_label2"].astype(bool)).all()
    assert segments["sentiment"].between(-3, 3).all()
    assert segments.attrs["faults"] == []
    for splits in ("poria", "sdk"):
        assert load_mosi(root, splits=splits).groupby("dialogue")["split"].nunique().eq(1).all()
    block = load_mosi_features(root, segments)
    assert block.values.shape == (len(segments), 73)
    assert not block.missing.any()


# RAVDESS


def make_ravdess(root: Path) -> None:
    """Touch files in the layouts of the published archives, a repeated folder and strangers among them."""
    for path in [
        "Audio_Speech_Actors_01-24/Actor_01/03-01-01-01-01-01-01.wav",
        "Audio_Speech_Actors_01-24/audio_speech_actors_01-24/Actor_01/03-01-01-01-01-01-01.wav",
        "Video_Speech_Actor_01/Actor_01/02-01-01-01-01-01-01.mp4",
        "Video_Speech_Actor_01/Actor_01/01-01-01-01-01-01-01.mp4",
        "Video_Speech_Actor_12/Actor_12/02-01-06-02-02-01-12.mp4",
        "audio16k/Actor_12/03-02-03-01-01-02-12.flac",
        "Actor_12/03-01-09-01-01-02-12.wav",
        "notes/speech.wav",
        "notes/readme.txt",
    ]:
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()


def test_ravdess_from_file_names(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    make_ravdess(tmp_path)
    segments = load_ravdess(tmp_path).set_index("dialogue")
    assert segments.index.tolist() == ["01-01-01-01-01-01", "01-06-02-02-01-12", "02-03-01-01-02-12"]
    both, video, song = (row for _, row in segments.iterrows())
    assert both["audio"] == "Audio_Speech_Actors_01-24/Actor_01/03-01-01-01-01-01-01.wav"
    assert both["video"].endswith("01-01-01-01-01-01-01.mp4")
    assert video[["emotion", "intensity", "speaker", "sex"]].tolist() == ["fearful", "strong", "Actor_12", "female"]
    assert video["text"] == "Dogs are sitting by the door."
    assert pd.isna(video["audio"])
    assert song[["channel", "emotion", "repetition"]].tolist() == ["song", "happy", 2]
    assert caplog.text.count("left out") == 2


def test_ravdess_nowhere(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="Actor_01"):
        load_ravdess(tmp_path)


def test_ravdess_action_units_follow_the_rows(tmp_path: Path) -> None:
    ids = ["01-01-01-01-01-01-01", "01-01-06-02-02-01-12"]
    np.savez(tmp_path / "openface_au.npz", ids=ids, au=[[1.0, 2.0], [3.0, 4.0]], au_names=["AU01_r", "AU01_c"])
    segments = pd.DataFrame({"dialogue": ["01-06-02-02-01-12", "02-03-01-01-02-12", "01-01-01-01-01-01"]})
    block = load_ravdess_au(tmp_path, segments)
    assert block.names == ("face.openface.AU01_r", "face.openface.AU01_c")
    np.testing.assert_array_equal(block.values, [[3, 4], [np.nan, np.nan], [1, 2]])
    assert block.reasons.tolist() == ["", "no row in openface_au.npz", ""]


def test_ravdess_real(shared_data: Callable[[str], Path]) -> None:
    root = shared_data("RAVDESS")
    segments = load_ravdess(root)
    published = pd.read_csv(root / "metadata.csv")
    published["dialogue"] = published["id_av"].str[3:]
    both = segments.merge(published, on="dialogue", suffixes=("", "_published"))
    assert len(segments) == len(both)
    for column, other in {"emotion": "emotion_published", "intensity": "intensity_published", "sex": "gender"}.items():
        assert both[column].tolist() == both[other].tolist()
    assert segments.attrs["faults"] == []
    assert not load_ravdess_au(root, segments).missing.any()


def test_missing_media_do_not_stop_a_reader_but_bad_rows_do(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("dialogue,turn,video\na,0,gone.mp4\na,0,gone.mp4\n")
    with pytest.raises(SegmentsError, match="1 fault in the segments") as error:
        load_manifest(path)
    assert error.value.faults["column"].tolist() == ["turn"]
