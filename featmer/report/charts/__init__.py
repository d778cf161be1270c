"""The charts of a page, as Vega-Lite: the same drawing is interactive on the page and a picture in a file."""

from featmer.report.charts.certainty import (
    agreement_chart,
    calibration_chart,
    label_calibration_chart,
    risk_coverage_chart,
    robustness_chart,
)
from featmer.report.charts.drawing import save_chart, still
from featmer.report.charts.labels import confusion_chart, corpora_chart, f1_chart, together_chart
from featmer.report.charts.ranks import critical_difference_chart
from featmer.report.charts.scores import cost_chart, scores_chart
from featmer.report.charts.turns import answers_chart, tracks_chart

__all__ = [
    "agreement_chart",
    "answers_chart",
    "calibration_chart",
    "confusion_chart",
    "corpora_chart",
    "cost_chart",
    "critical_difference_chart",
    "f1_chart",
    "label_calibration_chart",
    "risk_coverage_chart",
    "robustness_chart",
    "save_chart",
    "scores_chart",
    "still",
    "together_chart",
    "tracks_chart",
]
