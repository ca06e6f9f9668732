"""Texts: requests, fit and transform against those of the scikit-learn namesake."""

import numpy as np
import pytest
import sklearn.feature_extraction.text

from benchmarks.tools import largest_gap, note_ratios, scaled
from skunlearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer


@pytest.fixture(scope="module")
def texts(rng):
    """Write documents of which a few words make up most, as in natural language."""
    words = np.array([f"word{i:x}" for i in range(200_000)])
    return [
        " ".join(words[np.minimum(rng.zipf(1.3, size=size), words.size) - 1])
        for size in rng.integers(20, 300, scaled(8_000))
    ]


@pytest.mark.parametrize("name", ["CountVectorizer", "TfidfVectorizer"])
@pytest.mark.parametrize("min_df", [1, 5])
def test_vectorizers(race, note, rng, texts, name, min_df):
    model = {"CountVectorizer": CountVectorizer, "TfidfVectorizer": TfidfVectorizer}[name](
        min_df=min_df
    )
    namesake = getattr(sklearn.feature_extraction.text, name)(min_df=min_df)
    task = f"{name}(min_df={min_df}) {len(texts):,}"
    note_ratios(note, task, model, namesake, texts, times=2)

    def gap():
        namesake.fit([texts[i] for i in model.sample_ids_])
        return 0.0 if namesake.vocabulary_ == model.vocabulary_ else np.inf

    race(
        f"{task}, 1 document",
        model.fit(texts),
        rng.permutation(len(texts))[:100].tolist(),
        lambda: namesake.fit(texts),
        mark=20,
        gap=gap,
        refits=3,
    )


def test_tfidf_transformer(race, note, rng, texts):
    counts = sklearn.feature_extraction.text.CountVectorizer().fit_transform(texts)
    model = TfidfTransformer()
    namesake = sklearn.feature_extraction.text.TfidfTransformer()
    task = f"TfidfTransformer {len(texts):,}"
    note_ratios(note, task, model, namesake, counts)
    race(
        f"{task}, 1 document",
        model.fit(counts),
        rng.permutation(len(texts))[:400].tolist(),
        lambda: namesake.fit(counts),
        mark=5,
        gap=lambda: largest_gap(model, namesake.fit(counts[model.sample_ids_]), ["idf_"]),
    )
