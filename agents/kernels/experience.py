"""Experience: what is remembered of every step, and how a step is written down."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynlive_rl.kernels.codes import Code
from dynlive_rl.kernels.jit import jit_internal
from dynlive_rl.kernels.layout import Integer

from .scaling import update_scaler


class RowKind(Code):
    """Whether an action follows in a row of experience, or how its episode ended there."""

    STEP = 0
    TERMINATED = 1
    TRUNCATED = 2


class Experience(NamedTuple):
    """Rows of e environments in rings of r rows each.

    A row is an observation, the action taken there and the reward for it. The row after the last action of an episode
    holds its final observation and no action, so that row i + 1 is what followed row i, always.
    """

    observation: NDArray[np.float32]  # (e, r, f)
    action: NDArray[np.int32]  # (e, r, d)
    probability: NDArray[np.float32]  # (e, r, d) with which each component's action was chosen
    reward: NDArray[np.float32]  # (e, r)
    kind: NDArray[np.int8]  # (e, r) a RowKind
    forbidden: NDArray[np.bool_]  # (e, r, a) which actions were masked; (e, r, 0) while nobody has masked any
    rows: Integer  # (e,) rows written so far


def new_experience(environments: int, rows: int, features: int, components: int, masked: int = 0) -> Experience:
    """Return empty experience: e environments, r rows each, f features, d action components, masks of so many actions."""
    return Experience(
        observation=np.zeros((environments, rows, features), np.float32),
        action=np.zeros((environments, rows, components), np.int32),
        probability=np.ones((environments, rows, components), np.float32),
        reward=np.zeros((environments, rows), np.float32),
        kind=np.zeros((environments, rows), np.int8),
        forbidden=np.zeros((environments, rows, masked), np.bool_),
        rows=np.zeros(environments, np.int64),
    )


@jit_internal
def all_moderate(values):
    """Tell whether all values (e, f) are numbers within ±1e30, so that float32 can hold what becomes of them."""
    for e in range(values.shape[0]):
        for i in range(values.shape[1]):
            if not abs(values[e, i]) <= 1e30:
                return False
    return True


@jit_internal
def append_row(experience, scaler, sample, env, observation, forbidden, kind):
    """Write an observation (f,) and its mask (a,) as an environment's next row; update the scaler (5, f) and its samples."""
    row = experience.rows[env] % experience.kind.shape[1]
    experience.kind[env, row] = kind
    experience.rows[env] += 1
    for i in range(observation.size):
        experience.observation[env, row, i] = observation[i]
    write_mask(experience, env, row, forbidden)
    update_scaler(scaler, sample, observation)


@jit_internal
def write_mask(experience, env, row, forbidden):
    """Remember which actions (a,) are masked in a row of an environment, where masks are remembered."""
    for k in range(experience.forbidden.shape[2]):
        experience.forbidden[env, row, k] = forbidden[k]


@jit_internal
def nothing_new(experience, env, observed, most):
    """Tell whether what an environment's last action led to is known: a termination, or what its episode has seen already.

    Looked at are the last `most` rows, and of each the first `observed` values: what comes after is memory of these.
    """
    capacity = experience.kind.shape[1]
    newest = experience.rows[env] - 1
    oldest = max(newest - min(most, capacity - 1), 0)
    if newest > oldest and experience.kind[env, (newest - 1) % capacity] == RowKind.TERMINATED:
        return True
    present = experience.observation[env, newest % capacity]
    for earlier in range(newest - 1, oldest - 1, -1):
        if experience.kind[env, earlier % capacity] != RowKind.STEP:
            return False
        i = 0
        while i < observed and experience.observation[env, earlier % capacity, i] == present[i]:
            i += 1
        if i == observed:
            return True
    return False
