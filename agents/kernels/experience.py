"""Experience: what is remembered of every step, and how a step is written down."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynlive_rl.kernels.codes import Code
from dynlive_rl.kernels.jit import jit_inline, jit_internal
from dynlive_rl.kernels.layout import Integer

from .scaling import ScalerRow, update_scaler


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

    observation: NDArray[np.float32]  # (e, r, s) values of single precision
    byte: NDArray[np.uint8]  # (e, r, u) whole values from 0 to 255
    option: NDArray[np.int32]  # (e, r, p) which value each one-hot component has
    action: NDArray[np.int32]  # (e, r, d)
    probability: NDArray[np.float32]  # (e, r, d) with which each component's action was chosen
    reward: NDArray[np.float32]  # (e, r)
    kind: NDArray[np.int8]  # (e, r) a RowKind
    forbidden: NDArray[np.bool_]  # (e, r, a) which actions were masked; (e, r, 0) while nobody has masked any
    rows: Integer  # (e,) rows written so far


class Kept(NamedTuple):
    """How the f values of an observation are kept in a row: each in one of three ways."""

    single: Integer  # (s,) values, ascending, that are kept in single precision
    byte: Integer  # (u,) those that are whole and from 0 to 255
    option: Integer  # (2, p) first value, and number of values, of one-hot components

    @property
    def row_bytes(self) -> int:
        """Bytes of an observation."""
        return 4 * self.single.size + self.byte.size + 4 * self.option.shape[1]


def as_singles(features: int) -> Kept:
    """Return the way to keep an observation of f values of any kind."""
    return Kept(np.arange(features), np.zeros(0, np.int64), np.zeros((2, 0), np.int64))


def new_experience(environments: int, rows: int, kept: Kept, components: int, masked: int = 0) -> Experience:
    """Return empty experience: e environments, r rows each, d action components, masks of so many actions."""
    return Experience(
        observation=np.zeros((environments, rows, kept.single.size), np.float32),
        byte=np.zeros((environments, rows, kept.byte.size), np.uint8),
        option=np.zeros((environments, rows, kept.option.shape[1]), np.int32),
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
def append_row(experience, kept, scaler, sample, env, observation, forbidden, kind):
    """Write an observation (f,) and its mask (a,) as an environment's next row; update the scaler (5, f) and its samples."""
    row = experience.rows[env] % experience.kind.shape[1]
    experience.kind[env, row] = kind
    experience.rows[env] += 1
    for q in range(kept.single.size):
        experience.observation[env, row, q] = observation[kept.single[q]]
    for q in range(kept.byte.size):
        experience.byte[env, row, q] = np.uint8(observation[kept.byte[q]])
    for q in range(kept.option.shape[1]):
        taken = 0
        while taken < kept.option[1, q] - 1 and observation[kept.option[0, q] + taken] == 0:
            taken += 1
        experience.option[env, row, q] = taken
    write_mask(experience, env, row, forbidden)
    update_scaler(scaler, sample, observation)


@jit_internal
def read_row(experience, kept, env, row, observation):
    """Write the observation (f,) that is kept in a row of an environment."""
    for q in range(kept.single.size):
        observation[kept.single[q]] = experience.observation[env, row, q]
    for q in range(kept.byte.size):
        observation[kept.byte[q]] = experience.byte[env, row, q]
    for q in range(kept.option.shape[1]):
        first = kept.option[0, q]
        for i in range(first, first + kept.option[1, q]):
            observation[i] = 0
        observation[first + experience.option[env, row, q]] = 1


@jit_internal
def refit_scaler(scaler, sample, experience, kept, age):
    """Make a scaler (5, f) and its samples those of the last `age` rows of every environment."""
    scaler[ScalerRow.COUNT] = 0
    capacity = experience.kind.shape[1]
    observation = np.empty(scaler.shape[1], np.float32)
    for env in range(experience.rows.size):
        for row in range(max(experience.rows[env] - min(age, capacity), 0), experience.rows[env]):
            read_row(experience, kept, env, row % capacity, observation)
            update_scaler(scaler, sample, observation)


@jit_internal
def write_mask(experience, env, row, forbidden):
    """Remember which actions (a,) are masked in a row of an environment, where masks are remembered."""
    for k in range(experience.forbidden.shape[2]):
        experience.forbidden[env, row, k] = forbidden[k]


@jit_inline
def are_equal(one, other):
    """Tell whether two rows of one length are equal."""
    i = 0
    while i < one.size and one[i] == other[i]:
        i += 1
    return i == one.size


@jit_internal
def changed_values(experience, env, observed):
    """Return how many of an environment's observed values its last step changed: two of a one-hot component, if any.

    Of the values of single precision the first `observed` count.
    """
    capacity = experience.kind.shape[1]
    row = (experience.rows[env] - 1) % capacity
    before = (row - 1) % capacity
    changed = 0
    for q in range(observed):
        changed += experience.observation[env, row, q] != experience.observation[env, before, q]
    for q in range(experience.byte.shape[2]):
        changed += experience.byte[env, row, q] != experience.byte[env, before, q]
    for q in range(experience.option.shape[2]):
        changed += 2 * (experience.option[env, row, q] != experience.option[env, before, q])
    return changed


@jit_internal
def nothing_new(experience, env, observed, most):
    """Tell whether what an environment's last action led to is known: a termination, or what its episode has seen already.

    Looked at are the last `most` rows, and of each the first `observed` values of single precision, as what comes after is
    memory of these, and all others.
    """
    capacity = experience.kind.shape[1]
    newest = experience.rows[env] - 1
    oldest = max(newest - min(most, capacity - 1), 0)
    if newest > oldest and experience.kind[env, (newest - 1) % capacity] == RowKind.TERMINATED:
        return True
    present = newest % capacity
    for earlier in range(newest - 1, oldest - 1, -1):
        if experience.kind[env, earlier % capacity] != RowKind.STEP:
            return False
        row = earlier % capacity
        if (
            are_equal(experience.observation[env, row, :observed], experience.observation[env, present, :observed])
            and are_equal(experience.byte[env, row], experience.byte[env, present])
            and are_equal(experience.option[env, row], experience.option[env, present])
        ):
            return True
    return False
