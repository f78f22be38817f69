"""What comes in from outside is checked here: one sentence with the offending value where it does not fit."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

ALL_HOPS = 2**31


def numbers(
    name: str, values: ArrayLike, dtype: DTypeLike, shape: tuple[int, ...] | None = None, *, finite: bool = False
) -> NDArray[Any]:
    """Return values as an array the kernels take; ValueError if the shape is another or a value is not a number."""
    try:
        array = np.asarray(values, dtype)
    except (TypeError, ValueError):
        raise ValueError(f"{name} must be numbers, not {values!r}") from None
    if shape is not None and array.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, not {array.shape}")
    bad = ~np.isfinite(array) if finite else np.isnan(array)
    if bad.any():
        raise ValueError(f"{name} must be {'finite' if finite else 'numbers'}, but contain {array[bad].flat[0]}")
    # A read-only array would be another type to the kernels, and compile them once more.
    return np.require(array, requirements=("C", "W"))


def hops_limit(hops: int) -> int:
    """Return how many connections a reward may travel; ValueError if it is no whole number ≥ 1."""
    if isinstance(hops, bool) or not isinstance(hops, (int, np.integer)) or hops < 1:
        raise ValueError(f"hops must be a whole number ≥ 1, not {hops!r}")
    return int(min(hops, ALL_HOPS))


def remembered_cycle(cycle: int, remembered: int) -> int:
    """Return the number of a past cycle, 0 the last; ValueError unless it is among the `remembered` ones."""
    if isinstance(cycle, bool) or not isinstance(cycle, (int, np.integer)):
        raise ValueError(f"cycle must be a whole number ≥ 0, not {cycle!r}")
    if not 0 <= cycle < remembered:
        what = f"only the last {remembered} are remembered" if remembered else "nothing has been propagated yet"
        raise ValueError(f"cannot reward cycle {cycle}: {what}")
    return int(cycle)
