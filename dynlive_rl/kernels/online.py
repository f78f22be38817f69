"""One cycle at a time: propagate, send reward back through remembered cycles, and learn live by tags."""

import numpy as np

from .jit import jit_entry, jit_internal
from .layout import ActivationCode, Aggregation, ConnectionRow, CreditShare, LinkRow, NeuronRow, RuleKind, TableRow
from .numerics import bounded, fire, slope, total
from .update import lowest_strength, settle, step_plainly, update_all


@jit_internal
def write_inputs(inputs, values, output, clamped):
    """Lay outside values (i,) on the input neurons, directly and as complements; clamped to [0, 1] where asked."""
    real = type(output[0])
    for k in range(inputs.shape[1]):
        x = min(max(real(values[k]), real(0)), real(1)) if clamped else real(values[k])
        output[inputs[0, k]] = x
        if inputs[1, k] >= 0:
            output[inputs[1, k]] = real(1) - x


@jit_internal
def row_ends(table):
    """Where each neuron's connections end in the flat arrays, (n,)."""
    ends = np.empty(table.shape[1] - 1, np.int64)
    for j in range(ends.size):
        ends[j] = table[TableRow.FIRST, j] + table[TableRow.DEGREE, j]
    return ends


@jit_internal
def fire_layers(net, strength, stop, threshold, aggregation, before, output, drive):
    """Prime and fire every neuron in firing order.

    strength, stop (n,) and threshold are either the current ones (rows end at their degree) or the slow ones (whole
    rows); before and output (n,) are the outputs of the cycle before and of this one.
    """
    first, code, source, delay = (
        net.table[TableRow.FIRST],
        net.table[TableRow.ACTIVATION],
        net.link[LinkRow.SOURCE],
        net.link[LinkRow.DELAY],
    )
    power, gain, custom = net.neuron[NeuronRow.POWER], net.neuron[NeuronRow.GAIN], net.custom
    for j in net.order:
        s = type(output[0])(0)
        for c in range(first[j], stop[j]):
            s += strength[c] * (before[source[c]] if delay[c] else output[source[c]])
        if aggregation == Aggregation.MEAN and stop[j] > first[j]:
            s /= type(s)(stop[j] - first[j])
        drive[j] = s
        output[j] = fire(code[j], s, power[j], gain[j], threshold[j], custom)


@jit_entry
def propagate(net, memory, rule, values):
    """One cycle from outside values of shape (i,), remembered in the next row of the memory."""
    rows = memory.output.shape[0]
    row = memory.cycles[0] % rows
    output = memory.output[row]
    write_inputs(net.inputs, values, output, rule.kind != RuleKind.FREE)
    strength, threshold = net.connection[ConnectionRow.STRENGTH], net.neuron[NeuronRow.THRESHOLD]
    before = memory.output[(row - 1) % rows]
    fire_layers(net, strength, row_ends(net.table), threshold, rule.aggregation, before, output, memory.drive[row])
    memory.cycles[0] += 1


@jit_internal
def spread_credit(net, memory, scratch, rule, rewards, hops, cycle, depth):
    """Send rewards (o,) for `cycle` back through at most `hops` connections and `depth` cycles.

    Afterwards credit[d, j] is the sum of all rewards neuron j got for cycle - d, and distance[d, j] the number of
    connections to the nearest output neuron; a neuron is within reach where distance < hops.
    """
    first, degree, code = net.table[TableRow.FIRST], net.table[TableRow.DEGREE], net.table[TableRow.ACTIVATION]
    source, delay, strength = net.link[LinkRow.SOURCE], net.link[LinkRow.DELAY], net.connection[ConnectionRow.STRENGTH]
    power, gain, threshold = net.neuron[NeuronRow.POWER], net.neuron[NeuronRow.GAIN], net.neuron[NeuronRow.THRESHOLD]
    credit, distance, output, drive = scratch.credit, scratch.distance, memory.output, memory.drive
    real = type(strength[0])
    rows, n = output.shape
    original = rule.kind == RuleKind.ORIGINAL
    uniform = original or rule.share == CreditShare.UNIFORM
    for d in range(depth):
        for j in range(n):
            credit[d, j] = 0
            distance[d, j] = hops
    for k in range(net.outputs.size):
        credit[0, net.outputs[k]] += rewards[k]
        distance[0, net.outputs[k]] = 0
    for d in range(depth):
        row = (cycle - d) % rows
        for position in range(net.order.size - 1, -1, -1):
            j = net.order[position]
            hop = distance[d, j] + 1
            if hop >= hops or degree[j] == 0:
                continue
            connections = real(degree[j])
            share = credit[d, j]
            if not original:
                share *= slope(code[j], drive[row, j], output[row, j], power[j], gain[j], threshold[j], net.custom)
                share *= connections if rule.credit_gain == 0 else real(rule.credit_gain)
                if rule.aggregation == Aggregation.MEAN:
                    share /= connections
            share = bounded(share)
            for c in range(first[j], first[j] + degree[j]):
                back = d + delay[c]
                if back < depth:
                    i = source[c]
                    credit[back, i] += share / connections if uniform else share * strength[c]
                    distance[back, i] = min(distance[back, i], hop)


@jit_internal
def form_signals(net, memory, scratch, rule, hops, cycle, d):
    """Write the signals e x of all connections in reach at cycle - d into the scratch, and e = ρ · slope to error."""
    first, degree, code = net.table[TableRow.FIRST], net.table[TableRow.DEGREE], net.table[TableRow.ACTIVATION]
    source, delay = net.link[LinkRow.SOURCE], net.link[LinkRow.DELAY]
    power, gain, threshold = net.neuron[NeuronRow.POWER], net.neuron[NeuronRow.GAIN], net.neuron[NeuronRow.THRESHOLD]
    output, drives, signal, reached = memory.output, memory.drive, scratch.signal, scratch.reached
    rows = output.shape[0]
    row = (cycle - d) % rows
    before = (row - 1) % rows
    mean_of_products = rule.aggregation == Aggregation.MEAN and rule.kind != RuleKind.ORIGINAL
    for j in net.order:
        reached[j] = scratch.distance[d, j] < hops
        if not reached[j]:
            continue
        start, stop = first[j], first[j] + degree[j]
        drive = drives[row, j]
        e = scratch.credit[d, j]
        if rule.kind != RuleKind.ORIGINAL:
            e *= slope(code[j], drive, output[row, j], power[j], gain[j], threshold[j], net.custom)
        e = bounded(e)
        scratch.error[j] = e
        n = type(e)(stop - start)
        for c in range(start, stop):
            x = output[before, source[c]] if delay[c] else output[row, source[c]]
            # The mean of products divides by n, so Σ w x is n · drive.
            signal[c] = e * (x - n * drive) / n if mean_of_products else e * x
        # Removed since the scratch was last used: free strengths have no floor at 0 that would hold them back.
        for c in range(stop, first[j + 1]):
            signal[c] = 0


@jit_entry
def reinforce(net, memory, scratch, rule, rewards, hops, ago):
    """Reward the output neurons (o,) for the cycle `ago` cycles before the last one; every neuron in reach learns.

    All credit is passed on before the first strength changes, so it is the credit of the strengths as they are.
    """
    cycle = memory.cycles[0] - 1 - ago
    depth = min(hops, memory.output.shape[0] - 1 - ago, cycle + 1)
    spread_credit(net, memory, scratch, rule, rewards, hops, cycle, depth)
    for d in range(depth):
        form_signals(net, memory, scratch, rule, hops, cycle, d)
        update_all(
            net,
            rule,
            scratch.reached,
            scratch.signal,
            scratch.error,
            scratch.credit[d],
            rule.learning_rate,
            rule.prune_fraction,
        )


@jit_entry
def update_traces(net, memory, scratch, rule, rewards, hops, decay):
    """Let every tag fade by `decay` and add what a reward (o,) for the last cycle would ask of each connection now."""
    cycle = memory.cycles[0] - 1
    spread_credit(net, memory, scratch, rule, rewards, hops, cycle, 1)
    form_signals(net, memory, scratch, rule, hops, cycle, 0)
    first, degree, code, signal = (
        net.table[TableRow.FIRST],
        net.table[TableRow.DEGREE],
        net.table[TableRow.ACTIVATION],
        scratch.signal,
    )
    tag, threshold_tag = net.connection[ConnectionRow.TRACE], net.neuron[NeuronRow.THRESHOLD_TRACE]
    fade, least = type(tag[0])(decay), type(tag[0])(1e-15)
    for j in net.order:
        start, stop = first[j], first[j] + degree[j]
        for c in range(start, stop):
            # What has all but faded becomes 0: the smallest numbers there are take a hundred times as long to multiply.
            tag[c] = fade * tag[c] if abs(tag[c]) > least else fade - fade
        threshold_tag[j] *= fade
        if scratch.reached[j] and stop > start:
            centre = (
                fade - fade
                if rule.reserve or rule.kind == RuleKind.FREE
                else total(signal[start:stop]) / type(fade)(stop - start)
            )
            for c in range(start, stop):
                tag[c] += signal[c] - centre
            if ActivationCode.RELU <= code[j] < ActivationCode.CUSTOM:
                threshold_tag[j] -= scratch.error[j]


@jit_entry
def apply_td_error(net, rule, delta, bound):
    """Move every strength and threshold by delta · tag, the step bounded over the whole network.

    step = min(rate, 1 / (bound · max(|delta|, 1) · ‖tags‖₁)), the overshooting bound of Elsayed, Vasan & Mahmood, 2024.
    """
    table, link, connection = net.table, net.link, net.connection
    strength, tag = connection[ConnectionRow.STRENGTH], connection[ConnectionRow.TRACE]
    rates, threshold, threshold_tag = (
        net.neuron[NeuronRow.RATE],
        net.neuron[NeuronRow.THRESHOLD],
        net.neuron[NeuronRow.THRESHOLD_TRACE],
    )
    real = type(strength[0])
    norm = 0.0
    for j in net.order:
        norm += abs(threshold_tag[j])
        for c in range(table[TableRow.FIRST, j], table[TableRow.FIRST, j] + table[TableRow.DEGREE, j]):
            norm += abs(tag[c])
    step = min(rule.learning_rate, 1.0 / (bound * max(abs(delta), 1.0) * max(norm, 1e-12)))
    for j in net.order:
        start = table[TableRow.FIRST, j]
        stop = start + table[TableRow.DEGREE, j]
        pace = step * delta * rates[j]
        threshold[j] += real(pace) * threshold_tag[j]
        if stop > start:
            step_plainly(strength[start:stop], tag[start:stop], pace, lowest_strength(rule))
            settle(table, link, connection, j, rule, rule.prune_fraction)


@jit_entry
def reset(net, memory):
    """Forget all remembered cycles and all tags: the next cycle is the first. Strengths stay."""
    memory.cycles[0] = 0
    memory.output.fill(0)
    memory.drive.fill(0)
    net.connection[ConnectionRow.TRACE].fill(0)
    net.neuron[NeuronRow.THRESHOLD_TRACE].fill(0)
