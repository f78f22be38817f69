"""`dynlive evaluate`: a saved agent plays."""

import argparse
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

EXAMPLES = (
    "dynlive evaluate runs/pole",
    "dynlive evaluate runs/pole/best.dynlive --episodes 20 --seed 1 --json",
    "dynlive evaluate runs/lake --env-kwargs is_slippery=True",
)


def add_parser(commands: Commands) -> None:
    """Say what `dynlive evaluate` takes."""
    parser = add_command(
        commands, "evaluate", "FILE [options]", "play whole episodes with a saved agent", run, EXAMPLES
    )
    add_file(parser)
    parser.add_argument("--episodes", type=whole(1), default=100, metavar="N", help="episodes (default: %(default)s)")
    parser.add_argument(
        "--max-steps",
        type=whole(1),
        metavar="N",
        help="break an episode off after N steps (default: as its time limit)",
    )
    parser.add_argument("--stochastic", action="store_true", help="actions drawn from the policy, not the best ones")
    add_seed(parser, "seed of the episodes' starts (default: one is drawn)")
    add_environment(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Play whole episodes with a saved agent's best actions, and print their mean return; nothing is learned.

    `dynlive watch` shows them.
    """
    from dynlive_rl.agents import DynLiveAgent
    from dynlive_rl.checks import drawn_seed

    load_environments()
    name, env = environment(options)
    seed = drawn_seed() if options.seed is None else options.seed
    evaluation = DynLiveAgent.load(options.file).evaluate(
        options.episodes,
        env=env,
        seed=seed,
        deterministic=not options.stochastic,
        max_steps=options.max_steps,
    )
    if not options.json:
        print(
            f"{name}: mean return {evaluation.mean:.2f} ± {evaluation.std:.2f} over {options.episodes} episodes, seed {seed}"
        )
    return {"env": name, "mean": evaluation.mean, "std": evaluation.std, "episodes": options.episodes, "seed": seed}
