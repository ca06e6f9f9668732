"""Optima to fifty digits, against which claims about float errors are held.

Everything is arithmetic on arrays of decimals; the rows are few.
"""

from decimal import Context, Decimal, setcontext

import numpy as np

# Enough digits for matrices whose condition number is the square of that of any hostile table.
CONTEXT = Context(prec=70, Emin=-999999999, Emax=999999999)
_ENOUGH = Decimal("1e-40")


def decimals(array):
    """Turn floats into the decimals that they are."""
    array = np.asarray(array)
    found = np.empty(array.shape, dtype=object)
    found.ravel()[:] = [Decimal(value) for value in np.ravel(array).astype(float).tolist()]
    return found


def solve(matrix, right):
    """Solve positive definite equations by Cholesky's factor; None if they are not definite."""
    n = len(matrix)
    lower, solution = np.zeros((n, n), dtype=object), right.copy()
    for i in range(n):
        for j in range(i + 1):
            rest = matrix[i, j] - lower[i, :j] @ lower[j, :j] if j else matrix[i, j]
            if i > j:
                lower[i, j] = rest / lower[j, j]
            elif rest <= 0:
                return None
            else:
                lower[i, i] = CONTEXT.sqrt(rest)
    for i in range(n):
        solution[i] = (solution[i] - (lower[i, :i] @ solution[:i] if i else 0)) / lower[i, i]
    for i in reversed(range(n)):
        rest = lower[i + 1 :, i] @ solution[i + 1 :] if i + 1 < n else 0
        solution[i] = (solution[i] - rest) / lower[i, i]
    return solution


def _exp(eta):
    return np.array([CONTEXT.exp(value) for value in eta], dtype=object)


def tweedie(power):
    """Return derivatives of Tweedie losses with the log link, or of the squared error."""
    if power == 0:
        return lambda eta, y: (eta - y, eta * 0 + 1)
    up, down = Decimal(2) - Decimal(power), Decimal(1) - Decimal(power)

    def derivatives(eta, y):
        first, second = _exp(up * eta), y * _exp(down * eta)
        return first - second, up * first - down * second

    return derivatives


def logistic(eta, y):
    """Return derivatives of the logistic loss of y in {0, 1}."""
    p = 1 / (1 + _exp(-eta))
    return p - y, p * (1 - p)


def single_loss(X, y, weight, strength, fit_intercept, derivatives):
    """Return a function of parameters: gradient and Hessian of a loss with one predictor."""
    x, y, w, penalty = _table(X, y, weight, strength, fit_intercept)

    def at(theta):
        first, second = derivatives(x @ theta, y)
        return x.T @ (w * first) + penalty * theta, (x.T * (w * second)) @ x + np.diag(penalty)

    return at


def softmax_loss(X, y, weight, strength, fit_intercept, n_classes):
    """Return a function of parameters: gradient and Hessian of the multinomial loss."""
    x, y, w, penalty = _table(X, y, weight, strength, fit_intercept)
    n_each = x.shape[1]

    def at(theta):
        table = theta.reshape(n_classes, -1)
        eta = x @ table.T
        raised = _exp((eta - eta.max(axis=1)[:, None]).ravel()).reshape(eta.shape)
        mean = raised / raised.sum(axis=1)[:, None]
        gradient, hessian = penalty * table, np.zeros((n_classes, n_each) * 2, dtype=object)
        for a in range(n_classes):
            chosen = np.array([Decimal(int(label == a)) for label in y], dtype=object)
            gradient[a] = gradient[a] + x.T @ (w * (mean[:, a] - chosen))
            for b in range(n_classes):
                hessian[a, :, b] = (x.T * (w * mean[:, a] * (int(a == b) - mean[:, b]))) @ x
                if a == b:
                    hessian[a, :, b] += np.diag(penalty)
                if fit_intercept:  # which adds what makes the sum of intercepts zero
                    hessian[a, -1, b, -1] += 1
        return gradient.ravel(), hessian.reshape(theta.size, theta.size)

    return at


def _table(X, y, weight, strength, fit_intercept):
    x = decimals(X)
    if fit_intercept:
        x = np.concatenate([x, decimals(np.ones((len(x), 1)))], axis=1)
    penalty = np.array([strength] * X.shape[1] + [Decimal(0)] * fit_intercept, dtype=object)
    return x, decimals(y), decimals(weight), penalty


def optimum(at, start):
    """Go to the optimum by Newton's method from near by; None if it does not converge."""
    theta = start.copy()
    for _ in range(60):
        gradient, hessian = at(theta)
        step = solve(hessian, gradient)
        if step is None:
            return None
        decrement = CONTEXT.sqrt(abs(gradient @ step))
        size = CONTEXT.sqrt(abs(theta @ hessian @ theta))
        if decrement <= _ENOUGH * size or decrement <= Decimal("1e-60"):
            return theta - step
        # Shortened as self-concordance tells, so that steps cannot overshoot.
        theta = theta - step / (1 + decrement)
    return None


def squared_hinge(X, signs, cost, start):
    """Minimise the penalised squared hinge loss, given a point near by; None if it is not near."""
    x, signs, cost, theta = decimals(X), decimals(signs), decimals(cost), start.copy()
    loses = None
    for _ in range(60):
        former, loses = loses, (signs * (x @ theta) < 1) & (cost > 0)
        if former is not None and np.array_equal(former, loses):
            return theta
        rows, factors = x[loses], 2 * cost[loses]
        matrix = np.array(np.diag(decimals(np.ones(x.shape[1]))), dtype=object)
        if len(rows):
            matrix = matrix + (rows.T * factors) @ rows
        right = rows.T @ (factors * signs[loses]) if len(rows) else decimals(np.zeros(x.shape[1]))
        theta = solve(matrix, right)
        if theta is None:
            return None
    return None


def kernel_ridge(X, y, weight, alpha, kernel):
    """Return the dual coefficients of kernel ridge regression."""
    x, root = decimals(X), np.array([CONTEXT.sqrt(w) for w in decimals(weight)], dtype=object)
    gram = kernel(x) * root * root[:, None] + np.diag([Decimal(float(alpha))] * len(x))
    solution = solve(gram, decimals(y) * root)
    return None if solution is None else solution * root


def linear_kernel(x):
    """Return products of rows."""
    return x @ x.T


def rbf_kernel(gamma):
    """Return the kernel of distances."""

    def kernel(x):
        squares = ((x[:, None] - x[None]) ** 2).sum(axis=2)
        return _exp((Decimal(gamma) * -squares).ravel()).reshape(squares.shape)

    return kernel


def relative_gap(found, exact):
    """Return the largest error of an array of floats, relative to its largest entry."""
    return relative_gap_of(decimals(found), exact)


def relative_gap_of(found, exact):
    """Return the largest error of an array of decimals, relative to its largest entry."""
    gap, size = max(abs(found - exact).ravel()), max(abs(exact).ravel())
    return float(gap / size if size > _ENOUGH else gap)


setcontext(CONTEXT)
