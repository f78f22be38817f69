"""The command line: what it writes and prints, and one sentence for bad input."""

import csv
import json
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import gymnasium as gym
import pytest

import dynlive_rl
from dynlive_rl import DynLiveAgent, Network
from dynlive_rl.cli import main
from worlds import Corridor

TRAIN_KEYS = ["env", "agent", "seed", "steps", "episodes", "mean_return", "wall_s", "compile_s", "connections", "checkpoint",
              "stopped"]  # fmt: skip
EVALUATE_KEYS = ["env", "mean", "std", "episodes", "seed"]


def complaint(capsys, *arguments):
    """Run what must fail; returns its one sentence."""
    capsys.readouterr()
    try:
        status = main([str(argument) for argument in arguments])
    except SystemExit as stop:
        status = stop.code
    said = capsys.readouterr()
    assert status == 2
    assert said.out == ""
    assert said.err.startswith("dynlive: ")
    assert said.err.count("\n") == 1
    assert said.err.endswith("\n")
    return said.err.strip()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("cli") / "deep" / "run"
    assert main(["train", "CartPole-v1", "--steps", "400", "--seed", "3", "--out", str(folder)]) == 0
    return folder


def test_train_writes_agent_and_progress(folder):
    agent = DynLiveAgent.load(folder / "agent.dynlive")
    assert (agent.num_timesteps, agent.seed) == (400, 3)
    with open(folder / "progress.csv", newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["step", "episode", "return", "length", "td_error_mse", "connections", "seconds"]
    assert len(rows) == agent.episodes > 5
    table = [dict(zip(header, map(float, row), strict=True)) for row in rows]
    assert [row["episode"] for row in table] == list(range(1, agent.episodes + 1))
    step = 0
    for row in table:
        step += row["length"]
        assert (row["step"], row["return"]) == (step, row["length"])
    assert all(row["connections"] > 0 for row in table)


def test_train_says_what_it_did_and_with_what_seed(capsys, tmp_path):
    assert main(["train", "CartPole-v1", "--steps", "5e1", "--out", str(tmp_path)]) == 0
    first, last, wrote = capsys.readouterr().out.splitlines()
    seed = re.fullmatch(r"seed (\d+)", first)[1]
    assert re.fullmatch(rf"mean return [\d.]+ \(last \d\) after 50 steps in [\d:.]+( s)?, seed {seed}", last)
    assert wrote == f"wrote {tmp_path / 'agent.dynlive'}"
    assert DynLiveAgent.load(tmp_path / "agent.dynlive").seed == int(seed)


def test_train_json(capsys, tmp_path):
    assert main(["train", "CartPole-v1", "--steps", "100", "--seed", "7", "--out", str(tmp_path), "--json"]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert list(result) == TRAIN_KEYS
    assert (result["env"], result["agent"], result["seed"], result["steps"]) == ("CartPole-v1", "dynlive", 7, 100)
    assert Path(result["checkpoint"]) == tmp_path / "agent.dynlive"
    assert Path(result["checkpoint"]).is_file()
    assert 0 <= result["wall_s"] < 60
    assert result["connections"] > 0
    with open(tmp_path / "progress.csv", newline="") as file:
        returns = [float(row["return"]) for row in csv.DictReader(file)]
    assert result["mean_return"] == pytest.approx(sum(returns) / len(returns))
    assert result["stopped"] is None


def test_train_live(capsys, tmp_path):
    assert main(["train", "CartPole-v1", "--mode", "live", "--steps", "50", "--out", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["agent"] == "dynlive-live"
    assert DynLiveAgent.load(tmp_path / "agent.dynlive").mode == "live"


class Hanging(gym.Env):
    observation_space, action_space, steps = gym.spaces.Discrete(3), gym.spaces.Discrete(2), 0

    def reset(self, *, seed=None, options=None):
        return 0, {}

    def step(self, action):
        self.steps += 1
        while self.steps == 30:
            time.sleep(0.01)
        return self.steps % 3, 1.0, False, False, {}


def test_a_step_that_hangs_ends_training_and_what_was_learned_is_kept(capsys, tmp_path):
    if not hasattr(signal, "setitimer"):
        pytest.skip("this system has no timers")
    gym.register("Hanging-v0", Hanging)
    train = ("train", "Hanging-v0", "--mode", "live", "--steps", 100, "--seed", 0, "--out", tmp_path, "--step-timeout")
    assert complaint(capsys, *train, "0.3") == "dynlive: step 30 of the environment took longer than 0.3 s"
    assert DynLiveAgent.load(tmp_path / "agent.dynlive").num_timesteps == 29
    assert "must be a number of seconds > 0" in complaint(capsys, *train, "soon")
    patient = ("train", "CartPole-v1", "--mode", "live", "--steps", "60", "--out", str(tmp_path), "--force")
    assert main([*patient, "--step-timeout", "5", "--eval-every", "30", "--eval-episodes", "1"]) == 0


def test_no_steps_are_fine(capsys, tmp_path):
    assert main(["train", "CartPole-v1", "--steps", "0", "--out", str(tmp_path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["episodes"] == 0
    assert (tmp_path / "progress.csv").read_text().count("\n") == 1


def test_evaluate(capsys, folder):
    file = str(folder / "agent.dynlive")
    assert main(["evaluate", file, "--episodes", "6", "--seed", "1", "--json"]) == 0
    result = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert list(result) == EVALUATE_KEYS
    expected = DynLiveAgent.load(file, env="CartPole-v1").evaluate(6, seed=1)
    assert result == {"env": "CartPole-v1", "mean": expected.mean, "std": expected.std, "episodes": 6, "seed": 1}
    assert main(["evaluate", str(folder), "--episodes", "2", "--env", "CartPole-v1"]) == 0  # a run's folder will do
    said = capsys.readouterr().out
    seed = re.fullmatch(r"CartPole-v1: mean return [\d.]+ ± [\d.]+ over 2 episodes, seed (\d+)\n", said)[1]
    assert main(["evaluate", str(folder), "--episodes", "2", "--seed", seed]) == 0
    assert capsys.readouterr().out == said


def test_evaluate_with_drawn_actions_and_broken_off(capsys, folder):
    file = str(folder / "agent.dynlive")
    assert main(["evaluate", file, "--episodes", "6", "--seed", "1", "--stochastic", "--json"]) == 0
    drawn = DynLiveAgent.load(file).evaluate(6, env="CartPole-v1", seed=1, deterministic=False)
    assert json.loads(capsys.readouterr().out)["mean"] == drawn.mean
    assert main(["evaluate", file, "--episodes", "2", "--max-steps", "3", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mean"] == 3


def test_an_agent_is_evaluated_in_the_world_it_was_trained_in(capsys, tmp_path):
    file = str(tmp_path / "short.dynlive")
    DynLiveAgent(gym.make("CartPole-v1", max_episode_steps=5), seed=0).save(file)
    assert main(["evaluate", file, "--episodes", "2", "--seed", "4"]) == 0
    assert capsys.readouterr().out == "CartPole-v1: mean return 5.00 ± 0.00 over 2 episodes, seed 4\n"


def test_an_environment_that_is_not_here_is_named(capsys, tmp_path, monkeypatch):
    monkeypatch.setitem(
        gym.registry,
        "Elsewhere-v0",
        gym.envs.registration.EnvSpec("Elsewhere-v0", entry_point=Corridor, kwargs={"length": 3}),
    )
    file = tmp_path / "elsewhere.dynlive"
    DynLiveAgent("Elsewhere-v0", seed=0).save(file)
    monkeypatch.undo()
    said = complaint(capsys, "evaluate", file)
    assert said.startswith(f"dynlive: no environment 'Elsewhere-v0' is registered here, in which {file} was trained: ")
    DynLiveAgent(Corridor(3), seed=0).save(file)
    assert "was not trained in an environment that an id and plain arguments describe" in complaint(
        capsys, "evaluate", file
    )


def test_an_unknown_environment_gets_the_near_name(capsys, tmp_path):
    out = tmp_path / "run"
    said = complaint(capsys, "train", "CartPoole-v1", "--steps", 10, "--out", out)
    assert said.startswith("dynlive: cannot make environment 'CartPoole-v1': ")
    assert "Did you mean: `CartPole`" in said
    assert not out.exists()


@pytest.mark.parametrize("steps", ["-1", "1.5", "many"])
def test_steps_are_a_whole_number(capsys, tmp_path, steps):
    said = complaint(capsys, "train", "CartPole-v1", "--steps", steps, "--out", tmp_path)
    assert f"--steps: must be a whole number ≥ 0, not {steps!r}" in said


def test_other_bad_input(capsys, tmp_path, folder):
    assert "--steps is required" in complaint(capsys, "train", "CartPole-v1", "--out", tmp_path)
    assert "--out is required" in complaint(capsys, "train", "CartPole-v1", "--steps", 10)
    assert "name an environment" in complaint(capsys, "train", "--steps", 10, "--out", tmp_path)
    assert "--episodes: must be a whole number ≥ 1, not '0'" in complaint(
        capsys, "evaluate", folder / "agent.dynlive", "--episodes", "0"
    )
    file = tmp_path / "file"
    file.write_text("")
    assert str(file) in complaint(capsys, "train", "CartPole-v1", "--steps", "1", "--out", file)
    assert str(file) in complaint(capsys, "train", "CartPole-v1", "--steps", "1", "--out", file / "deeper")


def test_files_that_are_no_agents(capsys, tmp_path, folder):
    missing, other = tmp_path / "missing", tmp_path / "other"
    assert complaint(capsys, "evaluate", missing) == f"dynlive: there is no file {missing}"
    other.write_text("something else")
    assert complaint(capsys, "evaluate", other) == f"dynlive: {other} is not a DynLive checkpoint, or it is damaged"
    Network.layered(inputs=2, outputs=1).save(other)
    assert complaint(capsys, "evaluate", other) == f"dynlive: {other} holds no agent: it is a file of kind 'network'"
    said = complaint(capsys, "evaluate", folder / "agent.dynlive", "--env", "Acrobot-v1")
    assert "was trained with Box" in said


# -- help ------------------------------------------------------------------------------------------------------------

COMMANDS = ("train", "live", "evaluate", "watch", "info", "draw", "export", "envs", "learn")


def shown(capsys, *arguments):
    with pytest.raises(SystemExit) as stop:
        main(list(arguments))
    assert stop.value.code == 0
    return capsys.readouterr().out


def test_the_command_alone_shows_its_help(capsys):
    assert main([]) == 0
    alone = capsys.readouterr().out
    assert alone == shown(capsys, "--help")
    assert all(f"\n    {command} " in alone for command in COMMANDS)


@pytest.mark.parametrize("columns", ["80", "200"])
def test_help_fits_into_80_columns_and_has_examples(capsys, monkeypatch, columns):
    monkeypatch.setenv("COLUMNS", columns)
    for command in COMMANDS:
        text = shown(capsys, command, "--help")
        assert max(map(len, text.splitlines())) <= 79
        assert f"examples:\n  dynlive {command}" in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["trian"], "there is no command 'trian': did you mean train?, see dynlive --help"),
        (["train", "X", "--stepz", "5"], "there is no option --stepz: did you mean --steps?, see dynlive train --help"),
        (["evaluate", "x", "--episodes=3", "--sed=4"], "there is no option --sed: did you mean --seed?, see dynlive evaluate"),
        (["info", "x", "y"], "it is not clear what 'y' is for, see dynlive info --help"),
        (["--stepz"], "see dynlive --help"),
        (["train", "X", "--set", "a"], "argument --set: must be NAME=VALUE, not 'a', see dynlive train --help"),
    ],
)  # fmt: skip
def test_what_is_unknown_leads_to_the_right_help(capsys, arguments, says):
    assert says in complaint(capsys, *arguments)


def test_version(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"dynlive {dynlive_rl.__version__}\n"


def test_a_command_loads_nothing_that_only_others_need():
    code = "import sys, dynlive_rl.cli; print([name for name in ('gymnasium', 'matplotlib') if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("module", ["dynlive_rl", "dynlive_rl.cli"])
def test_python_runs_the_command_as_a_module(module):
    command = [sys.executable, "-m", module]
    done = subprocess.run([*command, "--version"], capture_output=True, text=True, check=True)
    assert done.stdout == f"dynlive {dynlive_rl.__version__}\n"
    done = subprocess.run([*command, "evaluate", "nothing"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", "dynlive: there is no file nothing\n")


def test_the_installed_command(tmp_path):
    command = [str(Path(sys.executable).with_name("dynlive"))]
    if not Path(command[0]).exists():
        pytest.skip("the package is not installed, but looked at where it lies")
    train = [*command, "train", "CartPole-v1", "--steps", "60", "--seed", "0", "--out", str(tmp_path), "--json"]
    done = subprocess.run(train, capture_output=True, text=True, check=True)
    assert list(json.loads(done.stdout.splitlines()[-1])) == TRAIN_KEYS
    done = subprocess.run([*command, "evaluate", str(tmp_path / "no")], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", f"dynlive: there is no file {tmp_path / 'no'}\n")
