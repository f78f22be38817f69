"""The first start: entry points are compiled once, with a notice, and side by side in two processes where that is possible.

The notice is a warning of the logger of this module, which Python writes to stderr unless logging is set up otherwise; its
level turns it off, as that of the logger `dynlive_rl` does.
"""

import logging
import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from importlib import import_module
from pathlib import Path
from threading import Lock, Thread, local
from typing import Any, NamedTuple

from numba import config, typeof
from numba.core import event

from .jit import SECONDS, cache_folder

logger = logging.getLogger(__name__)

NOTICED = 2.0  # seconds: who waits longer is told
HELPER_STARTS = 1.5  # seconds until a second process compiles


class Call(NamedTuple):
    """A call to come: an entry point, and arguments of the types that it will have."""

    entry: Any
    arguments: tuple[Any, ...]


class _Job(NamedTuple):
    """An entry point, and the types that it is compiled for."""

    entry: Any
    types: tuple[Any, ...]

    def load(self) -> bool:
        """Take it from the cache; returns whether it was there."""
        _thread.refuses = self.entry
        try:
            self.entry.compile(self.types)
        except _MissingError:
            return False
        finally:
            _thread.refuses = None
        return True

    def compile(self) -> None:
        """Compile it, unless that was done already, here or by another process."""
        self.entry.compile(self.types)

    @property
    def seconds(self) -> float:
        return SECONDS.get(self.entry, 0.5)


class _MissingError(Exception):
    """The cache does not have it."""


class _Watch(event.Listener):
    """Hears of everything that Numba begins to compile, after it was not found in the cache."""

    def on_start(self, event: Any) -> None:
        entry = event.data["dispatcher"]
        if entry is getattr(_thread, "refuses", None):
            raise _MissingError
        if SECONDS.get(entry, 0.0) >= NOTICED:
            _announce(entry, SECONDS[entry])

    def on_end(self, event: Any) -> None:
        pass


_thread = local()
_announced = False
_lock = Lock()
event.register("numba:compile", _Watch())


def _renew_lock() -> None:
    global _lock
    _lock = Lock()  # who held it is not in a forked process


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_renew_lock)


def prepare(calls: Iterable[Call]) -> None:
    """Compile entry points for calls to come, or load them from the cache; nothing is called."""
    if config.DISABLE_JIT:
        return
    jobs = [_Job(call.entry, tuple(map(typeof, call.arguments))) for call in calls]
    with _lock:
        missing = [job for job in jobs if not job.load()]
        if not missing:
            return
        own, others = _share(missing)
        _announce(own[0].entry, max(_total(own), HELPER_STARTS * bool(others) + _total(others)))
        with _helper(others) as wait:
            for job in own:
                job.compile()
            wait()
        for job in others:  # what the helper did not do is done here
            job.compile()


def _total(jobs: list[_Job]) -> float:
    return sum(job.seconds for job in jobs)


def _announce(entry: Any, seconds: float) -> None:
    """Say once in a process that something is being compiled."""
    global _announced
    if _announced or seconds < NOTICED:
        return
    _announced = True
    if cache_folder(Path(entry.py_func.__code__.co_filename)) is None:
        logger.warning("dynlive: compiling, about %.0f s", seconds)
    else:
        logger.warning("dynlive: compiling once, about %.0f s; later starts take 1 s", seconds)


# -- a second process ------------------------------------------------------------------------------------------------


def _share(jobs: list[_Job]) -> tuple[list[_Job], list[_Job]]:
    """Share jobs out between this process and a helper, which has none where it is of no use."""
    if not _can_have_helper(jobs):
        return jobs, []
    own: list[_Job] = []
    others: list[_Job] = []
    for job in sorted(jobs, key=lambda job: -job.seconds):
        (own if _total(own) <= HELPER_STARTS + _total(others) else others).append(job)
    return (own, others) if _total(others) > HELPER_STARTS else (jobs, [])


def _can_have_helper(jobs: list[_Job]) -> bool:
    """Tell whether there is another processor, an interpreter to start, and a place where both find compiled code."""
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    is_python = not getattr(sys, "frozen", False) and Path(sys.executable or "").name.lower().startswith("python")
    folders = {job.entry.py_func.__code__.co_filename for job in jobs}
    return processors > 1 and is_python and all(cache_folder(Path(file)) is not None for file in folders)


PROGRAM = """
import pickle, sys
sys.path[:] = pickle.load(sys.stdin.buffer)
from dynlive_rl.kernels.first_start import help_compiling
help_compiling()
"""


@contextmanager
def _helper(jobs: list[_Job]) -> Iterator[Callable[[], object]]:
    """Let another process compile jobs into the cache; yields what waits for its end. It does not outlive this block."""
    if not jobs:
        yield lambda: None
        return
    named = [(job.entry.py_func.__module__, job.entry.py_func.__qualname__, job.types) for job in jobs]
    environment = {**os.environ, "NUMBA_CACHE_DIR": config.CACHE_DIR}
    nowhere = subprocess.DEVNULL
    try:
        process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=nowhere, stderr=nowhere, env=environment
        )
    except OSError:  # no memory, no more processes …
        yield lambda: None
        return
    stdin: Any = process.stdin
    try:
        with suppress(OSError):  # it ended at once
            _send(stdin, sys.path, (_settings(), named))
        yield process.wait
    finally:
        process.kill()
        with suppress(OSError):
            stdin.close()
        process.wait()


def _send(stream: Any, *messages: Any) -> None:
    for message in messages:
        pickle.dump(message, stream)
    stream.flush()


def help_compiling() -> None:
    """Compile what the process that started this one asks for on stdin, and end with it."""
    logger.setLevel(logging.CRITICAL)
    settings, named = pickle.load(sys.stdin.buffer)
    Thread(target=_end_with_parent, daemon=True).start()
    if settings != _settings():
        return  # what is compiled here would be other code
    for module, name, types in named:
        _Job(getattr(import_module(module), name), types).compile()


def _end_with_parent() -> None:
    while os.read(0, 1):  # not through a buffer, which would have to be let go of at the end
        pass
    os.kill(os.getpid(), signal.SIGTERM)


def _settings() -> dict[str, Any]:
    """Return Numba's settings, wherever they come from."""
    return {
        name: value
        for name, value in vars(config).items()
        if name.isupper() and isinstance(value, str | int | float | None)
    }
