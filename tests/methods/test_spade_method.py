"""SPADE as a synthesizer: sizes, seeds, a photo's style, what it refuses."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scenebrush.errors import InputError, ModelError
from scenebrush.methods.base import Style
from scenebrush.methods.spade.method import SpadeSynthesizer
from scenebrush.scene import operations
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene
from tests.methods.synthesizers import photo_of, street, tiny_spade


@pytest.fixture
def plain(camvid: LabelSet) -> SpadeSynthesizer:
    return SpadeSynthesizer(tiny_spade(), camvid)


@pytest.fixture
def styled(camvid: LabelSet) -> SpadeSynthesizer:
    return SpadeSynthesizer(tiny_spade(style=True), camvid)


def test_a_picture_is_the_networks_own_padded_not_stretched(plain: SpadeSynthesizer, camvid: LabelSet) -> None:
    layout = street(camvid)
    padded = [np.pad(m, ((0, 14), (0, 26)), mode="edge") for m in (layout.label_map, layout.instance_map)]  # 64 x 96
    with torch.no_grad():
        wanted = plain.networks.synthesize(*(torch.from_numpy(m.astype(int))[None] for m in padded))
    made = plain.synthesize(layout)
    assert made.shape == (50, 70, 3)
    assert np.abs((wanted[0, :, :50, :70].permute(1, 2, 0).numpy() + 1) * 127.5 - made).max() <= 0.51


def test_every_size_will_do(plain: SpadeSynthesizer, camvid: LabelSet) -> None:
    for size in ((1, 1), (33, 64), (64, 31)):
        assert plain.synthesize(Layout(np.zeros(size, int), camvid)).shape == (*size, 3)


def test_labels_boundaries_and_the_unlabelled_show(plain: SpadeSynthesizer, camvid: LabelSet) -> None:
    layout = street(camvid)
    made = plain.synthesize(layout)
    joined = Layout(layout.label_map, camvid, np.minimum(layout.instance_map, 1))
    assert not np.array_equal(made, plain.synthesize(joined))
    unknown = np.where(layout.label_map == 0, 255, layout.label_map)
    assert not np.array_equal(made, plain.synthesize(Layout(unknown, camvid, layout.instance_map)))


def test_without_styles_seeds_change_nothing_and_styles_are_refused(plain: SpadeSynthesizer, camvid: LabelSet) -> None:
    layout = street(camvid)
    assert not plain.varies()
    assert np.array_equal(plain.synthesize(layout, seed=1), plain.synthesize(layout, seed=2))
    with pytest.raises(InputError, match="no style encoder"):
        plain.synthesize(layout, style=Style(photo=photo_of(layout)))


def test_seeds_draw_styles_and_a_photo_gives_its_own(styled: SpadeSynthesizer, camvid: LabelSet) -> None:
    layout = street(camvid)
    assert styled.varies() and not styled.varies(Style(photo=photo_of(layout)))
    one, two = styled.synthesize(layout, seed=1), styled.synthesize(layout, seed=2)
    assert np.array_equal(one, styled.synthesize(layout, seed=1)) and not np.array_equal(one, two)
    dark, light = np.full((40, 30, 3), 20, np.uint8), photo_of(layout)
    in_dark = styled.synthesize(layout, style=Style(photo=dark))
    assert np.array_equal(in_dark, styled.synthesize(layout, seed=9, style=Style(photo=dark)))
    assert not np.array_equal(in_dark, styled.synthesize(layout, style=Style(photo=light)))
    with pytest.raises(InputError, match="no styles of single classes, as asked for 'car'"):
        styled.synthesize(layout, style=Style(classes={"car": 1}))


def test_another_label_set_is_refused(plain: SpadeSynthesizer) -> None:
    layout = Layout(np.zeros((32, 32), int), LabelSet.load("nyuv2"))
    with pytest.raises(ModelError, match="knows the classes of 'camvid', not of 'nyuv2'"):
        plain.synthesize(layout)


def test_it_edits(styled: SpadeSynthesizer, camvid: LabelSet) -> None:
    layout = street(camvid)
    scene = Scene(photo_of(layout), layout)
    edit = operations.erase(scene, at=(14, 25))
    after = styled.edit(scene, edit, seed=3)
    assert np.array_equal(after[~edit.hole], scene.photo[~edit.hole])
    assert np.array_equal(after, styled.edit(scene, edit, seed=3))
    black = Scene(np.where(edit.hole[..., None], 0, scene.photo).astype(np.uint8), layout)
    assert np.array_equal(after, styled.edit(black, edit, seed=3))  # nothing of the hole is looked at
