"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with real photos (`$SCENEBRUSH_SHARED`, or `shared` beside the repository)."""
    beside = Path(__file__).resolve().parents[1] / ".." / "shared"
    folder = Path(os.environ.get("SCENEBRUSH_SHARED", beside)).resolve()
    if not (folder / "data").is_dir():
        pytest.skip(f"no real photos at {folder}; set SCENEBRUSH_SHARED to the folder that holds data/")
    return folder
