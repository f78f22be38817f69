"""A training as it goes on: its rows, checkpoints and evaluations, and its end by a signal with everything saved."""

import signal
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from time import monotonic, perf_counter
from typing import TYPE_CHECKING, Any

from dynlive_rl.agents.progress_bar import LAST_EPISODES
from dynlive_rl.agents.reports import EventCallback, Report

from .runs import RunFolder, Table

if TYPE_CHECKING:
    from gymnasium.envs.registration import EnvSpec

    from dynlive_rl.agents import DynLiveAgent

LOOK_EVERY = 1000  # steps, at least, even if no episode ends: whether the agent is to be saved
SAVE_EVERY_S = 600.0  # a power cut costs no more
SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """When a training's agent is kept and evaluated, in steps; None: never.

    Attributes
    ----------
    checkpoint_every, keep
        Steps between checkpoints, of which the last ones stay.
    eval_every, eval_episodes
        Steps between evaluations, and episodes of each.
    """

    checkpoint_every: int | None
    keep: int
    eval_every: int | None
    eval_episodes: int


class Session(EventCallback):
    """Writes down what an agent's `learn` reports, keeps the agent, and evaluates it.

    What it does after an event is in this order: rows, checkpoint, evaluation. An agent's file is never older than any row of
    a table, so that a run that was killed anywhere goes on from it.

    Parameters
    ----------
    agent, folder, schedule
        Who learns, where that is written down, and when what happens.
    progress, evaluations
        The tables.
    env, seed
        What makes the environment of evaluations, and their seed.

    Attributes
    ----------
    returns
        Of the last episodes.
    stopped
        The signal that ended it; None as long as there was none.
    """

    def __init__(
        self,
        agent: "DynLiveAgent",
        folder: RunFolder,
        schedule: Schedule,
        progress: Table,
        evaluations: Table | None,
        env: "EnvSpec",
        seed: int,
    ) -> None:
        self.agent, self._folder, self._schedule = agent, folder, schedule
        self._progress, self._evaluations, self._env, self._seed = progress, evaluations, env, seed
        self.stopped: signal.Signals | None = None
        self.returns = deque((row["return"] for row in progress.rows), maxlen=LAST_EPISODES)
        seconds = [row["seconds"] for table in (progress, evaluations) if table for row in table.rows[-1:]]
        self._start = perf_counter() - max(seconds, default=0.0)
        rows = evaluations.rows if evaluations else []
        self._best = max((row["mean"] for row in rows), default=float("-inf"))
        self._evaluated = int(rows[-1]["step"]) if rows else 0
        self._checkpointed = folder.last_checkpoint
        self._saved_at = monotonic()
        self._plan_next()

    def begin(self) -> None:
        """Do what is due before the first step: a checkpoint or an evaluation that an earlier session did not come to."""
        self._checkpoint_if_due()
        self._evaluate_if_due()
        self._plan_next()

    def __call__(self, report: Report) -> bool:
        """Take note of what happened; returns whether to go on."""
        if report.finished:
            self._add_rows(report)
        if not self._checkpoint_if_due() and monotonic() - self._saved_at > SAVE_EVERY_S:
            self.save()
        self._evaluate_if_due()
        self._plan_next()
        return self.stopped is None

    def save(self) -> None:
        """Keep the agent in its file."""
        self._progress.sync()
        self.agent.save(self._folder.agent)
        self._saved_at = monotonic()

    def stop(self, number: int, _: object = None) -> None:
        """Let it end after the present step, as a signal's handler; called again, it ends at once."""
        if self.stopped is not None:
            raise KeyboardInterrupt
        self.stopped = signal.Signals(number)
        self.next_step = 0

    # -- what is due -----------------------------------------------------------------------------------------------------

    def _plan_next(self) -> None:
        step = self.agent.num_timesteps
        due = [step + LOOK_EVERY]
        for every in (self._schedule.checkpoint_every, self._schedule.eval_every):
            if every is not None:
                due.append((step // every + 1) * every)
        self.next_step = min(due)
        if self.stopped is not None:  # the signal came in between
            self.next_step = 0

    @staticmethod
    def _is_due(step: int, last: int, every: int | None) -> bool:
        """Tell whether a multiple of `every` lies after the last step and not after this one."""
        return every is not None and step // every > last // every

    def _add_rows(self, report: Report) -> None:
        agent, finished = self.agent, report.finished
        step, connections = agent.num_timesteps, agent.connections
        error, seconds = f"{agent.td_error_mse:.6g}", f"{perf_counter() - self._start:.3f}"
        first = agent.episodes - len(finished) + 1
        for k, episode in enumerate(finished):
            self._progress.add((step, first + k, episode.episode_return, episode.length, error, connections, seconds))
            self.returns.append(episode.episode_return)

    def _checkpoint_if_due(self) -> bool:
        """Keep a checkpoint where one is due; returns whether it was."""
        step = self.agent.num_timesteps
        if not self._is_due(step, self._checkpointed, self._schedule.checkpoint_every):
            return False
        self.save()
        self._folder.keep_checkpoint(step, self._schedule.keep)
        self._checkpointed = step
        return True

    def _evaluate_if_due(self) -> None:
        step, every = self.agent.num_timesteps, self._schedule.eval_every
        if self._evaluations is None or not self._is_due(step, self._evaluated, every):
            return
        self.save()
        # Best actions are drawn by no one: neither the agent's random state nor its memory knows of it.
        episodes = self._schedule.eval_episodes
        result = self.agent.evaluate(episodes, env=self._env, seed=self._seed, progress_bar=False)
        if result.mean > self._best:
            self._best = result.mean
            self.agent.save(self._folder.best)
        numbers: list[Any] = [result.mean, result.std, result.returns.min(), result.returns.max()]
        seconds = f"{perf_counter() - self._start:.3f}"
        self._evaluations.add((step, *(float(value) for value in numbers), self._schedule.eval_episodes, seconds))
        self._evaluated = step


@contextmanager
def signals_stop(session: Session) -> Iterator[None]:
    """Let Ctrl-C and whoever ends processes stop a session; a second time, at once. Ignored signals stay ignored."""
    before: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in (getattr(signal, name, None) for name in SIGNALS):
            if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
                before[number] = signal.signal(number, session.stop)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def children_ignore_interrupts() -> Iterator[None]:
    """Let processes that are started meanwhile ignore Ctrl-C: a terminal sends it to all, and only this one is to end."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
