"""Heads: torch modules that turn the features of a batch into one output vector a row."""

from __future__ import annotations

from featmer.nn.aligner import Aligner
from featmer.nn.broad import BroadMamba
from featmer.nn.cider import CIDer, CompositeAttention
from featmer.nn.compressor import Compressor, HybridCompressor
from featmer.nn.cross_modal import CrossModal
from featmer.nn.encoders import Encoders
from featmer.nn.experts import Experts
from featmer.nn.fusion import Concat, Gated
from featmer.nn.graph import MMGCN, DialogueGCN, GCNIILayer, RelationalGraphLayer
from featmer.nn.head import Answers, Head
from featmer.nn.lfan import LFAN
from featmer.nn.m2fnet import M2FNet
from featmer.nn.mamba import Mamba, SelectiveSSM
from featmer.nn.pre_fusion import PreFusion
from featmer.nn.reallocation import reallocate
from featmer.nn.recurrent import DialogueRNN, Recurrent
from featmer.nn.self_distilled import SelfDistilled
from featmer.nn.standardise import Standardise
from featmer.nn.streams import Stepwise, WindowedLSTM
from featmer.nn.transformer import Transformer

HEADS: dict[str, type[Head]] = {
    "concat": Concat,
    "gated": Gated,
    "transformer": Transformer,
    "m2fnet": M2FNet,
    "cross_modal": CrossModal,
    "pre_fusion": PreFusion,
    "recurrent": Recurrent,
    "mamba": Mamba,
    "broad_mamba": BroadMamba,
    "dialogue_rnn": DialogueRNN,
    "experts": Experts,
    "compressor": Compressor,
    "graph": DialogueGCN,
    "mmgcn": MMGCN,
    "stepwise": Stepwise,
    "windowed": WindowedLSTM,
    "aligner": Aligner,
    "lfan": LFAN,
    "cider": CIDer,
}

__all__ = [
    "HEADS",
    "LFAN",
    "MMGCN",
    "Aligner",
    "Answers",
    "BroadMamba",
    "CIDer",
    "CompositeAttention",
    "Compressor",
    "Concat",
    "CrossModal",
    "DialogueGCN",
    "DialogueRNN",
    "Encoders",
    "Experts",
    "GCNIILayer",
    "Gated",
    "Head",
    "HybridCompressor",
    "M2FNet",
    "Mamba",
    "PreFusion",
    "Recurrent",
    "RelationalGraphLayer",
    "SelectiveSSM",
    "SelfDistilled",
    "Standardise",
    "Stepwise",
    "Transformer",
    "WindowedLSTM",
    "reallocate",
]
