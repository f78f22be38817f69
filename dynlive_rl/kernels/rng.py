"""Random numbers without global state: xoshiro256++ in an array of four words."""

import numpy as np
from numpy.typing import NDArray

from .jit import jit_inline


@jit_inline
def random_bits(state):
    """Advance a xoshiro256++ state of shape (4,) (Blackman & Vigna, 2019) and return 64 random bits."""
    total = state[0] + state[3]
    result = ((total << np.uint64(23)) | (total >> np.uint64(41))) + state[0]
    shifted = state[1] << np.uint64(17)
    state[2] ^= state[0]
    state[3] ^= state[1]
    state[1] ^= state[2]
    state[0] ^= state[3]
    state[2] ^= shifted
    state[3] = (state[3] << np.uint64(45)) | (state[3] >> np.uint64(19))
    return result


@jit_inline
def random_uniform(state):
    """Random number in [0, 1), advancing the generator's state."""
    return np.float64(random_bits(state) >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@jit_inline
def random_integer(state, high):
    """Random integer in [0, high), advancing the generator's state."""
    return np.int64(random_uniform(state) * high)


def random_state(seed: np.random.SeedSequence) -> NDArray[np.uint64]:
    """Return the first state (4,) of the kernels' random number generator."""
    return seed.generate_state(4, np.uint64).astype(np.uint64)
