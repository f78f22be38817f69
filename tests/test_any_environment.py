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


# -- what observations are told in -----------------------------------------------------------------------------------


class Told(Side):
    """As Side, told in other words: `tell` makes of x and of how many observations there have been what is seen."""

    observation_space = Box(-np.inf, np.inf, (2,), np.float64)

    def __init__(self, tell, limit=None):
        super().__init__(limit=limit)
        self.tell, self.looks = tell, 0

    def look(self):
        self.looks += 1
        return self.tell(super().look().astype(float), self.looks)


def exponential(x, looks=0):
    return np.exp(8 * x)


def symmetric_tails(x, looks=0):
    return np.sinh(8 * x)


def first_reading_is_a_glitch(x, looks):
    return np.array([1e6, x[1]]) if looks == 1 else x


def late_glitch(x, looks):
    return np.array([-1e9, x[1]]) if looks == 3_000 else x


def sentinels(x, looks):
    return np.where(np.random.default_rng(looks).random(2) < 0.1, -999.0, x)


def right_of_told(agent, tell=lambda x: x):
    actions = agent.predict(np.array([tell(x) for x in OBSERVATIONS.astype(float)]), deterministic=True)[0]
    return np.mean(actions == (OBSERVATIONS[:, 0] > 0.2))


def check_heavy_tails(seed, steps):
    agent = DynLiveAgent(Told(exponential, limit=20), seed=seed)
    for _ in range(steps // 1_000):
        agent.learn(1_000, progress_bar=False, reset_num_timesteps=False)
        assert right_of_told(agent, exponential) >= 0.85
    assert agent.task_changes == 0


def test_heavy_tails_are_learned_and_are_no_other_world():
    check_heavy_tails(2, 3_000)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [1, 2, 3, 5, 7, 8, 9, 10])
def test_heavy_tails_are_learned_and_stay_so(seed):
    check_heavy_tails(seed, 8_000)


@pytest.mark.parametrize("mode", ["rehearsal", "live"])
def test_a_first_reading_that_is_a_glitch_blinds_nobody(mode):
    agent = DynLiveAgent(Told(first_reading_is_a_glitch), seed=1, mode=mode).learn(3_000, progress_bar=False)
    assert right_of_told(agent) >= 0.95


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["rehearsal", "live"])
@pytest.mark.parametrize("limit", [None, 20])
@pytest.mark.parametrize(
    ("tell", "then"),
    [
        (symmetric_tails, symmetric_tails), (exponential, exponential), (sentinels, lambda x: x), (late_glitch, lambda x: x),
        (lambda x, looks: x * (0.01 if looks > 2_000 else 1), lambda x: 0.01 * x),
        (lambda x, looks: x * (100 if looks > 2_000 else 1), lambda x: 100 * x),
    ],
    ids=["sinh", "exp", "sentinels", "late glitch", "smaller", "larger"],
)  # fmt: skip
def test_observations_may_be_told_in_other_words(request, tell, then, limit, mode):
    if request.node.callspec.id == "smaller-None-rehearsal":
        # Seed 13 does the same thing whatever it sees, for good: where there are no episodes no loss of return is noticed.
        request.applymarker(pytest.mark.xfail(strict=True))
    shares = []
    for seed in range(11, 14):
        agent = DynLiveAgent(Told(tell, limit), seed=seed, mode=mode).learn(8_000, progress_bar=False)
        shares.append(right_of_told(agent, then))
    assert min(shares) >= 0.8
    assert np.median(shares) >= 0.88


def life(mode, spike=1.0, scale=1.0):
    """Shares of right actions in eight parts of 20,000 steps; one reading is a spike, and from then on the scale is new."""
    agent = DynLiveAgent(observation_space=Box(-np.inf, np.inf, (1,)), action_space=Discrete(2), mode=mode, seed=0)
    rng, right = np.random.default_rng(0), []
    x = rng.uniform(-1, 1)
    for t in range(20_000):
        action = agent.act(np.array([x], np.float32))
        right.append(action == (x > 0))
        x = rng.uniform(-1, 1) * (spike if t == 5_000 else scale if t > 5_000 else 1.0)
        agent.observe(float(right[-1]), np.array([x], np.float32), t % 10 == 9, False)
        if t % 10 == 9:
            x = float(np.clip(x, -1, 1))
    return np.reshape(right, (8, 2_500)).mean(axis=1)


@pytest.mark.parametrize("change", [{"spike": 1e6}, {"scale": 0.01}, {"scale": 100.0}])
def test_a_spike_or_another_scale_is_survived_live(change):
    assert life("live", **change)[-2:].min() >= 0.85


@pytest.mark.slow
@pytest.mark.parametrize("change", [{"spike": 1e6}, {"scale": 0.01}, {"scale": 100.0}])
def test_a_spike_or_another_scale_is_survived_in_rehearsal(change):
    assert life("rehearsal", **change)[-2:].min() >= 0.9


# -- actions ---------------------------------------------------------------------------------------------------------


class Offset(Side):
    """As Side, with a constant in all rewards."""

    def __init__(self, offset, limit):
        super().__init__(limit=limit)
        self.offset = offset

    def step(self, action):
        observation, reward, *ended = super().step(action)
        return observation, reward + self.offset, *ended


@pytest.mark.parametrize(
    ("mode", "offset", "steps"), [("rehearsal", -100, 2_500), ("live", -100, 8_000), ("live", 100, 8_000)]
)
def test_a_constant_in_all_rewards_does_not_matter(mode, offset, steps):
    assert share_of_right_actions(Offset(offset, limit=20), 1, steps, mode) >= 0.9


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["rehearsal", "live"])
@pytest.mark.parametrize("limit", [7, 20, 10**9])
@pytest.mark.parametrize("offset", [-1e4, -100, -30, 30, 100, 1e4])
def test_a_constant_in_all_rewards_does_not_matter_at_any_limit(offset, limit, mode):
    assert np.median([share_of_right_actions(Offset(offset, limit), seed, 8_000, mode) for seed in range(5)]) >= 0.9


class Priced(gym.Env):
    """Every action has its price or its reward, whatever is seen; after 20 steps comes a time limit."""

    observation_space, action_space = Box(-1, 1, (2,)), Discrete(3)

    def __init__(self, rewards):
        self.rewards, self.paid = rewards, []

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.time = 0
        return self.np_random.uniform(-1, 1, 2).astype(np.float32), {}

    def step(self, action):
        self.time += 1
        self.paid.append(self.rewards[action])
        return self.np_random.uniform(-1, 1, 2).astype(np.float32), self.paid[-1], False, self.time == 20, {}


@pytest.mark.parametrize("rewards", [(-1.0, 0.0, 1.0), (0.0, 0.5, 1.0), (-3.0, -2.0, -1.0)])
def test_actions_that_only_differ_in_price_are_not_tried_for_ever(rewards):
    env = Priced(rewards)
    DynLiveAgent(env, seed=0).learn(4_000, progress_bar=False)
    spread = max(rewards) - min(rewards)
    assert np.mean(env.paid[-1_000:]) > max(rewards) - 0.05 * spread


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
