"""Tabular baselines over a FeatureTable: boosted trees, linear models and the majority."""

from featmer.baselines.boosted import BoostedClassifier, BoostedRegressor
from featmer.baselines.linear import LinearClassifier, LinearRegressor
from featmer.baselines.majority import MajorityClassifier

__all__ = [
    "BoostedClassifier",
    "BoostedRegressor",
    "LinearClassifier",
    "LinearRegressor",
    "MajorityClassifier",
]
