"""Faces from CSV files that other tools have written, a row a frame and face."""

from featmer.extractors.face_csv.extractor import FaceCsv

__all__ = ["FaceCsv"]
