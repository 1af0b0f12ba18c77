"""Any synthesizer serves an edit: what is kept, what is matched, where the seam goes."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from scenebrush.methods.base import Style
from scenebrush.methods.synthesis_editing import blend_seam, edit_by_synthesis, match_colors
from scenebrush.scene import operations
from scenebrush.scene.edit import Edit
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene
from tests.methods.synthesizers import CAR, ROAD, SKY, photo_of, street


class Painter:
    """Draws every class in one colour, with grain; remembers what it was asked."""

    name = "painter"

    def __init__(self, offset: int = 0) -> None:
        self.offset = offset
        self.asked: list[tuple[Layout, int, Style | None]] = []

    def synthesize(self, layout: Layout, *, seed: int = 0, style: Style | None = None) -> np.ndarray:
        self.asked.append((layout, seed, style))
        colors = layout.label_set.colors(layout.label_map).astype(int) + self.offset
        return np.clip(colors, 0, 255).astype(np.uint8)

    def varies(self, style: Style | None = None) -> bool:
        return False


@pytest.fixture
def scene(camvid: LabelSet) -> Scene:
    layout = street(camvid)
    return Scene(photo_of(layout), layout)


def test_the_new_layout_is_drawn_whole_and_only_the_hole_is_taken(scene: Scene) -> None:
    painter = Painter()
    edit = operations.erase(scene, at=(14, 25))
    after = edit_by_synthesis(painter, scene, edit, seed=5)
    ((layout, seed, style),) = painter.asked
    assert layout is edit.layout and seed == 5 and style is None
    assert np.array_equal(after[~edit.hole], scene.photo[~edit.hole])
    assert (after[edit.hole] != scene.photo[edit.hole]).any(-1).mean() > 0.9


def test_the_look_asked_for_is_that_of_the_visible_photo(scene: Scene) -> None:
    painter = Painter()
    edit = operations.erase(scene, at=(14, 25))
    edit_by_synthesis(painter, scene, edit, photo_style=True)
    style = painter.asked[0][2]
    assert style is not None and style.layout is edit.layout and style.photo is not None
    assert np.array_equal(style.visible, ~edit.hole)
    assert np.array_equal(style.photo[~edit.hole], scene.photo[~edit.hole])
    black = Scene(np.where(edit.hole[..., None], 0, scene.photo).astype(np.uint8), scene.layout)
    edit_by_synthesis(painter, black, edit, photo_style=True)
    assert np.array_equal(painter.asked[1][2].photo, style.photo)  # type: ignore[union-attr]  # no truth can leak


def test_a_carried_object_keeps_its_own_pixels(scene: Scene) -> None:
    edit = operations.move(scene, (30, 25), (20, 8))
    after = edit_by_synthesis(Painter(), scene, edit).astype(int)
    assert np.abs(after[32:38, 48:54].mean((0, 1)) - (20, 160, 60)).max() < 12


def test_a_hole_that_is_everything_gives_the_synthesizers_own_picture(scene: Scene) -> None:
    whole = Edit(np.ones(scene.layout.shape, bool), scene.layout)
    painter = Painter()
    after = edit_by_synthesis(painter, scene, whole, photo_style=True)
    assert np.array_equal(after, painter.synthesize(scene.layout)) and painter.asked[0][2] is None


def test_no_hole_no_work(scene: Scene) -> None:
    painter = Painter()
    nothing = Edit(np.zeros(scene.layout.shape, bool), scene.layout)
    assert np.array_equal(edit_by_synthesis(painter, scene, nothing), scene.photo) and not painter.asked


def test_colours_are_matched_to_the_photos_class_by_class(scene: Scene) -> None:
    hole = np.zeros(scene.layout.shape, bool)
    hole[40:48, 20:50] = True
    colors = scene.layout.label_set.colors(scene.layout.label_map)
    photo = np.clip(colors.astype(int) + (8, -3, 4), 0, 255).astype(np.uint8)
    matched = match_colors(colors, photo, scene.layout.label_map, hole)
    assert np.abs(matched[hole] - photo[hole]).max() < 3
    rim = ndimage.binary_dilation(hole)
    assert np.abs(matched[rim] - photo[rim]).max() < 3  # or the seam would be evened out twice
    far = ~ndimage.binary_dilation(hole, np.ones((3, 3)))
    assert np.array_equal(matched[far], colors[far])


def test_a_tint_of_the_whole_picture_leaves_no_trace(scene: Scene) -> None:
    hole = np.zeros(scene.layout.shape, bool)
    hole[15:45, 20:50] = True
    flat = Scene(scene.layout.label_set.colors(scene.layout.label_map), scene.layout)
    after = edit_by_synthesis(Painter(offset=9), flat, Edit(hole, scene.layout)).astype(int)
    assert np.abs(after - flat.photo)[hole].max() <= 4


def test_a_step_at_the_rim_is_evened_out_inside_a_class_and_kept_between_two() -> None:
    hole = np.zeros((120, 120), bool)
    hole[10:110, 10:110] = True
    labels = np.full(hole.shape, ROAD)
    photo, drawn = np.full((*hole.shape, 3), 100, np.uint8), np.full((*hole.shape, 3), 140.0)
    blended = blend_seam(drawn, photo, labels, hole)
    assert np.abs(blended[10, 12:108] - 100).max() < 12  # was 40
    assert np.abs(blended[60, 60] - 140).max() < 4  # what lies deep is the network's own
    assert (np.diff(blended[10:60, 60, 0]) >= -0.5).all()  # and no step on the way
    assert np.array_equal(blended[~hole], drawn[~hole])
    labels[hole] = CAR
    assert np.abs(blend_seam(drawn, photo, labels, hole) - drawn).max() < 1e-3


def test_a_hole_at_the_pictures_border_is_blended_too() -> None:
    hole = np.zeros((30, 40), bool)
    hole[:, :15] = True
    labels = np.full((30, 40), SKY)
    blended = blend_seam(np.full((30, 40, 3), 140.0), np.full((30, 40, 3), 100, np.uint8), labels, hole)
    assert np.abs(blended[:, 14] - 100).max() < 12 and np.isfinite(blended).all()
