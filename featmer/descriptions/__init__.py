"""Features in words, for models that read and for people who ask why."""

from featmer.descriptions.describer import Describer
from featmer.descriptions.wording import ACTION_UNITS, VOICE_CUES, describe_face, describe_voice

__all__ = ["ACTION_UNITS", "VOICE_CUES", "Describer", "describe_face", "describe_voice"]
