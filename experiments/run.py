"""Fit and compare models on a corpus, or on several; without arguments, the main job on the demo corpus.

``python experiments/run.py -m model=boosted,transformer seed=0,1,2`` sweeps, ``-m sweep=search model=gated`` searches
(see ``search.py``). Of several targets, a search prunes by the first alone, and ranks by the mean of the first metric
over the targets that have it. Runs already done are read from ``<output>/runs``; ``status.py`` tells how far a sweep
is, and ``compare.py`` makes one page of all.
"""

from __future__ import annotations

from pathlib import Path

import cloudpickle
import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import instantiate
from omegaconf import DictConfig

import extract
from featmer import evaluate
from featmer.evaluation import validation_score
from featmer.report import comparisons, save_results, write_page

cloudpickle.register_pickle_by_value(extract)  # a worker of submitit does not look into this folder


@hydra.main(version_base=None, config_path="../conf", config_name="config")
def main(config: DictConfig) -> float:
    """Return what a sweep may see: the mean validation score by the first metric, over the targets that have it.

    The higher the better; of a metric of which less is better, the sign is turned.
    """
    output, choices = Path(config.output).resolve(), HydraConfig.get().runtime.choices
    tracker = instantiate(config.get("tracker"))  # first, for its package may be missing
    pruner = None if config.get("pruner") is None else instantiate(config.pruner)(model=next(iter(config.model)))
    table = extract.make_table(config)
    seeds = [config.seed] if isinstance(config.seed, int) else list(config.seed)
    protocol = instantiate(config.protocol, _convert_="all")
    models = instantiate(config.model, _convert_="all")
    asked = {**protocol, "seeds": seeds, "n_jobs": config.n_jobs, "cache": output / "runs"}
    results, predictions = evaluate(models, table, **asked, return_predictions=True, tracker=tracker, pruner=pruner)
    save_results(results, predictions, output / "results")
    if HydraConfig.get().mode == RunMode.RUN:
        corpus = extract.corpus_name(config)
        title = f"{corpus}, {choices.features} features, {choices.protocol}"
        for name, own, answers in comparisons(results, predictions):
            folder = output / "pages" / (f"{corpus}-{choices.protocol}" if answers is predictions else name)
            print(write_page(own, answers, folder, title=title, table=table))
    score = validation_score(results[results["model"].isin(list(config.model))], protocol["metrics"][0])
    if pruner is not None:
        pruner.finish(score)
    return score


if __name__ == "__main__":
    main()
