"""Who says what to whom in which mood, and how far voice, face and words give the mood away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np

from featmer._resources import read_resource
from featmer.corpora.demo import LABELS

EMOTIONS = LABELS["emotion"]
SPEAKERS = ("Ada", "Ben", "Chloe", "Dan", "Eva", "Finn", "Gina", "Hugo")

#: The field's accidents, each at its (dialogue, turn).
ACCIDENTS = MappingProxyType(
    {
        "silent": ("d03", 1),
        "no face": ("d06", 2),
        "two faces": ("d09", 1),
        "truncated": ("d13", 3),
        "0.1 s": ("d15", 2),
        "no video": ("d20", 1),
        "label typo": ("d24", 2),
    }
)

# How many dialogues begin in each emotion: imbalanced like the field's corpora.
_OPENINGS = np.array([10, 6, 5, 5, 3, 3, 3])
_FEWEST_ROWS = 10
_KEEPS_MOOD, _CATCHES_MOOD = 0.54, 0.36
_CLEAR_WORDS = 0.6

_CORE_AFFECT = {  # valence, arousal
    "neutral": (0.0, -0.2),
    "joy": (0.8, 0.5),
    "sadness": (-0.7, -0.5),
    "anger": (-0.6, 0.7),
    "fear": (-0.7, 0.6),
    "surprise": (0.2, 0.7),
    "disgust": (-0.7, 0.1),
}

# How often a channel shows the emotion plainly; otherwise it shows a likeness of it, or nothing much.
_SHOWN = MappingProxyType({"voice": 0.70, "face": 0.55})
_MASKED = 0.45
_LIKENESS = MappingProxyType(
    {
        "voice": {
            "neutral": "sadness",
            "joy": "anger",
            "sadness": "disgust",
            "anger": "joy",
            "fear": "surprise",
            "surprise": "fear",
            "disgust": "sadness",
        },
        "face": {
            "neutral": "sadness",
            "joy": "surprise",
            "sadness": "disgust",
            "anger": "disgust",
            "fear": "surprise",
            "surprise": "fear",
            "disgust": "anger",
        },
    }
)


@dataclass(frozen=True)
class Cue:
    """What one channel shows: an emotion and how strongly, from 0 to 1; perhaps a second one as strongly."""

    emotion: str
    strength: float
    second: str | None = None


@dataclass(frozen=True)
class Mood:
    """Who is in which emotion at one turn of a dialogue."""

    dialogue: str
    turn: int
    speaker: str
    emotion: str


@dataclass(frozen=True)
class Turn(Mood):
    """One utterance of the story."""

    text: str
    voice: Cue
    face: Cue

    @property
    def accident(self) -> str | None:
        """The name of what went wrong here, if anything did."""
        return next((name for name, place in ACCIDENTS.items() if place == (self.dialogue, self.turn)), None)

    @property
    def audio_path(self) -> str:
        """The WAV file, relative to the corpus root."""
        return f"audio/{self.dialogue}_t{self.turn}.wav"

    @property
    def video_path(self) -> str | None:
        """The MP4 file, relative to the corpus root, if there is one."""
        return None if self.accident == "no video" else f"video/{self.dialogue}_t{self.turn}.mp4"


class Lines:
    """The hand-written utterances, dealt without repeats until a pile is used up."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng
        self._clear: dict[str, list[str]] = {emotion: [] for emotion in EMOTIONS}
        self._mixed: dict[str, list[str]] = {emotion: [] for emotion in EMOTIONS}
        for row in read_resource("demo/utterances.csv"):
            emotions = row["emotions"].split()
            pile = self._clear if len(emotions) == 1 else self._mixed
            for emotion in emotions:
                pile[emotion].append(row["text"])
        self._used: Counter[str] = Counter()

    def deal(self, emotion: str) -> str:
        """Return one of the least used lines that fit the emotion."""
        pile = self._clear if self._rng.random() < _CLEAR_WORDS else self._mixed
        fewest = min(self._used[line] for line in pile[emotion])
        text = str(self._rng.choice([line for line in pile[emotion] if self._used[line] == fewest]))
        self._used[text] += 1
        return text


def _show(channel: str, emotion: str, rng: np.random.Generator) -> Cue:
    """Return what a channel shows of an emotion: itself, a likeness, or a mask of calm."""
    if rng.random() < _SHOWN[channel]:
        return Cue(emotion, rng.uniform(0.6, 1.0))
    if rng.random() < _MASKED:
        return Cue(emotion, rng.uniform(0.0, 0.3))
    return Cue(_LIKENESS[channel][emotion], rng.uniform(0.5, 0.9))


def _moods(rng: np.random.Generator) -> Iterator[Mood]:
    """Yield the moods of all dialogues: they last in a speaker and spread between speakers."""
    openings = [str(emotion) for emotion in rng.permutation(np.repeat(EMOTIONS, _OPENINGS))]
    for dialogue in [f"d{number:02d}" for number in range(1, len(openings) + 1)]:
        cast = rng.choice(SPEAKERS, size=rng.integers(2, 4), replace=False)
        mood: dict[str, str] = {}
        heard = openings.pop()
        for turn in range(rng.integers(4, 9)):
            # Two take turns; a third one comes in now and then.
            speaker = str(cast[turn % 2] if len(cast) == 2 or rng.random() < 0.7 else cast[2])
            way = rng.random()
            if way < _KEEPS_MOOD:
                emotion = mood.get(speaker, heard)
            elif way < _KEEPS_MOOD + _CATCHES_MOOD:
                emotion = heard
            else:
                emotion = str(rng.choice(EMOTIONS, p=_OPENINGS / _OPENINGS.sum()))
            if (dialogue, turn) == ACCIDENTS["label typo"]:
                emotion = "surprise"  # the one that is so often misspelt
            mood[speaker] = heard = emotion
            yield Mood(dialogue, turn, speaker, emotion)


def split_of(dialogue: str) -> str:
    """Return the official part of a dialogue: three in five train, one validates, one tests.

    Examples
    --------
    >>> [split_of(dialogue) for dialogue in ("d01", "d02", "d03", "d04", "d05")]
    ['train', 'train', 'valid', 'test', 'train']
    """
    return {3: "valid", 4: "test"}.get(int(dialogue[1:]) % 5, "train")


def core_affect(emotion: str, rng: np.random.Generator) -> tuple[float, float]:
    """Return the valence and arousal that an annotator would give, each from -1 to 1.

    Examples
    --------
    >>> core_affect("anger", np.random.default_rng(0))
    (-0.581, 0.68)
    """
    rated = np.clip(np.add(_CORE_AFFECT[emotion], rng.normal(0, 0.15, 2)), -1, 1).round(3)
    return float(rated[0]), float(rated[1])


def _balanced(story: list[Mood]) -> bool:
    """Tell whether every emotion has enough rows, and some in every part."""
    rows = Counter(mood.emotion for mood in story)
    parts = {(split_of(mood.dialogue), mood.emotion) for mood in story}
    ordered = all(rows["neutral"] > rows[emotion] for emotion in EMOTIONS[1:])
    return ordered and min(rows[emotion] for emotion in EMOTIONS) >= _FEWEST_ROWS and len(parts) == 3 * len(EMOTIONS)


def write_story(rng: np.random.Generator) -> list[Turn]:
    """Write all turns of the corpus, in order.

    Parameters
    ----------
    rng : numpy.random.Generator
        The same generator writes the same story.

    Returns
    -------
    list of Turn
        About 210 turns; every emotion has ten or more, and some in every official part.

    Examples
    --------
    >>> turns = write_story(np.random.default_rng(0))
    >>> 140 < len(turns) < 280, turns[0].dialogue, turns[0].turn
    (True, 'd01', 0)
    """
    story = list(_moods(rng))
    while not _balanced(story):
        story = list(_moods(rng))
    lines = Lines(rng)
    return [
        Turn(
            mood.dialogue,
            mood.turn,
            mood.speaker,
            mood.emotion,
            lines.deal(mood.emotion),
            _show("voice", mood.emotion, rng),
            _show("face", mood.emotion, rng),
        )
        for mood in story
    ]
