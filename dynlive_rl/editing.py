"""Neurons and connections that come and go by hand: edits and damage of a living network.

Ids are stable: a removed neuron's id is never used again. What stays keeps its strengths, moments and memory. Killing and
cutting work in place; adding and removing lay out the network's arrays afresh, which compiled code does not notice.
What each edit means, and what it refuses, is said by the method of `Network` of the same name.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from .checks import ids, natural, number, optional_seed
from .core import NetworkCore
from .kernels.layout import ActivationCode, ConnectionRow, Memory, NetworkArrays, NeuronRow, TableRow
from .layers import Layer
from .rule import LearningRule

FAINT = 1e-3

# -- connections -----------------------------------------------------------------------------------------------------


def add_connection(net: NetworkCore, neuron: int, source: int, strength: float | None = None) -> None:
    """Connect `neuron` to `source`, see `Network.add_connection`."""
    _check_learner(net, neuron)
    _check_alive(net, neuron)
    _check_alive(net, source)
    _check_budget(net, 1)
    slot = _slot(net.arrays, neuron, source)
    start, degree = int(net.arrays.first[neuron]), int(net.arrays.degree[neuron])
    if slot is not None and slot < start + degree:
        raise ValueError(f"neuron {neuron} is already connected to {source}: use set_strength")
    if strength is None:
        strength = FAINT if degree or net.rule.reserve or _is_free(net.rule) else 1.0
    strength = _checked_strength(net, strength, alone=degree == 0)
    if slot is None:
        slot = _insert_slots(net, neuron, [source])
    _place(net.arrays, neuron, slot, strength, net.rule)


def remove_connection(net: NetworkCore, neuron: int, source: int) -> None:
    """Disconnect `neuron` from `source`, see `Network.remove_connection`."""
    _lose(net.arrays, [_connection(net, neuron, source)], net.rule)


def set_strength(net: NetworkCore, neuron: int, source: int, strength: float) -> None:
    """Set the strength of a connection, see `Network.set_strength`."""
    slot = _connection(net, neuron, source)
    strength = _checked_strength(net, strength, alone=net.arrays.degree[neuron] == 1)
    _place(net.arrays, neuron, slot, strength, net.rule)


# -- neurons ---------------------------------------------------------------------------------------------------------


def add_neuron(net: NetworkCore, layer: int, sources: Iterable[int], *, gain: float | None = None) -> int:
    """Add a neuron to a layer and return its id, see `Network.add_neuron`."""
    positions = [k for k, old in enumerate(net.layers) if old.kind != "input"]
    if isinstance(layer, bool) or layer not in positions + [k - len(net.layers) for k in positions]:
        raise ValueError(f"layer must be the position of a hidden or output layer, not {layer!r}")
    layer = int(layer)
    new = list(dict.fromkeys(ids(sources)))
    for source in new:
        _check_alive(net, source)
    _check_budget(net, len(new))
    _check_shape(net)
    living = [j for j in net.layers[layer].ids if net.arrays.gain[j] > 0]
    if not living:
        raise ValueError(f"all neurons of layer {layer} are dead: there is none to take after")
    if gain is not None and not 0 < number("gain", gain) < float("inf"):
        raise ValueError(f"gain must be a finite number > 0, not {gain!r}")
    n = _append_neuron(net, layer, living[0], gain)
    if new:
        first = _insert_slots(net, n, new)
        row = slice(first, first + len(new))
        net.arrays.strength[row] = net.arrays.target_strength[row] = 1 / len(new)
        net.arrays.degree[n] = len(new)
    return n


def remove_neuron(net: NetworkCore, neuron: int) -> None:
    """Remove a neuron with all its connections, see `Network.remove_neuron`."""
    _check_learner(net, neuron)
    if net.arrays.outputs.tolist() == [neuron]:
        raise ValueError(f"neuron {neuron} is the only output: a network needs one")
    _check_shape(net)
    kill(net, [neuron])
    old = net.arrays
    gone = old.source == neuron
    gone[old.first[neuron] : old.first[neuron + 1]] = True
    table = old.table.copy()
    table[TableRow.FIRST, 1:] = np.cumsum(np.bincount(_owner(old)[~gone], minlength=old.degree.size))
    layers = tuple(
        Layer(ids, layer.kind, layer.activation)
        for layer in net.layers
        if (ids := tuple(j for j in layer.ids if j != neuron))
    )
    _lay_out(
        net,
        old._replace(
            table=table,
            link=np.ascontiguousarray(old.link[:, ~gone]),
            connection=np.ascontiguousarray(old.connection[:, ~gone]),
            outputs=old.outputs[old.outputs != neuron],
        ),
        net.memory,
        layers,
    )


def kill(net: NetworkCore, neurons: Iterable[int] | int) -> None:
    """Let neurons die at once, see `Network.kill`."""
    dying = ids(neurons)
    for j in dying:
        _check_known(net, j)
    arrays = net.arrays
    arrays.activation[dying] = ActivationCode.IDENTITY
    arrays.neuron[NeuronRow.GAIN :, dying] = 0
    net.memory.output[:, dying] = net.memory.drive[:, dying] = 0
    _lose(arrays, _touching(arrays, dying), net.rule)


def cut(net: NetworkCore, fraction: float, seed: int | None = None) -> int:
    """Cut a random fraction of all connections, see `Network.cut`."""
    if not 0 <= number("fraction", fraction) <= 1:
        raise ValueError(f"fraction must be in [0, 1], not {fraction!r}")
    random = np.random.default_rng(optional_seed(seed))
    connected = np.flatnonzero(_connected(net.arrays))
    order = random.permutation(connected)
    spared = np.unique(_owner(net.arrays)[order], return_index=True)[1]  # each neuron's first one in random order
    lost = np.delete(order, spared)[: round(fraction * connected.size)]
    _lose(net.arrays, lost, net.rule)
    return int(lost.size)


def retire(net: NetworkCore, count: int = 1, *, mature: int | None = None) -> list[int]:
    """Free the hidden neurons that are read least, see `Network.retire`."""
    count = natural("count", count)
    arrays = net.arrays
    least_updates = net.rule.mature if mature is None else natural("mature", mature)
    readout_weight = np.bincount(arrays.source, np.abs(arrays.strength), minlength=arrays.degree.size)
    hidden = [j for layer in net.layers if layer.kind == "hidden" for j in layer.ids]
    ripe = [j for j in hidden if arrays.degree[j] > 0 and arrays.updates[j] >= least_updates]
    least = sorted(ripe, key=lambda j: float(readout_weight[j]))[:count]
    _lose(arrays, _touching(arrays, least), net.rule)
    return least


# -- arrays laid out afresh ------------------------------------------------------------------------------------------


def _append_neuron(net: NetworkCore, layer: int, neighbour: int, gain: float | None) -> int:
    """Lay out the arrays with one more neuron, like a neighbour and without sources, in a layer; returns its id."""
    old, n = net.arrays, net.arrays.degree.size
    table = np.insert(old.table, n, 0, axis=1)
    table[TableRow.FIRST, n], table[TableRow.FIRST, n + 1] = old.first[-1], old.first[-1]
    table[TableRow.ACTIVATION, n] = old.activation[neighbour]
    curved = ActivationCode.RELU <= old.activation[neighbour] < ActivationCode.CUSTOM
    arrays = old._replace(table=table, neuron=np.pad(old.neuron, ((0, 0), (0, 1))))
    for row in (arrays.power, arrays.gain, arrays.rate):
        row[n] = row[neighbour]
    if gain is not None and curved:
        arrays.gain[n] = gain
    arrays.threshold[n] = arrays.target_threshold[n] = 0.5 if curved and not _is_free(net.rule) else 0.0
    layers = list(net.layers)
    layers[layer] = Layer((*layers[layer].ids, n), layers[layer].kind, layers[layer].activation)
    outputs = np.append(old.outputs, n) if layers[layer].kind == "output" else old.outputs
    output, drive = (np.pad(kept, ((0, 0), (0, 1))) for kept in (net.memory.output, net.memory.drive))
    _lay_out(net, arrays._replace(outputs=outputs), Memory(net.memory.cycles, output, drive), tuple(layers))
    return n


def _insert_slots(net: NetworkCore, neuron: int, sources: list[int]) -> int:
    """Allow new sources at the end of a neuron's row; returns the first one's slot."""
    _check_shape(net)
    old = net.arrays
    depth = {j: k for k, layer in enumerate(net.layers) for j in layer.ids}
    inputs = {j for layer in net.layers if layer.kind == "input" for j in layer.ids}
    late = [depth[i] >= depth[neuron] and i not in inputs for i in sources]
    slot = int(old.first[neuron + 1])
    table = old.table.copy()
    table[TableRow.FIRST, neuron + 1 :] += len(sources)
    link = np.insert(old.link, [slot] * len(sources), np.array([sources, late]), axis=1)
    connection = np.insert(old.connection, [slot] * len(sources), 0, axis=1)
    _lay_out(net, old._replace(table=table, link=link, connection=connection), net.memory, net.layers)
    return slot


def _lay_out(net: NetworkCore, arrays: NetworkArrays, memory: Memory, layers: tuple[Layer, ...]) -> None:
    """Give a network other arrays, with the firing order of other layers."""
    order = np.array([j for layer in layers if layer.kind != "input" for j in layer.ids], np.int64)
    net.lay_out(arrays._replace(order=order), memory, layers)


# -- what is checked -------------------------------------------------------------------------------------------------


def _is_free(rule: LearningRule) -> bool:
    return rule.constraint == "free"


def _check_known(net: NetworkCore, neuron: int) -> None:
    (j,) = ids([neuron])
    if not any(j in layer.ids for layer in net.layers):
        raise ValueError(f"there is no neuron {j}")


def _check_alive(net: NetworkCore, neuron: int) -> None:
    _check_known(net, neuron)
    if net.arrays.gain[neuron] == 0:
        raise ValueError(f"neuron {neuron} is dead")


def _check_learner(net: NetworkCore, neuron: int) -> None:
    _check_known(net, neuron)
    if any(neuron in layer.ids for layer in net.layers if layer.kind == "input"):
        raise ValueError(f"neuron {neuron} is an input: it takes values from outside and has no sources")


def _check_budget(net: NetworkCore, more: int) -> None:
    limit, count = net.rule.max_connections, net.connections
    if limit is not None and count + more > limit:
        raise ValueError(f"max_connections is {limit}, and there are {count} connections already")


def _check_shape(net: NetworkCore) -> None:
    if net.shape_is_fixed:
        raise ValueError(
            "an agent's network keeps its neurons and allowed connections: edit a copy (save and load it), or use "
            "kill, cut, remove_connection and set_strength"
        )


def _connection(net: NetworkCore, neuron: int, source: int) -> int:
    """Return the slot of a connection there is."""
    _check_learner(net, neuron)
    ids([source])
    slot = _slot(net.arrays, neuron, source)
    if slot is None or slot >= net.arrays.first[neuron] + net.arrays.degree[neuron]:
        raise ValueError(f"neuron {neuron} is not connected to {source}: use add_connection")
    return slot


def _checked_strength(net: NetworkCore, strength: float, *, alone: bool) -> float:
    """Return a strength as it will be kept, of the neuron's only connection or of one among others."""
    strength = float(net.arrays.strength.dtype.type(number("strength", strength)))
    if _is_free(net.rule):
        fits, what = strength != 0 and abs(strength) < float("inf"), "a finite number other than 0"
    elif net.rule.reserve:
        fits, what = 0 < strength <= 1, "in (0, 1]"
    elif alone:
        fits, what = strength == 1, "1, because it is the only connection"
    else:
        fits, what = 0 < strength < 1, "in (0, 1)"
    if not fits:
        raise ValueError(f"strength must be {what}, not {strength!r}")
    return strength


# -- rows of arrays --------------------------------------------------------------------------------------------------


def _slot(net: NetworkArrays, neuron: int, source: int) -> int | None:
    """Return where a source stands in a neuron's row, connected or not."""
    start, stop = net.first[neuron : neuron + 2]
    found = np.flatnonzero(net.source[start:stop] == source)
    return int(start + found[0]) if found.size else None


def _touching(net: NetworkArrays, ids: list[int]) -> NDArray[np.int64]:
    """Return the slots of all connections into and out of some neurons."""
    slots: NDArray[np.int64] = np.flatnonzero(np.isin(net.source, ids) | np.isin(_owner(net), ids))
    return slots


def _owner(net: NetworkArrays) -> NDArray[np.int64]:
    """Return the neuron (c,) that each allowed connection belongs to."""
    return np.repeat(np.arange(net.degree.size), np.diff(net.first))


def _connected(net: NetworkArrays) -> NDArray[np.bool_]:
    """Return which allowed connections (c,) there are."""
    owner = _owner(net)
    connected: NDArray[np.bool_] = np.arange(owner.size) < (net.first[:-1] + net.degree)[owner]
    return connected


def _place(net: NetworkArrays, neuron: int, slot: int, strength: float, rule: LearningRule) -> None:
    """Give one slot of a row a strength, the current one and the target; the others make room in proportion."""
    start, stop = net.first[neuron : neuron + 2]
    for strengths in (net.strength, net.target_strength):
        row = strengths[start:stop]
        row[slot - start] = 0
        others = float(row.sum(dtype=np.float64))
        if others > 0 and not (_is_free(rule) or (rule.reserve and others + strength <= 1)):
            row *= (1 - strength) / others
        row[slot - start] = strength
    connected = _connected(net)[start:stop]
    connected[slot - start] = True
    _sort(net, neuron, connected if _is_free(rule) else connected & (net.strength[start:stop] != 0))


def _lose(net: NetworkArrays, slots: Iterable[int] | NDArray[np.int64], rule: LearningRule) -> None:
    """Remove connections; what is left of their rows sums to 1 again, unless there is a reserve or strengths are free."""
    lost = np.zeros(net.strength.size, np.bool_)
    lost[np.asarray(slots, np.int64)] = True
    net.strength[lost] = net.target_strength[lost] = 0
    connected = _connected(net) & ~lost
    for j in np.unique(_owner(net)[lost]):
        row = slice(net.first[j], net.first[j + 1])
        _sort(net, j, connected[row])
        for strengths in (net.strength, net.target_strength):
            whole = float(strengths[row].sum(dtype=np.float64))
            if whole > 0 and not (rule.reserve or _is_free(rule)):
                strengths[row] /= whole


def _sort(net: NetworkArrays, neuron: int, connected: NDArray[np.bool_]) -> None:
    """Put the connected slots of a row in front."""
    row = slice(net.first[neuron], net.first[neuron + 1])
    order = row.start + np.argsort(~connected, kind="stable")
    net.link[:, row] = net.link[:, order]
    net.connection[:, row] = net.connection[:, order]
    degree = int(np.count_nonzero(connected))
    net.degree[neuron] = degree
    net.connection[[ConnectionRow.MEAN_SIGNAL, ConnectionRow.TRACE], row.start + degree : row.stop] = 0
