"""What several commands share: kinds of arguments, folders to write to, agents' files and environments."""

import argparse
import ast
import os
import shutil
import sys
import textwrap
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from gymnasium.envs.registration import EnvSpec

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"
Run: TypeAlias = Callable[[argparse.Namespace], dict[str, Any]]

WIDTH = 79
AGENT_FILE = "agent.dynlive"


class Help(argparse.RawDescriptionHelpFormatter):
    """Help that fits into 80 columns, with examples as they are."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, max_help_position=26, width=min(WIDTH, shutil.get_terminal_size().columns))

    def _format_args(self, action: argparse.Action, default_metavar: str) -> str:
        if action.nargs == "+":  # "X [X ...]" would fill the column
            return f"{action.metavar} …"
        return super()._format_args(action, default_metavar)


def add_command(
    commands: Commands, name: str, arguments: str, help: str, run: Run, examples: Sequence[str]
) -> argparse.ArgumentParser:
    """Add a command, which its `run` describes, and return the parser of its arguments, of which some are told first."""
    parser = commands.add_parser(
        name,
        usage=f"dynlive {name} {arguments}".rstrip(),
        help=help,
        description=textwrap.fill(" ".join((run.__doc__ or "").split()), WIDTH - 1),
        epilog="\n  ".join(("examples:", *examples)),
        formatter_class=Help,
        allow_abbrev=False,
    )
    parser.set_defaults(run=run, parser=parser)
    return parser


def add_file(parser: argparse.ArgumentParser) -> None:
    """Add FILE, an agent's."""
    parser.add_argument("file", type=agent_file, metavar="FILE", help="file of an agent, or the folder of a run")


def add_ways(parser: Any, what: str, until: str = "") -> None:
    """Add `--resume` and `--force`, for a folder DIR that can hold `what` already, which goes on `until`."""
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument("--resume", action="store_true", help=f"go on with the {what} in DIR{until}")
    ways.add_argument("--force", action="store_true", help=f"begin anew, and remove the {what} in DIR")


def add_seed(parser: Any, help: str = "seed (default: one is drawn)") -> None:
    """Add `--seed`."""
    parser.add_argument("--seed", type=whole(0), metavar="S", help=help)


def add_json(parser: argparse.ArgumentParser) -> None:
    """Add `--json`, which every command has."""
    parser.add_argument("--json", action="store_true", help="print one JSON object as the last line")


def add_environment(parser: argparse.ArgumentParser) -> None:
    """Add `--env` and `--env-kwargs`, for an agent in another environment than its own."""
    parser.add_argument("--env", metavar="ENV", help="environment, an id or module:id (default: the one trained in)")
    add_env_kwargs(parser)


def add_env_kwargs(parser: Any) -> None:
    """Add `--env-kwargs`."""
    parser.add_argument(
        "--env-kwargs",
        nargs="+",
        type=name_and_value,
        action="extend",
        metavar="NAME=VALUE",
        help="arguments that the environment is made with, e.g. is_slippery=False",
    )


# -- kinds of arguments ------------------------------------------------------------------------------------------------


def whole(least: int) -> Callable[[str], int]:
    """Return what reads a whole number that is not below the least one; 1e5 is one too."""

    def parse(text: str) -> int:
        try:
            number = int(text) if text.lstrip("+-").isdecimal() else float(text)
            value = int(number) if number == int(number) else least - 1
        except (ValueError, OverflowError):
            value = least - 1
        if value < least:
            raise argparse.ArgumentTypeError(f"must be a whole number ≥ {least}, not {text!r}")
        return value

    return parse


def name_and_value(text: str) -> tuple[str, Any]:
    """Read name=value: the value is a Python literal, or else text."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise argparse.ArgumentTypeError(f"must be NAME=VALUE, not {text!r}")
    return name.strip(), literal(value.strip())


def literal(text: str) -> Any:
    """Return the Python literal that a text is, or the text itself; true and false are what they are elsewhere too."""
    if text in ("true", "false"):
        return text == "true"
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def agent_file(text: str) -> Path:
    """Return a file, and of a run's folder the agent in it."""
    path = Path(text)
    return path / AGENT_FILE if path.is_dir() else path


# -- folders and environments ------------------------------------------------------------------------------------------


def make_folder(path: Path) -> None:
    """Make a folder and those above it; ValueError if a file is in the way."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise ValueError(f"cannot make the folder {path}: there is a file of that name") from None


def taken(path: Path, what: str) -> ValueError:
    """Return the error that there is `what` in a folder already, with the two ways out that `add_ways` adds."""
    return ValueError(f"there is {what} in {path} already: go on with it by --resume, or begin anew with --force")


def load_environments() -> None:
    """Register the environments of this package and of installed plugins; one that is broken costs a warning.

    The present folder is looked at for modules too, after all others: module:id may be a file there.
    """
    from dynlive_rl.envs import load_plugins

    if not {"", os.getcwd()} & set(sys.path):
        sys.path.append(os.getcwd())
    for failure in load_plugins():
        print(f"dynlive: warning: {failure}", file=sys.stderr)


def environment(options: argparse.Namespace) -> "tuple[str, EnvSpec]":
    """Return the id of the environment given with --env, or of the one the agent was trained in, and what makes it.

    Arguments given with --env-kwargs are added to those that it is made with.
    """
    from dynlive_rl.agents.environments import make, spec_described, spec_of
    from dynlive_rl.agents.files import read_agent

    kwargs = dict(options.env_kwargs or ())
    if options.env is not None:
        made = make(options.env, **kwargs)
        spec = spec_of(made)
        made.close()
        assert spec is not None
        return options.env, spec
    env = read_agent(options.file).env
    if env is None:
        raise ValueError(
            f"{options.file} was not trained in an environment that an id and plain arguments describe: name one with --env"
        )
    try:
        spec = spec_described(env)
    except ValueError as error:
        raise ValueError(
            f"{error}, in which {options.file} was trained: name it with --env, and the module that registers it (module:id)"
        ) from None
    spec.kwargs |= kwargs
    return env["id"], spec
