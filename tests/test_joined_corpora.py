"""Several corpora as one, from their files to a model that is tested on the corpus it did not see."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from featmer import Block, FeatureTable, evaluate
from featmer.baselines import LinearClassifier
from featmer.corpora import join_corpora, load_emocontext, load_meld
from featmer.evaluation.leaks import find_leaks
from featmer.evaluation.splits import Split, make_splits
from featmer.segments import check_segments

RUN = Path(__file__).parents[1] / "experiments" / "run.py"
SAID = {
    "joy": "this is the best day of my life, number {}",
    "sadness": "I miss her so much that I cannot sleep, number {}",
    "anger": "get out of my house and never come back, number {}",
    "disgust": "there is an old sock in my soup, number {}",
}
CHATS = {"joy": "happy", "sadness": "sad", "anger": "angry"}


@pytest.fixture
def trees(tmp_path: Path) -> Path:
    """Write MELD and EmoContext as published; in each part, dialogues of three turns."""
    meld, chats = tmp_path / "MELD", tmp_path / "EmoContext_SemEval2019"
    meld.mkdir()
    chats.mkdir()
    for number, part in enumerate(("train", "dev", "test")):
        rows, lines = [], ["id\tturn1\tturn2\tturn3\tlabel"]
        for dialogue in range(16):
            for turn, emotion in enumerate(list(SAID)[dialogue % 2 : dialogue % 2 + 3]):
                rows.append((SAID[emotion].format(f"{number}{dialogue}"), "Joey", emotion, "neutral", dialogue, turn))
        for chat, label in enumerate([*CHATS, "others"] * 6):
            said = SAID.get(label, "what is your name, number {}").format(f"{number}{chat} of chats")
            lines.append(f"{chat}\thi\thello\t{said}\t{CHATS.get(label, label)}")
        columns = ["Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID"]
        released = pd.DataFrame(rows, columns=columns).assign(
            Season=1, Episode=1, StartTime="0:0:1,0", EndTime="0:0:2,0"
        )
        released.rename_axis("Sr No.").to_csv(meld / f"{part}_sent_emo.csv")
        (chats / f"{part}.txt").write_text("\n".join(lines))
    return tmp_path


def load(trees: Path) -> dict[str, pd.DataFrame]:
    return {"meld": load_meld(trees / "MELD"), "chats": load_emocontext(trees / "EmoContext_SemEval2019")}


def with_features(segments: pd.DataFrame, seed: int = 0) -> FeatureTable:
    """Return a table whose features tell the label, with noise."""
    codes = pd.factorize(segments["emotion"], sort=True)[0]
    values = np.random.default_rng(seed).standard_normal((len(segments), 4)) + 3 * np.eye(4)[codes]
    return FeatureTable(segments, {"text": Block(values, [f"text.{i}" for i in range(4)])})


def test_labels_of_all_corpora_stay_and_the_others_are_reported(trees: Path, caplog: pytest.LogCaptureFixture) -> None:
    parts = load(trees)
    with caplog.at_level(logging.WARNING):
        joined = join_corpora(parts)
    assert joined["corpus"].value_counts().to_dict() == {"meld": 144, "emocontext": 216}
    assert set(joined["emotion"].dropna()) == set(CHATS)
    for corpus, found in joined.groupby("corpus"):
        assert set(found["emotion"].dropna()) == set(CHATS), corpus
    told = [record.getMessage() for record in caplog.records]
    assert told == [
        "emocontext loses labels: others has no counterpart in 'ekman_neutral' (18 rows)",
        "meld loses labels: disgust is not in every corpus (24 rows)",
    ]
    assert joined["emotion"].isna().sum() == 24 + 18 + 2 * 72  # and two turns of each chat, which nobody annotated
    assert parts["chats"]["emotion"].isin(["happy"]).any(), "what was given is not changed"


def test_media_are_found_from_anywhere_and_faults_are_kept(trees: Path) -> None:
    clips = trees / "MELD" / "train_splits"
    clips.mkdir()
    (clips / "dia0_utt0.mp4").touch()
    parts = load(trees)
    joined = join_corpora(parts)
    assert joined["video"].dropna().tolist()[0] == str(clips / "dia0_utt0.mp4")
    assert check_segments(joined.head(1), root=joined.attrs["root"]) is not None
    assert joined.loc[joined["corpus"] == "emocontext", "video"].isna().all()
    assert joined.attrs["faults"] == parts["meld"].attrs["faults"]
    assert len(joined.attrs["faults"]) > 0


def test_what_cannot_be_joined(trees: Path) -> None:
    parts = load(trees)
    with pytest.raises(ValueError, match="give two or more, each once"):
        join_corpora({})
    with pytest.raises(ValueError, match=r"To join are corpora \['meld', 'meld'\]"):
        join_corpora({"a": parts["meld"], "b": parts["meld"]})
    calm = parts["chats"].assign(emotion=parts["chats"]["emotion"].where(parts["chats"]["emotion"].eq("others")))
    with pytest.raises(ValueError, match="No emotion is in every corpus"):
        join_corpora({"a": parts["meld"], "b": calm})
    with pytest.raises(ValueError, match="No label space is known of corpus 'films'"):
        join_corpora({"a": parts["meld"], "b": parts["chats"].assign(corpus="films")})
    named = join_corpora(
        {"a": parts["meld"], "b": parts["chats"].assign(corpus="films")}, sources={"films": "emocontext"}
    )
    assert set(named["corpus"]) == {"meld", "films"}


def test_each_corpus_is_asked_once_by_models_that_saw_the_other(trees: Path) -> None:
    table = with_features(join_corpora(load(trees)))
    results = evaluate(
        {"linear": LinearClassifier()},
        table,
        splitter="leave_one_corpus_out",
        metrics=["uar"],
        seeds=[0],
        progress=False,
    )
    found = results[(results["model"] == "linear") & (results["part"] == "test") & results["fold"].notna()]
    assert sorted(found["n_rows"]) == [54, 120]  # of chats and series; what lost its label is not asked about
    assert (found["value"] > 0.8).all()
    for fold in make_splits("leave_one_corpus_out", table.segments):
        corpora = [set(table.segments["corpus"].iloc[rows]) for rows in (fold.train, fold.test)]
        assert not corpora[0] & corpora[1]


def test_sentences_of_two_corpora_are_a_leak(trees: Path) -> None:
    segments = join_corpora(load(trees))
    series = np.flatnonzero(segments["corpus"] == "meld")
    chats = np.flatnonzero(segments["corpus"] == "emocontext")
    ends = chats[2::3]
    split = [Split(series, np.array([], int), chats)]
    assert find_leaks(with_features(segments), split) == []  # "hello" and "hi" alone are said anywhere

    def said_again(n_rows: int, change=str) -> pd.DataFrame:
        text = segments["text"].astype(object).copy()
        text.iloc[ends[:n_rows]] = [change(line) for line in segments["text"].iloc[series[:n_rows]]]
        return segments.assign(text=text)

    (leak,) = find_leaks(with_features(said_again(20)), split)
    assert (leak.kind, leak.parts, leak.n_found) == ("texts", "train and test", 20)
    assert leak.evidence.startswith("20 of 72 sentences of test are word for word in train too, in another corpus")
    assert "emocontext and meld: 'this is the best day of my life, number 00'" in leak.evidence
    assert "leave shared rows out of training" in leak.advice
    (loud,) = find_leaks(with_features(said_again(20, lambda line: line.upper().replace(",", " -") + "!")), split)
    assert loud.n_found == 20, "case and punctuation make no other sentence"
    assert find_leaks(with_features(said_again(5)), split) == []  # less than a tenth
    one = said_again(20).assign(corpus="meld", dialogue=segments["corpus"] + segments["dialogue"].astype(str))
    assert find_leaks(with_features(one), split) == []  # people repeat themselves within a corpus


@pytest.mark.slow
@pytest.mark.parametrize("experiment", ["leave_one_corpus_out", "cross_corpus"])
def test_the_experiments_from_files_to_page(trees: Path, experiment: str) -> None:
    command = [sys.executable, str(RUN), f"experiment={experiment}", "data=.", "seed=0", "n_jobs=1", "model=linear"]
    done = subprocess.run(command, cwd=trees, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    page = Path(done.stdout.strip().splitlines()[-1])
    assert page.parent.name == f"meld+emocontext-{experiment}"
    assert (page.parents[2] / "tables" / "meld+emocontext-text.parquet").is_file()
    (results,) = (page.parents[2] / "results").glob("*results*.parquet")
    asked = pd.read_parquet(results).query("model == 'linear' and part == 'test' and fold.notna()")
    assert set(asked["n_rows"]) == ({54} if experiment == "cross_corpus" else {54, 120})
