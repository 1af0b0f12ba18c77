"""Soft outlines: a mixture that is known is taken apart again."""

from __future__ import annotations

import numpy as np

from scenebrush.canvas.matting import matte

INSIDE, OUTSIDE = np.array([40.0, 60.0, 30.0]), np.array([200.0, 205.0, 220.0])


def mixture(radius: float, softness: float, labelled: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A dark disc with a soft edge on a bright ground, its true share, and a label `labelled` pixels wide."""
    rows, columns = np.mgrid[:80, :80] - 40
    away = np.hypot(rows, columns)
    share = np.clip((radius - away) / softness + 0.5, 0, 1)
    photo = share[..., None] * INSIDE + (1 - share[..., None]) * OUTSIDE
    return photo.round().astype(np.uint8), share, away <= labelled


def test_the_share_of_a_soft_edge_is_found() -> None:
    photo, share, mask = mixture(22, 3, 22)
    _, found = matte(photo, mask)
    assert np.abs(found - share).mean() < 0.01
    assert np.abs(found - share)[mask].max() < 0.3


def test_a_label_that_is_too_wide_brings_no_halo_along() -> None:
    photo, _, mask = mixture(20, 2, 22)
    colors, share = matte(photo, mask)
    on_black = (colors * share[..., None]).mean(axis=-1)
    rows, columns = np.mgrid[:80, :80] - 40
    rim = mask & (np.hypot(rows, columns) > 21)
    assert on_black[rim].max() < 60  # laid over black it stays dark: the bright ground is gone
    assert np.abs(colors[mask & (share > 0.9)] - INSIDE).max() < 25


def test_without_a_difference_in_colour_the_outline_decides() -> None:
    photo = np.full((40, 40, 3), 128, np.uint8)
    mask = np.zeros((40, 40), bool)
    mask[10:30, 12:28] = True
    _, share = matte(photo, mask)
    assert (share[14:26, 16:24] == 1).all()
    assert (share[:8] == 0).all()
    assert ((share > 0) & (share < 1)).any()


def test_the_edge_of_the_picture_is_no_outline() -> None:
    photo, _, _ = mixture(20, 1, 20)
    mask = np.zeros((80, 80), bool)
    mask[30:50, :20] = True
    photo[mask] = INSIDE
    _, share = matte(photo, mask)
    assert (share[38:42, 0] == 1).all()
