"""From Gymnasium's spaces to what the network reads and chooses, and back."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray


class ObservationEncoder:
    """Turns observations into flat rows of f numbers for the input neurons.

    Box values are scaled later, by their running statistics; Discrete observations become one-hot.

    Parameters
    ----------
    space
        The environment's observation space.

    Attributes
    ----------
    size
        f, the number of values.
    scaled
        Shape (f,): whether each is scaled by its running statistics.

    Raises
    ------
    ValueError
        If the space is not supported.
    """

    def __init__(self, space: gym.Space[Any]) -> None:
        self.space = space
        if isinstance(space, spaces.Box):
            self.size = int(np.prod(space.shape))
            self.scaled = np.ones(self.size, np.int8)
        elif isinstance(space, spaces.Discrete):
            self.size = int(space.n)
            self.scaled = np.zeros(self.size, np.int8)
        else:
            raise ValueError(f"observations must be Box or Discrete, not {space}: wrap the environment")
        if self.size == 0:
            raise ValueError(f"the observation space {space} is empty: there is nothing to see")

    def encode(self, observation: Any, rows: NDArray[np.float32]) -> None:
        """Write one observation, or a batch of them, into rows of shape (e, f).

        Raises
        ------
        ValueError
            If the observation does not fit the space.
        """
        try:
            if isinstance(self.space, spaces.Box):
                array, shape = np.asarray(observation), self.space.shape
                if array.shape[array.ndim - len(shape) :] != shape:
                    raise ValueError
                rows[...] = array.reshape(rows.shape)
            else:
                index = np.asarray(observation).reshape(rows.shape[0]) - self.space.start  # type: ignore[attr-defined]
                if not ((index >= 0) & (index < self.size)).all():
                    raise ValueError
                rows[...] = 0
                rows[np.arange(rows.shape[0]), index] = 1
        except (TypeError, ValueError, IndexError):
            raise ValueError(f"the observation {observation!r} does not fit the space {self.space}") from None

    def is_batch(self, observation: Any) -> bool:
        """Tell whether this is a batch of observations rather than one."""
        return np.ndim(observation) > len(self.space.shape or ())


CONTINUOUS_OPTIONS = 3  # low, middle and high: measured better than finer divisions


class ActionDecoder:
    """Turns the network's choices into actions of the environment.

    Every component of an action is an independent choice; a component of a Box is one of three values, its lowest, its
    highest and the middle.

    Parameters
    ----------
    space
        The environment's action space: Discrete, MultiDiscrete, MultiBinary or a finite Box.

    Attributes
    ----------
    options
        Number of options of every independent choice.

    Raises
    ------
    ValueError
        If the space is not supported.
    """

    def __init__(self, space: gym.Space[Any]) -> None:
        self.space = space
        self.options: tuple[int, ...]
        if isinstance(space, spaces.Discrete):
            self.options = (int(space.n),)
        elif isinstance(space, spaces.MultiDiscrete):
            self.options = tuple(int(n) for n in space.nvec.ravel())
        elif isinstance(space, spaces.MultiBinary):
            self.options = (2,) * int(np.prod(space.shape))
        elif isinstance(space, spaces.Box):
            if not (np.isfinite(space.low).all() and np.isfinite(space.high).all()):
                raise ValueError(
                    f"continuous actions must have finite bounds, not {space}: rescale them with a wrapper"
                )
            self.options = (CONTINUOUS_OPTIONS,) * int(np.prod(space.shape))
        else:
            raise ValueError(f"actions must be Discrete, MultiDiscrete, MultiBinary or Box, not {space}: wrap them")
        if not self.options:
            raise ValueError(f"the action space {space} is empty: there is nothing to choose")

    def decode(self, choices: NDArray[np.int64]) -> Any:
        """Return the actions of a batch of choices (b, d)."""
        space = self.space
        if isinstance(space, spaces.Discrete):
            return choices[:, 0] + space.start
        shape = (len(choices), *(space.shape or ()))
        if isinstance(space, spaces.Box):
            low, high = space.low.ravel().astype(float), space.high.ravel().astype(float)
            values = low + (high - low) * choices / (CONTINUOUS_OPTIONS - 1)
            if np.issubdtype(space.low.dtype, np.integer):
                values = np.rint(values)
            return values.reshape(shape).astype(space.dtype)
        start = space.start if isinstance(space, spaces.MultiDiscrete) else 0
        return (choices.reshape(shape) + start).astype(space.dtype)

    def decode_one(self, choices: NDArray[np.int64]) -> Any:
        """Return the action of one row of choices (d,)."""
        if isinstance(self.space, spaces.Discrete):
            return int(choices[0]) + int(self.space.start)
        return self.decode(choices[None])[0]


def space_to_json(space: gym.Space[Any]) -> dict[str, Any]:
    """Describe a space for a checkpoint's header."""
    if isinstance(space, spaces.Box):
        return {
            "kind": "Box",
            "low": space.low.ravel().tolist(),
            "high": space.high.ravel().tolist(),
            "shape": list(space.shape),
            "dtype": str(space.dtype),
        }
    if isinstance(space, spaces.MultiDiscrete):
        return {
            "kind": "MultiDiscrete",
            "nvec": space.nvec.tolist(),
            "start": space.start.tolist(),
            "dtype": str(space.dtype),
        }
    if isinstance(space, spaces.MultiBinary):
        return {"kind": "MultiBinary", "n": np.asarray(space.n).tolist()}
    assert isinstance(space, spaces.Discrete)
    return {"kind": "Discrete", "n": int(space.n), "start": int(space.start), "dtype": str(space.dtype)}


def space_from_json(description: dict[str, Any]) -> gym.Space[Any]:
    """Make the space that `space_to_json` described."""
    if description["kind"] == "MultiBinary":
        return spaces.MultiBinary(description["n"])
    dtype = np.dtype(description["dtype"]).type
    if description["kind"] == "Discrete":
        other = {} if dtype is np.int64 else {"dtype": dtype}  # an argument that not every Gymnasium has
        return spaces.Discrete(description["n"], start=description["start"], **other)
    if description["kind"] == "MultiDiscrete":
        nvec, start = np.array(description["nvec"], dtype), np.array(description["start"], dtype)
        return spaces.MultiDiscrete(nvec, dtype, start=start)
    shape = tuple(description["shape"])
    low, high = (np.array(description[end], dtype).reshape(shape) for end in ("low", "high"))
    return spaces.Box(low, high, shape, dtype)
