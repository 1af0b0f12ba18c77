"""SEIGAN under the training loop: phases, resuming, sheets, what a recipe may ask, model folders."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from scenebrush.errors import LabelError, RecipeError
from scenebrush.methods.seigan.folder import load_networks, save_model
from scenebrush.methods.seigan.networks import PARTS
from scenebrush.methods.seigan.trainee import SeiganTrainee
from scenebrush.scene.label_set import LabelSet
from scenebrush.training.checkpoint import list_checkpoints
from scenebrush.training.loop import train
from scenebrush.training.recipe import Recipe
from scenebrush.training.run import build_trainee, run_recipe

PICTURES: dict[str, Any] = {"count": 8, "size": [32, 32]}
CONFIG: dict[str, Any] = {
    "kind": "compact",
    "width": 4,
    "discriminator_width": 4,
    "pool_size": 3,
    "classes": ["car", "pedestrian"],
    "least_side": 8,
}


def stage(phase: str | None, **losses: float) -> dict[str, Any]:
    given = {"filling": 1.0, "area": 1.0, **losses}
    return {"name": "s", "steps": 2, "batch_size": 2, "pictures": PICTURES, "phase": phase, "losses": given}


def recipe(*stages: dict[str, Any], **config: Any) -> dict[str, Any]:
    return {
        "name": "tiny",
        "method": "seigan",
        "label_set": "camvid",
        "config": {**CONFIG, **config},
        "stages": list(stages),
        "optimizer": {"generator": 1e-3, "discriminator": 1e-3},
        "log_every": 1,
        "sample_every": 2,
        "checkpoint_every": 1,
    }


BOTH = recipe(stage("shapes"), stage("together"))


@pytest.fixture(autouse=True)
def vgg_weights(assets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCENEBRUSH_ASSETS", str(assets))


@pytest.fixture(scope="module")
def whole_run(assets: Path, toy_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One uninterrupted run of both phases."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SCENEBRUSH_ASSETS", str(assets))
        run_recipe(Recipe.parse(BOTH, "test"), toy_data, folder, accelerator="cpu")
    return folder


def trainee_of(data: dict[str, Any], folder: Path) -> SeiganTrainee:
    trainee = build_trainee(Recipe.parse(data, "test"), folder, None)
    assert isinstance(trainee, SeiganTrainee)
    return trainee


def test_a_run_logs_its_masks_and_gives_a_model(whole_run: Path) -> None:
    lines = [json.loads(line) for line in (whole_run / "metrics.jsonl").read_text().splitlines()]
    assert len(lines) == 4
    assert all({"mask_area", "mask_sharpness", "texture", "d_obj_fake"} <= line.keys() for line in lines[2:])
    assert "mask_area" not in lines[0] and "filling" in lines[0]
    networks, label_set = load_networks(whole_run / "model")
    assert (
        label_set.name == "camvid" and networks.config.size == 32 and networks.config.classes == ("car", "pedestrian")
    )


def test_sheets_have_nine_columns(whole_run: Path) -> None:
    with Image.open(whole_run / "samples" / "step-0000004.png") as sheet:
        assert sheet.size == (9 * 32, 8 * 32)


@pytest.mark.parametrize("stop", [1, 3])
def test_a_resumed_run_is_the_uninterrupted_one(whole_run: Path, toy_data: Path, tmp_path: Path, stop: int) -> None:
    parsed = Recipe.parse(BOTH, "test")

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
    assert one.keys() == two.keys() and any("pool" in key for key in one)
    assert [key for key in one if not torch.equal(one[key], two[key])] == []


def test_the_first_phase_trains_the_inpainter_alone(toy_data: Path, tmp_path: Path) -> None:
    trainee = trainee_of(BOTH, toy_data)
    seen = [{k: v.clone() for k, v in trainee.networks.state_dict().items()}]

    def report(step: int, total: int, losses: object) -> None:
        if step % 2 == 0:
            seen.append({k: v.clone() for k, v in trainee.networks.state_dict().items()})

    train(Recipe.parse(BOTH, "test"), trainee, tmp_path / "run", accelerator="cpu", report=report)
    moved = [{k for k in a if not torch.equal(a[k], b[k])} for a, b in pairwise(seen)]
    assert {k.split(".")[0] for k in moved[0]} == {"inpainter"}
    assert {".".join(k.split(".")[:2]) for k in moved[1]} >= {"swap.segmenter", "swap.enhancer"}


def test_a_batch_is_what_the_crops_are(toy_data: Path) -> None:
    trainee = trainee_of(BOTH, toy_data)
    batch = trainee.batch(1, [0, 5], torch.Generator().manual_seed(0))
    pair = trainee.crops[1][5]
    assert batch.x.shape == batch.y.shape == (2, 3, 32, 32) and batch.box.shape == batch.shape.shape == (2, 1, 32, 32)
    assert np.array_equal(batch.box[1, 0].numpy() > 0, pair.object.box)
    pixels = ((batch.y[1] + 1) * 127.5).round().permute(1, 2, 0).numpy().astype(np.uint8)
    assert np.array_equal(pixels, pair.background)


def test_without_adversaries_there_is_no_discriminator(toy_data: Path) -> None:
    plain = stage(None, background=0.0, object=0.0, pasted=0.0)
    assert trainee_of(recipe(plain), toy_data).discriminator is None


def test_the_papers_kind_takes_a_step(toy_data: Path, tmp_path: Path) -> None:
    data = recipe({**stage(None, filling=0.0), "steps": 1}, kind="paper", num_blocks=1)
    run_recipe(Recipe.parse(data, "test"), toy_data, tmp_path / "run", accelerator="cpu")
    assert load_networks(tmp_path / "run" / "model")[0].config.kind == "paper"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (recipe(stage("shape")), r"stages.0.phase is 'shape' \(did you mean 'shapes'\?\)"),
        (recipe(stage("shapes", filling=0.0)), "losses.filling is 0"),
        (recipe(stage(None, textur=1.0)), r"losses.textur: SEIGAN has no such loss \(did you mean 'texture'\?\)"),
        (recipe(stage(None), kind="small"), "config.kind"),
        (recipe({**stage(None), "pictures": {"size": [48, 32]}}), "pictures.size is 48x32"),
        (recipe({**stage(None), "pictures": {"scales": [1, 2]}}), "pictures.scales: SEIGAN's crops are as large as"),
    ],
)
def test_what_a_recipe_may_not_ask(data: dict[str, Any], message: str, toy_data: Path) -> None:
    with pytest.raises(RecipeError, match=message):
        trainee_of(data, toy_data)


def test_a_misspelt_class_gets_the_nearest(toy_data: Path) -> None:
    with pytest.raises(LabelError, match=r"no class 'pedestrians' \(did you mean 'pedestrian'\?\)"):
        trainee_of(recipe(stage(None), classes=["pedestrians"]), toy_data)


def test_a_model_folder_comes_back_as_it_was(networks, batch, tmp_path: Path) -> None:
    save_model(tmp_path / "model", networks, LabelSet.load("camvid"), {"steps": 1}, "# Card\n")
    loaded, label_set = load_networks(tmp_path / "model")
    assert label_set == LabelSet.load("camvid") and loaded.config == networks.config
    for part in PARTS:
        pairs = zip(getattr(loaded, part).parameters(), getattr(networks, part).parameters(), strict=True)
        assert all(torch.equal(a, b.half().float()) for a, b in pairs)
    torch.testing.assert_close(loaded.cycle(batch).y2, networks.cycle(batch).y2, atol=0.02, rtol=0.05)
