"""Checkpoints: whole or not at all, and what is read is what was written."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import nn
from torch.optim import Adam

from scenebrush.errors import TrainingError
from scenebrush.training.checkpoint import list_checkpoints, load_checkpoint, save_checkpoint


def make(seed: int = 0, *, width: int = 6, steps: int = 2) -> tuple[nn.Module, Adam]:
    """A small trained network in channels_last, with a shared tensor and a buffer, and its optimiser."""
    torch.manual_seed(seed)
    network = nn.Sequential(nn.Conv2d(3, width, 3), nn.BatchNorm2d(width)).to(memory_format=torch.channels_last)
    optimizer = Adam(network.parameters(), lr=1e-2)
    for _ in range(steps):
        network(torch.randn(2, 3, 8, 8)).square().sum().backward()
        optimizer.step()
    return network, optimizer


def save(folder: Path, step: int, network: nn.Module, optimizer: Adam) -> Path:
    return save_checkpoint(folder, step, {"a": network, "b": network}, {"a": optimizer}, {"seconds": 1.5})


def assert_equal_states(one: tuple[nn.Module, Adam], two: tuple[nn.Module, Adam]) -> None:
    for key, value in one[0].state_dict().items():
        assert torch.equal(value, two[0].state_dict()[key]), key
    moments, others = one[1].state_dict()["state"], two[1].state_dict()["state"]
    assert moments.keys() == others.keys()
    for index, values in moments.items():
        for name, value in values.items():
            assert torch.equal(torch.as_tensor(value), torch.as_tensor(others[index][name])), (index, name)


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    written, read = make(0), make(1, steps=1)
    path = save(tmp_path, 7, *written)
    facts = load_checkpoint(path, {"a": read[0]}, {"a": read[1]})
    assert facts == {"step": 7, "seconds": 1.5}
    assert_equal_states(written, read)


def test_training_goes_on_as_if_nothing_had_happened(tmp_path: Path) -> None:
    written, read = make(0), make(1, steps=0)
    load_checkpoint(save(tmp_path, 7, *written), {"a": read[0]}, {"a": read[1]})
    for network, optimizer in (written, read):
        optimizer.zero_grad()
        network(torch.ones(2, 3, 8, 8)).sum().backward()
        optimizer.step()
    assert_equal_states(written, read)


def test_moments_lie_in_memory_as_their_weights(tmp_path: Path) -> None:
    network, optimizer = make(0)
    load_checkpoint(save(tmp_path, 7, network, optimizer), {"a": network}, {"a": optimizer})
    weight = next(network.parameters())
    assert weight.is_contiguous(memory_format=torch.channels_last) and not weight.is_contiguous()
    assert optimizer.state[weight]["exp_avg"].stride() == weight.stride()


def test_the_last_two_are_kept_in_the_order_of_their_steps(tmp_path: Path) -> None:
    network, optimizer = make()
    for step in (999_999, 2, 10_000_000, 12_000_000):
        save(tmp_path, step, network, optimizer)
    assert [p.name for p in list_checkpoints(tmp_path)] == ["step-10000000", "step-12000000"]
    assert {p.name for p in tmp_path.iterdir()} == {"step-10000000", "step-12000000"}


def test_a_step_saved_again_replaces_the_first(tmp_path: Path) -> None:
    save(tmp_path, 3, *make(0))
    two = make(1)
    path = save(tmp_path, 3, *two)
    read = make(2)
    load_checkpoint(path, {"a": read[0]}, {"a": read[1]})
    assert_equal_states(two, read)


def test_what_a_killed_process_left_is_not_a_checkpoint_and_goes(tmp_path: Path) -> None:
    (tmp_path / ".writing-123").mkdir()
    (tmp_path / ".writing-123" / "state.safetensors").write_bytes(b"half")
    (tmp_path / "step-0000009").mkdir()
    (tmp_path / "step-0000009" / "facts.json").write_text(json.dumps({"step": 9}))
    assert list_checkpoints(tmp_path) == [] == list_checkpoints(tmp_path / "nowhere")
    path = save(tmp_path, 4, *make())
    assert list_checkpoints(tmp_path) == [path] and not (tmp_path / ".writing-123").exists()


def test_killed_while_writing_leaves_the_old_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    old = save(tmp_path, 4, *make())

    def die(*_: object) -> None:
        raise KeyboardInterrupt

    for moment in ("save_file", "_sync"):
        with monkeypatch.context() as patch:
            patch.setattr(f"scenebrush.training.checkpoint.{moment}", die)
            with pytest.raises(KeyboardInterrupt):
                save(tmp_path, 5, *make())
        assert list_checkpoints(tmp_path) == [old]


@pytest.mark.parametrize("name", ["state.safetensors", "facts.json"])
def test_a_truncated_checkpoint_is_named(tmp_path: Path, name: str) -> None:
    network, optimizer = make()
    path = save(tmp_path, 4, network, optimizer)
    (path / name).write_bytes((path / name).read_bytes()[:-5])
    with pytest.raises(TrainingError, match=r"step-0000004 cannot be read"):
        load_checkpoint(path, {"a": network}, {"a": optimizer})


def test_a_checkpoint_of_another_network_is_named(tmp_path: Path) -> None:
    path = save(tmp_path, 4, *make(width=6))
    other = make(width=5)
    with pytest.raises(TrainingError, match=r"step-0000004 does not fit this recipe \(size mismatch"):
        load_checkpoint(path, {"a": other[0]}, {"a": other[1]})
