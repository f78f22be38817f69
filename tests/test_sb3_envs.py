"""stable-baselines3's vector environments train an agent as Gymnasium's do, and its tools take ours for theirs."""

import copy
import pickle

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete
from gymnasium.utils import EzPickle
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit

from dynlive_rl import DynLiveAgent
from dynlive_rl.agents.sb3 import FromVecEnv
from helpers import assert_same_state
from worlds import Corridor, Telling

pytest.importorskip("stable_baselines3")
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import (
    DummyVecEnv,
    SubprocVecEnv,
    VecEnv,
    VecFrameStack,
    VecMonitor,
    VecNormalize,
)

from dynlive_rl.agents.sb3.views import ToVecEnv, vec_env_of

STEPS = 400


def carts(count=2):
    return [lambda: gym.make("CartPole-v1")] * count


def quiet(env, steps=STEPS, **settings):
    return DynLiveAgent(env, seed=0, **settings).learn(steps, progress_bar=False)


@pytest.fixture(scope="module")
def gymnasiums():
    """An agent that learned in Gymnasium's vector environment, which resets in the same step as they all do."""
    return quiet(SyncVectorEnv(carts(), autoreset_mode=AutoresetMode.SAME_STEP))


@pytest.mark.parametrize("around", [lambda venv: venv, VecMonitor], ids=["bare", "VecMonitor"])
def test_learning_in_a_dummy_vec_env_is_that_in_gymnasiums_bit_for_bit(around, gymnasiums):
    agent = quiet(around(DummyVecEnv(carts())))
    assert (agent.num_timesteps, agent.episodes) == (STEPS, gymnasiums.episodes)
    assert agent.episodes > 4
    assert_same_state(agent.get_state(), gymnasiums.get_state())


def test_and_so_it_is_in_other_processes(gymnasiums):
    venv = SubprocVecEnv(carts(), start_method="fork")
    try:
        assert_same_state(quiet(venv).get_state(), gymnasiums.get_state())
    finally:
        venv.close()


@pytest.mark.parametrize("mode", ["rehearsal", "live"])
def test_what_is_cut_off_is_no_end(mode):
    def made():
        return TimeLimit(Corridor(30), 7)

    ours = quiet(SyncVectorEnv([made] * 2, autoreset_mode=AutoresetMode.SAME_STEP), mode=mode)
    theirs = quiet(DummyVecEnv([made] * 2), mode=mode)
    assert theirs.interaction.learner.progress["terminations"][0] == 0
    assert_same_state(theirs.get_state(), ours.get_state())


@pytest.mark.parametrize(
    "space", [Dict({"a": Box(-1, 1, (2,)), "b": Discrete(3)}), Discrete(4)], ids=["Dict", "Discrete"]
)
def test_other_observations_come_through(space):
    def made():
        return Telling(space, lambda seen: False)

    ours = quiet(SyncVectorEnv([made] * 2, autoreset_mode=AutoresetMode.SAME_STEP), 150)
    assert_same_state(quiet(DummyVecEnv([made] * 2), 150).get_state(), ours.get_state())


def test_stacked_frames_are_what_is_learned_from():
    agent = quiet(VecFrameStack(DummyVecEnv(carts()), 3))
    assert agent.observation_space.shape == (12,)
    assert agent.predict(np.zeros((5, 12)))[0].shape == (5,)


def test_normalised_environments_learn_their_statistics_in_training_alone():
    venv = VecNormalize(make_vec_env("CartPole-v1", n_envs=2, seed=0))
    agent = quiet(venv)
    assert venv.obs_rms.count > STEPS
    before = venv.obs_rms.mean.copy()
    played = agent.evaluate(4, seed=1)
    np.testing.assert_array_equal(played.returns, played.lengths)  # CartPole's own rewards
    np.testing.assert_array_equal(venv.obs_rms.mean, before)
    assert venv.training
    assert venv.norm_reward


def test_statistics_that_stood_still_go_on_standing_still():
    venv = VecNormalize(DummyVecEnv(carts()), training=False, norm_reward=False)
    quiet(venv, 50).evaluate(1, seed=0)
    assert not venv.training
    assert not venv.norm_reward


@pytest.mark.parametrize("count", [1, 3])
def test_a_saved_agent_goes_on_in_another_number(count, tmp_path):
    agent = quiet(DummyVecEnv(carts()))
    agent.save(tmp_path / "agent.dynlive")
    loaded = DynLiveAgent.load(tmp_path / "agent.dynlive", env=DummyVecEnv(carts(count)))
    assert loaded.learn(60, reset_num_timesteps=False, progress_bar=False).num_timesteps == STEPS + 60
    agent.set_env(DummyVecEnv(carts(count)))
    assert isinstance(agent.env, FromVecEnv)
    assert agent.learn(60, progress_bar=False).num_timesteps == 60


def test_its_environments_can_be_reached():
    adapter = FromVecEnv(DummyVecEnv(carts()))
    adapter.set_attr("gravity", [5.0, 6.0])
    assert adapter.get_attr("gravity") == (5.0, 6.0)
    adapter.set_attr("gravity", 7.0)
    assert [env.gravity for env in adapter.venv.envs] == [7.0, 7.0]
    assert adapter.call("has_wrapper_attr", "length") == (True, True)
    first, _ = adapter.reset(seed=3)
    again, _ = adapter.reset(seed=3)
    np.testing.assert_array_equal(first, again)
    assert repr(adapter) == "FromVecEnv(DummyVecEnv, num_envs=2)"


def test_what_only_looks_a_little_like_one_is_refused():
    class Half:
        num_envs = 2

        def step_wait(self): ...

    with pytest.raises(TypeError, match="a Gymnasium environment or a VecEnv"):
        DynLiveAgent(Half())


# -- the other way round -----------------------------------------------------------------------------------------------


def test_evaluate_policy_takes_the_agent(gymnasiums):
    venv = make_vec_env("CartPole-v1", n_envs=2, seed=5)
    mean, _ = evaluate_policy(gymnasiums, venv, n_eval_episodes=4)
    returns, lengths = evaluate_policy(
        gymnasiums, gym.make("CartPole-v1"), n_eval_episodes=2, return_episode_rewards=True, warn=False
    )
    assert mean > 20
    assert returns == lengths


@pytest.mark.parametrize(
    ("env", "kind", "count"),
    [
        (gym.make("CartPole-v1"), DummyVecEnv, 1),
        (SyncVectorEnv(carts()), DummyVecEnv, 2),
        (gym.make_vec("CartPole-v1", num_envs=3), ToVecEnv, 3),
        (Telling(Dict({"in": Dict({"deep": Discrete(2)})}), lambda seen: True), ToVecEnv, 1),
    ],
    ids=["single", "sync", "vectorised", "nested"],
)
def test_gymnasiums_environments_are_seen_as_vec_envs(env, kind, count):
    venv = vec_env_of(env)
    assert isinstance(venv, kind)
    assert venv.num_envs == count
    assert venv.action_space == (env.action_space if count == 1 else env.single_action_space)
    venv.seed(0)
    venv.reset()
    _, rewards, dones, infos = venv.step(np.zeros(count, np.int64))
    assert (rewards.shape, dones.shape, len(infos)) == ((count,), (count,), count)
    assert venv.env_is_wrapped(VecEnv) == [False] * count
    assert not any(info["TimeLimit.truncated"] for info in infos)


def test_a_vec_env_is_itself():
    venv = DummyVecEnv(carts())
    assert vec_env_of(venv) is venv
    assert vec_env_of(FromVecEnv(venv)) is venv


def test_environments_side_by_side_in_one_can_be_reached():
    view = ToVecEnv(SyncVectorEnv(carts(), autoreset_mode=AutoresetMode.SAME_STEP))
    view.set_attr("gravity", 5.0)
    assert view.get_attr("gravity") == [5.0, 5.0]
    assert view.get_attr("gravity", indices=1) == [5.0]
    assert view.env_method("has_wrapper_attr", "length") == [True, True]
    with pytest.raises(NotImplementedError, match="all environments only"):
        view.set_attr("gravity", 6.0, indices=[0])
    view.reset()
    for _ in range(60):
        observations, _, dones, infos = view.step(np.zeros(2, np.int64))
        for k in np.flatnonzero(dones):
            assert abs(infos[k]["terminal_observation"][2]) > 0.2  # fallen
            assert abs(observations[k][2]) < 0.06  # and up again
        if dones.any():
            return
    raise AssertionError("nothing has fallen")


class Masked(gym.Env):
    """Allows one of three actions, another one every step, and counts what it forbade."""

    observation_space, action_space = Box(-1, 1, (2,)), Discrete(3)
    forbidden = 0

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.t = 0
        return self._look()

    def step(self, action):
        self.forbidden += action != self.t % 3
        self.t += 1
        observation, info = self._look()
        return observation, 1.0, self.t % 7 == 0, False, info

    def _look(self):
        return self.np_random.uniform(-1, 1, 2).astype(np.float32), {"action_mask": np.arange(3) == self.t % 3}


@pytest.mark.parametrize("mode", ["rehearsal", "live"])
@pytest.mark.parametrize("around", [lambda venv: venv, VecMonitor], ids=["bare", "VecMonitor"])
def test_masks_of_a_vec_env_are_followed_as_gymnasiums(mode, around):
    theirs = DummyVecEnv([Masked] * 2)
    agent = quiet(around(theirs), mode=mode)
    agent.evaluate(4, seed=0)
    assert [env.forbidden for env in theirs.envs] == [0, 0]
    ours = SyncVectorEnv([Masked] * 2, autoreset_mode=AutoresetMode.SAME_STEP)
    twin = quiet(ours, mode=mode)
    twin.evaluate(4, seed=0)
    assert_same_state(agent.get_state(), twin.get_state())


class Rebuilt(Corridor, EzPickle):
    """Is made anew from its arguments where it is copied, like Gymnasium's MuJoCo environments."""

    def __init__(self):
        Corridor.__init__(self, length=6)
        EzPickle.__init__(self)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda agent: pickle.loads(pickle.dumps(agent))])
def test_a_copy_whose_vec_env_is_made_anew_says_so_and_begins_an_episode(copied, caplog):
    agent = quiet(DummyVecEnv([Rebuilt] * 2), 33, mode="live")
    twin = copied(agent)
    with caplog.at_level("INFO"):
        twin.learn(2, progress_bar=False)
    assert "cannot be copied: learning goes on with a new episode" in caplog.text


def test_evaluation_in_a_vec_env_leaves_its_random_numbers_where_they_were():
    def learned(seed):
        agent = quiet(DummyVecEnv(carts()), 100, mode="live")
        agent.evaluate(3, seed=seed)
        return agent.learn(100, progress_bar=False).get_state()

    assert_same_state(learned(1), learned(2))
    other = quiet(DummyVecEnv(carts()), 100, mode="live").learn(100, progress_bar=False).get_state()
    with pytest.raises(AssertionError):  # without an evaluation between them the episode goes on instead
        assert_same_state(learned(1), other)


def test_an_evaluation_in_the_vec_env_that_an_agent_learns_in_breaks_its_episode_off():
    venv = DummyVecEnv(carts())
    agent = quiet(venv, 20, mode="live")
    assert agent._workplace.loop().position.unfinished is not None
    agent.evaluate(2, env=venv, seed=0)
    assert agent._workplace.loop().position.unfinished is None
