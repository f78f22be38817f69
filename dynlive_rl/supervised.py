"""Learning from examples: the neurons' own rule, with errors as rewards to the output neurons."""

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from .batches import as_sequences, check_batches, recall
from .checks import ALL_HOPS, hops_limit, number, numbers, optional_seed, positive
from .core import NetworkCore
from .kernels import batch as kernels
from .kernels.layout import Batch, Workspace, new_batch, new_workspace
from .kernels.losses import LossCode
from .rule import LearningRule

Loss = Literal["mse", "cross-entropy"]
_CODES = {"mse": int(LossCode.SQUARED_ERROR), "cross-entropy": int(LossCode.CROSS_ENTROPY)}
# Outputs on the simplex differ by at most 1, and mostly by little: a plain softmax of them could not be sure of anything.
_SHARPNESS = {"simplex": 20.0, "free": 1.0}


@dataclass(frozen=True)
class History:
    """How learning went, one number per epoch.

    Attributes
    ----------
    loss
        Mean loss of the examples, each just before it was learned from.
    validation_loss
        Mean loss of the examples set aside, after the epoch; empty without.
    best_epoch
        The epoch, from 0, whose strengths the network has now.
    """

    loss: list[float]
    validation_loss: list[float]
    best_epoch: int


class _Examples(NamedTuple):
    """What there is to learn from, and how its loss is measured."""

    inputs: NDArray[Any]  # (t, v, b)
    targets: NDArray[Any]  # (≤ t, o, b) of the last cycles
    loss: Loss
    sharpness: float

    def take(self, chosen: NDArray[np.int64]) -> "_Examples":
        """Return some of the examples."""
        return self._replace(inputs=self.inputs.take(chosen, axis=2), targets=self.targets.take(chosen, axis=2))


def fit(
    net: NetworkCore,
    X: ArrayLike,
    y: ArrayLike,
    *,
    epochs: int = 20,
    loss: Loss = "mse",
    batch_size: int = 32,
    anneal: bool = False,
    validation_split: float = 0.0,
    patience: int | None = None,
    hops: int = ALL_HOPS,
    seed: int | None = None,
    progress_bar: bool | None = None,
) -> History:
    """Learn from examples, see `Network.fit`."""
    check_batches(net)
    if loss not in get_args(Loss):
        raise ValueError(f"loss must be one of {', '.join(map(repr, get_args(Loss)))}, not {loss!r}")
    for name, value in (("epochs", epochs), ("batch_size", batch_size), ("patience", patience)):
        if not (name == "patience" and value is None):
            positive(name, value)
    if not 0 <= number("validation_split", validation_split) < 1:
        raise ValueError(f"validation_split must be in [0, 1), not {validation_split!r}")
    inputs = as_sequences(net, "X", X, "examples", finite=True)
    examples = _Examples(inputs, _targets(net, y, inputs, loss), loss, sharpness(net.rule))
    random = np.random.default_rng(optional_seed(seed))
    order, held = _set_aside(examples, validation_split, patience, random)
    limit, rate = hops_limit(hops), net.rule.learning_rate
    history, best = History([], [], 0), net.get_state()
    rooms: dict[int, tuple[Batch, Workspace]] = {}
    hidden = None if progress_bar is None else not progress_bar
    with tqdm(total=epochs, unit="epoch", disable=hidden, dynamic_ncols=True) as bar:
        for epoch in range(epochs):
            random.shuffle(order)
            pace = rate * (1.0 - epoch / epochs) if anneal else rate
            history.loss.append(_epoch(net, examples, order, batch_size, pace, limit, rooms))
            if held is not None:
                history.validation_loss.append(_mean_loss(recall(net, held.inputs), held))
            bar.update()
            bar.set_postfix(loss=f"{history.loss[-1]:.4g}", refresh=False)
            if patience is not None:
                best_epoch = int(np.argmin(history.validation_loss))
                if best_epoch == epoch:
                    best = net.get_state()
                elif epoch - best_epoch >= patience:
                    break
    if patience is None:
        best_epoch = len(history.loss) - 1
    else:
        net.set_state(best)
    return History(history.loss, history.validation_loss, best_epoch)


def predict(net: NetworkCore, X: ArrayLike) -> NDArray[np.floating]:
    """Return outputs for many inputs, see `Network.predict`."""
    sequences = as_sequences(net, "X", X, "examples", finite=True)
    outputs = np.ascontiguousarray(recall(net, sequences).transpose(2, 0, 1))
    return outputs if np.ndim(X) == 3 else outputs[:, 0]


def sharpness(rule: LearningRule) -> float:
    """Return β, where probabilities of classes are the softmax of β · outputs."""
    return _SHARPNESS[rule.constraint]


def probabilities(rule: LearningRule, outputs: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the probabilities of classes that outputs (..., o) stand for after learning by cross-entropy."""
    z = sharpness(rule) * (outputs - outputs.max(axis=-1, keepdims=True)).astype(np.float64)
    weights = np.exp(z)
    shares: NDArray[np.floating] = weights / weights.sum(axis=-1, keepdims=True)
    return shares


def _set_aside(
    examples: _Examples, validation_split: float, patience: int | None, random: np.random.Generator
) -> tuple[NDArray[np.int64], _Examples | None]:
    """Return which examples to learn from, and those set aside, if any."""
    count = examples.inputs.shape[2]
    order = random.permutation(count)
    aside = round(validation_split * count)
    if validation_split and not 0 < aside < count:
        raise ValueError(f"validation_split={validation_split} of {count} examples leaves too few")
    if patience is not None and not aside:
        raise ValueError("patience needs examples set aside: give a validation_split > 0")
    return order[aside:], examples.take(order[:aside]) if aside else None


def _epoch(
    net: NetworkCore,
    examples: _Examples,
    order: NDArray[np.int64],
    batch_size: int,
    learning_rate: float,
    hops: int,
    rooms: dict[int, tuple[Batch, Workspace]],
) -> float:
    """Learn once from all examples in some order; returns their mean loss, each before it was learned from."""
    cycles, total = examples.inputs.shape[0], 0.0
    for begin in range(0, order.size, batch_size):
        part = examples.take(order[begin : begin + batch_size])
        size = part.inputs.shape[2]
        if size not in rooms:  # the last batch may be smaller
            rooms[size] = new_batch(net.arrays, cycles, size), new_workspace(net.arrays, cycles, size)
        total += kernels.rehearse(
            net.arrays, *rooms[size], net.numbers,
            part.inputs, part.targets, _CODES[part.loss], part.sharpness, learning_rate, hops, net.numbers.recruiting,
        )  # fmt: skip
    return total / order.size


def _mean_loss(outputs: NDArray[Any], examples: _Examples) -> float:
    """Return the mean loss of outputs (t, o, b), as `fit` measures it."""
    targets, y = examples.targets, outputs[-len(examples.targets) :].astype(np.float64)
    if examples.loss == "mse":
        return float(np.mean((targets - y) ** 2))
    if y.shape[1] == 1:
        y = np.clip(y, 1e-6, 1 - 1e-6)
        return float(-np.mean(targets * np.log(y) + (1 - targets) * np.log(1 - y)))
    z = examples.sharpness * (y - y.max(axis=1, keepdims=True))
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return float(-np.mean((targets * log_p).sum(axis=1)))


def _targets(net: NetworkCore, y: ArrayLike, inputs: NDArray[Any], loss: Loss) -> NDArray[Any]:
    """Return targets (≤ t, o, b) for the last cycles."""
    cycles, _, b = inputs.shape
    o = len(net.output_ids)
    values = numbers("y", y, net.arrays.strength.dtype, finite=True)
    if loss == "mse":
        if values.shape in ((b,), (b, cycles)) and o == 1 and (values.ndim == 1 or cycles > 1):
            values = values[..., None]
        shapes = {(b, o), (b, cycles, o)}
        if values.shape not in shapes:
            raise ValueError(f"y must have shape {' or '.join(map(str, sorted(shapes, key=len)))}, not {values.shape}")
        values = values if values.ndim == 3 else values[:, None, :]
        return np.ascontiguousarray(values.transpose(1, 2, 0))
    shapes = {(b,), (b, cycles)}
    if values.shape not in shapes:
        raise ValueError(f"y must have shape {' or '.join(map(str, sorted(shapes, key=len)))}, not {values.shape}")
    classes = max(o, 2)
    wrong = (values != np.floor(values)) | (values < 0) | (values >= classes)
    if wrong.any():
        raise ValueError(f"y must be class numbers from 0 to {classes - 1}, but contains {values[wrong].flat[0]:g}")
    values = values if values.ndim == 2 else values[:, None]
    values = values[..., None] if o == 1 else np.eye(o, dtype=values.dtype)[values.astype(np.int64)]
    return np.ascontiguousarray(values.transpose(1, 2, 0))
