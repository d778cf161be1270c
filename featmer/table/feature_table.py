"""Segments and a block a modality, row by row, as scikit-learn takes them."""

from __future__ import annotations

import hashlib
import html
import os
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import DTypeLike, NDArray

from featmer._checks import check_name
from featmer.table.block import Block
from featmer.table.storage import read_parquet, write_parquet


class FeatureTable:
    """Utterances with their features, aligned at creation.

    It has a shape and rows, so ``cross_val_score``, ``GridSearchCV``,
    ``GroupKFold``, ``train_test_split`` and scikit-learn's own models take it as X.

    Parameters
    ----------
    segments : DataFrame
        A row an utterance, with at least the columns ``dialogue`` and ``turn``.
    blocks : mapping of str to Block
        The modalities by name, each with as many rows as segments.
    provenance : mapping, default=None
        How the features were made; kept as JSON beside them.

    Raises
    ------
    ValueError
        If rows differ in number, a name is used twice or a column is missing.

    Examples
    --------
    >>> segments = pd.DataFrame({"dialogue": ["a", "a"], "turn": [0, 1]})
    >>> table = FeatureTable(segments, {"audio": Block([[1.0], [2.0]], ["audio.pitch"])})
    >>> table[[1]].blocks["audio"].values
    array([[2.]])
    """

    def __init__(
        self,
        segments: pd.DataFrame,
        blocks: Mapping[str, Block],
        *,
        provenance: Mapping[str, Any] | None = None,
    ):
        self.segments = segments.reset_index(drop=True)
        self.blocks = dict(blocks)
        self.provenance = dict(provenance or {})
        _check_columns(self.segments)
        _check_blocks(self.blocks, len(self.segments))

    @property
    def modalities(self) -> tuple[str, ...]:
        """Names of the modalities."""
        return tuple(self.blocks)

    @property
    def feature_names(self) -> list[str]:
        """Names of all features, in the order of ``np.asarray(table)``."""
        return [name for block in self.blocks.values() for name in block.names]

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and features of all modalities together."""
        return len(self), sum(block.n_features for block in self.blocks.values())

    def __len__(self) -> int:
        return len(self.segments)

    def __getitem__(self, rows: Any) -> FeatureTable:
        """Take rows: integers, a mask or a slice."""
        if isinstance(rows, tuple) and len(rows) == 2 and rows[1] is Ellipsis:  # scikit-learn's way to take rows
            rows = rows[0]
        rows = _row_numbers(rows, len(self))
        return self._with(self.segments.iloc[rows], {name: block[rows] for name, block in self.blocks.items()})

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        self._check_vectors("become one array")
        blocks = [block.frames for block in self.blocks.values()]
        array = np.concatenate(blocks, axis=1) if blocks else np.empty((len(self), 0))
        return array if dtype is None else array.astype(dtype, copy=False)

    def _with(self, segments: pd.DataFrame, blocks: Mapping[str, Block]) -> FeatureTable:
        return FeatureTable(segments, blocks, provenance=self.provenance)

    def _check_vectors(self, purpose: str) -> None:
        sequences = [name for name, block in self.blocks.items() if block.is_sequence]
        if sequences:
            raise ValueError(f"Sequences cannot {purpose}: {sequences}. Call table.pool() first.")

    def select(self, modalities: str | Iterable[str]) -> FeatureTable:
        """Keep some modalities.

        Parameters
        ----------
        modalities : str or iterable of str
            Names of those to keep, in the order wanted.

        Returns
        -------
        FeatureTable
            The same rows with fewer blocks.

        Raises
        ------
        ValueError
            If a modality is not in the table.

        Examples
        --------
        >>> segments = pd.DataFrame({"dialogue": ["a"], "turn": [0]})
        >>> FeatureTable(segments, {"text": Block([[1.0]], ["text.length"])}).select("text").modalities
        ('text',)
        """
        names = [modalities] if isinstance(modalities, str) else list(modalities)
        for name in names:
            check_name(name, self.blocks, "modality")
        return self._with(self.segments, {name: self.blocks[name] for name in names})

    def pool(self, statistics: Iterable[str] = ("mean", "std", "max")) -> FeatureTable:
        """Turn every sequence block into vectors.

        Parameters
        ----------
        statistics : iterable of {"mean", "std", "min", "max"}
            As in :meth:`Block.pool`.

        Returns
        -------
        FeatureTable
            A table of vectors only.

        Examples
        --------
        >>> segments = pd.DataFrame({"dialogue": ["a"], "turn": [0]})
        >>> FeatureTable(segments, {"face": Block([np.ones((4, 2))], ["face.a", "face.b"])}).pool().shape
        (1, 6)
        """
        statistics = tuple(statistics)
        return self._with(self.segments, {name: block.pool(statistics) for name, block in self.blocks.items()})

    @staticmethod
    def concat(tables: Sequence[FeatureTable]) -> FeatureTable:
        """Put tables one below another.

        Parameters
        ----------
        tables : sequence of FeatureTable
            Tables with the same modalities and features.

        Returns
        -------
        FeatureTable
            The rows of all tables; provenance as a list under ``"parts"``.

        Raises
        ------
        ValueError
            If there is no table, or modalities or features differ.

        Examples
        --------
        >>> segments = pd.DataFrame({"dialogue": ["a"], "turn": [0]})
        >>> table = FeatureTable(segments, {"text": Block([[1.0]], ["text.length"])})
        >>> len(FeatureTable.concat([table, table]))
        2
        """
        if not tables:
            raise ValueError("There is no table to concatenate; give at least one.")
        modalities = tables[0].modalities
        for number, table in enumerate(tables):
            if set(table.modalities) != set(modalities):
                raise ValueError(f"Table {number} has modalities {table.modalities}, expected {modalities}.")
        segments = pd.concat([table.segments for table in tables], ignore_index=True)
        blocks = {name: Block.vstack([table.blocks[name] for table in tables]) for name in modalities}
        return FeatureTable(segments, blocks, provenance={"parts": [table.provenance for table in tables]})

    def to_frame(self) -> pd.DataFrame:
        """Return segments and features as one flat DataFrame.

        Returns
        -------
        DataFrame
            The columns of segments, then one column a feature.

        Raises
        ------
        ValueError
            If a block is a sequence.

        Examples
        --------
        >>> segments = pd.DataFrame({"dialogue": ["a"], "turn": [0]})
        >>> list(FeatureTable(segments, {"text": Block([[1.0]], ["text.length"])}).to_frame())
        ['dialogue', 'turn', 'text.length']
        """
        self._check_vectors("become columns")
        frames = [pd.DataFrame(block.frames, columns=list(block.names)) for block in self.blocks.values()]
        return pd.concat([self.segments, *frames], axis=1)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the table to one Parquet file, provenance in its metadata.

        Parameters
        ----------
        path : path-like
            The file; it is replaced in one step, so a reader never sees half of it.

        Examples
        --------
        >>> import tempfile
        >>> segments = pd.DataFrame({"dialogue": ["a"], "turn": [0]})
        >>> table = FeatureTable(segments, {"text": Block([[1.0]], ["text.length"])})
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     table.save(f"{folder}/table.parquet")
        ...     FeatureTable.load(f"{folder}/table.parquet").shape
        (1, 1)
        """
        write_parquet(path, self.segments, self.blocks, self.provenance)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> FeatureTable:
        """Read a table that :meth:`save` wrote.

        Parameters
        ----------
        path : path-like
            The Parquet file.

        Returns
        -------
        FeatureTable
            The table, equal value for value.

        Raises
        ------
        ValueError
            If the file is not a featmer table.
        """
        segments, blocks, provenance = read_parquet(path)
        return FeatureTable(segments, blocks, provenance=provenance)

    def digest(self) -> str:
        """Return a fingerprint of the features: 16 hexadecimal digits.

        Returns
        -------
        str
            Equal for equal names and values, whatever the segments say.

        Examples
        --------
        >>> segments = pd.DataFrame({"dialogue": ["a"], "turn": [0]})
        >>> len(FeatureTable(segments, {"text": Block([[1.0]], ["text.length"])}).digest())
        16
        """
        sha = hashlib.sha256()
        for modality, block in self.blocks.items():
            sha.update(repr((modality, block.names, block.frames.dtype.str)).encode())
            sha.update(np.ascontiguousarray(block.frames).data)
            if block.offsets is not None:
                sha.update(np.ascontiguousarray(block.offsets).data)
        return sha.hexdigest()[:16]

    def describe(self) -> pd.DataFrame:
        """Tell what is in the table, how much is missing and why.

        Returns
        -------
        DataFrame
            A row a modality: kind, features, present, missing, reasons.

        Examples
        --------
        >>> segments = pd.DataFrame({"dialogue": ["a"], "turn": [0]})
        >>> FeatureTable(segments, {"audio": Block([[np.nan]], ["audio.pitch"], reasons=["silent"])}).describe()
                   kind  features  present  missing   reasons
        modality
        audio    vector         1        0        1  1 silent
        """
        rows = [
            {
                "modality": name,
                "kind": "sequence" if block.is_sequence else "vector",
                "features": block.n_features,
                "present": int((~block.missing).sum()),
                "missing": int(block.missing.sum()),
                "reasons": "; ".join(f"{n} {why}" for why, n in Counter(block.reasons[block.missing]).most_common()),
            }
            for name, block in self.blocks.items()
        ]
        columns = ["modality", "kind", "features", "present", "missing", "reasons"]
        return pd.DataFrame(rows, columns=columns).set_index("modality")

    def _headline(self) -> str:
        parts = [f"{len(self)} rows"]
        for column in ("corpus", "dialogue", "speaker"):
            if column in self.segments:
                parts.append(f"{self.segments[column].nunique()} {column}{'' if column == 'corpus' else 's'}")
        if "split" in self.segments:
            counts = self.segments["split"].value_counts(sort=False)
            parts.append(", ".join(f"{split} {count}" for split, count in counts.items()))
        return " · ".join(parts)

    def __repr__(self) -> str:
        return f"FeatureTable: {self._headline()}\n{self.describe().to_string()}"

    def _repr_html_(self) -> str:
        return f"<p><b>FeatureTable</b>: {html.escape(self._headline())}</p>{self.describe().to_html()}"


def _check_columns(segments: pd.DataFrame) -> None:
    missing = [column for column in ("dialogue", "turn") if column not in segments]
    if missing:
        raise ValueError(f"segments lacks the columns {missing}; it has {list(segments.columns)}.")


def _check_blocks(blocks: Mapping[str, Block], n_rows: int) -> None:
    seen: set[str] = set()
    for modality, block in blocks.items():
        if not isinstance(block, Block):
            raise TypeError(f"{modality!r} is a {type(block).__name__}, expected a Block: Block(values, names).")
        if block.n_rows != n_rows:
            raise ValueError(f"The block {modality!r} has {block.n_rows} rows, but segments has {n_rows}.")
        twice = seen.intersection(block.names)
        if twice:
            raise ValueError(f"Feature names are used in two modalities: {sorted(twice)[:5]}; rename one.")
        seen.update(block.names)


def _row_numbers(rows: Any, n_rows: int) -> NDArray[np.int64]:
    if not isinstance(rows, slice):
        rows = np.atleast_1d(np.asarray(rows))
        if rows.size == 0:
            rows = rows.astype(np.int64)
        if rows.dtype.kind not in "iub":
            raise TypeError(
                f"Rows are taken by integers, a mask or a slice, got {rows.dtype}; a block is table.blocks[name]."
            )
        if rows.dtype == bool and len(rows) != n_rows:
            raise IndexError(f"The mask has {len(rows)} entries, but the table has {n_rows} rows.")
    return np.arange(n_rows)[rows]
