"""The command `dynlive`: train and evaluate agents, with one sentence on stderr and exit status 2 for bad input.

A module per command: `add_parser` says what it takes, `run` does it and returns what `--json` prints. Both load nothing that
the other commands need.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from dynlive_rl._version import __version__

from . import draw, evaluate, learn, live, train, watch

__all__ = ["main"]

COMMANDS = (train, evaluate, draw, watch, learn, live)


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
    for command in COMMANDS:
        command.add_parser(commands)
    return parser
