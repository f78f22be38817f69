"""State, files and seeds: a network goes on exactly where it was."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from safetensors.numpy import load_file

from dynlive_rl import CheckpointError, LearningRule, Network, activations, checkpoint, register_activation
from dynlive_rl.files import rows_from_tables
from graphs import fill, random_network
from networks import assert_same_state, live, refused, small


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    "rule", ["simplex", "original", LearningRule(step="adam", decays=(0.8, 0.99), prune_fraction=0.1, mature=0)]
)
def test_a_saved_network_goes_on_exactly_where_it_was(rule, dtype, tmp_path):
    net = random_network(2, LearningRule(kind=rule) if isinstance(rule, str) else rule, dtype=dtype)
    live(net)
    net.save(tmp_path / "net")
    again = Network.load(tmp_path / "net")
    assert again.rule == net.rule
    assert again.layers == net.layers
    assert again.cycles == net.cycles
    assert_same_state(net, again)
    assert_array_equal(live(net, seed=4), live(again, seed=4), strict=True)
    assert_same_state(net, again)
    assert [path.name for path in tmp_path.iterdir()] == ["net"]


def test_a_state_taken_and_set_goes_on_exactly_where_it_was():
    net = random_network(2)
    live(net)
    state = net.get_state()
    said = live(net, seed=4)
    after = net.get_state()
    net.set_state(state)
    assert_array_equal(live(net, seed=4), said, strict=True)
    assert_same_state(net, after)


FORMAT_2 = Path(__file__).parent / "data" / "format2"


@pytest.mark.parametrize(("name", "tolerance"), [("simplex", 1e-4), ("original", 1e-9)])
def test_a_file_of_format_2_goes_on_exactly_where_it_was(name, tolerance, tmp_path):
    """Written before there was format 3, after eleven cycles and a death; what the network said next was noted then."""
    net = Network.load(FORMAT_2 / f"{name}.safetensors")
    old, new = load_file(FORMAT_2 / f"{name}.safetensors"), net.get_state()
    assert old["table"].tolist() == [
        new["first"].tolist(),
        *([*new[row].tolist(), 0] for row in ("degree", "activation", "updates")),
    ]
    of_neurons = ["power", "gain", "rate", "threshold", "target_threshold"]
    of_neurons += ["threshold_trace", "threshold_mean", "threshold_square"]
    of_connections = ["strength", "target_strength", "mean_signal", "square_signal", "trace"]
    for table, rows in (("neuron", of_neurons), ("connection", of_connections), ("link", ["source", "delay"])):
        assert_array_equal(old[table], [new[row] for row in rows])
    for what in ("random", "memory.cycles", "memory.output", "memory.drive"):
        assert_array_equal(old[what], new[what], strict=True)
    net.save(tmp_path / "net")
    again = Network.load(tmp_path / "net")
    said = live(net, 20, seed=4)
    # Another processor adds in another order, and so has other last bits.
    assert_allclose(said, json.loads((FORMAT_2 / "said.json").read_text())[name], rtol=0, atol=tolerance)
    assert_array_equal(live(again, 20, seed=4), said)


@pytest.mark.parametrize("number", [3, 4])
def test_a_file_of_format_3_or_4_goes_on_exactly_where_it_was(number):
    """Written before there was a newer format, after some cycles and a death; what the network said next was noted then."""
    folder = FORMAT_2.parent / f"format{number}"
    net = Network.load(folder / "network.safetensors")
    old = load_file(folder / "network.safetensors")
    assert_same_state(net, {name: array for name, array in old.items() if name not in net.fixed_arrays()})
    assert_allclose(live(net, 20, seed=4), json.loads((folder / "said.json").read_text())["network"], rtol=0, atol=1e-4)


def test_the_largest_numbers_of_a_rule_are_read_again(tmp_path):
    rule = LearningRule(mature=2**63 - 1, max_connections=2**63 - 1)
    Network.layered(inputs=2, outputs=1, seed=0, rule=rule).save(tmp_path / "net")
    assert Network.load(tmp_path / "net").rule == rule


def test_no_number_of_an_activation_in_a_file_means_another_one_later(tmp_path):
    net = random_network(2)
    net.save(tmp_path / "net")
    header, arrays = checkpoint.read(tmp_path / "net", "network")
    order = np.random.default_rng(0).permutation(len(header["activations"]))
    kept = arrays["activation"] < len(order)
    arrays["activation"][kept] = np.argsort(order)[arrays["activation"][kept]]
    header["activations"] = [header["activations"][k] for k in order]
    checkpoint.write(tmp_path / "other", "network", header, arrays)
    assert_same_state(Network.load(tmp_path / "other"), net)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda state: state.pop("source"), "the state lacks 'source'"),
        (
            lambda state: state.update(random=np.zeros(3, np.uint64)),
            "'random' has shape (3,) and type uint64, but (4,) and uint64 is needed",
        ),
        (
            lambda state: state.update(threshold=state["threshold"].astype(np.float64)),
            "'threshold' has shape (11,) and type float64, but (11,) and float32 is needed",
        ),
    ],
)
def test_a_state_that_does_not_fit_changes_nothing(spoil, message):
    net, twin = small(), small()
    other = small(seed=9).get_state()
    spoil(other)
    refused(message, net.set_state, other)
    assert_same_state(net, twin)


def test_files_that_are_no_network_are_refused(tmp_path):
    path = tmp_path / "net"
    refused(f"there is no file {path}", Network.load, path, error=FileNotFoundError)
    path.write_bytes(b"no network at all")
    refused(f"{path} is not a DynLive checkpoint, or it is damaged", Network.load, path)
    small().save(path)
    path.write_bytes(path.read_bytes()[:-100])
    refused(f"{path} is damaged: its content is not what its checksum says", Network.load, path)


def test_a_file_of_another_kind_or_format_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "net"
    checkpoint.write(path, "agent", {}, {"x": np.zeros(1)})
    refused(f"{path} holds no network: it is a file of kind 'agent'", Network.load, path)
    monkeypatch.setattr(checkpoint, "FORMAT", 99)
    small().save(path)
    monkeypatch.undo()
    read = f"2 to {checkpoint.FORMAT}"
    with pytest.raises(
        ValueError, match=f"has checkpoint format 99, this version of DynLive reads {read}: it was written"
    ):
        Network.load(path)


@pytest.mark.parametrize("lost", ["rule", "trace", "degree"])
def test_a_file_that_lacks_something_is_refused(lost, tmp_path):
    path = tmp_path / "net"
    small().save(path)
    header, arrays = checkpoint.read(path, "network")
    del (header if lost in header else arrays)[lost]
    checkpoint.write(path, "network", header, arrays)
    with pytest.raises(CheckpointError, match=rf"^{re.escape(str(path))} .*'{lost}'( is missing)?$"):
        Network.load(path)


def test_what_reads_older_formats_is_asked_format_by_format(tmp_path, monkeypatch):
    monkeypatch.setattr(checkpoint, "FORMAT", 1)
    checkpoint.write(tmp_path / "old", "thing", {"word": "a"}, {"x": np.zeros(1)})
    monkeypatch.undo()

    def longer(header, arrays):
        return header | {"word": header["word"] + "b"}, {name: array + 1 for name, array in arrays.items()}

    older = range(1, checkpoint.FORMAT)
    header, arrays = checkpoint.read(tmp_path / "old", "thing", dict.fromkeys(older, longer))
    assert (header["format"], header["word"]) == (checkpoint.FORMAT, "a" + "b" * len(older))
    assert arrays["x"].tolist() == [len(older)]
    for upgrades in (None, {2: longer}):
        with pytest.raises(ValueError, match="has checkpoint format 1, this version of DynLive reads"):
            checkpoint.read(tmp_path / "old", "thing", upgrades)


def test_tables_of_format_2_are_found_behind_a_prefix():
    arrays = load_file(FORMAT_2 / "simplex.safetensors")
    among = {f"critic.{name}": array for name, array in arrays.items()} | {"table": np.zeros(2)}
    rows = rows_from_tables(among, "critic.")
    plain = rows_from_tables(arrays)
    assert rows.keys() == {f"critic.{name}" for name in plain} | {"table"}
    for name, row in plain.items():
        assert_array_equal(rows[f"critic.{name}"], row, strict=True)


def test_a_file_whose_activation_is_not_registered_says_which(tmp_path, monkeypatch):
    register_activation("borrowed", lambda s: s, lambda s: 1.0)
    small(activation="borrowed").save(tmp_path / "net")
    monkeypatch.delitem(activations._activations, "borrowed")
    with pytest.raises(
        CheckpointError, match=r"net cannot be loaded: unknown activation 'borrowed': .* registered first"
    ):
        Network.load(tmp_path / "net")


@pytest.mark.parametrize("rule", ["simplex", "original"])
def test_equal_seeds_make_equal_networks_and_others_do_not(rule):
    one, other, third = (small(seed, rule=rule) for seed in (1, 1, 2))
    assert_same_state(one, other)
    assert_array_equal(one.arrays.gain, other.arrays.gain)
    assert not np.array_equal(one.arrays.strength, third.arrays.strength)
    assert not np.array_equal(one.arrays.random, third.arrays.random)
    assert_array_equal(live(one), live(other))
    assert_same_state(one, other)


def test_without_a_seed_every_network_is_another():
    assert not np.array_equal(small(None).arrays.strength, small(None).arrays.strength)


def test_another_process_finds_the_same_numbers():
    code = (
        "import numpy as np; from dynlive_rl import Network;"
        "net = Network.layered(inputs=2, hidden=(5,), outputs=2, seed=1, rule='original');"
        "[(net.propagate(x), net.reinforce([-1, 1])) for x in np.random.default_rng(0).random((9, 2))];"
        "print(net.arrays.strength.tobytes().hex(), net.arrays.random.tobytes().hex())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    net = small(1, rule="original")
    for x in np.random.default_rng(0).random((9, 2)):
        net.propagate(x)
        net.reinforce([-1, 1])
    assert done.stdout.split() == [net.arrays.strength.tobytes().hex(), net.arrays.random.tobytes().hex()]


def test_the_global_random_state_is_left_alone():
    np.random.seed(0)  # noqa: NPY002
    before = np.random.get_state()  # noqa: NPY002
    net = random_network(3, LearningRule(kind="original"))
    live(net)
    fill(net, np.random.default_rng(0), 3)
    after = np.random.get_state()  # noqa: NPY002
    assert before[2:] == after[2:]
    assert_array_equal(before[1], after[1])
