"""Features of every modality, aligned to utterances, with missing as a value."""

from featmer.table.block import STATISTICS, Block
from featmer.table.feature_table import FeatureTable

__all__ = ["STATISTICS", "Block", "FeatureTable"]
