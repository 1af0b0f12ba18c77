"""Checks on files that come from elsewhere."""

from __future__ import annotations

import hashlib
from pathlib import Path

from scenebrush.errors import ModelError


def check_sha256(path: Path, expected: str) -> None:
    """Raises `ModelError` unless the file exists and its SHA-256 is `expected`."""
    if not path.is_file():
        raise ModelError(f"{path} does not exist; give the downloaded file")
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != expected:
        raise ModelError(f"{path} has sha256 {found}, expected {expected}; download it again")
