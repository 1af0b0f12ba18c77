from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from safetensors.torch import load_file

from scenebrush.errors import InputError
from scenebrush.evaluation.lpips import Backbone, Lpips, lpips

# Of the authors' heads (PyPI lpips==0.1.4, weights/v0.1), in their order; ours on disk are equal to them
# (AlexNet bit by bit, VGG16 to half precision).
HEAD_SUMS = {
    "alex": [2.3495324, 16.143028, 39.268440, 27.197178, 20.317177],
    "vgg": [6.9259915, 8.8583345, 17.515005, 51.521324, 47.034851],
}
HEAD_WIDTHS = {"alex": [64, 192, 384, 256, 256], "vgg": [64, 128, 256, 512, 512]}
BOTH = pytest.mark.parametrize("backbone", ["alex", "vgg"])


@pytest.fixture(scope="module")
def networks(assets: Path) -> dict[Backbone, Lpips]:
    return {"alex": Lpips.load("alex", assets), "vgg": Lpips.load("vgg", assets)}


@BOTH
def test_heads_are_the_authors(networks: dict[Backbone, Lpips], backbone: Backbone) -> None:
    heads = networks[backbone].heads
    assert [tuple(h.shape) for h in heads] == [(1, width, 1, 1) for width in HEAD_WIDTHS[backbone]]
    assert [float(h.sum()) for h in heads] == pytest.approx(HEAD_SUMS[backbone], rel=1e-4)
    assert all(bool((h >= 0).all()) for h in heads)


def test_parameter_counts(networks: dict[Backbone, Lpips]) -> None:
    """AlexNet's and VGG16's published convolution counts, and one weight per tapped channel."""
    counts = {name: sum(p.numel() for p in network.parameters()) for name, network in networks.items()}
    assert counts == {"alex": 2_469_696 + 1152, "vgg": 14_714_688 + 1472}


@BOTH
def test_equal_pictures_are_0_apart_and_the_distance_is_symmetric(
    networks: dict[Backbone, Lpips], backbone: Backbone, waves: np.ndarray, spoilt: np.ndarray
) -> None:
    network = networks[backbone]
    assert lpips(waves, waves, network) == 0
    there, back = lpips(waves, spoilt, network), lpips(spoilt, waves, network)
    assert there == pytest.approx(back, rel=1e-6)
    assert there[0] > 0.2


def test_alexnet_equals_the_formula_written_out(
    assets: Path, networks: dict[Backbone, Lpips], waves: np.ndarray, spoilt: np.ndarray
) -> None:
    """The reference reads the file itself and follows the paper's sum, layer by layer."""
    w = load_file(assets / "lpips_alexnet.safetensors")

    def taps(picture: np.ndarray) -> list[torch.Tensor]:
        x = torch.tensor(picture.astype(np.float32) / 127.5 - 1).permute(2, 0, 1)[None]
        shift, scale = torch.tensor([[-0.030, -0.088, -0.188], [0.458, 0.448, 0.450]])[..., None, None]
        x = (x - shift) / scale
        out = []
        for index, stride, padding, pool in [(0, 4, 2, 0), (3, 1, 2, 1), (6, 1, 1, 1), (8, 1, 1, 0), (10, 1, 1, 0)]:
            x = F.max_pool2d(x, 3, 2) if pool else x
            x = F.conv2d(x, w[f"features.{index}.weight"], w[f"features.{index}.bias"], stride, padding).clamp(min=0)
            out.append(x)
        return out

    expected = 0.0
    for layer, (a, b) in enumerate(zip(taps(waves), taps(spoilt), strict=True)):
        gap = (F.normalize(a, dim=1, eps=1e-10) - F.normalize(b, dim=1, eps=1e-10)) ** 2
        expected += float((gap * w[f"lin{layer}.weight"]).sum(dim=1).mean())
    assert lpips(waves, spoilt, networks["alex"])[0] == pytest.approx(expected, rel=1e-5)


def test_values_are_those_recorded(networks: dict[Backbone, Lpips], waves: np.ndarray, spoilt: np.ndarray) -> None:
    assert lpips(waves, spoilt, networks["alex"])[0] == pytest.approx(0.374183, abs=1e-4)
    assert lpips(waves, spoilt, networks["vgg"])[0] == pytest.approx(0.370412, abs=1e-3)


def test_batches_change_nothing(networks: dict[Backbone, Lpips], waves: np.ndarray, spoilt: np.ndarray) -> None:
    first, second = np.stack([waves, spoilt, waves]), np.stack([spoilt, spoilt, waves])
    whole = lpips(first, second, networks["alex"])
    assert whole == pytest.approx(lpips(first, second, networks["alex"], batch=2), abs=1e-6)
    assert whole[1:] == pytest.approx([0, 0])
    assert whole.dtype == np.float64


def test_in_the_hole_it_is_larger_than_in_the_window(
    networks: dict[Backbone, Lpips], waves: np.ndarray, spoilt: np.ndarray
) -> None:
    hole = (waves != spoilt).any(axis=2)
    inside = lpips(waves, spoilt, networks["alex"], holes=hole)
    outside = lpips(waves, spoilt, networks["alex"], holes=~hole)
    assert inside > lpips(waves, spoilt, networks["alex"]) > outside
    everywhere = lpips(waves, spoilt, networks["alex"], holes=np.ones_like(hole))
    assert everywhere == pytest.approx(lpips(waves, spoilt, networks["alex"]), rel=0.05)


def test_it_stays_in_float32_under_autocast(
    networks: dict[Backbone, Lpips], waves: np.ndarray, spoilt: np.ndarray
) -> None:
    plain = lpips(waves, spoilt, networks["alex"])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert lpips(waves, spoilt, networks["alex"]) == plain


def test_pictures_that_do_not_fit_are_refused(networks: dict[Backbone, Lpips], waves: np.ndarray) -> None:
    network = networks["alex"]
    with pytest.raises(InputError, match=r"must be equal"):
        lpips(waves, waves[:90], network)
    with pytest.raises(InputError, match=r"20x20 is too small"):
        lpips(waves[:20, :20], waves[:20, :20], network)
    with pytest.raises(InputError, match=r"float64 .*expected uint8"):
        lpips(waves / 255, waves / 255, network)
    with pytest.raises(InputError, match=r"hole 0 of 1 is empty"):
        lpips(waves, waves, network, holes=np.zeros((96, 96), bool))
    with pytest.raises(InputError, match=r"0 pictures"):
        lpips([], [], network)


@pytest.mark.parametrize(("backbone", "expected"), [("alex", (0.722, 0.138)), ("vgg", (0.569, 0.422))])
def test_the_authors_example_pair(
    networks: dict[Backbone, Lpips], backbone: Backbone, expected: tuple[float, float]
) -> None:
    folder = Path(os.environ.get("SCENEBRUSH_LPIPS_EXAMPLES", "/nonexistent"))
    if not (folder / "ex_ref.png").is_file():
        pytest.skip("set SCENEBRUSH_LPIPS_EXAMPLES to the authors' imgs folder (ex_ref.png, ex_p0.png, ex_p1.png)")
    ref, p0, p1 = (np.asarray(Image.open(folder / f"ex_{n}.png").convert("RGB")) for n in ("ref", "p0", "p1"))
    found = [lpips(ref, other, networks[backbone])[0] for other in (p0, p1)]
    assert found == pytest.approx(expected, abs=1e-3)
