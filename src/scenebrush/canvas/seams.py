"""Seams where they are seen least: which offset each part of a region takes.

A graph cut in the manner of shift-map editing (Pritch et al. 2009) and graph-cut textures (Kwatra et al.
2003). Labels are offsets; a label costs its ring cost, a seam between two offsets costs how far their
copies differ on both of its sides. Alpha expansion (Boykov et al. 2001) on blocks of pixels, each move one
maximum flow.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from scenebrush.canvas.sources import color_distance

_MISSING = 60.0  # what a pixel without a source costs more than any with one, and a seam through it
_UNITS = 8.0  # flow units per colour step


@dataclass(frozen=True, eq=False)
class Choices:
    """What each of K offsets would put at each of P pixels of a region.

    Args:
        values: int16 or float32 (K, P, 3), colours.
        usable: bool (K, P), whether there is a source.
        costs: float32 (K, P), what the offset costs there, in colour steps.
    """

    values: np.ndarray
    usable: np.ndarray
    costs: np.ndarray


@dataclass(frozen=True, eq=False)
class Blocks:
    """A region cut into square blocks: the nodes of the graph.

    Args:
        node: int (P,), the block of each pixel.
        first, second: int (E,), pairs of neighbouring pixels in different blocks (indices of pixels).
        edge: int (E,), the graph's edge that each pair belongs to.
        ends: int (2, G), the two blocks of each edge.
        centers: int (N,), a flat index in the middle of each block.
        corners: int (N,), names of the blocks, ascending.
        side: pixels.
        stride: pixels in a row.
    """

    node: np.ndarray
    first: np.ndarray
    second: np.ndarray
    edge: np.ndarray
    ends: np.ndarray
    centers: np.ndarray
    corners: np.ndarray
    side: int
    stride: int

    @classmethod
    def of(cls, pixels: np.ndarray, stride: int, most: int, step: int = 1) -> Blocks:
        """Returns about `most` blocks of a region.

        Args:
            pixels: flat indices, ascending, rows of `stride`; with `step` > 1 only of every step-th row
                and column, which are then neighbours.
            stride: pixels in a row.
            most: about so many blocks.
            step: see `pixels`.
        """
        rows, columns = np.divmod(pixels, stride)
        side = step * max(1, int(np.ceil(np.sqrt(len(pixels) / most))))
        corners, node = np.unique((rows // side) * stride + columns // side, return_inverse=True)
        firsts, seconds = [], []
        for ahead in (step, step * stride):
            place = np.minimum(np.searchsorted(pixels, pixels + ahead), len(pixels) - 1)
            found = np.flatnonzero((pixels[place] == pixels + ahead) & (node[place] != node))
            firsts.append(found)
            seconds.append(place[found])
        first, second = np.concatenate(firsts), np.concatenate(seconds)
        pair, edge = np.unique(node[first] * len(corners) + node[second], return_inverse=True)
        ends = np.stack(np.divmod(pair, len(corners)))
        return cls(node, first, second, edge, ends, _middles(node, rows, columns, stride), corners, side, stride)

    def find(self, pixels: np.ndarray) -> np.ndarray:
        """Returns the block that each of any flat indices lies in, int (P,); the nearest by name where in none."""
        rows, columns = np.divmod(pixels, self.stride)
        corner = (rows // self.side) * self.stride + columns // self.side
        found: np.ndarray = np.minimum(np.searchsorted(self.corners, corner), len(self.corners) - 1)
        return found

    @property
    def count(self) -> int:
        """N, the number of blocks."""
        return len(self.centers)

    @cached_property
    def network(self) -> Network:
        """The flow network of the blocks."""
        return Network.of(self.count, *self.ends)

    def majority(self, labels: np.ndarray, kinds: int) -> np.ndarray:
        """Returns the commonest label of each block's pixels, int (N,); labels are 0..kinds-1."""
        counts = np.bincount(self.node * kinds + labels, minlength=self.count * kinds)
        commonest: np.ndarray = counts.reshape(self.count, kinds).argmax(axis=1)
        return commonest


def _middles(node: np.ndarray, rows: np.ndarray, columns: np.ndarray, stride: int) -> np.ndarray:
    sizes = np.bincount(node)
    middle_y, middle_x = np.bincount(node, rows) / sizes, np.bincount(node, columns) / sizes
    middles: np.ndarray = middle_y.astype(int) * stride + middle_x.astype(int)
    return middles


def assign(choices: Choices, blocks: Blocks, start: np.ndarray, *, rounds: int = 1) -> np.ndarray:
    """Returns the offset of each block, int (N,), by alpha expansion from `start`, int (N,)."""
    unary = _block_costs(choices, blocks)
    labels = start.copy()
    for _ in range(rounds):
        before = labels
        for candidate in range(len(choices.values)):
            labels = _expanded(choices, blocks, unary, labels, candidate)
        if np.array_equal(labels, before):
            break
    return labels


def _block_costs(choices: Choices, blocks: Blocks) -> np.ndarray:
    # dearer than any source there: a block of no sources would be filled by whatever comes first
    worst = (choices.costs * choices.usable).max(axis=0)
    costs = np.where(choices.usable, choices.costs, worst + np.float32(_MISSING))
    return np.stack([np.bincount(blocks.node, cost, blocks.count) for cost in costs])  # (K, N)


def _expanded(choices: Choices, blocks: Blocks, unary: np.ndarray, labels: np.ndarray, candidate: int) -> np.ndarray:
    """The labels after the best move that lets any block change to `candidate`."""
    p, q = blocks.first, blocks.second
    at_p, at_q = labels[blocks.node[p]], labels[blocks.node[q]]
    new = np.full_like(at_p, candidate)
    both_keep = _edge_sum(blocks, _seam(choices, at_p, at_q, p, q))
    only_q = _edge_sum(blocks, _seam(choices, at_p, new, p, q))
    only_p = _edge_sum(blocks, _seam(choices, new, at_q, p, q))
    one, two = blocks.ends
    move = unary[candidate] - unary[labels, np.arange(blocks.count)]
    move += np.bincount(one, only_p - both_keep, blocks.count) - np.bincount(two, only_p, blocks.count)
    moved = blocks.network.cut(move, np.maximum(only_q + only_p - both_keep, 0))
    return np.where(moved, candidate, labels)


def _edge_sum(blocks: Blocks, costs: np.ndarray) -> np.ndarray:
    return np.bincount(blocks.edge, costs, blocks.ends.shape[1])


def _seam(choices: Choices, label_p: np.ndarray, label_q: np.ndarray, p: np.ndarray, q: np.ndarray) -> np.ndarray:
    """What each pair of neighbours costs if p takes one label and q another: colour steps, float32 (E,)."""
    total = np.zeros(len(p), np.float32)
    differ = np.flatnonzero(label_p != label_q)
    a, b = label_p[differ], label_q[differ]
    for pixel in (p[differ], q[differ]):
        apart = color_distance(choices.values[a, pixel], choices.values[b, pixel])
        total[differ] += np.where(choices.usable[a, pixel] & choices.usable[b, pixel], apart, np.float32(_MISSING))
    return total


@dataclass(frozen=True, eq=False)
class Network:
    """The flow network of a graph of N nodes, laid out once: source and sink on every node, both ways each.

    Args:
        indices, indptr: int32, the sparse structure; the source is node N, the sink N + 1.
        sources, sinks, between: int, where the capacities of the three kinds of edges lie.
    """

    indices: np.ndarray
    indptr: np.ndarray
    sources: np.ndarray
    sinks: np.ndarray
    between: np.ndarray

    @classmethod
    def of(cls, count: int, one: np.ndarray, two: np.ndarray) -> Network:
        """Returns the network of `count` nodes with edges from `one` to `two`, int (G,) each."""
        nodes = np.arange(count)
        starts = np.concatenate([np.full(count, count), nodes, one])
        ends = np.concatenate([nodes, np.full(count, count + 1), two])
        # a flow needs the way back; given with capacity 0, it need not be added for every cut
        starts, ends = np.concatenate([starts, ends]), np.concatenate([ends, starts])
        order = np.lexsort((ends, starts))
        slots = np.empty_like(order)
        slots[order] = np.arange(len(order))
        indptr = np.searchsorted(starts[order], np.arange(count + 3))
        parts = np.split(slots[: 2 * count + len(one)], [count, 2 * count])
        return cls(ends[order].astype(np.int32), indptr.astype(np.int32), *parts)

    def cut(self, gain: np.ndarray, weight: np.ndarray) -> np.ndarray:
        """Returns which nodes move, bool (N,): the least sum(gain[moved]) + sum(weight[one stays, two moves])."""
        count = len(gain)
        if (gain >= 0).all():
            return np.zeros(count, bool)
        capacity = np.zeros(len(self.indices), np.int32)
        for slots, amounts in ((self.sources, gain), (self.sinks, -gain), (self.between, weight)):
            capacity[slots] = np.clip(np.rint(amounts * _UNITS), 0, 2**24)
        graph = csr_array((capacity, self.indices, self.indptr), shape=(count + 2, count + 2))
        rest = capacity - maximum_flow(graph, count, count + 1).flow.data
        # from the source, along whatever the flow has left
        left = rest > 0
        starts = np.concatenate([[0], np.cumsum(left)])[self.indptr].astype(np.int32)
        open_ways = csr_array((rest[left], self.indices[left], starts), shape=graph.shape)
        moved = np.ones(count + 2, bool)
        moved[breadth_first_order(open_ways, count, return_predecessors=False)] = False
        return moved[:count]
