"""Where few of thousands of sources are on in a batch: stretches of a row that are off are passed over."""

import numpy as np

from .jit import jit_inline
from .layout import RowState

LONG = 256  # sources, from which on it pays to look for stretches that are off
STRETCH = 32
OFF = int(RowState.OFF)


@jit_inline
def is_long(start, stop):
    """Tell whether a row of sources, the slots from start to stop, is a long one."""
    return stop - start > LONG


@jit_inline
def is_off(source, state, start, stop):
    """Tell whether the sources of a stretch of slots, from start on and before stop, are all off; source (c,), state (n,).

    Most stretches hold neighbours, as they were laid out: these are looked at together.
    """
    part = source[start : min(start + STRETCH, stop)]
    first = part[0]
    if part.size == STRETCH and first + STRETCH <= state.size:
        apart = np.int32(0)
        for k in range(STRETCH):
            apart |= part[k] ^ (first + np.int32(k))
        if apart == 0:
            side_by_side = state[first : first + STRETCH]
            some = np.int8(OFF)
            for k in range(STRETCH):
                some |= side_by_side[k]
            return some == OFF
    on = 0
    for k in range(part.size):
        on |= state[part[k]] ^ OFF
    return on == 0
