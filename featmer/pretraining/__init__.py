"""Pre-training: transformers from tables to embeddings, most of them learned without labels."""

from __future__ import annotations

from featmer.pretraining.base import Pretraining
from featmer.pretraining.contrastive import PairwiseContrastive, info_nce
from featmer.pretraining.scene_person import ScenePerson
from featmer.pretraining.texts import LeakageWarning, with_texts
from featmer.pretraining.triplet import TripletEmbedder, adaptive_margin_loss
from featmer.pretraining.unified import UnifiedMasked

PRETRAINING: dict[str, type[Pretraining]] = {
    "pairwise_contrastive": PairwiseContrastive,
    "triplet": TripletEmbedder,
    "unified": UnifiedMasked,
    "scene_person": ScenePerson,
}

__all__ = [
    "PRETRAINING",
    "LeakageWarning",
    "PairwiseContrastive",
    "Pretraining",
    "ScenePerson",
    "TripletEmbedder",
    "UnifiedMasked",
    "adaptive_margin_loss",
    "info_nce",
    "with_texts",
]
