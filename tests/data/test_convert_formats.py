"""Every data set's own layout, drawn by the toy world, against label maps written down by hand."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scenebrush.data.check import check_folder
from scenebrush.data.convert import FORMATS, convert, recognise
from scenebrush.data.convert.camvid import color_table, split_of
from scenebrush.data.convert.celebamask import split_of as split_of_face
from scenebrush.errors import InputError
from scenebrush.scene import LabelSet, SceneFolder
from tests.data import convert_trees as trees


@pytest.mark.parametrize("name", trees.TREES)
def test_every_scene_comes_out_as_drawn(name: str, tmp_path: Path) -> None:
    drawn = trees.TREES[name](tmp_path / "source")
    report = convert(tmp_path / "source", tmp_path / "scenes")
    assert report.ok and report.format == name.removesuffix("_segnet")
    folder = SceneFolder.open(tmp_path / "scenes")
    assert {f"{files.split}/{files.stem}" for files in folder.iterate()} == set(drawn)
    for files in folder.iterate():
        scene = folder.load(files)
        expected = trees.EXPECTED[name](drawn[f"{files.split}/{files.stem}"])
        np.testing.assert_array_equal(scene.layout.label_map, expected)
    assert check_folder(tmp_path / "scenes").ok


@pytest.mark.parametrize("name", trees.TREES)
def test_photos_are_the_same_bytes(name: str, tmp_path: Path) -> None:
    trees.TREES[name](tmp_path / "source")
    convert(tmp_path / "source", tmp_path / "scenes")
    originals = {p.read_bytes() for p in (tmp_path / "source").rglob("*") if p.is_file()}
    photos = [p.read_bytes() for p in (tmp_path / "scenes").glob("*/images/*")]
    assert photos and all(photo in originals for photo in photos)


def test_cityscapes_instances_are_its_objects(tmp_path: Path) -> None:
    drawn = trees.cityscapes(tmp_path / "source")
    convert(tmp_path / "source", tmp_path / "scenes")
    folder = SceneFolder.open(tmp_path / "scenes")
    for files in folder.iterate():
        assert files.instances is not None
        with Image.open(files.instances) as image:  # the file itself: readers know Cityscapes's numbers too
            found = np.array(image).astype(int)
        _same_objects(found, trees.objects(drawn[f"{files.split}/{files.stem}"]))
        assert np.unique(found).tolist() == list(range(int(found.max()) + 1))
        np.testing.assert_array_equal(folder.load(files).layout.instance_map, found)


def test_cityscapes_without_instances_and_with_license_plates(tmp_path: Path) -> None:
    trees.cityscapes(tmp_path)
    for path in tmp_path.rglob("*_instanceIds.png"):
        path.unlink()
    plate = next(tmp_path.rglob("bonn*_labelIds.png"))
    ids = np.array(Image.open(plate))
    ids[20:22, 5:9] = 255  # the class -1 in 8 bits
    Image.fromarray(ids).save(plate)
    assert convert(tmp_path, tmp_path.parent / "scenes").ok
    folder = SceneFolder.open(tmp_path.parent / "scenes")
    scene = folder.scene("train", "bonn_000001_000019")
    assert scene.layout.instance_map is None and (scene.layout.label_map[20:22, 5:9] == 0).all()


def test_cityscapes_blank_test_maps_are_left_out(tmp_path: Path) -> None:
    trees.cityscapes(tmp_path / "source")
    for k, stem in enumerate(("berlin_000000_000019", "berlin_000001_000019")):
        photo = tmp_path / "source/leftImg8bit/test/berlin" / f"{stem}_leftImg8bit.png"
        trees.save(photo, trees.draw(k).photo)
        blank = np.where(np.arange(48)[:, None] < 40, 0, 1) * np.ones((1, 64), int)  # unlabelled and ego vehicle
        trees.save(tmp_path / "source/gtFine/test/berlin" / f"{stem}_gtFine_labelIds.png", blank)
    report = convert(tmp_path / "source", tmp_path / "scenes")
    assert report.ok and report.scenes == {"train": 2, "val": 1}
    assert report.left_out == {"nothing but void in its label map": 2}
    again = convert(tmp_path / "source", tmp_path / "scenes")
    assert again.kept == 5 and again.left_out == report.left_out and not again.made


def test_ade20k_flat_sample_and_instances(tmp_path: Path) -> None:
    drawn = trees.draw(0)
    ids = drawn.recoded(trees.TO_ADE20K)
    trees.save(tmp_path / "a" / "images" / "ADE_val_00000001.jpg", drawn.photo)
    trees.save(tmp_path / "a" / "annotations" / "ADE_val_00000001.png", ids)
    # Red: one of the challenge's 100 classes, green: the object. It was drawn apart from the labels: shift it.
    shifted = np.roll(drawn.instances, 1, axis=1)
    rgb = np.stack([shifted > 0, shifted, np.zeros_like(shifted)], axis=2)
    trees.save(tmp_path / "a" / "annotations_instance" / "ADE_val_00000001.png", rgb.astype(np.uint8))
    assert convert(tmp_path / "a", tmp_path / "scenes").scenes == {"val": 1}
    layout = SceneFolder.open(tmp_path / "scenes").scene("val", "ADE_val_00000001").layout
    assert layout.instance_map is not None and layout.instance_map.max() > 0
    things = LabelSet.load("ade20k").of_kind("thing")
    for number in np.unique(layout.instance_map)[1:]:
        where = layout.instance_map == number
        (source,) = np.unique(shifted[where])  # it is a part of one object
        classes, counts = np.unique(ids[shifted == source], return_counts=True)
        (found,) = np.unique(ids[where])
        assert found in classes[counts == counts.max()] and found in things
        assert where.sum() == counts.max()


def test_cocostuff_under_other_names(tmp_path: Path) -> None:
    trees.cocostuff(tmp_path / "a")
    (tmp_path / "a" / "images").mkdir()
    for split in ("train2017", "val2017"):
        (tmp_path / "a" / split).rename(tmp_path / "a" / "images" / split)
    (tmp_path / "a" / "stuffthingmaps").rename(tmp_path / "a" / "annotations")
    assert convert(tmp_path / "a", tmp_path / "scenes").scenes == {"train": 2, "val": 1}


def test_cocostuff_objects_come_from_its_list(tmp_path: Path) -> None:
    """Two cars, the small one in front of the large one; a person on a wall, and a crowd."""
    ids = np.full((40, 60), 148)
    ids[10:30, 5:40], ids[2:9, 50:58] = 2, 0  # cars, person
    ids[20:25, 50:60] = 0  # people in a crowd
    for stem in ("000000000007", "000000000008"):
        trees.save(tmp_path / "a" / "train2017" / f"{stem}.jpg", np.zeros((40, 60, 3), np.uint8))
        trees.save(tmp_path / "a" / "stuffthingmaps" / "train2017" / f"{stem}.png", ids)
    objects: list[dict[str, object]] = [
        _object(7, 3, _box(20, 15, 35, 25)),
        _object(8, 3, _box(5, 10, 12, 30)),
        _object(7, 3, _box(5, 10, 40, 30)),
        _object(7, 1, _box(48, 0, 60, 12)),  # larger than its labels
        _object(7, 3, _box(0, 35, 10, 40)),  # a car on the road: dropped
        _object(7, 1, {"counts": [5, 5], "size": [40, 60]}, iscrowd=1),
    ]
    everything = {"info": {"description": "Å [list]"}, "images": [], "annotations": objects, "categories": [{"id": 1}]}
    (tmp_path / "a" / "annotations").mkdir()
    path = tmp_path / "a" / "annotations" / "instances_train2017.json"
    path.write_text(json.dumps(everything, ensure_ascii=False), encoding="utf-8")
    assert convert(tmp_path / "a", tmp_path / "scenes", workers=2).ok
    folder = SceneFolder.open(tmp_path / "scenes")
    expected = np.zeros((40, 60), int)
    expected[10:30, 5:40], expected[15:25, 20:35], expected[2:9, 50:58] = 1, 3, 2  # by size: 700, 150, 144 pixels
    expected[expected == 3], expected[expected == 2] = 9, 3
    expected[expected == 9] = 2
    np.testing.assert_array_equal(folder.scene("train", "000000000007").layout.instance_map, expected)
    other = folder.scene("train", "000000000008").layout.instance_map
    assert other is not None and (other > 0).sum() == 7 * 20
    path.write_text("{}")
    with pytest.raises(InputError, match=r"instances_train2017\.json is no list of COCO's objects"):
        convert(tmp_path / "a", tmp_path / "scenes")


def _box(left: int, top: int, right: int, bottom: int) -> list[list[float]]:
    """A box's polygon, as COCO writes it: its pixels go from left to right - 1."""
    return [[left, top, right, top, right, bottom, left, bottom]]


def _object(picture: int, category: int, segmentation: object, iscrowd: int = 0) -> dict[str, object]:
    flat = segmentation[0] if isinstance(segmentation, list) else [0, 0, 0, 0, 0, 0]
    area = (flat[4] - flat[0]) * (flat[5] - flat[1])
    return {
        "segmentation": segmentation,
        "area": area,
        "iscrowd": iscrowd,
        "image_id": picture,
        "category_id": category,
    }


def test_camvid_colours_are_all_thirty_two_and_the_11_classes() -> None:
    table = color_table()
    assert len(table) == 32 and sorted(set(table.values())) == list(range(12))
    names = LabelSet.load("camvid")
    assert table[(64, 0, 64)] == names.find("building").id  # a tunnel
    assert table[(64, 192, 128)] == names.find("pavement").id  # a parking block
    assert table[(64, 128, 64)] == names.find("pedestrian").id  # an animal
    for found in names.classes:  # our colours are the original's, but for pavement, which is drawn as in SegNet
        assert found.name == "pavement" or table[found.color] == found.id


def test_camvid_splits_are_those_of_the_copy_with_splits(shared: Path) -> None:
    for split in ("train", "val", "test"):
        stems = [p.stem for p in (shared / "data" / "camvid" / split / "images").iterdir()]
        assert stems and {split_of(stem) for stem in stems} == {split}


def test_camvid_colours_in_palettes(tmp_path: Path) -> None:
    drawn = trees.camvid(tmp_path / "a")
    for path in (tmp_path / "a" / "LabeledApproved_full").iterdir():
        with Image.open(path) as image:
            image.convert("P", palette=Image.Palette.ADAPTIVE, colors=32).save(path)
    assert convert(tmp_path / "a", tmp_path / "scenes").ok
    layout = SceneFolder.open(tmp_path / "scenes").scene("val", "0016E5_07959").layout
    np.testing.assert_array_equal(layout.label_map, drawn["val/0016E5_07959"].labels)


def test_camvid_copies_with_split_folders_of_colours(tmp_path: Path) -> None:
    drawn = trees.draw(0)
    trees.save(tmp_path / "a" / "train" / "0006R0_f00930.png", drawn.photo)
    colors = np.array(trees.CAMVID_COLORS, np.uint8)[drawn.labels]
    trees.save(tmp_path / "a" / "train_labels" / "0006R0_f00930_L.png", colors)
    convert(tmp_path / "a", tmp_path / "scenes")
    layout = SceneFolder.open(tmp_path / "scenes").scene("train", "0006R0_f00930").layout
    np.testing.assert_array_equal(layout.label_map, drawn.labels)


def test_nyuv2_in_one_folder_with_lists_of_the_splits(tmp_path: Path) -> None:
    for k in range(4):
        drawn = trees.draw(k)
        trees.save(tmp_path / "a" / "nyu_images" / f"{k}.jpg", drawn.photo)
        trees.save(tmp_path / "a" / "nyu_labels40" / f"{k}.png", drawn.recoded(trees.TO_NYU40))
    (tmp_path / "a" / "test.txt").write_text("2\nnyu_images/3.jpg nyu_labels40/3.png\n")
    report = convert(tmp_path / "a", tmp_path / "scenes")
    folder = SceneFolder.open(tmp_path / "scenes")
    assert report.scenes == {"train": 2, "test": 2} and folder.stems("test") == ["2", "3"]


def test_faces_are_merged_in_the_data_sets_own_order(tmp_path: Path) -> None:
    expected = trees.celebamask(tmp_path / "a")
    assert convert(tmp_path / "a", tmp_path / "scenes").scenes == {"train": 3}
    folder = SceneFolder.open(tmp_path / "scenes")
    for stem, label_map in expected.items():
        np.testing.assert_array_equal(folder.scene("train", stem).layout.label_map, label_map)
    assert folder.label_set.find(14).name == "hat" and folder.label_set.find(18).name == "cloth"


def test_faces_are_split_by_the_mapping_to_celeba(tmp_path: Path) -> None:
    trees.celebamask(tmp_path / "a")
    lines = ["idx orig_idx orig_file", "0 162769 162770.jpg", "1 162770 162771.jpg", "2000 182637 182638.jpg"]
    (tmp_path / "a" / "CelebA-HQ-to-CelebA-mapping.txt").write_text("\n".join(lines) + "\n")
    convert(tmp_path / "a", tmp_path / "scenes")
    folder = SceneFolder.open(tmp_path / "scenes")
    assert {s: folder.stems(s) for s in folder.splits} == {"train": ["00000"], "val": ["00001"], "test": ["02000"]}


def test_celebas_partition_at_its_bounds() -> None:
    numbers = (1, 162770, 162771, 182637, 182638, 202599)
    assert [split_of_face(n) for n in numbers] == ["train", "train", "val", "val", "test", "test"]


def test_masks_of_two_sizes_are_named(tmp_path: Path) -> None:
    trees.celebamask(tmp_path / "a")
    bad = tmp_path / "a" / "CelebAMask-HQ-mask-anno" / "0" / "00001_hair.png"
    trees.save(bad, np.zeros((8, 8), np.uint8))
    report = convert(tmp_path / "a", tmp_path / "scenes")
    (found,) = report.errors
    assert found.file == bad.relative_to(tmp_path / "a") and "8x8" in found.message and report.scenes == {"train": 2}


def test_a_wrapping_folder_is_looked_into(tmp_path: Path) -> None:
    trees.ade20k(tmp_path / "unpacked" / "ADEChallengeData2016")
    assert recognise(tmp_path / "unpacked").root == tmp_path / "unpacked" / "ADEChallengeData2016"


def test_what_is_no_data_set(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist"):
        recognise(tmp_path / "nowhere")
    with pytest.raises(InputError, match="holds no data set that is known; expected cityscapes: leftImg8bit"):
        recognise(tmp_path)
    with pytest.raises(InputError, match="holds no camvid; expected camvid: 701_StillsRaw_full"):
        recognise(tmp_path, "camvid")
    with pytest.raises(InputError, match=r"unknown format 'citiscapes' \(did you mean 'cityscapes'\?\)"):
        recognise(tmp_path, "citiscapes")
    assert FORMATS == ("cityscapes", "ade20k", "cocostuff", "camvid", "celebamask", "nyuv2")


def test_real_samples_survive(shared: Path, tmp_path: Path) -> None:
    """Three of COCO-Stuff's own samples, put back into its layout, come out as they are."""
    samples = SceneFolder.open(shared / "data" / "coco_stuff_samples")
    chosen = list(samples.iterate("val"))[:3]
    for files in chosen:
        photo = tmp_path / "coco" / "val2017" / files.photo.name
        photo.parent.mkdir(parents=True, exist_ok=True)
        photo.write_bytes(files.photo.read_bytes())
        ids = np.array(Image.open(files.labels))
        trees.save(
            tmp_path / "coco" / "stuffthingmaps" / "val2017" / f"{files.stem}.png", np.where(ids == 182, 255, ids)
        )
    convert(tmp_path / "coco", tmp_path / "scenes")
    made = SceneFolder.open(tmp_path / "scenes")
    for files in chosen:
        again = made.files("val", files.stem)
        assert again.photo.read_bytes() == files.photo.read_bytes()
        np.testing.assert_array_equal(np.array(Image.open(again.labels)), np.array(Image.open(files.labels)))


def _same_objects(found: np.ndarray, expected: np.ndarray) -> None:
    """Two instance maps are the same but for the numbers."""
    pairs = {(int(a), int(b)) for a, b in zip(found.ravel(), expected.ravel(), strict=True)}
    assert len(pairs) == len(np.unique(found)) == len(np.unique(expected)) and (0, 0) in pairs
