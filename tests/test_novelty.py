"""Novelty: observations are counted where they recur, and what seldom came is paid for."""

from collections import Counter

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from calls import call_novelty_weight, call_observations_recur, call_slot_of, call_write_bonuses, count_visits
from dynlive_rl import CheckpointError, DynLiveAgent
from dynlive_rl.agents import AgentConfig, ExplorationConfig
from dynlive_rl.agents.kernels import novelty
from dynlive_rl.agents.kernels.experience import RowKind, as_singles, new_experience
from dynlive_rl.agents.kernels.novelty import MOST_COUNTED, new_visits
from dynlive_rl.agents.kernels.progress import new_progress
from helpers import cart, experience, progress_of

OFF = AgentConfig(exploration=ExplorationConfig(novelty=0.0))


def visits_of(agent):
    return agent.interaction.learner.state.visits


def random_rows(rng, rows, values, end):
    """Experience of one environment: observations of two values, each one of so many, and episodes that end at random."""
    filled = new_experience(1, rows, as_singles(2), 1)
    filled.observation[0] = rng.integers(0, values, (rows, 2))
    filled.kind[0] = np.where(rng.random(rows) < end, RowKind.TERMINATED, RowKind.STEP)
    filled.rows[:] = rows
    return filled


# -- the kernels and their slow twins ----------------------------------------------------------------------------------


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6), values=st.integers(1, 12), observed=st.integers(1, 2), end=st.floats(0, 0.3),
    weight=st.floats(0.001, 1000),
)  # fmt: skip
def test_bonuses_are_what_counting_by_hand_gives(seed, values, observed, end, weight):
    rng = np.random.default_rng(seed)
    rows, width = 60, 11
    filled, progress, visits = random_rows(rng, rows, values, end), new_progress(), new_visits()
    count_visits(progress, visits, filled, 0, observed)
    seen = [tuple(row[:observed]) for row in filled.observation[0].tolist()]
    counts = Counter(seen)
    slots = {call_slot_of(filled, 0, row, observed) for row in range(rows)}
    assert len(slots) == len(counts)  # of so few none share a counter
    assert sorted(visits[visits > 0]) == sorted(counts.values())
    assert progress["counted_observations"] == rows
    assert progress["distinct_observations"] == len(counts)
    assert call_observations_recur(progress) == (2 * len(counts) < rows)

    starts, bonus = rng.integers(0, rows - width, 3), np.full(3 * width, np.nan)
    call_write_bonuses(filled, visits, np.array([[0] * 3, starts]), width, observed, weight, bonus)
    paid = {
        (s, t): 1 / np.sqrt(counts[seen[start + t + 1]])
        for s, start in enumerate(starts)
        for t in range(width - 1)
        if filled.kind[0, start + t] == RowKind.STEP
    }
    mean = np.mean(list(paid.values())) if paid else 0.0
    expected = [weight * (paid[s, t] - mean) if (s, t) in paid else 0.0 for s in range(3) for t in range(width)]
    assert_allclose(bonus, expected, atol=1e-12 * weight)


def test_rows_of_any_kind_are_told_apart_and_equal_ones_are_not():
    space = Dict({"far": Box(-np.inf, np.inf, (2,)), "image": Box(0, 255, (3,), np.uint8), "place": Discrete(5)})
    agent = DynLiveAgent(observation_space=space, action_space=Discrete(2), seed=0)
    one = {"far": np.array([0.5, 0.0], np.float32), "image": np.array([1, 2, 3], np.uint8), "place": 2}
    others = [
        one | {"far": np.array([0.5, -0.0], np.float32)},
        one | {"far": np.array([0.0, 0.5], np.float32)},
        one | {"image": np.array([1, 2, 4], np.uint8)},
        one | {"place": 3},
    ]
    agent.act(one)
    for following in (*others, one):
        agent.observe(0.0, following, False, False)
    progress = progress_of(agent)
    assert (progress["counted_observations"], progress["distinct_observations"]) == (6, 4)
    assert sorted(visits_of(agent)[visits_of(agent) > 0]) == [1, 1, 1, 3]  # -0 is 0


def test_hashes_spread_over_all_counters():
    filled = new_experience(1, 4096, as_singles(2), 1)
    filled.observation[0] = np.stack(np.divmod(np.arange(4096), 64), axis=1)
    slots = [call_slot_of(filled, 0, row, 2) for row in range(4096)]
    expected = novelty.SLOTS * (1 - (1 - 1 / novelty.SLOTS) ** 4096)
    assert abs(len(set(slots)) - expected) < 60  # about four deviations
    assert np.histogram(slots, 16, (0, novelty.SLOTS))[0].min() > 150


def test_what_is_too_much_to_count_is_not_counted():
    rows = MOST_COUNTED + 3_000
    filled, progress, visits = new_experience(1, rows, as_singles(1), 1), new_progress(), new_visits()
    filled.observation[0, :, 0] = np.arange(rows) // 3
    filled.rows[:] = rows
    count_visits(progress, visits, filled, 0, 1)
    assert call_observations_recur(progress)
    filled.observation[0, :, 0] = np.arange(rows) + rows
    count_visits(progress, visits, filled, 0, 1)
    assert not call_observations_recur(progress)
    assert progress["distinct_observations"] == MOST_COUNTED + 1
    assert not visits.any()
    filled.observation[:] = 0
    for _ in range(5):
        count_visits(progress, visits, filled, 0, 1)
    assert not call_observations_recur(progress)


def test_novelty_is_worth_so_many_typical_rewards_until_one_is_above_all_losses():
    progress, numbers = new_progress(), AgentConfig().settings()
    half_life, times = AgentConfig().exploration.entropy_half_life, AgentConfig().exploration.novelty
    progress["steps"] = progress["counted_observations"] = 100
    progress["distinct_observations"] = 10
    assert call_novelty_weight(progress, numbers) == 1  # all rewards are 0
    progress["lowest_reward"], progress["reward_sum"], progress["reward_square_sum"] = -0.2, -2.0, 0.4
    typical = np.sqrt(0.4 / 100)
    assert_allclose(call_novelty_weight(progress, numbers), times * typical)
    progress["entropy_clock"] = 2 * half_life
    assert_allclose(call_novelty_weight(progress, numbers), times * typical / 5)  # fades as the entropy does
    beside = AgentConfig().exploration.novelty_beside_gains
    progress["highest_reward"] = 0.001  # may be noise
    assert_allclose(call_novelty_weight(progress, numbers), beside * typical / 5)
    progress["highest_reward"] = 0.599
    assert_allclose(call_novelty_weight(progress, numbers), beside * typical / 5)
    progress["highest_reward"] = 0.601  # clearly above all losses
    assert call_novelty_weight(progress, numbers) == 0
    progress["lowest_reward"], progress["highest_reward"] = 0, 0.001  # nothing was ever lost
    assert call_novelty_weight(progress, numbers) == 0
    progress["lowest_reward"], progress["highest_reward"] = -0.2, 0
    progress["distinct_observations"] = 60  # hardly any came again
    assert call_novelty_weight(progress, numbers) == 0
    progress["distinct_observations"] = 10
    numbers["natural_gradient"] = 1  # cells keep the value of what was never tried
    assert call_novelty_weight(progress, numbers) == 0


def test_novelty_of_rewards_far_from_0_is_that_of_their_differences():
    """Rewards of -101 and -100 count as -4 and -3: what is left of them is three times their range."""
    progress, numbers = new_progress(), AgentConfig().settings()
    progress["steps"] = progress["counted_observations"] = 100
    progress["distinct_observations"] = 10
    progress["lowest_reward"], progress["highest_reward"] = -101, -100
    progress["reward_sum"], progress["reward_square_sum"] = -10_050, 50 * (101**2 + 100**2)
    typical = np.sqrt((16 + 9) / 2)
    assert_allclose(call_novelty_weight(progress, numbers), AgentConfig().exploration.novelty * typical)


# -- agents ------------------------------------------------------------------------------------------------------------


class DeepSea(gym.Env):
    """A diver sinks a row a step, to the left or, at a small price, to the right; far right in the last row lies a treasure.

    After Osband et al. (2019); which action goes right is another one at every place.
    """

    observation_space, action_space = Box(0, 1, (100,)), Discrete(2)

    def __init__(self, noise=0.0):
        self.noise, self.random = noise, np.random.default_rng(0)

    def reset(self, seed=None, options=None):
        self.rights = np.random.default_rng(5).integers(2, size=(10, 10))
        self.row = self.column = 0
        return self.seen(), {}

    def seen(self):
        seen = np.zeros((10, 10), np.float32)
        if self.row < 10:
            seen[self.row, self.column] = 1
        return seen.ravel()

    def step(self, action):
        is_right = action == self.rights[self.row, self.column]
        found = is_right and self.row == self.column == 9
        luck = self.noise * self.random.normal() if self.column == 0 and not is_right else 0.0
        self.column = min(self.column + 1, 9) if is_right else max(self.column - 1, 0)
        self.row += 1
        return self.seen(), found + luck - 0.01 / 10 * is_right, self.row == 10, False, {}


@pytest.mark.parametrize("seed", range(3))
def test_what_costs_at_every_step_is_explored_to_its_end(seed):
    """Uniform choices find the treasure once in 1,024 episodes, and whoever learns from costs alone never does."""
    agent = DynLiveAgent(DeepSea(), seed=seed).learn(4_000, progress_bar=False)
    assert agent.evaluate(1, seed=1).mean > 0.9


@pytest.mark.parametrize("seed", range(2))
def test_noise_that_is_above_0_now_and_then_ends_no_search(seed):
    agent = DynLiveAgent(DeepSea(noise=1.0), seed=seed).learn(4_000, progress_bar=False)
    assert agent.evaluate(1, seed=1).mean > 0.9


def test_without_novelty_it_is_not():
    agent = DynLiveAgent(DeepSea(), seed=0, config=OFF).learn(4_000, progress_bar=False)
    assert agent.evaluate(1, seed=1).mean <= 0


def test_where_nothing_recurs_novelty_changes_nothing():
    one, other = cart().learn(1_500, progress_bar=False), cart(config=OFF).learn(1_500, progress_bar=False)
    assert progress_of(one)["distinct_observations"] > 1_400
    assert np.array_equal(experience(one).action, experience(other).action)
    assert np.array_equal(one.get_state()["critic.strength"], other.get_state()["critic.strength"])


class Nothing(gym.Env):
    """Two bits, of which an action sets one, and no reward before there are some."""

    observation_space, action_space = Box(0, 1, (2,)), Discrete(4)
    reward = 0.0

    def reset(self, seed=None, options=None):
        self.bits = np.zeros(2, np.float32)
        return self.bits.copy(), {}

    def step(self, action):
        self.bits[action // 2] = action % 2
        return self.bits.copy(), self.reward, False, False, {}


def test_clocks_stand_still_until_there_is_a_reward():
    env = Nothing()
    agent = DynLiveAgent(env, seed=0).learn(300, progress_bar=False)
    assert (progress_of(agent)["clock"], progress_of(agent)["entropy_clock"]) == (0, 0)
    assert progress_of(agent)["rehearsals"] > 10
    env.reward = -0.5
    agent.learn(100, progress_bar=False)
    assert (progress_of(agent)["clock"], progress_of(agent)["entropy_clock"]) == (100, 100)


class Rooms(gym.Env):
    """Three rooms with two doors; the only reward is 1, at a place that is 24 steps away."""

    observation_space, action_space = Box(0, 9, (2,)), Discrete(4)
    walls = {(row, 5) for row in range(10) if row != 8} | {(4, column) for column in range(5, 10) if column != 6}

    def reset(self, seed=None, options=None):
        self.place, self.steps = (0, 0), 0
        return np.array(self.place, np.float32), {}

    def step(self, action):
        shift = ((-1, 0), (0, 1), (1, 0), (0, -1))[action]
        place = tuple(min(max(one + by, 0), 9) for one, by in zip(self.place, shift, strict=True))
        self.place = self.place if place in self.walls else place
        self.steps += 1
        found = self.place == (0, 9)
        return np.array(self.place, np.float32), float(found), found, self.steps == 200, {}


@pytest.mark.parametrize("seed", range(3))
def test_a_goal_far_away_is_found_and_approached_ever_faster(seed):
    """All returns are 0 or 1, so that they do not tell that a way is long; before, greedy agents never arrived at all."""
    agent = DynLiveAgent(Rooms(), seed=seed).learn(6_000, progress_bar=False)
    result = agent.evaluate(1, seed=1)
    assert result.mean == 1
    assert progress_of(agent)["mean_terminated_length"] < 34


# -- files -------------------------------------------------------------------------------------------------------------


def test_counts_are_saved_and_learning_goes_on_bit_for_bit(tmp_path):
    agent = DynLiveAgent(DeepSea(), seed=1).learn(400, progress_bar=False)
    agent.save(tmp_path / "agent")
    loaded = DynLiveAgent.load(tmp_path / "agent", env=DeepSea())
    assert np.array_equal(visits_of(loaded), visits_of(agent))
    assert visits_of(agent).sum() == progress_of(agent)["counted_observations"] > 400
    for one in (agent, loaded):
        one.learn(300, progress_bar=False)
    assert np.array_equal(experience(agent).action, experience(loaded).action)


def test_counts_of_another_agent_do_not_stay():
    agent = DynLiveAgent(observation_space=MultiBinary(20), action_space=Discrete(2), seed=0)
    fresh = agent.get_state()
    agent.act(np.ones(20, np.int8))
    agent.observe(1.0, np.zeros(20, np.int8), False, False)
    assert visits_of(agent).sum() == 2
    agent.set_state(fresh)
    assert not visits_of(agent).any()


def test_counts_that_do_not_fit_are_refused():
    agent = DynLiveAgent(DeepSea(), seed=1).learn(100, progress_bar=False)
    state = agent.get_state()
    changed = state | {"visits": np.where(state["visits"] > 0, 1, 1).astype(np.int32)}
    with pytest.raises(CheckpointError, match="'visits' must count"):
        agent.set_state(changed)
    with pytest.raises(CheckpointError, match="'visits' must count"):
        agent.set_state({name: array for name, array in state.items() if name != "visits"})
    with pytest.raises(CheckpointError, match="visits"):
        agent.set_state(state | {"visits": -state["visits"]})
    agent.learn(50, progress_bar=False)
