"""The canvas of a layout: segments retrieved, chosen, aligned, recoloured, ordered, pasted (paper section 3).

Ours beside the paper's: donors are chosen together, so that most of a picture comes from one photo's light; segments
keep to the layout (`SimsConfig.footprint`); what they leave open of stuff is filled by further segments and then by
copies of the same class, as in a photo with a hole.
"""

from __future__ import annotations

from scenebrush.errors import ModelError
from scenebrush.methods.sims.bank import Bank
from scenebrush.methods.sims.choosing import Chosen, Making, choose, choose_anchor, retrieve
from scenebrush.methods.sims.config import SimsConfig
from scenebrush.methods.sims.networks import SimsNetworks
from scenebrush.methods.sims.order_pairs import coarse_order
from scenebrush.methods.sims.painting import Assembly, Painter
from scenebrush.scene.layout import Layout


def assemble(
    layout: Layout, bank: Bank, config: SimsConfig, networks: SimsNetworks | None, making: Making | None = None
) -> Assembly:
    """Returns the canvas of a layout.

    Args:
        layout: of the bank's label set, of any size.
        bank: where segments come from.
        config: the model's.
        networks: transformation and ordering network; None = alignment by moments and the coarse order alone.
        making: how.

    Raises:
        ModelError: the layout has other classes than the bank.
        InputError: the bank is empty.
    """
    making = making if making is not None else Making()
    if [(c.id, c.name) for c in layout.label_set.classes] != [(c.id, c.name) for c in bank.label_set.classes]:
        raise ModelError(
            f"bank {bank.path} has the classes of {bank.label_set.name!r}, the label map those of"
            f" {layout.label_set.name!r}; give a map or a bank of the other's"
        )
    found, lacking = retrieve(layout, bank, config, making)
    anchor = choose_anchor(found, making)
    order = coarse_order(layout.label_set)
    chosen = sorted((choose(one, anchor, making) for one in found), key=lambda c: _depth(c, order))
    painter = Painter(layout, bank, config, networks, making, anchor)
    for one in chosen:
        painter.paint(one)
    return painter.finish(tuple(chosen), lacking)


def _depth(chosen: Chosen, order: dict[int, int]) -> tuple[int, int]:
    """Back to front: by class, within a class by the lower edge."""
    segment = chosen.found.segment
    return order.get(segment.class_id, len(order)), segment.box[3]
