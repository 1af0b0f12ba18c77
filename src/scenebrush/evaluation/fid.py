"""FID (Heusel et al., 2017) and KID (Binkowski et al., 2018), from features."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scenebrush.errors import InputError


@dataclass(frozen=True)
class FidResult:
    """FID with the number of pictures on either side: compare only at equal numbers, small ones are biased."""

    value: float
    n_first: int
    n_second: int


@dataclass(frozen=True)
class KidResult:
    """KID: mean and standard deviation over subsets of `subset_size` pictures (unbiased at any size)."""

    value: float
    deviation: float
    subsets: int
    subset_size: int


def frechet_distance(
    mean_first: np.ndarray, covariance_first: np.ndarray, mean_second: np.ndarray, covariance_second: np.ndarray
) -> float:
    """Returns |m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2)) of two Gaussians, in float64.

    tr (C1 C2)^(1/2) is the sum of the square roots of the eigenvalues of C1^(1/2) C2 C1^(1/2), which is
    symmetric: no complex leftovers, and singular covariances need no offset.
    """
    c1, c2 = np.asarray(covariance_first, np.float64), np.asarray(covariance_second, np.float64)
    values, vectors = np.linalg.eigh(c1)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    product = root @ c2 @ root
    overlap = np.sqrt(np.maximum(np.linalg.eigvalsh((product + product.T) / 2), 0)).sum()
    gap = np.asarray(mean_first, np.float64) - np.asarray(mean_second, np.float64)
    return max(0.0, float(gap @ gap + np.trace(c1) + np.trace(c2) - 2 * overlap))


def fid(first: np.ndarray, second: np.ndarray) -> FidResult:
    """Returns the FID of two sets of features (N, D), with both N.

    With fewer pictures than features, tr (C1 C2)^(1/2) is taken as the nuclear norm of A B^T, where A
    and B are the centred features over sqrt(N - 1): exact, and N x N instead of D x D.

    Raises:
        InputError: a set with fewer than 2 pictures, or features of different length.
    """
    x, y = _features(first, "first"), _features(second, "second")
    if x.shape[1] != y.shape[1]:
        raise InputError(f"features have {x.shape[1]} and {y.shape[1]} channels; take both from one network")
    if min(len(x), len(y)) >= x.shape[1]:
        value = frechet_distance(x.mean(axis=0), np.cov(x.T), y.mean(axis=0), np.cov(y.T))
    else:
        value = _few_pictures(x, y)
    return FidResult(value, len(x), len(y))


def _few_pictures(x: np.ndarray, y: np.ndarray) -> float:
    a = (x - x.mean(axis=0)) / np.sqrt(len(x) - 1)
    b = (y - y.mean(axis=0)) / np.sqrt(len(y) - 1)
    gap = x.mean(axis=0) - y.mean(axis=0)
    overlap = np.linalg.svd(a @ b.T, compute_uv=False).sum()
    return max(0.0, float(gap @ gap + (a**2).sum() + (b**2).sum() - 2 * overlap))


def kid(
    first: np.ndarray,
    second: np.ndarray,
    rng: np.random.Generator,
    *,
    subsets: int = 100,
    subset_size: int = 1000,
    paired: bool = False,
) -> KidResult:
    """Returns the KID of two sets of features (N, D): the unbiased MMD^2 with k(x, y) = (x.y / D + 1)^3.

    Subsets are drawn without replacement. Where a set has not more than `subset_size` pictures (twice as many
    with `paired`), subsets take half of it, so that the deviation means something.

    Args:
        first, second: features, at least 4 pictures each.
        rng: draws the subsets.
        subsets: how many.
        subset_size: pictures in each.
        paired: picture i of `second` is an edit of picture i of `first`. The two share most of their
            pixels, which would push the estimate below 0; so a subset never holds both.
    """
    x, y = _features(first, "first", 4), _features(second, "second", 4)
    if paired and len(x) != len(y):
        raise InputError(f"paired features count {len(x)} and {len(y)}; each picture needs its partner")
    smallest = min(len(x), len(y))
    size = subset_size if smallest > subset_size * (1 + paired) else smallest // 2
    kxx, kyy, kxy = polynomial_kernel(x, x), polynomial_kernel(y, y), polynomial_kernel(x, y)
    draws = np.empty(subsets)
    for i in range(subsets):
        p = rng.permutation(len(x))
        q = p[size:] if paired else rng.permutation(len(y))
        p, q = p[:size], q[:size]
        draws[i] = unbiased_mmd(kxx[np.ix_(p, p)], kyy[np.ix_(q, q)], kxy[np.ix_(p, q)])
    return KidResult(float(draws.mean()), float(draws.std()), subsets, size)


def polynomial_kernel(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Returns k (N, M) = (x.y / D + 1)^3 of features (N, D) and (M, D)."""
    return np.asarray((x @ y.T / x.shape[1] + 1.0) ** 3)


def unbiased_mmd(kxx: np.ndarray, kyy: np.ndarray, kxy: np.ndarray) -> float:
    """Returns the unbiased MMD^2 from kernel matrices: own pairs (i, i) are left out."""
    n, m = kxy.shape
    own_x = (kxx.sum() - np.trace(kxx)) / (n * (n - 1))
    own_y = (kyy.sum() - np.trace(kyy)) / (m * (m - 1))
    return float(own_x + own_y - 2 * kxy.mean())


def _features(features: np.ndarray, name: str, least: int = 2) -> np.ndarray:
    array = np.asarray(features, np.float64)
    if array.ndim != 2 or len(array) < least:
        raise InputError(f"{name} features have shape {array.shape}; expected (N, D) with N >= {least}")
    return array
