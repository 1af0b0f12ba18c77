"""Styles made N(0, 1) after training: the photos' pictures stay, their styles have mean 0 and covariance 1."""

from __future__ import annotations

import torch

from scenebrush.methods.spade.config import SpadeConfig
from scenebrush.methods.spade.networks import build_networks
from scenebrush.methods.spade.styles import standardise_styles


def test_pictures_stay_and_styles_become_standard() -> None:
    torch.manual_seed(0)
    networks = build_networks(SpadeConfig(num_classes=3, width=4, modulation_width=4, style=True, style_channels=5))
    networks.eval()
    encoder = networks.encoder
    assert encoder is not None
    with torch.no_grad():
        for layer in (encoder.mean, encoder.log_variance):
            layer.weight.mul_(40)  # as a training leaves them: of any size, and not about 0
            layer.bias.copy_(torch.randn(5))
    photos = torch.rand(40, 3, 64, 64) * torch.rand(40, 3, 1, 1) * 2 - 1
    labels = torch.arange(256)[None, None].expand(1, 256, 256) // 90
    before = [networks.synthesize(labels, style_image=photos[i : i + 1]) for i in range(3)]
    assert not torch.allclose(torch.cov(encoder(photos).mean.T), torch.eye(5), atol=0.1)
    standardise_styles(networks, photos.split(16))
    for picture, photo in zip(before, photos[:3, None], strict=True):
        assert torch.allclose(networks.synthesize(labels, style_image=photo), picture, atol=2e-4)
    with torch.no_grad():
        styles = encoder(photos)
    assert torch.allclose(styles.mean.mean(0), torch.zeros(5), atol=1e-3)
    assert torch.allclose(torch.cov(styles.mean.T), torch.eye(5), atol=1e-2)
    assert styles.log_variance.std(0).max() < 1e-6
