"""MMSA's pickles: converted once, by an unpickler that can make arrays and nothing else."""

from __future__ import annotations

import datetime
import io
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from featmer.corpora import (
    CORPORA,
    convert_mmsa,
    load_ch_sims,
    load_mmsa_features,
    load_mosei,
    load_mosi_mmsa,
)
from featmer.segments import SegmentsError
from featmer.table import FeatureTable

WIDTHS = {"audio": 5, "vision": 20, "text": 7}


def make_part(names: list[str], sentiment: list[float], *, aligned: bool = False) -> dict[str, Any]:
    """Return a part in MMSA's form: row i has i + 1 real frames of each modality, the rest zeros."""
    lengths = np.arange(1, len(names) + 1)
    part: dict[str, Any] = {
        "id": np.array(names, dtype=object),
        "raw_text": np.array([f"said {name}" for name in names]),
        "regression_labels": np.array(sentiment, np.float32),
        "classification_labels": np.zeros(len(names)),
        "annotations": np.array(["Neutral"] * len(names)),
        "text_bert": np.zeros((len(names), 3, 4), np.float32),
    }
    for modality, width in WIDTHS.items():
        part[modality] = np.zeros((len(names), 4, width))
        for row, length in enumerate(lengths):
            part[modality][row, :length] = row + np.arange(1, width + 1)
    for row, length in enumerate(lengths):
        part["text_bert"][row, 1, :length] = 1
    if not aligned:
        part |= {f"{modality}_lengths": lengths.tolist() for modality in ("audio", "vision")}
    return part


def make_parts(*, aligned: bool = False) -> dict[str, Any]:
    return {
        "train": make_part(["-a_b$_$1", "-a_b$_$10", "c$_$0001"], [-2.5, 0.0, 3.0], aligned=aligned),
        "valid": make_part(["d$_$2"], [0.4], aligned=aligned),
        "test": make_part(["e$_$0", "e$_$1"], [1, -1], aligned=aligned),
    }


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("protocol", range(6))
def test_a_pickle_becomes_a_table(tmp_path: Path, aligned: bool, protocol: int) -> None:
    parts = make_parts(aligned=aligned)
    parts["train"]["audio"][1, 0, 0] = -np.inf
    parts["train"]["vision"][2] = 0
    content = pickle.dumps(parts, protocol)
    if protocol == 2:  # written by NumPy 1, as MMSA's files are
        content = content.replace(b"numpy._core", b"numpy.core")
        assert b"numpy.core.multiarray" in content
        assert b"_codecs" in content
    (tmp_path / "m.pkl").write_bytes(content)
    table = convert_mmsa(tmp_path / "m.pkl", tmp_path / "MOSEI", corpus="mosei")

    segments = load_mosei(tmp_path / "MOSEI")
    assert segments["dialogue"].tolist() == ["-a_b", "-a_b", "c", "d", "e", "e"]
    assert segments["turn"].tolist() == [1, 10, 1, 2, 0, 1]
    assert segments["split"].tolist() == ["train"] * 3 + ["valid"] + ["test"] * 2
    assert segments["sentiment"].tolist()[:3] == [-2.5, 0.0, 3.0]
    assert segments["polarity"].tolist()[:3] == ["negative", "neutral", "positive"]
    assert segments["text"].iloc[0] == "said -a_b$_$1"

    audio = load_mmsa_features(tmp_path / "MOSEI", segments.iloc[[1, 0]], "audio")
    assert audio.names[0] == "audio.mmsa.000"
    assert audio.lengths.tolist() == [2, 1]
    np.testing.assert_array_equal(audio.values[0], [[np.nan, 3, 4, 5, 6], [2, 3, 4, 5, 6]])
    face = load_mmsa_features(tmp_path / "MOSEI", segments, "face")
    assert face.missing.tolist() == [False, False, True, False, False, False]
    assert face.reasons[2] == "no frames in MMSA's features"
    assert table.blocks["text"].lengths.tolist() == [1, 2, 3, 1, 1, 2]
    assert FeatureTable.load(tmp_path / "MOSEI" / "mosei.parquet").provenance["source"] == "m.pkl"


def test_zeros_at_the_end_are_no_frames_even_without_lengths(tmp_path: Path) -> None:
    parts = make_parts(aligned=True)
    for part in parts.values():
        del part["text_bert"]
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(parts))
    table = convert_mmsa(tmp_path / "m.pkl", tmp_path, corpus="mosi_mmsa")
    assert table.blocks["audio"].lengths.tolist() == [1, 2, 3, 1, 1, 2]
    assert len(load_mosi_mmsa(tmp_path)) == 6


def test_ch_sims_has_a_sentiment_for_each_modality(tmp_path: Path) -> None:
    parts = make_parts()
    for part in parts.values():
        part["regression_labels"] = part["regression_labels"] / 3
        part |= {f"regression_labels_{letter}": part["regression_labels"] / (2 + ord(letter) % 2) for letter in "TAV"}
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(parts))
    convert_mmsa(tmp_path / "m.pkl", tmp_path, corpus="ch_sims")
    segments = load_ch_sims(tmp_path)
    assert segments[["sentiment", "sentiment_text", "sentiment_audio"]].iloc[2].tolist() == [
        1.0,
        pytest.approx(0.5),
        pytest.approx(1 / 3),
    ]
    assert load_mmsa_features(tmp_path, segments, "text").n_rows == 6


class Attack:
    """Something that runs a command when it is loaded."""

    def __init__(self, call: Any, *arguments: Any) -> None:
        self.state = (call, arguments)

    def __reduce__(self) -> Any:
        return self.state


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "place",
    [
        lambda attack: attack,
        lambda attack: {**make_parts(), "more": [attack]},
        lambda attack: {"train": np.array([attack, "x"], dtype=object)},
    ],
    ids=["alone", "beside", "in an array"],
)
def test_a_pickle_that_runs_something_is_refused(tmp_path: Path, protocol: int, place: Any) -> None:
    mark = tmp_path / "was-here"
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(place(Attack(os.system, f"touch {mark}")), protocol))
    with pytest.raises(ValueError, match=r"m\.pkl asks for posix\.system; expected arrays and plain containers only"):
        convert_mmsa(tmp_path / "m.pkl", tmp_path, corpus="mosei")
    assert not mark.exists()
    pickle.loads((tmp_path / "m.pkl").read_bytes())  # noqa: S301
    assert mark.exists(), "the attack itself works, so that its absence above says something"


@pytest.mark.parametrize(
    "attack",
    [
        Attack(eval, "1"),
        Attack(getattr, "x", "upper"),
        Attack(np.load, "x.npy"),
        Attack(np.lib.format.open_memmap, "x.npy"),
        datetime.date(2026, 1, 1),
        np.random.default_rng(0),
        io.BytesIO(b"x"),
    ],
    ids=["eval", "getattr", "load", "open_memmap", "date", "generator", "stream"],
)
def test_whatever_is_no_array_is_refused(tmp_path: Path, attack: Any) -> None:
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(attack))
    with pytest.raises(ValueError, match="asks for .*do not open it with pickle"):
        convert_mmsa(tmp_path / "m.pkl", tmp_path, corpus="mosei")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"c_codecs\nencode\n(Vx\nVzlib\ntR.", "asks for an encoding 'zlib'"),
        (b"Poutside\n.", "asks for something outside the file"),
        (b"cnumpy.core.multiarray\nscalar\n(cnumpy\ndtype\n(VO8\ntRNtR.", "asks for an object in an array's scalar"),
        (b"cnumpy.core.multiarray\nfrombuffer\n.", "asks for numpy.core.multiarray.frombuffer"),
        (b"cnumpy.core.numeric.multiarray\n_reconstruct\n.", "asks for numpy.core.numeric.multiarray._reconstruct"),
        (b"cmultiarray\n_reconstruct\n.", "asks for multiarray._reconstruct"),
        (b"cnumpy.core.numpy\nndarray\n.", "asks for numpy.core.numpy.ndarray"),
        (b"", "is no pickle that can be read"),
        (b"PK\x03\x04 a zip", "is no pickle that can be read"),
        (pickle.dumps(make_parts())[:500], "is no pickle that can be read"),
    ],
)
def test_crafted_and_damaged_files_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "m.pkl").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        convert_mmsa(tmp_path / "m.pkl", tmp_path, corpus="mosei")


def without(key: str) -> dict[str, Any]:
    parts = make_parts()
    del parts["valid"][key]
    return parts


def changed(key: str, value: Any) -> dict[str, Any]:
    parts = make_parts()
    parts["valid"][key] = value
    return parts


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ([1, 2], r"m\.pkl, part 'train': expected a dict .* got NoneType"),
        (without("audio"), r"m\.pkl, part 'valid': expected a dict with \['audio', .* got \['annotations'"),
        (changed("raw_text", ["a", "b"]), r"m\.pkl, part 'valid': different numbers of rows"),
        (changed("regression_labels", [7.0]), r"m\.pkl: 1 values of sentiment are beyond 3\.0; is it 'mosei'\?"),
    ],
)
def test_other_content_is_refused(tmp_path: Path, parts: Any, message: str) -> None:
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(parts))
    with pytest.raises(ValueError, match=message):
        convert_mmsa(tmp_path / "m.pkl", tmp_path, corpus="mosei")
    assert not (tmp_path / "mosei.parquet").exists()


def test_names_without_a_clip_are_faults(tmp_path: Path) -> None:
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(changed("id", ["nothing"])))
    with pytest.raises(SegmentsError, match="turn: 'nothing' is not a whole number"):
        convert_mmsa(tmp_path / "m.pkl", tmp_path, corpus="mosei")


def test_strange_rows_have_no_features(tmp_path: Path) -> None:
    (tmp_path / "m.pkl").write_bytes(pickle.dumps(make_parts()))
    convert_mmsa(tmp_path / "m.pkl", tmp_path, corpus="mosei")
    strange = load_mosei(tmp_path).assign(turn=99)
    with pytest.raises(ValueError, match=r"mosei\.parquet has no turn 99 of '-a_b'"):
        load_mmsa_features(tmp_path, strange, "face")


@pytest.mark.parametrize("name", ["mosi_mmsa", "mosei", "ch_sims"])
def test_a_folder_without_the_table_says_how_to_make_it(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError, match=rf"{name}\.parquet is not there; make it .*convert_mmsa"):
        CORPORA[name](tmp_path)
