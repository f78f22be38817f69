"""Runs of a study: one process and one file each, written whole or not at all, none of them twice."""

import argparse
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from tqdm import tqdm


def write(path: Path, result: dict[str, Any]) -> None:
    """Write the file of a run, whole or not at all."""
    partial_path = path.with_suffix(f".{os.getpid()}.partial")
    partial_path.write_text(json.dumps(result) + "\n")
    os.replace(partial_path, path)


def make_folder(folder: Path) -> bool:
    """Make a folder for results, if there is none yet; say why where that cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        print(f"cannot write into {folder}: {error.strerror}", file=sys.stderr)
        return False
    return True


def study(commands: dict[Path, list[str]], jobs: int) -> list[str]:
    """Do the runs that have no file yet, so many at a time; return a line for each that failed.

    Parameters
    ----------
    commands
        The Python arguments of every run, by the file that it writes.
    jobs
        Runs at a time.
    """
    one_thread = {name: "1" for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")}

    def start(path: Path) -> str | None:
        if path.exists():  # another study on the same folder was quicker
            return None
        command = [sys.executable, *commands[path]]
        done = subprocess.run(command, env={**os.environ, **one_thread}, stderr=subprocess.PIPE, text=True)
        if done.returncode == 0:
            return None
        return f"{_name(path)} failed: {(done.stderr.strip() or 'no message').splitlines()[-1]}"

    todo = [path for path in commands if not path.exists()]
    failed = []
    with ThreadPoolExecutor(jobs) as pool:
        futures = {pool.submit(start, path): path for path in todo}
        try:
            for future in (bar := tqdm(as_completed(futures), total=len(todo), unit="run", disable=not todo)):
                bar.set_postfix_str(_name(futures[future]))
                if (problem := future.result()) is not None:
                    bar.write(problem, file=sys.stderr)
                    failed.append(problem)
        except KeyboardInterrupt:
            pool.shutdown(cancel_futures=True)
            raise
    return failed


def _name(path: Path) -> str:
    *what, seed = path.stem.split("_")
    return f"{' '.join(what)} seed {seed}"


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
