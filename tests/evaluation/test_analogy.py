"""Analogies measured: what a faithful, an idle and a poor model get, photo by photo."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from scenebrush.errors import InputError, ModelError
from scenebrush.evaluation.analogy import measure_analogies
from scenebrush.evaluation.analogy_methods import AnalogyMethod, Edits, Fits, Painter, Unchanged, analogy_method
from scenebrush.evaluation.assets import ASSETS_VARIABLE
from scenebrush.evaluation.baselines import MeanColour
from scenebrush.evaluation.measuring import Outcome
from scenebrush.evaluation.report import contact_sheet, report_of
from scenebrush.evaluation.tables import table
from scenebrush.evaluation.tasks import TASKS, Sample
from scenebrush.evaluation.tasks.analogy import AnalogyCase, analogy_cases
from scenebrush.methods.base import Adaptation
from scenebrush.scene.edit import Edit
from scenebrush.scene.scene import Scene
from tests.evaluation.analogy_folder import write_folder
from tests.methods.semia.tiny import LAND, TinyPupil, land, photo_of, tiny_source


class Drawn:
    """Draws every case by one function."""

    def __init__(self, paint: Callable[[AnalogyCase], np.ndarray]) -> None:
        self.painter = Painter(paint, True)
        self.asked: list[tuple[str, ...]] = []

    def check(self, stems: Sequence[str]) -> None:
        pass

    def ready_for(self, cases: Sequence[AnalogyCase], seed: int) -> Painter:
        self.asked.append(tuple(case.target for case in cases))
        return self.painter


def faithful(case: AnalogyCase) -> np.ndarray:
    return photo_of(case.edit.layout, seed=9)


def grey(case: AnalogyCase) -> np.ndarray:
    return np.full_like(case.before, 128)


class Learner:
    """An editor that can learn; it remembers what it was shown."""

    name = "learner"

    def __init__(self) -> None:
        self.shown: list[tuple[Scene, list[Edit], float]] = []

    def edit(self, scene: Scene, edit: Edit, *, seed: int = 0) -> np.ndarray:
        return np.where(edit.hole[..., None], photo_of(edit.layout), scene.photo)

    def adapt(
        self, scene: Scene, edits: Sequence[Edit] = (), *, seconds: float, seed: int = 0, report: object = None
    ) -> Adaptation:
        self.shown.append((scene, list(edits), seconds))
        return Adaptation(self, 1.0, 0.5, True)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("analogy") / "hills")


@pytest.fixture(scope="module")
def measured(folder: Path, assets: Path) -> Outcome:
    methods: dict[str, AnalogyMethod] = {"faithful": Drawn(faithful), "idle": Unchanged(), "grey": Drawn(grey)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ASSETS_VARIABLE, str(assets))
        return measure_analogies(TASKS["analogy"], Sample(folder, size=256), methods)


def mean(measured: Outcome, method: str, figure: str) -> float:
    (row,) = [row for row in measured.comparison.rows if row.method == method]
    return row.means[figure].mean


def test_a_faithful_model_is_read_as_asked_and_an_idle_one_is_not(measured: Outcome) -> None:
    assert mean(measured, "faithful", "agreement") > 0.97
    assert mean(measured, "faithful", "agreement_changed") > 0.95
    assert mean(measured, "idle", "agreement_changed") < 0.05
    assert mean(measured, "idle", "agreement") < 0.9
    assert mean(measured, "grey", "agreement") < mean(measured, "faithful", "agreement") - 0.3


def test_the_look_is_compared_with_the_photo(measured: Outcome) -> None:
    for figure in ("single_image_fid", "coherence", "completeness"):
        assert mean(measured, "idle", figure) == pytest.approx(0, abs=1e-3)
        assert mean(measured, "faithful", figure) < 0.5 * mean(measured, "grey", figure)


def test_only_who_draws_the_whole_picture_reconstructs(measured: Outcome) -> None:
    assert mean(measured, "faithful", "reconstruction_psnr") > 25 > mean(measured, "grey", "reconstruction_psnr")
    assert mean(measured, "faithful", "reconstruction_lpips") < mean(measured, "grey", "reconstruction_lpips")
    assert "reconstruction_ssim" not in measured.comparison.rows[1].means
    assert measured.comparison.ceiling is not None
    assert measured.comparison.ceiling.means["reconstruction_lpips"].mean == 0
    assert measured.comparison.ceiling.means["agreement"].mean > 0.9, "what halves of the photo tell of the others"


def test_a_photo_s_figure_is_the_mean_of_its_targets_and_intervals_are_over_photos(measured: Outcome) -> None:
    report = json.loads(json.dumps(report_of(measured)))
    assert report["photos"] == ["north", "south"]
    assert report["single_image_fid_layer"] == "before_first_pool"
    assert set(report["classifier_held_out_accuracy"]) == {"north", "south"}
    row = measured.comparison.rows[0]
    assert row.means["agreement"].n == row.means["agreement"].groups == 2
    for index, stem in enumerate(("north", "south")):
        own = report["per_photo"]["faithful"][stem]
        assert set(own["targets"]) == {f"{stem}-1", f"{stem}-2"}
        for figure in ("agreement", "agreement_changed", "coherence", "seconds"):
            values = [target[figure] for target in own["targets"].values()]
            assert own["means"][figure] == pytest.approx(np.mean(values), abs=1e-5)
            assert row.figures.per_edit[figure][index] == pytest.approx(np.mean(values), abs=1e-5)
        assert "reconstruction_psnr" in own["means"]
    agreement = row.figures.agreement
    assert agreement is not None
    assert agreement.class_ids == (0, 1, 2)
    assert agreement.confusion.sum() == 2 * 2 * 72 * 88


def test_the_table_and_the_sheet_show_it_all(measured: Outcome) -> None:
    lines = table(measured.comparison).splitlines()
    assert lines[0] == "analogy: hills/test, N = 2 photos of 88 px at most, 4 target layouts"
    assert "rec. PSNR ↑" in lines[2]
    assert "where changed ↑" in lines[2]
    assert "Δagreement to faithful" in lines[2]
    assert "each photo's own classifier reads" in lines[-1]
    sheet = contact_sheet(measured)
    assert sheet.width > 6 * 88
    assert sheet.height > 6 * 72


def test_every_photo_is_prepared_once_with_all_its_layouts(folder: Path, assets: Path) -> None:
    method, told = Drawn(faithful), list[tuple[str, int, int]]()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(ASSETS_VARIABLE, str(assets))
        sample = Sample(folder, size=256)
        measure_analogies(
            TASKS["analogy"], sample, {"m": method}, fid=False, report=lambda *progress: told.append(progress)
        )
    assert method.asked == [("", "north-1", "north-2"), ("", "south-1", "south-2")]
    assert [progress for progress in told if progress[0] == "m"] == [("m", i, 6) for i in range(1, 7)]


def test_a_picture_of_another_size_is_refused(folder: Path, assets: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ASSETS_VARIABLE, str(assets))
    method = Drawn(lambda case: case.before[:-1])
    with pytest.raises(InputError, match=r"the picture of north is uint8 \(71, 88, 3\); expected uint8 \(72, 88, 3\)"):
        measure_analogies(TASKS["analogy"], Sample(folder, size=256), {"short": method}, fid=False)


def test_a_folder_of_fits_draws_each_photo_by_its_own(folder: Path, tmp_path: Path) -> None:
    for stem, seed in (("north", 0), ("south", 1)):
        TinyPupil(tiny_source(), seed=seed).export(tmp_path / "fits" / stem, {"iterations": 0, "seconds": 12})
    cases = analogy_cases(Sample(folder, size=256))
    fits = analogy_method(str(tmp_path / "fits"), LAND)
    assert isinstance(fits, Fits)
    fits.check(["north", "south"])
    with pytest.raises(InputError, match=r"holds no fit of photo 'nort' \(did you mean 'north'\?\); make it with"):
        fits.check(["nort"])
    assert fits.ready_for(cases[:3], 0).learned == 12
    north, south = fits.ready_for(cases[:3], 0), fits.ready_for(cases[3:], 0)
    assert north.draws_whole
    assert (north.paint(cases[0]) != south.paint(cases[0])).any()
    editing = analogy_method(f"{tmp_path / 'fits'}?edit=on", LAND).ready_for(cases[:3], 0)
    assert not editing.draws_whole
    outside = ~cases[1].hole
    assert (editing.paint(cases[1])[outside] == cases[1].before[outside]).all()
    assert (editing.paint(cases[0]) == cases[0].before).all()
    with pytest.raises(InputError, match="adapt=3 is no option of a folder of fits"):
        analogy_method(f"{tmp_path / 'fits'}?adapt=3", LAND)


def test_an_editor_learns_from_the_whole_photo_for_its_targets(folder: Path) -> None:
    cases, learner = analogy_cases(Sample(folder, size=256))[:3], Learner()
    painter = Edits(learner, adapt=2.0).ready_for(cases, 0)
    ((scene, edits, seconds),) = learner.shown
    assert seconds == 2.0
    assert (scene.photo == photo_of(land(), 0)).all()
    assert [edit.layout for edit in edits] == [case.edit.layout for case in cases[1:]]
    assert painter.learned > 0
    assert (painter.paint(cases[1])[cases[1].hole] == photo_of(cases[1].edit.layout)[cases[1].hole]).all()
    Edits(learner).ready_for(cases, 0)
    assert len(learner.shown) == 1
    with pytest.raises(ModelError, match="model 'mean' cannot learn from a photo"):
        Edits(MeanColour(), adapt=2.0)


def test_methods_by_name() -> None:
    assert isinstance(analogy_method("unchanged", LAND), Unchanged)
    assert isinstance(analogy_method("canvas", LAND), Edits)
    with pytest.raises(InputError, match="'sesame-street' knows the classes of 'camvid', the data has 'land'"):
        analogy_method("sesame-street", LAND)
    assert isinstance(analogy_method("sesame-street?adapt=5&guide=off", LAND), Edits)
    for wrong in ("0", "-1", "x", "inf"):
        with pytest.raises(InputError, match=f"adapt={wrong} is no time to learn in"):
            analogy_method(f"sesame-street?adapt={wrong}", LAND)
