"""Block and FeatureTable: alignment, missing values, storage, and life as scikit-learn's X."""

from __future__ import annotations

import os
import subprocess
import sys

import hypothesis.strategies as st
import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis.extra.numpy import arrays
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, GroupKFold, cross_val_score, train_test_split
from sklearn.pipeline import make_pipeline

from featmer import Block, FeatureTable

LENGTHS = st.lists(st.integers(0, 5), min_size=1, max_size=8)


def ragged(lengths: list[int], seed: int = 0) -> Block:
    rng = np.random.default_rng(seed)
    rows = [rng.standard_normal((n, 3)) if n else None for n in lengths]
    times = [np.arange(n) / 10 for n in lengths]
    return Block(rows, ["a.x", "a.y", "a.z"], times=times)


def table_of(block: Block) -> FeatureTable:
    return FeatureTable(pd.DataFrame({"dialogue": "d", "turn": np.arange(block.n_rows)}), {"audio": block})


def assert_same(left: Block, right: Block) -> None:
    assert left.names == right.names
    assert left.is_sequence == right.is_sequence
    np.testing.assert_array_equal(left.frames, right.frames)
    np.testing.assert_array_equal(left.missing, right.missing)
    np.testing.assert_array_equal(left.reasons, right.reasons)
    if left.is_sequence:
        np.testing.assert_array_equal(left.offsets, right.offsets)
        for one, other in zip(left.times or [], right.times or [], strict=True):
            np.testing.assert_array_equal(one, other)
    if left.quality is None:
        assert right.quality is None
    else:
        pd.testing.assert_frame_equal(left.quality, right.quality)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_block_keeps_the_precision_it_was_given(dtype: type) -> None:
    assert Block(np.ones((2, 1), dtype), ["a"]).values.dtype == dtype


def test_a_missing_row_always_has_a_reason() -> None:
    block = Block([[1.0], [np.nan]], ["a"])
    assert block.reasons.tolist() == ["", "no value given"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"values": [[1.0, 2.0]], "names": ["a"]}, r"shape \(1, 2\), expected \(n_rows, 1\)"),
        ({"values": [[1.0, 2.0]], "names": ["a", "a"]}, "must be unique"),
        ({"values": [[1.0], [np.inf]], "names": ["a"]}, "Row 1 of 'a' is infinite"),
        ({"values": [[1.0]], "names": ["a"], "reasons": ["silent"]}, "yet a reason"),
        ({"values": [[1.0]], "names": ["a"], "reasons": []}, "0 entries, but the block has 1"),
        ({"values": [[1.0]], "names": ["a"], "times": [[0.0]]}, "times belong to sequences"),
        ({"values": [np.ones((2, 1))], "names": ["a"], "times": [[0.0]]}, "one time for every frame"),
        ({"values": [np.ones((2, 2))], "names": ["a"]}, "Row 0 has shape"),
        ({"values": [[1.0]], "names": ["a"], "quality": pd.DataFrame({"q": [1, 2]})}, "quality has 2 rows"),
    ],
)
def test_block_says_what_does_not_fit(arguments: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Block(**arguments)


@given(LENGTHS, st.data())
@settings(deadline=None, max_examples=50)
def test_taking_rows_of_a_sequence_is_taking_rows_of_a_list(lengths: list[int], data: st.DataObject) -> None:
    block = ragged(lengths)
    rows = data.draw(st.lists(st.integers(0, len(lengths) - 1), max_size=10))
    taken = block[rows]
    assert taken.lengths.tolist() == [lengths[row] for row in rows]
    for one, row in zip(taken.values if rows else [], rows, strict=True):
        np.testing.assert_array_equal(one, block.values[row])


@given(LENGTHS)
@settings(deadline=None, max_examples=50)
def test_pooling_is_numpy_row_by_row(lengths: list[int]) -> None:
    block = ragged(lengths)
    pooled = block.pool(["mean", "std", "min", "max"])
    for row, frames in enumerate(block.values):
        if len(frames):
            expected = np.concatenate([frames.mean(0), frames.std(0), frames.min(0), frames.max(0)])
            np.testing.assert_allclose(pooled.values[row], expected, atol=1e-12)
        else:
            assert np.isnan(pooled.values[row]).all()
            assert pooled.reasons[row] == "no value given"


def test_pooling_leaves_out_nan_frames() -> None:
    frames = np.array([[1.0], [np.nan], [3.0]])
    assert Block([frames], ["a"]).pool(["mean", "max"]).values.tolist() == [[2.0, 3.0]]


def test_a_sequence_of_nan_frames_is_missing() -> None:
    assert Block([np.full((2, 1), np.nan), np.ones((1, 1))], ["a"]).missing.tolist() == [True, False]


@given(arrays(np.float64, (5, 2), elements=st.floats(-1e6, 1e6) | st.just(np.nan)))
@settings(deadline=None, max_examples=30)
def test_saved_vectors_come_back_bit_for_bit(tmp_path_factory: pytest.TempPathFactory, values: np.ndarray) -> None:
    path = tmp_path_factory.mktemp("table") / "t.parquet"
    table_of(Block(values, ["a", "b"])).save(path)
    np.testing.assert_array_equal(FeatureTable.load(path).blocks["audio"].values, values)


@given(LENGTHS)
@settings(deadline=None, max_examples=30)
def test_saved_sequences_come_back_with_times(tmp_path_factory: pytest.TempPathFactory, lengths: list[int]) -> None:
    path = tmp_path_factory.mktemp("table") / "t.parquet"
    block = ragged(lengths)
    table_of(block).save(path)
    assert_same(FeatureTable.load(path).blocks["audio"], block)


def test_a_saved_table_keeps_segments_reasons_quality_provenance_and_root(tmp_path) -> None:
    segments = pd.DataFrame({"dialogue": ["a", "b"], "turn": [0, 0], "text": ["hi", None], "split": ["train", "test"]})
    segments.attrs["root"] = "/corpus"
    quality = pd.DataFrame({"voiced": [0.5, np.nan], "faces": [1, 2]})
    block = Block(np.array([[1.0], [np.nan]], np.float32), ["a"], reasons=["", "silent"], quality=quality)
    FeatureTable(segments, {"audio": block}, provenance={"featmer": "x"}).save(tmp_path / "t.parquet")
    back = FeatureTable.load(tmp_path / "t.parquet")
    assert_same(back.blocks["audio"], block)
    pd.testing.assert_frame_equal(back.segments, segments)
    assert back.segments.attrs == {"root": "/corpus"}
    assert back.provenance == {"featmer": "x"}


def test_an_interrupted_save_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch, tiny_table) -> None:
    path = tmp_path / "t.parquet"
    tiny_table.save(path)
    before = path.read_bytes()

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        tiny_table[:3].save(path)
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == ["t.parquet"]


def test_loading_something_else_says_so(tmp_path) -> None:
    (tmp_path / "text.parquet").write_text("hello")
    with pytest.raises(ValueError, match="not a Parquet file"):
        FeatureTable.load(tmp_path / "text.parquet")
    pq.write_table(pa.table({"a": [1]}), tmp_path / "other.parquet")
    with pytest.raises(ValueError, match="not a featmer table"):
        FeatureTable.load(tmp_path / "other.parquet")


def test_rows_are_taken_in_every_way(tiny_table) -> None:
    mask = np.zeros(len(tiny_table), bool)
    mask[[2, 5]] = True
    expected = tiny_table.segments.iloc[[2, 5]]["emotion"].tolist()
    for rows in ([2, 5], np.array([2, 5]), mask, mask.tolist(), pd.Series(mask), slice(2, 6, 3)):
        assert tiny_table[rows].segments["emotion"].tolist() == expected
    assert len(tiny_table[3]) == 1
    assert len(tiny_table[[]]) == 0
    with pytest.raises(TypeError, match=r"table.blocks\[name\]"):
        tiny_table["audio"]
    with pytest.raises(IndexError, match="mask has 2"):
        tiny_table[np.array([True, False])]


def test_table_says_what_does_not_fit() -> None:
    segments = pd.DataFrame({"dialogue": ["a"], "turn": [0]})
    with pytest.raises(ValueError, match="'audio' has 2 rows, but segments has 1"):
        FeatureTable(segments, {"audio": Block([[1.0], [2.0]], ["a"])})
    with pytest.raises(ValueError, match=r"lacks the columns \['turn'\]"):
        FeatureTable(segments.drop(columns="turn"), {})
    with pytest.raises(ValueError, match="two modalities"):
        FeatureTable(segments, {"audio": Block([[1.0]], ["a"]), "text": Block([[1.0]], ["a"])})
    with pytest.raises(TypeError, match="expected a Block"):
        FeatureTable(segments, {"audio": np.ones((1, 1))})
    with pytest.raises(ValueError, match="Unknown modality 'adio', did you mean 'audio'"):
        FeatureTable(segments, {"audio": Block([[1.0]], ["a"])}).select("adio")


def test_sequences_are_not_flattened_behind_the_users_back() -> None:
    table = table_of(ragged([2, 3]))
    for convert in (np.asarray, FeatureTable.to_frame):
        with pytest.raises(ValueError, match="pool"):
            convert(table)
    assert np.asarray(table.pool()).shape == (2, 9)


def test_concat_puts_rows_below_and_checks_names(tiny_table) -> None:
    halves = [tiny_table[:50], tiny_table[50:]]
    whole = FeatureTable.concat(halves)
    assert whole.digest() == tiny_table.digest()
    pd.testing.assert_frame_equal(whole.segments, tiny_table.segments)
    with pytest.raises(ValueError, match="expected"):
        FeatureTable.concat([tiny_table, tiny_table.select("audio")])
    sequence = table_of(ragged([2, 0, 3]))
    assert_same(FeatureTable.concat([sequence[:1], sequence[1:]]).blocks["audio"], sequence.blocks["audio"])


def test_describe_counts_reasons_and_html_escapes_them() -> None:
    block = Block([[np.nan], [np.nan], [1.0]], ["a"], reasons=["<b>silent</b>", "<b>silent</b>", ""])
    table = table_of(block)
    assert table.describe().loc["audio", "reasons"] == "2 <b>silent</b>"
    page = table._repr_html_()
    assert "&lt;b&gt;silent" in page
    assert "<b>silent" not in page
    assert "3 rows" in repr(table)


def test_digest_depends_on_values_and_names_only(tiny_table) -> None:
    assert tiny_table.digest() == tiny_table[:].digest()
    assert tiny_table.digest() != tiny_table[1:].digest()
    assert table_of(Block([[1.0]], ["a"])).digest() != table_of(Block([[1.0]], ["b"])).digest()


def test_scikit_learn_takes_a_table_as_x(tiny_table) -> None:
    y = tiny_table.segments["emotion"].to_numpy(object)
    groups = tiny_table.segments["dialogue"]
    linear = make_pipeline(SimpleImputer(), LogisticRegression(max_iter=500))
    for model in (linear, HistGradientBoostingClassifier(max_iter=10)):
        assert cross_val_score(model, tiny_table, y, groups=groups, cv=GroupKFold(3)).mean() > 0.6
    train, test, y_train, _ = train_test_split(tiny_table, y, random_state=0)
    assert isinstance(train, FeatureTable)
    assert len(linear.fit(train, y_train).predict(test)) == len(test)
    search = GridSearchCV(linear, {"logisticregression__C": [0.1, 1.0]}, cv=GroupKFold(2))
    assert search.fit(tiny_table, y, groups=groups).best_score_ > 0.6


def test_importing_featmer_is_light() -> None:
    heavy = ["torch", "pandas", "sklearn", "av", "opensmile", "mediapipe", "lightgbm", "matplotlib"]
    code = f"import sys, featmer; sys.exit(', '.join(m for m in {heavy} if m in sys.modules) or 0)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
