"""A network's file: its state by name, and what files of older formats are translated from."""

from dataclasses import asdict
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from . import checkpoint
from .activations import Activation, ActivationError, activation, addresses
from .checkpoint import Arrays, CheckpointError, Header, Source, Target
from .checks import MOST
from .core import NetworkCore
from .invariants import Span, check_network, check_span
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


def save(net: NetworkCore, file: Target) -> None:
    """Write a network, see `Network.save`.

    Activations are numbers in the file; the header says by name which ones, first those of the kernels, then the custom ones.
    """
    header = {
        "rule": asdict(net.rule),
        "layers": [asdict(layer) for layer in net.layers],
        "activations": [code.name.lower() for code in ActivationCode if code < ActivationCode.CUSTOM],
        "custom": [own.name for own in net.custom],
    }
    checkpoint.write(file, "network", header, net.fixed_arrays() | net.live_arrays())


def load(kind: type[AnyNetwork], file: Source) -> AnyNetwork:
    """Read a network, see `Network.load`."""
    header, arrays = checkpoint.read(file, "network", UPGRADES)
    with checkpoint.understood(checkpoint.name_of(file), header):
        check_whole_numbers(header["rule"])
        rule = LearningRule(**header["rule"])
        layers = tuple(_layer(**layer) for layer in header["layers"])
        custom = tuple(_registered(name) for name in header["custom"])
        arrays["activation"] = _known_codes(arrays["activation"], header["activations"], len(custom))
        check_network(arrays, rule, layers, custom)
        net = new_arrays(
            arrays["degree"].size, arrays["strength"].size, arrays["strength"].dtype,
            inputs=arrays["inputs"].copy(), order=arrays["order"].copy(), outputs=arrays["outputs"].copy(),
            custom=addresses(custom),
        )  # fmt: skip
        loaded = kind(net, new_memory(net, arrays["memory.output"].shape[0] - 1), rule, layers, custom)
        checkpoint.copy_into(loaded.live_arrays(), arrays)
    return loaded


def _layer(ids: list[int], kind: Any, activation: str) -> Layer:
    if not all(type(j) is int for j in ids) or not isinstance(activation, str):
        raise CheckpointError(f"a layer must have ids and the name of an activation, not {ids!r} and {activation!r}")
    return Layer(tuple(ids), kind, activation)


def _registered(name: str) -> Activation:
    """Return a user's own activation: from a file comes its name alone, and what is called is what is registered here."""
    try:
        own = activation(name)
    except ActivationError as error:
        raise CheckpointError(str(error)) from error
    if own.function is None:
        raise CheckpointError(f"activation {name!r} is built in, and nobody's own")
    return own


def _known_codes(numbers: NDArray[np.int64], names: list[str], custom: int) -> NDArray[np.int64]:
    """Return the codes of activations for a file's numbers of them: first those with names, then the custom ones."""
    codes: list[int] = [ActivationCode[name.upper()] for name in names]
    if ActivationCode.CUSTOM in codes:
        raise CheckpointError("'custom' is no activation")
    codes += [ActivationCode.CUSTOM + k for k in range(custom)]
    check_span("activation", numbers, Span(0, len(codes) - 1))
    return np.array(codes, np.int64)[numbers]


def check_whole_numbers(value: Any) -> None:
    """Raise CheckpointError if a whole number anywhere in a header's value is larger than any that means something."""
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            check_whole_numbers(part)
    elif isinstance(value, int) and abs(value) > MOST:
        raise CheckpointError(f"{value!r} is too large")


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


UPGRADES = {2: _from_format_2} | dict.fromkeys(range(3, 10), checkpoint.unchanged)
