"""Network: the dynamic-live network as its user meets it. Checks what comes in and hands it to the kernels."""

from collections.abc import Sequence
from dataclasses import asdict
from os import PathLike
from typing import TYPE_CHECKING, Any, Literal, Self, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import checkpoint, supervised
from .activations import Activation, activation
from .builder import Engine, Layer, NetworkBuilder, addresses, on_engine
from .checks import ALL_HOPS, hops_limit, ids, numbers, remembered_cycle, sizes
from .editing import Plasticity
from .kernels import batch as batch_kernels
from .kernels import online as online_kernels
from .kernels.layout import Batch, Memory, NetworkArrays, Workspace, new_batch, new_memory, new_workspace
from .kernels.losses import LossCode
from .rule import LearningRule
from .supervised import History, Loss

if TYPE_CHECKING:
    from .messages import MessageNetwork


class Network(Plasticity):
    """Neurons whose connections are learned: strengths that are never negative and sum to 1 per neuron.

    Networks come from `NetworkBuilder.build`, `Network.layered` or `Network.load`.

    Examples
    --------
    >>> net = Network.layered(inputs=2, hidden=(8,), outputs=1, seed=0)
    >>> before = net.propagate([0.2, 0.9])[0]
    >>> for _ in range(100):
    ...     y = net.propagate([0.2, 0.9])
    ...     net.reinforce([1.0])
    >>> bool(net.propagate([0.2, 0.9])[0] > before)
    True
    >>> round(float(net.strengths(net.output_ids[0]).sum()), 5)
    1.0
    """

    _rule: LearningRule

    def __init__(
        self,
        arrays: NetworkArrays,
        memory: Memory,
        rule: LearningRule,
        layers: tuple[Layer, ...],
        custom: tuple[Activation, ...] = (),
    ) -> None:
        self.arrays = arrays
        self.memory = memory
        self.layers = layers
        self._rule = rule
        self.rule = rule
        self.custom = custom  # keeps the compiled activations alive
        self._resize()

    @classmethod
    def layered(
        cls,
        *,
        inputs: int,
        hidden: Sequence[int] = (64,),
        outputs: int,
        activation: str | None = None,
        output_activation: str | None = None,
        gain: float | tuple[float, float] | None = None,
        rule: LearningRule | Any = "simplex",
        dual_rail: bool | None = None,
        memory: int = 16,
        dtype: str | type[np.floating[Any]] = "float32",
        seed: int | None = None,
        connect: float = 1.0,
    ) -> "Network":
        """Build the usual shape: every layer allowed to read the one before.

        Parameters
        ----------
        inputs, outputs
            Number of outside values and of output neurons.
        hidden
            Sizes of the hidden layers.
        activation, output_activation
            Defaults: "sigmoid" and "identity", or "square" for both with the original rule.
        gain
            As in `NetworkBuilder.add_neurons`. Default: 12 to 24, or 1 of free strengths.
        dual_rail
            As in `NetworkBuilder`. Default: true, or false of free strengths, which can be negative.
        rule, memory, dtype, seed, connect
            As in `NetworkBuilder`.
        """
        build = NetworkBuilder(seed, rule=rule, memory=memory, dtype=dtype)
        original, free = build.rule.kind == "original", build.rule.constraint == "free"
        build.dual_rail = not free if dual_rail is None else dual_rail
        if gain is None and not free:
            gain = 12.0, 24.0
        sources = build.add_inputs(inputs)
        for size in sizes("hidden", hidden):
            layer = build.add_neurons(size, activation, gain=gain)
            build.allow(layer, sources=sources)
            sources = layer
        out = build.add_outputs(outputs, output_activation or ("square" if original else "identity"), gain=gain)
        build.allow(out, sources=sources)
        return build.build(connect=connect)

    # -- what it is --------------------------------------------------------------------------------------------------

    @property
    def rule(self) -> LearningRule:
        """The learning rule; assign another one to change how the network learns from now on."""
        return self._rule

    @rule.setter
    def rule(self, rule: LearningRule) -> None:
        if not isinstance(rule, LearningRule):
            raise TypeError(f"rule must be a LearningRule, not {rule!r}")
        if rule.constraint != self._rule.constraint:
            raise ValueError(
                f"the strengths of this network are {self._rule.constraint}, and cannot be {rule.constraint}"
            )
        self._rule = rule
        self.numbers = rule.numbers()

    @property
    def input_count(self) -> int:
        """Number of outside values per cycle."""
        return int(self.arrays.inputs.shape[1])

    @property
    def output_ids(self) -> tuple[int, ...]:
        """Ids of the output neurons."""
        return tuple(self.arrays.outputs.tolist())

    @property
    def neurons(self) -> int:
        """Number of neurons, inputs included."""
        return sum(len(layer.ids) for layer in self.layers)

    @property
    def connections(self) -> int:
        """Number of connections (strength > 0)."""
        return int(self.arrays.degree.sum())

    @property
    def allowed_connections(self) -> int:
        """Number of connections there could be."""
        return int(self.arrays.strength.size)

    @property
    def cycles(self) -> int:
        """Number of cycles since the last reset."""
        return int(self.memory.cycles[0])

    @property
    def outputs(self) -> NDArray[np.floating]:
        """Outputs (o,) of the output neurons in the last cycle, in [0, 1]; zeros before the first."""
        return self.activity[self.arrays.outputs]

    @property
    def activity(self) -> NDArray[np.floating]:
        """Outputs (n,) of all neurons in the last cycle, in [0, 1]; zeros before the first."""
        rows = self.memory.output.shape[0]
        last: NDArray[np.floating] = self.memory.output[(self.cycles - 1) % rows].copy()
        return last

    def sources(self, neuron: int) -> NDArray[np.int64]:
        """Ids of the neurons that `neuron` is connected to, ascending."""
        row = self._row(neuron)
        return np.sort(self.arrays.source[row]).astype(np.int64)

    def strengths(self, neuron: int) -> NDArray[np.floating]:
        """Strengths of `neuron`'s connections, in the order of `sources`; > 0, and their sum is 1 (≤ 1 with a reserve)."""
        row = self._row(neuron)
        strengths: NDArray[np.floating] = self.arrays.strength[row][np.argsort(self.arrays.source[row])]
        return strengths

    def allowed(self, neuron: int) -> NDArray[np.int64]:
        """Ids of the neurons that `neuron` may take input from, ascending."""
        self._row(neuron)
        first = self.arrays.first
        return np.sort(self.arrays.source[first[neuron] : first[neuron + 1]]).astype(np.int64)

    def threshold(self, neuron: int) -> float:
        """Threshold of a relu or sigmoid neuron, 0 for the others."""
        self._row(neuron)
        return float(self.arrays.threshold[neuron])

    # -- what it does ------------------------------------------------------------------------------------------------

    def propagate(self, inputs: ArrayLike) -> NDArray[np.floating]:
        """Run one cycle: every layer in order is primed, then fired.

        Parameters
        ----------
        inputs
            One number per outside value, shape (i,); clamped to [0, 1] unless strengths are free.

        Returns
        -------
        ndarray, shape (o,)
            Outputs of the output neurons, in [0, 1] (not so identity and relu of free strengths).

        Raises
        ------
        ValueError
            If the shape is wrong or a value is not a number (or infinite, where strengths are free).
        """
        values = self._checked("inputs", inputs, (self.input_count,), finite=self.rule.constraint == "free")
        online_kernels.propagate(self.arrays, self.memory, self.numbers, values)
        return self.outputs

    def reinforce(self, rewards: ArrayLike, *, hops: int = ALL_HOPS, cycle: int = 0) -> None:
        """Reward the output neurons; every neuron within reach learns once per cycle it is reached in.

        Parameters
        ----------
        rewards
            One number per output neuron, shape (o,); positive means more of this.
        hops
            How many connections the reward travels at most, ≥ 1: 1 changes only output neurons, h also those up to
            h - 1 connections upstream. Recurrent connections count like any other.
        cycle
            Which remembered cycle the reward is for: 0 the last one, 7 the one seven cycles before it.

        Raises
        ------
        ValueError
            If the shape is wrong, a reward is not finite, or the cycle is not remembered.
        """
        values = self._checked("rewards", rewards, (len(self.output_ids),), finite=True)
        remembered = min(self.cycles, self.memory.output.shape[0] - 1)
        ago = remembered_cycle(cycle, remembered)
        online_kernels.reinforce(self.arrays, self.memory, self._scratch, self.numbers, values, hops_limit(hops), ago)

    def rehearse(self, inputs: ArrayLike, rewards: ArrayLike, *, hops: int = ALL_HOPS) -> NDArray[np.floating]:
        """Learn once from a batch of remembered experience, with the outputs of the current strengths.

        The network's own memory of cycles is neither used nor changed.

        Parameters
        ----------
        inputs
            Shape (b, i), or (b, t, i) for sequences of t cycles, each starting from rest; clamped as in `propagate`.
        rewards
            Shape (b, o), or (b, t, o): one reward per output neuron (and cycle). (b, o) with sequences rewards their
            last cycle.
        hops
            As in `reinforce`.

        Returns
        -------
        ndarray, shape (b, o) or (b, t, o)
            Outputs before learning.

        Raises
        ------
        ValueError
            If shapes do not fit, a value is not finite, or the network has the original rule, which knows no batches.
        """
        if self.rule.kind == "original":
            raise ValueError("the original rule learns one cycle at a time: use propagate and reinforce")
        x = self._checked("inputs", inputs, None, finite=self.rule.constraint == "free")
        if x.ndim not in (2, 3) or x.shape[-1] != self.input_count or 0 in x.shape:
            raise ValueError(
                f"inputs must have shape (batch, {self.input_count}) or (batch, cycles, {self.input_count}), not {x.shape}"
            )
        sequences = x if x.ndim == 3 else x[:, None, :]
        b, t, _ = sequences.shape
        r = self._checked("rewards", rewards, None, finite=True)
        shapes = {(b, len(self.output_ids)), (*x.shape[:-1], len(self.output_ids))}
        if r.shape not in shapes:
            raise ValueError(f"rewards must have shape {' or '.join(map(str, sorted(shapes)))}, not {r.shape}")
        r = r if r.ndim == 3 else r[:, None, :]
        batch, scratch = self._room(t, b)
        batch_kernels.rehearse(
            self.arrays,
            batch,
            scratch,
            self.numbers,
            np.ascontiguousarray(self._clamped(sequences).transpose(1, 2, 0)),
            np.ascontiguousarray(r.transpose(1, 2, 0)),
            int(LossCode.REWARDS),
            1.0,
            self.rule.learning_rate,
            hops_limit(hops),
        )
        y = batch.output[1:, self.arrays.outputs].transpose(2, 0, 1).copy()
        return y if x.ndim == 3 else y[:, 0]

    def fit(
        self,
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
        """Learn from examples: every neuron by its own rule, with the errors of the outputs as rewards.

        Parameters
        ----------
        X
            Inputs (n, i), or (n, t, i) for sequences of t cycles, each starting from rest; clamped as in `propagate`.
        y
            For "mse" the outputs wanted, (n, o) or (n, t, o) (without o if it is 1); for "cross-entropy" class numbers
            (n,) or (n, t). Without t they are those of the last cycle.
        epochs
            How often to go through all examples, in an order drawn each time.
        loss
            "mse": the reward of an output neuron is target - output. "cross-entropy": less the gradient of the
            cross-entropy, with the softmax of the outputs (of 20 · the outputs on the simplex) as the probabilities of
            the classes; a single output neuron, best a sigmoid one, is itself the probability of class 1.
        batch_size
            How many examples to learn from at once; rewards are divided by it.
        anneal
            If true, the learning rate falls from that of the rule towards 0, by the same amount every epoch.
        validation_split
            Fraction of the examples, chosen at random, that is set aside to measure the loss on.
        patience
            Stop when the loss of the examples set aside has had no new best for this many epochs, and go back to the
            strengths of the best. None: never.
        hops
            As in `reinforce`.
        seed
            Of the order of the examples, and of which are set aside. None: fresh entropy.
        progress_bar
            None: only on a terminal.

        Returns
        -------
        History
            loss and validation_loss of every epoch, and best_epoch.

        Raises
        ------
        ValueError
            If shapes do not fit or a value is not finite or impossible, or the network has the original rule.

        Examples
        --------
        >>> rule = LearningRule(constraint="free", step="adam")
        >>> net = Network.layered(inputs=1, hidden=(8,), outputs=1, rule=rule, seed=0)
        >>> x = np.linspace(0, 1, 20)[:, None]
        >>> history = net.fit(x, 1 - x, epochs=200, seed=0, progress_bar=False)
        >>> history.loss[-1] < 0.01
        True
        """
        return supervised.fit(
            self,
            X,
            y,
            epochs=epochs,
            loss=loss,
            batch_size=batch_size,
            anneal=anneal,
            validation_split=validation_split,
            patience=patience,
            hops=hops,
            seed=seed,
            progress_bar=progress_bar,
        )

    def predict(self, X: ArrayLike) -> NDArray[np.floating]:
        """Return the outputs for many inputs, each from rest; the memory of cycles is neither used nor changed.

        Parameters
        ----------
        X
            Inputs (n, i) or (n, t, i), as in `fit`.

        Returns
        -------
        ndarray, shape (n, o) or (n, t, o)
        """
        return supervised.predict(self, X)

    def mark(self, rewards: ArrayLike, *, decay: float, hops: int = ALL_HOPS) -> None:
        """Let every connection's tag fade, and add what these rewards for the last cycle would ask of it.

        Tags make learning live: `surprise` later moves every strength by its tag, without any stored experience.

        Parameters
        ----------
        rewards
            Shape (o,), as in `reinforce`; for a value neuron 1, so that its tag is the trace of TD(λ).
        decay
            What is left of the tags so far, in [0, 1]; discount · λ.
        hops
            As in `reinforce`.
        """
        values = self._checked("rewards", rewards, (len(self.output_ids),), finite=True)
        if not self.cycles:
            raise ValueError("cannot mark anything: nothing has been propagated yet")
        if not 0 <= decay <= 1:
            raise ValueError(f"decay must be in [0, 1], not {decay!r}")
        online_kernels.update_traces(
            self.arrays, self.memory, self._scratch, self.numbers, values, hops_limit(hops), float(decay)
        )

    def surprise(self, delta: float, *, bound: float = 2.0) -> None:
        """Move every strength and threshold by delta · tag, in a step bounded over the whole network.

        Parameters
        ----------
        delta
            The surprise, e.g. a temporal-difference error; finite.
        bound
            b > 0: the step is at most 1 / (b · max(|delta|, 1) · ‖tags‖₁) (Elsayed, Vasan & Mahmood, 2024).
        """
        if not np.isfinite(delta):
            raise ValueError(f"delta must be finite, not {delta!r}")
        if not 0 < bound < float("inf"):
            raise ValueError(f"bound must be a finite number > 0, not {bound!r}")
        online_kernels.apply_td_error(self.arrays, self.numbers, float(delta), float(bound))

    def reset(self) -> None:
        """Forget all remembered cycles and tags. Strengths stay."""
        online_kernels.reset(self.arrays, self.memory)

    # -- state -------------------------------------------------------------------------------------------------------

    def live_arrays(self) -> dict[str, NDArray[Any]]:
        """Return all arrays that learning or propagating changes, by name: the arrays themselves, not copies."""
        arrays = {name: getattr(self.arrays, name) for name in _LEARNED}
        return arrays | {f"memory.{name}": getattr(self.memory, name) for name in Memory._fields}

    def get_state(self) -> dict[str, NDArray[Any]]:
        """Return copies of all arrays that learning or propagating changes, by name."""
        return {name: array.copy() for name, array in self.live_arrays().items()}

    def set_state(self, state: dict[str, NDArray[Any]]) -> None:
        """Take over what `get_state` of an equally built network returned.

        Raises
        ------
        ValueError
            If an array is missing or has another shape or type; nothing is changed then.
        """
        checkpoint.copy_into(self.live_arrays(), state)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the whole network, its memory and its random state to one file."""
        header = {
            "rule": asdict(self.rule),
            "layers": [asdict(layer) for layer in self.layers],
            "custom": [own.name for own in self.custom],
        }
        arrays = {name: getattr(self.arrays, name) for name in NetworkArrays._fields if name != "custom"}
        arrays |= {f"memory.{name}": getattr(self.memory, name) for name in Memory._fields}
        checkpoint.write(path, "network", header, arrays)

    @overload
    @classmethod
    def load(cls, path: str | PathLike[str], *, engine: Literal["kernels"] = "kernels") -> Self: ...
    @overload
    @classmethod
    def load(cls, path: str | PathLike[str], *, engine: Literal["messages"]) -> "MessageNetwork": ...
    @classmethod
    def load(cls, path: str | PathLike[str], *, engine: Engine = "kernels") -> "Self | MessageNetwork":
        """Read a network written by `save`; with kernels it goes on exactly where that one was.

        Parameters
        ----------
        path
            The file.
        engine
            As in `NetworkBuilder.build`; "messages" starts from rest.

        Raises
        ------
        FileNotFoundError, ValueError
            If there is no such file, or it is not a network.
        """
        header, arrays = checkpoint.read(path, "network")
        with checkpoint.understood(path, header):
            custom = tuple(activation(name) for name in header["custom"])
            remembered = {name: arrays.pop(f"memory.{name}") for name in Memory._fields}
            net = NetworkArrays(**arrays, custom=addresses(custom))
            memory = new_memory(net, remembered["output"].shape[0] - 1)._replace(**remembered)
            layers = tuple(Layer(**{**layer, "ids": tuple(layer["ids"])}) for layer in header["layers"])
            rule = LearningRule(**header["rule"])
        return on_engine(cls(net, memory, rule, layers, custom), engine)

    def draw(self, path: str | PathLike[str]) -> None:
        """Save a picture of the network, see `dynlive_rl.drawing.draw_network`; needs the extra `viz`."""
        from .drawing import draw_network

        draw_network(self, path)

    def to_networkx(self) -> Any:
        """Return the network as a networkx.DiGraph; needs the extra `viz`.

        Nodes are ids with layer, kind, activation, gain, threshold and output; edges run from a source to who reads it,
        with strength and delay (1: read in the cycle before).
        """
        from .drawing import to_networkx

        return to_networkx(self)

    def __repr__(self) -> str:
        shape = " → ".join(str(len(layer.ids)) for layer in self.layers)
        return f"Network({shape} neurons, {self.connections} of {self.allowed_connections} connections)"

    # -- private -----------------------------------------------------------------------------------------------------

    def _resize(self) -> None:
        self._scratch = new_workspace(self.arrays, self.memory.output.shape[0] - 1)
        self._batch: tuple[Batch, Workspace] | None = None

    def _row(self, neuron: int) -> slice:
        (j,) = ids([neuron])
        if not 0 <= j < self.arrays.degree.size:
            raise ValueError(f"there is no neuron {j}: ids are 0 to {self.arrays.degree.size - 1}")
        start = int(self.arrays.first[j])
        return slice(start, start + int(self.arrays.degree[j]))

    def _checked(
        self, name: str, values: ArrayLike, shape: tuple[int, ...] | None, *, finite: bool = False
    ) -> NDArray[Any]:
        return numbers(name, values, self.arrays.strength.dtype, shape, finite=finite)

    def _clamped(self, inputs: NDArray[Any]) -> NDArray[Any]:
        return inputs if self.rule.constraint == "free" else np.clip(inputs, 0, 1)

    def _room(self, cycles: int, size: int) -> tuple[Batch, Workspace]:
        if self._batch is None or self._batch[0].drive.shape[::2] != (cycles, size):
            self._batch = new_batch(self.arrays, cycles, size), new_workspace(self.arrays, cycles, size)
        return self._batch


_LEARNED = ("table", "neuron", "link", "connection", "random")
