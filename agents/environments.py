"""Making environments from ids, with errors that say what would do."""

import json
from copy import deepcopy
from typing import Any

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import Error as GymnasiumError
from gymnasium.wrappers.vector import RecordEpisodeStatistics

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
    """Return how to make a single environment like this one, or None where it does not know, or does not know all.

    Of a vector environment made by hand it is how its first one was made. What wraps a vector environment is in no spec: there
    is none then, unless the wrapper only counts.
    """
    while isinstance(env, gym.vector.VectorWrapper):
        if not isinstance(env, RecordEpisodeStatistics):
            return None
        env = env.env
    parts = getattr(env, "envs", None) if isinstance(env, gym.vector.VectorEnv) else None
    spec = deepcopy(parts[0].spec if parts else env.spec)
    if spec is None:
        return None
    if isinstance(env, gym.vector.VectorEnv):
        spec.max_episode_steps = spec.kwargs.pop("max_episode_steps", spec.max_episode_steps)
    for name in ("num_envs", "vectorization_mode", "vector_kwargs", "render_mode"):
        spec.kwargs.pop(name, None)
    return spec


def to_json(spec: EnvSpec | None) -> dict[str, Any] | None:
    """Return what `spec_from_json` makes a spec from; None where id, limit and arguments that JSON can hold are not all."""
    if spec is None or spec.additional_wrappers:
        return None
    description = {"id": spec.id, "kwargs": spec.kwargs, "max_episode_steps": spec.max_episode_steps}
    try:
        return description if json.loads(json.dumps(description)) == description else None
    except (TypeError, ValueError):
        return None


def spec_from_json(description: dict[str, Any]) -> EnvSpec:
    """Return the spec of an environment, of whatever is registered under its id here.

    Raises
    ------
    ValueError
        If nothing is.
    """
    name = description["id"]
    if name not in gym.registry:
        raise ValueError(f"no environment {name!r} is registered here")
    spec = deepcopy(gym.spec(name))
    spec.kwargs, spec.max_episode_steps = description["kwargs"], description["max_episode_steps"]
    return spec


def check_spaces(env: Environment, observation_space: gym.Space[Any], action_space: gym.Space[Any], who: str) -> None:
    """Raise ValueError if an environment's spaces are not those that `who` was trained with."""
    for ours, theirs in zip((observation_space, action_space), spaces_of(env), strict=True):
        if ours != theirs:
            raise ValueError(f"{who} was trained with {ours}, but the environment has {theirs}")


def copies(env: Environment, count: int) -> gym.vector.VectorEnv[Any, Any, Any]:
    """Make fresh copies of an environment, side by side in this process.

    Raises
    ------
    ValueError
        If the environment does not know how it was made.
    """
    spec = spec_of(env)
    if spec is None:
        raise ValueError(f"{env} does not know how it was made, so no copies of it can be: register what it is made of")
    try:
        return gym.make_vec(spec, num_envs=count, vectorization_mode="sync")
    except (GymnasiumError, ModuleNotFoundError) as error:
        raise ValueError(f"cannot make copies of {spec.id!r}: {_one_line(error)}") from None


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
