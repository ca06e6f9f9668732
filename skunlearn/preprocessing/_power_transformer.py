"""PowerTransformer that forgets rows."""

from __future__ import annotations

import copy
from typing import Any, ClassVar

import numpy as np
import sklearn.preprocessing
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from skunlearn._compat import StrOptions
from skunlearn._kernels.column_moments import scale_of
from skunlearn._kernels.power_transform import best_exponents, transform_in_place
from skunlearn._linalg.precision import EPS
from skunlearn._samples.tables import take
from skunlearn._statistics import column_moments
from skunlearn._unlearning.cost import Foretold
from skunlearn._unlearning.fit_task import fit_task
from skunlearn._unlearning.tags import UnlearningTags
from skunlearn._validation import refuse_overflow, validate_data
from skunlearn.base import Removal, UnlearnerMixin, reads_one_version
from skunlearn.exceptions import NotUnlearnableError

_POSITIVE = "The Box-Cox transformation can only be applied to strictly positive data"


class PowerTransformer(UnlearnerMixin, OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Make features more like normal by a power transform, and forget rows.

    Same parameters, fitted attributes and output as
    :class:`sklearn.preprocessing.PowerTransformer`, up to what its search for exponents leaves (see
    Notes). A request passes over the remaining rows a few times, O(n d).

    Parameters
    ----------
    method : {'yeo-johnson', 'box-cox'}, default='yeo-johnson'
        The transform: of any values [2]_, or of positive ones [1]_.

    standardize : bool, default=True
        Whether to bring transformed features to mean 0 and variance 1.

    copy : bool, default=True
        If False, try to transform in place.

    Attributes
    ----------
    lambdas_ : ndarray of shape (n_features,)
        Exponent of each feature, in the dtype of the rows.

    mean_, scale_ : ndarray of shape (n_features,) or None
        Mean and standard deviation of each transformed feature; None unless `standardize`.

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
    StandardScaler : Standardizes alone.

    Notes
    -----
    A request looks for exponents as `fit` does, so that the result is that of a refit bit for bit
    even where rounding decides about the maximum of a flat likelihood. The exponent is the one of
    maximum likelihood. The log-likelihood is concave for the Yeo-Johnson transform [3]_ and so, by
    way of the feature divided by its minimum, for the Box-Cox transform; Newton steps in a bracket
    find its maximum to the last digits. scikit-learn's search by Brent's method stops where the
    likelihood does not change visibly, at about 1e-8 of the exponent's uncertainty or, for few rows
    or a flat likelihood, farther off. Exponents stay within the bounds that keep transformed values
    finite. A constant feature keeps its values in the Yeo-Johnson transform, also where some are
    missing, and is refused in the Box-Cox transform.

    References
    ----------
    .. [1] Box, Cox: An analysis of transformations, Journal of the Royal Statistical Society
       B 26(2), 1964, pages 211-252.

    .. [2] Yeo, Johnson: A new family of power transformations to improve normality or symmetry,
       Biometrika 87(4), 2000, pages 954-959.

    .. [3] Marchand, Muzellec, Béguier, Ogier du Terrail, Andreux: SecureFedYJ: a safe feature
       Gaussianization protocol for federated learning, NeurIPS 2022.

    Examples
    --------
    >>> from skunlearn.preprocessing import PowerTransformer
    >>> X = [[1.0], [2.0], [4.0], [900.0]]
    >>> transformer = PowerTransformer("box-cox").fit(X, sample_ids=["a", "b", "c", "d"])
    >>> transformer.unlearn("d").transform([[1.0], [4.0]]).ravel().round(3)
    array([-1.225,  1.225])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "method": [StrOptions({"yeo-johnson", "box-cox"})],
        "standardize": ["boolean"],
        "copy": ["boolean"],
    }
    _unlearning_tags = UnlearningTags("bitwise")

    def __init__(self, method: str = "yeo-johnson", *, standardize: bool = True, copy: bool = True):
        self.method = method
        self.standardize = standardize
        self.copy = copy

    @fit_task(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, *, sample_ids: Any = None) -> PowerTransformer:
        """Find the exponent of each feature.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Training rows; NaN entries are passed over.

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
        X = self._checked(X, reset=True)
        self._hold_samples(X, sources=(source, None, None), sample_ids=sample_ids)
        self.__dict__.update(self._attributes(self._samples.slots(), ValueError))
        return self

    def _checked(self, X: Any, *, reset: bool, copy: bool = False, positive: bool = True) -> Any:
        X = validate_data(
            self,
            X,
            reset=reset,
            copy=copy,
            dtype=[np.float64, np.float32],
            force_writeable=copy,
            ensure_all_finite="allow-nan",
        )
        if positive and self.method == "box-cox" and (X <= 0.0).any():
            raise ValueError(_POSITIVE)
        return X

    def _attributes(self, rows: np.ndarray, refusal: type[ValueError]) -> dict[str, Any]:
        """Find exponents of the rows, and the moments behind them."""
        X, box_cox = self._samples.X, self.method == "box-cox"
        moments = column_moments.from_rows(X, None, rows)
        if (moments[0] == 0.0).any():
            raise refusal("Column must not be all nan.")
        mean, var, _, _ = scale_of(moments)
        total = moments[0]
        constant = var <= total * EPS * var + (total * mean * EPS) ** 2
        if box_cox and constant.any():
            raise refusal("Data must not be constant.")
        limits = np.finfo(X.dtype)
        log_tiny = 0.5 * (np.log(float(limits.tiny)) - np.log(float(limits.eps)))
        log_max = np.log(float(limits.max))
        log_max = log_max - np.log(1e4) if box_cox else 0.5 * (log_max + np.log(float(limits.eps)))
        start = np.ones(X.shape[1])
        lambdas = best_exponents(X, rows, box_cox, start, constant, log_tiny, log_max)
        lambdas = lambdas.astype(X.dtype)
        attributes: dict[str, Any] = {"lambdas_": lambdas, "mean_": None, "scale_": None}
        if self.standardize:
            table = take(X, rows)
            transform_in_place(table, lambdas.astype(np.float64), box_cox)
            moments = column_moments.from_rows(table, None, np.arange(rows.size))
            attributes["mean_"], _, attributes["scale_"], _ = scale_of(moments)
            refuse_overflow(self, moments[2])
        return attributes

    def _unlearn(self, rows: np.ndarray) -> Removal:
        kept = self._samples.slots_without(rows)
        n_passes = kept.size / self._samples.n_samples
        attributes = self._attributes(kept, NotUnlearnableError)
        return Removal(attributes, n_refitted=1, n_passes=n_passes)

    def _cost(self, rows: np.ndarray) -> Foretold:
        return self._cost_of_fit(rows), None

    def _keeps_outputs(self, after: Any, rows: np.ndarray) -> bool:
        return all(
            np.array_equal(a, b)
            for a, b in (
                (self.lambdas_, after.lambdas_),
                (self.mean_, after.mean_),
                (self.scale_, after.scale_),
            )
        )

    @reads_one_version
    def transform(self, X: Any) -> Any:
        """Apply the power transform to rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows to transform.

        Returns
        -------
        X_trans : ndarray of shape (n_samples, n_features)
            Transformed rows.
        """
        check_is_fitted(self)
        X = self._checked(X, reset=False, copy=self.copy)
        transform_in_place(X, self.lambdas_.astype(np.float64), self.method == "box-cox")
        if self.standardize:
            X -= self.mean_.astype(X.dtype)
            X /= self.scale_.astype(X.dtype)
        return X

    @reads_one_version
    def inverse_transform(self, X: Any) -> Any:
        """Take rows back to where they were before the power transform.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Transformed rows.

        Returns
        -------
        X_original : ndarray of shape (n_samples, n_features)
            Rows in original units.
        """
        check_is_fitted(self)
        return self._namesake().inverse_transform(X)

    def _namesake(self) -> sklearn.preprocessing.PowerTransformer:
        """Return scikit-learn's transformer with the attributes of this one."""
        namesake = sklearn.preprocessing.PowerTransformer(**self.get_params())
        for name in ("lambdas_", "n_features_in_", "feature_names_in_"):
            if name in vars(self):
                setattr(namesake, name, getattr(self, name))
        if self.standardize:
            scaler = sklearn.preprocessing.StandardScaler(copy=False)
            scaler.set_output(transform="default")
            scaler.mean_, scaler.scale_ = self.mean_, self.scale_
            scaler.var_ = self.scale_**2
            scaler.n_features_in_ = self.n_features_in_
            namesake._scaler = scaler
        return namesake

    def to_predictor(self) -> sklearn.preprocessing.PowerTransformer:
        """Return scikit-learn's own transformer for deployment.

        Returns
        -------
        predictor : sklearn.preprocessing.PowerTransformer
            Fitted; holds no training row.
        """
        self._check_samples()
        return copy.deepcopy(self._namesake())

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.positive_only = self.method == "box-cox"
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
