"""What a live agent is made of: one buffer, its parts by name, and records of its numbers."""

from typing import NamedTuple

import numpy as np
from numba import types
from numba.core.cgutils import pack_array
from numba.np.arrayobj import populate_array
from numpy.typing import NDArray

from dynlive_rl.agents.live_config import LIVE_SETTINGS
from dynlive_rl.kernels.codes import Code
from dynlive_rl.kernels.jit import intrinsic_or, jit_inline, record_dtype
from dynlive_rl.kernels.layout import Integer

from .progress import PROGRESS
from .scaling import SAMPLE_SIZE, ScalerRow


class CellRow(Code):
    """Rows of `LiveAgent.cell` after its strengths, counted from the end."""

    FEATURE_SUM = -2  # of the features where it was recruited
    USAGE = -1


class TraceRow(Code):
    """Rows of an environment in `LiveAgent.trace`: what the cells answer now and answered before, then a trace per output."""

    NOW = 0
    BEFORE = 1
    TRACES = 2


SCALARS = record_dtype(
    [
        ("value_range", np.float64),  # a value is value_range · readout of the value neuron
        ("error_mean_square", np.float64),  # running mean square of TD errors
        ("observations", np.int64),  # that the running statistics are of
        ("feature_spread", np.float64),  # mean square distance of features to their mean
    ]
)
SIZES = 8  # entries at the start of an agent's buffer


class LiveAgent(NamedTuple):
    """Everything a live step reads and writes.

    There are c cells in l layers, a actions of d components, f observation features, s of which can be ranked, e environments
    and m recent episodes.
    All of it lies in one buffer, because a compiled call takes long to unpack many arrays, and named tuples above all: 8 of
    the 10 microseconds of such a call. `unfold` says what is where.
    """

    cell: NDArray[np.float32]  # (2 f + 2, c) strengths by source, and rows by CellRow
    num_cells: Integer  # (l,) living cells of each layer, the first ones of its c / l
    strength: NDArray[np.float32]  # (1 + a, c) of the value neuron and the action neurons
    trace: NDArray[np.float32]  # (e, 3 + a, c) rows by TraceRow
    running: NDArray[np.float64]  # (2, e) rows by RunningRow
    recent: NDArray[np.float64]  # (2, m) rows by RecentRow
    value_shift: NDArray[np.float64]  # (e,) by what learning from its last step moved the value of where it led
    policy: NDArray[np.float64]  # (e, a) the policy that chose the next action
    action_offsets: Integer  # (d + 1,) where each component's actions start
    action: Integer  # (e, d) the next action
    scaler: NDArray[np.float64]  # (5, f) rows by ScalerRow
    sample: NDArray[np.float32]  # (s, SAMPLE_SIZE) sorted values of every feature that can be ranked
    feature_mean: NDArray[np.float64]  # (2 f,) running means of the features
    scalars: NDArray[np.void]  # (1,) a SCALARS record
    progress: NDArray[np.void]  # (1,) a PROGRESS record
    random: NDArray[np.uint64]  # (4,)
    settings: NDArray[np.void]  # (1,) a LIVE_SETTINGS record
    step: NDArray[np.float64]  # (4, e) what a step brought: who stepped, rewards, who terminated, who was truncated
    forbidden: NDArray[np.float64]  # (e, a) which actions are masked where the next one is taken


def _words(record: np.dtype[np.void]) -> int:
    return record.itemsize // 8


SCALARS_WORDS, PROGRESS_WORDS, SETTINGS_WORDS = _words(SCALARS), _words(PROGRESS), _words(LIVE_SETTINGS)
RECORD_WORDS = SCALARS_WORDS + PROGRESS_WORDS + SETTINGS_WORDS
SCALER_ROWS = len(ScalerRow)


def new_buffer(
    features: int, actions: int, components: int, layers: int, pool: int, environments: int, recent: int, samples: int
) -> NDArray[np.float64]:
    """Return the buffer of a new agent, all 0 but for its sizes f, a, d, l, c, e, m, s at the start, as whole numbers."""
    wholes = SIZES + layers + components + 1 + environments * components + 4
    doubles = environments * (3 + actions) + 2 * recent + (SCALER_ROWS + 2) * features + RECORD_WORDS
    doubles += environments * (4 + actions)
    singles = (2 * features + 2 + 1 + actions + environments * (3 + actions)) * pool + samples * SAMPLE_SIZE
    buffer = np.zeros(wholes + doubles + -(-singles // 2))
    buffer.view(np.int64)[:SIZES] = features, actions, components, layers, pool, environments, recent, samples
    return buffer


def _unfold(take, take_record):
    """Make a function that returns the parts of an agent's buffer by name; `take` and `take_record` make views of it."""

    def unfold(buffer):
        whole, single = buffer.view(np.int64), buffer.view(np.float32)
        f, a, d, layers, c, e, m, s = whole[0], whole[1], whole[2], whole[3], whole[4], whole[5], whole[6], whole[7]
        num_cells, at = take(whole, SIZES, 1, layers)
        action_offsets, at = take(whole, at, 1, d + 1)
        action, at = take(whole, at, e, d)
        random, at = take(whole, at, 1, 4)
        running, at = take(buffer, at, 2, e)
        recent, at = take(buffer, at, 2, m)
        value_shift, at = take(buffer, at, 1, e)
        policy, at = take(buffer, at, e, a)
        scaler, at = take(buffer, at, SCALER_ROWS, f)
        feature_mean, at = take(buffer, at, 1, 2 * f)
        scalars = take_record(buffer, at, SCALARS)
        progress = take_record(buffer, at + SCALARS_WORDS, PROGRESS)
        settings = take_record(buffer, at + SCALARS_WORDS + PROGRESS_WORDS, LIVE_SETTINGS)
        at += RECORD_WORDS
        step, at = take(buffer, at, 4, e)
        forbidden, at = take(buffer, at, e, a)
        cell, at = take(single, 2 * at, 2 * f + 2, c)
        strength, at = take(single, at, 1 + a, c)
        trace, at = take(single, at, e * (3 + a), c)
        sample, at = take(single, at, s, SAMPLE_SIZE)
        return LiveAgent(
            cell, num_cells[0], strength, trace.reshape(e, 3 + a, c), running, recent, value_shift[0], policy,
            action_offsets[0], action, scaler, sample, feature_mean[0], scalars, progress, random[0].view(np.uint64), settings,
            step, forbidden,
        )  # fmt: skip

    return unfold


def _take(buffer, start, rows, columns):
    """Return rows of a buffer from a position on, and the position after them."""
    stop = start + rows * columns
    return buffer[start:stop].reshape(rows, columns), stop


def _take_record(buffer, start, record):
    """Return the record (1,) that begins at a position of a buffer."""
    return buffer[start : start + _words(record)].view(record)


def _view(array, start, rows, columns):
    return array[start : start + rows * columns].reshape(rows, columns)


@intrinsic_or(_view)
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


@intrinsic_or(_take_record)
def borrowed_record(typingctx, array, start, record):
    """As `_take_record`, with a view that is counted by nobody."""
    result = types.Array(record.dtype, 1, "C")

    def codegen(context, builder, signature, arguments):
        whole = context.make_array(array)(context, builder, arguments[0])
        view = context.make_array(result)(context, builder)
        place = builder.gep(whole.data, [arguments[1]])
        size = context.get_constant(types.intp, record.dtype.size)
        populate_array(
            view,
            data=builder.bitcast(place, context.get_data_type(record.dtype).as_pointer()),
            shape=pack_array(builder, [context.get_constant(types.intp, 1)]),
            strides=pack_array(builder, [size]),
            itemsize=size,
            meminfo=None,
        )
        return view._getvalue()

    return result(array, types.intp, record), codegen


@jit_inline
def _borrow(buffer, start, rows, columns):
    """As `_take`, with views that are counted by nobody."""
    return borrowed(buffer, start, rows, columns), start + rows * columns


unfold = _unfold(_take, _take_record)
unfolded = jit_inline(_unfold(_borrow, borrowed_record))  # within kernels, as long as their caller holds the buffer
