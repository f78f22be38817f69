"""Slow neurons: leaky integrators of what was observed and done, with time constants over orders of magnitude.

A slow neuron has two sources: an input x with strength 1/τ, and itself, one cycle ago, with strength 1 - 1/τ. Its output is

    m ← m + (x - m) / τ.

Here x is the last observation (f,), for k neurons of each value, one of every time constant τ ≥ 1; with τ = 1 a neuron holds
what was there one step before. The fastest ones follow the last action too, one-hot (a,).

In the memory (e, k, n) a row of n = f + a has places for both, and 0 where there is no such neuron.
"""

from dynlive_rl.kernels.jit import jit_entry


@jit_entry
def remember(memory, rates, rows, f, actions, action_offsets, stepped, following):
    """Write into `following` (e, k, n) what slow neurons hold after a step: `memory` itself where none was taken.

    Parameters: memory (e, k, n); rates (k,), 1/τ; rows (e, ≥ f), the observations of the step; f; actions (e, d), and where
    those of every component begin, action_offsets (d + 1,); stepped (e,), which environments stepped.
    """
    for env in range(memory.shape[0]):
        for k in range(rates.size):
            rate = rates[k] if stepped[env] else 0.0
            for i in range(f):
                following[env, k, i] = memory[env, k, i] + rate * (rows[env, i] - memory[env, k, i])
            for component in range(actions.shape[1]):
                first, after = action_offsets[component], action_offsets[component + 1]
                for a in range(first, after):
                    taken = 1.0 if a - first == actions[env, component] else 0.0
                    if k == 0:
                        following[env, 0, f + a] = memory[env, 0, f + a] + rate * (taken - memory[env, 0, f + a])


@jit_entry
def write_slow(memory, rows, f):
    """Write behind each observation, rows (e, size), what its slow neurons hold, memory (e, k, n).

    The fastest ones come first. Of those of observed values what changed since is written, x - m: how fast a value moves. Then
    come the others by time constant.
    """
    n = memory.shape[2]
    for env in range(memory.shape[0]):
        for i in range(n):
            value = memory[env, 0, i]
            rows[env, f + i] = rows[env, i] - value if i < f else value
        column = f + n
        for k in range(1, memory.shape[1]):
            for i in range(f):
                rows[env, column + i] = memory[env, k, i]
            column += f
