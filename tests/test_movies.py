"""Continuous streams: what a step may know of, what scaling may see, and the comparison on films."""

from __future__ import annotations

import dataclasses
import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hydra.utils import instantiate
from omegaconf import OmegaConf
from sklearn.model_selection import LeaveOneGroupOut

from featmer import Block, FeatureTable, FusionClassifier
from featmer.alignment import align
from featmer.baselines import LinearClassifier
from featmer.collate import Batch, collate
from featmer.evaluation import evaluate
from featmer.evaluation.splits import make_splits
from featmer.nn import Stepwise, Transformer, WindowedLSTM
from featmer.transductive import scale_transductively

ROOT = Path(__file__).parents[1]
MOVIES = runpy.run_path(str(ROOT / "benchmarks" / "movies.py"))
make_movies = MOVIES["make_movies"]
WIDTHS = {"rgb": 16, "flow": 16, "audio": 16}


def built(head, n_outputs=7, widths=WIDTHS, seed=0):
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return head.build(widths, n_outputs).eval()


# step by step


def rows_of(audio, flow):
    n_rows = len(audio)
    zeros, there = torch.zeros(n_rows, dtype=torch.long), torch.ones(n_rows, dtype=torch.bool)
    return Batch(
        {"audio": audio, "flow": flow}, {"audio": there, "flow": there}, {}, zeros, torch.arange(n_rows), zeros
    )


def test_linear_layers_are_one_matrix_of_low_rank():
    widths, n_outputs = {"audio": 90, "flow": 60}, 100
    head = built(Stepwise(), n_outputs, widths).double()
    unit = torch.eye(150, dtype=torch.float64)
    matrix = head(rows_of(unit[:, :90], unit[:, 90:]))  # (n_features, n_outputs)
    assert torch.linalg.matrix_rank(matrix) == 64
    draw = torch.Generator().manual_seed(1)
    features = torch.randn(50, 150, generator=draw, dtype=torch.float64)
    outputs = head(rows_of(features[:, :90], features[:, 90:]))
    torch.testing.assert_close(outputs, features @ matrix, rtol=0, atol=1e-5)
    assert outputs.std() > 1e-3
    project = torch.block_diag(*(each.weight.T for each in head.reduce.project))
    weights = [layer.weight.T for layer in head.layers if isinstance(layer, torch.nn.Linear)]
    torch.testing.assert_close(torch.linalg.multi_dot([project, *weights]), matrix, rtol=0, atol=1e-5)
    assert sum(weight.numel() for weight in head.parameters()) == sum(map(torch.numel, [*weights])) + 150 * 128


def test_with_rectifiers_they_are_not():
    head = built(Stepwise(nonlinear=True), widths={"audio": 3, "flow": 2}).double()
    unit = torch.eye(5, dtype=torch.float64)
    at_zero = head(rows_of(0 * unit[:, :3], 0 * unit[:, 3:]))
    ahead, back = (head(rows_of(sign * unit[:, :3], sign * unit[:, 3:])) - at_zero for sign in (1, -1))
    assert at_zero.abs().max() > 1e-3
    assert (ahead + back).abs().max() > 1e-3


def test_frames_of_a_step_are_averaged():
    pair, single = torch.tensor([[[1.0, 2.0], [3.0, 6.0]]]), torch.tensor([[[2.0, 4.0], [9.0, 9.0]]])
    head, one = built(Stepwise(), widths={"audio": 2}), torch.zeros(1, dtype=torch.long)
    answers = [
        head(Batch({"audio": frames}, {"audio": one == 0}, {"audio": real}, one, one, one))
        for frames, real in ((pair, torch.tensor([[True, True]])), (single, torch.tensor([[True, False]])))
    ]
    torch.testing.assert_close(*answers)


def test_a_step_knows_no_other():
    batch, head = collate(make_movies(0, 2, 10)), built(Stepwise())
    assert moved_by(head, batch, 5) == [5]


# windows


def moved_by(head, batch, row):
    """Return the rows whose outputs change with the features of one."""
    features = {name: values.clone() for name, values in batch.features.items()}
    for values in features.values():
        values[row] += 1
    before, after = head(batch), head(dataclasses.replace(batch, features=features))
    return torch.nonzero((before != after).any(1)).ravel().tolist()


@pytest.mark.parametrize("steps", [1, 3, 5])
def test_windows_hold_the_last_steps_and_never_cross_a_movie(steps):
    """Each step of three films of seven is changed in turn: only it and the next steps of its film notice."""
    batch, head = collate(make_movies(0, 3, 7)), built(WindowedLSTM(steps=steps))
    for row in range(batch.n_rows):
        end = 7 * (row // 7 + 1)
        assert moved_by(head, batch, row) == list(range(row, min(row + steps, end)))


def test_a_window_is_what_a_memory_reads_from_nothing():
    table = make_movies(0, 2, 9)
    batch, head = collate(table), built(WindowedLSTM(steps=4))
    reduced = head.reduce(batch)
    for row in (0, 2, 8, 9, 10, 17):
        start = max(9 * (row // 9), row - 3)
        state = head.memory(reduced[None, start : row + 1])[0][:, -1]
        torch.testing.assert_close(head.output(state)[0], head(batch)[row])


def test_windows_follow_turns_not_the_order_of_rows():
    table, order = make_movies(0, 3, 8), np.random.default_rng(0).permutation(24)
    head = built(WindowedLSTM())
    torch.testing.assert_close(head(collate(table[order])), head(collate(table))[order], rtol=0, atol=1e-6)


def test_a_window_needs_a_step():
    with pytest.raises(ValueError, match="steps=0"):
        built(WindowedLSTM(steps=0))


def test_clips_cut_to_windows_are_streams():
    """Two clips with frames become dialogues of one-second steps, and the windowed head reads them."""
    frames = [np.random.default_rng(clip).standard_normal((40, 2)) for clip in range(2)]
    times = [np.arange(40) / 10] * 2
    segments = pd.DataFrame({"dialogue": ["Up", "Her"], "turn": 0, "start": 0.0, "end": 4.0})
    clips = FeatureTable(segments, {"audio": Block(frames, ["audio.a", "audio.b"], times=times)})
    steps = align(clips, "window", length=1.0, statistics=["mean"])
    assert len(steps) == 8
    batch = collate(steps)
    reached = moved_by(built(WindowedLSTM(steps=2), widths={"audio": 2}), batch, 1)
    assert len(reached) == 2
    assert batch.dialogue[reached].unique().numel() == 1


def test_the_feature_attention_of_attend_affect_is_a_preset():
    preset = OmegaConf.load(ROOT / "conf" / "model" / "attend_affect.yaml")
    head = built(instantiate(preset["attend_affect"]["head"]))
    assert isinstance(head, Transformer)
    assert len(head.over_modalities) == 6
    assert head.over_modalities[0](torch.zeros(1, 3, 8), torch.zeros(1, 8, 3, 3)).shape == (1, 3, 8)  # eight heads
    assert moved_by(head, collate(make_movies(0, 2, 6)), 3) == [3]


# what scaling sees


class Seen(LinearClassifier):
    """Remembers which films reached fit, and which of them were for validation."""

    fits: list[tuple[set, set]] = []  # noqa: RUF012

    def fit(self, X, y, validation=None):
        held_out = set() if validation is None else set(validation[0].segments["dialogue"])
        self.fits.append((set(X.segments["dialogue"]), held_out))
        return super().fit(X, y)


def test_a_held_out_movie_reaches_no_fit():
    table = make_movies(0, 5, 20)
    evaluate(
        Seen(),
        table,
        target="arousal",
        splitter=LeaveOneGroupOut(),
        metrics=["accuracy"],
        n_bootstrap=0,
        progress=False,
    )
    assert [train | valid for train, valid in Seen.fits] == [set(range(5)) - {movie} for movie in range(5)]
    assert all(not train & valid for train, valid in Seen.fits)


def test_scaling_is_learned_from_training_movies_alone():
    table = make_movies(0, 5, 20)
    for fold in make_splits(LeaveOneGroupOut(), table.segments, table.segments["arousal"]):
        train, valid = table[fold.train], table[fold.valid]
        grades = table.segments["arousal"].to_numpy()
        model = FusionClassifier("stepwise", epochs=1, random_state=0)
        model.fit(train, grades[fold.train], validation=(valid, grades[fold.valid]))
        torch.testing.assert_close(model.module_[0].mean, torch.tensor(np.asarray(train).mean(0), dtype=torch.float32))
        assert len(np.unique(table.segments["dialogue"].iloc[fold.test])) == 1


def test_transductive_scaling_says_so_and_keeps_to_each_movie():
    table = make_movies(0, 3, 30)
    scaled = scale_transductively(table)
    assert "transductive" in scaled.provenance
    assert table.provenance == {}
    movies = pd.DataFrame(np.asarray(scaled)).groupby(table.segments["dialogue"])
    np.testing.assert_allclose(movies.min(), 0, atol=1e-12)
    np.testing.assert_allclose(movies.max(), 1)
    first = np.flatnonzero(table.segments["dialogue"] == 0)
    np.testing.assert_array_equal(np.asarray(scale_transductively(table[first])), np.asarray(scaled)[first])


def test_transductive_scaling_of_sequences_constants_and_what_is_missing():
    segments = pd.DataFrame({"dialogue": ["a", "a", "b"], "turn": [0, 1, 0], "speaker": ["x", "y", "x"]})
    face = Block([np.array([[1.0], [5.0]]), None, np.array([[3.0]])], ["face.smile"], times=[[0.0, 0.1], None, [0.0]])
    text = Block(
        [[2.0, 1.0], [np.nan, 3.0], [7.0, np.nan]], ["text.a", "text.b"], quality=pd.DataFrame({"q": [1, 2, 3]})
    )
    table = FeatureTable(segments, {"face": face, "text": text}, provenance={"made": "up"})
    scaled = scale_transductively(table)
    assert [row.ravel().tolist() for row in scaled.blocks["face"].values] == [[0.0, 1.0], [], [0.0]]
    assert scaled.blocks["face"].times[0].tolist() == [0.0, 0.1]
    np.testing.assert_array_equal(scaled.blocks["text"].values, [[0, 0], [np.nan, 1], [0, np.nan]])
    assert scaled.blocks["text"].quality["q"].tolist() == [1, 2, 3]
    assert scaled.provenance["made"] == "up"
    by_speaker = scale_transductively(table, by="speaker")
    assert [row.ravel().tolist() for row in by_speaker.blocks["face"].values] == [[0.0, 1.0], [], [0.5]]


# the comparison


@pytest.mark.slow
def test_one_command_reports_both_heads_and_their_baselines(capsys, monkeypatch):
    """It is run small, and nothing is asserted of which head wins."""
    monkeypatch.setattr("sys.argv", ["movies.py", "--seeds=1", "--movies=4", "--steps=40", "--epochs=1"])
    MOVIES["main"]()
    report = capsys.readouterr().out
    for model in ("stepwise", "windowed", "linear", "majority"):
        assert report.count(f"{model} ") >= 2


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_ablation_recovers_the_order_that_was_built_in(seed):
    """Audio shows the grade best, flow less, rgb least; what all together tell is not held here."""
    models = {name: model for name, model in MOVIES["make_models"](40).items() if name.startswith("stepwise,")}
    found = MOVIES["scores"](scale_transductively(make_movies(seed)), models, seed)["accuracy_within:1"]
    assert found["stepwise, audio"] > found["stepwise, flow"] > found["stepwise, rgb"]
