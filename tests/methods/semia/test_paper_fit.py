"""The paper's way of learning one photo, at a tiny size: schedule, draws, steps, going on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from scenebrush.errors import InputError
from scenebrush.methods.semia import paper_schedule
from scenebrush.methods.semia.config import SemiaConfig
from scenebrush.methods.semia.method import load
from scenebrush.methods.semia.objective import LossWeights
from scenebrush.methods.semia.optimizer_state import fill_optimizer, optimizer_tensors
from scenebrush.methods.semia.paper_fit import PaperPupil
from scenebrush.methods.semia.source import Source
from tests.methods.semia.test_objective import random_vgg
from tests.methods.semia.tiny import tiny_source

CONFIG = SemiaConfig(kind="paper", width=4, levels=1, discriminator_width=4, auxiliary_width=4)
VGG = random_vgg()


def pupil(source: Source | None = None, config: SemiaConfig = CONFIG, **options: object) -> PaperPupil:
    given = {"vgg": VGG, "generator_steps": 2, **options}
    return PaperPupil(source or tiny_source(height=44, width=52), config, **given)


def changed(network: nn.Module, before: dict[str, torch.Tensor]) -> bool:
    return any(not torch.equal(value, before[key]) for key, value in network.named_parameters())


def test_schedule_by_hand() -> None:
    """Facts 1.5: iterations 0, 500, 1,000, 1,750 and 2,500 of 2,500."""
    assert [paper_schedule.strength(i / 2500) for i in (0, 123, 500, 1000, 2400)] == [0, 0.12, 0.5, 1, 1]
    assert paper_schedule.rates(0) == paper_schedule.rates(0.4) == (0.005, 0.02, 0.005)
    half_way = paper_schedule.rates(1750 / 2500)
    assert half_way.generator == pytest.approx((0.01 - 750 * 6e-6) / 2)
    assert half_way.discriminator == pytest.approx((0.01 - 750 * 6e-6) * 2)
    assert half_way.auxiliary == 0.005
    assert [paper_schedule.reconstructs(i) for i in range(6)] == [True, False, False, False, False, True]
    assert pupil().total == 2500


def test_every_network_learns_when_it_is_its_turn() -> None:
    learner = pupil()
    networks = {name: getattr(learner, name) for name in ("generator", "discriminator", "auxiliary")}
    for iteration, learns in ((0, {"generator", "discriminator", "auxiliary"}), (1, {"generator", "discriminator"})):
        before = {n: {k: v.clone() for k, v in net.named_parameters()} for n, net in networks.items()}
        losses = learner.iterate(iteration, iteration / 2500)
        assert {name for name, net in networks.items() if changed(net, before[name])} == learns
        assert all(np.isfinite(value) for value in losses.values())
        assert all(p.requires_grad for net in networks.values() for p in net.parameters())
        assert ("reconstruction" in losses, "patch_coherence" in losses) == (iteration == 0, iteration == 1)


def test_steps_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    steps: list[str] = []
    for learner, wanted in ((pupil(generator_steps=3), 3), (pupil(), 2)):
        monkeypatch.setattr(learner, "_step", lambda name, loss: steps.append(name))
        learner.iterate(0, 0.0)
        assert steps == ["discriminator", "auxiliary", *["generator"] * wanted, "discriminator"]
        steps.clear()
        learner.iterate(1, 0.0)
        assert steps == ["discriminator", *["generator"] * wanted, "discriminator"]
        steps.clear()


def test_swaps_half_of_the_sample_turns() -> None:
    learner = pupil()
    photo = learner._pair(learner._sizes[False]).photo
    swapped = 0
    for iteration in range(1, 121):
        turn = learner._turn(iteration, 0.9, np.random.default_rng((0, iteration)))
        if iteration % 5 == 0:
            assert turn.source is turn.target
        else:
            assert torch.equal(turn.source.photo, photo) != torch.equal(turn.target.photo, photo)
            swapped += torch.equal(turn.target.photo, photo)
    assert 30 < swapped < 66  # of 96


def test_augmentation_grows() -> None:
    learner = pupil()
    photo = learner._pair(learner._sizes[False]).photo
    gaps = [
        (learner._turn(5, share, np.random.default_rng(3)).source.photo - photo).abs().mean() for share in (0, 0.2, 0.4)
    ]
    assert gaps[0] == 0
    assert min(gaps[1:]) > 0.01


def test_going_on_is_as_if_it_had_never_stopped(tmp_path: Path) -> None:
    through, first, second = pupil(average=0.9), pupil(average=0.9), pupil(average=0.9, seed=0)
    for i in range(4):
        through.iterate(i, i / 8)
    for i in range(2):
        first.iterate(i, i / 8)
    torch.rand(3)  # the global generator is no matter
    second.load_state_dict({k: v.clone() for k, v in first.state_dict().items()})
    for i in range(2, 4):
        second.iterate(i, i / 8)
    wanted, found = through.state_dict(), second.state_dict()
    assert wanted.keys() == found.keys()
    assert all(torch.equal(wanted[key], found[key]) for key in wanted)


def test_another_seed_is_another_fit() -> None:
    first, second = pupil(seed=1), pupil(seed=2)
    assert first.iterate(1, 0.5)["loss"] != second.iterate(1, 0.5)["loss"]


def test_average_follows_the_generator_and_draws() -> None:
    learner = pupil(average=0.5, generator_steps=1)
    before = {k: v.clone() for k, v in learner.average.state_dict().items()}
    learner.iterate(1, 0.5)
    after, live = learner.average.state_dict(), learner.generator.state_dict()
    torch.testing.assert_close(
        after["decoder.tail.norm.weight"], (before["decoder.tail.norm.weight"] + live["decoder.tail.norm.weight"]) / 2
    )
    assert learner.drawing is learner.average
    assert pupil().drawing is not None


@pytest.mark.parametrize(
    "options",
    [
        {"bf16": True},
        {"channels_last": True},
        {"remember_real": True},
        {"half_until": 0.5},
        {"guided": True},
        {"completeness": 1.0},
        {"weights": LossWeights(patch_coherence=0, alignment=0)},
    ],
    ids=lambda options: next(iter(options)),
)
def test_options_run_and_change_little_but_what_they_say(options: dict[str, object]) -> None:
    learner = pupil(**options)
    for iteration in (0, 1):
        assert all(np.isfinite(value) for value in learner.iterate(iteration, 0.1).values())


def test_first_half_of_the_schedule_at_half_the_size() -> None:
    learner = pupil(half_until=0.5)
    sizes = [learner._turn(1, share, np.random.default_rng(0)).source.photo.shape[2:] for share in (0.2, 0.6)]
    assert [tuple(size) for size in sizes] == [(16, 24), (40, 48)]


def test_edges_survive_at_half_the_size() -> None:
    source = tiny_source(height=64, width=64)
    lines = np.zeros((64, 64), np.int32)
    lines[20:22] = 1
    drawn = Source(source.photo, type(source.layout)(lines, source.layout.label_set), "edges")
    assert (pupil(drawn, half_until=0.5)._sizes[True].layout.label_map == 1).any()


def test_sheet_shows_three_layouts_above_their_pictures() -> None:
    learner = pupil()
    height, width = learner.source.shape
    sheet = learner.picture()
    assert (sheet.shape, sheet.dtype) == ((2 * height, 3 * width, 3), np.uint8)
    layout = learner.source.layout
    assert np.array_equal(sheet[:height, :width], layout.label_set.colors(layout.label_map))
    assert not np.array_equal(sheet[:height, :width], sheet[:height, width : 2 * width])


def test_exported_model_draws_as_the_sheet_does(tmp_path: Path) -> None:
    learner = pupil()
    for i in range(3):
        learner.iterate(i, 0.1)
    learner.export(tmp_path / "fit", {"iterations": 3})
    drawn = load(tmp_path / "fit").synthesize(learner.source.layout)
    shown = learner.picture()[learner.source.shape[0] :, : learner.source.shape[1]]
    assert np.abs(drawn.astype(int) - shown).mean() < 3  # half precision


def test_it_learns_its_photo() -> None:
    learner = pupil(generator_steps=3, weights=LossWeights(0, 0, 0, 0, 5, 0))
    losses = [learner.iterate(5 * i, 0.0)["loss"] for i in range(8)]
    assert losses[-1] < 0.7 * losses[0]


def test_what_cannot_be_learned_is_named() -> None:
    with pytest.raises(InputError, match=r"the photo is 52x12; expected 16 pixels or more a side"):
        pupil(tiny_source(height=44, width=52).__class__(*_cut(12)))
    with pytest.raises(InputError, match=r"generator_steps 0"):
        pupil(generator_steps=0)


def _cut(height: int) -> tuple[np.ndarray, object]:
    source = tiny_source(height=44, width=52)
    return source.photo[:height], type(source.layout)(source.layout.label_map[:height], source.layout.label_set)


def test_moments_of_other_parameters_do_not_fit() -> None:
    one, two = (torch.optim.Adam(nn.Linear(3, 1).parameters()) for _ in range(2))
    parameters = one.param_groups[0]["params"]
    sum(p.sum() for p in parameters).backward()
    one.step()
    fill_optimizer(two, optimizer_tensors(one))
    assert optimizer_tensors(two).keys() == optimizer_tensors(one).keys()
    with pytest.raises(ValueError, match="parameter 9"):
        fill_optimizer(two, {"9/exp_avg": torch.zeros(1)})
