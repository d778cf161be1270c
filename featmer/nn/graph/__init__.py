"""Graph heads: the turns of a dialogue, or its turns and modalities, as nodes that hear of their neighbours."""

from featmer.nn.graph.dialogue_gcn import DialogueGCN, RelationalGraphLayer
from featmer.nn.graph.edges import Edges, speaker_relations, window_edges
from featmer.nn.graph.mmgcn import MMGCN, GCNIILayer, angular_adjacency, normalised

__all__ = [
    "MMGCN",
    "DialogueGCN",
    "Edges",
    "GCNIILayer",
    "RelationalGraphLayer",
    "angular_adjacency",
    "normalised",
    "speaker_relations",
    "window_edges",
]
