"""CMU-MOSI, CMU-MOSEI and CH-SIMS as the MMSA project publishes them: pickles, which are converted once to tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from featmer._checks import check_name
from featmer.corpora._pickles import read_pickle
from featmer.segments import mend_segments
from featmer.table import Block, FeatureTable

# Corpus -> the largest sentiment there is.
CORPORA = {"mosi_mmsa": 3.0, "mosei": 3.0, "ch_sims": 1.0}
LABELS = {"polarity": ("negative", "neutral", "positive")}

# What the pickles call a modality -> what features are called.
_MODALITIES = {"audio": "audio.mmsa", "vision": "face.mmsa", "text": "text.bert"}
_PARTS = ("train", "valid", "test")
_SINGLE = {"T": "sentiment_text", "A": "sentiment_audio", "V": "sentiment_face"}


def convert_mmsa(
    pickle: str | Path,
    root: str | Path,
    *,
    corpus: Literal["mosi_mmsa", "mosei", "ch_sims"],
) -> FeatureTable:
    """Convert a pickle of the MMSA project to a table, once; `load_mosei` and the like then read it.

    A pickle may run anything when it is loaded. It is opened here by an unpickler that makes arrays and plain
    containers and refuses all else. All of it is held in memory, MOSEI's more than 10 GB.

    Parameters
    ----------
    pickle : path
        ``unaligned_50.pkl``, ``aligned_50.pkl`` or, for CH-SIMS, ``unaligned_39.pkl``.
    root : path
        Folder for the table, ``mosei.parquet`` and so on.
    corpus : {"mosi_mmsa", "mosei", "ch_sims"}
        Which corpus it is.

    Returns
    -------
    FeatureTable
        What was written: segments as `load_mosei` returns them, and sequences of ``audio``, ``face`` and ``text``
        without the zeros they were filled up with. A row of zeros alone is missing, as is an infinite value.

    Raises
    ------
    ValueError
        If the corpus is unknown, or the file asks for anything but arrays, is damaged, or not of the published form.

    References
    ----------
    Mao et al., "M-SENA: An integrated platform for multimodal sentiment analysis", ACL 2022. Layout: the README of
    github.com/thuiar/MMSA, "dataset".

    Examples
    --------
    >>> import pickle, tempfile
    >>> frames = {"audio": np.ones((1, 2, 5)), "vision": np.ones((1, 2, 20)), "text": np.ones((1, 2, 768))}
    >>> parts = {
    ...     part: {"id": [f"{part}$_$0"], "raw_text": ["well"], "regression_labels": [1.0], **frames}
    ...     for part in ("train", "valid", "test")
    ... }
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "aligned_50.pkl").write_bytes(pickle.dumps(parts))
    ...     convert_mmsa(f"{folder}/aligned_50.pkl", folder, corpus="mosei").shape
    (3, 793)
    """
    check_name(corpus, CORPORA, "corpus of MMSA")
    source = Path(pickle)
    parts = read_pickle(source)
    _check_form(parts, source)
    segments = pd.concat([_segments(parts[part], part, corpus) for part in _PARTS], ignore_index=True)
    segments = mend_segments(segments, root=root, labels=LABELS)
    outside = segments["sentiment"].abs().gt(CORPORA[corpus]).sum()
    if outside:
        raise ValueError(f"{source}: {outside} values of sentiment are beyond {CORPORA[corpus]}; is it {corpus!r}?")
    blocks = {features.split(".")[0]: _block(parts, modality, features) for modality, features in _MODALITIES.items()}
    table = FeatureTable(segments, blocks, provenance={"source": source.name, "converter": "featmer.convert_mmsa"})
    table.save(_table_path(root, corpus))
    return table


def load_segments(root: str | Path, corpus: str) -> pd.DataFrame:
    """Return the segments of a converted corpus."""
    path = _find_table(root, corpus)
    single = list(_SINGLE.values()) if corpus == "ch_sims" else []
    columns = ["corpus", "dialogue", "turn", "text", "split", "sentiment", "polarity", *single]
    return mend_segments(pd.read_parquet(path, columns=columns), root=root, labels=LABELS)


def load_mmsa_features(root: str | Path, segments: pd.DataFrame, modality: Literal["audio", "face", "text"]) -> Block:
    """Read one modality of a converted corpus as sequences of frames.

    Parameters
    ----------
    root : path
        The folder that the segments were read from.
    segments : DataFrame of n_rows rows
        What `load_mosi_mmsa`, `load_mosei` or `load_ch_sims` returned, or some of its rows in any order.
    modality : {"audio", "face", "text"}
        Numbers of the voice (5 in MOSI, 74 in MOSEI, 33 in CH-SIMS), of the face (20, 35, 709), or 768 of BERT, a token
        each; they have no names and no times.

    Returns
    -------
    Block of n_rows rows
        Sequences; `Block.pool` makes vectors of them.

    Raises
    ------
    FileNotFoundError
        If the table is not there.
    ValueError
        If there is no such modality or row, or the segments are not of one such corpus.

    Examples
    --------
    >>> load_mmsa_features("nowhere", pd.DataFrame({"corpus": ["mosei"]}), "video")
    Traceback (most recent call last):
    ValueError: Unknown modality 'video'. Choose from ['audio', 'face', 'text'].
    """
    check_name(modality, [features.split(".")[0] for features in _MODALITIES.values()], "modality")
    corpora = list(segments["corpus"].unique()) if "corpus" in segments else []
    if len(corpora) != 1:
        raise ValueError(f"The segments are of the corpora {corpora}; expected one of {sorted(CORPORA)}.")
    check_name(corpora[0], CORPORA, "corpus of MMSA")
    path = _find_table(root, corpora[0])
    table = FeatureTable.load(path)
    known, wanted = (pd.MultiIndex.from_frame(frame[["dialogue", "turn"]]) for frame in (table.segments, segments))
    rows = known.get_indexer(wanted)
    if (rows < 0).any():
        dialogue, turn = wanted[rows < 0][0]
        raise ValueError(f"{path} has no turn {turn} of {dialogue!r}; give segments that were read from it.")
    return table.blocks[modality][rows]


def _table_path(root: str | Path, corpus: str) -> Path:
    return Path(root) / f"{corpus}.parquet"


def _find_table(root: str | Path, corpus: str) -> Path:
    """Return the path of a converted corpus, or say how to make it."""
    path = _table_path(root, corpus)
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is not there; make it of MMSA's pickle with featmer.corpora.convert_mmsa("
            f"'unaligned_50.pkl', {str(root)!r}, corpus={corpus!r})."
        )
    return path


def _check_form(parts: Any, source: Path) -> None:
    """Raise unless the content is what MMSA publishes."""
    wanted = {"id", "raw_text", "regression_labels", *_MODALITIES}
    for part in _PARTS:
        found = parts.get(part) if isinstance(parts, dict) else None
        if not isinstance(found, dict) or not wanted <= set(found):
            got = sorted(map(str, found)) if isinstance(found, dict) else type(found).__name__
            raise ValueError(f"{source}, part {part!r}: expected a dict with {sorted(wanted)}, got {got}.")
        sizes = {key: len(found[key]) for key in wanted}
        if len(set(sizes.values())) > 1:
            raise ValueError(f"{source}, part {part!r}: different numbers of rows, {sizes}.")


def _segments(part: Mapping[str, Any], split: str, corpus: str) -> pd.DataFrame:
    """Return the segments of a part; names are like ``03bSnISJMiM$_$11``."""
    videos, _, clips = zip(*(str(np.squeeze(name)).rpartition("$_$") for name in part["id"]), strict=True)
    sentiment = np.asarray(part["regression_labels"], float).ravel()
    frame = pd.DataFrame({"corpus": corpus, "dialogue": videos, "turn": clips})
    frame["text"] = [str(text) for text in part["raw_text"]]
    frame["split"] = split
    frame["sentiment"] = sentiment
    frame["polarity"] = np.select([sentiment < 0, sentiment > 0], ["negative", "positive"], "neutral")
    for letter, column in _SINGLE.items():
        if corpus == "ch_sims":
            frame[column] = np.asarray(part[f"regression_labels_{letter}"], float).ravel()
    return frame


def _block(parts: Mapping[str, Mapping[str, Any]], modality: str, features: str) -> Block:
    """Return a modality of all parts as sequences."""
    rows = [row for part in _PARTS for row in _frames(parts[part], modality)]
    width = np.shape(parts[_PARTS[0]][modality])[2]
    reasons = ["no frames in MMSA's features" if row is None else "" for row in rows]
    return Block(rows, [f"{features}.{number:03d}" for number in range(width)], reasons=reasons)


def _frames(part: Mapping[str, Any], modality: str) -> list[NDArray[np.float32] | None]:
    """Return the frames of each row of a part, without the zeros they were filled up with; None for zeros alone."""
    values = part[modality]
    lengths = _lengths(part, modality)
    rows: list[NDArray[np.float32] | None] = []
    for row in range(len(values)):
        frames = np.asarray(values[row], np.float32)
        shown = np.flatnonzero(frames.any(axis=1))
        end = (shown[-1] + 1 if len(shown) else 0) if lengths is None else int(lengths[row])
        rows.append(np.where(np.isfinite(frames[:end]), frames[:end], np.nan) if len(shown) and end else None)
    return rows


def _lengths(part: Mapping[str, Any], modality: str) -> Sequence[int] | NDArray | None:
    """Return how many frames of each row are real: as the file says, or by the mask of BERT's tokens."""
    if f"{modality}_lengths" in part:
        return np.asarray(part[f"{modality}_lengths"]).ravel()
    aligned = modality == "text" or "audio_lengths" not in part
    return np.asarray(part["text_bert"])[:, 1].sum(axis=1) if aligned and "text_bert" in part else None
