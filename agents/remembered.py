"""How much experience there may be, and experience as older files have it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynlive_rl.checkpoint import Arrays
from dynlive_rl.invariants import need

from .config import RehearsalConfig
from .kernels.experience import Kept

ROW_BYTES = 5  # of a reward and a kind


def row_bytes(kept: Kept, num_actions: tuple[int, ...]) -> int:
    """Return the bytes of a row of experience, with a mask."""
    return kept.row_bytes + 8 * len(num_actions) + sum(num_actions) + ROW_BYTES


def capacity_of(rehearsal: RehearsalConfig, environments: int, size: int) -> int:
    """Return how many rows of so many bytes every environment may have: a step and what followed it at least.

    Raises
    ------
    ValueError
        If that is less than a batch of them all together.
    """
    rows = rehearsal.memory_bytes // size
    least = max(rehearsal.batch, 2 * environments) + environments
    if rows < least:
        raise ValueError(
            f"rehearsal.memory_bytes must be at least {least * size}, for {least} steps of {size} bytes, "
            f"not {rehearsal.memory_bytes}"
        )
    return max(2, min(-(-rehearsal.memory // environments), rows // environments))


def split_observations(state: Arrays, kept: Kept) -> Arrays:
    """Return a state whose rows of experience are in the types of their parts; they once were in single precision throughout.

    Raises
    ------
    CheckpointError
        If values do not fit these types.
    """
    whole = state.get("experience.observation")
    features = kept.single.size + kept.byte.size + int(kept.option[1].sum())
    if kept.single.size == features or whole is None or whole.ndim != 3 or whole.shape[2] != features:
        return state
    state = {name: array for name, array in state.items() if name != "experience.observation"}
    if kept.single.size:
        state["experience.observation"] = whole[..., kept.single]
    if kept.byte.size:
        state["experience.byte"] = _as_bytes(whole[..., kept.byte])
    if kept.option.shape[1]:
        columns = [whole[..., first : first + count].argmax(axis=2) for first, count in kept.option.T.tolist()]
        state["experience.option"] = np.stack(columns, axis=2).astype(np.int32)
    return state


def _as_bytes(values: NDArray[Any]) -> NDArray[np.uint8]:
    is_whole = (values >= 0) & (values <= 255) & (values == np.floor(values))
    need(is_whole.all(), "'experience.observation' must be whole and from 0 to 255 where the space says so")
    return values.astype(np.uint8)
