"""Sweeps and searches from the command line: killed, resumed, told apart, and the same on every launcher."""

from __future__ import annotations

import inspect
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import joblib
import numpy as np
import pandas as pd
import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import instantiate
from omegaconf import DictConfig

from featmer import FeatureTable, FusionClassifier, FusionRegressor, evaluate
from featmer.baselines import BoostedClassifier, BoostedRegressor, LinearClassifier, LinearRegressor
from featmer.evaluation.runs import COSTS
from featmer.nn import HEADS
from featmer.report import save_results
from featmer.report.merging import load_results

EXPERIMENTS = Path(__file__).parents[1] / "experiments"
ESTIMATORS = [
    *(FusionClassifier, FusionRegressor, BoostedClassifier, BoostedRegressor, LinearClassifier, LinearRegressor),
    *HEADS.values(),
]
GRID = ["++model.linear_text.C=0.01,0.1,1", "seed=0,1,2,3"]
N_RUNS = 12 + 4  # and the baseline, once a seed


@pytest.mark.parametrize("estimator", ESTIMATORS, ids=lambda estimator: estimator.__name__)
def test_a_search_space_holds_parameters(estimator: type) -> None:
    space = estimator.search_space
    assert space
    assert set(space) <= set(inspect.signature(estimator).parameters)
    assert all(len(set(choices)) == len(choices) > 1 for choices in space.values())


def composed(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(EXPERIMENTS.parent / "conf"), version_base=None):
        return compose("config", overrides=list(overrides))


@pytest.mark.parametrize("model", [*HEADS, "linear", "boosted"])
def test_a_trial_is_a_model_with_the_suggested_parameters(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    optuna = pytest.importorskip("optuna", reason="pip install featmer[sweeps]")
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    from search import suggest

    trial = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0)).ask()
    suggest(composed(f"model={model}"), trial)
    config = composed(f"model={model}", *(f"{name}={value}" for name, value in trial.params.items()))
    found = instantiate(config.model, _convert_="all")[model].get_params()
    for name, value in trial.params.items():
        parameter = name.removeprefix(f"++model.{model}.").replace(".", "__")
        assert parameter == "head" or found[parameter] == value
    if model in HEADS:
        assert isinstance(found["head"], HEADS[model])
        assert set(HEADS[model].search_space) < {name.split(".")[-1] for name in trial.params}


@pytest.mark.parametrize(("model", "told"), [("leaderboard", "choose one"), ("contrastive", "no search_space")])
def test_what_cannot_be_searched_says_so(model: str, told: str, monkeypatch: pytest.MonkeyPatch) -> None:
    optuna = pytest.importorskip("optuna", reason="pip install featmer[sweeps]")
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    from search import suggest

    with pytest.raises(ValueError, match=told):
        suggest(composed(f"model={model}"), optuna.create_study().ask())


@pytest.fixture
def corpus(tmp_path: Path) -> list[str]:
    """Return the arguments for a corpus of 120 short texts, with a split."""
    rng = np.random.default_rng(0)
    words = {"joy": ["lovely", "great"], "anger": ["awful", "hate"], "neutral": ["table", "okay"]}
    clips = pd.DataFrame({"dialogue": np.repeat(np.arange(30), 4), "turn": np.tile(np.arange(4), 30)})
    clips["split"] = np.repeat(["train"] * 18 + ["valid"] * 6 + ["test"] * 6, 4)
    clips["emotion"] = rng.choice(list(words), len(clips))
    clips["text"] = [
        f"{rng.choice(words[emotion])} {rng.choice(sum(words.values(), []))}" for emotion in clips["emotion"]
    ]
    clips.to_csv(tmp_path / "clips.csv", index=False)
    return [
        *("corpus=manifest", f"corpus.path={tmp_path / 'clips.csv'}", "protocol=official", "n_jobs=1"),
        *("features=text", "features.extractors=[{_target_:featmer.extractors.Vader}]", "model=linear_text"),
    ]


def start(script: str, arguments: list[str], folder: Path) -> subprocess.Popen:
    command = [sys.executable, str(EXPERIMENTS / script), "-m", *arguments, f"output={folder}"]
    return subprocess.Popen(
        command, cwd=folder.parent, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True
    )


def run(script: str, arguments: list[str], folder: Path) -> list[str]:
    process = start(script, arguments, folder)
    printed, _ = process.communicate(timeout=300)
    assert process.returncode == 0, printed[-3000:]
    return printed.strip().splitlines()


def done(folder: Path) -> dict[Path, int]:
    files = folder.glob("runs/*.parquet")
    return {file: file.stat().st_mtime_ns for file in files if ".predictions" not in file.name and file.name[0] != "."}


def kill_after(n_runs: int, arguments: list[str], folder: Path) -> dict[Path, int]:
    process = start("run.py", arguments, folder)
    while len(done(folder)) < n_runs:
        assert process.poll() is None, "ended before it could be killed"
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    return done(folder)


def rows(folder: Path) -> pd.DataFrame:
    (comparison,) = load_results([folder / "results"])
    results = comparison.results.drop(columns=[*COSTS, "started"])
    return results.sort_values(["model", "seed", "part", "metric"], ignore_index=True)


@pytest.mark.slow
def test_a_sweep_killed_three_times_is_finished_and_equals_one_on_joblib(corpus: list[str], tmp_path: Path) -> None:
    killed, alone = tmp_path / "killed", tmp_path / "joblib"
    kept: dict[Path, int] = {}
    for n_runs in (3, 7, 11):
        now = kill_after(n_runs, [*corpus, *GRID], killed)
        assert kept.items() <= now.items(), "a finished run was done again"
        kept = now
    states = run("status.py", [*corpus, *GRID], killed)[-1]
    assert states == f"done {len(kept)}, running 0, failed 0, pruned 0, left {N_RUNS - len(kept)}"
    run("run.py", [*corpus, *GRID], killed)
    assert kept.items() <= done(killed).items(), "a finished run was done again"
    assert len(done(killed)) == N_RUNS
    run("run.py", [*corpus, *GRID, "hydra/launcher=joblib", "hydra.launcher.n_jobs=2"], alone)
    assert set(rows(killed)["seed"]) == {0, 1, 2, 3}
    assert rows(killed).groupby(["model", "seed"]).ngroups == N_RUNS
    pd.testing.assert_frame_equal(rows(killed), rows(alone))


@pytest.mark.slow
def test_the_same_sweep_in_jobs_of_submitit_gives_the_same_rows(corpus: list[str], tmp_path: Path) -> None:
    pytest.importorskip("submitit", reason="pip install featmer[sweeps]")
    grid = ["++model.linear_text.C=0.01,1", "seed=0,1"]
    run("run.py", [*corpus, *grid], tmp_path / "alone")
    run("run.py", [*corpus, *grid, "hydra/launcher=submitit_local"], tmp_path / "submitit")
    jobs = list((tmp_path / "submitit").glob("logs/*/.submitit/*/*_result.pkl"))
    assert len(jobs) == 4, "each job is a process of submitit's"
    assert rows(tmp_path / "alone").groupby(["model", "seed"]).ngroups == 4 + 2
    pd.testing.assert_frame_equal(rows(tmp_path / "submitit"), rows(tmp_path / "alone"))


@pytest.mark.slow
def test_the_same_sweep_on_a_ray_cluster_gives_the_same_rows(corpus: list[str], tmp_path: Path) -> None:
    ray = pytest.importorskip("ray", reason="pip install featmer[ray]")
    from ray.util.joblib import register_ray

    run("run.py", [*corpus, *GRID], tmp_path / "alone")
    register_ray()
    ray.init(num_cpus=2, include_dashboard=False)
    models = {f"linear_text {strength}": LinearClassifier(["text"], C=strength) for strength in (0.01, 0.1, 1)}
    asked = dict(instantiate(composed(*corpus).protocol, _convert_="all"), seeds=range(4), n_jobs=None, progress=False)
    table = FeatureTable.load(tmp_path / "alone" / "tables" / "manifest-text.parquet")
    try:
        with joblib.parallel_config(backend="ray", n_jobs=2):
            found = evaluate(models, table, return_predictions=True, **asked)
    finally:
        ray.shutdown()
    save_results(*found, tmp_path / "ray" / "results")
    wanted, there = (
        rows(folder).drop(columns="model").sort_values(["model_digest", "seed", "part", "metric"], ignore_index=True)
        for folder in (tmp_path / "alone", tmp_path / "ray")
    )
    assert wanted.groupby(["model_digest", "seed"]).ngroups == N_RUNS
    pd.testing.assert_frame_equal(there, wanted)


@pytest.mark.slow
def test_a_search_prunes_and_comes_to_the_same_when_repeated(corpus: list[str], tmp_path: Path) -> None:
    search = [*corpus, "sweep=search", "hydra.sweeper.n_trials=6", "seed=[0,1,2]", "++pruner.pruner.n_startup_trials=1"]
    pruning, whole = tmp_path / "pruning", tmp_path / "whole"
    best = [line.split("[HYDRA] ")[-1] for line in run("run.py", search, pruning) if "Best" in line]
    states = run("status.py", search, pruning)[-1]
    assert "pruned 0" not in states
    pruned = rows(pruning)["error"].str.startswith("pruned: validation score")
    assert pruned.any()
    assert rows(pruning).loc[pruned, "value"].isna().all()
    kept = done(pruning)
    assert best == [line.split("[HYDRA] ")[-1] for line in run("run.py", search, pruning) if "Best" in line]
    assert done(pruning) == kept
    assert run("status.py", search, pruning)[-1] == states
    run("run.py", [*search[:-1], "pruner=null"], whole)
    assert {file.name for file in done(whole)} > {file.name for file in kept}
    assert "pruned 0" in run("status.py", [*search[:-1], "pruner=null"], whole)[-1]


@pytest.mark.slow
def test_a_search_by_an_error_takes_the_least(corpus: list[str], tmp_path: Path) -> None:
    search = [*corpus, "sweep=search", "hydra.sweeper.n_trials=4", "seed=0", "protocol.metrics=[log_loss]"]
    (best,) = [float(line.split()[-1]) for line in run("run.py", search, tmp_path / "found") if "Best value" in line]
    results = rows(tmp_path / "found")
    tried = results[results["model"].str.startswith("linear_text") & (results["part"] == "valid")]
    assert len(set(tried["value"])) > 1
    assert best == pytest.approx(-tried["value"].min())


@pytest.mark.slow
def test_a_search_that_was_killed_comes_to_where_it_was(corpus: list[str], tmp_path: Path) -> None:
    search = [*corpus, "sweep=search", "hydra.sweeper.n_trials=6", "seed=0"]
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    kept = kill_after(3, search, killed)
    best = [line.split("[HYDRA] ")[-1] for line in run("run.py", search, killed) if "Best" in line]
    assert kept.items() <= done(killed).items(), "a finished run was done again"
    assert best == [line.split("[HYDRA] ")[-1] for line in run("run.py", search, whole) if "Best" in line]
    assert len(best) == 2
    assert {file.name for file in done(killed)} == {file.name for file in done(whole)}
    assert run("status.py", search, killed)[-1] == f"done {len(done(killed))}, running 0, failed 0, pruned 0, left 0"


@pytest.mark.slow
def test_a_failed_run_is_a_row_with_its_reason_and_no_end_of_the_search(corpus: list[str], tmp_path: Path) -> None:
    asked = [*corpus, "sweep=search", "hydra.sweeper.n_trials=2", "seed=0", "++model.linear_text.class_weight=wrong"]
    run("run.py", asked, tmp_path / "failed")
    printed = run("status.py", asked, tmp_path / "failed")
    assert "failed 0" not in printed[-1]
    assert any(line.startswith("failed: linear_text, fold 0, seed 0: ") and "wrong" in line for line in printed)
    results = rows(tmp_path / "failed")
    assert results.loc[results["model"].str.startswith("linear_text"), "error"].str.contains("wrong").all()
