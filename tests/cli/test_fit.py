"""scenebrush fit: what it learns, stopping and going on, what it refuses; and what synthesize and edit make of fits."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from scenebrush.cli import fit as verb
from scenebrush.cli.fitting_bar import fitting_bar
from scenebrush.methods.semia import pupil as pupils
from scenebrush.scene.files import read_raw_map
from scenebrush.scene.label_set import LabelSet
from scenebrush.training.fitting import Progress
from tests.cli.conftest import Outcome
from tests.methods.semia.tiny import LAND, TinyPupil, land, photo_of

Run = Callable[..., Outcome]


@pytest.fixture(autouse=True)
def tiny_pupils(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pupils, "build_pupil", lambda source, config, seed: TinyPupil(source, config, seed=seed))


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    """The command line of a short fit of a photo with a map of ids."""
    Image.fromarray(photo_of(land())).save(tmp_path / "photo.png")
    write_ids(tmp_path / "ids.png")
    (tmp_path / "land.json").write_text(LAND.to_json())
    maps = ["--labels", str(tmp_path / "ids.png"), "--label-set", str(tmp_path / "land.json")]
    return ["fit", str(tmp_path / "photo.png"), *maps, "-o", str(tmp_path / "m"), "--iterations", "2"]


def write_ids(path: Path, horizon: float = 0.5, height: int = 72, width: int = 88) -> Path:
    Image.fromarray(land(height, width, horizon).label_map.astype(np.uint8)).save(path)
    return path


def size_of(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return (image.width, image.height)


def write_drawing(path: Path, horizon: float = 0.5) -> Path:
    image = Image.fromarray(LAND.colors(land(horizon=horizon).label_map))
    image.filter(ImageFilter.GaussianBlur(0.7)).save(path)
    return path


def changed(words: list[str], flag: str, *values: str) -> list[str]:
    """Returns the words with another value of a flag, or without it."""
    at = words.index(flag)
    return [*words[:at], *((flag, *values) if values else ()), *words[at + 2 :]]


def test_a_fit_and_what_it_says(words: list[str], run: Run, tmp_path: Path) -> None:
    done = run(*words)
    assert done.code == 0 and not done.err
    assert done.out.startswith("2 of 2 iterations in ") and done.out.count("\n") == 1
    assert f"the model is {tmp_path / 'm'}, its newest picture {tmp_path / 'm' / 'fit' / 'latest.png'}" in done.out
    assert "--resume" not in done.out
    drawn = run("synthesize", write_ids(tmp_path / "t.png", 0.3), "--model", tmp_path / "m", "-o", tmp_path / "o.png")
    assert drawn.code == 0 and not drawn.err
    assert size_of(tmp_path / "o.png") == (88, 72)


def test_json(words: list[str], run: Run, tmp_path: Path) -> None:
    told = json.loads(run(*words, "--json").out)
    assert told["model"] == str(tmp_path / "m") and told["iterations"] == 2 and told["ending"] == "finished"
    assert told["kind"] == "labels" and told["size"] == [88, 72] and told["losses"]["loss"] > 0
    assert [c["name"] for c in told["classes"]] == ["sky", "hill", "hut"]
    assert sum(c["share"] for c in told["classes"]) == pytest.approx(1, abs=1e-3)


def test_the_time_is_ten_minutes_where_nobody_says_another() -> None:
    given = {"photo": Path("p"), "labels": "m", "out": Path("o")}
    assert verb.time_allowed(verb.Arguments(**given)) == 600  # type: ignore[arg-type]
    assert verb.time_allowed(verb.Arguments(**given, iterations=9)) is None  # type: ignore[arg-type]
    assert verb.time_allowed(verb.Arguments(**given, iterations=9, time_budget="90s")) == 90  # type: ignore[arg-type]


def test_a_fit_by_time(words: list[str], run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []
    monkeypatch.setattr("torch.set_num_threads", threads.append)
    done = run(*changed(words, "--iterations"), "--time-budget", "3s", "--threads", "1")
    assert done.code == 0 and "--resume" not in done.out and threads == [1]
    told = re.match(r"(\d+) iterations in (\d+) s", done.out)
    assert told and int(told[1]) >= 1 and 3 <= int(told[2]) < 60, "a busy machine ends a little late, none ends at once"


def test_instances_are_kept(words: list[str], run: Run, tmp_path: Path) -> None:
    numbers = np.where(land().label_map == 2, 4, 0).astype(np.uint16)
    Image.fromarray(numbers).save(tmp_path / "i.png")
    assert run(*words, "--instances", tmp_path / "i.png").code == 0
    assert np.array_equal(read_raw_map(tmp_path / "m" / "instances.png"), numbers)


def test_a_large_photo_is_learned_smaller(words: list[str], run: Run, tmp_path: Path) -> None:
    Image.fromarray(photo_of(land(144, 176))).save(tmp_path / "photo.png")
    write_ids(tmp_path / "ids.png", height=144, width=176)
    assert run(*words, "--size", "88").code == 0
    assert size_of(tmp_path / "m" / "photo.png") == size_of(tmp_path / "m" / "labels.png") == (88, 72)
    out = ("-o", tmp_path / "o.png")
    drawn = run("synthesize", tmp_path / "ids.png", "--model", tmp_path / "m", *out)
    assert drawn.code == 0 and "1 picture by m" in drawn.out
    assert drawn.err == "the layout is 176x144, fit 'm' learned 88x72: drawn at that size, the picture is scaled\n"
    assert size_of(tmp_path / "o.png") == (176, 144)
    maps = ["--labels", tmp_path / "ids.png", "--label-set", tmp_path / "land.json", "--erase", "30,80"]
    edited = run("edit", tmp_path / "photo.png", *maps, "--model", tmp_path / "m", *out)
    assert edited.code == 0 and edited.err.count("\n") == 1 and "the picture is scaled" in edited.err


def test_a_drawing_its_classes_and_its_targets(words: list[str], run: Run, tmp_path: Path) -> None:
    drawing = write_drawing(tmp_path / "d.png")
    words = changed(changed(words, "--label-set"), "--labels", str(drawing))
    done = run(*words)
    assert done.code == 0
    rows = [line.split() for line in done.out.splitlines()]
    assert rows[0] == ["colour", "share", "name"] and len([row for row in rows if row[0].startswith("#")]) == 3
    assert f"the classes are in {tmp_path / 'm' / 'classes.json'}" in done.out
    found = LabelSet.load(tmp_path / "m" / "classes.json")
    assert len(found.classes) == 3

    target = ["synthesize", write_drawing(tmp_path / "t.jpg", 0.3), "--model", tmp_path / "m", "-o", tmp_path / "o.png"]
    assert run(*target).code == 0
    renamed = found.to_json().replace(found.classes[0].name, "what I call it")
    (tmp_path / "m" / "classes.json").write_text(renamed)
    assert run(*target).code == 0 and run(*target, "--label-set", tmp_path / "m" / "classes.json").code == 0
    edit = ["edit", tmp_path / "m" / "photo.png", "--labels", tmp_path / "m" / "labels.png", "--model", tmp_path / "m"]
    edit += [
        "--label-set",
        tmp_path / "m" / "classes.json",
        "--relabel",
        "20,44:what I call it",
        "-o",
        tmp_path / "e.png",
    ]
    assert run(*edit).code == 0

    again = changed(words, "-o", str(tmp_path / "m2"))
    assert run(*again, "--label-set", tmp_path / "m" / "classes.json").code == 0
    assert LabelSet.load(tmp_path / "m2" / "classes.json").classes[0].name == "what I call it"
    assert (tmp_path / "m2" / "labels.png").read_bytes() == (tmp_path / "m" / "labels.png").read_bytes()


def test_edges_and_a_sketch(words: list[str], run: Run, tmp_path: Path) -> None:
    assert run(*changed(changed(words, "--label-set"), "--labels", "edges")).code == 0
    values = np.full((72, 88), 255, np.uint8)
    values[20:22] = 0
    Image.fromarray(values).save(tmp_path / "sketch.png")
    model = ["--model", tmp_path / "m", "-o", tmp_path / "o.png"]
    assert run("synthesize", tmp_path / "sketch.png", *model).code == 0
    words = changed(changed(words, "--label-set"), "--labels", str(tmp_path / "sketch.png"))
    assert run(*changed(words, "-o", str(tmp_path / "m2"))).code == 0
    assert LabelSet.load(tmp_path / "m2" / "classes.json").name == "edges"
    refused = run(*changed(words, "-o", str(tmp_path / "m3")), "--instances", tmp_path / "ids.png")
    assert refused.code == 2 and "lines have no objects" in refused.err


def test_going_on(words: list[str], run: Run, tmp_path: Path) -> None:
    assert run(*words).code == 0
    refused = run(*words)
    assert refused.code == 2 and f"{tmp_path / 'm'} is there already; give --resume" in refused.err
    more = changed(words, "--iterations", "4")
    done = run(*more, "--resume")
    assert done.code == 0 and done.out.startswith("4 of 4 iterations")
    lines = (tmp_path / "m" / "fit" / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2, 3, 4]


@pytest.mark.parametrize("change", ["photo", "labels", "size", "--seed", "--paper"])
def test_going_on_with_something_else(words: list[str], run: Run, tmp_path: Path, change: str) -> None:
    assert run(*words).code == 0
    more: list[str] = []
    if change == "photo":
        Image.fromarray(photo_of(land(), seed=1)).save(tmp_path / "photo.png")
    elif change == "labels":
        write_ids(tmp_path / "ids.png", 0.4)
    elif change == "size":
        more = ["--size", "80"]
    else:
        more = [change, "5"] if change == "--seed" else [change]
    refused = run(*words, "--resume", *more)
    assert refused.code == 2 and refused.err.count("\n") == 1
    assert "is a fit with" in refused.err and "give the same, or another -o" in refused.err
    told = {
        "photo": "photo",
        "labels": "label map",
        "size": "photo",
        "--seed": "seed 0, not 5",
        "--paper": "setting kind",
    }
    assert f"a fit with {told.get(change, 'photo')}" in refused.err


def test_bad_input_writes_nothing(words: list[str], run: Run, tmp_path: Path) -> None:
    small, one = tmp_path / "small.png", tmp_path / "one.png"
    Image.fromarray(photo_of(land(63, 88))).save(small)
    Image.fromarray(np.ones((72, 88), np.uint8)).save(one)
    low = str(write_ids(tmp_path / "low.png", height=63))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").write_text("mine")
    cases: list[tuple[list[str], str]] = [
        (["fit", str(small), *words[2:]], "small.png is 88x63 but"),
        (
            changed(["fit", str(small), *words[2:]], "--labels", low),
            "the photo is 88x63 as it is",
        ),
        ([*words, "--size", "70"], "the photo is 70x57 as it is to be learned; at least 64"),
        ([*words, "--size", "10"], "--size 10 is too small"),
        (changed(words, "--labels", str(one)), "one class only, 'hill'"),
        (changed(words, "--label-set"), "ids.png holds class ids; say of which label set"),
        (changed(words, "--label-set", "camvdi"), "'camvid'"),
        (changed(words, "--labels", "edges"), "--labels edges has classes of its own"),
        (changed(words, "-o", str(tmp_path / "full")), "holds something else than a fit"),
        ([*words, "--resume"], "holds no fit to go on with"),
        (changed(words, "--iterations", "0"), "--iterations 0"),
        ([*words, "--time-budget", "soon"], "--time-budget 'soon'"),
        ([*words, "--threads", "0"], "--threads 0"),
        ([*words, "--seed", "-1"], "seed -1"),
        (["fit", str(tmp_path / "none.png"), *words[2:]], "none.png does not exist"),
        ([*words, "--label-sett", "x"], "'--label-set'"),
    ]
    before = sorted(str(path) for path in tmp_path.rglob("*"))
    for case, told in cases:
        refused = run(*case)
        assert refused.code == 2 and refused.err.count("\n") == 1 and not refused.out, case
        assert told in refused.err, refused.err
    assert sorted(str(path) for path in tmp_path.rglob("*")) == before


def test_a_class_that_the_photo_lacks(words: list[str], run: Run, tmp_path: Path) -> None:
    assert run(*words).code == 0
    labels = land().label_map.astype(np.uint8)
    labels[60:70, 40:60] = 7
    Image.fromarray(labels).save(tmp_path / "t.png")
    target = ["synthesize", tmp_path / "t.png", "--model", tmp_path / "m", "-o", tmp_path / "o.png"]
    refused = run(*target)
    assert refused.code == 2 and not (tmp_path / "o.png").exists() and refused.err.count("\n") == 1
    assert "shows no 'lake', which the layout has in 200 pixels" in refused.err and "--nearest-class" in refused.err
    done = run(*target, "--nearest-class")
    assert done.code == 0 and done.err == "the photo shows no 'lake': the nearest class it shows is drawn there\n"
    edit = ["edit", tmp_path / "photo.png", *words[2:6], "--relabel", "20,44:lake", "--model", tmp_path / "m"]
    edit += ["-o", tmp_path / "e.png"]
    refused = run(*edit)
    assert refused.code == 2 and "'lake'" in refused.err and not (tmp_path / "e.png").exists()
    done = run(*edit, "--nearest-class")
    assert done.code == 0 and "nearest class" in done.err


def test_other_models_know_no_nearest_class_and_need_the_label_set(street, run: Run) -> None:  # type: ignore[no-untyped-def]
    refused = run(*street.arguments("--erase", "25,64"), "--nearest-class")
    assert refused.code == 2 and "--nearest-class is for models that learned one photo" in refused.err
    out = street.folder / "o.png"
    refused = run("synthesize", street.labels, "--model", "spade-sesame-street", "-o", out)
    assert refused.code == 2 and "missing --label-set SET" in refused.err


def test_a_target_of_another_shape_or_label_set(words: list[str], run: Run, tmp_path: Path) -> None:
    assert run(*words).code == 0
    tall = write_ids(tmp_path / "t.png", height=120)
    model = ["--model", tmp_path / "m", "-o", tmp_path / "o.png"]
    refused = run("synthesize", tall, *model)
    assert refused.code == 2 and "the layout is 88x120, fit 'm' learned a photo of 88x72" in refused.err
    refused = run("synthesize", tmp_path / "ids.png", "--label-set", "camvid", *model)
    assert refused.code == 2 and "knows the classes of 'land', not of 'camvid'" in refused.err


class Interrupted(TinyPupil):
    """Gets signals, after its third iteration, as a process does."""

    numbers: tuple[int, ...] = ()

    def iterate(self, iteration: int, share: float) -> Mapping[str, float]:
        losses = super().iterate(iteration, share)
        for number in self.numbers if iteration == 2 else ():
            signal.raise_signal(number)
        return losses


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_it_with_what_it_has(
    words: list[str], run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    handler = signal.getsignal(number)
    monkeypatch.setattr(Interrupted, "numbers", (number,))
    with monkeypatch.context() as inside:
        inside.setattr(pupils, "build_pupil", lambda source, config, seed: Interrupted(source, config, seed=seed))
        done = run(*changed(words, "--iterations", "40"))
    assert done.code == 0 and done.err.startswith("stopping after this iteration") and done.err.count("\n") == 1
    assert done.out.startswith("3 of 40 iterations in ")
    assert done.out.endswith("; go on with the same command and --resume\n")
    assert signal.getsignal(number) is handler
    more = run(*changed(words, "--iterations", "4"), "--resume")
    assert more.code == 0 and more.out.startswith("4 of 4 iterations")


def test_a_second_interrupt_stops_at_once(words: list[str], run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    handler = signal.getsignal(signal.SIGINT)
    monkeypatch.setattr(Interrupted, "numbers", (signal.SIGINT, signal.SIGINT))
    monkeypatch.setattr(pupils, "build_pupil", lambda source, config, seed: Interrupted(source, config, seed=seed))
    done = run(*changed(words, "--iterations", "40"))
    assert done.code == 130 and done.err.endswith("stopped\n") and not done.out
    assert signal.getsignal(signal.SIGINT) is handler


def test_the_bar_shows_share_loss_and_picture(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with fitting_bar() as report:
        assert report is None  # nobody watches
    monkeypatch.setattr("scenebrush.cli.fitting_bar.stderr_is_terminal", lambda: True)
    monkeypatch.setenv("COLUMNS", "160")
    with fitting_bar() as report:
        assert report is not None
        report(Progress(7, None, 0.25, 150.0, {"loss": 0.125}, Path("m/fit/latest.png")))
    out, err = capsys.readouterr()
    assert "25%" in err and "iteration 7  loss 0.1250  m/fit/latest.png" in err and not out
