"""What vectorizers of texts share: holding documents, and a vocabulary that follows requests."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from numbers import Integral
from typing import Any, ClassVar, Self

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils import metadata_routing
from sklearn.utils.validation import check_is_fitted

from skunlearn._compat import (
    HasMethods,
    Interval,
    RealNotInt,
    StrOptions,
    text_vectorizer,
)
from skunlearn._samples.tables import NO_ROWS, take
from skunlearn._unlearning.commit import Replacement
from skunlearn._unlearning.fit_task import fit_task
from skunlearn._unlearning.tags import UnlearningTags
from skunlearn._validation import refuse_arrays
from skunlearn.base import Removal, UnlearnerMixin, reads_one_version
from skunlearn.exceptions import NotUnlearnableError
from skunlearn.feature_extraction._terms import Limits, Terms, TermsLeft, in_order

_SHARE_OR_COUNT = [
    Interval(RealNotInt, 0, 1, closed="both"),
    Interval(Integral, 1, None, closed="left"),
]


def as_documents(raw_documents: Any) -> np.ndarray:
    """Hold documents in an array of objects, copies of those that could change."""
    if isinstance(raw_documents, str):
        raise ValueError("Iterable over raw text documents expected, string object received.")
    texts = [d if isinstance(d, str | bytes) else copy.deepcopy(d) for d in raw_documents]
    return np.fromiter(texts, dtype=object, count=len(texts))


class BaseVectorizer(UnlearnerMixin, BaseEstimator, ABC):
    """Documents and the counts of their terms; scikit-learn's own class reads the texts."""

    __metadata_request__fit: ClassVar = {"raw_documents": metadata_routing.UNUSED}
    __metadata_request__transform: ClassVar = {"raw_documents": metadata_routing.UNUSED}

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "input": [StrOptions({"filename", "file", "content"})],
        "encoding": [str],
        "decode_error": [StrOptions({"strict", "ignore", "replace"})],
        "strip_accents": [StrOptions({"ascii", "unicode"}), None, callable],
        "lowercase": ["boolean"],
        "preprocessor": [callable, None],
        "tokenizer": [callable, None],
        "stop_words": [StrOptions({"english"}), list, None],
        "token_pattern": [str, None],
        "ngram_range": [tuple],
        "analyzer": [StrOptions({"word", "char", "char_wb"}), callable],
        "max_df": _SHARE_OR_COUNT,
        "min_df": _SHARE_OR_COUNT,
        "max_features": [Interval(Integral, 1, None, closed="left"), None],
        "vocabulary": [Mapping, HasMethods("__iter__"), None],
        "binary": ["boolean"],
        "dtype": "no_validation",  # left to NumPy
    }
    _unlearning_tags = UnlearningTags("bitwise")
    _overwritten: ClassVar[tuple[str, ...]] = ("_terms",)
    _terms: Terms | None
    vocabulary_: dict[Any, int]
    fixed_vocabulary_: bool
    input: str
    dtype: Any
    binary: bool
    min_df: Any
    max_df: Any
    max_features: int | None

    @abstractmethod
    def _namesake_class(self) -> type:
        """Return scikit-learn's class of the same name."""

    @abstractmethod
    def _weights(self, terms: Terms | TermsLeft | None, n_documents: int) -> dict[str, Any]:
        """Return the attributes that follow from how many documents contain each term."""

    @abstractmethod
    def _counter(self) -> Any:
        """Return an unfitted `CountVectorizer` of scikit-learn with this one's parameters."""

    _needs_documents: ClassVar[bool] = False  # of each term, also where the vocabulary is fixed

    @fit_task(prefer_skip_nested_validation=True)
    def fit(self, raw_documents: Any, y: Any = None, *, sample_ids: Any = None) -> Self:
        """Learn the vocabulary of documents.

        Parameters
        ----------
        raw_documents : iterable of length n_samples
            Documents, as `input` says.

        y : None
            Ignored.

        sample_ids : array-like of shape (n_samples,), default=None
            Ids by which documents can be unlearned; default the index of a pandas Series, else
            ``0..n_samples-1``.

        Returns
        -------
        self : object
            Fitted vectorizer.
        """
        self._learn(raw_documents, y, sample_ids)
        return self

    def _learn(self, raw_documents: Any, y: Any, sample_ids: Any) -> Any:
        """Fit, and return how often each document contains each term, in the vocabulary or not."""
        refuse_arrays(self, raw_documents)
        counter = self._counter()
        if self.input == "content":
            source = raw_documents
            texts = as_documents(raw_documents)
        else:
            source = None
            texts = as_documents(map(counter.decode, raw_documents))
            counter.set_params(input="content")
        # Everything is counted, whatever the vocabulary then is.
        counter.set_params(min_df=1, max_df=1.0, max_features=None, binary=False, dtype=np.int64)
        counts = counter.fit_transform(texts)
        self.fixed_vocabulary_ = counter.fixed_vocabulary_
        self._hold_samples(texts, sources=(source, None, None), sample_ids=sample_ids)
        self.vocabulary_, terms = in_order(counter.vocabulary_), None
        if not self.fixed_vocabulary_ or self._needs_documents:
            terms = Terms.of_counts(self.vocabulary_, counts)
            if not self.fixed_vocabulary_:
                self.vocabulary_ = terms.choose(self._limits(), texts.size)
        self._terms = terms
        self.__dict__.update(self._weights(terms, texts.size))
        return counts

    def _as_rows(self, counts: Any) -> Any:
        """Make of what `_learn` returns what `CountVectorizer.fit_transform` returns."""
        if self._terms is not None and not self._terms.chosen.all():
            counts = counts[:, np.flatnonzero(self._terms.chosen)]
        counts = counts.astype(self.dtype, copy=False)
        counts.sort_indices()  # so that rows sum up as those of `transform`
        if self.binary:
            counts.data.fill(1)
        return counts

    def _limits(self) -> Limits:
        return Limits(self.min_df, self.max_df, self.max_features, self.binary, self.dtype)

    def _unlearn(self, rows: np.ndarray) -> Removal:
        samples, terms = self._samples, self._terms
        if terms is None:
            return Removal({})
        fixed, limits = self.fixed_vocabulary_, self._limits()
        n_remaining = samples.n_samples - rows.size
        left = terms.taking(take(samples.X, rows), self._analyze(), drop=not fixed)
        try:
            if fixed or (
                left.keep_vocabulary(limits, samples.n_samples, n_remaining) and left.mostly_held()
            ):
                edit = Replacement(self, {}, NO_ROWS, left.edit())
                return Removal(self._weights(left, n_remaining), replacements=(edit,))
            terms = left.renumbered()
            vocabulary = terms.choose(limits, n_remaining)
        except ValueError as refusal:
            raise NotUnlearnableError(f"{refusal} Nothing was changed.") from refusal
        state = {"_terms": terms, "vocabulary_": vocabulary}
        return Removal(state | self._weights(terms, n_remaining))

    def _purge(self) -> dict[str, Any]:
        terms = self._terms
        return {} if terms is None or not terms.n_empty else {"_terms": terms.squeezed()}

    def _analyze(self) -> Callable[[Any], Any]:
        """Return what makes terms of a document held."""
        params = self._counter().get_params() | {"input": "content"}
        fitted = {"vocabulary_": self.vocabulary_, "fixed_vocabulary_": self.fixed_vocabulary_}
        return text_vectorizer(type(self._counter()), params, fitted).build_analyzer()

    def _namesake(self) -> Any:
        """Return scikit-learn's vectorizer with the attributes of this one."""
        fitted = {name: v for name, v in vars(self).items() if name in _FITTED}
        return text_vectorizer(self._namesake_class(), self.get_params(), fitted)

    def _keeps_outputs(self, after: Any, rows: np.ndarray) -> bool:
        return self.vocabulary_ is after.vocabulary_ or self.vocabulary_ == after.vocabulary_

    def _as_stored(self, X: Any) -> np.ndarray:
        check_is_fitted(self)
        return as_documents(X)

    def _outputs_at(self, positions: np.ndarray) -> Any:
        return self._namesake().set_params(input="content").transform(self._before_map(positions))

    @reads_one_version
    def transform(self, raw_documents: Any) -> Any:
        """Turn documents into rows of a document-term matrix.

        Parameters
        ----------
        raw_documents : iterable of length n_samples
            Documents, as `input` says.

        Returns
        -------
        X : sparse matrix of shape (n_samples, n_features)
            In CSR format.
        """
        return self._namesake().transform(raw_documents)

    @reads_one_version
    def inverse_transform(self, X: Any) -> list[np.ndarray]:
        """Return the terms with entries other than zero in each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Document-term matrix.

        Returns
        -------
        X_original : list of arrays of shape (n_terms,)
        """
        return self._namesake().inverse_transform(X)

    @reads_one_version
    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Return the terms of the vocabulary.

        Parameters
        ----------
        input_features : None
            Ignored.

        Returns
        -------
        feature_names_out : ndarray of str objects
            In the order of columns.
        """
        return self._namesake().get_feature_names_out(input_features)

    def decode(self, doc: Any) -> str:
        """Decode a document into a string, as `input`, `encoding` and `decode_error` say.

        Parameters
        ----------
        doc : bytes, str, file or name of a file
            The document.

        Returns
        -------
        doc : str
        """
        return self._counter().decode(doc)

    def build_preprocessor(self) -> Callable[[str], str]:
        """Return the function that prepares a text.

        Returns
        -------
        preprocessor : callable
        """
        return self._counter().build_preprocessor()

    def build_tokenizer(self) -> Callable[[str], list[str]]:
        """Return the function that splits a text into tokens.

        Returns
        -------
        tokenizer : callable
        """
        return self._counter().build_tokenizer()

    def build_analyzer(self) -> Callable[[Any], Any]:
        """Return the function that makes terms of a document.

        Returns
        -------
        analyzer : callable
        """
        return self._counter().build_analyzer()

    def get_stop_words(self) -> frozenset[str] | None:
        """Return the stop words in effect.

        Returns
        -------
        stop_words : frozenset or None
        """
        return self._counter().get_stop_words()

    def to_predictor(self) -> Any:
        """Return scikit-learn's own vectorizer for deployment.

        Returns
        -------
        predictor : vectorizer of scikit-learn
            Fitted; holds no document, but the terms that are its vocabulary.
        """
        self._check_samples()
        return copy.deepcopy(self._namesake())

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.two_d_array = False
        return tags


_FITTED = ("vocabulary_", "fixed_vocabulary_", "idf_")
