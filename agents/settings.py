"""Groups of settings: their checks, and the record of all their numbers that the kernels read."""

from collections.abc import Iterator, Mapping
from dataclasses import Field, field, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynlive_rl.checks import LARGEST, number
from dynlive_rl.invariants import LARGEST as LARGEST_WHOLE
from dynlive_rl.kernels.jit import record_dtype

KINDS = (int, float)


class Range(NamedTuple):
    """Where a search looks for a setting.

    Attributes
    ----------
    low, high
        Least and largest value.
    log
        Whether it is the ratio of values that counts, not their difference.
    at_birth
        Whether the setting decides what an agent is made of, so that it cannot change in one that lives.
    whole
        Whether it is a whole number.
    """

    low: float
    high: float
    log: bool
    at_birth: bool
    whole: bool


def tunable(default: float, low: float, high: float, *, log: bool = True, at_birth: bool = False) -> Any:
    """Return a dataclass field with a default and the `Range` that a search looks in.

    All of it is valid, whatever the other settings are in their ranges, and nothing in it makes a step cost much more than the
    default does: a search would be about little else.
    """
    where = Range(low, high, log, at_birth, whole=isinstance(default, int))
    return field(default=default, metadata={"range": where})


def ranges(config: Any) -> Iterator[tuple[str, Range]]:
    """Yield the ranges of a configuration's settings that have any, by group.name."""
    for group in fields(config):
        for setting in fields(getattr(config, group.name)):
            if "range" in setting.metadata:
                yield f"{group.name}.{setting.name}", setting.metadata["range"]


def settings_dtype(config: type[Any], **more: type) -> np.dtype[np.void]:
    """Return the record type of all numbers in a configuration's groups, 8 bytes each, and of more fields.

    A configuration is a dataclass whose fields are groups, dataclasses in their turn.
    """
    groups: list[Any] = [group.type for group in fields(config)]
    numbers = [(setting.name, setting.type) for group in groups for setting in fields(group)] + list(more.items())
    return record_dtype([(name, np.int64 if kind is int else np.float64) for name, kind in numbers if kind in KINDS])


def settings_record(config: Any, dtype: np.dtype[np.void], **more: float) -> NDArray[np.void]:
    """Return a configuration's numbers as one record, shape (1,); fields that `more` does not name are 0."""
    record = np.zeros(1, dtype)
    for group in fields(config):
        values = getattr(config, group.name)
        for setting in fields(values):
            if setting.type in KINDS:
                record[setting.name] = getattr(values, setting.name)
    for name, value in more.items():
        record[name] = value
    return record


def check_groups(config: Any) -> None:
    """Check that all groups are of their types; a mapping, as a saved agent has it, becomes one."""
    for setting in fields(config):
        kind: Any = setting.type
        value = getattr(config, setting.name)
        if isinstance(value, Mapping):
            object.__setattr__(config, setting.name, kind(**value))
        elif not isinstance(value, kind):
            raise TypeError(f"{setting.name} must be a {kind.__name__}, not {value!r}")


def check_numbers(group: Any, above_zero: tuple[str, ...] = (), at_most_one: tuple[str, ...] = ()) -> None:
    """Check that all numbers of a group are finite and ≥ 0, whole ones ≥ 1; makes them the declared type."""
    for setting in fields(group):
        if setting.type in KINDS:
            _check_number(group, setting, above_zero, at_most_one)


def _check_number(group: Any, setting: Field[Any], above_zero: tuple[str, ...], at_most_one: tuple[str, ...]) -> None:
    name, value = setting.name, getattr(group, setting.name)
    if not 0 <= number(name, value) < float("inf"):
        raise ValueError(f"{name} must be a finite number ≥ 0, not {value!r}")
    if value > (LARGEST_WHOLE if setting.type is int else LARGEST):
        raise ValueError(f"{name} must be at most {'2⁶²' if setting.type is int else '3.4e38'}, not {value!r}")
    if setting.type is int and (int(value) != value or value < 1):
        raise ValueError(f"{name} must be a whole number ≥ 1, not {value!r}")
    if name in above_zero and value == 0:
        raise ValueError(f"{name} must be above 0")
    if name in at_most_one and value > 1:
        raise ValueError(f"{name} must be at most 1, not {value!r}")
    # Kernels are compiled for types: a whole number where a fraction is meant would have them compiled once more.
    object.__setattr__(group, name, setting.type(value))  # type: ignore[operator]


def check_order(group: Any, *names: str) -> None:
    """Check that name_low ≤ name_high, for every name."""
    for name in names:
        low, high = getattr(group, f"{name}_low"), getattr(group, f"{name}_high")
        if low > high:
            raise ValueError(f"{name}_low must not be above {name}_high, but {low} > {high}")


def check_least(group: Any, **least: float) -> None:
    """Check that numbers are not below some least ones."""
    for name, value in least.items():
        if getattr(group, name) < value:
            raise ValueError(f"{name} must be at least {value}, not {getattr(group, name)!r}")
