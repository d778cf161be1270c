"""Extract the features of a corpus: ``python experiments/extract.py corpus=demo features=multimodal``."""

from __future__ import annotations

import logging
from pathlib import Path

import hydra
from hydra.utils import instantiate
from omegaconf import DictConfig

from featmer import FeatureTable, extract

logger = logging.getLogger(__name__)


def make_table(config: DictConfig) -> FeatureTable:
    """Return the feature table that a configuration describes; what was extracted before is read from the cache.

    Parameters
    ----------
    config : DictConfig
        With ``corpus``, ``features``, ``output`` and ``n_jobs``.

    Returns
    -------
    FeatureTable
        Also written to ``<output>/<name>.parquet``, with the failures beside it as CSV.
    """
    output = Path(config.output)
    segments = instantiate(config.corpus)
    table, failures = extract(
        segments, instantiate(config.features.extractors), cache=output / "cache", n_jobs=config.n_jobs
    )
    for modality, block in config.features.get("blocks", {}).items():
        table = FeatureTable(table.segments, {**table.blocks, modality: instantiate(block)(segments=segments)})
    choices = hydra.core.hydra_config.HydraConfig.get().runtime.choices
    path = output / f"{choices.corpus}-{choices.features}.parquet"
    table.save(path)
    failures.to_csv(path.with_suffix(".failures.csv"), index=False)
    logger.info("%s\n%d notes on %s", table, len(failures), path.with_suffix(".failures.csv"))
    return table


@hydra.main(version_base=None, config_path="../conf", config_name="config")
def main(config: DictConfig) -> None:
    """Extract and name the file."""
    make_table(config)


if __name__ == "__main__":
    main()
