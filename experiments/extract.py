"""Extract the features of a corpus: ``python experiments/extract.py corpus=demo features=multimodal``."""

from __future__ import annotations

import logging
from pathlib import Path

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.utils import instantiate
from omegaconf import DictConfig

from featmer import FeatureTable, extract

logger = logging.getLogger(__name__)


def corpus_name(config: DictConfig) -> str:
    """Return the name of the corpus; of several, the names of all."""
    return "+".join(config.corpus.get("parts", [HydraConfig.get().runtime.choices.corpus]))


def table_path(config: DictConfig) -> Path:
    """Return where the table of a configuration is written."""
    features = HydraConfig.get().runtime.choices.features
    return Path(config.output).resolve() / "tables" / f"{corpus_name(config)}-{features}.parquet"


def make_table(config: DictConfig) -> FeatureTable:
    """Extract, or read from the cache what was extracted before; write the table, and the failures beside it as CSV."""
    segments = instantiate(config.corpus)
    table, failures = extract(
        segments, instantiate(config.features.extractors), cache=Path(config.output) / "cache", n_jobs=config.n_jobs
    )
    for modality, block in config.features.get("blocks", {}).items():
        table = FeatureTable(table.segments, {**table.blocks, modality: instantiate(block)(segments=segments)})
    path = table_path(config)
    table.save(path)
    failures.to_csv(path.with_suffix(".failures.csv"), index=False)
    logger.info("%s\n%d notes on %s", table, len(failures), path.with_suffix(".failures.csv"))
    return table


@hydra.main(version_base=None, config_path="../conf", config_name="config")
def main(config: DictConfig) -> None:
    """Extract, and print the path of the table."""
    make_table(config)
    print(table_path(config))


if __name__ == "__main__":
    main()
