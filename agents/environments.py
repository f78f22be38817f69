"""Making environments from ids, with errors that say what would do."""

from typing import Any

import gymnasium as gym
from gymnasium.error import Error as GymnasiumError

Environment = gym.Env[Any, Any] | gym.vector.VectorEnv[Any, Any, Any]


def make(env: Environment | str) -> Environment:
    """Return the environment itself, or make it from its id.

    Raises
    ------
    ValueError
        If there is no such id or it cannot be made here.
    TypeError
        If it is neither an id nor a Gymnasium environment.
    """
    if isinstance(env, str):
        try:
            return gym.make(env)
        except (GymnasiumError, ModuleNotFoundError) as error:
            raise ValueError(f"cannot make environment {env!r}: {_one_line(error)}") from None
    if not isinstance(env, (gym.Env, gym.vector.VectorEnv)):
        raise TypeError(f"env must be an environment id or a Gymnasium environment, not {env!r}")
    return env


def copies(env: Environment, count: int) -> gym.vector.VectorEnv[Any, Any, Any]:
    """Make fresh copies of an environment, side by side; those that can run as arrays do.

    Raises
    ------
    ValueError
        If the environment does not know how it was made.
    """
    if env.spec is None:
        raise ValueError(f"{env} does not know how it was made, so no copies of it can be: register it with Gymnasium")
    try:
        return gym.make_vec(env.spec, num_envs=count, vectorization_mode="sync")
    except (GymnasiumError, ModuleNotFoundError) as error:
        raise ValueError(f"cannot make copies of {env.spec.id!r}: {_one_line(error)}") from None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
