"""One cycle at a time: propagate, send reward back through remembered cycles, and learn live by eligibility traces."""

import numpy as np

from .jit import jit_entry, jit_inline, jit_internal
from .layout import ActivationCode, Aggregation, ConnectionRow, CreditShare, LinkRow, NeuronRow, RuleKind, TableRow
from .numerics import bounded, fire, slope, total
from .update import lowest_strength, prune_and_normalise, step_plainly, update_all


@jit_inline
def write_inputs(inputs, values, output, clamped):
    """Write outside values x to the outputs of the input neurons, and 1 - x to those of their complements.

    inputs (2, v): ids of the input neurons, and of the complements (-1: none)
    values (v, b): x, of a batch or of one cycle (b = 1)
    output (n, b): overwritten where the input neurons are
    clamped: whether to clamp x to [0, 1]
    """
    real = output.dtype.type
    for k in range(inputs.shape[1]):
        direct, complement = inputs[0, k], inputs[1, k]
        for b in range(values.shape[1]):
            x = min(max(real(values[k, b]), real(0)), real(1)) if clamped else real(values[k, b])
            output[direct, b] = x
            if complement >= 0:
                output[complement, b] = real(1) - x


@jit_internal
def row_ends(net):
    """Where each neuron's connections end in the arrays of connections, first + degree: (n,), of all but the input neurons."""
    ends = np.empty(net.table.shape[1] - 1, np.int64)
    for j in net.order:
        ends[j] = net.table[TableRow.FIRST, j] + net.table[TableRow.DEGREE, j]
    return ends


@jit_internal
def fire_layers(net, strength, stop, threshold, aggregation, before, output, drive):
    """Prime and fire every neuron in firing order: s_j = Σ_i w_i x_i, or that divided by n_j; a_j = f(s_j).

    strength (c,), stop (n,), threshold (n,): w, where rows end, and thresholds; either the current ones (rows end at their
    degree) or the targets (whole rows)
    aggregation: an `Aggregation`, sum or mean
    before (n,): outputs of the cycle before, which sources with a delay are read in
    output (n,): outputs of this cycle; those of the input neurons are read, all others overwritten
    drive (n,): s, overwritten
    """
    first, code, source, delay = (
        net.table[TableRow.FIRST],
        net.table[TableRow.ACTIVATION],
        net.link[LinkRow.SOURCE],
        net.link[LinkRow.DELAY],
    )
    power, gain, custom = net.neuron[NeuronRow.POWER], net.neuron[NeuronRow.GAIN], net.custom
    for j in net.order:
        s = output.dtype.type(0)
        for c in range(first[j], stop[j]):
            s += strength[c] * (before[source[c]] if delay[c] else output[source[c]])
        if aggregation == Aggregation.MEAN and stop[j] > first[j]:
            s /= type(s)(stop[j] - first[j])
        drive[j] = s
        output[j] = fire(code[j], s, power[j], gain[j], threshold[j], custom)


@jit_internal
def run_cycle(net, memory, rule, values):
    """Run one cycle from outside values (v,), and remember it in the next row of the memory; clamped unless free."""
    rows = memory.output.shape[0]
    row = memory.cycles[0] % rows
    output = memory.output[row]
    write_inputs(net.inputs, values[:, None], output[:, None], rule.kind != RuleKind.FREE)
    strength, threshold = net.connection[ConnectionRow.STRENGTH], net.neuron[NeuronRow.THRESHOLD]
    before = memory.output[(row - 1) % rows]
    fire_layers(net, strength, row_ends(net), threshold, rule.aggregation, before, output, memory.drive[row])
    memory.cycles[0] += 1


@jit_entry
def propagate(net, memory, rule, values):
    """Run one cycle, see `run_cycle`."""
    run_cycle(net, memory, rule, values)


@jit_internal
def spread_credit(net, memory, workspace, rule, rewards, hops, cycle, depth):
    """Send rewards for one cycle back to everyone who contributed: ρ_i += κ e_j w_i, or κ e_j / n_j in equal shares.

    The original rule sends ρ_j / n_j instead. κ is the rule's credit gain, or n_j where that is 0; divided by n_j where drives
    are means.

    rewards (o,): of the output neurons, for cycle number `cycle`
    hops: how many connections they travel at most
    depth: how many cycles they travel back at most, this one included; 1 ≤ depth ≤ m

    Afterwards, for each number `past` < depth of cycles before that one, workspace.credit[past, j] is ρ_j, and
    workspace.distance[past, j] the number of connections to the nearest output neuron: j is within reach where it is
    below `hops`.
    """
    first, degree, code = net.table[TableRow.FIRST], net.table[TableRow.DEGREE], net.table[TableRow.ACTIVATION]
    source, delay, strength = net.link[LinkRow.SOURCE], net.link[LinkRow.DELAY], net.connection[ConnectionRow.STRENGTH]
    power, gain, threshold = net.neuron[NeuronRow.POWER], net.neuron[NeuronRow.GAIN], net.neuron[NeuronRow.THRESHOLD]
    credit, distance, output, drive = workspace.credit, workspace.distance, memory.output, memory.drive
    real = strength.dtype.type
    rows, n = output.shape
    original = rule.kind == RuleKind.ORIGINAL
    uniform = original or rule.share == CreditShare.UNIFORM
    for past in range(depth):
        for j in range(n):
            credit[past, j] = 0
            distance[past, j] = hops
    for o in range(net.outputs.size):
        credit[0, net.outputs[o]] += rewards[o]
        distance[0, net.outputs[o]] = 0
    for past in range(depth):
        row = (cycle - past) % rows
        for position in range(net.order.size - 1, -1, -1):
            j = net.order[position]
            hop = distance[past, j] + 1
            if hop >= hops or degree[j] == 0:
                continue
            connections = real(degree[j])
            share = credit[past, j]
            if not original:
                share *= slope(code[j], drive[row, j], output[row, j], power[j], gain[j], threshold[j], net.custom)
                share *= connections if rule.credit_gain == 0 else real(rule.credit_gain)
                if rule.aggregation == Aggregation.MEAN:
                    share /= connections
            share = bounded(share)
            for c in range(first[j], first[j] + degree[j]):
                then = past + delay[c]
                if then < depth:
                    i = source[c]
                    credit[then, i] += share / connections if uniform else share * strength[c]
                    distance[then, i] = min(distance[then, i], hop)


@jit_internal
def form_signals(net, memory, workspace, rule, hops, cycle, past):
    """Form what credit asks of every neuron in reach in one cycle: e_j = ρ_j f'(s_j), and e_j x_i of its connections.

    With drives that are means, e_j (x_i - n_j s_j) / n_j; the original rule has e_j = ρ_j.

    hops: as for `spread_credit`, which comes before
    cycle, past: the cycle is number cycle - past

    Overwrites workspace.signal, error and reached for these neurons, and reached for all.
    """
    first, degree, code = net.table[TableRow.FIRST], net.table[TableRow.DEGREE], net.table[TableRow.ACTIVATION]
    source, delay = net.link[LinkRow.SOURCE], net.link[LinkRow.DELAY]
    power, gain, threshold = net.neuron[NeuronRow.POWER], net.neuron[NeuronRow.GAIN], net.neuron[NeuronRow.THRESHOLD]
    output, drives, signal, reached = memory.output, memory.drive, workspace.signal, workspace.reached
    rows = output.shape[0]
    row = (cycle - past) % rows
    before = (row - 1) % rows
    mean_of_products = rule.aggregation == Aggregation.MEAN and rule.kind != RuleKind.ORIGINAL
    for j in net.order:
        reached[j] = workspace.distance[past, j] < hops
        if not reached[j]:
            continue
        start, stop = first[j], first[j] + degree[j]
        drive = drives[row, j]
        e = workspace.credit[past, j]
        if rule.kind != RuleKind.ORIGINAL:
            e *= slope(code[j], drive, output[row, j], power[j], gain[j], threshold[j], net.custom)
        e = bounded(e)
        workspace.error[j] = e
        connections = type(e)(stop - start)
        for c in range(start, stop):
            x = output[before, source[c]] if delay[c] else output[row, source[c]]
            # The mean of products divides by n, so Σ w x is n · drive.
            signal[c] = e * (x - connections * drive) / connections if mean_of_products else e * x
        # Removed since the workspace was last used: free strengths have no floor at 0 that would hold them back.
        for c in range(stop, first[j + 1]):
            signal[c] = 0


@jit_entry(seconds=3)
def reinforce(net, memory, workspace, rule, rewards, hops, ago):
    """Reward the output neurons for one remembered cycle; every neuron in reach learns, see `update_all`.

    All credit is passed on before the first strength changes, so it is the credit of the strengths as they are.

    rewards (o,): of the output neurons
    hops: how many connections they travel at most
    ago: for the cycle so many before the last one, < m
    """
    cycle = memory.cycles[0] - 1 - ago
    depth = min(hops, memory.output.shape[0] - 1 - ago, cycle + 1)
    spread_credit(net, memory, workspace, rule, rewards, hops, cycle, depth)
    for past in range(depth):
        form_signals(net, memory, workspace, rule, hops, cycle, past)
        update_all(
            net,
            rule,
            workspace.reached,
            workspace.signal,
            workspace.error,
            workspace.credit[past],
            rule.learning_rate,
            rule.prune_fraction,
        )


@jit_entry
def update_traces(net, memory, workspace, rule, rewards, hops, decay):
    """Renew the eligibility traces z of all strengths and thresholds: z ← decay · z + g, for the last cycle.

    g = e x_i - mean_i(e x_i) over a neuron's connections, not centred with a reserve or free strengths; -e for the
    threshold.

    rewards (o,): ρ of the output neurons; it travels at most `hops` connections, within the last cycle
    decay: what is left of the traces so far, in [0, 1]; discount · λ
    """
    cycle = memory.cycles[0] - 1
    spread_credit(net, memory, workspace, rule, rewards, hops, cycle, 1)
    form_signals(net, memory, workspace, rule, hops, cycle, 0)
    first, degree, code, signal = (
        net.table[TableRow.FIRST],
        net.table[TableRow.DEGREE],
        net.table[TableRow.ACTIVATION],
        workspace.signal,
    )
    trace, threshold_trace = net.connection[ConnectionRow.TRACE], net.neuron[NeuronRow.THRESHOLD_TRACE]
    fade, least = trace.dtype.type(decay), trace.dtype.type(1e-15)
    for j in net.order:
        start, stop = first[j], first[j] + degree[j]
        for c in range(start, stop):
            # What has all but faded becomes 0: the smallest numbers there are take a hundred times as long to multiply.
            trace[c] = fade * trace[c] if abs(trace[c]) > least else fade - fade
        threshold_trace[j] *= fade
        if workspace.reached[j] and stop > start:
            centre = (
                fade - fade
                if rule.reserve or rule.kind == RuleKind.FREE
                else total(signal[start:stop]) / type(fade)(stop - start)
            )
            for c in range(start, stop):
                trace[c] += signal[c] - centre
            if ActivationCode.RELU <= code[j] < ActivationCode.CUSTOM:
                threshold_trace[j] -= workspace.error[j]


@jit_entry
def apply_td_error(net, rule, delta, bound):
    """Move every strength and threshold along its eligibility trace z: w ← w + step · delta · rate_j · z.

    step = min(learning rate, 1 / (bound · max(|delta|, 1) · ‖z‖₁)), the norm over the whole network: the overshooting bound
    of Elsayed, Vasan & Mahmood, 2024. Then clipped, pruned and normalised as ever.

    delta: the temporal-difference error, or another surprise
    bound: > 0
    """
    table, link, connection = net.table, net.link, net.connection
    strength, trace = connection[ConnectionRow.STRENGTH], connection[ConnectionRow.TRACE]
    rates, threshold, threshold_trace = (
        net.neuron[NeuronRow.RATE],
        net.neuron[NeuronRow.THRESHOLD],
        net.neuron[NeuronRow.THRESHOLD_TRACE],
    )
    real = strength.dtype.type
    norm = 0.0
    for j in net.order:
        norm += abs(threshold_trace[j])
        for c in range(table[TableRow.FIRST, j], table[TableRow.FIRST, j] + table[TableRow.DEGREE, j]):
            norm += abs(trace[c])
    step = min(rule.learning_rate, 1.0 / (bound * max(abs(delta), 1.0) * max(norm, 1e-12)))
    for j in net.order:
        start = table[TableRow.FIRST, j]
        stop = start + table[TableRow.DEGREE, j]
        pace = step * delta * rates[j]
        threshold[j] += real(pace) * threshold_trace[j]
        if stop > start:
            step_plainly(strength[start:stop], trace[start:stop], pace, lowest_strength(rule))
            prune_and_normalise(table, link, connection, j, rule, rule.prune_fraction)


@jit_entry
def reset(net, memory):
    """Forget all remembered cycles and all traces: the next cycle is the first. Strengths stay."""
    memory.cycles[0] = 0
    memory.output.fill(0)
    memory.drive.fill(0)
    net.connection[ConnectionRow.TRACE].fill(0)
    net.neuron[NeuronRow.THRESHOLD_TRACE].fill(0)
