import copy
import io
import pickle

import numpy as np
import pytest
import sklearn.feature_extraction.text
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse

import skunlearn.feature_extraction.text
from skunlearn.exceptions import NotUnlearnableError, UnknownSampleError
from skunlearn.feature_extraction.text import CountVectorizer, TfidfTransformer, TfidfVectorizer
from skunlearn.naive_bayes import MultinomialNB
from skunlearn.pipeline import make_pipeline
from skunlearn.utils._checks.haystack import buffers, pickles

LETTERS = "abcdefghij"


def make_texts(seed, n=120):
    """Write documents of words that are the rarer the longer the list of words is."""
    rng = np.random.default_rng(seed)
    words = np.array([a + b + "é" * (i % 7 == 0) for i, a in enumerate(LETTERS) for b in LETTERS])
    lengths = rng.integers(1, 12, n)
    return [" ".join(words[np.minimum(rng.zipf(1.4, k), 100) - 1]).title() for k in lengths]


def split(text):
    return text.split()


PARAMETERS = [
    {},
    {"binary": True, "dtype": np.float32},
    {"min_df": 2},
    {"min_df": 0.02, "max_df": 0.3},
    {"max_df": 20},
    {"max_features": 15},
    {"max_features": 15, "binary": True, "min_df": 2},
    {"max_features": 15, "dtype": np.float64},
    {"ngram_range": (1, 2), "min_df": 2},
    {"analyzer": "char", "ngram_range": (1, 3), "max_features": 40},
    {"analyzer": "char_wb", "ngram_range": (2, 3)},
    {"analyzer": split},
    {"tokenizer": split, "token_pattern": None, "lowercase": False},
    {"stop_words": ["aa", "ab"], "strip_accents": "unicode"},
    {"vocabulary": ["ab", "cc", "aa"]},
    {"vocabulary": {"ab": 1, "cc": 0}},
]


def pair(name, parameters):
    return [
        getattr(module, name)(**parameters)
        for module in (
            skunlearn.feature_extraction.text,
            sklearn.feature_extraction.text,
        )
    ]


def assert_equal_outputs(ours, namesake):
    assert ours.dtype == namesake.dtype
    assert_array_equal(ours.toarray(), namesake.toarray())


def assert_same_vectorizer(ours, namesake, texts):
    assert ours.vocabulary_ == namesake.vocabulary_
    assert ours.fixed_vocabulary_ == namesake.fixed_vocabulary_
    assert_array_equal(ours.get_feature_names_out(), namesake.get_feature_names_out())
    if hasattr(namesake, "idf_"):
        assert_array_equal(ours.idf_, namesake.idf_)
    assert_equal_outputs(ours.transform(texts), namesake.transform(texts))


@pytest.mark.fast
@pytest.mark.parametrize("parameters", PARAMETERS)
@pytest.mark.parametrize("name", ["CountVectorizer", "TfidfVectorizer"])
def test_fit_and_requests_are_scikit_learns_bit_for_bit(name, parameters, global_random_seed):
    if name == "TfidfVectorizer":
        parameters = {"dtype": np.float64} | parameters
    texts = make_texts(global_random_seed)
    ours, namesake = pair(name, parameters)
    assert_equal_outputs(ours.fit_transform(texts), namesake.fit(texts).transform(texts))
    assert_same_vectorizer(ours, namesake, texts)
    gone = np.random.default_rng(global_random_seed).permutation(120)[:80]
    for part in np.array_split(gone, 8):
        kept = [texts[i] for i in ours.unlearn(part).sample_ids_]
        assert_same_vectorizer(ours, namesake.fit(kept), texts)
    again = type(ours)(**parameters).fit(kept)
    assert list(again.vocabulary_) == list(ours.vocabulary_)
    assert_equal_outputs(ours._outputs_at(np.arange(len(kept))), namesake.transform(kept))
    assert_same_vectorizer(ours.to_predictor(), namesake, texts)
    found, wanted = (v.inverse_transform(v.transform(texts[:5])) for v in (ours, namesake))
    for a, b in zip(found, wanted, strict=True):
        assert_array_equal(a, b)


@pytest.mark.parametrize("norm", ["l1", "l2", None])
@pytest.mark.parametrize("smooth_idf", [True, False])
def test_weights_are_scikit_learns(norm, smooth_idf):
    parameters = {"norm": norm, "smooth_idf": smooth_idf, "sublinear_tf": True}
    texts = make_texts(0)
    ours, namesake = pair("TfidfVectorizer", parameters)
    ours.fit(texts).unlearn([3, 4])
    assert_same_vectorizer(ours, namesake.fit(np.delete(texts, [3, 4])), texts)
    plain = TfidfVectorizer(use_idf=False, norm=norm).fit(texts).unlearn(5)
    namesake.set_params(use_idf=False, sublinear_tf=False, smooth_idf=True)
    assert_same_vectorizer(plain, namesake.fit(np.delete(texts, 5)), texts)
    assert not hasattr(plain, "idf_")


@given(st.data())
def test_law_for_any_documents_ids_and_order(data):
    words = st.lists(st.sampled_from(["red", "blue", "pear", "of", "x"]), max_size=5)
    texts = [" ".join(t) for t in data.draw(st.lists(words, min_size=2, max_size=12))]
    ids = data.draw(st.lists(st.integers(0, 5), min_size=len(texts), max_size=len(texts)))
    parameters = {
        "min_df": data.draw(st.sampled_from([1, 2, 0.3])),
        "max_df": data.draw(st.sampled_from([1.0, 4, 0.8])),
        "max_features": data.draw(st.sampled_from([None, 2])),
    }
    ours, namesake = pair("TfidfVectorizer", parameters)
    try:
        ours.fit(texts, sample_ids=ids)
    except ValueError as refusal:
        with pytest.raises(ValueError, match=str(refusal)[:20]):
            namesake.fit(texts)
        return
    for i in data.draw(st.permutations(sorted(set(ids))))[:-1]:
        kept = [t for t, j in zip(texts, ids, strict=True) if j in ours.sample_ids_ and j != i]
        try:
            namesake.fit(kept)
        except ValueError as refusal:
            before = ours.vocabulary_
            with pytest.raises(NotUnlearnableError, match=str(refusal)[:20]):
                ours.unlearn(i)
            assert ours.vocabulary_ is before
            continue
        assert_same_vectorizer(ours.unlearn([i, i]), namesake, texts)


@pytest.mark.fast
def test_nothing_of_a_removed_document_stays_behind():
    texts = make_texts(1)
    texts[7] = "quixotry " + texts[7]
    ids = [f"person-{i:x}" for i in range(900, 1020)]
    for cls in (CountVectorizer, TfidfVectorizer):
        for parameters in ({}, {"min_df": 2}):
            model = cls(**parameters).fit(texts, sample_ids=ids)
            model.find_samples([texts[7]])
            secrets = (b"quixotry", ids[7].encode())
            assert any(secrets[0] in content for _, content in pickles(model))
            model.unlearn(ids[7])
            for where, content in (*pickles(model), *buffers(model)):
                assert not any(secret in content for secret in secrets), where


@pytest.mark.fast
@pytest.mark.parametrize("parameters", [{}, {"min_df": 2}, {"min_df": 0.02, "max_df": 0.9}])
def test_counts_follow_in_place_while_the_vocabulary_stays(parameters, global_random_seed):
    texts = make_texts(global_random_seed)
    for position in (10, 20, 30):
        texts[position] = texts[0]
    texts += ["", f"{texts[0]} unheard", texts[0]]
    model = TfidfVectorizer(**parameters).fit(texts)
    for request in ([10], [120], [20, 30]):
        terms, vocabulary = model._terms, model.vocabulary_
        n_terms = terms.n_terms()
        model.unlearn(request)
        assert model._terms is terms
        assert model.vocabulary_ is vocabulary
        assert terms.n_terms() is n_terms
        assert_array_equal(n_terms[1:], np.bincount(terms.documents, minlength=n_terms.size)[1:])
    model.unlearn(121)
    assert "unheard" not in model._terms.positions
    assert (model._terms is terms) == ("min_df" in parameters)
    for _ in range(8):
        request = model.sample_ids_[5:11].tolist()
        kept = [texts[i] for i in model.unlearn(request).sample_ids_]
        again = TfidfVectorizer(**parameters).fit(kept)
        assert_same_vectorizer(model, again, texts)
        positions = model._terms.positions
        assert list(positions) == list(again._terms.positions)
        for name in ("documents", "occurrences", "chosen"):
            left = getattr(model._terms, name)[list(positions.values())]
            assert_array_equal(left, getattr(again._terms, name))


@pytest.mark.fast
def test_entries_stored_twice_count_twice_and_are_found():
    counts = sparse.csr_array(
        (np.array([1.0, 2.0, 1.0, 1.0]), np.array([1, 1, 2, 0]), np.array([0, 2, 4])), shape=(2, 3)
    )
    ours, namesake = pair("TfidfTransformer", {})
    assert_array_equal(ours.fit(counts).idf_, namesake.fit(counts).idf_)
    assert_equal_outputs(ours._outputs_at(np.arange(2)), namesake.transform(counts))
    assert ours.find_samples([[0.0, 3.0, 0.0]]).tolist() == [0]
    assert_array_equal(ours.unlearn(0).idf_, namesake.fit(counts[[1]]).idf_)
    assert not ours.find_samples([[0.0, 3.0, 0.0]]).size


@pytest.mark.fast
def test_documents_are_found_copied_and_refused_like_rows():
    texts = make_texts(2)
    model = CountVectorizer().fit(texts)
    assert 5 in model.find_samples([texts[5]])
    twins = [copy.copy(model), copy.deepcopy(model), pickle.loads(pickle.dumps(model))]
    model.unlearn([5, 6])
    again = CountVectorizer().fit(np.delete(texts, [5, 6]))
    assert 5 not in model.find_samples([texts[5]])
    for twin in twins:
        assert twin.unlearn([5, 6]).vocabulary_ == again.vocabulary_
    with pytest.raises(UnknownSampleError):
        model.unlearn(5)
    with pytest.raises(NotUnlearnableError, match="all 118"):
        model.unlearn(model.sample_ids_)
    with pytest.raises(NotUnlearnableError, match="holds no training rows"):
        pickle.loads(pickle.dumps(_without_rows(model))).unlearn(3)
    with pytest.raises(ValueError, match="string object received"):
        model.fit("a text")


def _without_rows(model):
    twin = copy.deepcopy(model)
    del twin._samples
    return twin


def test_series_files_bytes_and_lists_are_documents(tmp_path):
    pd = pytest.importorskip("pandas")
    texts = make_texts(3)
    again = CountVectorizer().fit(texts[1:]).vocabulary_
    series = pd.Series(texts, index=[f"p{i}" for i in range(120)])
    assert CountVectorizer().fit(series).unlearn("p0").vocabulary_ == again
    encoded = [text.encode() for text in texts]
    assert CountVectorizer().fit(encoded).unlearn(0).vocabulary_ == again
    opened = map(io.BytesIO, encoded)
    assert CountVectorizer(input="file").fit(opened).unlearn(0).vocabulary_ == again
    paths = [tmp_path / f"{i}.txt" for i in range(120)]
    for path, content in zip(paths, encoded, strict=True):
        path.write_bytes(content)
    model = CountVectorizer(input="filename").fit(paths)
    paths[0].write_text("changed since")
    assert model.unlearn(0).vocabulary_ == again
    tokens = [text.split() for text in texts]
    model = CountVectorizer(analyzer=list).fit(tokens)
    tokens[0][:] = ["changed"]
    assert (
        model.unlearn(0).vocabulary_ == CountVectorizer(analyzer=list).fit(tokens[1:]).vocabulary_
    )


def test_polars_series_are_documents():
    pl = pytest.importorskip("polars")
    texts = make_texts(3)
    model = CountVectorizer().fit(pl.Series(texts)).unlearn(0)
    assert model.vocabulary_ == CountVectorizer().fit(texts[1:]).vocabulary_


@pytest.mark.fast
@pytest.mark.parametrize("parameters", [{}, {"smooth_idf": False}, {"norm": None}, {"norm": "l1"}])
@pytest.mark.parametrize("form", [sparse.csr_array, sparse.csc_matrix, np.asarray])
@pytest.mark.parametrize("dtype", [np.int64, np.float32, np.float64])
def test_transformer_is_scikit_learns_bit_for_bit(parameters, form, dtype, global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    counts = rng.poisson(0.4, size=(60, 9)).astype(dtype)
    counts[0] = 1
    ours, namesake = pair("TfidfTransformer", parameters)
    ours.fit(form(counts))
    for part in np.array_split(1 + rng.permutation(59)[:40], 5):
        kept = ours.unlearn(part).sample_ids_
        with np.errstate(divide="ignore"):
            namesake.fit(form(counts[kept]))
        assert_array_equal(ours.idf_, namesake.idf_)
        assert ours.idf_.dtype == namesake.idf_.dtype
        assert_equal_outputs(ours.transform(form(counts)), namesake.transform(form(counts)))
    assert_equal_outputs(ours.to_predictor().transform(counts), namesake.transform(counts))


@pytest.mark.fast
def test_outputs_stay_only_while_nothing_in_them_changes():
    texts = ["red pear", "red pear", "blue pear", "green fig"]
    model = CountVectorizer().fit(texts)
    for rows, stays in (([0], True), ([3], False)):
        rows = np.array(rows)
        assert model._keeps_outputs(model._after(model._unlearn(rows)), rows) == stays
    counts = model.transform(texts).astype(float)
    weighed = TfidfTransformer(norm=None).fit(counts)
    rows = np.array([0])
    assert not weighed._keeps_outputs(weighed._after(weighed._unlearn(rows)), rows)
    assert_allclose(weighed._affine_map().of(counts.toarray()), weighed.transform(counts).toarray())
    assert not hasattr(TfidfTransformer().fit(counts), "_affine_map")
    plain = TfidfTransformer(use_idf=False).fit(counts)
    assert plain._keeps_outputs(plain._after(plain._unlearn(rows)), rows)


def test_a_pipeline_of_texts_forgets(global_random_seed):
    texts = make_texts(global_random_seed)
    y = np.random.default_rng(global_random_seed).integers(0, 2, 120)
    make = lambda: make_pipeline(CountVectorizer(), TfidfTransformer(), MultinomialNB())  # noqa: E731
    pipe = make().fit(texts, y).unlearn([3, 30, 77])
    kept = np.delete(np.arange(120), [3, 30, 77])
    again = make().fit([texts[i] for i in kept], y[kept])
    assert_array_equal(pipe.predict_proba(texts), again.predict_proba(texts))
