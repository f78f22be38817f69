"""A batch of remembered experience at a time: forward, credit and update with the batch as the innermost loop.

The batch comes last in every array, [cycle][neuron][sequence], so that the loops run over it and vectorise for any
graph. Four connections share a loop: that is what makes short batches fast.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, no-any-return"
from .arithmetic import compiled, fire_all, slope_all
from .arrays import MEAN, UNIFORM
from .update import update_neuron


@compiled
def prime_all(net, strength, start, stop, t, output, drive):
    """Sum a row's sources for a batch: drive (b,) = Σ_c strength_c · output of the source at its reference."""
    drive[:] = 0
    c = start
    while c + 4 <= stop:
        w0, w1, w2, w3 = strength[c], strength[c + 1], strength[c + 2], strength[c + 3]
        t0, t1, t2, t3 = t - net.delay[c], t - net.delay[c + 1], t - net.delay[c + 2], t - net.delay[c + 3]
        x0, x1 = output[t0, net.source[c]], output[t1, net.source[c + 1]]
        x2, x3 = output[t2, net.source[c + 2]], output[t3, net.source[c + 3]]
        for b in range(drive.size):
            drive[b] += (w0 * x0[b] + w1 * x1[b]) + (w2 * x2[b] + w3 * x3[b])
        c += 4
    while c < stop:
        w0 = strength[c]
        x0 = output[t - net.delay[c], net.source[c]]
        for b in range(drive.size):
            drive[b] += w0 * x0[b]
        c += 1


@compiled
def forward(net, batch, rule, strength, stop, threshold):
    """All cycles of a batch whose input neurons are already set: overwrite output and drive of all other neurons.

    strength, stop (n,) and threshold are either the current ones (rows end at their degree) or the slow ones.
    """
    for t in range(1, batch.output.shape[0]):
        for j in net.order:
            start = net.first[j]
            drive = batch.drive[t - 1, j]
            prime_all(net, strength, start, stop[j], t, batch.output, drive)
            if rule.aggregation == MEAN and stop[j] > start:
                drive /= type(drive[0])(stop[j] - start)
            fire_all(net.activation[j], drive, batch.output[t, j], net.power[j], net.gain[j], threshold[j], net.custom)


@compiled
def form_signals(net, start, stop, t, output, error, drive, mean_of_products, signal):
    """Add what a batch of errors (b,) asks of a row's connections, Σ_b e x, to signal."""
    if mean_of_products:
        n = type(error[0])(stop - start)
        for c in range(start, stop):
            x = output[t - net.delay[c], net.source[c]]
            total = type(error[0])(0)
            for b in range(error.size):
                total += error[b] * (x[b] - n * drive[b])
            signal[c] += total / n
        return
    c = start
    while c + 4 <= stop:
        t0, t1, t2, t3 = t - net.delay[c], t - net.delay[c + 1], t - net.delay[c + 2], t - net.delay[c + 3]
        x0, x1 = output[t0, net.source[c]], output[t1, net.source[c + 1]]
        x2, x3 = output[t2, net.source[c + 2]], output[t3, net.source[c + 3]]
        s0 = s1 = s2 = s3 = type(error[0])(0)
        for b in range(error.size):
            e = error[b]
            s0 += e * x0[b]
            s1 += e * x1[b]
            s2 += e * x2[b]
            s3 += e * x3[b]
        signal[c] += s0
        signal[c + 1] += s1
        signal[c + 2] += s2
        signal[c + 3] += s3
        c += 4
    while c < stop:
        x0 = output[t - net.delay[c], net.source[c]]
        s0 = type(error[0])(0)
        for b in range(error.size):
            s0 += error[b] * x0[b]
        signal[c] += s0
        c += 1


@compiled
def pass_on(net, rule, start, stop, t, error, hop, batch):
    """Send a batch of errors (b,) down a row's connections, each source its share."""
    real = type(error[0])
    n = real(stop - start)
    gain = n if rule.credit_gain == 0 else real(rule.credit_gain)
    if rule.aggregation == MEAN:
        gain /= n
    for c in range(start, stop):
        back = t - net.delay[c]
        source = net.source[c]
        # Input neurons learn nothing, and nothing happened before the first cycle.
        if back > 0 and net.first[source + 1] > net.first[source]:
            share = gain * (real(1) / n if rule.share == UNIFORM else net.strength[c])
            credit = batch.credit[back, source]
            for b in range(error.size):
                credit[b] += share * error[b]
            batch.distance[back, source] = min(batch.distance[back, source], hop)


@compiled
def backward(net, batch, rule, hops):
    """Credit of the output neurons, set beforehand in batch.credit with distance 0, back through all cycles.

    Leaves the signal of every connection and threshold, summed over batch and cycles, in batch.signal and
    batch.threshold_signal. Everything else in batch.credit must be 0 and in batch.distance at least hops.
    """
    batch.signal[:] = 0
    batch.threshold_signal[:] = 0
    for t in range(batch.output.shape[0] - 1, 0, -1):
        for position in range(net.order.size - 1, -1, -1):
            j = net.order[position]
            start = net.first[j]
            stop = start + net.degree[j]
            hop = batch.distance[t, j] + 1
            if hop > hops or stop == start:
                continue
            batch.distance[0, j] = 0  # row 0 is the rest before the first cycle: it marks who has something to learn
            drive, error = batch.drive[t - 1, j], batch.credit[t, j]
            batch.threshold_signal[j] += slope_all(
                net.activation[j],
                drive,
                batch.output[t, j],
                error,
                net.power[j],
                net.gain[j],
                net.threshold[j],
                net.custom,
            )
            form_signals(net, start, stop, t, batch.output, error, drive, rule.aggregation == MEAN, batch.signal)
            if hop < hops:
                pass_on(net, rule, start, stop, t, error, hop, batch)


@compiled
def start_credit(net, batch, hops):
    """Clear all credit, with the output neurons of every cycle at distance 0 and all others out of reach."""
    batch.credit[:] = 0
    batch.distance[:] = hops
    for t in range(1, batch.output.shape[0]):
        for j in net.outputs:
            batch.distance[t, j] = 0


@compiled
def update_all(net, batch, rule, learning_rate):
    """Let every neuron learn once from the signals of a batch, in reverse firing order."""
    for position in range(net.order.size - 1, -1, -1):
        j = net.order[position]
        if batch.distance[0, j] == 0:
            update_neuron(
                net, rule, j, batch.signal, batch.threshold_signal[j], batch.threshold_signal[j], learning_rate
            )


@compiled
def rehearse(net, batch, rule, inputs, rewards, hops):
    """Rehearse sequences: inputs (t, i, b) in [0, 1] and rewards (t, o, b), one for every cycle and output neuron."""
    for t in range(inputs.shape[0]):
        for k in range(net.inputs.size):
            x = batch.output[t + 1, net.inputs[k]]
            x[:] = inputs[t, k]
            if net.complements[k] >= 0:
                batch.output[t + 1, net.complements[k]] = type(x[0])(1) - x
    forward(net, batch, rule, net.strength, net.first[:-1] + net.degree, net.threshold)
    start_credit(net, batch, hops)
    for t in range(rewards.shape[0]):
        for k in range(net.outputs.size):
            # += : one neuron may be named as an output twice
            batch.credit[t + 1, net.outputs[k]] += rewards[t, k]
    backward(net, batch, rule, hops)
    update_all(net, batch, rule, rule.learning_rate)
