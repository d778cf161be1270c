"""Faces: base of their extractors; hides tracks, the choice among several faces, and quality."""

from featmer.extractors.faces.base import Face, FaceExtractor

__all__ = ["Face", "FaceExtractor"]
