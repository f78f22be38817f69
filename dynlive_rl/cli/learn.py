"""`dynlive learn`: a network learns a small problem from examples."""

import argparse
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .common import Commands, add_command, add_json, add_seed, make_folder

EXAMPLES = ("dynlive learn xor --seed 0", "dynlive learn iris --out runs/iris")

if TYPE_CHECKING:
    from dynlive_rl.network import Network
    from dynlive_rl.problems import Problem


def add_parser(commands: Commands) -> None:
    """Say what `dynlive learn` takes."""
    parser = add_command(
        commands, "learn", "PROBLEM [options]", "let a network learn a small problem from examples", run, EXAMPLES
    )
    parser.add_argument("problem", metavar="PROBLEM", help="xor, memory-xor, parity, moons, iris or digits")
    parser.add_argument(
        "--engine",
        choices=["kernels", "messages"],
        default="kernels",
        help="compiled kernels, or neurons that send each other messages: slow, minutes for digits (default: %(default)s)",
    )
    parser.add_argument(
        "--constraint",
        choices=["simplex", "free"],
        default="simplex",
        help="strengths that are never negative and sum to 1, or any (default: %(default)s)",
    )
    add_seed(parser)
    parser.add_argument(
        "--out", type=Path, default=None, metavar="DIR", help="folder for network.dynlive and network.png"
    )
    add_json(parser)


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Learn a small problem from examples, say what each neuron learned where there are few, and draw the network."""
    from dynlive_rl import problems
    from dynlive_rl.drawing import draw_network, require_pyplot

    problem = problems.load(options.problem)
    if options.out is not None:
        require_pyplot()  # says what is missing before anything is compiled
        make_folder(options.out)
    net = problems.build(problem, options.constraint, options.seed, live=options.engine == "messages")
    start = time.perf_counter()
    epochs = (_learn_by_messages if options.engine == "messages" else _fit)(net, problem, options.seed)
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


def _fit(net: "Network", problem: "Problem", seed: int | None) -> int:
    """Learn in batches, with kernels; returns the epochs."""
    net.fit(
        problem.X,
        problem.y,
        epochs=problem.epochs,
        loss="cross-entropy",
        batch_size=problem.batch_size,
        anneal=not problem.small,
        seed=seed,
    )
    return problem.epochs


def _learn_by_messages(net: "Network", problem: "Problem", seed: int | None) -> int:
    """Learn one example at a time, with the message engine; returns the epochs."""
    from dynlive_rl.messages import MessageNetwork
    from dynlive_rl.problems import learn_live

    messages = MessageNetwork(net)
    learn_live(messages, problem, epochs=problem.live_epochs, seed=seed, progress_bar=None)
    messages.write_to(net)
    return problem.live_epochs
