"""Trees of every kind in one form, as whoever holds the model file sees them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.tree import BaseDecisionTree

from skunlearn._kernels.forest.tree_parts import LAST_POSITION, POSITIONS, position_in_order
from skunlearn._samples.tables import native
from skunlearn.ensemble import UnlearningForestClassifier, UnlearningForestRegressor

_OURS = (UnlearningForestClassifier, UnlearningForestRegressor)
_LEAF = -1


class TreeView(NamedTuple):
    """One tree.

    Parameters
    ----------
    feature : ndarray of shape (n_nodes,), intp
        Feature that a node divides by; -1 for a leaf.
    threshold : ndarray of shape (n_nodes,), float32 or float64
    left, right : ndarray of shape (n_nodes,), intp
        Children.
    nan_left : ndarray of shape (n_nodes,), bool
        Whether missing values go left.
    sizes : ndarray of shape (n_nodes,)
        Rows of each node.
    sums : ndarray of shape (n_nodes, n_sums)
        Rows of each class, or sums of targets in some unit.
    is_categorical : ndarray of shape (n_features,), bool
    """

    feature: np.ndarray
    threshold: np.ndarray
    left: np.ndarray
    right: np.ndarray
    nan_left: np.ndarray
    sizes: np.ndarray
    sums: np.ndarray
    is_categorical: np.ndarray

    def goes_left(self, node: int, values: np.ndarray) -> np.ndarray:
        """Tell which values of the node's feature go left."""
        threshold = self.threshold[node]
        if self.is_categorical[self.feature[node]]:
            code = np.float32(threshold).view(np.uint32)
            with np.errstate(over="ignore"):
                position = position_in_order.py_func(values, code >> POSITIONS)
            left = (position <= np.uint32(code & LAST_POSITION)) | (threshold == np.inf)
        else:
            left = values <= threshold
        return np.where(np.isnan(values), self.nan_left[node], left)

    def same_split(self, node: int, other: TreeView, its: int) -> bool:
        """Tell whether a node of another version divides all rows in the same way."""
        return (
            self.feature[node] != _LEAF
            and self.feature[node] == other.feature[its]
            and self.threshold[node] == other.threshold[its]
            and self.nan_left[node] == other.nan_left[its]
        )


def trees_of(model: Any) -> list[TreeView]:
    """Return the trees of a model.

    Parameters
    ----------
    model : estimator
        A forest of ours or its predictor, a decision tree of scikit-learn, or a random forest of
        scikit-learn.

    Returns
    -------
    trees : list of TreeView

    Raises
    ------
    TypeError
        If it is anything else.
    """
    if isinstance(model, _OURS):
        return _our_trees(model)
    if isinstance(model, BaseDecisionTree):
        return [_stock_tree(model)]
    if isinstance(model, RandomForestClassifier | RandomForestRegressor):
        return [_stock_tree(tree) for tree in model.estimators_]
    raise TypeError(
        f"Trees of {type(model).__name__} cannot be read: pass a forest of skunlearn, a decision "
        "tree or a random forest of scikit-learn."
    )


def values_of(model: Any, X: Any) -> np.ndarray:
    """Return rows as the trees of a model see them, shape (n_rows, n_features), float32."""
    if isinstance(model, _OURS):
        return np.asarray(native(model._check_queries(X)))
    return np.asarray(X, dtype=np.float32)


def _our_trees(model: Any) -> list[TreeView]:
    forest = model._forest
    shape = forest.shape()
    views = []
    for first, last in zip(shape.first_node[:-1], shape.first_node[1:], strict=True):
        nodes = shape.nodes[first:last]
        left = nodes["left"].astype(np.intp)
        is_leaf = left == np.arange(left.size)
        feature = nodes["feature"].astype(np.intp)
        views.append(
            TreeView(
                np.where(is_leaf, _LEAF, np.where(feature < 0, ~feature, feature)),
                nodes["threshold"],
                left,
                left + 1,
                feature < 0,
                shape.sizes[first:last].astype(np.int64),
                shape.stats[first:last].astype(np.int64),
                forest.is_categorical,
            )
        )
    return views


def _stock_tree(model: Any) -> TreeView:
    tree = model.tree_
    value = tree.value.reshape(tree.node_count, -1)
    if hasattr(model, "classes_"):  # shares of classes, since scikit-learn 1.3
        value = np.rint(value * tree.n_node_samples[:, None])
    return TreeView(
        np.where(tree.children_left < 0, _LEAF, tree.feature),
        tree.threshold,
        tree.children_left,
        tree.children_right,
        tree.missing_go_to_left.astype(bool),
        tree.n_node_samples,
        value,
        np.zeros(tree.n_features, dtype=bool),
    )
