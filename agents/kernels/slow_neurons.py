"""Slow neurons: leaky integrators of what was observed and done, with time constants over orders of magnitude.

A slow neuron has two sources: an input x with strength 1/τ, and itself, one cycle ago, with strength 1 - 1/τ. Its output is

    m ← m + (x - m) / τ.

Here x is the last observation (f,), for k neurons of each value, one of every time constant τ ≥ 1, and the last action, one-hot
(a,), which only the fastest ones follow. With τ = 1 a neuron holds what was there one step before.
"""

from dynlive_rl.kernels.jit import jit_entry


@jit_entry
def remember(memory, rates, rows, actions, action_offsets, stepped, following):
    """Write into `following` (e, k, f + a) what slow neurons hold after a step: `memory` itself where none was taken.

    Parameters: memory (e, k, f + a); rates (k,), 1/τ; rows (e, ≥ f), the observations of the step; actions (e, d), and where
    those of every component begin, action_offsets (d + 1,); stepped (e,), which environments stepped.
    """
    f = memory.shape[2] - action_offsets[-1]
    for env in range(memory.shape[0]):
        for k in range(rates.size):
            rate = rates[k] if stepped[env] else 0.0
            for i in range(f):
                following[env, k, i] = memory[env, k, i] + rate * (rows[env, i] - memory[env, k, i])
        rate = rates[0] if stepped[env] else 0.0
        for component in range(actions.shape[1]):
            first, after = action_offsets[component], action_offsets[component + 1]
            for a in range(first, after):
                x = 1.0 if a - first == actions[env, component] else 0.0
                following[env, 0, f + a] = memory[env, 0, f + a] + rate * (x - memory[env, 0, f + a])


@jit_entry
def write_slow(memory, rows, f):
    """Write behind each observation, rows (e, f + k · f + a), what its slow neurons hold, memory (e, k, f + a).

    The fastest ones come first. Of those of observed values what changed since is written, x - m: how fast a value moves.
    """
    n = memory.shape[2]
    for env in range(memory.shape[0]):
        for i in range(n):
            value = memory[env, 0, i]
            rows[env, f + i] = rows[env, i] - value if i < f else value
        for k in range(1, memory.shape[1]):
            for i in range(f):
                rows[env, n + k * f + i] = memory[env, k, i]
