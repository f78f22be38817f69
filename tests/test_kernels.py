"""The compiled kernels do what the slow, obvious twin does."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from dynlive_rl import LearningRule
from graphs import OWN, fill, random_network
from naive import NaiveNetwork
from networks import assert_same_weights

pytestmark = pytest.mark.plain

RULES = {
    "simplex": {},
    "exact credit": {"credit_gain": 1.0},
    "small credit": {"credit_gain": 0.3, "learning_rate": 0.1},
    "large steps": {"learning_rate": 1.0},
    "adam": {"step": "adam"},
    "adam, quick": {"step": "adam", "decays": (0.5, 0.8), "learning_rate": 0.05},
    "uniform share": {"share": "uniform"},
    "mean": {"aggregation": "mean", "learning_rate": 0.5},
    "mean, uniform": {"aggregation": "mean", "share": "uniform", "credit_gain": 2.0},
    "reserve": {"reserve": True},
    "reserve, sparse": {"reserve": True, "prune_fraction": 0.3, "mature": 0},
    "reserve, adam": {"reserve": True, "step": "adam"},
    "sparse": {"prune_fraction": 0.3, "mature": 0},
    "sparse, adam": {"prune_fraction": 0.2, "mature": 0, "step": "adam", "learning_rate": 0.05},
    "floor": {"prune_floor": 0.05},
    "free": {"constraint": "free"},
    "free, adam": {"constraint": "free", "step": "adam"},
    "free, mean": {"constraint": "free", "aggregation": "mean"},
    "original": {"kind": "original", "growth_probability": 0.0},
    "original, mean": {"kind": "original", "growth_probability": 0.0, "aggregation": "mean"},
    "original, floor": {"kind": "original", "growth_probability": 0.0, "prune_floor": 0.02, "learning_rate": 0.05},
}
BATCHED = [name for name in RULES if not name.startswith("original")]
seeds = st.integers(0, 10**6)


@pytest.mark.parametrize("name", RULES)
@given(seed=seeds)
def test_propagate_and_reinforce_agree_with_the_twin(name, seed):
    net = random_network(seed, LearningRule(**RULES[name]))
    twin = NaiveNetwork(net, OWN)
    rng = np.random.default_rng(seed)
    for _ in range(20):
        x = rng.uniform(-0.2, 1.2, net.input_count)
        assert_allclose(net.propagate(x), twin.propagate(x), rtol=0, atol=1e-9)
        cycle = int(rng.integers(min(net.cycles, twin.memory)))
        hops = int(rng.choice([1, 2, 3, 5, 10**9]))
        rewards = rng.normal(size=len(net.output_ids))
        net.reinforce(rewards, hops=hops, cycle=cycle)
        twin.reinforce(rewards, hops=hops, cycle=cycle)
        assert_same_weights(net, twin)


@pytest.mark.parametrize("name", BATCHED)
@given(seed=seeds, cycles=st.sampled_from([1, 1, 2, 4]))
def test_rehearse_agrees_with_the_twin(name, seed, cycles):
    net = random_network(seed, LearningRule(**RULES[name]))
    twin = NaiveNetwork(net, OWN)
    rng = np.random.default_rng(seed)
    for _ in range(5):
        b, hops = int(rng.integers(1, 4)), int(rng.choice([1, 2, 3, 10**9]))
        x = rng.uniform(-0.2, 1.2, (b, cycles, net.input_count))
        rewards = rng.normal(size=(b, cycles, len(net.output_ids)))
        outputs = net.rehearse(x, rewards, hops=hops)
        assert_allclose(outputs, twin.rehearse(x, rewards, hops), rtol=0, atol=1e-9)
        assert_same_weights(net, twin)


@pytest.mark.parametrize("name", BATCHED)
@given(seed=seeds, hops=st.sampled_from([1, 2, 10**9]))
def test_traces_and_steps_along_them_agree_with_the_twin(name, seed, hops):
    net = random_network(seed, LearningRule(**RULES[name]))
    twin = NaiveNetwork(net, OWN)
    rng = np.random.default_rng(seed)
    for _ in range(12):
        x = rng.uniform(size=net.input_count)
        assert_allclose(net.propagate(x), twin.propagate(x), rtol=0, atol=1e-9)
        rewards = rng.normal(size=len(net.output_ids))
        net.update_traces(rewards, decay=0.8, hops=hops)
        twin.update_traces(rewards, 0.8, hops)
        delta, bound = float(rng.normal(scale=2)), float(rng.choice([0.1, 2.0]))
        net.apply_td_error(delta, bound=bound)
        twin.apply_td_error(delta, bound)
        assert_same_weights(net, twin)


@given(seed=seeds)
def test_learning_before_the_first_cycles_and_after_a_reset(seed):
    net = random_network(seed, memory=3)
    twin = NaiveNetwork(net, OWN)
    rng = np.random.default_rng(seed)
    for _ in range(2):
        for x in rng.uniform(size=(2, net.input_count)):
            net.propagate(x)
            twin.propagate(x)
            for cycle in range(net.cycles):
                rewards = rng.normal(size=len(net.output_ids))
                net.reinforce(rewards, cycle=cycle)
                twin.reinforce(rewards, cycle=cycle)
                assert_same_weights(net, twin)
        net.reset()
        twin.reset()


@pytest.mark.parametrize("name", ["simplex", "sparse, adam", "original"])
@given(seed=st.integers(0, 10**6))
@example(seed=1)
def test_float32_follows_the_twin_for_a_few_cycles(name, seed):
    net = random_network(
        seed, LearningRule(**RULES[name]), dtype="float32", activations=("identity", "square", "sigmoid")
    )
    twin = NaiveNetwork(net, OWN)
    rng = np.random.default_rng(seed)
    for _ in range(3):
        x = rng.uniform(size=net.input_count)
        assert_allclose(net.propagate(x), twin.propagate(x), rtol=0, atol=1e-3)
        rewards = rng.normal(size=len(net.output_ids))
        net.reinforce(rewards, hops=2)
        twin.reinforce(rewards, hops=2)


@pytest.mark.parametrize("hops", [1, 2, 3])
def test_rehearsing_one_cycle_is_reinforcing_it_from_rest(hops):
    live, batched = random_network(5), random_network(5)
    x, rewards = np.full(live.input_count, 0.3), np.linspace(-1, 1, len(live.output_ids))
    live.propagate(x)
    live.reinforce(rewards, hops=hops)
    batched.rehearse([x], [rewards], hops=hops)
    assert_allclose(live.arrays.strength, batched.arrays.strength, rtol=0, atol=1e-12)


def test_rewards_for_the_last_cycle_stand_for_zeros_before():
    a, b = random_network(6), random_network(6)
    rng = np.random.default_rng(0)
    x, last = rng.random((3, 4, a.input_count)), rng.normal(size=(3, len(a.output_ids)))
    rewards = np.zeros((3, 4, len(a.output_ids)))
    rewards[:, -1] = last
    assert_allclose(a.rehearse(x, last), b.rehearse(x, rewards), rtol=0, atol=0)
    assert_allclose(a.arrays.strength, b.arrays.strength, rtol=0, atol=0)


def test_rehearsal_leaves_the_memory_of_cycles_alone():
    net = random_network(7)
    fill(net, np.random.default_rng(0), 4)
    before = net.get_state()
    net.rehearse(np.full((2, net.input_count), 0.5), np.ones((2, len(net.output_ids))))
    after = net.get_state()
    for name in ("memory.cycles", "memory.output", "memory.drive"):
        np.testing.assert_array_equal(before[name], after[name])


def test_a_neuron_out_of_hops_keeps_its_strengths():
    net = random_network(8)
    fill(net, np.random.default_rng(0), 6)
    before = {j: net.strengths(j) for layer in net.layers for j in layer.ids}
    net.reinforce(np.ones(len(net.output_ids)), hops=1)
    changed = {j for j, w in before.items() if not np.array_equal(w, net.strengths(j))}
    assert changed
    assert changed <= set(net.output_ids)
