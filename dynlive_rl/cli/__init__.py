"""The command `dynlive`: train and evaluate agents, with one sentence on stderr and exit status 2 for bad input.

A module per command: `add_parser` says what it takes, `run` does it and returns what `--json` prints. Both load nothing that
the other commands need.
"""

import argparse
import difflib
import json
import re
import signal
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from dynlive_rl._version import __version__

from . import draw, environments, evaluate, export, info, learn, live, train, tune, watch
from .common import Help

__all__ = ["main"]

COMMANDS = (train, live, evaluate, watch, info, draw, export, environments, learn, tune)
EXAMPLES = """\
examples:
  dynlive train CartPole-v1 --steps 1e4 --out runs/pole
  dynlive evaluate runs/pole
  dynlive watch runs/pole --gif pole.gif
  dynlive live

dynlive COMMAND --help says what a command takes."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; returns its exit status, 128 and the signal's number where one has ended it."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser, names = _parser()
    if not given:
        parser.print_help()
        return 0
    if not given[0].startswith("-") and given[0] not in names:
        parser.error(f"there is no command {given[0]!r}{_nearest(given[0], names)}")
    options, unknown = parser.parse_known_args(given)
    if unknown:
        _refuse(options.parser, unknown[0])
    try:
        result: dict[str, Any] = options.run(options)
        if options.json:
            print(json.dumps(result))
        sys.stdout.flush()
    except (ValueError, OSError, ImportError) as error:
        print(f"dynlive: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("dynlive: interrupted", file=sys.stderr)
        return 128 + signal.SIGINT
    stopped = result.get("stopped")
    return 128 + signal.Signals[stopped] if stopped else 0


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(2, f"dynlive: {message}, see {self.prog} --help\n")


def _refuse(parser: argparse.ArgumentParser, unknown: str) -> NoReturn:
    """Say that a command knows no such argument, and which one may have been meant."""
    if not unknown.startswith("-"):
        parser.error(f"it is not clear what {unknown!r} is for")
    name = unknown.partition("=")[0]
    known = sorted(set(re.findall(r"--[a-z-]+", parser.format_help())))
    parser.error(f"there is no option {name}{_nearest(name, known)}")


def _nearest(name: str, known: Sequence[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f": did you mean {near[0]}?" if near else ""


def _parser() -> tuple[argparse.ArgumentParser, list[str]]:
    """Return the parser and the names of its commands."""
    parser = _Parser(
        prog="dynlive",
        description="Reinforcement learning with dynamic-live neural networks.",
        epilog=EXAMPLES,
        formatter_class=Help,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"dynlive {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", title="commands")
    for command in COMMANDS:
        command.add_parser(commands)
    return parser, list(commands.choices)
