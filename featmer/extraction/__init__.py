"""From segments to a feature table; hides one reading for many extractors, workers, the cache and failures."""

from featmer.extraction.failures import FAILURE_COLUMNS, census
from featmer.extraction.running import extract

__all__ = ["FAILURE_COLUMNS", "census", "extract"]
