"""Emotions as people and corpora name them: label spaces, mappings, and targets from raters who disagree."""

from featmer.labels.annotators import DawidSkene, annotator_report, combine_annotators, dawid_skene
from featmer.labels.bundled_wheels import EMOTION_WHEELS
from featmer.labels.compounds import compound_components, compound_probabilities
from featmer.labels.coordinates import LABEL_COORDINATES, label_coordinates, label_similarity, soften_labels
from featmer.labels.corpora import map_corpus_labels
from featmer.labels.mapping import LABEL_MAPPINGS, MappedLabels, map_labels
from featmer.labels.mertools import read_mertools_wheels
from featmer.labels.prototypes import FacePrototype, face_prototypes
from featmer.labels.review import confirm_labels, rater_agreement, review_report
from featmer.labels.spaces import LABEL_SPACES, LabelSpace, label_space
from featmer.labels.votes import (
    Targets,
    aggregate_votes,
    count_cooccurrence,
    count_votes,
    penalty_matrix,
    smooth_targets,
)
from featmer.labels.wheels import EmotionWheel

__all__ = [
    "EMOTION_WHEELS",
    "LABEL_COORDINATES",
    "LABEL_MAPPINGS",
    "LABEL_SPACES",
    "DawidSkene",
    "EmotionWheel",
    "FacePrototype",
    "LabelSpace",
    "MappedLabels",
    "Targets",
    "aggregate_votes",
    "annotator_report",
    "combine_annotators",
    "compound_components",
    "compound_probabilities",
    "confirm_labels",
    "count_cooccurrence",
    "count_votes",
    "dawid_skene",
    "face_prototypes",
    "label_coordinates",
    "label_similarity",
    "label_space",
    "map_corpus_labels",
    "map_labels",
    "penalty_matrix",
    "rater_agreement",
    "read_mertools_wheels",
    "review_report",
    "smooth_targets",
    "soften_labels",
]
