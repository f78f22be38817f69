"""Action masks: which actions an environment allows where, as the learner reads them."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .checks import FAULTS, BadInputError, numbers_of

NO_MASK = np.zeros((0, 0), np.bool_)


def forbidden_actions(
    mask: Any, num_actions: tuple[int, ...], count: int, optional: NDArray[np.bool_] | None = None
) -> NDArray[np.bool_]:
    """Return which actions a mask, or one for each of a batch, does not allow.

    Parameters
    ----------
    mask
        For every action of every component, one component after the other, whether it is allowed: so many flags, or rows
        of them. A tuple: a part for every component. In rows of a list, None allows all.
    num_actions
        Number of actions of every component.
    count
        Number of observations e.
    optional
        Shape (e,): where a mask need not leave an action, because none follows: there it says nothing.

    Returns
    -------
    Shape (e, a).

    Raises
    ------
    BadInputError
        If it is no mask of this shape, or leaves no action of a component.
    """
    allowed = _flags(mask, sum(num_actions), count)
    starts = np.cumsum([0, *num_actions[:-1]])
    is_stuck = ~np.logical_or.reduceat(allowed, starts, axis=1)
    if optional is not None and is_stuck.any():
        allowed[optional & is_stuck.any(axis=1)] = True
        is_stuck[optional] = False
    if is_stuck.any():
        row, component = np.argwhere(is_stuck)[0]
        of_component = f" of component {component}" if len(num_actions) > 1 else ""
        where = f" in environment {row}" if count > 1 else ""
        raise BadInputError(f"action_mask must allow at least one action{of_component}, but it allows none{where}")
    return ~allowed


def _flags(mask: Any, size: int, count: int) -> NDArray[np.bool_]:
    try:
        if mask is None:
            return np.ones((count, size), np.bool_)
        if (
            isinstance(mask, list)
            and len(mask) == count
            and all(one is None or hasattr(one, "__len__") for one in mask)
        ):
            return np.concatenate([_flags(one, size, 1) for one in mask])
        flags = np.concatenate([numbers_of(part) for part in mask], axis=-1) if isinstance(mask, tuple) else mask
        flags = numbers_of(flags)
        if flags.size != count * size or (count > 1 and len(flags) != count):
            raise ValueError
        if flags.dtype.kind != "b" and not ((flags == 0) | (flags == 1)).all():
            raise ValueError
    except FAULTS:
        rows = f" for each of {count} environments" if count > 1 else ""
        raise BadInputError(
            f"action_mask must be {size} flags, 1 for an allowed action{rows}, not {mask!r:.200}"
        ) from None
    return np.array(flags, np.bool_).reshape(count, size)


def mask_of(info: Any) -> Any:
    """Return the mask in what came with an observation, None if there is none."""
    return info.get("action_mask") if isinstance(info, Mapping) else None


def masks_of(info: Any, count: int) -> Any:
    """Return the masks of several environments: rows, with None where one brought none; None if none did."""
    masks = mask_of(info)
    if masks is None:
        return None
    there = np.asarray(info.get("_action_mask", np.ones(count, np.bool_)))
    is_array = isinstance(masks, np.ndarray) and masks.dtype != object
    if is_array and there.all():
        return masks
    return [mask if is_there else None for mask, is_there in zip(masks, there, strict=True)]


def merged(masks: Any, others: Any, where: NDArray[np.bool_]) -> Any:
    """Return rows of masks, with those of others in some places; None for either: there are none."""
    if not where.any() or (masks is None and others is None):
        return masks
    rows, other_rows = ([None] * where.size if these is None else list(these) for these in (masks, others))
    return [other if is_other else row for row, other, is_other in zip(rows, other_rows, where, strict=True)]
