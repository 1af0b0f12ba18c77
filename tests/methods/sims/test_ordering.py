import numpy as np
import pytest
import torch

from scenebrush.methods.sims.order_pairs import OrderPair, order_pairs
from scenebrush.methods.sims.ordering import (
    OrderingBatch,
    OrderingNetwork,
    front,
    fronts,
    ordering_batch,
    ordering_loss,
    pair_input,
)
from scenebrush.methods.sims.segments import segments_of
from scenebrush.scene.label_set import LabelSet
from scenebrush.scene.layout import Layout

CAMVID = LabelSet.load("camvid")
IDS = {c.name: c.id for c in CAMVID.classes}
SIZE = (32, 64)


def layout_of(car_rows: slice = slice(20, 40)) -> Layout:
    label_map = np.full((48, 64), IDS["building"])
    label_map[30:] = IDS["road"]
    label_map[car_rows, 10:30] = IDS["car"]
    return Layout(label_map, CAMVID)


def small(**kwargs: object) -> OrderingNetwork:
    torch.manual_seed(0)
    return OrderingNetwork(12, width=2, working_size=SIZE, **kwargs).eval()  # type: ignore[arg-type]


def test_parameters_are_the_papers() -> None:
    with torch.device("meta"):
        network = OrderingNetwork(20)
    assert sum(p.numel() for p in network.parameters()) == 15_267_476


def test_a_compact_one_is_small() -> None:
    assert sum(p.numel() for p in OrderingNetwork(12, width=8).parameters()) < 300_000


def test_the_map_is_averaged_over_all_columns() -> None:
    network = small()
    with torch.no_grad():
        x = torch.rand(1, 6, *SIZE)
        other = x.clone()
        other[..., 56:] = 0  # where the released code's pool does not reach
        assert not torch.allclose(network(x), network(other))


def test_input_is_the_colours_of_both_and_of_all() -> None:
    layout = layout_of()
    road, car = (next(s for s in segments_of(layout) if s.class_id == IDS[name]) for name in ("road", "car"))
    x = pair_input(layout, road, car, layout.shape)
    assert x.shape == (6, 48, 64)
    colors = {name: torch.tensor(CAMVID.find(name).color) / 255 for name in ("road", "car", "building")}
    torch.testing.assert_close(x[:3, 25, 15], colors["car"])
    torch.testing.assert_close(x[:3, 45, 60], colors["road"])
    assert (x[:3, 5, 5] == 0).all()
    torch.testing.assert_close(x[3:, 5, 5], colors["building"])


def test_window_shows_the_box_around_both() -> None:
    label_map = np.full((100, 200), IDS["building"])
    label_map[40:50, 100:110], label_map[40:60, 110:120] = IDS["car"], IDS["pedestrian"]
    layout = Layout(label_map, CAMVID)
    car, person = (next(s for s in segments_of(layout) if s.class_id == IDS[name]) for name in ("car", "pedestrian"))
    x = pair_input(layout, car, person, (26, 26), 1.25)  # 20x20, grown by 2.5 and a pixel to each side
    assert float((x[:3].sum(0) > 0).float().mean()) == pytest.approx(300 / 26**2, rel=0.15)
    torch.testing.assert_close(x, pair_input(layout, person, car, (26, 26), 1.25))


def test_batch_has_indices_of_classes() -> None:
    label_set = LabelSet.load("cityscapes")  # ids 0-33 in order, sky 23
    label_map = np.full((48, 64), 23)
    label_map[24:] = 11
    layout = Layout(label_map, label_set)
    batch = ordering_batch([layout], order_pairs(layout, least_area=10), size=SIZE)
    assert batch.pairs.shape == (1, 6, *SIZE)
    assert batch.front.tolist() == [label_set.ids.index(11)]
    assert sorted(batch.classes[0].tolist()) == sorted([label_set.ids.index(23), label_set.ids.index(11)])


def test_loss_between_both_asks_the_two_classes_alone() -> None:
    class Fixed(OrderingNetwork):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.tensor([[1.0, 3.0, 2.0], [0.0, 9.0, 1.0]])

    network = Fixed(3, width=1)
    batch = OrderingBatch(torch.zeros(2, 6, 2, 2), torch.tensor([0, 2]), torch.tensor([[0, 2], [2, 0]]))
    loss, parts = ordering_loss(network, batch)
    assert float(loss) == pytest.approx((np.log1p(np.e) + np.log1p(np.exp(-1))) / 2, rel=1e-5)
    assert float(parts["right"]) == 0.5
    paper, _ = ordering_loss(network, batch, between_both=False)
    logits = np.array([[1.0, 3.0, 2.0], [0.0, 9.0, 1.0]])
    expected = (np.log(np.exp(logits).sum(1)) - logits[[0, 1], [0, 2]]).mean()
    assert float(paper) == pytest.approx(expected, rel=1e-5)


def test_fronts_are_of_the_two_classes_whatever_else_is_likelier() -> None:
    network, layout = small(), layout_of()
    with torch.no_grad():
        network.logits.bias.copy_(torch.arange(12.0) * 100)
    pairs = [(p.first, p.second) for p in order_pairs(layout, least_area=1)]
    assert len(pairs) == 3
    assert fronts(network, layout, pairs, batch_size=2) == [max(a.class_id, b.class_id) for a, b in pairs]
    assert front(network, layout, *pairs[0]) == fronts(network, layout, pairs)[0]
    assert fronts(network, layout, []) == []


def test_training_turns_an_answer_round() -> None:
    layout, network = layout_of(), small()
    pair = order_pairs(layout, least_area=1)[0]
    classes = {pair.first.class_id, pair.second.class_id}
    first_answer = front(network, layout, pair.first, pair.second)
    other = (classes - {first_answer}).pop()
    batch = ordering_batch([layout], [OrderPair(pair.first, pair.second, other)], size=SIZE)
    optimizer = torch.optim.Adam(network.parameters(), 1e-2)
    losses = []
    for _ in range(15):
        loss, _ = ordering_loss(network.train(), batch)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0] / 2
    assert front(network.eval(), layout, pair.first, pair.second) == other
    assert all(p.grad is not None and bool(p.grad.isfinite().all()) for p in network.parameters())
