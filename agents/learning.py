"""What `learn` does around the training loop: counts, reports, logs and a progress bar."""

import logging
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from dynlive_rl.checks import natural

from .following import Call, Report, following
from .training import Episode, TrainingLoop

if TYPE_CHECKING:
    from .agent import DynLiveAgent

logger = logging.getLogger("dynlive_rl.agents.agent")

__all__ = ["Report", "check_learn", "learn"]


def learn(agent: "DynLiveAgent", loop: TrainingLoop, callbacks: list[Any], call: Call) -> None:
    """Let an agent's loop run for a number of steps; see `DynLiveAgent.learn`."""
    hidden = None if call.progress_bar is None else not call.progress_bar
    bar = tqdm(total=call.steps, unit="step", disable=hidden, dynamic_ncols=True)
    with (
        _alone(loop),
        bar,
        following(agent, loop, callbacks, call) as followers,
        closing(loop.run(call.steps)) as run,
    ):
        each_step = followers is not None and bool(followers.each_step)
        try:
            for new_steps, finished in run:
                bar.update(new_steps)
                if finished and not bar.disable:
                    bar.set_postfix(_summary(agent, finished), refresh=False)
                if call.log_interval and agent.episodes % call.log_interval < len(finished):
                    summary = _summary(agent, finished)
                    logger.info("step %d, %d episodes: %s", agent.num_timesteps, agent.episodes, summary)
                if followers is None or not (finished or each_step):
                    continue
                loop.lock.release()  # a callback may wait for other threads
                try:
                    goes_on = followers.follow(new_steps, finished)
                finally:
                    loop.lock.acquire()
                if not goes_on:
                    break
            if not bar.disable:
                bar.set_postfix(_summary(agent))
        except KeyboardInterrupt:
            loop.abandon_episode()
            logger.warning("interrupted after %d steps; what was learned is kept", agent.num_timesteps)


def check_learn(total_timesteps: Any, log_interval: Any) -> tuple[int, int | None]:
    """Return the number of steps, 1e6 is a whole number too: people write it; and the interval. ValueError for others."""
    is_whole = isinstance(total_timesteps, float) and total_timesteps.is_integer()
    steps = natural("total_timesteps", int(total_timesteps) if is_whole else total_timesteps)
    return steps, None if log_interval is None else natural("log_interval", log_interval)


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
