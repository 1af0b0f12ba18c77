from __future__ import annotations

import itertools
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from scenebrush.errors import InputError
from scenebrush.evaluation import patch_distances as module
from scenebrush.evaluation.patch_distances import nearest_patch_distances, patch_distances
from scenebrush.layers.vgg import VGG


def brute_force(first: np.ndarray, second: np.ndarray, patch: int) -> float:
    """Mean over the patches of `first` of the RMS distance to the nearest of `second`, by two plain loops."""

    def patches(picture: np.ndarray) -> list[np.ndarray]:
        height, width = picture.shape[:2]
        places = itertools.product(range(height - patch + 1), range(width - patch + 1))
        return [picture[y : y + patch, x : x + patch].astype(float) for y, x in places]

    others = patches(second)
    return float(np.mean([min(np.sqrt(((p - q) ** 2).mean()) for q in others) for p in patches(first)]))


@settings(max_examples=12, deadline=None)
@given(
    seed=st.integers(0, 1000),
    target=st.tuples(st.integers(3, 9), st.integers(3, 9)),
    source=st.tuples(st.integers(3, 9), st.integers(3, 9)),
    patch=st.integers(1, 3),
)
def test_both_directions_equal_a_brute_force(
    seed: int, target: tuple[int, int], source: tuple[int, int], patch: int
) -> None:
    rng = np.random.default_rng(seed)
    a, b = (rng.integers(0, 256, (*size, 3), np.uint8) for size in (target, source))
    found = patch_distances(a, b, patch=patch)
    assert found.coherence == pytest.approx(brute_force(a, b, patch), abs=1e-6)
    assert found.completeness == pytest.approx(brute_force(b, a, patch), abs=1e-6)


def test_chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """With chunks of 7, several on either side, against scipy's tree over all 7x7 patches."""
    rng = np.random.default_rng(5)
    a, b = (rng.integers(0, 256, size, np.uint8) for size in ((13, 15, 3), (17, 12, 3)))
    rows = [
        np.stack([p[y : y + 7, x : x + 7].ravel() for y in range(p.shape[0] - 6) for x in range(p.shape[1] - 6)])
        for p in (a.astype(float), b.astype(float))
    ]
    expected = cKDTree(rows[1]).query(rows[0])[0] / np.sqrt(147)
    monkeypatch.setattr(module, "CHUNK", 7)
    found = nearest_patch_distances(a.astype(np.float32) - 128, b.astype(np.float32) - 128)
    assert found == pytest.approx(expected, abs=1e-6)


def test_a_part_of_the_source_is_wholly_coherent_but_not_complete() -> None:
    source = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    found = patch_distances(source[5:20, 8:25], source)
    assert found.coherence == 0
    assert found.completeness > 10
    assert patch_distances(source, source[5:20, 8:25]).completeness == 0
    assert patch_distances(source, source) == module.PatchDistances(0, 0, 7, "rgb", 1)


def test_one_level_of_grey_is_a_distance_of_1() -> None:
    grey = np.full((12, 12, 3), 100, np.uint8)
    found = patch_distances(grey + np.uint8(1), grey)
    assert (found.coherence, found.completeness) == pytest.approx((1, 1))


def test_steps_leave_out_patches_of_one_side_only(waves: np.ndarray) -> None:
    part = waves[:40, :40]
    every = nearest_patch_distances(part[:20].astype(np.float32), part[15:].astype(np.float32))
    third = nearest_patch_distances(part[:20].astype(np.float32), part[15:].astype(np.float32), step=3)
    assert third == pytest.approx(every.reshape(14, 34)[::3, ::3].ravel())
    assert patch_distances(part, part, step=3).step == 3


def test_memory_stays_flat(monkeypatch: pytest.MonkeyPatch) -> None:
    """60x60 against 60x60 pixels: all patches together would be 3 MB, all distances 32 MB."""
    monkeypatch.setattr(module, "CHUNK", 256)
    picture = np.random.default_rng(0).integers(0, 256, (60, 60, 3), np.uint8).astype(np.float32)
    tracemalloc.start()
    nearest_patch_distances(picture, picture[:, ::-1])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2e6


def test_features_of_vgg_stand_in_for_pixels(assets: Path, waves: np.ndarray, spoilt: np.ndarray) -> None:
    vgg = VGG.from_file(assets / "lpips_vgg16.fp16.safetensors")
    found = patch_distances(spoilt[:48, :64], waves[:48, :64], patch=3, vgg=vgg)
    assert found.features == "vgg16 relu2_1"
    assert found.coherence > 0.01
    assert patch_distances(waves[:48], waves[:48], patch=3, vgg=vgg).coherence == 0


def test_what_cannot_be_measured_is_refused(waves: np.ndarray) -> None:
    with pytest.raises(InputError, match="6x96 is smaller than a patch of 7 px"):
        patch_distances(waves[:, :6], waves)
    with pytest.raises(InputError, match="patch 7 and step 0"):
        patch_distances(waves, waves, step=0)
    with pytest.raises(InputError, match="float64"):
        patch_distances(waves / 255, waves)
