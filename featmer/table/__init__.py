"""Features of every modality, aligned to utterances, with missing as a value."""

from featmer.table.block import Block
from featmer.table.feature_table import FeatureTable
from featmer.table.statistics import STATISTICS

__all__ = ["STATISTICS", "Block", "FeatureTable"]
