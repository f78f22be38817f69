"""What `dynlive info` and `dynlive envs` say."""

import json
import subprocess
import sys

import gymnasium as gym
import pytest

from dynlive_rl import DynLiveAgent, Network, __version__
from dynlive_rl.checkpoint import FORMAT
from dynlive_rl.cli import main
from test_cli import complaint


def told(capsys, *arguments):
    """What is printed for people, by its labels, and the JSON object."""
    capsys.readouterr()
    assert main([*map(str, arguments)]) == 0
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 79
    assert main([*map(str, arguments), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    return {line[:20].strip(): line[20:] for line in text.splitlines()}, said


@pytest.mark.parametrize("mode", ["rehearsal", "live"])
def test_an_agents_file_is_described(capsys, tmp_path, mode):
    name = "live" if mode == "live" else "rehearsal"
    setting = "cells.cells=64" if mode == "live" else "rehearsal.batch=32"
    train = ["train", "CartPole-v1", "--mode", name, "--steps", "300", "--seed", "5", "--n-envs", "2"]
    assert main([*train, "--set", setting, "--out", str(tmp_path)]) == 0
    agent = DynLiveAgent.load(tmp_path / "agent.dynlive")
    printed, said = told(capsys, "info", tmp_path)
    expected = {
        "kind": "agent", "mode": mode, "env": "CartPole-v1", "env_kwargs": {}, "max_episode_steps": 500, "environments": 2,
        "steps": agent.num_timesteps, "episodes": agent.episodes, "seed": 5, "connections": agent.connections, "inputs": 4,
        "outputs": 2, "format": FORMAT, "version": __version__, "task_changes": 0, "skipped": 0,
    }  # fmt: skip
    assert expected.items() <= said.items()
    assert said["mean_return"]["episodes"] == 5
    assert said["not_default"] == {
        setting.split("=")[0]: {"is": int(setting.split("=")[1]), "default": 256 if mode == "live" else 64}
    }
    assert printed["env"] == "CartPole-v1"
    assert printed["steps"] == str(agent.num_timesteps)
    assert printed["not default"].startswith(setting.replace("=", " = "))


def test_what_a_file_does_not_know_is_said(capsys, tmp_path):
    space = gym.spaces.Discrete(3)
    DynLiveAgent(observation_space=space, action_space=space, seed=0).save(tmp_path / "own.dynlive")
    printed, said = told(capsys, "info", tmp_path / "own.dynlive")
    assert (said["env"], said["mean_return"], said["not_default"]) == (None, None, {})
    assert printed["env"] == "not known"
    assert printed["mean return"] == "no episode has ended"
    assert printed["not default"] == "nothing"
    assert "relu (cells)" in printed["hidden"]


def test_a_networks_file_is_described(capsys, tmp_path):
    net = Network.layered(inputs=3, hidden=(5,), outputs=2, seed=0)
    net.save(tmp_path / "net.dynlive")
    _, said = told(capsys, "info", tmp_path / "net.dynlive")
    assert said["kind"] == "network"
    assert said["connections"] == net.connections
    assert [layer.split()[1] for layer in said["layers"]] == ["input", "hidden", "output"]


def test_files_that_say_nothing(capsys, tmp_path):
    assert complaint(capsys, "info", tmp_path) == f"dynlive: there is no file {tmp_path / 'agent.dynlive'}"
    (tmp_path / "x").write_text("x")
    assert "is not a DynLive checkpoint" in complaint(capsys, "info", tmp_path / "x")


def test_the_environments_that_can_be_made_are_listed(capsys):
    capsys.readouterr()
    assert main(["envs"]) == 0
    text = capsys.readouterr().out
    alone = subprocess.run([sys.executable, "-m", "dynlive_rl", "envs"], capture_output=True, text=True, check=True)
    assert max(map(len, alone.stdout.splitlines())) <= 79  # here other tests have registered environments of long names
    assert main(["envs", "--json"]) == 0
    found = {one["id"]: one for one in json.loads(capsys.readouterr().out)["environments"]}
    assert {"DynLive/Chain-v0", "DynLive/DriftCartPole-v0", "CartPole-v1", "Pendulum-v1"} <= found.keys()
    pole = found["CartPole-v1"]
    assert (pole["from"], pole["observations"], pole["actions"], pole["missing"]) == (
        "Gymnasium",
        "Box(4)",
        "Discrete(2)",
        None,
    )
    assert (pole["max_episode_steps"], pole["reward_threshold"]) == (500, 475.0)
    assert found["DynLive/Chain-v0"]["from"] == "DynLive"
    assert "  CartPole-v1 " in text
    assert "CartPole-v0" not in found  # its newest version alone
    lacking = [one for one in found.values() if one["missing"] is not None]
    assert lacking
    for one in found.values():
        if one["missing"] is None:
            DynLiveAgent(one["id"], mode="live")


def test_environments_are_found_by_a_part_of_their_id(capsys):
    assert main(["envs", "cartpole", "--json"]) == 0
    names = [one["id"] for one in json.loads(capsys.readouterr().out)["environments"]]
    assert "CartPole-v1" in names
    assert all("cartpole" in name.lower() for name in names)
    assert main(["envs", "no such thing"]) == 0
    assert capsys.readouterr().out == "no environment's id contains 'no such thing'\n"


def test_what_cannot_be_made_says_what_it_needs(capsys):
    class Odd(gym.Env):
        observation_space, action_space = gym.spaces.Graph(gym.spaces.Discrete(2), None), gym.spaces.Discrete(2)

    def lacking():
        raise gym.error.DependencyNotInstalled('it is not here, run `pip install "gymnasium[box2d]"`')

    gym.register("Odd/Graph-v0", Odd)
    gym.register("Odd/Lacking-v0", lacking)
    gym.register("Odd/NoModule-v0", "no_such_module_here.at_all:Env")
    try:
        assert main(["envs", "odd/", "--json"]) == 0
        found = {one["id"]: one["missing"] for one in json.loads(capsys.readouterr().out)["environments"]}
    finally:
        for name in ("Odd/Graph-v0", "Odd/Lacking-v0", "Odd/NoModule-v0"):
            del gym.registry[name]
    assert found["Odd/Graph-v0"].startswith(
        "observations must be Box, Discrete, MultiDiscrete, MultiBinary, or Dict or Tuple"
    )
    assert found["Odd/Lacking-v0"] == 'needs pip install "gymnasium[box2d]"'
    assert found["Odd/NoModule-v0"] == "needs pip install no_such_module_here"
