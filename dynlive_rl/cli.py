"""The command `dynlive`: train and evaluate agents, with one sentence on stderr and exit status 2 for bad input."""

import argparse
import csv
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from ._version import __version__


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status."""
    options = _parser().parse_args(arguments)
    try:
        result: dict[str, Any] = options.run(options)
    except (ValueError, OSError, ImportError) as error:
        print(f"dynlive: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    if options.json:
        print(json.dumps(result))
    return 0


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"dynlive: {message}, see {self.prog} --help\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="dynlive", description="Reinforcement learning with dynamic-live neural networks.")
    parser.add_argument("--version", action="version", version=f"dynlive {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    train = commands.add_parser("train", help="train an agent and save it", description=_train.__doc__)
    train.add_argument("env", metavar="ENV_ID", help="Gymnasium environment id, e.g. CartPole-v1")
    train.add_argument("--steps", type=_whole(0), required=True, metavar="N", help="environment steps to learn from")
    train.add_argument("--seed", type=_whole(0), default=None, metavar="S", help="seed (default: fresh entropy)")
    train.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for agent.dynlive and progress.csv"
    )
    train.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    train.set_defaults(run=_train)

    evaluate = commands.add_parser(
        "evaluate", help="play whole episodes with a saved agent", description=_evaluate.__doc__
    )
    evaluate.add_argument("file", metavar="FILE", help="agent.dynlive of an earlier training")
    evaluate.add_argument(
        "--episodes", type=_whole(1), default=100, metavar="N", help="episodes (default: %(default)s)"
    )
    evaluate.add_argument("--seed", type=_whole(0), default=None, metavar="S", help="seed of the episodes' starts")
    evaluate.add_argument(
        "--env", default=None, metavar="ENV_ID", help="environment id (default: the one it was trained in)"
    )
    evaluate.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    evaluate.set_defaults(run=_evaluate)

    learn = commands.add_parser("learn", help="learn a small problem from examples", description=_learn.__doc__)
    learn.add_argument("problem", metavar="PROBLEM", help="xor, memory-xor, parity, moons, iris or digits")
    learn.add_argument(
        "--engine",
        choices=["kernels", "messages"],
        default="kernels",
        help="compiled kernels, or neurons that send each other messages: slow (default: %(default)s)",
    )
    learn.add_argument(
        "--constraint",
        choices=["simplex", "free"],
        default="simplex",
        help="strengths that are never negative and sum to 1, or any (default: %(default)s)",
    )
    learn.add_argument("--seed", type=_whole(0), default=None, metavar="S", help="seed (default: fresh entropy)")
    learn.add_argument(
        "--out", type=Path, default=None, metavar="DIR", help="folder for network.dynlive and network.png"
    )
    learn.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    learn.set_defaults(run=_learn)
    return parser


def _whole(least: int) -> Any:
    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(f"must be a whole number ≥ {least}, not {text!r}")
        return value

    return parse


def _learn(options: argparse.Namespace) -> dict[str, Any]:
    """Learn a small problem from examples, say what each neuron learned where there are few, and draw the network."""
    from . import problems
    from .messages import MessageNetwork

    problem = problems.load(options.problem)
    net = problems.build(problem, options.constraint, options.seed)
    start = time.perf_counter()
    if options.engine == "kernels":
        epochs = problem.epochs
        net.fit(
            problem.X,
            problem.y,
            epochs=epochs,
            loss="cross-entropy",
            batch_size=problem.batch_size,
            anneal=not problem.small,
            seed=options.seed,
        )
    else:
        messages = MessageNetwork(net)
        epochs = -(-problems.LIVE_EXAMPLES // len(problem.X))
        problems.learn_live(messages, problem, epochs=epochs, seed=options.seed, progress_bar=None)
        messages.write_to(net)
    seconds = time.perf_counter() - start
    accuracy = problems.accuracy(net, problem.X_test, problem.y_test)
    if not options.json:
        if problem.small:
            print("\n".join(problems.describe(net, problem)))
        print(
            f"{options.problem}: {100 * accuracy:.1f} % right after {epochs * len(problem.X)} examples, {seconds:.1f} s"
        )
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        net.save(options.out / "network.dynlive")
        net.draw(options.out / "network.png")
    return {
        "problem": options.problem,
        "engine": options.engine,
        "constraint": options.constraint,
        "seed": options.seed,
        "examples": epochs * len(problem.X),
        "accuracy": accuracy,
        "seconds": round(seconds, 3),
        "out": None if options.out is None else str(options.out),
    }


def _load_environments() -> None:
    """Register the environments of this package and of installed plugins; one that is broken costs a warning."""
    from .envs import load_plugins

    for failure in load_plugins():
        print(f"dynlive: warning: {failure}", file=sys.stderr)


def _train(options: argparse.Namespace) -> dict[str, Any]:
    """Train an agent; write DIR/agent.dynlive and DIR/progress.csv, one row per episode."""
    from .agents import DynLiveAgent, Report

    _load_environments()
    start = time.perf_counter()
    agent = DynLiveAgent(options.env, seed=options.seed)
    options.out.mkdir(parents=True, exist_ok=True)
    agent.warm_up()
    compile_s = time.perf_counter() - start
    start = time.perf_counter()
    with open(options.out / "progress.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["step", "episode", "return", "length", "surprise", "connections", "seconds"])

        def write(report: Report) -> None:
            for episode in report.finished:
                seconds = time.perf_counter() - start
                table.writerow(
                    [
                        agent.num_timesteps,
                        agent.episodes,
                        episode.episode_return,
                        episode.length,
                        f"{agent.surprise:.6g}",
                        agent.connections,
                        f"{seconds:.3f}",
                    ]
                )

        agent.learn(options.steps, callback=write)
    wall_s = time.perf_counter() - start
    checkpoint = options.out / "agent.dynlive"
    agent.save(checkpoint)
    if not options.json:
        print(
            f"learned from {agent.num_timesteps} steps and {agent.episodes} episodes in {wall_s:.1f} s; wrote {checkpoint}"
        )
    return {
        "env": options.env,
        "agent": "dynlive",
        "seed": options.seed,
        "steps": agent.num_timesteps,
        "episodes": agent.episodes,
        "wall_s": round(wall_s, 3),
        "compile_s": round(compile_s, 3),
        "connections": agent.connections,
        "checkpoint": str(checkpoint),
    }


def _evaluate(options: argparse.Namespace) -> dict[str, Any]:
    """Play whole episodes with a saved agent's best actions."""
    from .agents import DynLiveAgent
    from .checkpoint import read

    _load_environments()
    header, _ = read(options.file, "agent")
    env = options.env or header["env"]
    if env is None:
        raise ValueError(f"{options.file} was not trained in a registered environment: name one with --env")
    evaluation = DynLiveAgent.load(options.file).evaluate(options.episodes, env=env, seed=options.seed)
    if not options.json:
        print(f"{env}: mean return {evaluation.mean:.2f} ± {evaluation.std:.2f} over {options.episodes} episodes")
    return {"env": env, "mean": evaluation.mean, "std": evaluation.std, "episodes": options.episodes}


if __name__ == "__main__":
    sys.exit(main())
