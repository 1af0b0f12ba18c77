"""The loop: what a run folder holds, resuming, killing, NaN."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file

from scenebrush.errors import TrainingError
from scenebrush.methods.sesame.folder import load_generator
from scenebrush.training.checkpoint import list_checkpoints
from scenebrush.training.recipe import Recipe
from scenebrush.training.run import build_trainee, run_recipe

CHILD = """
import sys, warnings
from pathlib import Path
warnings.simplefilter("ignore")
from scenebrush.training.recipe import Recipe
from scenebrush.training.run import run_recipe
def told(step, total, losses):
    print(step, flush=True)
run_recipe(Recipe.load(sys.argv[1]), Path(sys.argv[2]), Path(sys.argv[3]), accelerator="cpu", report=told)
"""


def run(recipe: dict[str, Any], data: Path, folder: Path, **arguments: Any) -> None:
    run_recipe(Recipe.parse(recipe, "test"), data, folder, accelerator="cpu", **arguments)


def final_state(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(list_checkpoints(folder / "checkpoints")[-1] / "state.safetensors")


def assert_equal_runs(one: Path, two: Path) -> None:
    a, b = final_state(one), final_state(two)
    assert a.keys() == b.keys()
    different = [key for key in a if not torch.equal(a[key], b[key])]
    assert not different
    assert (one / "model" / "model.safetensors").read_bytes() == (two / "model" / "model.safetensors").read_bytes()


def losses(folder: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "seconds"} for line in lines]


@pytest.fixture(scope="module")
def whole(toy_data: Path, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """An uninterrupted run."""
    folder = tmp_path_factory.mktemp("run") / "whole"
    run(_recipe(), toy_data, folder)
    return folder


def _recipe() -> dict[str, Any]:
    from tests.training import conftest

    return conftest.tiny_recipe.__wrapped__()  # type: ignore[attr-defined,no-any-return]


def test_a_run_folder_describes_itself(whole: Path) -> None:
    assert Recipe.load(whole / "recipe.yaml").total_steps == 8
    assert [line["step"] for line in losses(whole)] == list(range(1, 9))
    assert "d_real" in losses(whole)[-1] and "d_real" not in losses(whole)[0]
    assert (whole / "samples" / "step-0000008.png").is_file()
    assert [p.name for p in list_checkpoints(whole / "checkpoints")] == ["step-0000006", "step-0000008"]
    generator, label_set = load_generator(whole / "model")
    assert label_set.name == "camvid" and generator.config.num_classes == 12


def test_training_moves_generator_and_discriminator(whole: Path, toy_data: Path, tmp_path: Path) -> None:
    fresh = build_trainee(Recipe.parse(_recipe(), "test"), toy_data, tmp_path)
    state = final_state(whole)
    for name, module in {"generator": fresh.generator, "discriminator": fresh.discriminator}.items():
        assert module is not None
        moved = [k for k, v in module.named_parameters() if not torch.equal(v, state[f"module/{name}/{k}"])]
        assert len(moved) > 0.9 * len(list(module.parameters()))


def test_a_resumed_run_ends_bit_equal(whole: Path, toy_data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    run(_recipe(), toy_data, folder, time_budget=0.0)  # one step, then out of time
    assert list_checkpoints(folder / "checkpoints")[-1].name == "step-0000001"
    run(_recipe(), toy_data, folder, resume=True)
    assert_equal_runs(folder, whole)
    assert losses(folder) == losses(whole)


def test_a_killed_run_resumes_bit_equal(whole: Path, toy_data: Path, tmp_path: Path) -> None:
    folder, recipe = tmp_path / "killed", tmp_path / "recipe.yaml"
    recipe.write_text(yaml.safe_dump(_recipe()))
    child = subprocess.Popen(
        [sys.executable, "-c", CHILD, str(recipe), str(toy_data), str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())},
    )
    assert child.stdout is not None
    for line in child.stdout:
        if line.strip() == "5":  # a checkpoint lies at 4; the step after it is lost
            break
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()
    assert list_checkpoints(folder / "checkpoints")[-1].name == "step-0000004"
    run(_recipe(), toy_data, folder, resume=True)
    assert_equal_runs(folder, whole)
    assert losses(folder) == losses(whole)


def test_a_half_written_checkpoint_is_not_taken(whole: Path, toy_data: Path, tmp_path: Path) -> None:
    folder = tmp_path / "half"
    run(_recipe(), toy_data, folder, time_budget=0.0)
    half = folder / "checkpoints" / "step-0000003"
    half.mkdir()
    (half / "state.safetensors").write_bytes(b"cut off")
    run(_recipe(), toy_data, folder, resume=True)
    assert_equal_runs(folder, whole)


def test_the_same_seed_gives_the_same_run_and_another_seed_does_not(whole: Path, toy_data: Path, tmp_path: Path) -> None:
    other = _recipe() | {"seed": 7}
    other["stages"] = other["stages"][:1]
    run(other, toy_data, tmp_path / "other")
    assert losses(tmp_path / "other")[0]["loss"] != losses(whole)[0]["loss"]


def test_nan_stops_the_run_and_keeps_the_last_good_checkpoint(toy_data: Path, tmp_path: Path) -> None:
    recipe = _recipe()
    recipe["optimizer"]["generator"] = 1e30
    with pytest.raises(TrainingError, match=r"step \d+: .* is (nan|inf|-inf); .*"):
        run(recipe, toy_data, tmp_path / "nan")
    for checkpoint in list_checkpoints(tmp_path / "nan" / "checkpoints"):
        assert (checkpoint / "facts.json").is_file()


def test_a_run_is_not_overwritten(whole: Path, toy_data: Path) -> None:
    with pytest.raises(TrainingError, match="--resume"):
        run(_recipe(), toy_data, whole)


def test_time_budget_ends_a_run_between_steps(toy_data: Path, tmp_path: Path) -> None:
    started = time.monotonic()
    outcome = run_recipe(Recipe.parse(_recipe(), "test"), toy_data, tmp_path / "run", time_budget=0.0, accelerator="cpu")
    assert outcome.step == 1 and outcome.total == 8
    assert outcome.seconds <= time.monotonic() - started
    assert outcome.model.is_dir()


def test_two_devices_see_different_windows_and_one_epoch_sees_all(toy_data: Path) -> None:
    from scenebrush.training.loop import _shuffled

    epoch = [_shuffled(0, position, 12) for position in range(12)]
    assert sorted(epoch) == list(range(12))
    assert [_shuffled(0, position, 12) for position in range(12, 24)] != epoch
