"""What the kernels work on: a network, its memory and its learning rule as tuples of arrays and numbers."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.floating]
Integer = NDArray[np.int64]

# Activation codes. From CUSTOM on, the code minus CUSTOM indexes the addresses of user functions.
# RELU to RECTIFIER have a threshold; LINEAR and RECTIFIER are identity and relu without bounds, of free strengths.
IDENTITY, POWER, RELU, SIGMOID, LINEAR, RECTIFIER, CUSTOM = 0, 1, 2, 3, 4, 5, 6
# Learning rules, steps, shares, aggregations and ways to grow.
SIMPLEX, ORIGINAL, FREE = 0, 1, 2
SGD, ADAM = 0, 1
CONTRIBUTION, UNIFORM = 0, 1
SUM, MEAN = 0, 1
NONE, RANDOM, SIGNAL = 0, 1, 2


# Rows of NetworkArrays.table, .neuron, .link and .connection.
FIRST, DEGREE, ACTIVATION, UPDATES = 0, 1, 2, 3
POWER_OF, GAIN, RATE, THRESHOLD, SLOW_THRESHOLD, THRESHOLD_TAG, THRESHOLD_MEAN, THRESHOLD_SQUARE = (
    0,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
)
SOURCE, DELAY = 0, 1
STRENGTH, SLOW_STRENGTH, MEAN_SIGNAL, SQUARE_SIGNAL, TAG = 0, 1, 2, 3, 4


class NetworkArrays(NamedTuple):
    """A network of n neurons with c allowed connections, stored row by row (all allowed sources of neuron 0, of 1, …).

    In every row the connected sources stand first: slots `first[j]` to `first[j] + degree[j]` have strength > 0, the
    remaining slots up to `first[j + 1]` are allowed but unconnected and hold strength 0. No kernel ever tests a strength
    for 0.

    Few arrays with many rows, because a compiled call unpacks every array it is given, and compiling takes longer with
    each. In Python the rows have names, as views.
    """

    inputs: Integer  # (2, i) ids of the input neurons that take each outside value, and 1 - value (-1 for none)
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
        return self.table[FIRST]

    @property
    def degree(self) -> Integer:
        """(n,) number of connections."""
        return self.table[DEGREE, :-1]

    @property
    def activation(self) -> Integer:
        """(n,) activation code."""
        return self.table[ACTIVATION, :-1]

    @property
    def updates(self) -> Integer:
        """(n,) updates so far, for Adam's bias correction."""
        return self.table[UPDATES, :-1]

    @property
    def power(self) -> Real:
        """(n,) exponent, for POWER."""
        return self.neuron[POWER_OF]

    @property
    def gain(self) -> Real:
        """(n,) slope before the activation, 1 where the activation has none; 0 marks a neuron that is dead or removed."""
        return self.neuron[GAIN]

    @property
    def rate(self) -> Real:
        """(n,) step size relative to the rule's learning rate."""
        return self.neuron[RATE]

    @property
    def threshold(self) -> Real:
        """(n,) learned threshold, of RELU to RECTIFIER."""
        return self.neuron[THRESHOLD]

    @property
    def threshold_tag(self) -> Real:
        """(n,) eligibility trace of the threshold."""
        return self.neuron[THRESHOLD_TAG]

    @property
    def source(self) -> NDArray[np.int32]:
        """(c,) id of the source."""
        return self.link[SOURCE]

    @property
    def delay(self) -> NDArray[np.int32]:
        """(c,) 0: read in the same cycle, 1: read in the cycle before."""
        return self.link[DELAY]

    @property
    def strength(self) -> Real:
        """(c,) strength of every allowed connection, 0 where there is none."""
        return self.connection[STRENGTH]

    @property
    def moments(self) -> Real:
        """(2, c) Adam's running mean and mean square of each connection's own signal."""
        return self.connection[MEAN_SIGNAL : SQUARE_SIGNAL + 1]

    @property
    def tag(self) -> Real:
        """(c,) eligibility trace."""
        return self.connection[TAG]


class Memory(NamedTuple):
    """The last m cycles of every neuron, as a ring of m + 1 rows: the oldest cycle's sources were read in the spare one."""

    cycles: Integer  # (1,) cycles since the last reset
    output: Real  # (m + 1, n)
    drive: Real  # (m + 1, n) what each neuron summed before its activation


class Batch(NamedTuple):
    """The cycles of b remembered sequences of t cycles at once, laid out [cycle][neuron][sequence]."""

    output: Real  # (t + 1, n, b); row 0 is the rest before the first cycle, 0 everywhere
    drive: Real  # (t, n, b)


class Credit(NamedTuple):
    """Scratch for credit on its way back, through m remembered cycles (newest first) or through a batch."""

    credit: Real  # (m + 1, n) or (t + 1, n, b)
    distance: Integer  # (…, n) connections between a neuron and the nearest reward
    signal: Real  # (c,) what is asked of each connection
    error: Real  # (n,) credit · slope, summed over the batch
    reached: NDArray[np.int8]  # (n,) who has something to learn


MOST_WEAK = 0.02  # no strength above this is ever called weak


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
