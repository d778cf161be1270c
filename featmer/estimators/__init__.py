"""Where torch meets scikit-learn: fusion models with fit and predict over a FeatureTable."""

from featmer.estimators.classifier import FusionClassifier
from featmer.estimators.regressor import FusionRegressor

__all__ = ["FusionClassifier", "FusionRegressor"]
