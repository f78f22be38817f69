"""What a recurrent agent remembers of an episode: slow neurons beside the input neurons, see `kernels.slow_neurons`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .kernels.slow_neurons import remember, write_slow


class SlowNeurons:
    """Slow neurons of one agent: k for each of the n = f + a values that an observation and an action have.

    Parameters
    ----------
    scaled
        Shape (f,): which observed values are scaled by their running statistics.
    num_actions
        Number of actions of every component.
    time_constants
        k numbers ≥ 1, in steps.
    environments
        Number of environments e.

    Attributes
    ----------
    memory
        Shape (e, k, n): their outputs.
    size
        Values of an observation together with what slow neurons hold, f + k · n.
    scaled
        Shape (size,): which of these are scaled; what slow neurons hold always is.
    """

    def __init__(
        self,
        scaled: NDArray[np.int8],
        num_actions: tuple[int, ...],
        time_constants: tuple[float, ...],
        environments: int,
    ) -> None:
        self.features, self.inputs = scaled.size, scaled.size + sum(num_actions)
        self._time_constants = time_constants
        self._rates = 1 / np.array(time_constants, np.float64)
        self._offsets = np.cumsum([0, *num_actions])
        self.memory = np.zeros((environments, self._rates.size, self.inputs), np.float32)
        self._following = np.zeros_like(self.memory)
        count = self._rates.size * self.inputs
        self.size = self.features + count
        self.scaled = np.concatenate([scaled, np.ones(count, np.int8)])

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        for name in ("memory", "_following"):
            setattr(self, name, np.array(state[name]))  # what was unpickled may be a file, mapped and read-only

    def names(self, observed: Sequence[str], actions: Sequence[str]) -> list[str]:
        """Return what to call the values of a row, from the names of observed values (f,) and actions (a,)."""
        called = list(observed)
        for k, constant in enumerate(self._time_constants):
            over = f" over {constant:g} step{'s' if constant > 1 else ''}"
            called += [("change of " if k == 0 else "") + name + over for name in observed]
            called += [name + over for name in actions]
        return called

    def begin(self, starting: NDArray[np.bool_], usual: NDArray[np.float64], rows: NDArray[np.float32]) -> None:
        """Begin episodes in some environments (e,), with what is usual (f,) in memory, and write it into the rows (e, size)."""
        self.memory[starting, :, : self.features] = usual[: self.features]
        self.memory[starting, :, self.features :] = 0
        write_slow(self.memory, rows, self.features)

    def write_next(
        self,
        before: NDArray[np.float32],
        actions: NDArray[np.int64],
        stepped: NDArray[np.bool_],
        rows: NDArray[np.float32],
    ) -> None:
        """Write into rows (e, size) what is held after actions (e, d) at rows `before`; `keep` makes it the memory."""
        remember(self.memory, self._rates, before, actions, self._offsets, stepped, self._following)
        write_slow(self._following, rows, self.features)

    def keep(self) -> None:
        """Take what `write_next` wrote last as the memory."""
        self.memory, self._following = self._following, self.memory

    # -- in prediction ---------------------------------------------------------------------------------------------------

    def recall(
        self, state: Any, episode_start: Any, usual: NDArray[np.float64], rows: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Write into rows (b, size) what the slow neurons of a state hold, and return it, shape (b, k, n).

        Parameters
        ----------
        state
            What `state_after` returned, shape (b, k + 1, n). None: episodes begin.
        episode_start
            Shape (b,): where an episode begins whatever the state is. None: nowhere.
        usual
            Shape (≥ f,), see `begin`.
        rows
            The observations.

        Raises
        ------
        ValueError
            If a shape is another.
        """
        count, k = len(rows), self._rates.size
        memory = np.zeros((count, k, self.inputs), np.float32)
        starting = np.ones(count, np.bool_)
        if state is not None:
            held = np.asarray(state, np.float32)
            if held.shape != (count, k + 1, self.inputs):
                raise ValueError(
                    f"state must have shape {(count, k + 1, self.inputs)}, as predict returned it, not {held.shape}"
                )
            starting = _starts(episode_start, count)
            memory[...] = held[:, :k] + self._rates[:, None] * (held[:, k:] - held[:, :k])
        memory[starting, :, : self.features] = usual[: self.features]
        memory[starting, :, self.features :] = 0
        write_slow(memory, rows, self.features)
        return memory

    def state_after(
        self, memory: NDArray[np.float32], rows: NDArray[np.float32], actions: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the state (b, k + 1, n) after actions (b, d) at rows (b, size): what slow neurons held, and what there was."""
        state = np.zeros((len(rows), self._rates.size + 1, self.inputs), np.float32)
        state[:, :-1] = memory
        state[:, -1, : self.features] = rows[:, : self.features]
        columns = self.features + self._offsets[:-1] + actions
        np.put_along_axis(state[:, -1], columns, 1, axis=1)
        return state


def _starts(episode_start: Any, count: int) -> NDArray[np.bool_]:
    if episode_start is None:
        return np.zeros(count, np.bool_)
    starts = np.atleast_1d(np.asarray(episode_start))
    if starts.shape != (count,):
        raise ValueError(
            f"episode_start must have one value for each of {count} observations, not shape {starts.shape}"
        )
    return starts.astype(np.bool_)


def stacked(states: list[Any]) -> tuple[Any, Any]:
    """Return rows of states as one, and where episodes begin, which is where a row is None; None and None if all do."""
    known = [state for state in states if state is not None]
    if not known:
        return None, None
    starts = np.array([state is None for state in states])
    return np.stack([np.zeros_like(known[0]) if state is None else state for state in states]), starts
