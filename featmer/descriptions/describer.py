"""A transformer from features to words; what is much and what is little, it learns from the rows it was fitted on."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from pathlib import Path
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from featmer._checks import check_name
from featmer._saving import replaced_folder
from featmer.descriptions.measures import Measures, read_measures
from featmer.descriptions.wording import (
    ACTION_UNITS,
    NO_FACE,
    NO_SPEECH,
    describe_face,
    describe_voice,
    voice_level,
)
from featmer.table import FeatureTable

# Smaller shares of a full contraction are noise of the tools, however rare they are.
_LEAST = 0.1
_TOP_EMOTIONS = 3
_FILE = "describer.json"

PARTS = ("transcript", "face", "emotions", "voice", "state")

Group = tuple[str, ...]
Cuts = dict[str, tuple[float, ...]]


class Describer(TransformerMixin, BaseEstimator):
    """Turn faces and voices into sentences, for textualised models and for explanations.

    Strong or slight, high or low is meant in comparison: with the other rows of the speaker, where `fit` saw enough of
    them, otherwise with those of the corpus, otherwise with all. The rows that `transform` gets decide nothing.

    Parameters
    ----------
    style : {"sentences", "cues"}, default="sentences"
        Calibrated sentences: ``"inner brows raised strongly; low, slow voice"``. Or lists of cues as Richet et al. give
        them to a language model: transcription; action units above the threshold; the three strongest emotions of the
        face; prosody; arousal, dominance and valence of the voice.
    relative_to : {"speaker", "corpus"}, default="speaker"
        Whom a row is compared with.
    transcript : bool, default=True
        Whether what was said (column ``text``) comes first.
    au_scale : float, default=1.0
        Value of an action unit at full contraction: 1 for MediaPipe and py-feat, 5 for intensities of OpenFace and
        LibreFace.
    au_threshold : float, default=0.5
        Share of ``au_scale`` above which a movement is among the cues; sentences do not use it.
    face_quantiles : 3 floats, default=(0.6, 0.8, 0.95)
        A movement is there slightly, plainly, strongly above these quantiles of the rows compared with, and above a
        tenth of ``au_scale``.
    voice_quantiles : 4 floats, default=(0.05, 0.2, 0.8, 0.95)
        Quantiles of the rows compared with, below or above which a voice is very low, low, high, very high.
    min_rows : int, default=20
        So many values of a speaker, or a corpus, are compared with; fewer are too few.

    Attributes
    ----------
    cuts_ : dict of tuple to dict of str to tuple of float
        The values of the quantiles of each action unit and cue of the voice, for all rows under ``()``, and for groups
        of at least ``min_rows`` rows under ``(corpus,)`` and ``(corpus, speaker)``.

    Notes
    -----
    Action units are told by the largest value of the clip, or the mean where only that is there; of a voice the
    functionals of eGeMAPS and GeMAPS are understood, and the low-level descriptors.

    References
    ----------
    Richet et al. (2024), "Textualized and feature-based models for compound multimodal emotion recognition in the
    wild", ECCV Workshops.

    Examples
    --------
    >>> from featmer.table import Block
    >>> segments = pd.DataFrame({"dialogue": "a", "turn": range(40), "text": ["So good.", "Oh no."] * 20})
    >>> values = np.tile([[0.9, 0.0], [0.0, 0.8]], (20, 1))
    >>> face = Block(values, ["face.au.AU12_max", "face.au.AU15_max"])
    >>> table = FeatureTable(segments, {"face": face})
    >>> Describer(face_quantiles=(0.2, 0.4, 1.0)).fit(table).transform(table)[:2].tolist()
    ['"So good." lip corners up', '"Oh no." lip corners down']

    A textualised model is a pipeline, and a description is a text like others:

    >>> from sklearn.feature_extraction.text import TfidfVectorizer
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> words = make_pipeline(Describer("cues"), TfidfVectorizer(), LogisticRegression())
    >>> words.fit(table, ["joy", "sadness"] * 20).score(table, ["joy", "sadness"] * 20)
    1.0
    >>> segments.assign(text=Describer("cues", transcript=False).fit_transform(table))["text"][0]
    'Action units: lip corner puller'
    """

    def __init__(
        self,
        style: str = "sentences",
        *,
        relative_to: str = "speaker",
        transcript: bool = True,
        au_scale: float = 1.0,
        au_threshold: float = 0.5,
        face_quantiles: tuple[float, ...] = (0.6, 0.8, 0.95),
        voice_quantiles: tuple[float, ...] = (0.05, 0.2, 0.8, 0.95),
        min_rows: int = 20,
    ) -> None:
        self.style = style
        self.relative_to = relative_to
        self.transcript = transcript
        self.au_scale = au_scale
        self.au_threshold = au_threshold
        self.face_quantiles = face_quantiles
        self.voice_quantiles = voice_quantiles
        self.min_rows = min_rows

    def fit(self, X: FeatureTable, y: Any = None) -> Describer:
        """Learn what is much and what is little.

        Parameters
        ----------
        X : FeatureTable of n_rows rows
            Training rows.
        y : None
            Not used.

        Returns
        -------
        Describer
            Itself.

        Raises
        ------
        ValueError
            If a parameter is unfit, or nothing in the table can be told in words.
        """
        self._check_parameters()
        measures = _read(X)
        self.measured_ = {part: list(values) for part, values in measures._asdict().items()}
        if not self.measured_["face"] and not self.measured_["voice"]:
            raise ValueError(
                f"No feature can be told in words, of {X.feature_names[:3]} ...; expected action units "
                "('face.au.AU12_max') or functionals of eGeMAPS ('audio.eGeMAPSv02.loudness_sma3_amean')."
            )
        self.cuts_: dict[Group, Cuts] = {(): self._learn(measures, np.arange(len(X)), at_least=0)}
        # A smaller group takes over from the larger what it has too few rows for.
        for group, rows in sorted(_group_rows(X.segments, self.relative_to).items()):
            if len(rows) >= self.min_rows:
                self.cuts_[group] = self._cuts_of(group[:-1]) | self._learn(measures, rows, at_least=self.min_rows)
        return self

    def transform(self, X: FeatureTable) -> NDArray[np.object_]:
        """Describe every row.

        Parameters
        ----------
        X : FeatureTable of n_rows rows
            Any rows.

        Returns
        -------
        ndarray of str of shape (n_rows,)
            Texts; never empty.
        """
        parts = self.describe_parts(X)
        if self.style == "cues":
            joined = ["; ".join(filter(None, row)) for row in parts.to_numpy()]
        else:
            quoted = [f'"{said}"' if said else "" for said in parts.pop("transcript")]
            told = ["; ".join(filter(None, row)) for row in parts.to_numpy()]
            joined = [f"{said} {rest}".strip() for said, rest in zip(quoted, told, strict=True)]
        return np.array(joined, dtype=object)

    def describe_parts(self, X: FeatureTable) -> pd.DataFrame:
        """Describe what every row's text is made of.

        Parameters
        ----------
        X : FeatureTable of n_rows rows
            Any rows.

        Returns
        -------
        DataFrame of n_rows rows
            Texts ``transcript``, ``face``, ``emotions``, ``voice`` and ``state``; "" where there is nothing to tell.
        """
        check_is_fitted(self, "cuts_")
        found = _read(X)._asdict()
        measures = Measures(**{part: found[part].reindex(columns=columns) for part, columns in self.measured_.items()})
        said = X.segments["text"] if self.transcript and "text" in X.segments else [None] * len(X)
        spoken = [text.strip() if isinstance(text, str) else "" for text in said]
        cuts = [self._cuts_of(group) for group in _groups(X.segments, self.relative_to)]
        if self.style == "sentences":
            told = _tell_sentences(measures, cuts)
        else:
            told = _tell_cues(measures, cuts, self.au_threshold * self.au_scale)
            spoken = [f"Transcription: {text or 'none'}" for text in spoken] if self.transcript else spoken
        columns = {"transcript": spoken, **told}
        return pd.DataFrame({name: columns.get(name, "") for name in PARTS}, index=range(len(X)))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted describer to a folder, as JSON.

        Parameters
        ----------
        path : path-like
            The folder to make, or to replace if it holds a saved describer; it appears whole or not at all.

        Raises
        ------
        FileExistsError
            If the folder holds something else.

        Examples
        --------
        >>> import tempfile
        >>> from featmer.table import Block
        >>> segments = pd.DataFrame({"dialogue": "a", "turn": range(40)})
        >>> face = Block(np.linspace(0, 1, 40)[:, None], ["face.au.AU12_max"])
        >>> table = FeatureTable(segments, {"face": face})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Describer().fit(table).save(f"{folder}/words")
        ...     str(Describer.load(f"{folder}/words").transform(table)[-1])
        'lip corners up strongly'
        """
        check_is_fitted(self, "cuts_")
        cuts = [[list(group), own] for group, own in self.cuts_.items()]
        fitted = {"measured": self.measured_, "cuts": cuts}
        with replaced_folder(path, _FILE) as folder:
            (folder / _FILE).write_text(json.dumps({"params": self.get_params(), **fitted}), encoding="utf-8")

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a describer that :meth:`save` wrote.

        Parameters
        ----------
        path : path-like
            The folder.

        Returns
        -------
        Describer
            Fitted, with equal words.

        Raises
        ------
        ValueError
            If the folder holds no describer, or is damaged.
        """
        try:
            saved = json.loads(Path(path, _FILE).read_text(encoding="utf-8"))
            quantiles = {name: tuple(saved["params"][name]) for name in ("face_quantiles", "voice_quantiles")}
            describer = cls(**{**saved["params"], **quantiles})
            describer.measured_ = saved["measured"]
            describer.cuts_ = {
                tuple(group): {name: tuple(values) for name, values in own.items()} for group, own in saved["cuts"]
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"{path} holds no saved Describer ({error!r}); expected a folder that save() wrote."
            ) from error
        return describer

    def _check_parameters(self) -> None:
        check_name(self.style, ("sentences", "cues"), "style")
        check_name(self.relative_to, ("speaker", "corpus"), "group to compare with")
        for name, n_cuts in (("face_quantiles", 3), ("voice_quantiles", 4)):
            given = getattr(self, name)
            if len(given) != n_cuts or sorted(given) != list(given) or not 0 <= given[0] <= given[-1] <= 1:
                raise ValueError(f"Got {name}={given}, expected {n_cuts} rising shares from 0 to 1.")

    def _learn(self, measures: Measures, rows: NDArray[np.int64], at_least: int) -> Cuts:
        """Return the cuts of what has at least so many values in the rows."""
        face = measures.face.iloc[rows].quantile(list(self.face_quantiles)).clip(lower=_LEAST * self.au_scale)
        voice = measures.voice.iloc[rows].quantile(list(self.voice_quantiles))
        return {
            str(name): tuple(quantiles[name])
            for values, quantiles in ((measures.face, face), (measures.voice, voice))
            for name in values
            if values[name].iloc[rows].count() >= at_least
        }

    def _cuts_of(self, group: Group) -> Cuts:
        """Return the cuts of a group, or of the next larger one that has some."""
        while group not in self.cuts_:
            group = group[:-1]
        return self.cuts_[group]


def _read(X: Any) -> Measures:
    if not isinstance(X, FeatureTable):
        raise TypeError(f"Got {type(X).__name__} as X, expected a FeatureTable, whose features have names.")
    return read_measures(X)


def _groups(segments: pd.DataFrame, relative_to: str) -> list[Group]:
    """Return the smallest group of each row: (corpus, speaker), or (corpus,) where the speaker is not known."""
    nothing = pd.Series(None, segments.index, dtype=object)
    columns = [segments.get("corpus", nothing), segments.get("speaker", nothing)]
    corpora, speakers = ([None if pd.isna(value) else str(value) for value in column] for column in columns)
    return [
        (corpus or "",) if speaker is None or relative_to == "corpus" else (corpus or "", speaker)
        for corpus, speaker in zip(corpora, speakers, strict=True)
    ]


def _group_rows(segments: pd.DataFrame, relative_to: str) -> dict[Group, NDArray[np.int64]]:
    """Return the rows of every corpus and speaker."""
    rows: dict[Group, list[int]] = defaultdict(list)
    for row, group in enumerate(_groups(segments, relative_to)):
        for depth in range(1, len(group) + 1):
            rows[group[:depth]].append(row)
    return {group: np.array(own) for group, own in rows.items()}


def _tell_sentences(measures: Measures, cuts: list[Cuts]) -> dict[str, list[str]]:
    told = {}
    for part, values, describe in (("face", measures.face, describe_face), ("voice", measures.voice, describe_voice)):
        if len(values.columns):
            told[part] = [describe(row, own) for row, own in zip(_known(values), cuts, strict=True)]
    return told


def _tell_cues(measures: Measures, cuts: list[Cuts], threshold: float) -> dict[str, list[str]]:
    told = {}
    if len(measures.face.columns):
        told["face"] = [_list_action_units(row, threshold) for row in _known(measures.face)]
    told["emotions"] = [_list_emotions(row) for row in _known(measures.emotions)]
    if len(measures.voice.columns):
        rows = zip(_known(measures.voice), cuts, strict=True)
        told["voice"] = [_list_prosody(row, own) for row, own in rows]
    told["state"] = [_list_state(row) for row in _known(measures.state)]
    return told


def _known(values: pd.DataFrame) -> list[dict[str, float]]:
    """Return the values of each row that are not NaN."""
    return [{str(name): value for name, value in row.items() if value == value} for row in values.to_dict("records")]


def _list_action_units(aus: dict[str, float], threshold: float) -> str:
    if not aus:
        return NO_FACE.capitalize()
    active = [ACTION_UNITS[au].name for au, value in aus.items() if value > threshold]
    return f"Action units: {', '.join(active) or 'none'}"


def _list_emotions(scores: dict[str, float]) -> str:
    strongest = sorted(scores, key=lambda name: (-scores[name], name))[:_TOP_EMOTIONS]
    return f"Emotions: {', '.join(strongest)}" if strongest else ""


def _list_prosody(voice: dict[str, float], cuts: Cuts) -> str:
    if not voice:
        return NO_SPEECH.capitalize()
    levels = {cue: voice_level(value, cuts[cue]) for cue, value in voice.items()}
    cues = [f"{'High' if level > 0 else 'Low'} {cue}" for cue, level in levels.items() if level]
    return f"Prosody: {', '.join(cues) or 'ordinary'}"


def _list_state(state: dict[str, float]) -> str:
    told = [f"{'high' if value > 0.5 else 'low'} {name} ({value:.2f})" for name, value in sorted(state.items())]
    return f"Audio state: {', '.join(told)}" if told else ""
