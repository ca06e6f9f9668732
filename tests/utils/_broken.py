"""A small classifier that keeps the contract, and subclasses that each break it in one way."""

from __future__ import annotations

import copy
import math
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from skunlearn._samples.hashing import derive_seed, draw_seed, hash_ids, hash_rows_for
from skunlearn._samples.ids import as_keys
from skunlearn._samples.store import SampleStore
from skunlearn._unlearning.commit import snapshot
from skunlearn._unlearning.warning import warn_of_row_numbers
from skunlearn.base import (
    Guarantee,
    Removal,
    UnlearnerMixin,
    UnlearningCost,
    reads_one_version,
)
from skunlearn.exceptions import UnknownSampleError
from skunlearn.utils import UnlearningTags

N_SHARDS = 4


class Toy(UnlearnerMixin, ClassifierMixin, BaseEstimator):
    """Nearest class mean, with exact sums, random feature weights and a random shard per row."""

    _unlearning_tags = UnlearningTags("bitwise")

    def __init__(self, random_state=None):
        self.random_state = random_state

    def fit(self, X, y, *, sample_ids=None):
        sources = (X, y, None)
        X, y = validate_data(self, X, y, dtype=[np.float64, np.float32])
        check_classification_targets(y)
        self._hold_samples(X, y, sources=sources, sample_ids=sample_ids)
        self._seed = draw_seed(self.random_state)
        self.__dict__.update(self._model(self._samples.slots()))
        return self

    def _model(self, rows):
        X, y, _ = self._samples.take(rows)
        classes = np.unique(y)
        return {
            "classes_": classes,
            "means_": np.array([self._mean(X[y == c]) for c in classes]),
            "weights_": self._weights(X.shape[1]),
            "shard_sizes_": np.bincount(self._shards(rows), minlength=N_SHARDS),
        }

    def _mean(self, X):
        return np.array([math.fsum(column) / len(column) for column in X.T.tolist()])

    def _weights(self, n_features):
        rng = np.random.default_rng(derive_seed(self._seed, "weights"))
        return rng.random(n_features) + 0.5

    def _shards(self, rows):
        hashes = hash_ids(as_keys(self._samples.ids_of(rows)))
        return (hash_rows_for(self._seed, "shard", hashes) % np.uint64(N_SHARDS)).astype(int)

    def _unlearn(self, rows):
        return Removal(self._model(self._samples.slots_without(rows)), n_refitted=1)

    @reads_one_version
    def predict(self, X):
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, dtype=[np.float64, np.float32])
        gaps = (self.weights_ * (X[:, None, :] - self.means_[None]) ** 2).sum(axis=2)
        return self.classes_[gaps.argmin(axis=1)]


class DoesNothing(Toy):
    """Takes the rows out of the store and leaves the model as it is."""

    def _unlearn(self, rows):
        return Removal({})


class KeepsTheRow(Toy):
    """Keeps removed rows in a private buffer."""

    def _unlearn(self, rows):
        removal = super()._unlearn(rows)
        removal.attributes["_spare"] = {"rows": [self._samples.X[rows]]}
        return removal


class KeepsTheRowInAClosure(Toy):
    """Keeps removed rows where only a function sees them."""

    def _unlearn(self, rows):
        X = self._samples.X[rows]
        removal = super()._unlearn(rows)
        self.__dict__["_undo"] = _Undo(lambda: X)
        return removal


class _Undo:
    def __init__(self, action):
        self.action = action

    def __reduce__(self):
        return (_Undo, (None,))

    def __deepcopy__(self, memo):
        return self


class KeepsTheRowInItsClass(Toy):
    """Keeps removed rows in a class attribute, beyond the reach of any pickle."""

    _seen: list = []

    def _unlearn(self, rows):
        self._seen.append(self._samples.X[rows])
        return super()._unlearn(rows)


class KeepsTheId(Toy):
    """Keeps a list of what it forgot."""

    def _unlearn(self, rows):
        removal = super()._unlearn(rows)
        forgotten = [*getattr(self, "_forgotten", ()), *self._samples.ids_of(rows).tolist()]
        removal.attributes["_forgotten"] = forgotten
        return removal


class KeepsTheHashOfTheId(Toy):
    """Keeps the hash of every id, from which the id can be told."""

    def fit(self, X, y, *, sample_ids=None):
        super().fit(X, y, sample_ids=sample_ids)
        self._hashes = hash_ids(as_keys(self._samples.ids))
        return self


class WritesACheckpoint(Toy):
    """Writes its training rows to a folder and leaves them there."""

    def __init__(self, random_state=None, checkpoint=None):
        super().__init__(random_state)
        self.checkpoint = checkpoint

    def fit(self, X, y, *, sample_ids=None):
        super().fit(X, y, sample_ids=sample_ids)
        if self.checkpoint is not None:
            np.save(Path(self.checkpoint) / "rows.npy", self._samples.X)
        return self


class KeepsTheOldModel(Toy):
    """Keeps the former means for an undo."""

    def _unlearn(self, rows):
        removal = super()._unlearn(rows)
        removal.attributes["_former"] = [self.means_.copy()]
        return removal


class CountsRequests(Toy):
    """Counts in a private attribute what it was asked for."""

    def _unlearn(self, rows):
        removal = super()._unlearn(rows)
        removal.attributes["_n_requests"] = getattr(self, "_n_requests", 0) + 1
        return removal


class KeepsAPeak(Toy):
    """Keeps a power of two above the largest value there ever was."""

    def fit(self, X, y, *, sample_ids=None):
        super().fit(X, y, sample_ids=sample_ids)
        self._peak = 2.0 ** np.ceil(np.log2(np.abs(self._samples.X).max()))
        return self


class KeepsAPeakOfCopies(KeepsAPeak):
    """Promises no more than a tolerance, which a peak has nothing to do with."""

    _unlearning_tags = UnlearningTags("numerical", tolerance=1e-9)


class KeepsAnEmptyPosition(Toy):
    """Counts rows per class and leaves the count of a vanished class at zero."""

    def fit(self, X, y, *, sample_ids=None):
        super().fit(X, y, sample_ids=sample_ids)
        self._known, self._counts = np.unique(self._samples.y, return_counts=True)
        return self

    def _unlearn(self, rows):
        removal = super()._unlearn(rows)
        gone = np.searchsorted(self._known, self._samples.y[rows])
        counts = self._counts - np.bincount(gone, minlength=self._counts.size)
        removal.attributes["_counts"] = counts
        return removal


class KeepsTheDtypeOfIds(Toy):
    """Keeps ids in the dtype that those of removed rows asked for."""

    def fit(self, X, y, *, sample_ids=None):
        super().fit(X, y, sample_ids=sample_ids)
        self._order = np.argsort(self._samples.ids.astype(str)).astype(self._samples.ids.dtype)
        return self

    def _unlearn(self, rows):
        removal = super()._unlearn(rows)
        ids = self._samples.ids_of(self._samples.slots_without(rows))
        removal.attributes["_order"] = np.argsort(ids.astype(str)).astype(self._order.dtype)
        return removal


class KeepsTheWidthOfLabels(Toy):
    """Keeps labels in arrays as wide as the longest of those that are gone."""

    def _model(self, rows):
        model = super()._model(rows)
        return model | {"_labels": self._samples.y[rows]}


class PublishesItsAccount(Toy):
    """Declares how many requests there were, and publishes it."""

    _accounts = ("n_requests_",)

    def fit(self, X, y, *, sample_ids=None):
        super().fit(X, y, sample_ids=sample_ids)
        self.n_requests_ = 0
        return self

    def _unlearn(self, rows):
        removal = super()._unlearn(rows)
        removal.attributes["n_requests_"] = self.n_requests_ + 1
        return removal

    def to_predictor(self):
        predictor = super().to_predictor()
        predictor.n_requests_ = self.n_requests_
        return predictor


class KeepsItsAccount(PublishesItsAccount):
    """Declares how many requests there were, and keeps it to itself: breaks nothing."""

    to_predictor = Toy.to_predictor


class DrawsByPosition(Toy):
    """Puts rows into shards by where they stand."""

    def _shards(self, rows):
        return np.random.default_rng(self._seed).integers(N_SHARDS, size=1000)[rows]


class DrawsFromASequence(Toy):
    """Draws the feature weights from a generator that has been drawn from before."""

    def _weights(self, n_features):
        self._n_draws = getattr(self, "_n_draws", 0) + 1
        return np.random.default_rng(derive_seed(self._seed, self._n_draws)).random(n_features)


class KeepsStaleClasses(Toy):
    """Never drops a class."""

    def _unlearn(self, rows):
        removal = super()._unlearn(rows)
        removal.attributes["classes_"] = self.classes_
        return removal


class SubtractsFloats(Toy):
    """Subtracts from running float sums and still promises equality bit for bit."""

    def _unlearn(self, rows):
        removal = super()._unlearn(rows)
        X, y, _ = self._samples.take(rows)
        y_all = self._samples.y[self._samples.slots()]
        means = []
        for c in removal.attributes["classes_"]:
            n, gone = (y_all == c).sum(), X[y == c]
            old = self.means_[np.searchsorted(self.classes_, c)]
            means.append((old * n - gone.sum(axis=0)) / (n - len(gone)))
        removal.attributes["means_"] = np.array(means)
        return removal


class SubtractsOutliers(SubtractsFloats):
    """Promises a tolerance that subtraction does not keep when outliers go."""

    _unlearning_tags = UnlearningTags("numerical", tolerance=1e-12)


class _FirstRowOnly(SampleStore):
    def resolve(self, sample_ids, **options):
        n_ids, rows = super().resolve(sample_ids, **options)
        keys = as_keys(self.ids_of(rows))
        return n_ids, rows[sorted(keys.index(key) for key in set(keys))]


class ForgetsTheFirstDuplicateOnly(Toy):
    """Forgets one of the rows that bear an id."""

    def _hold_samples(self, *args, **kwargs):
        super()._hold_samples(*args, **kwargs)
        self._samples.__class__ = _FirstRowOnly


class ForgetsEqualRowsToo(Toy):
    """Forgets by value: rows equal to a removed one leave the model with it."""

    def _unlearn(self, rows):
        alike = np.union1d(rows, self._samples.find(self._samples.X[rows]))
        return Removal(self._model(self._samples.slots_without(alike)))


class AppliesHalf(Toy):
    """Writes a part of the new model while it may still fail."""

    def _unlearn(self, rows):
        new = self._model(self._samples.slots_without(rows))
        self.means_ = new["means_"]
        return Removal(new)


class AppliesHalfInPlace(Toy):
    """Works in place on an array that is in use."""

    def _unlearn(self, rows):
        self.shard_sizes_ -= np.bincount(self._shards(rows), minlength=N_SHARDS)
        new = self._model(self._samples.slots_without(rows))
        return Removal(new | {"shard_sizes_": self.shard_sizes_})


class ShowsAMixture(Toy):
    """Lets readers see the means in another order, and repairs itself whatever happens."""

    def _unlearn(self, rows):
        former = self.means_
        self.means_ = former[::-1].copy()
        try:
            new = self._model(self._samples.slots_without(rows))
        finally:
            self.means_ = former
        return Removal(new)


class AcceptsUnknownIds(Toy):
    """Passes over ids that it does not hold."""

    def unlearn(self, sample_ids):
        held = set(as_keys(self.sample_ids_))
        return super().unlearn([key for key in as_keys(sample_ids) if key in held])


class ForgetsKnownIdsFirst(Toy):
    """Forgets the known ids of a request and then complains about the others."""

    def unlearn(self, sample_ids):
        try:
            return super().unlearn(sample_ids)
        except UnknownSampleError:
            held = set(as_keys(self.sample_ids_))
            known = [key for key in as_keys(sample_ids) if key in held]
            if known:
                super().unlearn(known)
            raise


class TakesAMask(Toy):
    """Takes a boolean mask for positions."""

    def unlearn(self, sample_ids):
        if np.asarray(sample_ids).dtype == bool and np.ndim(sample_ids) == 1:
            sample_ids = self.sample_ids_[np.flatnonzero(sample_ids)]
        return super().unlearn(sample_ids)


class WritesIntoTheUsersData(Toy):
    """Holds the very array that the user passed."""

    def _hold_samples(self, X, y, *, sources, sample_ids):
        super()._hold_samples(X, y, sources=sources, sample_ids=sample_ids)
        if isinstance(sources[0], np.ndarray) and sources[0].flags.writeable:
            self._samples.X = sources[0]


class SharesRowsWithCopies(Toy):
    """Wipes the rows of its copies along with its own."""

    def __copy__(self):
        return snapshot(self)


class LosesItsSeedInPickles(Toy):
    """Draws another seed when it is unpickled."""

    def __setstate__(self, state):
        super().__setstate__(state | {"_seed": 12345})


class RemembersEarlierFits(Toy):
    """Counts requests in a fitted attribute that a new fit does not reset."""

    def _unlearn(self, rows):
        removal = super()._unlearn(rows)
        removal.attributes["n_requests_"] = getattr(self, "n_requests_", 0) + 1
        return removal


class DeploysItsRows(Toy):
    """Gives away the whole model for a predictor."""

    def to_predictor(self):
        return copy.deepcopy(self)


class ClaimsTooMuch(Toy):
    """Promises a tolerance and reports an error beyond it."""

    _unlearning_tags = UnlearningTags("numerical", tolerance=1e-10)

    def _unlearn(self, rows):
        removal = super()._unlearn(rows)
        return removal._replace(guarantee=Guarantee("numerical", "state", 1e-10, 1e-3))


class ClaimsAnotherKind(Toy):
    """Reports a certificate that nobody promised."""

    def _unlearn(self, rows):
        guarantee = Guarantee("certified", epsilon=0.1, delta=1e-6)
        return super()._unlearn(rows)._replace(guarantee=guarantee)


class Miscounts(Toy):
    """Reports more parts than it has."""

    def _unlearn(self, rows):
        return super()._unlearn(rows)._replace(n_refitted=3, n_parts=2)


class StatesNoTolerance(Toy):
    """Promises numerical equality without saying how close."""

    _unlearning_tags = UnlearningTags("numerical")


class PurgesItsModel(Toy):
    """Throws the model's weights away with the residue."""

    def _purge(self):
        return {"weights_": np.ones_like(self.weights_)}


class NeedsTwoClasses(Toy):
    """Refuses a single class at fit, but not after forgetting the other one."""

    def fit(self, X, y, *, sample_ids=None):
        if len(np.unique(y)) == 1:
            raise ValueError("two classes are needed, got one class")
        return super().fit(X, y, sample_ids=sample_ids)


class WrapsIntegers(Toy):
    """Negates integers to find the smallest of those that remain."""

    def fit(self, X, y, *, sample_ids=None):
        super().fit(X, y, sample_ids=sample_ids)
        self._dtype = np.asarray(X).dtype
        self.lows_ = self._samples.X.min(axis=0)
        return self

    def _unlearn(self, rows):
        removal = super()._unlearn(rows)
        kept = self._samples.X[self._samples.slots_without(rows)]
        if self._dtype.kind == "i":
            kept = kept.astype(self._dtype)
        removal.attributes["lows_"] = -(-kept).max(axis=0).astype(float)
        return removal


class SquaresFarFromZero(Toy):
    """Centres columns before it squares them, but not when rows go, and claims the same."""

    _unlearning_tags = UnlearningTags("numerical", tolerance=1e-9)

    def fit(self, X, y, *, sample_ids=None):
        super().fit(X, y, sample_ids=sample_ids)
        self.variances_ = self._samples.X.var(axis=0)
        return self

    def _unlearn(self, rows):
        removal = super()._unlearn(rows)
        X = self._samples.X[self._samples.slots_without(rows)]
        removal.attributes["variances_"] = (X**2).mean(axis=0) - X.mean(axis=0) ** 2
        return removal


class OwnsUp(SquaresFarFromZero):
    """Says so where it cannot keep what it claims: breaks nothing."""

    _claims = "none"

    def _unlearn(self, rows):
        removal = super()._unlearn(rows)
        X = self._samples.X
        error = float(np.finfo(X.dtype).eps) * float(np.abs(X).max()) ** 2
        if error <= 1e-9:
            return removal
        return removal._replace(guarantee=Guarantee(self._claims, "state", 1e-9, error))


class OwnsUpInANumberOnly(OwnsUp):
    """States an error beyond the tolerance as if it were within."""

    _claims = "numerical"


class DividesByZero(Toy):
    """Divides by how many rows a class has, less one."""

    def _model(self, rows):
        model = super()._model(rows)
        y = self._samples.take(rows)[1]
        with np.errstate(invalid="ignore"):
            spread = [np.ptp(y[y == c]) / np.float64((y == c).sum() - 1) for c in model["classes_"]]
        return model | {"spread_": np.array(spread)}


class DiesOfOverflow(Toy):
    """Raises another error when rows go than fit does, which raises none."""

    def _unlearn(self, rows):
        math.pow(float(np.abs(self._samples.X).max()), 3.0)
        return super()._unlearn(rows)


class FindsNothing(Toy):
    """Looks for a column that varies and trips over there being none."""

    def _model(self, rows):
        X = self._samples.take(rows)[0]
        varying = np.flatnonzero(np.ptp(X, axis=0))
        return super()._model(rows) | {"first_": int(varying[0])}


class NeedsWeights(Toy):
    """Refuses rows without weight at fit, but not after forgetting the others."""

    def fit(self, X, y, sample_weight=None, *, sample_ids=None):
        if sample_weight is not None and not np.any(sample_weight):
            raise ValueError("a weight above zero is needed")
        return super().fit(X, y, sample_ids=sample_ids)


class Noisy(Toy):
    """Publishes its means with Gaussian noise, anew with each request."""

    _unlearning_tags = UnlearningTags("certified")
    _noise = 3.0

    def _model(self, rows):
        model = super()._model(rows)
        rng = np.random.default_rng(derive_seed(self._seed, "noise", model["means_"].tobytes()))
        means = model["means_"] + self._noise * rng.normal(size=model["means_"].shape)
        return model | {"means_": means}

    def _static_guarantee(self):
        return Guarantee("certified", epsilon=1.0, delta=1e-5)


class StatesNoEpsilon(Noisy):
    """Claims a certificate and does not say how strong."""

    def _static_guarantee(self):
        return Guarantee("certified")


class HidesTooLittle(Noisy):
    """Draws new noise, far too little of it, around the means of all rows."""

    _noise = 1e-3

    def _unlearn(self, rows):
        return Removal(self._model(self._samples.slots()), n_refitted=1)


class TextToy(UnlearnerMixin, BaseEstimator):
    """The words of texts, in alphabetical order."""

    _unlearning_tags = UnlearningTags("bitwise")

    def fit(self, X, y=None, *, sample_ids=None):
        texts = np.fromiter(X, dtype=object, count=len(X))
        self._hold_samples(texts, sources=(X, None, None), sample_ids=sample_ids)
        self.words_ = self._words(self._samples.slots())
        return self

    def _words(self, rows):
        return sorted({word for text in self._samples.X[rows] for word in text.split()})

    def _unlearn(self, rows):
        return Removal({"words_": self._words(self._samples.slots_without(rows))})

    def _as_stored(self, X):
        check_is_fitted(self)
        return np.fromiter(X, dtype=object, count=len(X))

    @reads_one_version
    def transform(self, X):
        check_is_fitted(self)
        return np.array([[word in text.split() for word in self.words_] for text in X])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = False
        tags.input_tags.string = True
        return tags


class KeepsStaleWords(TextToy):
    """Never drops a word."""

    def _unlearn(self, rows):
        return Removal({})


class KeepsAnEmptyWord(TextToy):
    """Leaves the places of vanished words empty."""

    def fit(self, X, y=None, *, sample_ids=None):
        super().fit(X, y, sample_ids=sample_ids)
        self._places = np.arange(len(self.words_))
        return self

    def _unlearn(self, rows):
        removal = super()._unlearn(rows)
        held = np.isin(self.words_, removal.attributes["words_"])
        removal.attributes["_places"] = self._places[held]
        return removal


class KeepsTheWord(TextToy):
    """Keeps a list of the words that it dropped."""

    def _unlearn(self, rows):
        removal = super()._unlearn(rows)
        gone = set(self.words_) - set(removal.attributes["words_"])
        return Removal(removal.attributes | {"_dropped": sorted(gone)})


class CarriesOutWhatItIsAskedAbout(Toy):
    """Works the cost out on itself."""

    def _cost(self, rows):
        cost, removal = super()._cost(rows)
        self.__dict__.update(removal.attributes)
        return cost, removal


class SpendsItsSeedOnCosts(Toy):
    """Draws from its seed whenever it is asked, which its pickle does not tell."""

    def _cost(self, rows):
        self.__dict__["_drawn"] = True
        return super()._cost(rows)

    def __getstate__(self):
        return {name: v for name, v in super().__getstate__().items() if name != "_drawn"}

    def _weights(self, n_features):
        return super()._weights(n_features) + ("_drawn" in self.__dict__)


class MiscountsItsCost(Toy):
    """Says that nothing would be computed anew."""

    def _cost(self, rows):
        return UnlearningCost(), None


class CostsWithoutTime(Toy):
    """Does not know how long it takes."""

    def _cost(self, rows):
        return UnlearningCost(n_parts_touched=1, seconds=math.nan), None


class CostsOfStrangers(Toy):
    """Passes over ids that it does not know where only the cost is asked for."""

    def _resolve(self, sample_ids):
        return self._samples.resolve(sample_ids, strict=False)

    def _work_out(self, sample_ids, announce):
        self._samples.resolve(sample_ids)
        return super()._work_out(sample_ids, announce)


class WarnsWhenAsked(Toy):
    """Warns of row numbers already where only the cost is asked for."""

    def _cost(self, rows):
        if self._samples.ids_are_doubtful:
            warn_of_row_numbers(self)
        return super()._cost(rows)
