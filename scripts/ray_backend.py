"""The runs of a study on the machines of a Ray cluster: a task each, whose process hands its run in to this one.

What goes to the machines and comes back are plain tuples: they need not know these modules, only the scripts they run.
"""

import sys
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any, Self

from backends import LOOK_EVERY_S, Call
from dynlive_rl.agents.tuning.cluster import connected
from workers import RETRIES, Outcome, Progress, attempt

QUEUED = 2_000  # tasks that Ray knows of: enough for its autoscaler to see how many machines would be of use


class Board:
    """What all runs tell of their progress, in an actor beside the one who looks at it."""

    def __init__(self) -> None:
        self._progress: dict[str, tuple[Any, ...] | None] = {}
        self._ended: set[str] = set()

    def tell(self, name: str, progress: tuple[Any, ...] | None) -> None:
        """Take note of how far a run is; None: it begins."""
        if name not in self._ended:  # what was told last may come last
            self._progress[name] = progress

    def progress(self, ended: list[str]) -> dict[str, tuple[Any, ...] | None]:
        """Return how far the runs are, after forgetting those that ended."""
        self._ended.update(ended)
        for name in ended:
            self._progress.pop(name, None)
        return self._progress


def do_run(name: str, command: list[str], board: Any) -> tuple[Any, ...]:
    """Do a run, as a task; returns an `Outcome`'s parts."""
    board.tell.remote(name, None)
    return tuple(attempt(command, lambda progress: board.tell.remote(name, tuple(progress))))


class RayTasks:
    """Runs as tasks of a Ray cluster, a core each.

    Parameters
    ----------
    address
        That of the cluster; see `connected`.
    jobs
        So many runs at a time. None: as many as there are cores.
    """

    def __init__(self, address: str, jobs: int | None) -> None:
        self._connection = connected(address, cores=jobs)
        self._most = jobs or QUEUED
        self._ended: list[str] = []

    def __enter__(self) -> Self:
        self._ray = self._connection.__enter__()
        for module in (__name__, attempt.__module__):
            self._ray.cloudpickle.register_pickle_by_value(sys.modules[module])
        here = self._ray.get_runtime_context().get_node_id()
        beside = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(here, soft=False)
        self._board = self._ray.remote(Board).options(num_cpus=0, scheduling_strategy=beside).remote()
        self._do = self._ray.remote(do_run).options(
            num_cpus=1, max_retries=RETRIES, scheduling_strategy="SPREAD", name="dynlive-run"
        )
        return self

    def __exit__(self, *reason: Any) -> None:
        self._connection.__exit__(*reason)

    def outcomes(self, calls: Iterable[Call]) -> Iterator[tuple[str, Outcome] | None]:
        """See `Backend`."""
        left, going = iter(calls), dict[Any, str]()
        while True:
            for name, command in islice(left, self._most - len(going)):
                going[self._do.remote(name, command, self._board)] = name
            if not going:
                return
            first, _ = self._ray.wait(list(going), timeout=LOOK_EVERY_S)
            done, _ = self._ray.wait(list(going), num_returns=len(going), timeout=0) if first else ([], [])
            for task in done:
                self._ended.append(going[task])
                yield going.pop(task), self._outcome(task)
            if not done:
                yield None

    def _outcome(self, task: Any) -> Outcome:
        try:
            return Outcome(*self._ray.get(task))
        except self._ray.exceptions.RayTaskError as error:
            return Outcome(None, f"{type(error.cause).__name__}: {error.cause}")
        except self._ray.exceptions.RayError as error:
            sentence = str(error).strip().splitlines()[0]
            return Outcome(None, f"its machine or its worker was lost {1 + RETRIES} times: {sentence}")

    def progress(self) -> Mapping[str, Progress | None]:
        """See `Backend`."""
        ended, self._ended = self._ended, []
        told = self._ray.get(self._board.progress.remote(ended))
        return {name: None if parts is None else Progress(*parts) for name, parts in told.items()}
