"""A batch of remembered experience at a time: forward, credit and update with the batch as the innermost loop.

The batch comes last in every array, [cycle][neuron][sequence], so that the loops run over it and vectorise for any
graph. Four connections share a loop: that is what makes short batches fast.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, no-any-return"
import numpy as np

from .arithmetic import compiled, fire_all, inner, random_integer, random_uniform, slope_all
from .arrays import MEAN, SIGNAL, UNIFORM
from .cycle import row_ends
from .update import connect, row_mean, update_all


@inner
def prime_row(strength, source, delay, start, stop, t, output, drive):
    """Sum a row's sources for a batch: drive (b,) = Σ_c strength_c · output of the source at its reference."""
    size = drive.size
    for b in range(size):
        drive[b] = 0
    c = start
    while c + 4 <= stop:
        w0, w1, w2, w3 = strength[c], strength[c + 1], strength[c + 2], strength[c + 3]
        t0, t1, t2, t3 = t - delay[c], t - delay[c + 1], t - delay[c + 2], t - delay[c + 3]
        i0, i1, i2, i3 = source[c], source[c + 1], source[c + 2], source[c + 3]
        for b in range(size):
            drive[b] += (w0 * output[t0, i0, b] + w1 * output[t1, i1, b]) + (
                w2 * output[t2, i2, b] + w3 * output[t3, i3, b]
            )
        c += 4
    while c < stop:
        w0, t0, i0 = strength[c], t - delay[c], source[c]
        for b in range(size):
            drive[b] += w0 * output[t0, i0, b]
        c += 1


@inner
def forward(net, batch, rule, strength, stop, threshold):
    """All cycles of a batch whose input neurons are already set: overwrite output and drive of all other neurons.

    strength, stop (n,) and threshold are either the current ones (rows end at their degree) or the slow ones.
    """
    first, source, delay = net.first, net.source, net.delay
    code, power, gain, custom = net.activation, net.power, net.gain, net.custom
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
def form_signals(signal, source, delay, start, stop, t, output, error):
    """Add what a batch of errors (b,) asks of a row's connections, Σ_b e x, to signal."""
    size = error.size
    zero = type(error[0])(0)
    c = start
    while c + 4 <= stop:
        t0, t1, t2, t3 = t - delay[c], t - delay[c + 1], t - delay[c + 2], t - delay[c + 3]
        i0, i1, i2, i3 = source[c], source[c + 1], source[c + 2], source[c + 3]
        s0 = s1 = s2 = s3 = zero
        for b in range(size):
            e = error[b]
            s0 += e * output[t0, i0, b]
            s1 += e * output[t1, i1, b]
            s2 += e * output[t2, i2, b]
            s3 += e * output[t3, i3, b]
        signal[c] += s0
        signal[c + 1] += s1
        signal[c + 2] += s2
        signal[c + 3] += s3
        c += 4
    while c < stop:
        t0, i0 = t - delay[c], source[c]
        s0 = zero
        for b in range(size):
            s0 += error[b] * output[t0, i0, b]
        signal[c] += s0
        c += 1


@inner
def backward(net, batch, rule, hops):
    """Credit of the output neurons, set beforehand in batch.credit with distance 0, back through all cycles.

    Leaves what the batch asks of every connection and neuron in batch.signal and batch.error, and marks who has
    something to learn in batch.reached. See `start_credit` for how it must begin.
    """
    first, degree, source, delay, strength = net.first, net.degree, net.source, net.delay, net.strength
    output, credit, distance = batch.output, batch.credit, batch.distance
    signal = batch.signal
    real = type(strength[0])
    mean_of_products, uniform = rule.aggregation == MEAN, rule.share == UNIFORM
    for t in range(output.shape[0] - 1, 0, -1):
        for position in range(net.order.size - 1, -1, -1):
            j = net.order[position]
            start, stop = first[j], first[j] + degree[j]
            hop = distance[t, j] + 1
            if hop > hops or stop == start:
                continue
            n = real(stop - start)
            drive, error = batch.drive[t - 1, j], credit[t, j]
            total = slope_all(
                net.activation[j], drive, output[t, j], error, net.power[j], net.gain[j], net.threshold[j], net.custom
            )
            batch.reached[j] = 1
            batch.error[j] += total
            form_signals(signal, source, delay, start, stop, t, output, error)
            gain = n if rule.credit_gain == 0 else real(rule.credit_gain)
            if mean_of_products:
                gain /= n
                shift = real(0)
                for b in range(error.size):
                    shift += error[b] * drive[b]
                for c in range(start, stop):
                    signal[c] -= n * shift
            if hop >= hops:
                continue
            for c in range(start, stop):
                back, i = t - delay[c], source[c]
                # Input neurons learn nothing, and nothing happened before the first cycle.
                if back > 0 and first[i + 1] > first[i]:
                    share = gain * (real(1) / n if uniform else strength[c])
                    for b in range(error.size):
                        credit[back, i, b] += share * error[b]
                    distance[back, i] = min(distance[back, i], hop)
    if mean_of_products:
        # e (x - Σ w x) / n: divided once, when the signals of all cycles have come together.
        for j in net.order:
            for c in range(first[j], first[j] + degree[j]):
                signal[c] /= real(degree[j])


@inner
def start_credit(net, batch, hops):
    """Clear all credit, with the output neurons of every cycle at distance 0 and all others out of reach."""
    batch.credit.fill(0)
    batch.distance.fill(hops)
    batch.signal.fill(0)
    batch.error.fill(0)
    for t in range(1, batch.output.shape[0]):
        for j in net.outputs:
            batch.distance[t, j] = 0


@inner
def grow_by_signal(net, batch, rule):
    """Connect missing sources that a batch asks more of than of the average connection, at a strength near 0.

    Every missing connection is looked at with the rule's growth probability, after `backward` and before the update.
    """
    if rule.growth != SIGNAL:
        return
    first, degree, source, delay = net.first, net.degree, net.source, net.delay
    output, error = batch.output, batch.credit
    real = type(net.strength[0])
    for j in net.order:
        missing = first[j + 1] - first[j] - degree[j]
        if missing == 0 or degree[j] == 0 or not batch.reached[j]:
            continue
        centre = real(0) if rule.reserve else row_mean(batch.signal[first[j] : first[j] + degree[j]])
        looks = np.int64(missing * rule.growth_probability + random_uniform(net.random))
        for _ in range(looks):
            free = first[j] + degree[j]
            slot = free + random_integer(net.random, first[j + 1] - free)
            asked = real(0)
            for t in range(1, output.shape[0]):
                for b in range(output.shape[2]):
                    asked += error[t, j, b] * output[t - delay[slot], source[slot], b]
            if asked > centre:
                connect(net, j, slot, real(rule.growth_strength / (first[j + 1] - first[j])))
                batch.signal[free] = asked
                if degree[j] == first[j + 1] - first[j]:
                    break


@compiled
def rehearse(net, batch, rule, inputs, rewards, hops):
    """Rehearse sequences: inputs (t, i, b) in [0, 1] and rewards (t, o, b), one for every cycle and output neuron."""
    for t in range(inputs.shape[0]):
        for k in range(net.inputs.size):
            for b in range(inputs.shape[2]):
                batch.output[t + 1, net.inputs[k], b] = inputs[t, k, b]
                if net.complements[k] >= 0:
                    batch.output[t + 1, net.complements[k], b] = type(net.strength[0])(1) - inputs[t, k, b]
    forward(net, batch, rule, net.strength, row_ends(net), net.threshold)
    start_credit(net, batch, hops)
    for t in range(rewards.shape[0]):
        for k in range(net.outputs.size):
            for b in range(rewards.shape[2]):
                batch.credit[t + 1, net.outputs[k], b] += rewards[t, k, b]
    backward(net, batch, rule, hops)
    grow_by_signal(net, batch, rule)
    update_all(net, rule, batch.reached, batch.signal, batch.error, batch.error, rule.learning_rate)
