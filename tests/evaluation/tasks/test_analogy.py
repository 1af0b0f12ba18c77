"""Task analogy: which layouts are asked for, what an editor sees, and what is wrong with a folder."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from scenebrush.errors import InputError
from scenebrush.evaluation.tasks import TASKS, Sample
from scenebrush.evaluation.tasks.analogy import RIM, analogy_cases
from scenebrush.methods.semia.source import Source
from tests.evaluation.analogy_folder import HORIZONS, write_folder, write_target
from tests.methods.semia.tiny import land, photo_of


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return write_folder(tmp_path / "hills")


def test_each_photo_is_asked_for_in_its_own_layout_and_then_in_its_targets(folder: Path) -> None:
    cases = analogy_cases(Sample(folder, size=256))
    assert [(case.group, case.target) for case in cases] == [
        *(("north", ""), ("north", "north-1"), ("north", "north-2")),
        *(("south", ""), ("south", "south-1"), ("south", "south-2")),
    ]
    own, first, second = cases[:3]
    assert own.truth is own.before
    assert not own.hole.any()
    assert (own.asked == land().label_map).all()
    for case, horizon in ((first, HORIZONS[0]), (second, HORIZONS[1])):
        assert case.truth is None
        assert (case.before == photo_of(land(), 0)).all()
        assert (case.asked == land(horizon=horizon).label_map).all()
    assert TASKS["analogy"].analogies
    assert len(TASKS["analogy"].cases(Sample(folder, size=256))) == 6


def test_an_editor_makes_anew_where_the_layouts_differ_and_sees_nothing_of_it(folder: Path) -> None:
    case = analogy_cases(Sample(folder, size=256))[1]
    assert (case.changed == (land(horizon=0.3).label_map != land().label_map)).all()
    away = ndimage.distance_transform_edt(~case.changed)
    assert (case.hole == (away <= RIM)).all()
    assert not case.scene.photo[case.hole].any()
    assert (case.scene.photo[~case.hole] == case.before[~case.hole]).all()
    assert case.source is not None
    assert (case.source.photo == case.before).all(), "a model may learn from all of the photo"
    assert (case.source.layout.label_map == land().label_map).all()


def test_targets_go_by_number_and_photos_without_targets_are_left_out(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "hills", stems=("a-b", "other"))
    write_target(folder, "a-b-10", land(horizon=0.6))
    write_target(folder, "a-b-9", land(horizon=0.4))
    for path in (folder / "test" / "targets").glob("other-*"):
        path.unlink()
    targets = [case.target for case in analogy_cases(Sample(folder, size=256))]
    assert targets == ["", "a-b-1", "a-b-2", "a-b-9", "a-b-10"]
    more = write_folder(tmp_path / "more", stems=("a", "b", "c"))
    assert {case.group for case in analogy_cases(Sample(more, n=2, size=256))} == {"a", "b"}


def test_pictures_are_made_smaller_as_a_fit_makes_them(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "hills", height=100, width=150)
    whole = land(height=100, width=150)
    expected = Source(photo_of(whole, 0), whole).at_most(75)
    case = analogy_cases(Sample(folder, size=75))[2]
    assert case.before.shape == (50, 75, 3)
    assert (case.before == expected.photo).all()
    assert case.labels_before is not None
    assert (case.labels_before == expected.layout.label_map).all()
    assert set(np.unique(case.asked)) <= set(np.unique(whole.label_map))


def test_what_is_wrong_with_targets_is_named(folder: Path) -> None:
    orphan = write_target(folder, "nort-1", land())
    with pytest.raises(InputError, match=r"nort-1\.png belongs to no photo \(did you mean 'north'\?\); name targets"):
        analogy_cases(Sample(folder, size=256))
    orphan.unlink()
    large = write_target(folder, "north-3", land(width=90))
    with pytest.raises(InputError, match=r"north-3\.png is 90x72, its photo 88x72; give the layout at the photo's"):
        analogy_cases(Sample(folder, size=256))
    large.unlink()
    flooded = land().label_map.copy()
    flooded[60:, :5] = 7
    write_target(folder, "north-3", type(land())(flooded, land().label_set))
    with pytest.raises(InputError, match=r"north-3\.png asks for 'lake' in 60 pixels, a class that its photo lacks"):
        analogy_cases(Sample(folder, size=256))
    for path in (folder / "test" / "targets").iterdir():
        path.unlink()
    with pytest.raises(InputError, match="holds no target layouts; write label maps there as"):
        analogy_cases(Sample(folder, size=256))
