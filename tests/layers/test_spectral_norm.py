"""`layers.spectral_norm` against singular values and a hand-made power iteration."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from scenebrush.layers.spectral_norm import SpectralConv2d, SpectralConvTranspose2d, settle_


@pytest.fixture
def conv() -> SpectralConv2d:
    torch.manual_seed(0)
    return SpectralConv2d(5, 7, 3, padding=1)


def test_training_converges_to_the_largest_singular_value(conv: SpectralConv2d) -> None:
    for _ in range(300):
        weight = conv.normalized_weight()
    assert np.linalg.norm(weight.detach().flatten(1).numpy(), 2) == pytest.approx(1, abs=1e-4)


def test_one_power_iteration_is_v_then_u(conv: SpectralConv2d) -> None:
    w, u = conv.weight.detach().flatten(1).numpy(), conv.weight_u.numpy().copy()
    v = w.T @ u / np.linalg.norm(w.T @ u)
    u = w @ v / np.linalg.norm(w @ v)
    weight = conv.normalized_weight()
    np.testing.assert_allclose(conv.weight_v, v, atol=1e-6)
    np.testing.assert_allclose(conv.weight_u, u, atol=1e-6)
    np.testing.assert_allclose(weight.detach().flatten(1), w / (u @ w @ v), atol=1e-5)


def test_evaluation_divides_by_u_w_v_and_leaves_the_vectors(conv: SpectralConv2d) -> None:
    conv.eval()
    u, v = conv.weight_u.clone(), conv.weight_v.clone()
    sigma = u @ conv.weight.flatten(1) @ v
    x = torch.randn(2, 5, 6, 6)
    torch.testing.assert_close(conv(x), F.conv2d(x, conv.weight / sigma, conv.bias, padding=1))
    assert torch.equal(conv.weight_u, u)
    assert torch.equal(conv.weight_v, v)


def test_gradient_flows_through_sigma(conv: SpectralConv2d) -> None:
    """dL/dW = (G - <G, W/s> u v^T) / s for a loss with gradient G on the normalised weight."""
    conv.eval()
    gradient = torch.randn_like(conv.weight)
    (conv.normalized_weight() * gradient).sum().backward()
    w, u, v = conv.weight.detach().flatten(1), conv.weight_u, conv.weight_v
    sigma = u @ w @ v
    g = gradient.flatten(1)
    wanted = (g - (g * w / sigma).sum() * torch.outer(u, v)) / sigma
    torch.testing.assert_close(conv.weight.grad.flatten(1), wanted, rtol=1e-3, atol=1e-5)


def test_two_passes_before_one_backward(conv: SpectralConv2d) -> None:
    """The second pass moves u and v in place; the first one's gradient must still be computable."""
    x = torch.randn(1, 5, 6, 6)
    (conv(x).sum() + conv(2 * x).sum()).backward()
    assert torch.isfinite(conv.weight.grad).all()


def test_sigma_stays_float32_under_autocast(conv: SpectralConv2d) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        assert conv.normalized_weight().dtype == torch.float32
        assert conv(torch.randn(1, 5, 6, 6)).dtype == torch.bfloat16


def test_shortcut_without_bias_has_only_its_weight() -> None:
    assert {name for name, _ in SpectralConv2d(2, 3, 1, bias=False).named_parameters()} == {"weight"}


def test_settling_finds_the_largest_singular_value() -> None:
    torch.manual_seed(0)
    network = torch.nn.Sequential(SpectralConv2d(64, 32, 3), torch.nn.Sequential(SpectralConv2d(32, 16, 1)))
    convs = [network[0], network[1][0]]
    errors = lambda: [  # noqa: E731
        abs(torch.linalg.matrix_norm(c.eval().normalized_weight().flatten(1), 2).item() - 1) for c in convs
    ]
    assert max(errors()) > 0.5  # as drawn, u and v know nothing of W
    settle_(network)
    assert max(errors()) < 0.05


def test_transposed_convolution_has_a_row_per_output_channel() -> None:
    torch.manual_seed(0)
    conv = SpectralConvTranspose2d(6, 4, 4, stride=2, padding=1)
    assert (conv.weight_u.shape, conv.weight_v.shape) == ((4,), (96,))
    settle_(conv, 300)
    weight = conv.eval().normalized_weight().detach()
    matrix = np.moveaxis(weight.numpy(), 1, 0).reshape(4, -1)
    assert np.linalg.norm(matrix, 2) == pytest.approx(1, abs=1e-4)
    x = torch.randn(2, 6, 5, 3)
    torch.testing.assert_close(conv(x), F.conv_transpose2d(x, weight, conv.bias, stride=2, padding=1))
