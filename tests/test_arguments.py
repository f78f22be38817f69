"""What goes into a network and comes out of it: shapes, ranges, copies."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from dynlive_rl.kernels import batch, online
from networks import refused, small, small_builder


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
@pytest.mark.parametrize("method", ["reinforce", "update_traces"])
def test_wrong_rewards_are_refused(method, rewards, message):
    net = small_builder().build()
    net.propagate([0, 1])
    settings = {"decay": 0.5} if method == "update_traces" else {}
    refused(message, getattr(net, method), rewards, **settings)


@pytest.mark.parametrize("hops", [0, -1, 1.5, True, "all"])
def test_hops_is_a_whole_number(hops):
    net = small_builder().build()
    net.propagate([0, 1])
    message = f"hops must be a whole number ≥ 1, not {hops!r}"
    refused(message, net.reinforce, [1.0], hops=hops)
    refused(message, net.update_traces, [1.0], hops=hops, decay=0.5)
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
        (lambda net: net.update_traces([1.0], decay=1.5), "decay must be in [0, 1], not 1.5"),
        (lambda net: net.apply_td_error(float("nan")), "delta must be finite, not nan"),
        (lambda net: net.apply_td_error(1.0, bound=0), "bound must be a finite number > 0, not 0"),
        (lambda net: net.strengths(4), "there is no neuron 4: ids are 0 to 3"),
        (lambda net: net.allowed(-1), "there is no neuron -1: ids are 0 to 3"),
    ],
)
def test_other_wrong_numbers_are_refused(call, message):
    net = small_builder().build()
    net.propagate([0, 1])
    refused(message, call, net)


def test_there_are_no_traces_before_the_first_cycle():
    message = "there is no cycle to update traces for: nothing has been propagated yet"
    refused(message, small_builder().build().update_traces, [1.0], decay=0.5)


def test_read_only_and_strided_arrays_use_the_kernels_already_compiled():
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
