"""The examples run as they are, show what they promise, and stay short."""

import runpy
import sys

import gymnasium as gym
import numpy as np
import pytest

from sites import ROOT

EXAMPLES = {path.stem: path for path in sorted((ROOT / "examples").glob("*.py"))}
ELSEWHERE = {"optuna_tuning"}  # takes arguments, and has tests of its own

SHOWN = {
    "own_loop": lambda seen: seen["last"] < 0.5 < seen["first"],
    "own_environment": lambda seen: seen["result"].mean > -2.5,
    "save_and_go_on": lambda seen: seen["same"],
    "hurt_and_heal": lambda seen: seen["hurt"] < seen["healed"] <= seen["healthy"],
    "network_by_hand": lambda seen: (np.round(seen["answers"]) == [0, 1, 1, 0]).all(),
    "with_sklearn": lambda seen: seen["scores"].mean() > 0.94,
    "sb3_callbacks": lambda seen: seen["best"].num_timesteps <= seen["agent"].num_timesteps < 10_000,
    "export_and_deploy": lambda seen: seen["total"] > 400 and int(seen["answer"]) == seen["here"],
}
NEEDS = {
    "with_sklearn": ["sklearn"],
    "sb3_callbacks": ["stable_baselines3", "dynlive_rl.agents.sb3"],
    "export_and_deploy": ["dynlive_rl.agents.export"],
}


@pytest.mark.parametrize("name", sorted(EXAMPLES.keys() - ELSEWHERE))
def test_an_example_shows_what_it_promises(name, capsys, tmp_path, monkeypatch):
    for package in NEEDS.get(name, ()):
        pytest.importorskip(package)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    registered = dict(gym.registry)
    seen = runpy.run_path(str(EXAMPLES[name]), run_name="__main__")
    for own in gym.registry.keys() - registered.keys():  # leave other tests nothing behind
        del gym.registry[own]
    out, err = capsys.readouterr()
    assert out
    assert "Warning" not in err
    assert SHOWN[name](seen), out


def test_every_example_is_judged():
    assert EXAMPLES.keys() - ELSEWHERE == SHOWN.keys()


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_short(name):
    assert len(EXAMPLES[name].read_text(encoding="utf-8").splitlines()) < 40
