"""How sure a difference is: whole dialogues resampled, folds known to share their training rows, N counted right."""

from featmer.evaluation.stats.comparison import LEVEL, Comparison
from featmer.evaluation.stats.corrections import holm
from featmer.evaluation.stats.counts import MCNEMAR_METHODS, McNemar, count_discordant, mcnemar
from featmer.evaluation.stats.data_sets import data_set_scores, rank_models
from featmer.evaluation.stats.effects import cliffs_delta, cohens_d, rank_biserial
from featmer.evaluation.stats.folds import corrected_t_test, five_by_two_cv_test
from featmer.evaluation.stats.power import Power, power_analysis
from featmer.evaluation.stats.ranks import Friedman, cliques, friedman, nemenyi, nemenyi_cd, wilcoxon_holm
from featmer.evaluation.stats.resampling import (
    N_RESAMPLES,
    approximate_randomisation,
    cluster_bootstrap,
    interval,
    paired_bootstrap,
)

__all__ = [
    "LEVEL",
    "MCNEMAR_METHODS",
    "N_RESAMPLES",
    "Comparison",
    "Friedman",
    "McNemar",
    "Power",
    "approximate_randomisation",
    "cliffs_delta",
    "cliques",
    "cluster_bootstrap",
    "cohens_d",
    "corrected_t_test",
    "count_discordant",
    "data_set_scores",
    "five_by_two_cv_test",
    "friedman",
    "holm",
    "interval",
    "mcnemar",
    "nemenyi",
    "nemenyi_cd",
    "paired_bootstrap",
    "power_analysis",
    "rank_biserial",
    "rank_models",
    "wilcoxon_holm",
]
