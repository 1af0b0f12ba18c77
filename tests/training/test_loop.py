"""The loop: what a run folder holds, resuming, killing, NaN, several devices."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file

from scenebrush.errors import InputError, RecipeError, TrainingError
from scenebrush.methods.sesame.folder import load_generator
from scenebrush.training import loop
from scenebrush.training.checkpoint import list_checkpoints
from scenebrush.training.loop import Outcome
from scenebrush.training.recipe import Recipe
from scenebrush.training.run import build_trainee, run_recipe
from scenebrush.training.state import TrainingState

CHILD = """
import sys, warnings
from pathlib import Path
warnings.simplefilter("ignore")
from scenebrush.training.recipe import Recipe
from scenebrush.training.run import run_recipe
recipe, data, run, cache, devices = sys.argv[1:]
def told(step, total, losses):
    print(step, flush=True)
outcome = run_recipe(
    Recipe.load(recipe), Path(data), Path(run),
    accelerator="cpu", devices=int(devices), cache=Path(cache), report=told,
)
if outcome.is_main:
    print("done", outcome.step)
"""

Run = Callable[..., Outcome]
Child = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def run(toy_data: Path, window_cache: Path) -> Run:
    """Trains a recipe in this process."""

    def _run(recipe: dict[str, Any], folder: Path, **arguments: Any) -> Outcome:
        parsed = Recipe.parse(recipe, "test")
        return run_recipe(parsed, toy_data, folder, **({"accelerator": "cpu", "cache": window_cache} | arguments))

    return _run


@pytest.fixture
def child(toy_data: Path, window_cache: Path, tmp_path: Path) -> Child:
    """Starts training in another process, which prints every step."""

    def _child(recipe: dict[str, Any], folder: Path, *, devices: int = 1) -> subprocess.Popen[str]:
        path = tmp_path / "recipe.yaml"
        path.write_text(yaml.safe_dump(recipe))
        arguments = [str(part) for part in (path, toy_data, folder, window_cache, devices)]
        return subprocess.Popen(
            [sys.executable, "-c", CHILD, *arguments]
            if devices == 1
            else [sys.executable, _script(tmp_path), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | {"OMP_NUM_THREADS": str(torch.get_num_threads())},
        )

    return _child


def _script(folder: Path) -> str:
    """CHILD as a file: helper processes start the same command line again, which `-c` does not allow."""
    (folder / "child.py").write_text(CHILD)
    return str(folder / "child.py")


@pytest.fixture(scope="module")
def whole(toy_data: Path, window_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An uninterrupted run."""
    folder = tmp_path_factory.mktemp("run") / "whole"
    run_recipe(Recipe.parse(_recipe(), "test"), toy_data, folder, accelerator="cpu", cache=window_cache)
    return folder


def _recipe() -> dict[str, Any]:
    from tests.training.conftest import make_recipe

    return make_recipe()


def final_state(folder: Path) -> dict[str, torch.Tensor]:
    return load_file(list_checkpoints(folder / "checkpoints")[-1] / "state.safetensors")


def losses(folder: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{k: v for k, v in line.items() if k != "seconds"} for line in lines]


def assert_equal_runs(one: Path, two: Path) -> None:
    a, b = final_state(one), final_state(two)
    assert a.keys() == b.keys()
    assert not [key for key in a if not torch.equal(a[key], b[key])]
    assert (one / "model" / "model.safetensors").read_bytes() == (two / "model" / "model.safetensors").read_bytes()
    assert losses(one) == losses(two)


def test_a_run_folder_describes_itself(whole: Path) -> None:
    assert Recipe.load(whole / "recipe.yaml").total_steps == 8
    assert [line["step"] for line in losses(whole)] == list(range(1, 9))
    assert "d_real" in losses(whole)[-1] and "d_real" not in losses(whole)[0]
    assert (whole / "samples" / "step-0000008.png").is_file()
    assert [p.name for p in list_checkpoints(whole / "checkpoints")] == ["step-0000006", "step-0000008"]
    generator, label_set = load_generator(whole / "model")
    assert label_set.name == "camvid" and generator.config.num_classes == 12
    assert (whole / "model" / "README.md").is_file()


def test_training_moves_generator_and_discriminator(
    whole: Path, toy_data: Path, window_cache: Path, tmp_path: Path
) -> None:
    fresh = build_trainee(Recipe.parse(_recipe(), "test"), toy_data, window_cache)
    state = final_state(whole)
    for name, module in {"generator": fresh.generator, "discriminator": fresh.discriminator}.items():
        assert module is not None
        moved = [k for k, v in module.named_parameters() if not torch.equal(v, state[f"module/{name}/{k}"])]
        assert len(moved) > 0.9 * len(list(module.parameters()))


def test_the_exported_generator_is_the_average(whole: Path) -> None:
    state, exported = final_state(whole), load_file(whole / "model" / "model.safetensors")
    for key, value in exported.items():
        assert torch.equal(value, state[f"module/averaged/{key}"].half())


def test_a_resumed_run_ends_bit_equal(whole: Path, run: Run, tmp_path: Path) -> None:
    folder = tmp_path / "parts"
    outcome = run(_recipe(), folder, time_budget=0.0)  # one step, then out of time
    assert (outcome.step, outcome.total) == (1, 8) and outcome.model.is_dir()
    assert [p.name for p in list_checkpoints(folder / "checkpoints")] == ["step-0000001"]
    half = folder / "checkpoints" / "step-0000003"  # a half-written checkpoint is not taken
    half.mkdir()
    (half / "state.safetensors").write_bytes(b"cut off")
    run(_recipe(), folder, resume=True)
    assert_equal_runs(folder, whole)


def test_a_killed_run_resumes_bit_equal(whole: Path, run: Run, child: Child, tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    process = child(_recipe(), folder)
    assert process.stdout is not None
    for line in process.stdout:
        if line.strip() == "5":  # a checkpoint lies at 4; the step after it is lost
            break
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert list_checkpoints(folder / "checkpoints")[-1].name in ("step-0000004", "step-0000006")
    run(_recipe(), folder, resume=True)
    assert_equal_runs(folder, whole)


def test_going_on_with_a_finished_run_changes_nothing(whole: Path, run: Run) -> None:
    before = final_state(whole)
    outcome = run(_recipe(), whole, resume=True)
    assert outcome.step == outcome.total == 8
    assert all(torch.equal(value, before[key]) for key, value in final_state(whole).items())


def test_another_seed_gives_another_run(whole: Path, run: Run, tmp_path: Path) -> None:
    other = _recipe() | {"seed": 7}
    other["stages"] = other["stages"][:1]
    run(other, tmp_path / "other")
    assert losses(tmp_path / "other")[0]["loss"] != losses(whole)[0]["loss"]


def test_nan_stops_the_run_and_keeps_the_last_good_checkpoint(run: Run, tmp_path: Path) -> None:
    recipe = _recipe() | {"checkpoint_every": 1}
    run(recipe, tmp_path, time_budget=0.0)
    recipe["optimizer"]["generator"] = 1e30
    with pytest.raises(TrainingError, match=r"step \d+: .* is (nan|inf|-inf); .*step-\d+; lower the learning rate"):
        run(recipe, tmp_path, resume=True)
    for checkpoint in list_checkpoints(tmp_path / "checkpoints"):
        state = load_file(checkpoint / "state.safetensors")
        assert all(torch.isfinite(value).all() for value in state.values())


def test_weights_that_became_nan_are_not_saved(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    average = TrainingState.average

    def spoil(state: TrainingState, decay: float) -> None:
        if state.step == 3:
            next(state.generator.parameters()).data[0] = torch.nan
        average(state, decay)

    monkeypatch.setattr(TrainingState, "average", spoil)
    with pytest.raises(TrainingError, match="step 4: largest weight of the generator is nan"):
        run(_recipe(), tmp_path)
    assert [p.name for p in list_checkpoints(tmp_path / "checkpoints")] == ["step-0000002"]


def test_a_run_is_not_overwritten(whole: Path, run: Run) -> None:
    with pytest.raises(TrainingError, match="--resume"):
        run(_recipe(), whole)


def test_another_configuration_does_not_go_on(whole: Path, run: Run) -> None:
    other = _recipe()
    other["config"]["width"] = 8
    with pytest.raises(TrainingError, match="does not fit this recipe"):
        run(other, whole, resume=True)


def test_data_of_another_label_set_is_refused(run: Run, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="--set label_set=camvid"):
        run(_recipe() | {"label_set": "ade20k"}, tmp_path)


def test_devices_that_are_not_there_are_refused(run: Run, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--devices 0"):
        run(_recipe(), tmp_path, devices=0)


def test_an_unguided_run_with_one_batch_a_step_works(run: Run, tmp_path: Path) -> None:
    recipe = _recipe()
    recipe["config"]["guided"] = False
    recipe["stages"] = [recipe["stages"][0] | {"steps": 1}]
    recipe["stages"][0]["windows"] = recipe["stages"][0]["windows"] | {"count": 3}  # fewer than a sheet has samples
    assert run(recipe, tmp_path).step == 1


def test_an_epoch_holds_every_window_once() -> None:
    epoch = [loop._shuffled(0, position, 12) for position in range(12)]
    assert sorted(epoch) == list(range(12))
    assert [loop._shuffled(0, position, 12) for position in range(12, 24)] != epoch


def test_devices_share_out_the_windows_of_a_step() -> None:
    recipe = Recipe.parse(_recipe(), "test")
    seen: list[list[int]] = []

    class Told:
        def num_windows(self, stage: int) -> int:
            return 12

        def batch(self, stage: int, indices: list[int], rng: torch.Generator) -> torch.Tensor:
            seen.append(indices)
            return torch.rand(1, generator=rng)

    draws = []
    for step in range(3, 6):  # three steps of two accumulated batches of two windows: an epoch of twelve
        for rank in range(2):
            fabric = SimpleNamespace(world_size=2, global_rank=rank, device="cpu")
            draws += loop._batches(recipe, Told(), fabric, step)  # type: ignore[arg-type]
    assert [len(indices) for indices in seen] == [1] * 12
    assert sorted(index for indices in seen for index in indices) == list(range(12))
    assert len({float(draw) for draw in draws}) == 12


def test_two_devices_train_one_model_together(child: Child, tmp_path: Path) -> None:
    recipe = _recipe()
    recipe["stages"][1]["steps"] = 2
    process = child(recipe, tmp_path / "two", devices=2)
    began = time.monotonic()
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0, err[-2000:]
    assert out.split() == ["1", "2", "3", "4", "5", "done", "5"], f"{out} after {time.monotonic() - began:.0f} s"
    assert [line["step"] for line in losses(tmp_path / "two")] == [1, 2, 3, 4, 5]
    assert load_generator(tmp_path / "two" / "model")[1].name == "camvid"
