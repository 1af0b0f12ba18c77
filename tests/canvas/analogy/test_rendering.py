"""Photos in new layouts: what has to come out where the answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from scenebrush.canvas.analogy import Analogy, AnalogySettings
from scenebrush.canvas.analogy.blending import even_out
from scenebrush.canvas.analogy.guides import guide
from scenebrush.canvas.analogy.prior import prior
from scenebrush.canvas.analogy.sheet import NOTHING, stretched
from scenebrush.canvas.analogy.voting import vote
from scenebrush.errors import InputError
from scenebrush.scene.label_set import LabelClass, LabelSet
from scenebrush.scene.layout import Layout

SKY, GROUND, BALL = 1, 2, 3
WORLD = LabelSet(
    "balls",
    (
        LabelClass(SKY, "sky", (0, 0, 255), "stuff"),
        LabelClass(GROUND, "ground", (0, 255, 0), "stuff"),
        LabelClass(BALL, "ball", (255, 0, 0), "thing"),
    ),
)
SHAPE = (96, 128)
QUICK = AnalogySettings(passes=1, last_passes=1)


def layout(x: int = 40, y: int = 40, radius: int = 16, horizon: int = 60, shape: tuple[int, int] = SHAPE) -> Layout:
    rows, columns = np.mgrid[: shape[0], : shape[1]]
    labels = np.where(rows < horizon, SKY, GROUND)
    labels[(rows - y) ** 2 + (columns - x) ** 2 <= radius**2] = BALL
    return Layout(labels, WORLD)


def photo(of: Layout, x: int = 40, y: int = 40, radius: int = 16) -> np.ndarray:
    """Sky with a slow gradient, ground with speckles, a ball whose left is dark and whose right is bright."""
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[: of.shape[0], : of.shape[1]]
    picture = np.zeros((*of.shape, 3))
    picture[...] = np.array([90, 140, 200]) + 0.3 * rows[..., None]
    speckles = rng.integers(-30, 30, of.shape)[..., None] + np.array([90, 110, 60])
    picture = np.where((of.label_map == GROUND)[..., None], speckles, picture)
    ball = np.array([200, 60, 50]) + (3.0 * (columns - x) / radius * 16)[..., None]
    picture = np.where((of.label_map == BALL)[..., None], ball, picture)
    return picture.clip(0, 255).astype(np.uint8)


SOURCE = layout()
PHOTO = photo(SOURCE)


@pytest.fixture(scope="module")
def analogy() -> Analogy:
    return Analogy(PHOTO, SOURCE)


def test_its_own_layout_gives_the_photo_back_bit_for_bit(analogy: Analogy) -> None:
    made = analogy.render(SOURCE)
    assert np.array_equal(made.picture, PHOTO)
    assert made.cost.max() < 1e-5


def test_a_ball_that_moved_has_its_own_pixels_and_left_none(analogy: Analogy) -> None:
    target = layout(x=90, y=50)
    made = analogy.render(target).picture
    wanted = photo(target, x=90, y=50)
    inner = layout(x=90, y=50, radius=13).label_map == BALL
    assert np.abs(made[inner].astype(int) - wanted[inner]).mean() < 6
    was = (SOURCE.label_map == BALL) & (target.label_map != BALL)
    assert made[was][:, 0].max() < 160  # nothing red is left
    far = np.abs(np.arange(SHAPE[1]) - 40) > 70  # and what lies far from both places is the photo
    assert np.abs(made[:, far].astype(int) - PHOTO[:, far])[: 30 - 20].max() <= 2


@pytest.mark.parametrize(("radius", "x"), [(9, 90), (26, 80)])
def test_a_ball_of_another_size_is_the_ball_stretched(analogy: Analogy, radius: int, x: int) -> None:
    target = layout(x=x, y=50, radius=radius)
    made = analogy.render(target).picture.astype(int)
    wanted = photo(target, x=x, y=50, radius=radius).astype(int)
    inner = layout(x=x, y=50, radius=radius - 3).label_map == BALL
    assert np.abs(made[inner] - wanted[inner]).mean() < 10  # dark left, bright right: only the whole ball has both


def test_the_ground_goes_on_with_its_speckles_where_the_horizon_rises(analogy: Analogy) -> None:
    made = analogy.render(layout(horizon=45)).picture
    new = np.s_[47:58, 60:128]
    old = PHOTO[62:96, 60:128]
    assert abs(float(made[new].mean()) - float(old.mean())) < 8
    assert made[new].std() > 0.7 * old.std()  # no blur


@pytest.mark.parametrize("shape", [(96, 128), (70, 171), (130, 101), (41, 43)])
def test_layouts_may_have_any_size(analogy: Analogy, shape: tuple[int, int]) -> None:
    target = layout(x=20, y=20, radius=9, horizon=shape[0] // 2, shape=shape)
    made = analogy.render(target)
    assert made.picture.shape == (*shape, 3) and made.picture.dtype == np.uint8
    assert made.cost.shape == shape


def test_the_same_seed_gives_the_same_picture_and_another_seed_another(analogy: Analogy) -> None:
    target = layout(x=80, horizon=50)
    one, two, other = (analogy.render(target, seed=seed).picture for seed in (3, 3, 4))
    assert np.array_equal(one, two)
    assert not np.array_equal(one, other)


def test_what_is_not_usable_never_shows() -> None:
    usable = np.ones(SHAPE, bool)
    usable[70:90, 20:60] = False
    spoiled = PHOTO.copy()
    spoiled[~usable] = (255, 0, 255)
    made = Analogy(spoiled, SOURCE, usable).render(SOURCE).picture.astype(int)
    purple = made[..., 0] + made[..., 2] - 2 * made[..., 1]
    assert purple.max() < 400 - 100 and purple[70:90, 20:60].max() < 200
    assert np.array_equal(made[:60], PHOTO[:60])


def test_a_class_that_the_photo_lacks_takes_what_fits(analogy: Analogy) -> None:
    more = LabelSet("more", (*WORLD.classes, LabelClass(4, "new", (9, 9, 9), "stuff")))
    labels = SOURCE.label_map.copy()
    labels[70:80, 70:90] = 4
    made = Analogy(PHOTO, Layout(SOURCE.label_map, more)).render(Layout(labels, more))
    assert made.picture.shape == PHOTO.shape


def test_settings_that_will_not_do_are_refused() -> None:
    for wrong in ({"guide": -1.0}, {"place": math.nan}, {"reach": 0.0}, {"reach": math.inf}, {"passes": 0}):
        with pytest.raises(InputError, match="analogy"):
            AnalogySettings(**wrong)  # type: ignore[arg-type]


def test_a_guide_tells_what_is_near_and_on_which_side() -> None:
    features = guide(np.array([[1, 1, 1, 1, 2, 2, 2, 2]]), np.array([1, 2, 7]), 3.0).reshape(8, 3, 3)
    nearness = features[:, :, 0]
    assert (nearness[:2, 0] == 1).all() and (nearness[-2:, 0] == 0).all()
    assert np.all(np.diff(nearness[:, 0]) <= 0) and np.allclose(nearness[:, 0], nearness[::-1, 1])
    assert (features[3:5, 0, 2] > 0).all() and (features[3:5, 1, 2] < 0).all()  # class 1 lies left, class 2 right
    assert not features[:, 2].any()


def test_things_are_moved_or_stretched_and_what_only_grew_stays() -> None:
    there = prior(SOURCE, layout(x=90, y=50))
    assert (there.rows[50, 90], there.columns[50, 90]) == (40, 40)
    larger = prior(SOURCE, layout(x=80, y=50, radius=32))
    assert abs(larger.columns[50, 80] - 40) < 1 and abs(larger.columns[50, 108] - 54) < 1.5
    labels = SOURCE.label_map.copy()
    labels[20:30, 52:56] = BALL  # a bump: the ball itself stays
    bump = prior(SOURCE, Layout(labels, WORLD))
    assert (bump.rows[40, 40], bump.columns[40, 40]) == (40, 40)
    stuff = prior(SOURCE, layout(x=90))
    assert (stuff.rows[80, 100], stuff.columns[80, 100]) == (80, 100)


def test_a_sheet_holds_what_is_stretched_and_its_surroundings() -> None:
    target = layout(x=80, y=50, radius=32)
    sheet = stretched(PHOTO.astype(np.float32) / 255, SOURCE.label_map, prior(SOURCE, target).fits, SHAPE)
    assert sheet is not None
    assert (sheet.label_map[target.label_map == BALL] == BALL).mean() > 0.94
    assert sheet.label_map[0, 0] == NOTHING and (sheet.label_map == SKY).any()
    assert stretched(PHOTO.astype(np.float32), SOURCE.label_map, prior(SOURCE, layout(x=90)).fits, SHAPE) is None


def test_a_field_that_goes_on_everywhere_votes_the_picture_itself() -> None:
    picture = np.random.default_rng(0).random((9, 11, 3)).astype(np.float32)
    assert np.allclose(vote(picture, np.arange(99), (9, 11), 5), picture, atol=1e-6)
    field = np.full(20, 37)
    assert np.array_equal(vote(picture, field, (4, 5), 1), np.broadcast_to(picture[3, 4], (4, 5, 3)))


def test_a_small_step_at_a_seam_is_evened_out_and_a_large_one_is_content() -> None:
    source = np.full((20, 40, 3), 100, np.float32)
    source[:, 20:] += 6
    labels, found = np.ones((20, 20), int), np.arange(800).reshape(20, 40)[:, :20].copy()
    found[:, 10:] += 20  # the right half comes from where it is a little brighter
    voted = source.reshape(-1, 3)[found]
    cost = np.ones((20, 20), np.float32)
    evened = even_out(voted, source, np.ones((20, 40), int), found, labels, cost)
    assert np.abs(np.diff(evened, axis=1)).max() < 1.5 < np.abs(np.diff(voted, axis=1)).max()
    source[:, 20:] += 94
    voted = source.reshape(-1, 3)[found]
    kept = even_out(voted, source, np.ones((20, 40), int), found, labels, cost)
    assert np.abs(np.diff(kept, axis=1)).max() > 50


def test_sizes_that_differ_and_photos_without_a_usable_pixel_are_refused() -> None:
    with pytest.raises(InputError, match=r"photo is \(50, 128\), the layout \(96, 128\)"):
        Analogy(PHOTO[:50], SOURCE)
    with pytest.raises(InputError, match=r"usable is \(3, 3\), the layout"):
        Analogy(PHOTO, SOURCE, np.ones((3, 3), bool))
    with pytest.raises(InputError, match="none of the 12288 pixels may be copied"):
        Analogy(PHOTO, SOURCE, np.zeros(SHAPE, bool))


@pytest.mark.parametrize("shape", [(1, 1), (1, 9), (2, 2), (5, 3), (20, 30)])
def test_tiny_photos_are_copied_too(shape: tuple[int, int]) -> None:
    labels = np.where(np.arange(shape[0] * shape[1]).reshape(shape) % 2, BALL, SKY)
    tiny = np.random.default_rng(0).integers(0, 256, (*shape, 3)).astype(np.uint8)
    analogy = Analogy(tiny, Layout(labels, WORLD), settings=QUICK)
    assert np.array_equal(analogy.render(Layout(labels, WORLD)).picture, tiny)
    made = analogy.render(layout(x=9, y=9, radius=4, horizon=20, shape=(24, 30))).picture
    assert made.shape == (24, 30, 3) and tiny.min() <= made.max()


@pytest.mark.parametrize("shape", [(1, 100), (100, 1), (1, 1), (2, 3)])
def test_targets_of_a_pixel_height_are_drawn(analogy: Analogy, shape: tuple[int, int]) -> None:
    assert analogy.render(layout(shape=shape, horizon=0)).picture.shape == (*shape, 3)


def test_a_photo_of_one_class_is_copied() -> None:
    one = Layout(np.full(SHAPE, GROUND), WORLD)
    assert np.array_equal(Analogy(PHOTO, one, settings=QUICK).render(one).picture, PHOTO)
    assert Analogy(PHOTO, one, settings=QUICK).render(SOURCE).picture.shape == PHOTO.shape  # all of another class


def test_ids_outside_the_label_set_are_classes_like_others() -> None:
    labels = SOURCE.label_map.copy()
    labels[:12], labels[90:] = 255, 77
    picture = PHOTO.copy()
    picture[:12] = (250, 250, 0)
    target = labels.copy()
    target[:24] = 255
    analogy = Analogy(picture, Layout(labels, WORLD), settings=QUICK)
    assert np.array_equal(analogy.render(Layout(labels, WORLD)).picture, picture)
    assert np.abs(analogy.render(Layout(target, WORLD)).picture[12:22].astype(int) - (250, 250, 0)).max() < 30


def test_a_class_that_may_not_be_copied_takes_what_fits() -> None:
    usable = SOURCE.label_map != BALL
    target = layout(x=90)
    made = Analogy(PHOTO, SOURCE, usable, QUICK).render(target).picture.astype(int)
    assert (made[..., 0] - made[..., 2]).max() < 90  # nothing of the ball, whose red is 100 above its blue


def test_a_ball_behind_a_post_is_one_ball_where_instances_say_so() -> None:
    target = layout(x=90, y=50, radius=20)
    labels = target.label_map.copy()
    labels[:, 95:99] = GROUND  # the post
    two, one = Layout(labels, WORLD), Layout(labels, WORLD, np.where(labels == BALL, 7, 0))
    assert len(prior(SOURCE, two).fits) == 2 and len(prior(SOURCE, one).fits) == 1
    fit = prior(SOURCE, one).fits[0]
    assert np.array_equal(fit.mask, labels == BALL)
    assert np.allclose(fit.stretch, 33 / 41, atol=0.02)  # the whole ball onto the whole ball
    named = Layout(SOURCE.label_map, WORLD, np.where(SOURCE.label_map == BALL, 3, 0))
    assert np.array_equal(prior(named, one).rows, prior(SOURCE, one).rows)  # numbers need not be the same


def test_touching_balls_are_two_where_instances_say_so() -> None:
    left, right = (layout(x=x, y=40).label_map == BALL for x in (60, 93))
    labels = np.where(left | right, BALL, np.where(np.arange(SHAPE[0])[:, None] < 60, SKY, GROUND))
    numbers = np.where(left, 1, np.where(right, 2, 0))
    fits = prior(SOURCE, Layout(labels, WORLD, numbers)).fits
    assert len(fits) == 2 and sorted(int(fit.shift[1]) for fit in fits) == [-53, -20]


def test_classes_of_a_few_pixels_are_met_too() -> None:
    labels = SOURCE.label_map.copy()
    labels[20:22, 100:103], labels[80] = 8, 9  # six pixels, and a line
    picture = PHOTO.copy()
    picture[labels == 8], picture[labels == 9] = (255, 255, 0), (0, 255, 255)
    target = SOURCE.label_map.copy()
    target[5:15] = 8
    target[70:90:4] = 9
    target[np.random.default_rng(0).random(SHAPE) < 0.02] = 8
    settings = AnalogySettings(passes=1, last_passes=1, last_patch=1)
    made = Analogy(picture, Layout(labels, WORLD), settings=settings).render(Layout(target, WORLD))
    assert made.cost.max() < 1000  # no pixel of another class
    yellow = made.picture[6:14].astype(int)
    assert (yellow[..., 2] < 100).all() and (yellow[..., 0] > 180).all()
