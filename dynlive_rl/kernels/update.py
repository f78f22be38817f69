"""How neurons learn: step, clip, prune and normalise their strengths; and how connections come and go.

Functions called once per neuron take rows and numbers, not the whole network: handing over a tuple of arrays costs more
than a row of arithmetic.
"""

from math import sqrt

import numpy as np

from .jit import jit_inline, jit_internal
from .layout import MOST_WEAK, ActivationCode, ConnectionRow, Growth, NeuronRow, RuleKind, StepRule, TableRow
from .numerics import count_at_most, total
from .structure import grow_at_random, prune, room_for_connections


@jit_inline
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


@jit_inline
def settle(table, link, connection, neuron, rule, prune_fraction):
    """After a step of one neuron: prune what has become too weak, and normalise what is left.

    prune_fraction replaces the rule's.
    """
    if rule.kind == RuleKind.FREE:
        return
    start = table[TableRow.FIRST, neuron]
    stop = start + table[TableRow.DEGREE, neuron]
    if stop > start:
        original = rule.kind == RuleKind.ORIGINAL
        floor = type(connection[0, 0])(rule.prune_floor)
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
    """Move strengths by pace · signal, clipped at the lowest; a strength that low is no connection and stays."""
    low = type(strength[0])(lowest)
    p = type(low)(pace)
    for c in range(strength.size):
        moved = max(strength[c] + p * signal[c], low)
        strength[c] = moved if strength[c] > low else low


@jit_inline
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


@jit_inline
def step_together(table, neuron, connection, signal, error, begin, end, rule, pace, correction):
    """Let the neurons begin to end, whose rows lie side by side, take one step along their centred signals."""
    a, b = table[TableRow.FIRST, begin], table[TableRow.FIRST, end]
    strength, asked = connection[ConnectionRow.STRENGTH, a:b], signal[a:b]
    threshold = neuron[NeuronRow.THRESHOLD]
    real = type(pace)
    if rule.kind == RuleKind.ORIGINAL or rule.step == StepRule.SGD:
        step_plainly(strength, asked, pace, lowest_strength(rule))
        if rule.kind != RuleKind.ORIGINAL:
            connection[ConnectionRow.MEAN_SIGNAL, a:b] = asked
            for j in range(begin, end):
                if ActivationCode.RELU <= table[TableRow.ACTIVATION, j] < ActivationCode.CUSTOM:
                    threshold[j] -= pace * error[j]
        return
    mean, square = neuron[NeuronRow.THRESHOLD_MEAN], neuron[NeuronRow.THRESHOLD_SQUARE]
    d1, d2, one, k = real(rule.decay1), real(rule.decay2), real(1), real(correction)
    past, scale = connection[ConnectionRow.MEAN_SIGNAL, a:b], connection[ConnectionRow.SQUARE_SIGNAL, a:b]
    step_by_moments(strength, past, scale, asked, d1, d2, pace, correction, lowest_strength(rule))
    for j in range(begin, end):
        if ActivationCode.RELU <= table[TableRow.ACTIVATION, j] < ActivationCode.CUSTOM:
            mean[j] = d1 * mean[j] + (one - d1) * error[j]
            square[j] = d2 * square[j] + (one - d2) * error[j] * error[j]
            threshold[j] -= pace * mean[j] / (sqrt(square[j] * k) + real(1e-8))


@jit_internal
def update_all(net, rule, reached, signal, error, reward, learning_rate, prune_fraction):
    """Let every neuron j with reached[j] learn once.

    signal (c,) holds Σ e x for each connection and 0 where there is none, error (n,) holds Σ e and reward (n,) Σ ρ, sums
    over whatever is learned from at once (design: e = ρ · slope). learning_rate and prune_fraction replace the rule's.
    Centres the signals and clears `reached`.
    """
    table, neuron, link, connection = net.table, net.neuron, net.link, net.connection
    strength = connection[ConnectionRow.STRENGTH]
    original = rule.kind == RuleKind.ORIGINAL
    real = type(strength[0])
    n = reached.size
    # Neurons whose rows lie side by side and that learn at one pace step together: loops over single rows are short.
    begin, count, rate, correction = 0, 0, real(0), 1.0
    pace = real(0)
    for j in range(n + 1):
        start = stop = 0
        learns = False
        if j < n:
            start = table[TableRow.FIRST, j]
            stop = start + table[TableRow.DEGREE, j]
            learns = reached[j] and (stop > start or original)
        if begin < j and not (learns and table[TableRow.UPDATES, j] + 1 == count and neuron[NeuronRow.RATE, j] == rate):
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
    room = room_for_connections(table, rule) if rule.growth == Growth.RANDOM else 0
    for j in range(n):
        if not reached[j]:
            continue
        reached[j] = 0
        if table[TableRow.DEGREE, j] > 0 or original:
            settle(table, link, connection, j, rule, prune_fraction)
            if rule.growth == Growth.RANDOM and reward[j] < 0:
                probability, most, before = rule.growth_probability, rule.growth_strength, table[TableRow.DEGREE, j]
                grow_at_random(table, link, connection, neuron[NeuronRow.GAIN], j, probability, most, room, net.random)
                room -= table[TableRow.DEGREE, j] - before
                start, stop = table[TableRow.FIRST, j], table[TableRow.FIRST, j] + table[TableRow.DEGREE, j]
                if stop > start:
                    normalise(strength[start:stop], rule.reserve)


@jit_internal
def update_target(net, pace):
    """Move the slow strengths and thresholds towards the current ones by a fraction `pace`."""
    follow(net.connection[ConnectionRow.TARGET_STRENGTH], net.connection[ConnectionRow.STRENGTH], pace)
    follow(net.neuron[NeuronRow.TARGET_THRESHOLD], net.neuron[NeuronRow.THRESHOLD], pace)


@jit_internal
def follow(slow, current, pace):
    """Move `slow` towards `current` by a fraction `pace`; what has all but faded to 0 becomes 0."""
    real = type(slow[0])
    p, least, zero = real(pace), real(1e-9), real(0)
    for c in range(slow.size):
        x = slow[c] + p * (current[c] - slow[c])
        slow[c] = x if abs(x) > least else zero
