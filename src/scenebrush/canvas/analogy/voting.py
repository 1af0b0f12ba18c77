"""From a field of matches to a picture: every pixel is the mean of what the patches over it say."""

from __future__ import annotations

import numpy as np


def vote(
    picture: np.ndarray, found: np.ndarray, shape: tuple[int, int], patch: int, *, shown: np.ndarray | None = None
) -> np.ndarray:
    """Returns float32 (H, W, C) of `shape`: patches of `picture` laid where the field says, averaged, centres most.

    Args:
        picture: float32 (h, w, C), the source.
        found: int (H*W,), flat index of the source pixel at the centre of each target pixel's patch.
        shape: (H, W) of the target.
        patch: side, odd; 1 copies the field's own pixels.
        shown: bool (h, w), the source's pixels that have a word; None = all. Those of the field itself always have.
    """
    height, width = shape
    margin = patch // 2
    rows, columns = (found // picture.shape[1]).reshape(shape), (found % picture.shape[1]).reshape(shape)
    heard = np.ones(picture.shape[:2], np.float32) if shown is None else shown.astype(np.float32)
    words = np.dstack([picture * heard[..., None], heard])
    total = np.zeros((height, width, words.shape[2]), np.float32)
    for down in range(-margin, margin + 1):
        for across in range(-margin, margin + 1):
            # The patch centred at (row - down, column - across) speaks of (row, column).
            to = slice(max(0, down), height + min(0, down)), slice(max(0, across), width + min(0, across))
            of = slice(max(0, -down), height - max(0, down)), slice(max(0, -across), width - max(0, across))
            there = rows[of] + down, columns[of] + across
            inside = (there[0] >= 0) & (there[0] < picture.shape[0]) & (there[1] >= 0) & (there[1] < picture.shape[1])
            said = words[there[0].clip(0, picture.shape[0] - 1), there[1].clip(0, picture.shape[1] - 1)]
            near = np.float32(np.exp(-(down**2 + across**2) / (0.5 * (margin + 0.5) ** 2)))
            total[to] += said * (inside * near)[..., None]
    own = picture[rows, columns]
    return np.where(total[..., -1:] > 0, total[..., :-1] / np.maximum(total[..., -1:], np.float32(1e-12)), own)
