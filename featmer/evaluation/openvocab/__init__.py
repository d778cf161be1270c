"""Open vocabulary: any number of emotion words a row, compared as sets once a wheel or a table made them comparable.

Every score comes with the mean number of words and a variant that is lowered for words beyond those of the truth: the
scores by themselves reward answers that name everything.
"""

from featmer.evaluation.openvocab.benchmarks import MER_UNIBENCH, benchmark_mean
from featmer.evaluation.openvocab.sets import PENALTIES, SetScores, set_level_scores
from featmer.evaluation.openvocab.wheels import HitRate, ew_score, hit_rate, wheel_agreement, word_coverage
from featmer.labels.mertools import read_mertools_wheels
from featmer.labels.wheels import EmotionWheel

__all__ = [
    "MER_UNIBENCH",
    "PENALTIES",
    "EmotionWheel",
    "HitRate",
    "SetScores",
    "benchmark_mean",
    "ew_score",
    "hit_rate",
    "read_mertools_wheels",
    "set_level_scores",
    "wheel_agreement",
    "word_coverage",
]
