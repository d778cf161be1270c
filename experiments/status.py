"""What of a sweep is done, pruned, failed and left: ``python experiments/status.py -m`` and what run.py was given.

Of a search, the trials that were begun are looked at, for those to come are not known.
"""

from __future__ import annotations

import sys
from pathlib import Path

import pandas as pd
from hydra import compose, initialize
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.hydra_config import HydraConfig
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.utils import instantiate
from omegaconf import DictConfig, OmegaConf

from extract import make_table
from featmer.evaluation import status

STATES = ("done", "running", "failed", "pruned", "left")


def jobs(arguments: list[str]) -> list[list[str]]:
    """Return the overrides of every job of a sweep."""
    if any(argument.startswith("sweep=") for argument in arguments):
        output = Path(compose("config", overrides=arguments).output)
        begun = {tuple(OmegaConf.load(file)) for file in output.glob("logs/*/*/.hydra/overrides.yaml")}
        given = {argument for argument in arguments if not argument.startswith(("sweep=", "hydra"))}
        return sorted(list(job) for job in begun if given <= set(job))
    overrides = OverridesParser.create().parse_overrides(arguments)
    return BasicSweeper.split_arguments(overrides, max_batch_size=None)[0]


def runs_of(config: DictConfig) -> pd.DataFrame:
    """Return a row a run of one job."""
    seeds = [config.seed] if isinstance(config.seed, int) else list(config.seed)
    protocol = instantiate(config.protocol, _convert_="all")
    models = instantiate(config.model, _convert_="all")
    return status(models, make_table(config), seeds=seeds, cache=Path(config.output) / "runs", **protocol)


if __name__ == "__main__":
    found = []
    with initialize("../conf", version_base=None):
        for job in jobs([argument for argument in sys.argv[1:] if argument not in ("-m", "--multirun")]):
            config = compose("config", overrides=job, return_hydra_config=True)
            HydraConfig.instance().set_config(config)
            found.append(runs_of(config))
    if not found:
        sys.exit("No trial of this search was begun: give status.py what run.py was given.")
    runs = pd.concat(found).drop_duplicates("digest")
    for run in runs[runs["state"] == "failed"].itertuples():
        print(f"failed: {run.model}, fold {run.fold}, seed {run.seed}: {run.reason}")
    print(", ".join(f"{state} {(runs['state'] == state).sum()}" for state in STATES))
