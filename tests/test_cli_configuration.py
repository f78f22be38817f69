"""Settings from the command line: by name, from files, and as a file that can be read again."""

import dataclasses
import json
import math
import tomllib
from itertools import pairwise

import gymnasium as gym
import pytest

from dynlive_rl import DynLiveAgent
from dynlive_rl.cli import main
from dynlive_rl.cli.common import literal
from dynlive_rl.cli.configuration import as_toml, configuration, names
from test_cli import complaint

MODES = ("rehearsal", "live")


def value_of(config, name):
    for part in name.split("."):
        config = getattr(config, part)
    return config


def other_than(value):
    """A value of the same kind that is another one, and allowed wherever the first one is."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, str):
        return {"simplex": "original", "adam": "sgd", "contribution": "uniform", "sum": "mean", "signal": "none"}[value]
    if isinstance(value, tuple):
        return tuple(part / 2 for part in value) or (1.0, 2.0)
    return 7 if value is None else (value * 2 if isinstance(value, int) else value * 0.999 or 0.5)


def train(out, *arguments):
    assert main(["train", "CartPole-v1", "--steps", "0", "--seed", "0", "--out", str(out), *arguments]) == 0
    return DynLiveAgent.load(out / "agent.dynlive")


@pytest.mark.parametrize("mode", MODES)
def test_every_setting_can_be_set_by_its_name(mode):
    default = configuration(mode, [])
    known = list(names(default))
    assert len(known) > 20
    for name in known:
        if name == "network.rule.constraint":
            continue  # decides what the others may be
        group, wanted = name.rpartition(".")[0], other_than(value_of(default, name))
        change = {name.rpartition(".")[2]: wanted}
        for part in reversed(group.split(".")):
            change = {part: change}
        changed = configuration(mode, [change])
        assert value_of(changed, name) == wanted, name
        assert [other for other in known if value_of(changed, other) != value_of(default, other)] == [name]


@pytest.mark.parametrize("mode", MODES)
def test_what_is_printed_can_be_read_again(capsys, tmp_path, mode):
    changes = ["world_change.collapse=0.25", "actions.values_per_component=5"]
    assert main(["train", "--mode", mode, "--print-config", "--set", *changes]) == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 80
    (tmp_path / "my.toml").write_text(printed)
    agent = train(tmp_path / "run", "--config", str(tmp_path / "my.toml"))
    assert (agent.mode, agent.config.world_change.collapse, agent.config.actions.values_per_component) == (
        mode,
        0.25,
        5,
    )
    assert as_toml(mode, agent.config) == printed
    for field in dataclasses.fields(agent.config):
        assert f"\n[{field.name}]\n" in printed


def test_every_setting_comes_with_what_it_means():
    for mode in MODES:
        lines = as_toml(mode, configuration(mode, [])).splitlines()
        for above, line in pairwise(lines):
            assert not (above.startswith("[") and " = " in line), f"{line} is not explained"
        assert tomllib.loads("\n".join(lines))["mode"] == mode


def test_a_file_counts_less_than_what_is_set_and_more_than_the_default(tmp_path):
    file = tmp_path / "my.json"
    file.write_text(
        json.dumps({"rehearsal": {"batch": 16, "memory": 500}, "network": {"rule": {"learning_rate": 0.5}}})
    )
    agent = train(tmp_path / "run", "--config", str(file), "--set", "rehearsal.batch=8", "network.rule.step=sgd")
    rehearsal, rule = agent.config.rehearsal, agent.config.network.rule
    assert (rehearsal.batch, rehearsal.memory, rehearsal.segments) == (8, 500, 8)
    assert (rule.learning_rate, rule.step, rule.growth, rule.mature) == (0.5, "sgd", "signal", 1000)
    again = train(tmp_path / "again", "--config", str(tmp_path / "run" / "run.json"))  # another run's settings
    assert again.config == agent.config


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3), ("1e-3", 1e-3), ("False", False), ("true", True), ("8x8", "8x8"), ("'8x8'", "8x8"), ("[1, 2]", [1, 2]),
     ("None", None), ("a=b", "a=b"), ("", "")],
)  # fmt: skip
def test_values_are_literals_or_text(text, value):
    assert literal(text) == value
    assert type(literal(text)) is type(value)


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("rehearsal.bach=3", "mode rehearsal has no setting rehearsal.bach: did you mean rehearsal.batch?"),
        ("batch=3", "mode rehearsal has no setting batch: did you mean rehearsal.batch?"),
        ("network.rule.growht=none", "no setting network.rule.growht: did you mean network.rule.growth?"),
        ("nonsense=1", "mode rehearsal has no setting nonsense: --print-config shows them all"),
        ("rehearsal=3", "rehearsal is a group of settings, not one: set rehearsal.memory or another of them"),
        ("rehearsal.batch.size=3", "rehearsal.batch is a setting, and has no size in it"),
        ("rehearsal.batch=0.5", "rehearsal.batch must be a whole number ≥ 1, not 0.5"),
        ("rehearsal.batch=many", "rehearsal.batch must be a number, not 'many'"),
        ("network.rule.step=adamw", "network.rule.step must be one of 'sgd', 'adam', not 'adamw'"),
        ("network.gain_low=99", "network.gain_low must not be above gain_high, but 99.0 > 48.0"),
        ("rehearsal.batch", "argument --set: must be NAME=VALUE, not 'rehearsal.batch', see dynlive train --help"),
    ],
)
def test_a_bad_setting_gets_one_sentence(capsys, tmp_path, setting, says):
    said = complaint(capsys, "train", "CartPole-v1", "--steps", 1, "--out", tmp_path / "run", "--set", setting)
    assert said.endswith(says)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.toml", "rehearsal = [", "a.toml is no TOML file"),
        ("a.json", "{", "a.json is no JSON file"),
        ("a.json", "[]", "a.json must hold settings by name, not a list"),
        ("a.toml", 'mode = "dream"', "mode in", ),
        ("a.toml", "[rehearsal]\nbach = 1", "did you mean rehearsal.batch?"),
        ("a.toml", 'mode = "live"', "a.toml is of mode live, not rehearsal: leave one of them out"),
    ],
)  # fmt: skip
def test_a_bad_file_gets_one_sentence(capsys, tmp_path, name, text, says):
    (tmp_path / name).write_text(text)
    said = complaint(capsys, "train", "--print-config", "--mode", "rehearsal", "--config", tmp_path / name)
    assert says in said
    missing = complaint(capsys, "train", "--print-config", "--config", tmp_path / "no.toml")
    assert missing == f"dynlive: there is no file {tmp_path / 'no.toml'}"


def test_arguments_of_the_environment_are_literals(tmp_path):
    lake = ["train", "FrozenLake-v1", "--steps", "0", "--seed", "0", "--out", str(tmp_path), "--env-kwargs"]
    assert main([*lake, "is_slippery=False", "map_name=8x8"]) == 0
    agent = DynLiveAgent.load(tmp_path / "agent.dynlive").learn(0)
    assert agent.env.spec.kwargs["is_slippery"] is False
    assert agent.observation_space.n == 64


def test_an_argument_that_an_environment_does_not_take_is_told(capsys, tmp_path):
    said = complaint(
        capsys, "train", "CartPole-v1", "--steps", 1, "--out", tmp_path / "run", "--env-kwargs", "slippery=1"
    )
    assert said.startswith("dynlive: cannot make environment 'CartPole-v1': ")
    assert "slippery" in said


def test_arguments_can_be_given_for_an_evaluation(capsys, tmp_path):
    assert main(["train", "FrozenLake-v1", "--steps", "0", "--seed", "0", "--out", str(tmp_path)]) == 0
    capsys.readouterr()
    for slippery in (True, False):
        assert main(["evaluate", str(tmp_path), "--episodes", "9", "--seed", "0", "--env-kwargs", f"is_slippery={slippery}",
                     "--json"]) == 0  # fmt: skip
        agent = DynLiveAgent.load(tmp_path / "agent.dynlive")
        expected = agent.evaluate(9, env=gym.make("FrozenLake-v1", is_slippery=slippery), seed=0)
        assert math.isclose(json.loads(capsys.readouterr().out)["mean"], expected.mean)


def test_threads_are_for_what_is_loaded_later(tmp_path, monkeypatch):
    import os

    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    monkeypatch.setenv("MKL_NUM_THREADS", "7")
    for name in ("OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS"):
        monkeypatch.setenv(name, "7")
    train(tmp_path, "--threads", "2", "--mode", "live")
    assert os.environ["OMP_NUM_THREADS"] == os.environ["MKL_NUM_THREADS"] == "2"
    assert json.loads((tmp_path / "run.json").read_text())["threads"] == 2
