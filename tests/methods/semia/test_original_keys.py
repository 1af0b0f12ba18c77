"""The authors' key names, without their packs."""

from __future__ import annotations

import pytest
import torch

from scenebrush.errors import ModelError
from scenebrush.methods.semia import original_keys
from scenebrush.methods.semia.auxiliary import AuxiliaryClassifier
from scenebrush.methods.semia.discriminator import SemiaDiscriminator
from scenebrush.methods.semia.generator import SemiaGenerator


@pytest.fixture
def released() -> dict[str, torch.Tensor]:
    """A tiny generator as the authors would have saved it."""
    return original_keys.to_original(SemiaGenerator(width=4, levels=2).state_dict())


def test_names_are_one_to_one() -> None:
    for network in (SemiaGenerator(width=4), SemiaDiscriminator(3, width=4), AuxiliaryClassifier(width=4)):
        names = original_keys.original_names(network.state_dict())
        assert len(set(names.values())) == len(names) == len(network.state_dict())


def test_a_generator_comes_back_as_it_was(released: dict[str, torch.Tensor]) -> None:
    back = original_keys.generator_from_original({f"module.{key}": value for key, value in released.items()})
    assert back.levels == 2
    found = original_keys.to_original(back.state_dict())
    assert all(torch.equal(found[key], value) for key, value in released.items())


def test_a_missing_key_is_named(released: dict[str, torch.Tensor]) -> None:
    del released["decoder_i.up_block.0.main.3.weight_orig"]
    with pytest.raises(ModelError, match=r"lacks 'decoder_i.up_block.0.main.3.weight_orig'; expected a SemIA network"):
        original_keys.generator_from_original(released)


def test_another_network_is_refused() -> None:
    state = original_keys.to_original(SemiaDiscriminator(width=4).state_dict())
    with pytest.raises(ModelError, match=r"lacks 'encoder_c.head_block.main.1.weight_orig'"):
        original_keys.generator_from_original(state)


def test_keys_without_a_place_are_named(released: dict[str, torch.Tensor]) -> None:
    released["attention.weight"] = torch.zeros(1)
    with pytest.raises(ModelError, match=r"holds 'attention.weight' and 0 more"):
        original_keys.generator_from_original(released)
