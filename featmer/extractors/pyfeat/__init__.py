"""py-feat: its detectors, run in a process of their own, and what its columns mean."""

from featmer.extractors.pyfeat.extractor import PyFeat

__all__ = ["PyFeat"]
