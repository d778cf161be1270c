"""Tables and corpora that many tests share."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from featmer import Block, FeatureTable

SHARED = Path(os.environ.get("FEATMER_DATA", Path(__file__).parents[2] / "shared" / "data"))


def pytest_configure() -> None:
    """Give the workers, which inherit this, one thread each: there is a worker a core."""
    os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """Return the folder of a real data set, or skip."""

    def find(name: str) -> Path:
        if not (SHARED / name).is_dir():
            pytest.skip(f"real data {name!r} is not in {SHARED}; name its folder in FEATMER_DATA")
        return SHARED / name

    return find


@pytest.fixture(scope="session")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder where demo corpus and caches lie as the README's commands would put them."""
    return tmp_path_factory.mktemp("workplace")


@pytest.fixture(scope="session")
def demo_corpus(workplace: Path) -> pd.DataFrame:
    """Return the segments of the demo corpus, made once a session."""
    from featmer.demo import make_corpus

    return make_corpus(workplace / "featmer-output" / "demo", random_state=0)


@pytest.fixture(scope="session")
def demo_extraction(workplace: Path, demo_corpus: pd.DataFrame) -> tuple[FeatureTable, pd.DataFrame]:
    """Return the demo corpus's feature table and failures, extracted once a session."""
    from featmer import FaceLandmarks, OpenSmile, SentenceEmbedding, extract

    extractors = [OpenSmile(), FaceLandmarks(), SentenceEmbedding()]
    return extract(demo_corpus, extractors, cache=workplace / "featmer-output" / "cache", n_jobs=2, progress=False)


@pytest.fixture(scope="session")
def pyfeat_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return an interpreter whose py-feat is a stand-in without networks."""
    from pyfeat_stand_in import make_interpreter

    return make_interpreter(tmp_path_factory.mktemp("pyfeat"))


@pytest.fixture(scope="session")
def tiny_image_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a vision transformer with random weights, whose embedding has 16 dimensions."""
    import torch
    from transformers import ViTConfig, ViTModel

    sizes = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    folder = tmp_path_factory.mktemp("models") / "tiny-vit"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        ViTModel(ViTConfig(image_size=32, patch_size=8, **sizes)).save_pretrained(folder)
    preparation = {"image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 32}}
    (folder / "preprocessor_config.json").write_text(json.dumps(preparation))
    return folder


@pytest.fixture(scope="session")
def tiny_table() -> FeatureTable:
    """Return 24 dialogues of 5 turns with a mood, three modalities that each show half of it, and gaps."""
    return make_table(np.random.default_rng(0))


def make_table(rng: np.random.Generator, n_dialogues: int = 24, n_turns: int = 5) -> FeatureTable:
    """Return a table whose emotion shows in audio, face and text, each with noise."""
    n_rows = n_dialogues * n_turns
    labels = np.array(["anger", "joy", "neutral"])
    codes = np.repeat(rng.integers(0, 3, n_dialogues), n_turns)
    changed = rng.random(n_rows) < 0.3
    codes = np.where(changed, rng.integers(0, 3, n_rows), codes)
    segments = pd.DataFrame(
        {
            "corpus": "tiny",
            "dialogue": [f"d{i:02d}" for i in np.repeat(np.arange(n_dialogues), n_turns)],
            "turn": np.tile(np.arange(n_turns), n_dialogues),
            "speaker": [f"s{i}" for i in rng.integers(0, 6, n_rows)],
            "split": np.repeat(
                rng.permutation(["train"] * 16 + ["valid"] * 4 + ["test"] * (n_dialogues - 20)), n_turns
            ),
            "emotion": labels[codes],
            "valence": np.array([-0.8, 0.8, 0.0])[codes] + 0.1 * rng.standard_normal(n_rows),
        }
    )
    blocks = {}
    for modality, width in {"audio": 6, "face": 4, "text": 8}.items():
        values = rng.standard_normal((n_rows, width)) + 1.5 * np.eye(3, width)[codes]
        reasons = np.full(n_rows, "", object)
        gone = rng.choice(n_rows, 5, replace=False)
        values[gone], reasons[gone] = np.nan, f"no {modality}"
        blocks[modality] = Block(values, [f"{modality}.tiny.{i}" for i in range(width)], reasons=reasons)
    return FeatureTable(segments, blocks, provenance={"made": "tests/conftest.py"})
