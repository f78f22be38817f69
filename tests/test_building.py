"""Building a network: layers, allowed sources, first strengths, and what cannot be."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from dynlive_rl import LearningRule, Network, NetworkBuilder
from networks import refused, small, small_builder


@pytest.mark.parametrize("count", [0, -1, 1.5, True, "3"])
@pytest.mark.parametrize("add", ["add_inputs", "add_neurons", "add_outputs"])
def test_a_layer_needs_a_whole_number_of_neurons(add, count):
    refused(f"count must be a whole number ≥ 1, not {count!r}", getattr(NetworkBuilder(0), add), count)


@pytest.mark.parametrize("memory", [0, -3, 2.0])
def test_memory_is_a_whole_number(memory):
    refused(f"memory must be a whole number ≥ 1, not {memory!r}", NetworkBuilder, 0, memory=memory)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"gain": 0}, "gain must be a finite number > 0 or a range (low, high) of them, not 0"),
        ({"gain": (3, 2)}, "gain must be a finite number > 0 or a range (low, high) of them, not (3, 2)"),
        ({"gain": (1, 2, 3)}, "gain must be a finite number > 0 or a range (low, high) of them, not (1, 2, 3)"),
        ({"gain": float("inf")}, "gain must be a finite number > 0 or a range (low, high) of them, not inf"),
        ({"gain": float("nan")}, "gain must be a finite number > 0 or a range (low, high) of them, not nan"),
        ({"power": 0.5}, "power must be a finite number ≥ 1, not 0.5"),
        ({"strengths": "zero"}, "strengths must be 'random' or 'equal', not 'zero'"),
        ({"rate": -1}, "rate must be a finite number ≥ 0, not -1"),
    ],
)
def test_neurons_with_impossible_settings_are_refused(settings, message):
    refused(message, NetworkBuilder(0).add_neurons, 2, **settings)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"kind": "hebb"}, "kind must be one of 'simplex', 'original', not 'hebb'"),
        ({"step": "rms"}, "step must be one of 'sgd', 'adam', not 'rms'"),
        ({"share": "none"}, "share must be one of 'contribution', 'uniform', not 'none'"),
        ({"aggregation": "max"}, "aggregation must be one of 'sum', 'mean', not 'max'"),
        ({"learning_rate": 0.0}, "learning_rate must be a finite number > 0, not 0.0"),
        ({"learning_rate": float("nan")}, "learning_rate must be a finite number > 0, not nan"),
        ({"credit_gain": 0.0}, "credit_gain must be a finite number > 0 or None, not 0.0"),
        ({"prune_floor": 1.0}, "prune_floor must be in [0, 1), not 1.0"),
        ({"prune_fraction": -0.1}, "prune_fraction must be a finite number ≥ 0, not -0.1"),
        ({"decays": (0.9, 1.0)}, "decays must be in [0, 1), not 1.0"),
        ({"growth_probability": 1.1}, "growth_probability must be in [0, 1], not 1.1"),
        ({"growth_strength": 0.0}, "growth_strength must be in (0, 1], not 0.0"),
    ],
)
def test_impossible_rules_are_refused(settings, message):
    refused(message, LearningRule, **settings)


def test_a_dtype_that_is_no_float_is_refused():
    refused("dtype must be float32 or float64, not 'int32'", NetworkBuilder, 0, dtype="int32")


def test_inputs_take_no_sources():
    build = small_builder()
    message = "neuron 1 is an input: it takes values from outside and cannot have sources"
    refused(message, build.allow, 1, sources=2)


@pytest.mark.parametrize(("neuron", "source", "unknown"), [(4, 0, 4), (2, 9, 9), (2, -1, -1)])
def test_unknown_neurons_are_refused(neuron, source, unknown):
    message = f"there is no neuron {unknown}: ids so far are 0 to 3"
    refused(message, small_builder().allow, neuron, sources=source)


@pytest.mark.parametrize(("add", "missing"), [("add_outputs", "input"), ("add_inputs", "output")])
def test_a_network_needs_inputs_and_outputs(add, missing):
    build = NetworkBuilder(0)
    getattr(build, add)(1)
    refused(f"a network needs at least one {missing} neuron: call add_{missing}s first", build.build)


@pytest.mark.parametrize("connect", [-0.1, 1.1, float("nan")])
def test_connect_is_a_fraction(connect):
    refused(f"connect must be in [0, 1], not {connect!r}", small_builder().build, connect=connect)


@pytest.mark.parametrize(("connect", "expected"), [(0.0, 0), (0.01, 2), (0.5, 5), (1.0, 10)])
def test_connect_says_how_many_allowed_sources_are_connected(connect, expected):
    build = NetworkBuilder(0)
    eyes = build.add_inputs(10)
    out = build.add_outputs(3, "identity")
    build.allow(out, sources=eyes)
    net = build.build(connect=connect)
    assert net.allowed_connections == 30
    assert net.connections == 3 * expected
    for j in out:
        assert net.sources(j).size == expected
        assert set(net.sources(j)) <= set(net.allowed(j)) == set(eyes)


def test_an_unconnected_network_is_silent_and_learns_nothing():
    net = small_builder().build(connect=0)
    assert net.propagate([1, 1]) == [0]
    net.reinforce([1.0])
    net.update_traces([1.0], decay=0.5)
    net.apply_td_error(1.0)
    assert net.connections == 0


def test_allowing_twice_is_allowing_once():
    build = small_builder()
    build.allow(2, sources=[0, 1, 1])
    assert build.build().allowed(2).tolist() == [0, 1]


def test_equal_strengths_are_equal_and_random_ones_are_not():
    build = NetworkBuilder(0)
    eyes = build.add_inputs(4)
    equal, drawn = build.add_outputs(1, strengths="equal"), build.add_outputs(1, strengths="random")
    build.allow(equal + drawn, sources=eyes)
    net = build.build()
    assert_allclose(net.strengths(equal[0]), 0.25)
    assert len(set(net.strengths(drawn[0]))) == 4


def test_gains_are_drawn_from_their_range_and_only_where_they_are_used():
    net = small(gain=(3.0, 5.0))
    hidden, out = net.layers[1].ids, net.layers[2].ids
    assert len({float(net.arrays.gain[j]) for j in hidden}) == 5
    assert all(3 <= net.arrays.gain[j] <= 5 for j in hidden)
    assert all(net.arrays.gain[j] == 1 for j in out)


def test_layered_is_dual_rail_and_fully_connected():
    net = Network.layered(inputs=3, hidden=(4, 5), outputs=2, seed=0)
    assert [len(layer.ids) for layer in net.layers] == [6, 4, 5, 2]
    assert [layer.activation for layer in net.layers[1:]] == ["sigmoid", "sigmoid", "identity"]
    assert net.input_count == 3
    assert net.neurons == 17
    assert net.connections == net.allowed_connections == 6 * 4 + 4 * 5 + 5 * 2
    assert repr(net) == "Network(6 → 4 → 5 → 2 neurons, 54 of 54 connections)"
    net.propagate([0.25, 0.5, 1.0])
    assert_array_equal(net.activity[:6], np.float32([0.25, 0.5, 1, 0.75, 0.5, 0]))


def test_layered_with_the_original_rule_squares():
    net = Network.layered(inputs=3, outputs=2, rule="original", dual_rail=False, seed=0)
    assert [layer.activation for layer in net.layers[1:]] == ["square", "square"]
    assert net.rule.kind == "original"


def test_a_source_in_an_earlier_layer_is_read_in_the_same_cycle_any_other_in_the_one_before():
    build = NetworkBuilder(0, dtype="float64")
    eye = build.add_inputs(1)
    early, late, out = (
        build.add_neurons(1, "identity"),
        build.add_neurons(1, "identity"),
        build.add_outputs(1, "identity"),
    )
    build.allow(late, sources=eye)
    build.allow(early, sources=late)
    build.allow(out, sources=early)
    net = build.build()
    assert [net.propagate([x])[0] for x in (0.2, 0.6, 1.0)] == [0.0, 0.2, 0.6]


def test_a_neuron_that_reads_itself_remembers():
    build = NetworkBuilder(0, dtype="float64")
    eye = build.add_inputs(1)
    out = build.add_outputs(1, "identity")
    build.allow(out, sources=eye + out)
    net = build.build()
    assert [net.propagate([1.0])[0], net.propagate([0.0])[0], net.propagate([0.0])[0]] == [0.5, 0.25, 0.125]
    net.reset()
    assert net.propagate([0.0])[0] == 0
