"""How a table lies in a Parquet file: one row an utterance, a list column a block, the rest as JSON metadata."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from featmer._saving import replaced_file
from featmer.table.block import Block

FORMAT = 1
_KEY = b"featmer"
_ROWS_AT_A_TIME = 16_384


def write_parquet(
    path: str | os.PathLike[str], segments: pd.DataFrame, blocks: Mapping[str, Block], provenance: Mapping[str, Any]
) -> None:
    """Write segments and blocks to ``path`` in one step.

    Parameters
    ----------
    path : path-like
        The file to write or replace.
    segments : DataFrame
        A row an utterance.
    blocks : mapping of str to Block
        The modalities.
    provenance : mapping
        What JSON can hold.
    """
    rows = pa.Table.from_pandas(segments, preserve_index=False)
    headers = {}
    for modality, block in blocks.items():
        columns = _columns(block)
        headers[modality] = {**_header(block), "columns": list(columns)}
        for name, column in columns.items():
            rows = rows.append_column(f"{modality}:{name}", column)
    header = {"format": FORMAT, "provenance": dict(provenance), "blocks": headers}
    rows = rows.replace_schema_metadata({**(rows.schema.metadata or {}), _KEY: json.dumps(header).encode()})
    texts = [
        field.name for field in rows.schema if pa.types.is_string(field.type) or pa.types.is_large_string(field.type)
    ]
    with replaced_file(path) as file:
        pq.write_table(rows, file, row_group_size=_ROWS_AT_A_TIME, use_dictionary=texts, compression="zstd")


def read_parquet(path: str | os.PathLike[str]) -> tuple[pd.DataFrame, dict[str, Block], dict[str, Any]]:
    """Read what :func:`write_parquet` wrote.

    Parameters
    ----------
    path : path-like
        The file.

    Returns
    -------
    segments : DataFrame
        A row an utterance.
    blocks : dict of str to Block
        The modalities.
    provenance : dict
        How the features were made.

    Raises
    ------
    ValueError
        If the file is not a featmer table, or a newer one than this version reads.
    """
    try:
        # Row group by row group: reading ahead would hold all of a column beside the array it goes to.
        file = pq.ParquetFile(path, pre_buffer=False)
    except pa.ArrowInvalid as error:
        raise ValueError(
            f"{path} is not a Parquet file ({error}); expected one that FeatureTable.save wrote."
        ) from error
    with file:
        header = json.loads((file.schema_arrow.metadata or {}).get(_KEY, b"null"))
        if header is None:
            raise ValueError(
                f"{path} is a Parquet file, but not a featmer table; read it with featmer.corpora.load_manifest."
            )
        if header["format"] > FORMAT:
            raise ValueError(
                f"{path} has format {header['format']}, this featmer reads up to {FORMAT}: upgrade featmer."
            )
        blocks = {modality: _read_block(file, modality, info) for modality, info in header["blocks"].items()}
        own = {f"{m}:{name}" for m, info in header["blocks"].items() for name in info["columns"]}
        columns = [name for name in file.schema_arrow.names if name not in own]
        segments = file.read(columns=columns).to_pandas()
    return segments, blocks, header["provenance"]


def _header(block: Block) -> dict[str, Any]:
    return {"names": block.names, "sequence": block.is_sequence, "dtype": block.frames.dtype.name}


def _columns(block: Block) -> dict[str, pa.Array]:
    offsets = np.arange(block.n_rows + 1) if block.offsets is None else block.offsets
    flat = pa.array(np.ascontiguousarray(block.frames).reshape(-1))
    columns = {"values": pa.LargeListArray.from_arrays(pa.array(offsets * block.n_features, pa.int64()), flat)}
    if block.frame_times is not None:
        columns["times"] = pa.LargeListArray.from_arrays(pa.array(offsets, pa.int64()), pa.array(block.frame_times))
    columns["reason"] = pa.array(block.reasons, pa.string())
    if block.quality is not None:
        for name in block.quality:
            columns[f"quality:{name}"] = pa.Array.from_pandas(block.quality[name])
    return columns


def _read_block(file: pq.ParquetFile, modality: str, info: dict[str, Any]) -> Block:
    frames, lengths = _read_lists(file, f"{modality}:values", np.dtype(info["dtype"]))
    n_features = len(info["names"])
    offsets = np.concatenate([[0], np.cumsum(lengths // n_features)]) if info["sequence"] else None
    times = _read_lists(file, f"{modality}:times", np.dtype(np.float64))[0] if "times" in info["columns"] else None
    rest = [name for name in info["columns"] if name not in ("values", "times")]
    frame = file.read(columns=[f"{modality}:{name}" for name in rest]).to_pandas(ignore_metadata=True)
    quality = frame.drop(columns=f"{modality}:reason").rename(columns=lambda name: name.split(":", 2)[2])
    return Block.from_frames(
        frames.reshape(-1, n_features),
        info["names"],
        offsets,
        frame_times=times,
        reasons=frame[f"{modality}:reason"],
        quality=quality if len(quality.columns) else None,
    )


def _read_lists(file: pq.ParquetFile, column: str, dtype: np.dtype[Any]) -> tuple[NDArray[Any], NDArray[np.int64]]:
    """Fill one array from a list column, a row group at a time, so that no second copy of it is ever held."""
    n_values = sum(_n_values(file.metadata.row_group(group), column) for group in range(file.num_row_groups))
    values, lengths, done = np.empty(n_values, dtype), [np.empty(0, np.int64)], 0
    # `iter_batches` would read many groups ahead.
    for group in range(file.num_row_groups):
        for lists in file.read_row_group(group, columns=[column]).column(0).chunks:
            flat = lists.flatten().to_numpy(zero_copy_only=False)
            values[done : done + len(flat)] = flat
            done += len(flat)
            lengths.append(np.diff(lists.offsets.to_numpy()))
    return values[:done], np.concatenate(lengths)


def _n_values(group: Any, column: str) -> int:
    parts = (group.column(index) for index in range(group.num_columns))
    return sum(part.num_values for part in parts if part.path_in_schema.split(".list.")[0] == column)
