"""An agent in pictures: everything is written, names fit, and watching changes nothing."""

import json

import gymnasium as gym
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from dynlive_rl import DynLiveAgent, Network
from dynlive_rl.agents.pictures import LearningRecord, draw_agent, draw_episode, names
from dynlive_rl.cli import main
from helpers import assert_same_state, opened

pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def trained():
    agent = DynLiveAgent("CartPole-v1", seed=0)
    record = LearningRecord(agent, 5_000)
    return agent.learn(400, callback=record), record


@pytest.fixture(autouse=True)
def headless(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")


def test_an_agents_networks_are_drawn_with_names(trained, tmp_path):
    agent, _ = trained
    draw_agent(agent, tmp_path / "actor.svg")
    picture = (tmp_path / "actor.svg").read_text()
    for name in ("x[3]", "1 − x[3]", "action 1"):
        assert name in picture
    draw_agent(agent, tmp_path / "critic.png", critic=True)
    opened(tmp_path / "critic.png")
    assert names(agent) == (["x[0]", "x[1]", "x[2]", "x[3]"], ["action 0", "action 1"])


def test_turnover_adds_up(trained):
    agent, record = trained
    steps, alive, born, died = record.turnover()
    assert steps[0] == 0
    assert steps[-1] <= agent.num_timesteps
    assert alive[0] == agent.actor.allowed_connections
    assert_array_equal(np.diff(alive), np.array(born[1:]) - died[1:])
    assert sum(died) > 0


def test_a_training_is_drawn_and_nothing_changes(trained, tmp_path):
    agent, record = trained
    before = agent.get_state()
    record.draw(tmp_path)
    for name in ("learning_curve.png", "actor.png", "critic.png", "strengths.png", "turnover.png"):
        opened(tmp_path / name)
    assert opened(tmp_path / "learning.gif").n_frames == len(record.turnover()[0])
    assert_same_state(before, agent.get_state())


def test_an_episode_is_a_heat_map(trained, tmp_path):
    draw_episode(trained[0], tmp_path / "episode.png", seed=0, steps=20)
    opened(tmp_path / "episode.png")


def test_the_episode_of_an_agent_of_a_vector_environment_is_one_environments(tmp_path):
    agent = DynLiveAgent(gym.make_vec("CartPole-v1", num_envs=2), seed=0)
    draw_episode(agent, tmp_path / "one.png", seed=0)
    opened(tmp_path / "one.png")


def test_the_commands(tmp_path, capsys):
    run = tmp_path / "run"
    assert main(["train", "CartPole-v1", "--steps", "40", "--seed", "0", "--out", str(run), "--pictures"]) == 0
    opened(run / "learning.gif")
    file = str(run / "agent.dynlive")
    assert main(["draw", file]) == 0
    opened(run / "agent.png")
    capsys.readouterr()
    for out, written in (("pic", "pic.png"), (".", "agent.png")):
        assert main(["draw", file, "--out", str(tmp_path / out)]) == 0
        assert capsys.readouterr().out == f"wrote {tmp_path / written}\n"
        opened(tmp_path / written)
    for kind in ("critic", "strengths", "episode"):
        out = tmp_path / f"{kind}.png"
        assert main(["draw", file, "--kind", kind, "--out", str(out), "--seed", "0"]) == 0
        opened(out)
    capsys.readouterr()
    gif = tmp_path / "pole.gif"
    assert main(["watch", file, "--gif", str(gif), "--seed", "0", "--steps", "10", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["env"] == "CartPole-v1"
    opened(gif)
    net = tmp_path / "net.dynlive"
    Network.layered(inputs=2, outputs=1, seed=0).save(net)
    assert main(["draw", str(net)]) == 0
    opened(tmp_path / "net.png")
    capsys.readouterr()
    assert main(["draw", str(net), "--kind", "critic"]) == 2
    assert "holds a network: draw it as network or strengths, not critic" in capsys.readouterr().err
    assert main(["draw", str(net), "--out", str(tmp_path / "no" / "net.png")]) == 2
    assert f"cannot write {tmp_path / 'no' / 'net.png'}: there is no folder" in capsys.readouterr().err
    assert main(["draw", str(tmp_path / "none")]) == 2
    assert "there is no file" in capsys.readouterr().err
