"""The authors' checkpoints: what is missing, left over or of another shape is named; old files are read."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from scenebrush.errors import ModelError
from scenebrush.methods.pix2pixhd.blocks import NORMS
from scenebrush.methods.pix2pixhd.config import NormName, Pix2PixHDConfig
from scenebrush.methods.pix2pixhd.conversion import networks_from_original
from scenebrush.methods.pix2pixhd.discriminator import MultiscaleDiscriminator
from scenebrush.methods.pix2pixhd.encoder import FeatureEncoder
from scenebrush.methods.pix2pixhd.generator import CoarseToFineGenerator
from scenebrush.methods.pix2pixhd.networks import build_networks
from scenebrush.methods.pix2pixhd.original_keys import (
    discriminator_from_original,
    encoder_from_original,
    from_original,
    generator_from_original,
    to_original,
)


def generator(num_enhancers: int = 1, **settings: object) -> CoarseToFineGenerator:
    sizes = {"width": 8, "num_downsamplings": 2, "num_blocks": 2, "num_enhancer_blocks": 1, **settings}
    return CoarseToFineGenerator(5, num_enhancers=num_enhancers, **sizes)  # type: ignore[arg-type]


@pytest.mark.parametrize("norm", ["instance", "batch"])
@pytest.mark.parametrize(("enhancers", "downsamplings", "blocks", "local"), [(0, 0, 1, 1), (0, 3, 0, 1), (2, 1, 2, 3)])
def test_every_generator_comes_back(
    enhancers: int, downsamplings: int, blocks: int, local: int, norm: NormName
) -> None:
    made = generator(
        enhancers, num_downsamplings=downsamplings, num_blocks=blocks, num_enhancer_blocks=local, norm=NORMS[norm]
    )
    again = generator_from_original(to_original(made.state_dict()))
    assert equal(again, made)
    x = torch.randn(2, 5, 32, 32)
    assert torch.equal(again.eval()(x), made.eval()(x))


@pytest.mark.parametrize("norm", ["instance", "batch"])
@pytest.mark.parametrize("features", [True, False])
@pytest.mark.parametrize(("layers", "scales"), [(1, 1), (3, 2), (5, 3)])
def test_every_discriminator_comes_back(layers: int, scales: int, features: bool, norm: NormName) -> None:
    made = MultiscaleDiscriminator(4, width=2, num_layers=layers, num_scales=scales, norm=NORMS[norm])
    again = discriminator_from_original(to_original(made.state_dict(), features=features))
    assert equal(again, made)


def test_every_encoder_comes_back() -> None:
    made = FeatureEncoder(5, width=4, num_downsamplings=3)
    assert equal(encoder_from_original(to_original(made.state_dict())), made)


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_whichever_key_is_missing_is_told_by_its_name(norm: NormName) -> None:
    """The sizes are read off the places of the keys, so that a gap is a gap and not a smaller network."""
    whole = to_original(generator(1, num_enhancer_blocks=2, norm=NORMS[norm]).state_dict())
    styles = to_original(FeatureEncoder(3, width=2, num_downsamplings=2, norm=NORMS[norm]).state_dict())
    for state, read in ((whole, generator_from_original), (styles, encoder_from_original)):
        for key in state:
            if not key.endswith("num_batches_tracked"):  # which old files lack
                with pytest.raises(ModelError, match=rf"^checkpoint lacks '{key}'"):
                    read({name: value for name, value in state.items() if name != key})


def equal(one: nn.Module, other: nn.Module) -> bool:
    mine, theirs = one.state_dict(), other.state_dict()
    return mine.keys() == theirs.keys() and all(torch.equal(v, theirs[k]) for k, v in mine.items())


def test_the_authors_names() -> None:
    state = to_original(generator().state_dict())
    assert {"model.10.conv_block.1.weight", "model1_1.4.weight", "model1_2.0.conv_block.5.bias"} <= state.keys()
    assert "model1_2.5.weight" in state  # block, transposed convolution, norm, ReLU, padding, head
    assert not any(key.startswith("model.20") for key in state)  # the trunk has no head
    discriminator = to_original(MultiscaleDiscriminator(2, width=2, num_scales=2).state_dict(), features=False)
    assert "layer1.11.weight" in discriminator


def test_a_missing_a_left_over_and_a_wrong_key_are_named() -> None:
    state = to_original(generator().state_dict())
    without = {k: v for k, v in state.items() if k != "model1_2.1.weight"}
    with pytest.raises(ModelError, match=r"lacks 'model1_2\.1\.weight'"):
        generator_from_original(without)
    with pytest.raises(ModelError, match=r"holds 'model\.99\.gamma' and 0 more"):
        generator_from_original({**state, "model.99.gamma": torch.zeros(1)})
    wrong = {**state, "model.1.bias": torch.zeros(3)}
    with pytest.raises(ModelError, match=r"'model.1.bias' is \(3,\), the network's \(8,\)"):
        generator_from_original(wrong)
    with pytest.raises(ModelError, match=r"lacks 'model\.1\.weight'; expected a pix2pixHD network"):
        generator_from_original({"conv_img.weight": torch.zeros(3, 4, 3, 3)})
    with pytest.raises(ModelError, match="'epoch' is no tensor"):
        generator_from_original({"epoch": 3})  # type: ignore[dict-item]
    for read in (generator_from_original, encoder_from_original, discriminator_from_original):
        with pytest.raises(ModelError, match="lacks"):
            read({})


def test_statistics_that_old_files_hold_for_instance_norms_are_dropped() -> None:
    made = generator()
    state: dict[str, Tensor] = to_original(made.state_dict())
    old = {f"{place}.running_mean": torch.ones(8) for place in ("model.2", "model1_1.2", "model.10.conv_block.2")}
    again = generator_from_original({f"module.{k}": v for k, v in {**state, **old}.items()})
    assert equal(again, made)


def test_missing_batch_counters_are_zero() -> None:
    made = generator(norm=nn.BatchNorm2d)
    state = {k: v for k, v in to_original(made.state_dict()).items() if not k.endswith("num_batches_tracked")}
    assert equal(generator_from_original(state), made)


def test_a_generator_with_a_head_for_every_level_is_written_with_the_finest() -> None:
    made = generator(every_level=True)
    again = generator_from_original(to_original(made.state_dict()))
    x = torch.randn(1, 5, 32, 32)
    assert torch.equal(again(x), made(x))
    with pytest.raises(ModelError, match="a head for every level"):
        from_original(to_original(made.state_dict()), made)


@pytest.mark.parametrize("norm", ["instance", "batch"])
def test_the_configuration_is_read_off_the_checkpoints(norm: NormName) -> None:
    config = Pix2PixHDConfig(
        num_classes=4, num_features=2, width=8, num_downsamplings=2, num_blocks=1, num_enhancers=1,
        num_enhancer_blocks=2, norm=norm, encoder_width=4, encoder_downsamplings=3,
    )  # fmt: skip
    made = build_networks(config).eval()
    assert made.encoder is not None
    states = [to_original(network.state_dict()) for network in (made.generator, made.encoder)]
    again = networks_from_original(*states, num_classes=4).eval()
    assert again.config == config
    labels, image = torch.randint(0, 4, (1, 32, 32)), torch.rand(1, 3, 32, 32)
    assert torch.equal(again.synthesize(labels), made.synthesize(labels))
    objects = made.condition(labels).objects
    assert torch.equal(again.encode(image, objects).means, made.encode(image, objects).means)
    assert not networks_from_original(states[0], num_classes=7).config.boundaries
    with pytest.raises(ModelError, match="3 classes and 2 style features leave 2, expected 1 for the boundaries"):
        networks_from_original(*states, num_classes=3)
