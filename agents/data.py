"""Plain data as JSON and back, bit for bit: numbers, text, arrays, generators, and what holds them. Never code."""

from collections import deque
from typing import Any

import numpy as np

BIT_GENERATORS = {kind.__name__: kind for kind in (np.random.PCG64, np.random.PCG64DXSM, np.random.MT19937)}


class NoDataError(ValueError):
    """What is no plain data, and so cannot be kept in a file."""


def to_json(value: Any) -> Any:
    """Describe a value in what JSON can hold.

    Raises
    ------
    NoDataError
        If it is no number, text, array, generator, or tuple, list, deque or dict of these.
    """
    if value is None or type(value) in (bool, int, float, str):
        return value
    if isinstance(value, (np.ndarray, np.generic)):
        if value.dtype.kind not in "biufU":
            raise NoDataError(f"an array of type {value.dtype} is no plain data")
        kind = "array" if isinstance(value, np.ndarray) else "number"
        return {kind: value.ravel().tolist(), "dtype": value.dtype.str, "shape": list(value.shape)}
    if isinstance(value, np.random.Generator):
        state = value.bit_generator.state
        if state["bit_generator"] in BIT_GENERATORS:
            return {"generator": to_json(state)}
    if type(value) in (tuple, list):
        return {type(value).__name__: [to_json(part) for part in value]}
    if type(value) is deque:
        return {"deque": [to_json(part) for part in value], "maxlen": value.maxlen}
    if isinstance(value, dict):
        return {"dict": [[to_json(key), to_json(part)] for key, part in value.items()]}
    raise NoDataError(f"{value!r:.100} is no plain data")


def from_json(description: Any) -> Any:
    """Make the value that `to_json` described.

    Raises
    ------
    NoDataError
        If it described none.
    """
    if not isinstance(description, dict):
        return description
    try:
        return _from_dict(description)
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise NoDataError(f"{description!r:.100} describes no plain data") from error


def _from_dict(description: dict[str, Any]) -> Any:
    if "array" in description or "number" in description:
        dtype = np.dtype(description["dtype"])
        if dtype.kind not in "biufU":
            raise NoDataError(f"{dtype} is no type of plain data")
        flat = description["array"] if "array" in description else description["number"]
        array = np.array(flat, dtype).reshape(description["shape"])
        return array if "array" in description else array[()]
    if "generator" in description:
        state = from_json(description["generator"])
        generator = BIT_GENERATORS[state["bit_generator"]]()
        generator.state = state
        return np.random.Generator(generator)
    if "tuple" in description:
        return tuple(from_json(part) for part in description["tuple"])
    if "list" in description:
        return [from_json(part) for part in description["list"]]
    if "deque" in description:
        return deque((from_json(part) for part in description["deque"]), description["maxlen"])
    return {from_json(key): from_json(part) for key, part in description["dict"]}
