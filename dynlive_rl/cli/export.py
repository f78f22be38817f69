"""`dynlive export`: a saved agent as an ONNX model, or as a Python file that needs NumPy alone."""

import argparse
from pathlib import Path
from typing import Any

from .common import Commands, add_command, add_file, add_json

EXAMPLES = ("dynlive export runs/pole", "dynlive export runs/pole --format numpy --out pole.py")
ENDINGS = {"onnx": ".onnx", "numpy": ".py"}


def add_parser(commands: Commands) -> None:
    """Say what `dynlive export` takes."""
    parser = add_command(
        commands, "export", "FILE [options]", "write a saved agent as ONNX or as plain NumPy", run, EXAMPLES
    )
    add_file(parser)
    parser.add_argument("--format", choices=list(ENDINGS), help="what to write (default: as --out ends, or else onnx)")
    parser.add_argument(
        "--out", type=Path, metavar="OUT", help="file to write (default: FILE's name with .onnx or .py)"
    )
    add_json(parser)


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Write what a saved agent has learned as an ONNX model, or as a Python file that needs NumPy alone.

    Either reads observations, runs the network and writes actions, best ones and all probabilities; it learns nothing.
    """
    from dynlive_rl.agents import DynLiveAgent
    from dynlive_rl.agents.export import export_numpy, export_onnx

    known = {ending: kind for kind, ending in ENDINGS.items()}
    kind = options.format or (known.get(options.out.suffix.lower()) if options.out else None) or "onnx"
    out: Path = options.out or options.file.with_suffix(ENDINGS[kind])
    if out.suffix.lower() != ENDINGS[kind]:
        raise ValueError(f"--out must end in {ENDINGS[kind]} for --format {kind}, not {str(out)!r}")
    if not out.parent.is_dir():
        raise ValueError(f"cannot write {out}: there is no folder {out.parent}")
    agent = DynLiveAgent.load(options.file)
    (export_numpy if kind == "numpy" else export_onnx)(agent, out)
    if not options.json:
        print(f"wrote {out}")
    return {"file": str(options.file), "format": kind, "out": str(out)}
