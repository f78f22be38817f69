"""Runs in folders: what is run, the agent, its checkpoints and tables, so that a run goes on where it stopped."""

import csv
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import platform, python_version
from typing import IO, Any

from dynlive_rl._version import __version__
from dynlive_rl.writing import write_whole

from .common import make_folder, taken

FORMAT = 1
PROGRESS = ("step", "episode", "return", "length", "td_error_mse", "connections", "seconds")
EVALUATIONS = ("step", "mean", "std", "lowest", "highest", "episodes", "seconds")


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a run is: everything that decides what comes out of it.

    Attributes
    ----------
    env, env_kwargs
        The environment's id, or module:id, and the arguments that it is made with.
    n_envs, vector
        How many step side by side, and how: "sync" in this process, "async" in one each; None: a single one.
    mode, config
        The agent's, the latter as a tree by name.
    seed
        The seed.
    """

    env: str
    env_kwargs: dict[str, Any]
    n_envs: int
    vector: str | None
    mode: str
    config: dict[str, Any]
    seed: int

    def differences(self, other: "Plan") -> list[str]:
        """Return what is other in another plan, as text."""
        found: list[str] = []
        for field in fields(self):
            found += _differences(field.name, getattr(self, field.name), getattr(other, field.name))
        return found


def _differences(name: str, one: Any, other: Any) -> list[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        return [
            text
            for key in sorted(one.keys() | other.keys())
            for text in _differences(key if name == "config" else f"{name}.{key}", one.get(key), other.get(key))
        ]
    same = json.loads(json.dumps(one)) == json.loads(json.dumps(other))
    return [] if same else [f"{name} is {one!r}, not {other!r}"]


class RunFolder:
    """A run's folder, and the names of the files in it.

    Parameters
    ----------
    path
        The folder; it need not be there.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.description = path / "run.json"
        self.agent = path / "agent.dynlive"
        self.best = path / "best.dynlive"
        self.progress = path / "progress.csv"
        self.evaluations = path / "evaluations.csv"
        self.checkpoints = path / "checkpoints"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Make the folder and keep it for this process, where the system can; ValueError if another process has it."""
        make_folder(self.path)
        try:
            import fcntl
        except ImportError:
            yield
            return
        handle = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            raise ValueError(f"another process is at work on the run in {self.path}: wait until it has ended") from None
        except OSError as error:  # a file system without locks
            print(f"dynlive: warning: {self.path} cannot be locked: {error}", file=sys.stderr)
        try:
            yield
        finally:
            os.close(handle)

    def is_taken(self) -> bool:
        """Tell whether there is a run in the folder."""
        return any(file.exists() for file in (self.description, self.agent, self.progress))

    def need_free(self) -> None:
        """Raise ValueError if there is a run in the folder, with the two ways out."""
        if not self.is_taken():
            return
        try:
            plan, content = self.read()
            what = f"a run of {content['steps']:,} steps in {plan.env}"
        except (ValueError, OSError, KeyError):
            what = "a run"
        raise taken(self.path, what)

    def clear(self) -> None:
        """Remove a run's files, and nothing else."""
        for file in (self.description, self.agent, self.best, self.progress, self.evaluations, *self._checkpoints()):
            file.unlink(missing_ok=True)

    def write(self, plan: Plan, more: dict[str, Any], sessions: Sequence[dict[str, Any]]) -> None:
        """Write what is run, and when, from which step on and with what it was."""
        content = {"format": FORMAT, **asdict(plan), **more, "sessions": list(sessions)}
        write_whole(self.description, [json.dumps(content, indent=2).encode() + b"\n"])

    def read(self) -> tuple[Plan, dict[str, Any]]:
        """Return what is run here, and all that its file says.

        Raises
        ------
        ValueError
            If the file is damaged, or written by a later version.
        OSError
            If there is none.
        """
        try:
            content = json.loads(self.description.read_text(encoding="utf-8"))
            if content["format"] > FORMAT:
                raise ValueError(f"{self.description} was written by a later version of DynLive: {content['format']=}")
            return Plan(**{field.name: content[field.name] for field in fields(Plan)}), content
        except FileNotFoundError:
            raise FileNotFoundError(f"{self.path} holds files of a run, but no {self.description.name}") from None
        except (KeyError, TypeError, json.JSONDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{self.description} is damaged: {error}") from None

    def keep_checkpoint(self, step: int, keep: int) -> None:
        """Keep the agent as it is in its file as the checkpoint of a step, and of all checkpoints the last ones."""
        self.checkpoints.mkdir(exist_ok=True)
        file = self.checkpoints / f"{step}.dynlive"
        file.unlink(missing_ok=True)
        try:
            os.link(self.agent, file)  # the agent's file is only ever replaced, never written to
        except OSError:  # a file system without links
            shutil.copyfile(self.agent, file)
        for old in self._checkpoints()[:-keep]:
            old.unlink(missing_ok=True)

    def drop_checkpoints_after(self, step: int) -> None:
        """Remove checkpoints that a run which goes on from a step will write again."""
        for file in self._checkpoints():
            if int(file.stem) > step:
                file.unlink()

    @property
    def last_checkpoint(self) -> int:
        """The step of the last checkpoint, 0 if there is none."""
        return max((int(file.stem) for file in self._checkpoints()), default=0)

    def _checkpoints(self) -> list[Path]:
        """Return the files of checkpoints, by their steps."""
        found = [file for file in self.checkpoints.glob("*.dynlive") if file.stem.isdecimal()]
        return sorted(found, key=lambda file: int(file.stem))


def session_now(step: int) -> dict[str, Any]:
    """Describe where and with what a run goes on from a step."""
    versions = {"dynlive": __version__, "python": python_version()}
    for package in ("gymnasium", "numba", "numpy"):
        try:
            versions[package] = version(package)
        except PackageNotFoundError:  # installed in another way
            continue
    began = datetime.now(UTC).isoformat(timespec="seconds")
    return {"from_step": step, "began": began, "versions": versions, "platform": platform()}


# -- tables ------------------------------------------------------------------------------------------------------------


class Table:
    """A CSV file whose rows are there as soon as they are added; the first column is the step, the last one seconds.

    Parameters
    ----------
    path
        The file; what it holds of steps after the given one is cut off, and so is half a row.
    header
        The names of its columns.
    step
        That of the agent.

    Attributes
    ----------
    rows
        Those that were there, as numbers by name.
    """

    def __init__(self, path: Path, header: Sequence[str], step: int) -> None:
        self.rows: list[dict[str, float]] = []
        self._file: IO[str] = open(path, "a+", newline="", encoding="utf-8")  # noqa: SIM115
        self._file.seek(0)
        lines = self._file.read().splitlines(keepends=True)
        kept = lines[:1] if lines and lines[0] == ",".join(header) + "\r\n" else []
        for line in lines[1:] if kept else ():
            row = _row(line, header)
            if row is None or row["step"] > step:
                break
            kept.append(line)
            self.rows.append(row)
        self._file.seek(0)
        self._file.truncate(len("".join(kept).encode()))
        self._file.seek(0, os.SEEK_END)
        self._writer = csv.writer(self._file)
        if not kept:
            self.add(header)

    def add(self, row: Sequence[object]) -> None:
        """Add a row."""
        self._writer.writerow(row)
        self._file.flush()

    def sync(self) -> None:
        """Force what was added to the disk."""
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _row(line: str, header: Sequence[str]) -> dict[str, float] | None:
    """Return the numbers of a row, None if it is not a whole one."""
    values = line.rstrip("\r\n").split(",")
    if not line.endswith("\n") or len(values) != len(header):
        return None
    try:
        return dict(zip(header, map(float, values), strict=True))
    except ValueError:
        return None


@contextmanager
def tables(folder: RunFolder, step: int, with_evaluations: bool) -> Iterator[tuple[Table, Table | None]]:
    """Open a run's tables as they were at a step; evaluations only where there are or will be some."""
    progress = Table(folder.progress, PROGRESS, step)
    try:
        evaluations = None
        if with_evaluations or folder.evaluations.exists():
            evaluations = Table(folder.evaluations, EVALUATIONS, step)
        try:
            yield progress, evaluations
        finally:
            if evaluations is not None:
                evaluations.close()
    finally:
        progress.close()
