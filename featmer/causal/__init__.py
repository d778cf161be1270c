"""Classifiers around another one that lean less on what only happened to go with a label in training."""

from featmer.causal.backdoor import BackdoorClassifier, backdoor_probabilities
from featmer.causal.counterfactual import CounterfactualClassifier, varied_features

__all__ = ["BackdoorClassifier", "CounterfactualClassifier", "backdoor_probabilities", "varied_features"]
