"""The exchangeable discriminators: one promise for all, sizes, and that the condition counts."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from scenebrush.errors import InputError, RecipeError
from scenebrush.layers.discriminators import DISCRIMINATORS, ConditionalDiscriminator, build_discriminator
from scenebrush.layers.discriminators.base import MultiScaleDiscriminator, resting
from scenebrush.layers.receptive_field import output_size
from scenebrush.layers.semantics import one_hot_semantics
from scenebrush.layers.spectral_norm import SpectralConv2d

CLASSES = 6
MULTI_SCALE = [name for name in DISCRIMINATORS if name != "feature_pyramid"]


def build(name: str, **options: int) -> ConditionalDiscriminator:
    """Returns a narrow discriminator whose weights are large enough to see what moves its logits."""
    torch.manual_seed(0)
    discriminator = build_discriminator(name, CLASSES, width=4, **options).eval()  # type: ignore[arg-type]
    for parameter in discriminator.parameters():
        if parameter.ndim > 1:
            nn.init.xavier_normal_(parameter)
    return discriminator


def street(height: int = 96, width: int = 128, batch: int = 2) -> tuple[Tensor, Tensor, Tensor]:
    """Returns one-hot semantics of a layout of blocks, and a fake and a real image."""
    generator = torch.Generator().manual_seed(3)
    blocks = torch.randint(0, CLASSES, (batch, height // 16 + 1, width // 16 + 1), generator=generator)
    labels = blocks.repeat_interleave(16, 1).repeat_interleave(16, 2)[:, :height, :width]
    fake, real = (torch.rand(batch, 3, height, width, generator=generator) * 2 - 1 for _ in range(2))
    return one_hot_semantics(labels, CLASSES), fake, real


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("concatenated", 5_601_410),  # SPADE on Cityscapes, facts 2.4
        ("hidden_concatenation", 6_585_730),
        ("patch_projection", 7_634_306),
        ("feature_pyramid", 5_175_873),
        ("two_streams", 11_106_562),  # SESAME on Cityscapes, facts 1.11
    ],
)
def test_parameters_at_width_64_under_36_channels(name: str, wanted: int) -> None:
    with torch.device("meta"):
        discriminator = build_discriminator(name, 36)  # type: ignore[arg-type]
    assert sum(p.numel() for p in discriminator.parameters()) == wanted


@pytest.mark.parametrize("channels,wanted", [(184, 5_904_514), (151, 5_836_930)])
def test_parameters_of_spades_own(channels: int, wanted: int) -> None:
    with torch.device("meta"):
        assert sum(p.numel() for p in build_discriminator("concatenated", channels).parameters()) == wanted


def test_parameters_by_hand() -> None:
    """The three that no paper counts for us, from their layers: 4x4 convolutions but where said."""
    w, s = 64, 36
    image_stream = (3 * 16 * w + w) + 16 * (w * 2 * w + 2 * w * 4 * w + 4 * w * 8 * w)
    prediction = 8 * w * 16 + 1
    join = s * 2 * w + 2 * w  # 1x1 embedding
    hidden = image_stream + 16 * (2 * w * 4 * w) + join + prediction  # the third layer sees twice the channels
    projection = image_stream + 129 * (8 * w * 16 + 1) + s * 128
    encoder = 9 * (3 * w + w * 2 * w + 2 * w * 4 * w + 4 * w * 8 * w + 8 * w * 8 * w)
    decoder = (2 + 4 + 8 + 8) * w * 4 * w + 3 * 9 * 4 * w * 2 * w
    heads = (2 * w + 1) + (4 * w * w + 2 * w) + (s * 2 * w + 2 * w)
    with torch.device("meta"):
        assert count("hidden_concatenation") == 2 * hidden
        assert count("patch_projection") == 2 * projection
        assert count("feature_pyramid") == encoder + decoder + heads


def count(name: str) -> int:
    return sum(p.numel() for p in build_discriminator(name, 36).parameters())  # type: ignore[arg-type]


@pytest.mark.parametrize("name", DISCRIMINATORS)
@torch.no_grad()
def test_shapes_at_256(name: str) -> None:
    semantics, fake, real = street(256, 256, 1)
    judged = build(name)(semantics, [fake, real])
    sizes = [tuple(d.shape) for d in judged[1].logits]
    features = [[m.shape[-1] for m in maps] for maps in judged[1].features]
    if name == "feature_pyramid":
        assert sizes == [(1, 1, n, n) for n in (64, 64, 32, 32, 16, 16)]
        assert features == [[64, 32, 16, 8]]
    else:
        assert sizes == [(1, 1, 35, 35), (1, 1, 19, 19)]
        assert features == [[129, 65, 33, 34], [65, 33, 17, 18]]


@pytest.mark.parametrize("name", DISCRIMINATORS)
@torch.no_grad()
def test_a_wrong_layout_changes_the_logits(name: str) -> None:
    """Every score that is to be conditional is; the features of the image need not be."""
    semantics, fake, _ = street()
    discriminator = build(name)
    right, wrong = (discriminator(s, [fake])[0] for s in (semantics, semantics.roll(1, dims=1)))
    moved = [not torch.allclose(a, b, atol=1e-3) for a, b in zip(right.logits, wrong.logits, strict=True)]
    if name == "feature_pyramid":
        assert moved == [False, True] * 3  # realness looks at the image alone, matching at both
    else:
        assert all(moved)


@pytest.mark.parametrize("name", DISCRIMINATORS)
@torch.no_grad()
def test_the_place_of_the_labels_counts(name: str) -> None:
    """The same shares of classes elsewhere are another layout: no score pools the labels over the picture."""
    semantics, fake, _ = street()
    discriminator = build(name)
    right, mirrored = (discriminator(s, [fake])[0].logits for s in (semantics, semantics.flip(3)))
    assert any(not torch.allclose(a, b, atol=1e-3) for a, b in zip(right, mirrored, strict=True))


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_the_condition_can_be_learned_from(name: str) -> None:
    """The right layout is told from a wrong one, on equal pictures, after a few steps: gradients reach the labels."""
    semantics, _, real = street(64, 64)
    wrong = semantics.roll(1, dims=1)
    discriminator = build(name).train()
    adam = torch.optim.Adam(discriminator.parameters(), lr=2e-3, betas=(0.0, 0.9))
    for _ in range(12):
        right, other = (discriminator(s, [real])[0].logits for s in (semantics, wrong))
        loss = torch.stack([nn.functional.softplus(b - a).mean() for a, b in zip(right, other, strict=True)]).mean()
        adam.zero_grad()
        loss.backward()
        adam.step()
    assert float(loss.detach()) < 0.8 * math.log(2)  # one that ignores the condition stays at log 2


@pytest.mark.parametrize("name", DISCRIMINATORS)
@torch.no_grad()
def test_one_pass_equals_two_and_order_does_not_matter(name: str) -> None:
    semantics, fake, real = street()
    discriminator = build(name)
    together = discriminator(semantics, [fake, real])
    embedded = discriminator.embed(semantics)
    for judged, image in zip(together, (fake, real), strict=True):
        alone = discriminator.judge(embedded, [image])[0]
        for a, b in zip(judged.logits, alone.logits, strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)
        for maps, others in zip(judged.features, alone.features, strict=True):
            for a, b in zip(maps, others, strict=True):
                torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", DISCRIMINATORS)
@torch.no_grad()
def test_samples_of_a_batch_are_judged_under_their_own_labels(name: str) -> None:
    semantics, fake, real = street()
    discriminator = build(name)
    both = discriminator(semantics, [fake, real])[1].logits
    second = discriminator(semantics[1:], [real[1:]])[0].logits
    for a, b in zip(both, second, strict=True):
        torch.testing.assert_close(a[1:], b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_odd_sizes_autocast_and_gradients(name: str) -> None:
    semantics, fake, real = street(75, 90, 1)
    discriminator = build(name).train()
    with torch.autocast("cpu", torch.bfloat16):
        judged = discriminator(semantics, [fake.requires_grad_(), real])
        total = torch.stack([logits.float().sum() for logits in judged[0].logits]).sum()
    total.backward()
    assert fake.grad is not None and torch.isfinite(fake.grad).all() and fake.grad.any()
    assert all(p.grad is not None and torch.isfinite(p.grad).all() for p in discriminator.parameters())


@pytest.mark.parametrize("name", MULTI_SCALE)
def test_scales_and_layers_are_options(name: str) -> None:
    discriminator = build(name, num_layers=3, num_scales=3)
    assert isinstance(discriminator, MultiScaleDiscriminator)
    semantics, fake, _ = street(80, 64, 1)
    judged = discriminator(semantics, [fake])[0]
    assert len(judged.logits) == 3 and [len(maps) for maps in judged.features] == [3, 3, 3]
    touched = discriminator.touched_patches(torch.ones(1, 1, 80, 64))
    assert [t.shape for t in touched] == [d.shape for d in judged.logits]
    assert output_size(80, discriminator._scales()[0].windows) == judged.logits[0].shape[2]


@torch.no_grad()
def test_projection_is_the_inner_product_of_miyato_and_koyama() -> None:
    """By hand, place by place: psi + sum_c share_c <V_c, W f>; without labels psi alone is left."""
    semantics, fake, _ = street(64, 64, 1)
    discriminator = build("patch_projection", num_scales=1)
    assert isinstance(discriminator, MultiScaleDiscriminator)
    scale = discriminator._scales()[0]
    logits = discriminator(semantics, [fake])[0].logits[0]
    features = fake
    for layer in scale.image_stream:
        features = layer(features)
    predicted = scale.prediction(features)
    vectors = scale.embedding.normalized_weight()[:, :, 0, 0]  # (E, S)
    embedded = discriminator.embed(semantics)[0]
    n, cell = logits.shape[-1], 64 / logits.shape[-1]
    for y, x in ((0, 0), (n // 2, n - 1)):
        rows, columns = (slice(int(i * cell), math.ceil((i + 1) * cell)) for i in (y, x))
        share = semantics[0, :, rows, columns].mean((1, 2))
        torch.testing.assert_close(embedded[0, :, y, x], vectors @ share)
        wanted = predicted[0, 0, y, x] + torch.dot(vectors @ share, predicted[0, 1:, y, x])
        torch.testing.assert_close(logits[0, 0, y, x], wanted)
    unlabelled = discriminator(torch.zeros_like(semantics), [fake])[0].logits[0]
    torch.testing.assert_close(unlabelled, predicted[:, :1])


@torch.no_grad()
def test_a_matching_score_sees_only_its_own_place() -> None:
    """FPSE: labels changed in one corner change the matching scores there and nowhere else."""
    semantics, fake, _ = street(128, 128, 1)
    changed = semantics.clone()
    changed[..., :32, :48] = semantics.roll(1, dims=1)[..., :32, :48]
    discriminator = build("feature_pyramid")
    before, after = (discriminator(s, [fake])[0].logits[1::2] for s in (semantics, changed))
    for level, (a, b) in enumerate(zip(before, after, strict=True)):
        step = 4 * 2**level
        inside = torch.zeros_like(a, dtype=torch.bool)
        inside[..., : 32 // step, : 48 // step] = True
        assert torch.equal(a != b, inside)


@torch.no_grad()
def test_the_labels_join_where_they_are() -> None:
    """Hidden concatenation: far from a changed corner, but for the norms that feel all, nothing changes."""
    semantics, fake, _ = street(160, 160, 1)
    changed = semantics.clone()
    changed[..., :16, :16] = semantics.roll(1, dims=1)[..., :16, :16]
    discriminator = build("hidden_concatenation", num_scales=1)
    assert isinstance(discriminator, MultiScaleDiscriminator)
    for layer in discriminator._scales()[0].joint_stream:
        layer[1] = nn.Identity()
    a, b = (discriminator(s, [fake])[0].logits[0] for s in (semantics, changed))
    moved = (a != b)[0, 0]
    assert moved[:2, :2].all() and not moved[12:, :].any() and not moved[:, 12:].any()


@pytest.mark.parametrize("name", DISCRIMINATORS)
def test_a_new_one_judges_in_evaluation_as_in_training(name: str) -> None:
    """The generator's first step asks it at rest: its norms must have been measured by then."""
    torch.manual_seed(1)
    discriminator = build_discriminator(name, CLASSES, width=4).eval()  # type: ignore[arg-type]
    convolutions = [m for m in discriminator.modules() if isinstance(m, SpectralConv2d)]
    assert convolutions
    for convolution in convolutions:
        largest = torch.linalg.matrix_norm(convolution.normalized_weight().detach().flatten(1), 2)
        assert float(largest) == pytest.approx(1, abs=0.15)


def test_resting_keeps_spectral_norm_still() -> None:
    discriminator = build("two_streams").train()
    semantics, fake, _ = street(64, 64, 1)
    before = {k: v.clone() for k, v in discriminator.state_dict().items()}
    with resting(discriminator):
        discriminator(semantics, [fake])
    assert discriminator.training
    assert all(torch.equal(before[k], v) for k, v in discriminator.state_dict().items())
    discriminator(semantics, [fake])
    assert any(not torch.equal(before[k], v) for k, v in discriminator.state_dict().items())


def test_what_does_not_fit_is_said() -> None:
    with pytest.raises(RecipeError, match=r"unknown discriminator 'two_stream' \(did you mean 'two_streams'\?\)"):
        build_discriminator("two_stream", 6)  # type: ignore[arg-type]
    with pytest.raises(RecipeError, match="take 3 or more"):
        build_discriminator("hidden_concatenation", 6, num_layers=2)
    with pytest.raises(InputError, match=r"image is 32x32; feature_pyramid needs a side of 33"):
        build("feature_pyramid")(torch.zeros(1, 6, 32, 32), [torch.zeros(1, 3, 32, 32)])
