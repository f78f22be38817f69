"""The logger of an agent, as stable-baselines3's models have one."""

from typing import TYPE_CHECKING, Any

from .sb3.recording import recorder_of

if TYPE_CHECKING:
    from .agent import DynLiveAgent


class Logged:
    """An agent with a logger. What it writes during `learn`, and when, is in `docs/sb3.md`."""

    @property
    def logger(self: "DynLiveAgent") -> Any:  # type: ignore[misc]
        """What values are recorded with: a `dynlive_rl.agents.sb3.Logger`, or what `set_logger` was given."""
        return recorder_of(self).logger

    def set_logger(self: "DynLiveAgent", logger: Any) -> None:  # type: ignore[misc]
        """Let `learn` write its progress to a logger of stable-baselines3, or one like it."""
        recorder_of(self).set_logger(logger)
