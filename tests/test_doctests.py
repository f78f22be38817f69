"""The examples in the docstrings do what they say."""

import doctest
import importlib

import pytest

NAMES = [
    *("activations", "builder", "network", "estimators"),
    *("agents.agent", "agents.pictures", "envs.schedules", "envs.drift_cartpole"),
    *("agents.sb3.model", "agents.sb3.monitor", "agents.sb3.vectors"),
]


@pytest.mark.parametrize("name", NAMES)
def test_examples_in_docstrings(name):
    if name == "estimators":
        pytest.importorskip("sklearn")
    if name.startswith("agents.sb3"):
        pytest.importorskip("stable_baselines3")
    result = doctest.testmod(importlib.import_module(f"dynlive_rl.{name}"))
    assert result.attempted > 0
    assert result.failed == 0
