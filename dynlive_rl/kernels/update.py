"""How neurons learn: step, clip, prune and normalise their strengths; and how targets follow them.

Functions called once per neuron take rows and numbers, not the whole network: handing over a tuple of arrays costs more
than a row of arithmetic.
"""

from math import sqrt

import numpy as np

from .jit import jit_inline, jit_internal
from .layout import (
    LEAST_STRENGTH,
    MOST_WEAK,
    ActivationCode,
    ConnectionRow,
    Growth,
    NeuronRow,
    RuleKind,
    StepRule,
    TableRow,
)
from .numerics import count_at_most, total
from .structure import grow_at_random, prune, room_for_connections

FEW_MISSING = 32  # connections that a step goes over with the others, rather than begin anew behind them


@jit_inline
def normalise(strength, reserve):
    """Divide a row of strengths (any length) by its sum, w ← w / Σ w; with a reserve only where the sum is above 1.

    What would fall below LEAST_STRENGTH does not: rounded to 0 it would be no connection, and yet connected.
    """
    real = strength.dtype.type
    whole = total(strength)
    if whole <= 0:
        # The step set all strengths to 0. That says nothing about which is better: the remaining ones become equal.
        for c in range(strength.size):
            strength[c] = real(1) / real(strength.size)
    elif not (reserve and whole <= 1):
        scale, least = real(1) / whole, real(LEAST_STRENGTH)
        for c in range(strength.size):
            strength[c] = max(strength[c] * scale, min(strength[c], least))


@jit_inline
def prune_and_normalise(table, link, connection, neuron, rule, prune_fraction):
    """After a step of one neuron: prune what has become too weak, and normalise what is left; nothing of free strengths.

    Weak is at most the rule's floor; of a neuron that has learned often enough also, where it is not getting stronger, at
    most prune_fraction / number of allowed sources, and at most MOST_WEAK.
    """
    if rule.kind == RuleKind.FREE:
        return
    start = table[TableRow.FIRST, neuron]
    stop = start + table[TableRow.DEGREE, neuron]
    if stop > start:
        original = rule.kind == RuleKind.ORIGINAL
        floor = connection.dtype.type(rule.prune_floor)
        weak = type(floor)(0)
        if not original and table[TableRow.UPDATES, neuron] >= rule.mature:
            weak = type(floor)(min(prune_fraction / (table[TableRow.FIRST, neuron + 1] - start), MOST_WEAK))
        if count_at_most(connection[ConnectionRow.STRENGTH, start:stop], max(floor, weak)) > 0:
            prune(table, link, connection, neuron, floor, weak, rule.mature, not (rule.reserve or original))
            stop = start + table[TableRow.DEGREE, neuron]
    if stop > start:
        normalise(connection[ConnectionRow.STRENGTH, start:stop], rule.reserve)


@jit_inline
def lowest_strength(rule):
    """Return the strength that is no connection: 0, or none at all where strengths are free."""
    return -np.inf if rule.kind == RuleKind.FREE else 0.0


@jit_inline
def step_plainly(strength, signal, pace, lowest):
    """Move a row of strengths along its signals: w ← max(w + pace · g, lowest).

    strength, signal: rows of one length, of which strength is overwritten; a strength at the lowest is no connection and
    stays
    pace, lowest: numbers
    """
    low = strength.dtype.type(lowest)
    rate = type(low)(pace)
    for c in range(strength.size):
        moved = max(strength[c] + rate * signal[c], low)
        strength[c] = moved if strength[c] > low else low


@jit_inline
def step_by_moments(strength, mean, square, signal, decay1, decay2, pace, correction, lowest):
    """Move a row of strengths along its signals by Adam's steps (Kingma & Ba, 2015).

    mean ← d₁ mean + (1 - d₁) g, square ← d₂ square + (1 - d₂) g², w ← max(w + pace · mean / (√(square · correction) + ε),
    lowest), with ε = 1e-8.

    strength, mean, square, signal: rows of one length, of which all but signal are overwritten; where the strength is at the
    lowest there is no connection, and nothing changes
    decay1, decay2: d₁, d₂
    pace: the learning rate, divided by 1 - d₁ to the power of the number of updates
    correction: 1 / (1 - d₂ to the same power)
    """
    real = strength.dtype.type
    d1, d2, one, low = real(decay1), real(decay2), real(1), real(lowest)
    rate, unbias, epsilon = real(pace), real(correction), real(1e-8)
    for c in range(strength.size):
        g = signal[c]
        new_mean = d1 * mean[c] + (one - d1) * g
        new_square = d2 * square[c] + (one - d2) * g * g
        moved = max(strength[c] + rate * new_mean / (sqrt(new_square * unbias) + epsilon), low)
        connected = strength[c] > low
        mean[c] = new_mean if connected else mean[c]
        square[c] = new_square if connected else square[c]
        strength[c] = moved if connected else low


@jit_inline
def step_end(table, j):
    """Return where the part of neuron j's row ends that a step goes over: its connections, and few missing ones behind them."""
    stop, end = table[TableRow.FIRST, j] + table[TableRow.DEGREE, j], table[TableRow.FIRST, j + 1]
    return end if end - stop <= FEW_MISSING else stop


@jit_inline
def step_together(table, neuron, connection, signal, error, begin, end, rule, pace, correction):
    """Let the neurons begin to end, whose rows lie side by side, take one step: strengths along g, thresholds against e.

    signal (c,): g; error (n,): e
    pace, correction: as in `step_by_moments`; of plain steps, pace is the learning rate
    """
    start, stop = table[TableRow.FIRST, begin], step_end(table, end - 1)
    strength, asked = connection[ConnectionRow.STRENGTH, start:stop], signal[start:stop]
    threshold = neuron[NeuronRow.THRESHOLD]
    real = type(pace)
    if rule.kind == RuleKind.ORIGINAL or rule.step == StepRule.SGD:
        step_plainly(strength, asked, pace, lowest_strength(rule))
        if rule.kind != RuleKind.ORIGINAL:
            past = connection[ConnectionRow.MEAN_SIGNAL]
            for j in range(begin, end):
                for c in range(table[TableRow.FIRST, j], table[TableRow.FIRST, j] + table[TableRow.DEGREE, j]):
                    past[c] = signal[c]
                if ActivationCode.RELU <= table[TableRow.ACTIVATION, j] < ActivationCode.CUSTOM:
                    threshold[j] -= pace * error[j]
        return
    mean, square = neuron[NeuronRow.THRESHOLD_MEAN], neuron[NeuronRow.THRESHOLD_SQUARE]
    d1, d2, one, unbias = real(rule.decay1), real(rule.decay2), real(1), real(correction)
    past, scale = connection[ConnectionRow.MEAN_SIGNAL, start:stop], connection[ConnectionRow.SQUARE_SIGNAL, start:stop]
    step_by_moments(strength, past, scale, asked, d1, d2, pace, correction, lowest_strength(rule))
    for j in range(begin, end):
        if ActivationCode.RELU <= table[TableRow.ACTIVATION, j] < ActivationCode.CUSTOM:
            mean[j] = d1 * mean[j] + (one - d1) * error[j]
            square[j] = d2 * square[j] + (one - d2) * error[j] * error[j]
            threshold[j] -= pace * mean[j] / (sqrt(square[j] * unbias) + real(1e-8))


@jit_inline
def first_learner(order, n):
    """Return the lowest id of `order`; n where there is none. All below are input neurons, which learn nothing."""
    lowest = n
    for j in order:
        lowest = min(lowest, j)
    return lowest


@jit_internal
def update_all(net, rule, reached, signal, error, reward, learning_rate, prune_fraction):
    """Let every neuron j with reached[j] learn once: w ← max(w + step(g), 0), pruned, divided by Σ w; threshold -= step(e).

    g_i = e x_i - mean_i(e x_i), not centred with a reserve, free strengths or the original rule.

    reached (n,): who learns; cleared
    signal (c,): Σ e x of each connection; centred in place
    error (n,), reward (n,): Σ e and Σ ρ, sums over whatever is learned from at once
    learning_rate, prune_fraction: instead of the rule's
    """
    table, neuron, link, connection = net.table, net.neuron, net.link, net.connection
    strength = connection[ConnectionRow.STRENGTH]
    original = rule.kind == RuleKind.ORIGINAL
    real = strength.dtype.type
    n = reached.size
    # Neurons whose rows lie side by side and that learn at one pace step together: loops over single rows are short.
    count, rate, correction = 0, real(0), 1.0
    pace = real(0)
    begin = lowest = first_learner(net.order, n)
    for j in range(lowest, n + 1):
        start = stop = 0
        learns = False
        if j < n:
            start = table[TableRow.FIRST, j]
            stop = start + table[TableRow.DEGREE, j]
            learns = reached[j] and (stop > start or original)
        at_pace = learns and table[TableRow.UPDATES, j] + 1 == count and neuron[NeuronRow.RATE, j] == rate
        if begin < j and not (at_pace and step_end(table, j - 1) == start):
            step_together(table, neuron, connection, signal, error, begin, j, rule, pace, correction)
            begin = j
        if not learns:
            begin = j + 1
            continue
        table[TableRow.UPDATES, j] += 1
        if begin == j:
            count, rate = table[TableRow.UPDATES, j], neuron[NeuronRow.RATE, j]
            unbias = 1.0
            if rule.step == StepRule.ADAM and not original:
                unbias, correction = 1.0 / (1.0 - rule.decay1**count), 1.0 / (1.0 - rule.decay2**count)
            pace = real(learning_rate * rate * unbias)
        if rule.kind == RuleKind.SIMPLEX and not rule.reserve:
            centre = total(signal[start:stop]) / real(stop - start)
            for c in range(start, stop):
                signal[c] -= centre
    room = room_for_connections(net.order, table, rule) if rule.growth == Growth.RANDOM else 0
    for j in range(lowest, n):
        if not reached[j]:
            continue
        reached[j] = 0
        if table[TableRow.DEGREE, j] > 0 or original:
            prune_and_normalise(table, link, connection, j, rule, prune_fraction)
            if rule.growth == Growth.RANDOM and reward[j] < 0:
                probability, most, before = rule.growth_probability, rule.growth_strength, table[TableRow.DEGREE, j]
                grow_at_random(table, link, connection, neuron[NeuronRow.GAIN], j, probability, most, room, net.random)
                room -= table[TableRow.DEGREE, j] - before
                start, stop = table[TableRow.FIRST, j], table[TableRow.FIRST, j] + table[TableRow.DEGREE, j]
                if stop > start:
                    normalise(strength[start:stop], rule.reserve)


@jit_internal
def update_target(net, tau):
    """Move target strengths and thresholds towards the current ones: target ← target + tau (current - target)."""
    follow(net.connection[ConnectionRow.TARGET_STRENGTH], net.connection[ConnectionRow.STRENGTH], tau)
    follow(net.neuron[NeuronRow.TARGET_THRESHOLD], net.neuron[NeuronRow.THRESHOLD], tau)


@jit_internal
def follow(target, current, tau):
    """Move one row towards another: target ← target + tau (current - target); what has all but faded to 0 becomes 0."""
    real = target.dtype.type
    rate, least, zero = real(tau), real(1e-9), real(0)
    for k in range(target.size):
        x = target[k] + rate * (current[k] - target[k])
        target[k] = x if abs(x) > least else zero
