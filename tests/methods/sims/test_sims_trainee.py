"""SIMS under the training loop: three networks one after another, resuming, what recipes may ask, depth maps."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from scenebrush.data.split_in_memory import SplitInMemory
from scenebrush.data.toy import write_toy_folder
from scenebrush.errors import InputError, RecipeError
from scenebrush.layers.discriminators.feature_heads import CHANNELS
from scenebrush.layers.vgg import layer_indices
from scenebrush.methods import load_synthesizer
from scenebrush.methods.sims.depth import DepthFolder
from scenebrush.methods.sims.method import SimsModel
from scenebrush.methods.sims.networks import PARTS, CanvasBatch
from scenebrush.methods.sims.objective import LAYERS, WEIGHTS
from scenebrush.methods.sims.order_pairs import OrderPair, order_pairs
from scenebrush.methods.sims.trainee import SimsTrainee
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.training.checkpoint import list_checkpoints
from scenebrush.training.loop import train
from scenebrush.training.recipe import Recipe
from scenebrush.training.run import build_trainee, run_recipe

CAMVID = LabelSet.load("camvid")
PICTURES: dict[str, Any] = {"count": 8, "size": [64, 32], "scales": [1.0, 2.0]}
CONFIG: dict[str, Any] = {
    "network": "compact",
    "width": 6,
    "body_width": 2,
    "working_rows": 32,
    "least_area": 0.002,
    "donors": 10,
}
PLAIN = {"perceptual": 0.0, "semantic": 0.0}


def stage(phase: str | None, **settings: Any) -> dict[str, Any]:
    losses = {"losses": PLAIN} if phase in (None, "synthesis") else {}
    return {"name": "s", "steps": 2, "batch_size": 2, "pictures": PICTURES, "phase": phase} | losses | settings


def recipe(*stages: dict[str, Any], **config: Any) -> dict[str, Any]:
    return {
        "name": "tiny",
        "method": "sims",
        "label_set": "camvid",
        "config": {**CONFIG, **config},
        "stages": list(stages),
        "optimizer": {"generator": 1e-3, "discriminator": 1e-3},
        "log_every": 1,
        "sample_every": 2,
        "checkpoint_every": 1,
    }


ALL = recipe(stage("transformation"), stage("ordering"), stage("synthesis"))


@pytest.fixture(scope="module")
def toy_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_toy_folder(tmp_path_factory.mktemp("toy"), 4, "train", size=(128, 96), seed=5)


@pytest.fixture(scope="module")
def whole_run(toy_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One uninterrupted run of all three networks."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    run_recipe(Recipe.parse(ALL, "test"), toy_data, folder, accelerator="cpu")
    return folder


def sims_trainee(data: dict[str, Any], folder: Path) -> SimsTrainee:
    trainee = build_trainee(Recipe.parse(data, "test"), folder, None)
    assert isinstance(trainee, SimsTrainee)
    return trainee


def test_a_run_trains_all_three_and_gives_a_model(whole_run: Path) -> None:
    lines = [json.loads(line) for line in (whole_run / "metrics.jsonl").read_text().splitlines()]
    assert len(lines) == 6
    for (first, second), names in zip(
        zip(lines[::2], lines[1::2], strict=True), ({"overlap"}, {"right"}, {"reconstruction"}), strict=True
    ):
        assert names <= first.keys() & second.keys()
    assert all(np.isfinite(v) for line in lines for v in line.values() if isinstance(v, float))
    model = load_synthesizer(whole_run / "model")
    assert isinstance(model, SimsModel) and model.label_set.name == "camvid"
    config = json.loads((whole_run / "model" / "config.json").read_text())
    assert config["method"] == "sims" and config["config"]["num_classes"] == 12
    assert config["training"]["perceptual_network"] == "none"


def test_sheets_show_layout_canvas_picture_and_truth(whole_run: Path) -> None:
    for path in sorted((whole_run / "samples").iterdir()):
        with Image.open(path) as sheet:
            assert sheet.size == (64 * 4, 32 * 4)


def test_each_phase_trains_its_network_alone(toy_data: Path, tmp_path: Path) -> None:
    parsed = Recipe.parse(ALL, "test")
    trainee = sims_trainee(ALL, toy_data)
    seen = [{key: value.clone() for key, value in trainee.networks.state_dict().items()}]

    def report(step: int, total: int, losses: object) -> None:
        if step % 2 == 0:
            seen.append({key: value.clone() for key, value in trainee.networks.state_dict().items()})

    train(parsed, trainee, tmp_path / "run", accelerator="cpu", report=report)
    assert len(seen) == 4
    for part, before, after in zip(PARTS, seen, seen[1:], strict=False):
        moved = {key.split(".")[0] for key in before if not torch.equal(before[key], after[key])}
        assert moved == {part}


@pytest.mark.parametrize("stop", [1, 2, 3, 4])
def test_a_resumed_run_is_the_uninterrupted_one(whole_run: Path, toy_data: Path, tmp_path: Path, stop: int) -> None:
    parsed = Recipe.parse(ALL, "test")

    def report(step: int, total: int, losses: object) -> None:
        if step == stop + 1:  # after the checkpoint: what came since is lost
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_recipe(parsed, toy_data, tmp_path / "run", accelerator="cpu", report=report)
    run_recipe(parsed, toy_data, tmp_path / "run", accelerator="cpu", resume=True)
    one, two = (
        load_file(list_checkpoints(folder / "checkpoints")[-1] / "state.safetensors")
        for folder in (whole_run, tmp_path / "run")
    )
    assert one.keys() == two.keys()
    assert [key for key in one if not torch.equal(one[key], two[key])] == []


def test_canvases_are_the_photos_where_they_are_present(toy_data: Path) -> None:
    trainee = sims_trainee(recipe(stage("synthesis"), elided_white=False, transfer_share=0.0), toy_data)
    made = trainee.batch(0, [0, 1, 5], torch.Generator().manual_seed(0)).part
    assert isinstance(made, CanvasBatch)
    assert made.canvas.shape == made.layouts.image.shape == (3, 3, 32, 64)
    there = made.present.expand_as(made.canvas) > 0
    assert 0.2 < there.float().mean() < 1
    assert torch.equal(made.canvas[there], made.layouts.image[there])  # the same cut, mirrored alike
    assert (made.canvas[~there] == -1).all()
    known = made.labels != 12
    assert torch.equal(made.labels[known], made.layouts.label_map[known]) and known.float().mean() > 0.5
    again = trainee.batch(0, [0, 1, 5], torch.Generator().manual_seed(9)).part
    assert isinstance(again, CanvasBatch) and torch.equal(again.canvas, made.canvas)  # it is the index that draws


def test_elided_pixels_are_white_and_present_in_the_paper(toy_data: Path) -> None:
    batches = [
        sims_trainee(recipe(stage("synthesis"), elided_white=white), toy_data).canvases(0, [0])
        for white in (True, False)
    ]
    more = (batches[0].present - batches[1].present)[0, 0]
    assert more.min() == 0 and more.sum() > 20
    assert (batches[0].canvas[0, :, more > 0] == 1).all()
    assert (batches[1].canvas[0, :, more > 0] == -1).all()


def test_learning_lowers_the_loss(toy_data: Path, tmp_path: Path) -> None:
    data = recipe(stage("synthesis", steps=25, batch_size=3), width=12, label_noise=0.0)
    data |= {"checkpoint_every": 100, "sample_every": 100}
    data["optimizer"] = {"generator": 1e-3, "betas": [0.5, 0.99]}
    run_recipe(Recipe.parse(data, "test"), toy_data, tmp_path / "run", accelerator="cpu")
    losses = [
        json.loads(line)["reconstruction"] for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    ]
    assert np.mean(losses[-5:]) < 0.7 * np.mean(losses[:3])


@pytest.fixture
def vgg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A VGG of random weights."""
    rng, tensors, before = torch.Generator().manual_seed(0), {}, 3
    for layer, index in layer_indices("vgg16").items():
        width = CHANNELS[int(layer[4]) - 1]
        tensors[f"features.{index}.weight"] = torch.randn(width, before, 3, 3, generator=rng) * (2 / before / 9) ** 0.5
        tensors[f"features.{index}.bias"] = torch.zeros(width)
        before = width
    (tmp_path / "assets").mkdir()
    save_file(tensors, tmp_path / "assets" / "vgg16.safetensors")
    monkeypatch.setenv("SCENEBRUSH_ASSETS", str(tmp_path / "assets"))


@pytest.mark.usefixtures("vgg")
def test_training_on_vgg_features(toy_data: Path, tmp_path: Path) -> None:
    losses = {"perceptual": 1.0, "semantic": 0.0, "adversarial": 1.0, "crop": 32}
    data = recipe(stage("synthesis", losses=losses), discriminator="features", discriminator_width=4)
    parsed, trainee = Recipe.parse(data, "test"), sims_trainee(data, toy_data)
    assert trainee.judge is not None
    networks = (trainee.networks.synthesis, trainee.judge)
    first = [[p.detach().clone() for p in network.parameters()] for network in networks]
    train(parsed, trainee, tmp_path / "run", accelerator="cpu")
    for before, network in zip(first, networks, strict=True):
        assert any(not torch.equal(a, b) for a, b in zip(before, network.parameters(), strict=True))
    line = json.loads((tmp_path / "run" / "metrics.jsonl").read_text().splitlines()[-1])
    assert {"perceptual", "reconstruction", "adversarial", "d_fake", "d_real"} <= line.keys()


@pytest.mark.usefixtures("vgg")
def test_the_papers_losses(toy_data: Path) -> None:
    """L1 of pixels, of five layers of VGG, and ten times the cross-entropy of the auxiliary head."""
    data = recipe(
        stage(None, losses={}, pictures={**PICTURES, "size": [64, 64]}), network="paper", width=1, label_noise=0.0
    )
    trainee = sims_trainee(data, toy_data)
    assert trainee.perceptual is not None
    assert (trainee.perceptual.layers, trainee.perceptual.weights) == (LAYERS, WEIGHTS)
    batch = trainee.batch(0, [0, 1], torch.Generator().manual_seed(0))
    with torch.no_grad():
        loss, parts, _ = trainee.generator_step(batch, 0, 1.0)
    assert parts.keys() == {"reconstruction", "perceptual", "semantic"}
    assert float(loss) == pytest.approx(
        float(parts["reconstruction"] + parts["perceptual"] + 10 * parts["semantic"]), rel=1e-5
    )


@pytest.mark.parametrize(
    ("config", "changed", "told"),
    [
        ({}, {"phase": "transformatoin"}, "stages.0.phase is 'transformatoin' .did you mean 'transformation'"),
        ({}, {"phase": "transformation", "losses": {"perceptual": 1}}, "the transformation network has one loss"),
        ({}, {"phase": "ordering", "losses": {"reconstruction": 1}}, "the ordering network has one loss"),
        ({}, {"losses": {**PLAIN, "crop": 32}}, "losses.adversarial and losses.crop count with config.discriminator"),
        ({}, {"losses": {**PLAIN, "adversarial": 1}}, "losses.adversarial and losses.crop count with"),
        ({}, {"losses": {"perceptal": 1}}, "did you mean 'perceptual'"),
        ({}, {"losses": {**PLAIN, "reconstruction": -1}}, "losses.reconstruction is -1.0; expected 0"),
        ({}, {"losses": {**PLAIN, "reconstruction": 0}}, "losses: all are 0"),
        ({}, {"losses": {"perceptual": 0, "reconstruction": 0}}, 'losses.semantic is for the head that network "comp'),
        ({"network": "paper", "width": 1}, {}, "stages.0.pictures.size is 64x32; expected sides divisible by 64"),
        ({}, {"pictures": {"size": [64, 40]}}, "64x40; expected sides divisible by 16 .network 'compact'"),
        ({}, {"phase": "ordering", "losses": {}, "pictures": {"size": [64, 40]}}, "sides divisible by 16"),
        ({"netwrok": "paper"}, {}, "config.netwrok: SIMS has no such setting .did you mean 'network'"),
        ({"network": "large"}, {}, "config.network"),
        ({"least_area": 2}, {}, "config.least_area is 2"),
        ({}, {"windows": {"size": 64}}, "stages.0.windows: method 'sims' has no windows"),
    ],
)
def test_mistakes_are_named(toy_data: Path, config: dict[str, Any], changed: dict[str, Any], told: str) -> None:
    one = stage("synthesis") | changed
    if "windows" in changed:
        del one["pictures"]
    with pytest.raises(RecipeError, match=told):
        build_trainee(Recipe.parse(recipe(one, **config), "test"), toy_data, None)


@pytest.mark.parametrize("phase", ["transformation", "ordering"])
def test_photos_without_segments_teach_nothing(toy_data: Path, phase: str) -> None:
    trainee = sims_trainee(recipe(stage(phase), least_area=1.0), toy_data)
    with pytest.raises(InputError, match=r"no photo has a segment|hardly any photo has two segments"):
        trainee.batch(0, [0, 1], torch.Generator().manual_seed(0))


@pytest.fixture
def deep(tmp_path: Path) -> SplitInMemory:
    """Two streets, the first with a depth map of 16 bits."""
    folder = write_toy_folder(tmp_path / "deep", 2, "train", size=(128, 96), seed=5)
    split = SplitInMemory(folder, "train")
    (folder / "train" / "depth").mkdir()
    depth = np.linspace(60000, 500, 96)[:, None].repeat(128, 1).astype(np.uint16)
    depth[:, :10] = 0
    Image.fromarray(depth).save(folder / "train" / "depth" / f"{split.photos[0].stem}.png")
    return split


def test_depth_maps_are_read_zero_is_not_known(deep: SplitInMemory) -> None:
    folder = DepthFolder.of(deep)
    depth = folder.of_photo(deep.photos[0])
    assert depth is not None and depth.shape == (96, 128)
    assert np.isnan(depth[:, :10]).all() and depth[0, 20] == 60000 and depth[95, 20] == 500
    assert folder.of_photo(deep.photos[1]) is None


def test_without_a_folder_there_is_no_depth(toy_data: Path) -> None:
    split = SplitInMemory(toy_data, "train")
    assert DepthFolder.of(split).of_photo(split.photos[0]) is None
    assert DepthFolder.of(SplitInMemory.of(split.photos, CAMVID)).path is None


def test_bad_depth_maps_are_named(deep: SplitInMemory) -> None:
    folder, photo = DepthFolder.of(deep), deep.photos[1]
    assert folder.path is not None
    path = folder.path / f"{photo.stem}.png"
    Image.fromarray(np.zeros((48, 64), np.uint8)).save(path)
    with pytest.raises(InputError, match=rf"{photo.stem}.png is \(.*give a grey map of its size"):
        folder.of_photo(photo)
    for mode in ("RGB", "P"):
        Image.fromarray(np.zeros((96, 128), np.uint8)).convert(mode).save(path)
        with pytest.raises(InputError, match=rf"{photo.stem}.png has mode {mode}; write a grey PNG"):
            folder.of_photo(photo)
    path.write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"cannot be read .*; write a grey PNG"):
        folder.of_photo(photo)


def test_depth_decides_the_order_that_is_learned(deep: SplitInMemory, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[np.ndarray | None] = []

    def spy(layout: Layout, **options: Any) -> list[OrderPair]:
        told.append(options["depth"])
        return order_pairs(layout, **options)

    monkeypatch.setattr("scenebrush.methods.sims.trainee.order_pairs", spy)
    trainee = sims_trainee(recipe(stage("ordering")), deep.folder)
    trainee.batch(0, [0, 1], torch.Generator().manual_seed(0))
    wanted = DepthFolder.of(deep).of_photo(deep.photos[0])
    assert wanted is not None and told[0] is not None and told[1] is None
    assert np.array_equal(told[0], wanted, equal_nan=True)
