"""Novelty: how often every observation has come, and what is paid for those that have seldom come (count-based exploration).

Only where observations recur, and are not too many to be counted. Where every one comes once there is nothing to tell apart.
"""

import numpy as np

from dynlive_rl.kernels.jit import jit_inline, jit_internal

from .experience import RowKind

SLOT_BITS = 15
SLOTS = 2**SLOT_BITS  # counters: observations are told apart by their hashes (Tang et al., 2017)
MOST_COUNTED = 2**13  # different observations: where there are more, none are counted
LARGEST_COUNT = 2**31 - 1


def new_visits() -> np.ndarray:
    """Return counters (SLOTS,) of an agent that has seen nothing."""
    return np.zeros(SLOTS, np.int32)


@jit_inline
def mixed(code, word):
    """Mix a word of 32 bits into a hash: multiplied by 2⁶⁴ over the golden ratio, as in Fibonacci hashing (Knuth, 1973)."""
    code = (code ^ word) * np.uint64(0x9E3779B97F4A7C15)
    return code ^ (code >> np.uint64(32))


@jit_internal
def slot_of(experience, env, row, observed):
    """Return the counter of the observation that is kept in a row, its hash.

    Of the values of single precision the first `observed` count, as what comes after is memory of these.
    """
    code = np.uint64(0)
    words = experience.observation[env, row].view(np.uint32)
    for q in range(observed):
        is_zero = experience.observation[env, row, q] == 0  # 0 and -0 are one value
        code = mixed(code, np.uint64(0) if is_zero else np.uint64(words[q]))
    for q in range(experience.byte.shape[2]):
        code = mixed(code, np.uint64(experience.byte[env, row, q]))
    for q in range(experience.option.shape[2]):
        code = mixed(code, np.uint64(experience.option[env, row, q]))
    return np.int64(mixed(code, np.uint64(1)) >> np.uint64(64 - SLOT_BITS))


@jit_internal
def count_visit(progress, visits, experience, env, observed):
    """Count the observation in an environment's newest row, in visits (SLOTS,) and in the progress record."""
    progress.counted_observations += 1
    if progress.distinct_observations > MOST_COUNTED:
        return
    slot = slot_of(experience, env, (experience.rows[env] - 1) % experience.kind.shape[1], observed)
    if visits[slot] == 0:
        progress.distinct_observations += 1
    visits[slot] = min(visits[slot] + 1, LARGEST_COUNT)
    if progress.distinct_observations > MOST_COUNTED:
        visits[:] = 0


@jit_internal
def forget_visits(progress, visits):
    """Count from nothing on: what was seen in another task says nothing of this one."""
    progress.counted_observations = progress.distinct_observations = 0
    visits[:] = 0


@jit_internal
def observations_recur(progress):
    """Tell whether at least every other observation had come before, and all can be counted."""
    distinct = progress.distinct_observations
    return distinct <= MOST_COUNTED and 2 * distinct < progress.counted_observations


@jit_internal
def write_bonuses(experience, visits, where, width, observed, weight, bonus):
    """Write what every step of the segments where (2, s), each `width` rows long, is paid for where it led: bonus (r,).

    weight · (1 / √N - mean), with N how often the observation that it led to has come, and the mean of 1 / √N over all these
    steps: paid without it, a long episode would be worth more than a short one. 0 where no action was taken.
    """
    capacity = experience.kind.shape[1]
    whole, count = 0.0, 0
    for r in range(bonus.size):
        s, t = r // width, r % width
        row = (where[1, s] + t) % capacity
        bonus[r] = -1.0
        if t < width - 1 and experience.kind[where[0, s], row] == RowKind.STEP:
            slot = slot_of(experience, where[0, s], (row + 1) % capacity, observed)
            bonus[r] = 1.0 / np.sqrt(max(visits[slot], 1))
            whole += bonus[r]
            count += 1
    for r in range(bonus.size):
        bonus[r] = weight * (bonus[r] - whole / count) if bonus[r] >= 0 else 0.0
