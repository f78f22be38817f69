"""`dynlive train`: an agent learns in an environment."""

import argparse
import csv
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from .common import Commands, add_command, add_json, add_seed, load_environments, make_folder, whole

if TYPE_CHECKING:
    from dynlive_rl.agents import DynLiveAgent, Report
    from dynlive_rl.agents.pictures import LearningRecord


def add_parser(commands: Commands) -> None:
    """Say what `dynlive train` takes."""
    parser = add_command(commands, "train", "train an agent and save it", run)
    parser.add_argument("env", metavar="ENV_ID", help="Gymnasium environment id, e.g. CartPole-v1")
    parser.add_argument("--steps", type=whole(0), required=True, metavar="N", help="environment steps to learn from")
    parser.add_argument(
        "--mode",
        choices=("rehearsal", "live"),
        default="rehearsal",
        help="learn from remembered experience, or live, with nothing stored (default: %(default)s)",
    )
    add_seed(parser)
    parser.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for agent.dynlive and progress.csv"
    )
    parser.add_argument(
        "--pictures", action="store_true", help="also draw networks, learning curve, turnover and an animation into DIR"
    )
    parser.add_argument(
        "--step-timeout",
        type=_seconds,
        metavar="S",
        help="stop where a step of the environment takes longer than S seconds",
    )
    add_json(parser)


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Train an agent; write DIR/agent.dynlive and DIR/progress.csv, one row per episode."""
    from dynlive_rl.agents import DynLiveAgent

    load_environments()
    start = time.perf_counter()
    agent = DynLiveAgent(options.env, mode=options.mode, seed=options.seed)
    make_folder(options.out)
    record = _record(agent, options.steps) if options.pictures else None
    agent.warm_up()
    compile_s = time.perf_counter() - start
    start = time.perf_counter()
    with open(options.out / "progress.csv", "w", newline="") as file:
        table = _Table(agent, file)

        checkpoint = options.out / "agent.dynlive"
        with _limited(agent, options.step_timeout) as step_begins:

            def follow(report: "Report") -> None:
                step_begins()
                if record is not None:
                    record(report)
                table.add(report)

            try:
                agent.learn(options.steps, callback=follow)
            finally:
                agent.save(checkpoint)  # what was learned is kept, whatever the environment does
    wall_s = time.perf_counter() - start
    if record is not None:
        record.draw(options.out)
    if not options.json:
        print(
            f"learned from {agent.num_timesteps} steps and {agent.episodes} episodes in {wall_s:.1f} s; wrote {checkpoint}"
        )
    return {
        "env": options.env,
        "agent": "dynlive" if options.mode == "rehearsal" else f"dynlive-{options.mode}",
        "seed": options.seed,
        "steps": agent.num_timesteps,
        "episodes": agent.episodes,
        "wall_s": round(wall_s, 3),
        "compile_s": round(compile_s, 3),
        "connections": agent.connections,
        "checkpoint": str(checkpoint),
    }


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e9 or not hasattr(signal, "setitimer"):
        raise argparse.ArgumentTypeError(f"must be a number of seconds > 0 (on a system with timers), not {text!r}")
    return seconds


@contextmanager
def _limited(agent: "DynLiveAgent", seconds: float | None) -> Iterator[Callable[[], object]]:
    """Yield what is to be called whenever a step begins; TimeoutError ends one that takes too long."""
    if seconds is None:
        yield lambda: None
        return

    def end_step(*_: object) -> None:
        raise TimeoutError(f"step {agent.num_timesteps + 1} of the environment took longer than {seconds:g} s")

    before = signal.signal(signal.SIGALRM, end_step)
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds)
        yield lambda: signal.setitimer(signal.ITIMER_REAL, seconds)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


class _Table:
    """The table of a training: a row per episode, with the seconds since the table was begun."""

    def __init__(self, agent: "DynLiveAgent", file: TextIO) -> None:
        self._agent = agent
        self._rows = csv.writer(file)
        self._rows.writerow(["step", "episode", "return", "length", "td_error_mse", "connections", "seconds"])
        self._start = time.perf_counter()

    def add(self, report: "Report") -> None:
        agent = self._agent
        for episode in report.finished:
            self._rows.writerow(
                [
                    agent.num_timesteps,
                    agent.episodes,
                    episode.episode_return,
                    episode.length,
                    f"{agent.td_error_mse:.6g}",
                    agent.connections,
                    f"{time.perf_counter() - self._start:.3f}",
                ]
            )


def _record(agent: "DynLiveAgent", steps: int) -> "LearningRecord":
    from dynlive_rl.agents.pictures import LearningRecord
    from dynlive_rl.drawing import require_pyplot

    require_pyplot()  # says what is missing before the training
    return LearningRecord(agent, steps)
