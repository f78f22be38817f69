"""What must hold of a network's arrays before a kernel may see them: kernels trust every number, and check none.

Ranges stand in one table; what connects arrays with each other is checked by a few functions below it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .activations import Activation, activation
from .checkpoint import Arrays, CheckpointError
from .kernels.layout import ActivationCode
from .layers import Layer
from .rule import LearningRule

LARGEST = 2**62  # of a counter: it can still count on
TOLERANCE = 1e-3  # of sums of strengths


class Span(NamedTuple):
    """From where to where the numbers of an array go; they are finite in any case."""

    low: float = -np.inf
    high: float = np.inf


ANY, POSITIVE, COUNT, FLAG = Span(), Span(0), Span(0, LARGEST), Span(0, 1)

NETWORK: dict[str, tuple[type | None, tuple[str, ...], Span]] = {
    "inputs": (np.int64, ("two", "values"), Span(-1)),
    "order": (np.int64, ("learners",), POSITIVE),
    "outputs": (np.int64, ("outputs",), POSITIVE),
    "first": (np.int64, ("neurons + 1",), POSITIVE),
    "degree": (np.int64, ("neurons",), POSITIVE),
    "activation": (np.int64, ("neurons",), COUNT),
    "updates": (np.int64, ("neurons",), COUNT),
    "power": (None, ("neurons",), Span(1)),
    "gain": (None, ("neurons",), POSITIVE),
    "rate": (None, ("neurons",), POSITIVE),
    "threshold": (None, ("neurons",), ANY),
    "target_threshold": (None, ("neurons",), ANY),
    "threshold_trace": (None, ("neurons",), ANY),
    "threshold_mean": (None, ("neurons",), ANY),
    "threshold_square": (None, ("neurons",), POSITIVE),
    "source": (np.int32, ("connections",), POSITIVE),
    "delay": (np.int32, ("connections",), FLAG),
    "strength": (None, ("connections",), ANY),
    "target_strength": (None, ("connections",), ANY),
    "mean_signal": (None, ("connections",), ANY),
    "square_signal": (None, ("connections",), POSITIVE),
    "trace": (None, ("connections",), ANY),
    "random": (np.uint64, ("four",), ANY),
    "memory.cycles": (np.int64, ("one",), COUNT),
    "memory.output": (None, ("cycles + 1", "neurons"), ANY),
    "memory.drive": (None, ("cycles + 1", "neurons"), ANY),
}
"""Type (None: that of the strengths), shape and range of every array of a network."""


# -- one array at a time -----------------------------------------------------------------------------------------------


def need(holds: Any, otherwise: str) -> None:
    """Raise CheckpointError unless something holds."""
    if not holds:
        raise CheckpointError(otherwise)


def check_span(name: str, array: NDArray[Any], span: Span) -> None:
    """Raise CheckpointError unless all numbers of an array are finite and in their range."""
    if array.size == 0:
        return
    least, most = array.min(), array.max()  # not a number if any of them is none
    if not (span.low <= least <= most <= span.high and np.isfinite(least) and np.isfinite(most)):
        wrong = next((x for x in (least, most) if not (np.isfinite(x) and span.low <= x <= span.high)), most)
        raise CheckpointError(f"{name!r} must hold finite numbers from {span.low:g} to {span.high:g}, not {wrong}")


def check_shape(name: str, arrays: Arrays, shape: Sequence[int], dtype: Any = None) -> None:
    """Raise CheckpointError unless there is an array of a shape, and of a type if one is given."""
    need(name in arrays, f"{name!r} is missing")
    array = arrays[name]
    if array.shape != tuple(shape) or (dtype is not None and array.dtype != dtype):
        what = f"{tuple(shape)}" if dtype is None else f"{tuple(shape)} and type {np.dtype(dtype)}"
        raise CheckpointError(f"{name!r} must have shape {what}, not {array.shape} and {array.dtype}")


def check_random(name: str, random: NDArray[np.uint64]) -> None:
    """Raise CheckpointError if a random number generator stands still."""
    need(random.any(), f"{name!r} must not be all 0")


# -- a network ---------------------------------------------------------------------------------------------------------


def check_network(arrays: Arrays, rule: LearningRule, layers: Sequence[Layer], custom: Sequence[Activation]) -> None:
    """Check everything that kernels rely on in a network's arrays.

    Parameters
    ----------
    arrays
        Those of the table above, by name. Others are not looked at.
    rule, layers, custom
        As in `Network`.

    Raises
    ------
    CheckpointError
        If anything is not as it has to be.
    """
    _check_arrays(arrays, layers)
    _check_layers(arrays, layers)
    _check_rows(arrays, layers)
    _check_activations(arrays, layers, custom, free=rule.constraint == "free")
    if rule.constraint != "free":
        _check_strengths(arrays, least=0.0 if rule.reserve else 1.0)
    _check_unconnected(arrays)
    check_random("random", arrays["random"])


def check_same_rows(own: Mapping[str, NDArray[Any]], state: Arrays) -> None:
    """Raise CheckpointError unless every neuron has the same allowed sources in both, in whatever order."""
    need(np.array_equal(own["first"], state["first"]), "'first' must be that of the network itself")
    count = own["degree"].size
    keys = [np.sort(_owners(arrays["first"]) * count + arrays["source"]) for arrays in (own, state)]
    need((keys[0] == keys[1]).all(), "'source' must hold the allowed sources of the network itself")


def _check_arrays(arrays: Arrays, layers: Sequence[Layer]) -> None:
    for name in ("degree", "strength", "memory.output", "inputs", "outputs"):
        need(name in arrays, f"{name!r} is missing")
    need(arrays["memory.output"].ndim == arrays["inputs"].ndim == 2, "'memory.output' and 'inputs' must have two axes")
    need(arrays["strength"].dtype in (np.float32, np.float64), "'strength' must be of type float32 or float64")
    neurons, rows = arrays["degree"].size, arrays["memory.output"].shape[0]
    need(rows >= 2, "'memory.output' must have two rows at least")
    sizes = {
        "one": 1, "two": 2, "four": 4, "neurons": neurons, "neurons + 1": neurons + 1, "cycles + 1": rows,
        "connections": arrays["strength"].size, "values": arrays["inputs"].shape[1], "outputs": arrays["outputs"].size,
        "learners": sum(len(layer.ids) for layer in layers if layer.kind != "input"),
    }  # fmt: skip
    for name, (dtype, shape, span) in NETWORK.items():
        check_shape(name, arrays, [sizes[size] for size in shape], dtype or arrays["strength"].dtype)
        check_span(name, arrays[name], span)


def _check_layers(arrays: Arrays, layers: Sequence[Layer]) -> None:
    """Every neuron is in one layer at most; the order is that of the layers, inputs and outputs are those of theirs."""
    ids = _ids(layers)
    need(ids.size == np.unique(ids).size, "a neuron is in two layers")
    need(((ids >= 0) & (ids < arrays["degree"].size)).all(), "a layer has a neuron that there is not")
    need(all(layer.kind in ("input", "hidden", "output") for layer in layers), "a layer is of a kind that there is not")
    inputs, outputs = _ids(layers, "input"), _ids(layers, "output")
    direct, complements = arrays["inputs"]
    taken = np.concatenate([direct, complements[complements >= 0]])
    need(direct.size > 0 and outputs.size > 0, "there must be inputs and outputs")
    need((direct >= 0).all(), "'inputs' must name a neuron for every value")
    need(np.array_equal(np.sort(taken), np.sort(inputs)), "'inputs' must be the neurons of the input layers")
    need(np.array_equal(np.sort(arrays["outputs"]), np.sort(outputs)), "'outputs' must be those of the output layers")
    need(np.array_equal(arrays["order"], _ids(layers, "hidden", "output")), "'order' must be that of the layers")


def _check_rows(arrays: Arrays, layers: Sequence[Layer]) -> None:
    """Rows follow each other, hold no source twice, and read those that have not fired yet one cycle late."""
    first, degree, source = arrays["first"], arrays["degree"], arrays["source"]
    neurons, learners = degree.size, _ids(layers, "hidden", "output")
    lengths = np.diff(first)
    need(first[0] == 0 and first[-1] == source.size and (lengths >= 0).all(), "'first' must ascend from 0 to the end")
    need((degree <= lengths).all(), "'degree' must be at most the number of allowed sources")
    need(lengths.sum() == lengths[learners].sum(), "inputs and removed neurons must have no sources")
    need((source < neurons).all(), f"'source' must hold ids below {neurons}")
    owners = _owners(first)
    keys = np.sort(owners * neurons + source)
    need((keys[1:] != keys[:-1]).all(), "'source' must hold no source of a neuron twice")
    depth = np.full(neurons, -1)
    for place, layer in enumerate(layers):
        depth[list(layer.ids)] = -1 if layer.kind == "input" else place
    need(np.array_equal(arrays["delay"] == 1, depth[source] >= depth[owners]), "'delay' must be that of the layers")


def _check_activations(arrays: Arrays, layers: Sequence[Layer], custom: Sequence[Activation], *, free: bool) -> None:
    """Every neuron has the activation of its layer, or is dead or removed: only these have the gain 0."""
    codes = np.zeros(arrays["degree"].size, np.int64)
    names = [own.name for own in custom]
    for layer in layers:
        if layer.kind != "input":
            is_own = layer.activation in names
            codes[list(layer.ids)] = (
                ActivationCode.CUSTOM + names.index(layer.activation)
                if is_own
                else activation(layer.activation, free=free).code
            )
    dead = (arrays["gain"] == 0) & (arrays["activation"] == ActivationCode.IDENTITY)
    need((dead | (arrays["activation"] == codes)).all(), "'activation' must be that of the layers")
    gone = np.ones(codes.size, np.bool_)
    gone[_ids(layers)] = False
    need((dead | ~gone).all(), "'gain' must be 0 where a neuron was removed")
    need((arrays["degree"][dead] == 0).all(), "'degree' must be 0 where a neuron is dead")


def _check_strengths(arrays: Arrays, least: float) -> None:
    """Strengths are not negative, and those of a connected neuron sum to 1, or from `least` to 1."""
    owners, degree = _owners(arrays["first"]), arrays["degree"]
    for name in ("strength", "target_strength"):
        check_span(name, arrays[name], POSITIVE)
        sums = np.bincount(owners, arrays[name], degree.size)
        need((sums <= 1 + TOLERANCE).all(), f"{name!r} must sum to at most 1 in every row")
        if name == "strength":
            need((sums[degree > 0] >= least - TOLERANCE).all(), "'strength' must sum to 1 in every row")
    need((arrays["strength"][_connected(arrays)] > 0).all(), "'strength' must be above 0 where there is a connection")


def _check_unconnected(arrays: Arrays) -> None:
    need((arrays["strength"][~_connected(arrays)] == 0).all(), "'strength' must be 0 where there is no connection")


def _ids(layers: Sequence[Layer], *kinds: str) -> NDArray[np.int64]:
    """Return the ids of all layers, or of those of some kinds, in firing order."""
    return np.array([j for layer in layers if not kinds or layer.kind in kinds for j in layer.ids], np.int64)


def _owners(first: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the neuron that each allowed connection belongs to."""
    return np.repeat(np.arange(first.size - 1), np.diff(first))


def _connected(arrays: Arrays) -> NDArray[np.bool_]:
    """Return which allowed connections there are."""
    owners = _owners(arrays["first"])
    connected: NDArray[np.bool_] = np.arange(owners.size) < (arrays["first"][:-1] + arrays["degree"])[owners]
    return connected
