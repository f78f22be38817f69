"""The examples in the docstrings do what they say."""

import doctest
import importlib

import pytest

NAMES = [
    *("activations", "builder", "network", "estimators"),
    *("agents.agent", "agents.pictures", "envs.schedules", "envs.drift_cartpole"),
]


@pytest.mark.parametrize("name", NAMES)
def test_examples_in_docstrings(name):
    if name == "estimators":
        pytest.importorskip("sklearn")
    result = doctest.testmod(importlib.import_module(f"dynlive_rl.{name}"))
    assert result.attempted > 0
    assert result.failed == 0
