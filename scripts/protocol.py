"""The protocol: environments, thresholds and budgets, when a learner is evaluated, and when it has solved its task.

Steps to solve: environment steps at the first evaluation from which every evaluation of the next 2,000 steps, and at least
three, reaches the environment's threshold; an evaluation is the greedy mean over 100 episodes. Evaluations are not counted,
touch nothing that learning sees, and stop the clocks. A run keeps what was measured, its curve; whatever follows from the
curve (`outcome`) is computed when tables are made, so that another rule needs no new run.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np

from dynlive_rl.agents.evaluation import play
from tasks import TASKS
from workers import tell

EVALUATION_SEED = 1_000_000  # far from the seeds that training uses
# A task is solved once every evaluation of so many steps, and at least so many evaluations, reach the threshold.
LASTING_STEPS, LASTING_EVALUATIONS = 2_000, 3


@dataclass(frozen=True)
class Entry:
    """How an agent takes part in one environment.

    Attributes
    ----------
    train
        Called with the environment's id, the seed and a `Course`; trains until the course is over, and returns whatever
        else the run should hold.
    budget
        Environment steps.
    grid
        Steps at which it is evaluated, given the budget.
    may_stop
        Whether a run may end as soon as it has solved its task.
    """

    train: "Callable[[str, int, Course], dict[str, Any]]"
    budget: int
    grid: Callable[[int], list[int]]
    may_stop: bool = False


def fine_grid(budget: int) -> list[int]:
    """Return every 100 steps up to 3,000, every 500 up to 20,000, every 2,500 beyond, and the budget itself."""
    return _grid([*range(100, 3_000, 100), *range(3_000, 20_000, 500), *range(20_000, budget, 2_500)], budget)


def coarse_grid(budget: int) -> list[int]:
    """Return every 1,000 steps up to 40,000, every 5,000 beyond, and the budget itself."""
    return _grid([*range(1_000, 40_000, 1_000), *range(40_000, budget, 5_000)], budget)


def even_grid(budget: int) -> list[int]:
    """Return every 1,000 steps up to 10,000, every 2,500 beyond, and the budget itself: the wide suite's, for all agents."""
    return _grid([*range(1_000, 10_000, 1_000), *range(10_000, budget, 2_500)], budget)


def _grid(steps: list[int], budget: int) -> list[int]:
    return [step for step in steps if step < budget] + [budget]


# -- what follows from a curve -----------------------------------------------------------------------------------------


def first_solved(steps: Sequence[int], means: Sequence[float], threshold: float) -> int | None:
    """Return the index of the first evaluation from which every one of the next 2,000 steps reaches the threshold.

    At least three evaluations, itself included, must do so where fewer fall into 2,000 steps. A curve that ends before both
    have been seen does not show that the task is solved: what reaches the threshold less than 2,000 steps before the end of
    the budget for the first time is not counted as solved. None if no evaluation is such a one.
    """
    for first, start in enumerate(steps):
        if start + LASTING_STEPS > steps[-1] or first + LASTING_EVALUATIONS > len(steps):
            return None
        end = max(int(np.searchsorted(steps, start + LASTING_STEPS, side="right")), first + LASTING_EVALUATIONS)
        if min(means[first:end]) >= threshold:
            return first
    return None


class Outcome(NamedTuple):
    """What a run's curve says.

    Attributes
    ----------
    solved
        Whether the task was solved.
    steps, seconds, cpu_seconds
        What it took: environment steps, and seconds of learning; the whole budget, and all seconds, where it was not solved.
        Seconds are None where the run did not measure them.
    stays
        Share of the evaluations at or above the threshold, from the first such one on, whether or not it lasted; None where
        there was none, or where the run stopped early: nobody knows.
    final
        The last evaluation.
    stopped_early
        Whether the run ended before its budget.
    """

    solved: bool
    steps: int
    seconds: float | None
    cpu_seconds: float | None
    stays: float | None
    final: float
    stopped_early: bool


def outcome(run: dict[str, Any]) -> Outcome:
    """Return what the curve of a run says, given its `env`, its `budget` and its `curve`: columns by name, a row each.

    CPU seconds need not have been read at every evaluation (None where they were not): between two readings they are taken
    to pass as wall-clock seconds do.
    """
    curve, threshold = run["curve"], TASKS[run["env"]].threshold
    steps, means = curve["steps"], curve["mean"]
    first = None if threshold is None else first_solved(steps, means, threshold)
    at = -1 if first is None else first
    reaches = [threshold is not None and mean >= threshold for mean in means]
    stopped_early = steps[-1] < run["budget"]
    later = reaches[reaches.index(True) :] if any(reaches) and not stopped_early else []
    return Outcome(
        solved=first is not None,
        steps=run["budget"] if first is None else steps[first],
        seconds=curve["wall_s"][at] if "wall_s" in curve else None,
        cpu_seconds=_cpu_seconds(curve)[at] if "cpu_s" in curve else None,
        stays=sum(later) / len(later) if later else None,
        final=means[-1],
        stopped_early=stopped_early,
    )


def _cpu_seconds(curve: dict[str, list[Any]]) -> list[float]:
    read = [(wall, cpu) for wall, cpu in zip(curve["wall_s"], curve["cpu_s"], strict=True) if cpu is not None]
    walls, cpus = zip((0.0, 0.0), *read, strict=True)
    return [float(seconds) for seconds in np.interp(curve["wall_s"], walls, cpus)]


# -- a run -------------------------------------------------------------------------------------------------------------


class Evaluation(NamedTuple):
    """One point of a curve: greedy mean return after so many steps, and seconds of learning alone."""

    steps: int
    mean: float
    wall_s: float
    cpu_s: float


def columns(rows: Sequence[Any]) -> dict[str, list[Any]]:
    """Return the columns, by name, of named tuples of one kind."""
    return {name: [getattr(row, name) for row in rows] for name in rows[0]._fields}


class Over(Exception):
    """Raised in the middle of a learner that cannot be asked to stop."""


class Course:
    """One run as the protocol sees it: evaluates the learner where it is due, keeps its curve and its time.

    Attributes
    ----------
    curve
        Every evaluation.
    over
        Whether the budget is used up, or the run may stop.
    """

    def __init__(self, env_id: str, entry: Entry, budget: int, episodes: int = 100) -> None:
        self.env_id, self.entry, self.budget = env_id, entry, budget
        self.episodes = episodes
        self.curve: list[Evaluation] = []
        self.over = False
        self._due = iter(entry.grid(budget))
        self._next = next(self._due)
        self._arena = arena(env_id, episodes)

    def begin(self) -> None:
        """Start the clocks: everything so far was importing, compiling and building."""
        self._start = time.perf_counter(), time.process_time()
        self._setup = self._start[1]  # of the process: a run has one of its own

    def passed(self, steps: int, policy: Any) -> bool:
        """Evaluate a policy (anything with `predict`) if that is due after so many steps; return whether to stop."""
        if steps < self._next or self.over:
            return self.over
        now = time.perf_counter(), time.process_time()
        mean = play(policy, self._arena, EVALUATION_SEED, deterministic=True).mean
        seconds = now[0] - self._start[0], now[1] - self._start[1]
        self.curve.append(Evaluation(steps, round(mean, 2), round(seconds[0], 3), round(seconds[1], 3)))
        tell(steps, self.budget, mean)
        while self._next <= steps < self.budget:
            self._next = next(self._due)
        self.over = steps >= self.budget or (self.entry.may_stop and outcome(self._so_far()).solved)
        pause = time.perf_counter() - now[0], time.process_time() - now[1]
        self._start = self._start[0] + pause[0], self._start[1] + pause[1]
        return self.over

    def result(self) -> dict[str, Any]:
        """Return what a run of any agent holds: what was measured."""
        return {"evaluation_episodes": self.episodes, "compile_s": round(self._setup, 2), **self._so_far()}

    def _so_far(self) -> dict[str, Any]:
        return {"env": self.env_id, "budget": self.budget, "curve": columns(self.curve)}


def arena(env_id: str, episodes: int) -> gym.vector.VectorEnv[Any, Any, Any]:
    """Make as many environments side by side; as arrays, where the environment can."""
    arrays = gym.spec(env_id).vector_entry_point is not None
    return gym.make_vec(env_id, num_envs=episodes, vectorization_mode="vector_entry_point" if arrays else "sync")
