"""Modalities that tell different emotions: the subsets, and the gap between them."""

from __future__ import annotations

import numpy as np
import pytest
from synthetic import make_conflict

from featmer import evaluate
from featmer.baselines import LinearClassifier
from featmer.corpora import load_crema_d
from featmer.evaluation import conflict_report, conflict_subsets, vote_labels
from featmer.table import FeatureTable


def test_subsets_of_three_modalities_and_of_missing_labels():
    subsets = conflict_subsets(
        ["joy", "joy", None, "joy", "joy"],
        audio=["joy", "joy", "joy", "fear", "joy"],
        face=["joy", "fear", "joy", "joy", None],
        text=["joy", "fear", "joy", "joy", "fear"],
    )
    assert subsets.tolist() == ["consistent", "audio-aligned", "", "", "audio-aligned"]
    with pytest.raises(ValueError, match="two at least, got \\['audio'\\]"):
        conflict_subsets(["joy"], audio=["joy"])
    with pytest.raises(ValueError, match="each of the 2 rows"):
        conflict_subsets(["joy", "joy"], audio=["joy"], face=["joy", "fear"])


def test_the_gap_is_that_of_the_planted_bias():
    """A model of audio alone is right where audio is; one of both is in between."""
    table, labels = make_conflict(0, 1200, (0.5, 0.25, 0.25))
    planted = table.segments["subset"].to_numpy()
    table = FeatureTable(table.segments.assign(emotion=[f"e{label}" for label in labels]), table.blocks)
    models = {"audio": LinearClassifier(modalities=["audio"]), "both": LinearClassifier()}
    _, predictions = evaluate(models, table, n_bootstrap=0, progress=False, return_predictions=True)
    report = conflict_report(predictions, planted)
    assert report.loc["audio", "audio-aligned"] > 0.9
    assert report.loc["audio", "gap"] > 0.8 > report.loc["both", "gap"]
    assert report.loc["both", "n consistent"] == (planted == "consistent").sum()
    # the same subsets from what models of single modalities say of rows that they were not trained on
    alone = {"audio": LinearClassifier(modalities=["audio"]), "video": LinearClassifier(modalities=["video"])}
    _, answers = evaluate(alone, table, n_bootstrap=0, progress=False, return_predictions=True)
    told = answers[answers["part"] == "test"].pivot_table(
        index="row", columns="model", values="prediction", aggfunc="first"
    )
    found = conflict_subsets(table.segments["emotion"], audio=told["audio"], video=told["video"])
    assert (found == planted).mean() > 0.85


def test_crema_d_by_what_people_heard_and_saw(shared_data):
    root = shared_data("CREMA-D_votes")
    shown = {name: load_crema_d(root, channel=name).set_index("dialogue") for name in ("voice", "face", "both")}
    order = shown["both"].index
    labels = {name: vote_labels(segments.loc[order]) for name, segments in shown.items()}
    subsets = conflict_subsets(labels["both"], audio=labels["voice"], face=labels["face"]).value_counts()
    assert subsets.sum() == 7442
    assert subsets["face-aligned"] > subsets["audio-aligned"] > 300  # people believe the face
    assert subsets["consistent"] > 2000
    assert np.isin(["consistent", "face-aligned", "audio-aligned", ""], subsets.index).all()
