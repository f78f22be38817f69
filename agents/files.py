"""Agents in files: what they hold besides the arrays."""

from dataclasses import asdict
from os import PathLike
from typing import TYPE_CHECKING, Any, NamedTuple

import gymnasium as gym
from numpy.typing import NDArray

from dynlive_rl import checkpoint

from .config import AgentConfig
from .format2 import from_format_2
from .live_config import LiveConfig
from .memory_state import without_experience
from .spaces import space_from_json, space_to_json

if TYPE_CHECKING:
    from .agent import DynLiveAgent, Mode

CONFIGS: dict[str, type[AgentConfig] | type[LiveConfig]] = {"rehearsal": AgentConfig, "live": LiveConfig}

UPGRADES = {2: from_format_2}


def config_for(mode: str, config: AgentConfig | LiveConfig | None) -> AgentConfig | LiveConfig:
    """Return the configuration of a mode, the given or the default one."""
    if mode not in CONFIGS:
        raise ValueError(f"mode must be one of {', '.join(map(repr, CONFIGS))}, not {mode!r}")
    if config is not None and not isinstance(config, CONFIGS[mode]):
        raise TypeError(f"mode {mode!r} takes a {CONFIGS[mode].__name__} as config, not {type(config).__name__}")
    return config or CONFIGS[mode]()


class SavedAgent(NamedTuple):
    """What a file holds of an agent."""

    observation_space: gym.Space[Any]
    action_space: gym.Space[Any]
    mode: "Mode"
    config: AgentConfig | LiveConfig
    seed: int | None
    environments: int
    num_timesteps: int
    env: dict[str, Any] | None  # see `environments.describe`
    training: dict[str, Any]  # see `DynLiveAgent.training_state`; empty in older files
    state: dict[str, NDArray[Any]]


def write_agent(path: str | PathLike[str], agent: "DynLiveAgent", include_experience: bool = True) -> None:
    """Write an agent, with everything it needs to go on learning, or without its experience."""
    with agent.still():
        env, training = agent.training_state()
        header = {
            "mode": agent.mode,
            "config": asdict(agent.config),
            "seed": agent.seed,
            "environments": agent.interaction.environments,
            "num_timesteps": agent.num_timesteps,
            "env": env,
            "training": training,
            "observation_space": space_to_json(agent.observation_space),
            "action_space": space_to_json(agent.action_space),
        }
        arrays = agent.get_state()
    if not include_experience and isinstance(agent.config, AgentConfig):
        arrays = without_experience(arrays, agent.config.rehearsal.first_rehearsal)
    checkpoint.write(path, "agent", header, arrays)


def read_agent(path: str | PathLike[str]) -> SavedAgent:
    """Read an agent's file.

    Raises
    ------
    FileNotFoundError, ValueError
        If there is no such file, or it is not an agent.
    """
    header, arrays = checkpoint.read(path, "agent", UPGRADES)
    with checkpoint.understood(path, header):
        return SavedAgent(
            observation_space=space_from_json(header["observation_space"]),
            action_space=space_from_json(header["action_space"]),
            mode=header["mode"],
            config=CONFIGS[header["mode"]](**header["config"]),
            seed=header["seed"],
            environments=header["environments"],
            num_timesteps=header["num_timesteps"],
            env=header["env"],
            training=header.get("training", {}),
            state=arrays,
        )
