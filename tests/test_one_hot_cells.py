"""Observations of one-hot values and bits: a cell for every value and combination, and plain steps of those who read them."""

from itertools import product

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple
from gymnasium.wrappers import TimeLimit
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from calls import call_share_steps
from dynlive_rl import DynLiveAgent
from dynlive_rl.agents import AgentConfig, NetworkConfig
from dynlive_rl.agents.spaces import ObservationEncoder
from dynlive_rl.kernels.layout import LinkRow, TableRow
from helpers import hidden_activations, hidden_ids
from worlds import Bandit, Corridor


@pytest.mark.parametrize(
    ("space", "components"),
    [
        (Discrete(3, start=-1), ((0, 1, 2),)),
        (MultiDiscrete([2, 3]), ((0, 1), (2, 3, 4))),
        (MultiBinary(2), ((-1, 0), (-2, 1))),
        (Tuple([Discrete(2), MultiBinary(1)]), ((0, 1), (-3, 2))),
        (Dict({"a": Discrete(2), "b": Box(-1, 1, (1,))}), ()),
        (Box(-1, 1, (2,)), ()),
    ],
    ids=str,
)
def test_what_an_observation_is_made_of(space, components):
    assert ObservationEncoder(space).components == components


@pytest.mark.parametrize(
    ("space", "observations", "together"),
    [
        (Discrete(4), [0, 1, 2, 3], 1),
        (MultiDiscrete([2, 3]), list(product(range(2), range(3))), 2),
        (MultiBinary(3), list(product(range(2), repeat=3)), 3),
        (Tuple([Discrete(3), MultiBinary(1)]), [(k, [b]) for k in range(3) for b in range(2)], 2),
    ],
    ids=str,
)
def test_each_combination_excites_a_cell_of_its_own_and_those_of_its_values(space, observations, together):
    agent = DynLiveAgent(observation_space=space, action_space=Discrete(2), seed=0)
    cells = hidden_ids(agent.actor)
    conjunctions = cells[-len(observations) :]
    own = []
    for observation in observations:
        agent.predict(observation)
        activity = agent.interaction.learner.activity
        excited = activity[cells] > 0.5
        assert_allclose(activity[cells], excited, atol=1e-6)
        assert excited.sum() == (1 if together == 1 else 1 + together)
        own += [j for j in conjunctions if activity[j] > 0.5]
    assert sorted(own) == conjunctions


@pytest.mark.parametrize("space", [Box(-1, 1, (2,)), Dict({"a": Discrete(3), "b": Box(-1, 1, (1,))}), MultiBinary(11)])
def test_other_observations_and_too_many_combinations_have_none(space):
    agent = DynLiveAgent(observation_space=space, action_space=Discrete(2), seed=0)
    assert hidden_activations(agent.actor) == ["sigmoid"]


def test_learning_changes_no_cell_and_strengths_stay_shares():
    env = TimeLimit(Corridor(5, price=0.1), 50)
    agent = DynLiveAgent(env, seed=0)
    cells = hidden_ids(agent.actor)
    before = [(agent.critic.strengths(j).copy(), agent.critic.threshold(j)) for j in cells]
    fresh = [agent.critic.strengths(j).copy() for j in agent.critic.output_ids]
    agent.learn(600)
    for j, (strengths, threshold) in zip(cells, before, strict=True):
        assert_allclose(agent.critic.strengths(j), strengths, rtol=0)
        assert agent.critic.threshold(j) == threshold
    for network in (agent.critic, agent.actor):
        for j in network.output_ids:
            assert (network.strengths(j) > 0).all()
            assert network.strengths(j).sum() <= 1 + 1e-5
    assert any(
        agent.critic.strengths(j).size != old.size or (agent.critic.strengths(j) != old).any()
        for j, old in zip(agent.critic.output_ids, fresh, strict=True)
    )


def test_what_was_never_seen_keeps_its_value():
    agent = DynLiveAgent(observation_space=Discrete(4), action_space=Discrete(2), seed=0)
    for _ in range(400):
        agent.act(1)
        agent.observe(-1.0, 1, True, False)
    outputs = np.array([agent.critic.strengths(j) for j in agent.critic.output_ids])
    assert_allclose(outputs[:, [0, 2, 3]], 0.5 / 4, rtol=1e-6)
    assert (outputs[:, 1] < 0.5 / 4).all()


class Arrays:
    """As much of a network as `share_steps` looks at: cells 0 to c - 1 and output neurons after them."""

    def __init__(self, cells, outputs):
        agent = DynLiveAgent(observation_space=Discrete(cells), action_space=Discrete(outputs), seed=0)
        self.net = agent.critic.arrays
        first = int(self.net.table[TableRow.FIRST, self.net.outputs[0]])
        self.cells = self.net.link[LinkRow.SOURCE, first : first + cells]


@given(seed=st.integers(0, 10**6))
def test_samples_that_are_alike_share_their_steps(seed):
    rng = np.random.default_rng(seed)
    shape = ARRAYS.net.table.shape[1] - 1
    output, credit = np.zeros((2, shape, 9), np.float32), np.zeros((2, shape, 9), np.float32)
    said = rng.integers(0, 2, (5, 9)).astype(np.float32)
    said[0] = 1  # every observation excites something
    output[1, ARRAYS.cells] = said
    given_credit = rng.normal(size=(2, 9)).astype(np.float32)
    credit[1, ARRAYS.net.outputs] = given_credit
    most = rng.uniform(0.5, 6)
    call_share_steps(ARRAYS.net, np.any(output[1] != 0, axis=1).astype(np.int8), output, most, credit)
    for b in range(9):
        # The samples that each excited cell has, on average over the cells that this sample excites.
        crowd = np.mean([said[i].sum() for i in range(5) if said[i, b]])
        assert_allclose(credit[1, ARRAYS.net.outputs, b], given_credit[:, b] * min(1, most / crowd), rtol=1e-5)


ARRAYS = Arrays(5, 2)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_bandit_with_costs_only_is_learned(seed):
    class Costs(gym.RewardWrapper):
        def reward(self, reward):
            return reward - 5

    agent = DynLiveAgent(Costs(Bandit(Discrete(4), 2)), seed=seed).learn(800)
    assert agent.predict(0, deterministic=True)[0] == 2


class Conjunction(gym.Env):
    """One step per episode: action 1 is right where both values are equal, which no value tells by itself."""

    def __init__(self):
        self.observation_space, self.action_space = MultiDiscrete([3, 3]), Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.seen = self.np_random.integers(0, 3, 2)
        return self.seen, {}

    def step(self, action):
        return self.seen, float(action == (self.seen[0] == self.seen[1])), True, False, {}


def test_a_combination_is_learned_that_no_value_tells():
    agent = DynLiveAgent(Conjunction(), seed=0).learn(1500)
    for seen in product(range(3), repeat=2):
        assert agent.predict(seen, deterministic=True)[0] == (seen[0] == seen[1])


@pytest.mark.parametrize("seed", [0, 1])
def test_the_cliff_is_walked_along(seed):
    cliff = "CliffWalking-v1" if "CliffWalking-v1" in gym.registry else "CliffWalking-v0"
    agent = DynLiveAgent(gym.make(cliff, max_episode_steps=200), seed=seed).learn(4000)
    assert agent.evaluate(5, max_steps=100).mean >= -15  # -13 at best


@pytest.mark.parametrize("seed", [0, 1])
def test_the_frozen_lake_is_crossed(seed):
    agent = DynLiveAgent(gym.make("FrozenLake-v1", is_slippery=False), seed=seed).learn(4000)
    assert agent.evaluate(5).mean == 1


def test_the_taxi_takes_everyone_home():
    agent = DynLiveAgent(gym.make("Taxi-v4" if "Taxi-v4" in gym.registry else "Taxi-v3"), seed=0).learn(15_000)
    assert agent.evaluate(50).mean >= 0  # 7.9 at best, -200 without a single arrival


def test_the_number_of_cells_is_a_setting():
    small = AgentConfig(network=NetworkConfig(cells=3, states=3))
    agent = DynLiveAgent(observation_space=Discrete(4), action_space=Discrete(2), seed=0, config=small)
    assert hidden_activations(agent.actor) == ["sigmoid"]
