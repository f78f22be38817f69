"""What a recurrent agent remembers of an episode: slow neurons beside the input neurons, see `kernels.slow_neurons`."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynlive_rl.kernels.first_start import Call, prepare

from .kernels.scaling import Scaling
from .kernels.slow_neurons import remember, write_slow


class Columns(NamedTuple):
    """Where in a row of an observation and its slow neurons' outputs something stands."""

    observed: int
    """How many values are observed; they come first."""
    present: NDArray[np.int64]
    """What is observed now, and the fastest slow neurons."""
    slower: tuple[NDArray[np.int64], ...]
    """The slow neurons of every other time constant."""


class SlowNeurons:
    """Slow neurons of one agent: see `kernels.slow_neurons` for what they follow.

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
    usual_steps
        How many first observations decide about what is usual.

    Attributes
    ----------
    memory
        Shape (e, k, n): their outputs, see `kernels.slow_neurons`.
    first
        Shape (usual_steps, f): the first observations.
    num_first
        Shape (1,): how many of these there are so far.
    size
        Values of an observation together with what slow neurons hold, f + (f + a) + (k - 1) f.
    scaled
        Shape (size,): how each of these is scaled; what slow neurons hold by ranks too, because a long episode leaves far more
        in them than others do.
    """

    def __init__(
        self,
        scaled: NDArray[np.int8],
        num_actions: tuple[int, ...],
        time_constants: tuple[float, ...],
        environments: int,
        usual_steps: int,
    ) -> None:
        self.features = scaled.size
        self.inputs = scaled.size + sum(num_actions)
        self._time_constants = time_constants
        self._rates = 1 / np.array(time_constants, np.float64)
        self._offsets = np.cumsum([0, *num_actions])
        self.memory = np.zeros((environments, self._rates.size, self.inputs), np.float32)
        self._following = np.zeros_like(self.memory)
        self.first, self.num_first = np.zeros((usual_steps, self.features), np.float32), np.zeros(1, np.int64)
        count = self.inputs + (self._rates.size - 1) * self.features
        self.size = self.features + count
        self.scaled = np.concatenate([scaled, np.full(count, Scaling.RANKS_TOO, np.int8)])

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        for name in ("memory", "_following", "first", "num_first"):
            setattr(self, name, np.array(state[name]))  # what was unpickled may be a file, mapped and read-only

    def warm_up(self, rows: NDArray[np.float32], actions: NDArray[np.int64]) -> None:
        """Compile, or load, the kernels for rows (e, size) and actions (e, d)."""
        stepped = np.ones(len(rows), np.bool_)
        stepping = self.memory, self._rates, rows, self.features, actions, self._offsets, stepped, self._following
        prepare([Call(remember, stepping), Call(write_slow, (self.memory, rows, self.features))])

    @property
    def columns(self) -> Columns:
        """Where in a row (size,) something stands."""
        present = self.features + self.inputs
        slower = np.arange(present, self.size).reshape(-1, self.features)
        return Columns(self.features, np.arange(present), tuple(slower))

    @property
    def usual(self) -> NDArray[np.float32]:
        """What slow neurons of observed values (f,) hold when an episode begins: the median of the first observations.

        It stays: what changed from one episode to the next would tell them apart. And unlike a mean, the median of what is
        rare is exactly what it is otherwise.
        """
        known = self.first[: self.num_first[0]]
        return np.median(known, axis=0).astype(np.float32) if len(known) else np.zeros(self.features, np.float32)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return what changes from step to step, by the names that files have for it."""
        return {
            "slow_neurons": self.memory,
            "first_observations": self.first,
            "num_first_observations": self.num_first,
        }

    def names(self, observed: Sequence[str], actions: Sequence[str]) -> list[str]:
        """Return what to call the values of a row, from the names of observed values (f,) and actions (a,)."""
        fastest, *slower = [f"over {constant:g} step{'s' if constant > 1 else ''}" for constant in self._time_constants]
        called = [*observed, *(f"change of {name} {fastest}" for name in observed)]
        called += [f"{name} {fastest}" for name in actions]
        called += [f"{name} {over}" for over in slower for name in observed]
        return called

    def begin(self, starting: NDArray[np.bool_], rows: NDArray[np.float32]) -> None:
        """Begin episodes in some environments (e,), with what is usual in memory, and write it into the rows (e, size)."""
        self._begin(self.memory, starting)
        write_slow(self.memory, rows, self.features)

    def _begin(self, memory: NDArray[np.float32], starting: NDArray[np.bool_]) -> None:
        memory[starting] = 0
        memory[starting, :, : self.features] = self.usual

    def write_next(
        self,
        before: NDArray[np.float32],
        actions: NDArray[np.int64],
        stepped: NDArray[np.bool_],
        rows: NDArray[np.float32],
    ) -> None:
        """Write into rows (e, size) what is held after actions (e, d) at rows `before`; `keep` makes it the memory."""
        remember(self.memory, self._rates, before, self.features, actions, self._offsets, stepped, self._following)
        write_slow(self._following, rows, self.features)

    def keep(self, before: NDArray[np.float32], stepped: NDArray[np.bool_]) -> None:
        """Take what `write_next` wrote last as the memory; `before` and `stepped` are what it was given."""
        self.memory, self._following = self._following, self.memory
        place = self.num_first[0]
        if place < len(self.first):
            new = before[stepped, : self.features][: len(self.first) - place]
            self.first[place : place + len(new)] = new
            self.num_first[0] += len(new)

    # -- in prediction ---------------------------------------------------------------------------------------------------

    def recall(self, state: Any, episode_start: Any, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Write into rows (b, size) what the slow neurons of a state hold, and return it, shape (b, k, n).

        Parameters
        ----------
        state
            What `state_after` returned, shape (b, k + 1, n). None: episodes begin.
        episode_start
            Shape (b,): where an episode begins whatever the state is. None: nowhere.
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
            memory[:, 1:, self.features :] = 0
        self._begin(memory, starting)
        write_slow(memory, rows, self.features)
        return memory

    def state_after(
        self, memory: NDArray[np.float32], rows: NDArray[np.float32], actions: NDArray[np.int64]
    ) -> NDArray[np.float32]:
        """Return the state (b, k + 1, n) after actions (b, d) at rows (b, size): what was held, and what there was."""
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
