"""What of a saved state is taken over where not all is: without its experience, or for more or fewer environments."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .kernels.experience import RowKind

Arrays = dict[str, NDArray[Any]]

EXPERIENCE = "experience."


def without_experience(state: Arrays, first_rehearsal: int) -> Arrays:
    """Return a state with the newest row of every environment alone, from which its unfinished episode goes on.

    Rehearsal begins again once there are as many steps as before the first one.
    """
    if EXPERIENCE + "rows" not in state:
        return state
    rows = state[EXPERIENCE + "rows"]
    newest = (rows - 1) % state[EXPERIENCE + "kind"].shape[1]
    kept = {
        name: array[np.arange(rows.size), newest][:, None]
        for name, array in state.items()
        if name.startswith(EXPERIENCE) and name != EXPERIENCE + "rows"
    }
    waiting = np.full(1, -first_rehearsal, np.int64)
    return state | kept | {EXPERIENCE + "rows": np.minimum(rows, 1), "progress.steps_since_rehearsal": waiting}


def for_environments(state: Arrays, environments: int, memory: int) -> Arrays:
    """Return a state for another number of environments side by side, each of which begins an episode.

    What was learned stays, and so does the experience of the present task, up to a number of rows (`memory`): all of it in one
    row, cut into as many pieces as there are environments now. An episode that is cut counts as broken off.
    """
    before = state["ended"].size
    if before == environments:
        return state
    changed = {"ended": np.ones(environments, np.bool_)}
    for name, array in state.items():
        if name in (
            "observations",
            "action",
            "trace",
            "value_shift",
            "policy",
            "forbidden",
            "slow_neurons",
        ) or name.startswith(("running.", "action_repeat.")):
            changed[name] = np.zeros((environments, *array.shape[1:]), array.dtype)
    if EXPERIENCE + "rows" in state:
        changed |= _experience_for(state, environments, max(2, -(-memory // environments)))
    return state | changed


def _experience_for(state: Arrays, environments: int, room: int) -> Arrays:
    """Return experience cut into a piece for each environment, of at most `room` rows."""
    names = [name for name in state if name.startswith(EXPERIENCE) and name != EXPERIENCE + "rows"]
    streams = list(_streams(state))
    whole = {name: np.concatenate([state[name][env, rows] for env, rows in streams]) for name in names}
    kinds = whole[EXPERIENCE + "kind"]
    _break_off(kinds, np.cumsum([rows.size for _, rows in streams]) - 1)
    total = min(kinds.size, environments * room)
    ends = np.arange(1, environments + 1) * total // environments + kinds.size - total
    starts = np.concatenate([[kinds.size - total], ends[:-1]])
    _break_off(kinds, ends[ends > starts] - 1)
    most = max(2, int((ends - starts).max(initial=0)))
    pieces = {EXPERIENCE + "rows": ends - starts}
    for name, rows in whole.items():
        pieces[name] = np.zeros((environments, most, *rows.shape[1:]), rows.dtype)
        for env, (start, end) in enumerate(zip(starts, ends, strict=True)):
            pieces[name][env, : end - start] = rows[start:end]
    return pieces


def _streams(state: Arrays) -> Iterator[tuple[int, NDArray[np.int64]]]:
    """Yield every environment, and where in its ring its rows of the present task stand, the oldest first."""
    written, room = state[EXPERIENCE + "rows"], state[EXPERIENCE + "kind"].shape[1]
    for env, rows in enumerate(written.tolist()):
        kept = min(rows, room)
        if state["progress.task_start_step"][0] > 0:
            steps = state["progress.steps"][0] - state["progress.task_start_step"][0]
            age = (steps + state["progress.task_episodes"][0]) / written.size + 1
            kept = min(kept, int(age))
        yield env, np.arange(rows - kept, rows) % room


def _break_off(kinds: NDArray[np.int8], places: NDArray[np.int64]) -> None:
    """Let no step follow on rows at some places (the places of empty streams are taken for their neighbours')."""
    places = places[places >= 0]
    kinds[places] = np.where(kinds[places] == RowKind.STEP, RowKind.TRUNCATED, kinds[places])
