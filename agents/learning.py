"""What `learn` does around the training loop: counts, reports, logs and a progress bar."""

import logging
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from dynlive_rl.checks import natural

from .following import Call, following
from .progress_bar import ProgressBar, is_shown
from .training import Episode, TrainingLoop

if TYPE_CHECKING:
    from .agent import DynLiveAgent

logger = logging.getLogger("dynlive_rl.agents.agent")


def learn(agent: "DynLiveAgent", loop: TrainingLoop, callbacks: list[Any], call: Call) -> None:
    """Let an agent's loop run for a number of steps; see `DynLiveAgent.learn`."""
    if call.steps:
        agent.warm_up()  # before the bar begins to count
    step = agent.num_timesteps
    with (
        _alone(loop),
        _shown(agent, call.steps, call.progress_bar) as bar,
        following(agent, loop, callbacks, call) as followers,
        closing(loop.run(call.steps)) as run,
    ):
        try:
            for new_steps, finished in run:
                if bar is not None:
                    bar.update(new_steps, finished)
                if finished and call.log_interval and agent.episodes % call.log_interval < len(finished):
                    logger.info(
                        "step %d, %d episodes: %s", agent.num_timesteps, agent.episodes, _summary(agent, finished)
                    )
                step += new_steps
                if followers is None or not (finished or followers.is_due(step)):
                    continue
                loop.lock.release()  # a callback may wait for other threads
                try:
                    goes_on = followers.follow(step, new_steps, finished)
                finally:
                    loop.lock.acquire()
                if not goes_on:
                    break
        except KeyboardInterrupt:
            loop.abandon_episode()
            logger.warning("interrupted after %d steps; what was learned is kept", agent.num_timesteps)


def check_learn(total_timesteps: Any, log_interval: Any) -> tuple[int, int | None]:
    """Return the number of steps, 1e6 is a whole number too: people write it; and the interval. ValueError for others."""
    is_whole = isinstance(total_timesteps, float) and total_timesteps.is_integer()
    steps = natural("total_timesteps", int(total_timesteps) if is_whole else total_timesteps)
    return steps, None if log_interval is None else natural("log_interval", log_interval)


def _summary(agent: "DynLiveAgent", finished: tuple[Episode, ...]) -> dict[str, Any]:
    """Return what a line of the log says: return, TD error and number of connections."""
    last = f"{finished[-1].episode_return:.1f}"
    return {"return": last, "td_error": f"{agent.td_error_mse:.3f}", "connections": agent.connections}


@contextmanager
def _shown(agent: "DynLiveAgent", steps: int, progress_bar: bool | ProgressBar | None) -> Iterator[ProgressBar | None]:
    """Show a bar, the given one or a new one; None where there is to be none."""
    if isinstance(progress_bar, ProgressBar):
        bar: ProgressBar | None = progress_bar
    else:
        bar = ProgressBar(agent, steps) if is_shown(progress_bar) else None
    try:
        yield bar
    finally:
        if bar is not None:
            bar.close()


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
