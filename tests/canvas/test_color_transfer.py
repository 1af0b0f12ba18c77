"""Colour transfer: what the maps do to mean and covariance, to equal sets, to few pixels."""

from __future__ import annotations

import numpy as np
import pytest

from scenebrush.canvas.color import lab_of
from scenebrush.canvas.color_transfer import TRANSFERS, monge_kantorovich, reinhard, relit, transferred


def cloud(seed: int, mean: tuple[float, float, float], mixing: np.ndarray, count: int = 4000) -> np.ndarray:
    """Returns colours, float (N, 3), of a mean and of the covariance mixing @ mixing.T."""
    return np.random.default_rng(seed).normal(size=(count, 3)) @ mixing.T + mean


SOURCE = cloud(1, (90, 120, 100), np.array([[20.0, 3, 0], [5, 15, 2], [-8, 0, 12]]))
TARGET = cloud(2, (150, 80, 110), np.array([[9.0, -4, 1], [0, 22, 0], [6, 6, 14]]), count=3000)
GREYS = np.repeat(np.linspace(40, 200, 500)[:, None], 3, 1)


def test_monge_kantorovich_takes_over_mean_and_covariance() -> None:
    source, target = SOURCE * 20, TARGET * 20  # beside which the floor of 4 levels squared is nothing
    moved = monge_kantorovich(source, target)(source)
    assert moved.mean(0) == pytest.approx(target.mean(0), abs=1e-6)
    wanted = np.cov(target, rowvar=False)
    assert np.abs(np.cov(moved, rowvar=False) - wanted).max() < 1e-3 * np.abs(wanted).max()
    assert np.abs(np.cov(source, rowvar=False) - wanted).max() > 0.5 * np.abs(wanted).max()


def test_monge_kantorovich_moves_colours_least() -> None:
    """Optimal transport of normal clouds has a symmetric map; other maps to the same covariance cost more."""
    there, here = SOURCE.mean(0), TARGET.mean(0)
    basis = np.eye(3)
    map_of = monge_kantorovich(SOURCE, TARGET)
    matrix = np.array([map_of(there + e) - here for e in basis])
    assert matrix == pytest.approx(matrix.T, abs=1e-9)
    assert np.linalg.eigvalsh(matrix).min() > 0
    a, b = (np.cov(pixels, rowvar=False) + 4 * np.eye(3) for pixels in (SOURCE, TARGET))
    cholesky = np.linalg.inv(np.linalg.cholesky(a)).T @ np.linalg.cholesky(b).T  # another map from a to b
    assert cholesky.T @ a @ cholesky == pytest.approx(b, rel=1e-6)
    cost = [np.square((SOURCE - there) @ m + here - SOURCE).sum() for m in (matrix, cholesky)]
    assert cost[0] < cost[1]


def test_independent_channels_are_scaled_one_by_one() -> None:
    rng = np.random.default_rng(3)
    halves = rng.permuted(np.tile([-1.0, 1.0], (3, 500)), axis=1).T
    halves -= halves.mean(0)
    q, _ = np.linalg.qr(halves)  # columns without any correlation
    source, target = q * (300, 600, 900) + 100, q * (900, 300, 600) + 50
    variances = [np.var(x, axis=0, ddof=1) + 4 for x in (source, target)]
    wanted = (source - source.mean(0)) * np.sqrt(variances[1] / variances[0]) + target.mean(0)
    assert monge_kantorovich(source, target)(source) == pytest.approx(wanted, abs=1e-6)


def test_a_flat_source_only_changes_its_mean() -> None:
    flat = np.full((50, 3), 77.0)
    moved = monge_kantorovich(flat, flat + (10, -20, 30))(flat)
    assert moved == pytest.approx(flat + (10, -20, 30))


def test_reinhard_takes_over_mean_and_deviation_in_lab() -> None:
    moved = lab_of(reinhard(GREYS, GREYS * 0.5 + 60)(GREYS))
    wanted = lab_of(GREYS * 0.5 + 60)
    assert moved.mean(0) == pytest.approx(wanted.mean(0), abs=0.05)
    gain = (wanted.std(0) + 1) / (lab_of(GREYS).std(0) + 1)
    assert moved.std(0) == pytest.approx(lab_of(GREYS).std(0) * gain, abs=0.05)
    tinted = lab_of(reinhard(GREYS, GREYS * (0.9, 0.7, 0.5))(GREYS))
    assert tinted.mean(0) == pytest.approx(lab_of(GREYS * (0.9, 0.7, 0.5)).mean(0), abs=0.7)  # less what was cut off


def test_another_light_is_no_other_colour() -> None:
    """Of the same ground, once in the shade: lightness by its ratio, half the tint, contrasts of hue as they were."""
    sunny = cloud(4, (150, 145, 140), 5 * np.eye(3))
    shady = sunny * (0.45, 0.48, 0.52)
    thing = np.array([[140.0, 95, 90]] * 9 + [[200.0, 200, 200]] * 9)
    made, own = lab_of(relit(sunny, shady)(thing)), lab_of(thing)
    there, here = lab_of(sunny).mean(0), lab_of(shady).mean(0)
    assert made[:, 0] == pytest.approx(own[:, 0] * (here[0] + 2) / (there[0] + 2), abs=0.5)
    assert made[:, 1:] == pytest.approx(own[:, 1:] + (here[1:] - there[1:]) / 2, abs=0.5)
    night = lab_of(relit(sunny, np.full((50, 3), 2.0))(thing))
    assert night[9, 0] == pytest.approx(0.35 * own[9, 0], abs=0.5)  # darker would not be light any more


@pytest.mark.parametrize("name", TRANSFERS)
def test_equal_sets_change_nothing(name: str) -> None:
    colours = SOURCE.clip(0, 255)
    assert TRANSFERS[name](colours, colours)(colours) == pytest.approx(colours, abs=0.02)  # type: ignore[index]


@pytest.mark.parametrize("name", TRANSFERS)
@pytest.mark.parametrize(("theirs", "ours"), [(15, 4000), (4000, 15), (0, 0)])
def test_too_few_pixels_say_nothing(name: str, theirs: int, ours: int) -> None:
    few = TRANSFERS[name](SOURCE[:theirs], TARGET[:ours])  # type: ignore[index]
    assert np.array_equal(few(SOURCE), SOURCE)
    pixels = SOURCE.clip(0, 255).astype(np.uint8)
    kept = transferred(pixels, SOURCE[:theirs], TARGET[:ours], by=name)  # type: ignore[arg-type]
    assert np.array_equal(kept, pixels)


@pytest.mark.parametrize("name", TRANSFERS)
def test_strength_goes_from_nothing_to_the_whole_difference(name: str) -> None:
    pixels = SOURCE.clip(0, 255).astype(np.uint8).reshape(40, 100, 3)
    nothing, half, whole = (transferred(pixels, SOURCE, TARGET, by=name, strength=s) for s in (0, 0.5, 1))  # type: ignore[arg-type]
    assert np.array_equal(nothing, pixels)
    assert whole.dtype == np.uint8 and whole.shape == pixels.shape
    moved = TRANSFERS[name](SOURCE, TARGET)(pixels)  # type: ignore[index]
    assert np.abs(whole - moved.clip(0, 255)).max() <= 0.5
    inside = ((moved > 0) & (moved < 255)).all(-1)
    assert np.abs(half[inside] - (pixels[inside] + moved[inside]) / 2).max() <= 0.5


def test_colours_that_leave_the_range_are_cut_off_not_wrapped() -> None:
    pixels = np.linspace(0, 255, 300).repeat(3).reshape(-1, 3).astype(np.uint8)
    light = transferred(pixels, pixels, np.linspace(200, 330, 300).repeat(3).reshape(-1, 3))
    assert (np.diff(light[:, 0].astype(int)) >= 0).all() and light.max() == 255
