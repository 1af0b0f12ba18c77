"""The segmenter's network: its size, any photo's size, norms folded away."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scenebrush.errors import InputError, RecipeError
from scenebrush.methods.segmenter.classes import IGNORED, known_ids, outputs_of_indices
from scenebrush.methods.segmenter.config import SegmenterConfig
from scenebrush.methods.segmenter.network import build_network, folded
from scenebrush.scene.label_set import LabelClass, LabelSet
from tests.methods.segmenter.small import tiny_config, tiny_network

CAMVID = LabelSet.load("camvid")


def test_it_has_as_many_parameters_as_its_readme_says():
    network = build_network(SegmenterConfig(11))
    assert sum(p.numel() for p in network.parameters()) == 434_924
    assert sum(t.numel() * 2 for t in network.state_dict().values()) <= 900_000  # bytes in half precision


@pytest.mark.parametrize("size", [(32, 64), (48, 36), (33, 95), (7, 1)])
def test_scores_have_the_photos_size_and_padding_is_its_last_row_and_column(size):
    network = tiny_network(tiny_config(CAMVID))
    photo = torch.rand(2, 3, *size) * 2 - 1
    padded = np.pad(photo.numpy(), ((0, 0), (0, 0), (0, -size[0] % 32), (0, -size[1] % 32)), mode="edge")
    with torch.no_grad():
        scores = network(photo)
        whole = network(torch.from_numpy(padded))
    assert scores.shape == (2, 11, *size)
    assert torch.allclose(scores, whole[:, :, : size[0], : size[1]], atol=1e-5)


def test_places_begin_alike_and_can_be_told_apart():
    """The head writes 2x2 places at 1/4, that is the four corners of which each 4x4 block of scores is enlarged."""
    torch.manual_seed(0)
    network, photo = build_network(tiny_config(CAMVID)).eval(), torch.rand(1, 3, 64, 64) * 2 - 1
    seen = []
    network.head.register_forward_hook(lambda module, given, scores: seen.append(scores))
    with torch.no_grad():
        network(photo)
        network.head.weight[1::4] += 1  # the place at the right of the upper two
        scores = network(photo)[0]
    assert torch.equal(seen[0].view(11, 4, 16, 16), seen[0].view(11, 4, 16, 16)[:, :1].expand(-1, 4, -1, -1))
    changed = (seen[1] - seen[0]).view(11, 4, 16, 16)
    assert (changed[:, 1] > 0).any() and not changed[:, [0, 2, 3]].any()
    blocks = scores.view(11, 16, 4, 16, 4)
    assert not torch.allclose(blocks[:, 4:12, 0, 4:12, 3], blocks[:, 4:12, 3, 4:12, 0], atol=1e-3)


def test_folding_the_norms_changes_nothing():
    config = tiny_config(CAMVID)
    photo = torch.rand(1, 3, 40, 72) * 2 - 1
    with torch.no_grad():
        before, after = tiny_network(config)(photo), folded(tiny_network(config))(photo)
    assert torch.allclose(before, after, atol=1e-4) and float(before.std()) > 1e-3
    assert not any(isinstance(m, torch.nn.BatchNorm2d) for m in folded(tiny_network(config)).modules())


def test_what_happens_far_away_is_seen():
    network = tiny_network(tiny_config(CAMVID))
    photo = torch.zeros(1, 3, 64, 320)
    other = photo.clone()
    other[..., -32:] = 1
    with torch.no_grad():
        assert float((network(photo) - network(other))[..., :32].abs().max()) > 1e-6


def test_what_is_no_photo_is_refused():
    with pytest.raises(InputError, match=r"photo is \(1, 4, 8, 8\); expected \(B, 3, H, W\)"):
        tiny_network(tiny_config(CAMVID))(torch.zeros(1, 4, 8, 8))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"longer_side": 0}, "config.longer_side is 0; expected 1 or more"),
        ({"scales": ()}, r"config.scales is \[\]; expected one or more numbers above 0, at most 2"),
        ({"scales": (0.5, 0.0)}, "config.scales is"),
        ({"depths": (1, 0, 1, 1)}, "config.depths is"),
        ({"widths": (32, 40, 96, 112)}, "config.widths holds 40, 96; expected multiples of config.group_width, 16"),
        ({"decoder_width": 40}, "config.decoder_width holds 40"),
    ],
)
def test_sizes_that_will_not_do(settings, told):
    with pytest.raises(RecipeError, match=told):
        SegmenterConfig(**settings)


def test_void_and_unlabelled_are_not_told():
    assert known_ids(CAMVID) == tuple(range(11))
    classes = [LabelClass(7, "dust", (0, 0, 0), "void"), LabelClass(3, "sky", (9, 9, 9), "stuff")]
    mine = LabelSet(
        "mine", (*classes, LabelClass(9, "cat", (1, 2, 3), "thing"), LabelClass(4, "x", (0, 0, 1), "stuff")), 4
    )
    assert known_ids(mine) == (3, 9)
    table = outputs_of_indices(mine)
    assert table[:4].tolist() == [IGNORED, 0, 1, IGNORED] and (table[4:] == IGNORED).all()
