"""Kernels run as the plain Python that they are written in: the same is learned there, to rounding."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numba import config
from numpy.testing import assert_allclose, assert_array_equal

import lives

pytestmark = pytest.mark.plain


def test_short_lives_are_the_same_compiled_and_as_plain_python(tmp_path):
    """Every decision, random number and connection is the same; fractions differ by the order in which they are added."""
    other = os.environ | {"NUMBA_DISABLE_JIT": "0" if config.DISABLE_JIT else "1"}
    subprocess.run([sys.executable, Path(lives.__file__), tmp_path / "lives.npz"], env=other, check=True)
    with np.load(tmp_path / "lives.npz") as file:
        there = dict(file)
    here = lives.lives()
    assert here.keys() == there.keys()
    assert sum(name.endswith("chosen") for name in here) == len(lives.LIVES)
    for name, array in here.items():
        if array.dtype.kind == "f":
            largest = np.abs(array).max(initial=0)
            assert_allclose(there[name], array, rtol=0, atol=1e-3 * largest, err_msg=name)
        else:
            assert_array_equal(there[name], array, err_msg=name, strict=True)
