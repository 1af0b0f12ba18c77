"""pix2pix as a synthesizer: sizes, noise, what it refuses."""

from __future__ import annotations

import numpy as np
import pytest

from scenebrush.errors import InputError, ModelError
from scenebrush.methods.base import Style
from scenebrush.methods.pix2pix.method import Pix2PixSynthesizer, load
from scenebrush.scene import operations
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.scene import Scene
from tests.methods.synthesizers import photo_of, street, tiny_pix2pix


def test_seeds_are_dropout_and_seed_0_is_without(camvid: LabelSet) -> None:
    model, layout = Pix2PixSynthesizer(tiny_pix2pix(), camvid), street(camvid)
    pictures = [model.synthesize(layout, seed=seed) for seed in (0, 1, 2, 1)]
    assert pictures[0].shape == (50, 70, 3) and model.varies()
    assert np.array_equal(pictures[1], pictures[3])
    assert not np.array_equal(pictures[0], pictures[1]) and not np.array_equal(pictures[1], pictures[2])


def test_without_dropout_nothing_varies(camvid: LabelSet) -> None:
    model, layout = Pix2PixSynthesizer(tiny_pix2pix(dropout=0.0), camvid), street(camvid)
    assert not model.varies() and np.array_equal(model.synthesize(layout, seed=1), model.synthesize(layout, seed=2))


def test_it_refuses_styles_and_other_label_sets(camvid: LabelSet) -> None:
    model, layout = Pix2PixSynthesizer(tiny_pix2pix(), camvid), street(camvid)
    with pytest.raises(InputError, match="has no styles"):
        model.synthesize(layout, style=Style(photo=photo_of(layout)))
    with pytest.raises(ModelError, match="not of 'nyuv2'"):
        model.synthesize(street(LabelSet.load("nyuv2")))
    with pytest.raises(ModelError, match="needs a model folder"):
        load(None)


def test_it_edits(camvid: LabelSet) -> None:
    model, layout = Pix2PixSynthesizer(tiny_pix2pix(), camvid), street(camvid)
    scene = Scene(photo_of(layout), layout)
    edit = operations.erase(scene, at=(14, 25))
    after = model.edit(scene, edit)
    assert np.array_equal(after[~edit.hole], scene.photo[~edit.hole])
    assert (after[edit.hole] != scene.photo[edit.hole]).any()
