"""How neurons learn: step, clip, prune and normalise their strengths; and how connections come and go.

Functions called once per neuron take rows and numbers, not the whole network: handing over a tuple of arrays costs more
than a row of arithmetic.
"""

from math import log, sqrt

import numpy as np

from .arithmetic import count_at_most, inlined, inner, random_uniform, total
from .arrays import (
    ACTIVATION,
    ADAM,
    CUSTOM,
    DEGREE,
    FIRST,
    FREE,
    GAIN,
    MEAN_SIGNAL,
    MOST_WEAK,
    ORIGINAL,
    RANDOM,
    RATE,
    RELU,
    SGD,
    SIMPLEX,
    SLOW_STRENGTH,
    SLOW_THRESHOLD,
    SOURCE,
    SQUARE_SIGNAL,
    STRENGTH,
    TAG,
    THRESHOLD,
    THRESHOLD_MEAN,
    THRESHOLD_SQUARE,
    UPDATES,
)


@inner
def swap_slots(link, connection, a, b):
    """Exchange two allowed connections of one row, with everything they remember."""
    for k in range(link.shape[0]):
        link[k, a], link[k, b] = link[k, b], link[k, a]
    for k in range(connection.shape[0]):
        connection[k, a], connection[k, b] = connection[k, b], connection[k, a]


@inner
def disconnect(table, link, connection, neuron, slot):
    """Remove the connection in `slot`: an allowed source again, it forgets all but how large its signals were."""
    last = table[FIRST, neuron] + table[DEGREE, neuron] - 1
    swap_slots(link, connection, slot, last)
    table[DEGREE, neuron] -= 1
    connection[STRENGTH, last] = 0
    connection[TAG, last] = 0
    connection[MEAN_SIGNAL, last] = 0


@inner
def connect(table, link, connection, neuron, slot, strength):
    """Form the allowed connection in `slot` with the given strength > 0; the caller normalises the row."""
    target = table[FIRST, neuron] + table[DEGREE, neuron]
    swap_slots(link, connection, slot, target)
    table[DEGREE, neuron] += 1
    connection[STRENGTH, target] = strength


@inner
def room_for_connections(table, rule):
    """How many more connections there may be."""
    room = rule.max_connections
    for j in range(table.shape[1] - 1):
        room -= table[DEGREE, j]
    return room


@inner
def grow_at_random(table, link, connection, gain, neuron, probability, strength, room, random):
    """Bring at most `room` missing connections back with a probability, at strengths drawn from 0 to `strength`.

    A gain of 0 marks the dead: nothing grows to or from them.
    """
    real = type(connection[0, 0])
    if gain[neuron] == 0 or probability <= 0:
        return
    # Draws how many are passed over, so that it takes random numbers only for those that form. Slots move to the front as
    # they connect, so the unvisited ones are always behind.
    slot, stop = table[FIRST, neuron] + table[DEGREE, neuron], table[FIRST, neuron + 1]
    pace = log(1.0 - probability)
    while room > 0:
        skipped = log(1.0 - random_uniform(random)) / pace
        if skipped >= stop - slot:
            return
        slot += np.int64(skipped)
        if gain[link[SOURCE, slot]] > 0:
            connect(table, link, connection, neuron, slot, real(strength * (1.0 - random_uniform(random))))
            room -= 1
        slot += 1


@inner
def prune(table, link, connection, neuron, floor, weak, mature, keep):
    """Remove the connections of strength <= floor, and those <= weak that are not getting stronger.

    Weak ones to hidden neurons stay until these have learned `mature` times. Where `keep`, the strongest ones stay whatever
    their strength.
    """
    start = table[FIRST, neuron]
    strength = connection[STRENGTH]
    weakest = strongest = strength[start]
    for c in range(start, start + table[DEGREE, neuron]):
        weakest = min(weakest, strength[c])
        strongest = max(strongest, strength[c])
    if weakest > max(floor, weak):
        return
    c = start
    while c < start + table[DEGREE, neuron]:
        source = link[SOURCE, c]
        young = table[FIRST, source + 1] > table[FIRST, source] and table[UPDATES, source] < mature
        fading = strength[c] <= weak and connection[MEAN_SIGNAL, c] <= 0 and not young
        if (strength[c] <= floor or fading) and not (keep and strength[c] == strongest):
            disconnect(table, link, connection, neuron, c)
        else:
            c += 1


@inlined
def normalise(strength, reserve):
    """Divide a row of strengths by its sum; with a reserve only where the sum is above 1."""
    real = type(strength[0])
    whole = total(strength)
    if whole <= 0:
        # One step took everything: it says nothing about who is better, so the survivors start afresh as equals.
        for c in range(strength.size):
            strength[c] = real(1) / real(strength.size)
    elif not (reserve and whole <= 1):
        scale = real(1) / whole
        for c in range(strength.size):
            strength[c] *= scale


@inlined
def settle(table, link, connection, neuron, rule, prune_fraction):
    """After a step of one neuron: prune what has become too weak, and normalise what is left.

    prune_fraction replaces the rule's.
    """
    if rule.kind == FREE:
        return
    start = table[FIRST, neuron]
    stop = start + table[DEGREE, neuron]
    if stop > start:
        original = rule.kind == ORIGINAL
        floor = type(connection[0, 0])(rule.prune_floor)
        weak = type(floor)(0)
        if not original and table[UPDATES, neuron] >= rule.mature:
            weak = type(floor)(min(prune_fraction / (table[FIRST, neuron + 1] - start), MOST_WEAK))
        if count_at_most(connection[STRENGTH, start:stop], max(floor, weak)) > 0:
            prune(table, link, connection, neuron, floor, weak, rule.mature, not (rule.reserve or original))
            stop = start + table[DEGREE, neuron]
    if stop > start:
        normalise(connection[STRENGTH, start:stop], rule.reserve)


@inlined
def lowest_strength(rule):
    """Return the strength that is no connection: 0, or none at all where strengths are free."""
    return -np.inf if rule.kind == FREE else 0.0


@inlined
def step_plainly(strength, signal, pace, lowest):
    """Move strengths by pace · signal, clipped at the lowest; a strength that low is no connection and stays."""
    low = type(strength[0])(lowest)
    p = type(low)(pace)
    for c in range(strength.size):
        moved = max(strength[c] + p * signal[c], low)
        strength[c] = moved if strength[c] > low else low


@inlined
def step_by_moments(strength, mean, square, signal, decay1, decay2, pace, correction, lowest):
    """Move strengths by Adam's steps (Kingma & Ba, 2015) along their signals, clipped at the lowest.

    A strength that low is no connection: it and what it remembers stay.
    """
    real = type(strength[0])
    d1, d2, one, low = real(decay1), real(decay2), real(1), real(lowest)
    p, k, epsilon = real(pace), real(correction), real(1e-8)
    for c in range(strength.size):
        g = signal[c]
        m = d1 * mean[c] + (one - d1) * g
        v = d2 * square[c] + (one - d2) * g * g
        moved = max(strength[c] + p * m / (sqrt(v * k) + epsilon), low)
        connected = strength[c] > low
        mean[c] = m if connected else mean[c]
        square[c] = v if connected else square[c]
        strength[c] = moved if connected else low


@inlined
def step_together(table, neuron, connection, signal, error, begin, end, rule, pace, correction):
    """Let the neurons begin to end, whose rows lie side by side, take one step along their centred signals."""
    a, b = table[FIRST, begin], table[FIRST, end]
    strength, asked = connection[STRENGTH, a:b], signal[a:b]
    threshold = neuron[THRESHOLD]
    real = type(pace)
    if rule.kind == ORIGINAL or rule.step == SGD:
        step_plainly(strength, asked, pace, lowest_strength(rule))
        if rule.kind != ORIGINAL:
            connection[MEAN_SIGNAL, a:b] = asked
            for j in range(begin, end):
                if RELU <= table[ACTIVATION, j] < CUSTOM:
                    threshold[j] -= pace * error[j]
        return
    mean, square = neuron[THRESHOLD_MEAN], neuron[THRESHOLD_SQUARE]
    d1, d2, one, k = real(rule.decay1), real(rule.decay2), real(1), real(correction)
    past, scale = connection[MEAN_SIGNAL, a:b], connection[SQUARE_SIGNAL, a:b]
    step_by_moments(strength, past, scale, asked, d1, d2, pace, correction, lowest_strength(rule))
    for j in range(begin, end):
        if RELU <= table[ACTIVATION, j] < CUSTOM:
            mean[j] = d1 * mean[j] + (one - d1) * error[j]
            square[j] = d2 * square[j] + (one - d2) * error[j] * error[j]
            threshold[j] -= pace * mean[j] / (sqrt(square[j] * k) + real(1e-8))


@inner
def update_all(net, rule, reached, signal, error, reward, learning_rate, prune_fraction):
    """Let every neuron j with reached[j] learn once.

    signal (c,) holds Σ e x for each connection and 0 where there is none, error (n,) holds Σ e and reward (n,) Σ ρ, sums
    over whatever is learned from at once (design: e = ρ · slope). learning_rate and prune_fraction replace the rule's.
    Centres the signals and clears `reached`.
    """
    table, neuron, link, connection = net.table, net.neuron, net.link, net.connection
    strength = connection[STRENGTH]
    original = rule.kind == ORIGINAL
    real = type(strength[0])
    n = reached.size
    # Neurons whose rows lie side by side and that learn at one pace step together: loops over single rows are short.
    begin, count, rate, correction = 0, 0, real(0), 1.0
    pace = real(0)
    for j in range(n + 1):
        start = stop = 0
        learns = False
        if j < n:
            start = table[FIRST, j]
            stop = start + table[DEGREE, j]
            learns = reached[j] and (stop > start or original)
        if begin < j and not (learns and table[UPDATES, j] + 1 == count and neuron[RATE, j] == rate):
            step_together(table, neuron, connection, signal, error, begin, j, rule, pace, correction)
            begin = j
        if not learns:
            begin = j + 1
            continue
        table[UPDATES, j] += 1
        if begin == j:
            count, rate = table[UPDATES, j], neuron[RATE, j]
            unbias = 1.0
            if rule.step == ADAM and not original:
                unbias, correction = 1.0 / (1.0 - rule.decay1**count), 1.0 / (1.0 - rule.decay2**count)
            pace = real(learning_rate * rate * unbias)
        if rule.kind == SIMPLEX and not rule.reserve:
            centre = total(signal[start:stop]) / real(stop - start)
            for c in range(start, stop):
                signal[c] -= centre
    room = room_for_connections(table, rule) if rule.growth == RANDOM else 0
    for j in range(n):
        if not reached[j]:
            continue
        reached[j] = 0
        if table[DEGREE, j] > 0 or original:
            settle(table, link, connection, j, rule, prune_fraction)
            if rule.growth == RANDOM and reward[j] < 0:
                probability, most, before = rule.growth_probability, rule.growth_strength, table[DEGREE, j]
                grow_at_random(table, link, connection, neuron[GAIN], j, probability, most, room, net.random)
                room -= table[DEGREE, j] - before
                start, stop = table[FIRST, j], table[FIRST, j] + table[DEGREE, j]
                if stop > start:
                    normalise(strength[start:stop], rule.reserve)


@inner
def follow_slowly(net, pace):
    """Move the slow strengths and thresholds towards the current ones by a fraction `pace`."""
    follow(net.connection[SLOW_STRENGTH], net.connection[STRENGTH], pace)
    follow(net.neuron[SLOW_THRESHOLD], net.neuron[THRESHOLD], pace)


@inner
def follow(slow, current, pace):
    """Move `slow` towards `current` by a fraction `pace`; what has all but faded to 0 becomes 0."""
    real = type(slow[0])
    p, least, zero = real(pace), real(1e-9), real(0)
    for c in range(slow.size):
        x = slow[c] + p * (current[c] - slow[c])
        slow[c] = x if abs(x) > least else zero
