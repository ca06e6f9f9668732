"""Strings are held no wider than the longest of them."""

import numpy as np
import pytest

from skunlearn._samples.store import SampleStore
from skunlearn._samples.strings import narrowed

pytestmark = pytest.mark.fast


@pytest.mark.parametrize("kind", ["U", "S"])
def test_arrays_of_strings_get_the_width_of_the_longest(kind):
    wide = np.array(["a", "bcd", ""]).astype(f"{kind}20")
    narrow = narrowed(wide)
    assert narrow.dtype == np.dtype(f"{kind}3")
    assert narrow.tolist() == wide.tolist()
    assert narrowed(narrow) is narrow
    assert narrowed(wide[:0]).dtype == np.dtype(f"{kind}1")


@pytest.mark.parametrize("values", [None, np.arange(3), np.array(["a", 1], dtype=object)])
def test_everything_else_stays_as_it_is(values):
    assert narrowed(values) is values


def test_a_store_gives_and_pickles_narrow_labels():
    labels = np.array(["a", "bc", "a much longer label"])
    store = SampleStore(np.zeros((3, 1)), labels)
    state, wipe_rows = store.remove(np.array([2]))
    vars(store).update(state)
    wipe_rows()
    assert store.take(store.slots())[1].dtype == np.dtype("U2")
    assert store.__getstate__()["y"].dtype == np.dtype("U2")
