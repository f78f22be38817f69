"""What comes from an environment or a caller and cannot be learned from, in one sentence."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

FAULTS = (TypeError, ValueError, IndexError, OverflowError, RuntimeError)  # what NumPy and tensors raise for misfits


class BadInputError(ValueError):
    """What was brought cannot be learned from, and nothing was; the message says why."""


def raise_invalid(observations: NDArray[np.float32], rewards: NDArray[np.float64] | None = None) -> None:
    """Raise BadInputError with the first observation or reward that is not a number within ±1e30."""
    for name, values in (("rewards", rewards), ("observations", observations)):
        bad = None if values is None else values[~(np.abs(values) <= 1e30)]
        if bad is not None and bad.size:
            raise BadInputError(f"{name} must be numbers within ±1e30, not {bad[0]}; nothing was learned from it")


def numbers_of(value: Any) -> NDArray[Any]:
    """Return what consists of real numbers as an array; one of FAULTS if it does not."""
    array = np.asarray(value)
    if array.dtype.kind not in "biuf":
        raise TypeError
    return array


def check_reward(reward: Any) -> float:
    """Return a reward; BadInputError unless it is a real number."""
    try:
        array = numbers_of(reward)
    except FAULTS:
        array = None
    if array is None or array.ndim:
        raise BadInputError(f"reward must be a number, not {reward!r:.200}")
    return float(array)


def finite(rewards: Any) -> Any:
    """Return a reward or rewards (e,); BadInputError unless all are numbers within ±1e30."""
    bad = np.ravel(rewards)[~(np.abs(np.ravel(rewards)) <= 1e30)]
    if bad.size:
        raise BadInputError(f"rewards must be numbers within ±1e30, not {bad[0]}")
    return rewards


def check_flag(name: str, flag: Any) -> bool:
    """Return whether an episode ended; BadInputError unless it says True or False, or 1 or 0."""
    if type(flag) is bool or type(flag) is np.bool_:
        return bool(flag)
    try:
        array = numbers_of(flag)
    except FAULTS:
        array = None
    if array is None or array.ndim or array not in (0, 1):
        raise BadInputError(f"{name} must be True or False, not {flag!r:.200}")
    return bool(array)


def check_ends(terminated: Any, truncated: Any, count: int) -> NDArray[np.bool_]:
    """Return which of a number of environments (e,) ended; BadInputError unless both say so for each."""
    ended, cut_off = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
    check_row("terminated", terminated, ended)
    check_row("truncated", truncated, cut_off)
    ended |= cut_off
    return ended


def check_row(name: str, values: Any, row: NDArray[Any]) -> None:
    """Write a number, or a flag, of every environment into a row (e,); BadInputError unless there are so many."""
    try:
        array = numbers_of(values)
    except FAULTS:
        array = None
    if array is None or array.shape != row.shape:
        raise BadInputError(f"{name} must be {row.size} numbers, one for each environment, not {values!r:.200}")
    if name != "rewards" and array.dtype.kind != "b" and not ((array == 0) | (array == 1)).all():
        raise BadInputError(f"{name} must be True or False for each environment, not {values!r:.200}")
    row[:] = array


def check_step(answer: Any) -> None:
    """Raise BadInputError unless this is what `step` has to return."""
    if not isinstance(answer, (tuple, list)) or len(answer) != 5:
        raise BadInputError(
            f"step must return observation, reward, terminated, truncated and info, not {answer!r:.200}"
        )


def check_reset(answer: Any) -> tuple[Any, Any]:
    """Return the observation and the info that `reset` returned; BadInputError unless there are both."""
    if not isinstance(answer, (tuple, list)) or len(answer) != 2 or not isinstance(answer[1], Mapping):
        raise BadInputError(f"reset must return an observation and an info, a dict, not {answer!r:.200}")
    return answer[0], answer[1]
