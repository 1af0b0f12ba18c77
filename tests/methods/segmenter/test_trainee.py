"""Training: it learns a toy street, a resumed run is the uninterrupted one, bad recipes are refused."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from scenebrush.data.split_in_memory import SplitInMemory
from scenebrush.data.toy import write_toy_folder
from scenebrush.errors import RecipeError
from scenebrush.methods import load_segmenter
from scenebrush.methods.segmenter.objective import class_weights
from scenebrush.training.checkpoint import list_checkpoints
from scenebrush.training.recipe import Recipe
from scenebrush.training.run import build_trainee, run_recipe

PICTURES: dict[str, Any] = {"count": 64, "size": [96, 64], "scales": [1.0, 2.0]}


def recipe(steps: int, **more: Any) -> Recipe:
    data = {
        "name": "tiny",
        "method": "segmenter",
        "label_set": "camvid",
        "config": {"widths": [8, 8, 16, 16], "depths": [1, 1, 1, 1], "decoder_width": 16, "group_width": 8},
        "optimizer": {"generator": 1e-2, "betas": [0.9, 0.99], "decay_from": 0.3},
        "ema": 0.9,
        "log_every": 1,
        "sample_every": 30,
        "checkpoint_every": 2,
        "stages": [{"name": "all", "steps": steps, "batch_size": 4, "pictures": PICTURES, **more}],
    }
    return Recipe.parse(data, "test")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_toy_folder(tmp_path_factory.mktemp("toy"), 4, "train", size=(128, 96), seed=5)


def test_it_learns_a_toy_street_in_a_few_dozen_steps(data, tmp_path):
    done = run_recipe(recipe(60), data, tmp_path / "run", accelerator="cpu")
    losses = [json.loads(line)["loss"] for line in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert np.mean(losses[-5:]) < 0.75 * np.mean(losses[:5])
    model, split = load_segmenter(done.model), SplitInMemory(data, "train")
    truth = np.stack([photo.label_map for photo in split.photos])
    found = np.stack([model.segment(photo.photo) for photo in split.photos])
    labelled = truth != split.label_set.ignore_id
    majority = np.bincount(truth[labelled]).max() / labelled.sum()
    assert (found == truth)[labelled].mean() > majority + 0.15
    with Image.open(tmp_path / "run" / "samples" / "step-0000060.png") as sheet:
        assert sheet.size == (3 * 96, 4 * 64)  # photo, prediction, truth
    facts = json.loads((done.model / "config.json").read_text())
    assert facts["method"] == "segmenter" and facts["training"]["steps"] == 60


def test_a_resumed_run_is_the_uninterrupted_one(data, tmp_path):
    run_recipe(recipe(5), data, tmp_path / "whole", accelerator="cpu")

    def stop(step: int, total: int, losses: object) -> None:
        if step == 3:  # after the checkpoint of step 2: what came since is lost
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_recipe(recipe(5), data, tmp_path / "run", accelerator="cpu", report=stop)
    run_recipe(recipe(5), data, tmp_path / "run", accelerator="cpu", resume=True)
    one, two = (
        load_file(list_checkpoints(tmp_path / name / "checkpoints")[-1] / "state.safetensors")
        for name in ("whole", "run")
    )
    assert [key for key in one if not torch.equal(one[key], two[key])] == []
    assert any(key.endswith("running_mean") for key in one)


def test_classes_count_by_what_the_split_shows(data):
    trainee = build_trainee(recipe(1), data, None)
    split = SplitInMemory(data, "train")
    shown = np.concatenate([photo.label_map.ravel() for photo in split.photos])
    counts = np.bincount(shown[shown != split.label_set.ignore_id], minlength=11)
    assert torch.equal(trainee.objectives[0].class_weights, class_weights(counts))
    assert trainee.discriminator is None and not trainee.adversarial(0)


def test_void_is_not_learned(data):
    trainee = build_trainee(recipe(1), data, None)
    batch = trainee.batch(0, [0, 1], torch.Generator().manual_seed(0))
    shown = batch.layouts.label_map
    target = trainee.outputs[shown]
    void = shown == [c.name for c in trainee.label_set.classes].index("void")
    assert (target[void] == 255).all() and torch.equal(target[~void & (shown != 255)], shown[~void & (shown != 255)])


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"losses": {"adversarial": 1.0}}, "losses.adversarial: segmenter has no such loss"),
        ({"losses": {"cross_entropy": 0, "dice": 0}}, "losses: all are 0"),
        ({"losses": {"dice": -1}}, "losses.dice is -1"),
    ],
)
def test_losses_that_it_has_not(data, more, told):
    with pytest.raises(RecipeError, match=told):
        build_trainee(recipe(1, **more), data, None)
