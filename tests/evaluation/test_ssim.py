from __future__ import annotations

import numpy as np
import pytest
from skimage.color import rgb2gray
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from scenebrush.errors import InputError
from scenebrush.evaluation.ssim import psnr, ssim, ssim_map


def _reference_map(first: np.ndarray, second: np.ndarray) -> tuple[float, np.ndarray]:
    grey = [rgb2gray(p / 127.5 - 1) for p in (first, second)]
    mean, full = structural_similarity(*grey, win_size=7, data_range=2.0, full=True)
    return float(mean), full


def test_the_map_and_the_mean_equal_scikit_image(waves: np.ndarray, spoilt: np.ndarray) -> None:
    mean, full = _reference_map(waves, spoilt)
    grey = [rgb2gray(p / 127.5 - 1) for p in (waves, spoilt)]
    assert ssim_map(*grey) == pytest.approx(full, abs=1e-9)
    assert ssim(waves, spoilt)[0] == pytest.approx(mean, abs=1e-9)


def test_in_the_hole_it_is_the_mean_of_scikit_images_map_there(waves: np.ndarray, spoilt: np.ndarray) -> None:
    """SESAME's definition, facts 1.10."""
    _, full = _reference_map(waves, spoilt)
    hole = (waves != spoilt).any(axis=2)
    assert ssim(waves, spoilt, hole)[0] == pytest.approx(full[hole].mean(), abs=1e-9)
    assert ssim(waves, spoilt, np.ones_like(hole))[0] == pytest.approx(full.mean(), abs=1e-9)


def test_equal_pictures(waves: np.ndarray) -> None:
    assert ssim(waves, waves)[0] == pytest.approx(1.0)
    assert psnr(waves, waves)[0] == 100.0


def test_psnr_of_the_window_equals_scikit_image(waves: np.ndarray, spoilt: np.ndarray) -> None:
    assert psnr(waves, spoilt)[0] == pytest.approx(peak_signal_noise_ratio(waves, spoilt, data_range=255))


def test_psnr_in_the_hole_counts_only_the_hole() -> None:
    first = np.zeros((8, 8, 3), np.uint8)
    second = first.copy()
    second[0, 0] = 51  # 255 / 5 off in one pixel: 20 log10(5) = 13.98 dB
    second[7, 7] = 255
    hole = np.zeros((8, 8), bool)
    hole[0, 0] = True
    assert psnr(first, second, hole)[0] == pytest.approx(20 * np.log10(5))
    hole[0, 1] = True  # half the mean square: 3.01 dB more
    assert psnr(first, second, hole)[0] == pytest.approx(20 * np.log10(5) + 10 * np.log10(2))


def test_stacks_are_measured_picture_by_picture(waves: np.ndarray, spoilt: np.ndarray) -> None:
    found = ssim(np.stack([waves, waves]), np.stack([waves, spoilt]))
    assert found == pytest.approx([1.0, ssim(waves, spoilt)[0]])


def test_pictures_that_do_not_fit_are_refused(waves: np.ndarray) -> None:
    with pytest.raises(InputError, match="7 px a side; these are 5x96"):
        ssim(waves[:, :5], waves[:, :5])
    with pytest.raises(InputError, match=r"holes are int64 .*expected bool"):
        psnr(waves, waves, np.ones((96, 96), np.int64))
