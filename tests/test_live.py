"""Live learning: against its slow twin, in constant memory, in every space, saved and gone on with, and what it learns."""

import re

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TransformReward
from hypothesis import given
from hypothesis import strategies as st
from numba import njit
from numpy.testing import assert_allclose, assert_array_equal

from dynlive_rl import DynLiveAgent
from dynlive_rl.agents import AgentConfig, LiveConfig
from dynlive_rl.agents.kernels.live_layout import NOW, RAILS_SUM, RANGE, TAGS, new_buffer, unfold, unfolded
from dynlive_rl.agents.live_learner import LiveLearner
from naive_live import NaiveLive
from worlds import Bandit, Corridor, Counting


def cart(seed=0, **settings):
    return DynLiveAgent("CartPole-v1", mode="live", seed=seed, **settings)


def own(seed=0, **settings):
    spaces = {"observation_space": Box(-1, 1, (2,)), "action_space": Discrete(3)}
    return DynLiveAgent(mode="live", seed=seed, **spaces, **settings)


def feed(agent, steps, seed):
    """Let the agent learn from made-up steps, the same ones whatever it does; returns its actions."""
    rng = np.random.default_rng(seed)
    observation, actions = rng.uniform(-1, 1, 2), []
    for t in range(1, steps + 1):
        actions.append(agent.act(observation))
        following = rng.uniform(-1, 1, 2)
        agent.observe(rng.normal(), following, t % 17 == 0, t % 29 == 0)
        observation = following if t % 17 and t % 29 else rng.uniform(-1, 1, 2)
    return actions


def state(agent):
    return agent._learner.state


def test_tags_of_cells_that_fell_silent_end_at_0():
    """Numbers below the smallest normal one would make every step of a long episode several times slower."""
    agent = own(seed=0)
    feed(agent, 200, seed=0)
    spot = [0.3, -0.3]
    agent.act(spot)
    for _ in range(700):
        agent.observe(1.0, spot, False, False)
        agent.act(spot)
    tags = state(agent).trace[0, TAGS:]
    assert np.any(tags != 0)
    assert np.abs(tags[tags != 0]).min() > np.finfo(np.float32).tiny


def assert_same_state(one, other, but=()):
    assert one.keys() == other.keys()
    for name in one.keys() - set(but):
        assert_array_equal(one[name], other[name], err_msg=name, strict=True)


def assert_strengths_are_shares(agent):
    s = state(agent)
    assert (s.strength >= 0).all()
    assert (s.strength.sum(axis=1) <= 1 + 1e-4).all()
    assert (s.cell >= 0).all()
    sums = s.cell[:RAILS_SUM].sum(axis=0)
    size = s.cell.shape[1] // s.born.size
    living = np.concatenate([np.arange(size) < born for born in s.born])
    assert_allclose(sums[living], 1, atol=1e-5)
    assert (s.cell[:, ~living] == 0).all()
    assert (s.strength[:, ~living] == 0).all()


# -- against the slow twin -------------------------------------------------------------------------------------------

QUICK = {"mature": 3.0, "usage_span": 5.0}


@njit
def write_to_every_part(buffer):
    agent = unfolded(buffer)
    agent.cell[:], agent.born[:], agent.strength[:], agent.trace[:], agent.running[:] = 0, 1, 2, 3, 4
    agent.recent[:], agent.shift[:], agent.chance[:], agent.choices[:], agent.action[:] = 5, 6, 7, 8, 9
    agent.scaler[:], agent.rails[:], agent.level[:], agent.track[:], agent.random[:] = 10, 11, 12, 13, 14
    agent.settings[:], agent.brought[:] = 15, 16


@given(st.tuples(*[st.integers(1, 3)] * 5), st.integers(1, 3))
def test_the_parts_of_the_buffer_do_not_overlap_and_kernels_find_them_where_others_do(sizes, environments):
    features, options, choices, layers, pool = sizes
    buffer = new_buffer(features, options, choices, layers, pool * layers, environments)
    write_to_every_part(buffer)
    parts = unfold(buffer)
    for number, part in enumerate(parts):
        assert (part == number).all()
    assert parts.trace.shape == (environments, 3 + options, pool * layers)
    assert parts.cell.shape == (2 * features + 2, pool * layers)


@pytest.mark.parametrize(
    ("settings", "scale"),
    [
        ({}, 1.0),
        (QUICK, 1.0),
        (QUICK | {"cells": 6, "recruit_below": 0.9}, 1.0),  # pools are used up, and cells retired
        (QUICK, 1e6),
        ({"policy_range": 0.1, "actor_rate": 0.9, "critic_rate": 0.9, "entropy": 0.0}, 1.0),  # strengths reach 0 and 1
    ],
)
def test_a_live_step_is_the_slow_twins(settings, scale):
    config = LiveConfig(**settings)
    scaled = np.array([1, 1, 0], np.int8)
    learner, twin = LiveLearner(scaled, (3,), 1, config, seed=0), NaiveLive(scaled, 3, config, config.cells)
    rng = np.random.default_rng(0)
    s, one = learner.state, np.ones(1, np.bool_)

    def sample():
        return np.array([[*rng.normal(size=2), rng.integers(2)]], np.float32)

    observation = sample()
    learner.begin(one, observation)
    twin.begin(observation[0].tolist())
    retired = 0
    for t in range(200):
        action, before = int(s.action[0, 0]), s.cell[0].copy()
        observation, reward = sample(), scale * (action == 1) * (t > 5) * rng.normal(1)
        terminated, truncated = t % 20 == 19, t % 50 == 49
        brought = learner.brought
        brought.rewards[:], brought.terminated[:], brought.truncated[:] = reward, terminated, truncated
        learner.observe(observation)
        twin.observe(action, reward, observation[0].tolist(), terminated)
        retired += np.count_nonzero((s.cell[0] != before) & (before > 0))
        if terminated or truncated:
            observation = sample()
            learner.begin(one, observation)
            twin.begin(observation[0].tolist())
        assert s.born.tolist() == [len(layer) for layer in twin.layers]
        size = config.cells
        place = [layer * size + k for layer, born in enumerate(s.born) for k in range(born)]
        assert_allclose(s.trace[0, NOW, place], [cell.says for cell in twin.cells], atol=2e-4)
        pool = size * config.layers
        assert_allclose(
            2 * pool * s.strength[:, place].T, [[2 * pool * w for w in c.worth] for c in twin.cells], atol=4e-3
        )
        assert s.level[RANGE] == pytest.approx(twin.range)
        assert_allclose(s.chance[0], twin.chances, atol=4e-3)
    assert bool(retired) == ("cells" in settings)


# -- what it learns --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("space", "best"),
    [
        (Discrete(3, start=5), 7),
        (MultiDiscrete([2, 3]), [1, 2]),
        (MultiBinary(3), [0, 1, 1]),
        (Box(-1, 1, (2,)), [1, -1]),
    ],
    ids=str,
)
def test_the_best_arm_of_a_bandit_is_found(space, best):
    agent = DynLiveAgent(Bandit(space, best), mode="live", seed=0).learn(1500)
    assert_array_equal(agent.predict(0, deterministic=True)[0], best)


@pytest.mark.parametrize("price", [0.0, 1.0])
def test_a_corridor_is_walked_straight(price):
    agent = DynLiveAgent(Corridor(6, price), mode="live", seed=0).learn(3000)
    assert [int(agent.predict(place, deterministic=True)[0]) for place in range(5)] == [1] * 5


def test_cartpole_is_balanced():
    agent = cart(seed=1).learn(12_000)
    assert agent.evaluate(20, seed=0).mean > 300
    assert_strengths_are_shares(agent)


@pytest.mark.parametrize("scale", [1e-3, 1024.0])
def test_the_scale_of_rewards_does_not_matter(scale):
    policies = []
    for factor in (1.0, scale):
        env = TransformReward(gym.make("CartPole-v1"), lambda reward, factor=factor: factor * reward)
        agent = DynLiveAgent(env, mode="live", seed=0).learn(1000)
        policies.append(state(agent).chance.copy())
    assert_allclose(*policies, atol=0.02 if scale < 1 else 0)


# -- constant memory, bad input, saving ------------------------------------------------------------------------------


def test_memory_does_not_grow():
    agent = cart(config=LiveConfig(cells=16, mature=1, usage_span=50))
    agent.learn(200)
    buffers = {name: array.nbytes for name, array in agent.get_state().items()}
    addresses = [array.ctypes.data for array in agent._learner.state]
    agent.learn(3000)
    assert {name: array.nbytes for name, array in agent.get_state().items()} == buffers
    assert [array.ctypes.data for array in agent._learner.state] == addresses
    assert (state(agent).born == 16).all()
    assert_strengths_are_shares(agent)


def test_large_observations_get_fewer_cells():
    agent = DynLiveAgent(
        mode="live", seed=0, observation_space=Box(0, 255, (84, 84, 3), np.uint8), action_space=Discrete(2)
    )
    agent.act(np.zeros((84, 84, 3), np.uint8))
    agent.observe(1.0, np.full((84, 84, 3), 255, np.uint8), False, False)
    assert sum(array.nbytes for array in agent.get_state().values()) < 2**26


SPACES = [
    Box(-np.inf, np.inf, (2, 3)),
    Box(0, 1, ()),
    Discrete(4, start=-1),
    MultiDiscrete([2, 3]),
    MultiBinary(3),
    Dict({"a": Discrete(2), "b": Tuple([Box(-1, 1, (2,)), MultiBinary(2)])}),
]


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_every_observation_space(space):
    agent = DynLiveAgent(mode="live", seed=0, observation_space=space, action_space=Discrete(2))
    space.seed(0)
    observation = space.sample()
    for t in range(100):
        agent.act(observation)
        observation = space.sample()
        agent.observe(1.0, observation, t % 9 == 0, False)
    assert agent.predict(observation, deterministic=True)[0] in (0, 1)
    assert_strengths_are_shares(agent)


@pytest.mark.parametrize("mode", list(AutoresetMode), ids=str)
def test_environments_side_by_side(mode):
    environments = [lambda i=i: Counting(3 + i, stride=i) for i in range(3)]
    env = SyncVectorEnv(environments, autoreset_mode=mode)
    agent = DynLiveAgent(env, mode="live", seed=0).learn(300)
    assert agent.num_timesteps >= 300
    assert agent.episodes > 50
    assert_strengths_are_shares(agent)


@pytest.mark.parametrize("environments", [2, 8])
def test_environments_side_by_side_teach_the_same_neurons(environments):
    agent = DynLiveAgent(gym.make_vec("CartPole-v1", num_envs=environments), mode="live", seed=0).learn(16_000)
    assert all(np.isfinite(array).all() for array in agent.get_state().values())
    assert agent.worlds == 0
    assert agent.evaluate(20, seed=0).mean > 300


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1e31])
@pytest.mark.parametrize("what", ["reward", "next_observation"])
def test_what_is_not_moderate_is_refused_and_changes_nothing(bad, what):
    agent = own()
    feed(agent, 150, seed=1)
    action = agent.act([0.5, 0.5])
    before = agent.get_state()
    step = (bad, [0.0, 0.0]) if what == "reward" else (1.0, [0.0, bad])
    with pytest.raises(ValueError, match=r"s must be numbers within ±1e30, not .*; nothing was learned from it$"):
        agent.observe(*step, False, False)
    assert_same_state(before, agent.get_state())
    assert agent.act([0.5, 0.5]) == action
    agent.observe(1.0, [0.0, 0.0], False, False)
    with pytest.raises(ValueError, match="observations must be numbers"):
        agent.act([np.nan, 0.0])


def test_huge_rewards_leave_everything_finite():
    agent = own()
    rng = np.random.default_rng(0)
    agent.act([0, 0])
    for t in range(200):
        agent.observe(rng.choice([1e30, -1e30, 1e-30, 0.0]), rng.uniform(-1, 1, 2) * 1e30, False, t % 9 == 0)
        agent.act(rng.normal(size=2))
    assert all(np.isfinite(array).all() for array in agent.get_state().values())
    assert_strengths_are_shares(agent)


def test_predicting_changes_nothing():
    agent = own()
    feed(agent, 100, seed=1)
    before = agent.get_state()
    agent.predict([0.3, 0.3], deterministic=True)
    assert_same_state(before, agent.get_state())
    agent.predict(np.zeros((7, 2)))
    assert_same_state(before, agent.get_state(), but=["predict_random"])


def test_learning_in_pieces_is_learning_at_once():
    once, pieces = cart().learn(400), cart()
    for steps in (1, 99, 0, 300):
        pieces.learn(steps)
    assert_same_state(once.get_state(), pieces.get_state())


def test_a_saved_agent_goes_on_as_if_nothing_had_been(tmp_path):
    agent = own()
    feed(agent, 300, seed=1)
    agent.save(tmp_path / "agent.dynlive")
    loaded = DynLiveAgent.load(tmp_path / "agent.dynlive")
    assert loaded.mode == "live"
    assert_same_state(agent.get_state(), loaded.get_state())
    assert feed(agent, 300, seed=2) == feed(loaded, 300, seed=2)
    assert_same_state(agent.get_state(), loaded.get_state())


def test_another_configuration_is_saved_too(tmp_path):
    cart(config=LiveConfig(cells=16)).learn(50).save(tmp_path / "agent.dynlive")
    assert DynLiveAgent.load(tmp_path / "agent.dynlive", env="CartPole-v1").learn(10).config.cells == 16


def test_modes_and_configurations_go_together():
    with pytest.raises(ValueError, match=re.escape("mode must be one of 'rehearsal', 'live', not 'dead'")):
        DynLiveAgent("CartPole-v1", mode="dead")
    with pytest.raises(TypeError, match="mode 'live' takes a LiveConfig as config, not AgentConfig"):
        cart(config=AgentConfig())
    with pytest.raises(TypeError, match="mode 'rehearsal' takes a AgentConfig as config, not LiveConfig"):
        DynLiveAgent("CartPole-v1", config=LiveConfig())


def test_a_live_agent_has_no_network_of_its_own_for_acting():
    with pytest.raises(ValueError, match="are no networks of their own"):
        _ = cart().actor


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cells": 0}, "cells must be a whole number ≥ 1, not 0"),
        ({"discount": 1.0}, "discount must be below 1, not 1.0"),
        ({"trace_decay": 1.5}, "trace_decay must be at most 1, not 1.5"),
        ({"radius": 0.0}, "radius must be at least 1e-06, not 0.0"),
        ({"usage_span": 1e-9}, "usage_span must be at least 1.0, not 1e-09"),
        ({"entropy": float("nan")}, "entropy must be a finite number ≥ 0, not nan"),
    ],
)
def test_other_numbers_are_refused(settings, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        LiveConfig(**settings)
