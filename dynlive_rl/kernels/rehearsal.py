"""A batch of remembered experience at a time: forward, credit and update with the batch as the innermost loop.

The batch comes last in every array, [cycle][neuron][sequence], so that the loops run over it and vectorise for any
graph. Four connections share a loop: that is what makes short batches fast.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, no-any-return"
import numpy as np

from .arithmetic import compiled, dot, fire_all, four_dots, inner, random_integer, random_uniform, slope_all, total
from .arrays import (
    ACTIVATION,
    DEGREE,
    DELAY,
    FIRST,
    GAIN,
    MEAN,
    POWER_OF,
    SIGNAL,
    SOURCE,
    STRENGTH,
    THRESHOLD,
    UNIFORM,
)
from .cycle import row_ends
from .update import connect, update_all


@inner
def prime_row(strength, source, delay, start, stop, t, output, drive):
    """Sum a row's sources for a batch: drive (b,) = Σ_c strength_c · output of the source at its reference."""
    size = drive.size
    for b in range(size):
        drive[b] = 0
    c = start
    while c + 4 <= stop:
        w0, w1, w2, w3 = strength[c], strength[c + 1], strength[c + 2], strength[c + 3]
        x0, x1 = output[t - delay[c], source[c]], output[t - delay[c + 1], source[c + 1]]
        x2, x3 = output[t - delay[c + 2], source[c + 2]], output[t - delay[c + 3], source[c + 3]]
        for b in range(size):
            drive[b] += (w0 * x0[b] + w1 * x1[b]) + (w2 * x2[b] + w3 * x3[b])
        c += 4
    while c < stop:
        w0, x0 = strength[c], output[t - delay[c], source[c]]
        for b in range(size):
            drive[b] += w0 * x0[b]
        c += 1


@inner
def forward(net, batch, rule, strength, stop, threshold):
    """All cycles of a batch whose input neurons are already set: overwrite output and drive of all other neurons.

    strength, stop (n,) and threshold are either the current ones (rows end at their degree) or the slow ones.
    """
    first, code, source, delay = net.table[FIRST], net.table[ACTIVATION], net.link[SOURCE], net.link[DELAY]
    power, gain, custom = net.neuron[POWER_OF], net.neuron[GAIN], net.custom
    output = batch.output
    mean_of_products = rule.aggregation == MEAN
    for t in range(1, output.shape[0]):
        for j in net.order:
            drive = batch.drive[t - 1, j]
            prime_row(strength, source, delay, first[j], stop[j], t, output, drive)
            if mean_of_products and stop[j] > first[j]:
                n = type(power[0])(stop[j] - first[j])
                for b in range(drive.size):
                    drive[b] /= n
            fire_all(code[j], drive, output[t, j], power[j], gain[j], threshold[j], custom)


@inner
def form_row(signal, source, delay, start, stop, t, output, error):
    """Add what a batch of errors (b,) asks of a row's connections, Σ_b e x, to signal."""
    c = start
    while c + 4 <= stop:
        s0, s1, s2, s3 = four_dots(
            error,
            output[t - delay[c], source[c]],
            output[t - delay[c + 1], source[c + 1]],
            output[t - delay[c + 2], source[c + 2]],
            output[t - delay[c + 3], source[c + 3]],
        )
        signal[c] += s0
        signal[c + 1] += s1
        signal[c + 2] += s2
        signal[c + 3] += s3
        c += 4
    while c < stop:
        signal[c] += dot(error, output[t - delay[c], source[c]])
        c += 1


@inner
def pass_on(strength, source, delay, first, start, stop, t, error, share, uniform, credit, distance, hop):
    """Send a batch of errors (b,) down a row's connections: share · error to each source, times strength or alike."""
    for c in range(start, stop):
        back, i = t - delay[c], source[c]
        # Input neurons learn nothing, and nothing happened before the first cycle.
        if back > 0 and first[i + 1] > first[i]:
            part = share if uniform else share * strength[c]
            received = credit[back, i]
            for b in range(error.size):
                received[b] += part * error[b]
            distance[back, i] = min(distance[back, i], hop)


@inner
def backward(net, batch, scratch, rule, hops):
    """Credit of the output neurons, set beforehand in scratch.credit with distance 0, back through all cycles.

    Leaves what the batch asks of every connection and neuron in scratch.signal and scratch.error, and marks who has
    something to learn in scratch.reached. See `start_credit` for how it must begin.
    """
    first, degree, code = net.table[FIRST], net.table[DEGREE], net.table[ACTIVATION]
    source, delay, strength = net.link[SOURCE], net.link[DELAY], net.connection[STRENGTH]
    power, gain, threshold = net.neuron[POWER_OF], net.neuron[GAIN], net.neuron[THRESHOLD]
    output, credit, distance, signal = batch.output, scratch.credit, scratch.distance, scratch.signal
    real = type(strength[0])
    mean_of_products, uniform = rule.aggregation == MEAN, rule.share == UNIFORM
    for t in range(output.shape[0] - 1, 0, -1):
        for position in range(net.order.size - 1, -1, -1):
            j = net.order[position]
            start, stop = first[j], first[j] + degree[j]
            hop = distance[t, j] + 1
            if hop > hops or stop == start:
                continue
            drive, error = batch.drive[t - 1, j], credit[t, j]
            slope_all(code[j], drive, output[t, j], error, power[j], gain[j], threshold[j], net.custom)
            scratch.reached[j] = 1
            scratch.error[j] += total(error)
            form_row(signal, source, delay, start, stop, t, output, error)
            n = real(stop - start)
            share = n if rule.credit_gain == 0 else real(rule.credit_gain)
            if mean_of_products:
                share /= n
                shift = n * dot(error, drive)
                for c in range(start, stop):
                    signal[c] -= shift
            if hop < hops:
                share = share / n if uniform else share
                pass_on(strength, source, delay, first, start, stop, t, error, share, uniform, credit, distance, hop)
    if mean_of_products:
        # e (x - Σ w x) / n: divided once, when the signals of all cycles have come together.
        for j in net.order:
            for c in range(first[j], first[j] + degree[j]):
                signal[c] /= real(degree[j])


@inner
def start_credit(outputs, scratch, hops):
    """Clear all credit, with the output neurons of every cycle at distance 0 and all others out of reach."""
    scratch.credit.fill(0)
    scratch.distance.fill(hops)
    scratch.signal.fill(0)
    scratch.error.fill(0)
    for t in range(1, scratch.distance.shape[0]):
        for j in outputs:
            scratch.distance[t, j] = 0


@inner
def grow_by_signal(net, batch, scratch, rule):
    """Connect missing sources that a batch asks more of than of the average connection, at a strength near 0.

    Every missing connection is looked at with the rule's growth probability, after `backward` and before the update.
    """
    table, link, connection = net.table, net.link, net.connection
    output, credit, signal = batch.output, scratch.credit, scratch.signal
    real = type(connection[0, 0])
    for j in net.order:
        start, free, stop = table[FIRST, j], table[FIRST, j] + table[DEGREE, j], table[FIRST, j + 1]
        if free == stop or free == start or not scratch.reached[j]:
            continue
        centre = real(0) if rule.reserve else total(signal[start:free]) / real(free - start)
        looks = np.int64((stop - free) * rule.growth_probability + random_uniform(net.random))
        while looks > 0 and free < stop:
            looks -= 1
            slot = free + random_integer(net.random, stop - free)
            asked = real(0)
            for t in range(1, output.shape[0]):
                asked += dot(credit[t, j], output[t - link[DELAY, slot], link[SOURCE, slot]])
            if asked > centre:
                connect(table, link, connection, j, slot, real(rule.growth_strength / (stop - start)))
                signal[free] = asked
                free += 1


@inner
def learn(net, batch, scratch, rule, learning_rate, hops):
    """Credit back, growth and one update of every neuron in reach; `start_credit` and the rewards come before."""
    backward(net, batch, scratch, rule, hops)
    if rule.growth == SIGNAL:
        grow_by_signal(net, batch, scratch, rule)
    update_all(net, rule, scratch.reached, scratch.signal, scratch.error, scratch.error, learning_rate)


@compiled
def rehearse(net, batch, scratch, rule, inputs, rewards, hops):
    """Rehearse sequences: inputs (t, i, b) in [0, 1] and rewards (t, o, b), one for every cycle and output neuron."""
    direct, complements = net.inputs[0], net.inputs[1]
    for t in range(inputs.shape[0]):
        for k in range(direct.size):
            for b in range(inputs.shape[2]):
                batch.output[t + 1, direct[k], b] = inputs[t, k, b]
                if complements[k] >= 0:
                    batch.output[t + 1, complements[k], b] = type(inputs[t, k, b])(1) - inputs[t, k, b]
    forward(net, batch, rule, net.connection[STRENGTH], row_ends(net.table), net.neuron[THRESHOLD])
    start_credit(net.outputs, scratch, hops)
    for t in range(rewards.shape[0]):
        for k in range(net.outputs.size):
            for b in range(rewards.shape[2]):
                scratch.credit[t + 1, net.outputs[k], b] += rewards[t, k, b]
    learn(net, batch, scratch, rule, rule.learning_rate, hops)
