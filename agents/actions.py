"""From what a learner chooses to the actions of Gymnasium's spaces."""

from math import sqrt
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from .numpy_policy import SURE
from .spaces import index_text


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
            f"action{index_text(places[d])} = {components[k, d]:.4g}"
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
            return (choices[:, 0] + int(space.start)).astype(space.dtype, copy=False)
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

        m is the likeliest value where the policy is sure of it: what needs the end of a range, or 0, gets it. Where a component
        has masked values it is the value chosen: what lies between allowed ones may be forbidden.

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
            shares = policy.reshape(by_component)
            likeliest = values[np.arange(len(values)), shares.argmax(axis=2)]
            mean = np.where(shares.max(axis=2) >= SURE, likeliest, (shares * values).sum(axis=2))
            between = _rounded(mean + share * (actions - mean), values[:, 0], values[:, -1])
            is_masked = forbidden.reshape(by_component).any(axis=2) if forbidden.size else False
            actions = np.where(is_masked, actions, between)
        return actions.reshape(len(choices), *(space.shape or ()))

    def nearest(self, actions: NDArray[Any]) -> NDArray[np.int64]:
        """Return the choices (b, d) whose values are nearest to a Box's actions (b, …)."""
        assert self._values is not None
        # Of halves, as fractions: a type's ends may be further apart than it can say.
        distance = np.abs(self._values / 2 - actions.reshape(len(actions), -1, 1) / 2)
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
