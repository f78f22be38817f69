"""Network: the dynamic-live network as its user meets it. Checks what comes in and hands it to the kernels."""

from collections.abc import Iterable, Sequence
from os import PathLike
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import batches, editing, files, supervised
from .checkpoint import Source, Target
from .checks import ALL_HOPS, sizes
from .core import NetworkCore
from .rule import LearningRule
from .supervised import History, Loss


class Network(NetworkCore):
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
        from .builder import NetworkBuilder  # which makes networks, and so imports this module

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

    # -- learning from many ------------------------------------------------------------------------------------------

    def rehearse(self, inputs: ArrayLike, rewards: ArrayLike, *, hops: int = ALL_HOPS) -> NDArray[np.floating]:
        """Learn once from a batch of remembered experience, with the outputs of the current strengths.

        The network's own memory of cycles is neither used nor changed.

        Parameters
        ----------
        inputs
            Shape (b, v), or (b, t, v) for sequences of t cycles, each starting from rest; clamped as in `propagate`.
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
        return batches.rehearse(self, inputs, rewards, hops=hops)

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
            Inputs (b, v), or (b, t, v) for sequences of t cycles, each starting from rest; clamped as in `propagate`.
        y
            For "mse" the outputs wanted, (b, o) or (b, t, o) (without o if it is 1); for "cross-entropy" class numbers
            (b,) or (b, t). Without t they are those of the last cycle.
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
            Inputs (b, v) or (b, t, v), as in `fit`.

        Returns
        -------
        ndarray, shape (b, o) or (b, t, o)
        """
        return supervised.predict(self, X)

    # -- edits and damage --------------------------------------------------------------------------------------------

    def add_connection(self, neuron: int, source: int, strength: float | None = None) -> None:
        """Connect `neuron` to `source`, allowing it if need be; its other strengths make room in proportion.

        Parameters
        ----------
        neuron, source
            Ids; `neuron` must not be an input.
        strength
            In (0, 1), or any number but 0 where strengths are free. Default: 0.001, which changes next to nothing; a first
            connection gets 1 if strengths have to sum to 1.

        Raises
        ------
        ValueError
            If there is no such neuron, they are connected already, the strength is out of range, or the rule's
            max_connections is reached.
        """
        editing.add_connection(self, neuron, source, strength)

    def remove_connection(self, neuron: int, source: int) -> None:
        """Disconnect `neuron` from `source`; the other strengths grow in proportion. Growth may bring it back.

        Raises
        ------
        ValueError
            If there is no such connection.
        """
        editing.remove_connection(self, neuron, source)

    def set_strength(self, neuron: int, source: int, strength: float) -> None:
        """Set the strength of a connection; the neuron's other strengths make room in proportion.

        Parameters
        ----------
        neuron, source
            Ids of connected neurons.
        strength
            In (0, 1); 1 where it is the only connection. Any number but 0 where strengths are free.

        Raises
        ------
        ValueError
            If there is no such connection, or the strength is out of range.
        """
        editing.set_strength(self, neuron, source, strength)

    def add_neuron(self, layer: int, sources: Iterable[int], *, gain: float | None = None) -> int:
        """Add a neuron to a hidden or output layer and return its id; nobody reads it yet.

        It is connected to all its sources alike, and takes activation, exponent and pace from its neighbours.

        Parameters
        ----------
        layer
            Position in `layers`; negative ones count from the end.
        sources
            Ids of the allowed sources.
        gain
            As in `NetworkBuilder.add_neurons`. Default: a neighbour's.

        Raises
        ------
        ValueError
            If there is no such layer, it holds inputs or only dead neurons, or the rule's max_connections is reached.
        """
        return editing.add_neuron(self, layer, sources, gain=gain)

    def remove_neuron(self, neuron: int) -> None:
        """Remove a hidden or output neuron with all its connections; who read it shares its part among the others.

        Raises
        ------
        ValueError
            If there is no such neuron, it is an input, or it is the only output.
        """
        editing.remove_neuron(self, neuron)

    def kill(self, neurons: Iterable[int] | int) -> None:
        """Let neurons die at once, as damage does: they output 0 for ever, and nothing is connected to them any more.

        Who read them shares their part among its other connections. A killed input is a sensor that nobody reads.

        Raises
        ------
        ValueError
            If there is no such neuron; nobody dies then.
        """
        editing.kill(self, neurons)

    def cut(self, fraction: float, seed: int | None = None) -> int:
        """Cut a random fraction of all connections, as damage does, and return how many; each neuron keeps at least one.

        Raises
        ------
        ValueError
            If the fraction is not in [0, 1].
        """
        return editing.cut(self, fraction, seed)

    def retire(self, count: int = 1, *, mature: int | None = None) -> list[int]:
        """Free the hidden neurons that others read least, for recruiting, and return their ids.

        The free live without connections; growth does not reach them, only `LearningRule(recruit_below=…)` and edits do.

        Parameters
        ----------
        count
            How many at most, ≥ 0.
        mature
            Only neurons that have learned at least so often: the young have not had their chance. Default: the rule's.
        """
        return editing.retire(self, count, mature=mature)

    # -- files and pictures ------------------------------------------------------------------------------------------

    def save(self, path: Target) -> None:
        """Write the whole network, its memory and its random state to one file.

        Parameters
        ----------
        path
            The file; replaced if it exists, and missing folders are made. Or a binary file open for writing.

        Raises
        ------
        OSError
            If it cannot be written; what was there before stays.
        """
        files.save(self, path)

    @classmethod
    def load(cls, path: Source) -> Self:
        """Read a network written by `save`; it goes on exactly where that one was.

        Parameters
        ----------
        path
            The file, or a binary file open for reading.

        Raises
        ------
        CheckpointError
            If it is not a network, is damaged, or has an activation that is not registered here.
        OSError
            If there is no such file, or it may not be read.
        """
        return files.load(cls, path)

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
