"""Recipes: the shipped ones hold together, mistakes are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scenebrush.errors import RecipeError
from scenebrush.methods.sesame.trainee import _config, _loss_weights
from scenebrush.training.recipe import Recipe

RECIPES = sorted((Path(__file__).resolve().parents[2] / "recipes").glob("*/*.yaml"))


@pytest.mark.parametrize("path", RECIPES, ids=lambda p: p.stem)
def test_every_shipped_recipe_is_whole(path: Path) -> None:
    recipe = Recipe.load(path)
    assert recipe.method == path.parent.name
    _config(recipe.config, (0, 1), (1,), 128)
    for stage in recipe.stages:
        _loss_weights(stage.losses)


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
    ],
)
def test_mistakes_are_named(tiny_recipe: dict[str, Any], change: dict[str, Any], told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        Recipe.parse(tiny_recipe | change, "here.yaml")


def test_unknown_settings_of_the_method_are_named() -> None:
    with pytest.raises(RecipeError, match="did you mean 'width'"):
        _config({"widht": 3}, (0,), (), 128)
    with pytest.raises(RecipeError, match="did you mean 'perceptual'"):
        _loss_weights({"perceptal": 1})


@pytest.mark.parametrize("override", ["seed", "stages.7.steps=1", "stages.x.steps=1"])
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
