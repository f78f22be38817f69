"""The state of an environment as plain data, so that another one like it, in another process, goes on bit for bit.

It can be had of environments whose state is known by name (Gymnasium's classic control and toy text, and this package's), of
MuJoCo's, and of all that offer `get_state` and `set_state`; within wrappers that are known too; and of such environments
side by side.
"""

from typing import Any

import gymnasium as gym

from .data import NoDataError, from_json, to_json
from .environments import Environment
from .mujoco_state import get_physics, is_mujoco, set_physics

Layer = Any  # an environment or one of its wrappers

_CARTPOLES = ("state", "steps", "prev_done", "steps_beyond_terminated", "low", "high")

ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "gymnasium.envs.classic_control.acrobot:AcrobotEnv": ("state",),
    "gymnasium.envs.classic_control.cartpole:CartPoleEnv": ("state", "steps_beyond_terminated"),
    "gymnasium.envs.classic_control.cartpole:CartPoleVectorEnv": _CARTPOLES,
    "gymnasium.envs.classic_control.continuous_mountain_car:Continuous_MountainCarEnv": ("state",),
    "gymnasium.envs.classic_control.mountain_car:MountainCarEnv": ("state",),
    "gymnasium.envs.classic_control.pendulum:PendulumEnv": ("state", "last_u"),
    "gymnasium.envs.toy_text.blackjack:BlackjackEnv": (
        "player", "dealer", "dealer_top_card_suit", "dealer_top_card_value_str",
    ),
    "gymnasium.envs.toy_text.cliffwalking:CliffWalkingEnv": ("s", "lastaction"),
    "gymnasium.envs.toy_text.frozen_lake:FrozenLakeEnv": ("s", "lastaction"),
    "gymnasium.envs.toy_text.taxi:TaxiEnv": ("s", "lastaction", "fickle_step", "taxi_orientation"),
    "dynlive_rl.envs.chain:Chain": ("state",),
    "dynlive_rl.envs.delayed_cue:DelayedCue": ("cue", "distractor", "steps"),
    "dynlive_rl.envs.delayed_reward:DelayedReward": ("on_their_way", "x", "reward", "steps"),
    "dynlive_rl.envs.drift_cartpole:DriftCartPole": ("state", "steps_beyond_terminated", "lifetime.step"),
    "dynlive_rl.envs.masked_cartpole:MaskedCartPole": ("state", "steps_beyond_terminated"),
    "dynlive_rl.envs.memory_xor:MemoryXor": ("cues", "steps"),
    "dynlive_rl.envs.tmaze:TMaze": ("place", "goal"),
    "dynlive_rl.envs.vector_cartpole:ChangingCartPoles": (*_CARTPOLES, "lifetime_steps"),
    "dynlive_rl.envs.wrappers:ChangingActions": ("lifetime.step",),
    "dynlive_rl.envs.wrappers:ChangingSensors": ("lifetime.step",),
    "gymnasium.vector.sync_vector_env:SyncVectorEnv": (
        "_env_obs", "_rewards", "_terminations", "_truncations", "_autoreset_envs",
    ),
    "gymnasium.wrappers.common:OrderEnforcing": ("_has_reset",),
    "gymnasium.wrappers.common:PassiveEnvChecker": (),
    "gymnasium.wrappers.common:RecordEpisodeStatistics": (
        "episode_count", "episode_returns", "episode_lengths", "return_queue", "length_queue",
    ),
    "gymnasium.wrappers.common:TimeLimit": ("_elapsed_steps",),
    "gymnasium.wrappers.stateful_observation:FrameStackObservation": ("obs_queue", "padding_value"),
    "gymnasium.wrappers.stateful_observation:NormalizeObservation": ("obs_rms.mean", "obs_rms.var", "obs_rms.count"),
    "gymnasium.wrappers.stateful_observation:TimeAwareObservation": ("timesteps",),
    "gymnasium.wrappers.stateful_reward:NormalizeReward": (
        "return_rms.mean", "return_rms.var", "return_rms.count", "discounted_reward",
    ),
}  # fmt: skip
"""Where the state of an environment or a wrapper stands, by its class; what one of a Gymnasium lacks is left out."""

STAND_INS = {"rl_zoo3.gym_patches:PatchedTimeLimit": "gymnasium.wrappers.common:TimeLimit"}
"""What importing a package puts in the place of a class, with the same state."""

# These compute what goes through them, and keep nothing. Functions given to them are taken to do the same.
_STATELESS = {
    "transform_action": ("ClipAction", "DiscretizeAction", "RescaleAction", "TransformAction"),
    "transform_observation": (
        "DiscretizeObservation", "DtypeObservation", "FilterObservation", "FlattenObservation", "GrayscaleObservation",
        "RescaleObservation", "ReshapeObservation", "ResizeObservation", "TransformObservation",
    ),
    "transform_reward": ("ClipReward", "TransformReward"),
}  # fmt: skip
ATTRIBUTES |= {f"gymnasium.wrappers.{module}:{name}": () for module, names in _STATELESS.items() for name in names}


def get_environment_state(env: Environment) -> Any | None:
    """Return an environment's state as JSON; None where it cannot be had."""
    try:
        return [_get_layer(layer) for layer in _layers(env)]
    except NoDataError:
        return None


def set_environment_state(env: Environment, state: Any) -> bool:
    """Put an environment where another one like it was; returns whether that could be done."""
    layers = _layers(env)
    try:
        if [_class_of(layer) for layer in layers] != [part["class"] for part in state]:
            return False
        return all(_set_layer(layer, part) for layer, part in zip(layers, state, strict=True))
    except Exception:  # its own set_state may raise anything: it has changed since
        return False


def _layers(env: Layer) -> list[Layer]:
    """Return an environment's wrappers from the outside in, and itself; no further in than what knows its whole state."""
    layers = [env]
    while isinstance(layers[-1], gym.Wrapper) and not _offers_state(layers[-1]):
        layers.append(layers[-1].env)
    return layers


def _offers_state(layer: Layer) -> bool:
    return callable(getattr(type(layer), "get_state", None)) and callable(getattr(type(layer), "set_state", None))


def _class_of(layer: Layer) -> str:
    name = f"{type(layer).__module__}:{type(layer).__qualname__}"
    return STAND_INS.get(name, name)


def _get_layer(layer: Layer) -> dict[str, Any]:
    name = _class_of(layer)
    state: dict[str, Any] = {"class": name}
    if _offers_state(layer):
        try:
            state["own"] = to_json(layer.get_state())
        except Exception as error:  # it takes arguments, or fails: a file without this is better than none
            raise NoDataError(f"get_state of {name} does not return its state") from error
    elif is_mujoco(layer):
        state["physics"] = get_physics(layer)
    elif name in ATTRIBUTES:
        state["values"] = {path: to_json(_get(layer, path)) for path in ATTRIBUTES[name] if _has(layer, path)}
    else:
        raise NoDataError(f"where the state of {name} stands is not known")
    if isinstance(layer, gym.vector.SyncVectorEnv):
        state["envs"] = [get_environment_state(env) for env in layer.envs]
        if None in state["envs"]:
            raise NoDataError("the state of an environment of several cannot be had")
    elif not isinstance(layer, gym.Wrapper) or "own" in state:
        state["random"] = to_json(layer.np_random)
    return state


def _set_layer(layer: Layer, state: dict[str, Any]) -> bool:
    if "own" in state and _offers_state(layer):
        layer.set_state(from_json(state["own"]))
    elif "physics" in state and is_mujoco(layer):
        set_physics(layer, state["physics"])
    else:
        for path in ATTRIBUTES[state["class"]]:
            if path in state["values"]:
                _set(layer, path, from_json(state["values"][path]))
        if hasattr(layer, "checked_data_reuse"):
            layer.checked_step = layer.checked_data_reuse = True  # what the checker would compare with is not there
    if "random" in state:
        layer.np_random = from_json(state["random"])
    envs = state.get("envs", [])
    return all(set_environment_state(env, part) for env, part in zip(getattr(layer, "envs", ()), envs, strict=True))


def _owner(layer: Layer, path: str) -> tuple[Any, str]:
    """Return what a path of attributes ends in, and the last attribute's name."""
    *parts, name = path.split(".")
    for part in parts:
        layer = getattr(layer, part)
    return layer, name


def _has(layer: Layer, path: str) -> bool:
    owner, name = _owner(layer, path)
    return hasattr(owner, name)


def _get(layer: Layer, path: str) -> Any:
    owner, name = _owner(layer, path)
    return getattr(owner, name)


def _set(layer: Layer, path: str, value: Any) -> None:
    owner, name = _owner(layer, path)
    setattr(owner, name, value)
