"""What the kernels work on: a network, its memory and its learning rule as tuples of arrays and numbers."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .codes import Code

Real = NDArray[np.floating]
Integer = NDArray[np.int64]


class ActivationCode(Code):
    """Activations. From CUSTOM on, the code minus CUSTOM indexes the addresses of user functions.

    RELU to RECTIFIER have a threshold; LINEAR and RECTIFIER are identity and relu without bounds, of free strengths.
    """

    IDENTITY = 0
    POWER = 1
    RELU = 2
    SIGMOID = 3
    LINEAR = 4
    RECTIFIER = 5
    CUSTOM = 6


class RuleKind(Code):
    """What strengths may be: a simplex, as the original rule has them, or any number."""

    SIMPLEX = 0
    ORIGINAL = 1
    FREE = 2


class StepRule(Code):
    """Steps along the signal, or along its moments."""

    SGD = 0
    ADAM = 1


class CreditShare(Code):
    """How a neuron's credit is shared among its sources."""

    CONTRIBUTION = 0
    UNIFORM = 1


class Aggregation(Code):
    """Whether a neuron's drive is the sum or the mean of the products."""

    SUM = 0
    MEAN = 1


class Growth(Code):
    """How missing connections form."""

    NONE = 0
    RANDOM = 1
    SIGNAL = 2


class TableRow(Code):
    """Rows of `NetworkArrays.table`."""

    FIRST = 0
    DEGREE = 1
    ACTIVATION = 2
    UPDATES = 3


class NeuronRow(Code):
    """Rows of `NetworkArrays.neuron`."""

    POWER = 0
    GAIN = 1
    RATE = 2
    THRESHOLD = 3
    TARGET_THRESHOLD = 4
    THRESHOLD_TRACE = 5
    THRESHOLD_MEAN = 6
    THRESHOLD_SQUARE = 7


class LinkRow(Code):
    """Rows of `NetworkArrays.link`."""

    SOURCE = 0
    DELAY = 1


class ConnectionRow(Code):
    """Rows of `NetworkArrays.connection`."""

    STRENGTH = 0
    TARGET_STRENGTH = 1
    MEAN_SIGNAL = 2
    SQUARE_SIGNAL = 3
    TRACE = 4


class NetworkArrays(NamedTuple):
    """A network of n neurons with c allowed connections, stored row by row (all allowed sources of neuron 0, of 1, …).

    In every row the connected sources stand first: slots `first[j]` to `first[j] + degree[j]` have strength > 0, the
    remaining slots up to `first[j + 1]` are allowed but unconnected and hold strength 0. No kernel ever tests a strength
    for 0.

    Few arrays with many rows, because a compiled call unpacks every array it is given, and compiling takes longer with
    each. In Python the rows have names, as views.
    """

    inputs: Integer  # (2, v) ids of the input neurons that take each outside value, and 1 - value (-1 for none)
    order: Integer  # (n - inputs,) all other neurons in firing order
    outputs: Integer  # (o,) ids of the output neurons
    table: Integer  # (4, n + 1)
    neuron: Real  # (8, n)
    link: NDArray[np.int32]  # (2, c)
    connection: Real  # (5, c)
    custom: Integer  # (k, 2) addresses of user activations and their derivatives
    random: NDArray[np.uint64]  # (4,) state of the random number generator

    @property
    def first(self) -> Integer:
        """(n + 1,) where each neuron's row of allowed sources starts."""
        return self.table[TableRow.FIRST]

    @property
    def degree(self) -> Integer:
        """(n,) number of connections."""
        return self.table[TableRow.DEGREE, :-1]

    @property
    def activation(self) -> Integer:
        """(n,) activation code."""
        return self.table[TableRow.ACTIVATION, :-1]

    @property
    def updates(self) -> Integer:
        """(n,) updates so far, for Adam's bias correction."""
        return self.table[TableRow.UPDATES, :-1]

    @property
    def power(self) -> Real:
        """(n,) exponent, for POWER."""
        return self.neuron[NeuronRow.POWER]

    @property
    def gain(self) -> Real:
        """(n,) slope before the activation, 1 where the activation has none; 0 marks a neuron that is dead or removed."""
        return self.neuron[NeuronRow.GAIN]

    @property
    def rate(self) -> Real:
        """(n,) step size relative to the rule's learning rate."""
        return self.neuron[NeuronRow.RATE]

    @property
    def threshold(self) -> Real:
        """(n,) learned threshold, of RELU to RECTIFIER."""
        return self.neuron[NeuronRow.THRESHOLD]

    @property
    def target_threshold(self) -> Real:
        """(n,) the threshold's slow follower."""
        return self.neuron[NeuronRow.TARGET_THRESHOLD]

    @property
    def threshold_trace(self) -> Real:
        """(n,) eligibility trace of the threshold."""
        return self.neuron[NeuronRow.THRESHOLD_TRACE]

    @property
    def threshold_mean(self) -> Real:
        """(n,) Adam's running mean of the threshold's own signal."""
        return self.neuron[NeuronRow.THRESHOLD_MEAN]

    @property
    def threshold_square(self) -> Real:
        """(n,) Adam's running mean square of the threshold's own signal."""
        return self.neuron[NeuronRow.THRESHOLD_SQUARE]

    @property
    def source(self) -> NDArray[np.int32]:
        """(c,) id of the source."""
        return self.link[LinkRow.SOURCE]

    @property
    def delay(self) -> NDArray[np.int32]:
        """(c,) 0: read in the same cycle, 1: read in the cycle before."""
        return self.link[LinkRow.DELAY]

    @property
    def strength(self) -> Real:
        """(c,) strength of every allowed connection, 0 where there is none."""
        return self.connection[ConnectionRow.STRENGTH]

    @property
    def target_strength(self) -> Real:
        """(c,) the strength's slow follower."""
        return self.connection[ConnectionRow.TARGET_STRENGTH]

    @property
    def mean_signal(self) -> Real:
        """(c,) Adam's running mean of each connection's own signal; without Adam the last signal."""
        return self.connection[ConnectionRow.MEAN_SIGNAL]

    @property
    def square_signal(self) -> Real:
        """(c,) Adam's running mean square of each connection's own signal."""
        return self.connection[ConnectionRow.SQUARE_SIGNAL]

    @property
    def trace(self) -> Real:
        """(c,) eligibility trace."""
        return self.connection[ConnectionRow.TRACE]


STATE = (
    "first", "degree", "activation", "updates",
    "power", "gain", "rate", "threshold", "target_threshold", "threshold_trace", "threshold_mean", "threshold_square",
    "source", "delay",
    "strength", "target_strength", "mean_signal", "square_signal", "trace",
    "random",
)  # fmt: skip
"""What learning and edits in place change of a `NetworkArrays`, by name; the order is that of the rows."""


class Memory(NamedTuple):
    """The last m cycles of every neuron, as a ring of m + 1 rows: the oldest cycle's sources were read in the spare one."""

    cycles: Integer  # (1,) cycles since the last reset
    output: Real  # (m + 1, n)
    drive: Real  # (m + 1, n) what each neuron summed before its activation


class RowState(Code):
    """What is known of a neuron's outputs in a batch: they differ, or it is off throughout, or nobody looked.

    Rows that are OFF hold 0. Work is done only for what is on; where nobody says so, all rows are VARIED.
    """

    OFF = 0
    VARIED = 1
    UNSEEN = 2


class Batch(NamedTuple):
    """The cycles of b remembered sequences of t cycles at once, laid out [cycle][neuron][sequence]."""

    output: Real  # (t + 1, n, b); row 0 is the rest before the first cycle, 0 everywhere
    drive: Real  # (t, n, b)
    state: NDArray[np.int8]  # (n,) a RowState


class Workspace(NamedTuple):
    """Room for credit on its way back, through m remembered cycles (newest first) or through a batch."""

    credit: Real  # (m + 1, n) or (t + 1, n, b)
    distance: Integer  # (…, n) connections between a neuron and the nearest reward
    signal: Real  # (c,) what is asked of each connection
    error: Real  # (n,) credit · slope, summed over the batch
    reached: NDArray[np.int8]  # (n,) who has something to learn


MOST_WEAK = 0.02  # no strength above this is ever called weak
LEAST_STRENGTH = 2.0**-126  # the smallest normal number of float32


class Rule(NamedTuple):
    """The numbers of a learning rule, see `dynlive_rl.rule.LearningRule`."""

    kind: int
    step: int
    share: int
    aggregation: int
    reserve: bool
    learning_rate: float
    credit_gain: float  # 0: the neuron's number of connections
    prune_floor: float
    prune_fraction: float  # of 1 / number of allowed sources
    growth: int
    growth_probability: float
    growth_strength: float
    max_connections: int
    recruit_below: float
    mature: int
    decay1: float
    decay2: float

    @property
    def recruiting(self) -> bool | None:
        """True where it recruits, else None: kernels for None are compiled without what recruits."""
        return True if self.recruit_below > 0 else None


def new_arrays(
    neurons: int, connections: int, dtype: Any, *, inputs: Integer, order: Integer, outputs: Integer, custom: Integer
) -> NetworkArrays:
    """Return the arrays of a network of n neurons and c allowed connections, with 0 in every row."""
    return NetworkArrays(
        inputs=inputs,
        order=order,
        outputs=outputs,
        table=np.zeros((len(TableRow), neurons + 1), np.int64),
        neuron=np.zeros((len(NeuronRow), neurons), dtype),
        link=np.zeros((len(LinkRow), connections), np.int32),
        connection=np.zeros((len(ConnectionRow), connections), dtype),
        custom=custom,
        random=np.zeros(4, np.uint64),
    )


def new_memory(net: NetworkArrays, cycles: int) -> Memory:
    """Return an empty memory of a number of cycles for a network."""
    n, real = net.degree.size, net.strength.dtype
    return Memory(
        cycles=np.zeros(1, np.int64), output=np.zeros((cycles + 1, n), real), drive=np.zeros((cycles + 1, n), real)
    )


def new_batch(net: NetworkArrays, cycles: int, size: int) -> Batch:
    """Return room for `size` sequences of a number of cycles at once."""
    n, real = net.degree.size, net.strength.dtype
    return Batch(
        output=np.zeros((cycles + 1, n, size), real),
        drive=np.zeros((cycles, n, size), real),
        state=np.full(n, RowState.VARIED, np.int8),
    )


def new_batches(net: NetworkArrays, count: int, size: int) -> Batch:
    """Return room for `count` batches of `size` sequences of one cycle, in arrays (count, …)."""
    n, real = net.degree.size, net.strength.dtype
    return Batch(
        output=np.zeros((count, 2, n, size), real),
        drive=np.zeros((count, 1, n, size), real),
        state=np.full((count, n), RowState.VARIED, np.int8),
    )


def new_workspace(net: NetworkArrays, *shape: int) -> Workspace:
    """Return room for credit through `shape` = (cycles,) remembered cycles, or (cycles, size) of a batch."""
    n, real = net.degree.size, net.strength.dtype
    cycles, *size = shape
    return Workspace(
        credit=np.zeros((cycles + 1, n, *size), real),
        distance=np.zeros((cycles + 1, n), np.int64),
        signal=np.zeros(net.strength.size, real),
        error=np.zeros(n, real),
        reached=np.zeros(n, np.int8),
    )
