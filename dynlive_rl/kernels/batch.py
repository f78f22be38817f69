"""A batch of remembered experience at a time: forward, credit and update with the batch as the innermost loop.

The batch comes last in every array, [cycle][neuron][sequence], so that the loops run over it and vectorise for any
graph. Four connections share a loop: that is what makes short batches fast. Row 0 of the cycles is the rest before the first.
"""

from .jit import jit_entry, jit_inline, jit_internal
from .layout import (
    ActivationCode,
    Aggregation,
    ConnectionRow,
    CreditShare,
    Growth,
    LinkRow,
    NeuronRow,
    RowState,
    TableRow,
)
from .losses import reward_outputs
from .numerics import dot, eight_dots, fire, fire_other, fire_sigmoid, four_dots, slope_other, slope_sigmoid, total
from .online import row_ends, write_inputs
from .recruit import recruit, release_unread
from .sparse import OFF, STRETCH, is_long, is_off
from .structure import grow_by_signal
from .update import step_end, update_all


@jit_inline
def prime_row(strength, source, delay, start, stop, state, output, drive, t, j):
    """Sum the sources of neuron j for a batch: drive[t - 1, j, :] = Σ_i w_i x_i, with x_i = output[t - delay, i, :].

    Returns False, and writes nothing, where that is 0 because no source with a strength is on.

    strength, source, delay (c,), of which the slots start to stop are the neuron's connections
    state (n,): which rows are off; output (t + 1, n, b); drive (t, n, b), of which one row is overwritten
    t: the cycle, from 1; j: the neuron

    Short loops cost more to enter than to run, so four connections share one (with more, the compiler gives up on proving
    that they do not overlap); what is missing to a full group is the last connection again, at strength 0.
    """
    size, last, zero = drive.shape[2], stop - 1, strength.dtype.type(0)
    is_first = True
    for c in range(start, stop, 4):
        c1, c2, c3 = min(c + 1, last), min(c + 2, last), min(c + 3, last)
        w0 = strength[c]
        w1 = strength[c1] if c + 1 < stop else zero
        w2 = strength[c2] if c + 2 < stop else zero
        w3 = strength[c3] if c + 3 < stop else zero
        t0, t1, t2, t3 = t - delay[c], t - delay[c1], t - delay[c2], t - delay[c3]
        i0, i1, i2, i3 = source[c], source[c1], source[c2], source[c3]
        is_on = (w0 != zero) & (state[i0] != OFF) | (w1 != zero) & (state[i1] != OFF)
        if not (is_on | (w2 != zero) & (state[i2] != OFF) | (w3 != zero) & (state[i3] != OFF)):
            continue
        if is_first:
            is_first = False
            for b in range(size):
                near = w0 * output[t0, i0, b] + w1 * output[t1, i1, b]
                drive[t - 1, j, b] = near + (w2 * output[t2, i2, b] + w3 * output[t3, i3, b])
        else:
            for b in range(size):
                near = w0 * output[t0, i0, b] + w1 * output[t1, i1, b]
                drive[t - 1, j, b] += near + (w2 * output[t2, i2, b] + w3 * output[t3, i3, b])
    return not is_first


@jit_inline
def prime_long_row(strength, source, delay, start, stop, state, output, drive, t, j):
    """As `prime_row`, where there are many sources of which few may be on: one after another, and stretches passed over."""
    zero, is_first = strength.dtype.type(0), True
    for begin in range(start, stop, STRETCH):
        if is_off(source, state, begin, stop):
            continue
        for c in range(begin, min(begin + STRETCH, stop)):
            w, i, at = strength[c], source[c], t - delay[c]
            if w != zero and state[i] != OFF:
                for b in range(drive.shape[2]):
                    before = zero if is_first else drive[t - 1, j, b]
                    drive[t - 1, j, b] = before + w * output[at, i, b]
                is_first = False
    return not is_first


@jit_inline
def rest(code, state, output, drive, t, j, power, gain, threshold, custom):
    """`fire` a neuron j for a batch without any drive; it is off where its output is 0 and there is one cycle alone.

    state (n,); output (t + 1, n, b); drive (t, n, b); else as in `fire`.
    """
    zero = type(power)(0)
    a = fire(code, zero, power, gain, threshold, custom)
    stays = a == zero and output.shape[0] == 2
    if not (stays and state[j] == OFF):
        for b in range(drive.shape[2]):
            drive[t - 1, j, b] = zero
            output[t, j, b] = a
    state[j] = OFF if stays else RowState.VARIED


@jit_internal
def forward(net, batch, rule, strength, stop, threshold):
    """Run all cycles of a batch whose input neurons are already set: s_j = Σ_i w_i x_i (or their mean), a_j = f(s_j).

    strength (c,), stop (n,), threshold (n,): w, where rows end, and thresholds; either the current ones (rows end at their
    degree) or the targets (whole rows)

    Overwrites batch.output and batch.drive of all neurons but the inputs; a neuron whose sources are off is off too where its
    output for nothing is 0.
    """
    first, code, source, delay = (
        net.table[TableRow.FIRST],
        net.table[TableRow.ACTIVATION],
        net.link[LinkRow.SOURCE],
        net.link[LinkRow.DELAY],
    )
    power, gain, custom, order = net.neuron[NeuronRow.POWER], net.neuron[NeuronRow.GAIN], net.custom, net.order
    output, drive, state = batch.output, batch.drive, batch.state
    mean_of_products = rule.aggregation == Aggregation.MEAN
    for t in range(1, output.shape[0]):
        for position in range(order.size):
            j = order[position]
            if is_long(first[j], stop[j]):
                is_on = prime_long_row(strength, source, delay, first[j], stop[j], state, output, drive, t, j)
            else:
                is_on = prime_row(strength, source, delay, first[j], stop[j], state, output, drive, t, j)
            if not is_on:
                rest(code[j], state, output, drive, t, j, power[j], gain[j], threshold[j], custom)
                continue
            state[j] = RowState.VARIED
            if mean_of_products and stop[j] > first[j]:
                connections = power.dtype.type(stop[j] - first[j])
                for b in range(drive.shape[2]):
                    drive[t - 1, j, b] /= connections
            if code[j] == ActivationCode.SIGMOID:
                fire_sigmoid(drive, output, t, j, gain[j], threshold[j])
            else:
                fire_other(code[j], drive, output, t, j, power[j], gain[j], threshold[j], custom)


@jit_inline
def form_row(signal, source, delay, start, stop, state, output, credit, t, j):
    """Add what a batch of errors asks of the connections of neuron j: signal_i += Σ_b e_j x_i, eight at a time.

    signal, source, delay (c,), of which the slots start to stop are the neuron's; signal is added to
    state (n,): which rows are off; output, credit (t + 1, n, b): credit[t, j, :] is e_j
    t: the cycle; j: the neuron
    """
    last = stop - 1
    for c in range(start, stop, 8):
        c1, c2, c3 = min(c + 1, last), min(c + 2, last), min(c + 3, last)
        c4, c5, c6, c7 = min(c + 4, last), min(c + 5, last), min(c + 6, last), min(c + 7, last)
        is_on = (state[source[c]] != OFF) | (state[source[c1]] != OFF) | (state[source[c2]] != OFF)
        is_on |= (state[source[c3]] != OFF) | (state[source[c4]] != OFF) | (state[source[c5]] != OFF)
        if not (is_on | (state[source[c6]] != OFF) | (state[source[c7]] != OFF)):
            continue
        at0, at1, at2, at3 = t - delay[c], t - delay[c1], t - delay[c2], t - delay[c3]
        if stop - c <= 4:
            s0, s1, s2, s3 = four_dots(
                credit, t, j, output, at0, at1, at2, at3, source[c], source[c1], source[c2], source[c3]
            )
        else:
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
def form_long_row(signal, source, delay, start, stop, state, output, credit, t, j):
    """As `form_row`, where there are many sources of which few may be on: one after another, and stretches passed over."""
    for begin in range(start, stop, STRETCH):
        if not is_off(source, state, begin, stop):
            for c in range(begin, min(begin + STRETCH, stop)):
                if state[source[c]] != OFF:
                    signal[c] += dot(credit[t, j], output[t - delay[c], source[c]])


@jit_inline
def pass_on(strength, source, delay, first, start, stop, credit, t, j, share, uniform, distance, hop):
    """Send a batch of errors back to the sources of neuron j: ρ_i += share · e_j w_i, or share · e_j where uniform.

    strength, source, delay (c,), of which the slots start to stop are the neuron's; first (n + 1,)
    credit (t + 1, n, b): credit[t, j, :] is e_j; added to, in the rows of the sources at their references
    distance (t + 1, n): lowered to `hop`, the connections between a source and the nearest reward, where it was more
    t: the cycle; j: the neuron
    """
    for c in range(start, stop):
        back, i = t - delay[c], source[c]
        # Input neurons learn nothing, and nothing happened before the first cycle.
        if back > 0 and first[i + 1] > first[i]:
            part = share if uniform else share * strength[c]
            for b in range(credit.shape[2]):
                credit[back, i, b] += part * credit[t, j, b]
            distance[back, i] = min(distance[back, i], hop)


@jit_internal
def backward(net, batch, workspace, rule, hops):
    """Send the rewards of a batch back through all cycles: e_j = ρ_j f'(s_j), ρ_i += κ e_j w_i, or κ e_j / n_j in equal shares.

    κ is the rule's credit gain, or n_j where that is 0; divided by n_j where drives are means.

    hops: how many connections rewards travel at most

    `start_credit` and the rewards in workspace.credit come before. Turns workspace.credit into errors in place, and leaves
    Σ_t Σ_b e_j x_i (with means: e_j (x_i - n_j s_j) / n_j) of every connection in workspace.signal, Σ_t Σ_b e_j of every
    neuron in workspace.error, and in workspace.reached who has any.
    """
    first, degree, code = net.table[TableRow.FIRST], net.table[TableRow.DEGREE], net.table[TableRow.ACTIVATION]
    source, delay, strength = net.link[LinkRow.SOURCE], net.link[LinkRow.DELAY], net.connection[ConnectionRow.STRENGTH]
    power, gain, threshold = net.neuron[NeuronRow.POWER], net.neuron[NeuronRow.GAIN], net.neuron[NeuronRow.THRESHOLD]
    order, custom, drive, output = net.order, net.custom, batch.drive, batch.output
    credit, distance, signal = workspace.credit, workspace.distance, workspace.signal
    error, reached = workspace.error, workspace.reached
    real = strength.dtype.type
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
            if is_long(start, stop):
                form_long_row(signal, source, delay, start, stop, batch.state, output, credit, t, j)
            else:
                form_row(signal, source, delay, start, stop, batch.state, output, credit, t, j)
            connections = real(stop - start)
            share = connections if rule.credit_gain == 0 else real(rule.credit_gain)
            if mean_of_products:
                share /= connections
                shift = connections * dot(credit[t, j], drive[t - 1, j])
                for c in range(start, stop):
                    signal[c] -= shift
            if hop < hops:
                share = share / connections if uniform else share
                pass_on(strength, source, delay, first, start, stop, credit, t, j, share, uniform, distance, hop)
    if mean_of_products:
        # e (x - n s) / n: divided once, when the signals of all cycles have come together.
        for j in net.order:
            for c in range(first[j], first[j] + degree[j]):
                signal[c] /= real(degree[j])


@jit_internal
def start_credit(net, workspace, hops):
    """Clear all credit of a batch, with the output neurons of every cycle at distance 0 and all others out of reach.

    Input neurons never get any, and with one hop nobody but the output neurons.

    hops: as in `backward`.
    """
    credit, distance, signal, error = workspace.credit, workspace.distance, workspace.signal, workspace.error
    for j in net.order:
        for t in range(credit.shape[0]):
            distance[t, j] = hops
    for j in net.order if hops > 1 else net.outputs:
        for t in range(credit.shape[0]):
            for b in range(credit.shape[2]):
                credit[t, j, b] = 0
        for c in range(net.table[TableRow.FIRST, j], step_end(net.table, j)):
            signal[c] = 0
        error[j] = 0
    for t in range(1, distance.shape[0]):
        for j in net.outputs:
            distance[t, j] = 0


@jit_internal
def learn(net, batch, workspace, rule, learning_rate, hops, prune_fraction, recruiting):
    """Learn from a batch: `backward`, `grow_by_signal`, `update_all`; then `release_unread` and `recruit`, if the rule does.

    `forward`, `start_credit` and the rewards in workspace.credit come before.

    learning_rate, prune_fraction: instead of the rule's
    hops: how many connections rewards travel at most
    recruiting: None where the rule never recruits: then nothing of it is compiled
    """
    backward(net, batch, workspace, rule, hops)
    if rule.growth == Growth.SIGNAL:
        grow_by_signal(net, batch, workspace, rule)
    signal, error = workspace.signal, workspace.error
    update_all(net, rule, workspace.reached, signal, error, error, learning_rate, prune_fraction)
    if rule.prune_fraction > 0:
        release_unread(net, rule.mature)
    if recruiting is not None:
        recruit(net, batch, rule)


@jit_internal
def run(net, batch, rule, inputs):
    """Run sequences of outside values (t, v, b), already clamped, through the current strengths, see `forward`."""
    for t in range(inputs.shape[0]):
        write_inputs(net.inputs, inputs[t], batch.output[t + 1], False)
    strength, threshold = net.connection[ConnectionRow.STRENGTH], net.neuron[NeuronRow.THRESHOLD]
    forward(net, batch, rule, strength, row_ends(net), threshold)


@jit_entry
def recall(net, batch, rule, inputs):
    """Run sequences through the current strengths, to look only: inputs (t, v, b); leaves the outputs in batch.output."""
    run(net, batch, rule, inputs)


@jit_entry(seconds=7)
def rehearse(net, batch, workspace, rule, inputs, wanted, meaning, sharpness, learning_rate, hops, recruiting):
    """Rehearse sequences: run them, reward the output neurons, and learn; returns the sum of losses before learning.

    inputs (t, v, b): outside values, already clamped
    wanted (≤ t, o, b), meaning, sharpness: of the output neurons in the last cycles, see `reward_outputs`
    learning_rate: instead of the rule's
    hops: how many connections rewards travel at most
    recruiting: as in `learn`
    """
    run(net, batch, rule, inputs)
    start_credit(net, workspace, hops)
    losses = reward_outputs(net.outputs, batch.output, workspace.credit, wanted, meaning, sharpness)
    learn(net, batch, workspace, rule, learning_rate, hops, rule.prune_fraction, recruiting)
    return losses
