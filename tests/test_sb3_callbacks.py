"""stable-baselines3's callbacks work on `agent.learn` unchanged, alone, in lists and beside functions."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.vector import AutoresetMode, SyncVectorEnv

from dynlive_rl import DynLiveAgent
from dynlive_rl.agents.sb3 import DynLive
from helpers import assert_same_state, cart, own
from worlds import Counting

pytest.importorskip("stable_baselines3")
from stable_baselines3.common.callbacks import (
    BaseCallback,
    CallbackList,
    CheckpointCallback,
    ConvertCallback,
    EvalCallback,
    EveryNTimesteps,
    LogEveryNTimesteps,
    ProgressBarCallback,
    StopTrainingOnMaxEpisodes,
    StopTrainingOnNoModelImprovement,
    StopTrainingOnRewardThreshold,
)
from stable_baselines3.common.env_util import make_vec_env
from stable_baselines3.common.monitor import Monitor
from stable_baselines3.common.vec_env import DummyVecEnv, VecNormalize


class Witness(BaseCallback):
    """Writes down what it is told, and stops after some calls."""

    def __init__(self, stop_after=10**9, names=("dones",)):
        super().__init__()
        self.told, self.steps, self.stop_after, self.names = [], [], stop_after, names

    def _on_training_start(self):
        self.told.append("training starts")
        self.first = dict(self.locals)

    def _on_rollout_start(self):
        self.told.append("rollout starts")

    def _on_step(self):
        self.told.append("step")
        self.steps.append({name: self.locals[name] for name in self.names} | {"steps": self.num_timesteps})
        return self.n_calls < self.stop_after

    def _on_rollout_end(self):
        self.told.append("rollout ends")

    def _on_training_end(self):
        self.told.append("training ends")


def learned(callback, steps=200, mode="live", env="CartPole-v1"):
    return DynLiveAgent(env, mode=mode, seed=0).learn(steps, callback=callback, progress_bar=False)


# -- what they are told ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["live", "rehearsal"])
def test_everything_begins_and_ends_in_its_order(mode):
    witness = Witness()
    agent = learned(witness, 150, mode)
    assert witness.told[:3] == ["training starts", "rollout starts", "step"]
    assert witness.told[-2:] == ["rollout ends", "training ends"]
    assert witness.told.count("step") == 150
    rollouts = agent.episodes if mode == "live" else agent.interaction.learner.progress["rehearsals"][0]
    assert rollouts > 2
    assert witness.told.count("rollout starts") == witness.told.count("rollout ends") == rollouts + 1
    assert [step["steps"] for step in witness.steps] == list(range(1, 151))


def test_following_changes_nothing_of_what_is_learned():
    def everything(report):
        return None

    plain, followed = learned(None, 300, "rehearsal"), learned([Witness(), everything], 300, "rehearsal")
    assert_same_state(plain.get_state(), followed.get_state())


def test_the_variables_of_the_loop_are_there():
    witness = Witness(names=("actions", "new_obs", "rewards", "dones", "infos", "self", "env"))
    agent = learned(witness, 10, env=Counting(4))
    assert witness.first["total_timesteps"] == 10
    assert witness.first["reset_num_timesteps"] is True
    assert witness.locals["self"].agent is agent
    assert witness.training_env is witness.locals["env"]
    shapes = {name: np.shape(witness.steps[0][name]) for name in ("actions", "new_obs", "rewards", "dones")}
    assert shapes == {"actions": (1,), "new_obs": (1, 2), "rewards": (1,), "dones": (1,)}
    assert [step["rewards"][0] for step in witness.steps] == [1, 2, 3, 4, 101, 102, 103, 104, 201, 202]
    assert [bool(step["dones"][0]) for step in witness.steps] == [t in (4, 8) for t in range(1, 11)]
    first, second = (witness.steps[t]["infos"][0] for t in (3, 7))
    assert (first["TimeLimit.truncated"], second["TimeLimit.truncated"]) == (False, True)
    np.testing.assert_array_equal(second["terminal_observation"], [1, 4])
    assert (second["episode"]["r"], second["episode"]["l"]) == (410, 4)
    assert set(witness.steps[0]["infos"][0]) == {"TimeLimit.truncated"}


@pytest.mark.parametrize("mode", list(AutoresetMode), ids=str)
def test_so_they_are_of_environments_side_by_side(mode):
    env = SyncVectorEnv([lambda: Counting(3, stride=1), lambda: Counting(5, stride=2)], autoreset_mode=mode)
    witness = Witness(names=("new_obs", "rewards", "dones", "infos"))
    agent = learned(witness, 40, env=env)
    ended = [(k, step["infos"][k]) for step in witness.steps for k in np.flatnonzero(step["dones"])]
    assert len(ended) == agent.episodes > 5
    for k, info in ended:
        length = (3, 5)[k]
        assert info["episode"]["l"] == length
        assert info["terminal_observation"][1] == length
        assert info["TimeLimit.truncated"] == bool(info["terminal_observation"][0] % 3)
    assert witness.steps[-1]["steps"] == agent.num_timesteps


def test_the_variables_are_a_dict_like_any_other():
    class Curious(BaseCallback):
        def _on_training_start(self):
            assert "dones" not in self.locals
            assert self.locals.get("dones", 7) == 7
            with pytest.raises(KeyError):
                self.locals["dones"]

        def _on_step(self):
            if self.n_calls == 2:
                assert "dones" in self.locals
                assert {"infos", "rewards", "total_timesteps"} <= set(self.locals) == {*self.locals.keys()}
                assert dict(self.locals.items()).keys() == {**self.locals}.keys()
                assert self.locals.get("nothing") is None
                assert len(list(self.locals.values())) == len(self.locals)
                self.locals["mine"] = 1
            return self.n_calls < 3

    assert learned(Curious()).num_timesteps == 3


def test_the_model_is_what_callbacks_expect():
    class Curious(BaseCallback):
        def _on_step(self):
            model = self.model
            assert model.num_timesteps == self.num_timesteps == self.n_calls
            assert model.get_vec_normalize_env() is None
            assert model.device.type == model.policy.device.type == "cpu"
            assert model.policy.predict(np.zeros(4), deterministic=True)[0] in (0, 1)
            model.policy.set_training_mode(False)
            assert model.policy.observation_space == model.observation_space
            assert (model.n_envs, model.seed, model.verbose, model.tensorboard_log) == (1, 0, 0, None)
            assert 0 < model.learning_rate < model.gamma < 1
            assert model.hyperparameters["mode"] == "live"
            assert self.training_env.get_attr("spec")[0].id == "CartPole-v1"
            assert len(model.ep_success_buffer) == 0
            self.logger.record("mine", 1.0)
            return True

    agent = learned(Curious(), 60)
    model = DynLive.of(agent)
    assert len(model.ep_info_buffer) == agent.episodes
    assert sum(episode["l"] for episode in model.ep_info_buffer) <= 60


def test_what_monitor_says_of_an_episode_counts():
    venv = VecNormalize(make_vec_env("CartPole-v1", n_envs=2, seed=0))
    agent = learned(Witness(), 200, env=venv)
    model = DynLive.of(agent)
    assert model.get_env() is model.get_vec_normalize_env() is venv
    assert len(model.ep_info_buffer) == agent.episodes
    assert all(episode["r"] == episode["l"] for episode in model.ep_info_buffer)  # not the normalised ones


# -- stopping ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("no", [False, np.False_, np.array(False)], ids=repr)
def test_a_function_that_says_no_stops(no):
    assert learned(lambda report: no, 50).num_timesteps == 1


def test_a_list_stops_when_one_says_no_and_asks_all():
    calls = []
    agent = learned([calls.append, Witness(stop_after=3), calls.append], 50)
    assert agent.num_timesteps == 3
    assert len(calls) == 6
    assert learned(((), [Witness(), [lambda report: agent.episodes < 0]]), 50).num_timesteps == 1


def test_a_callback_that_returns_nothing_goes_on():
    class Silent(BaseCallback):
        def _on_step(self):
            return None

    assert learned(Silent(), 20).num_timesteps == 20


@pytest.mark.parametrize("callback", [7, "EvalCallback", [print, 7], ProgressBarCallback], ids=repr)
def test_what_is_no_callback_is_refused_before_the_first_step(callback):
    agent = cart(mode="live")
    with pytest.raises(
        TypeError, match=r"callback must be a function of a report, a callback of stable-baselines3 or a"
    ):
        agent.learn(5, callback=callback, progress_bar=False)
    assert agent.num_timesteps == 0


def test_what_a_callback_raises_comes_out_and_learning_can_go_on():
    def broken(report):
        raise ZeroDivisionError

    agent = cart(mode="live")
    with pytest.raises(ZeroDivisionError):
        agent.learn(5, callback=[Witness(), broken], progress_bar=False)
    assert agent.learn(5, reset_num_timesteps=False, progress_bar=False).num_timesteps == 6


def test_without_an_environment_there_is_no_training_env():
    agent = own(mode="live")
    assert DynLive.of(agent).get_env() is None
    assert DynLive.of(agent).get_vec_normalize_env() is None


# -- stable-baselines3's own -------------------------------------------------------------------------------------------


def test_checkpoints_can_be_loaded(tmp_path):
    agent = learned(CheckpointCallback(100, str(tmp_path), name_prefix="cart"), 250)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cart_100_steps.zip", "cart_200_steps.zip"]
    loaded = DynLiveAgent.load(tmp_path / "cart_200_steps.zip")
    loaded.learn(50, reset_num_timesteps=False, progress_bar=False)
    assert_same_state(loaded.get_state(), agent.get_state())


def test_evaluations_are_kept_and_the_best_agent_too(tmp_path):
    agent = cart()
    evaluate = EvalCallback(
        Monitor(gym.make("CartPole-v1")),
        eval_freq=150,
        n_eval_episodes=2,
        log_path=str(tmp_path),
        best_model_save_path=str(tmp_path),
        verbose=0,
    )
    agent.learn(300, callback=evaluate, progress_bar=False)
    log = np.load(tmp_path / "evaluations.npz")
    assert log["timesteps"].tolist() == [150, 300]
    assert log["results"].shape == (2, 2)
    assert evaluate.best_mean_reward == log["results"].mean(axis=1).max()
    best = DynLiveAgent.load(tmp_path / "best_model.zip")
    assert best.num_timesteps == log["timesteps"][log["results"].mean(axis=1).argmax()]


def test_normalised_environments_are_evaluated_with_the_statistics_of_training():
    made = [VecNormalize(DummyVecEnv([lambda: Monitor(gym.make("CartPole-v1"))])) for _ in range(2)]
    made[1].training = made[1].norm_reward = False
    learned(EvalCallback(made[1], eval_freq=100, n_eval_episodes=1, verbose=0), 100, env=made[0])
    np.testing.assert_array_equal(made[1].obs_rms.mean, made[0].obs_rms.mean)
    assert made[1].obs_rms.count > 50


@pytest.mark.parametrize(
    ("stop", "steps"),
    [
        ({"callback_on_new_best": StopTrainingOnRewardThreshold(5)}, 50),
        ({"callback_after_eval": StopTrainingOnNoModelImprovement(1, min_evals=1)}, 150),
    ],
    ids=["threshold", "no improvement"],
)
def test_evaluations_stop_learning(stop, steps):
    evaluate = EvalCallback(Constant(), eval_freq=50, n_eval_episodes=1, verbose=0, warn=False, **stop)
    assert learned(evaluate, 1000).num_timesteps == steps


class Constant(gym.Env):
    """CartPole's spaces, and episodes of ten steps that always return ten."""

    def __init__(self):
        cartpole = gym.make("CartPole-v1")
        self.observation_space, self.action_space = cartpole.observation_space, cartpole.action_space

    def reset(self, *, seed=None, options=None):
        self.time = 0
        return np.zeros(4, np.float32), {}

    def step(self, action):
        self.time += 1
        return np.zeros(4, np.float32), 1.0, self.time == 10, False, {}


def test_it_stops_after_so_many_episodes():
    assert learned(StopTrainingOnMaxEpisodes(3), 1000, env=Counting(4)).num_timesteps == 12


def test_some_are_called_now_and_then():
    inner, old_style = Witness(), []
    callbacks = CallbackList([EveryNTimesteps(40, inner), ConvertCallback(lambda variables, _: old_style.append(1))])
    learned(callbacks, 200)
    assert [step["steps"] for step in inner.steps] == [40, 80, 120, 160, 200]
    assert len(old_style) == 200


def test_lines_can_be_logged_by_steps(capsys):
    agent = DynLiveAgent("CartPole-v1", mode="live", seed=0, verbose=1)
    agent.learn(250, callback=LogEveryNTimesteps(100), log_interval=0, progress_bar=False)
    assert capsys.readouterr().out.count("total_timesteps") == 2


def test_its_progress_bar_counts(capsys):
    bar = ProgressBarCallback()
    learned(bar, 30)
    assert (bar.pbar.n, bar.pbar.total) == (30, 30)
    agent = cart(mode="live").learn(10, progress_bar=False)
    agent.learn(20, callback=bar, reset_num_timesteps=False, progress_bar=False)
    assert (bar.pbar.n, bar.pbar.total) == (20, 20)
