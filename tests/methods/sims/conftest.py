"""Fixtures: a bank of toy streets, made once."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from scenebrush.methods.sims.bank import Bank
from scenebrush.scene.scene import Scene
from tests.methods.sims.toy_banks import toy_street, write_bank


@pytest.fixture(scope="session")
def toy_bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bank]:
    """Twelve toy streets of 128x96."""
    with Bank.open(write_bank(tmp_path_factory.mktemp("toy_bank"))) as bank:
        yield bank


@pytest.fixture(scope="session")
def street() -> Scene:
    """A toy street of 128x96 that the bank does not have."""
    return toy_street()
