"""Drawing by copying: sizes, seeds, lines, and what a model folder keeps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from scipy import ndimage

from scenebrush.canvas.analogy import Analogy, AnalogySettings
from scenebrush.errors import ModelError
from scenebrush.methods.semia.compact_method import (
    CompactRenderer,
    line_class,
    load_renderer,
    settings_of,
    settings_tensors,
)
from scenebrush.methods.semia.config import SemiaConfig
from scenebrush.methods.semia.source import Source
from scenebrush.scene.files.edge_maps import AREA, EDGE, EDGES
from scenebrush.scene.layout import Layout
from tests.methods.semia.tiny import LAND, land, photo_of, tiny_source

QUICK = AnalogySettings(passes=1, last_passes=1)


def rings(x: int, shape: tuple[int, int] = (72, 96)) -> tuple[np.ndarray, Layout]:
    """A red disc on green at (x, 36), and its outline as a layout of lines."""
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    disc = (rows - 36) ** 2 + (columns - x) ** 2 < 18**2
    outline = ndimage.binary_dilation(disc) & ~disc
    photo = np.where(disc[..., None], (200, 40, 40), (40, 160, 60))
    return photo.astype(np.uint8), Layout(np.where(outline, EDGE, AREA), EDGES)


def test_lines_are_the_rarer_class_of_a_sketch_and_of_nothing_else() -> None:
    photo, layout = rings(40)
    assert line_class(Source(photo, layout, "edges")) == EDGE
    turned = Layout(1 - layout.label_map, EDGES)
    assert line_class(Source(photo, turned, "edges")) == AREA
    assert line_class(Source(photo, layout, "drawing")) is None and line_class(tiny_source()) is None


def test_a_sketch_bends_the_photo() -> None:
    photo, layout = rings(34)
    wanted, target = rings(60)
    made = CompactRenderer(Source(photo, layout, "edges"), QUICK).render(target, 0).astype(int)
    plain = CompactRenderer(Source(photo, layout, "labels"), QUICK).render(target, 0).astype(int)
    off, off_plain = (np.abs(picture - wanted).mean() for picture in (made, plain))
    assert off < 6 and off < 0.5 * off_plain


@pytest.mark.parametrize("shape", [(72, 88), (41, 130), (101, 64), (1, 90), (7, 1)])
def test_layouts_may_have_any_size(shape: tuple[int, int]) -> None:
    renderer = CompactRenderer(tiny_source(), QUICK)
    assert renderer.any_size
    target = Layout(np.where(np.arange(shape[0])[:, None] < shape[0] / 2, 0, np.ones(shape)), LAND)
    picture = renderer.render(target, 0)
    assert picture.shape == (*shape, 3) and picture.dtype == np.uint8
    colors = LAND.colors(target.label_map).astype(int)
    assert np.abs(picture - colors).mean() < 25  # of the classes asked for, whose colours are 40 to 200 apart


def test_seeds_give_other_pictures_and_the_same_seed_the_same() -> None:
    renderer = CompactRenderer(tiny_source(), QUICK)
    assert renderer.varies
    target = land(horizon=0.3)
    one, two, other = (renderer.render(target, seed) for seed in (1, 1, 2))
    assert np.array_equal(one, two) and not np.array_equal(one, other)


def test_the_learned_layout_gives_the_photo_whatever_the_settings() -> None:
    source = tiny_source()
    for settings in (QUICK, AnalogySettings(guide=0.2, place=0.05, coherence=8, reach=32, passes=1, last_patch=5)):
        assert np.array_equal(CompactRenderer(source, settings).render(source.layout, 3), source.photo)


def test_it_draws_what_the_analogy_does_with_these_settings() -> None:
    source, target = tiny_source(), land(horizon=0.3)
    settings = AnalogySettings(guide=8, coherence=4, patch=3, passes=1)
    picture = CompactRenderer(source, settings).render(target, 2)
    made = Analogy(source.photo, source.layout, settings=settings).render(target, seed=2)
    assert np.array_equal(picture, made.picture)


def test_settings_come_back_as_they_were() -> None:
    settings = AnalogySettings(0.1 + 0.2, 1 / 3, 2.0, 7.7, 3, 1, 7, 1)
    tensors = settings_tensors(settings)
    back = settings_of(tensors)
    assert back == settings and isinstance(back.patch, int) and isinstance(back.coherence, float)
    assert all(tensor.shape == () and tensor.dtype == torch.float64 for tensor in tensors.values())


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"guide": None}, "no 'guide' in it"),
        ({"guide": torch.zeros(2)}, "Scalar|scalar"),
        ({"guide": torch.tensor(-1.0)}, "guide is -1; expected"),
        ({"reach": torch.tensor(float("nan"))}, "reach nan"),
        ({"patch": torch.tensor(float("nan"))}, "NaN"),
        ({"patch": torch.tensor(4)}, "patch 4"),
    ],
)
def test_weights_that_are_no_settings_are_a_model_error(
    tmp_path: Path, change: dict[str, torch.Tensor | None], told: str
) -> None:
    tensors = {**settings_tensors(AnalogySettings()), **change}
    save_file({name: value for name, value in tensors.items() if value is not None}, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match=told) as raised:
        load_renderer(tmp_path, SemiaConfig(), tiny_source())
    assert str(tmp_path / "model.safetensors") in str(raised.value)


def test_a_file_that_is_missing_or_no_safetensors_is_a_model_error(tmp_path: Path) -> None:
    for content in (None, b"", b"nonsense"):
        if content is not None:
            (tmp_path / "model.safetensors").write_bytes(content)
        with pytest.raises(ModelError, match=r"model\.safetensors does not hold what was learned"):
            load_renderer(tmp_path, SemiaConfig(), tiny_source())


def test_a_drawing_draws_by_its_colours() -> None:
    source = Source(photo_of(land()), land(), "drawing")
    picture = CompactRenderer(source, QUICK).render(land(horizon=0.3), 0).astype(int)
    assert np.abs(picture - LAND.colors(land(horizon=0.3).label_map)).mean() < 12
