"""The two modes of an agent, and the configuration of each."""

from dataclasses import replace
from typing import Literal, get_args

from .config import AgentConfig, RecurrenceConfig
from .live_config import LiveConfig

Mode = Literal["rehearsal", "live"]

TIME_CONSTANTS = (1.0, 4.0, 16.0, 64.0, 256.0, 1024.0)
HALF_LIVES = 10.0  # times those of an agent that sees everything: what shows late takes longer to be found

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
    chosen = config or CONFIGS[mode]()
    if recurrent and not chosen.recurrence.time_constants:
        chosen = replace(chosen, recurrence=RecurrenceConfig(time_constants=TIME_CONSTANTS))
        if config is None and isinstance(chosen, AgentConfig):
            chosen = _with_longer_half_lives(chosen)
    return chosen


def _with_longer_half_lives(config: AgentConfig) -> AgentConfig:
    rehearsal, optimisation, exploration = config.rehearsal, config.optimisation, config.exploration
    return replace(
        config,
        rehearsal=replace(rehearsal, rehearsal_half_life=HALF_LIVES * rehearsal.rehearsal_half_life),
        optimisation=replace(optimisation, rate_half_life=HALF_LIVES * optimisation.rate_half_life),
        exploration=replace(exploration, entropy_half_life=HALF_LIVES * exploration.entropy_half_life),
    )


def memory_of(config: AgentConfig | LiveConfig) -> int:
    """Return how many steps of experience a configuration keeps; 0 in live mode."""
    return config.rehearsal.memory if isinstance(config, AgentConfig) else 0
