"""What the tests of networks share: small networks, a life of one, and what must hold of any."""

import re

import numpy as np
import pytest
from numba import config
from numpy.testing import assert_allclose, assert_array_equal

from dynlive_rl import Network, NetworkBuilder

compiled = pytest.mark.skipif(config.DISABLE_JIT, reason="nothing is compiled")


def small(seed=0, **settings):
    """Two inputs on two rails, five hidden neurons, two outputs."""
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


def reader(inputs, *, activation="identity", strengths="equal", connect=1.0, **settings):
    """One output neuron that reads all inputs directly; its id is the number of inputs."""
    build = NetworkBuilder(0, dtype="float64", **settings)
    eyes, out = build.add_inputs(inputs), build.add_outputs(1, activation, strengths=strengths)
    build.allow(out, sources=eyes)
    return build.build(connect=connect)


def refused(message, call, *arguments, error=ValueError, **settings):
    """The call raises an error with exactly this message."""
    with pytest.raises(error, match=f"^{re.escape(message)}$"):
        call(*arguments, **settings)


def live(net, cycles=10, seed=3):
    """Do a bit of everything; returns what the network said."""
    rng = np.random.default_rng(seed)
    said = []
    for _ in range(cycles):
        said.append(net.propagate(rng.random(net.input_count)))
        rewards = rng.normal(size=len(net.output_ids))
        net.reinforce(rewards, hops=2)
        net.update_traces(rewards, decay=0.9)
        net.apply_td_error(0.3)
        if net.rule.kind != "original":
            net.rehearse(rng.random((2, net.input_count)), rng.normal(size=(2, len(net.output_ids))))
    return np.array(said)


def living(net, *kinds):
    """Ids of the neurons of layers of some kinds that are not dead."""
    return [j for layer in net.layers if layer.kind in kinds for j in layer.ids if net.arrays.gain[j] > 0]


def learners(net):
    """Ids of all neurons that may have sources."""
    return [j for layer in net.layers if layer.kind != "input" for j in layer.ids]


def rows(net):
    """Every living neuron's sources, strengths, moments, threshold and the like, by id."""
    a = net.arrays
    kept = {}
    for j in living(net, "hidden", "output"):
        row = slice(a.first[j], a.first[j] + a.degree[j])
        order = np.argsort(a.source[row])
        by_source = (a.source, a.delay, a.strength, a.mean_signal, a.square_signal)
        kept[j] = (*(array[row][order] for array in by_source), np.append(a.neuron[:, j], a.table[1:, j]))
    return kept


def assert_same_row(one, other):
    for a, b in zip(one, other, strict=True):
        assert_array_equal(a, b)


def assert_same_state(one, other):
    """Two networks, or states of networks, are equal to the last bit."""
    one, other = (what if isinstance(what, dict) else what.get_state() for what in (one, other))
    assert one.keys() == other.keys()
    for name in one:
        assert_array_equal(one[name], other[name], err_msg=name, strict=True)


def assert_same_weights(net, twin, tolerance=1e-9):
    """A network has the sources, strengths and thresholds of another, of whatever engine."""
    for j in learners(net):
        assert net.sources(j).tolist() == twin.sources(j).tolist()
        assert_allclose(twin.strengths(j), net.strengths(j), rtol=tolerance, atol=tolerance)
        assert_allclose(twin.threshold(j), net.threshold(j), rtol=tolerance, atol=tolerance)


def assert_sound(net):
    """The structure that kernels rely on, and strengths that sum to 1 unless they are free."""
    a, free = net.arrays, net.rule.constraint == "free"
    assert a.first[0] == 0
    assert a.first[-1] == a.link.shape[1] == a.connection.shape[1]
    assert a.connection.flags.c_contiguous
    assert a.link.flags.c_contiguous
    inputs = set(living(net, "input"))
    depth = {j: k for k, layer in enumerate(net.layers) for j in layer.ids}
    assert a.order.tolist() == learners(net)
    assert set(a.outputs.tolist()) == {j for layer in net.layers if layer.kind == "output" for j in layer.ids}
    for j in range(a.degree.size):
        row = a.strength[a.first[j] : a.first[j + 1]]
        assert (row[: a.degree[j]] != 0).all() if free else (row[: a.degree[j]] > 0).all()
        assert (row[a.degree[j] :] == 0).all()
        sources = a.source[a.first[j] : a.first[j + 1]]
        assert np.unique(sources).size == sources.size
        if a.degree[j] and not (net.rule.reserve or free):
            assert_allclose(row.sum(), 1, atol=1e-6 if row.dtype == np.float32 else 1e-12)
        for i, late in zip(sources.tolist(), a.delay[a.first[j] : a.first[j + 1]], strict=True):
            assert late == (i not in inputs and depth[i] >= depth[j])
        assert j in depth or row.size == 0
