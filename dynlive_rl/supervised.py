"""Learning from examples: the neurons' own rule, with errors as rewards to the output neurons."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray
from tqdm import tqdm

from .checks import ALL_HOPS, hops_limit, numbers
from .kernels import examples
from .topology import new_batch, new_credit

if TYPE_CHECKING:
    from .network import Network

Loss = Literal["mse", "cross-entropy"]
_CODES = {"mse": examples.SQUARED_ERROR, "cross-entropy": examples.CROSS_ENTROPY}
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
        whole = isinstance(value, (int, np.integer)) and not isinstance(value, bool)
        if not (value is None and name == "patience") and not (whole and value >= 1):
            raise ValueError(f"{name} must be a whole number ≥ 1, not {value!r}")
    if not 0 <= validation_split < 1:
        raise ValueError(f"validation_split must be in [0, 1), not {validation_split!r}")
    inputs = _sequences(net, X)
    targets = _targets(net, y, inputs, loss)
    random = np.random.default_rng(seed)
    order = random.permutation(len(inputs))
    aside = round(validation_split * len(inputs))
    if validation_split and not 0 < aside < len(inputs):
        raise ValueError(f"validation_split={validation_split} of {len(inputs)} examples leaves too few")
    if patience is not None and not aside:
        raise ValueError("patience needs examples set aside: give a validation_split > 0")
    held, order = order[:aside], order[aside:]
    code, sharpness, limit = _CODES[loss], _SHARPNESS[net.rule.constraint], hops_limit(hops)
    rate, cycles = net.rule.learning_rate, inputs.shape[1]
    rooms = {}
    for size in {min(batch_size, order.size), order.size % batch_size} - {0}:
        rooms[size] = new_batch(net.arrays, cycles, size), new_credit(net.arrays, cycles, size)
    history, best = History([], [], 0), net.get_state()
    hidden = None if progress_bar is None else not progress_bar
    with tqdm(total=epochs, unit="epoch", disable=hidden, dynamic_ncols=True) as bar:
        for epoch in range(epochs):
            random.shuffle(order)
            pace = rate * (1.0 - epoch / epochs) if anneal else rate
            total, begin = 0.0, 0
            for size in sorted(rooms, reverse=True):
                batch, scratch = rooms[size]
                part = order[begin : begin + (order.size - begin) // size * size]
                begin += part.size
                total += examples.learn_examples(
                    net.arrays, batch, scratch, net.numbers, inputs, targets, part, code, sharpness, pace, limit
                )
            history.loss.append(total / order.size)
            if aside:
                y_held = _recall(net, inputs[held])[:, -targets.shape[1] :]
                history.validation_loss.append(_mean_loss(y_held, targets[held], loss, sharpness))
            bar.update()
            bar.set_postfix(
                {name: f"{value[-1]:.4g}" for name, value in vars(history).items() if name != "best_epoch" and value},
                refresh=False,
            )
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
    inputs = _sequences(net, X)
    outputs = _recall(net, inputs)
    return outputs if np.ndim(X) == 3 else outputs[:, 0]


def probabilities(net: "Network", outputs: NDArray[np.floating]) -> NDArray[np.floating]:
    """Return the probabilities of classes that outputs (n, o) stand for after learning by cross-entropy."""
    z = _SHARPNESS[net.rule.constraint] * (outputs - outputs.max(axis=-1, keepdims=True)).astype(np.float64)
    weights: NDArray[np.floating] = np.exp(z)
    return weights / weights.sum(axis=-1, keepdims=True)


def _recall(net: "Network", inputs: NDArray[Any]) -> NDArray[np.floating]:
    n, cycles, _ = inputs.shape
    outputs = np.empty((n, cycles, len(net.output_ids)), inputs.dtype)
    begin = 0
    while begin < n:
        size = min(_RECALL_BATCH, n - begin)
        chosen = np.arange(begin, begin + (n - begin) // size * size)
        examples.recall(net.arrays, new_batch(net.arrays, cycles, size), net.numbers, inputs, chosen, outputs)
        begin += chosen.size
    return outputs


def _mean_loss(outputs: NDArray[Any], targets: NDArray[Any], loss: Loss, sharpness: float) -> float:
    o = outputs.astype(np.float64)
    if loss == "mse":
        return float(np.mean((targets - o) ** 2))
    if o.shape[-1] == 1:
        o = np.clip(o, 1e-6, 1 - 1e-6)
        return float(-np.mean(targets * np.log(o) + (1 - targets) * np.log(1 - o)))
    z = sharpness * (o - o.max(axis=-1, keepdims=True))
    log_p = z - np.log(np.exp(z).sum(axis=-1, keepdims=True))
    return float(-np.mean((targets * log_p).sum(axis=-1)))


def _sequences(net: "Network", X: ArrayLike) -> NDArray[Any]:
    """Return inputs (n, t, i) as the neurons take them."""
    x = numbers("X", X, net.arrays.strength.dtype, finite=True)
    i = net.input_count
    if x.ndim not in (2, 3) or x.shape[-1] != i or 0 in x.shape:
        raise ValueError(f"X must have shape (examples, {i}) or (examples, cycles, {i}), not {x.shape}")
    x = x if x.ndim == 3 else x[:, None, :]
    return np.ascontiguousarray(x if net.rule.constraint == "free" else np.clip(x, 0, 1))


def _targets(net: "Network", y: ArrayLike, inputs: NDArray[Any], loss: Loss) -> NDArray[Any]:
    """Return targets (n, r, o) for the last r cycles."""
    n, cycles, _ = inputs.shape
    o = len(net.output_ids)
    values = numbers("y", y, net.arrays.strength.dtype, finite=True)
    if loss == "mse":
        if values.shape in ((n,), (n, cycles)) and o == 1 and (values.ndim == 1 or cycles > 1):
            values = values[..., None]
        shapes = {(n, o), (n, cycles, o)}
        if values.shape not in shapes:
            raise ValueError(f"y must have shape {' or '.join(map(str, sorted(shapes, key=len)))}, not {values.shape}")
        return np.ascontiguousarray(values if values.ndim == 3 else values[:, None, :])
    shapes = {(n,), (n, cycles)}
    if values.shape not in shapes:
        raise ValueError(f"y must have shape {' or '.join(map(str, sorted(shapes, key=len)))}, not {values.shape}")
    classes = max(o, 2)
    wrong = (values != np.floor(values)) | (values < 0) | (values >= classes)
    if wrong.any():
        raise ValueError(f"y must be class numbers from 0 to {classes - 1}, but contains {values[wrong].flat[0]:g}")
    values = values if values.ndim == 2 else values[:, None]
    return np.ascontiguousarray(values[..., None] if o == 1 else np.eye(o, dtype=values.dtype)[values.astype(np.int64)])
