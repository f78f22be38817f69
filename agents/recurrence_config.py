"""What a recurrent agent remembers of an episode, in both modes."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from dynlive_rl.checks import number

from .settings import check_numbers

TIME_CONSTANTS = (1.0, 4.0, 16.0, 64.0, 256.0, 1024.0)  # of agents that are made with recurrent=True, in steps
SLOWEST, MOST_CONSTANTS, MOST_FIRST = 1e6, 64, 2**14


@dataclass(frozen=True, kw_only=True)
class RecurrenceConfig:
    """What is remembered of an episode while it goes on, in both modes: nothing, until `recurrent` makes it more.

    Attributes
    ----------
    time_constants
        Time constants ≥ 1 of the slow neurons that every observed value has, in steps, ascending. One of 1 holds what was
        there one step before. Actions have slow neurons of the first one. An agent with any is recurrent.
    usual_steps
        Slow neurons hold the median of so many first observations when an episode begins.
    present_share
        Share of the hidden neurons that read what is observed and the fastest slow neurons, and no others; each of the rest
        reads one other time constant beside these.
    """

    time_constants: tuple[float, ...] = ()
    usual_steps: int = 100
    present_share: float = 0.5

    def __post_init__(self) -> None:
        check_numbers(self, at_most_one=("present_share",))
        if self.usual_steps > MOST_FIRST:
            raise ValueError(f"usual_steps must be at most {MOST_FIRST}, not {self.usual_steps}")
        given: Any = self.time_constants  # a list, where a file says it
        if not isinstance(given, (tuple, list)):
            raise ValueError(f"time_constants must be numbers ≥ 1, such as (1, 4, 16), not {given!r}")
        constants = tuple(number("time_constants", value) for value in given)
        is_ascending = all(one < other for one, other in pairwise(constants))
        if not is_ascending or not all(1 <= value <= SLOWEST for value in constants):
            raise ValueError(f"time_constants must be ascending numbers from 1 to {SLOWEST:g}, not {constants}")
        if len(constants) > MOST_CONSTANTS:
            raise ValueError(f"there may be at most {MOST_CONSTANTS} time_constants, not {len(constants)}")
        object.__setattr__(self, "time_constants", constants)
