"""Edits by hand: the simplex holds, ids and what was learned stay, and compiled code does not notice."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from dynlive_rl import LearningRule, Network, NetworkBuilder
from dynlive_rl.kernels import batch, online
from graphs import fill, random_network
from networks import assert_same_row, assert_same_state, assert_sound, compiled, living, rows

pytestmark = pytest.mark.plain

EDITS = ["add_connection", "remove_connection", "set_strength", "add_neuron", "remove_neuron", "kill", "cut", "learn"]


def edit(net, what, rng):
    """One random edit; returns the neurons it may change, all of them for the edits that may change any."""
    learners, everyone = living(net, "hidden", "output"), living(net, "input", "hidden", "output")
    j = int(rng.choice(learners)) if learners else -1
    everything = set(range(net.arrays.degree.size + 1))
    if what == "learn":
        fill(net, rng, 2)
        net.reinforce(rng.normal(size=len(net.output_ids)))
        return everything
    if what == "cut":
        net.cut(0.2, seed=int(rng.integers(100)))
        return everything
    if what == "add_neuron":
        k = next(k for k, layer in enumerate(net.layers) if j in layer.ids) if learners else None
        if k is not None:
            net.add_neuron(k, rng.choice(everyone, min(3, len(everyone)), replace=False), gain=2.0)
        return set()
    if not learners:
        return set()
    sources = net.sources(j)
    if what == "add_connection":
        missing = [i for i in everyone if i not in sources]
        if missing:
            net.add_connection(j, int(rng.choice(missing)), 0.3 if sources.size else 1.0)
    elif what == "remove_connection" and sources.size > 1:
        net.remove_connection(j, int(rng.choice(sources)))
    elif what == "set_strength" and sources.size > 1:
        sign = rng.choice([-1, 1]) if net.rule.constraint == "free" else 1
        net.set_strength(j, int(rng.choice(sources)), float(sign * rng.uniform(0.01, 0.99)))
    elif what == "kill" and len(learners) > 2:
        net.kill(j)
        return everything
    elif what == "remove_neuron" and net.output_ids != (j,):
        net.remove_neuron(j)
        return everything
    return {j}


@pytest.mark.parametrize("constraint", ["simplex", "free"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@given(seed=st.integers(0, 10**6), edits=st.lists(st.sampled_from(EDITS), min_size=3, max_size=15))
def test_any_sequence_of_edits_leaves_a_sound_network(dtype, constraint, seed, edits):
    rng = np.random.default_rng(seed)
    rule = LearningRule(constraint=constraint, step="adam", learning_rate=0.05)
    net = random_network(seed, rule, dtype=dtype)
    fill(net, rng, 3)
    for what in edits:
        before, activity = rows(net), net.activity
        changed = edit(net, what, rng)
        after = rows(net)
        for j in set(before) & set(after) - changed:
            assert_same_row(before[j], after[j])
        if what in ("add_neuron", "add_connection", "set_strength", "remove_connection"):
            assert_array_equal(net.activity[: activity.size], activity)  # memory is kept
        assert_sound(net)
    fill(net, rng, 2)
    net.reinforce(rng.normal(size=len(net.output_ids)))
    net.rehearse(rng.random((3, net.input_count)), rng.normal(size=(3, len(net.output_ids))))
    assert_sound(net)
    assert np.isfinite(net.outputs).all()


@pytest.mark.parametrize("constraint", ["simplex", "free"])
@given(seed=st.integers(0, 10**6), edits=st.lists(st.sampled_from(EDITS), min_size=3, max_size=15))
def test_an_edited_network_is_saved_and_goes_on(constraint, seed, edits, tmp_path_factory):
    rng = np.random.default_rng(seed)
    net = random_network(seed, LearningRule(constraint=constraint))
    for what in edits:
        edit(net, what, rng)
    file = tmp_path_factory.mktemp("edited") / "net"
    net.save(file)
    other = Network.load(file)
    for one in (net, other):
        one.propagate(np.full(net.input_count, 0.3))
        one.reinforce(np.ones(len(net.output_ids)))
    assert_same_state(net, other)


@compiled
def test_nothing_is_compiled_again():
    net = Network.layered(inputs=3, hidden=(5,), outputs=2, seed=0, rule=LearningRule(growth="signal"))

    def use():
        net.propagate([0.1, 0.2, 0.3])
        net.reinforce(np.ones(len(net.output_ids)))
        net.rehearse(np.ones((2, 3)), np.ones((2, len(net.output_ids))))

    use()
    compiled = [len(kernel.signatures) for kernel in (online.propagate, online.reinforce, batch.rehearse)]
    new = net.add_neuron(1, net.layers[0].ids)
    net.add_connection(net.output_ids[0], new)
    net.add_neuron(2, net.layers[1].ids)
    net.remove_neuron(net.layers[1].ids[0])
    net.kill(net.layers[1].ids[0])
    net.cut(0.3, seed=0)
    use()
    assert [len(kernel.signatures) for kernel in (online.propagate, online.reinforce, batch.rehearse)] == compiled


# -- what each edit does -------------------------------------------------------------------------------------------


def small(**settings):
    """Three inputs, two hidden, one output; every learner allowed the layer before."""
    build = NetworkBuilder(0, dtype="float64", **settings)
    eyes = build.add_inputs(3)
    hidden = build.add_neurons(2, "sigmoid", strengths="equal")
    out = build.add_outputs(1, "identity")
    build.allow(hidden, sources=eyes)
    build.allow(out, sources=hidden)
    return build.build()


def test_strengths_make_room_in_proportion():
    net = small()
    net.set_strength(3, 0, 0.5)
    assert_allclose(net.strengths(3), [0.5, 0.25, 0.25])
    net.set_strength(3, 1, 0.1)
    assert_allclose(net.strengths(3), [0.6, 0.1, 0.3])
    net.remove_connection(3, 0)
    assert_array_equal(net.sources(3), [1, 2])
    assert_allclose(net.strengths(3), [0.25, 0.75])
    net.add_connection(3, 0, 0.2)
    assert_allclose(net.strengths(3), [0.2, 0.2, 0.6])
    assert_allclose(net.strengths(4), 1 / 3)


def test_a_new_connection_is_faint_and_a_first_one_is_whole():
    net = small()
    net.add_connection(5, 0)
    assert_allclose(net.strengths(5), [0.001, 0.4995, 0.4995])
    for source in (0, 3, 4):
        net.remove_connection(5, source)
    assert net.sources(5).size == 0
    net.add_connection(5, 2)
    assert_array_equal(net.strengths(5), [1])


def test_a_reserve_is_used_before_the_others_make_room():
    net = small(rule=LearningRule(reserve=True))
    net.remove_connection(3, 0)
    assert_allclose(net.strengths(3), [1 / 3, 1 / 3])
    net.set_strength(3, 1, 0.5)
    assert_allclose(net.strengths(3), [0.5, 1 / 3])
    net.set_strength(3, 1, 0.8)
    assert_allclose(net.strengths(3), [0.8, 0.2])


def test_free_strengths_are_any_numbers_and_leave_the_others_alone():
    net = Network.layered(inputs=3, hidden=(4,), outputs=2, rule="free", seed=0, dtype="float64")
    hidden, out = net.layers[1].ids, net.output_ids
    before = {j: net.strengths(j) for j in (*hidden, *out)}
    net.set_strength(hidden[0], 1, -2.5)
    assert_array_equal(net.strengths(hidden[0]), [before[hidden[0]][0], -2.5, before[hidden[0]][2]])
    net.remove_connection(hidden[0], 1)
    assert_array_equal(net.strengths(hidden[0]), before[hidden[0]][[0, 2]])
    net.add_connection(hidden[0], 1)
    assert_array_equal(net.strengths(hidden[0]), [before[hidden[0]][0], 0.001, before[hidden[0]][2]])
    net.kill(hidden[1])
    assert_array_equal(net.strengths(out[0]), before[out[0]][[0, 2, 3]])
    new = net.add_neuron(1, [0, 1, 2])
    net.add_connection(out[1], new, -1.0)
    assert net.strengths(out[1])[-1] == -1
    net.remove_neuron(hidden[2])
    assert np.isfinite(net.propagate([3.0, -2.0, 0.5])).all()
    assert net.activity[hidden[1]] == 0
    net.reinforce([1.0, -1.0])
    with pytest.raises(ValueError, match="strength must be a finite number other than 0, not 0"):
        net.set_strength(hidden[0], 0, 0)


def test_a_free_connection_that_was_removed_learns_no_more():
    net = Network.layered(inputs=3, hidden=(), outputs=1, rule="free", seed=0, dtype="float64")
    (out,) = net.output_ids
    for _ in range(2):
        net.propagate([0.5, 0.7, 0.9])
        net.reinforce([1.0])
        if 1 in net.sources(out):
            net.remove_connection(out, 1)
    assert_array_equal(net.sources(out), [0, 2])
    assert_sound(net)


def test_a_new_neuron_changes_nothing_until_it_is_read():
    net = small()
    fill(net, np.random.default_rng(0), 2)
    before = net.propagate([0.2, 0.9, 0.4])
    new = net.add_neuron(1, [0, 1, 2, 4], gain=7.0)
    assert new == 6
    assert net.layers[1].ids == (3, 4, 6)
    assert_array_equal(net.propagate([0.2, 0.9, 0.4]), before)
    assert_allclose(net.strengths(new), 0.25)
    s = 0.25 * (0.2 + 0.9 + 0.4 + net.activity[4])  # a neighbour in the same layer is read in the cycle before
    assert_allclose(net.activity[new], 1 / (1 + np.exp(-7 * (s - 0.5))))
    net.add_connection(5, new, 0.5)
    assert_allclose(net.propagate([0.2, 0.9, 0.4]), (before + net.activity[new]) / 2)


def test_a_new_output_is_an_output():
    net = small()
    before = net.propagate([0.2, 0.9, 0.4])
    new = net.add_neuron(2, [3])
    y = net.propagate([0.2, 0.9, 0.4])
    assert net.output_ids == (5, new)
    assert_array_equal(y, [before[0], net.activity[3]])
    net.reinforce([0.0, 1.0])
    net.remove_neuron(5)
    assert_array_equal(net.propagate([0.2, 0.9, 0.4]), net.activity[[new]])


def test_removing_what_nobody_reads_changes_nothing():
    net = Network.layered(inputs=3, hidden=(6,), outputs=2, seed=1, dtype="float64")
    silent = net.layers[1].ids[2]
    for out in net.output_ids:
        net.remove_connection(out, silent)
    before = net.propagate([0.2, 0.9, 0.4])
    kept = rows(net)
    net.remove_neuron(silent)
    assert_array_equal(net.propagate([0.2, 0.9, 0.4]), before)
    for j, row in rows(net).items():
        assert_same_row(row, kept[j])
    assert net.neurons == 6 + 5 + 2
    with pytest.raises(ValueError, match=f"there is no neuron {silent}$"):
        net.remove_neuron(silent)
    assert net.add_neuron(1, net.layers[0].ids) == 14  # its id is not used again


# -- what cannot be ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda net: net.add_connection(0, 3), "neuron 0 is an input: it takes values from outside and has no sources"),
        (lambda net: net.add_connection(3, 0), "neuron 3 is already connected to 0: use set_strength"),
        (lambda net: net.add_connection(3, 9), "there is no neuron 9$"),
        (lambda net: net.add_connection(3, 4, 1.0), r"strength must be in \(0, 1\), not 1.0"),
        (lambda net: net.set_strength(3, 0, 0.0), r"strength must be in \(0, 1\), not 0.0"),
        (lambda net: net.set_strength(3, 0, float("nan")), r"strength must be in \(0, 1\), not nan"),
        (lambda net: net.set_strength(3, 4, 0.5), "neuron 3 is not connected to 4: use add_connection"),
        (lambda net: net.remove_connection(3, 5), "neuron 3 is not connected to 5: use add_connection"),
        (lambda net: net.add_neuron(0, [1]), "layer must be the position of a hidden or output layer, not 0"),
        (lambda net: net.add_neuron(7, [1]), "layer must be the position of a hidden or output layer, not 7"),
        (lambda net: net.add_neuron(1, [11]), "there is no neuron 11$"),
        (lambda net: net.add_neuron(1, [0], gain=0.0), "gain must be a finite number > 0, not 0.0"),
        (lambda net: net.remove_neuron(1), "neuron 1 is an input"),
        (lambda net: net.remove_neuron(5), "neuron 5 is the only output: a network needs one"),
        (lambda net: net.kill([3, 6]), "there is no neuron 6$"),
        (lambda net: (net.kill(3), net.add_connection(5, 3)), "neuron 3 is dead$"),
        (lambda net: (net.kill([3, 4]), net.add_neuron(1, [0])), "all neurons of layer 1 are dead: there is none"),
        (lambda net: net.add_connection(3.0, 4, 0.1), "the id of a neuron is a whole number, not 3.0"),
        (lambda net: net.set_strength(3, 0, "much"), "strength must be a number, not 'much'"),
        (lambda net: net.add_neuron("hidden", [0]), "layer must be the position of a .* layer, not 'hidden'"),
        (lambda net: net.add_neuron(1, "ab"), "the id of a neuron is a whole number, not 'a'"),
        (lambda net: net.kill([2.5]), "the id of a neuron is a whole number, not 2.5"),
        (lambda net: net.retire(-1), "count must be a whole number ≥ 0, not -1"),
        (lambda net: net.cut("much"), "fraction must be a number, not 'much'"),
        (lambda net: net.cut(1.5), r"fraction must be in \[0, 1\], not 1.5"),
        (lambda net: LearningRule(max_connections=0), "max_connections must be a whole number ≥ 1, not 0"),
        (
            lambda net: Network.layered(inputs=9, outputs=9, rule=LearningRule(max_connections=5)),
            "max_connections is 5, but 1728 would be connected at first: lower connect",
        ),
    ],
)
def test_what_cannot_be_is_refused(wrong, message):
    net = small()
    with pytest.raises(ValueError, match=message):
        wrong(net)
    assert_sound(net)
