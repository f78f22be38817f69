"""The first start: a notice before anything compiles, two processes, whatever becomes of the second; nothing compiles later."""

import logging
import os
import pickle
import subprocess
import sys

import pytest
from numba.core import config

from dynlive_rl.kernels import first_start, jit
from dynlive_rl.kernels.first_start import Call, prepare

NOTICE = "dynlive: compiling"
KERNELS = """
from dynlive_rl.kernels.jit import jit_entry, jit_internal

@jit_internal
def plus_one(x):
    return x + 1

@jit_entry(seconds=9)
def twice(x):
    return 2 * plus_one(x)

@jit_entry(seconds=8)
def thrice(x):
    return 3 * plus_one(x)
"""
TRY = """
import {module} as kernels
from dynlive_rl.kernels.first_start import Call, prepare
for _ in range(2):
    prepare([Call(kernels.twice, (1.0,)), Call(kernels.thrice, (1,))])
print(kernels.twice(1.0), kernels.thrice(1), kernels.thrice(2.0))
"""
CARTPOLE = """
from dynlive_rl import DynLiveAgent
agent = DynLiveAgent("CartPole-v1", seed=0, mode="{mode}").learn(600, progress_bar=False)
print(agent.episodes, sum(array.sum() for array in agent.get_state().values()))
"""


@pytest.fixture
def module(tmp_path, monkeypatch, request):
    """Name of a module of two small entry points, whose compiled code is kept in a folder of its own."""
    name = f"small_kernels_{abs(hash(request.node.name))}"
    (tmp_path / f"{name}.py").write_text(KERNELS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(config, "CACHE_DIR", str(tmp_path / "kept"))
    monkeypatch.setattr(first_start, "_announced", False)
    jit._can_cache.cache_clear()
    return name


@pytest.fixture
def kernels(module):
    return __import__(module)


@pytest.fixture
def helper(monkeypatch):
    """Have a second processor, whatever there is, and note the processes that are started."""
    started = []

    class Noted(subprocess.Popen):
        def __init__(self, *arguments, **options):
            started.append(self)
            super().__init__(*arguments, **options)

    monkeypatch.setattr(subprocess, "Popen", Noted)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    return started


def run(program, **environment):
    return subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, env={**os.environ, **environment}
    )


def calls(kernels):
    return [Call(kernels.twice, (1.0,)), Call(kernels.thrice, (1,))]


def hits(entry):
    return sum(entry.stats.cache_hits.values())


# -- the notice ------------------------------------------------------------------------------------------------------


def test_one_line_before_the_first_start_and_none_before_later_ones(module, tmp_path):
    environment = {"PYTHONPATH": str(tmp_path), "NUMBA_CACHE_DIR": str(tmp_path / "cold")}
    cold, warm = (run(TRY.format(module=module), **environment) for _ in range(2))
    assert cold.stdout == warm.stdout == "4.0 6 9.0\n"
    lines = cold.stderr.splitlines()
    assert len(lines) == 1
    assert lines[0].startswith("dynlive: compiling once, about ")
    assert lines[0].endswith(" s; later starts take 1 s")
    assert warm.stderr == ""


def test_it_comes_first_also_where_nothing_was_prepared(kernels, caplog):
    assert kernels.twice(1.0) == 4
    assert kernels.thrice(1) == 6
    assert [record.getMessage() for record in caplog.records] == [
        "dynlive: compiling once, about 9 s; later starts take 1 s"
    ]


def test_what_takes_no_time_is_not_worth_a_line(kernels, caplog, monkeypatch):
    monkeypatch.setitem(jit.SECONDS, kernels.twice, first_start.NOTICED / 2)
    assert kernels.twice(1.0) == 4
    assert not caplog.records


def test_its_logger_turns_it_off(kernels, caplog):
    caplog.set_level(logging.ERROR, "dynlive_rl")
    prepare(calls(kernels))
    assert not caplog.records


def test_where_nothing_is_kept_it_does_not_promise_anything(kernels, caplog, monkeypatch):
    monkeypatch.setattr(first_start, "cache_folder", lambda _: None)
    prepare(calls(kernels))
    assert [record.getMessage() for record in caplog.records] == ["dynlive: compiling, about 17 s"]


# -- two processes ---------------------------------------------------------------------------------------------------


def test_two_processes_share_the_work(kernels, helper):
    prepare(calls(kernels))
    assert [process.returncode for process in helper] == [0]
    assert (hits(kernels.twice), hits(kernels.thrice)) == (0, 1)
    assert (kernels.twice(1.0), kernels.thrice(1)) == (4, 6)
    assert len(kernels.twice.signatures) == len(kernels.thrice.signatures) == 1
    prepare(calls(kernels))
    assert len(helper) == 1


@pytest.mark.parametrize(
    "program", ["raise SystemExit(1)", "print(1 / 0)", "import time; time.sleep(0.2)", "syntax error"]
)
def test_what_the_helper_does_not_do_is_done_here(program, kernels, helper, monkeypatch):
    monkeypatch.setattr(first_start, "PROGRAM", program)
    prepare(calls(kernels))
    assert len(helper) == 1
    assert (hits(kernels.twice), hits(kernels.thrice)) == (0, 0)
    assert (kernels.twice(1.0), kernels.thrice(1)) == (4, 6)


def test_without_another_process_it_compiles_alone(kernels, helper, monkeypatch):
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    prepare(calls(kernels))
    assert hits(kernels.thrice) == 0
    assert kernels.thrice(1) == 6


def test_a_helper_with_other_settings_compiles_nothing(kernels, helper, monkeypatch):
    monkeypatch.setattr(config, "BOUNDSCHECK", 0 if config.BOUNDSCHECK else 1)
    prepare(calls(kernels))
    assert [process.returncode for process in helper] == [0]
    assert hits(kernels.thrice) == 0
    assert kernels.thrice(1) == 6


@pytest.mark.parametrize(
    "change",
    [
        lambda patch: patch.setattr(os, "sched_getaffinity", lambda _: {3}, raising=False),
        lambda patch: patch.setattr(sys, "frozen", True, raising=False),
        lambda patch: patch.setattr(sys, "executable", "/usr/bin/blender"),
        lambda patch: patch.setattr(sys, "executable", None),
        lambda patch: patch.setattr(first_start, "cache_folder", lambda _: None),
        lambda patch: patch.setitem(jit.SECONDS, sys.modules["current_kernels"].thrice, 0.1),
    ],
    ids=["one processor", "frozen", "another program", "no program", "no cache", "little to do"],
)
def test_no_helper_where_it_is_of_no_use(change, kernels, helper, monkeypatch):
    monkeypatch.setitem(sys.modules, "current_kernels", kernels)
    change(monkeypatch)
    prepare(calls(kernels))
    assert not helper
    assert kernels.thrice(1) == 6


def test_no_helper_outlives_an_interruption(kernels, helper, monkeypatch):
    def interrupt(job):
        raise KeyboardInterrupt

    monkeypatch.setattr(first_start, "PROGRAM", "import time; time.sleep(60)")
    monkeypatch.setattr(first_start._Job, "compile", interrupt)
    with pytest.raises(KeyboardInterrupt):
        prepare(calls(kernels))
    assert helper[0].returncode not in (None, 0)
    monkeypatch.undo()
    assert kernels.thrice(1) == 6


def test_a_helper_ends_with_who_started_it(tmp_path):
    (tmp_path / "endless.py").write_text("import time\nclass entry:\n    def compile(types):\n        time.sleep(60)\n")
    process = subprocess.Popen([sys.executable, "-c", first_start.PROGRAM], stdin=subprocess.PIPE)
    for message in ([str(tmp_path), *sys.path], (first_start._settings(), [("endless", "entry", ())])):
        pickle.dump(message, process.stdin)
    process.stdin.close()
    assert process.wait(timeout=50) != 0


def test_without_compiling_there_is_nothing_to_prepare(monkeypatch):
    monkeypatch.setattr(config, "DISABLE_JIT", 1)
    prepare([Call(len, (None,))])


# -- agents ----------------------------------------------------------------------------------------------------------

WARM = """
import sys
import gymnasium as gym
import numpy as np
from numba.core.dispatcher import Dispatcher
from dynlive_rl import DynLiveAgent

def compiled():
    modules = [module for name, module in sys.modules.items() if name.startswith("dynlive_rl")]
    entries = [value for module in modules for value in vars(module).values() if isinstance(value, Dispatcher)]
    return {{entry: len(entry.overloads) for entry in entries}}

env = gym.make("{env}") if {envs} == 1 else gym.make_vec("{env}", num_envs={envs})
agent = DynLiveAgent(env, seed=0, mode="{mode}", recurrent={recurrent})
agent.warm_up()
before = compiled()
agent.learn(700, progress_bar=False)
agent.predict(env.observation_space.sample())
assert sum(before.values()) >= 3
assert compiled() == before, set(compiled().items()) - set(before.items())
"""


@pytest.mark.parametrize(
    ("env", "mode", "envs", "recurrent"),
    [
        ("CartPole-v1", "rehearsal", 1, False),
        ("CartPole-v1", "live", 2, True),
        ("FrozenLake-v1", "rehearsal", 2, False),
        ("Pendulum-v1", "rehearsal", 1, False),
        ("Pendulum-v1", "live", 1, False),
    ],
)
def test_nothing_is_compiled_or_loaded_after_warm_up(env, mode, envs, recurrent):
    run(WARM.format(env=env, mode=mode, envs=envs, recurrent=recurrent))


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["live", "rehearsal"])
def test_an_agent_says_it_once_and_only_when_it_compiles(mode, tmp_path):
    cold, warm = (run(CARTPOLE.format(mode=mode), NUMBA_CACHE_DIR=str(tmp_path)) for _ in range(2))
    assert cold.stderr.count(NOTICE) == len(cold.stderr.splitlines()) == 1
    assert NOTICE not in warm.stderr
    assert cold.stdout == warm.stdout


@pytest.mark.slow
def test_two_may_start_for_the_first_time_at_once(tmp_path):
    program, environment = CARTPOLE.format(mode="live"), {**os.environ, "NUMBA_CACHE_DIR": str(tmp_path)}
    both = [
        subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, env=environment, text=True)
        for _ in range(2)
    ]
    said = {process.communicate()[0] for process in both}
    assert [process.returncode for process in both] == [0, 0]
    assert said == {run(program, NUMBA_CACHE_DIR=str(tmp_path)).stdout}
