"""Time of one 256x256 window: the paper's generator against the compact one, same cores, float32.

    python benchmarks/speed/compact_vs_paper.py [--runs 7] [--threads 2] [--out compact.json]

Runs are interleaved, so that other load meets all alike; medians are printed. The paper's network is timed in both
memory layouts and the faster one counts. "with canvas" adds what the guide costs.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
import tyro
from timing import Timing, interleaved, machine, street

from scenebrush.canvas import fill
from scenebrush.data.holes import box_hole
from scenebrush.data.windows import Window
from scenebrush.errors import ScenebrushError
from scenebrush.methods.sesame.config import SesameConfig
from scenebrush.methods.sesame.dataset import window_arrays
from scenebrush.methods.sesame.inputs import collate
from scenebrush.methods.sesame.networks import WindowGenerator, build_generator
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout

BOX_SHARE = 3  # the papers' windows: the hole takes a third of each side


@dataclass(frozen=True)
class Settings:
    """What is timed.

    Args:
        runs: runs of each network.
        threads: torch's CPU threads.
        size: side of the window in pixels.
        classes: of the networks (35: Cityscapes).
        width: of the compact network; None = its default.
        num_blocks: of the compact network; None = its default.
        out: a JSON file to write, or None.
    """

    runs: int = 7
    threads: int = 2
    size: int = 256
    classes: int = 35
    width: int | None = None
    num_blocks: int | None = None
    out: Path | None = None


def main(settings: Settings) -> None:
    """Times and prints."""
    torch.set_num_threads(settings.threads)
    torch.manual_seed(0)
    options = {k: v for k, v in (("width", settings.width), ("num_blocks", settings.num_blocks)) if v is not None}
    compact = build_generator(SesameConfig(num_classes=settings.classes, **options)).eval()  # type: ignore[arg-type]
    paper = SesameConfig(num_classes=settings.classes, network="paper", width=64, num_blocks=5)
    window, label_set = made_up_window(settings.size)
    layout = Layout(window.label_map, label_set)
    networks = {
        "paper": build_generator(paper).eval().to(memory_format=torch.contiguous_format),
        "paper, channels last": build_generator(paper).eval(),
        "compact": compact,
    }
    jobs = {name: drawing(network, window, label_set) for name, network in networks.items()}
    jobs["canvas (the guide)"] = lambda: fill(window.photo, layout, layout, window.hole)
    with torch.inference_mode():
        times = interleaved(jobs, settings.runs)
    report(times, networks, settings)


def made_up_window(size: int) -> tuple[Window, LabelSet]:
    """Returns a street window with a box hole in its middle, in camvid labels."""
    photo, label_map = street(size, size)
    side = size // BOX_SHARE
    box = ((size - side) // 2, (size - side) // 2, (size + side) // 2, (size + side) // 2)
    hole = box_hole(box, (0, 0, size, size), size)
    whole = (0, 0, size, size)
    return Window(photo, label_map, label_map * 0, hole, "box", "street", whole), LabelSet.load("camvid")


def drawing(network: WindowGenerator, window: Window, label_set: LabelSet) -> Callable[[], object]:
    """Returns a function that draws the window once with the network alone."""
    batch = collate([window_arrays(window, label_set, guided=True)])
    return lambda: network(batch)


def report(times: dict[str, Timing], networks: dict[str, WindowGenerator], settings: Settings) -> None:
    """Prints the table and the ratios, writes the JSON."""
    fastest = min(("paper", "paper, channels last"), key=lambda name: times[name].median_wall)
    print(
        f"{settings.size}x{settings.size} window, float32, {settings.threads} threads, median of {settings.runs} runs"
    )
    print(f"{machine()}, torch {torch.__version__}\n")
    print(
        "| what | parameters | MB (half) | wall s | CPU s | wall / paper | CPU / paper |\n|---|---|---|---|---|---|---|"
    )
    rows = {name: (times[name].median_wall, times[name].median_cpu) for name in times}
    rows["compact with canvas"] = tuple(a + b for a, b in zip(rows["compact"], rows["canvas (the guide)"], strict=True))
    for name, (wall, cpu) in rows.items():
        count = sum(p.numel() for p in networks[name].parameters()) if name in networks else None
        size = f"{count:,} | {2 * count / 1e6:.1f}" if count else "- | -"
        wall_ratio, cpu_ratio = wall / times[fastest].median_wall, cpu / times[fastest].median_cpu
        print(f"| {name} | {size} | {wall:.3f} | {cpu:.3f} | {wall_ratio:.3f} | {cpu_ratio:.3f} |")
    if settings.out:
        document = {"machine": machine(), "rows": rows, "runs": {name: vars(t) for name, t in times.items()}}
        settings.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        main(tyro.cli(Settings, description=__doc__))
    except ScenebrushError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
