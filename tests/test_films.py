"""Watching an agent act: in a window nobody sees, and in films."""

import sys

import gymnasium as gym
import pytest
from gymnasium.spaces import Discrete

from dynlive_rl import DynLiveAgent
from dynlive_rl.agents.films import make_like, play, watch
from helpers import assert_same_state, cart, opened

pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def agent():
    return cart().learn(400)


@pytest.fixture(autouse=True)
def headless(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")


def test_watching_headless(agent, tmp_path):
    returns = watch(agent, gif=tmp_path / "pole.gif", seed=3, episodes=2, steps=12)
    assert returns == [12.0, 12.0] or all(1 <= one <= 12 for one in returns)
    assert opened(tmp_path / "pole.gif").n_frames >= 2
    assert watch(agent, seed=3, steps=3) == [3.0]  # a window nobody sees


def test_a_live_agent_is_filmed_without_a_network(tmp_path):
    agent = DynLiveAgent("CartPole-v1", mode="live", seed=0)
    assert len(watch(agent, gif=tmp_path / "live.gif", seed=0, steps=5)) == 1
    assert opened(tmp_path / "live.gif").width < 400


def test_an_agent_of_a_vector_environment_is_watched_in_one(tmp_path):
    agent = DynLiveAgent(gym.make_vec("CartPole-v1", num_envs=2), seed=0)
    assert watch(agent, gif=tmp_path / "one.gif", seed=0, steps=5) == [5]


def test_what_cannot_be_watched_is_refused(agent, tmp_path):
    alone = DynLiveAgent(observation_space=Discrete(20), action_space=Discrete(2), seed=0)
    with pytest.raises(ValueError, match="no environment to be watched in: pass env="):
        watch(alone)
    with pytest.raises(ValueError, match=r"must be a .gif or .mp4 file, not '.*avi'"):
        watch(agent, gif=tmp_path / "pole.avi", steps=2)
    with pytest.raises(FileNotFoundError, match="there is no folder"):
        watch(agent, gif=tmp_path / "none" / "pole.gif", steps=2)
    with pytest.raises(ValueError, match="was trained with Box"):
        watch(agent, env="Acrobot-v1", gif=tmp_path / "pole.gif")
    with pytest.raises(ValueError, match="cannot be shown as 'rgb_array'"):
        watch(alone, env="dynlive_rl.envs:DynLive/Chain-v0", gif=tmp_path / "chain.gif")


def test_what_showing_needs_is_named(agent, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pygame", None)
    with pytest.raises(ValueError, match=r"cannot be shown: pygame is not installed, run `pip install"):
        watch(agent, gif=tmp_path / "pole.gif", steps=2)


def test_watching_changes_nothing(agent, tmp_path):
    before = agent.get_state()
    watch(agent, gif=tmp_path / "pole.gif", seed=3, steps=5)
    assert_same_state(before, agent.get_state())


def test_an_episode_is_broken_off_after_so_many_steps(agent):
    env = make_like(agent, None, None)
    assert env is not agent.env
    assert [reward for _, reward in play(agent, env, seed=0, steps=4)] == [1.0] * 4
