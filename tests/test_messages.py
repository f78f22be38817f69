"""The message engine is the executable specification: the kernels do what its neurons do."""

import asyncio

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from dynlive_rl import LearningRule, Network, NetworkBuilder, register_activation
from dynlive_rl.messages import MessageNetwork
from graphs import ACTIVATIONS, fill, random_network
from networks import assert_same_state, assert_same_weights, learners

# A gentle one of our own: 50 cycles of a steep one in a loop are chaos, in which the last bits of a sum come to matter.
register_activation("hill", lambda s: 0.25 + s * (1 - s), lambda s: 1 - 2 * s)
GENTLE = ("hill", *(name for name in ACTIVATIONS if name != "bump"))

RULES = {
    "simplex": {"credit_gain": 1.0},
    "credit": {"learning_rate": 0.003},
    "uniform": {"share": "uniform", "credit_gain": 1.0},
    "adam": {"step": "adam", "credit_gain": 1.0},
    "mean": {"aggregation": "mean", "learning_rate": 0.3},
    "reserve": {"reserve": True, "prune_fraction": 0.2, "mature": 0, "credit_gain": 1.0},
    "sparse": {"prune_fraction": 0.3, "mature": 0, "credit_gain": 1.0, "step": "adam"},
    "free": {"constraint": "free"},
    "free, adam": {"constraint": "free", "step": "adam"},
    "original": {"kind": "original", "growth_probability": 0.0},
    "original, mean": {"kind": "original", "growth_probability": 0.0, "aggregation": "mean", "prune_floor": 0.02},
}


def live_and_compare(kernels, messages, seed, cycles):
    rng = np.random.default_rng(seed)
    for _ in range(cycles):
        x = rng.uniform(-0.2, 1.2, kernels.input_count)
        assert_allclose(messages.propagate(x), kernels.propagate(x), rtol=0, atol=1e-9)
        rewards = rng.normal(size=len(kernels.output_ids))
        cycle = int(rng.integers(min(kernels.cycles, 6)))
        hops = int(rng.choice([1, 2, 3, 10**9]))
        kernels.reinforce(rewards, hops=hops, cycle=cycle)
        messages.reinforce(rewards, hops=hops, cycle=cycle)
    assert_same_weights(kernels, messages)


@pytest.mark.parametrize("name", RULES)
@given(seed=st.integers(0, 10**6))
@settings(max_examples=20)  # of each rule: 220 graphs
def test_kernels_and_messages_agree_for_50_cycles(name, seed):
    kernels = random_network(seed, LearningRule(**RULES[name]), activations=GENTLE)
    live_and_compare(kernels, MessageNetwork(kernels), seed, cycles=50)


@pytest.mark.parametrize("name", RULES)
@given(seed=st.integers(0, 10**6))
@settings(max_examples=2)
def test_they_agree_on_steep_activations_too_in_ten_lives_of_5_cycles(name, seed):
    kernels = random_network(seed, LearningRule(**RULES[name]), activations=("bump", "power", "sigmoid"))
    for life in range(10):
        kernels.reset()
        live_and_compare(kernels, MessageNetwork(kernels), seed + life, cycles=5)


def test_the_random_graphs_are_as_wild_as_they_should_be():
    seen = set()
    for seed in range(30):
        net = random_network(seed, activations=GENTLE)
        for depth, layer in enumerate(net.layers):
            seen.add(layer.activation)
            for j in layer.ids if layer.kind != "input" else ():
                seen |= {"self" for i in net.sources(j) if i == j}
                seen |= {
                    "recurrent" for i in net.sources(j) if any(i in later.ids for later in net.layers[depth + 1 :])
                }
                seen |= {"sparse"} if net.sources(j).size < net.allowed(j).size else set()
    assert seen >= {*GENTLE, "self", "recurrent", "sparse"}


@pytest.mark.parametrize("name", ["adam", "sparse", "free, adam", "mean"])
@given(seed=st.integers(0, 10**6))
def test_they_agree_on_what_has_lived_and_been_damaged(name, seed):
    kernels = random_network(seed, LearningRule(**RULES[name]))
    rng = np.random.default_rng(seed)
    fill(kernels, rng, 5)
    kernels.reinforce(rng.normal(size=len(kernels.output_ids)))
    inputs, others = kernels.layers[0].ids, learners(kernels)
    kernels.add_connection(others[-1], kernels.add_neuron(1, [*inputs, others[-1]]))
    kernels.kill([inputs[0], *others[:-1:3]])
    kernels.reset()
    live_and_compare(kernels, MessageNetwork(kernels), seed, cycles=10)


def small(**settings):
    build = NetworkBuilder(0, dtype="float64", dual_rail=True, **settings)
    inputs = build.add_inputs(2)
    hidden = build.add_neurons(3)
    out = build.add_outputs(2)
    build.allow(hidden, sources=[*inputs, *hidden])
    build.allow(out, sources=hidden)
    return build.build()


def test_a_network_and_one_from_a_file_live_on_as_messages(tmp_path):
    kernels, messages = small(), MessageNetwork(small())
    kernels.save(tmp_path / "net.dynlive")
    loaded = MessageNetwork(Network.load(tmp_path / "net.dynlive"))
    for _ in range(3):
        for net in (kernels, messages, loaded):
            net.propagate([0.3, 0.9])
            net.reinforce([1.0, -1.0])
    assert_same_weights(kernels, messages)
    assert_same_weights(kernels, loaded)
    assert_allclose(messages.outputs, kernels.outputs, atol=1e-12)


def test_a_reset_starts_from_rest_with_strengths_kept():
    kernels, messages = small(), MessageNetwork(small())
    for net in (kernels, messages):
        net.propagate([0.3, 0.9])
        net.reinforce([1.0, -1.0])
        net.propagate([0.5, 0.1])
        net.reset()
        assert net.cycles == 0
        assert not net.outputs.any()
    assert_same_weights(kernels, messages)
    assert_allclose(messages.propagate([0.2, 0.2]), kernels.propagate([0.2, 0.2]), atol=1e-12)


def test_a_message_network_leaves_the_one_it_comes_from_alone():
    net = small()
    fill(net, np.random.default_rng(0), 3)
    before = net.get_state()
    messages = MessageNetwork(net)
    messages.propagate([0.1, 0.2])
    messages.reinforce([1.0, 1.0])
    assert_same_state(net, before)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda net: net.propagate([1.0]), r"inputs must have shape \(2,\), not \(1,\)"),
        (lambda net: net.propagate([1.0, np.nan]), "inputs must be numbers, but contain nan"),
        (lambda net: net.reinforce([1.0, 1.0]), "cannot reward cycle 0: nothing has been propagated yet"),
        (lambda net: net.reinforce([1.0, np.inf]), "rewards must be finite, but contain inf"),
        (lambda net: net.strengths(0), "there is no learning neuron 0: their ids are 4 to 8"),
    ],
)
def test_wrong_calls_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(MessageNetwork(small()))


def test_random_growth_is_refused():
    with pytest.raises(ValueError, match="the message engine grows no connections"):
        MessageNetwork(small(rule="original"))


async def run_inside_a_loop():
    net = MessageNetwork(small())
    net.propagate([0.3, 0.9])
    net.reinforce([1.0, -1.0])
    return net.outputs


def test_it_works_where_an_event_loop_is_running_already():
    assert asyncio.run(run_inside_a_loop()).shape == (2,)
