"""Trees on a GPU: rows that are there go down them there, to the same leaves and the same sums.

One kernel, of which each thread follows a row through all trees in their order. Additions are
those of :func:`skunlearn._kernels.forest.tree_paths.vote`, in its order and none of them fused with
a multiplication, so results are equal bit for bit.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any

import numpy as np

from skunlearn._array_api import device_of, namespace, to_device
from skunlearn._kernels.forest.trees import Trees

_THREADS, _MOST_BLOCKS = 128, 1 << 16

NAME = "follow"

# Also C++, given what CUDA adds to it.
SOURCE = r"""
struct Node {
    float threshold;
    int left;
    int feature;
};

__device__ unsigned int bits_of(float value) {
    union { float value; unsigned int bits; } both;
    both.value = value;
    return both.bits;
}

__device__ bool goes_left(float value, float threshold, bool nan_left, bool is_categorical) {
    unsigned int code = bits_of(threshold);
    if (value != value) return nan_left;
    if (code == 0x7f800000u) return true;  // infinity
    if (!is_categorical) return value <= threshold;
    unsigned int factor = (code >> 20) * 0x9e3779b1u;
    factor = (factor ^ (factor >> 16)) | 1u;
    return (bits_of(value) * factor) >> 12 <= (code & 0xfffff);
}

__device__ int leaf_of(
    const Node* nodes, int at, const float* x, const unsigned char* is_categorical
) {
    for (;;) {
        Node node = nodes[at];
        if (node.left == at) return at;
        bool nan_left = node.feature < 0;
        int by = nan_left ? ~node.feature : node.feature;
        at = node.left + !goes_left(x[by], node.threshold, nan_left, is_categorical[by]);
    }
}

// Writes what leaves say to `votes`, or without values their numbers to `leaves`.
extern "C" __global__ void follow(
    const Node* nodes, const int* roots, int n_trees, const unsigned char* is_categorical,
    const float* X, long long n_rows, int n_features,
    const long long* stats, int n_sums, const double* factors, int n_values, double* votes,
    const int* numbers, int* leaves
) {
    long long step = (long long)gridDim.x * blockDim.x;
    for (long long i = (long long)blockIdx.x * blockDim.x + threadIdx.x; i < n_rows; i += step) {
        const float* x = X + i * n_features;
        double* its = votes + i * n_values;
        int n_voting = 0;
        for (int k = 0; k < n_values; k++) its[k] = 0.0;
        for (int tree = 0; tree < n_trees; tree++) {
            int root = roots[tree];
            if (n_values == 0) {
                leaves[i * n_trees + tree] = numbers[leaf_of(nodes, root, x, is_categorical)];
                continue;
            }
            bool holds_rows = false;
            for (int k = 0; k < n_sums; k++) holds_rows |= stats[(long long)root * n_sums + k] != 0;
            if (!holds_rows) continue;
            n_voting++;
            const long long* sums =
                stats + (long long)leaf_of(nodes, root, x, is_categorical) * n_sums;
            double total = 0.0;
            if (n_sums > n_values) total = (double)sums[n_values];
            else for (int k = 0; k < n_values; k++) total += factors[k] * (double)sums[k];
            for (int k = 0; k < n_values; k++) its[k] += factors[k] * (double)sums[k] / total;
        }
        for (int k = 0; k < n_values; k++) its[k] /= (double)n_voting;
    }
}
"""


def vote(trees: Trees, is_categorical: np.ndarray, factors: np.ndarray, X: Any) -> Any:
    """Average what leaves say about rows.

    Parameters
    ----------
    trees : Trees
        Of which a copy visits the device; it is overwritten there.
    is_categorical : ndarray of shape (n_features,), bool
    factors : ndarray of shape (n_values,), float64
        By which sums are multiplied, for each class or each output.
    X : cupy.ndarray of shape (n_rows, n_features), float32

    Returns
    -------
    votes : cupy.ndarray of shape (n_rows, n_values), float64
        On the device of X.
    """
    return _follow(trees, is_categorical, X, trees.stats, factors, np.zeros(1, dtype=np.int32))[0]


def leaves(trees: Trees, is_categorical: np.ndarray, numbers: np.ndarray, X: Any) -> Any:
    """Return the numbers of the leaves that rows fall into.

    Parameters
    ----------
    trees, is_categorical, X
        As in :func:`vote`.
    numbers : ndarray of shape (n_nodes,), int32
        Of each node.

    Returns
    -------
    leaves : cupy.ndarray of shape (n_rows, n_trees), int32
        On the device of X.
    """
    none = np.zeros((1, 1), dtype=np.int64)
    return _follow(trees, is_categorical, X, none, np.zeros(0), numbers)[1]


def _follow(
    trees: Trees,
    is_categorical: np.ndarray,
    X: Any,
    stats: np.ndarray,
    factors: np.ndarray,
    numbers: np.ndarray,
) -> tuple[Any, Any]:
    xp, device = namespace(X), device_of(X)
    n_rows, n_features = X.shape
    n_trees, n_values = trees.roots.size, factors.size
    sums = stats.astype(np.int64)
    with _made_current(X):
        # Kernels cannot be told of arrays without entries: what is not wanted is of size 1.
        votes = xp.empty((n_rows, n_values) if n_values else 1, dtype=xp.float64, device=device)
        rows = xp.empty((n_rows, n_features), dtype=xp.float32, device=device)  # side by side
        rows[...] = X
        found = xp.empty(1 if n_values else (n_rows, n_trees), dtype=xp.int32, device=device)
        nodes, sums_there, names = visitors = [
            to_device(np.ascontiguousarray(array), X)
            for array in (trees.nodes.view(np.int32), sums, numbers)
        ]
        try:
            _launch(
                -(-n_rows // _THREADS),
                (
                    nodes,
                    to_device(trees.roots, X),
                    np.int32(n_trees),
                    to_device(is_categorical.view(np.uint8), X),
                    rows,
                    np.int64(n_rows),
                    np.int32(n_features),
                    sums_there,
                    np.int32(stats.shape[1]),
                    to_device(factors if n_values else np.zeros(1), X),
                    np.int32(n_values),
                    votes,
                    names,
                    found,
                ),
            )
        finally:
            for array in (sums, *visitors):
                array[...] = 0
    return votes, found


def _made_current(X: Any) -> AbstractContextManager[Any]:
    return X.device


def _launch(n_blocks: int, arguments: tuple[Any, ...]) -> None:
    _kernel()((min(n_blocks, _MOST_BLOCKS),), (_THREADS,), arguments)


@cache
def _kernel() -> Any:
    import cupy

    return cupy.RawKernel(SOURCE, NAME, options=("--fmad=false",))
