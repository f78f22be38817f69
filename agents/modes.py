"""The two modes of an agent, and the configuration of each."""

from dataclasses import replace
from typing import Literal, get_args

from .config import RECURRENT, AgentConfig
from .live_config import LiveConfig
from .recurrence_config import TIME_CONSTANTS

Mode = Literal["rehearsal", "live"]

CONFIGS: dict[str, type[AgentConfig] | type[LiveConfig]] = {"rehearsal": AgentConfig, "live": LiveConfig}


def config_of(mode: str, config: AgentConfig | LiveConfig | None, recurrent: bool = False) -> AgentConfig | LiveConfig:
    """Return the configuration of a mode, the given or the default one; with slow neurons, if it is to be recurrent.

    Raises
    ------
    ValueError, TypeError
        If there is no such mode, or the configuration is another one's.
    """
    if mode not in CONFIGS:
        raise ValueError(f"mode must be one of {', '.join(map(repr, get_args(Mode)))}, not {mode!r}")
    if config is not None and not isinstance(config, CONFIGS[mode]):
        raise TypeError(f"mode {mode!r} takes a {CONFIGS[mode].__name__} as config, not {type(config).__name__}")
    default = RECURRENT if recurrent and mode == "rehearsal" else CONFIGS[mode]()
    chosen = config or default
    if recurrent and not chosen.recurrence.time_constants:
        chosen = replace(chosen, recurrence=replace(chosen.recurrence, time_constants=TIME_CONSTANTS))
    return chosen


def memory_of(config: AgentConfig | LiveConfig) -> int:
    """Return how many steps of experience a configuration keeps; 0 in live mode."""
    return config.rehearsal.memory if isinstance(config, AgentConfig) else 0
