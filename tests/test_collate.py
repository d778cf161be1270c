"""Tables become batches: masks, codes, whole dialogues."""

from __future__ import annotations

import sys

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from featmer import Block, FeatureTable
from featmer.collate import TensorTable, collate


def table_of(dialogues, turns=None, **columns):
    turns = np.arange(len(dialogues)) if turns is None else turns
    segments = pd.DataFrame({"dialogue": dialogues, "turn": turns, **columns})
    values = np.arange(len(dialogues), dtype=float)[:, None] + 1
    return FeatureTable(segments, {"text": Block(values, ["text.number"])})


def test_vectors_keep_single_gaps_and_zero_missing_rows():
    segments = pd.DataFrame({"dialogue": ["a", "a"], "turn": [0, 1]})
    block = Block([[1.0, np.nan], [np.nan, np.nan]], ["audio.a", "audio.b"])
    batch = collate(FeatureTable(segments, {"audio": block}))
    assert batch.present["audio"].tolist() == [True, False]
    assert batch.features["audio"][0, 0] == 1
    assert batch.features["audio"][0, 1].isnan()
    assert batch.features["audio"][1].tolist() == [0, 0]
    assert batch.frames == {}


def test_sequences_are_padded_and_frames_without_a_value_are_masked():
    segments = pd.DataFrame({"dialogue": ["a", "a", "b"], "turn": [0, 1, 0]})
    faceless = np.array([[1.0], [np.nan], [3.0]])
    batch = collate(FeatureTable(segments, {"face": Block([np.ones((2, 1)), None, faceless], ["face.smile"])}))
    assert batch.features["face"][..., 0].tolist() == [[1, 1, 0], [0, 0, 0], [1, 0, 3]]
    assert batch.frames["face"].tolist() == [[True, True, False], [False] * 3, [True, False, True]]
    assert batch.present["face"].tolist() == [True, False, True]


def test_turns_are_ranks_so_gaps_and_row_order_cost_nothing():
    batch = collate(table_of(["b", "a", "b", "b"], [900, 5, -2, 30]))
    assert batch.dialogue.tolist() == [1, 0, 1, 1]
    assert batch.turn.tolist() == [2, 0, 0, 1]


def test_equal_names_in_two_corpora_are_two_dialogues():
    batch = collate(table_of(["d", "d"], [0, 0], corpus=["one", "two"]))
    assert batch.dialogue.tolist() == [0, 1]


def test_speakers_are_counted_within_their_dialogue_in_order_of_appearance():
    batch = collate(
        table_of(["a", "a", "a", "b", "b"], [2, 1, 3, 0, 1], speaker=["Joey", "Ross", "Ross", "Joey", None])
    )
    assert batch.speaker.tolist() == [1, 0, 0, 0, 1]
    assert collate(table_of(["a", "a"])).speaker.tolist() == [0, 0]


def test_a_batch_numbers_its_own_dialogues_from_zero():
    batch = TensorTable(table_of(list("aabbcc"))).batch(torch.tensor([5, 4, 0]))
    assert batch.dialogue.tolist() == [1, 1, 0]
    assert batch.features["text"][:, 0].tolist() == [6, 5, 1]
    assert batch.n_rows == 3


@settings(max_examples=60, deadline=None)
@given(
    lengths=st.lists(st.integers(1, 12), min_size=1, max_size=30),
    batch_size=st.integers(1, 40),
    seed=st.none() | st.integers(0, 99),
)
def test_batches_hold_every_row_once_in_whole_dialogues_turn_by_turn(lengths, batch_size, seed):
    dialogues = np.repeat(np.arange(len(lengths)), lengths)
    order = np.random.default_rng(0).permutation(len(dialogues))
    turns = np.arange(len(dialogues))
    tensors = TensorTable(table_of(dialogues[order], turns[order]))
    batches = tensors.dialogue_batches(batch_size, None if seed is None else np.random.default_rng(seed))
    assert sorted(torch.cat(batches).tolist()) == list(range(len(dialogues)))
    for rows in batches:
        assert len(rows) < 1.5 * batch_size + max(lengths)
        for code in set(dialogues[order][rows.numpy()]):
            inside = rows.numpy()[dialogues[order][rows.numpy()] == code]
            assert turns[order][inside].tolist() == np.flatnonzero(dialogues == code).tolist()


@pytest.mark.parametrize("seed", [None, 0])
def test_dialogues_of_a_batch_are_of_similar_length(seed):
    """Padded to the longest dialogue of its batch, a table grows little; with dialogues as they come, by half."""
    lengths = np.random.default_rng(0).integers(1, 34, 400)
    tensors = TensorTable(table_of(np.repeat(np.arange(400), lengths)))
    batches = tensors.dialogue_batches(300, None if seed is None else np.random.default_rng(seed))
    held = [np.unique(tensors.dialogue[rows.numpy()]) for rows in batches]
    padded = sum(len(dialogues) * lengths[dialogues].max() for dialogues in held)
    assert padded < 1.25 * lengths.sum()
    assert 400 * lengths.max() > 1.5 * lengths.sum()


def test_no_python_is_run_for_each_row():
    """Making a table's tensors, its batches and one epoch of them takes as many calls for 50 times the rows."""

    def calls(n_dialogues):
        face = np.random.default_rng(0).standard_normal((4 * n_dialogues, 3))
        table = table_of(np.repeat(np.arange(n_dialogues), 4), speaker=["Ross", "Joey"] * 2 * n_dialogues)
        frames = Block.from_frames(face, ["a", "b", "c"], np.arange(4 * n_dialogues + 1))
        table = FeatureTable(table.segments, {**table.blocks, "face": frames})
        made: list[str] = []
        sys.setprofile(lambda frame, event, argument: made.append(event))
        try:
            tensors = TensorTable(table)
            for rows in tensors.dialogue_batches(n_dialogues, np.random.default_rng(0)):
                tensors.batch(rows)
        finally:
            sys.setprofile(None)
        return len(made)

    assert calls(2000) < 1.5 * calls(40)


def test_batches_differ_between_epochs_but_not_between_runs():
    tensors = TensorTable(table_of(np.repeat(np.arange(40), 3)))
    rng = np.random.default_rng(0)
    first, second = (torch.cat(tensors.dialogue_batches(30, rng)).tolist() for _ in range(2))
    assert first != second
    assert first == torch.cat(tensors.dialogue_batches(30, np.random.default_rng(0))).tolist()


def test_a_table_without_any_frame_makes_an_empty_sequence():
    segments = pd.DataFrame({"dialogue": ["a"], "turn": [0]})
    batch = collate(FeatureTable(segments, {"face": Block([np.empty((0, 2))], ["face.a", "face.b"])}))
    assert batch.features["face"].shape == (1, 0, 2)
    assert not batch.present["face"].any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_precision_is_the_one_asked_for(dtype):
    tensors = TensorTable(table_of(["a"]), dtype=dtype)
    assert tensors.batch(torch.tensor([0])).features["text"].dtype is dtype
