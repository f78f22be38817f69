"""Settings for all tests."""

import pytest
from hypothesis import settings

# What they share says what differed, too.
pytest.register_assert_rewrite("helpers", "networks")

# The same examples every time: a test that passes here passes everywhere.
settings.register_profile("dynlive", derandomize=True, deadline=None, max_examples=12)
settings.load_profile("dynlive")
