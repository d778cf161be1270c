"""The command line: the main job, a sweep, a resumed run and the merged page, from any folder."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

EXPERIMENTS = Path(__file__).parents[1] / "experiments"

pytestmark = pytest.mark.slow


def run(script: str, *arguments: str, folder: Path) -> str:
    """Run an experiment as a user would, and return what it printed last."""
    command = [sys.executable, str(EXPERIMENTS / script), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env={**os.environ})
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.strip().splitlines()[-1] if done.stdout.strip() else ""


@pytest.mark.usefixtures("demo_extraction")
def test_one_model_then_a_sweep_then_one_page_of_all(workplace: Path) -> None:
    page = Path(run("run.py", "model=linear", "seed=0", folder=workplace))
    assert page.name == "leaderboard.html"
    assert "linear" in page.read_text(encoding="utf-8")
    runs = workplace / "featmer-output" / "runs"
    first = {file: file.stat().st_mtime_ns for file in runs.glob("*.parquet")}
    assert first

    run("run.py", "-m", "model=linear,linear_text", "seed=0,1", folder=workplace)
    again = {file: file.stat().st_mtime_ns for file in runs.glob("*.parquet")}
    assert first.items() <= again.items(), "a finished run was done again"
    assert len(again) > len(first)

    merged = Path(run("compare.py", folder=workplace))
    assert {"leaderboard.html", "leaderboard.md"} <= {file.name for file in merged.parent.iterdir()}
    text = (merged.parent / "leaderboard.md").read_text(encoding="utf-8")
    assert all(model in text for model in ("linear", "linear_text", "majority"))
    assert text.count("| majority") == 1, "the baseline of every run is one model"
    assert list((merged.parent / "plots").glob("*.png"))


@pytest.mark.usefixtures("demo_extraction")
def test_several_targets_make_a_page_each(workplace: Path) -> None:
    asked = ["protocol=several_targets", "model=[multitask,alone]", "+model.multitask.epochs=3"]
    short = [f"+model.alone.{target}.epochs=3" for target in ("emotion", "valence", "arousal")]
    last = Path(run("run.py", *asked, *short, "seed=0", folder=workplace))
    for target in ("emotion", "valence", "arousal"):
        page = last.parent.with_name(f"demo-{target}-by_dialogue") / last.name
        assert all(model in page.read_text(encoding="utf-8") for model in ("multitask", "alone", "majority"))


@pytest.mark.usefixtures("demo_extraction")
def test_extract_writes_table_and_failures(workplace: Path) -> None:
    path = Path(run("extract.py", folder=workplace))
    assert path.suffix == ".parquet"
    failures = pd.read_csv(path.with_suffix(".failures.csv"))
    assert failures["reason"].str.len().min() > 3


def test_experiments_are_thin() -> None:
    for script in EXPERIMENTS.glob("*.py"):
        source = script.read_text(encoding="utf-8")
        assert source.count("\n") < 60, script
        assert "hydra" in {name.split(".")[0] for name in _imports(source)}


def _imports(source: str) -> set[str]:
    nodes = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Import | ast.ImportFrom)]
    return {alias.name for node in nodes for alias in node.names} | {
        getattr(node, "module", "") or "" for node in nodes
    }
