"""Where torch meets scikit-learn: fusion models with fit and predict over a FeatureTable."""

from featmer.estimators.classifier import FusionClassifier
from featmer.estimators.frames import frame_outputs
from featmer.estimators.multitask import MultitaskFusion
from featmer.estimators.regressor import FusionRegressor
from featmer.estimators.support import label_support

__all__ = ["FusionClassifier", "FusionRegressor", "MultitaskFusion", "frame_outputs", "label_support"]
