"""LabelBinarizer that forgets labels."""

from __future__ import annotations

from numbers import Integral
from typing import Any, ClassVar

import numpy as np
import sklearn.preprocessing
from sklearn.preprocessing import label_binarize
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import type_of_target, unique_labels
from sklearn.utils.validation import check_is_fitted

from skunlearn._compat import fit_context, num_samples
from skunlearn._validation import refuse_arrays
from skunlearn.base import Removal, reads_one_version
from skunlearn.preprocessing._label_counter import LabelCounter


# mypy does not see the argument that scikit-learn gives classes: outputs stay as they are.
class LabelBinarizer(LabelCounter, auto_wrap_output_keys=None):  # type: ignore[call-arg]
    """Encode labels as columns, one against all others, and forget labels.

    Same parameters, fitted attributes and output as
    :class:`sklearn.preprocessing.LabelBinarizer`, for one label per row. A request costs a look-up
    per removed label; labels are counted at the first request.

    Parameters
    ----------
    neg_label : int, default=0
        What stands for other classes.

    pos_label : int, default=1
        What stands for the class.

    sparse_output : bool, default=False
        Whether to return CSR matrices.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        The labels, sorted; they change when the last row of one goes.

    y_type_ : str
        Type of the labels held, 'binary' or 'multiclass'.

    sparse_input_ : bool
        False.

    sample_ids_ : ndarray of shape (n_samples,)
        Ids of the labels held.

    unlearning_report_ : UnlearningReport
        Outcome of the last request.

    See Also
    --------
    skunlearn.preprocessing.OneHotEncoder : Encodes features.

    Notes
    -----
    The promise is 'bitwise'. With two classes left there is one column, as in scikit-learn.

    Indicator matrices (several labels per row) have nothing to be learnt but their width, which no
    row determines; `fit` refuses them. Use :class:`sklearn.preprocessing.LabelBinarizer`.

    Examples
    --------
    >>> from skunlearn.preprocessing import LabelBinarizer
    >>> encoder = LabelBinarizer().fit([1, 2, 6, 4], sample_ids=["a", "b", "c", "d"])
    >>> encoder.unlearn("b").transform([1, 6])
    array([[1, 0, 0],
           [0, 0, 1]])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "neg_label": [Integral],
        "pos_label": [Integral],
        "sparse_output": ["boolean"],
    }

    def __init__(self, *, neg_label: int = 0, pos_label: int = 1, sparse_output: bool = False):
        self.neg_label = neg_label
        self.pos_label = pos_label
        self.sparse_output = sparse_output

    @fit_context(prefer_skip_nested_validation=True)
    def fit(self, y: Any, *, sample_ids: Any = None) -> LabelBinarizer:
        """Find the labels.

        Parameters
        ----------
        y : array-like of shape (n_samples,)
            Labels.

        sample_ids : array-like of shape (n_samples,), default=None
            Ids by which labels can be unlearned; default ``y.index`` for a pandas y, else
            ``0..n_samples-1``.

        Returns
        -------
        self : object
            Fitted encoder.
        """
        if self.neg_label >= self.pos_label:
            raise ValueError(
                f"neg_label={self.neg_label} must be strictly less than pos_label={self.pos_label}."
            )
        if self.sparse_output and (self.pos_label == 0 or self.neg_label != 0):
            raise ValueError(
                "Sparse binarization is only supported with non zero pos_label and zero "
                f"neg_label, got pos_label={self.pos_label} and neg_label={self.neg_label}"
            )
        refuse_arrays(self, y)
        kind = type_of_target(y, input_name="y")
        if "multioutput" in kind:
            raise ValueError("Multioutput target data is not supported with label binarization")
        if num_samples(y) == 0:
            raise ValueError(f"y has 0 samples: {y!r}")
        if kind == "multilabel-indicator":
            raise ValueError(
                "An indicator matrix has no labels to forget. Use "
                "sklearn.preprocessing.LabelBinarizer."
            )
        classes = unique_labels(y)
        self._hold_labels(column_or_1d(y), y, sample_ids)
        self.classes_ = classes
        self.y_type_ = kind
        self.sparse_input_ = False
        return self

    def fit_transform(self, y: Any, *, sample_ids: Any = None) -> Any:
        """Find the labels and encode them.

        Parameters
        ----------
        y : array-like of shape (n_samples,)
            Labels.

        sample_ids : array-like of shape (n_samples,), default=None
            As in :meth:`fit`.

        Returns
        -------
        Y : {ndarray, sparse matrix} of shape (n_samples, n_classes)
            With one column for two classes.
        """
        return self.fit(y, sample_ids=sample_ids).transform(y)

    def _unlearn(self, rows: np.ndarray) -> Removal:
        removal = super()._unlearn(rows)
        if "classes_" not in removal.attributes:
            return removal
        kind = "binary" if removal.attributes["classes_"].size <= 2 else "multiclass"
        return removal._replace(attributes=removal.attributes | {"y_type_": kind})

    def _keeps_outputs(self, after: Any, rows: np.ndarray) -> bool:
        old, new = self.classes_, after.classes_
        # Of two classes the first has no column, and of one class neither has it.
        return old is new or (old.size == 2 and new[0] == old[0])

    def _shown(self, classes: np.ndarray) -> np.ndarray:
        """Give strings the width of the longest, as scikit-learn's binarizer does."""
        return np.array(classes.tolist()) if classes.dtype.kind in "OUS" else classes

    @reads_one_version
    def transform(self, y: Any) -> Any:
        """Encode labels.

        Parameters
        ----------
        y : array-like of shape (n_samples,)
            Labels; those that are not known have `neg_label` everywhere.

        Returns
        -------
        Y : {ndarray, sparse matrix} of shape (n_samples, n_classes)
            With one column for two classes.
        """
        check_is_fitted(self)
        if type_of_target(y).startswith("multilabel"):
            raise ValueError("The object was not fitted with multilabel input.")
        return label_binarize(
            y,
            classes=self.classes_,
            pos_label=self.pos_label,
            neg_label=self.neg_label,
            sparse_output=self.sparse_output,
        )

    @reads_one_version
    def inverse_transform(self, Y: Any, threshold: float | None = None) -> np.ndarray:
        """Decode labels.

        Parameters
        ----------
        Y : {array-like, sparse matrix} of shape (n_samples, n_classes)
            Encoded labels, or scores: with more than two classes the largest counts.

        threshold : float, default=None
            With two classes, what a score of the second must exceed; default half way between
            `neg_label` and `pos_label`.

        Returns
        -------
        y_original : ndarray of shape (n_samples,)
            Labels.
        """
        check_is_fitted(self)
        namesake = object.__new__(sklearn.preprocessing.LabelBinarizer)
        namesake.__dict__.update(
            {name: value for name, value in vars(self).items() if name[0] != "_"}
        )
        return namesake.inverse_transform(Y, threshold)

    def to_predictor(self) -> sklearn.preprocessing.LabelBinarizer:
        """Return scikit-learn's own encoder for deployment.

        Returns
        -------
        predictor : sklearn.preprocessing.LabelBinarizer
            Fitted; holds no training label.
        """
        return self._as_namesake(sklearn.preprocessing.LabelBinarizer)
