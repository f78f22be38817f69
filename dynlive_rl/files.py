"""A network's file: its state by name, and what files of older formats are translated from."""

from dataclasses import asdict
from os import PathLike
from typing import TypeVar

import numpy as np

from . import checkpoint
from .activations import activation, addresses
from .checkpoint import Arrays, Header
from .core import NetworkCore
from .kernels.layout import ActivationCode, new_arrays, new_memory
from .layers import Layer
from .rule import LearningRule

AnyNetwork = TypeVar("AnyNetwork", bound=NetworkCore)

# Where everything stood in files of format 2: rows of tables.
_TABLES_OF_FORMAT_2 = {
    "table": ("first", "degree", "activation", "updates"),
    "neuron": (
        "power", "gain", "rate", "threshold", "target_threshold", "threshold_trace", "threshold_mean", "threshold_square",
    ),
    "link": ("source", "delay"),
    "connection": ("strength", "target_strength", "mean_signal", "square_signal", "trace"),
}  # fmt: skip
_ACTIVATIONS_OF_FORMAT_2 = ("identity", "power", "relu", "sigmoid", "linear", "rectifier")


def save(net: NetworkCore, path: str | PathLike[str]) -> None:
    """Write a network, see `Network.save`.

    Activations are numbers in the file; the header says by name which ones, first those of the kernels, then the custom ones.
    """
    header = {
        "rule": asdict(net.rule),
        "layers": [asdict(layer) for layer in net.layers],
        "activations": [code.name.lower() for code in ActivationCode if code < ActivationCode.CUSTOM],
        "custom": [own.name for own in net.custom],
    }
    fixed = {name: getattr(net.arrays, name) for name in ("inputs", "order", "outputs")}
    checkpoint.write(path, "network", header, fixed | net.live_arrays())


def load(kind: type[AnyNetwork], path: str | PathLike[str]) -> AnyNetwork:
    """Read a network, see `Network.load`."""
    header, arrays = checkpoint.read(path, "network", UPGRADES)
    with checkpoint.understood(path, header):
        custom = tuple(activation(name) for name in header["custom"])
        layers = tuple(Layer(**{**layer, "ids": tuple(layer["ids"])}) for layer in header["layers"])
        rule = LearningRule(**header["rule"])
        codes: list[int] = [ActivationCode[name.upper()] for name in header["activations"]]
        codes += [ActivationCode.CUSTOM + k for k in range(len(custom))]
        arrays["activation"] = np.array(codes, np.int64)[arrays["activation"]]
        net = new_arrays(
            arrays["degree"].size, arrays["strength"].size, arrays["strength"].dtype,
            inputs=arrays["inputs"], order=arrays["order"], outputs=arrays["outputs"], custom=addresses(custom),
        )  # fmt: skip
        loaded = kind(net, new_memory(net, arrays["memory.output"].shape[0] - 1), rule, layers, custom)
        state = {name: arrays[name] for name in loaded.live_arrays()}
    loaded.set_state(state)
    return loaded


def rows_from_tables(arrays: Arrays, prefix: str = "") -> Arrays:
    """Return the arrays of a file of format 2 with the rows of a network's tables by name, as format 3 has them.

    Parameters
    ----------
    arrays
        All arrays of the file; those that are no tables of this network are kept as they are.
    prefix
        What stands before the network's names, e.g. "critic.".
    """
    renamed = dict(arrays)
    for table, names in _TABLES_OF_FORMAT_2.items():
        rows = renamed.pop(prefix + table)
        for name, row in zip(names, rows, strict=True):
            # Only the starts of rows have one more than there are neurons, the end of the last.
            renamed[prefix + name] = row[:-1] if table == "table" and name != "first" else row
    return renamed


def _from_format_2(header: Header, arrays: Arrays) -> tuple[Header, Arrays]:
    return header | {"activations": list(_ACTIVATIONS_OF_FORMAT_2)}, rows_from_tables(arrays)


UPGRADES = {2: _from_format_2}
