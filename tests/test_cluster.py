"""The same table on a cluster, although a worker of it is killed during the run."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest

from featmer import extract
from featmer.extractors import AudioExtractor
from featmer.media import write_audio

pytestmark = pytest.mark.slow

RATE = 16000
N_CLIPS = 30
FATAL = 7


class Patient(AudioExtractor):
    """Level of a sound, after a while; names the worker that it runs for."""

    names = ("audio.level", "audio.peak")

    def __init__(self, log: str = ""):
        self.log = log

    def describe(self, signal, rate):
        if len(signal) == RATE + FATAL:
            os.abort()
        if self.log:
            with Path(self.log).open("a") as file:
                file.write(f"{os.getppid()}\n")
            time.sleep(0.2)
        return [np.abs(signal).mean(), np.abs(signal).max()]

    def identity(self):
        return {**super().identity(), "parameters": {}}


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Return segments of sounds, one of which is fatal to the process that describes it."""
    root = tmp_path_factory.mktemp("clips")
    rng = np.random.default_rng(0)
    for number in range(N_CLIPS):
        write_audio(root / f"{number}.wav", 0.1 * rng.standard_normal(RATE + number), RATE)
    segments = pd.DataFrame({"dialogue": "a", "turn": range(N_CLIPS)})
    segments["audio"] = [f"{number}.wav" for number in range(N_CLIPS)]
    segments.attrs["root"] = str(root)
    return segments


@contextmanager
def murder(log: Path, after: int) -> Iterator[list[int]]:
    """Kill the first worker that is busy once so many clips have been begun."""
    victims: list[int] = []
    over = threading.Event()

    def lurk() -> None:
        while not over.wait(0.02):
            begun = log.read_text().split() if log.exists() else []
            if len(begun) >= after:
                victims.append(int(begun[-1]))
                os.kill(victims[0], signal.SIGKILL)
                return

    murderer = threading.Thread(target=lurk)
    murderer.start()
    try:
        yield victims
    finally:
        over.set()
        murderer.join()


def check(segments: pd.DataFrame, folder: Path, **backend: Any) -> None:
    """Extract on the configured backend, kill a worker meanwhile, and compare with a run of local workers."""
    alone, failures = extract(segments, Patient(), n_jobs=2, progress=False)
    assert list(failures["reason"]) == ["the decoder crashed (SIGABRT)"]
    assert list(failures["row"]) == [FATAL]
    log = folder / "log"
    with joblib.parallel_config(**backend), murder(log, after=8) as victims:
        table, lost = extract(segments, Patient(str(log)), cache=folder / "cache", progress=False)
    workers = {int(worker) for worker in log.read_text().split()}
    assert len(victims) == 1
    assert os.getpid() not in workers
    assert len(workers) >= 2
    assert table.digest() == alone.digest()
    pd.testing.assert_frame_equal(lost, failures)


def test_dask(clips, tmp_path):
    distributed = pytest.importorskip("distributed", reason="pip install featmer[dask]")
    with (
        distributed.LocalCluster(n_workers=3, threads_per_worker=1, dashboard_address=None) as cluster,
        distributed.Client(cluster) as client,
    ):
        check(clips, tmp_path, backend="dask", client=client)


def test_ray(clips, tmp_path):
    ray = pytest.importorskip("ray", reason="pip install featmer[ray]")
    from ray.util.joblib import register_ray

    register_ray()
    here = str(Path(__file__).parent)
    ray.init(num_cpus=3, include_dashboard=False, runtime_env={"env_vars": {"PYTHONPATH": here}})
    # An actor that dies is started again, and its call is made again.
    mortal = {"max_restarts": -1, "max_task_retries": -1}
    try:
        check(clips, tmp_path, backend="ray", n_jobs=3, ray_remote_args=mortal)
    finally:
        ray.shutdown()
