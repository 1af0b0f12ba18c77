from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from scenebrush.errors import InputError, ModelError
from scenebrush.evaluation.baselines import MeanColour, NearestOfClass, OnnxInpainting, Telea
from scenebrush.evaluation.edit_cases import EditCase
from scenebrush.evaluation.methods_by_name import method_by_name
from scenebrush.methods.base import Editor
from scenebrush.scene.edit import Edit
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene


def two_colours(label_set: LabelSet) -> tuple[Scene, Edit]:
    """Red sky over a green road, a black hole across the horizon, its label map true."""
    label_map = np.zeros((40, 40), np.int32)
    label_map[20:] = 1
    photo = np.where(label_map[..., None] == 0, np.array([200, 0, 0]), np.array([0, 100, 0])).astype(np.uint8)
    hole = np.zeros((40, 40), bool)
    hole[10:26, 15:25] = True
    photo[hole] = 0
    layout = Layout(label_map, label_set)
    return Scene(photo, layout), Edit(hole, layout)


def test_nearest_of_class_restores_flat_classes_and_falls_back_for_unseen_ones(label_set: LabelSet) -> None:
    scene, edit = two_colours(label_set)
    found = NearestOfClass().edit(scene, edit)
    assert (found[:20] == [200, 0, 0]).all()
    assert (found[20:] == [0, 100, 0]).all()
    asked = edit.layout.label_map.copy()
    asked[12:16, 18:22] = 2  # a car: none is visible
    found = NearestOfClass().edit(scene, Edit(edit.hole, Layout(asked, label_set)))
    assert (found[12:16, 18:22] == [200, 0, 0]).all()


def test_mean_colour_is_that_of_the_ring(label_set: LabelSet) -> None:
    scene, edit = two_colours(label_set)
    inside = MeanColour().edit(scene, edit)[edit.hole]
    assert (inside == inside[0]).all()
    assert inside[0, 2] == 0
    assert inside[0, 0] / 200 + inside[0, 1] / 100 == pytest.approx(1, abs=0.02)


def test_telea_fills_a_flat_hole(label_set: LabelSet) -> None:
    pytest.importorskip("cv2", reason="opencv is a benchmark-only dependency")
    scene, edit = two_colours(label_set)
    found = Telea().edit(scene, edit)
    assert (found[~edit.hole] == scene.photo[~edit.hole]).all()
    assert (found[10, 16:24, 0] > 190).all()
    assert (found[25, 16:24, 1] > 90).all()


@pytest.mark.parametrize("baseline", [MeanColour, NearestOfClass, Telea])
def test_no_baseline_touches_the_input_or_the_visible_pixels(
    baseline: type[Editor], make_case: Callable[..., EditCase]
) -> None:
    if baseline is Telea:
        pytest.importorskip("cv2", reason="opencv is a benchmark-only dependency")
    case = make_case()
    before = case.scene.photo.copy()
    found = baseline().edit(case.scene, case.edit)
    assert found.dtype == np.uint8
    assert (found[~case.hole] == before[~case.hole]).all()
    assert (case.scene.photo == before).all()


def test_an_onnx_network_gets_the_mask_the_right_way_round_and_no_black(tmp_path: Path, label_set: LabelSet) -> None:
    """The network here returns its own picture, brighter by 50 where the mask says to fill."""
    pytest.importorskip("onnxruntime", reason="onnxruntime is a benchmark-only dependency")
    path = _brightening_network(tmp_path / "bright.onnx")
    scene, edit = two_colours(label_set)
    found = method_by_name(f"onnx:{path}").edit(scene, edit)
    assert (found[~edit.hole] == scene.photo[~edit.hole]).all()
    assert {tuple(c) for c in found[edit.hole]} == {(250, 50, 50), (50, 150, 50)}


def _brightening_network(path: Path) -> Path:
    onnx = pytest.importorskip("onnx", reason="onnx builds the small network of this test")
    make, uint8 = onnx.helper, onnx.TensorProto.UINT8
    nodes = [
        make.make_node("Cast", ["image"], ["image_i"], to=onnx.TensorProto.INT32),
        make.make_node("Cast", ["mask"], ["mask_i"], to=onnx.TensorProto.INT32),
        make.make_node("Sub", ["full", "mask_i"], ["fill"]),
        make.make_node("Mul", ["fill", "step"], ["scaled"]),
        make.make_node("Div", ["scaled", "full"], ["more"]),
        make.make_node("Add", ["image_i", "more"], ["sum"]),
        make.make_node("Cast", ["sum"], ["result"], to=uint8),
    ]
    values = [make.make_tensor(n, onnx.TensorProto.INT32, [], [v]) for n, v in (("full", 255), ("step", 50))]
    inputs = [make.make_tensor_value_info(n, uint8, [1, c, None, None]) for n, c in (("image", 3), ("mask", 1))]
    outputs = [make.make_tensor_value_info("result", uint8, [1, 3, None, None])]
    graph = make.make_graph(nodes, "bright", inputs, outputs, values)
    onnx.save(make.make_model(graph, opset_imports=[make.make_opsetid("", 17)], ir_version=9), str(path))
    return path


def test_methods_are_found_by_name_and_wrong_ones_refused(tmp_path: Path) -> None:
    assert isinstance(method_by_name("nearest"), NearestOfClass)
    with pytest.raises(ModelError, match=r"no\.onnx does not exist"):
        OnnxInpainting(tmp_path / "no.onnx")
    with pytest.raises(ModelError, match="unknown model 'sesame-stret'"):
        method_by_name("model:sesame-stret")


def test_switches_of_a_model_are_set_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    class Switchable(MeanColour):
        guided = True

    monkeypatch.setattr("scenebrush.evaluation.methods_by_name.load_model", lambda name, bank=None: Switchable())
    assert vars(method_by_name("model:x")) == {}
    assert vars(method_by_name("model:x?guided=off")) == {"guided": False}
    assert vars(method_by_name("model:x?guide=off")) == {"guided": False}
    with pytest.raises(InputError, match=r"no option 'gide' \(did you mean 'guided'\?\)"):
        method_by_name("model:x?gide=off")
    with pytest.raises(InputError, match="guide=no; expected on or off"):
        method_by_name("model:x?guide=no")
