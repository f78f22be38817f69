"""Runs in folders: never overwritten, and gone on with wherever they were ended, to the last bit."""

import csv
import hashlib
import json
import random
import signal
import subprocess
import sys
import time

import gymnasium as gym
import numpy as np
import pytest

from dynlive_rl import DynLiveAgent
from dynlive_rl.cli import main
from dynlive_rl.cli.runs import PROGRESS, RunFolder, Table
from dynlive_rl.cli.session import Schedule, Session
from helpers import cart
from test_cli import complaint

LIVE = ("CartPole-v1", "--mode", "live", "--seed", "1")


def train(out, *arguments):
    """Train in this process; returns the exit status."""
    return main(["train", *map(str, arguments), "--out", str(out)])


def digest(file):
    return hashlib.sha256(file.read_bytes()).hexdigest()


def table(file):
    """Rows of a table, without the seconds they end with."""
    with open(file, newline="") as opened:
        return [row[:-1] for row in csv.reader(opened)]


def assert_same_run(one, other):
    """Two folders hold the same, bit for bit, but for the seconds that it took and when that was."""
    names = [sorted(str(file.relative_to(folder)) for file in folder.rglob("*")) for folder in (one, other)]
    assert names[0] == names[1]
    for file in map(RunFolder(one).path.__truediv__, names[0]):
        if file.suffix == ".csv":
            assert table(file) == table(other / file.relative_to(one))
        elif file.suffix == ".dynlive":
            assert digest(file) == digest(other / file.relative_to(one)), file


# -- killed and gone on with -------------------------------------------------------------------------------------------


@pytest.fixture
def start():
    """Starts runs in processes of their own; none outlives its test."""
    started = []

    def start_run(out, *arguments):
        command = [sys.executable, "-m", "dynlive_rl", "train", *map(str, arguments), "--out", str(out)]
        started.append(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
        return started[-1]

    yield start_run
    for process in started:
        process.kill()
        process.communicate()


def wait_for(process, file, rows):
    """Wait until a process has written so many rows."""
    while process.poll() is None and (not file.exists() or file.read_bytes().count(b"\n") < rows):
        time.sleep(0.005)


KEPT = ("--checkpoint-every", 400, "--keep", 3, "--eval-every", 500, "--eval-episodes", 2)
RUNS = {
    "rehearsal": ("CartPole-v1", "--seed", 1, *KEPT),
    "live": (*LIVE, "--checkpoint-every", 5000),
    "side by side": (*LIVE, "--n-envs", 3, "--checkpoint-every", 3000, "--keep", 2),
}
ENDS = {
    "rehearsal": (signal.SIGTERM, signal.SIGKILL),
    "live": (signal.SIGTERM, signal.SIGINT),
    "side by side": (signal.SIGKILL, signal.SIGTERM),
}


@pytest.mark.parametrize("name", RUNS)
def test_a_run_that_is_killed_and_resumed_ends_where_an_unbroken_one_does(tmp_path, start, name):
    broken, whole = tmp_path / "broken", tmp_path / "whole"
    chance = random.Random()  # another moment every time
    for number in ENDS[name]:
        arguments = ("--resume",) if broken.exists() else (*RUNS[name], "--steps", "1e9")
        before = len(table(broken / "progress.csv")) if broken.exists() else 0
        process = start(broken, *arguments)
        wait_for(process, broken / "progress.csv", before + chance.randint(2, 9))
        time.sleep(chance.uniform(0, 0.1))
        process.send_signal(number)
        said, complained = process.communicate(timeout=60)
        assert process.returncode == (-number if number == signal.SIGKILL else 128 + number), complained
        if number != signal.SIGKILL:
            assert said.endswith(
                f"stopped by {number.name}, all is saved: dynlive train --resume --out {broken} goes on\n"
            )
    steps = DynLiveAgent.load(broken / "agent.dynlive").num_timesteps + 300
    assert train(broken, "--resume", "--steps", steps) == 0
    assert train(whole, *RUNS[name], "--steps", steps) == 0
    assert_same_run(whole, broken)
    assert len(json.loads((broken / "run.json").read_text())["sessions"]) == 3


def test_a_checkpoint_that_a_killed_run_did_not_come_to_is_made_up_for(tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for folder, steps in ((whole, 1000), (broken, 800)):
        assert train(folder, *LIVE, "--steps", steps, "--checkpoint-every", 400) == 0
    (broken / "checkpoints" / "800.dynlive").unlink()  # killed after it was saved, and before it was kept
    assert train(broken, "--resume", "--steps", 1000) == 0
    assert_same_run(whole, broken)


def test_it_goes_on_from_a_checkpoint_where_rows_go_further(tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    for folder in (whole, broken):
        assert train(folder, *LIVE, "--steps", 3000, "--eval-every", 1000, "--eval-episodes", 2) == 0
    assert train(broken / "short", *LIVE, "--steps", 2000, "--eval-every", 1000, "--eval-episodes", 2) == 0
    (broken / "short" / "agent.dynlive").replace(broken / "agent.dynlive")  # as after a power cut
    with open(broken / "progress.csv", "a") as file:
        file.write("3001,77,1")  # half a row
    assert train(broken, "--resume") == 0
    for name in ("progress.csv", "evaluations.csv"):
        assert table(broken / name) == table(whole / name)
    assert digest(broken / "agent.dynlive") == digest(whole / "agent.dynlive")
    assert digest(broken / "best.dynlive") == digest(whole / "best.dynlive")


def test_more_steps_than_before_are_gone_on_with(tmp_path, capsys):
    for steps in (1000, 2500):
        assert train(tmp_path / "two", *LIVE, "--steps", steps, "--resume") == 0  # begins it where there is none
    assert train(tmp_path / "one", *LIVE, "--steps", 2500) == 0
    assert_same_run(tmp_path / "one", tmp_path / "two")
    capsys.readouterr()
    before = (tmp_path / "one" / "progress.csv").read_bytes()
    assert train(tmp_path / "one", "--resume") == 0
    assert "after 2,500 steps" in capsys.readouterr().out
    assert (tmp_path / "one" / "progress.csv").read_bytes() == before


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_processes_of_their_own_learn_the_same_and_begin_anew(tmp_path, caplog):
    for how in ("sync", "async"):
        assert train(tmp_path / how, *LIVE, "--steps", 400, "--n-envs", 2, "--vector", how) == 0
    assert table(tmp_path / "sync" / "progress.csv") == table(tmp_path / "async" / "progress.csv")
    assert train(tmp_path / "async", "--resume", "--steps", 600) == 0
    assert "learning goes on with a new episode" in caplog.text
    assert DynLiveAgent.load(tmp_path / "async" / "agent.dynlive").num_timesteps in (600, 601)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_processes_of_their_own_end_with_the_run(tmp_path, start, number):
    process = start(tmp_path / "run", *LIVE, "--steps", "1e7", "--n-envs", 2, "--vector", "async")
    wait_for(process, tmp_path / "run" / "progress.csv", 3)
    process.send_signal(number)
    said, complained = process.communicate(timeout=60)
    assert (process.returncode, complained) == (128 + number, "")
    assert "all is saved" in said


# -- never overwritten -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    assert train(folder, *LIVE, "--steps", 300, "--set", "cells.cells=64") == 0
    return folder


def test_an_existing_run_is_refused_with_the_two_ways_out(capsys, finished):
    before = {file: file.read_bytes() for file in finished.iterdir()}
    said = complaint(capsys, "train", "Acrobot-v1", "--steps", 10, "--out", finished)
    assert said == (
        f"dynlive: there is a run of 300 steps in CartPole-v1 in {finished} already: go on with it by --resume, or begin anew "
        "with --force"
    )
    assert {file: file.read_bytes() for file in finished.iterdir()} == before


@pytest.mark.parametrize(
    ("arguments", "differs"),
    [
        (["Acrobot-v1"], "env is 'CartPole-v1', not 'Acrobot-v1'"),
        (["--seed", "2"], "seed is 1, not 2"),
        (["--mode", "rehearsal"], "mode is 'live', not 'rehearsal'"),
        (["--n-envs", "2"], "n_envs is 1, not 2; vector is None, not 'sync'"),
        (
            ["--set", "cells.cells=32", "exploration.entropy=0.5"],
            "cells.cells is 64, not 32; exploration.entropy is 0.1",
        ),
        (["--env-kwargs", "sutton_barto_reward=True"], "env_kwargs.sutton_barto_reward is None, not True"),
    ],
)
def test_another_run_is_not_gone_on_with(capsys, finished, arguments, differs):
    before = digest(finished / "agent.dynlive")
    said = complaint(capsys, "train", *arguments, "--resume", "--steps", 400, "--out", finished)
    assert said.startswith(f"dynlive: the run in {finished} is another one: ")
    assert differs in said
    assert digest(finished / "agent.dynlive") == before


def test_what_was_said_before_need_not_be_said_again(finished):
    same = ("CartPole-v1", "--mode", "live", "--seed", 1, "--set", "cells.cells=64", "--n-envs", 1)
    assert train(finished, *same, "--resume") == 0


def test_force_begins_anew_and_removes_what_there_was(tmp_path):
    assert (
        train(tmp_path, *LIVE, "--steps", 400, "--checkpoint-every", 100, "--eval-every", 200, "--eval-episodes", 1)
        == 0
    )
    (tmp_path / "notes.txt").write_text("mine")
    complaint_free = train(tmp_path, *LIVE, "--steps", 50, "--force")
    assert complaint_free == 0
    left = {file.name for file in tmp_path.iterdir()}
    assert left == {"agent.dynlive", "progress.csv", "run.json", "notes.txt", "checkpoints"}
    assert list((tmp_path / "checkpoints").iterdir()) == []


def test_a_bad_environment_or_setting_removes_nothing(capsys, tmp_path):
    assert train(tmp_path, *LIVE, "--steps", 50) == 0
    before = digest(tmp_path / "agent.dynlive")
    complaint(capsys, "train", "Nowhere-v0", "--steps", 10, "--out", tmp_path, "--force")
    complaint(capsys, "train", "CartPole-v1", "--steps", 10, "--out", tmp_path, "--force", "--set", "network.hidden=0")
    assert digest(tmp_path / "agent.dynlive") == before


def test_two_processes_do_not_write_one_run(capsys, tmp_path):
    pytest.importorskip("fcntl")
    assert train(tmp_path, *LIVE, "--steps", 50) == 0
    with RunFolder(tmp_path).locked():
        said = complaint(capsys, "train", "--resume", "--steps", 90, "--out", tmp_path)
    assert said == f"dynlive: another process is at work on the run in {tmp_path}: wait until it has ended"
    assert train(tmp_path, "--resume", "--steps", 90) == 0


def test_damaged_descriptions_are_refused(capsys, tmp_path):
    assert train(tmp_path, *LIVE, "--steps", 50) == 0
    resume = ("train", "--resume", "--out", tmp_path)
    content = json.loads((tmp_path / "run.json").read_text())
    for text, says in (
        ("{", "is damaged"),
        ("[]", "is damaged"),
        (json.dumps({name: value for name, value in content.items() if name != "seed"}), "is damaged"),
        (json.dumps(content | {"format": 99}), "later version"),
    ):
        (tmp_path / "run.json").write_text(text)
        assert says in complaint(capsys, *resume)
    (tmp_path / "run.json").unlink()
    assert complaint(capsys, *resume) == f"dynlive: {tmp_path} holds files of a run, but no run.json"


def test_other_versions_are_told(capsys, tmp_path):
    assert train(tmp_path, *LIVE, "--steps", 50) == 0
    content = json.loads((tmp_path / "run.json").read_text())
    content["sessions"][-1]["versions"]["numpy"] = "1.0"
    (tmp_path / "run.json").write_text(json.dumps(content))
    assert train(tmp_path, "--resume", "--steps", 90) == 0
    assert f"other versions than before: numpy 1.0 → {np.__version__}" in capsys.readouterr().err


# -- what is kept ------------------------------------------------------------------------------------------------------


def test_checkpoints_are_the_agent_of_their_step(tmp_path):
    assert train(tmp_path / "all", *LIVE, "--steps", 1100, "--checkpoint-every", 250, "--keep", 2) == 0
    assert {file.name for file in (tmp_path / "all" / "checkpoints").iterdir()} == {"750.dynlive", "1000.dynlive"}
    assert train(tmp_path / "some", *LIVE, "--steps", 750) == 0
    assert digest(tmp_path / "all" / "checkpoints" / "750.dynlive") == digest(tmp_path / "some" / "agent.dynlive")


@pytest.mark.parametrize("mode", ["live", "rehearsal"])
def test_evaluations_change_nothing_and_the_best_agent_is_kept(tmp_path, mode):
    run = ("CartPole-v1", "--mode", mode, "--seed", 3, "--steps", 1000)
    assert train(tmp_path / "plain", *run) == 0
    assert train(tmp_path / "evaluated", *run, "--eval-every", 200, "--eval-episodes", 3) == 0
    assert digest(tmp_path / "plain" / "agent.dynlive") == digest(tmp_path / "evaluated" / "agent.dynlive")
    assert table(tmp_path / "plain" / "progress.csv") == table(tmp_path / "evaluated" / "progress.csv")
    with open(tmp_path / "evaluated" / "evaluations.csv", newline="") as file:
        rows = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    assert [row["step"] for row in rows] == [200, 400, 600, 800, 1000]
    best = max(rows, key=lambda row: row["mean"])
    agent = DynLiveAgent.load(tmp_path / "evaluated" / "best.dynlive")
    assert agent.num_timesteps == best["step"]
    again = agent.evaluate(3, env="CartPole-v1", seed=3 + 1_000_000)
    assert (again.mean, again.std, again.returns.min(), again.returns.max()) == (
        best["mean"], best["std"], best["lowest"], best["highest"],
    )  # fmt: skip


def test_rows_are_there_as_soon_as_episodes_end(tmp_path):
    agent, seen = cart(mode="live"), []
    progress = Table(tmp_path / "progress.csv", PROGRESS, 0)
    never = Schedule(checkpoint_every=None, keep=1, eval_every=None, eval_episodes=1)
    session = Session(agent, RunFolder(tmp_path), never, progress, None, gym.spec("CartPole-v1"), 0)

    def follow(report):
        session(report)
        seen.append(len(table(tmp_path / "progress.csv")) - 1 == agent.episodes)

    agent.learn(200, callback=follow, progress_bar=False)
    assert all(seen)
    assert agent.episodes > 3
    progress.close()


def test_episodes_that_end_together_have_numbers_of_their_own(tmp_path):
    assert train(tmp_path, *LIVE, "--n-envs", 8, "--steps", 2000, "--env-kwargs", "sutton_barto_reward=True") == 0
    numbers = [int(row[1]) for row in table(tmp_path / "progress.csv")[1:]]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_run_of_a_module_in_this_folder(tmp_path, monkeypatch, capsys):
    (tmp_path / "coins_of_mine.py").write_text(
        "import gymnasium as gym\n"
        "class Coin(gym.Env):\n"
        "    observation_space = action_space = gym.spaces.Discrete(2)\n"
        "    def __init__(self, pay=1.0): self.pay = pay\n"
        "    def reset(self, *, seed=None, options=None):\n"
        "        super().reset(seed=seed)\n"
        "        return 0, {}\n"
        "    def step(self, action): return 0, self.pay * float(action), True, False, {}\n"
        "gym.register('Mine/Coin-v0', Coin)\n"
    )
    command = [sys.executable, "-P", "-m", "dynlive_rl"]  # as the installed command: the folder is not on the path

    def run(*arguments):
        done = subprocess.run([*command, *arguments], cwd=tmp_path, capture_output=True, text=True, check=True)
        return done.stdout

    name = "coins_of_mine:Mine/Coin-v0"
    run("train", name, "--steps", "50", "--out", "run", "--mode", "live", "--env-kwargs", "pay=2.5", "--seed", "0")
    told = run("info", "run")
    assert "env                 coins_of_mine:Mine/Coin-v0" in told
    assert "env kwargs          pay 2.5" in told
    assert run("evaluate", "run", "--seed", "0").startswith("Mine/Coin-v0: mean return ")
