from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from scenebrush.errors import InputError
from scenebrush.evaluation.baselines import MeanColour, NearestOfClass
from scenebrush.evaluation.comparison import compare
from scenebrush.evaluation.contact_sheet import HOLE_COLOUR, edit_sheet
from scenebrush.evaluation.edit_cases import EditCase, Truth, render
from scenebrush.evaluation.edit_figures import EditFigures, EditMeasures
from scenebrush.evaluation.fid import FidResult, KidResult
from scenebrush.evaluation.inception import InceptionV3
from scenebrush.evaluation.label_agreement import Agreement
from scenebrush.evaluation.lpips import Lpips
from scenebrush.evaluation.tables import table
from scenebrush.scene.label_set import LabelSet

MakeCase = Callable[..., EditCase]


def figures(lpips: list[float]) -> EditFigures:
    values = np.array(lpips)
    per_edit = {
        "lpips": values,
        "ssim_hole": 1 - values,
        "psnr_hole": 30 - values,
        "seconds": values / 10,
        "cpu_seconds": values / 20,
    }
    return EditFigures(per_edit, FidResult(50.0, len(lpips), len(lpips)), KidResult(0.004, 0.001, 100, 2))


def test_the_table_shows_means_intervals_and_paired_differences() -> None:
    worse, better = [0.30, 0.10, 0.20, 0.40], [0.28, 0.07, 0.18, 0.37]
    found = compare({"old": figures(worse), "new": figures(better)}, ["a", "b", "c", "d"], title="erase: N = 4")
    gap = found.rows[1].differences["lpips"]
    assert gap.mean == pytest.approx(-0.025)
    assert gap.significant
    assert gap.below == 1.0
    text = table(found)
    assert text.splitlines()[0] == "erase: N = 4"
    assert "FID ↓ (N=4)" in text
    assert "SSIM hole ↑" in text
    assert "4.0 ±1.0 sd" in text
    assert "0.025 (0.013)" in text
    assert "-0.0250 [-0.0300, -0.0200]*" in text
    assert len({len(line) for line in text.splitlines()[2:]}) == 1


def read(right: list[int], wrong: list[int], label_set: LabelSet) -> EditFigures:
    """Figures of cases without a truth: so many pixels of class 0 read rightly, so many as class 1."""
    confusion = np.zeros((len(right), 2, 3), np.int64)
    confusion[:, 0, 0], confusion[:, 0, 1] = right, wrong
    agreement = Agreement(confusion, (0, 1), label_set, "reader")
    return EditFigures({"agreement": agreement.accuracy, "miou": agreement.miou}, agreement=agreement)


def test_without_a_truth_agreement_is_what_is_compared_and_the_ceiling_stands_below(label_set: LabelSet) -> None:
    good, bad = read([8, 9, 0], [2, 1, 0], label_set), read([5, 5, 0], [5, 5, 0], label_set)
    top = read([10, 10, 0], [0, 0, 0], label_set)
    found = compare({"bad": bad, "good": good}, ["a", "b", "c"], title="move", ceiling=top)
    assert found.primary == "agreement"
    assert found.rows[1].means["agreement"].n == 2, "a case with no class that can be told is left out"
    assert found.rows[1].differences["agreement"].mean == pytest.approx(0.35)
    assert found.rows[1].means["pooled_miou"].mean == pytest.approx(17 / 20)
    text = table(found)
    assert "Δagreement to bad" in text
    assert text.splitlines()[-3].startswith("| truth")
    assert "1.000" in text.splitlines()[-3]
    assert "reader reads, in the classes it can tell (sky); 2 of 3 cases" in text
    document = json.loads(json.dumps(found.to_dict()))
    assert document["ceiling"]["means"]["agreement"]["mean"] == 1
    assert document["methods"]["good"]["per_edit"]["agreement"] == [0.8, 0.9, None]
    assert document["methods"]["good"]["agreement"]["class_iou"] == {"sky": 0.85}


def test_models_that_read_photos_are_not_told_to_be_read_by_one(label_set: LabelSet) -> None:
    agreement = read([8, 9], [2, 1], label_set).agreement
    assert agreement is not None
    figures_of = {
        name: EditFigures({"accuracy": agreement.accuracy}, agreement=agreement) for name in ("ours", "theirs")
    }
    text = table(compare(figures_of, ["a", "b"], title="segment"))
    assert text.splitlines()[-1] == "mIoU and accuracy: of each model in the classes it can tell (ours: sky)."


def test_any_method_can_be_the_baseline_and_a_wrong_one_is_refused() -> None:
    pair = {"old": figures([0.3, 0.2]), "new": figures([0.2, 0.1])}
    assert not compare(pair, ["a", "b"], title="", baseline="new").rows[1].differences
    with pytest.raises(InputError, match=r"'nw' is not among old, new \(did you mean 'new'\?\)"):
        compare(pair, ["a", "b"], title="", baseline="nw")
    with pytest.raises(InputError, match="0 methods"):
        compare({}, [], title="")


def test_everything_measured_goes_into_the_json_document() -> None:
    found = compare({"old": figures([0.3, 0.2])}, ["a", "b"], title="t")
    document = json.loads(json.dumps(found.to_dict()))
    old = document["methods"]["old"]
    assert old["per_edit"]["lpips"] == [0.3, 0.2]
    assert old["means"]["lpips"]["n"] == 2
    assert old["fid"]["n_first"] == 2


def test_real_measuring_knows_the_truth_and_orders_the_baselines(assets: Path, make_case: MakeCase) -> None:
    """Truth against itself: LPIPS 0, SSIM 1, FID below 1e-3. On noise the mean has the least square error."""
    cases = [make_case(seed, f"photo{seed}") for seed in range(4)]
    measures = EditMeasures(Lpips.load("alex", assets), inception=InceptionV3.load(assets))
    truth = render(Truth(), cases)
    perfect = measures.measure(cases, truth)
    assert perfect.per_edit["lpips"].max() == 0
    assert perfect.per_edit["lpips_hole"].max() == 0
    assert perfect.per_edit["ssim_hole"] == pytest.approx(1)
    assert perfect.per_edit["psnr"] == pytest.approx(100)
    assert perfect.fid is not None
    assert perfect.fid.value < 1e-3
    flat, near = (measures.measure(cases, render(method, cases)) for method in (MeanColour(), NearestOfClass()))
    assert min(flat.per_edit["lpips"].min(), near.per_edit["lpips"].min()) > 0.05
    assert (flat.per_edit["psnr_hole"] > near.per_edit["psnr_hole"]).all()
    assert flat.fid is not None
    assert flat.fid.value > 1


def test_the_sheet_has_a_column_for_each_method_and_a_row_for_each_edit(make_case: MakeCase) -> None:
    cases = [make_case(1), make_case(2)]
    black = np.zeros((2, 64, 64, 3), np.uint8)
    sheet = np.asarray(edit_sheet(cases, {"black": black}, notes={"black": ["LPIPS 1", "LPIPS 2"]}))
    step = 2 * 64 + 6
    assert sheet.shape[1] == 3 * step + 6
    assert sheet.shape[0] > 2 * 128
    assert (sheet == HOLE_COLOUR).all(axis=2).sum() == 2 * 4 * cases[0].hole.sum()
    row = sheet[22 + 60, :]
    assert (row[6 + 2 * step : 6 + 2 * step + 100] == 0).all()
    assert (sheet[22 : 22 + 128 : 2, 6 + step : 6 + step + 128 : 2] == cases[0].truth).all()
    with pytest.raises(InputError, match="0 edits"):
        edit_sheet([], {})
