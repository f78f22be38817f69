"""Compiled kernels of the network: plain arrays in, plain arrays out. They know neurons, strengths and credit.

Read them in this order: `layout` (what a network is made of), `jit` (how kernels are compiled), `numerics` (activations,
sums), `rng` (random numbers), `update` (how one neuron learns), `structure` (how connections come and go), `online` (one
cycle at a time), `losses` (what outputs are rewarded with), `recruit` (new neurons) and `batch` (a batch of remembered
experience at a time); `first_start` compiles them. An agent's own kernels stand in `dynlive_rl.agents.kernels`.

Letters, as sizes in shapes and as positions in loops
-----------------------------------------------------
n neurons, c allowed connections (or a slot among them), v outside values, o output neurons, m remembered cycles,
t cycles of a sequence, b sequences of a batch; j a neuron, i a source of it, k a position in any other list.

Symbols of equations (per connection from source i to neuron j, in one cycle)
-----------------------------------------------------------------------------
x_i output of the source at its reference, w_i strength, s_j = Σ_i w_i x_i drive, a_j = f(s_j) output, ρ_j reward, κ credit
gain, e_j = ρ_j f'(s_j) error, g_i signal; n_j the neuron's number of connections.

Words
-----
credit
    ρ, the reward that reaches a neuron.
signal
    Per connection, the gradient that credit asks of its strength: e x, centred over the row where strengths sum to 1.
error
    Per neuron, the gradient that credit asks of its drive: e = ρ f'(s).
reached
    Per neuron, whether any credit reached it.
trace
    Per connection and threshold, a fading sum of signals (eligibility trace), that a later error turns into a step.
target
    Strengths and thresholds that follow the current ones slowly (Polyak average); kept for agents, the network learns
    without them.

Arguments
---------
net, memory, batch, workspace and rule are always a `NetworkArrays`, `Memory`, `Batch`, `Workspace` and `Rule` of `layout`;
table, neuron, link and connection the arrays of that name of a network, with the shapes that are given there.
"""

from pathlib import Path

from .jit import drop_stale_caches

drop_stale_caches(Path(__file__).parent)
