"""Members of a Code are plain whole numbers in compiled code."""

import numpy as np
import pytest
from numba import njit

from dynlive_rl.kernels.codes import Code


class Row(Code):
    MEAN = 0
    SPREAD = 1


@njit
def index(array):
    array[Row.SPREAD, 1:] = 5
    array[Row.SPREAD, 0] += Row.SPREAD
    return array[Row.MEAN].sum()


@njit
def same(row, number):
    return row == Row.SPREAD, number == Row.SPREAD


@njit
def misspelt():
    return Row.SPRAED


def test_a_code_indexes_arrays():
    array = np.ones((2, 3))
    assert index(array) == 3
    assert array.tolist() == [[1, 1, 1], [2, 5, 5]]


def test_a_code_is_compared_with_any_number_and_compiles_nothing_again():
    assert same(Row.SPREAD, 1.0) == (True, True)
    assert same(1, 0.5) == (True, False)
    assert same(np.int64(0), 1.0) == (False, True)
    assert len(same.signatures) == 1


def test_a_name_that_is_none_of_its_members_is_an_error():
    with pytest.raises(Exception, match="SPRAED"):
        misspelt()
