"""Pre-training: transformers from tables to embeddings, most of them learned without labels."""

from __future__ import annotations

from featmer.pretraining.base import Pretraining
from featmer.pretraining.contrastive import PairwiseContrastive, info_nce
from featmer.pretraining.triplet import TripletEmbedder, adaptive_margin_loss

PRETRAINING: dict[str, type[Pretraining]] = {
    "pairwise_contrastive": PairwiseContrastive,
    "triplet": TripletEmbedder,
}

__all__ = ["PRETRAINING", "PairwiseContrastive", "Pretraining", "TripletEmbedder", "adaptive_margin_loss", "info_nce"]
