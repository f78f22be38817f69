"""What a live agent is made of: one buffer, its parts by name, and the numbers of its configuration."""

from typing import NamedTuple

import numpy as np
from numba import types
from numba.core.cgutils import pack_array
from numba.extending import intrinsic
from numba.np.arrayobj import populate_array
from numpy.typing import NDArray

from dynlive_rl.kernels.jit import jit_inline
from dynlive_rl.kernels.layout import Integer

from .progress import TRACKED

# Rows of LiveAgent.cell after its strengths, counted from the end.
RAILS_SUM, USAGE = -2, -1
# Rows of LiveAgent.trace of an environment: what the cells say now and said before, then a tag per output neuron.
NOW, BEFORE, TAGS = 0, 1, 2
# Entries of LiveAgent.level.
RANGE, ERROR_SQUARE, SEEN, SPREAD = 0, 1, 2, 3
LEVELS = 4
EPISODES_JUDGED = 5
SIZES = 6  # entries at the start of an agent's buffer


class LiveSettings(NamedTuple):
    """The numbers of a configuration, see `dynlive_rl.agents.config`."""

    discount: float
    trace_decay: float
    critic_rate: float
    actor_rate: float
    entropy: float
    advantage_clip: float
    policy_range: float
    radius: float
    recruit_below: float
    mature: float
    usage_span: float
    established_episodes: int
    established_steps: int
    collapse: float
    learned: float
    setback: float
    content_within: float


SETTINGS = len(LiveSettings._fields)


class LiveAgent(NamedTuple):
    """Everything a live step reads and writes.

    There are c cells in l layers, o options of d choices, f outside values and e environments. All of it lies in one
    buffer, because a compiled call takes long to unpack many arrays, and named tuples above all: 8 of the 10 microseconds
    of such a call. `unfold` says what is where.
    """

    cell: NDArray[np.float32]  # (2 f + 2, c) strengths by source, the rails' sum at birth, usage
    born: Integer  # (l,) living cells of each layer, the first ones of its c / l
    strength: NDArray[np.float32]  # (1 + o, c) of the value neuron and the action neurons
    trace: NDArray[np.float32]  # (e, 3 + o, c)
    running: NDArray[np.float64]  # (2, e) steps and return of the episode so far
    recent: NDArray[np.float64]  # (2, EPISODES_JUDGED) steps and returns of the last episodes
    shift: NDArray[np.float64]  # (e,) by what learning from its last step moved the value of where it led
    chance: NDArray[np.float64]  # (e, o) the policy that chose the next action
    choices: Integer  # (d + 1,) where each choice's options start
    action: Integer  # (e, d) the next action
    scaler: NDArray[np.float64]  # (3, f) whether scaled, running mean, running variance
    rails: NDArray[np.float64]  # (2 f,) running means
    level: NDArray[np.float64]  # (LEVELS,)
    track: NDArray[np.float64]  # (track.TRACKED,)
    random: NDArray[np.uint64]  # (4,)
    settings: NDArray[np.float64]  # a LiveSettings
    brought: NDArray[np.float64]  # (4, e) what a step brought: who stepped, rewards, who terminated, who was truncated


def new_buffer(
    features: int, options: int, choices: int, layers: int, pool: int, environments: int
) -> NDArray[np.float64]:
    """Return the buffer of a new agent, all 0 but for its sizes f, o, d, l, c, e at the start, as whole numbers."""
    wholes = SIZES + layers + choices + 1 + environments * choices + 4
    doubles = environments * (3 + options) + 2 * EPISODES_JUDGED + 5 * features + LEVELS + TRACKED
    outside = SETTINGS + 4 * environments
    singles = (2 * features + 2 + 1 + options + environments * (3 + options)) * pool
    buffer = np.zeros(wholes + doubles + outside + -(-singles // 2))
    buffer.view(np.int64)[:SIZES] = features, options, choices, layers, pool, environments
    return buffer


def _unfold(take):
    """Make a function that returns the parts of an agent's buffer by name; `take` makes views of it."""

    def unfold(buffer):
        whole, single = buffer.view(np.int64), buffer.view(np.float32)
        f, o, d, layers, c, e = whole[0], whole[1], whole[2], whole[3], whole[4], whole[5]
        born, at = take(whole, SIZES, 1, layers)
        choices, at = take(whole, at, 1, d + 1)
        action, at = take(whole, at, e, d)
        random, at = take(whole, at, 1, 4)
        running, at = take(buffer, at, 2, e)
        recent, at = take(buffer, at, 2, EPISODES_JUDGED)
        shift, at = take(buffer, at, 1, e)
        chance, at = take(buffer, at, e, o)
        scaler, at = take(buffer, at, 3, f)
        rails, at = take(buffer, at, 1, 2 * f)
        level, at = take(buffer, at, 1, LEVELS)
        tracked, at = take(buffer, at, 1, TRACKED)
        settings, at = take(buffer, at, 1, SETTINGS)
        brought, at = take(buffer, at, 4, e)
        cell, at = take(single, 2 * at, 2 * f + 2, c)
        strength, at = take(single, at, 1 + o, c)
        trace, at = take(single, at, e * (3 + o), c)
        return LiveAgent(
            cell, born[0], strength, trace.reshape(e, 3 + o, c), running, recent, shift[0], chance, choices[0], action,
            scaler, rails[0], level[0], tracked[0], random[0].view(np.uint64), settings[0], brought,
        )  # fmt: skip

    return unfold


def _take(buffer, start, rows, columns):
    """Return rows of a buffer from a position on, and the position after them."""
    stop = start + rows * columns
    return buffer[start:stop].reshape(rows, columns), stop


@jit_inline
def _borrow(buffer, start, rows, columns):
    """As `_take`, with views that are counted by nobody."""
    return borrowed(buffer, start, rows, columns), start + rows * columns


unfold = _unfold(_take)
unfolded = jit_inline(_unfold(_borrow))  # within kernels, as long as their caller holds the buffer


@jit_inline
def named(numbers):
    """Return the settings by name."""
    n = numbers
    return LiveSettings(
        n[0], n[1], n[2], n[3], n[4], n[5], n[6], n[7], n[8], n[9], n[10], n[11], n[12], n[13], n[14], n[15], n[16]
    )  # fmt: skip


@intrinsic
def borrowed(typingctx, array, start, rows, columns):
    """View (rows, columns) of a flat array from a position on, as `reshape` of a slice, for callers who hold the array.

    Numba counts the references to every view, again wherever it is handed on: a step that looks at many of them pays more
    for that than for its arithmetic. These are not counted.
    """
    result = types.Array(array.dtype, 2, "C")

    def codegen(context, builder, signature, arguments):
        whole = context.make_array(array)(context, builder, arguments[0])
        view = context.make_array(result)(context, builder)
        size = context.get_constant(types.intp, context.get_abi_sizeof(context.get_data_type(array.dtype)))
        populate_array(
            view,
            data=builder.gep(whole.data, [arguments[1]]),
            shape=pack_array(builder, arguments[2:]),
            strides=pack_array(builder, [builder.mul(arguments[3], size), size]),
            itemsize=size,
            meminfo=None,
        )
        return view._getvalue()

    return result(array, types.intp, types.intp, types.intp), codegen
