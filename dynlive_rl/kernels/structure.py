"""How connections come and go: connect, disconnect, prune, grow."""

from math import log

import numpy as np

from .jit import jit_internal
from .layout import ConnectionRow, LinkRow, NeuronRow, RowState, TableRow
from .numerics import dot, total
from .rng import random_integer, random_uniform

TINY = 2.0**-1022  # the least normal number: its logarithm is finite


@jit_internal
def swap_slots(link, connection, one, other):
    """Exchange two allowed connections of one row (their slots), with everything they remember."""
    for k in range(link.shape[0]):
        link[k, one], link[k, other] = link[k, other], link[k, one]
    for k in range(connection.shape[0]):
        connection[k, one], connection[k, other] = connection[k, other], connection[k, one]


@jit_internal
def disconnect(table, link, connection, neuron, slot):
    """Remove the connection in `slot`: an allowed source again, it forgets all but how large its signals were."""
    last = table[TableRow.FIRST, neuron] + table[TableRow.DEGREE, neuron] - 1
    swap_slots(link, connection, slot, last)
    table[TableRow.DEGREE, neuron] -= 1
    connection[ConnectionRow.STRENGTH, last] = 0
    connection[ConnectionRow.TRACE, last] = 0
    connection[ConnectionRow.MEAN_SIGNAL, last] = 0


@jit_internal
def connect(table, link, connection, neuron, slot, strength):
    """Form the allowed connection in `slot` with the given strength > 0; the caller normalises the row."""
    place = table[TableRow.FIRST, neuron] + table[TableRow.DEGREE, neuron]
    swap_slots(link, connection, slot, place)
    table[TableRow.DEGREE, neuron] += 1
    connection[ConnectionRow.STRENGTH, place] = strength


@jit_internal
def room_for_connections(order, table, rule):
    """How many more connections there may be: the rule's number less Σ_j n_j over the neurons in `order`, all but inputs."""
    room = rule.max_connections
    for j in order:
        room -= table[TableRow.DEGREE, j]
    return room


@jit_internal
def grow_at_random(table, link, connection, gain, neuron, probability, strength, room, random):
    """Bring missing connections of one neuron back, each with a probability, at strengths drawn from 0 to `strength`.

    gain (n,): a gain of 0 marks the dead, to and from whom nothing grows
    neuron: the id
    room: how many may form at most
    random (4,): state of the random number generator
    """
    real = connection.dtype.type
    if gain[neuron] == 0 or probability <= 0:
        return
    # Draws how many are passed over, so that it takes random numbers only for those that form. Slots move to the front as
    # they connect, so the unvisited ones are always behind.
    slot, stop = table[TableRow.FIRST, neuron] + table[TableRow.DEGREE, neuron], table[TableRow.FIRST, neuron + 1]
    pace = log(max(1.0 - probability, TINY))
    while room > 0:
        skipped = log(1.0 - random_uniform(random)) / pace
        if skipped >= stop - slot:
            return
        slot += np.int64(skipped)
        if gain[link[LinkRow.SOURCE, slot]] > 0:
            connect(table, link, connection, neuron, slot, real(strength * (1.0 - random_uniform(random))))
            room -= 1
        slot += 1


@jit_internal
def prune(table, link, connection, neuron, floor, weak, mature, keep):
    """Remove the connections of one neuron with w <= floor, and those with w <= weak that are not getting stronger.

    neuron: its id; it has a connection
    floor, weak: strengths
    mature: weak connections to hidden neurons stay until these have learned so often
    keep: whether the strongest ones stay whatever their strength
    """
    start = table[TableRow.FIRST, neuron]
    strength = connection[ConnectionRow.STRENGTH]
    weakest = strongest = strength[start]
    for c in range(start, start + table[TableRow.DEGREE, neuron]):
        weakest = min(weakest, strength[c])
        strongest = max(strongest, strength[c])
    if weakest > max(floor, weak):
        return
    c = start
    while c < start + table[TableRow.DEGREE, neuron]:
        source = link[LinkRow.SOURCE, c]
        young = (
            table[TableRow.FIRST, source + 1] > table[TableRow.FIRST, source]
            and table[TableRow.UPDATES, source] < mature
        )
        fading = strength[c] <= weak and connection[ConnectionRow.MEAN_SIGNAL, c] <= 0 and not young
        if (strength[c] <= floor or fading) and not (keep and strength[c] == strongest):
            disconnect(table, link, connection, neuron, c)
        else:
            c += 1


@jit_internal
def grow_by_signal(net, batch, workspace, rule):
    """Form missing connections whose gradient in the batch, Σ_t Σ_b e_j x_i, exceeds the mean one of the neuron.

    After `backward`, which leaves e in workspace.credit, and before the update; the signals of new ones are written. They
    form at the rule's growth strength / number of allowed sources.

    A neuron looks at as many missing connections, drawn at random, as the rule's growth probability makes of those it misses
    or of those it has, whichever are fewer: thousands of allowed sources cost no more than a share of what the connections
    cost already. Nothing grows from the dead (gain 0) or the free (no connections), nor beyond the rule's number of
    connections.
    """
    table, link, connection, gain = net.table, net.link, net.connection, net.neuron[NeuronRow.GAIN]
    room = room_for_connections(net.order, table, rule)
    output, credit, signal = batch.output, workspace.credit, workspace.signal
    real = connection.dtype.type
    for j in net.order:
        start, free, stop = (
            table[TableRow.FIRST, j],
            table[TableRow.FIRST, j] + table[TableRow.DEGREE, j],
            table[TableRow.FIRST, j + 1],
        )
        if not (start < free < stop and workspace.reached[j]):
            continue
        looks = np.int64(min(stop - free, free - start) * rule.growth_probability + random_uniform(net.random))
        if looks == 0:
            continue
        centre = real(0) if rule.reserve else total(signal[start:free]) / real(free - start)
        while looks > 0 and free < stop and room > 0:
            looks -= 1
            slot = free + random_integer(net.random, stop - free)
            source = link[LinkRow.SOURCE, slot]
            free_neuron = (
                table[TableRow.DEGREE, source] == 0
                and table[TableRow.FIRST, source + 1] > table[TableRow.FIRST, source]
            )
            if gain[source] == 0 or free_neuron or batch.state[source] == RowState.UNSEEN:
                continue
            asked = real(0)
            for t in range(1, output.shape[0]):
                asked += dot(credit[t, j], output[t - link[LinkRow.DELAY, slot], source])
            if asked > centre:
                connect(table, link, connection, j, slot, real(rule.growth_strength / (stop - start)))
                signal[free] = asked
                free += 1
                room -= 1
