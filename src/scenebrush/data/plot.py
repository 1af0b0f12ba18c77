"""A figure of what is in a scene folder; matplotlib (the extra `plot`) without pyplot and its global state."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from scenebrush.data.stats import FolderStats
from scenebrush.errors import InputError
from scenebrush.scene.files import write_whole

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH, _DPI = 13.0, 110
"""Inches, and pixels an inch."""
_TOP, _BETWEEN, _BOTTOM = 1.25, 0.95, 0.7
"""Inches over, between and under the panels."""


def write_stats_plot(path: str | Path, stats: FolderStats) -> Path:
    """Writes class shares, splits, picture sizes and instances of a scene folder as PNG, whole or not at all.

    Raises:
        InputError: no .png, no scenes, matplotlib is missing, or a place that cannot be written to.
    """
    path = Path(path)
    if path.suffix.lower() != ".png":
        raise InputError(f"{path}: plots are written as PNG; end the name in .png")
    figure = stats_figure(stats)

    def save(file: BinaryIO) -> None:
        figure.savefig(file, format="png", dpi=_DPI)

    return write_whole(path, save)


def stats_figure(stats: FolderStats) -> Figure:
    """Returns the figure: a bar for each class on the left; splits, picture sizes and instances on the right.

    Raises:
        InputError: there are no scenes, or matplotlib is missing.
    """
    if not stats.whole.scenes:
        raise InputError(f"{stats.path} has no scenes to plot; put scenes into <split>/images and <split>/labels")
    try:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError as error:
        message = "plots are drawn with matplotlib, which is not installed; pip install 'scenebrush[plot]'"
        raise InputError(message) from error
    from scenebrush.data import plot_panels as panels

    shown, counted = panels.shares(stats), panels.instance_counts(stats)
    right = (0.36 * len(stats.splits), 2.2, panels.bars_height(counted))
    left = panels.bars_height(shown, room=sum(right) + 2 * _BETWEEN)
    height = _TOP + max(left, sum(right) + 2 * _BETWEEN) + _BOTTOM
    figure = Figure(figsize=(_WIDTH, height), facecolor="white")
    FigureCanvasAgg(figure)

    def place(x: float, y: float, width: float, tall: float) -> Axes:
        """Axes at inches from the top left of the figure."""
        return figure.add_axes((x / _WIDTH, 1 - (y + tall) / height, width / _WIDTH, tall / height))

    below = _TOP + right[0] + _BETWEEN
    panels.title(figure, stats, height)
    panels.draw_shares(place(1.75, _TOP, 4.1, left), stats, shown)
    panels.draw_splits(place(8.5, _TOP, 4.1, right[0]), stats, shown)
    panels.draw_sizes(place(8.5, below, 4.1, right[1]), stats)
    panels.draw_instances(place(8.5, below + right[1] + _BETWEEN, 4.1, right[2]), stats, counted)
    return figure
