"""What `learn` does around the training loop: counts, reports, logs and a progress bar."""

import logging
import os
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from tqdm import tqdm

from dynlive_rl.checks import natural, positive

from .training import Episode, TrainingLoop

if TYPE_CHECKING:
    from .agent import DynLiveAgent

logger = logging.getLogger("dynlive_rl.agents.agent")


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
    """

    agent: "DynLiveAgent"
    new_steps: int
    finished: tuple[Episode, ...]


Callback = Callable[[Report], bool | None]


def learn(
    agent: "DynLiveAgent",
    loop: TrainingLoop,
    steps: int,
    callback: Callback | None,
    log_interval: int | None,
    progress_bar: bool | None,
) -> None:
    """Let an agent's loop run for a number of steps; see `DynLiveAgent.learn`."""
    if steps:
        agent.warm_up()  # before the bar begins to count
    hidden = None if progress_bar is None else not progress_bar
    bar = tqdm(total=steps, unit="step", disable=hidden, dynamic_ncols=True)
    with _alone(loop), bar, closing(loop.run(steps)) as run:
        try:
            for new_steps, finished in run:
                bar.update(new_steps)
                if finished and not bar.disable:
                    bar.set_postfix(_summary(agent, finished), refresh=False)
                if log_interval and agent.episodes % log_interval < len(finished):
                    summary = _summary(agent, finished)
                    logger.info("step %d, %d episodes: %s", agent.num_timesteps, agent.episodes, summary)
                if callback is None:
                    continue
                with loop.paused():
                    answer = callback(Report(agent, new_steps, finished))
                if _is_no(answer):
                    break
            if not bar.disable:
                bar.set_postfix(_summary(agent))
        except KeyboardInterrupt:
            loop.abandon_episode()
            logger.warning("interrupted after %d steps; what was learned is kept", agent.num_timesteps)


def check_learn(total_timesteps: Any, callback: Any, log_interval: Any) -> tuple[int, int | None]:
    """Return the number of steps, 1e6 is a whole number too: people write it; and the interval. ValueError for others."""
    is_whole = isinstance(total_timesteps, float) and total_timesteps.is_integer()
    steps = natural("total_timesteps", int(total_timesteps) if is_whole else total_timesteps)
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be a function of a report, not {callback!r:.200}")
    return steps, None if log_interval is None else positive("log_interval", log_interval)


def _is_no(answer: Any) -> bool:
    """Tell whether a callback said False; anything else, such as None or 0, lets learning go on."""
    return isinstance(answer, (bool, np.bool_, np.ndarray)) and np.array_equal(answer, False)


def _summary(agent: "DynLiveAgent", finished: tuple[Episode, ...] = ()) -> dict[str, Any]:
    """Return what a progress bar shows: return, TD error and number of connections."""
    values: dict[str, Any] = {"td_error": f"{agent.td_error_mse:.3f}", "connections": agent.connections}
    return {"return": f"{finished[-1].episode_return:.1f}", **values} if finished else values


@contextmanager
def _alone(loop: TrainingLoop) -> Iterator[None]:
    """Refuse to run a loop that runs already, in another thread or around this call."""
    with loop.still():
        if loop.runner == os.getpid():
            raise RuntimeError("this agent is learning already: let that call of learn return first")
        loop.runner = os.getpid()
    try:
        yield
    finally:
        loop.runner = None
