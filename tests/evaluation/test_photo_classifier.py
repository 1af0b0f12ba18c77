"""The classifier of one photo: what it reads, that place means nothing to it, and what held-out halves tell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from scenebrush.errors import InputError
from scenebrush.evaluation.photo_classifier import PhotoClassifier, PixelFeatures, held_out

STRIPES, GRAIN, PLAIN = 3, 5, 9


@pytest.fixture(scope="module")
def features(assets: Path) -> PixelFeatures:
    return PixelFeatures.load(assets)


def textures(seed: int = 0, *, turned: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Three fields of one mean colour: stripes and grain, told apart by texture alone, and a bluish plain."""
    rng = np.random.default_rng(seed)
    rows, columns = np.indices((96, 96))
    labels = np.where(columns < 48, STRIPES, GRAIN)
    labels[rows >= 64] = PLAIN
    if turned:
        labels = labels[:, ::-1].copy()
    grey = np.full((96, 96), 128.0)
    grey = np.where(labels == STRIPES, 128 + 40 * np.sign(np.sin(columns * np.pi / 3)), grey)
    grey = np.where(labels == GRAIN, 128 + rng.normal(0, 40, grey.shape), grey)
    photo = np.repeat(grey[..., None], 3, axis=2)
    photo[labels == PLAIN] = (90, 110, 170)
    return (photo + rng.normal(0, 3, photo.shape)).clip(0, 255).astype(np.uint8), labels.astype(np.int32)


def test_it_reads_textures_wherever_they_lie(features: PixelFeatures) -> None:
    photo, labels = textures()
    classifier = PhotoClassifier.fit(photo, labels, features, (STRIPES, GRAIN, PLAIN))
    assert classifier.ids == (STRIPES, GRAIN, PLAIN)
    assert (classifier.read(photo) == labels).mean() > 0.97
    other, turned = textures(seed=1, turned=True)  # new grain, and the fields have changed places
    reading = classifier.read(other)
    assert reading.dtype == np.int32
    assert (reading == turned).mean() > 0.94
    assert (reading == labels).mean() < 0.5


def test_equal_input_gives_equal_readings(features: PixelFeatures) -> None:
    photo, labels = textures()
    first, again = (PhotoClassifier.fit(photo, labels, features, (STRIPES, GRAIN, PLAIN)) for _ in range(2))
    assert (first.read(photo[::-1]) == again.read(photo[::-1])).all()


def test_held_out_halves_tell_what_can_be_learned(features: PixelFeatures) -> None:
    photo, labels = textures()
    found = held_out(photo, labels, features, (STRIPES, GRAIN, PLAIN))
    assert found.known.all()
    assert found.accuracy == (found.reading == labels).mean()
    assert found.accuracy > 0.9
    chance = np.random.default_rng(0).choice([STRIPES, GRAIN], labels.shape).astype(np.int32)
    assert held_out(photo, chance, features, (STRIPES, GRAIN)).accuracy == pytest.approx(0.5, abs=0.05)


def test_a_class_of_one_half_only_is_not_held_against_it(features: PixelFeatures) -> None:
    photo, labels = textures()
    labels[2:8, 2:8] = 1  # inside the first tile
    found = held_out(photo, labels, features, (1, STRIPES, GRAIN, PLAIN))
    assert not found.known[labels == 1].any()
    assert found.known[labels != 1].all()


def test_classes_that_do_not_count_or_are_too_small_are_not_learned(features: PixelFeatures) -> None:
    photo, labels = textures()
    labels[0, :3] = 1
    classifier = PhotoClassifier.fit(photo, labels, features, (1, STRIPES, GRAIN))
    assert classifier.ids == (STRIPES, GRAIN)
    assert set(np.unique(classifier.read(photo))) <= {STRIPES, GRAIN}


def test_what_cannot_be_learned_is_named(features: PixelFeatures) -> None:
    photo, labels = textures()
    with pytest.raises(InputError, match="a photo of one class has nothing to tell apart"):
        PhotoClassifier.fit(photo, labels, features, (STRIPES,))
    with pytest.raises(InputError, match="differ in size"):
        PhotoClassifier.fit(photo, labels[:50], features, (STRIPES, GRAIN))
    with pytest.raises(InputError, match="expected uint8"):
        features.of(photo[..., 0])
