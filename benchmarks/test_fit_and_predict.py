"""Being able to forget must cost little until it is used: fit and predict against the namesake."""

import statistics
from functools import partial

import pytest
import sklearn.decomposition
import sklearn.discriminant_analysis
import sklearn.linear_model
import sklearn.naive_bayes
import sklearn.preprocessing
import sklearn.svm
from sklearn.base import is_classifier

import skunlearn.decomposition
import skunlearn.discriminant_analysis
import skunlearn.linear_model
import skunlearn.naive_bayes
import skunlearn.preprocessing
import skunlearn.svm
from benchmarks.tools import scaled, seconds

NAMESAKES = [
    ("preprocessing", "StandardScaler", "transform"),
    ("decomposition", "PCA", "transform"),
    ("discriminant_analysis", "LinearDiscriminantAnalysis", "predict"),
    ("discriminant_analysis", "QuadraticDiscriminantAnalysis", "predict"),
    ("linear_model", "Ridge", "predict"),
    ("linear_model", "RidgeClassifier", "predict"),
    ("linear_model", "RidgeCV", "predict"),
    ("linear_model", "Lasso", "predict"),
    ("linear_model", "LinearRegression", "predict"),
    ("svm", "LinearSVC", "predict"),
    ("naive_bayes", "GaussianNB", "predict"),
    ("naive_bayes", "MultinomialNB", "predict"),
    ("naive_bayes", "BernoulliNB", "predict"),
]


@pytest.mark.parametrize(("module", "name", "method"), NAMESAKES)
def test_fit_and_predict(benchmark, rng, module, name, method):
    n = scaled(100_000)
    X = rng.poisson(3.0, size=(n, 50)).astype(float) + (module != "naive_bayes") * rng.random(50)
    ours = getattr(getattr(skunlearn, module), name)()
    y = (X[:, 0] > 3).astype(int) if is_classifier(ours) else X @ rng.random(50)
    namesake = getattr(getattr(sklearn, module), name)()
    times = {"fit": ([], []), method: ([], [])}
    for model in (ours, namesake):
        getattr(model.fit(X, y), method)(X)

    def one_round():
        for position, model in enumerate((ours, namesake)):
            times["fit"][position].append(seconds(partial(model.fit, X, y)))
            times[method][position].append(seconds(partial(getattr(model, method), X)))

    benchmark.pedantic(one_round, rounds=9)
    for verb, (mine, namesake) in times.items():
        ratio = statistics.median(mine) / statistics.median(namesake)
        benchmark.extra_info[verb] = ratio
        sklearn_ms = statistics.median(namesake) * 1e3
        print(f"\n{name}.{verb}: {ratio:.2f} times scikit-learn's ({sklearn_ms:.1f} ms)")
