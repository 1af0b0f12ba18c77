"""Fixtures for the data tests: a small scene folder of toy scenes."""

from __future__ import annotations

from pathlib import Path

import pytest

from scenebrush.data import SplitInMemory
from scenebrush.data.toy import write_toy_folder


@pytest.fixture(scope="session")
def toy_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene folder with a `train` split of 8 toy scenes of 256x192."""
    return write_toy_folder(tmp_path_factory.mktemp("toy"), 8, "train", seed=3)


@pytest.fixture(scope="session")
def toy_split(toy_folder: Path) -> SplitInMemory:
    return SplitInMemory(toy_folder, "train")


@pytest.fixture(scope="session")
def camvid_val(shared: Path) -> SplitInMemory:
    """Real street photos: 101 of 480x360."""
    return SplitInMemory(shared / "data" / "camvid", "val")
