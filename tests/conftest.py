"""Settings of hypothesis for all tests."""

from hypothesis import settings

# The same examples every time: a test that passes here passes everywhere.
settings.register_profile("dynlive", derandomize=True, deadline=None, max_examples=12)
settings.load_profile("dynlive")
