"""Neurons, layers, allowed sources and first strengths: what a network is before it learns, and its flat arrays."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import ceil, sqrt
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from .activations import Activation, activation, addresses
from .checks import ids, number, optional_seed, positive
from .kernels.layout import NetworkArrays, new_arrays, new_memory
from .kernels.rng import random_state
from .layers import Layer
from .network import Network
from .rule import LearningRule

Strengths = Literal["random", "equal"]


@dataclass
class _Neuron:
    layer: int
    activation: Activation | None = None  # None: an input neuron
    power: float = 2.0
    gain: float = 1.0
    rate: float = 1.0
    strengths: Strengths = "random"
    rail: int | None = None  # the input neuron this one is the complement of
    sources: dict[int, None] = field(default_factory=dict)  # an ordered set


class NetworkBuilder:
    """Says which neurons there are and who may feed whom; `build` makes the network.

    Neurons are born unconnected. Layers give the firing order only: any neuron may be allowed as a source of any other,
    itself included. An input or a source in an earlier layer is read in the same cycle, any other in the cycle before.

    Parameters
    ----------
    seed
        Seed (or seed sequence) of the first strengths, thresholds and gains, and of the network's own random choices.
        None: fresh entropy.
    rule
        A `LearningRule`, or "simplex", "free" or "original" for that rule with its defaults.
    dual_rail
        If true, each input value x comes on two input neurons, as x and as 1 - x. Without it a network of non-negative
        strengths can only rise with its inputs.
    memory
        Number of cycles each neuron remembers, ≥ 1: how far back a reward can be given and travel.
    dtype
        "float32" or "float64".

    Examples
    --------
    >>> build = NetworkBuilder(seed=0, dtype="float64")
    >>> eyes = build.add_inputs(2)
    >>> out = build.add_outputs(1, activation="identity")
    >>> build.allow(out, sources=eyes)
    >>> net = build.build()
    >>> net.propagate([0.25, 0.75])
    array([0.5])
    """

    def __init__(
        self,
        seed: int | np.random.SeedSequence | None = None,
        *,
        rule: LearningRule | Literal["simplex", "free", "original"] = "simplex",
        dual_rail: bool = False,
        memory: int = 16,
        dtype: str | type[np.floating[Any]] = "float32",
    ) -> None:
        if isinstance(rule, LearningRule):
            self.rule = rule
        else:
            self.rule = LearningRule(constraint="free") if rule == "free" else LearningRule(kind=rule)
        self.dual_rail = dual_rail
        self.memory = positive("memory", memory)
        self.dtype = np.dtype(dtype)
        if self.dtype not in (np.dtype(np.float32), np.dtype(np.float64)):
            raise ValueError(f"dtype must be float32 or float64, not {dtype!r}")
        self._seed = seed if isinstance(seed, np.random.SeedSequence) else np.random.SeedSequence(optional_seed(seed))
        self._neurons: list[_Neuron] = []
        self._layers: list[Layer] = []
        self._direct: list[int] = []
        self._complements: list[int] = []
        self._outputs: list[int] = []

    def add_inputs(self, count: int) -> list[int]:
        """Add input neurons for `count` outside values and return their ids.

        With dual rail there are two neurons per value: the ids of all x come first, then those of all 1 - x.
        """
        layer = self._add_layer(
            "input", "identity", [_Neuron(len(self._layers)) for _ in range(positive("count", count))]
        )
        direct = list(layer)
        complements = [-1] * count
        if self.dual_rail:
            rails = [_Neuron(len(self._layers) - 1, rail=i) for i in direct]
            complements = list(range(len(self._neurons), len(self._neurons) + count))
            self._neurons += rails
            self._layers[-1] = Layer((*direct, *complements), "input")
        self._direct += direct
        self._complements += complements
        return list(self._layers[-1].ids)

    def add_neurons(
        self,
        count: int,
        activation: str | None = None,
        *,
        gain: float | tuple[float, float] | None = None,
        power: float = 2.0,
        strengths: Strengths = "random",
        rate: float = 1.0,
    ) -> list[int]:
        """Add one layer of hidden neurons and return their ids.

        Parameters
        ----------
        count
            Number of neurons, ≥ 1.
        activation
            "identity", "square", "power", "relu", "sigmoid" or a registered name. Default: "sigmoid", or "square" with
            the original rule. Of free strengths "sigmoid", or "identity" and "relu" without bounds.
        gain
            Slope before "relu" and "sigmoid", > 0, or a range (low, high) to draw each neuron's from. A convex mixture
            of many sources averages towards ½; a gain of 12 to 48 restores the range. Default: 4, or 1 of free strengths.
        power
            Exponent of "power", ≥ 1; from 4 on it acts as a soft "and".
        strengths
            The first strengths: "random", a few strong ones each, or "equal". Free ones that are "random" have either
            sign, and are as strong as keeps the spread from layer to layer (He et al., 2015).
        rate
            Step size of these neurons relative to the rule's learning rate, ≥ 0; 0 keeps them as they are.
        """
        return self._add(count, "hidden", activation, gain, power, strengths, rate)

    def add_outputs(
        self,
        count: int,
        activation: str | None = None,
        *,
        gain: float | tuple[float, float] | None = None,
        power: float = 2.0,
        strengths: Strengths = "equal",
        rate: float = 1.0,
    ) -> list[int]:
        """Add one layer of output neurons and return their ids; parameters as in `add_neurons`."""
        ids = self._add(count, "output", activation, gain, power, strengths, rate)
        self._outputs += ids
        return ids

    def allow(self, neurons: Iterable[int] | int, *, sources: Iterable[int] | int) -> None:
        """Allow every one of `sources` to feed every one of `neurons` (ids; inputs take no sources).

        Raises
        ------
        ValueError
            If there is no such neuron, or one of `neurons` is an input.
        """
        source_ids = [self._known(i) for i in ids(sources)]
        for j in ids(neurons):
            neuron = self._neurons[self._known(j)]
            if neuron.activation is None:
                raise ValueError(f"neuron {j} is an input: it takes values from outside and cannot have sources")
            neuron.sources.update(dict.fromkeys(source_ids))

    def build(self, *, connect: float = 1.0) -> Network:
        """Make the network, as compiled kernels run it; `dynlive_rl.messages.MessageNetwork` runs one by messages.

        Parameters
        ----------
        connect
            Fraction of each neuron's allowed sources that are connected at first, chosen at random, in [0, 1]. Above 0
            every neuron gets at least two (or all it is allowed); 0 leaves all unconnected.

        Raises
        ------
        ValueError
            If there are no input or no output neurons, connect is out of range, or the rule allows fewer connections.
        """
        if not 0 <= connect <= 1:
            raise ValueError(f"connect must be in [0, 1], not {connect!r}")
        if not self._direct or not self._outputs:
            missing = "input" if not self._direct else "output"
            raise ValueError(f"a network needs at least one {missing} neuron: call add_{missing}s first")
        own = {n.activation.name: n.activation for n in self._neurons if n.activation and n.activation.function}
        custom = tuple(own.values())
        net = self._arrays(connect, custom)
        limit, count = self.rule.max_connections, int(net.degree.sum())
        if limit is not None and count > limit:
            raise ValueError(f"max_connections is {limit}, but {count} would be connected at first: lower connect")
        return Network(net, new_memory(net, self.memory), self.rule, tuple(self._layers), custom)

    def _add(
        self,
        count: int,
        kind: Literal["hidden", "output"],
        name: str | None,
        gain: float | tuple[float, float] | None,
        power: float,
        strengths: Strengths,
        rate: float,
    ) -> list[int]:
        positive("count", count)
        free = self.rule.constraint == "free"
        chosen = activation(name or ("square" if self.rule.kind == "original" else "sigmoid"), free=free)
        if gain is None:
            gain = 1.0 if free else 4.0
        bounds = [number("gain", bound) for bound in (gain if isinstance(gain, (tuple, list)) else (gain, gain))]
        low, high = bounds if len(bounds) == 2 else (0.0, 0.0)
        if not 0 < low <= high < float("inf"):
            raise ValueError(f"gain must be a finite number > 0 or a range (low, high) of them, not {gain!r}")
        if not 1 <= power < float("inf"):
            raise ValueError(f"power must be a finite number ≥ 1, not {power!r}")
        if strengths not in ("random", "equal"):
            raise ValueError(f"strengths must be 'random' or 'equal', not {strengths!r}")
        if not 0 <= rate < float("inf"):
            raise ValueError(f"rate must be a finite number ≥ 0, not {rate!r}")
        gains = self._random().uniform(low, high, count)
        return self._add_layer(
            kind,
            chosen.name,
            [
                _Neuron(
                    len(self._layers),
                    chosen,
                    power=power if chosen.name == "power" else 2.0,
                    gain=float(g) if chosen.has_threshold else 1.0,
                    rate=rate,
                    strengths=strengths,
                )
                for g in gains
            ],
        )

    def _add_layer(
        self, kind: Literal["input", "hidden", "output"], activation_name: str, neurons: list[_Neuron]
    ) -> list[int]:
        ids = list(range(len(self._neurons), len(self._neurons) + len(neurons)))
        self._neurons += neurons
        self._layers.append(Layer(tuple(ids), kind, activation_name))
        return ids

    def _known(self, neuron: int) -> int:
        if not 0 <= neuron < len(self._neurons):
            raise ValueError(f"there is no neuron {neuron}: ids so far are 0 to {len(self._neurons) - 1}")
        return neuron

    def _random(self) -> np.random.Generator:
        """Return a generator of its own for every step of building, so that one step does not shift the next."""
        return np.random.default_rng(self._seed.spawn(1)[0])

    def _arrays(self, connect: float, custom: Sequence[Activation]) -> NetworkArrays:
        """Return the arrays of the network that has been described."""
        neurons = self._neurons
        first = np.zeros(len(neurons) + 1, np.int64)
        np.cumsum([len(neuron.sources) for neuron in neurons], out=first[1:])
        net = new_arrays(
            len(neurons),
            int(first[-1]),
            self.dtype,
            inputs=np.array([self._direct, self._complements], np.int64),
            order=np.array([j for layer in self._layers if layer.kind != "input" for j in layer.ids], np.int64),
            outputs=np.array(self._outputs, np.int64),
            custom=addresses(custom),
        )
        net.first[:] = first
        net.power[:] = [neuron.power for neuron in neurons]
        net.gain[:] = [neuron.gain for neuron in neurons]
        net.rate[:] = [neuron.rate for neuron in neurons]
        names = [own.name for own in custom]
        for j, neuron in enumerate(neurons):
            if neuron.activation is not None:
                own = neuron.activation.function is not None
                net.activation[j] = neuron.activation.code + (names.index(neuron.activation.name) if own else 0)
        random, shared = self._random(), dict[int, dict[int, int]]()
        rails = net.inputs[:, net.inputs[1] >= 0]
        for j, neuron in enumerate(neurons):
            most = len(neuron.sources)
            count = min(max(ceil(connect * most), 2), most) if connect > 0 else 0
            sources = self._sources(neuron, count, random, shared)
            row = slice(int(first[j]), int(first[j + 1]))
            net.source[row] = sources
            net.delay[row] = [
                neurons[i].layer >= neuron.layer and neurons[i].activation is not None for i in sources.tolist()
            ]
            net.degree[j] = count
            if count:
                strength, net.threshold[j] = self._first_weights(neuron, sources[:count], rails, random)
                net.strength[row.start : row.start + count] = strength
        net.target_strength[:], net.target_threshold[:] = net.strength, net.threshold
        net.random[:] = random_state(self._seed.spawn(1)[0])
        return net

    def _sources(
        self, neuron: _Neuron, count: int, random: np.random.Generator, shared: dict[int, dict[int, int]]
    ) -> NDArray[np.int64]:
        """Return a neuron's allowed sources, the `count` ones first that are connected from the start.

        `shared` remembers by layer what the first of its neurons with equal strengths chose.
        """
        allowed = np.fromiter(neuron.sources, np.int64)
        if count == allowed.size:
            return allowed
        allowed = random.permutation(allowed)
        # A value and its complement say the same: both only where there is nothing else left to read.
        value = [i if (rail := self._neurons[i].rail) is None else rail for i in allowed]
        foremost = np.sort(np.unique(value, return_index=True)[1])
        allowed = np.concatenate([allowed[foremost], np.delete(allowed, foremost)])
        if neuron.strengths == "equal":
            # Neurons that read different sources prefer different things from the start.
            chosen = shared.setdefault(neuron.layer, {int(i): place for place, i in enumerate(allowed)})
            allowed = np.array(sorted(allowed, key=lambda i: chosen.get(int(i), len(self._neurons))))
        return allowed

    def _first_weights(
        self,
        neuron: _Neuron,
        sources: NDArray[np.int64],
        rails: NDArray[np.int64],
        random: np.random.Generator,
    ) -> tuple[NDArray[np.float64], float]:
        """Return a neuron's first strengths, of the sources it is connected to, and its first threshold.

        rails (2, k): the input neurons that have a complement, and these.
        """
        assert neuron.activation is not None
        count = sources.size
        if self.rule.constraint == "free":
            widest = sqrt((6.0 if neuron.activation.name == "relu" else 3.0) / count)
            drawn = random.uniform(-widest, widest, count)
            return drawn if neuron.strengths == "random" else np.full(count, 1.0 / count), 0.0
        drawn = random.exponential(size=count) ** 1.5 if neuron.strengths == "random" else np.ones(count)
        strength: NDArray[np.float64] = drawn / drawn.sum()
        # The threshold is the drive at a random point, so that each neuron tells apart a different place.
        point = 0.1 + 0.8 * random.random(len(self._neurons))
        point[rails[1]] = 1.0 - point[rails[0]]
        return strength, float(strength @ point[sources]) if neuron.activation.has_threshold else 0.0
