import numpy as np
import pytest
import torch

from scenebrush.methods.sims.conv_body import ConvBody, LayerNorm, resized, same_pool


def pooled_by_hand(plane: np.ndarray, *, average: bool) -> np.ndarray:
    """TensorFlow's "SAME" for a window of 3 and stride 2, from its formula; the padding is left out."""
    places = []
    for side in plane.shape:
        outputs = -(-side // 2)
        before = max((outputs - 1) * 2 + 3 - side, 0) // 2
        places.append([range(max(2 * i - before, 0), min(2 * i - before + 3, side)) for i in range(outputs)])
    reduce = np.mean if average else np.max
    return np.array([[reduce(plane[np.ix_(rows, columns)]) for columns in places[1]] for rows in places[0]])


@pytest.mark.parametrize("average", [True, False])
@pytest.mark.parametrize("shape", [(8, 6), (7, 6), (5, 9), (1, 4), (2, 1)])
def test_pool_is_tensorflows_same(shape: tuple[int, int], average: bool) -> None:
    # Negative numbers: a padding of zeros would win a maximum.
    plane = np.random.default_rng(0).normal(-3, 1, shape)
    pooled = same_pool(torch.from_numpy(plane)[None, None], average=average)[0, 0]
    np.testing.assert_allclose(pooled.numpy(), pooled_by_hand(plane, average=average))


def test_body_halves_five_times() -> None:
    body = ConvBody(5, width=2)
    assert body(torch.rand(2, 5, 64, 96)).shape == (2, 16, 2, 3)
    assert body(torch.rand(1, 5, 33, 20)).shape == (1, 16, 2, 1)


def test_layer_norm_is_over_channels_and_pixels() -> None:
    norm, x = LayerNorm(3), torch.rand(2, 3, 4, 5)
    with torch.no_grad():
        norm.weight.copy_(torch.tensor([1.0, 2.0, 3.0]))
        norm.bias.copy_(torch.tensor([0.0, 1.0, 2.0]))
    one = x[1].double().numpy()
    expected = (one - one.mean()) / np.sqrt(one.var() + 1e-5) * np.array([1, 2, 3])[:, None, None]
    expected += np.array([0, 1, 2])[:, None, None]
    np.testing.assert_allclose(norm(x)[1].detach().numpy(), expected, atol=1e-5)


def test_resizing_is_not_shifted_and_keeps_thin_poles() -> None:
    step = (torch.arange(12) >= 6).float().expand(1, 1, 5, 12)
    torch.testing.assert_close(resized(step, (5, 4))[0, 0, 0], 1 - resized(step, (5, 4))[0, 0, 0].flip(0))
    pole = torch.zeros(1, 1, 40, 200)
    pole[..., 103] = 1
    small = resized(pole, (10, 25))
    assert float(small.sum()) == pytest.approx(10 / 8, rel=0.1)
    assert int(small[0, 0, 5].argmax()) == 103 // 8


def test_bytes_are_resized_as_floats_are() -> None:
    pixels = torch.randint(0, 256, (1, 3, 30, 40), dtype=torch.uint8)
    difference = resized(pixels, (12, 20)).float() - resized(pixels.float(), (12, 20))
    assert float(difference.abs().max()) <= 1
