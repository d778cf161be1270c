"""Corpus readers: each knows one corpus's files, splits, labels and known-bad clips, and returns segments."""

from featmer.corpora.demo import load_demo
from featmer.corpora.manifest import load_manifest
from featmer.corpora.meld import load_meld
from featmer.corpora.meld_feats import load_meld_feats, load_meld_feats_features
from featmer.corpora.mosi import load_mosi, load_mosi_features
from featmer.corpora.ravdess import load_ravdess, load_ravdess_au

CORPORA = {
    "demo": load_demo,
    "manifest": load_manifest,
    "meld": load_meld,
    "meld_feats": load_meld_feats,
    "mosi": load_mosi,
    "ravdess": load_ravdess,
}

__all__ = [
    "CORPORA",
    "load_demo",
    "load_manifest",
    "load_meld",
    "load_meld_feats",
    "load_meld_feats_features",
    "load_mosi",
    "load_mosi_features",
    "load_ravdess",
    "load_ravdess_au",
]
