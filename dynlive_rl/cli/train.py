"""`dynlive train`: an agent learns in an environment, in a folder of its own that it can go on from."""

import argparse
import os
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .common import (
    Commands,
    add_command,
    add_env_kwargs,
    add_json,
    add_seed,
    add_ways,
    load_environments,
    name_and_value,
    whole,
)

if TYPE_CHECKING:
    from .runs import Plan, RunFolder

EXAMPLES = (
    "dynlive train CartPole-v1 --steps 1e4 --out runs/pole",
    "dynlive train --resume --out runs/pole --steps 2e4",
    "dynlive train Acrobot-v1 --steps 1e4 --out runs/acro --eval-every 1000",
    "dynlive train CartPole-v1 --print-config > my.toml",
)
THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


def add_parser(commands: Commands) -> None:
    """Say what `dynlive train` takes."""
    parser = add_command(
        commands, "train", "ENV --steps N --out DIR [options]", "train an agent in an environment", run, EXAMPLES
    )
    parser.add_argument("env", nargs="?", metavar="ENV", help="environment, an id or module:id (`dynlive envs`)")
    run_ = parser.add_argument_group("the run")
    run_.add_argument("--steps", type=whole(0), metavar="N", help="environment steps to learn from in all, e.g. 1e5")
    run_.add_argument("--out", type=Path, metavar="DIR", help="folder for the agent, its tables and run.json")
    add_ways(run_, "run", ", up to --steps")
    add_seed(run_, "seed of everything random (default: one is drawn and told)")
    run_.add_argument("--threads", type=whole(1), metavar="N", help="threads that libraries may use, per process")
    _add_environment(parser)
    _add_agent(parser)
    _add_keeping(parser)
    add_json(parser)


def _add_environment(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the environment")
    add_env_kwargs(group)
    group.add_argument("--n-envs", type=whole(1), metavar="N", help="so many step side by side (default: 1)")
    group.add_argument(
        "--vector",
        choices=("sync", "async"),
        help="how: in this process, or each in its own; an episode cannot be resumed there (default: sync)",
    )
    group.add_argument("--step-timeout", type=_seconds, metavar="S", help="stop if a step takes longer than S seconds")


def _add_agent(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the agent")
    group.add_argument(
        "--mode",
        choices=("rehearsal", "live"),
        help="learn from remembered experience, or live, with nothing stored (default: rehearsal)",
    )
    group.add_argument("--config", type=Path, metavar="FILE", help="settings from a TOML or JSON file, or a run.json")
    group.add_argument(
        "--set",
        nargs="+",
        type=name_and_value,
        action="extend",
        metavar="NAME=VALUE",
        help="settings by name, e.g. rehearsal.batch=32; they count more than a file's",
    )
    group.add_argument("--print-config", action="store_true", help="print all settings as a file for --config, and end")


def _add_keeping(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("what is kept")
    group.add_argument("--checkpoint-every", type=whole(1), metavar="N", help="keep the agent every N steps")
    group.add_argument("--keep", type=whole(1), metavar="K", help="of these the last K (default: 5)")
    group.add_argument("--eval-every", type=whole(1), metavar="N", help="evaluate it every N steps, and keep the best")
    group.add_argument("--eval-episodes", type=whole(1), metavar="M", help="episodes of an evaluation (default: 10)")
    group.add_argument("--pictures", action="store_true", help="draw networks, learning curve, turnover, an animation")


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < 1e9 or not hasattr(signal, "setitimer"):
        raise argparse.ArgumentTypeError(f"must be a number of seconds > 0 (on a system with timers), not {text!r}")
    return seconds


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Train an agent and save it.

    DIR gets agent.dynlive, run.json and progress.csv, a row per episode; checkpoints/, evaluations.csv and best.dynlive if
    asked for. An existing run is never overwritten. Ctrl-C, SIGTERM and SIGHUP end it with everything saved, and --resume goes
    on as if it had never stopped.
    """
    if options.print_config:
        return _print_config(options)
    if options.out is None:
        raise ValueError("--out is required: the folder that the run is kept in, e.g. --out runs/pole")
    for name in THREADS if options.threads else ():
        os.environ[name] = str(options.threads)  # for what is loaded from now on, and processes that are started
    from . import running  # loads what the environment variables are for
    from .runs import RunFolder

    load_environments()
    folder = RunFolder(options.out)
    if not (options.resume or options.force):
        folder.need_free()
    before, steps = _plan_before(folder, options)
    if before is None:
        _require_new(options)
    plan = _plan(options, before)
    return running.train(options, folder, plan, steps, resumes=before is not None)


# -- what is to be run -------------------------------------------------------------------------------------------------


def _print_config(options: argparse.Namespace) -> dict[str, Any]:
    from dataclasses import asdict

    from .configuration import as_toml

    mode, config = _configuration(options, None)
    if not options.json:
        print(as_toml(mode, config), end="")
    return {"mode": mode, **asdict(config)}


def _configuration(options: argparse.Namespace, before: "Plan | None") -> tuple[str, Any]:
    """Return the mode and the configuration that the options ask for; before them, those of the run to go on with."""
    from .configuration import read_options

    return read_options(options, (before.mode, before.config) if before else None)


def _plan_before(folder: "RunFolder", options: argparse.Namespace) -> "tuple[Plan | None, int]":
    """Return the plan of the run to go on with, None for a new one, and the steps to learn from in all."""
    if not (options.resume and folder.is_taken()):
        return None, options.steps or 0
    plan, content = folder.read()
    options.steps = content["steps"] if options.steps is None else options.steps
    for name, value in content["schedule"].items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    return plan, options.steps


def _require_new(options: argparse.Namespace) -> None:
    if options.env is None:
        raise ValueError("name an environment, e.g. dynlive train CartPole-v1: `dynlive envs` lists them")
    if options.steps is None:
        raise ValueError("--steps is required: the environment steps to learn from, e.g. --steps 1e4")


def _plan(options: argparse.Namespace, before: "Plan | None") -> "Plan":
    """Return what is to be run; ValueError if it is not the run that is to go on."""
    from dataclasses import asdict, replace

    from dynlive_rl.checks import drawn_seed

    from .runs import Plan

    mode, config = _configuration(options, before)
    n_envs = options.n_envs or (before.n_envs if before else 1)
    asked = Plan(
        env=options.env or (before.env if before else ""),
        env_kwargs=(before.env_kwargs if before else {}) if options.env_kwargs is None else dict(options.env_kwargs),
        n_envs=n_envs,
        vector=None if n_envs == 1 else options.vector or (before.vector if before else None) or "sync",
        mode=mode,
        config=asdict(config),
        seed=drawn_seed() if options.seed is None else options.seed,
    )
    if before is None:
        return asked
    if options.seed is None:
        asked = replace(asked, seed=before.seed)
    other = before.differences(asked)
    if other:
        raise ValueError(
            f"the run in {options.out} is another one: {'; '.join(other)}. Leave these out to go on with it, or begin anew "
            "with --force"
        )
    return before
