"""With κ = 1 and enough hops, what a neuron learns is the exact gradient, projected onto the simplex."""

from itertools import pairwise

import numpy as np
import pytest
from numpy.testing import assert_allclose

from dynlive_rl import LearningRule, Network
from dynlive_rl.kernels.layout import ActivationCode
from graphs import fill, random_network
from networks import learners

pytestmark = pytest.mark.plain

TINY = 1e-7  # a step so small that it shows the signal and moves nothing
SMOOTH = ("identity", "square", "power", "sigmoid", "bump")
RULES = {
    "sum": LearningRule(credit_gain=1.0, learning_rate=TINY),
    "mean": LearningRule(credit_gain=1.0, learning_rate=TINY, aggregation="mean"),
}


def connected(net):
    return [j for j in learners(net) if net.sources(j).size]


def row(net, j):
    start = net.arrays.first[j]
    return slice(start, start + net.arrays.degree[j])


def slope_along(array, forward, backward, objective, h=1e-5):
    """Central difference of the objective as array[forward] rises and array[backward] falls (None: nothing falls)."""
    values = []
    for sign in (1, -1):
        saved = array.copy()
        array[forward] += sign * h
        if backward is not None:
            array[backward] -= sign * h
        values.append(objective())
        array[...] = saved
    return (values[0] - values[1]) / (2 * h)


def assert_exact(net, objective, learn):
    """Compare every neuron's change in one tiny step with finite differences taken before it."""
    expected, thresholds = {}, {}
    for j in connected(net):
        slots = range(net.arrays.first[j], net.arrays.first[j] + net.arrays.degree[j])
        expected[j] = [slope_along(net.arrays.strength, a, b, objective) for a, b in pairwise(slots)]
        if net.arrays.activation[j] in (ActivationCode.RELU, ActivationCode.SIGMOID):
            thresholds[j] = slope_along(net.arrays.threshold, j, None, objective)
    objective()  # fills the memory with the cycles to learn from
    before = net.arrays.strength.copy(), net.arrays.threshold.copy()
    learn()
    signal = (net.arrays.strength - before[0]) / TINY / np.repeat(net.arrays.rate, np.diff(net.arrays.first))
    moved = (net.arrays.threshold - before[1]) / TINY / net.arrays.rate
    for j in connected(net):
        g = signal[row(net, j)]
        assert_allclose(g.sum(), 0, atol=1e-6)
        assert_allclose(g[:-1] - g[1:], expected[j], rtol=1e-5, atol=1e-6)
    for j, slope in thresholds.items():
        assert_allclose(moved[j], slope, rtol=1e-5, atol=1e-6)
    return max((np.abs(slopes).max() for slopes in expected.values() if len(slopes)), default=0)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("cycle", [0, 2])
@pytest.mark.parametrize("seed", [0, 2, 3, 4, 5, 6, 7])
def test_reinforce_follows_the_gradient_through_all_cycles(rule, cycle, seed):
    net = random_network(seed, RULES[rule], activations=SMOOTH, connect=1.0)
    rng = np.random.default_rng(seed)
    inputs, rewards = rng.random((5, net.input_count)), rng.normal(size=len(net.output_ids))

    def objective():
        net.reset()
        outputs = [net.propagate(x) for x in inputs]
        return rewards @ outputs[-1 - cycle]

    steepest = assert_exact(net, objective, lambda: net.reinforce(rewards, cycle=cycle))
    assert steepest > 1e-4


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("cycles", [1, 4])
@pytest.mark.parametrize("seed", [10, 12, 13, 14])
def test_rehearse_follows_the_gradient_summed_over_batch_and_cycles(rule, cycles, seed):
    net = random_network(seed, RULES[rule], activations=SMOOTH, connect=1.0)
    rng = np.random.default_rng(seed)
    inputs = rng.random((6, cycles, net.input_count))
    rewards = rng.normal(size=(6, cycles, len(net.output_ids)))

    def objective():
        total = 0.0
        for sequence, given in zip(inputs, rewards, strict=True):
            net.reset()
            total += sum(r @ net.propagate(x) for x, r in zip(sequence, given, strict=True))
        return total

    steepest = assert_exact(net, objective, lambda: net.rehearse(inputs, rewards))
    assert steepest > 1e-4


@pytest.mark.parametrize("seed", range(4))
def test_relu_follows_the_gradient_between_its_kinks(seed):
    net = random_network(seed, RULES["sum"], activations=("relu", "identity"), connect=1.0)
    net.arrays.threshold[:] -= (
        0.1 / net.arrays.gain * np.isin(net.arrays.activation, (ActivationCode.RELU, ActivationCode.SIGMOID))
    )
    rng = np.random.default_rng(seed)
    inputs, rewards = rng.random((3, net.input_count)), np.ones(len(net.output_ids))

    def objective():
        net.reset()
        return rewards @ [net.propagate(x) for x in inputs][-1]

    assert_exact(net, objective, lambda: net.reinforce(rewards))


@pytest.mark.parametrize("seed", range(3))
def test_traces_hold_the_gradient_of_the_last_cycle(seed):
    rule = LearningRule(credit_gain=1.0)
    net = random_network(seed, rule, activations=SMOOTH, connect=1.0)
    rng = np.random.default_rng(seed)
    fill(net, rng, 4)
    x, rewards = rng.random(net.input_count), rng.normal(size=len(net.output_ids))
    start = net.get_state()

    def objective():
        strengths, thresholds = net.arrays.strength.copy(), net.arrays.threshold.copy()
        net.set_state(start)
        net.arrays.strength[:], net.arrays.threshold[:] = strengths, thresholds
        return rewards @ net.propagate(x)

    expected = {}
    for j in connected(net):
        slots = range(net.arrays.first[j], net.arrays.first[j] + net.arrays.degree[j])
        expected[j] = [slope_along(net.arrays.strength, a, b, objective) for a, b in pairwise(slots)]
    objective()
    net.update_traces(rewards, decay=0.5)
    for j, slopes in expected.items():
        trace = net.arrays.trace[row(net, j)]
        assert_allclose(trace[:-1] - trace[1:], slopes, rtol=1e-5, atol=1e-7)


def test_credit_gain_multiplies_once_per_connection_on_the_way():
    def changes(credit_gain):
        rule = LearningRule(credit_gain=credit_gain, learning_rate=TINY)
        net = Network.layered(inputs=2, hidden=(4, 4), outputs=1, gain=4.0, rule=rule, seed=0, dtype="float64")
        net.propagate([0.2, 0.9])
        before = net.arrays.strength.copy()
        net.reinforce([1.0])
        change = net.arrays.strength - before
        return [change[row(net, layer.ids[0])] for layer in net.layers[1:]]

    for depth, plain, tripled in zip((2, 1, 0), changes(1.0), changes(3.0), strict=True):
        assert np.abs(plain).max() > 1e-12
        assert_allclose(tripled, 3**depth * plain, rtol=1e-5, atol=1e-14)
