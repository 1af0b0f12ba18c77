import numpy as np
import pytest
import torch
from scipy import ndimage

from scenebrush.errors import InputError
from scenebrush.methods.sims.affine import forward_matrix, identity, sampling_affine, warp
from scenebrush.methods.sims.alignment import (
    AlignmentBatch,
    TransformationNetwork,
    align,
    align_by_moments,
    alignment_batch,
    alignment_loss,
    fit_by_moments,
    iou,
    predict,
    transformed,
)
from scenebrush.methods.sims.perturbing import Perturbation
from scenebrush.methods.sims.segments import segments_of
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout

CAMVID = LabelSet.load("camvid")
SIZE = (32, 64)


def photo_and_layout() -> tuple[np.ndarray, Layout]:
    rng = np.random.default_rng(0)
    label_map = np.zeros((40, 60), int)
    label_map[25:] = 3
    label_map[10:30, 20:40] = 8
    noise = ndimage.gaussian_filter(rng.random((40, 60, 3)), (3, 3, 0))
    photo = (255 * (noise - noise.min()) / np.ptp(noise)).astype(np.uint8)
    return photo, Layout(label_map, CAMVID)


def small(**kwargs: object) -> TransformationNetwork:
    torch.manual_seed(0)
    return TransformationNetwork(12, width=2, working_size=SIZE, **kwargs)  # type: ignore[arg-type]


def biased(affine: list[list[float]], **kwargs: object) -> TransformationNetwork:
    """A network that always answers this, in pixels of its working size."""
    network = small(**kwargs).eval()
    with torch.no_grad():
        network.affine.bias.copy_(torch.tensor(affine).flatten())
    return network


def disk(radius_x: float, radius_y: float, x: float, y: float) -> np.ndarray:
    rows, columns = np.mgrid[:80, :100]
    return np.asarray(((columns - x) / radius_x) ** 2 + ((rows - y) / radius_y) ** 2 <= 1)


def test_parameters_are_the_papers() -> None:
    with torch.device("meta"):
        network = TransformationNetwork(20)
    assert sum(p.numel() for p in network.parameters()) == 14_734_086


def test_a_compact_one_is_small() -> None:
    assert sum(p.numel() for p in TransformationNetwork(12, width=8).parameters()) < 300_000


@pytest.mark.parametrize("window", [None, 1.5])
def test_it_starts_as_the_identity(window: float | None) -> None:
    mask = torch.zeros(2, 1, 40, 60)
    mask[0, :, 10:20, 30:50] = 1
    mask[1, :, 5, 5] = 1
    affine = small(window=window)(torch.rand(2, 3, 40, 60), mask, torch.rand(2, 12, 40, 60))
    torch.testing.assert_close(affine, identity(2))


def test_translations_are_of_the_full_picture() -> None:
    network = biased([[1, 0, 3], [0, 1, -2]], window=None)
    colour, mask, layout = torch.rand(1, 3, 128, 192), torch.ones(1, 1, 128, 192), torch.zeros(1, 12, 128, 192)
    affine = network(colour, mask, layout)  # the picture is 3 times as wide as the working size and 4 times as high
    torch.testing.assert_close(affine, torch.tensor([[[1.0, 0.0, 9.0], [0.0, 1.0, -8.0]]]))


def test_windowed_it_scales_about_the_box_wanted() -> None:
    network = biased([[1.25, 0, 0], [0, 0.8, 0]])
    mask = torch.zeros(1, 1, 100, 200)
    mask[:, :, 40:60, 140:180] = 1
    affine = network(torch.rand(1, 3, 100, 200), mask, torch.zeros(1, 12, 100, 200))[0]
    centre = torch.tensor([160.0 - 100, 50.0 - 50])
    torch.testing.assert_close(affine[:, :2] @ centre + affine[:, 2], centre)
    torch.testing.assert_close(affine[:, :2], torch.tensor([[1.25, 0.0], [0.0, 0.8]]))


def test_fit_moves_scales_and_stays_within_limits() -> None:
    matrix = fit_by_moments(disk(10, 20, 30, 40), disk(15, 18, 60, 35))
    np.testing.assert_allclose(np.diag(matrix), [1.5, 0.9], atol=0.03)
    np.testing.assert_allclose(matrix[:, :2] @ [30, 40] + matrix[:, 2], [60, 35], atol=1e-6)
    np.testing.assert_allclose(np.diag(fit_by_moments(disk(3, 30, 30, 40), disk(30, 3, 60, 35))), [2, 0.5])
    np.testing.assert_array_equal(fit_by_moments(np.zeros((80, 100), bool), disk(3, 3, 5, 5)), np.eye(2, 3))


def test_fit_undoes_a_known_affine() -> None:
    mask = torch.from_numpy(disk(12, 8, 40, 30) | disk(5, 14, 50, 36))[None, None].double()
    affine = torch.tensor([[[0.8, 0, 6.0], [0, 1.2, -4.0]]], dtype=torch.float64)
    query = warp(mask, affine)[0, 0].numpy() > 0.5
    found = fit_by_moments(mask[0, 0].numpy() > 0.5, query)
    np.testing.assert_allclose(found, forward_matrix(affine[0].numpy(), query.shape), atol=1.5, rtol=0.05)


def test_iou() -> None:
    first, second = torch.zeros(2, 1, 1, 4, dtype=torch.bool), torch.zeros(2, 1, 1, 4, dtype=torch.bool)
    first[0, 0, 0, :3], second[0, 0, 0, 1:] = True, True
    assert iou(first, second).tolist() == [0.5, 0]


def test_transform_that_lowers_the_overlap_is_left_out() -> None:
    photo, layout = photo_and_layout()
    mask = layout.label_map == 8
    away = np.array([[1.0, 0, 7], [0, 1, 0]])
    left = transformed(photo, mask, mask, away)
    assert not left.moved
    np.testing.assert_array_equal(left.mask, mask)
    np.testing.assert_array_equal(left.colour, photo * mask[..., None])
    np.testing.assert_array_equal(left.affine, np.eye(2, 3))
    query = np.roll(mask, -7, 1)
    found = transformed(photo, mask, query, away)
    assert found.moved
    np.testing.assert_array_equal(found.mask, query)
    np.testing.assert_array_equal(found.colour, np.roll(photo * mask[..., None], -7, 1))


def test_second_best_transform_is_taken_before_none() -> None:
    photo, layout = photo_and_layout()
    mask = layout.label_map == 8
    right, wrong = np.array([[1.0, 0, -6], [0, 1, 0]]), np.array([[1.0, 0, 6], [0, 1, 0]])
    found = transformed(photo, mask, np.roll(mask, 6, 1), wrong, right)
    np.testing.assert_array_equal(found.affine, right)


def test_arrays_of_two_sizes_are_refused() -> None:
    photo, layout = photo_and_layout()
    with pytest.raises(InputError, match=r"\(40, 60\).*\(39, 60\)"):
        transformed(photo, layout.label_map == 8, np.zeros((39, 60), bool))


def test_aligned_by_moments() -> None:
    photo, layout = photo_and_layout()
    mask, query = layout.label_map == 8, np.zeros((40, 60), bool)
    query[5:35, 10:40] = True  # one and a half times as large
    found = align_by_moments(photo, mask, query)
    assert found.moved
    assert (found.mask & query).sum() / (found.mask | query).sum() > 0.97
    # The segment's rim keeps its colour; outside there is nothing.
    assert (found.colour[~found.mask] == 0).all()
    assert abs(int(found.colour[6, 11].sum()) - int(photo[10, 20].sum())) < 30


def test_untrained_network_aligns_as_the_moments_do() -> None:
    photo, layout = photo_and_layout()
    mask = layout.label_map == 8
    query = np.roll(mask, (3, -5), (0, 1))
    by_network, by_moments = align(small().eval(), photo, mask, query, layout), align_by_moments(photo, mask, query)
    np.testing.assert_allclose(by_network.affine, by_moments.affine, atol=1e-5)
    np.testing.assert_array_equal(by_network.mask, query)
    unfitted = align(small(fit_first=False).eval(), photo, mask, query, layout)
    np.testing.assert_allclose(unfitted.affine, np.eye(2, 3), atol=1e-6)


def test_network_goes_on_where_the_fit_ended() -> None:
    """Total = fit, then network: a segment 5 to the left, and a network that always shifts by the window's tenth."""
    network = biased([[1, 0, 6.4], [0, 1, 0]], window=None)
    mask = torch.zeros(1, 1, 40, 64)
    mask[:, :, 10:20, 20:30] = 1
    query = mask.roll(-5, 3)
    affine, fitted = predict(network, mask.repeat(1, 3, 1, 1), mask, query, torch.zeros(1, 12, 40, 64))
    torch.testing.assert_close(fitted, torch.tensor([[[1.0, 0, 5], [0, 1, 0]]]), atol=1e-5, rtol=0)
    torch.testing.assert_close(affine, torch.tensor([[[1.0, 0, 11.4], [0, 1, 0]]]), atol=1e-5, rtol=0)


def batch_of(perturbation: Perturbation | None = None) -> AlignmentBatch:
    photo, layout = photo_and_layout()
    car = next(s for s in segments_of(layout) if s.class_id == 8)
    generator = torch.Generator().manual_seed(1)
    return alignment_batch([photo] * 3, [layout] * 3, [car] * 3, generator, size=(40, 60), perturbation=perturbation)


def test_batch_holds_photo_segment_and_way_back() -> None:
    photo, layout = photo_and_layout()
    batch = batch_of(Perturbation(clipping=0))
    np.testing.assert_allclose((batch.target[0].permute(1, 2, 0).numpy() + 1) * 127.5, photo, atol=1e-3)
    np.testing.assert_array_equal(batch.query_mask[0, 0].numpy() > 0, layout.label_map == 8)
    np.testing.assert_array_equal(batch.label_map[1].numpy(), layout.label_map)
    assert (batch.colour * (1 - batch.mask) == 0).all()
    back = warp(batch.mask, batch.back) > 0.5
    assert float(iou(back, batch.query_mask > 0.5).min()) > 0.93
    assert float(iou(batch.mask > 0.5, batch.query_mask > 0.5).min()) < 0.9
    inside = (batch.query_mask > 0) & back
    fetched = warp(batch.colour, batch.back)
    error = ((fetched - batch.target).abs() * inside).sum() / inside.sum() / 3
    assert float(error) < 0.05


@torch.no_grad()
def test_loss_is_zero_where_nothing_was_moved_and_counts_what_is_too_large() -> None:
    still = batch_of(Perturbation(0, 0, 0, 0, 0))
    network = small(fit_first=False, window=None)
    loss, parts = alignment_loss(network, still)
    assert float(loss) == pytest.approx(0, abs=1e-4)
    assert float(parts["overlap"]) == 1
    larger = biased([[0.8, 0, 0], [0, 0.8, 0]], fit_first=False)
    # By hand: the segment at 5/4 of its size, against the photo cut to the car, both black outside.
    affine = larger(still.colour, still.query_mask, torch.zeros(3, 12, 40, 60))
    made = warp((still.colour + 1) * still.mask, affine)
    expected = (made - (still.target + 1) * still.query_mask).abs().sum() / 3 / (3 * 400 + 1)
    loss, parts = alignment_loss(larger, still, place_weight=0)
    assert float(loss) == pytest.approx(float(expected), rel=1e-5)
    # A corner 10 pixels from the middle is fetched 2 pixels from where it should, of 20: a tenth.
    assert float(parts["place"]) == pytest.approx(0.1, rel=1e-3)
    assert float(alignment_loss(larger, still, place_weight=2)[0]) == pytest.approx(float(expected) + 0.2, rel=1e-3)


def test_it_learns_to_bring_a_segment_back() -> None:
    batch = AlignmentBatch(*(one[:1] for one in batch_of()))
    network = small(fit_first=False)
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    losses, overlaps = [], []
    for _ in range(40):
        loss, parts = alignment_loss(network, batch, place_weight=0)  # by colour alone, as in the paper
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
        overlaps.append(float(parts["overlap"]))
    assert min(losses[-10:]) < 0.7 * losses[0]
    assert max(overlaps[-10:]) > overlaps[0]
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in network.parameters())


def test_sampling_affine_is_what_align_takes() -> None:
    photo, layout = photo_and_layout()
    mask = layout.label_map == 8
    matrix = np.array([[1.0, 0, 4], [0, 1, 2]])
    found = transformed(photo, mask, np.roll(mask, (2, 4), (0, 1)), sampling_affine(matrix, (40, 60)))
    np.testing.assert_array_equal(found.mask, np.roll(mask, (2, 4), (0, 1)))
