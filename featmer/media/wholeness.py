"""Tell whether a file is as long as its own header says; ffmpeg reads what is left of a file without a word."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

# Atoms of an MP4 file; what follows the last of them is somebody else's, and no sign of a cut.
_ATOMS = {b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"mfra", b"free", b"skip", b"wide", b"sidx", b"uuid", b"meta"}
_TS_PACKET, _TS_SYNC = 188, 0x47
_OGG_PAGE = 65307  # the longest
_MP3_FRAME = 2880  # the longest; encoders disagree whether they count the first


def is_cut(path: Path) -> bool:
    """Tell if a file ends before the place that its own header names.

    WAV, AVI, AIFF, MP4 and its kin, Matroska, WebM and Ogg say how long they are, MPEG-TS comes in packets, and MP3
    says it in the header that most encoders write. Of other files, and those written to a pipe, this knows nothing.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        return _declared_size(file, size) > size


def _declared_size(file: BinaryIO, size: int) -> int:
    """Return the bytes that a file should have; 0 where it does not say."""
    head = file.read(2 * _TS_PACKET + 1)
    if head[:4] == b"RIFF":
        declared = int.from_bytes(head[4:8], "little")
        return 0 if declared >= 0xFFFFFF00 else declared + 8  # the length stays unknown in a pipe
    if head[:4] == b"FORM":
        return int.from_bytes(head[4:8], "big") + 8
    if head[4:8] in _ATOMS:
        return _end_of_atoms(file)
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return _end_of_matroska(file)
    if head[:4] == b"OggS":
        return _end_of_ogg(file, size)
    if head[::_TS_PACKET] == bytes([_TS_SYNC] * 3):
        return -(-size // _TS_PACKET) * _TS_PACKET
    return _end_of_mp3(file, head)


def _end_of_atoms(file: BinaryIO) -> int:
    """Follow the atoms of an MP4 file from one to the next."""
    end = 0
    while len(head := _read(file, end, 16)) >= 8 and head[4:8] in _ATOMS:
        size = int.from_bytes(head[:4], "big")
        size = int.from_bytes(head[8:], "big") if size == 1 else size
        if size < 8:  # 0: whatever follows
            break
        end += size
    return end


def _end_of_matroska(file: BinaryIO) -> int:
    """Return the end of the one segment that follows the header."""
    head = _read(file, 4, 8)
    length, header = _variable_integer(head)
    begin = 4 + length + header
    length, segment = _variable_integer(_read(file, begin + 4, 8))
    unknown = segment == 2 ** (7 * length) - 1
    return 0 if unknown else begin + 4 + length + segment


def _variable_integer(content: bytes) -> tuple[int, int]:
    """Return the number of bytes of an integer of Matroska, and its value."""
    length = 9 - content[0].bit_length() if content else 0
    return length, int.from_bytes(content[:length], "big") & (2 ** (7 * length) - 1)


def _end_of_ogg(file: BinaryIO, size: int) -> int:
    """Return the end of the last page that begins."""
    tail = _read(file, max(0, size - _OGG_PAGE), _OGG_PAGE)
    page = tail[max(0, tail.rfind(b"OggS")) :]
    lacing = page[27 : 27 + page[26]] if len(page) > 26 else b""
    return size - len(page) + (27 + page[26] + sum(lacing) if lacing else _OGG_PAGE)


def _end_of_mp3(file: BinaryIO, head: bytes) -> int:
    """Return about where the frames end, if the first of them says how many bytes they are."""
    begin = 0
    if head[:3] == b"ID3":
        begin = 10 + sum(byte << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True))
    frame = _read(file, begin, 64)
    place = max(frame.find(b"Xing"), frame.find(b"Info"))
    if frame[:1] != b"\xff" or place < 0 or not frame[place + 7] & 2:
        return 0
    place += 12 if frame[place + 7] & 1 else 8
    return begin + int.from_bytes(frame[place : place + 4], "big") - _MP3_FRAME


def _read(file: BinaryIO, begin: int, count: int) -> bytes:
    file.seek(begin)
    return file.read(count)
