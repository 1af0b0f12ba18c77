"""The figure of a scene folder: what is drawn is what was counted."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenebrush.data.plot import stats_figure, write_stats_plot
from scenebrush.data.plot_panels import instance_counts, shares
from scenebrush.data.stats import FolderStats, SplitStats
from scenebrush.errors import InputError
from scenebrush.scene import LabelClass, LabelSet

CAMVID = LabelSet.load("camvid")
SKY, ROAD, CAR, VOID = 0, 3, 8, 11


def _stats(label_set: LabelSet = CAMVID) -> FolderStats:
    train = SplitStats(3, Counter({ROAD: 600, SKY: 300, CAR: 2}), Counter({ROAD: 3, SKY: 2, CAR: 1}))
    train.sizes, train.instances, train.with_instances = Counter({(640, 480): 3}), Counter({CAR: 4}), 2
    test = SplitStats(1, Counter({ROAD: 50, VOID: 48}), Counter({ROAD: 1, VOID: 1}), sizes=Counter({(320, 240): 1}))
    return FolderStats(Path("streets"), label_set, {"test": test, "train": train})


def _many(classes: int) -> FolderStats:
    found = tuple(LabelClass(k, f"class {k}", (k % 256, 0, 0), "thing") for k in range(classes))
    counts = Counter({k: k + 1 for k in range(classes)})
    split = SplitStats(2, counts, Counter(dict.fromkeys(range(classes), 1)), Counter(counts), 2, Counter({(9, 9): 2}))
    return FolderStats(Path("many"), LabelSet("many", found, None), {"train": split})


@pytest.fixture(autouse=True)
def _matplotlib() -> None:
    pytest.importorskip("matplotlib")


def test_bars_are_sorted_shares_in_the_classes_own_colours() -> None:
    bars = shares(_stats())
    assert [(b.name, b.kind) for b in bars] == [("road", "stuff"), ("sky", "stuff"), ("void", "void"), ("car", "thing")]
    assert [b.value for b in bars] == pytest.approx([0.65, 0.3, 0.048, 0.002])
    assert bars[0].color == "#804080" and sum(b.value for b in bars) == pytest.approx(1)


def test_of_many_classes_the_rest_share_a_bar() -> None:
    bars, counted = shares(_many(183)), instance_counts(_many(183))
    assert len(bars) == 40 and bars[-1].name == "144 more classes" and bars[0].name == "class 182"
    assert sum(b.value for b in bars) == pytest.approx(1) and len(bars[-1].ids) == 144
    assert sum(b.value for b in counted) == 183 * 184 // 2 and len(shares(_many(40))) == 40


def test_the_figure_shows_what_was_counted() -> None:
    figure = stats_figure(_stats())
    classes, splits, sizes, instances = figure.axes
    assert [t.get_text() for t in classes.get_yticklabels()] == ["road", "sky", "void", "car"]
    assert [p.get_width() for p in classes.patches] == pytest.approx([0.65, 0.3, 0.048, 0.002])
    assert classes.get_xscale() == "log" and "logarithmic" in classes.get_xlabel()
    words = {t.get_text() for t in classes.texts}
    assert {"65.0 %", "4.8 %", "0.20 %", "100 %", "25 %"} <= words and {"● thing", "■ stuff", "× void"} <= words
    assert [t.get_text() for t in splits.get_yticklabels()] == ["train  3", "test  1"]
    for row in (0, 1):
        widths = [p.get_width() for p in splits.patches if abs(p.get_y() + p.get_height() / 2 - row) < 0.1]
        assert sum(widths) == pytest.approx(1)
    assert {tuple(xy) for c in sizes.collections for xy in np.asarray(c.get_offsets())} == {(640, 480), (320, 240)}
    assert [p.get_width() for p in instances.patches] == [4]
    assert {"4 in 2 of 4 scenes"} <= {t.get_text() for t in instances.texts}
    assert any("9 in no scene" not in t.get_text() and "8 in no scene" in t.get_text() for t in figure.texts)


def test_an_axis_of_like_values_is_linear() -> None:
    stats = _stats()
    for split in stats.splits.values():
        split.pixels, split.instances = Counter({ROAD: 60, SKY: 40}), Counter()
    classes, *_, instances = stats_figure(stats).axes
    assert classes.get_xscale() == "linear" and classes.get_xlim()[0] == 0
    assert any("no instance maps" in t.get_text() for t in instances.texts)


@pytest.mark.parametrize("stats", [_stats(), _many(183), _many(1)], ids=["few", "many", "one"])
def test_nothing_leaves_the_figure(stats: FolderStats) -> None:
    figure = stats_figure(stats)
    figure.canvas.draw()
    width, height = figure.canvas.get_width_height()  # type: ignore[attr-defined]
    for text in [t for axes in figure.axes for t in (*axes.texts, *axes.get_yticklabels())] + list(figure.texts):
        box = text.get_window_extent()
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= width and box.y1 <= height, text.get_text()


def test_it_is_written_as_a_picture_whole(tmp_path: Path) -> None:
    path = write_stats_plot(tmp_path / "plot.png", _stats())
    with Image.open(path) as image:
        assert image.format == "PNG" and image.width == 1430
        colors = {color for _, color in image.convert("RGB").getcolors(1 << 20) or []}
    assert {(128, 64, 128), (128, 128, 128), (64, 0, 128)} <= colors  # road, sky, car
    assert [p.name for p in tmp_path.iterdir()] == ["plot.png"]


def test_what_cannot_be_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match=r"written as PNG; end the name in \.png"):
        write_stats_plot(tmp_path / "plot.pdf", _stats())
    with pytest.raises(InputError, match="no scenes to plot"):
        write_stats_plot(tmp_path / "plot.png", FolderStats(Path("x"), CAMVID, {}))
    with pytest.raises(InputError, match="cannot be written"):
        write_stats_plot(tmp_path / "no folder" / "plot.png", _stats())
    for name in [m for m in sys.modules if m.partition(".")[0] == "matplotlib"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InputError, match=r"pip install 'scenebrush\[plot\]'"):
        write_stats_plot(tmp_path / "plot.png", _stats())


def test_pyplot_and_its_global_state_stay_out() -> None:
    code = "import sys, scenebrush.data.plot as p; assert 'matplotlib' not in sys.modules"
    code += (
        "; import tests.data.test_plot as t; p.stats_figure(t._stats()); sys.exit('matplotlib.pyplot' in sys.modules)"
    )
    root = Path(__file__).resolve().parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root, check=False).returncode == 0
