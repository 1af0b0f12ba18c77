"""The memory bank on disk: growing, kills, damage, other label sets, readers while it grows."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from scenebrush.errors import InputError, ModelError
from scenebrush.methods.sims import writing
from scenebrush.methods.sims.bank import Bank, build_bank, queries_of
from scenebrush.methods.sims.building import Job, scene_digest
from scenebrush.methods.sims.segments import segments_of
from scenebrush.methods.sims.writing import BankWriter
from scenebrush.scene.folder import SceneFolder
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout
from scenebrush.scene.scene import Scene
from tests.methods.sims.small_banks import LEAST, SIZE, classes, make_bank, random_layout

CLASSES = classes(5)


def scenes(
    folder: Path, count: int, *, seed: int = 0, split: str = "train", label_set: LabelSet = CLASSES
) -> SceneFolder:
    """Returns a scene folder with random scenes 0, 1, ... of random sizes."""
    rng = np.random.default_rng(seed)
    made = SceneFolder.create(folder, label_set)
    for i in range(count):
        layout = random_layout(rng, label_set)
        made.write(split, f"{i}", Scene(rng.integers(0, 256, (*layout.shape, 3), np.uint8), layout))
    return made


def build(folder: SceneFolder, bank: Path, **more: object) -> int:
    """Builds in this process; returns how many segments were put in."""
    return build_bank(folder, bank, match_size=SIZE, workers=1, **more).segments  # type: ignore[arg-type]


def contents(path: Path) -> list[tuple[object, ...]]:
    """Returns everything of every segment but its place in the files."""
    with Bank.open(path) as bank:
        found = []
        for record in bank.records():
            stored, shape = bank.read(record.id), bank.shape(record.id)
            pixels = tuple(array.tobytes() for array in (stored.color, stored.mask, *shape))
            found.append((record.id, record.donor, record.class_id, record.box, record.instance, record.area, pixels))
        assert bank.check() == []
    return found


def test_what_is_kept(tmp_path: Path) -> None:
    """Each segment of 24 pixels or more at match resolution, with its pixels of the full photo."""
    folder = scenes(tmp_path / "set", 4)
    report = build_bank(folder, tmp_path / "bank", match_size=SIZE)
    with Bank.open(tmp_path / "bank") as bank:
        assert (report.photos, report.known, report.total) == (4, 0, len(bank))
        assert bank.match_size == SIZE and bank.label_set == CLASSES
        assert bank.donors() == [f"train/{i}" for i in range(4)]
        assert sum(bank.count(class_id) for class_id in bank.classes()) == len(bank) == len(list(bank.records()))
        for files in folder.iterate("train"):
            scene = folder.load(files)
            own = [r for r in bank.records() if r.donor == f"train/{files.stem}"]
            segments = {(s.class_id, s.box, s.instance): s for s in segments_of(scene.layout)}
            assert own and all(record.area >= 24 for record in own)
            for record in own:
                segment = segments.pop((record.class_id, record.box, record.instance))
                stored = bank.read(record.id)
                assert bank.record(record.id) == record == stored.record
                assert record.photo_size == (scene.layout.shape[1], scene.layout.shape[0])
                assert np.array_equal(stored.mask, segment.mask)
                expected = np.where(segment.mask[..., None], scene.photo[segment.window], 0)
                assert np.array_equal(stored.color, expected)
            larger = SIZE[0] * SIZE[1] / (scene.layout.shape[0] * scene.layout.shape[1])
            assert all(segment.area * larger < 60 for segment in segments.values())


def test_a_second_build_puts_in_nothing_and_another_folder_grows_it(tmp_path: Path) -> None:
    folder, other = scenes(tmp_path / "set", 4), scenes(tmp_path / "other", 3, seed=1)
    first = build(folder, tmp_path / "bank")
    before = contents(tmp_path / "bank")
    again = build_bank(folder, tmp_path / "bank")
    assert (again.photos, again.segments, again.known, again.total) == (0, 0, 4, first)
    assert contents(tmp_path / "bank") == before
    other.copy_into(folder.files("train", "2"), "val")  # one of the first folder under another name
    grown = build_bank(other, tmp_path / "bank", splits=("train", "val"))
    assert (grown.photos, grown.known) == (3, 1)
    assert len(contents(tmp_path / "bank")) == grown.total
    assert sorted(contents(tmp_path / "bank"))[: len(before)] == sorted(before)


def test_processes_make_the_same_bank(tmp_path: Path) -> None:
    folder = scenes(tmp_path / "set", 6)
    seen: list[tuple[int, int]] = []
    build(folder, tmp_path / "one")
    build_bank(folder, tmp_path / "two", match_size=SIZE, workers=2, report=lambda *done: seen.append(done))
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert seen == [(i, 6) for i in range(7)]


KILLED = """
import os, signal, sys
from scenebrush.methods.sims import catalogue, shards, writing
from scenebrush.methods.sims.bank import build_bank
folder, bank, where, count = sys.argv[1:]
left = int(count)

def dying(function):
    def wrapper(*values, **more):
        global left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
        return function(*values, **more)
    return wrapper

writing._COMMIT_SEGMENTS = 1
if where == "sync":
    os.fsync = dying(os.fsync)
elif where == "record":
    catalogue.Catalogue.add = dying(catalogue.Catalogue.add)
elif where == "recorded":
    writing.BankWriter.append = dying(writing.BankWriter.append)
else:
    catalogue.json.dumps = dying(catalogue.json.dumps)
build_bank(folder, bank, match_size=(32, 64), workers=1)
"""


@pytest.mark.parametrize(
    ("where", "count"),
    [("sync", 1), ("sync", 7), ("sync", 30), ("record", 1), ("record", 3), ("recorded", 4), ("create", 1)],
)
def test_a_kill_loses_nothing_and_doubles_nothing(tmp_path: Path, where: str, count: int) -> None:
    folder = scenes(tmp_path / "set", 5)
    build(folder, tmp_path / "whole")
    arguments = [str(tmp_path / "set"), str(tmp_path / "bank"), where, str(count)]
    done = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False, capture_output=True)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    if count > 3:  # what was recorded before the kill is served
        assert contents(tmp_path / "bank") == [c for c in contents(tmp_path / "whole") if c[0] <= _segments(tmp_path)]
    build(folder, tmp_path / "bank")
    assert contents(tmp_path / "bank") == contents(tmp_path / "whole")


def _segments(folder: Path) -> int:
    with Bank.open(folder / "bank") as bank:
        return len(bank)


def test_a_fault_in_a_scene_keeps_those_before_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writing, "_COMMIT_SEGMENTS", 1)
    folder = scenes(tmp_path / "set", 3)
    sound = folder.files("train", "1").labels.read_bytes()
    folder.files("train", "1").labels.write_bytes(b"nothing")
    with pytest.raises(InputError, match=r"1\.png"):
        build(folder, tmp_path / "bank")
    with Bank.open(tmp_path / "bank") as bank:
        assert bank.donors() == ["train/0"]
    folder.files("train", "1").labels.write_bytes(sound)
    build(folder, tmp_path / "bank")
    assert {donor for _, donor, *_ in contents(tmp_path / "bank")} == {"train/0", "train/1", "train/2"}


def test_it_can_be_read_while_it_grows(tmp_path: Path) -> None:
    folder = scenes(tmp_path / "set", 4)
    jobs = [Job(folder, files, scene_digest(files), SIZE, LEAST, None) for files in folder.iterate("train")]
    query = max(queries_of(folder.scene("train", "3").layout, SIZE), key=lambda q: q.segment.area)
    with BankWriter.open(tmp_path / "bank", CLASSES, match_size=SIZE, least_area=LEAST) as writer:
        writer.append(jobs[0].run())
        writer.commit()
        with Bank.open(tmp_path / "bank") as bank:
            count, before = len(bank), bank.find(query, 50)
            for job in jobs[1:]:
                writer.append(job.run())
                assert bank.find(query, 50) == before
                writer.commit()
                assert bank.find(query, 50) == before and len(bank) == count == len(list(bank.records()))
            bank.refresh()
            assert len(bank) == writer.total > count
            assert bank.find(query, 1)[0].score == 2
            with pytest.raises(InputError, match="written by another process; wait"):
                BankWriter.open(tmp_path / "bank", CLASSES)
    with (
        pytest.raises(InputError, match=f"no segment {len(contents(tmp_path / 'bank')) + 1}"),
        Bank.open(tmp_path / "bank") as bank,
    ):
        bank.record(len(bank) + 1)


def test_opening_takes_no_longer_for_a_larger_bank(tmp_path: Path) -> None:
    """Nothing is read but the catalogue's few rows of lengths."""
    make_bank(tmp_path / "bank", [random_layout(np.random.default_rng(0), CLASSES)]).close()
    for path in (tmp_path / "bank").rglob("*.b*"):
        path.chmod(0)
    opened: list[str] = []

    def hook(event: str, values: tuple[object, ...]) -> None:
        if event == "open" and watching and str(tmp_path) in str(values[0]):
            opened.append(str(values[0]))

    watching = True
    sys.addaudithook(hook)
    with Bank.open(tmp_path / "bank") as bank:
        assert len(bank)
    watching = False
    assert opened == []


def _cut_short(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def _flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 255
    path.write_bytes(data)


@pytest.mark.parametrize("part", ["segments", "shapes", "boxes", "cells", "grids"])
@pytest.mark.parametrize("harm", [Path.unlink, _cut_short, _flip])
def test_damage_is_named_and_the_rest_is_served(tmp_path: Path, part: str, harm: Callable[[Path], None]) -> None:
    folder = scenes(tmp_path / "set", 8)
    build(folder, tmp_path / "bank")
    with Bank.open(tmp_path / "bank") as bank:
        class_id = max(bank.classes(), key=bank.count)
        sound = {one: bank.count(one) for one in bank.classes()}
        name = CLASSES.by_id[class_id].name.replace(" ", "-")
    (path,) = [p for p in (tmp_path / "bank").rglob(f"{class_id:03d}-{name}*") if part in str(p.relative_to(tmp_path))]
    harm(path)
    with Bank.open(tmp_path / "bank") as bank:
        for files in folder.iterate("train"):
            for query in queries_of(folder.layout(files), SIZE):
                matches = bank.find(query, 1000, exclude_donors={"train/5"})
                for match in matches:
                    bank.read(match.record.id)
                found, whole = len(matches), sound[query.segment.class_id]
                if query.segment.class_id == class_id:
                    assert found == 0 if harm is Path.unlink else 0 < found < whole
                else:
                    assert 0 < found <= whole
        (line,) = bank.damage
        assert str(path) in line or (harm is _flip and str(path.parent) in line)
        assert "skipped" in line and "\n" not in line
        assert bank.check() == [line]
    if harm is not _flip:
        with pytest.raises(InputError, match="build the bank anew"):
            build_bank(scenes(tmp_path / "more", 1, seed=9), tmp_path / "bank")


def test_a_damaged_segment_cannot_be_read(tmp_path: Path) -> None:
    build(scenes(tmp_path / "set", 2), tmp_path / "bank")
    path = max((tmp_path / "bank" / "segments").iterdir(), key=lambda p: p.stat().st_size)
    _flip(path)
    with Bank.open(tmp_path / "bank") as bank:
        faults = []
        for record in bank.records():
            try:
                bank.read(record.id)
            except InputError as error:
                faults.append(str(error))
        assert len(faults) == 1 and str(path) in faults[0]


def test_what_is_no_bank(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist; make one with scenebrush bank build"):
        Bank.open(tmp_path / "bank")
    (tmp_path / "bank").mkdir()
    with pytest.raises(InputError, match="is no memory bank"):
        Bank.open(tmp_path / "bank")
    (tmp_path / "bank" / "catalogue.sqlite").write_bytes(b"not SQLite" * 100)
    with pytest.raises(InputError, match=r"catalogue.sqlite cannot be read"):
        Bank.open(tmp_path / "bank")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "letter.txt").write_text("mine")
    with pytest.raises(InputError, match="not empty"):
        BankWriter.open(tmp_path / "other", CLASSES)
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["letter.txt"]


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    make_bank(tmp_path / "bank", [random_layout(np.random.default_rng(0), CLASSES)]).close()
    connection = sqlite3.connect(tmp_path / "bank" / "catalogue.sqlite")
    connection.execute("UPDATE meta SET value = '2' WHERE key = 'format'")
    connection.commit()
    connection.close()
    with pytest.raises(InputError, match="format 2"):
        Bank.open(tmp_path / "bank")


def test_other_classes_and_sizes_are_refused(tmp_path: Path) -> None:
    layout = random_layout(np.random.default_rng(0), CLASSES)
    bank = make_bank(tmp_path / "bank", [layout])
    with pytest.raises(ModelError, match="classes"):
        BankWriter.open(tmp_path / "bank", classes(6))
    with pytest.raises(ModelError, match="match size"):
        BankWriter.open(tmp_path / "bank", CLASSES, match_size=(64, 64))
    others = Layout(np.zeros((20, 40), int), classes(6))
    with pytest.raises(ModelError, match="the layout has the classes of"):
        bank.find(queries_of(others, SIZE)[0])
    with pytest.raises(ModelError, match="match size"):
        bank.find(queries_of(layout, (64, 64))[0])
    with pytest.raises(InputError, match="k = 0"):
        bank.find(queries_of(layout, SIZE)[0], 0)
    with pytest.raises(InputError, match="has no colour"):
        bank.read(1)


def test_an_empty_bank_and_a_class_that_is_not_there(tmp_path: Path) -> None:
    layout = Layout(np.repeat([[0], [3]], [20, 20], axis=0).repeat(60, axis=1), CLASSES)
    with BankWriter.open(tmp_path / "empty", CLASSES, match_size=SIZE):
        pass
    with Bank.open(tmp_path / "empty") as bank, pytest.raises(InputError, match="is empty; fill it"):
        bank.find(queries_of(layout, SIZE)[0])
    bank = make_bank(tmp_path / "bank", [Layout(np.full((40, 60), 3), CLASSES)])
    assert [len(bank.find(query)) for query in queries_of(layout, SIZE)] == [0, 1]


def test_no_photos(tmp_path: Path) -> None:
    folder = scenes(tmp_path / "set", 1)
    with pytest.raises(InputError, match="has no split 'vall'"):
        build_bank(folder, tmp_path / "bank", splits=("vall",))
    with pytest.raises(InputError, match="0 workers"):
        build_bank(folder, tmp_path / "bank", workers=0)


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_bank_that_may_not_be_written_can_be_read(tmp_path: Path) -> None:
    make_bank(tmp_path / "bank", [random_layout(np.random.default_rng(0), CLASSES)]).close()
    (tmp_path / "bank").chmod(0o555)
    with Bank.open(tmp_path / "bank") as bank:
        assert len(list(bank.records())) == len(bank)


def test_a_moved_bank_is_the_same(tmp_path: Path) -> None:
    build(scenes(tmp_path / "set", 2), tmp_path / "bank")
    before = contents(tmp_path / "bank")
    shutil.move(tmp_path / "bank", tmp_path / "moved")
    assert contents(tmp_path / "moved") == before
