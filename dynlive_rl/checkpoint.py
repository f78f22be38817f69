"""Safe files: a JSON header plus plain arrays by name (safetensors). Reading one runs no code of its writer.

Formats: 3 holds every row of a network by its own name, 2 held them in tables. What reads a kind of file translates older
ones, format by format.
"""

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ._version import __version__

FORMAT = 3

Header = dict[str, Any]
Arrays = dict[str, NDArray[Any]]
Upgrade = Callable[[Header, Arrays], tuple[Header, Arrays]]
"""Translates header and arrays of one format to those of the next."""


def write(path: str | PathLike[str], kind: str, header: Header, arrays: Arrays) -> None:
    """Write a checkpoint, whole or not at all.

    Parameters
    ----------
    path
        File to write; replaced if it exists. Its folder must exist.
    kind
        What it holds, e.g. "network"; `read` refuses another kind.
    header
        Anything JSON can hold.
    arrays
        Plain arrays by name.
    """
    path = Path(path)
    if not path.parent.is_dir():
        raise FileNotFoundError(f"cannot write {path}: there is no folder {path.parent}")
    text = json.dumps({"format": FORMAT, "kind": kind, "version": __version__, **header})
    partial = path.with_name(path.name + ".partial")
    save_file({name: np.ascontiguousarray(array) for name, array in arrays.items()}, partial, {"dynlive": text})
    os.replace(partial, path)


def read(path: str | PathLike[str], kind: str, upgrades: Mapping[int, Upgrade] | None = None) -> tuple[Header, Arrays]:
    """Read a checkpoint: its header and its arrays, as the present format has them.

    Parameters
    ----------
    path
        The file.
    kind
        What it has to hold, e.g. "network".
    upgrades
        By older format, what translates such a file to the next one. Default: none can be read.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it is no checkpoint of this kind, or of a format that cannot be read.
    """
    header, arrays = _read_any(Path(path))
    upgrades = upgrades or {}
    written = header.get("format")
    steps = range(written, FORMAT) if isinstance(written, int) else range(0)
    if written != FORMAT and not (steps and all(step in upgrades for step in steps)):
        known = f"{min(upgrades, default=FORMAT)} to {FORMAT}" if upgrades else f"{FORMAT}"
        raise ValueError(
            f"{path} has checkpoint format {written}, this version of DynLive reads {known}: "
            f"it was written by version {header.get('version')}"
        )
    if header.get("kind") != kind:
        raise ValueError(f"{path} holds no {kind}: it is a file of kind {header.get('kind')!r}")
    with understood(path, header):
        for step in steps:
            header, arrays = upgrades[step](header, arrays)
    return header | {"format": FORMAT}, arrays


def _read_any(path: Path) -> tuple[Header, Arrays]:
    """Read header and arrays of a checkpoint of any kind and format."""
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}")
    try:
        with safe_open(path, framework="numpy") as file:
            header = json.loads((file.metadata() or {})["dynlive"])
            return header, {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, KeyError, json.JSONDecodeError, OSError):
        raise ValueError(f"{path} is not a DynLive checkpoint, or it is damaged") from None


@contextmanager
def understood(path: str | PathLike[str], header: Header) -> Iterator[None]:
    """Turn what is missing in a checkpoint, or unknown here, into ValueError with one sentence."""
    try:
        yield
    except (KeyError, IndexError, TypeError, AttributeError) as error:
        raise ValueError(
            f"{path} is damaged, or this version of DynLive does not understand it, which was written by version "
            f"{header.get('version')}: {type(error).__name__} {error}"
        ) from None


def kind_of(path: str | PathLike[str]) -> str:
    """Return what a checkpoint holds, "network" or "agent"; "agent" for any other file, and `read` says what is wrong."""
    try:
        with safe_open(path, framework="numpy") as file:
            return str(json.loads((file.metadata() or {})["dynlive"])["kind"])
    except (SafetensorError, KeyError, json.JSONDecodeError, OSError):
        return "agent"


def copy_into(current: Arrays, state: Arrays) -> None:
    """Overwrite arrays in place by those of the same names; all are checked before the first changes."""
    for name, array in current.items():
        if name not in state:
            raise ValueError(f"the state lacks {name!r}")
        other = np.asarray(state[name])
        if other.shape != array.shape or other.dtype != array.dtype:
            raise ValueError(
                f"{name!r} has shape {other.shape} and type {other.dtype}, but {array.shape} and {array.dtype} is needed"
            )
    for name, array in current.items():
        array[...] = state[name]
