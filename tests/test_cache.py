"""The cache meets a full disk, lost permission, damage and deletion: a clear error, and nothing finished is lost."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from featmer import FeatureTable, extract
from featmer.cache import CacheError, FeatureCache
from featmer.extractors import AudioExtractor
from featmer.extractors.base import Features
from featmer.media import write_audio

RATE = 16000
N_CLIPS = 30


class Bulky(AudioExtractor):
    """So many values that thirty clips fill half a megabyte; counts its calls."""

    names = tuple(f"audio.{number}" for number in range(8000))
    calls = 0

    def describe(self, signal, rate):
        type(self).calls += 1
        return signal[:8000]


class Deleting(Bulky):
    """Deletes a folder at the fifth clip."""

    def __init__(self, folder: str = ""):
        self.folder = folder

    def describe(self, signal, rate):
        if len(signal) == RATE + 5:
            shutil.rmtree(self.folder)
        return super().describe(signal, rate)


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Return segments of thirty sounds."""
    root = tmp_path_factory.mktemp("clips")
    rng = np.random.default_rng(0)
    for number in range(N_CLIPS):
        write_audio(root / f"{number}.wav", 0.1 * rng.standard_normal(RATE + number), RATE)
    segments = pd.DataFrame({"dialogue": "a", "turn": range(N_CLIPS)})
    segments["audio"] = [f"{number}.wav" for number in range(N_CLIPS)]
    segments.attrs["root"] = str(root)
    return segments


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """Return a folder on a disk of 400 kB, which only the superuser can make."""
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command here")
    if done.returncode:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def remount(folder: Path, option: str) -> None:
    subprocess.run(["mount", "-o", f"remount,{option}", str(folder)], check=True)


def run(segments, extractor, **options) -> tuple[FeatureTable, pd.DataFrame]:
    return extract(segments, extractor, progress=False, **options)


def keys_of(cache: Path) -> int:
    store = FeatureCache(cache)
    try:
        return store._connection.execute("SELECT count(*) FROM outcomes").fetchone()[0]
    finally:
        store.close()


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_a_full_disk_stops_the_run_and_room_lets_it_go_on(clips, small_disk, n_jobs):
    with pytest.raises(CacheError, match=r"disk is full; make room and run again; what was finished is kept"):
        run(clips, Bulky(), cache=small_disk, n_jobs=n_jobs)
    remount(small_disk, "size=20m")
    n_kept = keys_of(small_disk)
    assert 0 < n_kept < N_CLIPS
    Bulky.calls = 0
    table, failures = run(clips, Bulky(), cache=small_disk)
    assert Bulky.calls == N_CLIPS - n_kept
    assert failures.empty
    assert table.digest() == run(clips, Bulky())[0].digest()


def test_a_disk_that_may_only_be_read(clips, small_disk):
    remount(small_disk, "size=20m")
    run(clips.iloc[:5], Bulky(), cache=small_disk)
    remount(small_disk, "ro")
    with pytest.raises(CacheError, match="permission|can be written"):
        run(clips, Bulky(), cache=small_disk)
    with pytest.raises(CacheError, match="cannot be made .*name a folder to write to"):
        run(clips, Bulky(), cache=small_disk / "new")
    remount(small_disk, "rw")
    Bulky.calls = 0
    run(clips, Bulky(), cache=small_disk)
    assert Bulky.calls == N_CLIPS - 5


def test_a_cache_that_is_deleted_during_the_run(clips, tmp_path):
    cache = tmp_path / "cache"
    with pytest.raises(CacheError, match="was deleted or renamed during the run"):
        run(clips, Deleting(str(cache)), cache=cache)
    table, _ = run(clips, Bulky(), cache=cache)
    assert not table.blocks["audio"].missing.any()


def test_a_cache_that_is_damaged_in_the_middle(clips, tmp_path):
    run(clips, Bulky(), cache=tmp_path)
    path = tmp_path / "features.sqlite"
    content = bytearray(path.read_bytes())
    content[8192 : len(content) // 2] = bytes(len(content) // 2 - 8192)
    path.write_bytes(content)
    with pytest.raises(CacheError, match=r"is damaged .*delete this file and run again"):
        run(clips, Bulky(), cache=tmp_path)


def test_two_runs_may_write_to_one_cache(tmp_path):
    first, second = FeatureCache(tmp_path), FeatureCache(tmp_path)
    for number in range(20):
        for name, store in {"a": first, "b": second}.items():
            store.put([(f"{name}{number}", Features(np.full(3, number, np.float32)))])
    assert second.get("a7").values.tolist() == [7, 7, 7]
    assert len(first.known([f"{name}{number}" for name in "ab" for number in range(20)])) == 40
    first.close()
    second.close()
