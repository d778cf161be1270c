"""The search space of a model, for Optuna: ``python experiments/run.py -m sweep=search model=gated``.

What may be tried is declared by estimator and head, as their ``search_space``.
"""

from __future__ import annotations

from hydra.utils import instantiate
from omegaconf import DictConfig
from optuna.trial import Trial

from featmer.nn import HEADS


def suggest(config: DictConfig, trial: Trial) -> None:
    """Choose a value for each parameter in the search space of the one model of a configuration."""
    if len(config.model) != 1:
        raise ValueError(f"A search tunes one model, got {list(config.model)}: choose one, as in model=gated.")
    ((name, node),) = config.model.items()
    estimator = instantiate(node, _convert_="all")
    if not getattr(estimator, "search_space", None):
        raise ValueError(f"{type(estimator).__name__} declares no search_space; search a baseline or a head.")
    spaces = {f"++model.{name}": estimator.search_space}
    if isinstance(head := getattr(estimator, "head", None), str):
        made = f"{HEADS[head].__module__}.{HEADS[head].__qualname__}"
        trial.suggest_categorical(f"++model.{name}.head", [f"{{_target_:{made}}}"])
        spaces[f"++model.{name}.head"] = HEADS[head].search_space
    for place, space in spaces.items():
        for parameter, choices in space.items():
            trial.suggest_categorical(f"{place}.{parameter}", choices)
