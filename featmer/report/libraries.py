"""The JavaScript that a page carries: DataTables and Vega-Lite, from the Python packages that bundle them."""

from __future__ import annotations

import base64
import gzip
import json
from functools import cache
from importlib import resources
from typing import Any

from featmer._checks import require
from featmer.report.charts.drawing import EXTRA, VEGA_LITE


@cache
def packed_libraries() -> dict[str, str]:
    """Return the libraries, each an ES module, packed for a page.

    Returns
    -------
    dict of str to str
        "datatables" and "vega".

    Raises
    ------
    MissingExtra
        If ``featmer[report]`` is not installed.

    Examples
    --------
    >>> sorted(packed_libraries())
    ['datatables', 'vega']
    """
    tables = resources.files(require("itables", EXTRA)) / "html" / "dt_bundle.js"
    vega = require("vl_convert", EXTRA).javascript_bundle(vl_version=VEGA_LITE)
    return {"datatables": pack(tables.read_text(encoding="utf-8")), "vega": pack(vega)}


def pack(content: Any) -> str:
    """Compress text, or anything that JSON can hold, to letters that HTML takes as they are.

    A page gets smaller by two thirds, and nothing in it, whatever it says, can end a script early.

    Examples
    --------
    >>> gzip.decompress(base64.b64decode(pack({"text": "</script>"})))
    b'{"text":"</script>"}'
    """
    text = content if isinstance(content, str) else json.dumps(content, separators=(",", ":"), allow_nan=False)
    return base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode()
