"""From Gymnasium's spaces to what the network reads and chooses, and back."""

from collections.abc import Iterator, Mapping
from functools import cached_property
from math import prod, sqrt
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
            return [place + _index(index) for index in np.ndindex(self._shape)]
        named = zip(np.ndindex(self._shape), self._components, strict=True)
        return [f"{place}{_index(k)} = {start + n}" for k, (start, options, _) in named for n in range(options)]

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


def _index(index: tuple[int, ...]) -> str:
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
    return ~((space.low >= -LARGEST) & (space.high <= LARGEST))


def _misfit(value: Any, path: tuple[Any, ...], space: gym.Space[Any], rows: int = 1) -> BadInputError:
    part = "'s part " + "".join(f"[{key!r}]" for key in path) + "," if path else ""
    many = f", of which there must be {rows}, one per row" if rows > 1 else ""
    return BadInputError(f"the observation{part} {value!r:.200} does not fit the space {space}{many}")


def _values(space: spaces.Box, count: int) -> NDArray[Any]:
    """Return the values (d, count) that the components of a Box can take."""
    low, high = space.low.ravel()[:, None], space.high.ravel()[:, None]
    share = np.arange(1, count - 1) / (count - 1)
    between = low.astype(float) * (1 - share) + high.astype(float) * share
    for row in np.flatnonzero((low < 0) & (high > 0)) if count > 2 else ():
        between[row, np.argmin(np.abs(between[row]))] = 0
    if np.issubdtype(space.dtype, np.integer):
        between = np.rint(between)
    # The ends are what they are: as fractions they may round to what the type cannot hold.
    return np.concatenate([low, between.astype(space.dtype), high], axis=1)


def _rounded(numbers: NDArray[np.float64], low: NDArray[Any], high: NDArray[Any]) -> NDArray[Any]:
    """Return numbers (b, d) as the type of their ends (d,), and not beyond these."""
    inside = np.clip(np.rint(numbers) if np.issubdtype(low.dtype, np.integer) else numbers, low, high)
    # As a fraction the highest whole number may be larger than its type can hold.
    is_high = inside >= high
    return np.where(is_high, high, np.where(is_high, 0, inside).astype(low.dtype))


class ActionDecoder:
    """Turns a learner's choices into actions of the environment.

    Every component of an action is chosen independently; a component of a Box among a few values from its lowest to its
    highest; where 0 lies between them, the nearest one is 0, which costs nothing where force costs something. What is done is
    between them: the mean of the values under the policy, or away from it towards the value chosen.

    Parameters
    ----------
    space
        The environment's action space: Discrete, MultiDiscrete, MultiBinary or a finite Box.
    values_per_component
        Number of values of a component of a Box.
    spread
        See `ActionConfig`.

    Attributes
    ----------
    spread
        How far from the mean to the value chosen a component of a Box goes where no episode terminates, s ≤ 1.
    num_actions
        Number of actions of every independent component.
    names
        What to call each action of each component.

    Raises
    ------
    ValueError
        If the space is not supported.
    """

    def __init__(self, space: gym.Space[Any], values_per_component: int, spread: float = 1.0) -> None:
        self.space = space
        self._values: NDArray[Any] | None = None  # (d, values) of a Box
        self._start = int(space.start) if isinstance(space, spaces.Discrete) else None
        self._type: Any = space.dtype.type if isinstance(space, spaces.Discrete) else None
        self.num_actions: tuple[int, ...]
        if isinstance(space, spaces.Discrete):
            self.num_actions = (int(space.n),)
        elif isinstance(space, spaces.MultiDiscrete):
            self.num_actions = tuple(int(n) for n in space.nvec.ravel())
        elif isinstance(space, spaces.MultiBinary):
            self.num_actions = (2,) * int(np.prod(space.shape))
        elif isinstance(space, spaces.Box):
            if not (np.isfinite(space.low).all() and np.isfinite(space.high).all()):
                raise ValueError(
                    f"continuous actions must have finite bounds, not {space}: rescale them with a wrapper"
                )
            self.num_actions = (values_per_component,) * int(np.prod(space.shape))
            self._values = _values(space, values_per_component)
        else:
            raise ValueError(f"actions must be Discrete, MultiDiscrete, MultiBinary or Box, not {space}: wrap them")
        if not self.num_actions:
            raise ValueError(f"the action space {space} is empty: there is nothing to choose")
        self.spread = min(1.0, spread / sqrt(len(self.num_actions))) if self.is_continuous else 1.0
        self.names = self._names()

    def _names(self) -> list[str]:
        if isinstance(self.space, spaces.Discrete):
            return [f"action {self.space.start + k}" for k in range(self.num_actions[0])]
        most = max(self.num_actions)
        components = np.array([np.ravel(action) for action in self.decode(self._first_actions(most))])
        places = list(np.ndindex(self.space.shape or ()))
        return [
            f"action{_index(places[d])} = {components[k, d]:.4g}"
            for d in range(len(places))
            for k in range(self.num_actions[d])
        ]

    def _first_actions(self, count: int) -> NDArray[np.int64]:
        """Return choices (count, d): all first actions, all second ones where there are any, and so on."""
        return np.minimum(np.arange(count)[:, None], np.array(self.num_actions, np.int64) - 1).astype(np.int64)

    def decode(self, choices: NDArray[np.int64]) -> Any:
        """Return the environment's actions for a batch of choices (b, d)."""
        space = self.space
        if isinstance(space, spaces.Discrete):
            return choices[:, 0] + space.start
        shape = (len(choices), *(space.shape or ()))
        if self._values is not None:
            return self._values[np.arange(choices.shape[1]), choices].reshape(shape)
        start = space.start if isinstance(space, spaces.MultiDiscrete) else 0
        return (choices.reshape(shape) + start).astype(space.dtype)

    @property
    def is_continuous(self) -> bool:
        """Whether actions may lie between the values that are chosen."""
        return self._values is not None

    def between(
        self, policy: NDArray[np.float64], choices: NDArray[np.int64], share: float, forbidden: NDArray[np.bool_]
    ) -> Any:
        """Return a Box's actions (b, …): m + share · (value chosen - m), with m the mean of the values under the policy.

        Where a component has masked values it is the value chosen: what lies between allowed ones may be forbidden.

        Parameters
        ----------
        policy
            Shape (b, a).
        choices
            Shape (b, d).
        share
            0 is the mean itself, 1 the value chosen.
        forbidden
            Shape (b, a), or (0, 0): the masks.
        """
        values, space = self._values, self.space
        assert values is not None
        actions = values[np.arange(len(values)), choices]
        if share < 1:
            by_component = len(policy), *values.shape
            mean = (policy.reshape(by_component) * values).sum(axis=2)
            between = _rounded(mean + share * (actions - mean), values[:, 0], values[:, -1])
            is_masked = forbidden.reshape(by_component).any(axis=2) if forbidden.size else False
            actions = np.where(is_masked, actions, between)
        return actions.reshape(len(choices), *(space.shape or ()))

    def nearest(self, actions: NDArray[Any]) -> NDArray[np.int64]:
        """Return the choices (b, d) whose values are nearest to a Box's actions (b, …)."""
        assert self._values is not None
        distance = np.abs(self._values - actions.reshape(len(actions), -1, 1))
        nearest: NDArray[np.int64] = np.argmin(distance, axis=2)
        return nearest

    def decode_one(self, choices: NDArray[np.int64]) -> Any:
        """Return the environment's action for one row of choices, (d,) or (1, d)."""
        if self._start is not None:
            return choices.item(0) + self._start
        return self.decode(choices.reshape(1, -1))[0]

    def decode_single(self, choices: NDArray[np.int64]) -> Any:
        """Return the environment's action for one row of choices (1, d), of the action space's type."""
        if self._start is not None:
            return self._type(choices.item(0) + self._start)
        return self.decode(choices)[0]
