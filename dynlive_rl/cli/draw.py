"""`dynlive draw`: a picture of a saved network or agent."""

import argparse
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from .common import (
    Commands,
    add_command,
    add_environment,
    add_json,
    add_seed,
    agent_file,
    environment,
    load_environments,
)

EXAMPLES = ("dynlive draw runs/pole", "dynlive draw runs/pole --kind episode --seed 1 --out episode.png")


def add_parser(commands: Commands) -> None:
    """Say what `dynlive draw` takes."""
    parser = add_command(commands, "draw", "FILE [options]", "draw a saved network or agent", run, EXAMPLES)
    parser.add_argument(
        "file", type=agent_file, metavar="FILE", help="file of a network or an agent, or the folder of a run"
    )
    parser.add_argument(
        "--kind",
        choices=("network", "critic", "strengths", "episode"),
        default="network",
        help="what to draw: the (actor's) network, the critic's, a histogram of strengths, or the actor's neurons over an "
        "episode (default: %(default)s)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="PNG", help="picture to write (default: FILE's name and the kind: agent-critic.png)"
    )
    parser.add_argument(
        "--names",
        metavar="NAME,…",
        type=_split,
        help="names of the values of an observation, or of a network's inputs, with commas (default: what the environment "
        "says, or where they stand)",
    )
    parser.add_argument("--action-names", metavar="NAME,…", type=_split, help="names of the actions, or of the outputs")
    parser.add_argument("--dark", action="store_true", help="draw on a dark ground")
    add_seed(parser, "seed of the episode (default: one is drawn)")
    add_environment(parser)
    add_json(parser)


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Draw a saved network, or a saved agent's actor."""
    from dynlive_rl.checkpoint import kind_of

    if options.kind == "episode":
        load_environments()
    what = kind_of(options.file)
    out = _picture(options)
    try:
        with _style(options):
            if what == "network":
                _draw_network(options, out)
            else:
                _draw_agent(options, out)
    except ImportError as error:
        raise ValueError(str(error)) from None
    if not options.json:
        print(f"wrote {out}")
    return {"file": str(options.file), "kind": options.kind, "picture": str(out)}


def _split(names: str) -> list[str]:
    return [name.strip() for name in names.split(",")]


def _style(options: argparse.Namespace) -> AbstractContextManager[Any]:
    from dynlive_rl.drawing import require_pyplot

    context: AbstractContextManager[Any] = require_pyplot().style.context("dark_background" if options.dark else {})
    return context


def _picture(options: argparse.Namespace) -> Path:
    """Return the file to draw to: --out, or where --out is a folder or not given, FILE's name and the kind."""
    picture = options.file.with_name(f"{options.file.stem}-{options.kind}.png")
    out: Path = options.out or picture
    if out.is_dir():
        out /= picture.name
    elif not out.suffix:
        out = out.with_suffix(".png")
    if not out.parent.is_dir():
        raise ValueError(f"cannot write {out}: there is no folder {out.parent}")
    return out


def _draw_network(options: argparse.Namespace, out: Path) -> None:
    from dynlive_rl.drawing import draw_network, draw_strengths
    from dynlive_rl.network import Network

    if options.kind not in ("network", "strengths"):
        raise ValueError(f"{options.file} holds a network: draw it as network or strengths, not {options.kind}")
    network = Network.load(options.file)
    if options.kind == "network":
        draw_network(network, out, inputs=options.names, outputs=options.action_names)
    else:
        draw_strengths(network, out)


def _draw_agent(options: argparse.Namespace, out: Path) -> None:
    from dynlive_rl.agents import DynLiveAgent
    from dynlive_rl.agents.pictures import draw_agent, draw_episode
    from dynlive_rl.drawing import draw_strengths

    agent = DynLiveAgent.load(options.file)
    given = {"observations": options.names, "actions": options.action_names}
    names = {key: names for key, names in given.items() if names is not None}
    if options.kind == "strengths":
        draw_strengths(agent.actor, out)
    elif options.kind == "episode":
        draw_episode(agent, out, env=environment(options)[1], seed=options.seed, names=names)
    else:
        draw_agent(agent, out, critic=options.kind == "critic", names=names)
