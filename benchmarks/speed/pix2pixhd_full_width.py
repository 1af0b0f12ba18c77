"""pix2pixHD at the authors' full width against the plain module graph: time, memory and whether the pictures agree.

    python benchmarks/speed/pix2pixhd_full_width.py [--runs 3] [--threads 1] [--strips] [--out full.json]

Random weights, the same in both (the graph takes ours under the authors' keys, strictly). Runs are interleaved; CPU
time is what counts on a machine that others use too. Memory is the highest of a process of its own that builds the
network and draws one picture.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import torch
import tyro
from plain_pix2pixhd import PlainGenerator
from timing import Timing, interleaved, machine
from torch import Tensor, nn

from scenebrush.errors import ScenebrushError
from scenebrush.methods.pix2pixhd.config import Pix2PixHDConfig
from scenebrush.methods.pix2pixhd.networks import Pix2PixHDNetworks, build_networks
from scenebrush.methods.pix2pixhd.original_keys import to_original
from scenebrush.methods.pix2pixhd.strips import Strips

PARAMETERS: Final = {("G1", 64, 35): 182_546_755, ("G1+G2", 64, 35): 182_857_059}  # facts 1.12
LIMIT_GIB: Final = 24
AGREE: Final = {"float32": 2e-4, "bfloat16": 0.25}  # largest difference; bf16 rounds at every layer of both
OURS, PLAIN, STRIPS = "ours", "plain graph", "ours, in strips"
GIB: Final = 2**30


@dataclass(frozen=True)
class Settings:
    """What is measured.

    Args:
        runs: of each network.
        threads: torch's CPU threads.
        width: of the picture in pixels.
        height: of the picture.
        channels: of the global generator's first layer; the authors have 64.
        classes: of the label set; a channel of boundaries is added.
        networks: G1 is the global generator, G2 the local enhancer around it.
        precisions: of weights and maps.
        strips: draw in strips too, as pictures of more than a megapixel are.
        memory: measure the memory too.
        alone: only tell the memory of this one; what the script calls itself with.
        out: a JSON file to write, or None.
    """

    runs: int = 3
    threads: int = 1
    width: int = 1024
    height: int = 512
    channels: int = 64
    classes: int = 35
    networks: tuple[str, ...] = ("G1", "G1+G2")
    precisions: tuple[str, ...] = ("float32", "bfloat16")
    strips: bool = False
    memory: bool = True
    alone: str | None = None
    out: Path | None = None


def main(settings: Settings) -> None:
    """Measures and prints."""
    torch.set_num_threads(settings.threads)
    if settings.alone:
        draw_alone(settings)
        return
    size = f"{settings.width}x{settings.height}"
    print(f"{size}, {settings.threads} threads, median of {settings.runs}\n{machine()}, torch {torch.__version__}\n")
    print("| network | what | wall s | CPU s | CPU / plain | peak GiB | largest difference |")
    print("|---|---|---|---|---|---|---|")
    cases = [(name, precision) for name in settings.networks for precision in settings.precisions]
    # First, while this process is small: a child's highest memory counts from what it was forked with.
    peaks = {case: peaks_alone(settings, *case) for case in cases}
    rows = [row for case in cases for row in measure(settings, *case, peaks[case])]
    if settings.out:
        document = {"machine": machine(), "settings": {**asdict(settings), "out": str(settings.out)}, "rows": rows}
        settings.out.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def measure(settings: Settings, name: str, precision: str, peaks: dict[str, float]) -> list[dict[str, object]]:
    """Returns a row for each way to draw with one network in one precision, and prints them."""
    networks = build(settings, name, precision)
    parameters = sum(p.numel() for p in networks.generator.parameters())
    check_count(parameters, settings, name)
    plain = plain_graph(networks, settings)
    jobs, pictures = drawing(networks, plain, made_up_labels(settings)), dict[str, Tensor]()
    with torch.inference_mode():
        times = interleaved({way: keeping(pictures, way, jobs[way]) for way in ways(settings)}, settings.runs)
    rows = []
    for way, timing in times.items():
        apart = float((pictures[way].float() - pictures[PLAIN].float()).abs().max())
        if apart > AGREE[precision]:
            raise ScenebrushError(f"{name} {precision}: {way} is {apart:.1e} off the plain graph's picture")
        rows.append(report(f"{name} {precision}", way, timing, times[PLAIN], peaks.get(way), apart))
        rows[-1]["parameters"] = parameters
    return rows


def build(settings: Settings, name: str, precision: str) -> Pix2PixHDNetworks:
    """Returns our networks as a user gets them, random weights of a fixed seed."""
    torch.manual_seed(0)
    config = Pix2PixHDConfig(
        num_classes=settings.classes, width=settings.channels, num_enhancers=1 if name == "G1+G2" else 0
    )
    networks = build_networks(config).eval().requires_grad_(False)
    return networks.to(getattr(torch, precision))


def plain_graph(networks: Pix2PixHDNetworks, settings: Settings) -> nn.Module:
    """Returns the plain module graph with our weights, contiguous."""
    config = networks.config
    with torch.device("meta"):
        graph = PlainGenerator(config.generator_channels, width=config.width, num_enhancers=config.num_enhancers)
    state = {key: value.contiguous() for key, value in to_original(networks.generator.state_dict()).items()}
    graph.load_state_dict(state, assign=True)
    return graph.eval()


def made_up_labels(settings: Settings) -> Tensor:
    """Returns a label map (1, H, W) of rectangles in every class."""
    places = torch.Generator().manual_seed(0)
    coarse = torch.randint(settings.classes, (1, 1, settings.height // 32, settings.width // 32), generator=places)
    return coarse.repeat_interleave(32, 2).repeat_interleave(32, 3)[:, 0]


def drawing(networks: Pix2PixHDNetworks, plain: nn.Module, labels: Tensor) -> dict[str, Callable[[], Tensor]]:
    """Returns the ways to draw, each from the label map on: making the networks' input is timed too."""
    dtype = next(plain.parameters()).dtype

    def draw(network: nn.Module, layout: torch.memory_format) -> Tensor:
        return torch.as_tensor(network(networks.condition(labels).semantics.to(dtype, memory_format=layout)))

    return {
        OURS: lambda: draw(networks.generator, torch.channels_last),
        PLAIN: lambda: draw(plain, torch.contiguous_format),
        STRIPS: lambda: networks.synthesize(labels, strips=Strips()),
    }


def keeping(pictures: dict[str, Tensor], way: str, job: Callable[[], Tensor]) -> Callable[[], None]:
    """Returns the job, which then puts its picture into `pictures`."""
    return lambda: pictures.__setitem__(way, job())


def check_count(parameters: int, settings: Settings, name: str) -> None:
    """Raises where a network of the authors' size has not their number of parameters."""
    wanted = PARAMETERS.get((name, settings.channels, settings.classes), parameters)
    if parameters != wanted:
        raise ScenebrushError(f"{name} has {parameters:,} parameters, the authors' {wanted:,}")


def report(
    network: str, way: str, timing: Timing, plain: Timing, peak: float | None, apart: float
) -> dict[str, object]:
    """Prints a row of the table, and returns it."""
    ratio = timing.median_cpu / plain.median_cpu
    memory = "-" if peak is None else f"{peak:.2f}"
    times = f"{timing.median_wall:.2f} | {timing.median_cpu:.2f} | {ratio:.3f}"
    print(f"| {network} | {way} | {times} | {memory} | {apart:.1e} |", flush=True)
    facts = {"network": network, "way": way, "wall": timing.wall, "cpu": timing.cpu, "cpu_of_plain": ratio}
    return {**facts, "peak_gib": peak, "difference": apart}


def ways(settings: Settings) -> tuple[str, ...]:
    """Returns the ways to draw that are compared."""
    return (OURS, PLAIN, STRIPS) if settings.strips else (OURS, PLAIN)


def peaks_alone(settings: Settings, name: str, precision: str) -> dict[str, float]:
    """Returns the highest memory of each way to draw, in GiB; nothing where it was not asked for."""
    return {way: peak_alone(settings, name, precision, way) for way in ways(settings) if settings.memory}


def peak_alone(settings: Settings, name: str, precision: str, way: str) -> float:
    """Returns the highest memory, in GiB, of a process that builds a network and draws one picture."""
    sizes = [f"--{key}={getattr(settings, key)}" for key in ("threads", "width", "height", "channels", "classes")]
    command = [sys.executable, __file__, *sizes, "--networks", name, "--precisions", precision, "--alone", way]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ScenebrushError(f"{name} {precision}, {way}, alone: {done.stderr.strip().splitlines()[-1]}")
    peak = float(done.stdout)
    if peak > LIMIT_GIB:
        raise ScenebrushError(f"{name} {precision}, {way}: {peak:.1f} GiB, expected at most {LIMIT_GIB}")
    return peak


def draw_alone(settings: Settings) -> None:
    """Builds one network, draws one picture, prints the highest memory of this process in GiB."""
    networks = build(settings, settings.networks[0], settings.precisions[0])
    plain = plain_graph(networks, settings) if settings.alone == PLAIN else nn.Conv2d(1, 1, 1)
    if settings.alone == PLAIN:
        networks.generator = nn.Identity()  # type: ignore[assignment]  # its weights are not needed any more
    jobs = drawing(networks, plain.to(getattr(torch, settings.precisions[0])), made_up_labels(settings))
    with torch.inference_mode():
        jobs[str(settings.alone)]()
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(used / (GIB if sys.platform == "darwin" else GIB / 1024))  # bytes there, kilobytes elsewhere


if __name__ == "__main__":
    try:
        main(tyro.cli(Settings, description=__doc__))
    except ScenebrushError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
