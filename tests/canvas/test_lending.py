"""Objects that nothing brings take the look of one that the photo shows."""

from __future__ import annotations

import numpy as np

from scenebrush.canvas import compose
from scenebrush.canvas.lending import lend
from scenebrush.scene.edit import Carry, Edit
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene

CAMVID = LabelSet.load("camvid")
ROAD, CAR = CAMVID.find("road").id, CAMVID.find("car").id


def wedge(shape: tuple[int, int], x: int, y: int, size: int, *, flip: bool = False) -> np.ndarray:
    """A triangle that is high on its left (or, mirrored, on its right)."""
    rows, columns = np.mgrid[:size, : 2 * size]
    shape_ = rows >= (2 * size - 1 - columns if flip else columns) / 2
    mask = np.zeros(shape, bool)
    mask[y : y + size, x : x + 2 * size] = shape_
    return mask


def street() -> tuple[Scene, np.ndarray]:
    """A red wedge of a car on a grey road."""
    mask = wedge((100, 140), 10, 20, 20)
    photo = np.full((100, 140, 3), 110, np.uint8)
    photo[mask] = (200, 20, 20)
    return Scene(photo, Layout(np.where(mask, CAR, ROAD), CAMVID)), mask


def asked_for(scene: Scene, mask: np.ndarray, carries: tuple[Carry, ...] = ()) -> Edit:
    return Edit(mask, Layout(np.where(mask, CAR, scene.layout.label_map), CAMVID), carries)


def test_a_mirrored_shape_is_lent_mirrored() -> None:
    scene, _ = street()
    region = wedge((100, 140), 70, 55, 30, flip=True)
    (carry,) = lend(scene, asked_for(scene, region))
    assert carry.matrix[0, 0] < 0
    result = compose(scene, asked_for(scene, region), lend=True)
    red = (result.photo[..., 0] > 150) & (result.photo[..., 1] < 80)
    assert np.count_nonzero(red & region) > 0.9 * np.count_nonzero(region)
    assert np.array_equal(result.photo[~region], scene.photo[~region])
    assert not result.carried.any()


def test_the_matrix_maps_box_onto_box() -> None:
    scene, mask = street()
    region = wedge((100, 140), 70, 55, 30)
    (carry,) = lend(scene, asked_for(scene, region))
    corners = carry.matrix @ np.array([[9.5, 48.5], [19.5, 39.5], [1, 1]])
    np.testing.assert_allclose(corners, [[69.5, 128.5], [54.5, 84.5]])
    assert np.array_equal(carry.mask, mask)


def test_nothing_is_lent_where_nothing_fits() -> None:
    scene, _ = street()
    thin = np.zeros((100, 140), bool)
    thin[5:95, 100:104] = True
    assert lend(scene, asked_for(scene, thin)) == ()


def test_what_a_carry_brings_is_not_lent() -> None:
    scene, mask = street()
    region = wedge((100, 140), 70, 55, 20)
    carry = Carry(scene, mask, np.array([[1.0, 0, 60], [0, 1, 35]]), region)
    assert lend(scene, asked_for(scene, region, (carry,))) == ()


def test_an_object_in_the_hole_lends_nothing() -> None:
    scene, mask = street()
    region = wedge((100, 140), 70, 55, 20)
    edit = Edit(mask | region, Layout(np.where(region, CAR, ROAD), CAMVID))
    assert lend(scene, edit) == ()
