"""The demo corpus: the same from the same seed, real files, and the field's accidents where they are said to be."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from featmer.corpora import load_demo
from featmer.demo import ACCIDENTS, make_corpus
from featmer.demo.compounds import PAIRS, write_compounds
from featmer.demo.face import LOOKS, Face
from featmer.demo.story import Cue, write_story
from featmer.demo.voice import VOICES, speak
from featmer.extractors import FaceLandmarks, OpenSmile
from featmer.media import MediaError, probe, read_audio, read_frames
from featmer.segments import check_segments


def _row(corpus: pd.DataFrame, accident: str) -> pd.Series:
    dialogue, turn = ACCIDENTS[accident]
    return corpus[(corpus.dialogue == dialogue) & (corpus.turn == turn)].iloc[0]


@pytest.fixture
def file_of(demo_corpus: pd.DataFrame) -> Callable[[str, str], Path]:
    """Return the function that finds the sound or video file of an accident."""
    return lambda accident, kind: Path(demo_corpus.attrs["root"]) / _row(demo_corpus, accident)[kind]


def test_segments_keep_the_schema(demo_corpus: pd.DataFrame) -> None:
    check_segments(demo_corpus, root=demo_corpus.attrs["root"])
    assert list(demo_corpus) == (
        ["corpus", "dialogue", "turn", "speaker", "start", "end", "audio", "video"]
        + ["text", "emotion", "valence", "arousal", "split"]
    )
    assert demo_corpus[["valence", "arousal"]].abs().max().max() <= 1
    assert demo_corpus.groupby("dialogue").split.nunique().eq(1).all()


def test_size_and_balance_are_those_of_the_field(demo_corpus: pd.DataFrame) -> None:
    dialogues = demo_corpus.groupby("dialogue")
    assert dialogues.ngroups == 35
    assert dialogues.size().between(4, 8).all()
    assert dialogues.speaker.nunique().between(1, 3).all()
    counts = demo_corpus.emotion.value_counts()
    assert counts.index[0] == "neutral"
    assert len(counts) == 7
    assert counts.min() >= 10
    assert (pd.crosstab(demo_corpus.split, demo_corpus.emotion) > 0).all(axis=None)


def test_moods_last_in_a_dialogue(demo_corpus: pd.DataFrame) -> None:
    before = demo_corpus.groupby("dialogue").emotion.shift()
    same = (demo_corpus.emotion == before)[before.notna()].mean()
    by_chance = (demo_corpus.emotion.value_counts(normalize=True) ** 2).sum()
    assert same > by_chance + 0.3


def test_words_alone_do_not_settle_the_emotion(demo_corpus: pd.DataFrame) -> None:
    emotions = demo_corpus.groupby("text").emotion.nunique()
    assert (emotions > 1).sum() >= 5
    assert demo_corpus.text.nunique() > 0.75 * len(demo_corpus)


def test_a_lost_file_is_made_again_exactly(demo_corpus: pd.DataFrame, tmp_path: Path) -> None:
    root = tmp_path / "half_made"
    shutil.copytree(demo_corpus.attrs["root"], root)
    lost = demo_corpus[demo_corpus.video.notna()].iloc[[0, 57, 120]]
    for path in [*lost.audio, *lost.video, "segments.csv"]:
        (root / path).unlink()
    again = make_corpus(root, random_state=0)
    pd.testing.assert_frame_equal(again, demo_corpus)
    for path in lost.audio:
        assert (root / path).read_bytes() == (Path(demo_corpus.attrs["root"]) / path).read_bytes()
    for path in lost.video:
        new, old = (list(read_frames(folder / path)) for folder in (root, Path(demo_corpus.attrs["root"])))
        assert len(new) == len(old)
        assert all(np.array_equal(a.image, b.image) for a, b in zip(new, old, strict=True))


def test_another_seed_tells_another_story() -> None:
    stories = [write_story(np.random.default_rng(seed)) for seed in (0, 0, 1)]
    assert stories[0] == stories[1]
    assert stories[0] != stories[2]


def test_a_finished_corpus_is_only_read(demo_corpus: pd.DataFrame) -> None:
    root = Path(demo_corpus.attrs["root"])
    made = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    pd.testing.assert_frame_equal(make_corpus(root, random_state=0), demo_corpus)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == made


def test_a_folder_of_something_else_is_left_alone(demo_corpus: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(FileExistsError, match='"random_state": 0.*expected.*"random_state": 7'):
        make_corpus(demo_corpus.attrs["root"], random_state=7)
    (tmp_path / "thesis.tex").touch()
    with pytest.raises(FileExistsError, match=r"thesis\.tex.*Choose another folder"):
        make_corpus(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_sound_and_pictures_last_equally_long(demo_corpus: pd.DataFrame) -> None:
    root = Path(demo_corpus.attrs["root"])
    for row in demo_corpus[demo_corpus.video.notna()].iloc[::40].itertuples():
        sound, film = probe(root / row.audio), probe(root / row.video)
        assert (film.width, film.height, film.fps) == (256, 256, 10)
        assert film.rate == sound.rate == 22050
        assert 0.4 < sound.duration < 4
        assert film.duration == pytest.approx(sound.duration, abs=0.2)


def test_silent_clip_has_no_sound_in_either_file(file_of: Callable[[str, str], Path]) -> None:
    assert not read_audio(file_of("silent", "audio")).any()
    assert not read_audio(file_of("silent", "video")).any()


def test_truncated_clip_cannot_be_opened_but_its_sound_file_can(file_of: Callable[[str, str], Path]) -> None:
    with pytest.raises(MediaError, match="truncated"):
        list(read_frames(file_of("truncated", "video")))
    assert read_audio(file_of("truncated", "audio")).any()


def test_shortest_clip_lasts_a_tenth_of_a_second(file_of: Callable[[str, str], Path]) -> None:
    assert probe(file_of("0.1 s", "audio")).duration == pytest.approx(0.1, abs=0.001)
    assert len(list(read_frames(file_of("0.1 s", "video")))) == 1


def test_one_video_is_not_named(demo_corpus: pd.DataFrame) -> None:
    assert list(demo_corpus.index[demo_corpus.video.isna()]) == [_row(demo_corpus, "no video").name]


def test_label_typo_is_in_the_file_and_mended_by_the_reader(
    demo_corpus: pd.DataFrame, caplog: pytest.LogCaptureFixture
) -> None:
    written = pd.read_csv(Path(demo_corpus.attrs["root"]) / "segments.csv")
    assert _row(written, "label typo").emotion == "suprise"
    assert _row(load_demo(demo_corpus.attrs["root"]), "label typo").emotion == "surprise"
    assert "suprise" in caplog.text


def test_accidents_are_spread_over_the_splits(demo_corpus: pd.DataFrame) -> None:
    rows = [_row(demo_corpus, accident) for accident in ACCIDENTS]
    assert len({row.name for row in rows}) == len(ACCIDENTS) == 7
    assert {row.split for row in rows} == {"train", "valid", "test"}


def _faces(path: Path) -> list[int]:
    """Return how many faces MediaPipe finds in each frame of a file."""
    face = FaceLandmarks(fps=3.0)
    return [face.describe(frame)[1]["face_count"] for frame in read_frames(path, fps=3.0)]


def test_mediapipe_finds_the_faces_there_are(demo_corpus: pd.DataFrame, file_of: Callable[[str, str], Path]) -> None:
    assert set(_faces(file_of("no face", "video"))) == {0}
    assert set(_faces(file_of("two faces", "video"))) == {2}
    accidents = {_row(demo_corpus, accident).name for accident in ACCIDENTS}
    plain = demo_corpus.drop(index=accidents).drop_duplicates(["speaker"])
    for path in plain.video:
        assert set(_faces(Path(demo_corpus.attrs["root"]) / path)) == {1}


def test_voice_follows_the_emotion(demo_corpus: pd.DataFrame) -> None:
    root = Path(demo_corpus.attrs["root"])
    smile = OpenSmile()
    column = {name: n for n, name in enumerate(smile.names)}
    pitch = next(n for name, n in column.items() if "F0semitone" in name and name.endswith("nz_amean"))
    loud = next(n for name, n in column.items() if name.endswith("loudness_sma3_amean"))
    accidents = {_row(demo_corpus, accident).name for accident in ACCIDENTS}
    means = {
        emotion: np.mean([smile.describe(read_audio(root / path), 16000) for path in rows.audio.head(15)], axis=0)
        for emotion, rows in demo_corpus.drop(index=accidents).groupby("emotion")
        if emotion in ("anger", "sadness")
    }
    assert means["anger"][loud] > 1.2 * means["sadness"][loud]
    assert means["anger"][pitch] > means["sadness"][pitch]


# two emotions at once, where they are asked for


def test_compound_clips_are_balanced_and_show_their_two_emotions_only() -> None:
    turns = write_compounds(np.random.default_rng(0))
    assert turns == write_compounds(np.random.default_rng(0))
    assert pd.Series([turn.emotion for turn in turns]).value_counts().to_dict() == dict.fromkeys(PAIRS, 24)
    shown = [
        ({cue.emotion, cue.second} - {None}, PAIRS[turn.emotion]) for turn in turns for cue in (turn.voice, turn.face)
    ]
    assert all(emotions <= set(pair) for emotions, pair in shown)
    assert 0.4 < np.mean([len(emotions) == 2 for emotions, _ in shown]) < 0.6


def test_a_face_shows_two_expressions_at_once() -> None:
    face, silence = Face(), np.zeros(8)
    cues = {"joy": Cue("joy", 1.0), "surprise": Cue("surprise", 1.0), "both": Cue("joy", 1.0, "surprise")}
    shown = {
        name: np.stack(list(face.perform(LOOKS["Ada"], cue, silence, 10, np.random.default_rng(0)))).astype(float)
        for name, cue in cues.items()
    }
    apart = {pair: np.abs(shown[pair[0]] - shown[pair[1]])[5:].mean() for pair in combinations(cues, 2)}
    assert min(apart["joy", "both"], apart["surprise", "both"]) > 1
    assert max(apart["joy", "both"], apart["surprise", "both"]) < apart["joy", "surprise"]


def test_a_voice_of_two_emotions_lies_between_theirs() -> None:
    cues = [Cue("anger", 1.0), Cue("anger", 1.0, "sadness"), Cue("sadness", 1.0)]
    signals, _ = speak([("I left the keys.", VOICES["Ada"], cue) for cue in cues], np.random.default_rng(0))
    loud, between, quiet = (20 * np.log10(signal.std()) for signal in signals)
    assert loud - 3 > between > quiet + 3
    assert len(signals[0]) < len(signals[1]) < len(signals[2])


def test_compound_rows_are_added_and_change_no_other(
    demo_corpus: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("featmer.demo.film", lambda *_: None)
    both = make_corpus(tmp_path, compound=True)
    columns = ["dialogue", "turn", "speaker", "text", "emotion", "valence", "arousal", "split"]
    pd.testing.assert_frame_equal(both[: len(demo_corpus)][columns], demo_corpus[columns], check_dtype=False)
    added = both[len(demo_corpus) :]
    assert added["emotion"].isna().all()
    assert set(added["compound"]) == set(PAIRS)
    assert both["compound"][: len(demo_corpus)].isna().all()
    assert "compound" not in demo_corpus
    assert added.groupby("compound")["valence"].mean().idxmax() == "happily surprised"
    with pytest.raises(FileExistsError, match='"compound": true.*expected'):
        make_corpus(tmp_path)
