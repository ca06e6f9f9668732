"""What SVC and SVR share: solving by libsvm, polishing, following the optimum as rows leave."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace
from numbers import Integral, Real
from typing import Any, ClassVar, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.base import BaseEstimator

from skunlearn._compat import Interval, StrOptions
from skunlearn._linalg.precision import EPS
from skunlearn._samples.tables import NO_ROWS, take
from skunlearn._unlearning.commit import Replacement, commit, snapshot
from skunlearn._unlearning.cost import Foretold
from skunlearn._unlearning.tags import UnlearningTags
from skunlearn._validation import check_sample_weight, validate_data
from skunlearn.base import Guarantee, Removal, UnlearnerMixin
from skunlearn.exceptions import NotUnlearnableError
from skunlearn.svm._kernel import NAMES, Kernel, gamma_of
from skunlearn.svm._machine import Degenerate, Machine

# Relative float error of coefficients above which the problem is solved anew.
TOLERANCE = 1e-7

# Parameters that matter to probabilities only, which there are none of.
_OBSOLETE = {"probability", "random_state"}

# So many support vectors, plus one per so many rows, may leave before solving anew is faster.
_FEW = 30


class Problem(NamedTuple):
    """One quadratic program: which rows take part, and what their coefficients may be.

    Parameters
    ----------
    members : ndarray of shape (n_members,), intp
        Slots, sorted.

    nodes, targets : ndarray
        As for :class:`~skunlearn.svm._machine.Machine`.
    """

    members: np.ndarray
    nodes: np.ndarray
    targets: np.ndarray


class Machines:
    """The machines of a model and the slots that their rows are in; empty in copies and pickles.

    Parameters
    ----------
    machines : list of (members, Machine)
        One for each problem.

    n_slots : int
        Slots of the store that members refer to.
    """

    def __init__(
        self, machines: list[tuple[np.ndarray, Machine]] | None = None, n_slots: int = -1
    ) -> None:
        self.machines = machines or []
        self.n_slots = n_slots
        self.settled = bool(self.machines)

    def fit_to(self, samples: Any) -> bool:
        """Tell whether they are of use: not left in the middle of a request, slots in place."""
        return self.settled and self.n_slots == samples.n_slots

    def __reduce__(self) -> tuple[Any, ...]:
        return Machines, ()

    def wipe(self) -> None:
        """Overwrite everything."""
        for _, machine in self.machines:
            machine.wipe()


class BaseSVM(UnlearnerMixin, BaseEstimator, ABC):
    """Kernel machines around the problems that a subclass states."""

    _parameter_constraints: ClassVar[dict[str, Any]] = {
        "kernel": [StrOptions({*NAMES, "precomputed"}), callable],
        "degree": [Interval(Integral, 0, None, closed="left")],
        "gamma": [StrOptions({"scale", "auto"}), Interval(Real, 0.0, None, closed="left")],
        "coef0": [Interval(Real, None, None, closed="neither")],
        "tol": [Interval(Real, 0.0, None, closed="neither")],
        "C": [Interval(Real, 0.0, None, closed="right")],
        "shrinking": ["boolean"],
        "cache_size": [Interval(Real, 0, None, closed="neither")],
        "verbose": ["verbose"],
        "max_iter": [Interval(Integral, -1, None, closed="left")],
    }
    _unlearning_tags = UnlearningTags("numerical", tolerance=TOLERANCE, predicts_with_rows=True)
    _overwritten: ClassVar[tuple[str, ...]] = (
        "_dual_coef_",
        "_intercept_",
        "_machines",
        "_n_support",
    )
    _namesake_class: ClassVar[type]

    kernel: Any
    gamma: Any
    degree: int
    coef0: float
    C: float
    max_iter: int

    @abstractmethod
    def _problems(self, slots: np.ndarray, fitted: Any) -> list[Problem]:
        """State the problems of the rows in the given slots, with class weights as fitted."""

    @abstractmethod
    def _thetas(self, slots: np.ndarray, fitted: Any) -> list[np.ndarray]:
        """Read the coefficients for each problem, shape (n_slots,), off a fitted machine."""

    @abstractmethod
    def _publish(
        self, slots: np.ndarray, thetas: list[np.ndarray], intercepts: list[float]
    ) -> dict[str, Any]:
        """Make the fitted attributes that follow from the solution."""

    @abstractmethod
    def _settings(self, namesake: Any) -> dict[str, Any]:
        """Make the fitted attributes that do not depend on the solution."""

    def _check_left(self, slots: np.ndarray) -> None:
        """Raise where no machine can be fitted on the rows in the given slots."""

    def _is_stale(self, slots: np.ndarray) -> bool:
        """Tell whether what is chosen from the data changes when only the given slots are left."""
        return self._kernel != self._kernel_for(self._samples.X, slots)

    def _fit(self, X: Any, y: Any, sample_weight: Any, sample_ids: Any, **checks: Any) -> None:
        """Validate, hold the rows, solve."""
        if isinstance(self.kernel, str) and self.kernel == "precomputed":
            raise ValueError(
                "kernel='precomputed' cannot be unlearned from: every kernel matrix passed to "
                "predict would need other columns after a request. Pass the kernel as a callable."
            )
        sources = (X, y, sample_weight)
        X, y = validate_data(
            self,
            X,
            y,
            dtype=np.float64,
            order="C",
            accept_sparse="csr",
            accept_large_sparse=False,
            **checks,
        )
        weight = None
        if sample_weight is not None:
            weight = check_sample_weight(sample_weight, X).astype(np.float64)
        y = self._check_targets(y)
        self._hold_samples(X, y, weight, sources=sources, sample_ids=sample_ids)
        attributes = self._solve(self._samples.slots())
        attributes["_machines"] = Machines()
        self.__dict__.update(attributes)

    def _check_targets(self, y: Any) -> np.ndarray:
        return y

    def _kernel_for(self, X: Any, slots: np.ndarray | None = None) -> Kernel:
        """Make the kernel for the rows of X, or of some of its slots."""
        gamma = 0.0
        if not (callable(self.kernel) or self.kernel == "linear"):
            if slots is not None and isinstance(self.gamma, str):
                X = take(X, slots)
            gamma = gamma_of(self.gamma, X)
        return Kernel(self.kernel, gamma, self.degree, self.coef0)

    def _active(self, slots: np.ndarray) -> np.ndarray:
        """Leave out rows without a positive weight, which take no part."""
        weight = self._samples.sample_weight
        if weight is None:
            return slots
        active = slots[weight[slots] > 0.0]
        if not active.size:
            raise ValueError("Invalid input - all samples have zero or negative weights.")
        return active

    def _class_weights(self, slots: np.ndarray) -> dict[str, Any]:
        """Return the parameter `class_weight` for libsvm, where there is one."""
        return {}

    def _run_libsvm(
        self, X: Any, y: Any, weight: Any, kernel: Kernel, class_weight: dict[str, Any]
    ) -> Any:
        """Fit scikit-learn's class."""
        params = self.get_params(deep=False) | class_weight
        params |= {
            "gamma": kernel.gamma,
            "kernel": kernel if callable(self.kernel) else self.kernel,
        }
        for name in _OBSOLETE & params.keys():
            del params[name]
        return self._namesake_class(**params).fit(X, y, sample_weight=weight)

    def _solve(self, slots: np.ndarray) -> dict[str, Any]:
        """Solve for the rows in the given slots, as retraining does."""
        samples = self._samples
        kernel = self._kernel_for(take(samples.X, slots))
        active = self._active(slots)
        namesake = self._run_libsvm(*samples.take(active), kernel, self._class_weights(slots))
        thetas = self._thetas(active, namesake)
        intercepts = np.ravel(namesake.intercept_).tolist()
        machines = []
        for position, problem in enumerate(self._problems(active, namesake)):
            try:
                machine = self._machine(problem, thetas[position], kernel)
                machine.polish()
            except Degenerate:
                continue
            thetas[position][problem.members] = machine.theta
            intercepts[position] = machine.intercept
            machines.append((problem.members, machine))
        complete = len(machines) == len(thetas)
        return {
            "_kernel": kernel,
            "_machines": Machines(machines if complete else None, samples.n_slots),
            "fit_status_": 0 if complete else namesake.fit_status_,
            **self._settings(namesake),
            **self._publish(slots, thetas, intercepts),
        }

    def _machine(self, problem: Problem, theta: np.ndarray, kernel: Kernel) -> Machine:
        samples, members = self._samples, problem.members

        def kernel_rows(which: np.ndarray) -> np.ndarray:
            if not (callable(kernel.function) and samples.n_removed):
                X = samples.X if members.size == samples.n_slots else samples.X[members]
                return kernel(X[which], X)
            held = np.flatnonzero(np.isin(members, samples.slots()))
            values = np.zeros((which.size, members.size))
            values[:, held] = kernel(samples.X[members[which]], samples.X[members[held]])
            return values

        return Machine(kernel_rows, problem.nodes, problem.targets, theta[members])

    def _unlearn(self, rows: np.ndarray) -> Removal:
        slots = self._samples.slots_without(rows)
        self._check_left(slots)
        removal = None if self._is_stale(slots) else self._follow(rows, slots)
        if removal is not None:
            return removal
        try:
            attributes = self._solve(slots)
        except ValueError as error:
            raise NotUnlearnableError(f"The remaining rows cannot be fitted: {error}") from error
        return Removal(attributes, Guarantee("numerical", "state", TOLERANCE, EPS), n_refitted=1)

    def _follow(self, rows: np.ndarray, slots: np.ndarray) -> Removal | None:
        """Follow the optimum while rows leave; None where it is easier or safer to solve anew."""
        samples = self._samples
        held = samples.slots()
        thetas = self._thetas(held, self)
        n_going = sum(np.count_nonzero(theta[rows]) for theta in thetas)
        if n_going > _FEW + held.size // _FEW:
            return None
        machines, intercepts, error = self._machines, [], EPS
        try:
            if not machines.fit_to(samples):
                problems = self._problems(self._active(held), self)
                machines = self._rebuild(problems, thetas)
            machines.settled = False
            for theta, (members, machine) in zip(thetas, machines.machines, strict=True):
                positions = members.searchsorted(rows)
                inside = positions < members.size
                inside[inside] = members[positions[inside]] == rows[inside]
                if inside.any():
                    machine.forget(positions[inside])
                    error = max(error, machine.touch_up())
                theta[members] = machine.theta
                intercepts.append(machine.intercept)
        except Degenerate:
            return None
        if error > TOLERANCE:
            return None
        attributes = self._publish(slots, thetas, intercepts)
        if machines is not self._machines:
            attributes["_machines"] = machines
        replacement = Replacement(machines, {"settled": True}, NO_ROWS)
        guarantee = Guarantee("numerical", "state", TOLERANCE, error)
        return Removal(attributes, guarantee, replacements=(replacement,))

    def _cost(self, rows: np.ndarray) -> Foretold:
        samples = self._samples
        slots = samples.slots_without(rows)
        self._check_left(slots)
        fit, thetas = self._cost_of_fit(rows), self._thetas(samples.slots(), self)
        n_going = sum(np.count_nonzero(theta[rows]) for theta in thetas)
        most = _FEW + samples.n_samples // _FEW
        if self._is_stale(slots) or n_going > most:
            return fit, None
        # As many as `most` take as long as solving anew, and so does making the machines.
        seconds = (n_going / most + (not self._machines.fit_to(samples))) * fit.seconds
        return replace(fit, n_parts_touched=0, n_passes=float(n_going), seconds=seconds), None

    def _rebuild(self, problems: list[Problem], thetas: list[np.ndarray]) -> Machines:
        pairs = []
        for problem, theta in zip(problems, thetas, strict=True):
            machine = self._machine(problem, theta, self._kernel)
            machine.polish()
            pairs.append((problem.members, machine))
        return Machines(pairs, self._samples.n_slots)

    def purge(self) -> Any:
        """Drop what is kept to make requests fast; the next one builds it again.

        Returns
        -------
        self : object
            The same model, without empty slots.
        """
        with self._check_samples().lock:
            commit([Replacement(self, {"_machines": Machines()}, NO_ROWS)])
            return super().purge()

    def _products(self, X: Any, coef: np.ndarray) -> np.ndarray:
        """Validate rows and multiply their kernel values with coefficients of support vectors."""
        X = validate_data(
            self,
            X,
            dtype=np.float64,
            order="C",
            accept_sparse="csr",
            accept_large_sparse=False,
            reset=False,
        )
        return self._kernel.times(X, self.support_vectors_, coef)

    @property
    def coef_(self) -> Any:
        """Weights of the features, for a linear kernel."""
        if self.kernel != "linear":
            raise AttributeError("coef_ is only available when using a linear kernel")
        return self._linear_weights()

    @abstractmethod
    def _linear_weights(self) -> Any:
        """Compute the weights of the features."""

    def to_predictor(self) -> Any:
        """Return scikit-learn's own machine for deployment.

        Returns
        -------
        predictor : estimator
            Fitted, of scikit-learn's class of the same name; holds the support vectors, with which
            it predicts.
        """
        view = snapshot(self)
        state = view._as_namesake(self._namesake_class).__dict__
        rows, coef = state["support_vectors_"], state["dual_coef_"]
        predictor = view._run_libsvm(rows, view._targets_of_support(), None, view._kernel, {})
        if callable(self.kernel):
            state["support_"] = np.arange(rows.shape[0], dtype=np.int32)
            del state["shape_fit_"]
        sign = -1.0 if view._flips_sign(view) else 1.0
        state |= {
            "_n_support": np.resize(state.pop("n_support_"), predictor._n_support.shape),
            "_dual_coef_": sign * coef,
            "_intercept_": sign * state["intercept_"],
        }
        predictor.__dict__.update(
            {name: value for name, value in state.items() if name not in _OBSOLETE}
        )
        return predictor

    @staticmethod
    def _flips_sign(fitted: Any) -> bool:
        """Tell whether scikit-learn negates what libsvm gives, as it does for two classes."""
        return False

    @abstractmethod
    def _targets_of_support(self) -> np.ndarray:
        """Return targets, one for each support vector, that `fit` accepts."""


def like_rows(coef: np.ndarray, rows: Any) -> Any:
    """Return coefficients as scikit-learn holds them: for sparse rows as CSR, zeros included."""
    if not sparse.issparse(rows):
        return coef
    n_lines, n_columns = coef.shape
    positions = np.tile(np.arange(n_columns, dtype=np.int32), n_lines)
    starts = np.arange(0, coef.size + 1, max(1, n_columns), dtype=np.int32)[: n_lines + 1]
    return sparse.csr_matrix((coef.ravel(), positions, starts), shape=coef.shape)
