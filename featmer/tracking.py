"""Where finished runs are written down for people who look at them elsewhere: MLflow and TensorBoard.

A tracker is anything that is called with a `TrackedRun`. It writes a run once, known by its digest.
"""

from __future__ import annotations

import hashlib
import math
import os
import shutil
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock

from featmer._checks import require

_DIGEST = "featmer.digest"
_METRICS_AT_ONCE, _PARAMETERS_AT_ONCE = 1000, 100  # more are refused by MLflow's servers


@dataclass(frozen=True)
class TrackedRun:
    """One model on one fold with one seed, finished.

    Parameters
    ----------
    digest : str
        What the run is known by: of model, features, targets, rows, seed, metrics and versions.
    comparison : str
        Corpus, target and protocol.
    model : str
        Name in the results.
    fold, seed : int
        Which fold and which seed.
    parameters : dict of str to bool, int, float or str
        Of the estimator, and of its parts as ``part__parameter``.
    metrics : dict of str to float
        Scores as ``valid.<metric>`` and ``test.<metric>``, costs by their names in the results; nothing is NaN.
    curve : list of dict of str to float, default=[]
        An entry an epoch, where the estimator has a ``history_``.

    Examples
    --------
    >>> TrackedRun("0f", "demo, emotion, official", "linear", 0, 1, {"C": 1.0}, {"test.uar": 0.5}).name
    'linear, fold 0, seed 1'
    """

    digest: str
    comparison: str
    model: str
    fold: int
    seed: int
    parameters: dict[str, bool | int | float | str]
    metrics: dict[str, float]
    curve: list[dict[str, float]] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What people call the run."""
        return f"{self.model}, fold {self.fold}, seed {self.seed}"

    @property
    def described(self) -> dict[str, bool | int | float | str]:
        """The parameters with model, fold and seed before them."""
        return {"model": self.model, "fold": self.fold, "seed": self.seed, **self.parameters}


Tracker = Callable[[TrackedRun], None]


class MLflow:
    """Writes each run to MLflow, in an experiment a comparison.

    Parameters
    ----------
    uri : str, default=None
        Server, or database as in ``"sqlite:///mlflow.db"``; None for what MLflow takes by itself.

    Raises
    ------
    MissingExtra
        If MLflow is not installed.

    Notes
    -----
    A run that was left half written is written anew. Processes of one machine write one after the other, so that none
    writes a run that another is writing.
    """

    def __init__(self, uri: str | None = None):
        self.uri = uri
        self._mlflow = require("mlflow", "mlflow")

    def __call__(self, run: TrackedRun) -> None:
        """Write a run, unless it is there."""
        client = self._mlflow.MlflowClient(self.uri)
        server = hashlib.sha256((self.uri or self._mlflow.get_tracking_uri()).encode()).hexdigest()[:16]
        with FileLock(Path(tempfile.gettempdir(), f"featmer-mlflow-{server}.lock"), mode=0o666):
            found = client.get_experiment_by_name(run.comparison)
            experiment = found.experiment_id if found else client.create_experiment(run.comparison)
            for other in client.search_runs([experiment], f"tags.`{_DIGEST}` = '{run.digest}'"):
                if other.info.status == "FINISHED":
                    return
                client.delete_run(other.info.run_id)
            self._write(client, experiment, run)

    def _write(self, client, experiment: str, run: TrackedRun) -> None:  # type: ignore[no-untyped-def]
        entities = self._mlflow.entities
        now = int(time.time() * 1000)
        metrics = [entities.Metric(name, value, now, 0) for name, value in run.metrics.items()]
        for epoch, entry in enumerate(run.curve, start=1):
            metrics += [
                entities.Metric(f"epoch.{name}", value, now, epoch)
                for name, value in entry.items()
                if name != "epoch" and math.isfinite(value)
            ]
        parameters = [entities.Param(name, str(value)) for name, value in run.described.items()]
        identity = client.create_run(experiment, tags={_DIGEST: run.digest}, run_name=run.name).info.run_id
        for first in range(0, len(metrics), _METRICS_AT_ONCE):
            client.log_batch(identity, metrics=metrics[first : first + _METRICS_AT_ONCE])
        for first in range(0, len(parameters), _PARAMETERS_AT_ONCE):
            client.log_batch(identity, params=parameters[first : first + _PARAMETERS_AT_ONCE])
        client.set_terminated(identity)


class TensorBoard:
    """Writes each run to a folder of its own, for ``tensorboard --logdir FOLDER``.

    Parameters
    ----------
    folder : path-like
        Where; a folder a comparison in it.

    Raises
    ------
    MissingExtra
        If TensorBoard is not installed.

    Notes
    -----
    A folder gets its name when it is whole, so that one which a kill left half written is not taken for a run.
    """

    def __init__(self, folder: str | os.PathLike[str]):
        self.folder = folder
        require("tensorboard", "tensorboard")
        self._writer = require("torch.utils.tensorboard", "tensorboard").SummaryWriter

    def __call__(self, run: TrackedRun) -> None:
        """Write a run, unless it is there."""
        model = "".join(letter if letter.isalnum() or letter in "_-" else "_" for letter in run.model)
        comparison = Path(self.folder, run.comparison.replace(", ", "-").replace(os.sep, "_"))
        path = comparison / f"{model}-fold{run.fold}-seed{run.seed}-{run.digest}"
        if path.exists():
            return
        # Beside the folder: TensorBoard would show what is in it, half written or not.
        half = Path(tempfile.mkdtemp(prefix=f".{run.digest}-", dir=_made(Path(f"{self.folder}.part"))))
        try:
            with self._writer(half) as writer:
                writer.add_hparams({**run.described, "digest": run.digest}, run.metrics, run_name=".")
                for epoch, entry in enumerate(run.curve, start=1):
                    for name, value in entry.items():
                        if name != "epoch":
                            writer.add_scalar(f"epoch/{name}", value, epoch)
            _made(comparison)
            if not path.exists():
                half.rename(path)
        finally:
            shutil.rmtree(half, ignore_errors=True)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder
