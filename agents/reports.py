"""What callbacks are told as an agent learns."""

from typing import TYPE_CHECKING, Any, NamedTuple

from .training import Episode

if TYPE_CHECKING:
    from .agent import DynLiveAgent


class Report(NamedTuple):
    """What one call of the environment's `step` brought.

    Attributes
    ----------
    agent
        The learning agent.
    new_steps
        Environment steps taken by this call: 1, or as many as environments stepped.
    finished
        Episodes that ended with it.
    action, answer
        What `step` was given, and what it returned.
    """

    agent: "DynLiveAgent"
    new_steps: int
    finished: tuple[Episode, ...]
    action: Any
    answer: Any


class EventCallback:
    """A callback that is called where episodes end, and from a step on that it names: the steps between cost it nothing.

    Attributes
    ----------
    next_step
        It is called after every step once `agent.num_timesteps` is as large. A signal's handler may lower it.
    """

    next_step: float = float("inf")

    def __call__(self, report: Report) -> bool | None:
        """Take note of what happened; False ends learning."""
        raise NotImplementedError
