"""What comes in from outside is checked here: one sentence with the offending value where it does not fit."""

import secrets
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

ALL_HOPS = 2**31
MOST = 2**63 - 1  # what a whole number of the kernels holds
LARGEST = float(np.finfo(np.float32).max)  # and a fraction


def numbers(
    name: str, values: ArrayLike, dtype: DTypeLike, shape: tuple[int, ...] | None = None, *, finite: bool = False
) -> NDArray[Any]:
    """Return values as an array the kernels take; ValueError if the shape is another or a value is not a number."""
    try:
        with np.errstate(over="ignore"):  # too large for the type is infinite
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


def number(name: str, value: Any) -> float:
    """Return a number; ValueError if it is none."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise ValueError(f"{name} must be a number, not {value!r}")
    try:
        return float(value)
    except OverflowError:
        raise ValueError(f"{name} must be a number within ±1.8e308, not {value!r:.100}") from None


def ids(neurons: Iterable[int] | int) -> list[int]:
    """Return the ids of one neuron or several; ValueError if they are no whole numbers."""
    several = list(neurons) if isinstance(neurons, Iterable) else [neurons]
    for j in several:
        if isinstance(j, bool) or not isinstance(j, (int, np.integer)):
            raise ValueError(f"the id of a neuron is a whole number, not {j!r}")
    return [int(j) for j in several]


def positive(name: str, value: Any) -> int:
    """Return a whole number; ValueError if it is none or not ≥ 1."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 1:
        raise ValueError(f"{name} must be a whole number ≥ 1, not {value!r}")
    return _below_2_to_63(name, value)


def sizes(name: str, values: Any) -> list[int]:
    """Return the sizes of layers; ValueError if they are no sequence of whole numbers ≥ 1."""
    if not isinstance(values, Sequence) or isinstance(values, str):
        raise ValueError(f"{name} must be a sequence of sizes, such as (64,), not {values!r}")
    return [positive(name, value) for value in values]


def natural(name: str, value: Any) -> int:
    """Return a whole number; ValueError if it is none or negative."""
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)) or value < 0:
        raise ValueError(f"{name} must be a whole number ≥ 0, not {value!r}")
    return _below_2_to_63(name, value)


def optional_seed(seed: Any) -> int | None:
    """Return a seed; ValueError if it is no whole number ≥ 0 and not None."""
    return None if seed is None else natural("seed", seed)


def drawn_seed() -> int:
    """Return a seed drawn by chance, short enough to be typed again."""
    return secrets.randbits(31)


def _below_2_to_63(name: str, value: Any) -> int:
    if value > MOST:
        raise ValueError(f"{name} must be a whole number below 2⁶³, not {value!r}")
    return int(value)


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
