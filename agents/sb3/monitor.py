"""Monitor files: what `results_plotter` and rl_zoo3's plots read, written without wrapping the environment."""

import csv
import json
import time
from os import PathLike
from pathlib import Path
from typing import Any, TextIO

from dynlive_rl.agents.reports import EventCallback, Report

ENDING = "monitor.csv"


class MonitorFile(EventCallback):
    """A callback of `learn` that writes a row with return, length and seconds of every episode, as `Monitor` does.

    Use it as a context manager, or call `close` at the end.

    Parameters
    ----------
    path
        The file, whose name ends in monitor.csv; or a folder, for a file of that name in it.
    env_id
        What the file calls the environment.
    append
        Whether to go on in a file that exists, for a resumed run; otherwise it is replaced.

    Examples
    --------
    >>> import tempfile
    >>> from dynlive_rl import DynLiveAgent
    >>> folder = tempfile.mkdtemp()
    >>> with MonitorFile(folder, env_id="CartPole-v1") as monitor:
    ...     agent = DynLiveAgent("CartPole-v1", seed=0).learn(100, callback=monitor, progress_bar=False)
    >>> from stable_baselines3.common.monitor import load_results
    >>> len(load_results(folder)) == agent.episodes
    True
    """

    def __init__(self, path: str | PathLike[str], *, env_id: str | None = None, append: bool = False) -> None:
        path = Path(path)
        if not path.name.endswith(ENDING):
            path /= ENDING
        path.parent.mkdir(parents=True, exist_ok=True)
        goes_on = append and path.exists()
        self._start = _start_of(path) if goes_on else time.time()
        self._file: TextIO = open(path, "a" if goes_on else "w", newline="\n")  # noqa: SIM115  closed by `close`
        self._rows: Any = csv.writer(self._file, lineterminator="\n")
        if not goes_on:
            self._file.write(f"#{json.dumps({'t_start': self._start, 'env_id': str(env_id)})}\n")
            self._rows.writerow(["r", "l", "t"])
            self._file.flush()

    def __call__(self, report: Report) -> None:
        """Write the episodes that ended."""
        for episode in report.finished:
            seconds = round(time.time() - self._start, 6)
            self._rows.writerow([round(episode.episode_return, 6), episode.length, seconds])
        if report.finished:
            self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> "MonitorFile":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def _start_of(path: Path) -> float:
    with open(path) as file:
        return float(json.loads(file.readline()[1:])["t_start"])
