"""An agent in pictures: everything is written, names fit, and watching changes nothing."""

import json

import gymnasium as gym
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from dynlive_rl import DynLiveAgent, Network
from dynlive_rl.agents.films import make_like
from dynlive_rl.agents.names import names
from dynlive_rl.agents.pictures import LearningRecord, draw_agent, draw_episode
from dynlive_rl.cli import main
from helpers import assert_same_state, opened
from networks import refused

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
    draw_agent(agent, tmp_path / "critic.svg", critic=True)
    assert "value of action 1" in (tmp_path / "critic.svg").read_text()
    assert names(agent) == (["x[0]", "x[1]", "x[2]", "x[3]"], ["action 0", "action 1"])


def test_the_critic_is_drawn_at_work(trained):
    learner = trained[0].interaction.learner
    observations = np.random.default_rng(0).normal(size=(2, 4)).astype(np.float32)
    actor, critic = (outputs.copy() for outputs in learner.activities(observations))
    assert_array_equal(critic[:8], actor[:8])  # both see the same
    assert (critic[8:] > 0).any()
    outputs = critic[list(trained[0].critic.output_ids)]
    values = trained[0].action_values(observations[0])
    assert (np.argmax(outputs) == np.argmax(values)) or np.ptp(values) == 0


class Named(gym.Env):
    """Tells the names of everything."""

    observation_names, action_names = ("place", "heading"), ["left", "right"]

    def __init__(self, **spaces):
        self.observation_space = spaces.get("observations", gym.spaces.Box(-1, 1, (2,)))
        self.action_space = gym.spaces.Discrete(2)


class Meaning(Named):
    observation_names = action_names = None

    def get_action_meanings(self):
        return ["NOOP", "FIRE"]


def test_names_are_those_of_the_environment_or_of_the_user():
    agent = DynLiveAgent(Named(), seed=0)
    assert names(agent) == (["place", "heading"], ["left", "right"])
    assert names(agent, {"actions": ["west", "east"]})[1] == ["west", "east"]
    assert names(DynLiveAgent(Meaning(), seed=0))[1] == ["noop", "fire"]
    refused("names of observations must be 2, not 1: ['place']", names, agent, {"observations": ["place"]})
    refused("names are of 'observations' and 'actions', not of 'rewards'", names, agent, {"rewards": ["r"]})
    one_hot = DynLiveAgent(Named(observations=gym.spaces.MultiDiscrete([2, 3])), seed=0)
    assert names(one_hot)[0] == ["place = 0", "place = 1", "heading = 0", "heading = 1", "heading = 2"]
    parts = gym.spaces.Tuple([gym.spaces.Discrete(2), gym.spaces.Dict(speed=gym.spaces.Box(0, 1, (2,)))])
    where = DynLiveAgent(observation_space=parts, action_space=gym.spaces.Discrete(2), seed=0)
    assert names(where)[0] == ["x[0] = 0", "x[0] = 1", "x[1].speed[0]", "x[1].speed[1]"]


def test_one_hot_worlds_are_readable(tmp_path):
    agent = DynLiveAgent("FrozenLake-v1", seed=0).learn(200)
    draw_agent(agent, tmp_path / "actor.svg")
    picture = (tmp_path / "actor.svg").read_text()
    assert "16 of 32 inputs" in picture  # nobody reads the complements
    assert "x = 15" in picture
    assert "1 −" not in picture
    draw_episode(agent, tmp_path / "episode.svg", seed=0, steps=10)
    picture = (tmp_path / "episode.svg").read_text()
    assert "x = 0  (32)" in picture
    assert "of 16 never active)" in picture


def test_what_is_shown_has_the_statistics_that_were_learned():
    env = gym.wrappers.NormalizeObservation(gym.make("CartPole-v1"))
    agent = DynLiveAgent(env, seed=0).learn(200)
    shown = make_like(agent, None, None)
    assert_array_equal(shown.obs_rms.mean, env.obs_rms.mean)
    assert not shown.update_running_mean


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
    opened(run / "agent-network.png")
    assert main(["draw", file, "--kind", "strengths", "--dark"]) == 0
    opened(run / "agent-strengths.png")
    capsys.readouterr()
    for out, written in (("pic", "pic.png"), (".", "agent-network.png")):
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
    opened(tmp_path / "net-network.png")
    svg = tmp_path / "net.svg"
    assert main(["draw", str(net), "--names", "angle, speed", "--action-names", "push", "--out", str(svg)]) == 0
    assert all(name in svg.read_text() for name in ("angle", "1 − speed", "push"))
    assert main(["draw", file, "--names", "a,b,c", "--out", str(svg)]) == 2
    assert "names of observations must be 4, not 3: ['a', 'b', 'c']" in capsys.readouterr().err
    assert main(["draw", str(net), "--kind", "critic"]) == 2
    assert "holds a network: draw it as network or strengths, not critic" in capsys.readouterr().err
    assert main(["draw", str(net), "--out", str(tmp_path / "no" / "net.png")]) == 2
    assert f"cannot write {tmp_path / 'no' / 'net.png'}: there is no folder" in capsys.readouterr().err
    assert main(["draw", str(tmp_path / "none")]) == 2
    assert "there is no file" in capsys.readouterr().err
