"""`dynlive watch`: a saved agent acts, in a window or as a film."""

import argparse
from pathlib import Path
from typing import Any

from .common import (
    Commands,
    add_command,
    add_environment,
    add_file,
    add_json,
    add_seed,
    environment,
    load_environments,
    whole,
)

EXAMPLES = ("dynlive watch runs/pole", "dynlive watch runs/pole --gif pole.gif --episodes 2 --seed 1")


def add_parser(commands: Commands) -> None:
    """Say what `dynlive watch` takes."""
    parser = add_command(commands, "watch", "FILE [options]", "watch a saved agent act", run, EXAMPLES)
    add_file(parser)
    parser.add_argument("--gif", type=Path, metavar="OUT", help="write a GIF (or MP4) instead of opening a window")
    parser.add_argument("--episodes", type=whole(1), default=1, metavar="N", help="episodes (default: %(default)s)")
    parser.add_argument(
        "--steps",
        type=whole(1),
        default=500,
        metavar="N",
        help="break an episode off after N steps (default: %(default)s)",
    )
    add_seed(parser, "seed of the first episode (default: one is drawn)")
    add_environment(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Watch a saved agent act with its best actions, in a window or as a GIF."""
    from dynlive_rl.agents import DynLiveAgent
    from dynlive_rl.agents.films import watch
    from dynlive_rl.checks import drawn_seed

    load_environments()
    name, env = environment(options)
    seed = drawn_seed() if options.seed is None else options.seed
    agent = DynLiveAgent.load(options.file)
    try:
        returns = watch(agent, env=env, gif=options.gif, seed=seed, episodes=options.episodes, steps=options.steps)
    except ImportError as error:
        raise ValueError(str(error)) from None
    if not options.json:
        print(
            f"{name}: returns {', '.join(f'{one:.4g}' for one in returns)}, seed {seed}"
            + (f"; wrote {options.gif}" if options.gif else "")
        )
    return {"env": name, "returns": returns, "seed": seed, "gif": None if options.gif is None else str(options.gif)}
