"""Runs of a study: one process and one raw file each, written whole or not at all, none of them twice; merged in the end.

The processes are on this machine or, with Ray, on many (`backends.py`, `ray_backend.py`); their runs are the same.

A study lives in a folder of its own. `runs/` in it, which git ignores, holds the raw runs, a JSON file each, and
`runs.jsonl` the merged ones, a line each: what is committed. Whatever is in either need not be run again.
"""

import argparse
import fcntl
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from backends import Backend, LocalProcesses, Table
from workers import Run

Key = tuple[Any, ...]


class Study:
    """The runs in a folder.

    Parameters
    ----------
    folder
        Folder of this study alone.
    fields
        Names of what identifies a run, and orders the merged ones: numbers and text, such as environment, agent and seed.
    """

    def __init__(self, folder: Path, fields: Sequence[str]) -> None:
        self.folder, self.fields = folder, tuple(fields)
        self.raw, self.merged = folder / "runs", folder / "runs.jsonl"
        self._merged_keys: tuple[int, set[Key]] = (0, set())  # those of the file of that age

    def key(self, run: Run) -> Key:
        """Return what identifies a run.

        Raises
        ------
        ValueError
            If it is a run of another kind of study.
        """
        if missing := [name for name in self.fields if name not in run]:
            raise ValueError(f"{self.folder} holds runs of another study: they have no {' and no '.join(missing)}")
        return tuple(run[name] for name in self.fields)

    def name(self, key: Key) -> str:
        """Return what a run is called."""
        parts = zip(self.fields, key, strict=True)
        return " ".join(f"seed {part}" if field == "seed" else str(part) for field, part in parts)

    def path(self, key: Key) -> Path:
        """Return the path of a raw run."""
        return self.raw / f"{'_'.join(str(part).replace('/', '-') for part in key)}.json"

    def write(self, run: Run) -> None:
        """Write a raw run, whole or not at all."""
        self.raw.mkdir(parents=True, exist_ok=True)
        _replace(self.path(self.key(run)), _line(run))

    def has(self, key: Key) -> bool:
        """Return whether a run is there, raw or merged."""
        if self.path(key).exists():
            return True
        age = self.merged.stat().st_mtime_ns if self.merged.exists() else 0
        if age != self._merged_keys[0]:
            self._merged_keys = age, set(self._read_merged())
        return key in self._merged_keys[1]

    def read(self) -> list[Run]:
        """Return all runs, raw and merged, in the order of their keys."""
        raw = self._read_raw()  # first: what is merged meanwhile is then found there
        runs = self._read_merged() | {self.key(run): run for run in raw.values()}
        return [runs[key] for key in sorted(runs)]

    def merge(self) -> list[Run]:
        """Move the raw runs to the merged ones, and return all of them; one process at a time does so."""
        if self.raw.is_dir():
            with self._alone():
                raw, runs = self._read_raw(), self.read()
                if raw:
                    _replace(self.merged, "".join(map(_line, runs)))
                for path in raw:
                    path.unlink(missing_ok=True)
        return self.read()

    def _read_raw(self) -> dict[Path, Run]:
        found = {}
        for path in sorted(self.raw.glob("*.json")):
            try:
                found[path] = json.loads(path.read_text())
            except FileNotFoundError:  # merged by another process since it was listed
                continue
            except ValueError as error:
                raise ValueError(f"{path} holds no run: {error}") from None
        return found

    def _read_merged(self) -> dict[Key, Run]:
        runs = {}
        lines = self.merged.read_text().splitlines() if self.merged.exists() else []
        for number, line in enumerate(lines, 1):
            try:
                run = json.loads(line)
            except ValueError as error:
                raise ValueError(f"line {number} of {self.merged} holds no run: {error}") from None
            runs[self.key(run)] = run
        return runs

    @contextmanager
    def _alone(self) -> Iterator[None]:
        with (self.raw / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _line(run: Run) -> str:
    return json.dumps(run, separators=(",", ":"), ensure_ascii=False) + "\n"


def _replace(path: Path, text: str) -> None:
    partial_path = path.with_suffix(f".{os.getpid()}.partial")
    partial_path.write_text(text)
    os.replace(partial_path, path)


# -- doing what is left to do ------------------------------------------------------------------------------------------


def conduct(study: Study, commands: dict[Key, list[str]], options: argparse.Namespace) -> tuple[list[Run], int]:
    """Do the runs that are not there yet, merge, and return all runs and the exit status; with --table-only only merge."""
    try:
        failed = [] if options.table_only else work(study, commands, options)
        done = study.merge()
    except KeyboardInterrupt:
        print("stopped; the same command goes on where it was", file=sys.stderr)
        return [], 130
    except (ValueError, ImportError, ConnectionError) as error:
        print(error, file=sys.stderr)
        return [], 2
    if not done:
        print(f"there are no runs in {study.folder} yet", file=sys.stderr)
    return done, 1 if failed else 0


def work(study: Study, commands: dict[Key, list[str]], options: argparse.Namespace) -> list[str]:
    """Do the runs that are not there yet, a process each; return a line for each that failed.

    The processes hand in their runs, and this one alone writes them.

    Parameters
    ----------
    study
        Where they belong.
    commands
        The Python arguments that make a process do a run and hand it in, by the run's key.
    options
        `ray` says where they are done, and `jobs` how many at a time.
    """
    there = {study.key(run) for run in study.read()}
    todo = {study.name(key): key for key in commands if key not in there}
    if not todo:
        return []
    failed = []
    with backend(options) as runners, Table(len(todo)) as table:
        calls = ((name, commands[key]) for name, key in todo.items() if not study.has(key))  # else another was quicker
        for done in runners.outcomes(calls):
            table.show(runners.progress)
            if done is None:
                continue
            name, (run, problem) = done
            if run is not None and study.key(run) != todo[name]:
                problem = f"it handed in {study.name(study.key(run))}"
            if problem:
                failed.append(f"{name} failed: {problem}")
                table.write(failed[-1])
            elif run is not None:
                study.write(run)
            table.count(name)
    return failed


def backend(options: argparse.Namespace) -> AbstractContextManager[Backend]:
    """Return what runs are done with: processes of this machine, or Ray."""
    if options.ray is None:
        return LocalProcesses(options.jobs or 1)
    from ray_backend import RayTasks  # its extra need not be there

    return RayTasks(options.ray, options.jobs)


def tabulate(
    key: Sequence[str],
    commands: dict[Key, list[str]],
    options: argparse.Namespace,
    table: Callable[[list[Run]], str],
    draw: Callable[[list[Run]], object] | None = None,
) -> int:
    """Conduct the study in the folder --out, write the table of its runs there, draw them, and print the table.

    Parameters
    ----------
    key
        Names of what identifies a run.
    commands, options
        As for `work`.
    table, draw
        What makes Markdown of all runs, and what draws them.

    Returns
    -------
    The exit status.
    """
    if not make_folder(options.out):
        return 2
    done, status = conduct(Study(options.out, key), commands, options)
    if done:
        text = table(done)
        (options.out / "table.md").write_text(text + "\n")
        if draw is not None:
            draw(done)
        print(text)
    return status


# -- the command line of a study ---------------------------------------------------------------------------------------


def add_options(parser: argparse.ArgumentParser, out: str, seeds: str) -> None:
    """Add what every study's command line has."""
    parser.add_argument(
        "--seeds", type=seed_list, default=seed_list(seeds), help=f"like 7, 0-29 or 0-9,20 (default: {seeds})"
    )
    parser.add_argument("--jobs", type=positive, help="runs at a time (default: 1; with --ray, one per core)")
    parser.add_argument(
        "--ray",
        nargs="?",
        const="local",
        metavar="ADDRESS",
        help="do the runs with Ray: on the cluster at ADDRESS (host:port, or auto for the one of this machine), else here",
    )
    parser.add_argument("--out", type=Path, default=Path(out), help="folder of the study (default: %(default)s)")
    parser.add_argument(
        "--table-only", action="store_true", help="run nothing; tables and figures of the runs there are"
    )
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)


def make_folder(folder: Path) -> bool:
    """Make a folder for results, if there is none yet; say why where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        print(f"cannot write into {folder}: {error.strerror}", file=sys.stderr)
        return False
    return True


def seed_list(text: str) -> list[int]:
    """Parse "7", "0-29" or "0-9,20"."""
    try:
        ends = [[int(end) for end in part.split("-")] for part in text.split(",")]
        seeds = [seed for first, *last in ends for seed in range(first, (last or [first])[0] + 1)]
    except ValueError:
        seeds = []
    if not seeds:
        raise argparse.ArgumentTypeError(f"seeds must be like 7, 0-29 or 0-9,20, not {text!r}")
    return seeds


def positive(text: str) -> int:
    """Parse a whole number ≥ 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number ≥ 1, not {text!r}")
    return int(text)
