"""Recruiting: free neurons take over what nobody knows, what is learned stays, and the budget holds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from dynlive_rl import LearningRule, Network
from dynlive_rl.kernels import batch
from graphs import OWN, random_network
from naive import NaiveNetwork
from networks import assert_same_weights, assert_sound, compiled, rows

pytestmark = pytest.mark.plain


def layered(seed=0, *, hidden=8, inputs=3, dtype="float64", **settings):
    rule = LearningRule(**{"step": "adam", "recruit_below": 1.0} | settings)
    return Network.layered(inputs=inputs, hidden=(hidden,), outputs=2, seed=seed, rule=rule, dtype=dtype)


def busy(net):
    return {j for j in net.layers[1].ids if net.sources(j).size}


def readers(net, neuron):
    return [k for k in net.output_ids if neuron in net.sources(k)]


@given(seed=st.integers(0, 10**6), cycles=st.integers(1, 3), size=st.integers(1, 5))
def test_the_twin_recruits_the_same(seed, cycles, size):
    rng = np.random.default_rng(seed)
    net = random_network(seed, LearningRule(recruit_below=1.0, mature=0, learning_rate=0.01), connect=1.0)
    net.retire(2, mature=0)
    twin = NaiveNetwork(net, OWN)
    for _ in range(3):
        x, r = rng.random((size, cycles, net.input_count)), rng.normal(size=(size, cycles, len(net.output_ids)))
        assert_allclose(net.rehearse(x, r), twin.rehearse(x, r), atol=1e-9)
        assert_same_weights(net, twin)
    assert_sound(net)


@given(seed=st.integers(0, 10**6))
def test_a_recruit_hardly_moves_what_is_learned_and_fires_where_nobody_else_does(seed):
    rng = np.random.default_rng(seed)
    net = layered(seed, growth_strength=0.001)
    net.retire(3, mature=0)
    x = rng.random((30, 3))
    before, was = net.predict(x), busy(net)
    net.rehearse(x, np.zeros((30, 2)))
    (new,) = busy(net) - was
    assert np.abs(net.predict(x) - before).max() <= 0.001 / 8
    assert readers(net, new) == list(net.output_ids)
    said = []
    for row in x:
        net.propagate(row)
        said.append(net.activity)
    said = np.array(said)
    known = (said - said.mean(0))[:, sorted(was)].max(1)
    assert said[known.argmin(), new] > max(0.5, said[:, new].mean())


@given(seed=st.integers(0, 10**6))
def test_a_place_that_nobody_reads_is_taken_and_no_output_changes(seed):
    """Removing a useless neuron changes nothing: with hardly any influence for the new one, neither does replacing it."""
    rng = np.random.default_rng(seed)
    net = layered(seed, mature=5, growth_strength=1e-9)
    unread = int(rng.choice(net.layers[1].ids))
    for k in net.output_ids:
        net.remove_connection(k, unread)
    x = rng.random((20, 3))
    for _ in range(4):
        net.rehearse(x, np.zeros((20, 2)))
        assert readers(net, unread) == []  # the outputs are too young to judge
    before, kept = net.predict(x), rows(net)
    net.rehearse(x, np.zeros((20, 2)))
    assert readers(net, unread) == list(net.output_ids)
    assert_allclose(net.predict(x), before, atol=1e-8)
    assert_array_equal(net.predict(x).argmax(1), before.argmax(1))
    for j in net.layers[1].ids:
        if j != unread:
            assert_allclose(rows(net)[j][2], kept[j][2], atol=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@given(seed=st.integers(0, 10**6), room=st.integers(0, 40))
def test_the_budget_holds_while_neurons_come_and_go(dtype, seed, room):
    rng = np.random.default_rng(seed)
    settings = {
        "growth": "signal",
        "growth_probability": 1.0,
        "prune_fraction": 0.3,
        "learning_rate": 0.05,
        "mature": 2,
    }
    net = layered(seed, dtype=dtype, **settings)
    net.retire(4, mature=0)
    limit = net.connections + room
    net.rule = LearningRule(step="adam", recruit_below=1.0, max_connections=limit, **settings)
    for _ in range(15):
        net.rehearse(rng.random((6, 3)), rng.normal(size=(6, 2)))
        assert net.connections <= limit
        assert_sound(net)


def test_nobody_is_recruited_for_what_is_known_nor_without_a_place():
    x = np.random.default_rng(0).random((30, 3))
    net = layered(recruit_below=1e-6)
    net.retire(3, mature=0)
    was = busy(net)
    net.rehearse(x, np.zeros((30, 2)))
    assert busy(net) == was
    net = layered(mature=10**6)
    before = rows(net)
    net.rehearse(x, np.zeros((30, 2)))
    assert rows(net).keys() == before.keys()
    assert net.connections == net.allowed_connections


@compiled
def test_recruiting_compiles_nothing():
    net = layered(dtype="float32")
    x = np.random.default_rng(0).random((30, 3))
    net.rehearse(x, np.zeros((30, 2)))
    compiled = len(batch.rehearse.signatures)
    net.retire(3, mature=0)
    was = busy(net)
    net.rehearse(x, np.zeros((30, 2)))
    assert busy(net) != was
    assert len(batch.rehearse.signatures) == compiled


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"recruit_below": 1.5}, r"recruit_below must be in \[0, 1\], not 1.5"),
        ({"mature": -1}, "mature must be a whole number ≥ 0, not -1"),
        ({"constraint": "free", "recruit_below": 0.5}, "with free strengths recruit_below must be 0.0, not 0.5"),
    ],
)
def test_wrong_rules_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        LearningRule(**settings)
