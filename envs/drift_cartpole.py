"""CartPole with friction, and with physics that follow schedules."""

from collections.abc import Mapping
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
        if physics["friction"] or physics["pole_friction"]:
            rub(self.state, before[1:], physics, self.masspole, self.total_mass, self.tau)
            observation = self.state.astype(np.float32)
        self.lifetime.step += 1
        return observation, float(reward), terminated, truncated, physics

    def _change(self) -> dict[str, Any]:
        """Put the physics of this step of the lifetime in force."""
        physics = self.lifetime.now()
        self.length, self.gravity, self.force_mag = physics["half_length"], physics["gravity"], physics["force"]
        self.polemass_length = self.masspole * self.length
        return dict(physics)


def rub(
    state: NDArray[np.float64], before: Any, physics: Mapping[str, float], pole: float, total: float, tau: float
) -> None:
    """Add to the state (4, ...), in place, what friction does to the velocities within one step of tau seconds.

    Accelerations are linear in it. `before` holds the cart's velocity, the pole's angle and its velocity before the step,
    `pole` and `total` are masses.
    """
    velocity, angle, turning = before
    length = physics["half_length"]
    cosine = np.cos(angle)
    push = -physics["friction"] * np.sign(velocity) / total
    turn = -cosine * push - physics["pole_friction"] * turning / (pole * length)
    turn = turn / (length * (4.0 / 3.0 - pole * cosine**2 / total))
    state[1] += tau * (push - pole * length * turn * cosine / total)
    state[3] += tau * turn


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


def world_at(step: int, *, world: int = 0, **changes: Any) -> dict[str, float]:
    """Return the world of `changing_cartpole` at a step of its life, as arguments that make one which stays like this.

    Examples
    --------
    >>> from dynlive_rl.envs import Cycle
    >>> world_at(150, swap=Cycle((0, 1), every=100), gravity=8.0)["swap"]
    1
    """
    now = changing_cartpole(**changes, world=world, start=step).reset(seed=0)[1]
    return {"sensor_scale" if name == "scale" else name: value for name, value in now.items()}
