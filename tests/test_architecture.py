"""The direction of imports, the size of rooms, and that nothing heavy hides on the light path."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import featmer

PACKAGE = Path(featmer.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

# A module may import those before it. Packages count as one room.
LAYERS = [
    "_checks", "_isolation", "_parallel", "_resources", "_saving", "_nested", "decisions", "groups", "segments",
    "labels", "table", "transcripts", "alignment", "descriptions", "media", "corpora", "demo", "extractors", "cache",
    "extraction", "context", "transductive", "missing", "_targets", "_tasks", "_deciding", "_estimator", "_parts",
    "tracking", "collate", "nn", "objectives", "training", "_torch_estimator", "pretraining", "estimators", "baselines",
    "evaluation", "calibration", "causal", "explain", "report", "__init__",
]  # fmt: skip

FORBIDDEN = {
    "labels": {"torch", "sklearn"},
    "table": {"torch", "sklearn"},
    "decisions": {"torch", "sklearn", "pandas"},
    "segments": {"torch", "sklearn"},
    "media": {"torch", "sklearn", "pandas"},
    "corpora": {"torch"},
    "extraction": {"torch"},
    "evaluation": {"torch"},
    "calibration": {"torch"},
    "causal": {"torch"},
    "report": {"torch"},
    "baselines": {"torch"},
    "nn": {"pandas"},
    "training": {"pandas"},
    "objectives": {"pandas"},
}


def room(path: Path) -> str:
    inside = path.relative_to(PACKAGE)
    return inside.parts[0].removesuffix(".py")


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_go_downwards(path: Path) -> None:
    here = room(path)
    assert here in LAYERS, f"{here} is a new room: give it a place in LAYERS"
    for name in imports(path):
        top, _, rest = name.partition(".")
        assert top not in FORBIDDEN.get(here, set()) | {"hydra", "omegaconf"}, f"{path} imports {name}"
        if top == "featmer" and rest and here != "__init__":
            other = rest.split(".")[0]
            assert LAYERS.index(other) <= LAYERS.index(here), f"{path} imports upwards: {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_files_and_functions_stay_small(path: Path) -> None:
    source = path.read_text(encoding="utf-8")
    assert source.count("\n") <= 400, f"{path} is past 400 lines: make it a package"
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            body = node.body[1:] if ast.get_docstring(node) else node.body
            length = body[-1].end_lineno - body[0].lineno + 1 if body else 0
            assert length <= 60, f"{path}:{node.lineno} {node.name} has {length} lines"


def test_only_media_opens_audio_and_video() -> None:
    users = {room(path) for path in FILES if imports(path) & {"av", "soundfile", "wave"}}
    assert users == {"media"}


def test_every_public_name_is_there_and_documented() -> None:
    for name in featmer.__all__:
        thing = getattr(featmer, name)
        assert thing.__doc__, name
        assert ">>>" in thing.__doc__, f"{name} has no example"
    assert set(featmer.__all__) <= set(dir(featmer))
    with pytest.raises(AttributeError, match="no attribute 'Blok'"):
        _ = featmer.Blok
