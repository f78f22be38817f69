"""What is tried for its own sake: actions are repeated as long as that leads to something new."""

import gymnasium as gym
import numpy as np
import pytest

from calls import call_nothing_new
from dynlive_rl import DynLiveAgent
from dynlive_rl.agents.kernels.experience import RowKind, as_singles, new_experience
from helpers import experience, progress_of


def is_known(observations, kinds, observed, most):
    """Tell whether the last observation follows a termination, or is among those before it in its episode, the slow way."""
    if len(kinds) > 1 and most > 0 and kinds[-2] == RowKind.TERMINATED:
        return True
    before = []
    for observation, kind in list(zip(observations, kinds, strict=True))[-2::-1][:most]:
        if kind != RowKind.STEP:
            break
        before.append(tuple(observation[:observed]))
    return tuple(observations[-1][:observed]) in before


@pytest.mark.plain
@pytest.mark.parametrize(("capacity", "most", "observed"), [(100, 100, 2), (100, 3, 2), (16, 100, 2), (100, 100, 1)])
def test_what_is_known_is_what_the_twin_knows(capacity, most, observed):
    rng = np.random.default_rng(0)
    stored, seen, kinds, answers = new_experience(2, capacity, as_singles(2), 1), [], [], []
    ends = [RowKind.STEP] * 8 + [RowKind.TERMINATED, RowKind.TRUNCATED]
    for n in range(90):
        seen.append(rng.integers(0, 4, 2).astype(np.float32))
        kinds.append(RowKind.STEP)
        stored.observation[1, n % capacity], stored.kind[1, n % capacity] = seen[-1], kinds[-1]
        stored.rows[1] += 1
        answers.append(call_nothing_new(stored, 1, observed, most))
        assert answers[-1] == is_known(seen, kinds, observed, min(most, capacity - 1))
        kinds[-1] = stored.kind[1, n % capacity] = rng.choice(ends)
    assert 10 < sum(answers) < 80


class Corridor(gym.Env):
    """A corridor with walls at both ends and the only reward in the last of its places; a third action does nothing."""

    def __init__(self, length=12, limit=60):
        self.observation_space, self.action_space = gym.spaces.Box(0, length, (1,)), gym.spaces.Discrete(3)
        self.length, self.limit = length, limit

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place, self.time = 0, 0
        return np.array([0], np.float32), {}

    def step(self, action):
        self.place, self.time = min(max(self.place + (1, -1, 0)[action], 0), self.length), self.time + 1
        there = self.place == self.length
        return np.array([self.place], np.float32), float(there), there, self.time == self.limit, {}


def test_actions_are_repeated_where_they_lead_to_something_new():
    agent = DynLiveAgent(Corridor(length=10**4, limit=10**6), seed=1).learn(1000)
    state = agent.get_state()
    places, actions = state["experience.observation"][0, :1000, 0], state["experience.action"][0, :1000, 0]
    is_new = np.array([places[t] not in places[:t] for t in range(1, 1000)])
    is_same = actions[1:] == actions[:-1]
    assert is_new.sum() > 20
    assert is_same[is_new].mean() > 0.7
    assert is_same[~is_new].mean() < 0.5  # as often as chance has it


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_end_of_a_corridor_is_found_soon(seed):
    agent = DynLiveAgent(Corridor(), seed=seed).learn(1000)
    assert experience(agent).reward[0, :600].any()


@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_episodes_that_end_without_a_reward_are_no_reason_to_stop_searching(seed):
    """A random walk takes 14,000 steps to the first goal of this lake (median), because most of them end in a hole."""
    agent = DynLiveAgent(gym.make("FrozenLake8x8-v1", is_slippery=False), seed=seed).learn(1500)
    assert progress_of(agent)["max_return"] == 1


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(10))
def test_an_empty_room_is_solved(seed):
    pytest.importorskip("minigrid")
    wrappers = pytest.importorskip("minigrid.wrappers")

    def room():
        return gym.wrappers.FlattenObservation(wrappers.ImgObsWrapper(gym.make("MiniGrid-Empty-5x5-v0")))

    agent = DynLiveAgent(room(), seed=seed).learn(3000)
    assert agent.evaluate(5, env=room()).mean >= 0.9
