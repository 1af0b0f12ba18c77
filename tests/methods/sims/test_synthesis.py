"""The synthesis networks: published sizes, shapes, TensorFlow's pooling, what the compact one keeps."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from scenebrush.methods.sims.config import SimsConfig
from scenebrush.methods.sims.conv_body import same_pool
from scenebrush.methods.sims.networks import PARTS, build_networks, set_part
from scenebrush.methods.sims.synthesis import CompactSynthesisNetwork, SynthesisNetwork


@pytest.mark.parametrize(
    ("resolution", "count"), [(256, 55_671_319), (512, 56_138_903), (1024, 56_138_987)]
)  # facts 2.8: counted in the released code
def test_the_papers_networks_have_their_number_of_parameters(resolution: int, count: int) -> None:
    with torch.device("meta"):
        network = SynthesisNetwork(19, resolution=resolution)
    assert sum(p.numel() for p in network.parameters()) == count


def inputs(height: int, width: int, *, batch: int = 1, classes: int = 4, seed: int = 0) -> tuple[Tensor, ...]:
    rng = torch.Generator().manual_seed(seed)
    labels = torch.randint(classes + 1, (batch, height, width), generator=rng)
    semantics = F.one_hot(labels, classes + 1).permute(0, 3, 1, 2).float()
    present = (torch.rand(batch, 1, height, width, generator=rng) < 0.6).float()
    return semantics, torch.rand(batch, 3, height, width, generator=rng) * 2 - 1, present


@pytest.mark.parametrize(
    ("resolution", "size", "head"),
    [(256, (64, 128), (64, 128)), (512, (128, 256), (128, 256)), (1024, (256, 512), (128, 256))],
)
def test_shapes_at_each_resolution(resolution: int, size: tuple[int, int], head: tuple[int, int]) -> None:
    torch.manual_seed(0)
    network = SynthesisNetwork(4, width=1, resolution=resolution)
    image, semantics, gate = network(*inputs(*size))
    assert image.shape == (1, 3, *size)
    assert semantics is not None and semantics.shape == (1, 5, *head) and gate is None


def test_at_full_size_the_encoder_ends_at_four_by_eight() -> None:
    torch.manual_seed(0)
    network = SynthesisNetwork(4, width=1)
    sizes: list[tuple[int, ...]] = []
    for module in [*network.encoder, *network.decoder]:
        module.register_forward_hook(lambda _m, _i, out: sizes.append(tuple(out.shape[1:])))
    network(*inputs(256, 512))
    encoder = [(1, 256, 512), (2, 128, 256), (4, 64, 128), (8, 32, 64), (8, 16, 32), (8, 8, 16)]
    decoder = [(8, 4 << n, 8 << n) for n in range(5)] + [(4, 128, 256), (4, 256, 512)]
    assert sizes == encoder + decoder


def test_what_is_not_present_is_not_seen() -> None:
    torch.manual_seed(0)
    semantics, canvas, present = inputs(64, 64)
    other = torch.where(present > 0, canvas, torch.rand_like(canvas))
    for network in (SynthesisNetwork(4, width=2), CompactSynthesisNetwork(4, width=6)):
        with torch.no_grad():
            one, two = (network(semantics, c, present).image for c in (canvas, other))
            changed = network(semantics, -canvas, present).image
        assert torch.equal(one, two) and not torch.allclose(one, changed)


def test_pooling_is_tensorflows() -> None:
    """SAME at stride 2 on even sides: windows begin at 0, 2, ...; below and right they are cut off, and so counted."""
    x = torch.arange(24.0).view(1, 1, 4, 6)
    rows, columns = ((0, 1, 2), (2, 3)), ((0, 1, 2), (2, 3, 4), (4, 5))
    wanted = [[np.mean([6 * r + c for r in rs for c in cs]) for cs in columns] for rs in rows]
    assert same_pool(x, average=True)[0, 0].numpy() == pytest.approx(np.array(wanted), rel=1e-6)
    assert torch.allclose(same_pool(torch.ones(2, 3, 8, 10), average=True), torch.ones(2, 3, 4, 5))


@pytest.fixture
def compact() -> CompactSynthesisNetwork:
    torch.manual_seed(0)
    network = CompactSynthesisNetwork(4, width=6).eval()
    with torch.no_grad():
        network.head.weight.mul_(20)  # so that the gate and the colours are not all alike
    return network


def test_the_compact_one_keeps_the_canvas_where_its_gate_says_so(compact: CompactSynthesisNetwork) -> None:
    semantics, canvas, present = inputs(32, 48, batch=2)
    with torch.no_grad():
        image, head, gate = compact(semantics, canvas, present)
    assert head is None and gate is not None and gate.shape == (2, 1, 32, 48)
    assert not gate[present == 0].any() and float(gate.min()) >= 0 and float(gate.max()) <= 1
    assert image.abs().max() <= 1
    drawn = (image - gate * canvas) / (1 - gate)
    assert float(drawn[(gate < 0.99).expand_as(drawn)].abs().max()) <= 1 + 1e-4
    closed = compact(semantics, canvas, torch.zeros_like(present))
    assert closed.gate is not None and not closed.gate.any() and closed.image.abs().max() <= 1


def test_an_untrained_gate_is_mostly_open() -> None:
    torch.manual_seed(0)
    semantics, canvas, present = inputs(32, 48)
    with torch.no_grad():
        gate = CompactSynthesisNetwork(4, width=6)(semantics, canvas, present).gate
    assert gate is not None and float(gate[present > 0].min()) > 0.5


def test_a_batch_is_drawn_as_one_by_one(compact: CompactSynthesisNetwork) -> None:
    given = inputs(32, 48, batch=3)
    paper = SynthesisNetwork(4, width=1).eval()
    large = inputs(64, 64, batch=3)
    with torch.no_grad():
        for network, planes in ((compact, given), (paper, large)):
            together = network(*planes).image
            alone = [network(*(plane[i : i + 1] for plane in planes)).image for i in range(3)]
            assert torch.allclose(together, torch.cat(alone), atol=2e-5)


@pytest.mark.parametrize("name", ["paper", "compact"])
def test_labels_and_unknown_show(name: str) -> None:
    torch.manual_seed(0)
    config = SimsConfig(num_classes=4, network=name, width=6, body_width=1, working_rows=32)  # type: ignore[arg-type]
    networks = build_networks(config).eval()
    _, canvas, present = inputs(64, 64)
    labels = torch.zeros(1, 64, 64, dtype=torch.long)
    with torch.no_grad():
        pictures = [networks.finish(labels + index, canvas, present).image for index in (0, 3, config.unknown)]
    assert not torch.allclose(pictures[0], pictures[1]) and not torch.allclose(pictures[0], pictures[2])


def test_only_one_network_learns_at_a_time() -> None:
    config = SimsConfig(num_classes=4, network="compact", width=6, body_width=1, working_rows=32)
    networks = build_networks(config)
    for part in PARTS:
        set_part(networks, part)
        learning = {name.split(".")[0] for name, p in networks.named_parameters() if p.requires_grad}
        frozen = {name.split(".")[0] for name, p in networks.named_parameters() if not p.requires_grad}
        assert learning == {part} and frozen == set(PARTS) - {part}
