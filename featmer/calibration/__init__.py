"""Classifiers whose probabilities can be believed, and that say when they may be wrong."""

from featmer.calibration.calibrated import CalibratedClassifier
from featmer.calibration.scaling import METHODS
from featmer.calibration.selective import SelectiveClassifier
from featmer.calibration.words import CONFIDENCE_WORDS

__all__ = ["CONFIDENCE_WORDS", "METHODS", "CalibratedClassifier", "SelectiveClassifier"]
