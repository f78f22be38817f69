"""How connections come and go: connect, disconnect, prune, grow."""

from math import log

import numpy as np

from .jit import jit_internal
from .layout import ConnectionRow, LinkRow, NeuronRow, TableRow
from .numerics import dot, total
from .rng import random_integer, random_uniform


@jit_internal
def swap_slots(link, connection, a, b):
    """Exchange two allowed connections of one row, with everything they remember."""
    for k in range(link.shape[0]):
        link[k, a], link[k, b] = link[k, b], link[k, a]
    for k in range(connection.shape[0]):
        connection[k, a], connection[k, b] = connection[k, b], connection[k, a]


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
    target = table[TableRow.FIRST, neuron] + table[TableRow.DEGREE, neuron]
    swap_slots(link, connection, slot, target)
    table[TableRow.DEGREE, neuron] += 1
    connection[ConnectionRow.STRENGTH, target] = strength


@jit_internal
def room_for_connections(table, rule):
    """How many more connections there may be."""
    room = rule.max_connections
    for j in range(table.shape[1] - 1):
        room -= table[TableRow.DEGREE, j]
    return room


@jit_internal
def grow_at_random(table, link, connection, gain, neuron, probability, strength, room, random):
    """Bring at most `room` missing connections back with a probability, at strengths drawn from 0 to `strength`.

    A gain of 0 marks the dead: nothing grows to or from them.
    """
    real = type(connection[0, 0])
    if gain[neuron] == 0 or probability <= 0:
        return
    # Draws how many are passed over, so that it takes random numbers only for those that form. Slots move to the front as
    # they connect, so the unvisited ones are always behind.
    slot, stop = table[TableRow.FIRST, neuron] + table[TableRow.DEGREE, neuron], table[TableRow.FIRST, neuron + 1]
    pace = log(1.0 - probability)
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
    """Remove the connections of strength <= floor, and those <= weak that are not getting stronger.

    Weak ones to hidden neurons stay until these have learned `mature` times. Where `keep`, the strongest ones stay whatever
    their strength.
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
def grow_by_signal(net, batch, scratch, rule):
    """Connect missing sources that a batch asks more of than of the average connection, at a strength near 0.

    After `backward` and before the update. A neuron looks at as many missing connections, drawn at random, as the rule's
    growth probability makes of those it misses or of those it has, whichever are fewer: thousands of allowed sources cost
    no more than a share of what the connections cost already.
    Nothing grows from the dead (gain 0) or the free (no connections), nor beyond the rule's number of connections.
    """
    table, link, connection, gain = net.table, net.link, net.connection, net.neuron[NeuronRow.GAIN]
    room = room_for_connections(table, rule)
    output, credit, signal = batch.output, scratch.credit, scratch.signal
    real = type(connection[0, 0])
    for j in net.order:
        start, free, stop = (
            table[TableRow.FIRST, j],
            table[TableRow.FIRST, j] + table[TableRow.DEGREE, j],
            table[TableRow.FIRST, j + 1],
        )
        if not (start < free < stop and scratch.reached[j]):
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
            if gain[source] == 0 or free_neuron:
                continue
            asked = real(0)
            for t in range(1, output.shape[0]):
                asked += dot(credit[t, j], output[t - link[LinkRow.DELAY, slot], source])
            if asked > centre:
                connect(table, link, connection, j, slot, real(rule.growth_strength / (stop - start)))
                signal[free] = asked
                free += 1
                room -= 1
