"""Scores of predictions, each with what a person and a bootstrap need to know about it.

Most metrics are functions of sums over rows (a confusion matrix, moments, ...). The score of any sample of whole
dialogues then follows from the sums of its dialogues, and ten thousand samples cost one matrix product.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial

from featmer._checks import check_name
from featmer.evaluation import _sums as sums
from featmer.evaluation.calibration import calibration_sums, classwise_sums, ece_of_sums, mean_ece_of_sums
from featmer.evaluation.metrics.distributions import (
    DISTRIBUTION_METRICS,
    jsd,
    kld,
    soft_f1_macro,
    soft_f1_micro,
    soft_f1_weighted,
)
from featmer.evaluation.metrics.indicators import (
    INDICATOR_METRICS,
    hamming_loss,
    jaccard,
    jaccard_macro,
    mean_auroc,
    mean_average_precision,
    multilabel_ece,
    multilabel_f1_macro,
    multilabel_f1_micro,
    multilabel_f1_weighted,
    subset_accuracy,
)
from featmer.evaluation.metrics.labels import (
    F1_OF,
    accuracy,
    accuracy_within,
    f1_macro,
    f1_of_label,
    f1_per_class,
    f1_weighted,
    kappa,
    mcc,
    uar,
)
from featmer.evaluation.metrics.metric import Metric, Needs, Summary
from featmer.evaluation.metrics.probabilities import (
    aurc,
    auroc,
    brier,
    brier_top,
    ece,
    ece_classwise,
    ece_mass,
    log_loss,
)
from featmer.evaluation.metrics.values import (
    ccc,
    mae,
    nonnegative_accuracy,
    nonnegative_f1,
    pearson,
    r2,
    rmse,
    sign_accuracy,
    sign_f1,
)

__all__ = [
    "F1_OF",
    "METRICS",
    "Metric",
    "Needs",
    "Summary",
    "accuracy",
    "accuracy_within",
    "aurc",
    "auroc",
    "brier",
    "brier_top",
    "ccc",
    "ece",
    "ece_classwise",
    "ece_mass",
    "f1_macro",
    "f1_per_class",
    "f1_weighted",
    "find_metric",
    "find_metrics",
    "hamming_loss",
    "jaccard",
    "jaccard_macro",
    "jsd",
    "kappa",
    "kld",
    "log_loss",
    "mae",
    "mcc",
    "mean_auroc",
    "mean_average_precision",
    "multilabel_ece",
    "multilabel_f1_macro",
    "multilabel_f1_micro",
    "multilabel_f1_weighted",
    "nonnegative_accuracy",
    "nonnegative_f1",
    "pearson",
    "r2",
    "rmse",
    "sign_accuracy",
    "sign_f1",
    "soft_f1_macro",
    "soft_f1_micro",
    "soft_f1_weighted",
    "subset_accuracy",
    "uar",
]

PER_CLASS = "f1_per_class"
WITHIN = "accuracy_within:"


def find_metric(metric: str | Metric) -> Metric:
    """Return a metric by name; ``"f1:<label>"`` is the F1 of one label, ``"accuracy_within:<k>"`` takes k steps off.

    Raises
    ------
    ValueError
        If the name is unknown; the message lists the choices.

    Examples
    --------
    >>> find_metric("ccc").label, find_metric("f1:joy").label, find_metric("accuracy_within:1").label
    ('CCC', 'F1 of joy', 'accuracy within 1')
    """
    if isinstance(metric, Metric):
        return metric
    if metric.startswith(F1_OF):
        label = metric.removeprefix(F1_OF)
        summary = Summary(partial(sums.hits_of_label, label), sums.f1_of_label)
        return Metric(metric, f"F1 of {label}", partial(f1_of_label, label), "label", summary=summary)
    if metric.startswith(WITHIN):
        k = metric.removeprefix(WITHIN)
        if not k.isdecimal():
            raise ValueError(f"Got metric {metric!r}, expected a whole number of steps, as in '{WITHIN}1'.")
        summary = Summary(partial(sums.hits_within, int(k)), sums.mean)
        return Metric(metric, f"accuracy within {k}", partial(accuracy_within, k=int(k)), summary=summary)
    check_name(metric, METRICS, "metric")
    return METRICS[metric]


def find_metrics(metrics: Iterable[str | Metric], labels: Iterable[str] = ()) -> tuple[Metric, ...]:
    """Return metrics by name; ``"f1_per_class"`` becomes one metric for each of ``labels``.

    Examples
    --------
    >>> [metric.name for metric in find_metrics(["uar", "f1_per_class"], ["fear", "joy"])]
    ['uar', 'f1:fear', 'f1:joy']
    """
    found: list[Metric] = []
    for metric in metrics:
        names = [f"{F1_OF}{label}" for label in labels] if metric == PER_CLASS else [metric]
        found += map(find_metric, names)
    return tuple(found)


METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "accuracy", accuracy, summary=Summary(sums.confusion, sums.accuracy)),
        Metric("f1_weighted", "weighted F1", f1_weighted, summary=Summary(sums.confusion, sums.f1_weighted)),
        Metric("f1_macro", "macro F1", f1_macro, summary=Summary(sums.confusion, sums.f1_macro)),
        Metric("uar", "UAR", uar, summary=Summary(sums.confusion, sums.uar)),
        Metric("kappa", "Cohen's kappa", kappa, summary=Summary(sums.confusion, sums.kappa)),
        Metric("mcc", "Matthews correlation", mcc, summary=Summary(sums.confusion, sums.mcc)),
        Metric("log_loss", "log loss", log_loss, "probabilities", False, Summary(sums.log_losses, sums.mean)),
        Metric("ece", "calibration error", ece, "probabilities", False, Summary(calibration_sums, ece_of_sums)),
        Metric("ece_mass", "calibration error, bins of equal mass", ece_mass, "probabilities", False),
        Metric(
            "ece_classwise",
            "calibration error of each class",
            ece_classwise,
            "probabilities",
            False,
            Summary(classwise_sums, mean_ece_of_sums),
        ),
        Metric("brier", "Brier score", brier, "probabilities", False, Summary(sums.brier, sums.mean)),
        Metric(
            "brier_top",
            "Brier score of the confidence",
            brier_top,
            "probabilities",
            False,
            Summary(sums.brier_top, sums.mean),
        ),
        Metric("auroc", "AUROC of the confidence", auroc, "probabilities"),
        Metric("aurc", "area under risk and coverage", aurc, "probabilities", False),
        Metric("ccc", "CCC", ccc, "values", summary=Summary(sums.moments, sums.ccc)),
        Metric("pearson", "Pearson correlation", pearson, "values", summary=Summary(sums.moments, sums.pearson)),
        Metric("mae", "mean absolute error", mae, "values", False, Summary(sums.absolute_errors, sums.mean)),
        Metric(
            "sign_accuracy", "accuracy of the sign", sign_accuracy, "values", summary=Summary(sums.signs, sums.accuracy)
        ),
        Metric(
            "nonnegative_accuracy",
            "accuracy of negative or not",
            nonnegative_accuracy,
            "values",
            summary=Summary(sums.nonnegatives, sums.accuracy),
        ),
        Metric(
            "nonnegative_f1",
            "weighted F1 of negative or not",
            nonnegative_f1,
            "values",
            summary=Summary(sums.nonnegatives, sums.f1_weighted),
        ),
        Metric("sign_f1", "weighted F1 of the sign", sign_f1, "values", summary=Summary(sums.signs, sums.f1_weighted)),
        Metric("rmse", "root mean squared error", rmse, "values", False, Summary(sums.squared_errors, sums.root_mean)),
        Metric("r2", "R²", r2, "values", summary=Summary(sums.moments, sums.r2)),
        *INDICATOR_METRICS,
        *DISTRIBUTION_METRICS,
    )
}
