"""CartPole with friction, and with physics that follow schedules."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.envs.classic_control.cartpole import CartPoleEnv
from numpy.typing import NDArray

from .schedules import Lifetime, Schedule
from .wrappers import ChangingActions, ChangingSensors


class DriftCartPole(CartPoleEnv):
    """Gymnasium's CartPole, whose pole, gravity, force and friction change over its lifetime.

    With its defaults it is CartPole-v1, step by step. `reset(seed=…)` begins the life again, `reset()` goes on with it.
    The values in force are in every step's info.

    Parameters
    ----------
    half_length
        Half the length of the pole in m, > 0.
    gravity
        In m/s², > 0.
    force
        With which the cart is pushed, in N, > 0.
    friction
        Of the cart on its track in N, ≥ 0: μ sgn(ẋ) (Barto, Sutton & Anderson, 1983, have 0.0005).
    pole_friction
        Of the joint in N m s, ≥ 0: μ θ̇ (there 0.000002).
    world, start
        Seed of what is drawn, and step at which life begins.
    render_mode
        As CartPole-v1's.
    """

    def __init__(
        self,
        *,
        half_length: Schedule = 0.5,
        gravity: Schedule = 9.8,
        force: Schedule = 10.0,
        friction: Schedule = 0.0,
        pole_friction: Schedule = 0.0,
        world: int = 0,
        start: int = 0,
        render_mode: str | None = None,
    ) -> None:
        super().__init__(render_mode=render_mode)
        physics = {"half_length": half_length, "gravity": gravity, "force": force}
        frictions = {"friction": friction, "pole_friction": pole_friction}
        self.lifetime = Lifetime(physics | frictions, world, start)
        for name in physics:
            if not self.lifetime.schedules[name].bounds[0] > 0:
                raise ValueError(f"{name} must always be above 0, not {physics[name]!r}")
        for name in frictions:
            if not self.lifetime.schedules[name].bounds[0] >= 0:
                raise ValueError(f"{name} must never be below 0, not {frictions[name]!r}")
        self.friction = self.pole_friction = 0.0

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode; with a seed, the life as well."""
        self.lifetime.reset(seed)
        physics = self._change()
        observation, _ = super().reset(seed=seed, options=options)
        return observation, physics

    def step(self, action: Any) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Push the cart for one step of the lifetime."""
        if self.state is None:
            raise gym.error.ResetNeeded("call reset before step")
        physics = self._change()
        before = self.state
        observation, reward, terminated, truncated, _ = super().step(action)  # type: ignore[no-untyped-call]
        if self.friction or self.pole_friction:
            self._rub(*before[1:])
            observation = self.state.astype(np.float32)
        self.lifetime.step += 1
        return observation, float(reward), terminated, truncated, physics

    def _change(self) -> dict[str, Any]:
        """Put the physics of this step of the lifetime in force."""
        physics = self.lifetime.now()
        self.length, self.gravity, self.force_mag = physics["half_length"], physics["gravity"], physics["force"]
        self.polemass_length = self.masspole * self.length
        self.friction, self.pole_friction = physics["friction"], physics["pole_friction"]
        return dict(physics)

    def _rub(self, velocity: float, angle: float, turning: float) -> None:
        """Add what friction does to the velocities within one step; accelerations are linear in it."""
        assert self.state is not None
        cosine = np.cos(angle)
        push = -self.friction * np.sign(velocity) / self.total_mass
        turn = -cosine * push - self.pole_friction * turning / self.polemass_length
        turn /= self.length * (4.0 / 3.0 - self.masspole * cosine**2 / self.total_mass)
        self.state[1] += self.tau * (push - self.polemass_length * turn * cosine / self.total_mass)
        self.state[3] += self.tau * turn


def changing_cartpole(
    *,
    swap: Schedule = 0.0,
    sensor: Schedule = 0,
    sensor_scale: Schedule = 1.0,
    world: int = 0,
    start: int = 0,
    render_mode: str | None = None,
    **physics: Schedule,
) -> gym.Env[Any, Any]:
    """Make a `DriftCartPole` with actions that may be swapped and a sensor that may die or be rescaled.

    Parameters
    ----------
    swap
        As in `ChangingActions`.
    sensor, sensor_scale
        As in `ChangingSensors`; sensors 0 to 3 are the cart's place and velocity, the pole's angle and its velocity.
    world, start, render_mode, physics
        As in `DriftCartPole`.
    """
    env: gym.Env[Any, Any] = DriftCartPole(**physics, world=world, start=start, render_mode=render_mode)
    if sensor_scale != 1:
        env = ChangingSensors(env, scale=sensor_scale, sensor=sensor, world=world, start=start)
    if swap != 0:
        env = ChangingActions(env, swap=swap, world=world, start=start)
    return env
