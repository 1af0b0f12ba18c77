"""cut_out: nothing outside the box, the photo's own edges, photos of any size; and the filter that refines."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from scenebrush.errors import InputError
from scenebrush.methods.seigan.cutting import cut_out
from scenebrush.methods.seigan.refining import refined
from tests.methods.seigan.red import finding_red, photo_with_disc


@pytest.fixture
def red(networks):
    return finding_red(networks)


@pytest.mark.parametrize(
    ("shape", "box"),
    [
        ((60, 90), (20, 10, 50, 40)),
        ((60, 90), (0, 0, 90, 60)),  # the whole photo
        ((60, 90), (89, 59, 90, 60)),  # one pixel in a corner
        ((20, 300), (5, 2, 295, 18)),  # its window is higher than the photo
        ((700, 500), (100, 50, 400, 650)),
        ((1, 1), (0, 0, 1, 1)),
    ],
)
def test_photos_and_boxes_of_any_size(networks, shape, box):
    photo = np.random.default_rng(0).integers(0, 255, (*shape, 3)).astype(np.uint8)
    mask = cut_out(networks, photo, box)
    assert mask.dtype == np.float32 and mask.shape == shape
    assert mask.min() >= 0 and mask.max() <= 1
    outside = np.ones(shape, bool)
    outside[box[1] : box[3], box[0] : box[2]] = False
    assert not mask[outside].any() and mask[~outside].any()
    assert np.array_equal(mask, cut_out(networks, photo, box))


def test_the_mask_is_where_the_object_is(red):
    """Off the middle, near the photo's edge: a window or a crop that is off by a few pixels would show."""
    photo, disc = photo_with_disc((120, 160), (135, 30), 18)
    solid = cut_out(red, photo, (114, 10, 156, 52)) > 0.5
    assert (solid & disc).sum() / (solid | disc).sum() > 0.93


def test_the_mask_of_an_object_as_large_as_its_photo(red):
    """The window sticks out of the photo on all sides."""
    photo, disc = photo_with_disc((100, 140), (70, 50), 47)
    solid = cut_out(red, photo, (20, 2, 120, 98)) > 0.5
    assert (solid & disc).sum() / (solid | disc).sum() > 0.93


def test_a_large_object_has_the_photos_rim_not_the_networks(red, monkeypatch):
    """The network sees the disc of 400 pixels at 20: its own rim is a staircase of 20 pixels."""
    photo, disc = photo_with_disc((640, 640), (320, 320), 200)
    mask = cut_out(red, photo, (110, 110, 530, 530))
    wrong = np.count_nonzero((mask > 0.5) != disc)
    monkeypatch.setattr("scenebrush.methods.seigan.refining._REACH", 0.0)
    unrefined = np.count_nonzero((cut_out(red, photo, (110, 110, 530, 530)) > 0.5) != disc)
    assert wrong < 0.02 * disc.sum() and wrong < 0.7 * unrefined
    assert np.count_nonzero((mask > 0.1) & (mask < 0.9)) < 0.1 * disc.sum()


def test_what_the_network_is_sure_of_is_0_or_1(red):
    photo, _ = photo_with_disc((200, 200), (100, 100), 60)
    mask = cut_out(red, photo, (30, 30, 170, 170))
    assert mask[100, 100] == 1 and mask[35, 35] == 0


def test_nothing_outside_the_box_counts_however_red_it_is(red):
    photo, _ = photo_with_disc((80, 80), (40, 40), 30)
    mask = cut_out(red, photo, (30, 30, 50, 50))
    assert (mask[30:50, 30:50] > 0.9).all() and mask.sum() == mask[30:50, 30:50].sum()


def test_the_network_sees_the_crops_that_it_learned_from(networks):
    """Window and box are those of `data.box_crops`, pixel by pixel."""
    from scenebrush.data.box_crops import BoxedObject, BoxedPhoto, cut_crop, object_window

    seen = {}

    class Spy(nn.Module):
        def forward(self, image, box):
            seen.update(image=image, box=box)
            return box

    networks.swap.segmenter = Spy()
    photo = np.random.default_rng(1).integers(0, 255, (150, 200, 3)).astype(np.uint8)
    box = (120, 20, 180, 90)
    cut_out(networks, photo, box)
    window = object_window(box, (200, 150), networks.config.context)
    crop = cut_crop(BoxedPhoto("a", photo, ()), BoxedObject(box, 0), window, networks.config.size)
    pixels = torch.from_numpy(crop.photo).permute(2, 0, 1)[None].float() / 127.5 - 1
    assert torch.equal(seen["image"], pixels)
    assert torch.equal(seen["box"][0, 0] > 0, torch.from_numpy(crop.box))


@pytest.mark.parametrize(
    ("box", "told"),
    [
        ((10, 10, 10, 20), "box 10,10,0,10 .* is empty"),
        ((10, 20, 20, 10), "is empty"),
        ((-1, 0, 5, 5), "does not lie inside the photo of 40x30"),
        ((0, 0, 41, 5), "does not lie inside the photo of 40x30"),
    ],
)
def test_boxes_that_will_not_do(networks, box, told):
    with pytest.raises(InputError, match=told):
        cut_out(networks, np.zeros((30, 40, 3), np.uint8), box)


def test_refining_moves_a_rim_to_the_photos_edge():
    photo = np.zeros((80, 80, 3), np.uint8)
    photo[:, 42:] = 200
    mask = np.zeros((8, 8), np.float32)
    mask[:, 4:] = 1  # its edge is at 40
    fine = refined(photo, mask, (0, 0, 8, 8))
    assert fine.shape == (80, 80) and fine.dtype == np.float32
    assert (fine[:, 42:] > 0.9).all() and (fine[:, :42] < 0.5).all()
    assert np.diff(fine[40]).argmax() == 41


def test_refining_solves_the_filters_equations():
    """One square that covers all: a and b are those of a least-squares fit of mask by colours."""
    rng = np.random.default_rng(0)
    photo = rng.integers(0, 255, (9, 9, 3)).astype(np.uint8)
    mask = rng.random((9, 9)).astype(np.float32)
    from scenebrush.methods.seigan import refining

    guide = photo.astype(np.float32) / 255
    slopes, offset = refining._coefficients(guide, mask, 3)
    x, y = 4, 5
    window = slice(y - 1, y + 2), slice(x - 1, x + 2)
    expected = []
    for cy in range(y - 1, y + 2):  # the means over the squares around each of the nine centres
        for cx in range(x - 1, x + 2):
            part = slice(cy - 1, cy + 2), slice(cx - 1, cx + 2)
            colors, shares = guide[part].reshape(-1, 3).astype(float), mask[part].ravel().astype(float)
            covariance = np.cov(colors, rowvar=False, bias=True) + refining._FLOOR * np.eye(3)
            a = np.linalg.solve(covariance, ((colors - colors.mean(0)) * (shares - shares.mean())[:, None]).mean(0))
            expected.append((*a, shares.mean() - a @ colors.mean(0)))
    assert guide[window].shape == (3, 3, 3)
    assert np.allclose([*slopes[y, x], offset[y, x]], np.mean(expected, 0), atol=1e-3)


def test_a_mask_finer_than_its_photo_is_only_resized():
    mask = np.zeros((40, 40), np.float32)
    mask[:, 20:] = 1
    small = refined(np.random.default_rng(0).integers(0, 255, (10, 10, 3)).astype(np.uint8), mask, (0, 0, 40, 40))
    assert small.shape == (10, 10) and (small[:, :4] == 0).all() and (small[:, 6:] == 1).all()
