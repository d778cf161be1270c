"""What a person reads: the ranked table, the plots, and one page that holds it all."""

from featmer.report.merging import Comparison, load_results, save_results
from featmer.report.page import write_page
from featmer.report.ranking import leaderboard

__all__ = ["Comparison", "leaderboard", "load_results", "save_results", "write_page"]
