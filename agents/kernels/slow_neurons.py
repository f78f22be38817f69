"""Slow neurons: leaky integrators of what was observed and done, with time constants over orders of magnitude.

A slow neuron has two sources: an input x with strength 1/τ, and itself, one cycle ago, with strength 1 - 1/τ. Its output is

    m ← m + (x - m) / τ.

Here x is the last observation (f,) followed by the last action, one-hot (a,). There are k neurons for each of these n = f + a
inputs, one of every time constant τ ≥ 1; with τ = 1 a neuron holds what was there one step before.
"""

from dynlive_rl.kernels.jit import jit_entry


@jit_entry
def remember(memory, rates, rows, actions, action_offsets, stepped, following):
    """Write into `following` (e, k, n) what slow neurons hold after a step: `memory` (e, k, n) itself where none was taken.

    Parameters: rates (k,), 1/τ; rows (e, ≥ f), the observations of the step; actions (e, d), and where those of every
    component begin, action_offsets (d + 1,); stepped (e,), which environments stepped.
    """
    num_actions = action_offsets[-1]
    f = memory.shape[2] - num_actions
    for env in range(memory.shape[0]):
        for k in range(rates.size):
            rate = rates[k] if stepped[env] else 0.0
            for i in range(f):
                following[env, k, i] = memory[env, k, i] + rate * (rows[env, i] - memory[env, k, i])
            for component in range(actions.shape[1]):
                first, after = action_offsets[component], action_offsets[component + 1]
                for a in range(first, after):
                    x = 1.0 if a - first == actions[env, component] else 0.0
                    following[env, k, f + a] = memory[env, k, f + a] + rate * (x - memory[env, k, f + a])


@jit_entry
def write_slow(memory, rows, f):
    """Write behind each observation, rows (e, f + k · n), what its slow neurons hold, memory (e, k, n).

    Of the fastest neurons of observed values what changed since is written, x - m: how fast a value moves.
    """
    n = memory.shape[2]
    for env in range(memory.shape[0]):
        for k in range(memory.shape[1]):
            for i in range(n):
                value = memory[env, k, i]
                rows[env, f + k * n + i] = rows[env, i] - value if k == 0 and i < f else value
