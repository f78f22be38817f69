"""How neurons learn: step, clip, prune and normalise their strengths; and how connections come and go.

Functions called once per neuron take rows and numbers, not the whole network: handing over a tuple of arrays costs more
than a row of arithmetic.
"""

from math import sqrt

from .arithmetic import inlined, inner, random_uniform, total
from .arrays import (
    ACTIVATION,
    ADAM,
    DEGREE,
    FIRST,
    MEAN_SIGNAL,
    ORIGINAL,
    RANDOM,
    RATE,
    RELU,
    SIGMOID,
    SLOW_STRENGTH,
    SLOW_THRESHOLD,
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
def grow_at_random(table, link, connection, neuron, probability, strength, random):
    """Bring missing connections back with a probability, at strengths drawn from 0 to `strength`."""
    real = type(connection[0, 0])
    # Slots move to the front as they connect, so the unvisited ones are always behind.
    for slot in range(table[FIRST, neuron] + table[DEGREE, neuron], table[FIRST, neuron + 1]):
        if random_uniform(random) < probability:
            connect(table, link, connection, neuron, slot, real(strength * (1.0 - random_uniform(random))))


@inner
def prune(table, link, connection, neuron, floor, keep):
    """Remove the connections of strength <= floor; where `keep`, the strongest ones stay whatever their strength."""
    start = table[FIRST, neuron]
    strength = connection[STRENGTH]
    weakest = strongest = strength[start]
    for c in range(start, start + table[DEGREE, neuron]):
        weakest = min(weakest, strength[c])
        strongest = max(strongest, strength[c])
    if weakest > floor:
        return
    c = start
    while c < start + table[DEGREE, neuron]:
        if strength[c] <= floor and not (keep and strength[c] == strongest):
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
def settle(table, link, connection, neuron, rule):
    """After a step of one neuron: prune what has become too weak, and normalise what is left."""
    start = table[FIRST, neuron]
    if table[DEGREE, neuron] > 0:
        original = rule.kind == ORIGINAL
        floor = rule.prune_floor
        if not original:
            floor = max(floor, rule.prune_fraction / (table[FIRST, neuron + 1] - start))
        prune(table, link, connection, neuron, floor, not (rule.reserve or original))
    if table[DEGREE, neuron] > 0:
        normalise(connection[STRENGTH, start : start + table[DEGREE, neuron]], rule.reserve)


@inlined
def step_plainly(strength, signal, centre, pace):
    """Move a row of strengths by pace · (signal - centre), clipped at 0."""
    real = type(centre)
    p, zero = real(pace), real(0)
    for c in range(strength.size):
        strength[c] = max(strength[c] + p * (signal[c] - centre), zero)


@inlined
def step_by_moments(strength, mean, square, signal, centre, decay1, decay2, pace, correction):
    """Move a row of strengths by Adam's steps (Kingma & Ba, 2015) along signal - centre, clipped at 0."""
    real = type(centre)
    d1, d2, one, zero = real(decay1), real(decay2), real(1), real(0)
    p, k, epsilon = real(pace), real(correction), real(1e-8)
    for c in range(strength.size):
        g = signal[c] - centre
        m = d1 * mean[c] + (one - d1) * g
        v = d2 * square[c] + (one - d2) * g * g
        mean[c] = m
        square[c] = v
        strength[c] = max(strength[c] + p * m / (sqrt(v * k) + epsilon), zero)


@inner
def update_all(net, rule, reached, signal, error, reward, learning_rate):
    """Let every neuron j with reached[j] learn once, in reverse firing order.

    signal (c,) holds Σ e x for each connection, error (n,) holds Σ e and reward (n,) Σ ρ, sums over whatever is learned
    from at once (design: e = ρ · slope). learning_rate replaces the rule's. Clears `reached`.
    """
    table, neuron, link, connection = net.table, net.neuron, net.link, net.connection
    strength, mean, square = connection[STRENGTH], connection[MEAN_SIGNAL], connection[SQUARE_SIGNAL]
    original, adam = rule.kind == ORIGINAL, rule.step == ADAM
    real = type(strength[0])
    d1, d2 = real(rule.decay1), real(rule.decay2)
    count, unbias1, unbias2 = 0, 1.0, 1.0
    for position in range(net.order.size - 1, -1, -1):
        j = net.order[position]
        if not reached[j]:
            continue
        reached[j] = 0
        start = table[FIRST, j]
        stop = start + table[DEGREE, j]
        if stop == start and not original:
            continue
        table[UPDATES, j] += 1
        rate = learning_rate * neuron[RATE, j]
        row, asked = strength[start:stop], signal[start:stop]
        if original:
            step_plainly(row, asked, real(0), rate)
            settle(table, link, connection, j, rule)
        else:
            centre = real(0) if rule.reserve else total(asked) / real(stop - start)
            pace, correction = rate, 1.0
            if adam:
                if table[UPDATES, j] != count:  # most neurons have learned equally often: powers are slow
                    count = table[UPDATES, j]
                    unbias1, unbias2 = 1.0 / (1.0 - rule.decay1**count), 1.0 / (1.0 - rule.decay2**count)
                pace, correction = rate * unbias1, unbias2
                step_by_moments(row, mean[start:stop], square[start:stop], asked, centre, d1, d2, pace, correction)
            else:
                step_plainly(row, asked, centre, rate)
            if table[ACTIVATION, j] == SIGMOID or table[ACTIVATION, j] == RELU:
                step = error[j]
                if adam:
                    m = d1 * neuron[THRESHOLD_MEAN, j] + (real(1) - d1) * error[j]
                    v = d2 * neuron[THRESHOLD_SQUARE, j] + (real(1) - d2) * error[j] * error[j]
                    neuron[THRESHOLD_MEAN, j] = m
                    neuron[THRESHOLD_SQUARE, j] = v
                    step = m / (sqrt(v * real(correction)) + real(1e-8))
                neuron[THRESHOLD, j] -= real(pace) * step
            settle(table, link, connection, j, rule)
        if rule.growth == RANDOM and reward[j] < 0:
            grow_at_random(table, link, connection, j, rule.growth_probability, rule.growth_strength, net.random)
            if table[DEGREE, j] > 0:
                normalise(strength[start : start + table[DEGREE, j]], rule.reserve)


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
