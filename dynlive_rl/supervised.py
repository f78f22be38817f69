"""Learning from examples: the neurons' own rule, with errors as rewards to the output neurons."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from .checks import ALL_HOPS, hops_limit, number, numbers, positive
from .kernels import batch as kernels
from .kernels import losses
from .kernels.layout import Batch, Workspace, new_batch, new_workspace
from .rule import LearningRule

if TYPE_CHECKING:
    from .network import Network

Loss = Literal["mse", "cross-entropy"]
_CODES = {"mse": int(losses.LossCode.SQUARED_ERROR), "cross-entropy": int(losses.LossCode.CROSS_ENTROPY)}
# Outputs on the simplex differ by at most 1, and mostly by little: a plain softmax of them could not be sure of anything.
_SHARPNESS = {"simplex": 20.0, "free": 1.0}
_RECALL_BATCH = 64


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


def fit(
    net: "Network",
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
    if net.rule.kind == "original":
        raise ValueError("the original rule learns one cycle at a time: use propagate and reinforce")
    if loss not in get_args(Loss):
        raise ValueError(f"loss must be one of {', '.join(map(repr, get_args(Loss)))}, not {loss!r}")
    for name, value in (("epochs", epochs), ("batch_size", batch_size), ("patience", patience)):
        if not (name == "patience" and value is None):
            positive(name, value)
    if not 0 <= number("validation_split", validation_split) < 1:
        raise ValueError(f"validation_split must be in [0, 1), not {validation_split!r}")
    inputs = _sequences(net, X)
    targets = _targets(net, y, inputs, loss)
    random = np.random.default_rng(seed)
    count = inputs.shape[2]
    order = random.permutation(count)
    aside = round(validation_split * count)
    if validation_split and not 0 < aside < count:
        raise ValueError(f"validation_split={validation_split} of {count} examples leaves too few")
    if patience is not None and not aside:
        raise ValueError("patience needs examples set aside: give a validation_split > 0")
    held, order = order[:aside], order[aside:]
    code, beta, limit = _CODES[loss], sharpness(net.rule), hops_limit(hops)
    rate, cycles = net.rule.learning_rate, inputs.shape[0]
    rooms: dict[int, tuple[Batch, Workspace]] = {}
    history, best = History([], [], 0), net.get_state()
    hidden = None if progress_bar is None else not progress_bar
    with tqdm(total=epochs, unit="epoch", disable=hidden, dynamic_ncols=True) as bar:
        for epoch in range(epochs):
            random.shuffle(order)
            pace = rate * (1.0 - epoch / epochs) if anneal else rate
            total = 0.0
            for begin in range(0, order.size, batch_size):
                chosen = order[begin : begin + batch_size]
                if chosen.size not in rooms:  # the last batch may be smaller
                    rooms[chosen.size] = (
                        new_batch(net.arrays, cycles, chosen.size),
                        new_workspace(net.arrays, cycles, chosen.size),
                    )
                x, wanted = inputs.take(chosen, axis=2), targets.take(chosen, axis=2)
                total += kernels.rehearse(
                    net.arrays, *rooms[chosen.size], net.numbers, x, wanted, code, beta, pace, limit
                )
            history.loss.append(total / order.size)
            if aside:
                outputs = _recall(net, inputs.take(held, axis=2))[-len(targets) :]
                history.validation_loss.append(_mean_loss(outputs, targets.take(held, axis=2), loss, beta))
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


def predict(net: "Network", X: ArrayLike) -> NDArray[np.floating]:
    """Return outputs for many inputs, see `Network.predict`."""
    outputs = np.ascontiguousarray(_recall(net, _sequences(net, X)).transpose(2, 0, 1))
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


def _recall(net: "Network", inputs: NDArray[Any]) -> NDArray[np.floating]:
    """Return outputs (t, o, n) of all sequences (t, i, n)."""
    cycles, _, count = inputs.shape
    parts = []
    for begin in range(0, count, _RECALL_BATCH):
        part = np.ascontiguousarray(inputs[:, :, begin : begin + _RECALL_BATCH])
        batch = new_batch(net.arrays, cycles, part.shape[2])
        kernels.recall(net.arrays, batch, net.numbers, part)
        parts.append(batch.output[1:, net.arrays.outputs])
    return np.concatenate(parts, axis=2)


def _mean_loss(outputs: NDArray[Any], targets: NDArray[Any], loss: Loss, beta: float) -> float:
    """Return the mean loss of outputs (r, o, n), as `fit` measures it."""
    y = outputs.astype(np.float64)
    if loss == "mse":
        return float(np.mean((targets - y) ** 2))
    if y.shape[1] == 1:
        y = np.clip(y, 1e-6, 1 - 1e-6)
        return float(-np.mean(targets * np.log(y) + (1 - targets) * np.log(1 - y)))
    z = beta * (y - y.max(axis=1, keepdims=True))
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return float(-np.mean((targets * log_p).sum(axis=1)))


def _sequences(net: "Network", X: ArrayLike) -> NDArray[Any]:
    """Return inputs (t, i, n) as the neurons take them."""
    x = numbers("X", X, net.arrays.strength.dtype, finite=True)
    i = net.input_count
    if x.ndim not in (2, 3) or x.shape[-1] != i or 0 in x.shape:
        raise ValueError(f"X must have shape (examples, {i}) or (examples, cycles, {i}), not {x.shape}")
    x = x if x.ndim == 3 else x[:, None, :]
    x = x if net.rule.constraint == "free" else np.clip(x, 0, 1)
    return np.ascontiguousarray(x.transpose(1, 2, 0))


def _targets(net: "Network", y: ArrayLike, inputs: NDArray[Any], loss: Loss) -> NDArray[Any]:
    """Return targets (r, o, n) for the last r cycles."""
    cycles, _, n = inputs.shape
    o = len(net.output_ids)
    values = numbers("y", y, net.arrays.strength.dtype, finite=True)
    if loss == "mse":
        if values.shape in ((n,), (n, cycles)) and o == 1 and (values.ndim == 1 or cycles > 1):
            values = values[..., None]
        shapes = {(n, o), (n, cycles, o)}
        if values.shape not in shapes:
            raise ValueError(f"y must have shape {' or '.join(map(str, sorted(shapes, key=len)))}, not {values.shape}")
        values = values if values.ndim == 3 else values[:, None, :]
        return np.ascontiguousarray(values.transpose(1, 2, 0))
    shapes = {(n,), (n, cycles)}
    if values.shape not in shapes:
        raise ValueError(f"y must have shape {' or '.join(map(str, sorted(shapes, key=len)))}, not {values.shape}")
    classes = max(o, 2)
    wrong = (values != np.floor(values)) | (values < 0) | (values >= classes)
    if wrong.any():
        raise ValueError(f"y must be class numbers from 0 to {classes - 1}, but contains {values[wrong].flat[0]:g}")
    values = values if values.ndim == 2 else values[:, None]
    values = values[..., None] if o == 1 else np.eye(o, dtype=values.dtype)[values.astype(np.int64)]
    return np.ascontiguousarray(values.transpose(1, 2, 0))
