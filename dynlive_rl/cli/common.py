"""What several commands share: kinds of arguments, folders to write to, and environments."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from gymnasium.envs.registration import EnvSpec

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Run: TypeAlias = Callable[[argparse.Namespace], dict[str, Any]]


def add_command(commands: Commands, name: str, help: str, run: Run) -> argparse.ArgumentParser:
    """Add a command, which its `run` describes, and return the parser of its arguments."""
    parser = commands.add_parser(name, help=help, description=run.__doc__)
    parser.set_defaults(run=run)
    return parser


def add_seed(parser: argparse.ArgumentParser, help: str = "seed (default: fresh entropy)") -> None:
    """Add `--seed`."""
    parser.add_argument("--seed", type=whole(0), default=None, metavar="S", help=help)


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add `--json`, which every command has."""
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")


def whole(least: int) -> Callable[[str], int]:
    """Return what reads a whole number that is not below the least one."""

    def parse(text: str) -> int:
        try:
            value = int(text)
        except ValueError:
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(f"must be a whole number ≥ {least}, not {text!r}")
        return value

    return parse


def make_folder(path: Path) -> None:
    """Make a folder and those above it; ValueError if a file is in the way."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise ValueError(f"cannot make the folder {path}: there is a file of that name") from None


def load_environments() -> None:
    """Register the environments of this package and of installed plugins; one that is broken costs a warning."""
    from dynlive_rl.envs import load_plugins

    for failure in load_plugins():
        print(f"dynlive: warning: {failure}", file=sys.stderr)


def environment(options: argparse.Namespace) -> "tuple[str, EnvSpec | str]":
    """Return the id of the environment given with --env, or of the one the agent was trained in, and what makes it."""
    from dynlive_rl.agents.environments import spec_described
    from dynlive_rl.agents.files import read_agent

    if options.env is not None:
        return options.env, options.env
    env = read_agent(options.file).env
    if env is None:
        raise ValueError(
            f"{options.file} was not trained in an environment that an id and plain arguments describe: name one with --env"
        )
    try:
        return env["id"], spec_described(env)
    except ValueError as error:
        raise ValueError(
            f"{error}, in which {options.file} was trained: name it with --env, and the module that registers it (module:id)"
        ) from None
