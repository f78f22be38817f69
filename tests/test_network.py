"""The network as its user meets it: building, checking, remembering, saving, and the original rule by hand."""

import re
import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from dynlive_rl import LearningRule, Network, NetworkBuilder
from dynlive_rl.kernels.layout import ConnectionRow, NeuronRow
from graphs import fill, random_network


def small(seed=0, **settings):
    return Network.layered(inputs=2, hidden=(5,), outputs=2, seed=seed, **settings)


def small_builder(**settings):
    """Two inputs (0, 1), one hidden neuron (2) that reads them, one output neuron (3) that reads it."""
    build = NetworkBuilder(0, dtype="float64", **settings)
    eyes = build.add_inputs(2)
    hidden = build.add_neurons(1, "identity", strengths="equal")
    out = build.add_outputs(1, "identity")
    build.allow(hidden, sources=eyes)
    build.allow(out, sources=hidden)
    return build


def refused(message, call, *arguments, error=ValueError, **settings):
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call(*arguments, **settings)


def assert_same_state(a, b):
    one, other = a.get_state(), b.get_state()
    assert one.keys() == other.keys()
    for name in one:
        assert_array_equal(one[name], other[name], err_msg=name, strict=True)


def live(net, cycles=10, seed=3):
    """Do a bit of everything; returns what the network said."""
    rng = np.random.default_rng(seed)
    said = []
    for _ in range(cycles):
        said.append(net.propagate(rng.random(net.input_count)))
        rewards = rng.normal(size=len(net.output_ids))
        net.reinforce(rewards, hops=2)
        net.mark(rewards, decay=0.9)
        net.surprise(0.3)
        if net.rule.kind != "original":
            net.rehearse(rng.random((2, net.input_count)), rng.normal(size=(2, len(net.output_ids))))
    return np.array(said)


# -- building ------------------------------------------------------------------------------------------------------


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
    net.mark([1.0], decay=0.5)
    net.surprise(1.0)
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


# -- what goes in ----------------------------------------------------------------------------------------------------


def test_inputs_are_clamped():
    net = small_builder().build()
    assert net.propagate([-3.0, 7.0]) == [0.5]
    assert net.propagate([-np.inf, np.inf]) == [0.5]
    assert net.rehearse([[-3.0, 7.0]], [[0.0]]) == [[0.5]]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ([1.0], "inputs must have shape (2,), not (1,)"),
        ([[1.0, 2.0]], "inputs must have shape (2,), not (1, 2)"),
        (0.5, "inputs must have shape (2,), not ()"),
        ([0.5, float("nan")], "inputs must be numbers, but contain nan"),
        (["a", "b"], "inputs must be numbers, not ['a', 'b']"),
    ],
)
def test_wrong_inputs_are_refused_and_leave_no_cycle(inputs, message):
    net = small_builder().build()
    refused(message, net.propagate, inputs)
    assert net.cycles == 0


@pytest.mark.parametrize(
    ("rewards", "message"),
    [
        ([1.0, 2.0], "rewards must have shape (1,), not (2,)"),
        ([float("nan")], "rewards must be finite, but contain nan"),
        ([float("inf")], "rewards must be finite, but contain inf"),
    ],
)
@pytest.mark.parametrize("method", ["reinforce", "mark"])
def test_wrong_rewards_are_refused(method, rewards, message):
    net = small_builder().build()
    net.propagate([0, 1])
    settings = {"decay": 0.5} if method == "mark" else {}
    refused(message, getattr(net, method), rewards, **settings)


@pytest.mark.parametrize("hops", [0, -1, 1.5, True, "all"])
def test_hops_is_a_whole_number(hops):
    net = small_builder().build()
    net.propagate([0, 1])
    message = f"hops must be a whole number ≥ 1, not {hops!r}"
    refused(message, net.reinforce, [1.0], hops=hops)
    refused(message, net.mark, [1.0], hops=hops, decay=0.5)
    refused(message, net.rehearse, [[0, 1]], [[1.0]], hops=hops)


def test_only_remembered_cycles_can_be_rewarded():
    net = small_builder(memory=3).build()
    refused("cannot reward cycle 0: nothing has been propagated yet", net.reinforce, [1.0])
    net.propagate([0, 1])
    refused("cannot reward cycle 1: only the last 1 are remembered", net.reinforce, [1.0], cycle=1)
    for _ in range(5):
        net.propagate([0, 1])
    net.reinforce([1.0], cycle=2)
    refused("cannot reward cycle 3: only the last 3 are remembered", net.reinforce, [1.0], cycle=3)
    refused("cannot reward cycle -1: only the last 3 are remembered", net.reinforce, [1.0], cycle=-1)


@pytest.mark.parametrize("cycle", [0.5, "0", True])
def test_cycle_is_a_whole_number(cycle):
    net = small_builder().build()
    net.propagate([0, 1])
    net.propagate([0, 1])
    refused(f"cycle must be a whole number ≥ 0, not {cycle!r}", net.reinforce, [1.0], cycle=cycle)


def test_rehearsal_refuses_shapes_that_do_not_fit():
    net = small_builder().build()
    refused("inputs must have shape (batch, 2) or (batch, cycles, 2), not (3, 4)", net.rehearse, np.ones((3, 4)), [[1]])
    refused("inputs must have shape (batch, 2) or (batch, cycles, 2), not (0, 2)", net.rehearse, np.ones((0, 2)), [[1]])
    refused("rewards must have shape (3, 1), not (1, 1)", net.rehearse, np.ones((3, 2)), [[1]])
    refused(
        "rewards must have shape (3, 1) or (3, 5, 1), not (3, 4, 1)",
        net.rehearse,
        np.ones((3, 5, 2)),
        np.ones((3, 4, 1)),
    )


def test_the_original_rule_knows_no_batches():
    net = small(rule="original")
    message = "the original rule learns one cycle at a time: use propagate and reinforce"
    refused(message, net.rehearse, np.ones((1, 2)), np.ones((1, 2)))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda net: net.mark([1.0], decay=1.5), "decay must be in [0, 1], not 1.5"),
        (lambda net: net.surprise(float("nan")), "delta must be finite, not nan"),
        (lambda net: net.surprise(1.0, bound=0), "bound must be a finite number > 0, not 0"),
        (lambda net: net.strengths(4), "there is no neuron 4: ids are 0 to 3"),
        (lambda net: net.allowed(-1), "there is no neuron -1: ids are 0 to 3"),
    ],
)
def test_other_wrong_numbers_are_refused(call, message):
    net = small_builder().build()
    net.propagate([0, 1])
    refused(message, call, net)


def test_nothing_can_be_marked_before_the_first_cycle():
    message = "cannot mark anything: nothing has been propagated yet"
    refused(message, small_builder().build().mark, [1.0], decay=0.5)


def test_read_only_and_strided_arrays_use_the_kernels_already_compiled():
    from dynlive_rl.kernels import batch, online

    net = small(dtype="float64")
    net.propagate([0.1, 0.2])
    net.reinforce([1.0, 0.0])
    net.rehearse([[0.1, 0.2]], [[1.0, 0.0]])
    kernels = (online.propagate, online.reinforce, batch.rehearse)
    versions = [len(kernel.signatures) for kernel in kernels]
    fixed = np.array([0.1, 0.2])
    fixed.flags.writeable = False
    for x in (fixed, np.arange(4.0)[::2], np.array([1, 0]), np.float32([1, 0]), np.array([0.5, 0.5], ">f8")):
        net.propagate(x)
        net.reinforce(x, hops=np.int32(2), cycle=np.int32(0))
        net.rehearse(x[None], x[None])
    assert [len(kernel.signatures) for kernel in kernels] == versions


def test_what_a_network_returns_is_a_copy():
    net = small()
    y = net.propagate([0.1, 0.9])
    y[:] = 7
    net.activity[:] = 7
    net.strengths(5)[:] = 7
    for array in net.get_state().values():
        array[...] = 7
    assert (net.outputs <= 1).all()
    assert_allclose(net.strengths(5).sum(), 1, rtol=1e-5)


# -- learning --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", ["sgd", "adam"])
@pytest.mark.parametrize("wish", [1.0, -1.0])
def test_reward_moves_the_output_its_way(step, wish):
    net = small(rule=LearningRule(step=step))
    before = net.propagate([0.2, 0.9])
    for _ in range(50):
        net.propagate([0.2, 0.9])
        net.reinforce([wish, 0.0])
    assert (net.propagate([0.2, 0.9]) - before)[0] * wish > 0.05


def test_a_frozen_layer_keeps_its_strengths_and_thresholds():
    build = NetworkBuilder(0)
    eyes = build.add_inputs(3)
    frozen, free = build.add_neurons(4, rate=0.0), build.add_outputs(1, "identity", strengths="random")
    build.allow(frozen, sources=eyes)
    build.allow(free, sources=frozen)
    net = build.build()
    before = net.get_state()
    for x in np.random.default_rng(0).random((20, 3)):
        net.propagate(x)
        net.reinforce([1.0])
    for j in frozen:
        row = slice(net.arrays.first[j], net.arrays.first[j + 1])
        assert_allclose(net.arrays.strength[row], before["connection"][ConnectionRow.STRENGTH][row], rtol=1e-5)
    assert_array_equal(net.arrays.threshold, before["neuron"][NeuronRow.THRESHOLD])
    assert np.abs(net.arrays.strength[-4:] - before["connection"][ConnectionRow.STRENGTH][-4:]).max() > 1e-3


def test_surprise_without_tags_changes_nothing_and_reset_forgets_tags():
    net = small(dtype="float64")
    net.propagate([0.2, 0.9])
    net.mark([1.0, 1.0], decay=0.5)
    net.reset()
    before = net.get_state()
    net.surprise(10.0)
    assert net.cycles == 0
    assert_allclose(net.arrays.strength, before["connection"][ConnectionRow.STRENGTH], rtol=0, atol=1e-15)
    assert_array_equal(net.arrays.threshold, before["neuron"][NeuronRow.THRESHOLD])


def test_tags_of_what_fell_silent_end_at_0():
    """Numbers below the smallest normal one would make every cycle several times slower."""
    net = Network.layered(inputs=2, hidden=(3,), outputs=1, seed=0, rule=LearningRule(reserve=True))
    net.propagate([1.0, 1.0])
    net.mark([1.0], decay=0.5)
    assert np.count_nonzero(net.arrays.tag) == 3 * 2 + 3  # of the inputs that are 1, and of the output neuron
    for _ in range(140):
        net.propagate([0.0, 0.0])
        net.mark([1.0], decay=0.5)
    tags = np.abs(net.arrays.tag)
    assert np.count_nonzero(tags) == 3 * 2 + 3  # of their complements, which are 1 now
    assert tags[tags > 0].min() > np.finfo(np.float32).tiny


def test_a_surprise_moves_at_most_its_bound():
    net = small(dtype="float64", rule=LearningRule(learning_rate=1e6))
    net.propagate([0.2, 0.9])
    net.mark([1.0, -0.5], decay=0.5)
    before = net.arrays.threshold.copy()
    norm = np.abs(net.arrays.tag).sum() + np.abs(net.arrays.threshold_tag).sum()
    expected = 3.0 * net.arrays.threshold_tag / (2.0 * 3.0 * norm)
    net.surprise(3.0, bound=2.0)
    assert_allclose(net.arrays.threshold - before, expected, rtol=1e-9, atol=1e-15)
    assert np.abs(expected).max() > 0


@pytest.mark.parametrize(("reward", "inputs", "winner"), [(1.0, [1.0, 0.4, 0.0], 0), (-1.0, [1.0, 0.9, 0.0], 2)])
def test_the_last_connection_stays(reward, inputs, winner):
    build = NetworkBuilder(0, rule=LearningRule(learning_rate=1e3), dtype="float64")
    eyes = build.add_inputs(3)
    out = build.add_outputs(1, "identity", strengths="random")
    build.allow(out, sources=eyes)
    net = build.build()
    net.propagate(inputs)
    for _ in range(3):
        net.reinforce([reward])  # the centred signal takes from the others
        assert net.sources(out[0]).tolist() == [winner]
        assert net.strengths(out[0]).tolist() == [1.0]


def test_a_row_that_loses_everything_in_one_step_starts_afresh_as_equals():
    build = NetworkBuilder(0, rule=LearningRule(learning_rate=1.0), dtype="float64")
    eyes = build.add_inputs(3)
    out = build.add_outputs(1, "identity", strengths="random")
    build.allow(out, sources=eyes)
    net = build.build()
    net.propagate([0.5, 0.5, 0.5])
    net.arrays.tag[:] = [-1e9, -2e9, -3e9]
    net.surprise(1.0, bound=0.01)
    assert_allclose(net.strengths(out[0]), [1 / 3, 1 / 3, 1 / 3], rtol=1e-14)


def test_with_a_reserve_a_neuron_can_lose_every_connection():
    build = NetworkBuilder(0, rule=LearningRule(reserve=True, learning_rate=10.0), dtype="float64")
    eyes = build.add_inputs(2)
    out = build.add_outputs(1, "identity")
    build.allow(out, sources=eyes)
    net = build.build()
    net.propagate([1.0, 1.0])
    net.reinforce([-1.0])
    assert net.connections == 0
    assert net.allowed(out[0]).tolist() == eyes
    assert net.propagate([1.0, 1.0]) == [0.0]
    net.reinforce([1.0])
    assert net.connections == 0


@pytest.mark.parametrize(("fraction", "steps"), [(0.07, 47), (0.5, 46)])
def test_the_relative_floor_prunes_below_its_fraction_of_an_equal_share_but_never_above_two_percent(fraction, steps):
    build = NetworkBuilder(
        0, rule=LearningRule(prune_fraction=fraction, learning_rate=0.0201, mature=0), dtype="float64"
    )
    eyes = build.add_inputs(4)
    out = build.add_outputs(1, "identity", strengths="equal")
    build.allow(out, sources=eyes)
    net = build.build()
    # Centred signals of input [1, 0, 0, 0] are 3/4 and -1/4: after k steps the others hold 0.25 - 0.005025 k each.
    for k in range(1, steps):
        net.propagate([1, 0, 0, 0])
        net.reinforce([1.0])
        assert_allclose(net.strengths(out[0]).min(), 0.25 - 0.005025 * k, atol=1e-12)
        assert net.connections == 4
    net.propagate([1, 0, 0, 0])
    net.reinforce([1.0])  # 0.0138 is below 0.07 / 4, and 0.0189 below 0.02
    assert net.sources(out[0]).tolist() == [0]
    assert net.strengths(out[0]).tolist() == [1.0]


def test_a_new_rule_holds_from_now_on():
    net = small(dtype="float64")
    net.rule = LearningRule(learning_rate=1e-300)
    before = net.arrays.threshold.copy()
    net.propagate([0.2, 0.9])
    net.reinforce([1.0, 1.0])
    assert_array_equal(net.arrays.threshold, before)


# -- the original rule, by hand ----------------------------------------------------------------------------------------


def original(count=2, **settings):
    settings = {"learning_rate": 0.1, "growth_probability": 0.0} | settings
    build = NetworkBuilder(0, rule=LearningRule(kind="original", **settings), dtype="float64")
    eyes = build.add_inputs(count)
    out = build.add_outputs(1)
    build.allow(out, sources=eyes)
    return build.build()


def test_the_original_rule_squares_and_adds_rate_times_reward_times_input():
    net = original()
    assert net.propagate([1.0, 0.5]) == [0.5625]  # (0.5 + 0.25)²
    net.reinforce([1.0])
    # 0.5 + 0.1 · 1 = 0.6 and 0.5 + 0.1 · 0.5 = 0.55, divided by 1.15
    assert_allclose(net.strengths(2), [0.6 / 1.15, 0.55 / 1.15], rtol=1e-14)


def test_the_original_rule_takes_the_mean_of_products_where_asked():
    assert original(aggregation="mean").propagate([1.0, 0.5]) == [0.140625]  # (0.75 / 2)²


def test_the_original_rule_clips_at_0_and_removes_the_connection():
    net = original(learning_rate=1.0)
    net.propagate([1.0, 0.5])
    net.reinforce([-0.6])  # 0.5 - 0.6 < 0; 0.5 - 0.3 = 0.2
    assert net.sources(2).tolist() == [1]
    assert net.strengths(2).tolist() == [1.0]


def test_the_original_rule_removes_what_falls_to_its_floor():
    net = original(learning_rate=1.0, prune_floor=0.25)
    net.propagate([0.5, 0.25])
    net.reinforce([-0.5])  # 0.5 - 0.25 = 0.25 goes, 0.5 - 0.125 stays
    assert net.sources(2).tolist() == [1]


def test_the_original_rule_shares_its_reward_equally_among_connected_sources():
    build = NetworkBuilder(
        0, rule=LearningRule(kind="original", learning_rate=0.1, growth_probability=0.0), dtype="float64"
    )
    eyes = build.add_inputs(2)
    hidden = [build.add_neurons(1, strengths="equal")[0] for _ in range(2)]
    out = build.add_outputs(1)
    build.allow(hidden, sources=eyes)
    build.allow(out, sources=hidden)
    net = build.build()
    assert net.propagate([1.0, 0.0]) == [0.0625]  # 0.5² = 0.25 in both, 0.25² at the end
    net.reinforce([1.0])
    assert_allclose(net.strengths(out[0]), [0.5, 0.5])  # both got 0.1 · 0.25
    for j in hidden:  # half the reward each: 0.5 + 0.1 · 0.5 · 1, divided by 1.05
        assert_allclose(net.strengths(j), [0.55 / 1.05, 0.5 / 1.05], rtol=1e-14)
    net.reinforce([1.0], hops=1)
    assert_allclose(net.strengths(hidden[0]), [0.55 / 1.05, 0.5 / 1.05], rtol=1e-14)


def test_the_original_rule_brings_missing_connections_back_only_after_negative_reward():
    net = original(3, learning_rate=1e-9, growth_probability=1.0, growth_strength=0.05)
    net.arrays.degree[3] = 1
    net.arrays.strength[:] = [1.0, 0.0, 0.0]
    net.propagate([0.5, 0.5, 0.5])
    net.reinforce([1.0])
    assert net.connections == 1
    net.reinforce([-1.0])
    assert net.connections == 3
    w = net.strengths(3)
    assert_allclose(w.sum(), 1)
    assert (w[1:] / w[0] <= 0.05 + 1e-6).all()
    assert w[1] != w[2]


def test_the_original_rule_grows_as_often_as_its_probability_says():
    grown = 0
    for seed in range(5):
        rule = LearningRule(kind="original", learning_rate=1e-9, growth_probability=0.1)
        build = NetworkBuilder(seed, rule=rule, dtype="float64")
        out, eyes = build.add_outputs(1), build.add_inputs(400)
        build.allow(out, sources=eyes)
        net = build.build(connect=0.0025)
        net.propagate(np.zeros(400))
        net.reinforce([-1.0])
        grown += net.connections - 2
    assert 150 < grown < 250  # 5 · 398 · 0.1 = 199, deviation 13


# -- state, files and seeds --------------------------------------------------------------------------------------------


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
    for name, array in net.get_state().items():
        assert_array_equal(array, after[name], strict=True)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda state: state.pop("link"), "the state lacks 'link'"),
        (
            lambda state: state.update(random=np.zeros(3, np.uint64)),
            "'random' has shape (3,) and type uint64, but (4,) and uint64 is needed",
        ),
        (
            lambda state: state.update(neuron=state["neuron"].astype(np.float64)),
            "'neuron' has shape (8, 11) and type float64, but (8, 11) and float32 is needed",
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
    refused(f"{path} is not a DynLive checkpoint, or it is damaged", Network.load, path)


def test_a_file_of_another_kind_or_format_is_refused(tmp_path, monkeypatch):
    from dynlive_rl import checkpoint

    path = tmp_path / "net"
    checkpoint.write(path, "agent", {}, {"x": np.zeros(1)})
    refused(f"{path} holds no network: it is a file of kind 'agent'", Network.load, path)
    monkeypatch.setattr(checkpoint, "FORMAT", 99)
    small().save(path)
    monkeypatch.undo()
    with pytest.raises(
        ValueError, match="has checkpoint format 99, this version of DynLive reads 2: it was written by"
    ):
        Network.load(path)


def test_a_file_that_lacks_something_is_refused(tmp_path):
    from dynlive_rl import checkpoint

    path = tmp_path / "net"
    small().save(path)
    header, arrays = checkpoint.read(path, "network")
    del header["rule"]
    checkpoint.write(path, "network", header, arrays)
    with pytest.raises(ValueError, match=r"^.* is damaged, or this version of DynLive does not understand it.*'rule'$"):
        Network.load(path)


def test_saving_where_there_is_no_folder_is_refused(tmp_path):
    path = tmp_path / "none" / "net"
    message = f"cannot write {path}: there is no folder {path.parent}"
    refused(message, small().save, path, error=FileNotFoundError)


def test_a_file_whose_activation_is_not_registered_says_which(tmp_path, monkeypatch):
    from dynlive_rl import ActivationError, activations, register_activation

    register_activation("borrowed", lambda s: s, lambda s: 1.0)
    small(activation="borrowed").save(tmp_path / "net")
    monkeypatch.delitem(activations._activations, "borrowed")
    with pytest.raises(ActivationError, match=r"unknown activation 'borrowed': .* must be registered first"):
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
