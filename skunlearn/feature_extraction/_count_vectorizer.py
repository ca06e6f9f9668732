"""CountVectorizer that forgets documents."""

from __future__ import annotations

from typing import Any

import numpy as np
import sklearn.feature_extraction.text

from skunlearn._unlearning.fit_task import fit_task
from skunlearn.feature_extraction._terms import Terms, TermsLeft
from skunlearn.feature_extraction._vectorizer import BaseVectorizer


class CountVectorizer(BaseVectorizer):
    r"""Count the terms of documents, and forget documents.

    Same parameters, fitted attributes and output as
    :class:`sklearn.feature_extraction.text.CountVectorizer`. A word that only removed documents
    contain leaves the vocabulary, and its column goes.

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

    stop_words : {'english'} or list, default=None
        Tokens to leave out.

    token_pattern : str or None, default=r"(?u)\\b\\w\\w+\\b"
        Regular expression of a token.

    ngram_range : tuple (min_n, max_n), default=(1, 1)
        Lengths of the n-grams that are terms.

    analyzer : {'word', 'char', 'char_wb'} or callable, default='word'
        Whether n-grams are of words, of characters or of characters within words; or what makes
        terms of a document.

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

    dtype : dtype, default=np.int64
        Of the counts.

    Attributes
    ----------
    vocabulary_ : dict
        From terms to columns; only terms of documents that are held, unless it is given.

    fixed_vocabulary_ : bool
        Whether the vocabulary is given.

    sample_ids_ : ndarray of shape (n_samples,)
        Ids of the documents held.

    unlearning_report_ : UnlearningReport
        Outcome of the last request.

    See Also
    --------
    TfidfVectorizer : Weighs the counts.

    Notes
    -----
    The promise is 'bitwise'. A request analyses the documents that go and takes their terms out of
    the counts, in time proportional to their length. Where the vocabulary changes, it is numbered
    anew, O(v) for v terms; with `max_features` terms are sorted anew, as in scikit-learn, since of
    terms equally frequent its sort decides. Documents are held as they are (copies of those that
    are no strings), to be analysed again when they go; strings cannot be overwritten in Python, so
    of a removed document the reference is. The order in which `vocabulary_` lists terms is that of
    its columns, not, as in scikit-learn, that of the documents.

    Examples
    --------
    >>> from skunlearn.feature_extraction.text import CountVectorizer
    >>> texts = ["red apple", "green apple", "Eve likes green"]
    >>> vectorizer = CountVectorizer().fit(texts, sample_ids=["a", "b", "c"])
    >>> vectorizer.unlearn("c").get_feature_names_out()
    array(['apple', 'green', 'red'], dtype=object)
    """

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
        stop_words: Any = None,
        token_pattern: str | None = r"(?u)\b\w\w+\b",
        ngram_range: tuple[int, int] = (1, 1),
        analyzer: Any = "word",
        max_df: Any = 1.0,
        min_df: Any = 1,
        max_features: int | None = None,
        vocabulary: Any = None,
        binary: bool = False,
        dtype: Any = np.int64,
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

    def _namesake_class(self) -> type:
        return sklearn.feature_extraction.text.CountVectorizer

    def _counter(self) -> Any:
        return sklearn.feature_extraction.text.CountVectorizer(**self.get_params())

    def _weights(self, terms: Terms | TermsLeft | None, n_documents: int) -> dict[str, Any]:
        return {}

    @fit_task(prefer_skip_nested_validation=True)
    def fit_transform(self, raw_documents: Any, y: Any = None, *, sample_ids: Any = None) -> Any:
        """Learn the vocabulary of documents and count their terms.

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
            Counts, in CSR format.
        """
        return self._as_rows(self._learn(raw_documents, y, sample_ids))
