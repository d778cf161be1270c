"""Made-up tables in which one mechanism, and no other, finds the answer."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pandas as pd

from featmer import Block, FeatureTable
from featmer.labels import face_prototypes

BENCHMARK = runpy.run_path(str(Path(__file__).parents[1] / "benchmarks" / "synthetic.py"))
make_table, make_conflict = BENCHMARK["make_table"], BENCHMARK["make_conflict"]


def make_task(seed, n_rows, *, emotional, n_labels=4, width=12, noise=0.7, cue=2.5):
    """Return a table of scene and face, and labels; emotional rows have a cue, and other labels for the same sight."""
    rng = np.random.default_rng(seed)
    sight = rng.integers(n_labels, size=n_rows)
    blocks = {}
    for modality in ("scene", "face"):
        values = 2 * np.eye(n_labels, width)[sight] + noise * rng.standard_normal((n_rows, width))
        values[:, -1] += cue if emotional else -cue
        blocks[modality] = Block(values, [f"{modality}.{i}" for i in range(width)])
    segments = pd.DataFrame({"dialogue": [f"{seed}.{i}" for i in range(n_rows)], "turn": 0})
    return FeatureTable(segments, blocks), (sight + emotional) % n_labels


def make_views(seed, n_rows, *, n_labels=2, shared=8, private=12, width=24, noise=0.1):
    """Return a table of audio, face and text, and labels.

    Each modality mixes the same latent numbers with as many others of its own; only the shared ones tell the label.
    """
    world, rng = np.random.default_rng(seed), np.random.default_rng([seed, n_rows])
    latent = rng.standard_normal((n_rows, shared))
    labels = (latent @ world.standard_normal((shared, n_labels))).argmax(1)
    blocks = {}
    for modality in ("audio", "face", "text"):
        own = np.column_stack([latent, rng.standard_normal((n_rows, private))])
        values = own @ world.standard_normal((shared + private, width)) / len(own[0]) ** 0.5
        values += noise * rng.standard_normal(values.shape)
        blocks[modality] = Block(values, [f"{modality}.{i}" for i in range(width)])
    segments = pd.DataFrame({"dialogue": np.arange(n_rows), "turn": 0})
    return FeatureTable(segments, blocks), labels


def make_clusters(seed, n_rows, *, n_labels=7, latent=4, width=8, nuisance=40, noise=0.2):
    """Return a table of audio, and labels: a cluster a label, bent into more dimensions, beside much noise."""
    world, rng = np.random.default_rng(seed), np.random.default_rng([seed, n_rows])
    centres = 2 * world.standard_normal((n_labels, latent))
    labels = rng.integers(n_labels, size=n_rows)
    hidden = centres[labels] + 0.7 * rng.standard_normal((n_rows, latent))
    bent = np.tanh(hidden @ world.standard_normal((latent, width)) / latent**0.5)
    values = np.column_stack([bent + noise * rng.standard_normal(bent.shape), rng.standard_normal((n_rows, nuisance))])
    segments = pd.DataFrame({"dialogue": np.arange(n_rows), "turn": 0})
    return FeatureTable(segments, {"audio": Block(values, [f"audio.{i}" for i in range(width + nuisance)])}), labels


def make_dialogues(speakers, values):
    """Return a table of text; `speakers` has a row a dialogue and a column a turn, `values` a vector for each."""
    n_dialogues, n_turns, width = values.shape
    segments = pd.DataFrame(
        {
            "dialogue": np.arange(n_dialogues).repeat(n_turns),
            "turn": np.tile(np.arange(n_turns), n_dialogues),
            "speaker": np.broadcast_to(speakers, (n_dialogues, n_turns)).ravel(),
        }
    )
    return FeatureTable(segments, {"text": Block(values.reshape(-1, width), [f"text.{i}" for i in range(width)])})


def distant_cue(seed, n_dialogues, lag=200):
    """Return dialogues whose label only the first turn gives away."""
    rng = np.random.default_rng(seed)
    values = rng.normal(scale=0.3, size=(n_dialogues, lag + 1, 2))
    labels = rng.integers(2, size=n_dialogues)
    values[np.arange(n_dialogues), 0, labels] += 3
    return make_dialogues(np.arange(lag + 1) % 2, values), labels.repeat(lag + 1)


def speaker_inertia(seed, n_dialogues=150, n_turns=20, *, n_speakers=2, n_labels=4, stay=0.9, noise=0.96):
    """Return dialogues in which each speaker has an emotion that lasts, whatever the others feel, and labels.

    Who speaks is drawn anew each turn. An emotion shows in each turn, but not clearly.
    """
    rng = np.random.default_rng(seed)
    speakers = rng.integers(n_speakers, size=(n_dialogues, n_turns))
    emotions = rng.integers(n_labels, size=(n_dialogues, n_speakers))
    labels = np.empty((n_dialogues, n_turns), int)
    every = np.arange(n_dialogues)
    for turn in range(n_turns):
        speaks = every, speakers[:, turn]
        changed = rng.random(n_dialogues) > stay
        emotions[speaks] = np.where(changed, rng.integers(n_labels, size=n_dialogues), emotions[speaks])
        labels[:, turn] = emotions[speaks]
    values = 2 * np.eye(n_labels, 8)[labels] + noise * rng.standard_normal((n_dialogues, n_turns, 8))
    return make_dialogues(speakers, values), labels.ravel()


def whose_cue(seed, n_dialogues, n_turns=12):
    """Return dialogues of two speakers, each with a label that one turn of his gives away, and labels.

    Nothing but who speaks tells the two apart.
    """
    rng = np.random.default_rng(seed)
    speakers = rng.permuted(np.tile(np.arange(n_turns) % 2, (n_dialogues, 1)), axis=1)
    of_speaker = rng.integers(2, size=(n_dialogues, 2))
    values = rng.normal(scale=0.3, size=(n_dialogues, n_turns, 3))
    every = np.arange(n_dialogues)
    for speaker in range(2):
        turn = np.where(speakers == speaker, rng.random(speakers.shape), -1).argmax(1)
        values[every, turn, of_speaker[:, speaker]] += 3
    return make_dialogues(speakers, values), np.take_along_axis(of_speaker, speakers, axis=1).ravel()


def segment_moods(seed, n_dialogues=200, n_turns=24, n_moods=3):
    """Return dialogues whose stretches of 6 to 13 turns have a mood that one turn in each gives away."""
    rng = np.random.default_rng(seed)
    values = rng.normal(scale=0.3, size=(n_dialogues, n_turns, n_moods + 1))
    moods = np.empty((n_dialogues, n_turns), int)
    for dialogue in range(n_dialogues):
        start = 0
        while start < n_turns:
            end = min(n_turns, start + rng.integers(6, 14))
            if n_turns - end < 6:
                end = n_turns
            mood = rng.integers(n_moods)
            moods[dialogue, start:end] = mood
            values[dialogue, rng.integers(start, end), mood] += 3
            values[dialogue, start, -1] += 3  # where a stretch begins can be seen
            start = end
    table = make_table(np.repeat(np.arange(n_dialogues), n_turns), text=values.reshape(-1, n_moods + 1))
    return table, moods.ravel()


def crossed_signs(seed, n_rows=1000, width=4):
    """Return rows of audio and face, and the sign of the product of a feature of each: neither tells a thing alone."""
    rng = np.random.default_rng(seed)
    audio, face = rng.standard_normal((2, n_rows, width))
    return make_table(np.arange(n_rows), audio=audio, face=face), (audio[:, 0] * face[:, 0] > 0).astype(int)


def named_value(seed, n_rows=1500, n_frames=6, width=4):
    """Return rows of audio that names a frame of face by its key, and the sign that this frame shows beside the key."""
    rng = np.random.default_rng(seed)
    keys = rng.standard_normal((n_rows, n_frames, width))
    keys /= np.linalg.norm(keys, axis=2, keepdims=True)
    shown = rng.choice([-1.0, 1.0], (n_rows, n_frames, 1))
    named = rng.integers(n_frames, size=n_rows)
    audio = np.zeros((n_rows, 3, width + 1))  # one of three frames names, which its last feature tells
    which = rng.integers(3, size=n_rows), np.arange(n_rows)
    audio[which[1], which[0], :width] = keys[which[1], named]
    audio[which[1], which[0], -1] = 1.0
    table = make_table(np.arange(n_rows), audio=list(audio), face=list(np.concatenate([keys, shown], axis=2)))
    return table, (shown[which[1], named, 0] > 0).astype(int)


def planted_streams(seed, n_rows=1200, width=6):
    """Return rows of face, scene and audio, and labels: 0, 1, 2 show in one of them alone; 3, half of all, in none."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(4, n_rows, p=(1 / 6, 1 / 6, 1 / 6, 1 / 2))
    streams = {}
    for number, modality in enumerate(("face", "scene", "audio")):
        streams[modality] = rng.standard_normal((n_rows, width))
        streams[modality][labels == number, :2] += 2.5
    return make_table(np.arange(n_rows), **streams), labels


def make_described(seed, n_rows=3000, n_described=400, *, n_labels=6, n_frames=(6, 8)):
    """Return a table of face and audio sequences with the block `description` for the first rows, and labels.

    Both modalities show the emotion, who the person is, and things of their own, through one layer of saturation and
    with a strength that drifts; descriptions tell of the emotion alone.
    """
    world, rng = np.random.default_rng(seed), np.random.default_rng([seed, n_rows])
    labels = rng.integers(n_labels, size=n_rows)
    emotion = world.standard_normal((n_labels, 6))[labels] + 0.5 * rng.standard_normal((n_rows, 6))
    person = rng.standard_normal((n_rows, 6))
    shown = {}
    for modality, width, frames in zip(("face", "audio"), (16, 12), n_frames, strict=True):
        latent = np.concatenate([emotion, person, rng.standard_normal((n_rows, 6))], axis=1)
        mixed = latent @ world.standard_normal((18, 24)) / 18**0.5
        strength = 1 + 0.5 * rng.standard_normal((n_rows, frames, 1))
        values = np.tanh(mixed[:, None] * strength) @ world.standard_normal((24, width)) / 24**0.5
        shown[modality] = list(values + 0.3 * rng.standard_normal(values.shape))
    told = np.tanh(emotion @ world.standard_normal((6, 32))) + 0.3 * rng.standard_normal((n_rows, 32))
    told[n_described:] = np.nan
    return make_table(np.arange(n_rows), **shown, description=told), labels


def make_guided(seed, n_rows=3000, *, n_labels=8, width=64, noise=2.0):
    """Return a table of scene and face with the blocks `teacher` and `texts`, and labels.

    Scene and face each show a few numbers behind the label in many noisy features; the teacher's vectors and those of
    the texts, in one space, tell of the same numbers and of nothing else.
    """
    world, rng = np.random.default_rng(seed), np.random.default_rng([seed, n_rows])
    labels = rng.integers(n_labels, size=n_rows)
    latent = world.standard_normal((n_labels, 6))[labels] + 0.3 * rng.standard_normal((n_rows, 6))
    shown = {}
    for modality in ("scene", "face"):
        values = latent @ world.standard_normal((6, width)) / 6**0.5
        shown[modality] = values + noise * rng.standard_normal(values.shape)
    space = world.standard_normal((6, 16))
    guides = {name: latent @ space + 0.3 * rng.standard_normal((n_rows, 16)) for name in ("teacher", "texts")}
    return make_table(np.arange(n_rows), **shown, **guides), labels


def show_faces(labels, n_rows, rng):
    """Return faces that show each action unit independently, as often as the prototype of their label says."""
    known = face_prototypes()
    units = sorted({unit for rows in known.values() for one in rows for unit in (*one.core, *one.secondary)})
    rates = np.full((len(labels), len(units)), 0.05)
    for number, label in enumerate(labels):
        (prototype,) = known[label]
        for unit, share in {**prototype.secondary, **dict.fromkeys(prototype.core, 0.85)}.items():
            rates[number, units.index(unit)] = share
    codes = rng.integers(len(labels), size=n_rows)
    shown = (rng.random((n_rows, len(units))) < rates[codes]).astype(float)
    return pd.DataFrame(shown, columns=units), np.array(labels)[codes]


def rare_labels(seed, n_dialogues=60, n_turns=5):
    """Return dialogues with three labels of which the last two are rare and show only faintly."""
    rng = np.random.default_rng(seed)
    n_rows = n_dialogues * n_turns
    y = (rng.random((n_rows, 3)) < [0.5, 0.15, 0.1]).astype(int)
    features = y + [0.3, 1.0, 1.0] * rng.standard_normal((n_rows, 3))
    turns = np.tile(np.arange(n_turns), n_dialogues)
    segments = pd.DataFrame({"dialogue": np.repeat(np.arange(n_dialogues), n_turns), "turn": turns})
    return FeatureTable(segments, {"audio": Block(features, [f"audio.{i}" for i in range(3)])}), y
