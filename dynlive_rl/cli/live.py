"""`dynlive live`: an agent learns on a page, while one looks."""

import argparse
from typing import Any

from .common import Commands, add_command, add_json, add_seed, agent_file, load_environments, whole

PACKAGES = ("starlette", "uvicorn", "websockets")  # of the extra
EXAMPLES = ("dynlive live", "dynlive live DynLive/SwapCartPole-v0 --seed 3", "dynlive live runs/pole --port 8000")


def add_parser(commands: Commands) -> None:
    """Say what `dynlive live` takes."""
    parser = add_command(
        commands, "live", "[ENV | FILE] [options]", "watch an agent learn on a page in the browser", run, EXAMPLES
    )
    parser.add_argument(
        "what",
        metavar="ENV | FILE",
        nargs="?",
        default="CartPole-v1",
        help="environment id, file of an agent or folder of a run (default: %(default)s)",
    )
    parser.add_argument(
        "--mode", choices=("rehearsal", "live"), default="rehearsal", help="how it learns (default: %(default)s)"
    )
    parser.add_argument(
        "--hidden",
        type=int,
        choices=(8, 16, 32, 64, 128, 256),
        default=32,
        help="hidden neurons of a rehearsing agent (default: %(default)s; trainings have 128)",
    )
    add_seed(parser, "seed (default: 0)")
    parser.add_argument("--port", type=whole(0), default=0, metavar="P", help="port on 127.0.0.1 (default: a free one)")
    parser.add_argument("--no-browser", action="store_true", help="only say where the page is")
    add_json(parser)


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Open a page on this machine on which an agent learns while you look, hurt it and change its world; Ctrl-C ends it."""
    try:
        from dynlive_rl.agents.live_page.server import serve
    except ImportError as error:
        if error.name not in PACKAGES:
            raise
        raise ValueError(f"the live page needs {error.name}: pip install 'dynlive-rl[live]'") from None
    load_environments()
    if options.port > 65535:
        raise ValueError(f"--port must be from 0 to 65535, not {options.port}")
    addresses: list[str] = []

    def say(address: str) -> None:
        addresses.append(address)
        if not options.json:
            print(f"The page is at {address}\nCtrl-C ends it.", flush=True)

    serve(_request(options), port=options.port, open_browser=not options.no_browser, say=say)
    return {"address": addresses[0] if addresses else None}


def _request(options: argparse.Namespace) -> dict[str, Any]:
    """Return what the learner begins with; ValueError or OSError where that could not be made."""
    file = agent_file(options.what)
    if file.is_file():
        from dynlive_rl.agents.files import read_agent

        read_agent(file)
        return {"file": str(file)}
    from dynlive_rl.agents.environments import make

    make(options.what).close()
    return {"world": options.what, "mode": options.mode, "seed": options.seed or 0, "hidden": options.hidden}
