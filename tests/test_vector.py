"""Vector environments: every environment's experience is its own, in every way of resetting."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Tuple
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TransformObservation
from numpy.testing import assert_array_equal

from dynlive_rl import DynLiveAgent
from dynlive_rl.agents.kernels.experience import RowKind
from helpers import assert_same_state, experience
from networks import refused
from worlds import Counting

LENGTHS = (3, 4, 7)


@pytest.fixture(params=list(AutoresetMode), ids=str)
def agent(request):
    environments = [lambda i=i: Counting(LENGTHS[i], stride=i) for i in range(len(LENGTHS))]
    return DynLiveAgent(SyncVectorEnv(environments, autoreset_mode=request.param), seed=0)


def expected(length, stride, steps):
    """The (observation, reward, next observation, kind of what followed) of some steps of `Counting`."""
    sequence, episode, time = [], 1000 * stride, 0
    for _ in range(steps):
        time += 1
        kind = RowKind.STEP if time < length else (RowKind.TERMINATED if episode % 3 == 0 else RowKind.TRUNCATED)
        sequence.append(((episode, time - 1), 100 * episode + time, (episode, time), kind))
        if time == length:
            episode, time = episode + 1, 0
    return sequence


def remembered(agent, env):
    """The same of what an agent remembers of an environment: every row with an action, and the row after it."""
    kept = experience(agent)
    rows = int(kept.rows[env])
    return [
        (tuple(kept.observation[env, i]), kept.reward[env, i], tuple(kept.observation[env, i + 1]), kept.kind[env, i + 1])
        for i in range(rows - 1)
        if kept.kind[env, i] == RowKind.STEP
    ]  # fmt: skip


@pytest.mark.parametrize("steps", [1, 30, 200])
def test_every_environment_has_its_own_experience(agent, steps):
    taken = []
    agent.learn(steps, callback=lambda report: taken.append(report.new_steps))
    assert agent.num_timesteps == sum(taken)
    assert steps <= sum(taken) < steps + len(LENGTHS)
    memories = [remembered(agent, env) for env in range(len(LENGTHS))]
    assert sum(map(len, memories)) == agent.num_timesteps
    for env, memory in enumerate(memories):
        assert memory == expected(LENGTHS[env], env, len(memory))


def test_episodes_are_reported_whole(agent):
    finished = []
    agent.learn(150, callback=lambda report: finished.extend(report.finished))
    assert len(finished) == agent.episodes
    assert all(episode.length in LENGTHS for episode in finished)
    firsts = {length: next(e.episode_return for e in finished if e.length == length) for length in LENGTHS}
    assert firsts == {
        length: sum(step[1] for step in expected(length, env, length)) for env, length in enumerate(LENGTHS)
    }


def test_learning_in_pieces_is_learning_at_once(agent):
    environments = [lambda i=i: Counting(LENGTHS[i], stride=i) for i in range(len(LENGTHS))]
    mode = agent.env.metadata["autoreset_mode"]
    other = DynLiveAgent(SyncVectorEnv(environments, autoreset_mode=mode), seed=0)
    agent.learn(240)
    while other.num_timesteps < agent.num_timesteps:
        other.learn(1, reset_num_timesteps=False)
    assert_same_state(agent.get_state(), other.get_state())


def nested(env):
    """The same environment with its observations as a Dict of a Box and a Tuple of another."""
    space = Dict({"a": Box(-np.inf, np.inf, (1,)), "b": Tuple([Box(-np.inf, np.inf, ())])})
    return TransformObservation(env, lambda seen: {"a": seen[:1], "b": (seen[1],)}, space)


@pytest.mark.parametrize("mode", list(AutoresetMode), ids=str)
def test_nested_observations_are_remembered_like_flat_ones(mode):
    flat = [lambda i=i: Counting(LENGTHS[i], stride=i) for i in range(len(LENGTHS))]
    deep = [lambda make=make: nested(make()) for make in flat]
    one, other = (
        DynLiveAgent(SyncVectorEnv(environments, autoreset_mode=mode), seed=0).learn(200).get_state()
        for environments in (flat, deep)
    )
    assert_same_state(one, other)


def test_predict_takes_a_batch_or_one(agent):
    agent.learn(10)
    assert agent.predict(np.zeros((3, 2)))[0].shape == (3,)
    assert agent.predict(np.zeros(2))[0].shape == ()


@pytest.mark.parametrize("how", ["sync", "vector_entry_point"])
def test_it_learns_is_evaluated_saved_and_loaded(tmp_path, how):
    agent = DynLiveAgent(gym.make_vec("CartPole-v1", num_envs=3, vectorization_mode=how), seed=0).learn(600)
    result = agent.evaluate(5, seed=0)
    assert result.returns.shape == (5,)
    agent.save(tmp_path / "agent")
    alone = DynLiveAgent.load(tmp_path / "agent")
    assert_array_equal(alone.evaluate(5, env="CartPole-v1", seed=0).returns, result.returns)
    assert alone.act(np.zeros((3, 4))).shape == (3,)
    again = gym.make_vec("CartPole-v1", num_envs=3, vectorization_mode=how)
    assert DynLiveAgent.load(tmp_path / "agent", env=again).learn(60).num_timesteps >= 60


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ((1.0, [False] * 2, [False] * 2), "rewards must be 2 numbers, one for each environment, not 1.0"),
        (([1, 2, 3], [False] * 2, [False] * 2), "rewards must be 2 numbers, one for each environment, not [1, 2, 3]"),
        (([1, 2], False, [False] * 2), "terminated must be 2 numbers, one for each environment, not False"),
        (
            ([1, 2], [False] * 2, ["no", "no"]),
            "truncated must be 2 numbers, one for each environment, not ['no', 'no']",
        ),
    ],
)
def test_what_a_step_brings_has_a_row_for_every_environment(step, message):
    agent = DynLiveAgent(SyncVectorEnv([lambda: Counting(3)] * 2), seed=0)
    agent.act(np.zeros((2, 2), np.float32))
    before = agent.get_state()
    refused(message, agent.observe, step[0], np.zeros((2, 2)), *step[1:])
    assert_same_state(before, agent.get_state())
    with pytest.raises(ValueError, match=r"does not fit the space Box.*, of which there must be 2, one per row$"):
        agent.act(np.zeros(2, np.float32))
