"""What a person reads: the ranked table, the plots, and one page that holds it all."""

from featmer.report.page import write_page
from featmer.report.ranking import leaderboard

__all__ = ["leaderboard", "write_page"]
