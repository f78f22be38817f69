"""Small problems are learned, on both engines, by errors and by reward alone; and `dynlive learn` shows them."""

import json

import pytest

from dynlive_rl import Network
from dynlive_rl.cli import main
from dynlive_rl.messages import MessageNetwork
from dynlive_rl.problems import PROBLEMS, accuracy, build, describe, learn_live, load

CONSTRAINTS = ["simplex", "free"]


def solved(name, by, constraint, seed):
    """Whether one network has it all right after 2,000 presentations."""
    problem = load(name)
    net = build(problem, constraint, seed, live=by == "errors")
    if by == "batches":
        net.fit(problem.X, problem.y, epochs=500, loss="cross-entropy", batch_size=4, seed=seed, progress_bar=False)
    else:
        learn_live(net, problem, epochs=500, by=by, seed=seed)
    return accuracy(net, problem.X, problem.y) == 1


@pytest.mark.parametrize("constraint", CONSTRAINTS)
@pytest.mark.parametrize("by", ["errors", "reward"])
@pytest.mark.parametrize("name", ["xor", "memory-xor"])
def test_2000_presentations_one_at_a_time(name, by, constraint):
    assert all(solved(name, by, constraint, seed) for seed in range(2))


@pytest.mark.parametrize("constraint", CONSTRAINTS)
@pytest.mark.parametrize("name", ["xor", "memory-xor"])
def test_20_of_20_seeds_in_batches(name, constraint):
    assert [seed for seed in range(20) if not solved(name, "batches", constraint, seed)] == []


@pytest.mark.slow
@pytest.mark.parametrize("constraint", CONSTRAINTS)
@pytest.mark.parametrize("by", ["errors", "reward"])
@pytest.mark.parametrize("name", ["xor", "memory-xor"])
def test_20_of_20_seeds_one_at_a_time(name, by, constraint):
    assert [seed for seed in range(20) if not solved(name, by, constraint, seed)] == []


@pytest.mark.parametrize("constraint", CONSTRAINTS)
@pytest.mark.parametrize(
    ("name", "least"),
    [("xor", 1.0), ("memory-xor", 1.0), ("parity", 1.0), ("moons", 0.9), ("iris", 0.9), ("digits", 0.95)],
)
def test_every_problem_is_learned(name, least, constraint, capsys):
    if name in ("moons", "iris", "digits"):
        pytest.importorskip("sklearn")
    assert main(["learn", name, "--constraint", constraint, "--seed", "0", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["accuracy"] >= least
    assert (said["problem"], said["constraint"], said["engine"], said["seed"]) == (name, constraint, "kernels", 0)


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_both_engines_learn_the_same(constraint):
    problem = load("xor")
    kernels = build(problem, constraint, 0)
    source = build(problem, constraint, 0)
    messages = MessageNetwork(source)
    for net in (kernels, messages):
        learn_live(net, problem, epochs=10, seed=0)
    messages.write_to(source)
    for j in kernels.layers[1].ids + kernels.layers[2].ids:
        assert source.sources(j).tolist() == kernels.sources(j).tolist()
        assert source.strengths(j) == pytest.approx(kernels.strengths(j), abs=1e-9)


def test_learn_says_what_each_neuron_learned_and_draws(capsys, tmp_path):
    pytest.importorskip("matplotlib")
    assert main(["learn", "memory-xor", "--seed", "1", "--out", str(tmp_path)]) == 0
    said = capsys.readouterr().out
    assert "neuron 2 (sigmoid): " in said
    assert "0, then 1 → 1 (right: 1)" in said
    assert "100.0 % right after 2000 examples" in said
    assert (tmp_path / "network.png").stat().st_size > 5_000
    assert accuracy(Network.load(tmp_path / "network.dynlive"), load("memory-xor").X, load("memory-xor").y) == 1


def test_a_description_names_inputs_and_their_complements():
    lines = describe(build(load("xor"), seed=0), load("xor"))
    assert len(lines) == 24 + 2 + 4
    assert any("not x1" in line for line in lines)


def test_the_message_engine_learns_xor_from_the_command_line(capsys):
    assert main(["learn", "xor", "--engine", "messages", "--seed", "0", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert said["accuracy"] == 1
    assert said["examples"] == 2000


@pytest.mark.slow
@pytest.mark.parametrize("constraint", CONSTRAINTS)
@pytest.mark.parametrize(("name", "least"), [("memory-xor", 1.0), ("parity", 1.0), ("moons", 0.8), ("iris", 0.85)])
def test_the_message_engine_learns_the_others_from_the_command_line(name, least, constraint, capsys):
    if name in ("moons", "iris"):
        pytest.importorskip("sklearn")
    assert main(["learn", name, "--constraint", constraint, "--engine", "messages", "--seed", "0", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["accuracy"] >= least


def test_nothing_is_learned_where_nothing_can_be_written(capsys, tmp_path):
    file = tmp_path / "file"
    file.write_text("")
    assert main(["learn", "xor", "--out", str(file)]) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err == f"dynlive: cannot make the folder {file}: there is a file of that name\n"


def test_an_unknown_problem_is_one_sentence(capsys):
    assert main(["learn", "xnor"]) == 2
    assert capsys.readouterr().err == f"dynlive: there is no problem 'xnor': there are {', '.join(PROBLEMS)}\n"
