"""A small street on disk, and the command line run in this process."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image, ImageCms

from scenebrush.cli import main
from tests.cli.street import Street


@dataclass
class Outcome:
    """What a command did."""

    code: int
    out: str
    err: str


@pytest.fixture
def street(tmp_path: Path) -> Street:
    return Street.write(tmp_path)


@pytest.fixture
def jpeg(street: Street) -> Path:
    """The street's photo as a JPEG with a camera's name and a colour profile."""
    exif = Image.Exif()
    exif[0x0110] = "Scene camera"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = street.folder / "photo.jpg"
    with Image.open(street.photo) as image:
        image.save(path, quality=92, exif=exif, icc_profile=profile)
    return path


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Runs the command line: `run("edit", "photo.png", ...)`."""

    def command(*argv: str) -> Outcome:
        capsys.readouterr()
        code = main([str(word) for word in argv])
        printed = capsys.readouterr()
        return Outcome(code, printed.out, printed.err)

    return command
