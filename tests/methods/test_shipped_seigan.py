"""The shipped seigan-objects: its card, a flower out of its box, masks of real objects better than boxes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.datasets import load_sample_image

from scenebrush.data.box_crops import MeasuringCrops
from scenebrush.data.split_in_memory import SplitInMemory
from scenebrush.evaluation.mask_iou import mask_iou
from scenebrush.methods import find_model, load_model
from scenebrush.methods.seigan.compose import compose_photos
from scenebrush.methods.seigan.cutting import cut_out
from scenebrush.methods.seigan.networks import SeiganNetworks
from scenebrush.methods.seigan.trainee import photos_tensor, planes_tensor

NAME = "seigan-objects"
FLOWER = (169, 84, 449, 360)


@pytest.fixture(scope="module")
def networks() -> SeiganNetworks:
    return load_model(NAME).networks


def test_the_card_names_data_licence_patents_and_figures():
    card = (find_model(NAME).path / "README.md").read_text(encoding="utf-8")
    for word in ("coco_things", "CC BY 4.0", "patented", "mean IoU", "Limits"):
        assert word in card


def test_a_flower_is_cut_out_of_its_box(networks):
    photo = load_sample_image("flower.jpg")
    mask = cut_out(networks, photo, FLOWER)
    orange = (photo[..., 0] > 150) & (photo[..., 2] < 160)  # petals; leaves and background are green and blue
    box = np.zeros(mask.shape, bool)
    box[FLOWER[1] : FLOWER[3], FLOWER[0] : FLOWER[2]] = True
    petals = orange & box
    assert mask[petals].mean() > 0.97 and mask[box & ~orange].mean() < 0.2 and mask[~box].max() == 0


def test_composed_it_is_there_and_gone(networks):
    flower, china = load_sample_image("flower.jpg"), load_sample_image("china.jpg")
    made = compose_photos(networks, flower, FLOWER, china, (500, 340), scale=0.5)
    assert (made.picture[made.target == 0] == china[made.target == 0]).all()
    there, before = made.picture[330:350, 490:510].mean((0, 1)), china[330:350, 490:510].mean((0, 1))
    assert there[0] > before[0] + 60
    middle = made.inpainted[180:260, 260:360].reshape(-1, 3).mean(0)
    assert middle[0] < middle[1], "where the orange flower was it is as green as its surroundings"


def test_its_masks_are_better_than_boxes(shared: Path, networks):
    """The card says 0.677 of test, boxes 0.568; a third of the objects is enough to see that."""
    if not (shared / "data" / "coco_things").is_dir():
        pytest.skip("needs shared/data/coco_things")
    crops = MeasuringCrops(SplitInMemory(shared / "data" / "coco_things", "test"), size=networks.config.size)
    some = [crops[index] for index in range(0, len(crops), 3)]
    truth = np.stack([one.mask for one in some])
    boxes = np.stack([one.crop.box for one in some])
    found = networks.segmenter(photos_tensor([one.crop.photo for one in some]), planes_tensor(list(boxes)))
    masks = found.detach()[:, 0].numpy()
    assert mask_iou(masks, truth, mean=True) > mask_iou(boxes, truth, mean=True) + 0.05
