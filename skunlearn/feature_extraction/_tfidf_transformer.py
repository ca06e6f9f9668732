"""TfidfTransformer that forgets rows."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import sklearn.feature_extraction.text
from scipy import sparse
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.metaestimators import available_if
from sklearn.utils.validation import check_is_fitted

from skunlearn._compat import StrOptions
from skunlearn._samples.ids import check_sample_ids
from skunlearn._samples.store import SampleStore
from skunlearn._unlearning.affine_map import AffineMap
from skunlearn._unlearning.fit_task import fit_task
from skunlearn._unlearning.tags import UnlearningTags
from skunlearn._validation import validate_data
from skunlearn.base import Removal, UnlearnerMixin, reads_one_version
from skunlearn.feature_extraction._terms import idf_of


def _only_scales(transformer: TfidfTransformer) -> bool:
    """Tell whether rows are divided column by column, and nothing else."""
    idf = getattr(transformer, "idf_", np.ones(1))
    scales = transformer.norm is None and not transformer.sublinear_tf
    return scales and bool(np.isfinite(idf).all())


# mypy does not see the argument that scikit-learn gives classes: outputs stay as they are.
class TfidfTransformer(
    UnlearnerMixin,
    OneToOneFeatureMixin,
    TransformerMixin,
    BaseEstimator,
    auto_wrap_output_keys=None,  # type: ignore[call-arg]
):
    """Weigh counts of terms by how few documents they are in, and forget documents.

    Same parameters, fitted attributes and output as
    :class:`sklearn.feature_extraction.text.TfidfTransformer`. A request costs O(t + d) for t terms
    in the removed documents and d columns.

    Parameters
    ----------
    norm : {'l1', 'l2'} or None, default='l2'
        Norm to which rows are scaled.

    use_idf : bool, default=True
        Whether terms are weighed by their inverse document frequency.

    smooth_idf : bool, default=True
        Whether to count one more document that contains every term.

    sublinear_tf : bool, default=False
        Whether ``1 + log(tf)`` takes the place of a count tf.

    Attributes
    ----------
    idf_ : ndarray of shape (n_features,)
        Inverse document frequency of each term, where `use_idf` is True.

    sample_ids_ : ndarray of shape (n_samples,)
        Ids of the rows held.

    unlearning_report_ : UnlearningReport
        Outcome of the last request.

    n_features_in_ : int
        Number of features seen during `fit`.

    feature_names_in_ : ndarray of shape (n_features,)
        Names of features seen during `fit`, where X has string names.

    See Also
    --------
    TfidfVectorizer : Takes the documents themselves.

    Notes
    -----
    The promise is 'bitwise': document frequencies are counts. Rows are held in a CSR array; an
    entry stored twice in X counts twice, as in scikit-learn.

    Examples
    --------
    >>> from skunlearn.feature_extraction.text import TfidfTransformer
    >>> counts = [[1, 0, 2], [0, 1, 1], [0, 3, 0]]
    >>> transformer = TfidfTransformer().fit(counts, sample_ids=["a", "b", "c"])
    >>> transformer.unlearn("c").idf_.round(3)
    array([1.405, 1.405, 1.   ])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "norm": [StrOptions({"l1", "l2"}), None],
        "use_idf": ["boolean"],
        "smooth_idf": ["boolean"],
        "sublinear_tf": ["boolean"],
    }
    _unlearning_tags = UnlearningTags("bitwise")
    _overwritten: ClassVar[tuple[str, ...]] = ("_documents",)
    _documents: np.ndarray | None

    def __init__(
        self,
        *,
        norm: str | None = "l2",
        use_idf: bool = True,
        smooth_idf: bool = True,
        sublinear_tf: bool = False,
    ):
        self.norm = norm
        self.use_idf = use_idf
        self.smooth_idf = smooth_idf
        self.sublinear_tf = sublinear_tf

    @fit_task(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, *, sample_ids: Any = None) -> TfidfTransformer:
        """Count in how many rows each term is.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Counts of terms.

        y : None
            Ignored.

        sample_ids : array-like of shape (n_samples,), default=None
            Ids by which rows can be unlearned; default ``X.index`` for a pandas X, else
            ``0..n_samples-1``.

        Returns
        -------
        self : object
            Fitted transformer.
        """
        source = X
        X = validate_data(self, X, accept_sparse="csr")
        ids = check_sample_ids(sample_ids, source, X.shape[0])
        # Entries stay in the order in which they are: it decides how `transform` rounds.
        table = sparse.csr_array(X, copy=True)
        self._hold(SampleStore(table, None, None, ids))
        documents = np.bincount(table.indices, minlength=table.shape[1])
        self.__dict__.pop("idf_", None)
        self.__dict__.update(self._attributes(documents, table.shape[0]))
        return self

    def _attributes(self, documents: np.ndarray, n_documents: int) -> dict[str, Any]:
        if not self.use_idf:
            return {"_documents": None}
        dtype = self._samples.X.dtype
        if dtype not in (np.float64, np.float32):
            dtype = np.dtype(np.float64)
        idf = idf_of(documents, n_documents, self.smooth_idf, dtype)
        return {"_documents": documents, "idf_": idf}

    def _unlearn(self, rows: np.ndarray) -> Removal:
        samples = self._samples
        if self._documents is None:
            return Removal({})
        gone = np.bincount(samples.X[rows].indices, minlength=self._documents.size)
        return Removal(self._attributes(self._documents - gone, samples.n_samples - rows.size))

    def _keeps_outputs(self, after: Any, rows: np.ndarray) -> bool:
        return not self.use_idf or np.array_equal(self.idf_, after.idf_)

    @reads_one_version
    def transform(self, X: Any, copy: bool = True) -> Any:
        """Weigh counts.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Counts of terms.

        copy : bool, default=True
            Whether to leave X as it is; if False, a CSR matrix of floats may be changed in place.

        Returns
        -------
        vectors : sparse matrix of shape (n_samples, n_features)
            In CSR format.
        """
        check_is_fitted(self)
        namesake = sklearn.feature_extraction.text.TfidfTransformer(**self.get_params())
        for name in ("idf_", "n_features_in_", "feature_names_in_"):
            if name in vars(self):
                setattr(namesake, name, getattr(self, name))
        return namesake.transform(X, copy=copy)

    @available_if(_only_scales)
    def _affine_map(self) -> AffineMap:
        """Return the map that `transform` is, where it is one."""
        n_features = self.n_features_in_
        scale = 1.0 / self.idf_.astype(np.float64) if self.use_idf else np.ones(n_features)
        return AffineMap(np.zeros(n_features), scale)

    def to_predictor(self) -> sklearn.feature_extraction.text.TfidfTransformer:
        """Return scikit-learn's own transformer for deployment.

        Returns
        -------
        predictor : sklearn.feature_extraction.text.TfidfTransformer
            Fitted; holds no training row.
        """
        return self._as_namesake(sklearn.feature_extraction.text.TfidfTransformer)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
