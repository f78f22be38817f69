"""`evaluate`: whole episodes in fresh copies, and nothing is learned by it."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.wrappers import TimeLimit
from numpy.testing import assert_array_equal

from dynlive_rl import DynLiveAgent
from dynlive_rl.agents.evaluation import play
from helpers import assert_same_state, cart, own
from networks import refused
from worlds import Counting


@pytest.fixture(scope="module")
def trained():
    return cart().learn(600)


def test_evaluate_tells_every_episode(trained):
    result = trained.evaluate(7, seed=3)
    assert result.returns.shape == result.lengths.shape == (7,)
    assert_array_equal(result.returns, result.lengths)  # CartPole pays 1 a step
    assert result.mean == result.returns.mean()
    assert result.std == result.returns.std()
    assert_array_equal(result.returns, trained.evaluate(7, seed=3).returns)
    assert trained.evaluate(2, env=TimeLimit(gym.make("CartPole-v1"), 5)).lengths.max() <= 5


def test_evaluating_in_between_changes_nothing():
    undisturbed, agent = cart().learn(500), cart().learn(250)
    before = agent.get_state()
    agent.evaluate(3, seed=1)
    assert_same_state(before, agent.get_state())
    assert_same_state(undisturbed.get_state(), agent.learn(250).get_state())


def test_an_episode_that_never_ends_is_broken_off():
    agent = DynLiveAgent("Endless-v0", seed=0).learn(300)
    result = agent.evaluate(2, max_steps=7)
    assert result.lengths.tolist() == [7, 7]
    assert result.returns.tolist() == [-7, -7]
    assert result.truncated.all()
    assert agent.evaluate(1).lengths.tolist() == [10_000]
    assert agent.evaluate(1, env=gym.make("Endless-v0", max_episode_steps=12)).lengths.tolist() == [12]
    refused("max_steps must be a whole number ≥ 1, not 0", agent.evaluate, 1, max_steps=0)


def test_a_time_limit_of_the_environments_own_holds_side_by_side_too():
    long = gym.vector.SyncVectorEnv([lambda: gym.make("Endless-v0", max_episode_steps=10_050)])
    assert DynLiveAgent(long, seed=0).evaluate(1).lengths.tolist() == [10_050]


def test_evaluate_tells_who_was_broken_off(trained):
    short = trained.evaluate(4, env=gym.make("CartPole-v1", max_episode_steps=5))
    assert short.truncated.all()
    falling = cart().evaluate(4, seed=0)
    assert (falling.truncated == (falling.lengths == 500)).all()


class Always:
    """A policy that knows one action."""

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        assert deterministic
        return np.ones(len(observation), np.int64), state


def test_all_that_evaluation_needs_is_something_that_predicts():
    environments = gym.vector.SyncVectorEnv([lambda length=length: Counting(length) for length in (3, 5)])
    result = play(Always(), environments, seed=0, deterministic=True)
    assert result.lengths.tolist() == [3, 5]
    assert result.returns.tolist() == [1 + 2 + 3, 1 + 2 + 3 + 4 + 5]
    assert (result.mean, result.std) == (10.5, 4.5)
    assert result.truncated.tolist() == [False, False]  # the first episode ends by itself
    assert play(Always(), environments, seed=0, deterministic=True, max_steps=2).truncated.tolist() == [True, True]


def test_evaluate_refuses(trained):
    refused("episodes must be a whole number ≥ 1, not 0", trained.evaluate, 0)
    refused("episodes must be a whole number ≥ 1, not 'abc'", trained.evaluate, "abc")
    refused("this agent has no environment to be evaluated in: pass env=", own().evaluate)
    with pytest.raises(ValueError, match=r"^this agent was trained with Box.*, but the environment has Box"):
        trained.evaluate(1, env="Acrobot-v1")
    with pytest.raises(ValueError, match=r"does not know how it was made, .*: register what it is made of$"):
        DynLiveAgent(Counting()).evaluate(1)


def test_a_vector_environment_is_evaluated_as_what_it_is_made_of():
    agent = DynLiveAgent(gym.vector.SyncVectorEnv([lambda: gym.make("CartPole-v1")] * 2), seed=0)
    assert agent.evaluate(3, seed=0).returns.shape == (3,)


def test_a_vector_environment_is_not_evaluated_without_what_wraps_it():
    plain = gym.make_vec("CartPole-v1", num_envs=2)
    assert DynLiveAgent(gym.wrappers.vector.RecordEpisodeStatistics(plain), seed=0).evaluate(2).returns.shape == (2,)
    swapped = gym.wrappers.vector.TransformAction(plain, lambda actions: 1 - actions)
    with pytest.raises(ValueError, match=r"does not know how it was made, .*: register what it is made of$"):
        DynLiveAgent(swapped, seed=0).evaluate(2)
