"""`dynlive tune`: a search for settings that serve several environments, or a population of agents, on Ray."""

import argparse
from pathlib import Path
from typing import Any

from .common import Commands, add_command, add_json, add_seed, add_ways, name_and_value, whole

EXAMPLES = (
    "dynlive tune CartPole-v1 MountainCar-v0 --trials 30 --out runs/tuned",
    "dynlive tune --resume --out runs/tuned",
    "dynlive tune CartPole-v1 --trials 100 --fields optimisation exploration.entropy --out runs/some --ray auto",
    "dynlive tune Acrobot-v1 --population 8 --out runs/eight",
    "dynlive train CartPole-v1 --config runs/tuned/best.toml --steps 1e4 --out runs/pole",
)


def add_parser(commands: Commands) -> None:
    """Say what `dynlive tune` takes."""
    parser = add_command(
        commands,
        "tune",
        "ENV… --trials N --out DIR [options]",
        "search for settings that serve several environments",
        run,
        EXAMPLES,
    )
    parser.add_argument("envs", nargs="*", metavar="ENV", help="environments, ids or module:id: all are to be served")
    study = parser.add_argument_group("the study")
    study.add_argument("--trials", type=whole(0), metavar="N", help="configurations to try; 0: score the present one")
    study.add_argument(
        "--population",
        type=whole(4),
        metavar="N",
        help="instead: N agents learn at once, and the worst inherit strengths and settings of the best",
    )
    study.add_argument("--out", type=Path, metavar="DIR", help="folder for best.toml, trials.csv and importances.png")
    study.add_argument("--storage", metavar="URL", help="where trials are kept: s3://…, or a folder of all nodes")
    add_ways(study, "study")
    add_seed(study, "seed of everything random (default: one is drawn and told)")
    _add_trial(parser)
    _add_settings(parser)
    _add_machines(parser)
    add_json(parser)


def _add_trial(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("a trial")
    group.add_argument("--steps", type=whole(1), metavar="N", help="steps in each environment (default: 20,000)")
    group.add_argument("--seeds", type=whole(1), metavar="K", help="agents in each environment (default: 2)")
    group.add_argument("--parts", type=whole(1), metavar="P", help="evaluations on the way (default: 10)")
    group.add_argument("--eval-episodes", type=whole(1), metavar="M", help="episodes of each (default: 10)")
    group.add_argument(
        "--good",
        nargs="+",
        type=name_and_value,
        action="extend",
        metavar="ENV=RETURN",
        help="a mean return that scores 1 (default: the environment's threshold); random actions score 0",
    )
    group.add_argument(
        "--confirm", type=whole(0), metavar="K", help="fresh seeds that the best is scored on in the end (default: 10)"
    )


def _add_settings(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the settings")
    group.add_argument(
        "--fields",
        nargs="+",
        action="extend",
        metavar="NAME",
        help="those to search, or groups of them (default: all that have a range)",
    )
    group.add_argument("--mode", choices=("rehearsal", "live"), help="how agents learn (default: rehearsal)")
    group.add_argument("--config", type=Path, metavar="FILE", help="settings to begin with: TOML, JSON or a run.json")
    group.add_argument(
        "--set", nargs="+", type=name_and_value, action="extend", metavar="NAME=VALUE", help="settings to begin with"
    )


def _add_machines(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the machines")
    group.add_argument("--jobs", type=whole(1), metavar="J", help="trials at a time (default: one per core)")
    group.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="the Ray cluster at host:port, or auto: the one that this machine is in (default: this machine alone)",
    )


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Search for settings with Optuna, on Ray Tune, and score the best of them on fresh seeds. Needs the extra sweep.

    Every trial lets agents learn in all environments; what is hopeless is given up on the way. DIR gets best.toml for
    `dynlive train --config`, trials.csv, a row per trial, and importances.png. A study that was ended anywhere goes on with
    --resume.
    """
    if options.out is None:
        raise ValueError("--out is required: the folder that the study is kept in, e.g. --out runs/tuned")
    from . import tuning  # loads what other commands do not need

    return tuning.tune(options)
