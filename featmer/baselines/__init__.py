"""Tabular baselines over a FeatureTable: boosted trees, broad learning, linear models, prototypes and the majority."""

from featmer.baselines.augmented import AugmentedClassifier
from featmer.baselines.boosted import BoostedClassifier, BoostedRegressor
from featmer.baselines.broad import BroadLearningClassifier, BroadLearningRegressor
from featmer.baselines.compound import PairwiseCompound
from featmer.baselines.distilled import DistilledClassifier
from featmer.baselines.linear import LinearClassifier, LinearRegressor
from featmer.baselines.majority import MajorityClassifier
from featmer.baselines.prototypes import AUPrototypeClassifier
from featmer.baselines.stacked import StackedClassifier

__all__ = [
    "AUPrototypeClassifier",
    "AugmentedClassifier",
    "BoostedClassifier",
    "BoostedRegressor",
    "BroadLearningClassifier",
    "BroadLearningRegressor",
    "DistilledClassifier",
    "LinearClassifier",
    "LinearRegressor",
    "MajorityClassifier",
    "PairwiseCompound",
    "StackedClassifier",
]
