"""How fit, memory and requests of a forest grow with the number of rows: a table and a plot.

Run as ``python -m benchmarks.forest_growth [FILE.png]``; SKUNLEARN_BENCH_SCALE scales the sizes.
"""

import statistics
import sys
from functools import partial

import numpy as np

from benchmarks.forest_peers import DEPTH, N_JOBS, N_TREES
from benchmarks.forest_tables import synthetic_rows
from benchmarks.tools import scaled, seconds
from skunlearn.ensemble import UnlearningForestClassifier

SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000)
SHARES = (0.1, 1.0)
N_REQUESTS = 300

# What is measured, and what the marks let it grow like.
LAWS = {
    "fit s": ("n log n", lambda n: n * np.log(n)),
    "trees MB": ("n log n", lambda n: n * np.log(n)),
    "one row ms": ("log² n", lambda n: np.log(n) ** 2),
}


def measure(n_rows, share):
    """Fit on a table of some size and forget rows one by one."""
    X, y = synthetic_rows(n_rows)
    model = UnlearningForestClassifier(
        N_TREES, max_depth=DEPTH, max_samples=share, n_jobs=N_JOBS, random_state=0
    )
    fit = seconds(lambda: model.fit(X, y))
    megabytes = sys.getsizeof(model._forest) / 1e6
    order = np.random.default_rng(0).permutation(n_rows)[: N_REQUESTS + 1].tolist()
    model.unlearn(order[0])
    times = [seconds(partial(model.unlearn, row)) for row in order[1:]]
    return fit, megabytes, statistics.mean(times) * 1e3


def slope(sizes, values):
    """Return the slope of values over sizes, both as logarithms."""
    return float(np.polyfit(np.log(sizes), np.log(values), 1)[0])


def plot(sizes, measured, file):
    """Draw a panel for each quantity, with what the marks let it grow like."""
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(1, len(LAWS), figsize=(4 * len(LAWS), 3.6), layout="constrained")
    for axis, (title, (law_name, law)) in zip(axes, LAWS.items(), strict=True):
        for share, columns in measured.items():
            axis.loglog(sizes, columns[title], "o-", label=f"each row in {share:.0%} of trees")
            expected = law(sizes) * columns[title][0] / law(sizes[0])
            axis.loglog(sizes, expected, ":", color="gray")
        axis.set(xlabel="rows", title=f"{title} (dotted: {law_name})")
    axes[0].legend()
    figure.savefig(file, dpi=150)
    plt.close(figure)


def main(file="forest_growth.png"):
    """Measure, print and plot."""
    sizes = np.array(sorted({scaled(n) for n in SIZES}))
    UnlearningForestClassifier(2).fit(*synthetic_rows(1000)).unlearn(0)
    print(f"{'trees a row':>11} {'rows':>10}" + "".join(f"{title:>12}" for title in LAWS))
    measured = {}
    for share in SHARES:
        columns = {title: [] for title in LAWS}
        for n_rows in sizes.tolist():
            values = measure(n_rows, share)
            for title, value in zip(LAWS, values, strict=True):
                columns[title].append(value)
            print(f"{share:>11.0%} {n_rows:>10,}" + "".join(f"{v:>12.4g}" for v in values))
        measured[share] = columns
    for share, columns in measured.items():
        for title, (law_name, law) in LAWS.items():
            print(
                f"{share:.0%}, {title}: grows like n to the {slope(sizes, columns[title]):.2f} "
                f"({law_name} here: {slope(sizes, law(sizes)):.2f})"
            )
    plot(sizes, measured, file)
    return measured


if __name__ == "__main__":
    main(*sys.argv[1:])
