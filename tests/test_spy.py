"""Nothing of the test rows reaches a model: spoil them, and all but what is said of them is the same to the bit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from public_estimators import public_estimators
from spied_models import ALL, BY_TARGET, EVERY_HEAD, LABELS, SEVERAL, SHARES, make_spied_table

from featmer import Block, FeatureTable, MultitaskFusion, evaluate
from featmer.baselines import LinearClassifier, LinearRegressor
from featmer.evaluation.metrics import uar
from featmer.evaluation.planning import plan
from featmer.missing import Missing
from featmer.transductive import scale_transductively

CONF = Path(__file__).parents[1] / "conf"
PRESETS = sorted(path.stem for path in (CONF / "protocol").glob("*.yaml"))
QUIET: dict[str, Any] = {"n_bootstrap": 0, "progress": False, "return_predictions": True}
METRICS = {"emotion": ["uar"], "valence": ["mae"], "labels.": ["jaccard"], "votes.": ["jsd"], "compound": ["uar"]}
TRUE = ("target", "t.")


@pytest.fixture(scope="module")
def table() -> FeatureTable:
    return make_spied_table()


def held_out(table: FeatureTable) -> np.ndarray:
    return np.flatnonzero(table.segments["split"] == "test")


def spoilt(table: FeatureTable, rows: np.ndarray, *, features: bool) -> FeatureTable:
    """Return a table some rows of which have other labels or, if told so, other texts and enormous features."""
    segments, blocks = table.segments.copy(), dict(table.blocks)
    if features:
        segments.loc[rows, "text"] = "nothing of the kind " * 9
        for name, block in table.blocks.items():
            values = block.values.copy()
            values[rows] = 1e9 * (1 + np.arange(len(rows))[:, None] % 3)
            blocks[name] = Block(values, block.names)
        return FeatureTable(segments, blocks)
    for column in ("emotion", "compound"):
        found = sorted(segments[column].dropna().unique())
        segments.loc[rows, column] = segments.loc[rows, column].map(
            dict(zip(found, found[1:] + found[:1], strict=True))
        )
    for column in ("valence", "arousal"):
        segments.loc[rows, column] = segments.loc[rows, column].mask(segments[column].notna(), 1e6)
    for beginning in ("labels.", "votes."):
        columns = [column for column in segments if column.startswith(beginning)]
        segments.loc[rows, columns] = segments.loc[rows, columns[1:] + columns[:1]].to_numpy()
    return FeatureTable(segments, blocks)


def answers(models: dict[str, Any], table: FeatureTable, target: Any, **protocol: Any) -> pd.DataFrame:
    """Return what models said, without what is true; those who cheat know all of the table."""
    Cheat.table = table
    target = list(target) if isinstance(target, tuple) else target
    results, said = evaluate(models, table, target=target, **{**QUIET, **protocol})
    assert (results["error"] == "").all(), results["error"].unique()
    frames = said if isinstance(said, dict) else {"": said}
    plain = [rows.loc[:, [not name.startswith(TRUE) for name in rows]].assign(of=of) for of, rows in frames.items()]
    return pd.concat(plain, ignore_index=True).astype({"prediction": object} if "prediction" in plain[0] else {})


def caught(models: dict[str, Any], table: FeatureTable, target: Any, **protocol: Any) -> dict[str, set[str]]:
    """Return the models to which labels or features of test rows made their way, by what is said of other rows."""
    rows = protocol.pop("rows", held_out(table))
    protocol = {"splitter": "official", **protocol}
    before = answers(models, table, target, **protocol)
    found: dict[str, set[str]] = {}
    for what in ("labels", "features"):
        after = answers(models, spoilt(table, rows, features=what == "features"), target, **protocol)
        for model, own in before.groupby("model"):
            pair = [own, after[after["model"] == model]]
            if what == "features":  # what is said of the spoilt rows themselves may change, and for labels may not
                pair = [each[each["part"] == "valid"] for each in pair]
            if not pair[0].reset_index(drop=True).equals(pair[1].reset_index(drop=True)):
                found.setdefault(str(model), set()).add(what)
    return found


@pytest.mark.parametrize("target", BY_TARGET, ids=str)
def test_test_rows_reach_nothing_but_their_own_answers(table: FeatureTable, target: Any) -> None:
    """Weights, early stops, thresholds, calibration, search and pre-training all show in what is said of other rows."""
    metrics = sorted({metric for each in ([target] if isinstance(target, str) else target) for metric in METRICS[each]})
    assert caught(BY_TARGET[target], table, target, metrics=metrics) == {}


def test_no_head_is_reached(table: FeatureTable) -> None:
    assert caught(EVERY_HEAD, table, "emotion", metrics=["uar"]) == {}


def test_neither_conditions_nor_an_audit_open_a_way(table: FeatureTable) -> None:
    models = {name: LABELS[name] for name in ("boosted", "fusion", "isotonic")}
    before = answers(models, table, "emotion", splitter="official")
    more = {"conditions": {"no audio": Missing("audio")}, "audit": True}
    worse = spoilt(spoilt(table, held_out(table), features=True), held_out(table), features=False)
    after = answers(models, worse, "emotion", splitter="official", **more)
    one, other = (rows.loc[rows["part"] == "valid", list(before)].reset_index(drop=True) for rows in (before, after))
    pd.testing.assert_frame_equal(one, other, check_exact=True)


def in_preset(name: str) -> dict[str, Any]:
    """Return the protocol of a preset."""
    open_ends = ["protocol.splitter.train=[here,there]", "protocol.splitter.test=yonder"]
    with initialize_config_dir(str(CONF), version_base=None):
        config = compose("config", [f"protocol={name}", *(open_ends if name == "cross_corpus" else [])])
    return instantiate(config.protocol, _convert_="all")


def models_for(target: Any) -> dict[str, Any]:
    if not isinstance(target, str):
        return {"one": ALL["own epochs"], "alone": {"emotion": LABELS["fusion"], "valence": LinearRegressor()}}
    if target == "emotion":
        return {name: LABELS[name] for name in ("linear", "boosted", "fusion", "isotonic", "fusion on triplet")}
    return {"labels.": SEVERAL, "votes.": SHARES}[target]


@pytest.mark.parametrize("preset", PRESETS)
def test_no_protocol_opens_a_way(table: FeatureTable, preset: str) -> None:
    """Its own splits, the first and last fold of them, each with its own test rows spoilt."""
    protocol = in_preset(preset)
    target = protocol.pop("target")
    target = target if isinstance(target, str) else tuple(target)
    models = models_for(target)
    kept = {name: value for name, value in protocol.items() if name in ("splitter", "metrics")}
    _, asked = plan(models, table, target=target if isinstance(target, str) else list(target), **kept)
    if "conditions" in protocol:  # which are of test rows alone; each is answered
        protocol["conditions"] = {name: each[::3] for name, each in protocol["conditions"].items()}
    folds = {run.fold: run.split for _, run in asked}
    for split in [folds[number] for number in sorted({0, max(folds)})]:
        fold = {**protocol, "splitter": [tuple(split)], "rows": split.test}
        assert caught(models, table, target, **fold) == {}


class Witness(LinearClassifier):
    """Writes down what it is given."""

    given: list[list[tuple[FeatureTable, Any]]]

    def fit(self, X: Any, y: Any, validation: Any = None) -> Witness:
        type(self).given.append([(X, y), *([] if validation is None else [validation])])
        return super().fit(X, y, validation)


class WitnessOfAll(MultitaskFusion):
    """Writes down what it is given, of several targets."""

    given: list[list[tuple[FeatureTable, Any]]]

    def fit(self, X: Any, y: Any, validation: Any = None, teachers: Any = None) -> WitnessOfAll:
        type(self).given.append([(X, y), *([] if validation is None else [validation])])
        return super().fit(X, y, validation, teachers)


@pytest.mark.parametrize("preset", PRESETS)
def test_no_fit_is_given_a_test_row_or_a_label_too_many(table: FeatureTable, preset: str) -> None:
    protocol, columns = in_preset(preset), set()
    one = isinstance(protocol["target"], str)
    witness = Witness() if one else WitnessOfAll(epochs=1, random_state=0)
    type(witness).given = []
    names = [protocol["target"]] if one else protocol["target"]
    protocol.pop("conditions", None)  # nothing is fitted for these
    results, said = evaluate({"witness": witness}, table, **protocol, **QUIET)
    assert (results["error"] == "").all(), results["error"].unique()
    answered = pd.concat([said] if one else said.values())
    answered = answered[(answered["model"] == "witness") & (answered["part"] == "test")]
    tested = answered.groupby("fold")["row"].agg(set).tolist()
    assert len(type(witness).given) == len(tested) > 0
    number = {key: row for row, key in enumerate(keys(table))}
    for parts, test in zip(type(witness).given, tested, strict=True):
        for X, y in parts:
            rows = [number[key] for key in keys(X)]
            assert not set(rows) & test
            columns |= set(X.segments)
            for name, block in X.blocks.items():
                np.testing.assert_array_equal(block.values, table.blocks[name].values[rows])
            assert len(y) == len(rows)
            if one and names == ["emotion"]:
                assert list(y) == table.segments.loc[rows, "emotion"].tolist()
            elif not one:
                pd.testing.assert_frame_equal(
                    y, table.segments.loc[rows, names].reset_index(drop=True), check_dtype=False
                )
    assert not [column for column in columns if column.startswith(("emo", "comp", "val", "aro", "labels", "votes"))]


def keys(table: FeatureTable) -> list[tuple[Any, ...]]:
    return list(table.segments[["corpus", "dialogue", "turn"]].itertuples(index=False, name=None))


# that the spy sees what it is to see


class Cheat(LinearClassifier):
    """Knows the whole table; each subclass makes something of it."""

    table: FeatureTable

    def known(self, part: str) -> tuple[FeatureTable, np.ndarray]:
        whole = Cheat.table
        labels = whole.segments["emotion"]
        rows = np.flatnonzero(labels.notna() & (whole.segments["split"] == part))
        return whole[rows], labels[rows].to_numpy(object)


class LearnsTestRows(Cheat):
    def fit(self, X: Any, y: Any, validation: Any = None) -> LearnsTestRows:
        return super().fit(*self.known("test"))


class ScalesByTestRows(Cheat):
    """Only subtracts the mean of all rows, before it answers."""

    def fit(self, X: Any, y: Any, validation: Any = None) -> ScalesByTestRows:
        super().fit(X, y)
        means = np.nanmean(np.asarray(Cheat.table), axis=0)
        self.scaling_["standardscaler"].mean_[: len(means)] = means  # before those that tell what is missing
        return self


class SearchesOnTestRows(Cheat):
    """Takes the penalty that is best on test rows."""

    def fit(self, X: Any, y: Any, validation: Any = None) -> SearchesOnTestRows:
        unseen, labels = self.known("test")
        scores = {C: uar(labels, LinearClassifier(C=C).fit(X, y).predict(unseen)) for C in (1e-4, 1e-2, 1.0)}
        self.C = max(scores, key=scores.__getitem__)
        return super().fit(X, y)


class CountsTestRows(Cheat):
    """Only shares out by how often each label is there among test rows."""

    def fit(self, X: Any, y: Any, validation: Any = None) -> CountsTestRows:
        super().fit(X, y)
        labels = self.known("test")[1]
        self.shares_ = np.array([(labels == label).mean() for label in self.classes_])
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        given = super().predict_proba(X) * (1 + self.shares_)
        return given / given.sum(axis=1, keepdims=True)


SEEN = {LearnsTestRows: "labels", ScalesByTestRows: "features", SearchesOnTestRows: "labels", CountsTestRows: "labels"}


@pytest.mark.parametrize("cheat", SEEN, ids=lambda cheat: cheat.__name__)
def test_the_spy_sees_a_cheat(table: FeatureTable, cheat: type[Cheat]) -> None:
    found = caught({"cheat": cheat(), "honest": LinearClassifier()}, table, "emotion", metrics=["uar"])
    assert list(found) == ["cheat"]
    assert SEEN[cheat] in found["cheat"]


def test_the_spy_sees_scaling_that_looks_at_dialogues_of_the_test() -> None:
    """`scale_transductively` is meant to; by speaker it takes test rows and others together."""
    table = make_spied_table()
    segments = table.segments.assign(speaker="all")
    whole, rows = FeatureTable(segments, table.blocks), held_out(table)
    said = [
        answers(
            {"linear": LinearClassifier()}, scale_transductively(each, by="speaker"), "emotion", splitter="official"
        )
        for each in (whole, spoilt(whole, rows, features=True))
    ]
    valid = [each[(each["part"] == "valid") & (each["model"] == "linear")].reset_index(drop=True) for each in said]
    assert not valid[0].equals(valid[1])


@pytest.mark.parametrize("name", ["boosted", "fusion", "temperature scaling", "isotonic", "counterfactual"])
def test_the_spy_sees_what_a_selection_on_test_rows_changes(table: FeatureTable, name: str) -> None:
    """The marked figures of an audit do watch test labels: were they taken for the others, it would show."""
    model = LABELS[name]
    if name in ("boosted", "fusion"):
        more = {"n_estimators": 200} if name == "boosted" else {"epochs": 60, "lr": 0.02, "patience": 60}
        model = type(model)(**{**model.get_params(deep=False), **more})
    said = []
    for each in (table, spoilt(table, held_out(table), features=False)):
        rows = answers({"model": model}, each, "emotion", splitter="official", audit=True, metrics=["uar"])
        said.append(rows[rows["model"] == "model"])
    chosen, picked = (
        [rows[rows["selection"] == how].reset_index(drop=True) for rows in said] for how in ("valid", "test")
    )
    pd.testing.assert_frame_equal(*chosen, check_exact=True)
    assert not picked[0].equals(picked[1])


# that nobody is left out


def parts(thing: Any) -> Iterator[Any]:
    """Yield an estimator and all that is in it."""
    if isinstance(thing, Mapping):
        for value in thing.values():
            yield from parts(value)
        return
    yield thing
    if hasattr(thing, "get_params") and not isinstance(thing, type):
        yield from thing.get_params(deep=True).values()


def test_every_estimator_is_watched() -> None:
    watched = {type(part).__name__ for part in parts(BY_TARGET)}
    assert set(public_estimators("predict")) | set(public_estimators("transform")) <= watched
    assert {"GridSearchCV", "Pipeline", "SelfDistilled"} <= watched
