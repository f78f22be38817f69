"""From Gymnasium's spaces of observations to what the network reads."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from math import prod
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy import ndarray
from numpy.typing import NDArray

from .checks import FAULTS, BadInputError, numbers_of
from .kernels.experience import Kept
from .kernels.scaling import Scaling

SINGLE = np.dtype(np.float32)
LARGEST = 1e30  # of what an observation may be
MOST_VALUES = 2**20  # that an observation is encoded as


class ObservationEncoder:
    """Turns observations into flat rows of f numbers for the input neurons.

    Box values are scaled later, by their running statistics, and kept in single precision: an offset of a hundred thousand
    times their spread blurs them. Every component of a Discrete or MultiDiscrete observation becomes one-hot, one of a
    MultiBinary stays as it is. Dict and Tuple are the row of their parts.

    Parameters
    ----------
    space
        The environment's observation space.

    Attributes
    ----------
    size
        f, the number of values.
    scaled
        Shape (f,): the `Scaling` of each. Ranks take part where a Box declares no range for it.
    shapes
        Shapes of the parts of an observation, in their order, as many values each as they are encoded as.

    Raises
    ------
    ValueError
        If the space is not supported, or makes more than 2²⁰ values.
    """

    def __init__(self, space: gym.Space[Any]) -> None:
        self.space = space
        self._parts: list[_Part] = []
        self.size = 0
        for path, inner in leaves(space):
            part = _Part(path, inner, self.size)
            self._parts.append(part)
            self.size += part.size
        if self.size == 0:
            raise ValueError(f"the observation space {space} is empty: there is nothing to see")
        if self.size > MOST_VALUES:
            raise ValueError(
                f"the observation space {space} makes {self.size:,} input values, more than {MOST_VALUES:,}: wrap the "
                "environment, to give fewer values, or the digits of a large number as MultiDiscrete"
            )
        self.scaled = np.concatenate([_scaling(part.space, part.size) for part in self._parts])
        self.shapes = [part.shape for part in self._parts]
        is_plain = isinstance(space, spaces.Box) and not self._parts[0].fits_bytes
        self._row_shape = (self.size,) if is_plain else None  # of an observation that is a row of anything

    @cached_property
    def names(self) -> list[str]:
        """What to call each value: where it stands in the observation, and which state a one-hot value stands for."""
        return [name for part in self._parts for name in part.names()]

    def encode(self, observation: Any, rows: NDArray[np.float32]) -> None:
        """Write one observation, or a batch of them, into rows of shape (e, f).

        Raises
        ------
        ValueError
            If the observation does not fit the space.
        """
        if type(observation) is ndarray and observation.shape == self._row_shape and len(rows) == 1:
            dtype = observation.dtype
            if dtype is SINGLE or dtype.kind in "biuf":
                rows[0] = observation  # the same as below, in a third of the time
                return
        for part in self._parts:
            value = self._value(observation, part.path) if part.path else observation
            try:
                part.write(value, rows[:, part.columns])
            except FAULTS:
                raise _misfit(value, part.path, part.space, len(rows)) from None

    def examples(self, count: int, random: np.random.Generator, size: int | None = None) -> NDArray[np.float32]:
        """Draw rows (count, f) as the input neurons may see them: what is scaled lies anywhere from 0.1 to 0.9.

        With a size > f there are so many columns, the further ones of scaled values.
        """
        rows = np.empty((count, size or self.size), np.float32)
        for part in self._parts:
            part.draw(rows[:, part.columns], random)
        further = rows[:, self.size :]
        if further.size:
            further[...] = random.uniform(0.1, 0.9, size=further.shape)
        return rows

    def kept(self, size: int | None = None) -> Kept:
        """Return how experience keeps such an observation: in the types of its parts.

        With a size > f there are so many columns, the further ones of single precision.
        """
        in_bytes = np.zeros(size or self.size, np.bool_)
        options: list[tuple[int, int]] = []
        for part in self._parts:
            in_bytes[part.columns] = part.fits_bytes
            options += part.options()
        is_option = np.zeros(in_bytes.size, np.bool_)
        for first, count in options:
            is_option[first : first + count] = True
        return Kept(
            single=np.flatnonzero(~in_bytes & ~is_option),
            byte=np.flatnonzero(in_bytes),
            option=np.ascontiguousarray(np.array(options, np.int64).reshape(-1, 2).T),
        )

    @property
    def components(self) -> tuple[tuple[int, ...], ...]:
        """Of every component, the columns that are 1 for each of its values (-1 - column: for a 0); () if some are Box."""
        if self.scaled.any():
            return ()
        return tuple(component for part in self._parts for component in part.components())

    def batch_size(self, observation: Any) -> int | None:
        """Return how many observations this is a batch of; None if it is a single one."""
        if type(observation) is ndarray and observation.shape == self._row_shape:
            return None  # the same as below, in a third of the time
        first = self._parts[0]
        value = self._value(observation, first.path)
        try:
            return len(value) if np.ndim(value) > len(first.space.shape or ()) else None
        except FAULTS:  # rows of different lengths
            raise _misfit(value, first.path, first.space) from None

    def _value(self, observation: Any, path: tuple[Any, ...]) -> Any:
        """Return the part of an observation, single or batched, that stands at a path of keys and positions."""
        value, space = observation, self.space
        for depth, key in enumerate(path):
            # No lists for tuples: one of several observations would be taken for one of several parts.
            kind = Mapping if isinstance(space, spaces.Dict) else tuple
            if not isinstance(value, kind) or len(value) != len(space) or (kind is Mapping and key not in value):  # type: ignore[arg-type]
                raise _misfit(value, path[:depth], space)
            value, space = value[key], space[key]  # type: ignore[index]
        return value


class _Part:
    """A space inside an observation space that is no Dict or Tuple, and the columns it is written into."""

    def __init__(self, path: tuple[Any, ...], space: gym.Space[Any], first_column: int) -> None:
        self.path, self.space = path, space
        self._shape = space.shape or ()
        self._one_hot = isinstance(space, (spaces.Discrete, spaces.MultiDiscrete))
        self._components: list[
            tuple[int, int, int]
        ] = []  # of one that is one-hot: start, number of values, first column
        if isinstance(space, (spaces.Discrete, spaces.MultiDiscrete)):
            options = np.ravel(space.n if isinstance(space, spaces.Discrete) else space.nvec)
            self.size = sum(options.tolist())
            starts, columns = np.ravel(space.start), np.cumsum(options) - options
            self._components = list(zip(starts.tolist(), options.tolist(), columns.tolist(), strict=True))
        else:
            self.size = prod(self._shape)
        self._in_bytes = self.fits_bytes
        self.shape = (self.size,) if self._one_hot else self._shape
        self.columns = slice(first_column, first_column + self.size)

    @property
    def fits_bytes(self) -> bool:
        """Whether all values are whole and from 0 to 255."""
        if isinstance(self.space, spaces.MultiBinary):
            return True
        space = self.space
        return isinstance(space, spaces.Box) and (
            space.dtype in (np.uint8, np.bool_)
            or (np.issubdtype(space.dtype, np.integer) and space.low.min() >= 0 and space.high.max() <= 255)
        )

    def options(self) -> list[tuple[int, int]]:
        """Return the first column of every one-hot component, and how many it has."""
        return [(self.columns.start + column, options) for _, options, column in self._components if self._one_hot]

    def components(self) -> list[tuple[int, ...]]:
        """Return the columns that are 1 for each value of every component; -1 - column where a 0 stands for it."""
        first = self.columns.start
        if self._one_hot:
            return [tuple(first + column + n for n in range(options)) for _, options, column in self._components]
        return [(-1 - column, column) for column in range(first, self.columns.stop)]

    def names(self) -> list[str]:
        """Return a name for every column."""
        head, *rest = self.path if self.path and isinstance(self.path[0], str) else ("x", *self.path)
        place = head + "".join(f".{key}" if isinstance(key, str) else f"[{key}]" for key in rest)
        if not self._one_hot:
            return [place + index_text(index) for index in np.ndindex(self._shape)]
        named = zip(np.ndindex(self._shape), self._components, strict=True)
        return [f"{place}{index_text(k)} = {start + n}" for k, (start, options, _) in named for n in range(options)]

    def write(self, value: Any, rows: NDArray[np.float32]) -> None:
        """Write values (e, …) into rows (e, f); TypeError, ValueError or IndexError if they do not fit."""
        array = numbers_of(value)
        if array.shape[array.ndim - len(self._shape) :] != self._shape:
            raise ValueError
        if self._one_hot:
            rows[...] = 0
            for row, values in enumerate(array.reshape(rows.shape[0], -1).tolist()):
                for component, (start, options, column) in zip(values, self._components, strict=True):
                    if not 0 <= component - start < options:
                        raise ValueError
                    rows[row, column + component - start] = 1
            return
        rows[...] = array.reshape(rows.shape)
        if array.dtype == np.bool_:
            return
        if isinstance(self.space, spaces.MultiBinary):
            fits = ((rows == 0) | (rows == 1)).all()
        else:
            is_byte = array.dtype == np.uint8 or not self._in_bytes
            fits = is_byte or ((rows >= 0) & (rows <= 255) & (rows == np.floor(rows))).all()
        if not fits:
            raise ValueError

    def draw(self, rows: NDArray[np.float32], random: np.random.Generator) -> None:
        """Write a random example into every row."""
        if self._one_hot:
            rows[...] = 0
            for _, options, column in self._components:
                rows[np.arange(len(rows)), column + random.integers(options, size=len(rows))] = 1
        elif isinstance(self.space, spaces.MultiBinary):
            rows[...] = random.integers(2, size=rows.shape)
        else:
            rows[...] = random.uniform(0.1, 0.9, size=rows.shape)


def index_text(index: tuple[int, ...]) -> str:
    """Return an index as it is written behind a name; nothing for none."""
    return "[" + ",".join(map(str, index)) + "]" if index else ""


def leaves(space: gym.Space[Any]) -> Iterator[tuple[tuple[Any, ...], gym.Space[Any]]]:
    """Yield the path and the space of everything in a space that is no Dict or Tuple."""
    if isinstance(space, (spaces.Dict, spaces.Tuple)):
        for key, inner in space.items() if isinstance(space, spaces.Dict) else enumerate(space):
            for path, leaf in leaves(inner):
                yield (key, *path), leaf
    elif isinstance(space, (spaces.Box, spaces.Discrete, spaces.MultiDiscrete, spaces.MultiBinary)):
        yield (), space
    else:
        kinds = "Box, Discrete, MultiDiscrete, MultiBinary, or Dict or Tuple of these"
        raise ValueError(f"observations must be {kinds}, not {space}: wrap the environment")


def _scaling(space: gym.Space[Any], size: int) -> NDArray[np.int8]:
    """Return the `Scaling` of all values that a space which is no Dict or Tuple is encoded as."""
    if not isinstance(space, spaces.Box):
        return np.full(size, Scaling.NONE, np.int8)
    return np.where(is_open(space), Scaling.RANKS_TOO, Scaling.STATISTICS).ravel().astype(np.int8)


def is_open(space: spaces.Box) -> NDArray[np.bool_]:
    """Tell, for every value of a Box, whether its range says nothing of what it may be: a bound is infinite, or above 1e30."""
    return ~((space.low.astype(float) >= -LARGEST) & (space.high.astype(float) <= LARGEST))


def _misfit(value: Any, path: tuple[Any, ...], space: gym.Space[Any], rows: int = 1) -> BadInputError:
    part = "'s part " + "".join(f"[{key!r}]" for key in path) + "," if path else ""
    many = f", of which there must be {rows}, one per row" if rows > 1 else ""
    return BadInputError(f"the observation{part} {value!r:.200} does not fit the space {space}{many}")
