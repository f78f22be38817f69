"""The protocol: environments, thresholds and budgets, when a learner is evaluated, and when it has solved its task.

Steps to solve: environment steps at the first of three consecutive evaluations, each the greedy mean over 100 episodes, at
or above the environment's threshold. Evaluations are not counted, touch nothing that learning sees, and stop the clocks.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import gymnasium as gym

from dynlive_rl.agents.evaluation import play

EVALUATION_SEED = 1_000_000  # far from the seeds that training uses
IN_A_ROW = 3


@dataclass(frozen=True)
class Task:
    """What solves an environment, and how many steps our own agent gets for it."""

    threshold: float
    budget: int


TASKS = {
    "CartPole-v1": Task(475.0, 20_000),
    "Acrobot-v1": Task(-100.0, 20_000),
    "MountainCar-v0": Task(-110.0, 40_000),
    "LunarLander-v3": Task(200.0, 100_000),
    "Pendulum-v1": Task(-200.0, 20_000),
    "MountainCarContinuous-v0": Task(90.0, 20_000),
}


@dataclass(frozen=True)
class Entry:
    """How an agent takes part in one environment.

    Attributes
    ----------
    train
        Called with the environment's id, the seed and a `Course`; trains until the course is over, and returns whatever
        else the run's file should hold.
    budget
        Environment steps.
    grid
        Steps at which it is evaluated, given the budget.
    may_stop
        Whether a run may end three evaluations after solving.
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


def _grid(steps: list[int], budget: int) -> list[int]:
    return [step for step in steps if step < budget] + [budget]


def first_solved(means: Sequence[float], threshold: float) -> int | None:
    """Return the index of the first of three consecutive means at or above the threshold, None if there are none."""
    row = 0
    for k, mean in enumerate(means):
        row = row + 1 if mean >= threshold else 0
        if row == IN_A_ROW:
            return k - IN_A_ROW + 1
    return None


class Over(Exception):
    """Raised in the middle of a learner that cannot be asked to stop."""


class Course:
    """One run as the protocol sees it: evaluates the learner where it is due, keeps its curve and its time.

    Attributes
    ----------
    curve
        (steps, mean return, wall-clock seconds, CPU seconds) of every evaluation; seconds of learning alone.
    over
        Whether the budget is used up, or the run may stop.
    """

    def __init__(self, env_id: str, entry: Entry, budget: int, episodes: int = 100) -> None:
        self.env_id, self.entry, self.budget = env_id, entry, budget
        self.threshold = TASKS[env_id].threshold
        self.curve: list[tuple[int, float, float, float]] = []
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
        self.curve.append((steps, mean, now[0] - self._start[0], now[1] - self._start[1]))
        while self._next <= steps < self.budget:
            self._next = next(self._due)
        first = first_solved([point[1] for point in self.curve], self.threshold)
        stopping = self.entry.may_stop and first is not None and len(self.curve) > first + IN_A_ROW
        self.over = stopping or steps >= self.budget
        pause = time.perf_counter() - now[0], time.process_time() - now[1]
        self._start = self._start[0] + pause[0], self._start[1] + pause[1]
        return self.over

    def result(self) -> dict[str, Any]:
        """Return what the run's file holds about any agent."""
        means = [point[1] for point in self.curve]
        first = first_solved(means, self.threshold)
        steps, _, seconds, cpu_seconds = self.curve[-1]
        stopped_early = steps < self.budget
        later = [mean >= self.threshold for mean in means[first:]] if first is not None and not stopped_early else []
        return {
            "budget": self.budget,
            "threshold": self.threshold,
            "solved_at": None if first is None else self.curve[first][0],
            "solved_s": None if first is None else round(self.curve[first][2], 3),
            "solved_cpu_s": None if first is None else round(self.curve[first][3], 3),
            "stays_solved": round(sum(later) / len(later), 4) if later else None,
            "final": means[-1],
            "stopped_early": stopped_early,
            "curve": [(at, round(mean, 2), round(wall, 3)) for at, mean, wall, _ in self.curve],
            "compile_s": round(self._setup, 2),
            "learning_s": round(seconds, 2),
            "learning_cpu_s": round(cpu_seconds, 2),
        }


def arena(env_id: str, episodes: int) -> gym.vector.VectorEnv[Any, Any, Any]:
    """Make as many environments side by side; as arrays, where the environment can."""
    arrays = gym.spec(env_id).vector_entry_point is not None
    return gym.make_vec(env_id, num_envs=episodes, vectorization_mode="vector_entry_point" if arrays else "sync")
