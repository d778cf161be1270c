"""The labels of several corpora in the words of one space, so that one model can be asked about all of them."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from featmer._checks import check_name
from featmer.labels.mapping import map_labels
from featmer.labels.spaces import LABEL_SPACES, LabelSpace, label_space


def map_corpus_labels(
    segments: pd.DataFrame,
    target: str | LabelSpace,
    *,
    column: str = "emotion",
    sources: Mapping[str, str | LabelSpace] | None = None,
    only_common: bool = False,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Say the labels of each corpus in the words of one space.

    Parameters
    ----------
    segments : DataFrame of n_rows rows
        Rows of several corpora, told apart by the column ``corpus``; of a feature table, its ``segments``.
    target : str or LabelSpace
        The space that all share, "ekman_neutral" for instance.
    column : str, default="emotion"
        The column of labels, one a row.
    sources : dict of corpus to str or LabelSpace, default=None
        Spaces that the corpora's labels are of. A corpus that is not named has the space of its name.
    only_common : bool, default=False
        Leave out labels that not every corpus has: nobody could learn them in one corpus to be asked in another.

    Returns
    -------
    segments : DataFrame of n_rows rows
        The same with the column mapped; missing where the label has no counterpart, and rows without a target are left
        out by `featmer.evaluate`.
    losses : DataFrame
        As of `map_labels`, with the corpus: which labels were lost, and the rows that they cost.

    Raises
    ------
    ValueError
        If a corpus's space or the mapping is not known, a label becomes several, or no label is common.

    Examples
    --------
    >>> segments = pd.DataFrame({"corpus": ["meld", "ravdess", "ravdess"], "emotion": ["joy", "happy", "calm"]})
    >>> mapped, losses = map_corpus_labels(segments, "ekman_neutral")
    >>> mapped.emotion.fillna("-").tolist(), losses[["corpus", "label", "rows_lost"]].to_numpy().tolist()
    (['joy', 'joy', '-'], [['ravdess', 'calm', 1]])
    >>> segments["emotion"] = ["joy", "happy", "angry"]
    >>> map_corpus_labels(segments, "ekman_neutral", only_common=True)[1].problem.item()
    'is not in every corpus'
    """
    space, spaces = label_space(target), dict(sources or {})
    for name in ("corpus", column):
        check_name(name, [str(each) for each in segments], "column of the segments")
    mapped, losses = np.full(len(segments), None, object), []
    for corpus, positions in segments.groupby("corpus").indices.items():
        source = spaces.get(str(corpus), str(corpus))
        if isinstance(source, str) and source not in LABEL_SPACES:
            raise ValueError(
                f"No label space is known of corpus {corpus!r} ({source!r}); give sources={{{str(corpus)!r}: space}}. "
                f"Known are {sorted(LABEL_SPACES)}."
            )
        found = map_labels(segments[column].iloc[positions], source, space)
        several = [labels for labels in found.labels if isinstance(labels, tuple)]
        if several:
            raise ValueError(f"Labels of corpus {corpus!r} become several, such as {several[0]}; give one label a row.")
        mapped[positions] = found.labels.where(found.labels.notna(), None).to_numpy(object)
        losses.append(found.losses.assign(corpus=str(corpus)))
    told = segments.assign(**{column: mapped})
    if only_common:
        told, uncommon = _keep_common(told, column)
        losses.append(uncommon)
    return told, pd.concat(losses, ignore_index=True)


def _keep_common(segments: pd.DataFrame, column: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the segments without labels that a corpus lacks, and what these cost."""
    counts = segments.groupby(["corpus", column]).size().rename("rows").reset_index()
    common = counts.groupby(column)["corpus"].nunique() == segments["corpus"].nunique()
    if not common.any():
        found = counts.groupby("corpus")[column].agg(list).to_dict()
        raise ValueError(f"No {column} is in every corpus: {found}. Map to another space, or set only_common=False.")
    lost = counts[~counts[column].map(common)].rename(columns={column: "label"})
    lost = lost.assign(corpus=lost["corpus"].astype(str), rows_lost=lost["rows"], problem="is not in every corpus")
    kept = segments[column].map(common).eq(True)
    return segments.assign(**{column: segments[column].astype(object).where(kept, None)}), lost
