"""`dynlive train`: an agent learns in an environment."""

import argparse
import csv
import time
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
    add_json(parser)


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Train an agent; write DIR/agent.dynlive and DIR/progress.csv, one row per episode."""
    from dynlive_rl.agents import DynLiveAgent

    load_environments()
    start = time.perf_counter()
    agent = DynLiveAgent(options.env, mode=options.mode, seed=options.seed)
    make_folder(options.out)
    agent.warm_up()
    compile_s = time.perf_counter() - start
    record = _record(agent, options.steps) if options.pictures else None
    start = time.perf_counter()
    with open(options.out / "progress.csv", "w", newline="") as file:
        table = _Table(agent, file)

        def follow(report: "Report") -> None:
            if record is not None:
                record(report)
            table.add(report)

        agent.learn(options.steps, callback=follow)
    wall_s = time.perf_counter() - start
    checkpoint = options.out / "agent.dynlive"
    agent.save(checkpoint)
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
