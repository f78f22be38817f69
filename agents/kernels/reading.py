"""What both networks read of sampled rows: only inputs that a connection reads, and a few others, one input after another."""

import numpy as np

from dynlive_rl.kernels.jit import jit_inline, jit_internal
from dynlive_rl.kernels.layout import Batch, ConnectionRow, LinkRow, RowState, TableRow
from dynlive_rl.kernels.rng import random_integer

from .scaling import Scaling, ScalerRow, encode_column

FURTHER = 256  # values that nobody reads, looked at in a rehearsal all the same: growth finds them there


@jit_internal
def mark_sources(net, is_read):
    """Mark in `is_read` (n,) whom a connection of a network, or of its target, reads."""
    source = net.link[LinkRow.SOURCE]
    strength, target = net.connection[ConnectionRow.STRENGTH], net.connection[ConnectionRow.TARGET_STRENGTH]
    for j in net.order:
        for c in range(net.table[TableRow.FIRST, j], net.table[TableRow.FIRST, j + 1]):
            if strength[c] != 0 or target[c] != 0:
                is_read[source[c]] = 1


@jit_internal
def mark_further(inputs, is_read, random):
    """Mark, where nobody reads a value nor its complement, both for all such values, or for some if there are many.

    inputs (2, v); is_read (n,), changed in place; random state (4,). Every one of them is as likely to be among some.
    """
    unread = 0
    for i in range(inputs.shape[1]):
        direct, complement = inputs[0, i], inputs[1, i]
        unread += is_read[direct] == 0 and (complement < 0 or is_read[complement] == 0)
    stride = (unread + FURTHER - 1) // FURTHER
    if stride == 0:
        return
    skip = random_integer(random, stride) if stride > 1 else np.int64(0)
    for i in range(inputs.shape[1]):
        direct, complement = inputs[0, i], inputs[1, i]
        if is_read[direct] == 0 and (complement < 0 or is_read[complement] == 0):
            if skip == 0:
                is_read[direct] = 1
                if complement >= 0:
                    is_read[complement] = 1
                skip = stride
            skip -= 1


@jit_inline
def write_column(inputs, i, code, is_read, batch, may_be_off):
    """Write a value's codes (b,) to the input neurons of a batch that somebody reads, and their complements.

    inputs (2, v); i, the value; is_read (n,); batch, changed in place; may_be_off: whether codes can be 0.
    """
    output, state = batch.output, batch.state
    one = output.dtype.type(1)
    for rail in range(2):
        j = inputs[rail, i]
        if j < 0:
            continue
        if is_read[j] == 0:
            state[j] = RowState.UNSEEN
            continue
        for b in range(code.size):
            output[1, j, b] = one - code[b] if rail else code[b]
        is_on = not may_be_off
        for b in range(code.size if may_be_off else 0):
            is_on = is_on or output[1, j, b] != 0
        state[j] = RowState.VARIED if is_on else RowState.OFF


@jit_inline
def write_option(inputs, first, count, taken, is_read, batch):
    """Write a one-hot component to the input neurons of a batch: work only for the values that it has there.

    inputs (2, v); the component's first value and how many it has; which it is, taken (b,); is_read (n,); batch, changed in
    place.
    """
    output, state = batch.output, batch.state
    one = output.dtype.type(1)
    for i in range(first, first + count):
        j = inputs[0, i]
        if state[j] != RowState.OFF:
            for b in range(taken.size):
                output[1, j, b] = 0
            state[j] = RowState.OFF
    for b in range(taken.size):
        j = inputs[0, first + taken[b]]
        output[1, j, b] = one
        state[j] = RowState.VARIED
    for i in range(first, first + count):
        j = inputs[1, i]
        if j >= 0:
            if is_read[j]:
                for b in range(taken.size):
                    output[1, j, b] = one - output[1, inputs[0, i], b]
            state[j] = RowState.VARIED if is_read[j] else RowState.UNSEEN


@jit_internal
def read_rows(experience, kept, scaler, sample, where, width, inputs, is_read, batch):
    """Encode all rows of the segments where (2, s), each `width` long, into the input neurons of a batch that are read.

    kept: where the values of an observation are kept; scaler (5, f) and its samples; inputs (2, v); is_read (n,).
    """
    rows, capacity = where.shape[1] * width, experience.kind.shape[1]
    env, row = np.empty(rows, np.int64), np.empty(rows, np.int64)
    for r in range(rows):
        env[r], row[r] = where[0, r // width], (where[1, r // width] + r % width) % capacity
    code, taken = np.empty(rows, np.float32), np.empty(rows, np.int64)
    place = 0
    for q in range(kept.single.size):
        i = kept.single[q]
        has_rank = scaler[ScalerRow.SCALED, i] == Scaling.RANKS_TOO
        if is_read[inputs[0, i]] or (inputs[1, i] >= 0 and is_read[inputs[1, i]]):
            for r in range(rows):
                code[r] = experience.observation[env[r], row[r], q]
            encode_column(scaler, sample, i, place, code)
        write_column(inputs, i, code, is_read, batch, scaler[ScalerRow.SCALED, i] == Scaling.NONE)
        place += has_rank
    for q in range(kept.byte.size):
        i = kept.byte[q]
        if is_read[inputs[0, i]] or (inputs[1, i] >= 0 and is_read[inputs[1, i]]):
            for r in range(rows):
                code[r] = experience.byte[env[r], row[r], q]
            encode_column(scaler, sample, i, 0, code)
        write_column(inputs, i, code, is_read, batch, scaler[ScalerRow.SCALED, i] == Scaling.NONE)
    for q in range(kept.option.shape[1]):
        for r in range(rows):
            taken[r] = experience.option[env[r], row[r], q]
        write_option(inputs, kept.option[0, q], kept.option[1, q], taken, is_read, batch)


@jit_inline
def nth_batch(batches, k):
    """Return one of several batches whose arrays stand side by side, (k, …)."""
    return Batch(batches.output[k], batches.drive[k], batches.state[k])


@jit_internal
def gather_inputs(inputs, rollout, minibatches, rows, count):
    """Copy what the input neurons of some rows of the rollout batch say into `count` of the minibatches, as many rows each.

    Where there is much to copy, many minibatches take their rows together: every input is looked up once. What nobody looked
    at stays unseen; a value that is 0 in all rows of a minibatch is off there.

    inputs (2, v); rows (≥ count · b,); minibatches: arrays (k, …), one for each of k ≥ count.
    """
    output, state, size = minibatches.output, minibatches.state, minibatches.output.shape[3]
    for rail in range(2):
        for i in range(inputs.shape[1]):
            j = inputs[rail, i]
            if j < 0:
                continue
            for k in range(count):
                if rollout.state[j] == RowState.UNSEEN:
                    state[k, j] = RowState.UNSEEN
                    continue
                is_on = False
                if rollout.state[j] == RowState.VARIED:
                    for b in range(size):
                        x = rollout.output[1, j, rows[k * size + b]]
                        output[k, 1, j, b] = x
                        is_on = is_on or x != 0
                elif state[k, j] != RowState.OFF:
                    for b in range(size):
                        output[k, 1, j, b] = 0
                state[k, j] = RowState.VARIED if is_on else RowState.OFF
