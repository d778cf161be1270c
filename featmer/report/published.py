"""Figures that others published, in one table; never mixed with what was measured here."""

from __future__ import annotations

import pandas as pd

from featmer._resources import read_resource


def published_figures(corpus: str | None = None) -> pd.DataFrame:
    """Return figures from papers and repositories, with all that it takes to read them.

    Parameters
    ----------
    corpus : str, default=None
        Name as in results; None takes all.

    Returns
    -------
    DataFrame
        ``model``, ``corpus``, ``split``, ``inputs`` (what the model sees), ``metric``, ``value`` (F1 and accuracy from
        0 to 1), ``selection`` ("test" where the released code picks the epoch on test rows, else "not stated"),
        ``runs``, ``told_by`` ("the authors" of the model, or "others") and ``source``.

    Examples
    --------
    >>> figures = published_figures("meld")
    >>> figures[figures["model"] == "COSMIC"][["metric", "value", "told_by"]].to_numpy().tolist()
    [['f1_weighted', 0.6521, 'the authors']]
    """
    figures = pd.DataFrame(read_resource("published.csv")).astype({"value": float})
    return figures if corpus is None else figures[figures["corpus"] == corpus].reset_index(drop=True)
