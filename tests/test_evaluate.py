"""`evaluate`: whole episodes, where they are certainly those of the environment meant; nothing is learned by it."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode
from gymnasium.wrappers import TimeLimit
from numpy.testing import assert_array_equal

from dynlive_rl import DynLiveAgent
from dynlive_rl.agents.environments import certain_recipe
from dynlive_rl.agents.evaluation import collected, play, play_single
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


def test_all_that_evaluation_needs_is_something_that_acts():
    environments = [Counting(length) for length in (3, 5)]
    played = list(
        play_single(
            lambda observations, masks, states: (np.ones(np.atleast_2d(observations).shape[0], int), None),
            environments,
            2,
            0,
            None,
        )
    )
    assert played == [(0, (1 + 2 + 3.0, 3, False)), (1, (1 + 2 + 3 + 4 + 5.0, 5, False))]
    result = collected(iter(played), 2, False)
    assert (result.mean, result.std) == (10.5, 4.5)
    assert result.truncated.tolist() == [False, False]


class Always:
    """A policy that knows one action."""

    def predict(self, observation, state=None, episode_start=None, deterministic=False):
        assert deterministic
        return np.ones(len(observation), np.int64), state


def test_whatever_predicts_plays_the_first_episode_of_each():
    environments = gym.vector.SyncVectorEnv([lambda length=length: Counting(length) for length in (3, 5)])
    result = play(Always(), environments, seed=0, deterministic=True)
    assert result.lengths.tolist() == [3, 5]
    assert result.truncated.tolist() == [False, False]  # the first episode ends by itself
    assert play(Always(), environments, seed=0, deterministic=True, max_steps=2).truncated.tolist() == [True, True]


def test_evaluate_refuses(trained):
    refused("episodes must be a whole number ≥ 1, not 0", trained.evaluate, 0)
    refused("episodes must be a whole number ≥ 1, not 'abc'", trained.evaluate, "abc")
    refused("this agent has no environment to be evaluated in: pass env=", own().evaluate)
    with pytest.raises(ValueError, match=r"^this agent was trained with Box.*, but the environment has Box"):
        trained.evaluate(1, env="Acrobot-v1")


def test_a_result_is_short_to_read(trained):
    result = trained.evaluate(3, seed=0, max_steps=4)
    assert repr(result) == "Evaluation(mean=4, std=0, episodes=3, steps=12, truncated=3)"


# -- in the environment itself ---------------------------------------------------------------------------------------


class Single(gym.Wrapper):
    """Can exist once only, counts its episodes, and is never stepped after one's end."""

    made = 0

    def __init__(self, env):
        Single.made += 1
        assert Single.made == 1
        super().__init__(env)
        self.resets, self.over = 0, True

    def reset(self, **kwargs):
        self.resets, self.over = self.resets + 1, False
        return self.env.reset(**kwargs)

    def step(self, action):
        assert not self.over
        answer = self.env.step(action)
        self.over = answer[2] or answer[3]
        return answer


class Half(gym.RewardWrapper):
    def reward(self, reward):
        return reward / 2


def test_an_environment_is_evaluated_in_itself(trained):
    Single.made = 0
    env = Single(gym.make("CartPole-v1"))
    result = trained.evaluate(5, env=env, seed=3)
    assert env.resets == 5
    assert_array_equal(result.returns, trained.evaluate(5, seed=3).returns)
    half = trained.evaluate(5, env=Half(gym.make("CartPole-v1")), seed=3)
    assert_array_equal(half.returns, result.returns / 2)
    assert DynLiveAgent(Counting(), seed=0).evaluate(2).returns.tolist() == [10, 100 * 4 + 10]


def test_an_environment_with_wrappers_is_not_copied_and_learning_goes_on_with_an_episode():
    Single.made = 0
    agent = DynLiveAgent(Single(Half(gym.make("CartPole-v1"))), seed=0).learn(103)
    before = agent.get_state()
    resets = agent.env.resets
    generator = agent.env.unwrapped.np_random.bit_generator.state
    assert agent.evaluate(3, seed=0).returns.shape == (3,)
    assert agent.env.resets == resets + 3
    assert agent.env.unwrapped.np_random.bit_generator.state == generator
    assert_same_state(before, agent.get_state())
    agent.learn(50)
    assert agent.env.resets > resets + 3


def test_evaluating_within_a_callback_leaves_learning_whole():
    env = Half(gym.make("CartPole-v1"))
    means = []

    def look(report):
        if report.agent.num_timesteps % 100 == 0:
            means.append(report.agent.evaluate(2, seed=0).mean)

    agent = DynLiveAgent(env, seed=0).learn(300, callback=look)
    assert len(means) == 3
    assert agent.num_timesteps == 300


def test_what_only_watches_is_not_in_the_way(tmp_path):
    monitor = pytest.importorskip("stable_baselines3.common.monitor").Monitor
    env = monitor(gym.wrappers.RecordEpisodeStatistics(gym.make("CartPole-v1")), str(tmp_path / "log"))
    agent = DynLiveAgent(env, seed=0).learn(60)
    episodes = len(env.get_episode_rewards())
    assert_array_equal(agent.evaluate(3, seed=0).returns, agent.evaluate(3, env="CartPole-v1", seed=0).returns)
    assert len(env.get_episode_rewards()) == episodes
    agent.evaluate(3, env=env, seed=0)
    assert len(env.get_episode_rewards()) == episodes + 3


def test_stable_baselines_evaluates_it_too():
    tools = pytest.importorskip("stable_baselines3.common.evaluation")
    monitor = pytest.importorskip("stable_baselines3.common.monitor").Monitor
    make_vec_env = pytest.importorskip("stable_baselines3.common.env_util").make_vec_env
    agent = cart().learn(300)
    returns, lengths = tools.evaluate_policy(
        agent, monitor(gym.make("CartPole-v1")), n_eval_episodes=4, return_episode_rewards=True
    )
    assert returns == lengths
    mean, _ = tools.evaluate_policy(agent, make_vec_env("CartPole-v1", n_envs=3, seed=0), n_eval_episodes=6)
    assert mean == pytest.approx(agent.evaluate(50, seed=0).mean, rel=0.5)


def test_running_statistics_stand_still_and_rewards_are_true():
    scaled = gym.wrappers.TransformObservation(
        gym.make("CartPole-v1"), lambda o: o * 10 + 100, gym.spaces.Box(-np.inf, np.inf, (4,))
    )
    env = gym.wrappers.NormalizeReward(gym.wrappers.NormalizeObservation(scaled))
    agent = DynLiveAgent(env, seed=0).learn(300)
    statistics = env.env.obs_rms.mean.copy(), env.return_rms.count
    result = agent.evaluate(5, seed=0)
    assert_array_equal(result.returns, result.lengths)
    assert_array_equal(env.env.obs_rms.mean, statistics[0])
    assert env.return_rms.count == statistics[1]
    assert env.update_running_mean
    assert isinstance(env.env, gym.wrappers.NormalizeObservation)
    assert_array_equal(result.returns, agent.evaluate(5, seed=0).returns)
    agent.learn(10)
    assert env.return_rms.count > statistics[1]


def test_a_spec_with_arguments_is_copied_and_one_with_wrappers_is_not():
    assert certain_recipe(gym.make("CartPole-v1", max_episode_steps=7)) is not None
    assert certain_recipe(gym.make("FrozenLake-v1", is_slippery=False)) is not None
    assert certain_recipe(gym.make_vec("CartPole-v1", num_envs=2)) is not None
    assert certain_recipe(TimeLimit(gym.make("CartPole-v1"), 5)) is not None
    assert certain_recipe(gym.wrappers.NormalizeObservation(gym.make("CartPole-v1"))) is None
    assert certain_recipe(Half(gym.make("CartPole-v1"))) is None
    assert certain_recipe(Counting()) is None
    one, two = (lambda n=n: gym.make("CartPole-v1", max_episode_steps=n) for n in (5, 9))
    assert certain_recipe(gym.vector.SyncVectorEnv([one, two])) is None
    plain = gym.make_vec("CartPole-v1", num_envs=2)
    assert certain_recipe(gym.wrappers.vector.RecordEpisodeStatistics(plain)) is not None
    assert certain_recipe(gym.wrappers.vector.TransformAction(plain, lambda actions: 1 - actions)) is None


def test_there_are_few_copies_at_once(trained, monkeypatch):
    made = []
    monkeypatch.setattr(gym, "make", lambda spec, make=gym.make: made.append(spec) or make(spec))
    assert trained.evaluate(100, seed=0, max_steps=3).returns.shape == (100,)
    assert len(made) == 16


def test_sampled_episodes_are_repeatable():
    agent = DynLiveAgent("CartPole-v1", seed=0).learn(100, progress_bar=False)  # has not learned to balance it for good
    first = agent.evaluate(5, seed=0, deterministic=False)
    agent.predict(np.zeros(4))
    assert_array_equal(first.returns, agent.evaluate(5, seed=0, deterministic=False).returns)
    assert (first.returns != agent.evaluate(5, seed=9, deterministic=False).returns).any()


# -- vector environments ---------------------------------------------------------------------------------------------


def several(count=3, mode=AutoresetMode.NEXT_STEP, **kwargs):
    make = [lambda: gym.make("CartPole-v1", **kwargs)] * count
    return gym.vector.SyncVectorEnv(make, autoreset_mode=mode)


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_a_vector_environment_plays_side_by_side(trained, mode):
    result = trained.evaluate(7, env=several(mode=mode), seed=3)
    assert_array_equal(result.returns, result.lengths)
    alone = trained.evaluate(3, seed=3)
    assert_array_equal(result.returns[:3], alone.returns)  # the first episode of each
    assert_array_equal(result.returns, trained.evaluate(7, env=several(mode=mode), seed=3).returns)
    short = trained.evaluate(7, env=several(mode=mode, max_episode_steps=4), seed=3)
    assert short.lengths.tolist() == [4] * 7
    assert short.truncated.all()
    broken_off = trained.evaluate(7, env=several(mode=mode), seed=3, max_steps=3)
    assert broken_off.lengths.tolist() == [3] * 7
    assert broken_off.truncated.all()


@pytest.mark.parametrize("mode", list(AutoresetMode))
def test_every_episode_of_a_vector_environment_counts_once(mode):
    agent = DynLiveAgent(Counting(), seed=0)
    makers = [lambda: Counting(2, 0), lambda: Counting(5, 1)]
    result = agent.evaluate(5, env=gym.vector.SyncVectorEnv(makers, autoreset_mode=mode))
    assert result.lengths.tolist() == [2, 5, 2, 5, 2]
    assert result.returns.tolist() == [3, 100_000 * 5 + 15, 203, 100_100 * 5 + 15, 403]
    assert result.truncated.tolist() == [False, True, True, True, True]


def test_what_wraps_a_vector_environment_counts(trained):
    swapped = gym.wrappers.vector.TransformAction(several(), lambda actions: 1 - actions)
    agent = DynLiveAgent(swapped, seed=0).learn(600)
    assert agent.evaluate(6, seed=0).mean > 3 + agent.evaluate(6, env="CartPole-v1", seed=0).mean
    scaled = gym.wrappers.vector.NormalizeReward(gym.wrappers.vector.NormalizeObservation(several()))
    agent = DynLiveAgent(scaled, seed=0).learn(300)
    count = scaled.return_rms.count
    result = agent.evaluate(4, seed=0)
    assert_array_equal(result.returns, result.lengths)
    assert scaled.return_rms.count == count
    inside = gym.vector.SyncVectorEnv([lambda: gym.wrappers.NormalizeReward(gym.make("CartPole-v1"))] * 2)
    result = DynLiveAgent(inside, seed=0).learn(200).evaluate(3, seed=0)
    assert_array_equal(result.returns, result.lengths)


def test_a_vector_environment_is_evaluated_as_what_it_is_made_of():
    agent = DynLiveAgent(gym.vector.SyncVectorEnv([lambda: gym.make("CartPole-v1")] * 2), seed=0)
    assert agent.evaluate(3, seed=0).returns.shape == (3,)


def test_long_evaluations_show_their_progress(trained, capsys, monkeypatch):
    monkeypatch.setattr("dynlive_rl.agents.evaluation.SECONDS_UNTIL_PROGRESS", 0.0)
    trained.evaluate(3, seed=0, progress_bar=True)
    assert "evaluating" in capsys.readouterr().err
    trained.evaluate(3, seed=0)  # no terminal
    assert capsys.readouterr().err == ""
