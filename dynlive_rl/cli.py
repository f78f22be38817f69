"""The command `dynlive`: train and evaluate agents, with one sentence on stderr and exit status 2 for bad input."""

import argparse
import csv
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from ._version import __version__

if TYPE_CHECKING:
    from gymnasium.envs.registration import EnvSpec

    from .agents import DynLiveAgent
    from .agents.pictures import LearningRecord


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
    train.add_argument(
        "--mode", choices=("rehearsal", "live"), default="rehearsal",
        help="learn from remembered experience, or live, with nothing stored (default: %(default)s)",
    )  # fmt: skip
    train.add_argument("--seed", type=_whole(0), default=None, metavar="S", help="seed (default: fresh entropy)")
    train.add_argument(
        "--out", type=Path, required=True, metavar="DIR", help="folder for agent.dynlive and progress.csv"
    )
    train.add_argument(
        "--pictures", action="store_true", help="also draw networks, learning curve, turnover and an animation into DIR"
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

    draw = commands.add_parser("draw", help="draw a saved network or agent", description=_draw.__doc__)
    draw.add_argument("file", type=Path, metavar="FILE", help="file of a network or an agent")
    draw.add_argument(
        "--kind", choices=("network", "critic", "strengths", "episode"), default="network",
        help="what to draw: the (actor's) network, the critic's, a histogram of strengths, or the actor's neurons over an "
        "episode (default: %(default)s)",
    )  # fmt: skip
    draw.add_argument("--out", type=Path, metavar="PNG", help="picture to write (default: FILE's name with .png)")
    draw.add_argument("--env", metavar="ENV_ID", help="environment of the episode (default: the one trained in)")
    draw.add_argument("--seed", type=_whole(0), default=None, metavar="S", help="seed of the episode")
    draw.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    draw.set_defaults(run=_draw)

    watch = commands.add_parser("watch", help="watch a saved agent act", description=_watch.__doc__)
    watch.add_argument("file", metavar="FILE", help="agent.dynlive of an earlier training")
    watch.add_argument("--gif", type=Path, metavar="OUT", help="write a GIF (or MP4) instead of opening a window")
    watch.add_argument("--episodes", type=_whole(1), default=1, metavar="N", help="episodes (default: %(default)s)")
    watch.add_argument(
        "--steps",
        type=_whole(1),
        default=500,
        metavar="N",
        help="break an episode off after N steps (default: %(default)s)",
    )
    watch.add_argument("--env", metavar="ENV_ID", help="environment (default: the one trained in)")
    watch.add_argument("--seed", type=_whole(0), default=None, metavar="S", help="seed of the first episode")
    watch.add_argument("--json", action="store_true", help="print one JSON object as the last line")
    watch.set_defaults(run=_watch)

    learn = commands.add_parser("learn", help="learn a small problem from examples", description=_learn.__doc__)
    learn.add_argument("problem", metavar="PROBLEM", help="xor, memory-xor, parity, moons, iris or digits")
    learn.add_argument(
        "--engine",
        choices=["kernels", "messages"],
        default="kernels",
        help="compiled kernels, or neurons that send each other messages: slow, minutes for digits (default: %(default)s)",
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


def _record(agent: "DynLiveAgent", steps: int) -> "LearningRecord":
    try:
        import matplotlib  # noqa: F401
    except ImportError:
        raise ValueError("pictures need matplotlib: pip install 'dynlive-rl[viz]'") from None
    from .agents.pictures import LearningRecord

    return LearningRecord(agent, steps)


def _draw(options: argparse.Namespace) -> dict[str, Any]:
    """Draw a saved network, or a saved agent's actor."""
    from .checkpoint import kind_of
    from .network import Network

    if options.kind == "episode":
        _load_environments()
    what = kind_of(options.file)
    picture = options.file.with_suffix(".png")
    out = options.out or picture
    if out.is_dir():
        out /= picture.name
    elif not out.suffix:
        out = out.with_suffix(".png")
    if not out.parent.is_dir():
        raise ValueError(f"cannot write {out}: there is no folder {out.parent}")
    try:
        if what == "network":
            from .drawing import draw_network, draw_strengths

            if options.kind not in ("network", "strengths"):
                raise ValueError(f"{options.file} holds a network: draw it as network or strengths, not {options.kind}")
            (draw_network if options.kind == "network" else draw_strengths)(Network.load(options.file), out)
        else:
            from .agents import DynLiveAgent
            from .agents.pictures import draw_agent, draw_episode
            from .drawing import draw_strengths

            agent = DynLiveAgent.load(options.file)
            if options.kind == "strengths":
                draw_strengths(agent.actor, out)
            elif options.kind == "episode":
                draw_episode(agent, out, env=_environment(options)[1], seed=options.seed)
            else:
                draw_agent(agent, out, critic=options.kind == "critic")
    except ImportError as error:
        raise ValueError(str(error)) from None
    if not options.json:
        print(f"wrote {out}")
    return {"file": str(options.file), "kind": options.kind, "picture": str(out)}


def _watch(options: argparse.Namespace) -> dict[str, Any]:
    """Watch a saved agent act with its best actions, in a window or as a GIF."""
    from .agents import DynLiveAgent
    from .agents.films import watch

    _load_environments()
    name, env = _environment(options)
    try:
        returns = watch(
            DynLiveAgent.load(options.file), env=env, gif=options.gif, seed=options.seed, episodes=options.episodes,
            steps=options.steps,
        )  # fmt: skip
    except ImportError as error:
        raise ValueError(str(error)) from None
    if not options.json:
        print(
            f"{name}: returns {', '.join(f'{one:.4g}' for one in returns)}"
            + (f"; wrote {options.gif}" if options.gif else "")
        )
    return {"env": name, "returns": returns, "gif": None if options.gif is None else str(options.gif)}


def _environment(options: argparse.Namespace) -> "tuple[str, EnvSpec | str]":
    """Return the id of the environment given with --env, or of the one the agent was trained in, and what makes it."""
    from .agents.environments import spec_described
    from .agents.files import UPGRADES
    from .checkpoint import read

    if options.env is not None:
        return options.env, options.env
    header, _ = read(options.file, "agent", UPGRADES)
    if header.get("env") is None:
        raise ValueError(
            f"{options.file} was not trained in an environment that an id and plain arguments describe: name one with --env"
        )
    try:
        return header["env"]["id"], spec_described(header["env"])
    except ValueError as error:
        raise ValueError(
            f"{error}, in which {options.file} was trained: name it with --env, and the module that registers it (module:id)"
        ) from None


def _learn(options: argparse.Namespace) -> dict[str, Any]:
    """Learn a small problem from examples, say what each neuron learned where there are few, and draw the network."""
    from . import problems
    from .drawing import draw_network
    from .messages import MessageNetwork

    problem = problems.load(options.problem)
    if options.out is not None:
        _make_folder(options.out)
    live = options.engine == "messages"
    net = problems.build(problem, options.constraint, options.seed, live=live)
    start = time.perf_counter()
    if not live:
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
        epochs = problem.live_epochs
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
        net.save(options.out / "network.dynlive")
        classes = [f"class {k}" for k in range(len(net.output_ids))]
        draw_network(net, options.out / "network.png", inputs=problem.inputs, outputs=classes)
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


def _make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise ValueError(f"cannot make the folder {path}: there is a file of that name") from None


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
    agent = DynLiveAgent(options.env, mode=options.mode, seed=options.seed)
    _make_folder(options.out)
    agent.warm_up()
    compile_s = time.perf_counter() - start
    record = _record(agent, options.steps) if options.pictures else None
    start = time.perf_counter()
    with open(options.out / "progress.csv", "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["step", "episode", "return", "length", "td_error_mse", "connections", "seconds"])

        def write(report: Report) -> None:
            if record is not None:
                record(report)
            for episode in report.finished:
                seconds = time.perf_counter() - start
                table.writerow(
                    [
                        agent.num_timesteps,
                        agent.episodes,
                        episode.episode_return,
                        episode.length,
                        f"{agent.td_error_mse:.6g}",
                        agent.connections,
                        f"{seconds:.3f}",
                    ]
                )

        agent.learn(options.steps, callback=write)
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


def _evaluate(options: argparse.Namespace) -> dict[str, Any]:
    """Play whole episodes with a saved agent's best actions."""
    from .agents import DynLiveAgent

    _load_environments()
    name, env = _environment(options)
    evaluation = DynLiveAgent.load(options.file).evaluate(options.episodes, env=env, seed=options.seed)
    if not options.json:
        print(f"{name}: mean return {evaluation.mean:.2f} ± {evaluation.std:.2f} over {options.episodes} episodes")
    return {"env": name, "mean": evaluation.mean, "std": evaluation.std, "episodes": options.episodes}


if __name__ == "__main__":
    sys.exit(main())
