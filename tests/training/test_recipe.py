"""Recipes: the shipped ones hold together, mistakes are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scenebrush.errors import RecipeError
from scenebrush.methods.picture_training import PictureStage
from scenebrush.methods.sesame.trainee import check_losses, loss_weights, sesame_config
from scenebrush.scene.label_set import LabelSet
from scenebrush.training.recipe import EDITING, Recipe, Stage
from scenebrush.training.run import PICTURE_TRAINEES

CAMVID = LabelSet.load("camvid")
RECIPES = sorted((Path(__file__).resolve().parents[2] / "recipes").glob("*/*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_every_shipped_recipe_is_whole(path: Path) -> None:
    recipe = Recipe.load(path)
    assert recipe.method == path.parent.name
    label_set = LabelSet.load(recipe.label_set)
    if recipe.method in EDITING:
        sesame_config(recipe.config, label_set, window=128)
        discriminator = recipe.config.get("discriminator")
        check_losses([loss_weights(stage.losses, discriminator) for stage in recipe.stages], discriminator)
        return
    stages = [PictureStage(stage.pictures.model_dump(), stage.losses, stage.phase) for stage in recipe.stages]
    trainee = PICTURE_TRAINEES[recipe.method]
    unread = trainee.__new__(trainee)  # the check alone: no data, no networks
    unread.label_set = label_set
    unread.check(recipe.config, stages)


def test_there_are_recipes() -> None:
    assert RECIPES


def test_overrides_reach_nested_places(tiny_recipe: dict[str, Any], tmp_path: Path) -> None:
    import yaml

    path = tmp_path / "r.yaml"
    path.write_text(yaml.safe_dump(tiny_recipe))
    recipe = Recipe.load(path, ["optimizer.generator=0.5", "stages.1.steps=9", "config.width=16", "seed=3"])
    assert (recipe.optimizer.generator, recipe.stages[1].steps, recipe.config["width"], recipe.seed) == (0.5, 9, 16, 3)
    assert Recipe.parse(yaml.safe_load(recipe.dump()), "again") == recipe


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"optimzer": {}}, "did you mean 'optimizer'"),
        ({"ema": 2}, "ema"),
        ({"stages": []}, "stages"),
        ({"method": "nothing"}, "method"),
        ({"seed": -1}, "seed"),
        ({"stages": [{"name": "a", "stepz": 1}]}, "did you mean 'steps'"),
        (
            {"stages": [{"name": "a", "steps": 1, "windows": {"scales": [3, 1]}}]},
            "scales: give the least and the largest",
        ),
        ({"stages": [{"name": "a", "steps": 1, "windows": {"hole_share": [0.5, 0.1]}}]}, "hole_share: .*in this order"),
    ],
)
def test_mistakes_are_named(tiny_recipe: dict[str, Any], change: dict[str, Any], told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        Recipe.parse(tiny_recipe | change, "here.yaml")


def test_unknown_settings_of_the_method_are_named() -> None:
    with pytest.raises(RecipeError, match="did you mean 'width'"):
        sesame_config({"widht": 3}, CAMVID, window=128)
    with pytest.raises(RecipeError, match="did you mean 'perceptual'"):
        loss_weights({"perceptal": 1})


@pytest.mark.parametrize("given", [{"width": "broad"}, {"width": 0}, {"network": "compat"}, {"guided": 3}])
def test_settings_of_the_wrong_kind_are_named(given: dict[str, Any]) -> None:
    with pytest.raises(RecipeError, match=f"config.{next(iter(given))}"):
        sesame_config(given, CAMVID, window=128)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"skips": True}, r'config.skips counts with network "paper" only, not with "compact"'),
        ({"network": "paper", "embedding": 8}, 'config.embedding counts with network "compact"'),
        ({"discriminator": "features", "discriminator_layers": 3}, 'discriminator_layers counts with .* "two_stream"'),
    ],
)
def test_a_setting_that_the_networks_do_not_have_is_refused(given: dict[str, Any], told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        sesame_config(given, CAMVID, window=64)
    asked = {**given, "network": "paper", "discriminator": "two_stream"}
    assert sesame_config(asked | {"embedding": 16}, CAMVID, window=64).network == "paper"


def test_what_a_recipe_leaves_open_comes_from_the_data() -> None:
    config = sesame_config({"width": 8}, CAMVID, window=64)
    assert (config.num_classes, config.window, config.width) == (12, 64, 8)
    assert [CAMVID.classes[i].name for i in config.thing_classes][2:] == ["car", "pedestrian", "bicyclist"]


def test_numbers_that_yaml_takes_for_text_are_numbers() -> None:
    assert loss_weights({"perceptual": "1e1"}).perceptual == 10.0  # "1e1" and "1e-4" are strings in YAML 1.1


def test_a_stage_without_any_loss_is_refused() -> None:
    with pytest.raises(RecipeError, match="all are 0"):
        loss_weights({"adversarial": 0, "perceptual": 0})


def test_a_negative_loss_is_refused() -> None:
    with pytest.raises(RecipeError, match=r"losses.drawn is -1.0; expected 0"):
        loss_weights({"drawn": -1})


def test_an_override_changes_one_place_where_yaml_shares_an_anchor(tmp_path: Path) -> None:
    path = tmp_path / "r.yaml"
    stages = "[{name: a, steps: 1, losses: &l {drawn: 1.0}}, {name: b, steps: 1, losses: *l}]"
    path.write_text(f"name: shared\nmethod: sesame\nlabel_set: camvid\nstages: {stages}\n")
    recipe = Recipe.load(path, ["stages.0.losses.drawn=2"])
    assert [stage.losses["drawn"] for stage in recipe.stages] == [2, 1.0]


def test_the_adversary_is_faded_in() -> None:
    stage = Stage(name="a", steps=9, adversarial_ramp=4)
    assert [stage.ramp(step) for step in range(6)] == [0.25, 0.5, 0.75, 1, 1, 1]
    assert Stage(name="b", steps=9).ramp(0) == 1


@pytest.mark.parametrize("override", ["seed", "stages.7.steps=1", "stages.x.steps=1", "seed=[1", "name.x=1"])
def test_bad_overrides_are_named(tiny_recipe: dict[str, Any], tmp_path: Path, override: str) -> None:
    import yaml

    path = tmp_path / "r.yaml"
    path.write_text(yaml.safe_dump(tiny_recipe))
    with pytest.raises(RecipeError, match="--set"):
        Recipe.load(path, [override])


def test_stages_follow_each_other(tiny_recipe: dict[str, Any]) -> None:
    recipe = Recipe.parse(tiny_recipe, "test")
    assert [(recipe.stage_at(s)[0], recipe.stage_at(s)[2]) for s in (0, 2, 3, 7)] == [(0, 0), (0, 2), (1, 0), (1, 4)]
    with pytest.raises(IndexError):
        recipe.stage_at(8)
