"""Small problems to learn from examples, as `dynlive learn` shows them: xor, memory-xor, parity, moons, iris, digits."""

from collections.abc import Callable
from dataclasses import dataclass, field
from math import sqrt
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from .builder import NetworkBuilder
from .rule import Constraint, LearningRule
from .supervised import probabilities, sharpness

if TYPE_CHECKING:
    from .messages import MessageNetwork
    from .network import Network


@dataclass(frozen=True)
class Problem:
    """Examples of classes, and what learns them well.

    Attributes
    ----------
    X, y
        Inputs (b, t, v) in [0, 1], sequences of t cycles, and class numbers (b,) of their last cycle.
    X_test, y_test
        Others, to judge by; the same where there are only a few.
    inputs
        What the inputs are called.
    hidden
        Number of hidden neurons.
    epochs, batch_size
        As in `Network.fit`.
    learning_rate
        By constraint, for batches.
    live_epochs
        How often to go through all examples where they come one at a time.
    remembers
        Whether the hidden neurons read the inputs of the cycle before too.
    """

    X: NDArray[np.float64]
    y: NDArray[np.int64]
    X_test: NDArray[np.float64]
    y_test: NDArray[np.int64]
    inputs: tuple[str, ...]
    hidden: int = 24
    epochs: int = 500
    batch_size: int = 4
    learning_rate: dict[str, float] = field(default_factory=lambda: {"simplex": 0.003, "free": 0.02})
    live_epochs: int = 500
    remembers: bool = False

    @property
    def small(self) -> bool:
        """Whether all there is to know can be printed."""
        return len(self.X) <= 16


def build(
    problem: Problem, constraint: Constraint = "simplex", seed: int | None = None, *, live: bool = False
) -> "Network":
    """Build a network for a problem by hand, one output neuron per class; `live` takes smaller steps, as for single examples.

    What remembers is a keeper per input, a neuron that repeats it and never learns. Keepers fire after the hidden
    neurons, which therefore read them as they were in the cycle before.
    """
    rate = problem.learning_rate[constraint] / (sqrt(problem.batch_size) if live else 1.0)
    rule = LearningRule(constraint=constraint, step="adam", learning_rate=rate, credit_gain=1.0)
    build = NetworkBuilder(seed, rule=rule, dual_rail=constraint == "simplex", dtype="float64")
    inputs = build.add_inputs(len(problem.inputs))
    hidden = build.add_neurons(problem.hidden, gain=(12.0, 24.0) if constraint == "simplex" else 4.0)
    out = build.add_outputs(int(problem.y.max()) + 1, "identity")
    build.allow(hidden, sources=inputs)
    build.allow(out, sources=hidden)
    if problem.remembers:
        for neuron, source in zip(
            build.add_neurons(len(inputs), "identity", strengths="equal", rate=0.0), inputs, strict=True
        ):
            build.allow(neuron, sources=source)
            build.allow(hidden, sources=neuron)
    return build.build()


def learn_live(
    net: "Network | MessageNetwork",
    problem: Problem,
    *,
    epochs: int,
    by: str = "errors",
    seed: int | None = None,
    progress_bar: bool | None = False,
) -> None:
    """Learn cycle by cycle, one example at a time, on either engine.

    Parameters
    ----------
    net
        What `build` returned, or a `MessageNetwork` of it.
    problem
        What to learn.
    epochs
        How often to go through all examples.
    by
        "errors": every output neuron is told how much more or less it should have said. "reward": the network picks the
        class of its strongest output, in one of four cases any, and hears +1 if it is right and -1 if not; nobody says
        what is right. The output stands for the reward it expects, 2 · output - 1, and gets what surprises it.
    seed
        Of the order and the picks.
    progress_bar
        None: only on a terminal.
    """
    random = np.random.default_rng(seed)
    hidden = None if progress_bar is None else not progress_bar
    with tqdm(total=epochs * len(problem.X), unit="example", disable=hidden, dynamic_ncols=True) as bar:
        for k in (k for _ in range(epochs) for k in random.permutation(len(problem.X))):
            net.reset()
            for x in problem.X[k]:
                outputs = net.propagate(x)
            if by == "errors":
                rewards = -sharpness(net.rule) * probabilities(net.rule, outputs)
                rewards[problem.y[k]] += sharpness(net.rule)
            else:
                picked = int(outputs.argmax() if random.random() < 0.75 else random.integers(len(outputs)))
                reward = 1.0 if picked == problem.y[k] else -1.0
                rewards = np.zeros(len(outputs))
                rewards[picked] = reward - (2 * outputs[picked] - 1)
            net.reinforce(rewards)
            bar.update()


def accuracy(net: "Network | MessageNetwork", X: NDArray[Any], y: NDArray[Any]) -> float:
    """Return the share of examples whose last cycle's strongest output is right."""
    right = 0
    for sequence, label in zip(X, y, strict=True):
        net.reset()
        for x in sequence:
            outputs = net.propagate(x)
        right += int(outputs.argmax() == label)
    return right / len(X)


def describe(net: "Network", problem: Problem) -> list[str]:
    """Return lines that say what every neuron learned, and what the network answers to every example."""
    names = dict(zip(net.arrays.inputs[0].tolist(), problem.inputs, strict=True))
    names |= {i: f"not {name}" for i, name in zip(net.arrays.inputs[1].tolist(), problem.inputs, strict=True) if i >= 0}
    lines = []
    for layer in net.layers[1:]:
        for j in layer.ids:
            order = np.argsort(-np.abs(net.strengths(j)))
            pairs = zip(net.sources(j)[order].tolist(), net.strengths(j)[order].tolist(), strict=True)
            terms = [
                f"{strength:.2f} · {names.get(i, f'neuron {i}')}" for i, strength in pairs if abs(strength) >= 0.005
            ]
            kind = "output" if layer.kind == "output" else layer.activation
            lines.append(
                f"neuron {j} ({kind}): " + (" + ".join(terms) or "nothing") + f"; threshold {net.threshold(j):.2f}"
            )
    for sequence, label, outputs in zip(problem.X, problem.y, net.predict(problem.X)[:, -1], strict=True):
        shown = ", then ".join(" ".join(f"{x:g}" for x in cycle) for cycle in sequence)
        lines.append(f"{shown} → {outputs.argmax()} (right: {label}), outputs {' '.join(f'{o:.2f}' for o in outputs)}")
    return lines


def load(name: str) -> Problem:
    """Return a problem by name; ValueError if there is none, ImportError if its examples need scikit-learn."""
    if name not in PROBLEMS:
        raise ValueError(f"there is no problem {name!r}: there are {', '.join(PROBLEMS)}")
    try:
        return PROBLEMS[name]()
    except ImportError:
        raise ImportError(f"{name} comes with scikit-learn: pip install 'dynlive-rl[examples]'") from None


def _bits(count: int) -> NDArray[np.float64]:
    """Return all (2^count, count) combinations of bits."""
    return (np.arange(2**count)[:, None] >> np.arange(count)[::-1] & 1).astype(np.float64)


def _xor() -> Problem:
    X = _bits(2)[:, None, :]
    y = (X.sum(axis=(1, 2)) % 2).astype(np.int64)
    return Problem(X, y, X, y, ("x1", "x2"))


def _memory_xor() -> Problem:
    X = _bits(2)[:, :, None]
    y = (X.sum(axis=(1, 2)) % 2).astype(np.int64)
    return Problem(X, y, X, y, ("x",), remembers=True)


def _parity() -> Problem:
    X = _bits(4)[:, None, :]
    y = (X.sum(axis=(1, 2)) % 2).astype(np.int64)
    return Problem(
        X,
        y,
        X,
        y,
        ("x1", "x2", "x3", "x4"),
        hidden=24,
        epochs=1000,
        live_epochs=250,
        batch_size=16,
        learning_rate={"simplex": 0.03, "free": 0.05},
    )


def _split(data: Any, names: tuple[str, ...], rates: dict[str, float], **settings: Any) -> Problem:
    """Return a problem with a quarter of the examples to judge by, and inputs scaled by the range of the others."""
    X, y = data
    order = np.random.default_rng(0).permutation(len(X))
    test, train = order[: len(X) // 4], order[len(X) // 4 :]
    lowest, highest = X[train].min(axis=0), X[train].max(axis=0)
    Z = np.clip((X - lowest) / np.where(highest > lowest, highest - lowest, 1.0), 0, 1)[:, None, :]
    return Problem(
        Z[train],
        y[train],
        Z[test],
        y[test],
        names,
        batch_size=32,
        learning_rate=rates,
        **settings,
    )


def _moons() -> Problem:
    from sklearn.datasets import make_moons

    data = make_moons(400, noise=0.15, random_state=0)
    return _split(data, ("x1", "x2"), {"simplex": 0.01, "free": 0.05}, hidden=32, epochs=200, live_epochs=10)


def _iris() -> Problem:
    from sklearn.datasets import load_iris

    data = load_iris()
    names = tuple(data.feature_names)
    return _split(
        (data.data, data.target), names, {"simplex": 0.005, "free": 0.01}, hidden=16, epochs=100, live_epochs=20
    )


def _digits() -> Problem:
    from sklearn.datasets import load_digits

    data = load_digits()
    names = tuple(data.feature_names)
    return _split(
        (data.data, data.target), names, {"simplex": 0.005, "free": 0.01}, hidden=100, epochs=40, live_epochs=1
    )


PROBLEMS: dict[str, Callable[[], Problem]] = {
    "xor": _xor,
    "memory-xor": _memory_xor,
    "parity": _parity,
    "moons": _moons,
    "iris": _iris,
    "digits": _digits,
}
