"""What the kernels work on: a network, its memory and its learning rule as tuples of arrays and numbers."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Real = NDArray[np.floating]
Integer = NDArray[np.int64]

# Activation codes. From CUSTOM on, the code minus CUSTOM indexes the addresses of user functions.
IDENTITY, POWER, RELU, SIGMOID, CUSTOM = 0, 1, 2, 3, 4
# Learning rules, steps, shares, aggregations and ways to grow.
SIMPLEX, ORIGINAL = 0, 1
SGD, ADAM = 0, 1
CONTRIBUTION, UNIFORM = 0, 1
SUM, MEAN = 0, 1
NONE, RANDOM, SIGNAL = 0, 1, 2


class NetworkArrays(NamedTuple):
    """A network of n neurons with c allowed connections, stored row by row (all allowed sources of neuron 0, of 1, …).

    In every row the connected sources stand first: slots `first[j]` to `first[j] + degree[j]` have strength > 0, the
    remaining slots up to `first[j + 1]` are allowed but unconnected and hold 0. No kernel ever tests a strength for 0.
    """

    inputs: Integer  # (i,) ids of the input neurons that take the outside values as they are
    complements: Integer  # (i,) ids of the input neurons that take 1 - value, -1 for none
    order: Integer  # (n - inputs,) all other neurons in firing order
    outputs: Integer  # (o,) ids of the output neurons
    first: Integer  # (n + 1,) where each neuron's row of allowed sources starts
    degree: Integer  # (n,) number of connections
    source: NDArray[np.int32]  # (c,) id of the source
    delay: NDArray[np.int8]  # (c,) 0: read in the same cycle, 1: read in the cycle before
    activation: Integer  # (n,) activation code
    power: Real  # (n,) exponent, for POWER
    gain: Real  # (n,) slope before the activation, 1 where the activation has none
    has_threshold: NDArray[np.int8]  # (n,) 1 where a threshold is learned
    rate: Real  # (n,) step size relative to the rule's learning rate
    custom: Integer  # (k, 2) addresses of user activations and their derivatives
    strength: Real  # (c,)
    threshold: Real  # (n,)
    moments: Real  # (2, c) Adam's running mean and mean square of each connection's own signal
    threshold_moments: Real  # (2, n)
    updates: Integer  # (n,) updates so far, for Adam's bias correction
    tag: Real  # (c,) eligibility trace
    threshold_tag: Real  # (n,)
    slow_strength: Real  # (c,) running average of the strengths
    slow_threshold: Real  # (n,)
    random: NDArray[np.uint64]  # (4,) state of the random number generator


class Memory(NamedTuple):
    """The last m cycles of every neuron, as a ring of m + 1 rows: the oldest cycle's sources were read in the spare one."""

    cycles: Integer  # (1,) cycles since the last reset
    output: Real  # (m + 1, n)
    drive: Real  # (m + 1, n) what each neuron summed before its activation
    credit: Real  # (m + 1, n) scratch: credit on its way back
    distance: Integer  # (m + 1, n) scratch: connections between a neuron and the nearest reward
    signal: Real  # (c,) scratch: what one cycle asks of each connection
    error: Real  # (n,) scratch: credit · slope
    reached: NDArray[np.int8]  # (n,) scratch: who has something to learn


class Batch(NamedTuple):
    """Room for rehearsing b remembered sequences of t cycles at once, laid out [cycle][neuron][sequence]."""

    output: Real  # (t + 1, n, b); row 0 is the rest before the first cycle, 0 everywhere
    drive: Real  # (t, n, b)
    credit: Real  # (t + 1, n, b)
    distance: Integer  # (t + 1, n)
    signal: Real  # (c,) what the batch asks of each connection
    error: Real  # (n,) credit · slope, summed over the batch
    reached: NDArray[np.int8]  # (n,) who has something to learn


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
    decay1: float
    decay2: float
