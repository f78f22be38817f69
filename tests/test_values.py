"""What an agent says of observations: probabilities, values and the values of actions; for all spaces, in both modes."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete
from numpy.testing import assert_allclose, assert_array_equal

from dynlive_rl import DynLiveAgent
from helpers import assert_same_state, cart
from networks import refused
from worlds import Bandit, Corridor

MODES = ("rehearsal", "live")
SPACES = {
    "Discrete": (Discrete(3, start=-1), [(3,)]),
    "MultiDiscrete": (MultiDiscrete([2, 4]), [(2,), (4,)]),
    "MultiBinary": (MultiBinary(2), [(2,), (2,)]),
    "Box": (Box(np.float32(-1), np.float32(2), (1, 2)), [(3,), (3,)]),
    "Box of one": (Box(0, 10, (1,), np.int64), [(3,)]),
}


def agent_for(action_space, mode):
    return DynLiveAgent(observation_space=Box(-1, 1, (2,)), action_space=action_space, seed=0, mode=mode)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("space", "shapes"), SPACES.values(), ids=SPACES)
def test_every_action_has_a_probability(space, shapes, mode):
    agent = agent_for(space, mode)
    one = agent.probabilities([0.1, 0.2])
    parts = one if isinstance(one, tuple) else (one,)
    assert [part.shape for part in parts] == shapes
    batch = agent.probabilities(np.tile([0.1, 0.2], (4, 1)))
    for part, rows in zip(parts, batch if isinstance(batch, tuple) else (batch,), strict=True):
        assert part.sum() == pytest.approx(1)
        assert_allclose(rows, np.tile(part, (4, 1)), rtol=1e-5)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("space", [space for space, _ in SPACES.values()], ids=SPACES)
@pytest.mark.parametrize("deterministic", [True, False])
def test_predicted_actions_are_of_the_action_space(space, mode, deterministic):
    agent = agent_for(space, mode)
    action, _ = agent.predict([0.1, 0.2], deterministic=deterministic)
    assert space.contains(action)
    assert action.dtype == space.dtype
    actions, _ = agent.predict(np.zeros((5, 2)), deterministic=deterministic)
    assert actions.shape == (5, *space.shape)
    assert actions.dtype == space.dtype


@pytest.mark.parametrize("env", ["FrozenLake-v1", "CliffWalking-v1", "Taxi-v3", "CartPole-v1", "Pendulum-v1"])
def test_steps_take_predicted_actions(env):
    if env not in gym.registry:
        env = max(name for name in gym.registry if name.startswith(env[:-1]))
    agent = DynLiveAgent(env, seed=0)
    world = gym.make(env)
    observation, _ = world.reset(seed=0)
    for _ in range(5):
        observation, *_ = world.step(agent.predict(observation, deterministic=True)[0])


@pytest.mark.parametrize("mode", MODES)
def test_probabilities_are_those_that_actions_are_drawn_with(mode):
    agent = cart(mode=mode).learn(500)
    observation = [0.0, 0.1, 0.0, -0.1]
    actions, _ = agent.predict(np.tile(observation, (4000, 1)))
    expected = agent.probabilities(observation)
    assert_allclose(np.bincount(actions, minlength=2) / 4000, expected, atol=0.03)
    assert agent.predict(observation, deterministic=True)[0] == np.argmax(expected)


def test_values_are_what_follows():
    agent = DynLiveAgent(Corridor(4, price=0.25), seed=0).learn(1500)
    values = agent.value(np.arange(3))
    assert_allclose(values, [0.25, 0.5, 0.75], atol=0.2)
    assert agent.value(2) == pytest.approx(values[2])
    of_actions = agent.action_values(np.arange(3))
    assert (of_actions[:, 1] > of_actions[:, 0]).all()
    assert_allclose((agent.probabilities(np.arange(3)) * of_actions).sum(axis=1), values, rtol=1e-5)
    assert agent.value(2, action_mask=[1, 0]) == pytest.approx(of_actions[2, 0])


def test_values_of_several_components_are_their_mean():
    agent = DynLiveAgent(Bandit(MultiDiscrete([2, 3]), [1, 2]), seed=0).learn(800)
    first, second = agent.action_values(0)
    assert (np.argmax(first), np.argmax(second)) == (1, 2)
    policy = agent.probabilities(0)
    assert agent.value(0) == pytest.approx((policy[0] @ first + policy[1] @ second) / 2)
    assert agent.value(0) == pytest.approx(1, abs=0.25)


def test_a_live_agent_knows_values_of_observations():
    agent = DynLiveAgent(Corridor(4, price=0.25), seed=0, mode="live").learn(4000)
    values = agent.value(np.arange(3))
    assert values.shape == (3,)
    assert values[2] > values[0]
    assert isinstance(agent.value(1), float)
    refused("a live agent's critic knows no values of actions: ask value(observation)", agent.action_values, 0)


@pytest.mark.parametrize("mode", MODES)
def test_asking_changes_nothing(mode):
    agent = cart(mode=mode).learn(300)
    before = agent.get_state()
    assert agent.probabilities(np.zeros((3, 4))).shape == (3, 2)
    agent.value(np.zeros(4))
    agent.predict(np.zeros(4), action_mask=[0, 1], deterministic=True)
    assert_same_state(before, agent.get_state())
    assert_array_equal(agent.value(np.zeros((2, 4))), [agent.value(np.zeros(4))] * 2)
    refused("observations must be finite, but one contains nan", agent.probabilities, [0, 0, np.nan, 0])
