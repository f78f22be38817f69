"""A batch of remembered experience at a time: shapes checked, and put as the kernels take them, [cycle][neuron][example]."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .checks import ALL_HOPS, hops_limit, numbers
from .core import NetworkCore
from .kernels import batch as kernels
from .kernels.layout import new_batch
from .kernels.losses import LossCode

_RECALL_BATCH = 64


def rehearse(net: NetworkCore, inputs: ArrayLike, rewards: ArrayLike, *, hops: int = ALL_HOPS) -> NDArray[np.floating]:
    """Learn once from a batch of remembered experience, see `Network.rehearse`."""
    check_batches(net)
    sequences = as_sequences(net, "inputs", inputs, "batch", finite=net.rule.constraint == "free")
    t, _, b = sequences.shape
    o, several = len(net.output_ids), np.ndim(inputs) == 3
    given = numbers("rewards", rewards, net.arrays.strength.dtype, finite=True)
    shapes = {(b, o), (b, t, o) if several else (b, o)}
    if given.shape not in shapes:
        raise ValueError(f"rewards must have shape {' or '.join(map(str, sorted(shapes)))}, not {given.shape}")
    given = given if given.ndim == 3 else given[:, None, :]
    batch, workspace = net.batch_room(t, b)
    kernels.rehearse(
        net.arrays,
        batch,
        workspace,
        net.numbers,
        sequences,
        np.ascontiguousarray(given.transpose(1, 2, 0)),
        int(LossCode.REWARDS),
        1.0,
        net.rule.learning_rate,
        hops_limit(hops),
        net.numbers.recruiting,
    )
    outputs = batch.output[1:, net.arrays.outputs].transpose(2, 0, 1).copy()
    return outputs if several else outputs[:, 0]


def check_batches(net: NetworkCore) -> None:
    """Raise ValueError where a network cannot learn from batches."""
    if net.rule.kind == "original":
        raise ValueError("the original rule learns one cycle at a time: use propagate and reinforce")


def as_sequences(net: NetworkCore, name: str, inputs: ArrayLike, many: str, *, finite: bool) -> NDArray[Any]:
    """Return inputs (b, v) or (b, t, v) as the kernels take them: (t, v, b), clamped unless strengths are free.

    `name` and `many` are what messages call the inputs, and the number b of them.
    """
    x = numbers(name, inputs, net.arrays.strength.dtype, finite=finite)
    v = net.input_count
    if x.ndim not in (2, 3) or x.shape[-1] != v or 0 in x.shape:
        raise ValueError(f"{name} must have shape ({many}, {v}) or ({many}, cycles, {v}), not {x.shape}")
    x = x if x.ndim == 3 else x[:, None, :]
    x = x if net.rule.constraint == "free" else np.clip(x, 0, 1)
    return np.ascontiguousarray(x.transpose(1, 2, 0))


def recall(net: NetworkCore, sequences: NDArray[Any]) -> NDArray[np.floating]:
    """Return outputs (t, o, b) of sequences (t, v, b), each from rest; the network is not changed."""
    cycles, _, count = sequences.shape
    parts = []
    for begin in range(0, count, _RECALL_BATCH):
        part = np.ascontiguousarray(sequences[:, :, begin : begin + _RECALL_BATCH])
        batch = new_batch(net.arrays, cycles, part.shape[2])
        kernels.recall(net.arrays, batch, net.numbers, part)
        parts.append(batch.output[1:, net.arrays.outputs])
    return np.concatenate(parts, axis=2)
