"""What callbacks and loggers cost: processor time per step of CartPole with each, and beside none in the same run.

python scripts/tool_costs.py [REPETITIONS]: a line per mode and tool, with the medians.
"""

import contextlib
import io
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

from stable_baselines3.common.callbacks import BaseCallback, CheckpointCallback, StopTrainingOnMaxEpisodes
from stable_baselines3.common.logger import configure

from dynlive_rl import DynLiveAgent
from dynlive_rl.agents.sb3 import MonitorFile

STEPS = {"live": 20_000, "rehearsal": 3_000}


class Idle(BaseCallback):
    """Does nothing at every step."""

    def _on_step(self) -> bool:
        return True


def logger(*formats: str) -> Callable[[DynLiveAgent, str], dict[str, Any]]:
    """Return what gives an agent a logger of stable-baselines3 with some formats."""

    def prepare(agent: DynLiveAgent, folder: str) -> dict[str, Any]:
        agent.set_logger(configure(folder, list(formats)))
        return {}

    return prepare


def tensorboard(agent: DynLiveAgent, folder: str) -> dict[str, Any]:
    """Let an agent write for TensorBoard by itself."""
    agent.tensorboard_log = folder
    return {}


def table(agent: DynLiveAgent, folder: str) -> dict[str, Any]:
    """Let an agent print a table."""
    agent.verbose = 1
    return {}


TOOLS: dict[str, Callable[[DynLiveAgent, str], dict[str, Any]]] = {
    "none": lambda agent, folder: {},
    "a function of a report": lambda agent, folder: {"callback": lambda report: None},
    "BaseCallback": lambda agent, folder: {"callback": Idle()},
    "CheckpointCallback(10,000)": lambda agent, folder: {"callback": CheckpointCallback(10_000, folder)},
    "StopTrainingOnMaxEpisodes": lambda agent, folder: {"callback": StopTrainingOnMaxEpisodes(10**9)},
    "MonitorFile": lambda agent, folder: {"callback": MonitorFile(folder)},
    "verbose=1": table,
    "tensorboard_log=": tensorboard,
    "Logger: csv": logger("csv"),
    "Logger: stdout, csv": logger("stdout", "csv"),
    "Logger: tensorboard": logger("tensorboard"),
}


def measure(mode: Any, steps: int, tool: str) -> float:
    """Return the microseconds of processor time that a step takes with a tool."""
    agent = DynLiveAgent("CartPole-v1", mode=mode, seed=0)
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        settings = TOOLS[tool](agent, folder)
        start = time.process_time()
        agent.learn(steps, progress_bar=False, **settings)
        return (time.process_time() - start) / steps * 1e6


def main(repetitions: int) -> None:
    """Measure every tool in turn, several times, and print what it adds to the run without one beside it."""
    for mode, steps in STEPS.items():
        for tool in TOOLS:
            measure(mode, 200, tool)
        times: dict[str, list[float]] = {tool: [] for tool in TOOLS}
        for _ in range(repetitions):
            for tool, taken in times.items():
                taken.append(measure(mode, steps, tool))
        for tool, taken in times.items():
            ratios = [one / beside for one, beside in zip(taken, times["none"], strict=True)]
            added = 100 * (statistics.median(ratios) - 1)
            print(f"{mode:10} {tool:28} {statistics.median(taken):7.2f} µs per step  {added:+5.1f} %", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 7)
