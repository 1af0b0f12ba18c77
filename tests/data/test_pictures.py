"""Training pictures: what is cut, that it depends on the index alone, that maps and photo stay together."""

from __future__ import annotations

import numpy as np
import pytest

from scenebrush.data.pictures import TrainingPictures, largest_scale
from scenebrush.data.split_in_memory import LabelledPhoto, SplitInMemory
from scenebrush.errors import InputError
from scenebrush.scene.label_set import LabelSet

CAMVID = LabelSet.load("camvid")
WIDTH, HEIGHT = 48, 36


def photo(number: int) -> LabelledPhoto:
    """A photo whose red says the column, whose green says the row, and whose maps say both in their own way."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH].astype(np.uint8)
    pixels = np.stack([columns * 5, rows * 5, np.full_like(rows, number)], -1)
    return LabelledPhoto(f"p{number}", pixels, columns // 6, (rows // 6 + 1).astype(np.uint8))


@pytest.fixture(scope="module")
def photos() -> SplitInMemory:
    return SplitInMemory.of([photo(i) for i in range(3)], CAMVID)


def test_a_picture_depends_on_seed_and_index_alone(photos: SplitInMemory) -> None:
    first, again = (TrainingPictures(photos, size=(16, 12), scales=(1, 3), seed=4) for _ in range(2))
    backwards = {i: again[i] for i in (7, 2, 0)}
    for index, other in backwards.items():
        assert np.array_equal(first[index].photo, other.photo)
        assert first[index].box == other.box
    boxes = {TrainingPictures(photos, size=(16, 12), scales=(1, 3), seed=s)[0].box for s in range(8)}
    assert len(boxes) > 1


def test_all_photos_come_equally_often(photos: SplitInMemory) -> None:
    stream = TrainingPictures(photos, size=(16, 12))
    assert [stream[i].stem for i in range(7)] == ["p0", "p1", "p2", "p0", "p1", "p2", "p0"]


def test_photo_and_maps_show_the_same_place(photos: SplitInMemory) -> None:
    stream = TrainingPictures(photos, size=(16, 12), scales=(1, 1), seed=1)
    flips = set()
    for index in range(12):
        picture = stream[index]
        flips.add(picture.flipped)
        columns, rows = picture.photo[..., 0] // 5, picture.photo[..., 1] // 5
        assert np.array_equal(picture.label_map, columns // 6)
        assert np.array_equal(picture.instance_map, rows // 6 + 1)
        x0, y0, x1, y1 = picture.box
        assert (x1 - x0, y1 - y0) == (16, 12)
        assert (columns.min(), rows.min()) == (x0, y0)
        assert (columns[0, 0] > columns[0, -1]) == picture.flipped
    assert flips == {True, False}


def test_a_scale_says_how_much_of_the_photo_is_seen(photos: SplitInMemory) -> None:
    for index in range(12):
        x0, y0, x1, y1 = TrainingPictures(photos, size=(16, 12), scales=(1.5, 2.0))[index].box
        assert 24 <= x1 - x0 <= 32
        assert 18 <= y1 - y0 <= 24
    assert largest_scale((WIDTH, HEIGHT), (16, 12)) == 3
    assert TrainingPictures(photos, size=(16, 12), scales=(9, 9))[0].box == (0, 0, WIDTH, HEIGHT)
    assert TrainingPictures(photos, size=(16, 12), scales=(1, 1)).whole(2).box == (0, 0, WIDTH, HEIGHT)
    assert TrainingPictures(photos, size=(12, 12)).whole(2).box == (6, 0, 42, HEIGHT)


def test_colours_change_and_labels_do_not(photos: SplitInMemory) -> None:
    plain, changed = (TrainingPictures(photos, size=(16, 12), color_jitter=j) for j in (0.0, 0.3))
    assert not np.array_equal(plain[0].photo, changed[0].photo)
    assert np.array_equal(plain[0].label_map, changed[0].label_map)


@pytest.mark.parametrize("scales", [(2, 1), (0, 1), (-1, 2)])
def test_a_range_that_is_none_is_refused(photos: SplitInMemory, scales: tuple[float, float]) -> None:
    with pytest.raises(InputError, match="scales"):
        TrainingPictures(photos, scales=scales)
