"""Wide observations: rates are as high as the values that change from step to step allow."""

import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete
from numpy.testing import assert_allclose

from calls import call_width_factor
from dynlive_rl import DynLiveAgent
from dynlive_rl.agents import AgentConfig
from dynlive_rl.agents.config import NetworkConfig
from helpers import progress_of


def settings_of(agent):
    return agent.interaction.learner._settings


def agent_of(space, **settings):
    return DynLiveAgent(observation_space=space, action_space=Discrete(2), seed=0, **settings)


@pytest.mark.parametrize(("share", "factor"), [(1.0, 1), (0.5, 2), (0.25, 4), (0.125, 8), (0.01, 8), (0.0, 8)])
def test_rates_grow_as_fewer_values_change(share, factor):
    """32 values are read, and 4 of them would be read at the full rate."""
    agent = agent_of(Box(0, 1, (100,)))
    progress_of(agent)["change_share"] = share
    assert_allclose(call_width_factor(agent.interaction.learner.progress, settings_of(agent)), factor)


@pytest.mark.parametrize("space", [Box(0, 1, (32,)), Box(-np.inf, np.inf, (8,)), Discrete(500)])
def test_other_observations_have_no_factor(space):
    agent = agent_of(space)
    assert call_width_factor(agent.interaction.learner.progress, settings_of(agent)) == 1


def test_full_rates_are_no_higher():
    agent = agent_of(Box(0, 1, (100,)), config=AgentConfig(network=NetworkConfig(full_rate_inputs=32)))
    assert call_width_factor(agent.interaction.learner.progress, settings_of(agent)) == 1


def test_what_changes_is_counted():
    """Of 42 values a step changes three of the first part, one of the second and which option of the third holds."""
    space = Dict({
        "far": Box(-np.inf, np.inf, (20,)), "image": Box(0, 255, (12,), np.uint8), "place": Discrete(10),
    })  # fmt: skip
    agent, rng = agent_of(space), np.random.default_rng(0)
    seen = {"far": rng.normal(size=20).astype(np.float32), "image": np.arange(12, dtype=np.uint8), "place": 3}
    agent.act(seen)
    for number in range(5):
        seen = {name: np.array(part) for name, part in seen.items()}
        seen["far"][:3] += 1
        seen["image"][number] += 1
        seen["place"] = np.int64((seen["place"] + 1) % 10)
        agent.observe(1.0, seen, number == 4, False)
        if number < 4:
            agent.act(seen)
    assert_allclose(progress_of(agent)["change_share"], 6 / 42)
    agent.act({name: np.array(part) + 1 for name, part in seen.items()})  # an episode's first observation is no change
    assert_allclose(progress_of(agent)["change_share"], 6 / 42)
