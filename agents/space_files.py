"""Spaces as a file's header describes them."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces

from .data import from_json, to_json


def space_to_json(space: gym.Space[Any]) -> dict[str, Any]:
    """Describe a space for a checkpoint's header."""
    if isinstance(space, spaces.Dict):
        return {"kind": "Dict", "spaces": [[to_json(key), space_to_json(part)] for key, part in space.items()]}
    if isinstance(space, spaces.Tuple):
        return {"kind": "Tuple", "spaces": [space_to_json(part) for part in space]}
    if isinstance(space, spaces.Box):
        return {
            "kind": "Box",
            "low": space.low.ravel().tolist(),
            "high": space.high.ravel().tolist(),
            "shape": list(space.shape),
            "dtype": str(space.dtype),
        }
    if isinstance(space, spaces.MultiDiscrete):
        return {
            "kind": "MultiDiscrete",
            "nvec": space.nvec.tolist(),
            "start": space.start.tolist(),
            "dtype": str(space.dtype),
        }
    if isinstance(space, spaces.MultiBinary):
        return {"kind": "MultiBinary", "n": np.asarray(space.n).tolist()}
    assert isinstance(space, spaces.Discrete)
    return {"kind": "Discrete", "n": int(space.n), "start": int(space.start), "dtype": str(space.dtype)}


def space_from_json(description: dict[str, Any]) -> gym.Space[Any]:
    """Make the space that `space_to_json` described."""
    if description["kind"] == "Dict":
        return spaces.Dict([(from_json(key), space_from_json(part)) for key, part in description["spaces"]])
    if description["kind"] == "Tuple":
        return spaces.Tuple([space_from_json(part) for part in description["spaces"]])
    if description["kind"] == "MultiBinary":
        return spaces.MultiBinary(description["n"])
    dtype = np.dtype(description["dtype"]).type
    if np.dtype(dtype).kind not in "biuf" or np.dtype(dtype).itemsize > 8:
        raise ValueError(f"a space cannot have the type {np.dtype(dtype)}")
    if description["kind"] == "Discrete":
        other = {} if dtype is np.int64 else {"dtype": dtype}  # an argument that not every Gymnasium has
        return spaces.Discrete(description["n"], start=description["start"], **other)
    if description["kind"] == "MultiDiscrete":
        nvec, start = np.array(description["nvec"], dtype), np.array(description["start"], dtype)
        return spaces.MultiDiscrete(nvec, dtype, start=start)
    shape = tuple(description["shape"])
    low, high = (np.array(description[end], dtype).reshape(shape) for end in ("low", "high"))
    return spaces.Box(low, high, shape, dtype)
