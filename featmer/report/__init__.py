"""What a person reads: the ranked table, the charts, and one page that holds it all."""

from featmer.report.merging import Comparison, comparisons, find_table, load_results, over_corpora, save_results
from featmer.report.page import write_page
from featmer.report.ranking import leaderboard

__all__ = [
    "Comparison",
    "comparisons",
    "find_table",
    "leaderboard",
    "load_results",
    "over_corpora",
    "save_results",
    "write_page",
]
