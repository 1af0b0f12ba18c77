"""Training the methods that make whole pictures: a run of each, resuming, phases, styles, what recipes may ask."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from scenebrush.data.toy import write_toy_folder
from scenebrush.errors import ModelError, RecipeError
from scenebrush.layers.discriminators.feature_heads import CHANNELS
from scenebrush.layers.vgg import layer_indices
from scenebrush.methods import load_synthesizer
from scenebrush.methods.pix2pixhd.trainee import Pix2PixHDTrainee
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.training.checkpoint import list_checkpoints
from scenebrush.training.loop import train
from scenebrush.training.recipe import Recipe
from scenebrush.training.run import build_trainee, run_recipe

CAMVID = LabelSet.load("camvid")
PICTURES: dict[str, Any] = {"count": 8, "size": [64, 32], "scales": [1.0, 2.0]}
SMALL: dict[str, Any] = {**PICTURES, "size": [32, 16]}


def stage(**settings: Any) -> dict[str, Any]:
    return {"name": "s", "steps": 3, "batch_size": 2, "pictures": PICTURES} | settings


def recipe(method: str, config: dict[str, Any], stages: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": "tiny",
        "method": method,
        "label_set": "camvid",
        "config": config,
        "stages": stages,
        "optimizer": {"generator": 1e-3, "discriminator": 1e-3},
        "log_every": 1,
        "sample_every": 4,
        "checkpoint_every": 2,
    }


GAN = {"perceptual": 0.0, "reconstruction": 1.0}
RECIPES: dict[str, dict[str, Any]] = {
    "pix2pix": recipe(
        "pix2pix", {"width": 2, "depth": 3, "discriminator_width": 2}, [stage(losses={"adversarial": 0.0}), stage()]
    ),
    "pix2pixhd": recipe(
        "pix2pixhd",
        {
            "width": 4,
            "num_downsamplings": 2,
            "num_blocks": 1,
            "num_enhancers": 1,
            "num_features": 3,
            "encoder_width": 2,
            "encoder_downsamplings": 2,
            "discriminator_width": 4,
            "pool_size": 3,
        },
        [
            stage(phase="global", pictures=SMALL, losses=GAN),
            stage(phase="enhancer 1", losses=GAN),
            stage(losses=GAN, adversarial_ramp=2),
        ],
    ),
    "spade": recipe(
        "spade",
        {"width": 2, "modulation_width": 4, "style": True, "style_channels": 4, "discriminator": "two_streams"}
        | {"discriminator_width": 4, "discriminator_layers": 2},
        [stage(losses=GAN), stage(losses={**GAN, "divergence": 0.1})],
    ),
}


@pytest.fixture(scope="module")
def runs(toy_data: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One uninterrupted run of each method."""
    folder = tmp_path_factory.mktemp("runs")
    for method, data in RECIPES.items():
        run_recipe(Recipe.parse(data, "test"), toy_data, folder / method, accelerator="cpu")
    return {method: folder / method for method in RECIPES}


@pytest.fixture
def layout() -> Layout:
    rows, columns = np.mgrid[:40, :52]
    return Layout((rows // 10 + columns // 20).astype(np.int32), CAMVID, (columns // 20).astype(np.int32))


@pytest.mark.parametrize("method", RECIPES)
def test_a_run_gives_a_model_that_draws(runs: dict[str, Path], layout: Layout, method: str) -> None:
    model = load_synthesizer(runs[method] / "model")
    picture = model.synthesize(layout, seed=1)
    assert (picture.shape, picture.dtype) == ((40, 52, 3), np.uint8)
    assert picture.std() > 0
    assert sorted(path.suffix for path in (runs[method] / "samples").iterdir())[0] == ".png"
    config = json.loads((runs[method] / "model" / "config.json").read_text())
    assert config["training"]["steps"] == sum(s["steps"] for s in RECIPES[method]["stages"])
    assert config["training"]["pictures"] == [4] * len(RECIPES[method]["stages"])
    assert "Say here before you pass it on" in (runs[method] / "model" / "README.md").read_text()


@pytest.mark.parametrize("method", RECIPES)
@pytest.mark.parametrize("stop", [2, 4])
def test_a_resumed_run_is_the_uninterrupted_one(
    runs: dict[str, Path], toy_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str, stop: int
) -> None:
    parsed = Recipe.parse(RECIPES[method], "test")
    told: list[int] = []

    def report(step: int, total: int, losses: object) -> None:
        told.append(step)
        if step == stop + 1:  # after the checkpoint: what came since is lost
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_recipe(parsed, toy_data, tmp_path / "run", accelerator="cpu", report=report)
    run_recipe(parsed, toy_data, tmp_path / "run", accelerator="cpu", resume=True)
    one, two = (
        load_file(list_checkpoints(folder / "checkpoints")[-1] / "state.safetensors")
        for folder in (runs[method], tmp_path / "run")
    )
    assert one.keys() == two.keys()
    assert [key for key in one if not torch.equal(one[key], two[key])] == []
    assert any(key.startswith("module/memory-pool/") for key in one) == (method == "pix2pixhd")


def test_each_phase_trains_its_part_alone(toy_data: Path, tmp_path: Path) -> None:
    parsed = Recipe.parse(RECIPES["pix2pixhd"], "test")
    trainee = build_trainee(parsed, toy_data, None)
    assert isinstance(trainee, Pix2PixHDTrainee)
    seen: list[dict[str, torch.Tensor]] = []

    def report(step: int, total: int, losses: object) -> None:
        if step % 3 == 0:
            seen.append({key: value.clone() for key, value in trainee.networks.state_dict().items()})

    first = {key: value.clone() for key, value in trainee.networks.state_dict().items()}
    train(parsed, trainee, tmp_path / "run", accelerator="cpu", report=report)
    after_global, after_enhancer, after_all = seen
    moved = [
        {key for key in first if not torch.equal(a[key], b[key])}
        for a, b in ((first, after_global), (after_global, after_enhancer), (after_enhancer, after_all))
    ]
    enhancer = ("generator.enhancers.0.", "generator.heads.1.")
    assert not any(key.startswith(enhancer) for key in moved[0])
    assert all(key.startswith(enhancer) for key in moved[1])
    assert any(key.startswith("encoder.") for key in moved[0] & moved[2])
    assert not any(key.startswith("generator.heads.0.") for key in moved[2])
    assert {"generator.enhancers.0.first.convolution.weight"} <= moved[1] & moved[2]


def test_styles_come_with_the_model(runs: dict[str, Path], layout: Layout) -> None:
    facts = json.loads((runs["pix2pixhd"] / "model" / "styles.json").read_text())
    assert facts["num_features"] == 3
    assert len(facts["objects"]) > 3  # road, sky, building, ... of the toy world
    assert sum(facts["objects"][str(CAMVID.classes.index(CAMVID.find("road")))]) == 4  # one road a photo
    assert load_synthesizer(runs["pix2pixhd"] / "model").varies()


def test_sheets_show_layout_result_and_truth(runs: dict[str, Path]) -> None:
    from PIL import Image

    first, *_, last = sorted((runs["pix2pixhd"] / "samples").iterdir())
    with Image.open(last) as sheet:
        assert sheet.size == (64 * 3, 32 * 4)
    assert first.name == "step-0000004.png"


def test_learning_lowers_the_loss(toy_data: Path, tmp_path: Path) -> None:
    """L1 on a handful of pictures, learned by heart: a broken batch (labels of another photo) would not do it."""
    data = recipe(
        "pix2pix",
        {"width": 8, "depth": 3, "dropout": 0.0},
        [stage(steps=60, losses={"adversarial": 0.0, "l1": 1.0}, batch_size=4)],
    ) | {"checkpoint_every": 100, "sample_every": 100}
    data["optimizer"] = {"generator": 4e-3, "betas": [0.5, 0.99]}
    run_recipe(Recipe.parse(data, "test"), toy_data, tmp_path / "run", accelerator="cpu")
    losses = [json.loads(line)["l1"] for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert np.mean(losses[-5:]) < 0.4 * losses[0]


@pytest.mark.parametrize("method", ["spade", "pix2pixhd"])
def test_training_on_vgg_features(toy_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str) -> None:
    """Generator and discriminator move, on a random square of the pictures; a VGG of random weights will do."""
    rng, tensors, before = torch.Generator().manual_seed(0), {}, 3
    for layer, index in layer_indices("vgg16").items():
        width = CHANNELS[int(layer[4]) - 1]
        tensors[f"features.{index}.weight"] = torch.randn(width, before, 3, 3, generator=rng) * (2 / before / 9) ** 0.5
        tensors[f"features.{index}.bias"] = torch.zeros(width)
        before = width
    save_file(tensors, tmp_path / "vgg16.safetensors")
    monkeypatch.setenv("SCENEBRUSH_ASSETS", str(tmp_path))
    config = {k: v for k, v in RECIPES[method]["config"].items() if not k.startswith(("discriminator_layers", "pool"))}
    losses = {"perceptual": 1.0, "reconstruction": 1.0, "crop": 32}
    data = recipe(method, {**config, "discriminator": "features"}, [stage(steps=2, losses=losses)])
    parsed = Recipe.parse(data, "test")
    trainee = build_trainee(parsed, toy_data, None)
    assert trainee.discriminator is not None
    networks = (trainee.generator, trainee.discriminator)
    first = [[p.detach().clone() for p in network.parameters()] for network in networks]
    train(parsed, trainee, tmp_path / "run", accelerator="cpu")
    for before_it, network in zip(first, networks, strict=True):
        assert any(not torch.equal(a, b) for a, b in zip(before_it, network.parameters(), strict=True))
    line = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    assert {"perceptual", "reconstruction", "adversarial", "d_fake", "d_real"} <= line.keys()
    assert "feature_matching" not in line


def test_the_feature_discriminator_needs_vgg(toy_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCENEBRUSH_ASSETS", str(tmp_path))
    data = recipe("spade", {"width": 2, "discriminator": "features"}, [stage(losses=GAN)])
    with pytest.raises(ModelError, match="holds no VGG weights"):
        build_trainee(Recipe.parse(data, "test"), toy_data, None)


@pytest.mark.parametrize(
    ("method", "config", "changed", "told"),
    [
        ("spade", {"widht": 2}, {}, "config.widht: SPADE has no such setting"),
        ("spade", {}, {"losses": {"perceptal": 1}}, "did you mean 'perceptual'"),
        ("spade", {}, {"losses": {"perceptual": -1}}, "losses.perceptual is -1.0; expected 0"),
        ("spade", {}, {"losses": {"adversarial": 0, "perceptual": 0}}, "losses: all are 0"),
        ("spade", {}, {"pictures": {"size": [64, 48]}}, "stages.0.pictures.size is 64x48; expected sides divisible by"),
        ("spade", {}, {"losses": {"crop": 32}}, 'losses.crop counts with discriminator "features" only'),
        ("pix2pixhd", {}, {"losses": {"crop": 32}}, 'losses.crop counts with discriminator "features" only'),
        (
            "pix2pixhd",
            {"discriminator": "features"},
            {"losses": {"feature_matching": 3}},
            "losses.feature_matching is 3",
        ),
        ("pix2pixhd", {"num_enhancers": 1}, {"phase": "enhancer 2"}, "stages.0.phase is 'enhancer 2'"),
        ("pix2pixhd", {"num_enhancers": 1}, {"pictures": {"size": [48, 48]}}, "divisible by 32 .phase 'together 1'"),
        ("pix2pix", {"depth": 6}, {"pictures": {"size": [96, 64]}}, "divisible by 64 .config.depth 6"),
        ("pix2pix", {}, {"windows": {"size": 64}}, "stages.0.windows: method 'pix2pix' has no windows"),
        ("sesame", {}, {"pictures": {"size": [64, 64]}}, "stages.0.pictures: method 'sesame' has no pictures"),
        ("spade", {}, {"pictures": {"size": [8, 8]}}, "at least 16 pixels"),
    ],
)
def test_mistakes_are_named(
    toy_data: Path, method: str, config: dict[str, Any], changed: dict[str, Any], told: str
) -> None:
    one = {"name": "s", "steps": 1, "losses": {"adversarial": 1.0}} | changed
    with pytest.raises(RecipeError, match=told):
        build_trainee(Recipe.parse(recipe(method, config, [one]), "test"), toy_data, None)


def test_instances_are_seen_as_boundaries(tmp_path: Path) -> None:
    folder = write_toy_folder(tmp_path / "toy", 2, "train", size=(128, 96), seed=8)
    trainee = build_trainee(Recipe.parse(RECIPES["spade"], "test"), folder, None)
    batch = trainee.batch(0, [0, 1], torch.Generator().manual_seed(0))
    assert batch.layouts.instance_map is not None
    assert batch.layouts.image.shape == (2, 3, 32, 64)
    assert float(batch.layouts.image.min()) >= -1
    assert int(batch.layouts.instance_map.max()) > 0


def test_training_begins_with_a_model(runs: dict[str, Path], toy_data: Path) -> None:
    for method, data in RECIPES.items():
        trainee = build_trainee(
            Recipe.parse({**data, "start_from": str(runs[method] / "model")}, "test"), toy_data, None
        )
        weights = load_file(runs[method] / "model" / "model.safetensors")
        state = trainee.generator.state_dict()
        assert all(torch.equal(state[key], value.to(state[key].dtype)) for key, value in weights.items())


def test_the_start_has_its_share_in_what_is_exported(runs: dict[str, Path], toy_data: Path, tmp_path: Path) -> None:
    start = runs["pix2pix"] / "model"
    found = {}
    for share in (0.0, 0.25):
        data = {**RECIPES["pix2pix"], "seed": 5, "start_from": str(start), "start_share": share}
        outcome = run_recipe(Recipe.parse(data, "test"), toy_data, tmp_path / str(share), accelerator="cpu")
        found[share] = load_file(outcome.model / "model.safetensors")
    before, differ = load_file(start / "model.safetensors"), 0
    for key, alone in found[0.0].items():
        expected = 0.75 * alone.float() + 0.25 * before[key].float()
        torch.testing.assert_close(found[0.25][key].float(), expected, atol=2e-3, rtol=2e-3)
        differ += not torch.equal(alone, found[0.25][key])
    assert differ > len(before) / 2


def test_a_share_needs_a_start() -> None:
    with pytest.raises(RecipeError, match="start_share: there is no start_from to share with"):
        Recipe.parse({**RECIPES["spade"], "start_share": 0.5}, "test")


def test_finer_levels_begin_on_a_coarser_model(toy_data: Path, tmp_path: Path) -> None:
    config = RECIPES["pix2pixhd"]["config"]
    coarse = recipe("pix2pixhd", {**config, "num_enhancers": 0}, [stage(steps=1, losses=GAN, pictures=SMALL)])
    run_recipe(Recipe.parse(coarse, "test"), toy_data, tmp_path / "run", accelerator="cpu")
    fine = Recipe.parse({**RECIPES["pix2pixhd"], "start_from": str(tmp_path / "run" / "model")}, "test")
    state = build_trainee(fine, toy_data, None).generator.state_dict()
    weights = load_file(tmp_path / "run" / "model" / "model.safetensors")
    assert all(torch.equal(state[key], value.to(state[key].dtype)) for key, value in weights.items())


@pytest.mark.parametrize(
    ("method", "changed", "start", "told"),
    [
        ("spade", {}, "pix2pix", "is a model of 'pix2pix', the recipe trains 'spade'"),
        ("spade", {"width": 3}, "spade", "does not fit the recipe's config: .*; give config the sizes of"),
        ("spade", {"style": False}, "spade", "does not fit the recipe's config"),
        ("spade", {}, "canvas", "is a model of 'canvas'"),
        ("spade", {}, "nowhere", "unknown model 'nowhere'"),
    ],
)
def test_a_start_that_does_not_fit_is_told(
    runs: dict[str, Path], toy_data: Path, method: str, changed: dict[str, Any], start: str, told: str
) -> None:
    model = str(runs[start] / "model") if start in runs else start
    data = {**RECIPES[method], "config": {**RECIPES[method]["config"], **changed}, "start_from": model}
    with pytest.raises(ModelError, match=told):
        build_trainee(Recipe.parse(data, "test"), toy_data, None)
