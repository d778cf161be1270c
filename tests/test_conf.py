"""Every preset composes, and names parameters that its target has."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_dir
from hydra.utils import get_object, instantiate
from omegaconf import DictConfig, ListConfig, OmegaConf
from sklearn.base import is_classifier, is_regressor

from featmer.evaluation.joint import learns_several
from featmer.nn import HEADS

CONF = Path(__file__).parents[1] / "conf"
PRESETS = sorted(path.relative_to(CONF).with_suffix("") for path in CONF.glob("*/*.yaml"))


def composed(*overrides: str) -> DictConfig:
    with initialize_config_dir(str(CONF), version_base=None):
        return compose("config", overrides=list(overrides))


def targets(node: Any) -> Iterator[DictConfig]:
    if isinstance(node, DictConfig):
        if "_target_" in node:
            yield node
        for key in node:
            if not OmegaConf.is_missing(node, key):
                yield from targets(node._get_node(key))
    elif isinstance(node, ListConfig):
        for item in node:
            yield from targets(item)


@pytest.mark.parametrize("preset", PRESETS, ids=str)
def test_a_preset_composes_and_fits_its_target(preset: Path) -> None:
    config = composed(f"{preset.parent}={preset.name}")
    assert list(targets(config)), "nothing to instantiate"
    for node in targets(config):
        target = get_object(node["_target_"])
        known = inspect.signature(target).parameters
        given = {str(key) for key in node if not str(key).startswith("_")}
        assert given <= set(known), f"{preset}: {given - set(known)} are no parameters of {node['_target_']}"


@pytest.mark.parametrize("preset", PRESETS, ids=str)
def test_a_preset_holds_only_what_differs_from_the_default(preset: Path) -> None:
    for node in targets(composed(f"{preset.parent}={preset.name}")):
        target = get_object(node["_target_"])
        for name, parameter in inspect.signature(target).parameters.items():
            if (
                name in node
                and parameter.default is not inspect.Parameter.empty
                and not OmegaConf.is_missing(node, name)
            ):
                assert node[name] != parameter.default, f"{preset}: {name} repeats the default"


SEVERAL = {"alone", "multitask"}  # for several targets at once


@pytest.mark.parametrize(
    "preset", [path.name for path in PRESETS if path.parent.name == "model" and path.name not in SEVERAL]
)
def test_a_model_is_a_classifier_or_a_regressor_as_told(preset: str) -> None:
    for kind, fits in {"Classifier": is_classifier, "Regressor": is_regressor}.items():
        models = instantiate(composed(f"model={preset}", f"kind={kind}").model, _convert_="all")
        assert models
        assert all(map(fits, models.values())), f"write ${{kind}} for Classifier in {preset}"


@pytest.mark.parametrize(
    "asked",
    [
        ["protocol=several_targets", "model=[multitask,alone]"],
        ["experiment=emobank"],
        ["experiment=mosi_targets"],
    ],
    ids=" ".join,
)
def test_several_targets_have_a_model_of_all_and_one_for_each(asked: list[str]) -> None:
    config = composed(*asked)
    models = instantiate(config.model, _convert_="all")
    assert learns_several(models.pop("multitask"))
    assert models
    for each in models.values():
        assert list(each) == list(config.protocol.target)
        fits = [is_classifier if target in ("emotion", "polarity") else is_regressor for target in each]
        assert all(fit(model) for fit, model in zip(fits, each.values(), strict=True))


def test_every_head_is_on_the_leaderboards() -> None:
    assert set(composed("model=heads").model) == set(HEADS), "name the preset of a new head in conf/model/heads.yaml"
    for experiment in ("meld", "meld_feats", "mosi", "ravdess"):
        assert set(composed(f"experiment={experiment}").model) > {*HEADS, "linear", "boosted", "contrastive"}


def test_the_main_job_compares_what_it_should() -> None:
    config = composed()
    wanted = {"linear", "boosted_audio", "boosted_face", "boosted_text", "boosted", "gated", "transformer"}
    assert wanted <= set(config.model)
    assert list(config.seed) == [0, 1, 2]
    assert config.protocol.splitter == "by_dialogue"
