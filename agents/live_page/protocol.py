"""What goes between the learner, the server and the page: packed messages one way, checked commands the other."""

import json
import struct
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

FRAME, STATE, NETWORK, HISTORY, EVENT, ANSWER = b"F", b"S", b"N", b"H", b"E", b"A"
KEPT = (STATE, NETWORK, HISTORY)
"""Messages of which a new viewer gets the last one; a frame is replaced by the next, an event is told once."""

SPEEDS = ("slow", "real", "fast", "full")
MODES = ("rehearsal", "live")
SHOWN = ("actor", "critic")
HIDDEN = (8, 16, 32, 64, 128, 256)
MOST_TEXT = 4096
LARGEST_ID = 2**31 - 1

_ALIGNMENT = 8


def pack(header: Mapping[str, Any], parts: Mapping[str, NDArray[Any] | bytes] | None = None) -> bytes:
    """Return a message: the length of its header (4 bytes, little-endian), the header as JSON, and its parts.

    The header's `parts` lists the name, the NumPy type ("u1", "u2", "i4", "f4") and the bytes of every part. Header and parts
    are padded to a multiple of 8 bytes, so that a page can look at them as typed arrays.
    """
    listed, bodies = [], []
    for name, part in (parts or {}).items():
        body = part if isinstance(part, bytes) else np.ascontiguousarray(part).tobytes()
        kind = "u1" if isinstance(part, bytes) else part.dtype.str[1:]
        listed.append([name, kind, len(body)])
        bodies.append(body + b"\0" * (-len(body) % _ALIGNMENT))
    text = json.dumps({**header, "parts": listed}, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-(len(text) + 4) % _ALIGNMENT)
    return b"".join([struct.pack("<I", len(text)), text, *bodies])


def unpack(message: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return the header and the parts of what `pack` made."""
    (length,) = struct.unpack_from("<I", message)
    header = json.loads(message[4 : 4 + length])
    at, parts = 4 + length, {}
    for name, kind, size in header["parts"]:
        parts[name] = np.frombuffer(message[at : at + size], np.dtype("<" + kind))
        at += size + -size % _ALIGNMENT
    return header, parts


class _Whole(NamedTuple):
    low: int
    high: int

    def check(self, name: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, int) or not self.low <= value <= self.high:
            raise ValueError(f"{name} must be a whole number from {self.low} to {self.high}, not {value!r:.60}")


class _Number(NamedTuple):
    low: float
    high: float

    def check(self, name: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not self.low <= value <= self.high:
            raise ValueError(f"{name} must be a number from {self.low:g} to {self.high:g}, not {value!r:.60}")


class _OneOf(NamedTuple):
    choices: tuple[Any, ...]

    def check(self, name: str, value: Any) -> None:
        if isinstance(value, (list, dict, float)) or value not in self.choices:
            raise ValueError(f"{name} must be one of {', '.join(map(repr, self.choices))}, not {value!r:.60}")


class _Text(NamedTuple):
    most: int

    def check(self, name: str, value: Any) -> None:
        if not isinstance(value, str) or not 0 < len(value) <= self.most:
            raise ValueError(f"{name} must be a text of 1 to {self.most} characters, not {value!r:.60}")


_FLAG = _OneOf((True, False))
_ID = _Whole(0, LARGEST_ID)
_SHARE = _Number(0.0, 0.9)

COMMANDS: dict[str, dict[str, Any]] = {
    "run": {},
    "pause": {},
    "step": {},
    "speed": {"speed": _OneOf(SPEEDS)},
    "show": {"network": _OneOf(SHOWN)},
    "cut": {"neuron": _ID, "source": _ID},
    "kill": {"neuron": _ID},
    "hurt": {"what": _OneOf(("neurons", "connections")), "share": _SHARE},
    "swap": {"on": _FLAG},
    "turn": {"name": _Text(40), "value": _Number(-1e9, 1e9)},
    "release": {"name": _Text(40)},
    "reset": {"?world": _Text(200), "?mode": _OneOf(MODES), "?seed": _Whole(0, 2**32 - 1), "?hidden": _OneOf(HIDDEN)},
    "look": {"on": _FLAG},
}
"""What a page may say: the fields of every command, and what each must be. A field with "?" may be missing."""


def parse_command(text: str | bytes) -> dict[str, Any]:
    """Return a command that a page sent as JSON, checked.

    Raises
    ------
    ValueError
        If it is none, with one sentence.
    """
    if not isinstance(text, str) or len(text) > MOST_TEXT:
        raise ValueError(f"a command must be a text of at most {MOST_TEXT} characters")
    try:
        command = json.loads(text)
    except (ValueError, RecursionError):
        raise ValueError(f"a command must be JSON, not {text!r:.60}") from None
    return check_command(command)


def check_command(command: Any) -> dict[str, Any]:
    """Return a command if it is one, ValueError otherwise; see `parse_command`."""
    if not isinstance(command, dict) or not isinstance(command.get("do"), str) or command["do"] not in COMMANDS:
        raise ValueError(f"a command must be an object whose 'do' is one of {', '.join(COMMANDS)}, not {command!r:.60}")
    fields = COMMANDS[command["do"]]
    known = {name.removeprefix("?") for name in fields} | {"do"}
    if strange := command.keys() - known:
        raise ValueError(f"{command['do']} takes no {min(strange)!r:.60}")
    for name, what in fields.items():
        plain = name.removeprefix("?")
        if plain in command:
            what.check(plain, command[plain])
        elif plain == name:
            raise ValueError(f"{command['do']} needs {name}")
    return command
