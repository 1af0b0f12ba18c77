"""Every task: what is shown, what is asked for, what is held for right, and that the seed decides it all."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

from scenebrush.data.toy import write_toy_folder
from scenebrush.errors import InputError
from scenebrush.evaluation.edit_cases import EditCase
from scenebrush.evaluation.tasks import TASKS, Sample, task_by_name
from scenebrush.evaluation.tasks.task import default_split

ANY_PHOTOS = [name for name, task in TASKS.items() if not task.analogies]  # analogies need targets: test_analogy.py
EDITS = [name for name in ANY_PHOTOS if not TASKS[name].makes_maps]


@pytest.fixture(scope="module")
def streets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("streets")
    write_toy_folder(folder, 5, "test", size=(192, 144), seed=3)
    return folder


def sample_of(name: str, streets: Path, n: int = 4, seed: int = 0) -> Sample:
    return Sample(streets if TASKS[name].needs_data else None, None, n, 96, seed=seed)


def cases_of(name: str, streets: Path, n: int = 4, seed: int = 0) -> list[EditCase]:
    return TASKS[name].cases(sample_of(name, streets, n, seed))


@pytest.mark.parametrize("name", ANY_PHOTOS)
def test_the_seed_decides_the_cases(name: str, streets: Path) -> None:
    first, again, other = (cases_of(name, streets, seed=seed) for seed in (0, 0, 1))
    for a, b in zip(first, again, strict=True):
        assert a.group == b.group
        assert (a.hole == b.hole).all()
        assert (a.scene.photo == b.scene.photo).all()
        assert (a.asked == b.asked).all()
    assert any(
        a.before.tobytes() + a.hole.tobytes() != b.before.tobytes() + b.hole.tobytes()
        for a, b in zip(first, other, strict=True)
    )


@pytest.mark.parametrize("name", EDITS)
def test_a_method_sees_nothing_of_what_it_is_to_make(name: str, streets: Path) -> None:
    for case in cases_of(name, streets):
        assert case.hole.any()
        assert (case.scene.photo[case.hole] == 0).all()
        assert (case.scene.photo[~case.hole] == case.before[~case.hole]).all()
        if case.truth is not None:
            assert (case.truth[~case.hole] == case.before[~case.hole]).all(), "the truth differs in the hole alone"


def test_an_added_object_lies_in_its_hole_and_an_erased_box_holds_no_thing(streets: Path) -> None:
    for case in cases_of("add", streets) + cases_of("add-silhouette", streets):
        assert np.isin(case.asked[case.hole], case.scene.layout.label_set.of_kind("thing")).any()
    for case in cases_of("erase", streets) + cases_of("erase-silhouette", streets):
        assert not np.isin(case.asked[case.hole], case.scene.layout.label_set.of_kind("thing")).any()
        assert case.truth is case.before


def test_boxes_are_boxes_and_silhouettes_are_not(streets: Path) -> None:
    for name, full in (("add", True), ("erase", True), ("add-silhouette", False)):
        filled = []
        for case in cases_of(name, streets):
            rows, columns = ndimage.find_objects(case.hole.astype(int))[0]
            filled.append(bool(case.hole[rows, columns].all()))
        assert all(filled) if full else not all(filled)


@pytest.mark.parametrize("name", ["relabel", "move", "manipulate"])
def test_manipulating_changes_the_layout_inside_the_hole_alone_and_knows_no_truth(name: str, streets: Path) -> None:
    for case in cases_of(name, streets):
        assert case.truth is None
        assert case.labels_before is not None
        changed = case.asked != case.labels_before
        assert changed.any()
        assert not (changed & ~case.hole).any()
        assert (case.reference == case.before).all()
        assert (case.reference_labels == case.labels_before).all()


def test_manipulating_takes_turns_and_moves_carry_their_pixels(streets: Path) -> None:
    carried = [bool(case.edit.carries) for case in cases_of("manipulate", streets)]
    assert carried == [False, True, False, True]
    for case in cases_of("move", streets):
        donor = case.edit.carries[0].donor
        assert (donor.photo == case.before).all(), "the object's own pixels come from before the hole was cut"


def test_relabelled_regions_keep_their_kind(streets: Path) -> None:
    for case in cases_of("relabel", streets):
        assert case.labels_before is not None
        changed = case.asked != case.labels_before
        label_set = case.scene.layout.label_set
        kinds = {label_set.by_id[int(i)].kind for m in (case.asked, case.labels_before) for i in np.unique(m[changed])}
        assert len(kinds) == 1


def test_the_toy_world_knows_the_true_answer(streets: Path) -> None:
    for add, erase in zip(cases_of("toy-add", streets), cases_of("toy-erase", streets), strict=True):
        assert add.truth is not None
        assert erase.truth is not None
        assert (add.truth == erase.before).all()
        assert (erase.truth == add.before).all()
        assert (add.truth[add.hole] != add.before[add.hole]).any()
        assert (add.asked != erase.asked).any()


def test_whole_pictures_show_nothing_and_photos_to_segment_show_all(streets: Path) -> None:
    for case in cases_of("synthesize", streets):
        assert case.hole.all()
        assert not case.scene.photo.any()
        assert case.before.shape == (96, 128, 3)
        assert case.before.any()
    for case in cases_of("segment", streets):
        assert not case.hole.any()
        assert (case.scene.photo == case.before).all()


def test_windows_know_their_surroundings(streets: Path) -> None:
    for case in cases_of("add", streets) + cases_of("manipulate", streets):
        assert case.surroundings is not None
        x0, y0, x1, y1 = case.surroundings.box
        assert (case.surroundings.photo[y0:y1, x0:x1] == case.before).all()


@pytest.mark.parametrize("name", ["add", "add-silhouette"])
def test_large_objects_alone(streets: Path, name: str) -> None:
    def longest(least: int) -> list[int]:
        cases = TASKS[name].cases(Sample(streets, n=4, size=96, least_object=least))
        return [max(np.ptp(np.nonzero(case.edit.hole), axis=1) + 1) for case in cases]

    assert min(longest(8)) < 40 <= min(longest(40))


def test_wrong_samples_are_named(streets: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"0 pictures to measure \(n = 0\); ask for at least 1"):
        Sample(streets, n=0)
    with pytest.raises(InputError, match="windows of 8 px are too small"):
        Sample(streets, size=8)
    with pytest.raises(InputError, match=r"unknown task 'earse' \(did you mean 'erase'\?\); there are add, erase"):
        task_by_name("earse")
    assert task_by_name("erase_silhouette").name == "erase-silhouette"
    with pytest.raises(InputError, match="leave --data out"):
        TASKS["toy-add"].cases(Sample(streets, n=1))
    with pytest.raises(InputError, match="is no folder"):
        default_split(tmp_path / "nowhere")
    assert default_split(streets) == "test"
    for name in ("left", "right"):
        (tmp_path / name / "images").mkdir(parents=True)
    with pytest.raises(InputError, match="has the splits left, right; name one with --split"):
        default_split(tmp_path)
