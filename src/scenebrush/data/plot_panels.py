"""The panels of `plot`: each draws on the axes that it is given."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from scenebrush.data.stats import FolderStats

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_CLASSES = 40
"""So many classes get a bar of their own; the rest of a large label set shares one."""
MOST_COUNTED = 16
_LONGEST = 22
"""Longer names are cut: they would leave the figure."""
_LOG_FROM = 100
"""Largest over smallest value from which an axis is logarithmic."""
_INK, _FAINT, _REST = "#263238", "#78909c", "#cfd8dc"
_MARKS = {"thing": ("o", _INK), "stuff": ("s", _FAINT), "void": ("x", _FAINT)}
_SPLITS = ("#00796b", "#ef6c00", "#5e35b1", "#c2185b", "#546e7a")
Pair = tuple[float, float]


@dataclass(frozen=True)
class Bar:
    """One bar: ids of the classes in it, its name, kind ("" for the rest), colour in hex, and value."""

    ids: tuple[int, ...]
    name: str
    kind: str
    color: str
    value: float


def shares(stats: FolderStats) -> list[Bar]:
    """Returns a bar for each class that occurs, by its share of all pixels, the largest first."""
    pixels = stats.whole.pixels
    total = max(1, sum(pixels.values()))
    present = sorted((c for c in stats.label_set.classes if pixels[c.id]), key=lambda c: -pixels[c.id])
    own = present if len(present) <= MOST_CLASSES else present[: MOST_CLASSES - 1]
    bars = [Bar((c.id,), c.name, c.kind, _hex(c.color), pixels[c.id] / total) for c in own]
    if rest := present[len(own) :]:
        value = sum(pixels[c.id] for c in rest) / total
        bars.append(Bar(tuple(c.id for c in rest), f"{len(rest)} more classes", "", _REST, value))
    return bars


def instance_counts(stats: FolderStats) -> list[Bar]:
    """Returns a bar for each class that has instances, the most first."""
    counts = stats.whole.instances
    counted = sorted((c for c in stats.label_set.classes if counts[c.id]), key=lambda c: -counts[c.id])
    own = counted if len(counted) <= MOST_COUNTED else counted[: MOST_COUNTED - 1]
    bars = [Bar((c.id,), c.name, c.kind, _hex(c.color), counts[c.id]) for c in own]
    if rest := counted[len(own) :]:
        value = sum(counts[c.id] for c in rest)
        bars.append(Bar(tuple(c.id for c in rest), f"{len(rest)} more classes", "", _REST, value))
    return bars


def bars_height(bars: Sequence[Bar], room: float = 0.0) -> float:
    """Returns the height in inches of a panel of bars; with few of them they grow into the room that there is."""
    rows = max(len(bars), 1)
    return min(max(0.25 * rows, room), 0.42 * rows) + 0.1 if room else 0.25 * rows + 0.1


def title(figure: Figure, stats: FolderStats, height: float) -> None:
    """Writes the folder's name and what is in it over all panels."""
    whole, label_set = stats.whole, stats.label_set
    empty = [c.name for c in label_set.classes if not whole.pixels[c.id] and c.id != label_set.ignore_id]
    facts = [f"{whole.scenes:,} scenes", f"label set {label_set.name}", f"{len(label_set.classes)} classes"]
    if empty:
        names = ": " + ", ".join(empty) if len(empty) <= 5 else ""
        facts.append(f"{len(empty)} in no scene{names}")
    figure.text(0.02, 1 - 0.42 / height, stats.path.resolve().name, size=17, weight="bold", color=_INK)
    figure.text(0.02, 1 - 0.68 / height, "  ·  ".join(facts), size=9.5, color=_FAINT)


def draw_shares(axes: Axes, stats: FolderStats, bars: Sequence[Bar]) -> None:
    """Draws the share of pixels of each class, with the share of scenes in which it occurs beside it."""
    whole = stats.whole
    _bars(axes, bars, "share of all pixels", percent=True)
    for row, bar in enumerate(bars):
        present = [whole.present[id_] / whole.scenes for id_ in bar.ids]
        scenes = f"{100 * present[0]:.0f} %" if len(present) == 1 else ""
        for x, text, color in ((1.15, _percent(bar.value), _INK), (1.29, scenes, _FAINT)):
            axes.text(x, row, text, transform=axes.get_yaxis_transform(), ha="right", va="center", size=8, color=color)
    for x, text in ((1.15, "pixels"), (1.29, "scenes")):
        axes.annotate(text, (x, 1), (0, 4), "axes fraction", "offset points", ha="right", size=8, color=_FAINT)
    _kinds(axes, bars)
    _heading(axes, "Classes")
    _legend(axes, bars)


def draw_splits(axes: Axes, stats: FolderStats, bars: Sequence[Bar]) -> None:
    """Draws the classes' shares of each split, one bar a split, in the order and colours of the left panel."""
    names = _ordered(stats)
    for row, split in enumerate(stats.splits[name] for name in names):
        total, start = max(1, sum(split.pixels.values())), 0.0
        for bar in bars:
            width = sum(split.pixels[id_] for id_ in bar.ids) / total
            axes.barh(row, width, left=start, height=0.74, color=bar.color, edgecolor="white", linewidth=0.5)
            start += width
    axes.set_yticks(
        range(len(names)), [f"{_short(n)}  {stats.splits[n].scenes:,}" for n in names], size=8.5, color=_INK
    )
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"], size=8, color=_FAINT)
    axes.tick_params(length=0)
    _bare(axes, "left", "bottom", "top", "right")
    _heading(axes, "Splits", "scenes, and the classes' shares of their pixels")


def draw_sizes(axes: Axes, stats: FolderStats) -> None:
    """Draws picture sizes as circles whose area is the number of scenes."""
    most = max(max(split.sizes.values()) for split in stats.splits.values())
    for split, name in enumerate(_ordered(stats)):
        sizes = stats.splits[name].sizes
        width, height, counts = zip(*((w, h, n) for (w, h), n in sizes.items()), strict=True)
        areas = [20 + 480 * n / most for n in counts]
        color = _SPLITS[split % len(_SPLITS)]
        axes.scatter(width, height, s=areas, color=color, alpha=0.45, linewidths=0.8, edgecolors=color, label=name)
    whole = stats.whole.sizes
    for row, ((width_, height_), n) in enumerate(whole.most_common(3)):
        text, down = f"{width_}×{height_}:  {n:,}", (8, -12 - 12 * row)
        axes.annotate(text, (0, 1), down, "axes fraction", "offset points", size=8, color=_INK)
    axes.set_xlim(0, 1.15 * max(w for w, _ in whole))
    axes.set_ylim(0, 1.25 * max(h for _, h in whole))
    axes.set_xlabel("width in pixels", size=8, color=_FAINT)
    axes.set_ylabel("height", size=8, color=_FAINT)
    axes.tick_params(labelsize=8, labelcolor=_FAINT, color=_REST)
    axes.grid(color="#eceff1", linewidth=0.8)
    axes.set_axisbelow(True)
    legend = axes.legend(loc="lower left", fontsize=8, frameon=False, labelcolor=_INK, ncols=len(stats.splits))
    for handle in legend.legend_handles:
        handle.set_sizes([40])  # type: ignore[union-attr]
    _bare(axes, "top", "right")
    _heading(axes, "Picture sizes", f"{len(whole)} in all" if len(whole) > 1 else "")


def draw_instances(axes: Axes, stats: FolderStats, bars: Sequence[Bar]) -> None:
    """Draws how many instances each class has."""
    whole = stats.whole
    note = f"{sum(whole.instances.values()):,} in {whole.with_instances:,} of {whole.scenes:,} scenes"
    _heading(axes, "Instances", note if bars else "")
    if not bars:
        axes.text(0, 0.5, "no instance maps: objects are connected components", size=9, color=_FAINT, va="center")
        axes.set_axis_off()
        return
    _bars(axes, bars, "", percent=False)
    for row, bar in enumerate(bars):
        text = f"{int(bar.value):,}"
        axes.annotate(text, (bar.value, row), (4, 0), textcoords="offset points", va="center", size=8, color=_INK)
    _kinds(axes, bars)


def _bars(axes: Axes, bars: Sequence[Bar], label: str, *, percent: bool) -> None:
    from matplotlib.ticker import FuncFormatter, NullLocator

    values = [bar.value for bar in bars]
    axes.barh(range(len(bars)), values, height=0.72, color=[b.color for b in bars], edgecolor=_INK, linewidth=0.35)
    low, log = min(values), max(values) / min(values) > _LOG_FROM
    if log:
        axes.set_xscale("log")
        axes.xaxis.set_minor_locator(NullLocator())
    axes.set_xlim(0.5 * low if log else 0, max(values) * ((1 if percent else 2) * 1.5 if log else 1.12))
    axes.set_ylim(len(bars) - 0.4, -0.6)
    axes.set_yticks(range(len(bars)), [_short(bar.name) for bar in bars], size=8.5, color=_INK)
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{100 * v:.5g} %" if percent else f"{v:,.0f}"))
    axes.tick_params(axis="x", labelsize=8, labelcolor=_FAINT, color=_REST)
    axes.tick_params(axis="y", length=0, pad=14)
    axes.set_xlabel(label + (", logarithmic" if log and label else "logarithmic" if log else ""), size=8, color=_FAINT)
    axes.grid(axis="x", color="#eceff1", linewidth=0.8)
    axes.set_axisbelow(True)
    _bare(axes, "top", "right", "left")


def _ordered(stats: FolderStats) -> list[str]:
    """The splits' names, the usual three first."""
    usual = ("train", "val", "test")
    return [name for name in usual if name in stats.splits] + [name for name in stats.splits if name not in usual]


def _kinds(axes: Axes, bars: Sequence[Bar]) -> None:
    """A mark left of each bar says thing, stuff or void."""
    for row, bar in enumerate(bars):
        if bar.kind in _MARKS:
            mark, color = _MARKS[bar.kind]
            place = axes.get_yaxis_transform()
            axes.plot(-0.03, row, mark, markersize=4, color=color, transform=place, clip_on=False)


def _legend(axes: Axes, bars: Sequence[Bar]) -> None:
    """What the marks mean, beside the heading."""
    for column, kind in enumerate(kind for kind in _MARKS if any(bar.kind == kind for bar in bars)):
        mark, color = _MARKS[kind]
        signs = {"o": "●", "s": "■", "x": "×"}
        place = (80 + 48 * column, 12)
        axes.annotate(f"{signs[mark]} {kind}", (0, 1), place, "axes fraction", "offset points", size=8.5, color=color)


def _heading(axes: Axes, text: str, note: str = "") -> None:
    axes.annotate(text, (0, 1), (0, 12), "axes fraction", "offset points", size=11, weight="bold", color=_INK)
    if note:
        place = (7.4 * len(text) + 8, 12)
        axes.annotate(note, (0, 1), place, "axes fraction", "offset points", size=8.5, color=_FAINT)


def _bare(axes: Axes, *sides: str) -> None:
    for side in sides:
        axes.spines[side].set_visible(False)
    for spine in axes.spines.values():
        spine.set_color(_REST)


def _percent(share: float) -> str:
    """`"12.3 %"`, `"0.042 %"`: three digits that count."""
    value = 100 * share
    digits = 1 if value >= 1 else min(5, 1 - math.floor(math.log10(value))) if value > 0 else 0
    return f"{value:.{digits}f} %"


def _short(name: str) -> str:
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"


def _hex(color: tuple[int, int, int]) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)
