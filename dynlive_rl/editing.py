"""Neurons and connections that come and go by hand: edits and damage of a living network.

Ids are stable: a removed neuron's id is never used again. What stays keeps its strengths, moments and memory. Killing and
cutting work in place; adding and removing lay out the network's arrays afresh, which compiled code does not notice.
"""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from .builder import Layer
from .checks import ids, natural, number
from .kernels.layout import ActivationCode, ConnectionRow, Memory, NetworkArrays, NeuronRow, TableRow
from .rule import LearningRule

FAINT = 1e-3


class Plasticity:
    """What a network's structure can be changed by; a part of `Network`."""

    arrays: NetworkArrays
    memory: Memory
    layers: tuple[Layer, ...]
    rule: LearningRule
    shape_is_fixed = False  # true while something else is laid out for this network's arrays

    # -- connections -------------------------------------------------------------------------------------------------

    def add_connection(self, neuron: int, source: int, strength: float | None = None) -> None:
        """Connect `neuron` to `source`, allowing it if need be; its other strengths make room in proportion.

        Parameters
        ----------
        neuron, source
            Ids; `neuron` must not be an input.
        strength
            In (0, 1), or any number but 0 where strengths are free. Default: 0.001, which changes next to nothing; a first
            connection gets 1 if strengths have to sum to 1.

        Raises
        ------
        ValueError
            If there is no such neuron, they are connected already, the strength is out of range, or the rule's
            max_connections is reached.
        """
        self._check_learner(neuron)
        self._check_alive(neuron)
        self._check_alive(source)
        self._check_budget(1)
        slot = self._slot(neuron, source)
        start, degree = int(self.arrays.first[neuron]), int(self.arrays.degree[neuron])
        if slot is not None and slot < start + degree:
            raise ValueError(f"neuron {neuron} is already connected to {source}: use set_strength")
        if strength is None:
            strength = FAINT if degree or self.rule.reserve or self._free else 1.0
        strength = self._checked_strength(strength, alone=degree == 0)
        if slot is None:
            slot = self._insert_slots(neuron, [source])
        _place(self.arrays, neuron, slot, strength, self.rule)

    def remove_connection(self, neuron: int, source: int) -> None:
        """Disconnect `neuron` from `source`; the other strengths grow in proportion. Growth may bring it back.

        Raises
        ------
        ValueError
            If there is no such connection.
        """
        slot = self._connection(neuron, source)
        _lose(self.arrays, [slot], self.rule)

    def set_strength(self, neuron: int, source: int, strength: float) -> None:
        """Set the strength of a connection; the neuron's other strengths make room in proportion.

        Parameters
        ----------
        neuron, source
            Ids of connected neurons.
        strength
            In (0, 1); 1 where it is the only connection. Any number but 0 where strengths are free.

        Raises
        ------
        ValueError
            If there is no such connection, or the strength is out of range.
        """
        slot = self._connection(neuron, source)
        strength = self._checked_strength(strength, alone=self.arrays.degree[neuron] == 1)
        _place(self.arrays, neuron, slot, strength, self.rule)

    # -- neurons -----------------------------------------------------------------------------------------------------

    def add_neuron(self, layer: int, sources: Iterable[int], *, gain: float | None = None) -> int:
        """Add a neuron to a hidden or output layer and return its id; nobody reads it yet.

        It is connected to all its sources alike, and takes activation, exponent and pace from its neighbours.

        Parameters
        ----------
        layer
            Position in `layers`; negative ones count from the end.
        sources
            Ids of the allowed sources.
        gain
            As in `NetworkBuilder.add_neurons`. Default: a neighbour's.

        Raises
        ------
        ValueError
            If there is no such layer, it holds inputs or only dead neurons, or the rule's max_connections is reached.
        """
        positions = [k for k, old in enumerate(self.layers) if old.kind != "input"]
        if isinstance(layer, bool) or layer not in positions + [k - len(self.layers) for k in positions]:
            raise ValueError(f"layer must be the position of a hidden or output layer, not {layer!r}")
        layer = int(layer)
        new = list(dict.fromkeys(ids(sources)))
        for source in new:
            self._check_alive(source)
        self._check_budget(len(new))
        self._check_shape()
        living = [j for j in self.layers[layer].ids if self.arrays.gain[j] > 0]
        if not living:
            raise ValueError(f"all neurons of layer {layer} are dead: there is none to take after")
        if gain is not None and not 0 < number("gain", gain) < float("inf"):
            raise ValueError(f"gain must be a finite number > 0, not {gain!r}")
        old, n, neighbour = self.arrays, self.arrays.degree.size, living[0]
        table = np.insert(old.table, n, 0, axis=1)
        table[TableRow.FIRST, n], table[TableRow.FIRST, n + 1] = old.first[-1], old.first[-1]
        table[TableRow.ACTIVATION, n] = old.activation[neighbour]
        neuron = np.pad(old.neuron, ((0, 0), (0, 1)))
        neuron[: NeuronRow.GAIN, n] = old.neuron[: NeuronRow.GAIN, neighbour]
        curved = ActivationCode.RELU <= table[TableRow.ACTIVATION, n] < ActivationCode.CUSTOM
        neuron[NeuronRow.GAIN, n] = gain if gain is not None and curved else old.gain[neighbour]
        neuron[NeuronRow.GAIN + 1 : NeuronRow.THRESHOLD, n] = old.neuron[
            NeuronRow.GAIN + 1 : NeuronRow.THRESHOLD, neighbour
        ]
        neuron[[NeuronRow.THRESHOLD, NeuronRow.TARGET_THRESHOLD], n] = 0.5 if curved and not self._free else 0.0
        layers = list(self.layers)
        layers[layer] = Layer((*layers[layer].ids, n), layers[layer].kind, layers[layer].activation)
        outputs = np.append(old.outputs, n) if layers[layer].kind == "output" else old.outputs
        memory = Memory(
            self.memory.cycles, *(np.pad(kept, ((0, 0), (0, 1))) for kept in (self.memory.output, self.memory.drive))
        )
        self._lay_out(old._replace(table=table, neuron=neuron, outputs=outputs), memory, tuple(layers))
        if new:
            first = self._insert_slots(n, new)
            row = slice(first, first + len(new))
            self.arrays.connection[ConnectionRow.STRENGTH : ConnectionRow.TARGET_STRENGTH + 1, row] = 1 / len(new)
            self.arrays.table[TableRow.DEGREE, n] = len(new)
        return n

    def remove_neuron(self, neuron: int) -> None:
        """Remove a hidden or output neuron with all its connections; who read it shares its part among the others.

        Raises
        ------
        ValueError
            If there is no such neuron, it is an input, or it is the only output.
        """
        self._check_learner(neuron)
        if self.arrays.outputs.tolist() == [neuron]:
            raise ValueError(f"neuron {neuron} is the only output: a network needs one")
        self._check_shape()
        self.kill([neuron])
        old = self.arrays
        gone = old.source == neuron
        gone[old.first[neuron] : old.first[neuron + 1]] = True
        table = old.table.copy()
        table[TableRow.FIRST, 1:] = np.cumsum(np.bincount(_owner(old)[~gone], minlength=old.degree.size))
        layers = tuple(
            Layer(ids, layer.kind, layer.activation)
            for layer in self.layers
            if (ids := tuple(j for j in layer.ids if j != neuron))
        )
        self._lay_out(
            old._replace(
                table=table,
                link=np.ascontiguousarray(old.link[:, ~gone]),
                connection=np.ascontiguousarray(old.connection[:, ~gone]),
                outputs=old.outputs[old.outputs != neuron],
            ),
            self.memory,
            layers,
        )

    def kill(self, neurons: Iterable[int] | int) -> None:
        """Let neurons die at once, as damage does: they output 0 for ever, and nothing is connected to them any more.

        Who read them shares their part among its other connections. A killed input is a sensor that nobody reads.

        Raises
        ------
        ValueError
            If there is no such neuron; nobody dies then.
        """
        dying = ids(neurons)
        for j in dying:
            self._check_known(j)
        net = self.arrays
        net.table[TableRow.ACTIVATION, dying] = ActivationCode.IDENTITY
        net.neuron[NeuronRow.GAIN :, dying] = 0
        self.memory.output[:, dying] = self.memory.drive[:, dying] = 0
        _lose(net, self._touching(dying), self.rule)

    def cut(self, fraction: float, seed: int | None = None) -> int:
        """Cut a random fraction of all connections, as damage does, and return how many; each neuron keeps at least one.

        Raises
        ------
        ValueError
            If the fraction is not in [0, 1].
        """
        if not 0 <= number("fraction", fraction) <= 1:
            raise ValueError(f"fraction must be in [0, 1], not {fraction!r}")
        net, random = self.arrays, np.random.default_rng(seed)
        connected = np.flatnonzero(_connected(net))
        order = random.permutation(connected)
        spared = np.unique(_owner(net)[order], return_index=True)[1]  # each neuron's first one in random order
        lost = np.delete(order, spared)[: round(fraction * connected.size)]
        _lose(net, lost, self.rule)
        return int(lost.size)

    def retire(self, count: int = 1, *, mature: int | None = None) -> list[int]:
        """Free the hidden neurons that others listen to least, for recruiting, and return their ids.

        The free live without connections; growth does not reach them, only `LearningRule(recruit_below=…)` and edits do.

        Parameters
        ----------
        count
            How many at most, ≥ 0.
        mature
            Only neurons that have learned at least so often: the young have not had their chance. Default: the rule's.
        """
        count = natural("count", count)
        net = self.arrays
        least_updates = self.rule.mature if mature is None else natural("mature", mature)
        heard = np.bincount(net.source, np.abs(net.strength), minlength=net.degree.size)
        hidden = [j for layer in self.layers if layer.kind == "hidden" for j in layer.ids]
        ripe = [j for j in hidden if net.degree[j] > 0 and net.updates[j] >= least_updates]
        least = sorted(ripe, key=lambda j: float(heard[j]))[:count]
        _lose(net, self._touching(least), self.rule)
        return least

    # -- private -----------------------------------------------------------------------------------------------------

    @property
    def _free(self) -> bool:
        return self.rule.constraint == "free"

    def _resize(self) -> None:
        """Make everything anew that has the size of the arrays."""
        raise NotImplementedError

    def _touching(self, ids: list[int]) -> NDArray[np.int64]:
        """Return the slots of all connections into and out of some neurons."""
        slots: NDArray[np.int64] = np.flatnonzero(np.isin(self.arrays.source, ids) | np.isin(_owner(self.arrays), ids))
        return slots

    def _lay_out(self, arrays: NetworkArrays, memory: Memory, layers: tuple[Layer, ...]) -> None:
        order = np.array([j for layer in layers if layer.kind != "input" for j in layer.ids], np.int64)
        self.arrays, self.memory, self.layers = arrays._replace(order=order), memory, layers
        self._resize()

    def _insert_slots(self, neuron: int, sources: list[int]) -> int:
        """Allow new sources at the end of a neuron's row; returns the first one's slot."""
        self._check_shape()
        old = self.arrays
        depth = {j: k for k, layer in enumerate(self.layers) for j in layer.ids}
        inputs = {j for layer in self.layers if layer.kind == "input" for j in layer.ids}
        late = [depth[i] >= depth[neuron] and i not in inputs for i in sources]
        slot = int(old.first[neuron + 1])
        table = old.table.copy()
        table[TableRow.FIRST, neuron + 1 :] += len(sources)
        link = np.insert(old.link, [slot] * len(sources), np.array([sources, late]), axis=1)
        connection = np.insert(old.connection, [slot] * len(sources), 0, axis=1)
        self._lay_out(old._replace(table=table, link=link, connection=connection), self.memory, self.layers)
        return slot

    def _slot(self, neuron: int, source: int) -> int | None:
        """Return where a source stands in a neuron's row, connected or not."""
        start, stop = self.arrays.first[neuron : neuron + 2]
        found = np.flatnonzero(self.arrays.source[start:stop] == source)
        return int(start + found[0]) if found.size else None

    def _connection(self, neuron: int, source: int) -> int:
        self._check_learner(neuron)
        ids([source])
        slot = self._slot(neuron, source)
        if slot is None or slot >= self.arrays.first[neuron] + self.arrays.degree[neuron]:
            raise ValueError(f"neuron {neuron} is not connected to {source}: use add_connection")
        return slot

    def _check_known(self, neuron: int) -> None:
        (j,) = ids([neuron])
        if not any(j in layer.ids for layer in self.layers):
            raise ValueError(f"there is no neuron {j}")

    def _check_alive(self, neuron: int) -> None:
        self._check_known(neuron)
        if self.arrays.gain[neuron] == 0:
            raise ValueError(f"neuron {neuron} is dead")

    def _check_learner(self, neuron: int) -> None:
        self._check_known(neuron)
        if any(neuron in layer.ids for layer in self.layers if layer.kind == "input"):
            raise ValueError(f"neuron {neuron} is an input: it takes values from outside and has no sources")

    def _check_budget(self, more: int) -> None:
        limit, count = self.rule.max_connections, int(self.arrays.degree.sum())
        if limit is not None and count + more > limit:
            raise ValueError(f"max_connections is {limit}, and there are {count} connections already")

    def _check_shape(self) -> None:
        if self.shape_is_fixed:
            raise ValueError(
                "an agent's network keeps its neurons and allowed connections: edit a copy (save and load it), or use "
                "kill, cut, remove_connection and set_strength"
            )

    def _checked_strength(self, strength: float, *, alone: bool) -> float:
        strength = float(self.arrays.strength.dtype.type(number("strength", strength)))  # as it will be kept
        if self._free:
            fits, what = strength != 0 and abs(strength) < float("inf"), "a finite number other than 0"
        elif self.rule.reserve:
            fits, what = 0 < strength <= 1, "in (0, 1]"
        elif alone:
            fits, what = strength == 1, "1, because it is the only connection"
        else:
            fits, what = 0 < strength < 1, "in (0, 1)"
        if not fits:
            raise ValueError(f"strength must be {what}, not {strength!r}")
        return strength


def _owner(net: NetworkArrays) -> NDArray[np.int64]:
    """Return the neuron (c,) that each allowed connection belongs to."""
    return np.repeat(np.arange(net.degree.size), np.diff(net.first))


def _connected(net: NetworkArrays) -> NDArray[np.bool_]:
    """Return which allowed connections (c,) there are."""
    owner = _owner(net)
    connected: NDArray[np.bool_] = np.arange(owner.size) < (net.first[:-1] + net.degree)[owner]
    return connected


def _place(net: NetworkArrays, neuron: int, slot: int, strength: float, rule: LearningRule) -> None:
    """Give one slot of a row a strength, now and in the slow policy; the others make room in proportion."""
    start, stop = net.first[neuron : neuron + 2]
    for kind in (ConnectionRow.STRENGTH, ConnectionRow.TARGET_STRENGTH):
        row = net.connection[kind, start:stop]
        row[slot - start] = 0
        others = float(row.sum(dtype=np.float64))
        if others > 0 and not (rule.constraint == "free" or (rule.reserve and others + strength <= 1)):
            row *= (1 - strength) / others
        row[slot - start] = strength
    connected = _connected(net)[start:stop]
    connected[slot - start] = True
    _sort(net, neuron, connected & (net.strength[start:stop] != 0) if rule.constraint != "free" else connected)


def _lose(net: NetworkArrays, slots: Iterable[int] | NDArray[np.int64], rule: LearningRule) -> None:
    """Remove connections; what is left of their rows sums to 1 again, unless there is a reserve or strengths are free."""
    lost = np.zeros(net.strength.size, np.bool_)
    lost[np.asarray(slots, np.int64)] = True
    net.connection[ConnectionRow.STRENGTH : ConnectionRow.TARGET_STRENGTH + 1, lost] = 0
    connected = _connected(net) & ~lost
    for j in np.unique(_owner(net)[lost]):
        row = slice(net.first[j], net.first[j + 1])
        _sort(net, j, connected[row])
        for kind in (ConnectionRow.STRENGTH, ConnectionRow.TARGET_STRENGTH):
            whole = float(net.connection[kind, row].sum(dtype=np.float64))
            if whole > 0 and not (rule.reserve or rule.constraint == "free"):
                net.connection[kind, row] /= whole


def _sort(net: NetworkArrays, neuron: int, connected: NDArray[np.bool_]) -> None:
    """Put the connected slots of a row in front."""
    row = slice(net.first[neuron], net.first[neuron + 1])
    order = row.start + np.argsort(~connected, kind="stable")
    net.link[:, row] = net.link[:, order]
    net.connection[:, row] = net.connection[:, order]
    degree = int(np.count_nonzero(connected))
    net.table[TableRow.DEGREE, neuron] = degree
    net.connection[[ConnectionRow.MEAN_SIGNAL, ConnectionRow.TRACE], row.start + degree : row.stop] = 0
