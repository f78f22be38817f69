"""Continuous actions: between the values that are chosen, at the policy's mean or part of the way from it."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from dynlive_rl import DynLiveAgent
from dynlive_rl.agents.actions import ActionDecoder
from dynlive_rl.agents.config import RECURRENT, ActionConfig, AgentConfig
from dynlive_rl.agents.masks import NO_MASK
from dynlive_rl.agents.modes import CONFIGS

SEEDS = st.integers(0, 2**32 - 1)


def between_by_hand(values, policy, choices, share, forbidden):
    """What every component does, in plain Python."""
    result = np.empty(choices.shape)
    for b, row in enumerate(choices):
        for d, k in enumerate(row):
            own = slice(d * len(values[d]), (d + 1) * len(values[d]))
            shares = policy[b, own].tolist()
            mean = sum(p * v for p, v in zip(shares, values[d], strict=True))
            if max(shares) >= 0.99:
                mean = values[d][shares.index(max(shares))]
            result[b, d] = mean + share * (values[d][k] - mean)
            if forbidden.size and forbidden[b, own].any():
                result[b, d] = values[d][k]
    return result


@given(SEEDS, st.integers(1, 5), st.integers(2, 5), st.booleans(), st.floats(0, 1))
def test_actions_lie_between_the_mean_and_the_value_chosen(seed, components, count, is_masked, share):
    rng = np.random.default_rng(seed)
    low = rng.uniform(-5, 1, components)
    space = Box(low, low + rng.uniform(0.1, 6, components), dtype=np.float64)
    decoder = ActionDecoder(space, count)
    values = [decoder.decode(np.full((1, components), k))[0] for k in range(count)]
    values = np.array(values).T
    policy = rng.dirichlet(np.full(count, rng.choice([0.1, 1])), (6, components)).reshape(6, -1)  # sure or not
    choices = rng.integers(0, count, (6, components))
    forbidden = rng.random(policy.shape) < 0.2 if is_masked else NO_MASK
    actions = decoder.between(policy, choices, share, forbidden)
    assert_allclose(actions, between_by_hand(values, policy, choices, share, forbidden), rtol=1e-9, atol=1e-12)
    assert all(space.contains(action) for action in actions)


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint8])
def test_whole_numbers_stay_whole_and_within_their_type(dtype):
    ends = np.iinfo(dtype)
    space = Box(ends.min, ends.max, (4,), dtype)
    decoder = ActionDecoder(space, 3)
    policy = np.array([[0, 0, 1, 1, 0, 0, 0, 0.5, 0.5, 0.2, 0.3, 0.5]])
    for share in (0, 0.5, 1):
        action = decoder.between(policy, np.array([[2, 0, 1, 2]]), share, NO_MASK)[0]
        assert space.contains(action)
        assert action[:2].tolist() == [ends.max, ends.min]


@given(SEEDS)
def test_the_nearest_values_are_those_chosen(seed):
    rng = np.random.default_rng(seed)
    decoder = ActionDecoder(Box(-1, 1, (2, 2)), 3)
    choices = rng.integers(0, 3, (5, 4))
    near = decoder.decode(choices) + rng.uniform(-0.4, 0.4, (5, 2, 2))
    assert_array_equal(decoder.nearest(near), choices)


def taught(components, mode="rehearsal", terminates=False, **settings):
    """An agent with the action (0.4, -0.3, 0.4, …) to be found in 400 steps, and an observation that says nothing."""
    space = Box(-1, 1, (components,))
    agent = DynLiveAgent(observation_space=Box(0, 1, (1,)), action_space=space, mode=mode, seed=1, **settings)
    best = np.resize([0.4, -0.3], components)
    for t in range(1, 401):
        action, is_last = agent.act([0.5]), t % 10 == 0
        agent.observe(-float(((action - best) ** 2).sum()), [0.5], is_last and terminates, is_last)
    return agent


@pytest.mark.parametrize("mode", ["rehearsal", "live"])
@pytest.mark.parametrize("components", [1, 2, 4])
def test_the_best_action_is_the_mean_of_the_values_or_what_is_sure(components, mode):
    agent = taught(components, mode)
    batch = np.linspace(0, 1, 7)[:, None]
    probabilities = agent.probabilities(batch)
    by_component = [probabilities] if components == 1 else probabilities
    sure = [np.where(part.max(axis=1) >= 0.99, part.argmax(axis=1) - 1, part @ [-1, 0, 1]) for part in by_component]
    mean = np.stack(sure, axis=1)
    assert_allclose(agent.predict(batch, deterministic=True)[0], mean, atol=1e-6)
    assert_allclose(agent.predict(batch[2], deterministic=True)[0], mean[2], atol=1e-6)


@pytest.mark.parametrize("mode", ["rehearsal", "live"])
@pytest.mark.parametrize(("components", "terminates"), [(1, False), (4, True)])
def test_one_component_tries_whole_values_and_so_do_many_where_episodes_terminate(mode, components, terminates):
    agent = taught(components, mode, terminates)
    assert {float(x) for _ in range(200) for x in agent.predict([0.5])[0]} <= {-1.0, 0.0, 1.0}
    assert {float(x) for x in agent.act([0.5])} <= {-1.0, 0.0, 1.0}


@pytest.mark.parametrize("mode", ["rehearsal", "live"])
def test_many_components_try_part_of_the_way(mode):
    """With four, half of it: all together then disturb as much as one would alone."""
    agent = taught(4, mode)
    mean = agent.predict([0.5], deterministic=True)[0]
    offsets = np.array([agent.predict([0.5])[0] for _ in range(300)]) - mean
    possible = 0.5 * (np.array([-1, 0, 1]) - mean[:, None])
    assert np.abs(offsets[:, :, None] - possible).min(axis=2).max() < 1e-6
    assert np.ptp(offsets) > 0.5
    assert not {float(x) for x in agent.act([0.5])} <= {-1.0, 0.0, 1.0}
    whole = taught(4, mode, config=CONFIGS[mode](actions=ActionConfig(spread=2)))
    assert {float(x) for _ in range(100) for x in whole.predict([0.5])[0]} <= {-1.0, 0.0, 1.0}


def test_it_learns_which_way_to_go():
    agent = DynLiveAgent(observation_space=Box(0, 1, (1,)), action_space=Box(-1, 1, (4,)), seed=0)
    for t in range(1, 2001):
        action = agent.act([0.5])
        agent.observe(float(action @ [1, -1, 1, -1]), [0.5], False, t % 10 == 0)
    assert (agent.predict([0.5], deterministic=True)[0] * [1, -1, 1, -1] > 0.2).all()


def test_what_was_searched_for_was_done_in_full():
    """Before rewards differ actions are held, and are the values themselves: what is far away needs all of them."""
    agent = DynLiveAgent(observation_space=Box(0, 1, (1,)), action_space=Box(-2, 2, (4,)), seed=0)
    for t in range(1, 50):
        assert set(np.abs(agent.act([t / 50])).tolist()) <= {0.0, 2.0}
        agent.observe(0.0, [(t + 1) / 50], False, False)


def test_masked_components_do_what_was_chosen():
    agent = taught(3)
    mask = [1, 0, 1, 1, 1, 1, 0, 0, 1]
    means = agent.predict([0.5], deterministic=True)[0]
    for deterministic in (True, False):
        action = agent.predict([0.5], deterministic=deterministic, action_mask=mask)[0]
        assert action[0] in (-1, 1)
        assert action[2] == 1
        assert not deterministic or action[1] == pytest.approx(means[1], abs=1e-6)


def test_a_recurrent_agent_remembers_what_was_nearest():
    """The state it hands out is what it would hold had it done the same in its own loop."""
    agent = DynLiveAgent(observation_space=Box(-1, 1, (2,)), action_space=Box(-1, 1, (3,)), seed=0, config=RECURRENT)
    rng, state = np.random.default_rng(0), None
    for _ in range(5):
        action, state = agent.predict(rng.uniform(-1, 1, 2), state, deterministic=True)
        done = np.asarray(state).reshape(-1, 11)[-1, 2:]  # what there was: two values, and nine of three components
        assert_array_equal(done.reshape(3, 3).argmax(axis=1), np.rint(action) + 1)


def test_a_vector_does_what_its_single_environments_would(tmp_path):
    envs = gym.vector.SyncVectorEnv([lambda: gym.make("Pendulum-v1")] * 3)
    agent = DynLiveAgent(envs, seed=0, config=AgentConfig(actions=ActionConfig(spread=1)))
    agent.learn(600)
    assert agent.act(np.zeros((3, 3))).shape == (3, 1)
    agent.save(tmp_path / "agent")
    loaded = DynLiveAgent.load(tmp_path / "agent")
    observations = np.zeros((4, 3))
    assert_array_equal(
        loaded.predict(observations, None, None, True)[0], agent.predict(observations, None, None, True)[0]
    )
