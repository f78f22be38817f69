"""Gymnasium environments as stable-baselines3's `VecEnv`, for its callbacks. Needs stable-baselines3."""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from stable_baselines3.common.env_util import is_wrapped
from stable_baselines3.common.vec_env import DummyVecEnv, VecEnv

from .infos import Step, batched, unbatched
from .vectors import FromVecEnv


def vec_env_of(env: Any) -> VecEnv:
    """Return an environment as a `VecEnv`, which shares its state: what it is told, the environment is told."""
    if isinstance(env, VecEnv):
        return env
    if isinstance(env, FromVecEnv):
        venv: VecEnv = env.venv
        return venv
    parts = [env] if isinstance(env, gym.Env) else getattr(env, "envs", None)
    if parts:
        try:
            return DummyVecEnv([lambda part=part: part for part in parts])  # type: ignore[misc]
        except NotImplementedError:  # nested observations
            pass
    return ToVecEnv(env)


class ToVecEnv(VecEnv):
    """A Gymnasium environment, single or several side by side, as a `VecEnv`.

    Parameters
    ----------
    env
        The environment.
    """

    def __init__(self, env: Any) -> None:
        self.env = env
        self._is_vector = isinstance(env, gym.vector.VectorEnv)
        spaces = (
            (env.single_observation_space, env.single_action_space)
            if self._is_vector
            else (env.observation_space, env.action_space)
        )
        self._actions: Any = None
        super().__init__(env.num_envs if self._is_vector else 1, *spaces)

    def reset(self) -> Any:
        """Reset all environments."""
        seed = next((seed for seed in self._seeds if seed is not None), None)
        observation, info = self.env.reset(seed=seed)
        self._reset_seeds()
        self.reset_infos = unbatched(info, self.num_envs) if self._is_vector else [info]
        return observation if self._is_vector else batched(observation)

    def step_async(self, actions: Any) -> None:
        """Keep the actions for `step_wait`."""
        self._actions = actions

    def step_wait(self) -> Any:
        """Step all environments. Single ones are reset when their episode ends; vector ones do as they do."""
        action = self._actions if self._is_vector else self._actions[0]
        answer = self.env.step(action)
        step = Step(self.env, action, answer, ())
        observation = step.new_obs
        if not self._is_vector and step.dones[0]:
            observation = batched(self.env.reset()[0])
        return observation, step.rewards, step.dones, step.infos

    def close(self) -> None:
        """Close the environment."""
        self.env.close()

    def _chosen(self, values: Sequence[Any], indices: Any) -> list[Any]:
        return [values[k] for k in self._get_indices(indices)]

    def get_attr(self, attr_name: str, indices: Any = None) -> list[Any]:
        """Return an attribute of some environments; all have that of one that steps them all at once."""
        if self._is_vector:
            has_parts = hasattr(self.env, "get_attr")
            values = self.env.get_attr(attr_name) if has_parts else [getattr(self.env, attr_name)] * self.num_envs
            return self._chosen(values, indices)
        return self._chosen([self.env.get_wrapper_attr(attr_name)], indices)

    def set_attr(self, attr_name: str, value: Any, indices: Any = None) -> None:
        """Set an attribute of all environments; of some of several side by side it cannot be."""
        if len(list(self._get_indices(indices))) != self.num_envs:
            raise NotImplementedError(f"{self.env} sets an attribute of all environments only")
        if self._is_vector:
            self.env.set_attr(attr_name, [value] * self.num_envs)
        else:
            self.env.set_wrapper_attr(attr_name, value)

    def env_method(self, method_name: str, *args: Any, indices: Any = None, **kwargs: Any) -> list[Any]:
        """Call a method of some environments (of all, where they are side by side) and return what these return."""
        if self._is_vector:
            return self._chosen(self.env.call(method_name, *args, **kwargs), indices)
        return self._chosen([self.env.get_wrapper_attr(method_name)(*args, **kwargs)], indices)

    def env_is_wrapped(self, wrapper_class: type[Any], indices: Any = None) -> list[bool]:
        """Tell whether environments are wrapped so; what runs in other processes cannot say, and is taken not to be."""
        wrapped = not self._is_vector and is_wrapped(self.env, wrapper_class)
        return self._chosen([wrapped] * self.num_envs, indices)

    def get_images(self) -> list[Any]:
        """Return what each environment renders."""
        rendered = self.env.render()
        return list(rendered) if self._is_vector and rendered is not None else [np.asarray(rendered)]
