from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from scenebrush.errors import InputError
from scenebrush.evaluation.edit_cases import EditCase, render
from scenebrush.methods.base import Style
from scenebrush.scene.edit import Edit
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene

MakeCase = Callable[..., EditCase]


class Painter:
    """Paints everything in its seed's colour, the visible pixels too if it is careless."""

    name = "painter"

    def __init__(self, careful: bool) -> None:
        self.careful = careful
        self.seen: list[np.ndarray] = []

    def edit(self, scene: Scene, edit: Edit, *, seed: int = 0) -> np.ndarray:
        self.seen.append(scene.photo)
        out = np.full_like(scene.photo, seed)
        return np.where(edit.hole[..., None], out, scene.photo) if self.careful else out


def test_the_truth_is_hidden_and_kept(make_case: MakeCase) -> None:
    case = make_case()
    assert (case.scene.photo[case.hole] == 0).all()
    assert (case.scene.photo[~case.hole] == case.truth[~case.hole]).all()
    assert (case.truth[case.hole] > 0).any()
    assert case.group == "photo"


def test_every_case_is_drawn_with_the_seed_and_pasted_into_what_was_visible(make_case: MakeCase) -> None:
    cases = [make_case(1), make_case(2)]
    painter, done = Painter(careful=False), list[int]()
    found = render(painter, cases, seed=7, report=done.append)
    for i, case in enumerate(cases):
        assert (found.pictures[i][case.hole] == 7).all()
        assert (found.pictures[i][~case.hole] == case.truth[~case.hole]).all()
        assert all((photo[case.hole] == 0).all() for photo in painter.seen)
    assert done == [1, 2]
    assert len(found.seconds) == len(found.cpu_seconds) == 2
    assert found.touched > 0.99
    assert render(Painter(careful=True), cases).touched == 0


class Drawer(Painter):
    """Makes whole pictures too, of the labels alone."""

    def synthesize(self, layout: Layout, *, seed: int = 0, style: Style | None = None) -> np.ndarray:
        assert style is None
        return np.repeat(layout.label_map[..., None] * 100 + seed, 3, axis=2).astype(np.uint8)

    def varies(self, style: Style | None = None) -> bool:
        return False


def test_whole_pictures_are_asked_of_a_synthesizer_as_such(make_case: MakeCase) -> None:
    part = make_case()
    everything = np.ones_like(part.hole)
    whole = replace(part, edit=replace(part.edit, hole=everything), scene=Scene(part.before * 0, part.scene.layout))
    drawer = Drawer(careful=True)
    found = render(drawer, [whole, whole], seed=7)
    assert (found.pictures == (part.asked[..., None] * 100 + 7)).all()
    assert not drawer.seen and len(found.seconds) == 2 and found.touched == 0
    mixed = render(drawer, [whole, part], seed=7)  # an edit among them: all are edits
    assert drawer.seen and (mixed.pictures[0] == 7).all()
    assert (render(Painter(careful=True), [whole], seed=7).pictures == 7).all()


def test_wrong_pictures_and_no_cases_are_refused(make_case: MakeCase) -> None:
    class Small:
        name = "small"

        def edit(self, scene: Scene, edit: Edit, *, seed: int = 0) -> np.ndarray:
            return scene.photo[:10]

    with pytest.raises(InputError, match=r"small returned uint8 \(10, 64, 3\); expected uint8 \(64, 64, 3\)"):
        render(Small(), [make_case()])
    with pytest.raises(InputError, match="0 edits"):
        render(Small(), [])
