"""Terms of a collection of documents: in how many they occur, and how often."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from math import ceil, floor
from numbers import Integral
from typing import Any

import numpy as np
from scipy import sparse

from skunlearn._samples.tables import overwrite, writable


@dataclass(frozen=True, slots=True)
class Limits:
    """Which terms of a collection scikit-learn puts into the vocabulary.

    Parameters
    ----------
    min_df, max_df : int or float
        As in `CountVectorizer`.

    most : int or None
        Its `max_features`.

    binary : bool
        Whether the most frequent terms are those in most documents.

    dtype : dtype
        In which scikit-learn adds up what makes terms frequent.
    """

    min_df: Any
    max_df: Any
    most: int | None
    binary: bool
    dtype: Any

    def _bounds(self, n_documents: int) -> tuple[Any, Any]:
        lowest, highest = (
            limit if isinstance(limit, Integral) else limit * n_documents
            for limit in (self.min_df, self.max_df)
        )
        return lowest, highest

    def admit(self, documents: np.ndarray, n_documents: int) -> np.ndarray:
        """Tell which terms are in neither too few documents nor too many."""
        lowest, highest = self._bounds(n_documents)
        return (documents <= highest) & (documents >= lowest)

    def crossed(self, n_before: int, n_remaining: int) -> np.ndarray:
        """List the numbers of documents that come to be admitted, or not to be.

        Parameters
        ----------
        n_before, n_remaining : int
            Number of documents before and after a request.
        """
        ends = zip(self._bounds(n_remaining), self._bounds(n_before), strict=True)
        near = np.concatenate([np.arange(floor(a), ceil(b) + 1) for a, b in ends])
        near = np.unique(near[(near > 0) & (near <= n_remaining)])
        return near[self.admit(near, n_before) != self.admit(near, n_remaining)]

    def choose(
        self, documents: np.ndarray, occurrences: np.ndarray, n_documents: int
    ) -> np.ndarray:
        """Tell which terms make up the vocabulary.

        Raises
        ------
        ValueError
            If there are none.
        """
        if not documents.size:
            raise ValueError("empty vocabulary; perhaps the documents only contain stop words")
        lowest, highest = self._bounds(n_documents)
        if highest < lowest:
            raise ValueError("max_df corresponds to < documents than min_df")
        chosen = self.admit(documents, n_documents)
        if self.most is not None and np.count_nonzero(chosen) > self.most:
            weights = (documents if self.binary else occurrences).astype(_of_sums(self.dtype))
            first = (-weights[chosen]).argsort()[: self.most]
            positions = np.flatnonzero(chosen)[first]
            chosen = np.zeros(chosen.size, dtype=bool)
            chosen[positions] = True
        if not chosen.any():
            raise ValueError(
                "After pruning, no terms remain. Try a lower min_df or a higher max_df."
            )
        return chosen


class Terms:
    """Every term of the documents held, before any is left out of the vocabulary.

    Counts follow requests in place. A term that vanishes and was not in the vocabulary leaves an
    empty position behind, so that the others keep theirs. Empty positions are squeezed out when
    they are a quarter of all, by :meth:`squeezed`, and in every pickle.

    Parameters
    ----------
    positions : dict
        From terms, in their order, to positions in the arrays, which ascend.

    documents : ndarray of shape (n_positions,), int64
        Documents that contain each term.

    occurrences : ndarray of shape (n_positions,), int64
        Occurrences of each term in all documents.

    Attributes
    ----------
    chosen : ndarray of shape (n_positions,), bool
        Which terms make up the vocabulary; all until `choose` has been called.
    """

    def __init__(
        self, positions: dict[Any, int], documents: np.ndarray, occurrences: np.ndarray
    ) -> None:
        self.positions = positions
        self.documents = documents
        self.occurrences = occurrences
        self.chosen = np.ones(documents.size, dtype=bool)
        self._n_terms: np.ndarray | None = None

    @classmethod
    def of_counts(cls, positions: dict[Any, int], counts: Any) -> Terms:
        """Count terms by a document-term matrix."""
        n_terms = counts.shape[1]
        documents = np.bincount(counts.indices, minlength=n_terms).astype(np.int64, copy=False)
        occurrences = np.bincount(counts.indices, weights=counts.data, minlength=n_terms)
        return cls(positions, documents, occurrences.astype(np.int64))

    def choose(self, limits: Limits, n_documents: int) -> dict[Any, int]:
        """Choose the vocabulary and return it, numbered; no position may be empty.

        Raises
        ------
        ValueError
            If there is none.
        """
        self.chosen = limits.choose(self.documents, self.occurrences, n_documents)
        return self.positions if self.chosen.all() else numbered(self.positions, self.chosen)

    def of_vocabulary(self) -> np.ndarray:
        """Return in how many documents each term of the vocabulary is."""
        return self.documents[self.chosen]

    def n_terms(self) -> np.ndarray:
        """Return how many terms are in 0, 1, ... documents; counted when first asked for."""
        if self._n_terms is None:
            self._n_terms = np.bincount(self.documents)
        return self._n_terms

    def taking(
        self, texts: Iterable[Any], analyze: Callable[[Any], Any], *, drop: bool
    ) -> TermsLeft:
        """Prepare to take documents out, and to `drop` terms that no other one contains."""
        self.documents, self.occurrences = writable(self.documents), writable(self.occurrences)
        positions = self.positions
        documents: Counter[Any] = Counter()
        occurrences: Counter[Any] = Counter()
        for text in texts:
            counted = Counter(term for term in analyze(text) if term in positions)
            documents.update(counted.keys())
            occurrences.update(counted)
        return TermsLeft(self, documents, occurrences, drop)

    @property
    def n_empty(self) -> int:
        """Number of empty positions."""
        return self.documents.size - len(self.positions)

    def squeezed(self) -> Terms:
        """Return the terms in arrays of their own, without empty positions."""
        held = np.fromiter(self.positions.values(), np.intp, len(self.positions))
        positions = dict(zip(self.positions, range(held.size), strict=True))
        terms = Terms(positions, self.documents[held], self.occurrences[held])
        terms.chosen = self.chosen[held]
        return terms

    def wipe(self) -> None:
        """Overwrite the counts, when others take their place."""
        overwrite(self.documents, self.occurrences, self._n_terms)

    def __getstate__(self) -> dict[str, Any]:
        terms = self.squeezed() if self.n_empty else self
        # A list, lest a pickle tell whether the vocabulary was once the very same dictionary.
        return vars(terms) | {"positions": list(terms.positions), "_n_terms": None}

    def __setstate__(self, state: dict[str, Any]) -> None:
        positions = {term: position for position, term in enumerate(state["positions"])}
        self.__dict__.update(state | {"positions": positions})


class TermsLeft:
    """Terms without those of some documents, as they will be: nothing is in force yet.

    Parameters
    ----------
    terms : Terms
        As they are.

    documents, occurrences : dict
        How many of each term go.

    drop : bool
        Whether terms without documents are no terms any more.
    """

    def __init__(
        self, terms: Terms, documents: dict[Any, int], occurrences: dict[Any, int], drop: bool
    ) -> None:
        self._terms = terms
        self._drop = drop
        self._touched = list(documents)
        size = len(self._touched)
        positions = (terms.positions[term] for term in self._touched)
        self._at = np.fromiter(positions, np.intp, size)
        self._before = terms.documents[self._at]
        self._documents = self._before - np.fromiter(documents.values(), np.int64, size)
        gone = np.fromiter((occurrences[term] for term in self._touched), np.int64, size)
        self._occurrences = terms.occurrences[self._at] - gone

    def keep_vocabulary(self, limits: Limits, n_before: int, n_remaining: int) -> bool:
        """Tell whether the vocabulary is of the same terms as before.

        Raises
        ------
        ValueError
            If there would be none.
        """
        terms = self._terms
        if limits.most is not None:
            documents = self.documents()
            held = documents > 0
            chosen = limits.choose(documents[held], self._all_occurrences()[held], n_remaining)
            return not terms.chosen[~held].any() and np.array_equal(chosen, terms.chosen[held])
        admitted = limits.admit(self._documents, n_remaining) & (self._documents > 0)
        if not np.array_equal(admitted, terms.chosen[self._at]):
            return False
        crossed = limits.crossed(n_before, n_remaining)
        if not crossed.size:
            return True
        n_terms = terms.n_terms()
        n_crossing = n_terms[crossed[crossed < n_terms.size]].sum()
        return bool(n_crossing == np.isin(self._before, crossed).sum())

    def documents(self) -> np.ndarray:
        """Return in how many documents each term will be."""
        documents = self._terms.documents.copy()
        documents[self._at] = self._documents
        return documents

    def _all_occurrences(self) -> np.ndarray:
        occurrences = self._terms.occurrences.copy()
        occurrences[self._at] = self._occurrences
        return occurrences

    def of_vocabulary(self) -> np.ndarray:
        """Return in how many documents each term of the vocabulary will be, if that stays."""
        return self.documents()[self._terms.chosen]

    def mostly_held(self) -> bool:
        """Tell whether fewer than a quarter of the positions will be empty."""
        n_vanishing = np.count_nonzero(self._documents == 0) if self._drop else 0
        return bool(4 * (self._terms.n_empty + n_vanishing) < self._terms.documents.size)

    def renumbered(self) -> Terms:
        """Return the terms in arrays of their own, without empty positions."""
        documents = self.documents()
        held = documents > 0
        positions = numbered(self._terms.positions, held)
        return Terms(positions, documents[held], self._all_occurrences()[held])

    def edit(self) -> Callable[[], None]:
        """Return what takes the documents out, once the new model is in force."""
        terms, counts = self._terms, self._counts()
        vanished = [
            term
            for term, number in zip(self._touched, self._documents.tolist(), strict=True)
            if self._drop and not number
        ]

        def take_out() -> None:
            terms.documents[self._at] = self._documents
            terms.occurrences[self._at] = self._occurrences
            if counts is not None:
                terms.n_terms()[counts[0]] = counts[1]
            for term in vanished:
                terms.positions.pop(term, None)

        return take_out

    def _counts(self) -> tuple[np.ndarray, np.ndarray] | None:
        """Return which entries of `Terms.n_terms` change and what they will be."""
        if self._terms._n_terms is None:
            return None
        entries, which = np.unique([self._before, self._documents], return_inverse=True)
        change = np.repeat([-1.0, 1.0], self._at.size)
        change = np.bincount(which.ravel(), weights=change, minlength=entries.size)
        return entries, self._terms._n_terms[entries] + change.astype(np.int64)


def in_order(positions: dict[Any, int]) -> dict[Any, int]:
    """List terms by their positions, which are 0, 1, ..."""
    terms: list[Any] = [None] * len(positions)
    for term, position in positions.items():
        terms[position] = term
    return dict(zip(terms, range(len(terms)), strict=True))


def numbered(positions: dict[Any, int], chosen: np.ndarray) -> dict[Any, int]:
    """Give those terms whose positions are chosen the numbers 0, 1, ... in their order."""
    marks = chosen[np.fromiter(positions.values(), np.intp, len(positions))]
    return dict(zip(itertools.compress(positions, marks.tolist()), itertools.count(), strict=False))


def _of_sums(dtype: Any) -> np.dtype:
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
