"""What no sequence of rewards may break: strengths on the simplex, outputs in [0, 1], allowed sources for ever."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dynlive_rl import LearningRule, Network, NetworkBuilder
from graphs import random_network
from networks import assert_sound

RULES = {
    "simplex": {},
    "adam": {"step": "adam", "learning_rate": 0.1},
    "sparse": {"prune_fraction": 0.3, "mature": 0, "learning_rate": 0.5},
    "reserve": {"reserve": True},
    "reserve, sparse": {"reserve": True, "prune_floor": 0.05, "step": "adam"},
    "mean": {"aggregation": "mean", "share": "uniform", "learning_rate": 1.0},
    "original": {"kind": "original"},
    "original, quick": {"kind": "original", "learning_rate": 2.0, "growth_probability": 0.9},
}
TOLERANCE = {"float32": 2e-6, "float64": 1e-14}

sizes = st.sampled_from([0.0, 1e-30, 1e-3, 1.0, 1e3, 1e30])
actions = st.lists(
    st.tuples(
        st.sampled_from(["propagate", "reinforce", "reinforce", "rehearse", "update_traces", "apply_td_error"]),
        sizes,
        st.integers(0, 2**31),
    ),
    min_size=5,
    max_size=30,
)


def act(net, what, size, seed):
    """One random action; returns the outputs it gave, if any."""
    rng = np.random.default_rng(seed)
    hops = int(rng.choice([1, 2, 10**9]))
    rewards = size * rng.normal(size=len(net.output_ids))
    if what == "propagate" or not net.cycles:
        return net.propagate(rng.choice([0.0, 1.0, rng.random()], net.input_count))
    if what == "rehearse" and net.rule.kind != "original":
        b, t = rng.integers(1, 5, 2)
        rewards = size * rng.normal(size=(b, t, len(net.output_ids)))
        return net.rehearse(rng.random((b, t, net.input_count)), rewards, hops=hops)
    if what == "update_traces":
        net.update_traces(rewards, decay=rng.random(), hops=hops)
    elif what == "apply_td_error":
        net.apply_td_error(size * rng.normal(), bound=0.1)
    else:
        net.reinforce(rewards, hops=hops, cycle=int(rng.integers(min(net.cycles, 6))))
    return np.zeros(1)


def assert_structure(net, allowed):
    a = net.arrays
    for j, sources in allowed.items():
        start, stop = a.first[j], a.first[j + 1]
        middle = start + a.degree[j]
        assert start <= middle <= stop
        assert (a.strength[start:middle] > 0).all()
        for nothing in (a.strength, a.trace, a.mean_signal):
            assert (nothing[middle:stop] == 0).all()
        np.testing.assert_array_equal(net.allowed(j), sources)


def assert_simplex(net, tolerance, born):
    for j, had in born.items():
        w = net.strengths(j)
        if not w.size:
            unread = net.rule.prune_fraction > 0 and all(j not in net.sources(k) for k in born)
            assert not had or unread or net.rule.reserve or net.rule.kind == "original"
            continue
        assert np.isfinite(w).all()
        total = w.sum(dtype=np.float64)
        assert total <= 1 + tolerance
        assert net.rule.reserve or total >= 1 - tolerance


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", RULES)
@given(seed=st.integers(0, 10**6), todo=actions)
def test_nothing_breaks_the_simplex_the_range_or_the_structure(name, dtype, seed, todo):
    net = random_network(seed, LearningRule(**RULES[name]), dtype=dtype)
    learners = [j for layer in net.layers if layer.kind != "input" for j in layer.ids]
    allowed = {j: net.allowed(j) for j in learners}
    born = {j: net.sources(j).size > 0 for j in learners}
    for what, size, number in todo:
        outputs = act(net, what, size, number)
        assert ((outputs >= 0) & (outputs <= 1)).all()
        assert ((net.activity >= 0) & (net.activity <= 1)).all()
        assert_simplex(net, TOLERANCE[dtype], born)
        assert_structure(net, allowed)


@pytest.mark.parametrize("rule", [{"kind": "original"}, {"reserve": True}])
def test_rewards_without_measure_leave_no_connection_of_strength_0(rule):
    """Beside a strength of 1e12 a faint one would round to 0."""
    net = Network.layered(inputs=2, hidden=(), outputs=1, seed=0, rule=LearningRule(learning_rate=2.0, **rule))
    net.arrays.strength[1] = 1e-36
    net.propagate([1.0, 0.0])
    net.reinforce([1e30])
    assert_sound(net)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@given(seed=st.integers(0, 10**6))
def test_batched_outputs_stay_in_range_where_rounding_pushes_them_out(dtype, seed):
    net = Network.layered(
        inputs=7, hidden=(5,), outputs=3, activation="identity", seed=seed, dtype=dtype, dual_rail=False
    )
    outputs = net.rehearse(np.ones((3, 7)), np.zeros((3, 3)))
    assert (outputs <= 1).all()
    assert (net.propagate(np.ones(7)) <= 1).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_credit_that_explodes_through_recurrent_connections_leaves_numbers_behind(dtype):
    build = NetworkBuilder(0, memory=64, dtype=dtype)
    eyes = build.add_inputs(1)
    hidden = build.add_neurons(64, "sigmoid", gain=8.0)
    build.allow(hidden, sources=eyes + hidden)
    out = build.add_outputs(1, "identity")
    build.allow(out, sources=hidden)
    net = build.build()
    for _ in range(3):
        for x in np.linspace(0, 1, 64):
            assert np.isfinite(net.propagate([x])).all()
        net.reinforce([1.0])
        assert_simplex(net, TOLERANCE[dtype], dict.fromkeys(hidden, True))
        assert all(np.isfinite(net.threshold(j)) for j in hidden)
    net.rehearse(np.full((2, 64, 1), 0.5), [[1.0], [-1.0]])
    assert_simplex(net, TOLERANCE[dtype], dict.fromkeys(hidden, True))
    assert all(np.isfinite(net.threshold(j)) for j in hidden)


@given(seed=st.integers(0, 10**6))
def test_a_reserve_only_shrinks_for_what_is_rewarded(seed):
    rule = LearningRule(reserve=True, learning_rate=0.01)
    net = Network.layered(inputs=4, hidden=(), outputs=1, rule=rule, seed=seed, dtype="float64")
    net.arrays.strength[:] *= 0.5
    before = net.strengths(net.output_ids[0])
    x = np.random.default_rng(seed).random(4)
    net.propagate(x)
    net.reinforce([1.0])
    grown = net.strengths(net.output_ids[0]) - before
    np.testing.assert_allclose(grown, 0.01 * np.concatenate([x, 1 - x]), rtol=0, atol=1e-14)
