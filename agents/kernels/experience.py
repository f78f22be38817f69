"""Experience: what is remembered of every step, and how a step is written down."""

from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynlive_rl.kernels.jit import jit_internal
from dynlive_rl.kernels.layout import Integer

from .scaling import update_scaler


class RowKind(IntEnum):
    """Whether an action follows in a row of experience, or how its episode ended there."""

    STEP = 0
    TERMINATED = 1
    TRUNCATED = 2


class Experience(NamedTuple):
    """Rows of e environments in rings of c rows each.

    A row is an observation, the action taken there and the reward for it. The row after the last action of an episode
    holds its final observation and no action, so that row i + 1 is what followed row i, always.
    """

    observation: NDArray[np.float32]  # (e, c, f)
    action: NDArray[np.int32]  # (e, c, d)
    probability: NDArray[np.float32]  # (e, c, d) with which each choice was made
    reward: NDArray[np.float32]  # (e, c)
    kind: NDArray[np.int8]  # (e, c)
    rows: Integer  # (e,) rows written so far


@jit_internal
def all_moderate(values):
    """Tell whether all values (e, f) are numbers within ±1e30, so that float32 can hold what becomes of them."""
    for e in range(values.shape[0]):
        for i in range(values.shape[1]):
            if not abs(values[e, i]) <= 1e30:
                return False
    return True


@jit_internal
def append_row(experience, scaler, env, observation, kind):
    """Write an observation as the next row of an environment's stream, and let the scaler see it."""
    row = experience.rows[env] % experience.kind.shape[1]
    experience.kind[env, row] = kind
    experience.rows[env] += 1
    for i in range(observation.size):
        experience.observation[env, row, i] = observation[i]
    update_scaler(scaler, observation)
