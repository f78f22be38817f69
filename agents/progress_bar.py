"""How far learning is: a bar on terminals and in notebooks, and a line at its end."""

import sys
from collections import deque
from collections.abc import Iterable
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any

from .training import Episode

if TYPE_CHECKING:
    from .agent import DynLiveAgent

WIDTH = 78  # columns, at most: fits into a terminal of 80
REFRESH_S = 0.1
LAST_EPISODES = 20  # whose mean return is shown
FORMAT = "{percentage:3.0f}% {bar} {desc}"


class ProgressBar:
    """A bar with the mean return of the last episodes, steps per second and the time left.

    Looking at the clock is all that a step costs; everything else happens ten times a second.

    Parameters
    ----------
    agent
        Who learns.
    total, done
        Steps to learn from in all, and how many of them are done already.
    says_end
        Whether `close` says how it ended.

    Attributes
    ----------
    returns
        Of the last episodes.
    """

    def __init__(self, agent: "DynLiveAgent", total: int, done: int = 0, says_end: bool = True) -> None:
        from tqdm.auto import tqdm  # takes a while: only where there is something to show

        self.agent, self.says_end = agent, says_end
        self.returns: deque[float] = deque(maxlen=LAST_EPISODES)
        self._start = perf_counter()
        self._pending, self._next = 0, 0.0
        self._bar: Any = tqdm(
            total=total, initial=done, ncols=WIDTH, bar_format=FORMAT, leave=False, mininterval=0, miniters=1
        )

    def update(self, new_steps: int, finished: Iterable[Episode]) -> None:
        """Take note of steps, and of the episodes that ended with them."""
        self._pending += new_steps
        for episode in finished:
            self.returns.append(episode.episode_return)
        now = monotonic()
        if now >= self._next:
            self._next = now + REFRESH_S
            self._show()

    def close(self) -> None:
        """Take the bar away, and say how it ended."""
        self._show()
        self._bar.close()
        if self.says_end:
            print(summary(self.agent, self.returns, perf_counter() - self._start), file=sys.stderr)

    def _show(self) -> None:
        known = self._bar.format_dict
        done, total, elapsed = known["n"] + self._pending, known["total"], known["elapsed"]
        rate = known["rate"] or (done - known["initial"]) / max(elapsed, 1e-6)
        parts = [f"{done:,}/{total:,}", f"{rate:,.0f} steps/s"]
        if self.returns:
            parts.insert(1, f"return {mean_of(self.returns):.1f}")
        if rate > 0:
            parts.append(f"{duration(max(total - done, 0) / rate)} left")
        self._bar.set_description_str(", ".join(parts), refresh=False)
        self._bar.update(self._pending)
        self._pending = 0


def is_shown(progress_bar: bool | None) -> bool:
    """Tell whether there is to be a bar; None: on a terminal and in a notebook."""
    if progress_bar is not None:
        return progress_bar
    return sys.stderr.isatty() or "ipykernel" in sys.modules


def summary(agent: "DynLiveAgent", returns: Iterable[float], seconds: float) -> str:
    """Return one line on how learning went: the mean of the last returns, the agent's steps, the time and the seed."""
    last = list(returns)
    mean = f"mean return {mean_of(last):.1f} (last {len(last)})" if last else "no episode has ended"
    return f"{mean} after {agent.num_timesteps:,} steps in {duration(seconds)}, seed {agent.seed}"


def mean_of(values: Iterable[float]) -> float:
    """Return the mean of some values, of which there must be one."""
    counted = list(values)
    return sum(counted) / len(counted)


def duration(seconds: float) -> str:
    """Return a duration as people read it: 4.2 s, 3:05 or 1:23:45."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
