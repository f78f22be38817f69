"""What changes when: numbers over the environment steps of a lifetime, every one of them known from a seed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from math import isfinite
from typing import Any
from zlib import crc32

import numpy as np

from dynlive_rl.checks import natural


@dataclass(frozen=True)
class Cycle:
    """Values in turn, each for `every` steps, for ever.

    Examples
    --------
    >>> swapped = Cycle((0.0, 1.0), every=100)
    >>> [swapped.at(step) for step in (0, 99, 100, 200)]
    [0.0, 0.0, 1.0, 0.0]
    """

    values: tuple[float, ...]
    every: int

    def __post_init__(self) -> None:
        if not isinstance(self.values, Iterable):
            raise ValueError(f"values must be one or more finite numbers, such as (0, 1), not {self.values!r}")
        object.__setattr__(self, "values", tuple(self.values))
        if not self.values or not all(_is_finite(value) for value in self.values):
            raise ValueError(f"values must be one or more finite numbers, not {self.values!r}")
        _check_every(self.every)

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest value there will be."""
        return min(self.values), max(self.values)

    def at(self, step: int, stream: tuple[int, int] = (0, 0)) -> float:
        """Return the value at a step of the lifetime."""
        return self.values[step // self.every % len(self.values)]


@dataclass(frozen=True)
class Draw:
    """A number drawn uniformly from low to high every `every` steps, from step `first` on.

    Attributes
    ----------
    low, high
        Range of the draws.
    every
        Steps between draws, ≥ 1.
    smooth
        If true, the value drifts in a straight line from one draw to the next instead of jumping.
    before
        The value before `first`, where a smooth one also drifts off from. Default: the middle of the range.
    first
        Step of the first change, ≥ 0. Default: `every`, or 0 if smooth.
    """

    low: float
    high: float
    every: int
    smooth: bool = False
    before: float | None = None
    first: int | None = None

    def __post_init__(self) -> None:
        _check_every(self.every)
        if not -float("inf") < self.low <= self.high < float("inf"):
            raise ValueError(f"low and high must be finite with low ≤ high, not {self.low!r} and {self.high!r}")
        if self.before is None:
            object.__setattr__(self, "before", (self.low + self.high) / 2)
        elif not _is_finite(self.before):
            raise ValueError(f"before must be a finite number, not {self.before!r}")
        if self.first is None:
            object.__setattr__(self, "first", 0 if self.smooth else self.every)
        else:
            object.__setattr__(self, "first", natural("first", self.first))

    @property
    def bounds(self) -> tuple[float, float]:
        """The lowest and the highest value there can be."""
        assert self.before is not None
        return min(self.low, self.before), max(self.high, self.before)

    def at(self, step: int, stream: tuple[int, int] = (0, 0)) -> float:
        """Return the value at a step of the lifetime; streams draw independently of each other."""
        assert self.first is not None
        if step < self.first:
            return self._drawn(-1, stream)
        period, inside = divmod(step - self.first, self.every)
        if not self.smooth:
            return self._drawn(period, stream)
        here, there = self._drawn(period - 1, stream), self._drawn(period, stream)
        return here + (there - here) * inside / self.every

    def _drawn(self, period: int, stream: tuple[int, int]) -> float:
        if period < 0:
            assert self.before is not None
            return self.before
        return self.low + (self.high - self.low) * _uniform(*stream, period)


Schedule = float | Cycle | Draw


class Lifetime:
    """Counts the steps of an environment's life and says what its schedules make of each.

    Parameters
    ----------
    schedules
        By name; a number stands for itself, for ever.
    world
        Seed ≥ 0 of everything drawn: the same world has the same history.
    start
        Step ≥ 0 at which life begins.
    """

    def __init__(self, schedules: Mapping[str, Schedule], world: int, start: int) -> None:
        world, start = natural("world", world), natural("start", start)
        for name, schedule in schedules.items():
            if not isinstance(schedule, (Cycle, Draw)) and not _is_finite(schedule):
                raise ValueError(f"{name} must be a finite number, a Cycle or a Draw, not {schedule!r}")
        self.schedules = {
            name: schedule if isinstance(schedule, (Cycle, Draw)) else Cycle((float(schedule),), 1)
            for name, schedule in schedules.items()
        }
        self.start = self.step = start
        self._streams = {name: (world, crc32(name.encode())) for name in schedules}

    def reset(self, seed: int | None) -> None:
        """Begin the life again where the environment is reset with a seed; without one it just goes on."""
        if seed is not None:
            self.step = self.start

    def now(self) -> dict[str, float]:
        """Return the value of every schedule at this step."""
        return {name: schedule.at(self.step, self._streams[name]) for name, schedule in self.schedules.items()}


@lru_cache(maxsize=1024)
def _uniform(world: int, stream: int, period: int) -> float:
    return float(np.random.default_rng((world, stream, period)).random())


def _is_finite(value: Any) -> bool:
    return isinstance(value, (int, float, np.integer, np.floating)) and isfinite(value)


def _check_every(every: int) -> None:
    if isinstance(every, bool) or not isinstance(every, (int, np.integer)) or every < 1:
        raise ValueError(f"every must be a whole number of steps ≥ 1, not {every!r}")
