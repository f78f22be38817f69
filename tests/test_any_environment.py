"""What an environment chooses, units, time limits and ranges, does not decide whether the agent learns."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from dynlive_rl import DynLiveAgent

OBSERVATIONS = np.random.default_rng(0).uniform(-1, 1, (1000, 2)).astype(np.float32)


class Side(gym.Env):
    """Action 1 is right where x₁ > 0.2; the best constant action is right in 0.6 of the cases.

    Parameters
    ----------
    unit
        The reward of a right action.
    limit
        Steps until a time limit truncates the episode. None: every step terminates one.
    """

    observation_space, action_space = Box(-1, 1, (2,)), Discrete(2)

    def __init__(self, unit=1.0, limit=None):
        self.unit, self.limit = unit, limit

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.time = 0
        return self.look(), {}

    def look(self):
        self.seen = self.np_random.uniform(-1, 1, 2).astype(np.float32)
        return self.seen

    def step(self, action):
        reward = self.unit * float(action == (self.seen[0] > 0.2))
        self.time += 1
        return self.look(), reward, self.limit is None, self.limit is not None and self.time >= self.limit, {}


def share_of_right_actions(env, seed, steps, mode="rehearsal"):
    agent = DynLiveAgent(env, seed=seed, mode=mode).learn(steps, progress_bar=False)
    return np.mean(agent.predict(OBSERVATIONS, deterministic=True)[0] == (OBSERVATIONS[:, 0] > 0.2))


@pytest.mark.parametrize("seed", [41, 42])
def test_values_that_a_time_limit_cuts_off_can_be_said(seed):
    assert share_of_right_actions(Side(limit=20), seed, 5_000) >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize("limit", [7, 20, 100])
@pytest.mark.parametrize("seed", range(40, 60))
def test_values_that_any_time_limit_cuts_off_can_be_said(seed, limit):
    assert share_of_right_actions(Side(limit=limit), seed, 5_000) >= 0.9


@pytest.mark.parametrize("mode", ["rehearsal", "live"])
@pytest.mark.parametrize("unit", [1e-12, 1e-9, 1e12])
def test_the_unit_of_rewards_does_not_matter(unit, mode):
    assert share_of_right_actions(Side(unit), 1, 3_000, mode) >= 0.95


class Hold(gym.Env):
    """The best action is 0, which lies inside the range but not in its middle."""

    observation_space = Box(-1, 1, (1,))

    def __init__(self, low, high):
        self.action_space = Box(low, high, (1,))

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.time = 0
        return np.zeros(1, np.float32), {}

    def step(self, action):
        self.time += 1
        return np.zeros(1, np.float32), -abs(float(action[0])), False, self.time >= 20, {}


@pytest.mark.parametrize(("low", "high"), [(-1, 10), (-7, 2)])
def test_0_is_a_value_of_a_continuous_action_where_the_range_has_it(low, high):
    agent = DynLiveAgent(Hold(low, high), seed=0).learn(2_000, progress_bar=False)
    assert agent.predict(np.zeros(1, np.float32), deterministic=True)[0] == 0
