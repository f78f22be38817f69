"""Making environments from ids, with errors that say what would do."""

from copy import deepcopy
from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import Error as GymnasiumError

Environment = gym.Env[Any, Any] | gym.vector.VectorEnv[Any, Any, Any]


def make(env: Environment | EnvSpec | str, render_mode: str | None = None) -> Environment:
    """Return the environment itself, or make it from its id or spec.

    Raises
    ------
    ValueError
        If there is no such id or it cannot be made here.
    TypeError
        If it is neither an id nor a Gymnasium environment.
    """
    if isinstance(env, (str, EnvSpec)):
        # Not every environment takes a render_mode.
        settings: dict[str, Any] = {} if render_mode is None else {"render_mode": render_mode}
        try:
            return gym.make(env, **settings)
        except (GymnasiumError, ModuleNotFoundError, TypeError) as error:
            name = env if isinstance(env, str) else env.id
            raise ValueError(f"cannot make environment {name!r}: {_one_line(error)}") from error
    if not isinstance(env, (gym.Env, gym.vector.VectorEnv)):
        raise TypeError(f"env must be an environment id or a Gymnasium environment, not {env!r}")
    return env


def spaces_of(env: Environment) -> tuple[gym.Space[Any], gym.Space[Any]]:
    """Return the spaces of one observation and one action, of a vector environment too."""
    if isinstance(env, gym.vector.VectorEnv):
        return env.single_observation_space, env.single_action_space
    return env.observation_space, env.action_space


def spec_of(env: Environment) -> EnvSpec | None:
    """Return how an environment was made, if it knows; of a vector environment made by hand, how its first one was."""
    parts = getattr(env, "envs", None)
    return env.spec or (parts[0].spec if isinstance(env, gym.vector.VectorEnv) and parts else None)


def check_spaces(env: Environment, observation_space: gym.Space[Any], action_space: gym.Space[Any], who: str) -> None:
    """Raise ValueError if an environment's spaces are not those that `who` was trained with."""
    for ours, theirs in zip((observation_space, action_space), spaces_of(env), strict=True):
        if ours != theirs:
            raise ValueError(f"{who} was trained with {ours}, but the environment has {theirs}")


def copies(env: Environment, count: int) -> gym.vector.VectorEnv[Any, Any, Any]:
    """Make fresh copies of an environment, side by side; those that can run as arrays do.

    Raises
    ------
    ValueError
        If the environment does not know how it was made.
    """
    spec = spec_of(env)
    if spec is None:
        raise ValueError(f"{env} does not know how it was made, so no copies of it can be: register what it is made of")
    spec = deepcopy(spec)
    for name in ("num_envs", "vectorization_mode", "vector_kwargs"):  # those of a vector environment win otherwise
        spec.kwargs.pop(name, None)
    try:
        return gym.make_vec(spec, num_envs=count, vectorization_mode="sync")
    except (GymnasiumError, ModuleNotFoundError) as error:
        raise ValueError(f"cannot make copies of {spec.id!r}: {_one_line(error)}") from None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
