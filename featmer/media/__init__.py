"""Open audio and video files: the only place in featmer that does.

Hides PyAV. Time zero is the beginning of the file, for sound and picture alike; every fault is a `MediaError`.
"""

from featmer.media.opening import MediaError, MediaInfo, probe
from featmer.media.reading import Frame, read_audio, read_frames
from featmer.media.writing import write_audio, write_video

__all__ = ["Frame", "MediaError", "MediaInfo", "probe", "read_audio", "read_frames", "write_audio", "write_video"]
