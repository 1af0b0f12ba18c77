"""The configuration: the paper's by default, sizes and shares that cannot be are named."""

from __future__ import annotations

from typing import Any

import pytest

from scenebrush.errors import RecipeError
from scenebrush.methods.sims.config import SimsConfig


def test_the_defaults_are_the_papers() -> None:
    config = SimsConfig(num_classes=19)
    assert (config.network, config.width, config.resolution, config.body_width) == ("paper", 64, 256, 64)
    assert config.working_size == (256, 512)
    assert config.unknown == 19
    assert round(config.least_area * 256 * 512) == 996  # "more than 1000 pixels", to two figures
    assert (config.elision_band, config.elision_share, config.donors, config.transfer_share) == (0.05, 0.8, 100, 0.2)


@pytest.mark.parametrize(("resolution", "divisor"), [(256, 64), (512, 128), (1024, 256)])
def test_what_sides_are_divisible_by(resolution: int, divisor: int) -> None:
    assert SimsConfig(num_classes=2, resolution=resolution).divisor == divisor
    assert SimsConfig(num_classes=2, resolution=resolution, network="compact").divisor == 16


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        ({"width": 0}, "config.width is 0; expected 1 or more"),
        ({"body_width": -3}, "config.body_width is -3"),
        ({"donors": 0}, "config.donors is 0"),
        ({"least_area": 1.5}, "config.least_area is 1.5; expected a share, 0 to 1"),
        ({"elision_share": -0.1}, "config.elision_share is -0.1"),
        ({"transfer_share": 2}, "config.transfer_share is 2"),
        ({"resolution": 300}, "config.resolution is 300; expected 256, 512 or 1024"),
        ({"working_rows": 48}, "config.working_rows is 48; expected a multiple of 32"),
        ({"working_rows": 0}, "config.working_rows is 0"),
    ],
)
def test_what_cannot_be_is_named(setting: dict[str, Any], told: str) -> None:
    with pytest.raises(RecipeError, match=told):
        SimsConfig(num_classes=12, **setting)
