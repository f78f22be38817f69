"""Rewards that come some steps late: how many is found, and each goes to its action."""

from math import sqrt

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calls import call_find_delay
from dynlive_rl import DynLiveAgent
from dynlive_rl.agents import AgentConfig, OptimisationConfig
from dynlive_rl.agents.kernels import delays
from dynlive_rl.agents.kernels.experience import RowKind
from dynlive_rl.agents.kernels.scaling import ScalerRow

MEAN, DEVIATION = 0.1, 1.3  # of what is observed
LATE = "dynlive_rl.envs:DynLive/DelayedReward-v0"


def looking(**spaces):
    """An agent without memory that looks for delays of less than 40 steps."""
    return DynLiveAgent(config=AgentConfig(optimisation=OptimisationConfig(reward_delays=40)), seed=0, **spaces)


def delay_of(agent):
    return agent.interaction.learner.progress["reward_delay"][0]


# -- the kernel and its slow twin ------------------------------------------------------------------------------------


def find_by_hand(agent, age, count):
    """What `find_delay` returns, one pair of an action and a reward at a time."""
    experience = agent.experience
    products = {}
    for env in range(experience.rows.size):
        rows = range(max(experience.rows[env] - 1 - age, 0), experience.rows[env] - 1)
        steps = [row for row in rows if experience.kind[env, row] == RowKind.STEP]
        mean = np.mean(experience.reward[env, steps])
        for row in steps:
            x = (experience.observation[env, row, 0] - MEAN) / DEVIATION
            contexts = 1.0, 1 / (1 + np.exp(-x)) - 0.5
            for delay in range(count):
                later = row + delay
                if later > rows[-1] or (experience.kind[env, row : later + 1] != RowKind.STEP).any():
                    break
                for d, first in enumerate(agent.action_offsets[:-1]):
                    options = agent.action_offsets[d + 1] - first
                    chance = experience.probability[env, row, d]
                    for k in range(options):
                        is_taken = k == experience.action[env, row, d]
                        innovation = 1 - chance if is_taken else -(1 - chance) / (options - 1)
                        for i, context in enumerate(contexts):
                            effect = innovation * context * (experience.reward[env, later] - mean)
                            products.setdefault((delay, first + k, i), []).append(effect)
    scores = np.zeros(count)
    for (delay, _, _), each in products.items():
        if len(each) >= delays.FEW_PAIRS:
            scores[delay] = max(scores[delay], abs(np.sum(each)) / sqrt(np.sum(np.square(each))))
    sure = np.flatnonzero(scores >= delays.SURE)
    if not sure.size:
        return -1, scores
    first = sure[0]
    before = scores[max(first - delays.BEFORE, 0) : first].max(initial=0)
    return (first if before <= scores[first] / 2 and scores.max() <= 2 * scores[first] else 0), scores


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 10**6), delay=st.integers(0, 20), noise=st.floats(0, 2), ends=st.floats(0, 0.02),
    spread=st.integers(1, 4),
)  # fmt: skip
def test_a_delay_is_found_as_its_slow_twin_finds_it(seed, delay, noise, ends, spread):
    rng = np.random.default_rng(seed)
    agent = looking(observation_space=Box(-10, 10, (1,)), action_space=MultiDiscrete([2, 3]))
    state, rows = agent.interaction.learner.state, 300
    experience = state.experience
    experience.observation[0, :rows, 0] = rng.normal(size=rows)
    state.scaler[[ScalerRow.MEAN, ScalerRow.VARIANCE], 0] = MEAN, DEVIATION**2
    kinds = rng.choice([RowKind.STEP, RowKind.TERMINATED, RowKind.TRUNCATED], rows, p=[1 - 2 * ends, ends, ends])
    experience.kind[0, :rows] = kinds
    for d, options in enumerate((2, 3)):
        experience.action[0, :rows, d] = rng.integers(options, size=rows)
        experience.probability[0, :rows, d] = rng.uniform(0.2, 0.9, rows)
    worth = (experience.action[0, :rows, 1] == 2) * (experience.observation[0, :rows, 0] > 0)
    for k in range(spread):  # all at once, or little by little
        experience.reward[0, delay + k : rows] += worth[: rows - delay - k]
    experience.reward[0, :rows] += noise * rng.normal(size=rows)
    experience.rows[0] = rows
    for age in (rows, 250):
        found, scores = find_by_hand(state, age, 30)
        if np.abs(scores - delays.SURE).min() > 1e-3:  # else rounding decides
            assert call_find_delay(state, age, 30) == found


# -- what an agent makes of it ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("delay", "steps"), [(1, 600), (5, 600), (50, 1_500), (500, 6_000)])
def test_late_rewards_are_learned_from_at_any_delay(delay, steps):
    env = gym.make(LATE, delay=delay)
    agent = DynLiveAgent(env, seed=0, recurrent=True).learn(steps, progress_bar=False)
    assert delay_of(agent) == delay
    scored = env.unwrapped.scored
    assert agent.evaluate(10, seed=1).mean > 0.9 * scored  # half of it is what a constant policy gets


def test_environments_side_by_side_tell_together():
    envs = gym.make_vec(LATE, num_envs=4, delay=20)
    agent = DynLiveAgent(envs, seed=0, recurrent=True).learn(2_000, progress_bar=False)
    assert delay_of(agent) == 20
    assert agent.evaluate(10, seed=1).mean > 0.9 * 90


@pytest.mark.parametrize(
    "env", ["CartPole-v1", "Pendulum-v1", "MountainCar-v0", "MountainCarContinuous-v0", "Acrobot-v1", "FrozenLake-v1"]
)
def test_rewards_that_come_at_once_are_not_late(env):
    config = AgentConfig(optimisation=OptimisationConfig(reward_delays=1024))
    agent = DynLiveAgent(env, seed=0, config=config).learn(2_000, progress_bar=False)
    assert agent.interaction.learner.progress["delay_looked_for"][0] > 1_000
    assert delay_of(agent) == 0


def test_nothing_is_looked_for_by_default():
    agent = DynLiveAgent(gym.make(LATE), seed=0).learn(600, progress_bar=False)
    assert agent.interaction.learner.progress["delay_looked_for"][0] == delay_of(agent) == 0


def test_what_is_in_more_than_a_thousand_values_is_not_looked_at():
    rng = np.random.default_rng(0)
    agent = looking(observation_space=Box(0, 1, (1_100,)), action_space=Discrete(2))
    past, observation = [0.0] * 7, rng.uniform(size=1_100)
    for _ in range(500):
        past.append(float(agent.act(observation)))
        observation = rng.uniform(size=1_100)
        agent.observe(past[-8], observation, False, False)
    assert delay_of(agent) == 7


def test_the_delay_is_in_files_and_experience_need_not_be(tmp_path):
    env = gym.make(LATE, delay=50)
    agent = DynLiveAgent(env, seed=0, recurrent=True).learn(1_500, progress_bar=False)
    agent.save(tmp_path / "agent", include_experience=False)
    loaded = DynLiveAgent.load(tmp_path / "agent", env=gym.make(LATE, delay=50))
    assert delay_of(loaded) == 50
    loaded.learn(1_000, progress_bar=False)  # the first steps of which have no reward yet
    assert loaded.evaluate(10, seed=1).mean > 0.9 * 150
