"""stable-baselines3's vector environments as Gymnasium's. Knows them by what they can do, and does not import them."""

from collections.abc import Sequence
from typing import Any, Protocol

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import batch_space
from numpy.typing import NDArray

from ..masks import mask_of


class VecEnvLike(Protocol):
    """What a stable-baselines3 `VecEnv` can do, of what an agent needs."""

    num_envs: int
    observation_space: gym.Space[Any]
    action_space: gym.Space[Any]

    def reset(self) -> Any:
        """Reset all environments."""

    def step_async(self, actions: Any) -> None:
        """Begin a step."""

    def step_wait(self) -> Any:
        """End a step; returns observations, rewards, dones and infos."""


NEEDED = ("num_envs", "step_async", "step_wait", "env_is_wrapped", "env_method")


def is_vec_env(env: Any) -> bool:
    """Tell whether something is a vector environment of stable-baselines3's kind."""
    return not isinstance(env, (str, type, gym.vector.VectorEnv)) and all(hasattr(env, name) for name in NEEDED)


def innermost(venv: Any) -> Any:
    """Return what a `VecEnv`, or anything that has one as its `venv`, wraps within all wrappers."""
    while hasattr(venv, "venv"):
        venv = venv.venv
    return venv


def _masks_in(infos: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the action masks among infos, one for each environment, in one info of a vector environment; {} for none."""
    masks = [mask_of(info) for info in infos]
    there = np.array([mask is not None for mask in masks], np.bool_)
    return {"action_mask": masks, "_action_mask": there} if there.any() else {}


class FromVecEnv(gym.vector.VectorEnv[Any, Any, Any]):
    """A stable-baselines3 `VecEnv` as a Gymnasium vector environment that resets in the same step.

    Parameters
    ----------
    venv
        The `VecEnv`, whatever wraps it: `VecNormalize`, `VecMonitor`, `VecFrameStack` …

    Attributes
    ----------
    venv
        The same.
    infos
        One dict for each environment: what the last step told, as stable-baselines3 has it.

    Examples
    --------
    >>> from stable_baselines3.common.env_util import make_vec_env
    >>> from dynlive_rl import DynLiveAgent
    >>> agent = DynLiveAgent(make_vec_env("CartPole-v1", n_envs=2, seed=0), seed=0)
    >>> agent.env
    FromVecEnv(DummyVecEnv, num_envs=2)
    """

    def __init__(self, venv: Any) -> None:
        self.venv = venv
        self.num_envs = int(venv.num_envs)
        self.single_observation_space, self.single_action_space = venv.observation_space, venv.action_space
        self.observation_space = batch_space(self.single_observation_space, self.num_envs)
        self.action_space = batch_space(self.single_action_space, self.num_envs)
        self.metadata = {**(getattr(venv, "metadata", None) or {}), "autoreset_mode": AutoresetMode.SAME_STEP}
        self.render_mode = getattr(venv, "render_mode", None)
        self.spec = None
        self.infos: list[dict[str, Any]] = [{}] * self.num_envs

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Any, dict[str, Any]]:
        """Reset all environments; the k-th one is seeded with seed + k, as Gymnasium does."""
        if seed is not None:
            self.venv.seed(seed)
        if options:
            self.venv.set_options(options)
        observations = self.venv.reset()
        self.infos = list(self._reset_infos())
        return observations, _masks_in(self.infos)

    def step(
        self, actions: Any
    ) -> tuple[Any, NDArray[np.floating], NDArray[np.bool_], NDArray[np.bool_], dict[str, Any]]:
        """Step all environments; the final observations of those whose episodes ended are in info["final_obs"].

        Masks are in info["action_mask"], and those of final observations in info["final_info"], as Gymnasium has them.
        """
        observations, rewards, dones, self.infos = self.venv.step(actions)
        if not dones.any():
            return observations, rewards, dones, dones, _masks_in(self.infos)
        truncated = dones & np.array([info.get("TimeLimit.truncated", False) for info in self.infos], np.bool_)
        final = [info.get("terminal_observation") for info in self.infos]
        begun = zip(self.infos, self._reset_infos(), dones, strict=True)
        masks = _masks_in([of_reset if done else info for info, of_reset, done in begun])
        return (
            observations, rewards, dones & ~truncated, truncated,
            masks | {"final_obs": final, "final_info": _masks_in(self.infos)},
        )  # fmt: skip

    def _reset_infos(self) -> Sequence[dict[str, Any]]:
        """Return what came with the last reset of every environment; a wrapper's own list is never written."""
        infos: Sequence[dict[str, Any]] = getattr(innermost(self.venv), "reset_infos", [{}] * self.num_envs)
        return infos

    def render(self) -> Any:
        """Return what `VecEnv.render` does."""
        return self.venv.render()

    def get_attr(self, name: str) -> tuple[Any, ...]:
        """Return an attribute of every environment."""
        return tuple(self.venv.get_attr(name))

    def set_attr(self, name: str, values: Any) -> None:
        """Set an attribute of every environment, to one value or to one for each."""
        each = values if isinstance(values, (list, tuple)) else [values] * self.num_envs
        for k, value in enumerate(each):
            self.venv.set_attr(name, value, indices=k)

    def call(self, name: str, *args: Any, **kwargs: Any) -> tuple[Any, ...]:
        """Call a method of every environment and return what each does."""
        return tuple(self.venv.env_method(name, *args, **kwargs))

    def close_extras(self, **kwargs: Any) -> None:
        """Close the `VecEnv`."""
        self.venv.close()

    def __repr__(self) -> str:
        return f"FromVecEnv({type(self.venv).__name__}, num_envs={self.num_envs})"
