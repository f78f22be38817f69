"""Environments of dm_env for Gymnasium."""

from collections.abc import Callable
from typing import Any

import dm_env
import gymnasium as gym
import numpy as np
from dm_env.specs import BoundedArray


class FromDmEnv(gym.Env[Any, Any]):
    """An environment of dm_env, with observations of one array and with discrete actions, for Gymnasium.

    Observations are laid out in a row. The last step of an episode terminates it where its discount is 0, and truncates it
    otherwise.

    Parameters
    ----------
    make
        Makes the environment, given a seed or None. It is made at once, and anew at every reset with a seed.

    Raises
    ------
    ValueError
        If an observation is not one array, or actions are not discrete.
    """

    metadata = {"render_modes": []}  # noqa: RUF012

    def __init__(self, make: Callable[[int | None], dm_env.Environment]) -> None:
        self.make, self.env = make, make(None)
        seen, acted = self.env.observation_spec(), self.env.action_spec()
        if not hasattr(seen, "shape") or not hasattr(acted, "num_values"):
            raise ValueError(f"observations must be one array and actions discrete, not {seen} and {acted}")
        size = int(np.prod(seen.shape))
        low, high = (seen.minimum, seen.maximum) if isinstance(seen, BoundedArray) else (-np.inf, np.inf)
        self.observation_space = gym.spaces.Box(
            *(np.broadcast_to(end, seen.shape).astype(np.float32).reshape(size) for end in (low, high)),
            dtype=np.float32,
        )
        self.action_space = gym.spaces.Discrete(int(acted.num_values))

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode, of a new environment where there is a seed."""
        super().reset(seed=seed)
        if seed is not None:
            self.env = self.make(seed)
        return self._observed(self.env.reset()), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        """Step."""
        step = self.env.step(int(action))
        terminated = bool(step.last() and step.discount == 0)
        return self._observed(step), float(step.reward), terminated, step.last() and not terminated, {}

    def _observed(self, step: dm_env.TimeStep) -> Any:
        return np.array(step.observation, np.float32).reshape(-1)
