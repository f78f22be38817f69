"""`dynlive evaluate`: a saved agent plays."""

import argparse
from typing import Any

from .common import Commands, add_command, add_json, add_seed, environment, load_environments, whole


def add_parser(commands: Commands) -> None:
    """Say what `dynlive evaluate` takes."""
    parser = add_command(commands, "evaluate", "play whole episodes with a saved agent", run)
    parser.add_argument("file", metavar="FILE", help="agent.dynlive of an earlier training")
    parser.add_argument("--episodes", type=whole(1), default=100, metavar="N", help="episodes (default: %(default)s)")
    add_seed(parser, "seed of the episodes' starts")
    parser.add_argument(
        "--env", default=None, metavar="ENV_ID", help="environment id (default: the one it was trained in)"
    )
    add_json(parser)


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Play whole episodes with a saved agent's best actions."""
    from dynlive_rl.agents import DynLiveAgent

    load_environments()
    name, env = environment(options)
    evaluation = DynLiveAgent.load(options.file).evaluate(options.episodes, env=env, seed=options.seed)
    if not options.json:
        print(f"{name}: mean return {evaluation.mean:.2f} ± {evaluation.std:.2f} over {options.episodes} episodes")
    return {"env": name, "mean": evaluation.mean, "std": evaluation.std, "episodes": options.episodes}
