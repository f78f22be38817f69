"""What both networks read of sampled rows: only inputs that a connection reads, and a few others, one input after another."""

import numpy as np

from dynlive_rl.kernels.jit import jit_inline, jit_internal
from dynlive_rl.kernels.layout import Batch, ConnectionRow, LinkRow, RowState, TableRow
from dynlive_rl.kernels.rng import random_integer

from .scaling import ScalerRow, Scaling, encode_column

FURTHER = 256  # values that nobody reads, looked at in a rehearsal all the same: growth finds them there


@jit_internal
def sample_segments(experience, segments, length, age, delay, random):
    """Choose stretches of `length` steps: environment and first row of each (2, s), the first one the newest.

    The others come from the last `age` rows of any environment, or from all it has if these are fewer than `length`. None is of
    the last `delay` rows, to which nothing has come yet.
    """
    where = np.empty((2, segments), np.int64)
    capacity = experience.kind.shape[1]
    for s in range(segments):
        env = random_integer(random, experience.rows.size)
        while min(experience.rows[env], capacity) <= length + delay:
            env = random_integer(random, experience.rows.size)
        newest = experience.rows[env] - length - 1 - delay
        oldest = min(max(experience.rows[env] - min(age, capacity), 0), newest)
        where[0, s] = env
        where[1, s] = newest if s == 0 else oldest + random_integer(random, newest - oldest + 1)
    return where


@jit_internal
def most_steps(experience):
    """Return how many steps there are of the environment with the most rows."""
    most = np.int64(0)
    for env in range(experience.rows.size):
        most = max(most, min(experience.rows[env], experience.kind.shape[1]) - 1)
    return most


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
def any_on(values):
    """Tell whether any of the values (b,) is not 0: of most neurons the first one is not."""
    b = 0
    while b < values.size and values[b] == 0:
        b += 1
    return b < values.size


@jit_inline
def write_column(inputs, i, code, is_read, batch):
    """Write a value's codes (b,) to the input neurons of a batch that somebody reads, and their complements.

    inputs (2, v); i, the value; is_read (n,); batch, changed in place.
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
        state[j] = RowState.VARIED if any_on(output[1, j]) else RowState.OFF


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
        write_column(inputs, i, code, is_read, batch)
        place += has_rank
    for q in range(kept.byte.size):
        i = kept.byte[q]
        if is_read[inputs[0, i]] or (inputs[1, i] >= 0 and is_read[inputs[1, i]]):
            for r in range(rows):
                code[r] = experience.byte[env[r], row[r], q]
            encode_column(scaler, sample, i, 0, code)
        write_column(inputs, i, code, is_read, batch)
    for q in range(kept.option.shape[1]):
        for r in range(rows):
            taken[r] = experience.option[env[r], row[r], q]
        write_option(inputs, kept.option[0, q], kept.option[1, q], taken, is_read, batch)


@jit_inline
def nth_batch(batches, k):
    """Return one of several batches whose arrays stand side by side, (k, …)."""
    return Batch(batches.output[k], batches.drive[k], batches.state[k])


@jit_inline
def gather(source, places, destination):
    """Write what stands at some places (b,) of a source into a destination (b,)."""
    for b in range(destination.size):
        destination[b] = source[np.uint32(places[b])]


@jit_internal
def gather_inputs(inputs, rollout, minibatches, rows, count):
    """Copy what the input neurons of some rows of the rollout batch say into `count` of the minibatches, as many rows each.

    Where there is much to copy, many minibatches take their rows together: every input is looked up once. What nobody looked
    at stays unseen; a value that is 0 in all rows of a minibatch is off there.

    inputs (2, v); rows (≥ count · b,); minibatches: arrays (k, …), one for each of k ≥ count.
    """
    state, size = minibatches.state, minibatches.output.shape[3]
    for rail in range(2):
        for i in range(inputs.shape[1]):
            j = inputs[rail, i]
            if j < 0:
                continue
            source, known = rollout.output[1, j], rollout.state[j]
            for k in range(count):
                if known == RowState.UNSEEN or (known == RowState.OFF and state[k, j] == RowState.OFF):
                    state[k, j] = known
                    continue
                gather(source, rows[k * size : (k + 1) * size], minibatches.output[k, 1, j])
                state[k, j] = RowState.VARIED if any_on(minibatches.output[k, 1, j]) else RowState.OFF
