"""Wrappers that change what any environment's actions do and what its sensors tell, over its lifetime."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from gymnasium.utils import RecordConstructorArgs

from .schedules import Draw, Lifetime, Schedule


class _Changing(gym.Wrapper[Any, Any, Any, Any], RecordConstructorArgs):
    """Counts the steps of the lifetime and adds what is in force to every step's info."""

    def __init__(self, env: gym.Env[Any, Any], world: int, start: int, **schedules: Schedule) -> None:
        arguments: dict[str, Any] = {"world": world, "start": start, **schedules}
        RecordConstructorArgs.__init__(self, **arguments)
        gym.Wrapper.__init__(self, env)
        self.lifetime = Lifetime(schedules, world, start)

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Begin an episode; with a seed, the life as well."""
        self.lifetime.reset(seed)
        observation, info = self.env.reset(seed=seed, options=options)
        now = self.lifetime.now()
        return self._seen(observation, now), info | now

    def step(self, action: Any) -> tuple[Any, Any, bool, bool, dict[str, Any]]:
        """Take one step of the lifetime."""
        now = self.lifetime.now()
        observation, reward, terminated, truncated, info = self.env.step(self._done(action, now))
        self.lifetime.step += 1
        return self._seen(observation, now), reward, terminated, truncated, info | now

    def _seen(self, observation: Any, now: dict[str, float]) -> Any:
        return observation

    def _done(self, action: Any, now: dict[str, float]) -> Any:
        return action


class ChangingActions(_Changing):
    """Swaps the actions of any environment: the first becomes the last, left becomes right.

    Parameters
    ----------
    env
        With Discrete, MultiDiscrete, MultiBinary or finite Box actions.
    swap
        Swapped while this is above ½.
    world, start
        Seed of what is drawn, and step at which life begins.
    """

    def __init__(self, env: gym.Env[Any, Any], *, swap: Schedule, world: int = 0, start: int = 0) -> None:
        super().__init__(env, world, start, swap=swap)
        self._turned = action_ends(env.action_space)

    def _done(self, action: Any, now: dict[str, float]) -> Any:
        if now["swap"] <= 0.5:
            return action
        swapped = self._turned - action
        return swapped if np.ndim(action) == 0 else swapped.astype(self.action_space.dtype)


class ChangingSensors(_Changing):
    """Multiplies what a sensor of any environment tells: by 0 it is dead, by 1 as it was, by 3 rescaled.

    Parameters
    ----------
    env
        With float Box observations.
    scale
        The factor.
    sensor
        Which value of the flattened observation; -1: all of them.
    world, start
        Seed of what is drawn, and step at which life begins.
    """

    def __init__(
        self, env: gym.Env[Any, Any], *, scale: Schedule, sensor: Schedule = -1, world: int = 0, start: int = 0
    ) -> None:
        super().__init__(env, world, start, scale=scale, sensor=sensor)
        space = env.observation_space
        if not isinstance(space, spaces.Box) or not np.issubdtype(space.low.dtype, np.floating):
            raise ValueError(f"sensors can only change in a Box of floats, not {space}")
        size = int(np.prod(space.shape))
        lowest, highest = self.lifetime.schedules["sensor"].bounds
        if lowest < -1 or highest > size or (highest == size and not isinstance(sensor, Draw)):  # draws stay below
            raise ValueError(f"sensor must be in -1 to {size - 1}, not {sensor!r}")
        # Whatever the factor, what is told lies within the space.
        factors = (1.0, *self.lifetime.schedules["scale"].bounds)
        with np.errstate(invalid="ignore"):
            ends = [end * factor for end in (space.low, space.high) for factor in factors]
        reached = np.nan_to_num(ends, nan=0.0, posinf=np.inf, neginf=-np.inf)  # 0 times infinity tells 0
        self.observation_space = spaces.Box(reached.min(axis=0), reached.max(axis=0), dtype=space.dtype.type)

    def _seen(self, observation: Any, now: dict[str, float]) -> Any:
        if now["scale"] == 1:
            return observation
        told = np.array(observation)
        sensor = min(int(now["sensor"]), told.size - 1)
        told.flat[slice(None) if sensor < 0 else sensor] *= told.dtype.type(now["scale"])
        return told


def action_ends(space: gym.Space[Any]) -> Any:
    """Return first + last of an action space, elementwise: what an action and its counterpart add up to."""
    if isinstance(space, spaces.Discrete):
        return 2 * int(space.start) + int(space.n) - 1
    if isinstance(space, spaces.MultiDiscrete):
        return 2 * space.start + space.nvec - 1
    if isinstance(space, spaces.MultiBinary):
        return np.ones(space.shape, np.int64)
    if isinstance(space, spaces.Box) and space.is_bounded():
        return space.low + space.high
    raise ValueError(f"only Discrete, MultiDiscrete, MultiBinary or finite Box actions can be swapped, not {space}")
