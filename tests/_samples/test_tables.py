"""Dense and CSR training tables: owning, wiping, hashing and comparing rows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

from skunlearn._samples.tables import as_table, hash_rows, own, rows_equal, take, wipe

pytestmark = pytest.mark.fast

TABLES = hnp.arrays(
    np.float64,
    hnp.array_shapes(min_dims=2, max_dims=2, max_side=6),
    elements=st.sampled_from([0.0, -0.0, 1.0, -1.0, np.nan, np.inf, 1e-300, 0.1]),
)


def equal(a, b):
    return ((a == b) | ((a != a) & (b != b))).all(axis=-1)


@given(TABLES)
def test_equal_rows_have_equal_hashes_and_others_do_not(X):
    hashes = hash_rows(X)
    assert hashes.dtype == np.uint64
    np.testing.assert_array_equal(
        hashes[:, None] == hashes[None, :], equal(X[:, None, :], X[None, :, :])
    )


@given(TABLES)
def test_a_sparse_row_hashes_the_same_wherever_it_stands(X):
    table = sparse.csr_array(X)
    alone = [hash_rows(table[[row]])[0] for row in range(X.shape[0])]
    np.testing.assert_array_equal(hash_rows(table), alone)


def test_sparse_hashes_use_all_their_bits(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    table = sparse.csr_array(rng.normal(size=(4000, 3)) * (rng.random((4000, 3)) < 0.7))
    hashes = hash_rows(table)
    assert hashes.dtype == np.uint64
    present = np.diff(table.indptr) > 0
    assert np.unique(hashes[present]).size == present.sum()
    assert np.unique(hashes[present] & np.uint64(0xFFF)).size > 1000


def test_sparse_hash_ignores_explicit_zeros_and_entry_order():
    plain = sparse.csr_array(np.array([[0.0, 2.0, 3.0]]))
    odd = sparse.csr_array((np.array([3.0, 0.0, 2.0]), np.array([2, 0, 1]), np.array([0, 3])))
    assert hash_rows(plain) == hash_rows(odd)


def test_hash_of_a_column_order_matters():
    assert np.unique(hash_rows(np.array([[1.0, 2.0], [2.0, 1.0]]))).size == 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, bool])
def test_dtypes_hash_by_value(dtype):
    X = np.array([[0, 1], [1, 1]], dtype=dtype)
    np.testing.assert_array_equal(hash_rows(X), hash_rows(X.astype(np.float64)))


@given(TABLES, st.data())
def test_rows_equal_is_value_equality_with_nan_equal_to_nan(X, data):
    at = data.draw(st.integers(0, X.shape[0] - 1))
    rows = np.arange(X.shape[0])
    truth = equal(X, X[at])
    np.testing.assert_array_equal(rows_equal(X, rows, X, at), truth)
    table = sparse.csr_array(X)
    np.testing.assert_array_equal(rows_equal(table, rows, table, at), truth)


def test_object_rows_compare_and_hash():
    X = np.array([["a", 1], ["a", 1.0], ["b", None], ["b", np.nan]], dtype=object)
    assert hash_rows(X)[0] == hash_rows(X)[1]
    assert hash_rows(X)[2] == hash_rows(X)[3]
    assert rows_equal(X, np.arange(4), X, 0).tolist() == [True, True, False, False]


@pytest.mark.parametrize(
    ("array", "blank"),
    [
        (np.ones((4, 2)), 0.0),
        (np.ones((4, 2), dtype=np.float32), 0.0),
        (np.full((4, 2), "secret"), ""),
        (np.full((4, 2), "secret", dtype=object), None),
        (np.full((4, 2), b"secret"), b""),
        (np.ones((4, 2), dtype=bool), False),
        (np.full(4, np.datetime64("2020-01-01", "ns")), np.datetime64(0, "ns")),
    ],
)
def test_wipe_overwrites_rows_in_place(array, blank):
    kept = array[[0, 2]].copy()
    wipe(array, np.array([1, 3]))
    assert (array[[1, 3]] == blank).all()
    np.testing.assert_array_equal(array[[0, 2]], kept)


def test_wipe_overwrites_sparse_rows_in_place(global_random_seed):
    rng = np.random.default_rng(global_random_seed)
    dense = rng.normal(size=(9, 4)) * (rng.random((9, 4)) < 0.6)
    table = sparse.csr_array(dense)
    secret = table[[2, 5]].data.copy()
    wipe(table, np.array([2, 5]))
    assert not np.isin(secret, table.data).any()
    dense[[2, 5]] = 0.0
    np.testing.assert_array_equal(table.toarray(), dense)


def test_wipe_and_take_leave_none_alone():
    assert wipe(None, np.array([0])) is None
    assert take(None, np.array([0])) is None


def test_take_copies():
    X = np.arange(6.0).reshape(3, 2)
    part = take(X, np.array([0, 1, 2]))
    part[:] = -1.0
    assert X[0, 1] == 1.0


@pytest.mark.parametrize(
    "view",
    [
        lambda X: X,
        lambda X: X[::2],
        lambda X: X[:, ::-1],
        lambda X: X.T,
        lambda X: np.asfortranarray(X),
    ],
)
def test_own_shares_no_memory_and_is_writeable_c_order(view):
    X = np.arange(12.0).reshape(4, 3)
    passed = view(X)
    owned = own(passed, passed)
    assert not np.may_share_memory(owned, X)
    assert owned.flags.c_contiguous
    assert owned.flags.writeable
    np.testing.assert_array_equal(owned, passed)


def test_own_keeps_what_validation_copied():
    source = np.arange(6).reshape(3, 2)
    converted = source.astype(np.float64)
    assert own(converted, source) is converted
    assert own(converted, [[0, 1], [2, 3], [4, 5]]) is converted


def test_own_copies_memory_maps_and_foreign_buffers(tmp_path):
    np.save(tmp_path / "X.npy", np.eye(3))
    mapped = np.load(tmp_path / "X.npy", mmap_mode="r")
    owned = own(mapped, mapped)
    assert type(owned) is np.ndarray
    owned[0, 0] = 5.0
    assert mapped[0, 0] == 1.0


def test_own_copies_sparse_rows_and_sums_duplicates():
    X = sparse.csr_array((np.array([1.0, 2.0]), np.array([1, 1]), np.array([0, 2])), shape=(1, 3))
    owned = own(X, X)
    assert owned.nnz == 1
    assert owned[0, 1] == 3.0
    assert X.nnz == 2
    assert own(None, None) is None


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array, sparse.csc_matrix])
def test_as_table_copies(kind):
    X = kind(np.eye(3))
    table = as_table(X)
    table[0, 0] = 7.0
    assert X[0, 0] == 1.0
    assert table.shape == (3, 3)
