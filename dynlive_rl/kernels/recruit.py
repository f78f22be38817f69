"""Recruiting: a free hidden neuron takes over the input that the others know least; what nobody reads becomes free.

A hidden neuron is free when it lives, has no connections and nobody reads it: never used, or retired. Nothing is laid out
afresh, so nothing is compiled again.
"""

import numpy as np

from .jit import jit_internal
from .layout import ConnectionRow, LinkRow, NeuronRow, TableRow
from .structure import connect, disconnect, room_for_connections
from .update import normalise


@jit_internal
def hidden_neurons(net):
    """Ids (≤ n,) of all neurons that are neither inputs nor outputs."""
    hidden = np.empty(net.order.size, np.int64)
    count = 0
    for j in net.order:
        if not (net.outputs == j).any():
            hidden[count] = j
            count += 1
    return hidden[:count]


@jit_internal
def readout_weights(net):
    """How much every neuron i is read, (n,): Σ_j w_ij, the sum of its readers' strengths."""
    first, degree, source = net.table[TableRow.FIRST], net.table[TableRow.DEGREE], net.link[LinkRow.SOURCE]
    readout_weight = np.zeros(net.neuron.shape[1])
    for j in net.order:
        for c in range(first[j], first[j] + degree[j]):
            readout_weight[source[c]] += net.connection[ConnectionRow.STRENGTH, c]
    return readout_weight


@jit_internal
def least_known(net, batch, hidden):
    """Find the sequence whose last input is told apart by nobody, and by how much it is.

    A hidden neuron j knows sequence b by as much as it says more there than on average: known_b = max_j (a_jb - mean_b a_jb),
    and at least 0. Returns argmin_b known_b and min_b known_b.

    hidden (≤ n,): ids
    """
    output = batch.output[-1]
    known = np.zeros(output.shape[1])
    for j in hidden:
        if net.table[TableRow.DEGREE, j] > 0:
            mean = output[j].mean()
            for b in range(known.size):
                known[b] = max(known[b], output[j, b] - mean)
    return known.argmin(), known.min()


@jit_internal
def can_judge(net, mature):
    """Whether an output neuron has learned `mature` times, so that whom they do not read has had its chance."""
    learned = 0
    for j in net.outputs:
        learned = max(learned, net.table[TableRow.UPDATES, j])
    return learned >= mature


@jit_internal
def free_place(net, hidden, readout_weight, mature):
    """Return a free hidden neuron, or one that nobody reads and that becomes free for it; else -1.

    hidden (≤ n,): ids; readout_weight (n,): see `readout_weights`; mature: see `can_judge`.
    """
    table = net.table
    found, judged = -1, can_judge(net, mature)
    for j in hidden:
        if (
            net.neuron[NeuronRow.GAIN, j] > 0
            and readout_weight[j] == 0
            and table[TableRow.FIRST, j + 1] > table[TableRow.FIRST, j]
        ):
            if table[TableRow.DEGREE, j] == 0:
                return j
            if found < 0 and judged:
                found = j
    if found >= 0:
        release(net, found)
    return found


@jit_internal
def release(net, neuron):
    """Take a neuron's connections; it stays alive and free."""
    while net.table[TableRow.DEGREE, neuron] > 0:
        disconnect(net.table, net.link, net.connection, neuron, net.table[TableRow.FIRST, neuron])


@jit_internal
def release_unread(net, mature):
    """Free all hidden neurons that nobody reads, once the outputs have learned `mature` times."""
    if not can_judge(net, mature):
        return
    readout_weight = readout_weights(net)
    for j in net.outputs:
        readout_weight[j] = 1
    for j in net.order:
        if readout_weight[j] == 0 and net.table[TableRow.DEGREE, j] > 0:
            release(net, j)


@jit_internal
def init_from_example(net, batch, neuron, place, room):
    """Connect a free neuron to the sources that are higher than usual in one sequence's last cycle; returns how many.

    With d_i = x_i there - mean_b x_i: w_i = d_i / Σ d over the sources with d_i ≥ max d / 2 > 0, and the threshold lies halfway
    between the drive there and the drive on average.

    neuron: its id; place: the position b of the sequence; room: how many connections there may be at most.
    """
    table, link, connection, own = net.table, net.link, net.connection, net.neuron
    start, stop = table[TableRow.FIRST, neuron], table[TableRow.FIRST, neuron + 1]
    now = batch.output.shape[0] - 1
    excess, usual = np.zeros(stop - start), np.zeros(stop - start)
    for c in range(start, stop):
        if own[NeuronRow.GAIN, link[LinkRow.SOURCE, c]] > 0:
            row = batch.output[now - link[LinkRow.DELAY, c], link[LinkRow.SOURCE, c]]
            usual[c - start] = row.mean()
            excess[c - start] = row[place] - usual[c - start]
    least = excess.max() / 2
    if least <= 0:
        return 0
    there = on_average = whole = 0.0
    count = 0
    for k in range(excess.size):
        if excess[k] >= least and count < room:
            # Slots before this one may have been exchanged, but never those behind it.
            connect(table, link, connection, neuron, start + k, excess[k])
            whole += excess[k]
            there += excess[k] * (usual[k] + excess[k])
            on_average += excess[k] * usual[k]
            count += 1
    for c in range(start, stop):
        connection[ConnectionRow.STRENGTH, c] /= whole
        connection[ConnectionRow.TARGET_STRENGTH, c] = connection[ConnectionRow.STRENGTH, c]
        connection[ConnectionRow.MEAN_SIGNAL, c] = connection[ConnectionRow.SQUARE_SIGNAL, c] = connection[
            ConnectionRow.TRACE, c
        ] = 0
    threshold = (there + on_average) / (2 * whole)
    own[NeuronRow.THRESHOLD, neuron] = own[NeuronRow.TARGET_THRESHOLD, neuron] = threshold
    own[NeuronRow.THRESHOLD_MEAN, neuron] = own[NeuronRow.THRESHOLD_SQUARE, neuron] = own[
        NeuronRow.THRESHOLD_TRACE, neuron
    ] = 0
    table[TableRow.UPDATES, neuron] = 0
    return count


@jit_internal
def connect_readers(net, neuron, rule, room):
    """Let all who may and have connections read a neuron, at the rule's growth strength / number of allowed sources.

    neuron: its id; room: how many connections may form at most.
    """
    table, link, connection = net.table, net.link, net.connection
    for j in net.order:
        start, free, stop = (
            table[TableRow.FIRST, j],
            table[TableRow.FIRST, j] + table[TableRow.DEGREE, j],
            table[TableRow.FIRST, j + 1],
        )
        if j == neuron or free == start:
            continue
        for c in range(free, stop):
            if link[LinkRow.SOURCE, c] != neuron:
                continue
            if connection[ConnectionRow.TARGET_STRENGTH, c] > 0:  # what it said before it became free
                connection[ConnectionRow.TARGET_STRENGTH, c] = 0
                normalise(connection[ConnectionRow.TARGET_STRENGTH, start:stop], rule.reserve)
            if room > 0:
                connect(table, link, connection, j, c, rule.growth_strength / (stop - start))
                normalise(connection[ConnectionRow.STRENGTH, start : free + 1], rule.reserve)
                room -= 1


@jit_internal
def recruit(net, batch, rule):
    """Recruit a hidden neuron for the input of the batch that is known least; returns it, or -1.

    After `forward`. Nothing happens where every input is known by `rule.recruit_below` or more, there is no free place, or
    there is no room for a connection in and one out.
    """
    table = net.table
    hidden = hidden_neurons(net)
    place, known = least_known(net, batch, hidden)
    if known >= rule.recruit_below:
        return -1
    room = room_for_connections(net.order, table, rule)
    readers = net.outputs.size
    if room <= readers:
        return -1
    neuron = free_place(net, hidden, readout_weights(net), rule.mature)
    if neuron < 0:
        return -1
    room -= init_from_example(net, batch, neuron, place, room - readers)
    if table[TableRow.DEGREE, neuron] == 0:
        return -1
    connect_readers(net, neuron, rule, room)
    return neuron
