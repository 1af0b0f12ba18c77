"""Photos: what is read, what survives saving, and bad files."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

import numpy as np
import pytest
from PIL import Image, ImageCms

from scenebrush.errors import InputError
from scenebrush.scene.files import PhotoFile, open_picture, read_photo, write_photo, write_whole

ORIENTATION, MAKER = 0x0112, 0x010F


@pytest.fixture
def pixels() -> np.ndarray:
    rows, columns = np.mgrid[0:24, 0:32]
    return np.stack([rows * 10, columns * 8, (rows + columns) * 4], axis=2).astype(np.uint8)


def _exif(**tags: int | str) -> Image.Exif:
    exif = Image.Exif()
    for name, value in tags.items():
        exif[{"orientation": ORIENTATION, "maker": MAKER}[name]] = value
    return exif


def test_png_round_trip_is_exact(tmp_path: Path, pixels: np.ndarray) -> None:
    photo = read_photo(write_photo(tmp_path / "a.png", pixels))
    np.testing.assert_array_equal(photo.pixels, pixels)
    assert photo.format == "PNG" and photo.alpha is None and not photo.pixels.flags.writeable


@pytest.mark.parametrize(("orientation", "turn"), [(3, 2), (6, 3), (8, 1)])
def test_orientation_is_applied_and_removed(tmp_path: Path, pixels: np.ndarray, orientation: int, turn: int) -> None:
    Image.fromarray(pixels).save(tmp_path / "a.png", exif=_exif(orientation=orientation, maker="Brush"))
    photo = read_photo(tmp_path / "a.png")
    np.testing.assert_array_equal(photo.pixels, np.rot90(pixels, turn))
    with Image.open(write_photo(tmp_path / "b.jpg", photo.pixels, photo)) as saved:
        assert saved.getexif().get(ORIENTATION, 1) == 1 and saved.getexif()[MAKER] == "Brush"


def test_exif_profile_resolution_and_format_survive(tmp_path: Path, pixels: np.ndarray) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = _exif(maker="Brush").tobytes()
    Image.fromarray(pixels).save(tmp_path / "a.jpg", exif=exif, icc_profile=profile, dpi=(300, 300), quality=80)
    photo = read_photo(tmp_path / "a.jpg")
    assert photo.format == "JPEG"
    with Image.open(write_photo(tmp_path / "b.jpg", photo.pixels, photo)) as saved:
        assert saved.format == "JPEG" and saved.info["icc_profile"] == profile and saved.info["exif"] == exif
        assert saved.info["dpi"] == (300, 300)


def test_jpeg_keeps_its_quality(tmp_path: Path, pixels: np.ndarray) -> None:
    Image.fromarray(pixels).save(tmp_path / "a.jpg", quality=60, subsampling=2)
    photo = read_photo(tmp_path / "a.jpg")
    write_photo(tmp_path / "b.jpg", photo.pixels, photo)
    with Image.open(tmp_path / "a.jpg") as before, Image.open(tmp_path / "b.jpg") as after:
        assert before.quantization == after.quantization
        again = np.abs(np.asarray(before).astype(int) - np.asarray(after))
    assert again.mean() < 0.5  # saved with the same tables, the same picture comes out nearly unchanged


def test_opacity_is_kept(tmp_path: Path, pixels: np.ndarray) -> None:
    alpha = np.full(pixels.shape[:2], 255, np.uint8)
    alpha[:5] = 40
    Image.fromarray(np.dstack([pixels, alpha])).save(tmp_path / "a.png")
    photo = read_photo(tmp_path / "a.png")
    np.testing.assert_array_equal(photo.pixels, pixels)
    with Image.open(write_photo(tmp_path / "b.png", photo.pixels, photo)) as saved:
        np.testing.assert_array_equal(np.asarray(saved)[:, :, 3], alpha)
    with Image.open(write_photo(tmp_path / "c.jpg", photo.pixels, photo)) as saved:
        assert saved.mode == "RGB"


def test_grey_and_16_bit_and_cmyk_become_rgb(tmp_path: Path) -> None:
    grey = np.arange(0, 240, 10, dtype=np.uint8).reshape(4, 6)
    Image.fromarray(grey).save(tmp_path / "grey.png")
    Image.fromarray(grey.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    Image.new("CMYK", (6, 4), (0, 255, 255, 0)).save(tmp_path / "cmyk.jpg", icc_profile=b"not of RGB")
    for name in ("grey.png", "deep.png"):
        np.testing.assert_array_equal(read_photo(tmp_path / name).pixels, np.repeat(grey[:, :, None], 3, 2))
    cmyk = read_photo(tmp_path / "cmyk.jpg")
    assert cmyk.pixels[0, 0, 0] > 200 and cmyk.pixels[0, 0, 1] < 60 and cmyk.icc_profile is None


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".bmp"])
def test_every_format_is_written_with_metadata(tmp_path: Path, pixels: np.ndarray, suffix: str) -> None:
    like = PhotoFile(pixels, exif=_exif(maker="Brush").tobytes(), dpi=(72.0, 72.0), alpha=pixels[:, :, 0])
    photo = read_photo(write_photo(tmp_path / f"a{suffix}", pixels, like))
    assert np.abs(photo.pixels.astype(int) - pixels).max() <= (12 if suffix == ".jpg" else 0)


def test_a_tiff_keeps_exif_and_profile(tmp_path: Path, pixels: np.ndarray) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    exif = _exif(maker="Brush", orientation=6)
    exif.get_ifd(0x8769)[0x9003] = "2026:11:20 18:00:00"
    exif.get_ifd(0x8825)[1] = "N"
    Image.fromarray(pixels).save(tmp_path / "a.tif", exif=exif.tobytes(), icc_profile=profile, dpi=(300, 300))
    photo = read_photo(tmp_path / "a.tif")
    np.testing.assert_array_equal(photo.pixels, np.rot90(pixels, 3))
    for name in ("b.tif", "b.jpg"):
        with Image.open(write_photo(tmp_path / name, photo.pixels, photo)) as saved:
            tags = saved.getexif()
            assert tags[MAKER] == "Brush" and tags.get(ORIENTATION, 1) == 1 and saved.size == (24, 32)
            assert tags.get_ifd(0x8769)[0x9003] == "2026:11:20 18:00:00" and tags.get_ifd(0x8825)[1] == "N"
            assert saved.info["icc_profile"] == profile and saved.info["dpi"] == (300, 300)


@pytest.mark.parametrize("compression", ["tiff_lzw", "tiff_adobe_deflate", "jpeg"])
def test_a_packed_tiff_is_written_plain(tmp_path: Path, pixels: np.ndarray, compression: str) -> None:
    Image.fromarray(pixels).save(tmp_path / "a.tif", exif=_exif(maker="Brush"), compression=compression)
    photo = read_photo(tmp_path / "a.tif")
    with Image.open(write_photo(tmp_path / "b.tif", photo.pixels, photo)) as saved:
        assert saved.getexif()[MAKER] == "Brush" and saved.info["compression"] == "raw"
        np.testing.assert_array_equal(np.asarray(saved), photo.pixels)


def test_missing_folder_no_picture_and_truncated(tmp_path: Path, pixels: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"nowhere\.jpg does not exist"):
        read_photo(tmp_path / "nowhere.jpg")
    with pytest.raises(InputError, match="is a folder"):
        read_photo(tmp_path)
    (tmp_path / "text.png").write_text("hello")
    with pytest.raises(InputError, match=r"text\.png \(5 bytes\) is no picture"):
        read_photo(tmp_path / "text.png")
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    for name in ("cut.png", "cut.jpg"):
        whole = write_photo(tmp_path / name, noise).read_bytes()
        for length in (len(whole) // 2, len(whole) * 9 // 10):
            (tmp_path / name).write_bytes(whole[:length])
            with pytest.raises(InputError, match=rf"{name} is truncated or damaged"):
                read_photo(tmp_path / name)


def test_damaged_everywhere_is_one_error(tmp_path: Path, pixels: np.ndarray) -> None:
    """Whatever byte is wrong, the answer is a picture or an `InputError`, never another exception."""
    whole = write_photo(tmp_path / "a.png", pixels).read_bytes()
    for position in range(8, len(whole), 7):
        (tmp_path / "b.png").write_bytes(whole[:position] + bytes([whole[position] ^ 0x55]) + whole[position + 1 :])
        try:
            read_photo(tmp_path / "b.png")
        except InputError as error:
            assert "b.png" in str(error) and "\n" not in str(error)


def test_too_many_megapixels(tmp_path: Path) -> None:
    Image.new("1", (20000, 10000)).save(tmp_path / "huge.png")  # beyond Pillow's own limit too
    with pytest.raises(InputError, match=r"200\.0 megapixels \(20000x10000\); the limit is 100"):
        read_photo(tmp_path / "huge.png")
    Image.new("1", (200, 100)).save(tmp_path / "small.png")
    with pytest.raises(InputError, match=r"the limit is 0\.01"):
        read_photo(tmp_path / "small.png", max_megapixels=0.01)
    assert read_photo(tmp_path / "small.png", max_megapixels=None).pixels.shape == (100, 200, 3)
    for limit in (0, -1, float("nan")):
        with pytest.raises(InputError, match=r"max-megapixels is .*; give a limit above 0"):
            read_photo(tmp_path / "small.png", max_megapixels=limit)


def test_the_limit_can_be_raised_beyond_pillows(tmp_path: Path) -> None:
    guard = Image.MAX_IMAGE_PIXELS
    Image.new("1", (20000, 10000)).save(tmp_path / "huge.png")
    with open_picture(tmp_path / "huge.png", max_megapixels=300) as image:
        assert image.size == (20000, 10000)
    assert guard == Image.MAX_IMAGE_PIXELS


def test_written_whole_or_not_at_all(tmp_path: Path, pixels: np.ndarray) -> None:
    path = write_photo(tmp_path / "a.png", pixels)
    before = path.read_bytes()

    def broken(file: BinaryIO) -> None:
        file.write(b"half")
        raise ValueError("half way")

    with pytest.raises(ValueError, match="half way"):
        write_whole(path, broken)
    assert path.read_bytes() == before and [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_bad_places_and_pixels(tmp_path: Path, pixels: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"end it in \.png or \.jpg"):
        write_photo(tmp_path / "a.gif", pixels)
    with pytest.raises(InputError, match=r"the folder .*missing does not exist"):
        write_photo(tmp_path / "missing" / "a.png", pixels)
    with pytest.raises(InputError, match=r"uint8 \(H, W, 3\)"):
        write_photo(tmp_path / "a.png", pixels.astype(float))
