"""Pre-training: transformers that learn embeddings from tables without labels, for any model that comes after."""

from __future__ import annotations

from featmer.pretraining.base import Pretraining
from featmer.pretraining.contrastive import PairwiseContrastive, info_nce

PRETRAINING: dict[str, type[Pretraining]] = {
    "pairwise_contrastive": PairwiseContrastive,
}

__all__ = ["PRETRAINING", "PairwiseContrastive", "Pretraining", "info_nce"]
