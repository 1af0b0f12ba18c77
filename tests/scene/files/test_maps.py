"""Label maps, instance maps and masks on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenebrush.errors import EditError, InputError, LabelError
from scenebrush.scene import LabelClass, LabelSet, Scene
from scenebrush.scene.files import (
    read_instance_map,
    read_label_map,
    read_mask,
    write_instance_map,
    write_label_map,
    write_photo,
)

CAMVID = LabelSet.load("camvid")
CITYSCAPES = LabelSet.load("cityscapes")
IDS = np.array([[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10, 11]])


def _save(path: Path, array: np.ndarray, **options: object) -> Path:
    Image.fromarray(array).save(path, **options)
    return path


def test_palette_png_round_trip(tmp_path: Path) -> None:
    path = write_label_map(tmp_path / "a.png", IDS, CAMVID)
    found = read_label_map(path, CAMVID)
    np.testing.assert_array_equal(found, IDS)
    assert found.dtype == np.int32
    with Image.open(path) as image:
        assert image.mode == "P"
        np.testing.assert_array_equal(np.asarray(image.convert("RGB")), CAMVID.colors(IDS))


def test_16_bit_round_trip(tmp_path: Path) -> None:
    wide = LabelSet("wide", (LabelClass(3, "a", (1, 1, 1), "stuff"), LabelClass(40000, "b", (2, 2, 2), "thing")))
    ids = np.array([[3, 40000], [40000, 3]])
    path = write_label_map(tmp_path / "a.png", ids, wide)
    with Image.open(path) as image:
        assert image.mode == "I;16"
    np.testing.assert_array_equal(read_label_map(path, wide), ids)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_png(tmp_path: Path, dtype: type) -> None:
    np.testing.assert_array_equal(read_label_map(_save(tmp_path / "a.png", IDS.astype(dtype)), CAMVID), IDS)


def test_colour_map_that_fits_is_accepted(tmp_path: Path) -> None:
    np.testing.assert_array_equal(read_label_map(_save(tmp_path / "a.png", CAMVID.colors(IDS)), CAMVID), IDS)


def test_shared_colours_mean_the_unlabelled_class_first(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.png", CITYSCAPES.colors(np.array([[0, 3], [17, 18]])))
    np.testing.assert_array_equal(read_label_map(path, CITYSCAPES), [[0, 0], [17, 17]])

    last = LabelSet(
        "l", (LabelClass(0, "a", (0, 0, 0), "stuff"), LabelClass(9, "none", (0, 0, 0), "void")), ignore_id=9
    )
    np.testing.assert_array_equal(read_label_map(_save(tmp_path / "b.png", np.zeros((2, 2, 3), np.uint8)), last), 9)


def test_colour_map_that_fits_no_palette(tmp_path: Path) -> None:
    colors = CAMVID.colors(IDS)
    colors[0, :2] = (1, 2, 3)
    with pytest.raises(LabelError, match=r"a\.png is a colour picture .*first \(1, 2, 3\) in 2 pixels.*palette PNG"):
        read_label_map(_save(tmp_path / "a.png", colors), CAMVID)


def test_palette_whose_indices_are_no_ids_is_read_by_colour(tmp_path: Path) -> None:
    image = Image.fromarray((IDS + 20).astype(np.uint8))
    image.putpalette(bytes(60) + CAMVID.colors(np.arange(12)).tobytes())
    image.save(tmp_path / "a.png")
    np.testing.assert_array_equal(read_label_map(tmp_path / "a.png", CAMVID), IDS)


def test_a_colour_map_that_a_program_saved_with_a_palette_is_read_by_colour(tmp_path: Path) -> None:
    """Pillow, GIMP and others number the colours as they please."""
    saved = Image.fromarray(CAMVID.colors(IDS)).quantize(16)
    saved.save(tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as image:
        assert image.mode == "P" and (np.asarray(image) != IDS).any()
    np.testing.assert_array_equal(read_label_map(tmp_path / "a.png", CAMVID), IDS)


@pytest.mark.parametrize("ids", [np.zeros((4, 4), np.uint8), np.full((4, 4), 255, np.uint8), IDS.astype(np.uint8)])
def test_palettes_that_say_nothing_leave_the_ids(tmp_path: Path, ids: np.ndarray) -> None:
    grey = np.repeat(np.arange(256, dtype=np.uint8), 3)
    for name, palette in (("grey", grey), ("voc", np.random.default_rng(0).permutation(768).astype(np.uint8))):
        image = Image.fromarray(ids)
        image.putpalette(palette.tobytes())
        image.save(tmp_path / f"{name}.png")
        expected = np.where(ids == 255, CAMVID.ignore_id, ids)
        np.testing.assert_array_equal(read_label_map(tmp_path / f"{name}.png", CAMVID), expected)


def test_id_outside_the_set(tmp_path: Path) -> None:
    ids = np.zeros((20, 20), np.uint16)
    ids[:17, 0] = 300
    with pytest.raises(LabelError, match=r"0031\.png holds id 300 in 17 pixels; label set 'camvid' has ids 0-11"):
        read_label_map(_save(tmp_path / "0031.png", ids), CAMVID)
    ids[0, 5] = 77
    with pytest.raises(LabelError, match="id 300 in 17 pixels and 1 more id"):
        read_label_map(_save(tmp_path / "0031.png", ids), CAMVID)


def test_255_is_unlabelled_where_the_set_has_such(tmp_path: Path) -> None:
    path = _save(tmp_path / "a.png", np.array([[255, 3]], np.uint8))
    np.testing.assert_array_equal(read_label_map(path, CAMVID), [[11, 3]])
    np.testing.assert_array_equal(read_label_map(path, LabelSet.load("cityscapes_train")), [[255, 3]])
    with pytest.raises(LabelError, match="id 255 in 1 pixel;"):
        read_label_map(path, LabelSet.load("celebamask"))


def test_jpeg_label_map(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match=r"a\.jpg is a JPEG, which blurs ids; save label maps as PNG"):
        read_label_map(_save(tmp_path / "a.jpg", IDS.astype(np.uint8)), CAMVID)
    _save(tmp_path / "a.png", IDS.astype(np.uint8), format="JPEG")  # the name does not hide it
    with pytest.raises(LabelError, match="is a JPEG"):
        read_label_map(tmp_path / "a.png", CAMVID)


def test_truncated_and_too_large(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 12, (80, 80))
    path = write_label_map(tmp_path / "a.png", noise, CAMVID)
    with pytest.raises(InputError, match=r"the limit is 0\.001"):
        read_label_map(path, CAMVID, max_megapixels=0.001)
    path.write_bytes(path.read_bytes()[:-600])
    with pytest.raises(InputError, match=r"a\.png is truncated or damaged"):
        read_label_map(path, CAMVID)


def test_grey_with_opacity_is_no_label_map(tmp_path: Path) -> None:
    Image.new("LA", (4, 4)).save(tmp_path / "a.png")
    with pytest.raises(LabelError, match="is a LA picture"):
        read_label_map(tmp_path / "a.png", CAMVID)


def test_unknown_ids_are_not_written(tmp_path: Path) -> None:
    with pytest.raises(LabelError, match="holds id 12 in 1 pixel"):
        write_label_map(tmp_path / "a.png", np.array([[12]]), CAMVID)
    with pytest.raises(InputError, match=r"end the name in \.png"):
        write_label_map(tmp_path / "a.jpg", IDS, CAMVID)
    with pytest.raises(LabelError, match="70000 do not fit 16 bits"):
        write_instance_map(tmp_path / "a.png", np.array([[70000]]))
    assert not list(tmp_path.iterdir())


def test_instances_round_trip_in_16_bits(tmp_path: Path) -> None:
    labels = np.array([[8, 8, 9], [3, 8, 9]])
    numbers = np.array([[1, 2, 40000], [0, 2, 40000]])
    path = write_instance_map(tmp_path / "a.png", numbers)
    np.testing.assert_array_equal(read_instance_map(path, labels, CAMVID), numbers)


def test_cityscapes_instances(tmp_path: Path) -> None:
    labels = np.array([[7, 26, 26], [7, 26, 33], [24, 24, 33]])
    raw = np.array([[7, 26000, 26001], [7, 26, 33008], [24000, 24000, 33008]], np.uint16)
    found = read_instance_map(_save(tmp_path / "a.png", raw), labels, CITYSCAPES)
    # Consecutive; 33008 is not wrapped to a negative number; a group without number (26) is no instance.
    np.testing.assert_array_equal(found, [[0, 2, 3], [0, 0, 4], [1, 1, 4]])


def test_cityscapes_full_of_objects(tmp_path: Path) -> None:
    labels = np.array([[26, 26, 24]])
    path = _save(tmp_path / "a.png", np.array([[26000, 26001, 24003]], np.uint16))
    np.testing.assert_array_equal(read_instance_map(path, labels, CITYSCAPES), [[2, 3, 1]])


def test_cityscapes_without_objects(tmp_path: Path) -> None:
    labels = np.array([[7, 11], [23, 11]])
    found = read_instance_map(_save(tmp_path / "a.png", labels.astype(np.uint8)), labels, CITYSCAPES)
    assert not found.any()


def test_cityscapes_instances_that_disagree(tmp_path: Path) -> None:
    labels = np.full((4, 4), 26)
    raw = np.full((4, 4), 26001, np.uint16)
    labels[0] = 7
    with pytest.raises(LabelError, match=r"instance 26001 \(class 26\) lies on label 7 \(road\) in 4 pixels"):
        read_instance_map(_save(tmp_path / "a.png", raw), labels, CITYSCAPES)


def test_plain_numbers_above_1000_stay_plain(tmp_path: Path) -> None:
    labels = np.full((40, 50), 8)
    numbers = np.arange(1, 2001).reshape(40, 50)
    path = write_instance_map(tmp_path / "a.png", numbers)
    np.testing.assert_array_equal(read_instance_map(path, labels, CAMVID), numbers)


def test_one_object_numbered_like_its_class_stays_plain(tmp_path: Path) -> None:
    labels = np.array([[0, 1], [0, 1]])
    world = LabelSet("w", (LabelClass(0, "back", (0, 0, 0), "stuff"), LabelClass(1, "cat", (1, 1, 1), "thing")))
    path = write_instance_map(tmp_path / "a.png", labels)
    np.testing.assert_array_equal(read_instance_map(path, labels, world), labels)


def test_instance_of_two_classes(tmp_path: Path) -> None:
    labels = np.array([[8, 8, 9, 3]])
    path = write_instance_map(tmp_path / "a.png", np.array([[7, 7, 7, 0]]))
    with pytest.raises(LabelError, match=r"instance 7 lies on car in 2 pixels and pedestrian in 1 pixels"):
        read_instance_map(path, labels, CAMVID)


def test_instance_map_of_another_size(tmp_path: Path) -> None:
    path = write_instance_map(tmp_path / "a.png", np.zeros((4, 5)))
    with pytest.raises(LabelError, match=r"a\.png is 5x4, its label map 4x5"):
        read_instance_map(path, np.zeros((5, 4), int), CAMVID)


@pytest.mark.parametrize(
    "array",
    [
        np.array([[0, 1], [1, 0]], np.uint8),
        np.array([[0, 8], [8, 0]], np.uint8),
        np.array([[90, 255], [200, 3]], np.uint8),
        np.array([[[0] * 3, [255] * 3], [[250] * 3, [9] * 3]], np.uint8),
        np.array([[[9, 9, 9, 0], [0, 0, 0, 255]], [[0, 0, 0, 200], [9, 9, 9, 0]]], np.uint8),
    ],
    ids=["0 and 1", "class ids", "soft", "colour", "opacity"],
)
def test_masks(tmp_path: Path, array: np.ndarray) -> None:
    np.testing.assert_array_equal(read_mask(_save(tmp_path / "m.png", array)), [[False, True], [True, False]])


def test_empty_mask(tmp_path: Path) -> None:
    with pytest.raises(EditError, match=r"m\.png is empty"):
        read_mask(_save(tmp_path / "m.png", np.zeros((4, 4), np.uint8)))


def test_scene_open(tmp_path: Path) -> None:
    photo = write_photo(tmp_path / "p.png", np.zeros((3, 4, 3), np.uint8))
    labels = write_label_map(tmp_path / "l.png", IDS, CAMVID)
    numbers = write_instance_map(tmp_path / "i.png", (IDS == 8) * 5)
    scene = Scene.open(photo, labels, "camvid", numbers)
    np.testing.assert_array_equal(scene.layout.label_map, IDS)
    np.testing.assert_array_equal(scene.layout.instance_map, (IDS == 8) * 5)
    assert Scene.open(photo, labels, CAMVID).layout.instance_map is None


@pytest.mark.parametrize(("size", "mend"), [((3, 5), "nearest neighbour"), ((4, 3), "EXIF orientation")])
def test_scene_of_different_sizes(tmp_path: Path, size: tuple[int, int], mend: str) -> None:
    photo = write_photo(tmp_path / "p.png", np.zeros((*size, 3), np.uint8))
    labels = write_label_map(tmp_path / "l.png", IDS, CAMVID)
    with pytest.raises(InputError, match=rf"p\.png is {size[1]}x{size[0]} but .*l\.png is 4x3; .*{mend}"):
        Scene.open(photo, labels, "camvid")


def test_every_shared_scene_opens(shared: Path) -> None:
    """One scene of every set that is here, with its instances."""
    from scenebrush.scene import SceneFolder

    for path in sorted((shared / "data").iterdir()):
        if (path / "classes.json").is_file():
            folder = SceneFolder.open(path)
            scene = folder.load(next(folder.iterate()))
            assert set(np.unique(scene.layout.label_map)) <= set(folder.label_set.ids)
