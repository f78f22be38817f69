"""Settings for all tests."""

import signal

import numpy as np
import pytest
from hypothesis import settings
from numba import config

# What they share says what differed, too.
pytest.register_assert_rewrite("helpers", "networks")

# The same examples every time: a test that passes here passes everywhere.
settings.register_profile("dynlive", derandomize=True, deadline=None, max_examples=12)
settings.load_profile("dynlive")

if config.DISABLE_JIT:  # compiled arithmetic is silent too
    np.seterr(all="ignore")

if (
    signal.getsignal(signal.SIGINT) == signal.SIG_IGN
):  # as in what a shell runs in the background, and all that it starts
    signal.signal(signal.SIGINT, signal.default_int_handler)
