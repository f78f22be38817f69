"""Runs in processes of their own, on this machine and on a Ray cluster: the same results, none lost and none twice."""

import json
import os
import re
import signal
import sys
import time
from collections import Counter
from types import SimpleNamespace

import pytest

pytest.importorskip("scipy")
import backends
import compare
import runs
from studies import begun, is_waiting, python, ray_cluster, study_of
from workers import Progress, attempt

HERE = SimpleNamespace(table_only=False, jobs=2, ray=None)


def test_a_run_is_handed_in_from_a_process_with_one_thread(tmp_path):
    told = []
    _, commands = study_of(tmp_path, ["run"], [3])
    run, problem = attempt(commands["run", 3], told.append)
    assert (run, problem) == ({"what": "run", "seed": 3, "half": 1.5, "threads": ["1"] * 4}, "")
    assert told == [Progress(0, 100, 3.0)]


@pytest.mark.parametrize(
    ("what", "times", "says"),
    [
        ("die once", 2, ""),
        ("die", 4, "its process was ended by SIGKILL, 4 times"),
        ("fail", 1, "ValueError: the pole of seed 3 is broken"),
    ],
)
def test_a_run_whose_process_dies_is_begun_again_and_one_that_fails_is_not(what, times, says, tmp_path):
    _, commands = study_of(tmp_path, [what], [3])
    run, problem = attempt(commands[what, 3], lambda _: None)
    assert problem == says
    assert begun(tmp_path) == [3] * times
    assert (run is None) == bool(says)


def test_a_study_does_what_is_left_and_says_what_failed(tmp_path, capsys):
    study, commands = study_of(tmp_path, ["run", "fail"], range(4))
    study.write({"what": "run", "seed": 1})  # merged
    study.merge()
    study.write({"what": "run", "seed": 2})  # raw
    done, status = runs.conduct(study, commands, HERE)
    assert ([(run["what"], run["seed"]) for run in done], status) == ([("run", seed) for seed in range(4)], 1)
    said = capsys.readouterr().err
    assert "fail seed 2 failed: ValueError: the pole of seed 2 is broken" in said
    assert Counter(begun(tmp_path)) == {0: 2, 1: 1, 2: 1, 3: 2}
    assert runs.conduct(study, commands, HERE)[1] == 1  # only the failed ones are tried again
    assert Counter(begun(tmp_path)) == {0: 3, 1: 2, 2: 2, 3: 3}
    assert runs.conduct(study, commands, SimpleNamespace(table_only=True))[1] == 0


def test_a_run_that_is_not_the_one_asked_for_is_not_taken(tmp_path, capsys):
    study, commands = study_of(tmp_path, ["run"], [0, 1])
    commands["run", 0] = commands["run", 1]
    done, status = runs.conduct(study, commands, HERE)
    assert ([run["seed"] for run in done], status) == ([1], 1)
    assert "run seed 0 failed: it handed in run seed 1" in capsys.readouterr().err


def test_runs_end_with_who_started_them(tmp_path):
    _, commands = study_of(tmp_path, ["hang"], [0])
    code = "import json; from workers import attempt; attempt(json.loads(sys.argv[1]), print)"
    parent = python(code, json.dumps(commands["hang", 0]))
    try:
        until(lambda: (tmp_path / "begun").exists())
    finally:
        parent.kill()
        parent.wait()
    until(lambda: not processes(tmp_path))


def until(holds, seconds=30):
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def processes(folder):
    """Command lines of processes that name a folder."""
    found = []
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/cmdline", "rb") as file:
                line = file.read()
        except OSError:
            continue
        if str(folder / "script.py").encode() in line:
            found.append(line)
    return found


def test_the_table_says_how_far_runs_are(monkeypatch, capsys):
    monkeypatch.setattr(backends, "SAY_EVERY_S", 0)
    with backends.Table(3) as table:
        table.show(lambda: {"b": Progress(1_000, 20_000, 21.25), "a": None})
        table.write("c failed: no")
        table.count("c")
    lines = [line.strip() for line in capsys.readouterr().err.replace("\r", "\n").splitlines()]
    begins, goes_on = (line for line in lines if line.startswith(("a ", "b ")))
    assert begins.split() == ["a", "begins"]
    assert goes_on.split() == ["b", "1,000", "of", "20,000", "steps,", "21.2"]
    assert "c failed: no" in lines
    assert "1/3" in lines[-1]


# -- on Ray ------------------------------------------------------------------------------------------------------------


def test_without_ray_one_sentence_says_what_to_install(tmp_path, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    study, commands = study_of(tmp_path, ["run"], [0])
    assert runs.conduct(study, commands, SimpleNamespace(table_only=False, jobs=None, ray="local")) == ([], 2)
    assert capsys.readouterr().err == 'to run on a Ray cluster, pip install "dynlive-rl[sweep]"\n'


@pytest.fixture(scope="module")
def cluster():
    pytest.importorskip("ray")
    with ray_cluster(1) as made:
        yield made


def test_an_address_without_a_cluster_is_one_sentence(tmp_path, capsys):
    pytest.importorskip("ray")
    study, commands = study_of(tmp_path, ["run"], [0])
    options = SimpleNamespace(table_only=False, jobs=None, ray="no address")
    assert runs.conduct(study, commands, options) == ([], 2)
    assert capsys.readouterr().err.startswith("there is no Ray cluster to be reached at 'no address': ")


def test_a_cluster_that_loses_a_node_does_the_same_runs_as_this_machine(cluster, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(backends, "SAY_EVERY_S", 0)
    whats, seeds = ["run", "wait", "fail"], range(5)
    here, commands = study_of(tmp_path / "here", whats, seeds)
    runs.conduct(here, commands, HERE)
    there, commands = study_of(tmp_path / "there", whats, seeds)
    lost = cluster.others[0]
    killer = kill_when_busy(cluster, lost, lambda: is_waiting(tmp_path / "there", lost))
    options = SimpleNamespace(table_only=False, jobs=None, ray=cluster.address)
    _, status = runs.conduct(there, commands, options)
    killer.join()
    assert lost not in cluster.others
    assert status == 1
    said = capsys.readouterr().err
    assert all(f"fail seed {seed} failed: ValueError: the pole of seed {seed} is broken" in said for seed in seeds)
    assert re.search(r"wait seed \d +0 of +100 steps, +\d.0\n", said)  # told by a worker
    lines = there.merged.read_text().splitlines()
    assert lines == here.merged.read_text().splitlines()
    assert len(lines) == 10
    assert len(begun(tmp_path / "there")) > 15  # what was lost was done again


def kill_when_busy(cluster, node, is_time):
    """Take a node away once it is time to; returns the thread that does it."""
    from threading import Thread

    def kill():
        until(is_time, 600)
        cluster.remove_node(node, allow_graceful=False)
        cluster.others.remove(node)

    thread = Thread(target=kill)
    thread.start()
    return thread


@pytest.mark.slow
def test_a_driver_that_is_killed_goes_on_where_it_was(cluster, tmp_path):
    code = """
from types import SimpleNamespace
from pathlib import Path
import runs
from studies import study_of
study, commands = study_of(Path(sys.argv[1]), ["wait"], range(12))
sys.exit(runs.conduct(study, commands, SimpleNamespace(table_only=False, jobs=None, ray=sys.argv[2]))[1])
"""
    driver = python(code, tmp_path, cluster.address, start_new_session=True)
    until(lambda: len(list((tmp_path / "study" / "runs").glob("*.json"))) >= 3)
    os.killpg(driver.pid, signal.SIGKILL)
    driver.wait()
    until(lambda: not processes(tmp_path))  # its runs ended with it
    kept = len(list((tmp_path / "study" / "runs").glob("*.json")))
    before = len(begun(tmp_path))
    assert python(code, tmp_path, cluster.address).wait() == 0
    lines = (tmp_path / "study" / "runs.jsonl").read_text().splitlines()
    assert [json.loads(line)["seed"] for line in lines] == list(range(12))
    assert len(begun(tmp_path)) - before == 12 - kept


CLOCKS = {"compile_s", "us_per_step", "env_us_per_step", "wall_s", "cpu_s"}


def without_clocks(line):
    """A run's line without what is never the same twice."""
    run = json.loads(line)
    run["curve"] = {name: column for name, column in run["curve"].items() if name not in CLOCKS}
    return json.dumps({name: value for name, value in run.items() if name not in CLOCKS})


@pytest.mark.slow
def test_two_hundred_runs_are_the_same_line_for_line(tmp_path, monkeypatch):
    pytest.importorskip("ray")
    command = ["compare.py", "--agents", "dynlive-live", "--seeds", "1000-1199", "--steps", "300", "--episodes", "2"]
    lines = {}
    with ray_cluster(3) as cluster:
        for name, where in (("here", ["--jobs", "2"]), ("there", ["--ray", cluster.address])):
            monkeypatch.setattr("sys.argv", [*command, "--out", str(tmp_path / name), *where])
            raw = tmp_path / name / "runs"
            if name == "there":
                killer = kill_when_busy(cluster, cluster.others[0], lambda raw=raw: len(list(raw.glob("*.json"))) > 60)
            assert compare.main() == 0
            lines[name] = (tmp_path / name / "runs.jsonl").read_text().splitlines()
        killer.join()
        assert len(cluster.others) == 2
    assert len(lines["here"]) == 200
    assert list(map(without_clocks, lines["there"])) == list(map(without_clocks, lines["here"]))
