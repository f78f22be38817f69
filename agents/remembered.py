"""How much experience there may be, and experience as older files have it."""

import logging
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynlive_rl.checkpoint import Arrays
from dynlive_rl.invariants import need

from .config import AgentConfig, RehearsalConfig
from .kernels.experience import Kept

logger = logging.getLogger(__name__)

ROW_BYTES = 5  # of a reward and a kind
LARGE = 0.005  # seconds: who waits longer for a step is told
MULTIPLY, ENCODE, TAKE_IN = 1e-10, 2e-9, 4e-8  # seconds: a connection in a row, a value in a row, a value of a step


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


def seconds_of_step(features: int, connections: int, rehearsal: RehearsalConfig) -> float:
    """Return about how long a step takes while rehearsals are frequent, on a processor of 2023.

    features: values f of an observation; connections: of each network.
    """
    rows = rehearsal.segments * (rehearsal.segment_length + 1)
    learned = rehearsal.epochs * rehearsal.segments * rehearsal.segment_length
    multiplied = connections * (
        3 * rows + 4 * learned
    )  # the targets' three readings; both networks, forwards and backwards
    encoded = min(2 * features, connections) * (rows + learned)
    return features * TAKE_IN + (multiplied * MULTIPLY + encoded * ENCODE) / rehearsal.rehearse_every


def tell_costs(
    features: int, connections: int, config: AgentConfig, environments: int, capacity: int, size: int
) -> None:
    """Say once what an agent with a large observation space will cost, by the logger of this module; else nothing.

    features, connections: as in `seconds_of_step`; capacity: rows of experience of every environment, `size` bytes each.
    """
    seconds, rows = seconds_of_step(features, connections, config.rehearsal), capacity * environments
    is_cut = rows < config.rehearsal.memory
    if seconds > LARGE or is_cut:
        _tell(
            f"a large observation space, {features:,} values: a step takes about {1e3 * seconds:.0f} ms, and experience up to "
            f"{rows * size / 2**20:,.0f} MiB"
            + (f", which holds {rows:,} steps (rehearsal.memory_bytes)" if is_cut else "")
        )


@cache
def _tell(sentence: str) -> None:
    logger.warning(sentence)


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
