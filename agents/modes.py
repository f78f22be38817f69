"""The two modes of an agent, and the configuration of each."""

from typing import Literal, get_args

from .config import AgentConfig
from .live_config import LiveConfig

Mode = Literal["rehearsal", "live"]

CONFIGS: dict[str, type[AgentConfig] | type[LiveConfig]] = {"rehearsal": AgentConfig, "live": LiveConfig}


def config_of(mode: str, config: AgentConfig | LiveConfig | None) -> AgentConfig | LiveConfig:
    """Return the configuration of a mode, the given or the default one.

    Raises
    ------
    ValueError, TypeError
        If there is no such mode, or the configuration is another one's.
    """
    if mode not in CONFIGS:
        raise ValueError(f"mode must be one of {', '.join(map(repr, get_args(Mode)))}, not {mode!r}")
    if config is not None and not isinstance(config, CONFIGS[mode]):
        raise TypeError(f"mode {mode!r} takes a {CONFIGS[mode].__name__} as config, not {type(config).__name__}")
    return config or CONFIGS[mode]()


def memory_of(config: AgentConfig | LiveConfig) -> int:
    """Return how many steps of experience a configuration keeps; 0 in live mode."""
    return config.rehearsal.memory if isinstance(config, AgentConfig) else 0
