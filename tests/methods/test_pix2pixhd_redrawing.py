"""Parts of a picture drawn again: they are the whole picture's where nothing changed, and close to it where it did."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scenebrush.errors import InputError, LabelError
from scenebrush.methods.base import Drawing
from scenebrush.methods.layout_arrays import layout_tensors
from scenebrush.methods.pix2pixhd import redrawing
from scenebrush.methods.pix2pixhd.config import NormName, Pix2PixHDConfig
from scenebrush.methods.pix2pixhd.looks import features_of_looks, looks_of_objects
from scenebrush.methods.pix2pixhd.method import Pix2PixHDSynthesizer
from scenebrush.methods.pix2pixhd.networks import Pix2PixHDNetworks, build_networks
from scenebrush.methods.pix2pixhd.parts import render_part
from scenebrush.methods.pix2pixhd.redrawing import changes
from scenebrush.methods.pix2pixhd.strips import Strips, TensorRows, render_traced
from scenebrush.methods.pix2pixhd.windows import Box
from scenebrush.scene import operations
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene
from tests.methods.synthesizers import CAR, ROAD, SKY, street, tiny_styles

SHAPE = (160, 320)


def networks(*, enhancers: int = 0, norm: NormName = "instance", num_features: int = 3) -> Pix2PixHDNetworks:
    """Returns a network whose pictures have contrast, but are not black and white as those of `lively_` ones."""
    torch.manual_seed(0)
    config = Pix2PixHDConfig(
        num_classes=12,
        num_features=num_features,
        width=8,
        num_downsamplings=2,
        num_blocks=3,
        num_enhancers=enhancers,
        norm=norm,
        encoder_width=4,
        encoder_downsamplings=2,
    )
    made = build_networks(config)
    with torch.no_grad():
        for weight in made.generator.parameters():
            if weight.ndim > 1:
                weight.normal_(0, (2 / weight[0].numel()) ** 0.5)
        for head in made.generator.heads.values():
            head.weight.normal_(0, 0.4 / head.weight[0].numel() ** 0.5)
    return made.eval().requires_grad_(False)


@pytest.fixture
def model(camvid: LabelSet) -> Pix2PixHDSynthesizer:
    return Pix2PixHDSynthesizer(networks(), camvid, tiny_styles())


@pytest.fixture
def layout(camvid: LabelSet) -> Layout:
    return street(camvid, height=SHAPE[0], width=SHAPE[1])


def with_car(layout: Layout, box: tuple[int, int, int, int] = (150, 60, 40, 24)) -> Layout:
    scene = Scene(np.zeros((*layout.shape, 3), np.uint8), layout)
    return operations.add(scene, "car", box=box).layout


def apart(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Returns the mean difference of the channels in 8-bit steps, (H, W)."""
    return np.abs(one.astype(float) - other).mean(-1)


def outside(drawing: Drawing) -> np.ndarray:
    away = np.ones(drawing.layout.shape, bool)
    for x, y, width, height in drawing.boxes:
        away[y : y + height, x : x + width] = False
    return away


@pytest.mark.parametrize(("enhancers", "norm"), [(0, "instance"), (1, "instance"), (2, "instance"), (1, "batch")])
@pytest.mark.parametrize("box", [Box(0, 0, 96, 128), Box(32, 16, 64, 64), Box(0, 48, 48, 128), Box(64, 0, 96, 32)])
def test_a_part_of_an_unchanged_layout_is_the_whole_pictures(enhancers: int, norm: NormName, box: Box) -> None:
    generator = networks(enhancers=enhancers, norm=norm).generator
    x = torch.randn(1, 16, 96, 128, generator=torch.Generator().manual_seed(1))
    trace = render_traced(generator, TensorRows(x), Strips(pixels=1000))
    with torch.no_grad():
        assert torch.allclose(trace.picture, generator(x), atol=2e-5)
    part = render_part(generator, lambda box: x[(..., *box.slices)], trace, box)
    assert trace.picture.std() > 0.1
    assert torch.allclose(part, trace.picture[(..., *box.slices)], atol=2e-5)


def test_a_box_that_is_the_whole_picture_lacks_nothing_but_new_statistics() -> None:
    generator = networks(norm="batch").generator  # which has the same ones for every picture
    first, second = torch.randn(2, 1, 16, 64, 96, generator=torch.Generator().manual_seed(1))
    trace = render_traced(generator, TensorRows(first))
    part = render_part(generator, lambda box: second[(..., *box.slices)], trace, Box(0, 0, 64, 96))
    with torch.no_grad():
        assert torch.allclose(part, generator(second), atol=2e-5)


def test_a_new_object_is_drawn_as_in_the_whole_new_picture(model: Pix2PixHDSynthesizer, layout: Layout) -> None:
    layout = with_car(layout, (60, 110, 60, 40))
    looks = model.looks(layout)
    before, added = model.draw(layout, looks), with_car(layout)
    after, whole = model.redraw(before, added, looks), model.draw(added, looks)
    (x, y, width, height) = after.boxes[0]
    assert len(after.boxes) == 1 and width * height < 0.2 * layout.label_map.size
    assert np.array_equal(after.picture[outside(after)], before.picture[outside(after)])
    here, car = np.s_[y : y + height, x : x + width], added.instance_map == 4
    asked = apart(whole.picture, before.picture)[car].mean()
    assert asked > 10
    assert apart(after.picture, whole.picture)[car].mean() < 0.35 * asked
    assert apart(after.picture, whole.picture)[here].mean() < 0.3 * asked


def test_with_the_statistics_kept_it_is_the_whole_picture(model: Pix2PixHDSynthesizer, layout: Layout) -> None:
    layout = with_car(layout, (60, 110, 60, 40))
    looks, added = model.looks(layout), with_car(layout)
    before = model.draw(layout, looks)
    memory, styled = before.memory, model._styled(added, looks)
    assert isinstance(memory, redrawing.Memory)
    ideal = render_part(
        model.networks.generator,
        lambda box: redrawing._input(model.networks, styled, box),
        memory.trace,
        Box(0, 0, *SHAPE),
    )
    kept = (ideal[0].permute(1, 2, 0).numpy() + 1) * 127.5
    assert apart(model.redraw(before, added, looks).picture, kept)[added.instance_map == 4].mean() < 1


def test_the_seam_is_even(model: Pix2PixHDSynthesizer, layout: Layout) -> None:
    layout = with_car(layout, (60, 110, 60, 40))
    looks = model.looks(layout)
    before = model.draw(layout, looks)
    after = model.redraw(before, with_car(layout), looks)
    x, y, width, height = after.boxes[0]
    change = apart(after.picture, before.picture)[y : y + height, x : x + width]
    assert max(change[0].mean(), change[-1].mean(), change[:, 0].mean(), change[:, -1].mean()) < 1
    assert change.max() > 20


def test_a_new_object_has_its_boundary(model: Pix2PixHDSynthesizer, layout: Layout) -> None:
    beside = with_car(layout, (38, 20, 14, 14))  # touches the second car
    semantics = model.networks.condition(*layout_tensors(beside)).semantics[0, -1]
    assert semantics[25, 37] == 1 and semantics[25, 38] == 1 and semantics[20, 45] == 1 and semantics[25, 45] == 0
    seen = changes(model._styled(layout, {}), model._styled(beside, {}))
    assert (
        seen[20:34, 38:52].all() and seen[20:34, 51].all() and not seen[:, :38].any()
    )  # the car's own edge was one before


def test_another_number_of_an_object_is_no_change(
    model: Pix2PixHDSynthesizer, layout: Layout, camvid: LabelSet
) -> None:
    assert layout.instance_map is not None
    renamed = Layout(layout.label_map, camvid, np.where(layout.instance_map == 2, 7, layout.instance_map))
    before = model.draw(layout, {(CAR, 2): 1})
    again = model.redraw(before, renamed, {(CAR, 7): 1})
    assert again.boxes == () and np.array_equal(again.picture, before.picture)


def test_what_changed_earlier_and_near_is_drawn_again_with_it(model: Pix2PixHDSynthesizer, layout: Layout) -> None:
    start = model.draw(with_car(layout, (60, 110, 60, 40)), {})  # cars enough for a few more
    layout = start.layout
    first = model.redraw(start, with_car(layout), {})
    near, far = with_car(first.layout, (195, 62, 20, 20)), with_car(first.layout, (280, 120, 20, 20))
    assert model.redraw(first, near, {}).boxes[0][0] <= first.boxes[0][0]
    second = model.redraw(first, far, {})
    assert len(second.boxes) == 1 and second.boxes[0][0] > 200
    back = model.redraw(second, layout, {})
    assert apart(back.picture, model.draw(layout, {}).picture)[60:84, 150:190].mean() < 1


def test_a_change_of_most_of_the_picture_draws_all(model: Pix2PixHDSynthesizer, layout: Layout) -> None:
    before = model.draw(layout, {})
    after = model.redraw(before, layout, {(ROAD, 0): 1})
    assert after.boxes == ((0, 0, SHAPE[1], SHAPE[0]),) and after.memory is not before.memory
    assert np.array_equal(after.picture, model.draw(layout, {(ROAD, 0): 1}).picture)


def test_a_first_object_of_its_class_draws_all_unless_norms_are_fixed(layout: Layout, camvid: LabelSet) -> None:
    bare = Layout(np.where(layout.label_map == CAR, ROAD, layout.label_map), camvid)
    added, whole = with_car(bare), ((0, 0, SHAPE[1], SHAPE[0]),)
    measuring = Pix2PixHDSynthesizer(networks(), camvid)
    first = measuring.redraw(measuring.draw(bare, {}), added, {})
    assert first.boxes == whole
    assert measuring.redraw(first, with_car(added, (250, 110, 20, 20)), {}).boxes != whole
    assert measuring.redraw(first, bare, {}).boxes != whole  # what goes leaves norms that the rest was drawn with
    fixed = Pix2PixHDSynthesizer(networks(norm="batch"), camvid)
    before, after = fixed.draw(bare, {}), fixed.draw(added, {})
    local = fixed.redraw(before, added, {})
    assert local.boxes != whole
    car = added.label_map == CAR
    assert apart(local.picture, after.picture)[car].mean() < 0.02 * apart(before.picture, after.picture)[car].mean()
    assert apart(local.picture, after.picture).mean() < 0.2


def test_without_a_memory_all_is_drawn(
    model: Pix2PixHDSynthesizer, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redrawing, "LARGEST", 1)
    before = model.draw(layout, {})
    assert before.memory is None
    assert model.redraw(before, with_car(layout), {}).boxes == ((0, 0, SHAPE[1], SHAPE[0]),)


def test_looks_are_what_synthesize_draws(model: Pix2PixHDSynthesizer, layout: Layout) -> None:
    for seed in (0, 4):
        looks = model.looks(layout, seed=seed)
        assert apart(model.draw(layout, looks).picture, model.synthesize(layout, seed=seed)).max() <= 1
    assert isinstance(looks[CAR, 1], int) and looks[SKY, 0] == (0.0, 0.0, 0.0)


def test_features_and_looks_say_the_same(layout: Layout) -> None:
    maps, book = layout_tensors(layout), tiny_styles()
    looks = {(CAR, 1): 2, (CAR, 2): (0.5, -0.25, 0.125), (ROAD, 0): 1, (SKY, 0): (0.0, 0.0, 0.0)}
    made = features_of_looks(maps, looks, book)
    assert torch.equal(made[0, :, 25, 14], book.style(CAR, 2)) and made[0, :, 25, 30].tolist() == [0.5, -0.25, 0.125]
    assert looks_of_objects(maps, made, book) == looks
    assert torch.equal(features_of_looks(maps, {}, book), book.feature_map(*maps))


def test_looks_that_are_not_there_are_named(model: Pix2PixHDSynthesizer, layout: Layout, camvid: LabelSet) -> None:
    with pytest.raises(InputError, match="object 5 of class index 8; the layout holds no such"):
        model.draw(layout, {(CAR, 5): 0})
    with pytest.raises(InputError, match="class 8 has styles 0 to 2, style 3"):
        model.draw(layout, {(CAR, 1): 3})
    with pytest.raises(InputError, match="a look of 2 features was given; this model has 3"):
        model.draw(layout, {(CAR, 1): (0.0, 1.0)})
    with pytest.raises(LabelError, match="99"):
        model.draw(layout, {(99, 1): 0})
    plain = Pix2PixHDSynthesizer(networks(num_features=0), camvid)
    with pytest.raises(InputError, match="trained without styles; give its objects no looks"):
        plain.draw(layout, {(CAR, 1): 0})
    assert plain.looks(layout) == {} and not plain.has_looks
