"""TfidfVectorizer that forgets documents."""

from __future__ import annotations

import warnings
from typing import Any, ClassVar

import numpy as np
import sklearn.feature_extraction.text

from skunlearn._compat import StrOptions
from skunlearn._unlearning.fit_task import fit_task
from skunlearn.feature_extraction._terms import Terms, TermsLeft, idf_of
from skunlearn.feature_extraction._vectorizer import BaseVectorizer


class TfidfVectorizer(BaseVectorizer):
    r"""Weigh the terms of documents by how few documents they are in, and forget documents.

    Same parameters, fitted attributes and output as
    :class:`sklearn.feature_extraction.text.TfidfVectorizer`.

    Parameters
    ----------
    input : {'filename', 'file', 'content'}, default='content'
        Whether documents are names of files, files, or strings or bytes. Files are read once, in
        `fit`; their texts are held.

    encoding : str, default='utf-8'
        Encoding of bytes.

    decode_error : {'strict', 'ignore', 'replace'}, default='strict'
        What to do about bytes that are not in that encoding.

    strip_accents : {'ascii', 'unicode'} or callable, default=None
        How to remove accents.

    lowercase : bool, default=True
        Whether to make all characters lower-case first.

    preprocessor : callable, default=None
        Takes the place of `strip_accents` and `lowercase`.

    tokenizer : callable, default=None
        Takes the place of `token_pattern`; must make the same of the same text each time, as all
        functions here.

    analyzer : {'word', 'char', 'char_wb'} or callable, default='word'
        Whether n-grams are of words, of characters or of characters within words; or what makes
        terms of a document.

    stop_words : {'english'} or list, default=None
        Tokens to leave out.

    token_pattern : str or None, default=r"(?u)\\b\\w\\w+\\b"
        Regular expression of a token.

    ngram_range : tuple (min_n, max_n), default=(1, 1)
        Lengths of the n-grams that are terms.

    max_df : float in [0.0, 1.0] or int, default=1.0
        Part or number of documents; terms in more of them are left out.

    min_df : float in [0.0, 1.0] or int, default=1
        Part or number of documents; terms in fewer of them are left out.

    max_features : int, default=None
        How many terms to keep, those that occur most often.

    vocabulary : Mapping or iterable, default=None
        Terms, or a mapping from terms to columns, instead of those of the documents.

    binary : bool, default=False
        Whether to put 1 in the place of all counts other than 0.

    dtype : dtype, default=np.float64
        Of the weights.

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
    vocabulary_ : dict
        From terms to columns; only terms of documents that are held, unless it is given.

    fixed_vocabulary_ : bool
        Whether the vocabulary is given.

    idf_ : ndarray of shape (n_features,)
        Inverse document frequency of each term, where `use_idf` is True.

    sample_ids_ : ndarray of shape (n_samples,)
        Ids of the documents held.

    unlearning_report_ : UnlearningReport
        Outcome of the last request.

    See Also
    --------
    CountVectorizer : Counts alone.
    TfidfTransformer : Weighs counts that are there already.

    Notes
    -----
    The promise is 'bitwise'. A request analyses the documents that go and takes their terms out of
    the counts, in time proportional to their length, and computes weights anew, O(v) for v terms;
    where the vocabulary changes, it is numbered anew, and with `max_features` terms are sorted
    anew, since of terms equally frequent scikit-learn's sort decides. Documents are held as they
    are (copies of those that are no strings), to be analysed again when they go; strings cannot be
    overwritten in Python, so of a removed document the reference is. The order in which
    `vocabulary_` lists terms is that of its columns, not, as in scikit-learn, that of the
    documents.

    Examples
    --------
    >>> from skunlearn.feature_extraction.text import TfidfVectorizer
    >>> texts = ["red apple", "green apple", "Eve likes green"]
    >>> vectorizer = TfidfVectorizer().fit(texts, sample_ids=["a", "b", "c"])
    >>> vectorizer.unlearn("c").idf_.round(3)
    array([1.   , 1.405, 1.405])
    """

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        **BaseVectorizer._parameter_constraints,
        "norm": [StrOptions({"l1", "l2"}), None],
        "use_idf": ["boolean"],
        "smooth_idf": ["boolean"],
        "sublinear_tf": ["boolean"],
    }
    _needs_documents = True

    def __init__(
        self,
        *,
        input: str = "content",
        encoding: str = "utf-8",
        decode_error: str = "strict",
        strip_accents: Any = None,
        lowercase: bool = True,
        preprocessor: Any = None,
        tokenizer: Any = None,
        analyzer: Any = "word",
        stop_words: Any = None,
        token_pattern: str | None = r"(?u)\b\w\w+\b",
        ngram_range: tuple[int, int] = (1, 1),
        max_df: Any = 1.0,
        min_df: Any = 1,
        max_features: int | None = None,
        vocabulary: Any = None,
        binary: bool = False,
        dtype: Any = np.float64,
        norm: str | None = "l2",
        use_idf: bool = True,
        smooth_idf: bool = True,
        sublinear_tf: bool = False,
    ):
        self.input = input
        self.encoding = encoding
        self.decode_error = decode_error
        self.strip_accents = strip_accents
        self.lowercase = lowercase
        self.preprocessor = preprocessor
        self.tokenizer = tokenizer
        self.stop_words = stop_words
        self.token_pattern = token_pattern
        self.ngram_range = ngram_range
        self.analyzer = analyzer
        self.max_df = max_df
        self.min_df = min_df
        self.max_features = max_features
        self.vocabulary = vocabulary
        self.binary = binary
        self.dtype = dtype
        self.norm = norm
        self.use_idf = use_idf
        self.smooth_idf = smooth_idf
        self.sublinear_tf = sublinear_tf

    def _namesake_class(self) -> type:
        return sklearn.feature_extraction.text.TfidfVectorizer

    def _counter(self) -> Any:
        params = self.get_params()
        for name in ("norm", "use_idf", "smooth_idf", "sublinear_tf"):
            del params[name]
        return sklearn.feature_extraction.text.CountVectorizer(**params)

    def _weights(self, terms: Terms | TermsLeft | None, n_documents: int) -> dict[str, Any]:
        if not self.use_idf or terms is None:
            return {}
        dtype = np.dtype(self.dtype)
        if dtype not in (np.float64, np.float32):
            dtype = np.dtype(np.float64)
        return {"idf_": idf_of(terms.of_vocabulary(), n_documents, self.smooth_idf, dtype)}

    def _learn(self, raw_documents: Any, y: Any, sample_ids: Any) -> Any:
        if np.dtype(self.dtype) not in (np.float64, np.float32, np.float16):
            warnings.warn(
                "Only float64, float32 and float16 should be used as dtype. "
                f"{self.dtype} will be converted to np.float64.",
                UserWarning,
                stacklevel=5,
            )
        self.__dict__.pop("idf_", None)
        return super()._learn(raw_documents, y, sample_ids)

    def _keeps_outputs(self, after: Any, rows: np.ndarray) -> bool:
        same = not self.use_idf or np.array_equal(self.idf_, after.idf_)
        return same and super()._keeps_outputs(after, rows)

    @fit_task(prefer_skip_nested_validation=True)
    def fit_transform(self, raw_documents: Any, y: Any = None, *, sample_ids: Any = None) -> Any:
        """Learn vocabulary and weights, and weigh the terms of the documents.

        Parameters
        ----------
        raw_documents : iterable of length n_samples
            Documents, as `input` says.

        y : None
            Ignored.

        sample_ids : array-like of shape (n_samples,), default=None
            As in `fit`.

        Returns
        -------
        X : sparse matrix of shape (n_samples, n_features)
            Weights, in CSR format.
        """
        counts = self._as_rows(self._learn(raw_documents, y, sample_ids))
        weights = sklearn.feature_extraction.text.TfidfTransformer(
            norm=self.norm,
            use_idf=self.use_idf,
            smooth_idf=self.smooth_idf,
            sublinear_tf=self.sublinear_tf,
        )
        return weights.fit(counts).transform(counts, copy=False)
