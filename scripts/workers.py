"""One run in a process of its own: what starts it and reads what it hands in, and what the process itself calls.

The two are joined by a pipe: the process writes a JSON line now and then about how far it is, and its run at the end. A process
whose pipe is read by nobody any more ends at once.
"""

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

PIPE = "DYNLIVE_RUN_PIPE"  # environment variable: the pipe's number in the process
RETRIES = 3  # times that a run whose process died is begun again
TELL_EVERY_S = 0.5
ONE_THREAD = dict.fromkeys(
    ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)

Run = dict[str, Any]


class Progress(NamedTuple):
    """How far a run is: steps of its budget, and the last evaluation's mean return."""

    step: int
    budget: int
    mean: float


class Outcome(NamedTuple):
    """What came of a run: the run, or a sentence on why there is none."""

    run: Run | None
    problem: str = ""


# -- who starts a run --------------------------------------------------------------------------------------------------


def attempt(command: Sequence[str], report: Callable[[Progress], object]) -> Outcome:
    """Let a process do a run; where it is killed, another one, a few times.

    Parameters
    ----------
    command
        The Python arguments of the process.
    report
        Called with what the process tells of its progress.
    """
    for _ in range(1 + RETRIES):
        run, status, said = _process(command, report)
        died = status < 0 and status != -signal.SIGINT
        if not died:
            break
    if run is not None and status == 0:
        return Outcome(run)
    if died:
        return Outcome(None, f"its process was ended by {signal.Signals(-status).name}, {1 + RETRIES} times")
    return Outcome(None, (said or "it handed in no run").splitlines()[-1])


def _process(command: Sequence[str], report: Callable[[Progress], object]) -> tuple[Run | None, int, str]:
    """Return the run that a process hands in, if it does, its exit status and what it wrote to stderr."""
    reads, writes = os.pipe()
    run = None
    with tempfile.TemporaryFile() as errors, open(reads, encoding="utf-8") as lines:
        try:
            process = subprocess.Popen(
                [sys.executable, *command],
                env={**os.environ, **ONE_THREAD, PIPE: str(writes)},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                pass_fds=(writes,),
            )
        finally:
            os.close(writes)
        for line in lines:
            told = _read(line)
            if isinstance(told, dict):
                run = told
            elif told is not None:
                report(Progress(*told))
        status = process.wait()
        errors.seek(0)
        return run, status, errors.read().decode(errors="replace").strip()


def _read(line: str) -> Any:
    """Return a run (a dictionary) or progress (a list) of a line; None if its process died in the middle of it."""
    try:
        return json.loads(line)
    except ValueError:
        return None


# -- the process that does it ------------------------------------------------------------------------------------------


class _Pipe:
    """The pipe of this process, if it has one."""

    def __init__(self) -> None:
        number = os.environ.pop(PIPE, None)
        self.file = None if number is None else open(int(number), "w", encoding="utf-8")  # noqa: SIM115
        self.told = 0.0
        if self.file is not None:
            threading.Thread(target=self._end_when_alone, args=(self.file.fileno(),), daemon=True).start()

    @staticmethod
    def _end_when_alone(number: int) -> None:
        """Wait until nobody reads the pipe any more."""
        poll = select.poll()
        poll.register(number, 0)
        poll.poll()
        os._exit(1)


_pipe = _Pipe()


def tell(step: int, budget: int, mean: float) -> None:
    """Say how far this process's run is, if anyone listens; not more often than makes sense."""
    now = time.monotonic()
    if _pipe.file is not None and now - _pipe.told >= TELL_EVERY_S:
        _pipe.told = now
        print(json.dumps([step, budget, round(float(mean), 3)]), file=_pipe.file, flush=True)


def hand_in(run: Run) -> None:
    """Give the run of this process to whoever started it; on stdout, if that was by hand."""
    print(json.dumps(run, ensure_ascii=False), file=_pipe.file or sys.stdout, flush=True)
