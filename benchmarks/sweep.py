"""Kill a sweep of 40 runs three times and finish it; then the same in sequence, on joblib, on submitit and on Ray.

``python benchmarks/sweep.py`` needs the extras ``sweeps``, ``lexicon`` and ``ray``.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import joblib
import numpy as np
import pandas as pd

from featmer import FeatureTable, evaluate
from featmer.baselines import LinearClassifier
from featmer.report import save_results
from featmer.report.merging import load_results

SCRIPT = Path(__file__).parents[1] / "experiments" / "run.py"
STRENGTHS, SEEDS = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0], [0, 1, 2, 3, 4]
KEY = ["model_digest", "seed", "part", "metric"]
METRICS = ["f1_weighted", "uar"]


def make_corpus(path: Path) -> list[str]:
    """Write 60 dialogues of short texts, and return the arguments for a sweep over them."""
    rng = np.random.default_rng(0)
    words = {"joy": ["lovely", "great"], "anger": ["awful", "hate"], "neutral": ["table", "okay"]}
    clips = pd.DataFrame({"dialogue": np.repeat(np.arange(60), 4), "turn": np.tile(np.arange(4), 60)})
    clips["split"] = np.repeat(["train"] * 36 + ["valid"] * 12 + ["test"] * 12, 4)
    clips["emotion"] = rng.choice(list(words), len(clips))
    every = sum(words.values(), [])
    clips["text"] = [f"{rng.choice(words[emotion])} {rng.choice(every)}" for emotion in clips["emotion"]]
    clips.to_csv(path, index=False)
    return [
        *("corpus=manifest", f"corpus.path={path}", "protocol=official", f"protocol.metrics={METRICS}", "n_jobs=1"),
        *("features=text", "features.extractors=[{_target_:featmer.extractors.Vader}]", "model=linear_text"),
        *(f"++model.linear_text.C={','.join(map(str, STRENGTHS))}", f"seed={SEEDS}".replace(" ", "")),
    ]


def begin(arguments: list[str], folder: Path) -> subprocess.Popen[bytes]:
    """Start a sweep in a session of its own."""
    command = [sys.executable, str(SCRIPT), "-m", *arguments, f"output={folder}"]
    with (folder.parent / "log.txt").open("a") as log:
        return subprocess.Popen(command, cwd=folder.parent, stdout=log, stderr=log, start_new_session=True)


def finish(arguments: list[str], folder: Path) -> None:
    """Run a sweep to its end."""
    if begin(arguments, folder).wait():
        sys.exit((folder.parent / "log.txt").read_text()[-3000:])


def done(folder: Path) -> dict[str, int]:
    """Return the finished runs, and when each was."""
    files = [file for file in folder.glob("runs/*.parquet") if file.name.count(".") == 1]
    return {file.stem: file.stat().st_mtime_ns for file in files}


def kill_three_times(arguments: list[str], folder: Path) -> None:
    """Kill a sweep after some runs and again, finish it, and stop if a finished run was done again."""
    kept: dict[str, int] = {}
    for n_runs in (8, 20, 33, None):
        sweep = begin(arguments, folder)
        while sweep.poll() is None and (n_runs is None or len(done(folder)) < n_runs):
            time.sleep(0.01)
        if sweep.poll() is None:
            os.killpg(sweep.pid, signal.SIGKILL)
        sweep.wait()
        now = done(folder)
        print(f"{'finished' if n_runs is None else 'killed'}: {len(now)} runs are done")
        assert kept.items() <= now.items(), "a finished run was done again"
        kept = now


def on_ray(table: FeatureTable, folder: Path) -> None:
    """Do the same runs on a local Ray cluster."""
    import ray
    from ray.util.joblib import register_ray

    register_ray()
    ray.init(num_cpus=2, include_dashboard=False)
    models = {f"C={strength}": LinearClassifier(["text"], C=strength) for strength in STRENGTHS}
    with joblib.parallel_config(backend="ray", n_jobs=2):
        asked = {"splitter": "official", "metrics": METRICS, "seeds": SEEDS, "n_jobs": None, "progress": False}
        save_results(*evaluate(models, table, return_predictions=True, **asked), folder / "results")
    ray.shutdown()


def rows(folder: Path) -> pd.DataFrame:
    """Return the scores of the searched model, without what depends on the clock."""
    (comparison,) = load_results(folder / "results")
    results = comparison.results[~comparison.results["model"].str.startswith("majority")]
    return results[[*KEY, "value", "low", "high", "error"]].sort_values(KEY, ignore_index=True)


def main() -> None:
    """Print how many rows there are, and whether they are the same each way."""
    with tempfile.TemporaryDirectory() as root:
        arguments, killed = make_corpus(Path(root, "clips.csv")), Path(root, "killed")
        kill_three_times(arguments, killed)
        wanted = rows(killed)
        print(f"{len(wanted[['model_digest', 'seed']].drop_duplicates())} runs have rows")
        launchers = {"sequence": [], "joblib": ["hydra.launcher.n_jobs=2"], "submitit_local": []}
        for name, more in launchers.items():
            launcher = [] if name == "sequence" else [f"hydra/launcher={name}", *more]
            finish([*arguments, *launcher], Path(root, name))
        on_ray(FeatureTable.load(killed / "tables" / "manifest-text.parquet"), Path(root, "ray"))
        for name in (*launchers, "ray"):
            pd.testing.assert_frame_equal(rows(Path(root, name)), wanted)
            print(f"{name}: the same rows")


if __name__ == "__main__":
    main()
