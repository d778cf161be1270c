"""Extractors: small stateless objects that describe sound, pictures or text."""

from featmer.extractors.acoustic import OpenSmile
from featmer.extractors.base import Absence, Extractor, Features, UndescribableError
from featmer.extractors.body_pose import BodyPose
from featmer.extractors.face import FaceLandmarks
from featmer.extractors.face_csv import FaceCsv
from featmer.extractors.faces import Face, FaceExtractor
from featmer.extractors.image_embedding import ImageEmbedding
from featmer.extractors.lexicon import Lexicon, Vader
from featmer.extractors.low_level import LowLevelDescriptors
from featmer.extractors.motion import Motion
from featmer.extractors.multilingual import MultilingualEmbedding
from featmer.extractors.music import Music
from featmer.extractors.pyfeat import PyFeat
from featmer.extractors.scene import Scene
from featmer.extractors.sources import AudioExtractor, TextExtractor, VideoExtractor
from featmer.extractors.text import SentenceEmbedding

EXTRACTORS: dict[str, type[Extractor]] = {
    "opensmile": OpenSmile,
    "low_level_descriptors": LowLevelDescriptors,
    "music": Music,
    "face_landmarks": FaceLandmarks,
    "pyfeat": PyFeat,
    "face_csv": FaceCsv,
    "body_pose": BodyPose,
    "motion": Motion,
    "scene": Scene,
    "image_embedding": ImageEmbedding,
    "sentence_embedding": SentenceEmbedding,
    "multilingual_embedding": MultilingualEmbedding,
    "lexicon": Lexicon,
    "vader": Vader,
}

__all__ = [
    "EXTRACTORS",
    "Absence",
    "AudioExtractor",
    "BodyPose",
    "Extractor",
    "Face",
    "FaceCsv",
    "FaceExtractor",
    "FaceLandmarks",
    "Features",
    "ImageEmbedding",
    "Lexicon",
    "LowLevelDescriptors",
    "MultilingualEmbedding",
    "Music",
    "Motion",
    "OpenSmile",
    "PyFeat",
    "Scene",
    "SentenceEmbedding",
    "TextExtractor",
    "UndescribableError",
    "Vader",
    "VideoExtractor",
]
