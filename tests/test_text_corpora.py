"""Readers of corpora of texts: small files in the published layouts, and the real ones where at hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from featmer.corpora import (
    CORPORA,
    load_emobank,
    load_emobank_ratings,
    load_goemotions,
    load_meisd,
    load_semeval2018,
)
from featmer.labels import map_labels


def label_sets(segments: pd.DataFrame) -> list[set[str]]:
    marks = segments.filter(like="labels.").rename(columns=lambda column: column.removeprefix("labels."))
    return [{label for label in marks if row[label] == 1} for _, row in marks.iterrows()]


# GoEmotions


def test_goemotions_parts_and_sets(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    for number, part in enumerate(("train", "dev", "test")):
        (tmp_path / "data" / f"{part}.tsv").write_text(f'He said "no\t2,3\tid{number}a\nOk.\t27\tid{number}b\n')
    segments = load_goemotions(tmp_path)
    assert segments["split"].tolist() == ["train", "train", "valid", "valid", "test", "test"]
    assert segments["text"].tolist()[:2] == ['He said "no', "Ok."]
    assert label_sets(segments)[:2] == [{"anger", "annoyance"}, {"neutral"}]


@settings(max_examples=30, deadline=None)
@given(st.lists(st.text(st.characters(exclude_categories=["Cc", "Cs"]), min_size=1), min_size=1))
def test_goemotions_keeps_any_text(tmp_path_factory: pytest.TempPathFactory, texts: list[str]) -> None:
    root = tmp_path_factory.mktemp("goemotions")
    for part in ("train", "dev", "test"):
        lines = [f"{text}\t0\t{part}{number}\r\n" for number, text in enumerate(texts)]
        (root / f"{part}.tsv").write_bytes("".join(lines).encode())
    segments = load_goemotions(root)
    first, *rest = texts
    assert segments["text"].tolist()[: len(texts)] == [first.removeprefix("\ufeff"), *rest]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("Hi.\t2", "line 2: 2 fields between tabs; expected 3: text, labels, id"),
        ("Hi.\t28\tid2", "line 2: the labels are '28'; expected numbers from 0 to 27"),
        ("Hi.\tjoy\tid2", "line 2: the labels are 'joy'"),
        ("Hi.\t1\tid1", "line 2: id 'id1' is taken by line 1 already"),
    ],
)
def test_goemotions_says_what_is_wrong(tmp_path: Path, line: str, message: str) -> None:
    for part in ("train", "dev", "test"):
        (tmp_path / f"{part}.tsv").write_text(f"Ok.\t27\tid1\n{line}\n")
    with pytest.raises(ValueError, match=rf"train\.tsv, {message}"):
        load_goemotions(tmp_path)


def test_goemotions_real(shared_data: Callable[[str], Path]) -> None:
    segments = load_goemotions(shared_data("GoEmotions"))
    assert segments["split"].value_counts().to_dict() == {"train": 43410, "test": 5427, "valid": 5426}
    marks = segments.filter(like="labels.")
    assert marks.shape[1] == 28
    assert (marks.sum(axis=1) > 1)[segments["split"] == "train"].mean() == pytest.approx(0.164, abs=0.0005)
    assert marks[segments["split"] == "train"].sum()[["labels.neutral", "labels.grief"]].tolist() == [14219, 77]
    # Mapped to Ekman, the first rows are what the authors' own Ekman files say.
    published = pd.read_csv(shared_data("GoEmotions") / "ekman" / "dev.tsv", sep="\t", header=None, quoting=3)
    names = (shared_data("GoEmotions") / "ekman" / "labels.txt").read_text().split()
    part = segments[segments["split"] == "valid"].head(300)
    mapped = map_labels([sorted(labels) for labels in label_sets(part)], "goemotions", "ekman_neutral").labels
    expected = [{names[int(number)] for number in numbers.split(",")} for numbers in published[1].astype(str).head(300)]
    assert list(map(set, mapped)) == expected


# SemEval-2018


def test_semeval2018_in_the_organisers_layout(tmp_path: Path) -> None:
    folder = tmp_path / "Spanish" / "E-c"
    folder.mkdir(parents=True)
    header = "ID\tTweet\tanger\tanticipation\tdisgust\tfear\tjoy\tlove\toptimism\tpessimism\tsadness\tsurprise\ttrust"
    marks = {"train": "1\t0\t1\t0\t0\t0\t0\t0\t0\t0\t0", "dev": "\t".join("0" * 11), "test": "\t".join(["NONE"] * 11)}
    for part, marked in marks.items():
        (folder / f"2018-E-c-Es-{part}.txt").write_text(f"{header}\n2018-Es-{part}\t¡No!\\nQué\t{marked}\n", "utf-8")
    segments = load_semeval2018(tmp_path, language="es")
    assert segments["split"].tolist() == ["train", "valid", "test"]
    assert segments["text"].tolist() == ["¡No!\nQué"] * 3
    assert label_sets(segments) == [{"anger", "disgust"}, set(), set()]
    assert segments["labels.joy"].isna().tolist() == [False, False, True]


def test_semeval2018_says_what_is_wrong(tmp_path: Path) -> None:
    for part in ("train", "test"):
        (tmp_path / f"ar_{part}.txt").write_text("2018-Ar-1\tx\t" + "\t".join("00000200000"))
    with pytest.raises(ValueError, match=r"ar_train\.txt, line 1: the labels are .*; expected 0 or 1"):
        load_semeval2018(tmp_path)
    with pytest.raises(FileNotFoundError, match="2018-E-c-En-train"):
        load_semeval2018(tmp_path, language="en")


def test_semeval2018_real(shared_data: Callable[[str], Path]) -> None:
    segments = load_semeval2018(shared_data("SemEval2018_Ec_Ar"))
    assert segments["split"].value_counts().to_dict() == {"train": 2863, "test": 1518}
    marks = segments[segments["split"] == "train"].filter(like="labels.")
    assert marks.sum().tolist() == [1114, 263, 539, 485, 784, 737, 730, 624, 1059, 60, 156]
    correlations = marks.corr()
    for (one, other), expected in {
        ("joy", "love"): 0.59,
        ("joy", "optimism"): 0.57,
        ("anger", "disgust"): 0.52,
        ("joy", "anger"): -0.45,
    }.items():
        assert correlations.loc[f"labels.{one}", f"labels.{other}"] == pytest.approx(expected, abs=0.005)
    assert (
        segments["text"].iloc[0].startswith("\u0638\u0644\u064a\u0646\u0627")
    )  # right-to-left, stored in reading order
    assert not segments["text"].str.contains(r"\n", regex=False).any()


# EmoBank


def make_emobank(root: Path) -> None:
    (root / "emobank.csv").write_text(
        'id,split,V,A,D,text\ns_1,train,3.0,2.5,3.2,"He said ""no"""\ns_2,dev,1,5,3,b\ns_3,test,2,2,2,None\n'
    )
    (root / "reader.csv").write_text('"id","V","A","D"\n"s_3","4","4","4"\n"s_1","2","2","2"\n"s_9","2","2","2"\n')
    (root / "individual_writer_ratings.csv").write_text("id,V,A,D\ns_1,1,2,3\ns_1,3,2,3\n")


def test_emobank_perspectives_and_ratings(tmp_path: Path) -> None:
    make_emobank(tmp_path)
    segments = load_emobank(tmp_path)
    assert segments["split"].tolist() == ["train", "valid", "test"]
    assert segments["text"].tolist() == ['He said "no"', "b", "None"]
    assert segments[["valence", "arousal", "dominance"]].iloc[0].tolist() == [3.0, 2.5, 3.2]
    assert load_emobank(tmp_path, perspective="reader")["valence"].fillna(0).tolist() == [2.0, 0.0, 4.0]
    assert load_emobank_ratings(tmp_path, "writer").loc["s_1", "valence"].tolist() == [1, 3]


def test_emobank_says_what_is_wrong(tmp_path: Path) -> None:
    make_emobank(tmp_path)
    with pytest.raises(ValueError, match=r"Unknown perspective 'both'. Choose from \['reader', 'writer'\]"):
        load_emobank_ratings(tmp_path, "both")  # type: ignore[arg-type]
    (tmp_path / "emobank.csv").write_text("id,split,V,A,D,text\ns_1,train,3,2,3,a\ns_2,train,3,9,3,a\n")
    with pytest.raises(ValueError, match=r"emobank\.csv, line 3: the values are .*; expected three numbers from 1 to"):
        load_emobank(tmp_path)


def test_emobank_real(shared_data: Callable[[str], Path]) -> None:
    root = shared_data("EmoBank")
    segments = load_emobank(root)
    assert segments["split"].value_counts().to_dict() == {"train": 8062, "test": 1000, "valid": 1000}
    first = segments.set_index("dialogue").loc["110CYL068_1036_1079"]
    assert first[["valence", "arousal", "dominance", "split"]].tolist() == [3.0, 3.0, 3.2, "train"]
    ratings = load_emobank_ratings(root, "reader")
    assert len(ratings) == 53055
    reader = load_emobank(root, perspective="reader").set_index("dialogue")
    means = ratings.groupby("dialogue").mean().reindex(reader.index)
    assert (means["valence"] - reader["valence"]).abs().median() == pytest.approx(0, abs=1e-9)


# MEISD

MEISD_HEADER = (
    "TV Series,Utterances,dialog_ids,uttr_ids,seasons,episodes,start_times,end_times,"
    "sentiment,emotion,intensity,emotion2,intensity2,emotion3,intensity3\n"
)


def test_meisd_mends_what_it_can_and_reports_the_rest(tmp_path: Path) -> None:
    (tmp_path / "MEISD_text.csv").write_text(
        MEISD_HEADER
        + 'GOT,"Well, no",1,0,1,8,00:00:01:500,00:00:03:000,Negative , faer,2,Digust,1`,sadness,3\n'
        + "GOT,Yes,1,1,1,8,00:00:03:000,00:01:03:250,positve,neutral,,df,neu,,\n"
        + "GOT,Again,1,0,1,9,00:00:01:500,00:00:03:000,neutral,ANGER,`,anger,3,,\n"
    )
    segments = load_meisd(tmp_path)
    assert segments["dialogue"].tolist() == ["GOT-1-8-1", "GOT-1-8-1", "GOT-1-9-1"]
    assert segments["episode_end"].tolist() == [3.0, 63.25, 3.0]
    assert segments["sentiment"].tolist() == ["negative", "positive", "neutral"]
    assert segments["emotion"].tolist() == ["fear", "neutral", "anger"]
    assert label_sets(segments) == [{"fear", "disgust", "sadness"}, {"neutral"}, {"anger"}]
    assert segments[["intensity", "intensity2"]].sum().tolist() == [2.0, 4.0]
    told = {(fault["row"], fault["column"], fault["value"]): fault["suggestion"] for fault in segments.attrs["faults"]}
    assert told == {
        (2, "emotion", "faer"): "fear",
        (2, "emotion2", "digust"): "disgust",
        (2, "intensity2", "1`"): "1",
        (3, "sentiment", "positve"): "positive",
        (3, "emotion2", "df"): "",
        (3, "intensity2", "neu"): "",
        (4, "intensity", "`"): "",
    }


def test_meisd_numbers_turns_anew_where_numbers_repeat(tmp_path: Path) -> None:
    lines = [f"GOT,Yes,{dialogue},{turn},1,8,,,positive,joy,1,,,,\n" for dialogue in (1, 2) for turn in (3, 0, "", 3)]
    (tmp_path / "MEISD_text.csv").write_text(MEISD_HEADER + "".join(lines[:6]))
    segments = load_meisd(tmp_path)
    assert segments["turn"].tolist() == [0, 1, 2, 3, 3, 0]
    told = [(fault["row"], fault["column"], fault["problem"]) for fault in segments.attrs["faults"]]
    assert told == [
        (4, "turn", "the value is missing"),
        (5, "turn", "of dialogue 'GOT-1-8-1' is taken by row 2 already"),
    ]
    assert segments["episode_start"].isna().all()


def test_meisd_says_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "MEISD_text.csv").write_text("TV Series,Utterance\n")
    with pytest.raises(ValueError, match=r"MEISD_text\.csv, line 1: no column 'seasons'"):
        load_meisd(tmp_path)


def test_meisd_real(shared_data: Callable[[str], Path]) -> None:
    segments = load_meisd(shared_data("MEISD"))
    published = pd.read_csv(shared_data("MEISD") / "MEISD_text.csv", dtype=str)
    assert len(segments) == len(published)
    assert segments["emotion"].notna().all()
    # Nothing is lost but what the faults name.
    lost = [fault for fault in segments.attrs["faults"] if not fault["suggestion"]]
    assert published["emotion2"].notna().sum() - segments["emotion2"].notna().sum() == sum(
        fault["column"] == "emotion2" for fault in lost
    )
    sets = segments.filter(like="labels.").sum(axis=1)
    assert sets.between(1, 3).all()
    assert (sets > 1).mean() == pytest.approx(0.45, abs=0.02)
    assert segments["intensity"].dropna().isin([1, 2, 3]).all()
    typos = {fault["value"] for fault in segments.attrs["faults"]} & {"faer", "digust", "positve"}
    assert typos == {"faer", "digust", "positve"}


@pytest.mark.parametrize("name", ["emobank", "goemotions", "meisd", "semeval2018"])
def test_a_folder_without_the_corpus(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError, match="is not there; give the folder"):
        CORPORA[name](tmp_path)
