"""Terms of a collection of documents: in how many they occur, and how often."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np
from scipy import sparse


@dataclass(slots=True)
class Terms:
    """Every term of the documents held, before any is left out of the vocabulary.

    Parameters
    ----------
    places : dict
        From terms, in their order, to places in the arrays.

    documents : ndarray of shape (n_terms,), int64
        Documents that contain each term.

    occurrences : ndarray of shape (n_terms,), int64
        Occurrences of each term in all documents.
    """

    places: dict[Any, int]
    documents: np.ndarray
    occurrences: np.ndarray

    @classmethod
    def of_counts(cls, places: dict[Any, int], counts: Any) -> Terms:
        """Count terms by a document-term matrix."""
        n_terms = counts.shape[1]
        documents = np.bincount(counts.indices, minlength=n_terms).astype(np.int64)
        occurrences = np.bincount(counts.indices, weights=counts.data, minlength=n_terms)
        return cls(places, documents, occurrences.astype(np.int64))

    def without(self, texts: Iterable[Any], analyze: Callable[[Any], Any], *, drop: bool) -> Terms:
        """Count without the given documents; `drop` terms that no other one contains."""
        documents, occurrences, places = self.documents.copy(), self.occurrences.copy(), self.places
        for text in texts:
            counted = Counter(term for term in analyze(text) if term in places)
            at = np.array([places[term] for term in counted], dtype=np.intp)
            documents[at] -= 1
            occurrences[at] -= np.array(list(counted.values()), dtype=np.int64)
        if drop and not documents.all():
            stays = documents > 0
            places = numbered(places, stays)
            documents, occurrences = documents[stays], occurrences[stays]
        return Terms(places, documents, occurrences)

    def selected(
        self, n_documents: int, min_df: Any, max_df: Any, limit: int | None, weights: Any
    ) -> np.ndarray:
        """Tell which terms scikit-learn puts into the vocabulary.

        Parameters
        ----------
        n_documents : int
            Number of documents held.

        min_df, max_df : int or float
            As in `CountVectorizer`.

        limit : int or None
            Its `max_features`.

        weights : ndarray of shape (n_terms,)
            By which the most frequent terms are chosen, in the dtype of scikit-learn's.

        Raises
        ------
        ValueError
            If there are none.
        """
        if not self.places:
            raise ValueError("empty vocabulary; perhaps the documents only contain stop words")
        highest = max_df if isinstance(max_df, Integral) else max_df * n_documents
        lowest = min_df if isinstance(min_df, Integral) else min_df * n_documents
        if highest < lowest:
            raise ValueError("max_df corresponds to < documents than min_df")
        chosen = (self.documents <= highest) & (self.documents >= lowest)
        if limit is not None and np.count_nonzero(chosen) > limit:
            most = (-weights[chosen]).argsort()[:limit]
            chosen = np.isin(np.arange(chosen.size), np.flatnonzero(chosen)[most])
        if not chosen.any():
            raise ValueError(
                "After pruning, no terms remain. Try a lower min_df or a higher max_df."
            )
        return chosen

    def wipe(self) -> None:
        """Overwrite the counts, when others take their place."""
        self.documents.fill(0)
        self.occurrences.fill(0)


def numbered(places: dict[Any, int], chosen: np.ndarray) -> dict[Any, int]:
    """Give those terms that are chosen the numbers 0, 1, ... in the order of `places`."""
    return dict(zip(itertools.compress(places, chosen.tolist()), itertools.count(), strict=False))


def dtype_of_sums(dtype: Any) -> np.dtype:
    """Return the dtype in which a document-term matrix adds up its columns."""
    return sparse.csr_array((1, 1), dtype=dtype).sum(axis=0).dtype


def idf_of(documents: np.ndarray, n_documents: int, smooth: bool, dtype: Any) -> np.ndarray:
    """Compute inverse document frequencies, operation for operation as scikit-learn does."""
    frequencies = documents.astype(dtype) + np.asarray(float(smooth), dtype=dtype)
    idf = np.full_like(frequencies, fill_value=n_documents + int(smooth))
    with np.errstate(divide="ignore"):
        idf /= frequencies
    np.log(idf, out=idf)
    idf += 1.0
    return idf
