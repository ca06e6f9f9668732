"""How far two fitted models are apart, attribute by attribute."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

# Who is in the model, what it says about requests, and how long its solver took.
_PASSED_OVER = {"sample_ids_", "unlearning_report_", "n_iter_"}


@dataclass(frozen=True)
class Difference:
    """Distance between two models of one kind.

    Parameters
    ----------
    largest : float
        Largest relative difference over fitted attributes; infinite where shapes differ.

    attribute : str
        Where it is.

    bitwise : bool
        Whether every number of both, and their outputs, are equal bit for bit.

    outputs : float
        Largest absolute difference of outputs on held-out rows.
    """

    largest: float
    attribute: str
    bitwise: bool
    outputs: float


def fitted_numbers(model: Any, path: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """List the numbers in a model's public fitted attributes, those of parts included.

    Texts, such as categories, count as the numbers of their bytes.

    Parameters
    ----------
    model : object
        Estimator, or a list, tuple or dict of them or of arrays.

    path : str, default=""
        Name of the whole.

    Yields
    ------
    path : str
        For example ``"ridge.coef_"``.
    numbers : ndarray
    """
    if isinstance(model, np.ndarray) and model.dtype.kind in "biufc":
        yield path, model
    elif isinstance(model, int | float | np.number):
        yield path, np.asarray(model)
    elif isinstance(model, str):
        yield path, np.frombuffer(model.encode(), dtype=np.uint8)
    elif isinstance(model, dict):
        for name, part in model.items():
            yield from fitted_numbers(part, f"{path}.{name}".lstrip("."))
    elif isinstance(model, list | tuple | np.ndarray):
        for position, part in enumerate(model):
            yield from fitted_numbers(part, f"{path}[{position}]")
    elif hasattr(model, "get_params"):
        parts = {n: v for n, v in vars(model).items() if n[0] != "_" and n.endswith("_")}
        parts |= dict(getattr(model, "steps", ()))
        for name in parts.keys() - _PASSED_OVER:
            yield from fitted_numbers(parts[name], f"{path}.{name}".lstrip("."))


def compare_models(one: Any, other: Any, X: Any) -> Difference:
    """Compare two fitted models of one kind.

    Parameters
    ----------
    one, other : estimator
        Fitted; `other` is the reference.

    X : ndarray or data frame of shape (n_samples, n_features)
        Rows on which outputs are compared.

    Returns
    -------
    difference : Difference
    """
    numbers, reference = dict(fitted_numbers(one)), dict(fitted_numbers(other))
    gaps = {
        name: _relative(numbers.get(name), reference.get(name))
        for name in sorted(numbers.keys() | reference.keys())
    }
    answers, expected = (_outputs(model, X) for model in (one, other))
    same = answers.shape == expected.shape
    outputs = float(np.max(np.abs(answers - expected))) if same else np.inf
    worst = max(gaps, key=lambda name: gaps[name])
    bitwise = outputs == 0 and all(
        name in numbers and numbers[name].tobytes() == values.tobytes()
        for name, values in reference.items()
    )
    return Difference(gaps[worst], worst, bitwise, outputs)


def _outputs(model: Any, X: Any) -> np.ndarray:
    return np.asarray((getattr(model, "predict_proba", None) or model.predict)(X))


def _relative(values: np.ndarray | None, expected: np.ndarray | None) -> float:
    if values is None or expected is None or values.shape != expected.shape:
        return np.inf
    if np.array_equal(values, expected, equal_nan=True) or not values.size:
        return 0.0
    values, expected = values.astype(np.float64), expected.astype(np.float64)
    finite = np.isfinite(expected)
    if not np.array_equal(finite, np.isfinite(values)):
        return np.inf
    gap = np.max(np.abs(values - expected)[finite], initial=0.0)
    scale = np.max(np.abs(expected)[finite], initial=0.0)
    return float(gap / scale) if scale else np.inf if gap else 0.0
