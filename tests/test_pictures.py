"""An agent in pictures: everything is written, names fit, and watching changes nothing."""

import json
import sys

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple
from numpy.testing import assert_array_equal

from dynlive_rl import DynLiveAgent, Network
from dynlive_rl.agents.films import watch
from dynlive_rl.agents.pictures import LearningRecord, draw_agent, draw_episode, names
from dynlive_rl.agents.spaces import ActionDecoder, ObservationEncoder
from dynlive_rl.cli import main

Image = pytest.importorskip("PIL.Image")
pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def trained():
    agent = DynLiveAgent("CartPole-v1", seed=0)
    record = LearningRecord(agent, 5_000)
    return agent.learn(400, callback=record), record


@pytest.fixture(autouse=True)
def headless(monkeypatch):
    monkeypatch.setenv("SDL_VIDEODRIVER", "dummy")


def opened(path):
    picture = Image.open(path)
    assert min(picture.size) > 200
    return picture


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        (Box(0, 1, (2,)), ["x[0]", "x[1]"]),
        (Box(0, 1, ()), ["x"]),
        (Discrete(2, start=3), ["x = 3", "x = 4"]),
        (MultiDiscrete([2, 1]), ["x[0] = 0", "x[0] = 1", "x[1] = 0"]),
        (Dict({"a": Box(0, 1, (1, 2)), "b": Tuple([MultiBinary(1)])}), ["a[0,0]", "a[0,1]", "b.0[0]"]),
    ],
    ids=str,
)
def test_inputs_have_names(space, expected):
    encoder = ObservationEncoder(space)
    assert encoder.names == expected
    assert len(encoder.names) == encoder.size


@pytest.mark.parametrize(
    ("space", "expected"),
    [
        (Discrete(2, start=1), ["action 1", "action 2"]),
        (MultiDiscrete([2, 3]), [*(f"action[0] = {k}" for k in range(2)), *(f"action[1] = {k}" for k in range(3))]),
        (MultiBinary(1), ["action[0] = 0", "action[0] = 1"]),
        (Box(-2, 2, (1,)), ["action[0] = -2", "action[0] = 0", "action[0] = 2"]),
    ],
    ids=str,
)
def test_actions_have_names(space, expected):
    decoder = ActionDecoder(space)
    assert decoder.names == expected
    assert len(decoder.names) == sum(decoder.options)


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
    for name, array in agent.get_state().items():
        assert_array_equal(array, before[name])


def test_an_episode_is_a_heat_map(trained, tmp_path):
    draw_episode(trained[0], tmp_path / "episode.png", seed=0, steps=20)
    opened(tmp_path / "episode.png")


def test_watching_headless(trained, tmp_path):
    agent, _ = trained
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
    draw_episode(agent, tmp_path / "one.png", seed=0)


def test_what_cannot_be_watched_is_refused(trained, tmp_path):
    agent, _ = trained
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


def test_what_showing_needs_is_named(trained, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pygame", None)
    with pytest.raises(ValueError, match=r"cannot be shown: pygame is not installed, run `pip install"):
        watch(trained[0], gif=tmp_path / "pole.gif", steps=2)


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
