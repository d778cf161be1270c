"""Who is asked what: the runs of an evaluation, before any of them is performed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from sklearn.dummy import DummyRegressor

from featmer._checks import check_name
from featmer.evaluation.asked import Run, Task
from featmer.evaluation.joint import JointTarget, learns_several
from featmer.evaluation.metrics import PER_CLASS, Metric, find_metrics
from featmer.evaluation.splits import make_splits, unit_of
from featmer.evaluation.targets import Target
from featmer.missing import Condition
from featmer.table import FeatureTable

BASELINE = "majority"
LABEL_METRICS = ("f1_weighted", "f1_macro", "uar", "accuracy", "log_loss", "ece", "f1_per_class")
VALUE_METRICS = ("ccc", "pearson", "mae", "rmse")
INDICATOR_METRICS = (
    *("multilabel_f1_macro", "multilabel_f1_micro", "multilabel_f1_weighted"),
    *("jaccard", "jaccard_macro", "hamming_loss", "subset_accuracy", "f1_per_class"),
)
DISTRIBUTION_METRICS = ("kld", "jsd", "soft_f1_macro", "soft_f1_micro", "soft_f1_weighted")
DEFAULT_METRICS = {
    "labels": LABEL_METRICS,
    "values": VALUE_METRICS,
    "indicators": INDICATOR_METRICS,
    "distributions": DISTRIBUTION_METRICS,
}
Fitting = dict[str, tuple[Metric, ...]]


def plan(
    models: Any,
    table: FeatureTable,
    *,
    target: str | Iterable[str] = "emotion",
    splitter: Any = "by_dialogue",
    metrics: Iterable[str | Metric] | None = None,
    seeds: Iterable[int] = (0,),
    n_bootstrap: int = 1000,
    conditions: Mapping[str, Condition | Iterable[Condition]] | None = None,
    audit: bool = False,
) -> tuple[dict[str, Task], list[tuple[Task, Run]]]:
    """Return what is asked, and of whom.

    Parameters
    ----------
    models, table, target, splitter, metrics, seeds, n_bootstrap, conditions, audit
        As for `featmer.evaluation.evaluate`.

    Returns
    -------
    tasks : dict of str to Task
        By the name of the target.
    asked : list of (Task, Run)
        Every run, with one of these tasks or, where a model learns several targets at once, one of them all.

    Raises
    ------
    ValueError
        If target, metrics or splits do not fit the table.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn.dummy import DummyClassifier
    >>> from featmer.table import Block
    >>> segments = pd.DataFrame({"dialogue": range(6), "turn": 0, "emotion": ["joy", "fear"] * 3})
    >>> table = FeatureTable(segments, {"text": Block(np.ones((6, 1)), ["text.length"])})
    >>> tasks, asked = plan(DummyClassifier(), table, splitter=[(range(3), range(3, 6))])
    >>> list(tasks), [run.model for _, run in asked]
    (['emotion'], ['DummyClassifier', 'majority'])
    """
    if not isinstance(table, FeatureTable):
        raise TypeError(f"Got {type(table).__name__}, expected a FeatureTable: FeatureTable(segments, blocks).")
    names = [target] if isinstance(target, str) else list(target)
    if not names or len(set(names)) < len(names):
        raise ValueError(f"Got the targets {names}; name one or more, each once.")
    wanted = {name: Target.of(table.segments, name) for name in names}
    several = not isinstance(target, str)
    fitting = _fitting(metrics, wanted) if several else {names[0]: _find_metrics(metrics, wanted[names[0]], names[0])}
    more = {"unit": unit_of(splitter), "conditions": _name_each(conditions or {}, table), "audit": audit}
    tasks = {name: Task.of(table, wanted[name], fitting[name], n_bootstrap, **more) for name in names}
    joint = Task.of(table, JointTarget(wanted), fitting, n_bootstrap, **more) if several else None
    models = dict(models) if isinstance(models, Mapping) else {type(models).__name__: models}
    splits = make_splits(splitter, table.segments, wanted[names[0]].strata())
    seeds = tuple(seeds)
    return tasks, [
        (task, Run(name, model, fold, seed, split))
        for task, name, model in _everyone(models, tasks, joint)
        for fold, split in enumerate(splits)
        for seed in seeds
    ]


def _everyone(models: dict[str, Any], tasks: dict[str, Task], joint: Task | None) -> Iterator[tuple[Task, str, Any]]:
    """Yield every model with what it is asked."""
    for name, model in models.items():
        if joint is not None and learns_several(model):
            yield joint, name, model
            continue
        each = model if joint is not None and isinstance(model, Mapping) else dict.fromkeys(tasks, model)
        for target, own in each.items():
            check_name(target, tasks, f"target of model {name!r}")
            yield tasks[target], name, own
    if BASELINE not in models:
        from featmer.baselines import MajorityClassifier  # brings LightGBM along, which a report can do without

        for task in tasks.values():
            values = isinstance(task.target, Target) and task.target.kind == "values"
            yield task, BASELINE, DummyRegressor() if values else MajorityClassifier()


def _name_each(
    conditions: Mapping[str, Condition | Iterable[Condition]], table: FeatureTable
) -> tuple[tuple[str, Condition], ...]:
    """Return every condition beside its name; one that does not fit the table says so before any model is fitted."""
    named = []
    for name, given in conditions.items():
        if not name:
            raise ValueError("A condition needs a name: rows as they are have none.")
        named += [(name, each) for each in ([given] if isinstance(given, Condition) else given)]
    for name, condition in named:
        if np.isnan(condition.mean_rate()):
            raise ValueError(f"Condition {name!r} draws its rates, as for training; give the rate to test at.")
        condition.apply(table[:1])
    return tuple(named)


def _find_metrics(metrics: Iterable[str | Metric] | None, target: Target, name: str) -> tuple[Metric, ...]:
    fitting = DEFAULT_METRICS[target.kind]
    found = find_metrics(metrics or fitting, target.labels)
    for metric in found:
        if target.kind not in metric.kinds:
            raise ValueError(
                f"Metric {metric.name!r} needs {' or '.join(metric.kinds)}, but target {name!r} holds {target.kind}. "
                f"Choose from {list(fitting)}."
            )
    return found


def _fitting(metrics: Iterable[str | Metric] | None, wanted: Mapping[str, Target]) -> Fitting:
    """Return for each of several targets the metrics that fit it; each must have one, and each metric a target."""
    if metrics is None:
        return {name: _find_metrics(None, target, name) for name, target in wanted.items()}
    given = list(metrics)
    kinds = {metric: {kind for each in find_metrics([metric], ["any"]) for kind in each.kinds} for metric in given}
    for metric, fits in kinds.items():
        if not fits & {target.kind for target in wanted.values()}:
            raise ValueError(
                f"Metric {metric!r} needs {' or '.join(sorted(fits))}, but the targets hold "
                f"{ {name: target.kind for name, target in wanted.items()} }."
            )
    own = {name: [metric for metric in given if target.kind in kinds[metric]] for name, target in wanted.items()}
    for name, target in wanted.items():
        if not own[name]:
            raise ValueError(
                f"No metric of {given} fits target {name!r}, which holds {target.kind}. Add one of "
                f"{[each for each in DEFAULT_METRICS[target.kind] if each != PER_CLASS]}."
            )
    return {name: find_metrics(own[name], target.labels) for name, target in wanted.items()}
