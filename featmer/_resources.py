"""Tables that come with the package."""

from __future__ import annotations

import csv
from importlib import resources


def read_resource(name: str) -> list[dict[str, str]]:
    """Read a CSV file of ``featmer/resources``.

    Parameters
    ----------
    name : str
        Name of the file.

    Returns
    -------
    list of dict of str to str
        Its rows.

    Examples
    --------
    >>> read_resource("au_words.csv")[0]["name"]
    'inner brow raiser'
    """
    text = (resources.files("featmer") / "resources" / name).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))
