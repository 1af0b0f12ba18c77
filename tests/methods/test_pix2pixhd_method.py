"""pix2pixHD as a synthesizer: sizes, styles by class and by photo, what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scenebrush.errors import InputError, LabelError, ModelError
from scenebrush.methods.base import Style
from scenebrush.methods.layout_arrays import layout_tensors
from scenebrush.methods.pix2pixhd import method
from scenebrush.methods.pix2pixhd.looks import PhotoLooks, features
from scenebrush.methods.pix2pixhd.method import Pix2PixHDSynthesizer
from scenebrush.scene import operations
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene
from tests.methods.synthesizers import CAR, ROAD, SKY, photo_of, street, tiny_pix2pixhd, tiny_styles


@pytest.fixture
def model(camvid: LabelSet) -> Pix2PixHDSynthesizer:
    return Pix2PixHDSynthesizer(tiny_pix2pixhd(), camvid, tiny_styles())


@pytest.fixture
def layout(camvid: LabelSet) -> Layout:
    return street(camvid)


def test_seed_0_is_the_most_frequent_style_of_each_class(model: Pix2PixHDSynthesizer, layout: Layout) -> None:
    maps = layout_tensors(layout)
    with torch.no_grad():
        wanted = model.networks.synthesize(*maps, styles=tiny_styles().feature_map(*maps))
    made = model.synthesize(layout)
    assert made.shape == (50, 70, 3)
    assert np.abs((wanted[0].permute(1, 2, 0).numpy() + 1) * 127.5 - made).max() <= 0.51


def test_seeds_draw_styles(model: Pix2PixHDSynthesizer, layout: Layout) -> None:
    pictures = [model.synthesize(layout, seed=seed) for seed in range(5)]
    assert model.varies() and len({p.tobytes() for p in pictures}) >= 3
    assert np.array_equal(pictures[3], model.synthesize(layout, seed=3))


def test_a_class_takes_the_style_that_it_is_given(model: Pix2PixHDSynthesizer, layout: Layout) -> None:
    pictures = [model.synthesize(layout, style=Style(classes={"car": k})) for k in range(3)]
    assert len({p.tobytes() for p in pictures}) == 3
    assert np.array_equal(pictures[0], model.synthesize(layout))
    assert model.num_styles("car") == 3 and model.num_styles("sky") == 0


def test_unknown_classes_and_numbers_are_named(model: Pix2PixHDSynthesizer, layout: Layout) -> None:
    with pytest.raises(InputError, match="class 'car' has styles 0 to 2 in model 'pix2pixhd'; style 3 was asked for"):
        model.synthesize(layout, style=Style(classes={"car": 3}))
    with pytest.raises(InputError, match="class 'sky' has no styles"):
        model.synthesize(layout, style=Style(classes={"sky": 0}))
    with pytest.raises(LabelError, match=r"no class 'carr' \(did you mean 'car'\?\)"):
        model.synthesize(layout, style=Style(classes={"carr": 0}))
    with pytest.raises(ModelError, match="not of 'nyuv2'"):
        model.synthesize(street(LabelSet.load("nyuv2")))


def test_a_photo_of_the_same_layout_gives_each_object_its_own_look(model: Pix2PixHDSynthesizer, layout: Layout) -> None:
    photo = photo_of(layout)
    with torch.no_grad():
        looks = PhotoLooks.of(model.networks, Style(photo=photo, layout=layout))
        found = features(layout_tensors(layout), tiny_styles(), looks=looks)[0]
        own = model.networks.encoder
        assert own is not None
        padded = torch.from_numpy(np.pad(photo, ((0, 2), (0, 2), (0, 0)), mode="edge")).permute(2, 0, 1)[None]
        plain = own.features(padded / 127.5 - 1)[0, :, :50, :70]
    for here in (layout.instance_map == 1, layout.instance_map == 2, layout.label_map == SKY):
        mean = plain[:, torch.from_numpy(here)].mean(1)
        assert torch.allclose(found[:, torch.from_numpy(here)], mean[:, None], atol=1e-5)


def test_of_another_photo_a_class_takes_the_largest_objects_look(
    model: Pix2PixHDSynthesizer, layout: Layout, camvid: LabelSet
) -> None:
    other = Layout(layout.label_map[:, ::-1][:40], camvid, layout.instance_map[:, ::-1][:40])
    other = Layout(np.where(other.label_map == ROAD, SKY, other.label_map), camvid, other.instance_map)
    with torch.no_grad():
        looks = PhotoLooks.of(model.networks, Style(photo=photo_of(other), layout=other))
        found = features(layout_tensors(layout), tiny_styles(), looks=looks)[0]
    means = {int(i) % 2**32: m for i, m in zip(looks.objects.ids, looks.objects.means, strict=True) if i >= 2**32}
    cars = found[:, torch.from_numpy(layout.label_map == CAR)].T
    assert any(torch.allclose(cars, mean, atol=1e-6) for mean in means.values())
    road = found[:, torch.from_numpy(layout.label_map == ROAD)].T
    assert torch.equal(road, tiny_styles().style(ROAD, 0).expand_as(road))  # the photo shows none
    assert not np.array_equal(
        model.synthesize(layout), model.synthesize(layout, style=Style(photo=photo_of(other), layout=other))
    )


def test_what_is_hidden_has_no_look_and_leaks_nothing(model: Pix2PixHDSynthesizer, layout: Layout) -> None:
    hidden = layout.instance_map == 2
    photo = photo_of(layout)
    with torch.no_grad():
        looks = PhotoLooks.of(model.networks, Style(photo=photo, layout=layout, visible=~hidden))
    assert not any(int(i) % 2**32 == 2 for i in looks.objects.ids)
    by_hand = features(layout_tensors(layout), tiny_styles(), looks=looks, by_class={CAR: 2})[0]
    cars = by_hand[:, torch.from_numpy(layout.label_map == CAR)].T
    assert torch.equal(cars, tiny_styles().style(CAR, 2).expand_as(cars))


def test_a_photo_needs_its_layout(model: Pix2PixHDSynthesizer, layout: Layout) -> None:
    with pytest.raises(InputError, match="give the style photo's label map too"):
        model.synthesize(layout, style=Style(photo=photo_of(layout)))
    with pytest.raises(InputError, match="style photo is 30x20, its label map 70x50"):
        model.synthesize(layout, style=Style(photo=np.zeros((20, 30, 3), np.uint8), layout=layout))


def test_without_an_encoder_there_are_no_styles(camvid: LabelSet, layout: Layout) -> None:
    model = Pix2PixHDSynthesizer(tiny_pix2pixhd(0), camvid)
    assert not model.varies() and model.synthesize(layout).shape == (50, 70, 3)
    with pytest.raises(InputError, match="trained without styles"):
        model.synthesize(layout, style=Style(photo=photo_of(layout), layout=layout))
    bare = Pix2PixHDSynthesizer(tiny_pix2pixhd(), camvid)
    assert not bare.varies() and bare.varies(Style(photo=photo_of(layout), layout=layout))


def test_a_large_picture_is_drawn_in_strips_alike(
    model: Pix2PixHDSynthesizer, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = model.synthesize(layout).astype(int)
    monkeypatch.setattr(method, "_LARGE", 100)
    assert np.abs(model.synthesize(layout).astype(int) - whole).max() <= 1


def test_it_edits_in_the_photos_look(model: Pix2PixHDSynthesizer, layout: Layout) -> None:
    scene = Scene(photo_of(layout), layout)
    edit = operations.erase(scene, at=(14, 25))
    after = model.edit(scene, edit)
    assert np.array_equal(after[~edit.hole], scene.photo[~edit.hole])
    black = Scene(np.where(edit.hole[..., None], 0, scene.photo).astype(np.uint8), layout)
    assert np.array_equal(after, model.edit(black, edit))  # nothing of the hole is looked at
