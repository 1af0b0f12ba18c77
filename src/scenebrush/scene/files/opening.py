"""Opening picture files of unknown quality: every fault becomes one clear line."""

from __future__ import annotations

import struct
import threading
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from PIL import Image, UnidentifiedImageError

from scenebrush.errors import InputError

MAX_MEGAPIXELS = 100.0
"""The default limit of a picture's size; every reader takes another as an argument."""

# What Pillow's decoders raise on damaged files, besides OSError.
_DAMAGE = (OSError, SyntaxError, ValueError, EOFError, IndexError, struct.error, zlib.error)
_pillow_limit = threading.Lock()


@contextmanager
def open_picture(path: str | Path, max_megapixels: float | None = MAX_MEGAPIXELS) -> Iterator[Image.Image]:
    """Yields a picture with all its pixels decoded.

    Args:
        path: the file.
        max_megapixels: the largest picture to accept, checked before any pixel is decoded; None = no limit.

    Raises:
        InputError: missing, no picture, truncated, or larger than the limit.
    """
    path = Path(path)
    image = _open_header(path)
    with image:
        _check_size(path, image, max_megapixels)
        try:
            image.load()
        except _DAMAGE as error:
            raise InputError(f"{path} is truncated or damaged ({error}); copy or export it again") from error
        yield image


def _open_header(path: Path) -> Image.Image:
    if not path.is_file():
        kind = "is a folder, not a picture" if path.is_dir() else "does not exist"
        raise InputError(f"{path} {kind}; give the path of a picture file")
    try:
        return _open_unguarded(path)
    except UnidentifiedImageError as error:
        size = path.stat().st_size
        raise InputError(f"{path} ({size} bytes) is no picture that can be read; save it as PNG or JPEG") from error
    except PermissionError as error:
        raise InputError(f"{path} may not be read ({error.strerror}); change its permissions") from error
    except _DAMAGE as error:
        raise InputError(f"{path} is truncated or damaged ({error}); copy or export it again") from error


def _open_unguarded(path: Path) -> Image.Image:
    """Opens without Pillow's own size guard: ours is checked next, and the user can raise it."""
    with _pillow_limit:
        guard, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            return Image.open(path)
        finally:
            Image.MAX_IMAGE_PIXELS = guard


def _check_size(path: Path, image: Image.Image, max_megapixels: float | None) -> None:
    if max_megapixels is not None and not max_megapixels > 0:
        raise InputError(f"--max-megapixels is {max_megapixels:g}; give a limit above 0")
    megapixels = image.width * image.height / 1e6
    if max_megapixels is not None and megapixels > max_megapixels:
        raise InputError(
            f"{path} has {megapixels:.1f} megapixels ({image.width}x{image.height}); the limit is"
            f" {max_megapixels:g}; scale it down or raise the limit (--max-megapixels)"
        )
