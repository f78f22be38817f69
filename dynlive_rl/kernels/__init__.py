"""Compiled kernels of the network: plain arrays in, plain arrays out. They know neurons, strengths and credit.

Read them in this order: `layout` (what a network is made of), `jit` (how kernels are compiled), `numerics` (activations,
sums), `rng` (random numbers), `update` (how one neuron learns), `structure` (how connections come and go), `online` (one
cycle at a time), `losses` (what outputs are rewarded with), `recruit` (new neurons) and `batch` (a batch of remembered
experience at a time). An agent's own kernels stand in `dynlive_rl.agents.kernels`.

Letters
-------
n neurons, c allowed connections (or a slot among them), i outside values, o output neurons, m remembered cycles,
t cycles of a sequence, b sequences of a batch; j a neuron, k a position in a list.

Words
-----
credit
    ρ, the reward that reaches a neuron.
signal
    Per connection, the gradient that credit asks of its strength: credit · slope · input.
error
    Per neuron, the gradient that credit asks of its drive: credit · slope.
reached
    Per neuron, whether any credit reached it.
"""

from pathlib import Path

from .jit import drop_stale_caches

drop_stale_caches(Path(__file__).parent)
