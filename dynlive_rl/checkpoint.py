"""Safe files: a JSON header plus plain arrays by name. Reading one runs no code of its writer, and damage is noticed.

`docs/files.md` describes them byte by byte. They are safetensors files with a checksum.
Formats: 4 has the checksum, 3 held every row of a network by its own name, 2 held them in tables. What reads a kind of file
translates older ones, format by format.
"""

import hashlib
import json
import os
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ._version import __version__
from .writing import write_whole

FORMAT = 5
FIRST_WITH_CHECKSUM = 4
LONGEST_QUOTE = 400

Header = dict[str, Any]
Arrays = dict[str, NDArray[Any]]
Upgrade = Callable[[Header, Arrays], tuple[Header, Arrays]]
"""Translates header and arrays of one format to those of the next."""

_DTYPES = {
    "BOOL": "?", "I8": "i1", "U8": "u1", "I16": "<i2", "U16": "<u2", "I32": "<i4", "U32": "<u4", "I64": "<i8", "U64": "<u8",
    "F32": "<f4", "F64": "<f8",
}  # fmt: skip
_CODES = {np.dtype(dtype): code for code, dtype in _DTYPES.items()}
# The checksum stands at the same place in every file, so that it can be left out of what it is the checksum of.
_OPENING = b'{"__metadata__":{"sha256":"'
_DIGITS = 64
_BEFORE = 8 + len(_OPENING)
_AFTER = _BEFORE + _DIGITS


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
    text = json.dumps({"format": FORMAT, "kind": kind, "version": __version__, **header})
    chunks = _chunks(text, arrays)
    if hasattr(file, "write"):
        for chunk in chunks:
            file.write(chunk)
    else:
        write_whole(Path(file), chunks)


def _chunks(text: str, arrays: Arrays) -> list[Any]:
    """Return the bytes of a checkpoint, piece by piece."""
    # The largest numbers come first, so that all of them lie where a processor likes to find them.
    names = sorted(arrays, key=lambda name: (-arrays[name].dtype.itemsize, name))
    plain = {name: np.ascontiguousarray(arrays[name]).astype(_little(arrays[name].dtype), copy=False) for name in names}
    entries: dict[str, Any] = {"__metadata__": {"sha256": "0" * _DIGITS, "dynlive": text}}
    stop = 0
    for name, array in plain.items():
        start, stop = stop, stop + array.nbytes
        shape = list(arrays[name].shape)
        entries[name] = {"dtype": _CODES[array.dtype], "shape": shape, "data_offsets": [start, stop]}
    head = json.dumps(entries, separators=(",", ":")).encode()
    head += b" " * (-len(head) % 8)
    head = len(head).to_bytes(8, "little") + head
    data = [array.reshape(-1).view(np.uint8).data for array in plain.values() if array.size]
    return [head[:_BEFORE], checksum(head, *data), head[_AFTER:], *data]


def _little(dtype: np.dtype[Any]) -> np.dtype[Any]:
    return dtype.newbyteorder("<")


def checksum(start: bytes | bytearray, *rest: bytes | memoryview) -> bytes:
    """Return what stands as checksum in a file: SHA-256 of all other bytes, as 64 hexadecimal digits.

    Parameters
    ----------
    start
        The file's first bytes, at least to the end of the checksum.
    rest
        What follows, in pieces.
    """
    digest = hashlib.sha256(start[:_BEFORE])
    digest.update(memoryview(start)[_AFTER:])
    for chunk in rest:
        digest.update(chunk)
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
    """Translate a format to the next one where nothing else is new."""
    return header, arrays


def name_of(file: Source) -> str:
    """Return what to call a file in messages."""
    return str(getattr(file, "name", "the file")) if hasattr(file, "read") else str(file)


def kind_of(file: Source) -> str:
    """Return what a checkpoint holds, "network" or "agent"; "agent" for any other file, and `read` says what is wrong."""
    try:
        return str(_parse(_bytes_of(file), name_of(file))[0].get("kind"))
    except (ValueError, OSError):
        return "agent"


def _bytes_of(file: Source) -> bytearray:
    if hasattr(file, "read"):
        data = file.read()
        if not isinstance(data, (bytes, bytearray)):
            raise TypeError(f"{name_of(file)} must be open in binary mode")
        return bytearray(data)
    try:
        with open(file, "rb") as opened:
            status = os.fstat(opened.fileno())
            if not stat.S_ISREG(status.st_mode):
                raise CheckpointError(f"{file} is not a DynLive checkpoint: it is no regular file")
            content = bytearray(status.st_size)
            del content[opened.readinto(content) :]
            return content
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no file {file}") from None


def _parse(data: bytearray, name: str) -> tuple[Header, Arrays]:
    """Return header and arrays of a checkpoint of any kind and format; the arrays are views of its bytes.

    Nothing that a file says makes this take more memory than the file itself has.
    """
    has_checksum = data[8:_BEFORE] == _OPENING
    if has_checksum and data[_BEFORE:_AFTER] != checksum(data):
        raise CheckpointError(f"{name} is damaged: its content is not what its checksum says")
    try:
        size = int.from_bytes(data[:8], "little")
        head = data[8 : 8 + size]
        if len(data) < 8 or len(head) < size:
            raise ValueError("it ends too early")
        entries = json.loads(head)
        metadata = entries.pop("__metadata__")
        header = json.loads(metadata["dynlive"])
        if not isinstance(header, dict):
            raise TypeError("a header has names")
        if not has_checksum and ("sha256" in metadata or not is_older(header["format"])):
            raise ValueError("there is no checksum where one has to be")
        return header, _arrays_of(memoryview(data)[8 + size :], entries)
    except (ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError):
        raise CheckpointError(f"{name} is not a DynLive checkpoint, or it is damaged") from None


def _arrays_of(data: memoryview, entries: dict[str, Any]) -> Arrays:
    """Return the arrays that lie in a file's data one after the other, without gaps."""
    arrays, expected = {}, 0
    for name, entry in sorted(entries.items(), key=lambda item: item[1]["data_offsets"]):
        start, stop = entry["data_offsets"]
        dtype, shape = np.dtype(_DTYPES[entry["dtype"]]), tuple(entry["shape"])
        if not all(type(number) is int and number >= 0 for number in (start, stop, *shape)) or start != expected:
            raise ValueError(f"the place or shape of {name!r} is impossible")
        expected = stop
        arrays[name] = np.frombuffer(data[start:stop], dtype).reshape(shape)
        if dtype.kind == "b" and (arrays[name].view(np.uint8) > 1).any():
            raise ValueError(f"{name!r} holds what is neither true nor false")
    if expected != len(data):
        raise ValueError("it has more bytes than it says")
    return arrays


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
    arrays = {}
    for name, array in current.items():
        if name not in state:
            raise CheckpointError(f"the state lacks {name!r}")
        other = np.asarray(state[name])
        if other.shape != array.shape or other.dtype != array.dtype:
            raise CheckpointError(
                f"{name!r} has shape {other.shape} and type {other.dtype}, but {array.shape} and {array.dtype} is needed"
            )
        arrays[name] = other
    return arrays
