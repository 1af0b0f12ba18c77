import numpy as np
import pytest
import torch
from scipy import ndimage

from scenebrush.errors import InputError
from scenebrush.methods.sims.affine import (
    about,
    compose,
    forward_matrix,
    identity,
    inverse,
    sampling_affine,
    scaled,
    warp,
)


def test_translation_fetches_from_the_right() -> None:
    row = torch.arange(5.0).expand(1, 1, 3, 5)
    affine = identity()
    affine[0, 0, 2] = 2
    # Two pixels further right, and the border goes on.
    torch.testing.assert_close(warp(row, affine)[0, 0, 1], torch.tensor([2.0, 3.0, 4.0, 4.0, 4.0]))
    affine = identity()
    affine[0, 1, 2] = -1
    torch.testing.assert_close(warp(row.mT, affine)[0, 0, :, 1], torch.tensor([0.0, 0.0, 1.0, 2.0, 3.0]))


@pytest.mark.parametrize("shape", [(9, 14), (20, 7)])
def test_warp_is_scipys(shape: tuple[int, int]) -> None:
    rng = np.random.default_rng(1)
    image = rng.random(shape)
    affine = np.eye(2, 3) + rng.normal(0, [[0.2, 0.2, 2]] * 2)
    got = warp(torch.from_numpy(image)[None, None], torch.from_numpy(affine)[None])[0, 0].numpy()
    flipped = affine[::-1, 1::-1]  # to (row, column)
    centre = (np.array(shape) - 1) / 2
    offset = centre - flipped @ centre + affine[::-1, 2]
    expected = ndimage.affine_transform(image, flipped, offset, order=1, mode="nearest")
    np.testing.assert_allclose(got, expected, atol=1e-9)


def test_every_sample_has_its_own_affine() -> None:
    image = torch.rand(2, 3, 6, 8)
    affine = identity(2)
    affine[1, 0, 2] = 1
    got = warp(image, affine)
    torch.testing.assert_close(got[0], image[0])
    torch.testing.assert_close(got[1, :, :, :-1], image[1, :, :, 1:])


def test_composed_is_one_after_the_other() -> None:
    rng = torch.Generator().manual_seed(0)
    first, second = (identity(2) + torch.randn(2, 2, 3, generator=rng) * 0.3 for _ in range(2))
    place = torch.randn(2, 2, 1, generator=rng)

    def at(affine: torch.Tensor, where: torch.Tensor) -> torch.Tensor:
        return affine[:, :, :2] @ where + affine[:, :, 2:]

    torch.testing.assert_close(at(compose(first, second), place), at(first, at(second, place)))
    torch.testing.assert_close(compose(first, inverse(first)), identity(2))
    shifted = torch.rand(1, 1, 9, 9, generator=rng)
    left, down = identity(), identity()
    left[0, 0, 2], down[0, 1, 2] = 2, -3
    torch.testing.assert_close(warp(warp(shifted, left), down), warp(shifted, compose(left, down)))


def test_about_a_centre_leaves_it_where_it_is() -> None:
    affine = torch.tensor([[[0.5, 0.2, 0.0], [-0.1, 2.0, 0.0]]])
    centre = torch.tensor([[7.0, -3.0]])
    whole = about(affine, centre)
    torch.testing.assert_close(whole[:, :, :2] @ centre[..., None] + whole[:, :, 2:], centre[..., None])


def test_scaled_picture_has_the_scaled_transform() -> None:
    affine = torch.tensor([[[1.0, 0.5, 3.0], [0.0, 1.0, -2.0]]])
    enlarged = scaled(affine, torch.tensor([[2.0, 4.0]]))
    # (1, 1) goes to (1 + .5 + 3, 1 - 2); enlarged, (2, 4) goes to twice and four times that.
    place = enlarged[0, :, :2] @ torch.tensor([2.0, 4.0]) + enlarged[0, :, 2]
    torch.testing.assert_close(place, torch.tensor([9.0, -4.0]))


def test_forward_matrix_moves_what_is_shown() -> None:
    dot = torch.zeros(1, 1, 11, 15, dtype=torch.float64)
    dot[0, 0, 4, 6] = 1
    affine = sampling_affine(np.array([[1.0, 0.0, 5.0], [0.0, 1.0, -2.0]]), (11, 15))
    moved = warp(dot, torch.from_numpy(affine)[None])[0, 0]
    assert moved[2, 11] == pytest.approx(1)
    matrix = np.array([[1.2, 0.1, 5.0], [-0.3, 0.8, -2.0]])
    np.testing.assert_allclose(forward_matrix(sampling_affine(matrix, (11, 15)), (11, 15)), matrix)


def test_wrong_shapes_are_named() -> None:
    with pytest.raises(InputError, match=r"\(2, 1, 4, 4\).*\(1, 2, 3\)"):
        warp(torch.rand(2, 1, 4, 4), identity())
