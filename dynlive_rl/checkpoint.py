"""Safe files: a JSON header plus plain arrays by name. Reading one runs no code of its writer, and damage is noticed.

They are safetensors files with a checksum, see `docs/files.md`.
Formats: 5 has the checksum in the header, 4 beside it, 3 held every row of a network by its own name, 2 held them in tables.
What reads a kind of file translates older ones, format by format.
"""

import hashlib
import json
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from ._version import __version__
from .writing import write_whole

FORMAT = 10
FIRST_WITH_CHECKSUM = 4
LONGEST_QUOTE = 400

Header = dict[str, Any]
Arrays = dict[str, NDArray[Any]]
Upgrade = Callable[[Header, Arrays], tuple[Header, Arrays]]
"""Translates header and arrays of one format to those of the next."""

# The checksum is the first thing in a file after its size, so that it is found before anything is parsed.
_CHECKSUM = re.compile(rb'\{"__metadata__":\{(?:"dynlive":"\{\\)?"sha256\\?": ?\\?"([0-9a-f]{64})')
_NO_CHECKSUM = "0" * 64


class CheckpointError(ValueError):
    """A file, or a state, that cannot be what it should be; the message says why in one sentence."""


class Writable(Protocol):
    """A binary file open for writing."""

    def write(self, data: Any, /) -> Any:
        """Write bytes."""


class Readable(Protocol):
    """A binary file open for reading."""

    def read(self) -> bytes:
        """Return all bytes that are left."""


Target = str | PathLike[str] | Writable
Source = str | PathLike[str] | Readable


# -- writing -----------------------------------------------------------------------------------------------------------


def write(file: Target, kind: str, header: Header, arrays: Arrays) -> None:
    """Write a checkpoint, whole or not at all.

    Parameters
    ----------
    file
        Path of the file; replaced if it exists, and missing folders are made. Or a binary file open for writing.
    kind
        What it holds, e.g. "network"; `read` refuses another kind.
    header
        Anything JSON can hold.
    arrays
        Plain arrays by name.

    Raises
    ------
    OSError
        If it cannot be written; what was there before stays.
    """
    text = json.dumps({"sha256": _NO_CHECKSUM, "format": FORMAT, "kind": kind, "version": __version__, **header})
    plain = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    chunks = with_checksum(save_arrays(plain, {"dynlive": text}))
    if hasattr(file, "write"):
        for chunk in chunks:
            try:
                file.write(chunk)
            except TypeError:
                raise TypeError(f"{name_of(file)} must be open in binary mode") from None
    else:
        write_whole(_path_of(file), chunks)


def with_checksum(data: bytes) -> list[bytes | memoryview]:
    """Return the bytes of a file, piece by piece, with the right checksum where there is any."""
    place = _CHECKSUM.match(data, 8)
    if place is None:
        raise ValueError("there is no place for a checksum where it has to be")
    start, stop = place.span(1)
    return [data[:start], _checksum(data, place), memoryview(data)[stop:]]


def _checksum(data: bytes, place: re.Match[bytes]) -> bytes:
    """Return what has to stand as checksum at a place of a file: SHA-256 of all other bytes, as 64 hexadecimal digits."""
    start, stop = place.span(1)
    digest = hashlib.sha256(data[:start])
    digest.update(memoryview(data)[stop:])
    return digest.hexdigest().encode()


# -- reading -----------------------------------------------------------------------------------------------------------


def read(file: Source, kind: str, upgrades: Mapping[int, Upgrade] | None = None) -> tuple[Header, Arrays]:
    """Read a checkpoint: its header and its arrays, as the present format has them.

    Parameters
    ----------
    file
        Path of the file, or a binary file open for reading.
    kind
        What it has to hold, e.g. "network".
    upgrades
        By older format, what translates such a file to the next one. Default: none can be read.

    Raises
    ------
    CheckpointError
        If it is no checkpoint of this kind, is damaged, or of a format that cannot be read.
    OSError
        If there is no such file, or it may not be read.
    """
    name = name_of(file)
    header, arrays = _parse(_bytes_of(file), name)
    upgrades = upgrades or {}
    written = header.get("format")
    steps = range(written, FORMAT) if type(written) is int else range(0)
    if written != FORMAT and not (steps and all(step in upgrades for step in steps)):
        known = f"{min(upgrades, default=FORMAT)} to {FORMAT}" if upgrades else f"{FORMAT}"
        raise CheckpointError(
            f"{name} has checkpoint format {_one_line(written)}, this version of DynLive reads {known}: "
            f"it was written by version {_one_line(header.get('version'))}"
        )
    if header.get("kind") != kind:
        raise CheckpointError(f"{name} holds no {kind}: it is a file of kind {_one_line(repr(header.get('kind')))}")
    with understood(name, header):
        for step in steps:
            header, arrays = upgrades[step](header, arrays)
    return header | {"format": FORMAT}, arrays


def unchanged(header: Header, arrays: Arrays) -> tuple[Header, Arrays]:
    """Translate a format to the next one where nothing else is new, or the place of the checksum alone."""
    return header, arrays


def name_of(file: Source | Target) -> str:
    """Return what to call a file in messages."""
    is_open = hasattr(file, "read") or hasattr(file, "write")
    return str(getattr(file, "name", "the file")) if is_open else str(file)


def _path_of(file: Any) -> Path:
    # A whole number would be taken for an open file of the system, and closed.
    if not isinstance(file, (str, PathLike)):
        raise TypeError(f"a file must be a path, or open in binary mode, not {file!r}")
    return Path(file)


def header_of(file: Source) -> Header:
    """Return the header of a checkpoint of any kind and format, as it was written.

    Raises
    ------
    CheckpointError
        If it is no checkpoint, or is damaged.
    OSError
        If there is no such file, or it may not be read.
    """
    return _parse(_bytes_of(file), name_of(file))[0]


def kind_of(file: Source) -> str:
    """Return what a checkpoint holds, "network" or "agent"; "agent" for any other file, and `read` says what is wrong."""
    try:
        return str(header_of(file).get("kind"))
    except (ValueError, OSError):
        return "agent"


def _bytes_of(file: Source) -> bytes:
    if hasattr(file, "read"):
        data = file.read()
        if not isinstance(data, (bytes, bytearray, memoryview)):
            raise TypeError(f"{name_of(file)} must be open in binary mode")
        return bytes(data)
    path = _path_of(file)
    try:
        with open(path, "rb") as opened:
            if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
                raise CheckpointError(f"{file} is not a DynLive checkpoint: it is no regular file")
            return opened.read()
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no file {file}") from None


def _parse(data: bytes, name: str) -> tuple[Header, Arrays]:
    """Return header and arrays of a checkpoint of any kind and format.

    Nothing that a file says makes this take more memory than twice the file.
    """
    place = _CHECKSUM.match(data, 8)
    if place is not None and place[1] != _checksum(data, place):
        raise CheckpointError(f"{name} is damaged: its content is not what its checksum says")
    try:
        arrays = load_arrays(data)
        size = int.from_bytes(data[:8], "little")
        metadata = json.loads(data[8 : 8 + size])["__metadata__"]
        header = json.loads(metadata["dynlive"])
        given = metadata.get("sha256", header.pop("sha256", None))
        if place is None and (given is not None or not is_older(header["format"])):
            raise ValueError("there is no checksum where one has to be")
        for key, array in arrays.items():
            if array.dtype == bool and (array.view(np.uint8) > 1).any():
                raise ValueError(f"{key!r} holds what is neither true nor false")
        return header, arrays
    except (SafetensorError, ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError):
        raise CheckpointError(f"{name} is not a DynLive checkpoint, or it is damaged") from None


def is_older(written: Any) -> bool:
    """Tell whether a format had no checksum yet."""
    return type(written) is int and written < FIRST_WITH_CHECKSUM


@contextmanager
def understood(name: str, header: Header) -> Iterator[None]:
    """Turn whatever goes wrong with a checkpoint's content into CheckpointError with one sentence.

    What is in a file is nobody's mistake here: any exception means that it cannot be used, so all are caught.

    Parameters
    ----------
    name
        Of the file.
    header
        Its header, which says which version wrote it.
    """
    try:
        yield
    except CheckpointError as error:
        raise CheckpointError(f"{name} cannot be loaded: {_one_line(error)}") from error.__cause__
    except Exception as error:
        reason = f"{type(error).__name__} {error}" if not isinstance(error, ValueError) else str(error)
        raise CheckpointError(
            f"{name} is damaged, or this version of DynLive does not understand it, which was written by version "
            f"{_one_line(header.get('version'))}: {_one_line(reason)}"
        ) from error


def _one_line(value: Any) -> str:
    """Return as text what came out of a file, so that it is part of a sentence whatever it is."""
    text = " ".join(str(value).split())
    return text if len(text) <= LONGEST_QUOTE else text[:LONGEST_QUOTE] + "…"


def copy_into(current: Arrays, state: Arrays) -> None:
    """Overwrite arrays in place by those of the same names; all are checked before the first changes."""
    for name, array in same_as(current, state).items():
        current[name][...] = array


def same_as(current: Arrays, state: Arrays) -> Arrays:
    """Return those arrays of a state that a current one has too; CheckpointError if shapes or types are others."""
    if not isinstance(state, Mapping):
        raise CheckpointError(
            f"a state must be arrays by name, as get_state returns them, not {_one_line(repr(state))}"
        )
    arrays = {}
    for name, array in current.items():
        if name not in state:
            raise CheckpointError(f"the state lacks {name!r}")
        other = _array_of(name, state[name])
        if other.shape != array.shape or other.dtype != array.dtype:
            raise CheckpointError(
                f"{name!r} has shape {other.shape} and type {other.dtype}, but {array.shape} and {array.dtype} is needed"
            )
        arrays[name] = other
    return arrays


def _array_of(name: str, value: Any) -> NDArray[Any]:
    try:
        return np.asarray(value)
    except ValueError:
        raise CheckpointError(f"{name!r} must be an array, not {_one_line(repr(value))}") from None
