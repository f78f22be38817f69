"""What learning does to strengths: the simplex, traces, pruning."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from dynlive_rl import LearningRule, Network, NetworkBuilder
from networks import reader, small

pytestmark = pytest.mark.plain


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
        assert_allclose(net.arrays.strength[row], before["strength"][row], rtol=1e-5)
    assert_array_equal(net.arrays.threshold, before["threshold"])
    assert np.abs(net.arrays.strength[-4:] - before["strength"][-4:]).max() > 1e-3


def test_an_error_without_traces_changes_nothing_and_reset_forgets_traces():
    net = small(dtype="float64")
    net.propagate([0.2, 0.9])
    net.update_traces([1.0, 1.0], decay=0.5)
    net.reset()
    before = net.get_state()
    net.apply_td_error(10.0)
    assert net.cycles == 0
    assert_allclose(net.arrays.strength, before["strength"], rtol=0, atol=1e-15)
    assert_array_equal(net.arrays.threshold, before["threshold"])


def test_traces_of_what_fell_silent_end_at_0():
    """Numbers below the smallest normal one would make every cycle several times slower."""
    net = Network.layered(inputs=2, hidden=(3,), outputs=1, seed=0, rule=LearningRule(reserve=True))
    net.propagate([1.0, 1.0])
    net.update_traces([1.0], decay=0.5)
    assert np.count_nonzero(net.arrays.trace) == 3 * 2 + 3  # of the inputs that are 1, and of the output neuron
    for _ in range(140):
        net.propagate([0.0, 0.0])
        net.update_traces([1.0], decay=0.5)
    traces = np.abs(net.arrays.trace)
    assert np.count_nonzero(traces) == 3 * 2 + 3  # of their complements, which are 1 now
    assert traces[traces > 0].min() > np.finfo(np.float32).tiny


def test_an_error_moves_at_most_its_bound():
    net = small(dtype="float64", rule=LearningRule(learning_rate=1e6))
    net.propagate([0.2, 0.9])
    net.update_traces([1.0, -0.5], decay=0.5)
    before = net.arrays.threshold.copy()
    norm = np.abs(net.arrays.trace).sum() + np.abs(net.arrays.threshold_trace).sum()
    expected = 3.0 * net.arrays.threshold_trace / (2.0 * 3.0 * norm)
    net.apply_td_error(3.0, bound=2.0)
    assert_allclose(net.arrays.threshold - before, expected, rtol=1e-9, atol=1e-15)
    assert np.abs(expected).max() > 0


@pytest.mark.parametrize(("reward", "inputs", "winner"), [(1.0, [1.0, 0.4, 0.0], 0), (-1.0, [1.0, 0.9, 0.0], 2)])
def test_the_last_connection_stays(reward, inputs, winner):
    net = reader(3, strengths="random", rule=LearningRule(learning_rate=1e3))
    net.propagate(inputs)
    for _ in range(3):
        net.reinforce([reward])  # the centred signal takes from the others
        assert net.sources(3).tolist() == [winner]
        assert net.strengths(3).tolist() == [1.0]


def test_a_row_that_loses_everything_in_one_step_starts_afresh_as_equals():
    net = reader(3, strengths="random", rule=LearningRule(learning_rate=1.0))
    net.propagate([0.5, 0.5, 0.5])
    net.arrays.trace[:] = [-1e9, -2e9, -3e9]
    net.apply_td_error(1.0, bound=0.01)
    assert_allclose(net.strengths(3), [1 / 3, 1 / 3, 1 / 3], rtol=1e-14)


def test_with_a_reserve_a_neuron_can_lose_every_connection():
    net = reader(2, rule=LearningRule(reserve=True, learning_rate=10.0))
    net.propagate([1.0, 1.0])
    net.reinforce([-1.0])
    assert net.connections == 0
    assert net.allowed(2).tolist() == [0, 1]
    assert net.propagate([1.0, 1.0]) == [0.0]
    net.reinforce([1.0])
    assert net.connections == 0


@pytest.mark.parametrize(("fraction", "steps"), [(0.07, 47), (0.5, 46)])
def test_the_relative_floor_prunes_below_its_fraction_of_an_equal_share_but_never_above_two_percent(fraction, steps):
    net = reader(4, rule=LearningRule(prune_fraction=fraction, learning_rate=0.0201, mature=0))
    # Centred signals of input [1, 0, 0, 0] are 3/4 and -1/4: after k steps the others hold 0.25 - 0.005025 k each.
    for k in range(1, steps):
        net.propagate([1, 0, 0, 0])
        net.reinforce([1.0])
        assert_allclose(net.strengths(4).min(), 0.25 - 0.005025 * k, atol=1e-12)
        assert net.connections == 4
    net.propagate([1, 0, 0, 0])
    net.reinforce([1.0])  # 0.0138 is below 0.07 / 4, and 0.0189 below 0.02
    assert net.sources(4).tolist() == [0]
    assert net.strengths(4).tolist() == [1.0]


def test_a_new_rule_holds_from_now_on():
    net = small(dtype="float64")
    net.rule = LearningRule(learning_rate=1e-300)
    before = net.arrays.threshold.copy()
    net.propagate([0.2, 0.9])
    net.reinforce([1.0, 1.0])
    assert_array_equal(net.arrays.threshold, before)
