"""Bases of the extractors of sound, pictures and text; their authors write `names` and `describe`, nothing else."""

from featmer.extractors.sources.pictures import VideoExtractor
from featmer.extractors.sources.sound import AudioExtractor
from featmer.extractors.sources.texts import TextExtractor

__all__ = ["AudioExtractor", "TextExtractor", "VideoExtractor"]
