"""Making environments, from ids or like others, with errors that say what would do; and what a file keeps of them."""

import importlib
import json
import re
import sys
from collections.abc import Iterator
from copy import deepcopy
from typing import Any, NamedTuple

import gymnasium as gym
from gymnasium import wrappers
from gymnasium.envs.registration import EnvSpec
from gymnasium.error import Error as GymnasiumError
from gymnasium.wrappers import OrderEnforcing
from gymnasium.wrappers.vector import RecordEpisodeStatistics

from .sb3.vectors import FromVecEnv, VecEnvLike, innermost, is_vec_env

WATCHING = (wrappers.RecordEpisodeStatistics, wrappers.RecordVideo, wrappers.HumanRendering)
Environment = gym.Env[Any, Any] | gym.vector.VectorEnv[Any, Any, Any]


MODULE = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*")  # names that can be imported

_registered_by: dict[str, str] = {}  # the module, by the id, of environments that were made as "module:id"


def make(env: Environment | VecEnvLike | EnvSpec | str, render_mode: str | None = None, **kwargs: Any) -> Environment:
    """Return the environment itself, or make it from its id ("module:id" imports the module first) or spec, with arguments.

    An environment of stable-baselines3 becomes one of Gymnasium's.

    Raises
    ------
    ValueError
        If there is no such id or it cannot be made here.
    TypeError
        If it is neither an id nor a Gymnasium environment.
    """
    if isinstance(env, (str, EnvSpec)):
        # Not every environment takes a render_mode.
        settings = kwargs if render_mode is None else kwargs | {"render_mode": render_mode}
        try:
            made = gym.make(env, **settings)
        except (GymnasiumError, ModuleNotFoundError, TypeError) as error:
            name = env if isinstance(env, str) else env.id
            raise ValueError(f"cannot make environment {name!r}: {_one_line(error)}") from error
        if isinstance(env, str) and ":" in env and made.spec is not None:
            _registered_by[made.spec.id] = env.partition(":")[0]
        return made
    if is_vec_env(env):
        return FromVecEnv(env)
    if not isinstance(env, (gym.Env, gym.vector.VectorEnv)):
        raise TypeError(f"env must be an environment id, a Gymnasium environment or a VecEnv, not {env!r}")
    return env


def spaces_of(env: Environment) -> tuple[gym.Space[Any], gym.Space[Any]]:
    """Return the spaces of one observation and one action, of a vector environment too."""
    if isinstance(env, gym.vector.VectorEnv):
        return env.single_observation_space, env.single_action_space
    return env.observation_space, env.action_space


def count_of(env: Environment) -> tuple[int, bool]:
    """Return how many environments it is, and whether it is a vector environment."""
    return (env.num_envs, True) if isinstance(env, gym.vector.VectorEnv) else (1, False)


def spec_of(env: Environment) -> EnvSpec | None:
    """Return how to make a single environment like this one, or None where it does not know, or does not know all."""
    one = _one_of(env)
    spec = None if one is None else deepcopy(one.spec)
    if spec is None:
        return None
    if isinstance(one, gym.vector.VectorEnv):
        spec.max_episode_steps = spec.kwargs.pop("max_episode_steps", spec.max_episode_steps)
    for name in ("num_envs", "vectorization_mode", "vector_kwargs", "render_mode"):
        spec.kwargs.pop(name, None)
    return spec


def parts_of(env: Environment) -> list[Environment]:
    """Return the single environments that a vector environment steps in this process; [] where there are none to be had."""
    return _singles_in(env.unwrapped) if isinstance(env, gym.vector.VectorEnv) else []


def insides_of(env: Environment) -> list[Environment]:
    """Return the same, of a stable-baselines3 `VecEnv` too, which does not say how they were made."""
    return _singles_in(innermost(env.unwrapped)) if isinstance(env, gym.vector.VectorEnv) else []


def _singles_in(vector: Any) -> list[Environment]:
    parts: Any = getattr(vector, "envs", None)
    are_single = isinstance(parts, (list, tuple)) and all(isinstance(part, gym.Env) for part in parts)
    return list(parts) if are_single else []


def _one_of(env: Environment) -> Environment | None:
    """Return the first environment of a vector environment that is made of single ones, and any other itself.

    What wraps a vector environment is in no spec: then it is None, unless the wrapper only counts.
    """
    while isinstance(env, gym.vector.VectorWrapper):
        if not isinstance(env, RecordEpisodeStatistics):
            return None
        env = env.env
    parts = parts_of(env)
    return parts[0] if parts else env


def describe(env: Environment) -> dict[str, Any] | None:
    """Return what a file keeps of how an environment was made, see `spec_described`.

    Its id, its time limit, the arguments it is not registered with, and the module that registers it where Gymnasium does
    not; None where these, as JSON, are not all, or are not the same for all environments of a vector environment.
    """
    first, *others = parts_of(env) or [env]
    if others and _one_of(env) is first:
        description = describe(first)
        return description if all(describe(other) == description for other in others) else None
    spec = spec_of(env)
    if spec is None:
        return None
    made: Any = _one_of(env)
    while isinstance(made, gym.Wrapper) and not isinstance(made, OrderEnforcing):  # put around it once it was made
        made = made.env
    usual = gym.registry.get(spec.id, spec)
    try:
        kwargs = {
            name: value for name, value in spec.kwargs.items() if usual is spec or usual.kwargs.get(name) != value
        }
        as_made = spec.additional_wrappers == (*made.spec.additional_wrappers, *usual.additional_wrappers)
        if not as_made or json.loads(json.dumps(kwargs)) != kwargs:
            return None
    except (TypeError, ValueError):  # values that cannot be compared, or that JSON cannot hold
        return None
    description = {"id": spec.id, "kwargs": kwargs, "max_episode_steps": spec.max_episode_steps}
    module = module_of(spec)
    return description if module is None else description | {"module": module}


def module_of(spec: EnvSpec) -> str | None:
    """Return the module whose import registers an environment, as far as is known; None for Gymnasium's own."""
    if spec.id in _registered_by:
        return _registered_by[spec.id]
    entry_point: Any = spec.entry_point
    module = entry_point.partition(":")[0] if isinstance(entry_point, str) else getattr(entry_point, "__module__", None)
    if module is None or module == "__main__" or module.partition(".")[0] == "gymnasium":
        return None
    return str(module)


def vector_of(env: Environment) -> dict[str, Any] | None:
    """Return how the environments of a vector environment are made; None for a single environment."""
    if not isinstance(env, gym.vector.VectorEnv):
        return None
    names = {gym.vector.SyncVectorEnv: "sync", gym.vector.AsyncVectorEnv: "async"}
    autoreset: Any = env.metadata.get("autoreset_mode")
    return {
        "vectorization_mode": names.get(type(env), "vector_entry_point"),
        "autoreset_mode": None if autoreset is None else gym.vector.AutoresetMode(autoreset).name,
    }


def make_several(spec: EnvSpec, count: int, vectorization_mode: str) -> gym.vector.VectorEnv[Any, Any, Any]:
    """Make several environments, in this process ("sync") or in one each ("async").

    Raises
    ------
    ValueError
        If they cannot be made here.
    """
    return _several(spec, {"vectorization_mode": vectorization_mode, "autoreset_mode": None}, count)


def make_described(description: dict[str, Any], vector: dict[str, Any] | None, count: int) -> Environment:
    """Make the environment, or several, that `describe` and `vector_of` described.

    Raises
    ------
    ValueError
        If it cannot be made here.
    """
    try:
        spec = spec_described(description)
    except ValueError as error:
        raise ValueError(f"{error}: import the module that registers it, or pass env=") from None
    return make(spec) if vector is None else _several(spec, vector, count)


def _several(spec: EnvSpec, vector: dict[str, Any], count: int) -> gym.vector.VectorEnv[Any, Any, Any]:
    how = vector["vectorization_mode"]
    settings: dict[str, Any] = {"num_envs": count, "vectorization_mode": how}
    if how != "vector_entry_point" and vector["autoreset_mode"] is not None:
        settings["vector_kwargs"] = {"autoreset_mode": gym.vector.AutoresetMode[vector["autoreset_mode"]]}
    try:
        return gym.make_vec(spec, **settings)
    except (GymnasiumError, ModuleNotFoundError, TypeError, AttributeError) as error:
        raise ValueError(f"cannot make {count} environments {spec.id!r} side by side: {_one_line(error)}") from error


def spec_described(description: dict[str, Any]) -> EnvSpec:
    """Return the spec of an environment that `describe` described, of whatever is registered under its id here.

    Where nothing is, the module that is said to register it is imported first.

    Raises
    ------
    ValueError
        If nothing is then either.
    """
    name, module = description["id"], description.get("module")
    if name not in gym.registry and module is not None:
        try:
            importlib.import_module(module)
        except Exception as error:  # whatever it raises, the environment cannot be had
            raise ValueError(
                f"no environment {name!r} is registered here, and the module {module!r} that registered it cannot be imported "
                f"({type(error).__name__}: {_one_line(error)})"
            ) from None
    if name not in gym.registry:
        raise ValueError(f"no environment {name!r} is registered here")
    spec = deepcopy(gym.spec(name))
    spec.kwargs |= description["kwargs"]
    spec.max_episode_steps = description["max_episode_steps"]
    return spec


def check_spaces(env: Environment, observation_space: gym.Space[Any], action_space: gym.Space[Any], who: str) -> None:
    """Raise ValueError if an environment's spaces are not those that `who` was trained with."""
    for ours, theirs in zip((observation_space, action_space), spaces_of(env), strict=True):
        if ours != theirs:
            raise ValueError(f"{who} was trained with {ours}, but the environment has {theirs}")


class Recipe(NamedTuple):
    """How environments are made that are all the same."""

    what: EnvSpec | str

    def make_several(self, count: int) -> list[gym.Env[Any, Any]]:
        """Make so many; ValueError if they cannot be made here."""
        environments: list[Any] = []
        try:
            while len(environments) < count:
                environments.append(make(self.what))
        except ValueError:
            for env in environments:
                env.close()
            raise
        return environments


def certain_recipe(env: Environment) -> Recipe | None:
    """Return how to make environments that are certainly the same as this one; None where that is not certain.

    It is where `gymnasium.make` made it of an id and plain arguments, or several like it, and nothing is around it but what
    only watches: a wrapper may hold statistics, functions and resources that a copy would not have.
    """
    while isinstance(env, _watching()):
        env = env.env
    spec = spec_of(env)
    return None if spec is None or spec.additional_wrappers or describe(env) is None else Recipe(spec)


def _watching() -> tuple[type[Any], ...]:
    """Return the wrappers that change nothing of what is played."""
    monitor = getattr(sys.modules.get("stable_baselines3.common.monitor"), "Monitor", None)
    return (*WATCHING, *([] if monitor is None else [monitor]))


def layers(env: Any) -> Iterator[Any]:
    """Yield an environment, what it wraps, what that wraps, and so on."""
    while isinstance(env, (gym.Wrapper, gym.vector.VectorWrapper)):
        yield env
        env = env.env
    yield env


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())
