"""Where the runs of a study are done: the processes of this machine; and the table of how far they are.

`ray_backend.py` has the other backend, the machines of a Ray cluster.
"""

import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from shutil import get_terminal_size
from typing import Any, Protocol, Self

from tqdm import tqdm

from workers import Outcome, Progress, attempt

LOOK_EVERY_S = 0.5
SAY_EVERY_S = 60.0  # where there is no terminal to draw the table on
ROWS = 20

Call = tuple[str, list[str]]  # a run's name, and what `attempt` takes


class Backend(Protocol):
    """Does runs."""

    def outcomes(self, calls: Iterable[Call]) -> Iterator[tuple[str, Outcome] | None]:
        """Yield what comes of every run, as they end; None now and then, in between."""

    def progress(self) -> Mapping[str, Progress | None]:
        """Return how far those are that go on, by name; None where nothing was told yet."""


class LocalProcesses:
    """Runs in processes of this machine.

    Parameters
    ----------
    jobs
        So many at a time.
    """

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self._progress: dict[str, Progress | None] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._pool = ThreadPoolExecutor(self.jobs)
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    def outcomes(self, calls: Iterable[Call]) -> Iterator[tuple[str, Outcome] | None]:
        """See `Backend`."""
        left, going = iter(calls), dict[Future[Outcome], str]()
        while True:
            for name, command in islice(left, self.jobs - len(going)):
                going[self._pool.submit(self._do, name, command)] = name
            if not going:
                return
            done, _ = wait(going, LOOK_EVERY_S, FIRST_COMPLETED)
            for future in done:
                yield going.pop(future), future.result()
            if not done:
                yield None

    def _do(self, name: str, command: list[str]) -> Outcome:
        self._tell(name, None)
        try:
            return attempt(command, lambda progress: self._tell(name, progress))
        finally:
            with self._lock:
                del self._progress[name]

    def _tell(self, name: str, progress: Progress | None) -> None:
        with self._lock:
            self._progress[name] = progress

    def progress(self) -> Mapping[str, Progress | None]:
        """See `Backend`."""
        with self._lock:
            return dict(self._progress)


class Table:
    """How far all runs are, on stderr: a bar, and a row for each that goes on; every minute where that is no terminal.

    Parameters
    ----------
    total
        Number of runs.
    """

    def __init__(self, total: int) -> None:
        self._is_drawn = sys.stderr.isatty()
        self._bar = tqdm(total=total, unit="run", dynamic_ncols=True, mininterval=0 if self._is_drawn else SAY_EVERY_S)
        self._rows: list[tqdm[Any]] = []  # as many as were needed at once
        self._shown = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for bar in (*reversed(self._rows), self._bar):
            bar.close()

    def show(self, progress: Callable[[], Mapping[str, Progress | None]]) -> None:
        """Show how far the runs are that go on, if it is time to."""
        now = time.monotonic()
        if now - self._shown < (LOOK_EVERY_S if self._is_drawn else SAY_EVERY_S):
            return
        self._shown = now
        lines = [row(name, told) for name, told in sorted(progress().items())]
        if not self._is_drawn:
            self.write("\n".join(lines))
            return
        while len(self._rows) < min(len(lines), ROWS, get_terminal_size().lines - 3):
            self._rows.append(tqdm(bar_format="{desc}", position=1 + len(self._rows), leave=False))
        for k, bar in enumerate(self._rows):
            is_last = k == len(self._rows) - 1 and len(lines) > len(self._rows)
            text = f"… and {len(lines) - k} more" if is_last else lines[k] if k < len(lines) else ""
            bar.set_description_str(text)

    def write(self, text: str) -> None:
        """Write lines above the table."""
        if text:
            self._bar.write(text, file=sys.stderr)

    def count(self, name: str) -> None:
        """Count a run that has ended."""
        self._bar.set_postfix_str(name, refresh=False)
        self._bar.update()


def row(name: str, progress: Progress | None) -> str:
    """Return the table's row of a run."""
    if progress is None:
        return f"{name:44}  begins"
    return f"{name:44} {progress.step:>9,} of {progress.budget:>9,} steps, {progress.mean:>9.1f}"
