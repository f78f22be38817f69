"""What is logged as an agent learns: keys and formats of stable-baselines3, TensorBoard without PyTorch, Monitor files."""

import csv
import io
import json
import os
import re
import subprocess
import sys
from itertools import pairwise

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.wrappers import TransformReward

from dynlive_rl import DynLiveAgent
from dynlive_rl.agents.sb3 import DynLive, Logger, MonitorFile, TableWriter, TensorBoardWriter
from helpers import cart
from worlds import Counting

pytest.importorskip("stable_baselines3")
pytest.importorskip("tensorboardX")
pytest.importorskip("tensorboard")
from stable_baselines3.common.callbacks import BaseCallback
from stable_baselines3.common.logger import Figure, HParam, Image, configure
from stable_baselines3.common.monitor import Monitor, load_results
from stable_baselines3.common.results_plotter import plot_results, ts2xy
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

KEYS = {
    "rollout/ep_rew_mean", "rollout/ep_len_mean", "time/fps", "time/episodes", "time/iterations", "time/time_elapsed",
    "time/total_timesteps", "train/td_error", "network/connections", "network/grown", "network/pruned",
}  # fmt: skip


def scalars(folder):
    """Scalars in a folder's event files: by tag, steps and values."""
    events = EventAccumulator(str(folder))
    events.Reload()
    return {tag: [(event.step, event.value) for event in events.Scalars(tag)] for tag in events.Tags()["scalars"]}


# -- stable-baselines3's logger ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module", params=["rehearsal", "live"])
def logged(request, tmp_path_factory):
    """An agent, and the folder of a logger with all of its formats."""
    folder = tmp_path_factory.mktemp("logged")
    agent = DynLiveAgent("CartPole-v1", mode=request.param, seed=0)
    logger = configure(str(folder), ["log", "csv", "json", "tensorboard"])
    agent.set_logger(logger)
    assert agent.logger is logger
    agent.learn(600, log_interval=3, progress_bar=False)
    logger.close()
    return agent, folder


def test_a_line_is_written_every_so_many_episodes(logged):
    agent, folder = logged
    rows = list(csv.DictReader((folder / "progress.csv").read_text().splitlines()))
    assert rows[0].keys() == KEYS
    assert [int(row["time/episodes"]) for row in rows] == list(range(3, agent.episodes + 1, 3))
    assert [int(row["time/iterations"]) for row in rows] == list(range(1, len(rows) + 1))
    first = rows[0]
    assert float(first["rollout/ep_len_mean"]) * 3 == pytest.approx(int(first["time/total_timesteps"]))
    assert first["rollout/ep_len_mean"] == first["rollout/ep_rew_mean"]


def test_what_grew_and_what_was_pruned_adds_up(logged):
    _, folder = logged
    lines = [json.loads(line) for line in (folder / "progress.json").read_text().splitlines()]
    for before, now in pairwise(lines):
        change = now["network/grown"] - now["network/pruned"]
        assert now["network/connections"] == before["network/connections"] + change
    assert sum(line["network/grown"] + line["network/pruned"] for line in lines) > 0


def test_every_format_has_it(logged):
    _, folder = logged
    assert "network/" in (folder / "log.txt").read_text()
    tags = scalars(folder)
    assert tags.keys() == KEYS - {
        f"time/{name}" for name in ("episodes", "iterations", "time_elapsed", "total_timesteps")
    }
    rows = list(csv.DictReader((folder / "progress.csv").read_text().splitlines()))
    assert [step for step, _ in tags["train/td_error"]] == [int(row["time/total_timesteps"]) for row in rows]


def test_connections_have_numbers_that_stay():
    for mode in ("rehearsal", "live"):
        agent = cart(mode=mode).learn(300, progress_bar=False)
        ids = agent.interaction.learner.connection_ids()
        assert ids.size == np.unique(ids).size == agent.connections
        if mode == "rehearsal":
            net = agent.actor
            neuron = net.output_ids[0]
            net.remove_connection(neuron, int(net.sources(neuron)[0]))
            left = agent.interaction.learner.connection_ids()
            assert np.setdiff1d(ids, left).size == 1
            assert np.setdiff1d(left, ids).size == 0


def test_successes_are_counted():
    env = Counting(4)
    step = env.step
    env.step = lambda action: (*step(action)[:4], {"is_success": env.episode % 2 == 0})
    agent = DynLiveAgent(env, mode="live", seed=0)
    values = Kept()
    agent.set_logger(Logger(None, [values]))
    agent.learn(16, log_interval=4, progress_bar=False)
    assert values.kept[0]["rollout/success_rate"] == 0.5
    assert values.kept[0]["rollout/ep_len_mean"] == 4


class Kept:
    """Keeps what a logger writes."""

    def __init__(self):
        self.kept = []

    def write(self, key_values, key_excluded, step=0):
        self.kept.append(dict(key_values))

    def close(self): ...


def test_means_go_on_and_begin_anew_with_the_counter():
    agent, values = cart(mode="live"), Kept()
    agent.set_logger(Logger(None, [values]))
    agent.learn(100, log_interval=1, progress_bar=False)
    agent.learn(100, log_interval=1, reset_num_timesteps=False, progress_bar=False)
    assert len(DynLive.of(agent).ep_info_buffer) == agent.episodes
    before = agent.episodes
    agent.learn(100, log_interval=1, progress_bar=False)
    assert len(DynLive.of(agent).ep_info_buffer) == agent.episodes - before
    assert values.kept[-1]["time/total_timesteps"] <= 100


def test_nothing_is_written_without_an_interval():
    agent, values = cart(mode="live"), Kept()
    agent.set_logger(Logger(None, [values]))
    agent.learn(300, log_interval=0, progress_bar=False)
    assert values.kept == []
    agent.learn(300, progress_bar=False)
    assert len(values.kept) == agent.episodes // 4 - (agent.episodes - len(DynLive.of(agent).ep_info_buffer)) // 4


def test_a_logger_is_no_part_of_the_agent(tmp_path):
    import copy
    import pickle

    agent = cart(mode="live")
    agent.set_logger(configure(str(tmp_path), ["csv"]))
    agent.learn(30, progress_bar=False)
    for twin in (copy.deepcopy(agent), pickle.loads(pickle.dumps(agent))):
        assert twin.logger is not agent.logger
        assert twin.learn(10, progress_bar=False).num_timesteps == 10


# -- our own -----------------------------------------------------------------------------------------------------------


def test_tensorboard_needs_no_pytorch(tmp_path):
    code = f"""
import sys
sys.modules |= dict.fromkeys(("torch", "tensorboard", "stable_baselines3"))  # as if they were not installed
from dynlive_rl import DynLiveAgent
agent = DynLiveAgent("CartPole-v1", mode="live", seed=0, tensorboard_log={str(tmp_path)!r})
agent.learn(400, tb_log_name="cart", progress_bar=False)
"""
    subprocess.run([sys.executable, "-c", code], check=True)
    steps = [step for step, _ in scalars(tmp_path / "cart_1")["rollout/ep_rew_mean"]]
    assert steps == sorted(set(steps))
    assert len(steps) > 1


def test_every_run_has_its_folder(tmp_path):
    agent = DynLiveAgent("CartPole-v1", mode="live", seed=0, tensorboard_log=tmp_path)
    agent.learn(150, progress_bar=False)
    assert agent.logger.get_dir() == str(tmp_path / "DynLive_1")
    agent.learn(150, reset_num_timesteps=False, progress_bar=False)
    assert [path.name for path in tmp_path.iterdir()] == ["DynLive_1"]
    assert scalars(tmp_path / "DynLive_1")["time/fps"][-1][0] > 150
    agent.learn(150, progress_bar=False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["DynLive_1", "DynLive_2"]


def test_a_verbose_agent_prints_a_table_that_fits(capsys):
    DynLiveAgent("CartPole-v1", mode="live", seed=0, verbose=1).learn(300, progress_bar=False)
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 80
    assert any(re.fullmatch(r"\|    ep_rew_mean +\| [\d.]+ +\|", line) for line in lines)
    assert sum("total_timesteps" in line for line in lines) > 1


def test_the_table_is_stable_baselines3s(tmp_path):
    values = {"a/x": 1.23456, "a/a_name_that_is_much_too_long_for_a_table_to_show": 2, "b/y": "word", "z": 1e-9}
    ours, theirs = io.StringIO(), configure(str(tmp_path), ["log"])
    logger = Logger(None, [TableWriter(ours)])
    for one in (logger, theirs):
        for key, value in values.items():
            one.record(key, value)
        one.record("a/hidden", 1, exclude="stdout")
        one.record_mean("m/mean", 1.0)
        one.record_mean("m/mean", 2.0)
        one.record_mean("m/mean", None)
        one.dump(3)
    written = (tmp_path / "log.txt").read_text().splitlines()[1:]
    assert [line.replace(" ", "") for line in ours.getvalue().splitlines()] == [
        line.replace(" ", "") for line in written
    ]


def test_words_go_into_the_outputs_that_take_some(capsys):
    logger = Logger(None, [TableWriter(), Kept()])
    logger.info("a", 1)
    logger.debug("no")
    logger.warn("b")
    logger.error("c")
    logger.dump()  # nothing was recorded
    assert capsys.readouterr().out.split() == ["a", "1", "b", "c"]


def test_tensorboard_takes_what_stable_baselines3s_does(tmp_path):
    from matplotlib.figure import Figure as Drawing

    logger = Logger(str(tmp_path), [TensorBoardWriter(str(tmp_path))])
    logger.record("text", "words")
    logger.record("numbers", np.arange(5.0))
    logger.record("picture", Image(np.zeros((4, 4, 3), np.uint8), "HWC"))
    logger.record("figure", Figure(Drawing(), close=True))
    logger.record("settings", HParam({"rate": 0.1, "name": "x"}, {"score": 0.0}))
    logger.record("number", np.float32(2))
    logger.record("hidden", 1, exclude="tensorboard")
    logger.dump(7)
    logger.close()
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    tags = events.Tags()
    assert tags["scalars"] == ["number"]
    assert sorted(tags["images"]) == ["figure", "picture"]
    assert tags["histograms"] == ["numbers"]
    assert any("text" in tag for tag in tags["tensors"])
    assert "_hparams_/experiment" in events.summary_metadata
    assert [path.name.startswith("events") for path in tmp_path.iterdir()] == [True]


def test_hyperparameters_are_logged_the_way_its_guide_says(tmp_path):
    class Hyperparameters(BaseCallback):
        def _on_training_start(self):
            settings = {
                "algorithm": type(self.model).__name__,
                "rate": self.model.learning_rate,
                "gamma": self.model.gamma,
            }
            kinds = ("stdout", "log", "json", "csv")
            self.logger.record("hparams", HParam(settings, {"rollout/ep_rew_mean": 0.0}), exclude=kinds)

        def _on_step(self):
            return True

    agent = DynLiveAgent("CartPole-v1", mode="live", seed=0, tensorboard_log=str(tmp_path))
    agent.learn(150, callback=Hyperparameters(), progress_bar=False)
    events = EventAccumulator(str(tmp_path / "DynLive_1"))
    events.Reload()
    assert "_hparams_/experiment" in events.summary_metadata


def test_a_missing_tensorboardx_is_named(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "tensorboardX", None)
    agent = DynLiveAgent("CartPole-v1", mode="live", seed=0, tensorboard_log=str(tmp_path))
    with pytest.raises(ImportError, match=r'pip install "dynlive-rl\[tools\]"'):
        agent.learn(10, progress_bar=False)
    assert agent.num_timesteps == 0


@pytest.mark.slow
def test_weights_and_biases_reads_along(tmp_path):
    pytest.importorskip("wandb")
    code = """
import wandb
from wandb.integration.sb3 import WandbCallback
from dynlive_rl import DynLiveAgent
run = wandb.init(project="poles", sync_tensorboard=True)
agent = DynLiveAgent("CartPole-v1", mode="live", seed=0, tensorboard_log=f"runs/{run.id}")
agent.learn(400, callback=WandbCallback(model_save_path="models"), progress_bar=False)
assert run.config["algo"] == "DynLive"
run.finish()
"""
    environ = os.environ | {"WANDB_MODE": "offline", "WANDB_SILENT": "true"}
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, env=environ)
    (record,) = tmp_path.glob("wandb/offline-run-*/*.wandb")
    assert b"rollout/ep_rew_mean" in record.read_bytes()
    assert DynLiveAgent.load(tmp_path / "models" / "model.zip").num_timesteps == 400


# -- Monitor files -----------------------------------------------------------------------------------------------------


def test_monitor_files_are_monitors(tmp_path):
    pytest.importorskip("pandas")
    env = Monitor(gym.make("CartPole-v1"), str(tmp_path / "theirs"))
    with MonitorFile(tmp_path / "ours", env_id="CartPole-v1") as ours:
        DynLiveAgent(env, mode="live", seed=0).learn(300, callback=ours, progress_bar=False)
    env.close()
    mine, theirs = (load_results(str(tmp_path / "ours")), load_results(str(tmp_path)))
    assert mine[["r", "l"]].equals(theirs[["r", "l"]])
    assert (mine["t"].diff().dropna() >= 0).all()
    steps, returns = ts2xy(mine, "timesteps")
    assert steps[-1] == mine["l"].sum()
    assert returns.size == len(mine) > 5
    plot_results([str(tmp_path / "ours")], 300, "timesteps", "CartPole")


def test_a_resumed_run_goes_on_in_its_monitor_file(tmp_path):
    pytest.importorskip("pandas")
    agent = cart(mode="live")
    for reset in (True, False):
        with MonitorFile(tmp_path / "x.monitor.csv", append=not reset) as monitor:
            agent.learn(100, callback=monitor, reset_num_timesteps=reset, progress_bar=False)
    assert len(load_results(str(tmp_path))) == agent.episodes
    with MonitorFile(tmp_path / "x.monitor.csv"):
        pass
    assert (tmp_path / "x.monitor.csv").read_text().count("\n") == 2


def test_it_holds_what_the_agent_was_rewarded_with(tmp_path):
    env = TransformReward(Counting(2), lambda reward: reward / 4)
    with MonitorFile(tmp_path) as monitor:
        DynLiveAgent(env, mode="live", seed=0).learn(4, callback=monitor, progress_bar=False)
    rows = (tmp_path / "monitor.csv").read_text().splitlines()
    assert json.loads(rows[0][1:])["env_id"] == "None"
    assert [row.split(",")[:2] for row in rows[2:]] == [["0.75", "2"], ["50.75", "2"]]
