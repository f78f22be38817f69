"""The examples in the docstrings do what they say."""

import doctest
import importlib

import pytest


@pytest.mark.parametrize("name", ["activations", "topology", "network", "estimators", "agents.agent", "envs.schedules"])
def test_examples_in_docstrings(name):
    result = doctest.testmod(importlib.import_module(f"dynlive_rl.{name}"))
    assert result.attempted > 0
    assert result.failed == 0
