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
        If a corpus's space or the mapping is not known, or a label becomes several.

    Examples
    --------
    >>> segments = pd.DataFrame({"corpus": ["meld", "ravdess", "ravdess"], "emotion": ["joy", "happy", "calm"]})
    >>> mapped, losses = map_corpus_labels(segments, "ekman_neutral")
    >>> mapped.emotion.fillna("-").tolist(), losses[["corpus", "label", "rows_lost"]].to_numpy().tolist()
    (['joy', 'joy', '-'], [['ravdess', 'calm', 1]])
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
    return segments.assign(**{column: mapped}), pd.concat(losses, ignore_index=True)
