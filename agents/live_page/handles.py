"""Handles: what of an environment can be changed by hand while an agent lives in it."""

from collections.abc import Callable
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium.envs.toy_text.frozen_lake import FrozenLakeEnv

from dynlive_rl.envs import ChangingSensors, Cycle, DriftCartPole
from dynlive_rl.envs.schedules import Lifetime
from dynlive_rl.envs.wrappers import action_ends


class Handle(NamedTuple):
    """One thing that can be turned.

    Attributes
    ----------
    label, unit
        In words.
    low, high
        What it may be; a handle from 0 to 1 in steps of 1 is a switch.
    step
        Of a slider.
    get, set
        Read it and turn it.
    release
        Let it go back to what it was, or to what its schedule says.
    """

    label: str
    unit: str
    low: float
    high: float
    step: float
    get: Callable[[], float]
    set: Callable[[float], None]
    release: Callable[[], None]


class _Range(NamedTuple):
    """How an attribute of an environment, times a factor, is shown."""

    attribute: str
    label: str
    unit: str
    low: float
    high: float
    step: float
    factor: float = 1.0


_RANGES: dict[str, dict[str, _Range]] = {
    "CartPoleEnv": {
        "length": _Range("length", "Pole length", "m", 0.2, 3.0, 0.05, 2.0),
        "gravity": _Range("gravity", "Gravity", "m/s²", 1.0, 25.0, 0.1),
        "force": _Range("force_mag", "Force of a push", "N", 1.0, 25.0, 0.5),
    },
    "AcrobotEnv": {
        "length": _Range("LINK_LENGTH_1", "Upper link", "m", 0.5, 1.5, 0.05),
        "mass": _Range("LINK_MASS_2", "Lower link's mass", "kg", 0.5, 2.0, 0.05),
    },
    "MountainCarEnv": {
        "gravity": _Range("gravity", "Gravity", "× 10⁻³", 1.0, 4.0, 0.1, 1000.0),
        "force": _Range("force", "Engine", "× 10⁻³", 0.5, 2.0, 0.05, 1000.0),
    },
    "PendulumEnv": {
        "length": _Range("l", "Length", "m", 0.5, 2.0, 0.05),
        "gravity": _Range("g", "Gravity", "m/s²", 1.0, 20.0, 0.1),
        "mass": _Range("m", "Mass", "kg", 0.5, 2.0, 0.05),
    },
}
_SCHEDULES: dict[str, _Range] = {
    "half_length": _Range("half_length", "Pole length", "m", 0.2, 3.0, 0.05, 2.0),
    "gravity": _Range("gravity", "Gravity", "m/s²", 1.0, 25.0, 0.1),
    "force": _Range("force", "Force of a push", "N", 1.0, 25.0, 0.5),
    "friction": _Range("friction", "Friction", "N", 0.0, 2.0, 0.05),
    "scale": _Range("scale", "Sensor's scale", "×", 0.0, 5.0, 0.1),
}


class Handles:
    """Takes an environment in hand: `by_name` are its handles, `swapped` whether its actions are turned around.

    Nothing is wrapped around the environment, so that files say of it what they always do.

    Parameters
    ----------
    env
        The environment, with its wrappers.
    """

    def __init__(self, env: gym.Env[Any, Any]) -> None:
        self.swapped = False
        self.by_name: dict[str, Handle] = {}
        base: Any = env.unwrapped
        for layer in _layers(env):
            if isinstance(layer, (DriftCartPole, ChangingSensors)):
                self._take_schedules(layer.lifetime)
        if isinstance(base, FrozenLakeEnv):
            self.by_name["ice"] = _ice(base)
        if not isinstance(base, DriftCartPole):
            ranges = [ranges for kind in type(base).__mro__ for ranges in [_RANGES.get(kind.__name__)] if ranges]
            self.by_name |= {name: _attribute(base, how) for name, how in (ranges[0] if ranges else {}).items()}
        self.can_swap = True
        try:
            self._take_step(base, action_ends(base.action_space))
        except ValueError:
            self.can_swap = False

    def swap(self, on: bool) -> None:
        """Turn the actions around, or back; ValueError if they have no mirror image."""
        if on and not self.can_swap:
            raise ValueError("the actions of this world cannot be swapped")
        self.swapped = on

    def values(self) -> dict[str, float]:
        """Return where every handle stands."""
        return {name: float(handle.get()) for name, handle in self.by_name.items()}

    def turn(self, name: str, value: float) -> float:
        """Turn a handle, no further than it goes, and return where it stands; ValueError if there is none of that name."""
        handle = self._handle(name)
        handle.set(min(max(value, handle.low), handle.high))
        return float(handle.get())

    def release(self, name: str) -> None:
        """Let a handle go; ValueError if there is none of that name."""
        self._handle(name).release()

    def _handle(self, name: str) -> Handle:
        if name not in self.by_name:
            names = ", ".join(self.by_name) or "nothing"
            raise ValueError(f"this world has no {name!r} to turn, only {names}")
        return self.by_name[name]

    def _take_schedules(self, lifetime: Lifetime) -> None:
        for name in lifetime.schedules.keys() & _SCHEDULES.keys():
            self.by_name[name] = _schedule(lifetime, _SCHEDULES[name])
        self.by_name = {name: self.by_name[name] for name in _SCHEDULES if name in self.by_name}

    def _take_step(self, base: Any, ends: Any) -> None:
        inner = base.step

        def step(action: Any) -> Any:
            if self.swapped:
                action = type(action)(ends - action) if np.ndim(action) == 0 else (ends - action).astype(action.dtype)
            return inner(action)

        base.step = step


def _layers(env: gym.Env[Any, Any]) -> list[gym.Env[Any, Any]]:
    layers = [env]
    while isinstance(layers[-1], gym.Wrapper):
        layers.append(layers[-1].env)
    return layers


def _schedule(lifetime: Lifetime, how: _Range) -> Handle:
    name, factor = how.attribute, how.factor
    original = lifetime.schedules[name]

    def turn(value: float) -> None:
        lifetime.schedules[name] = Cycle((value / factor,), 1)

    def release() -> None:
        lifetime.schedules[name] = original

    return Handle(
        how.label, how.unit, how.low, how.high, how.step, lambda: factor * lifetime.now()[name], turn, release
    )


def _attribute(base: Any, how: _Range) -> Handle:
    name, factor = how.attribute, how.factor
    original = factor * getattr(base, name)

    def turn(value: float) -> None:
        setattr(base, name, value / factor)
        if hasattr(base, "polemass_length"):
            base.polemass_length = base.masspole * base.length

    return Handle(
        how.label,
        how.unit,
        how.low,
        how.high,
        how.step,
        lambda: factor * getattr(base, name),
        turn,
        lambda: turn(original),
    )


def _ice(base: Any) -> Handle:
    """Return a switch between slippery ice and firm ground."""
    firm = FrozenLakeEnv(desc=base.desc.tolist(), is_slippery=False).P
    slippery = FrozenLakeEnv(desc=base.desc.tolist(), is_slippery=True).P
    original = base.P

    def turn(value: float) -> None:
        base.P = slippery if value >= 0.5 else firm

    def release() -> None:
        base.P = original

    def get() -> float:
        return float(len(base.P[0][0]) > 1)

    return Handle("Slippery ice", "", 0.0, 1.0, 1.0, get, turn, release)
