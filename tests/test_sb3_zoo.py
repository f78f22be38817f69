"""The agent as a stable-baselines3 model: what rl_zoo3 passes it, and the zoo's own train, enjoy, tuning and plots."""

import re
import sys

import gymnasium as gym
import numpy as np
import pytest

from dynlive_rl import DynLiveAgent
from dynlive_rl.agents.sb3 import DynLive
from helpers import assert_same_state, cart

pytest.importorskip("stable_baselines3")
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.evaluation import evaluate_policy
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize

# -- the model ---------------------------------------------------------------------------------------------------------


def test_a_model_learns_what_its_agent_would():
    model = DynLive("MlpPolicy", "CartPole-v1", seed=0, device="cuda", verbose=0).learn(300)
    assert_same_state(model.agent.get_state(), cart().learn(300, progress_bar=False).get_state())
    action, state = model.predict(np.zeros((3, 4)), state=None, episode_start=None, deterministic=True)
    assert (action.shape, state) == ((3,), None)
    assert (model.num_timesteps, model.n_envs, model.seed) == (300, 1, 0)
    assert repr(model).startswith("DynLive(DynLiveAgent(300 steps")


@pytest.mark.parametrize(("mode", "group"), [("rehearsal", {"batch": 32}), ("live", {"cells": 64})])
def test_settings_are_groups_of_the_configuration(mode, group):
    name = "rehearsal" if mode == "rehearsal" else "cells"
    model = DynLive(env="CartPole-v1", mode=mode, **{name: group})
    key, value = next(iter(group.items()))
    assert getattr(getattr(model.agent.config, name), key) == value
    assert model.hyperparameters[name][key] == value


def test_settings_that_it_does_not_have_are_refused():
    with pytest.raises(
        TypeError, match=r"no setting 'learning_rate': in mode 'rehearsal' there are rehearsal, optimisat"
    ):
        DynLive("MlpPolicy", "CartPole-v1", learning_rate=1e-3)
    with pytest.raises(ValueError, match="mode must be one of 'rehearsal', 'live', not 'ppo'"):
        DynLive("MlpPolicy", "CartPole-v1", mode="ppo", rehearsal={})


def test_files_have_the_zoos_endings(tmp_path):
    model = DynLive(env="CartPole-v1", seed=0, mode="live").learn(50)
    model.save(tmp_path / "CartPole-v1")
    model.save(tmp_path / "mine.dynlive")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["CartPole-v1.zip", "mine.dynlive"]
    for path in (str(tmp_path / "CartPole-v1"), tmp_path / "CartPole-v1.zip", tmp_path / "mine.dynlive"):
        loaded = DynLive.load(path, custom_objects={}, device="cpu")
        assert_same_state(loaded.agent.get_state(), model.agent.get_state())
    with open(tmp_path / "mine.dynlive", "rb") as file:
        assert DynLive.load(file).num_timesteps == 50
    assert DynLiveAgent.load(tmp_path / "CartPole-v1.zip").num_timesteps == 50


def test_a_loaded_model_goes_on_in_its_environment(tmp_path):
    DynLive(env="CartPole-v1", seed=0, mode="live").learn(50).save(tmp_path / "model")
    venv = VecNormalize(make_vec_env("CartPole-v1", n_envs=2))
    loaded = DynLive.load(tmp_path / "model", env=venv, seed=7, verbose=1, tensorboard_log=None, mode="live")
    assert (loaded.seed, loaded.verbose, loaded.n_envs) == (7, 1, 2)
    assert loaded.get_env() is loaded.env is venv
    assert loaded.learn(30, log_interval=None, reset_num_timesteps=False).num_timesteps == 80
    with pytest.raises(ValueError, match=r"other settings than \{'cells': \{'cells': 64\}\}: these cannot be changed"):
        DynLive.load(tmp_path / "model", cells={"cells": 64})


def test_another_environment_is_seen_too():
    model = DynLive(env="CartPole-v1", mode="live", seed=0)
    first = model.get_env()
    model.set_env(DummyVecEnv([lambda: gym.make("CartPole-v1")] * 3))
    assert model.get_env() is not first
    assert (model.get_env().num_envs, model.n_envs) == (3, 3)
    assert model.learn(30).num_timesteps == 30


def test_the_model_of_an_agent_is_one():
    model = DynLive(env="CartPole-v1", mode="live", stats_window_size=5)
    assert DynLive.of(model.agent) is model
    model.learn(300)
    assert len(model.ep_info_buffer) == 5
    agent = cart(mode="live")
    kept = DynLive.of(agent)
    assert DynLive.of(agent) is kept
    assert evaluate_policy(model, make_vec_env("CartPole-v1"), n_eval_episodes=1)[0] > 5


# -- the zoo -----------------------------------------------------------------------------------------------------------

SETTINGS = """
CartPole-v1:
  n_timesteps: 300
  policy: MlpPolicy
  n_envs: 2
  normalize: true
  mode: live
"""


@pytest.fixture
def zoo(tmp_path, monkeypatch):
    """A folder, and the zoo's command line in it: zoo("train", …)."""
    rl_zoo3 = pytest.importorskip("rl_zoo3")
    pytest.importorskip("seaborn")
    monkeypatch.setitem(rl_zoo3.ALGOS, "dynlive", DynLive)  # what docs/sb3.md says
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "agg")
    (tmp_path / "settings.yml").write_text(SETTINGS)

    def run(command, *arguments):
        from rl_zoo3.cli import main

        where = ("--exp-folders",) if command == "all_plots" else ("-f",)
        algo = ("--algos",) if command == "all_plots" else ("--algo",)
        monkeypatch.setattr(
            sys, "argv", ["rl_zoo3", command, *algo, "dynlive", "--env", "CartPole-v1", *where, "logs", *arguments]
        )
        main()

    run.folder = tmp_path / "logs" / "dynlive"
    return run


@pytest.fixture
def trained(zoo):
    """The zoo's command line after a training."""
    zoo("train", "-conf", "settings.yml", "--eval-freq", "100", "--eval-episodes", "2", "--save-freq", "200",
        "--seed", "1", "-tb", "tensorboard", "-P")  # fmt: skip
    return zoo


def test_the_zoo_trains_enjoys_and_plots(trained, capsys):
    run = trained.folder / "CartPole-v1_1"
    names = {path.name for path in run.iterdir()}
    assert names >= {"CartPole-v1.zip", "best_model.zip", "rl_model_200_steps.zip", "evaluations.npz", "0.monitor.csv"}
    assert (run / "CartPole-v1" / "vecnormalize.pkl").exists()
    assert np.load(run / "evaluations.npz")["timesteps"].tolist() == [100, 200, 300]
    assert list((run.parents[2] / "tensorboard" / "CartPole-v1" / "DynLive_1").iterdir())
    agent = DynLiveAgent.load(run / "CartPole-v1.zip")
    assert (agent.mode, agent.num_timesteps) == ("live", 300)
    capsys.readouterr()
    trained("enjoy", "--no-render", "-n", "300")
    out = capsys.readouterr().out
    assert float(re.search(r"Mean reward: ([\d.]+)", out)[1]) >= 8
    trained("enjoy", "--no-render", "-n", "20", "--load-best", "--stochastic", "--n-envs", "1")
    trained("enjoy", "--no-render", "-n", "20", "--load-last-checkpoint")
    assert "rl_model_200_steps.zip" in capsys.readouterr().out
    trained("plot_train")
    trained("all_plots", "--no-display", "-o", "table")
    assert re.search(r"CartPole-v1 *\| *\d+", capsys.readouterr().out)


def test_the_zoo_goes_on_with_what_it_trained(trained):
    trained("train", "-conf", "settings.yml", "--eval-freq", "-1", "-n", "50", "--seed", "1",
            "-i", str(trained.folder / "CartPole-v1_1" / "CartPole-v1.zip"))  # fmt: skip
    second = DynLiveAgent.load(trained.folder / "CartPole-v1_2" / "CartPole-v1.zip")
    assert second.num_timesteps == 50
    assert second.interaction.learner.progress["steps"][0] == 350


def test_the_zoo_tunes(zoo, monkeypatch, capsys):
    from rl_zoo3.hyperparams_opt import HYPERPARAMS_SAMPLER

    def sample(trial, n_actions, n_envs, additional_args):
        return {"optimisation": {"actor_rate": trial.suggest_float("actor_rate", 0.01, 0.1)}}

    monkeypatch.setitem(HYPERPARAMS_SAMPLER, "dynlive", sample)
    zoo("train", "-conf", "settings.yml", "-optimize", "--n-trials", "2", "--n-evaluations", "2", "--eval-episodes", "1",
        "--n-startup-trials", "1", "--no-optim-plots", "--seed", "1", "-n", "200")  # fmt: skip
    out = capsys.readouterr().out
    assert "Number of finished trials:  2" in out
    assert re.search(r"actor_rate: 0\.0\d+", out)


def test_what_the_zoo_puts_in_the_place_of_a_time_limit_is_kept_too(tmp_path):
    patches = pytest.importorskip("rl_zoo3.gym_patches")
    inside = gym.make("CartPole-v1").env
    agent = DynLiveAgent(patches.PatchedTimeLimit(inside, 500), mode="live", seed=0).learn(50, progress_bar=False)
    agent.save(tmp_path / "agent.dynlive")
    plain = gym.make("CartPole-v1")
    loaded = DynLiveAgent.load(tmp_path / "agent.dynlive", env=plain)
    for one in (agent, loaded):
        one.learn(50, reset_num_timesteps=False, progress_bar=False)
    assert_same_state(loaded.get_state(), agent.get_state())
