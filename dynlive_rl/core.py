"""The core of a network: its arrays by name, what can be read of them, and one cycle at a time."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import checkpoint
from .activations import Activation, addresses
from .checks import ALL_HOPS, hops_limit, ids, numbers, remembered_cycle
from .invariants import check_network, check_same_rows
from .kernels import online as kernels
from .kernels.layout import STATE, Batch, Memory, NetworkArrays, Workspace, new_batch, new_workspace
from .layers import Layer
from .rule import LearningRule


class NetworkCore:
    """Neurons, their connections and their memory; `Network` adds batches, examples, edits, files and pictures.

    Parameters
    ----------
    arrays, memory
        What the kernels work on.
    rule
        How the neurons learn.
    layers
        The neurons in firing order.
    custom
        The user's own activations among theirs.

    Attributes
    ----------
    arrays, memory, workspace
        What the kernels work on; rows have names in `arrays`.
    layers
        The neurons in firing order.
    numbers
        The learning rule as the kernels take it.
    custom
        The user's own activations: they keep their compiled functions alive.
    shape_is_fixed
        Whether something else is laid out for this network's arrays, so that their sizes cannot change.
    """

    def __init__(
        self,
        arrays: NetworkArrays,
        memory: Memory,
        rule: LearningRule,
        layers: tuple[Layer, ...],
        custom: tuple[Activation, ...] = (),
    ) -> None:
        self._rule = rule
        self.numbers = rule.numbers()
        self.custom = custom
        self.shape_is_fixed = False
        self.lay_out(arrays, memory, layers)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name not in ("workspace", "_batch_room")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        # The user's own activations lie elsewhere in this process.
        arrays = owned(self.arrays)._replace(custom=addresses(self.custom))
        self.lay_out(arrays, owned(self.memory), self.layers)

    def lay_out(self, arrays: NetworkArrays, memory: Memory, layers: tuple[Layer, ...]) -> None:
        """Take arrays of other sizes than those so far, and make everything anew that depends on sizes."""
        self.arrays, self.memory, self.layers = arrays, memory, layers
        self.workspace = new_workspace(arrays, memory.output.shape[0] - 1)
        self._batch_room: tuple[Batch, Workspace] | None = None

    def batch_room(self, cycles: int, size: int) -> tuple[Batch, Workspace]:
        """Return room for `size` sequences of a number of cycles; the same again while these are the same."""
        if self._batch_room is None or self._batch_room[0].drive.shape[::2] != (cycles, size):
            self._batch_room = new_batch(self.arrays, cycles, size), new_workspace(self.arrays, cycles, size)
        return self._batch_room

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
        if self._rule.reserve and not rule.reserve:
            raise ValueError(
                "the strengths of this network keep a reserve, and cannot do without: they need not sum to 1"
            )
        self._rule = rule
        self.numbers = rule.numbers()

    @property
    def input_count(self) -> int:
        """Number v of outside values per cycle."""
        return int(self.arrays.inputs.shape[1])

    @property
    def output_ids(self) -> tuple[int, ...]:
        """Ids of the o output neurons."""
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

    # -- one cycle at a time -----------------------------------------------------------------------------------------

    def propagate(self, inputs: ArrayLike) -> NDArray[np.floating]:
        """Run one cycle: every layer reads its sources and fires, in order.

        Parameters
        ----------
        inputs
            One number per outside value, shape (v,); clamped to [0, 1] unless strengths are free.

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
        kernels.propagate(self.arrays, self.memory, self.numbers, values)
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
        kernels.reinforce(self.arrays, self.memory, self.workspace, self.numbers, values, hops_limit(hops), ago)

    def update_traces(self, rewards: ArrayLike, *, decay: float, hops: int = ALL_HOPS) -> None:
        """Let the eligibility trace of every connection fade, and add what rewards for the last cycle would ask of it.

        Traces make learning live: `apply_td_error` later moves every strength along its trace, without any stored
        experience.

        Parameters
        ----------
        rewards
            Shape (o,), as in `reinforce`; for a value neuron 1, so that its traces are those of TD(λ).
        decay
            What is left of the traces so far, in [0, 1]; discount · λ.
        hops
            As in `reinforce`.

        Raises
        ------
        ValueError
            If the shape is wrong, a reward is not finite, a number is out of range, or nothing has been propagated yet.
        """
        values = self._checked("rewards", rewards, (len(self.output_ids),), finite=True)
        if not self.cycles:
            raise ValueError("there is no cycle to update traces for: nothing has been propagated yet")
        if not 0 <= decay <= 1:
            raise ValueError(f"decay must be in [0, 1], not {decay!r}")
        kernels.update_traces(
            self.arrays, self.memory, self.workspace, self.numbers, values, hops_limit(hops), float(decay)
        )

    def apply_td_error(self, delta: float, *, bound: float = 2.0) -> None:
        """Move every strength and threshold by delta · trace, in a step bounded over the whole network.

        Parameters
        ----------
        delta
            The temporal-difference error, or another surprise; finite.
        bound
            b > 0: the step is at most `1 / (b · max(|delta|, 1) · ‖traces‖₁)` (Elsayed, Vasan & Mahmood, 2024).

        Raises
        ------
        ValueError
            If a number is out of range.
        """
        if not np.isfinite(delta):
            raise ValueError(f"delta must be finite, not {delta!r}")
        if not 0 < bound < float("inf"):
            raise ValueError(f"bound must be a finite number > 0, not {bound!r}")
        kernels.apply_td_error(self.arrays, self.numbers, float(delta), float(bound))

    def reset(self) -> None:
        """Forget all remembered cycles and traces. Strengths stay."""
        kernels.reset(self.arrays, self.memory)

    # -- state -------------------------------------------------------------------------------------------------------

    def live_arrays(self) -> dict[str, NDArray[Any]]:
        """Return all arrays that learning or propagating changes, by name: the arrays themselves, not copies."""
        arrays = {name: getattr(self.arrays, name) for name in STATE}
        return arrays | {f"memory.{name}": getattr(self.memory, name) for name in Memory._fields}

    def fixed_arrays(self) -> dict[str, NDArray[Any]]:
        """Return the arrays that only adding and removing neurons changes, by name."""
        return {name: getattr(self.arrays, name) for name in ("inputs", "order", "outputs")}

    def get_state(self) -> dict[str, NDArray[Any]]:
        """Return copies of all arrays that learning or propagating changes, by name."""
        return {name: array.copy() for name, array in self.live_arrays().items()}

    def set_state(self, state: dict[str, NDArray[Any]]) -> None:
        """Take over what `get_state` of an equally built network returned.

        Raises
        ------
        CheckpointError
            If an array is missing, has another shape or type, or holds what cannot be the state of this network; nothing is
            changed then.
        """
        self.check_state(state)
        checkpoint.copy_into(self.live_arrays(), state)

    def check_state(self, state: dict[str, NDArray[Any]]) -> None:
        """Raise CheckpointError if `set_state` would."""
        current = self.live_arrays()
        new = checkpoint.same_as(current, state)
        check_network(new | self.fixed_arrays(), self.rule, self.layers, self.custom)
        check_same_rows(current, new)

    # -- private -----------------------------------------------------------------------------------------------------

    def _row(self, neuron: int) -> slice:
        (j,) = ids([neuron])
        if not 0 <= j < self.arrays.degree.size:
            raise ValueError(f"there is no neuron {j}: ids are 0 to {self.arrays.degree.size - 1}")
        start = int(self.arrays.first[j])
        return slice(start, start + int(self.arrays.degree[j]))

    def _checked(self, name: str, values: ArrayLike, shape: tuple[int, ...], *, finite: bool = False) -> NDArray[Any]:
        return numbers(name, values, self.arrays.strength.dtype, shape, finite=finite)


def owned(parts: Any) -> Any:
    """Return a named tuple of arrays with arrays of one's own: what was unpickled may be a file, mapped and read-only."""
    if isinstance(parts, np.ndarray):
        return np.array(parts)
    return parts._make(map(owned, parts)) if hasattr(parts, "_make") else parts
