"""Many changing cart-poles as arrays: what `gymnasium.make_vec` makes of them, and quick to evaluate in."""

from typing import Any

import numpy as np
from gymnasium.envs.classic_control.cartpole import CartPoleVectorEnv
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from .drift_cartpole import changing_cartpole, rub
from .schedules import Lifetime


class ChangingCartPoles(CartPoleVectorEnv):
    """Cart-poles side by side that share one life: what changes changes for all of them at once.

    Every call of `step` is a step of the lifetime, those that reset a cart-pole included.

    Parameters
    ----------
    num_envs
        Number of cart-poles.
    max_episode_steps
        Episodes are broken off after so many steps.
    world, start, changes
        As in `changing_cartpole`.
    render_mode
        As Gymnasium's `CartPoleVectorEnv` has it.
    """

    def __init__(
        self,
        num_envs: int = 1,
        *,
        max_episode_steps: int = 500,
        world: int = 0,
        start: int = 0,
        render_mode: str | None = None,
        **changes: Any,
    ) -> None:
        super().__init__(num_envs, max_episode_steps, render_mode)
        one = changing_cartpole(**changes, world=world, start=start)
        self.single_observation_space = one.observation_space
        self.observation_space = batch_space(one.observation_space, num_envs)
        self.lifetimes: list[Lifetime] = []
        while True:
            self.lifetimes.append(one.lifetime)  # type: ignore[attr-defined]
            if one is one.unwrapped:
                break
            one = one.env  # type: ignore[attr-defined]

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin episodes everywhere; with a seed, the life as well."""
        for lifetime in self.lifetimes:
            lifetime.reset(seed)
        observations, info = super().reset(seed=seed, options=options)
        return self._seen(observations, self._change()), info

    def step(self, action: NDArray[Any]) -> tuple[Any, Any, Any, Any, dict[str, Any]]:
        """Push every cart."""
        now = self._change()
        before: Any = self.state
        going = ~self.prev_done
        done = 1 - action if now.get("swap", 0.0) > 0.5 else action
        observations, rewards, terminated, truncated, info = super().step(done)
        if now["friction"] or now["pole_friction"]:
            state: Any = self.state
            rubbed = state.copy()
            rub(rubbed, before[1:], now, self.masspole, self.total_mass, self.tau)
            state[:, going] = rubbed[:, going]
            observations = state.T.astype(np.float32)
        for lifetime in self.lifetimes:
            lifetime.step += 1
        return self._seen(observations, now), rewards, terminated, truncated, info

    @property
    def lifetime_steps(self) -> list[int]:
        """Steps of the lifetimes so far; assign those of another one like this to go on where it was."""
        return [lifetime.step for lifetime in self.lifetimes]

    @lifetime_steps.setter
    def lifetime_steps(self, steps: list[int]) -> None:
        for lifetime, step in zip(self.lifetimes, steps, strict=True):
            lifetime.step = step

    def _change(self) -> dict[str, float]:
        """Put the world of this step of the lifetime in force."""
        now = {name: value for lifetime in self.lifetimes for name, value in lifetime.now().items()}
        self.length, self.gravity, self.force_mag = now["half_length"], now["gravity"], now["force"]
        self.polemass_length = self.masspole * self.length
        return now

    def _seen(self, observations: NDArray[np.float32], now: dict[str, float]) -> NDArray[np.float32]:
        if now.get("scale", 1.0) != 1:
            sensor = min(int(now["sensor"]), observations.shape[1] - 1)
            observations[:, slice(None) if sensor < 0 else sensor] *= np.float32(now["scale"])
        return observations
