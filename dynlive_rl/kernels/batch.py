"""A batch of remembered experience at a time: forward, credit and update with the batch as the innermost loop.

The batch comes last in every array, [cycle][neuron][sequence], so that the loops run over it and vectorise for any
graph. Four connections share a loop: that is what makes short batches fast.
"""

from .jit import jit_entry, jit_inline, jit_internal
from .layout import ActivationCode, Aggregation, ConnectionRow, CreditShare, Growth, LinkRow, NeuronRow, TableRow
from .losses import reward_outputs
from .numerics import dot, eight_dots, fire_other, fire_sigmoid, four_dots, slope_other, slope_sigmoid, total
from .online import row_ends
from .recruit import recruit, release_unread
from .structure import grow_by_signal
from .update import update_all


@jit_inline
def prime_row(strength, source, delay, start, stop, output, drive, t, j):
    """Sum a row's sources for a batch: drive[t - 1, j, :] = Σ_c strength_c · output of the source at its reference.

    Short loops cost more to enter than to run, so four connections share one (with more, the compiler gives up on proving
    that they do not overlap); what is missing to a full group is the last connection again, at strength 0.
    """
    size, last, zero = drive.shape[2], stop - 1, type(strength[0])(0)
    if stop == start:
        for b in range(size):
            drive[t - 1, j, b] = zero
    for c in range(start, stop, 4):
        c1, c2, c3 = min(c + 1, last), min(c + 2, last), min(c + 3, last)
        w0 = strength[c]
        w1 = strength[c1] if c + 1 < stop else zero
        w2 = strength[c2] if c + 2 < stop else zero
        w3 = strength[c3] if c + 3 < stop else zero
        t0, t1, t2, t3 = t - delay[c], t - delay[c1], t - delay[c2], t - delay[c3]
        i0, i1, i2, i3 = source[c], source[c1], source[c2], source[c3]
        if c == start:
            for b in range(size):
                near = w0 * output[t0, i0, b] + w1 * output[t1, i1, b]
                drive[t - 1, j, b] = near + (w2 * output[t2, i2, b] + w3 * output[t3, i3, b])
        else:
            for b in range(size):
                near = w0 * output[t0, i0, b] + w1 * output[t1, i1, b]
                drive[t - 1, j, b] += near + (w2 * output[t2, i2, b] + w3 * output[t3, i3, b])


@jit_internal
def forward(net, batch, rule, strength, stop, threshold):
    """All cycles of a batch whose input neurons are already set: overwrite output and drive of all other neurons.

    strength, stop (n,) and threshold are either the current ones (rows end at their degree) or the slow ones.
    """
    first, code, source, delay = (
        net.table[TableRow.FIRST],
        net.table[TableRow.ACTIVATION],
        net.link[LinkRow.SOURCE],
        net.link[LinkRow.DELAY],
    )
    power, gain, custom, order = net.neuron[NeuronRow.POWER], net.neuron[NeuronRow.GAIN], net.custom, net.order
    output, drive = batch.output, batch.drive
    mean_of_products = rule.aggregation == Aggregation.MEAN
    for t in range(1, output.shape[0]):
        for position in range(order.size):
            j = order[position]
            prime_row(strength, source, delay, first[j], stop[j], output, drive, t, j)
            if mean_of_products and stop[j] > first[j]:
                n = type(power[0])(stop[j] - first[j])
                for b in range(drive.shape[2]):
                    drive[t - 1, j, b] /= n
            if code[j] == ActivationCode.SIGMOID:
                fire_sigmoid(drive, output, t, j, gain[j], threshold[j])
            else:
                fire_other(code[j], drive, output, t, j, power[j], gain[j], threshold[j], custom)


@jit_inline
def form_row(signal, source, delay, start, stop, output, credit, t, j):
    """Add what a batch of errors credit[t, j, :] asks of a row's connections, Σ_b e x, to signal, eight at a time."""
    last = stop - 1
    for c in range(start, stop, 8):
        c1, c2, c3 = min(c + 1, last), min(c + 2, last), min(c + 3, last)
        at0, at1, at2, at3 = t - delay[c], t - delay[c1], t - delay[c2], t - delay[c3]
        if stop - c <= 4:
            s0, s1, s2, s3 = four_dots(
                credit, t, j, output, at0, at1, at2, at3, source[c], source[c1], source[c2], source[c3]
            )
        else:
            c4, c5, c6, c7 = c + 4, min(c + 5, last), min(c + 6, last), min(c + 7, last)
            s0, s1, s2, s3, s4, s5, s6, s7 = eight_dots(
                credit, t, j, output,
                at0, at1, at2, at3, t - delay[c4], t - delay[c5], t - delay[c6], t - delay[c7],
                source[c], source[c1], source[c2], source[c3], source[c4], source[c5], source[c6], source[c7],
            )  # fmt: skip
            signal[c4] += s4
            if c + 5 < stop:
                signal[c5] += s5
            if c + 6 < stop:
                signal[c6] += s6
            if c + 7 < stop:
                signal[c7] += s7
        signal[c] += s0
        if c + 1 < stop:
            signal[c1] += s1
        if c + 2 < stop:
            signal[c2] += s2
        if c + 3 < stop:
            signal[c3] += s3


@jit_inline
def pass_on(strength, source, delay, first, start, stop, credit, t, j, share, uniform, distance, hop):
    """Send a batch of errors credit[t, j, :] down a row's connections: share · error, times strength or alike."""
    for c in range(start, stop):
        back, i = t - delay[c], source[c]
        # Input neurons learn nothing, and nothing happened before the first cycle.
        if back > 0 and first[i + 1] > first[i]:
            part = share if uniform else share * strength[c]
            for b in range(credit.shape[2]):
                credit[back, i, b] += part * credit[t, j, b]
            distance[back, i] = min(distance[back, i], hop)


@jit_internal
def backward(net, batch, scratch, rule, hops):
    """Credit of the output neurons, set beforehand in scratch.credit with distance 0, back through all cycles.

    Leaves what the batch asks of every connection and neuron in scratch.signal and scratch.error, and marks who has
    something to learn in scratch.reached. See `start_credit` for how it must begin.
    """
    first, degree, code = net.table[TableRow.FIRST], net.table[TableRow.DEGREE], net.table[TableRow.ACTIVATION]
    source, delay, strength = net.link[LinkRow.SOURCE], net.link[LinkRow.DELAY], net.connection[ConnectionRow.STRENGTH]
    power, gain, threshold = net.neuron[NeuronRow.POWER], net.neuron[NeuronRow.GAIN], net.neuron[NeuronRow.THRESHOLD]
    order, custom, drive, output = net.order, net.custom, batch.drive, batch.output
    credit, distance, signal = scratch.credit, scratch.distance, scratch.signal
    error, reached = scratch.error, scratch.reached
    real = type(strength[0])
    mean_of_products, uniform = rule.aggregation == Aggregation.MEAN, rule.share == CreditShare.UNIFORM
    for t in range(output.shape[0] - 1, 0, -1):
        for position in range(order.size - 1, -1, -1):
            j = order[position]
            start, stop = first[j], first[j] + degree[j]
            hop = distance[t, j] + 1
            if hop > hops or stop == start:
                continue
            if code[j] == ActivationCode.SIGMOID:
                slope_sigmoid(output, credit, t, j, gain[j])
            else:
                slope_other(code[j], drive, output, credit, t, j, power[j], gain[j], threshold[j], custom)
            reached[j] = 1
            error[j] += total(credit[t, j])
            form_row(signal, source, delay, start, stop, output, credit, t, j)
            n = real(stop - start)
            share = n if rule.credit_gain == 0 else real(rule.credit_gain)
            if mean_of_products:
                share /= n
                shift = n * dot(credit[t, j], drive[t - 1, j])
                for c in range(start, stop):
                    signal[c] -= shift
            if hop < hops:
                share = share / n if uniform else share
                pass_on(strength, source, delay, first, start, stop, credit, t, j, share, uniform, distance, hop)
    if mean_of_products:
        # e (x - Σ w x) / n: divided once, when the signals of all cycles have come together.
        for j in net.order:
            for c in range(first[j], first[j] + degree[j]):
                signal[c] /= real(degree[j])


@jit_internal
def start_credit(outputs, scratch, hops):
    """Clear all credit, with the output neurons of every cycle at distance 0 and all others out of reach."""
    credit, distance, signal, error = scratch.credit, scratch.distance, scratch.signal, scratch.error
    for t in range(credit.shape[0]):
        for j in range(credit.shape[1]):
            distance[t, j] = hops
            for b in range(credit.shape[2]):
                credit[t, j, b] = 0
    for c in range(signal.size):
        signal[c] = 0
    for j in range(error.size):
        error[j] = 0
    for t in range(1, distance.shape[0]):
        for j in outputs:
            distance[t, j] = 0


@jit_internal
def learn(net, batch, scratch, rule, learning_rate, hops, prune_fraction):
    """Credit back, growth, one update of every neuron in reach; then the unread are released and others recruited.

    `forward`, `start_credit` and the rewards come before. learning_rate and prune_fraction replace the rule's.
    """
    backward(net, batch, scratch, rule, hops)
    if rule.growth == Growth.SIGNAL:
        grow_by_signal(net, batch, scratch, rule)
    update_all(net, rule, scratch.reached, scratch.signal, scratch.error, scratch.error, learning_rate, prune_fraction)
    if rule.prune_fraction > 0:
        release_unread(net, rule.mature)
    if rule.recruit_below > 0:
        recruit(net, batch, rule)


@jit_internal
def lay_inputs(inputs, values, output):
    """Lay a batch's outside values (t, i, b) on the input neurons, directly and as complements."""
    direct, complements = inputs[0], inputs[1]
    for t in range(values.shape[0]):
        for k in range(direct.size):
            for b in range(values.shape[2]):
                output[t + 1, direct[k], b] = values[t, k, b]
                if complements[k] >= 0:
                    output[t + 1, complements[k], b] = type(values[t, k, b])(1) - values[t, k, b]


@jit_entry
def recall(net, batch, rule, inputs):
    """Run sequences through the current strengths: inputs (t, i, b); leaves the outputs in the batch."""
    lay_inputs(net.inputs, inputs, batch.output)
    forward(
        net, batch, rule, net.connection[ConnectionRow.STRENGTH], row_ends(net.table), net.neuron[NeuronRow.THRESHOLD]
    )


@jit_entry
def rehearse(net, batch, scratch, rule, inputs, wanted, meaning, sharpness, learning_rate, hops):
    """Rehearse sequences: inputs (t, i, b), and what is wanted of the output neurons in the last r cycles (r, o, b).

    Returns the sum of the sequences' losses before learning, see `reward_outputs`.
    """
    lay_inputs(net.inputs, inputs, batch.output)
    forward(
        net, batch, rule, net.connection[ConnectionRow.STRENGTH], row_ends(net.table), net.neuron[NeuronRow.THRESHOLD]
    )
    start_credit(net.outputs, scratch, hops)
    losses = reward_outputs(net.outputs, batch.output, scratch.credit, wanted, meaning, sharpness)
    learn(net, batch, scratch, rule, learning_rate, hops, rule.prune_fraction)
    return losses
