"""The demo: what it writes, and that its pictures are what it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenebrush.demo import CAPTIONS, demo_edits, demo_scene, make_demo, sheet
from scenebrush.errors import InputError, ModelError
from scenebrush.scene import Scene

SKY, SHORE, WATER, FOLIAGE, BUILDING = 1, 3, 2, 4, 6


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("demo") / "pictures"
    told: list[tuple[int, int]] = []
    make_demo(out, report=lambda done, total: told.append((done, total)))
    assert told == [(number, len(CAPTIONS)) for number in range(1, len(CAPTIONS) + 1)]
    return out


def opened(folder: Path, name: str) -> Scene:
    maps = (folder / f"{name}.labels.png", folder / "classes.json", folder / f"{name}.instances.png")
    return Scene.open(folder / f"{name}.png", *maps)


def test_it_makes_at_least_three_edits_and_a_sheet(made):
    assert len(CAPTIONS) >= 3
    assert {"before.png", "after.png", "sheet.png", "before-after.png", "classes.json"} <= {
        p.name for p in made.iterdir()
    }
    with Image.open(made / "sheet.png") as page:
        assert page.width >= 2 * 640 and page.height >= 2 * 427


def test_every_edit_leaves_the_rest_of_the_photo_alone(made):
    scene = opened(made, "before")
    np.testing.assert_array_equal(scene.photo, demo_scene().photo)
    for edit in demo_edits(made):
        after, hole = opened(made, f"after-{edit.name}"), edit.operation(scene).hole
        np.testing.assert_array_equal(after.photo[~hole], scene.photo[~hole])
        assert (after.photo[hole] != scene.photo[hole]).any()
        scene = after


def test_sky_shore_and_lake_go_on_behind_the_erased_tree(made):
    before, after = opened(made, "before"), opened(made, "after-1-erased")
    assert before.layout.label_map[300, 600] not in after.layout.label_map[250:, 600:]
    column = after.layout.label_map[:, 630].tolist()
    assert list(dict.fromkeys(column)) == [SKY, SHORE, WATER, FOLIAGE]
    # The horizon lies at 203 at the tree's left side, and level.
    assert abs(column.index(SHORE) - 203) <= 4 and abs(column.index(WATER) - 221) <= 5


def test_no_ghost_of_the_tree_is_left_in_the_sky(made):
    before, after = opened(made, "before"), opened(made, "after-1-erased")
    sky = (after.layout.label_map == SKY) & (before.layout.label_map != SKY)
    around = (before.layout.label_map == SKY)[:, 480:560]
    told = before.photo[:, 480:560][around].astype(float)[-4000:]
    new = after.photo[sky].astype(float)
    assert np.abs(new.mean(0) - told.mean(0)).max() < 12
    assert new.mean(1).min() > told.mean(1).min() - 12
    assert before.photo[(before.layout.label_map != SKY) & sky].mean(1).min() < 100  # the tree was dark


def test_the_added_pavilion_is_its_own_object_and_stays_behind_the_foliage(made):
    before, after = opened(made, "after-2-widened"), opened(made, "after-3-added")
    assert before.layout.instance_map is not None and after.layout.instance_map is not None
    new = after.layout.instance_map == after.layout.instance_map.max()
    assert new.sum() > 4000 and set(after.layout.label_map[new]) == {BUILDING}
    foliage = before.layout.label_map == FOLIAGE
    np.testing.assert_array_equal(after.photo[foliage], before.photo[foliage])


def test_the_island_is_wider(made):
    before, after = opened(made, "after-1-erased"), opened(made, "after-2-widened")
    widths = [np.ptp(np.nonzero((s.layout.label_map == 7).any(0))[0]) for s in (before, after)]
    assert widths[1] > 1.3 * widths[0]


def test_a_folder_that_cannot_be_made_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="file"):
        make_demo(tmp_path / "file" / "pictures")


def test_an_unknown_model_leaves_no_folder(tmp_path):
    with pytest.raises(ModelError, match="did you mean 'canvas'"):
        make_demo(tmp_path / "pictures", "canvsa")
    assert not (tmp_path / "pictures").exists()


def test_a_sheet_holds_every_picture_at_full_size():
    pictures = [(str(k), np.full((20, 30, 3), 40 * k, np.uint8)) for k in range(1, 4)]
    page = sheet(pictures, columns=2)
    for k in range(1, 4):
        assert np.count_nonzero((page == 40 * k).all(-1)) >= 20 * 30
