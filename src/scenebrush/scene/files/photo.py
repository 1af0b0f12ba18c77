"""Photos: pixels to edit, and what has to survive the editing (EXIF, colour profile, format)."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageOps, JpegImagePlugin

from scenebrush.errors import InputError
from scenebrush.scene.files.opening import MAX_MEGAPIXELS, open_picture
from scenebrush.scene.files.writing import write_whole

_ORIENTATION = 0x0112
# Profiles of grey or CMYK pictures do not describe the RGB pixels that are kept.
_RGB_MODES = ("RGB", "RGBA", "P", "PA", "RGBX")
# Of a TIFF's tags those that tell of the photo; the others tell how the file is laid out, which a new file does anew.
_EXIF_TAGS = frozenset(
    [270, 271, 272, 285, 305, 306, 315, 316, 700, 33432, 33723, 0x8769, 0x8825, *range(0x9C9B, 0x9CA0)]
)
_TRANSPARENT = ("PNG", "WEBP", "TIFF")
_SUFFIXES = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
}
PHOTO_SUFFIXES = tuple(_SUFFIXES)
"""The file name endings that photos are read from and written to."""


@dataclass(frozen=True, eq=False)
class PhotoFile:
    """A photo as it lies on disk.

    Args:
        pixels: uint8 (H, W, 3) RGB, upright (the EXIF orientation is applied); read-only.
        format: Pillow's name of the format ("JPEG", "PNG", ...).
        exif: EXIF block with the orientation removed, or None.
        icc_profile: colour profile of the RGB pixels, or None.
        dpi: dots per inch (x, y), or None.
        alpha: uint8 (H, W) opacity, or None.
        jpeg: quantization tables and chroma subsampling of a JPEG, so that saving loses as little as it can.
        path: where it was read from, or None.
    """

    pixels: np.ndarray
    format: str = "PNG"
    exif: bytes | None = None
    icc_profile: bytes | None = None
    dpi: tuple[float, float] | None = None
    alpha: np.ndarray | None = None
    jpeg: dict[str, Any] = field(default_factory=dict)
    path: Path | None = None


def read_photo(path: str | Path, *, max_megapixels: float | None = MAX_MEGAPIXELS) -> PhotoFile:
    """Returns a photo with its metadata, turned upright.

    Grey, palette, CMYK, 16-bit and transparent pictures become RGB; opacity is kept beside it.

    Raises:
        InputError: missing, no picture, truncated, or larger than the limit.
    """
    with open_picture(path, max_megapixels) as image:
        name, source_mode, info = image.format or "PNG", image.mode, dict(image.info)
        if source_mode == "F":
            raise InputError(f"{path} holds floating-point pixels; save it with 8 or 16 bits a channel")
        jpeg = _jpeg_settings(image)
        upright = ImageOps.exif_transpose(image)
        pixels, alpha = _rgb(upright)
        return PhotoFile(
            pixels=pixels,
            format="JPEG" if name == "MPO" else name,
            exif=_exif(image, upright),
            icc_profile=info.get("icc_profile") if source_mode in _RGB_MODES else None,
            dpi=_dpi(info.get("dpi")),
            alpha=alpha,
            jpeg=jpeg,
            path=Path(path),
        )


def write_photo(path: str | Path, pixels: np.ndarray, like: PhotoFile | None = None) -> Path:
    """Writes uint8 (H, W, 3) pixels in the format of the path's ending, whole or not at all; returns the path.

    Args:
        path: where to; a JPEG written like a JPEG of the same photo keeps its quality settings.
        pixels: the picture.
        like: the photo that it was made from; its EXIF, profile, resolution and opacity are written too.

    Raises:
        InputError: an unknown ending, pixels that are no photo, or a place that cannot be written to.
    """
    path = Path(path)
    file_format = photo_format(path)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3:
        raise InputError(f"{path}: a photo is uint8 (H, W, 3); these pixels are {pixels.dtype} {pixels.shape}")
    image = Image.fromarray(np.ascontiguousarray(pixels))
    alpha = like.alpha if like is not None and file_format in _TRANSPARENT else None
    if alpha is not None and alpha.shape == pixels.shape[:2]:
        image.putalpha(Image.fromarray(alpha))
    options = _save_options(file_format, like)

    def save(file: BinaryIO) -> None:
        image.save(file, format=file_format, **options)

    return write_whole(path, save)


def photo_format(path: str | Path) -> str:
    """Returns Pillow's name of the format that the path's ending stands for, or raises `InputError`."""
    path = Path(path)
    if path.suffix.lower() not in _SUFFIXES:
        raise InputError(f"{path}: cannot write {path.suffix or 'a name without ending'!r}; end it in .png or .jpg")
    return _SUFFIXES[path.suffix.lower()]


def _rgb(image: Image.Image) -> tuple[np.ndarray, np.ndarray | None]:
    if image.mode.startswith("I"):  # 16-bit grey; Pillow's own conversion would clip it at 255
        values = np.asarray(image).astype(np.float64)
        scale = 257.0 if values.max(initial=0) > 255 else 1.0
        grey = np.clip(values / scale + 0.5, 0, 255).astype(np.uint8)
        return _frozen(np.repeat(grey[:, :, None], 3, axis=2)), None
    if image.has_transparency_data:
        rgba = np.asarray(image.convert("RGBA"))
        opaque = bool((rgba[:, :, 3] == 255).all())
        return _frozen(rgba[:, :, :3]), None if opaque else _frozen(rgba[:, :, 3])
    return _frozen(np.asarray(image.convert("RGB"))), None


def _frozen(array: np.ndarray) -> np.ndarray:
    copy = np.array(array)
    copy.flags.writeable = False
    return copy


def _exif(image: Image.Image, upright: Image.Image) -> bytes | None:
    if image.format == "TIFF":
        return _tiff_exif(image.getexif())
    raw = image.info.get("exif")
    if not raw and not image.getexif():
        return None
    if isinstance(raw, bytes) and image.getexif().get(_ORIENTATION, 1) == 1:
        return raw  # nothing to change: keep every byte
    return upright.getexif().tobytes() or None


def _tiff_exif(tags: Image.Exif) -> bytes | None:
    """Returns the EXIF block of a TIFF, whose tags lie among those of its layout; the orientation is applied."""
    for tag in [tag for tag in tags if tag not in _EXIF_TAGS]:
        del tags[tag]
    return tags.tobytes() if len(tags) else None


def _dpi(value: object) -> tuple[float, float] | None:
    if isinstance(value, tuple) and len(value) == 2 and all(float(v) > 0 for v in value):
        return float(value[0]), float(value[1])
    return None


def _jpeg_settings(image: Image.Image) -> dict[str, Any]:
    if not isinstance(image, JpegImagePlugin.JpegImageFile) or image.mode != "RGB":
        return {}
    settings: dict[str, Any] = {"qtables": {k: list(v) for k, v in image.quantization.items()}}
    sampling = JpegImagePlugin.get_sampling(image)
    if sampling >= 0:
        settings["subsampling"] = sampling
    if image.info.get("progressive"):
        settings["progressive"] = True
    return settings


def _save_options(file_format: str, like: PhotoFile | None) -> dict[str, Any]:
    options: dict[str, Any] = {}
    if file_format == "JPEG":
        options = dict(like.jpeg) if like is not None and like.jpeg else {"quality": 95, "subsampling": 0}
    elif file_format == "WEBP":
        options = {"lossless": True, "exact": True}  # also the colours of transparent pixels
    if like is None:
        return options
    for name in ("exif", "icc_profile", "dpi"):
        value = getattr(like, name)
        if value and not (file_format == "BMP" and name != "dpi"):
            options[name] = value
    return options
