"""One cycle at a time: propagate, send reward back through remembered cycles, and learn live by tags."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, no-any-return"
import numpy as np

from .arithmetic import bounded, compiled, fire, inner, slope
from .arrays import MEAN, ORIGINAL, UNIFORM
from .update import normalise, prune, row_mean, step_plainly, update_all, weakest


@inner
def write_inputs(net, values, output):
    """Clamp outside values (i,) to [0, 1] and lay them on the input neurons, directly and as complements."""
    real = type(output[0])
    for k in range(net.inputs.size):
        x = min(max(real(values[k]), real(0)), real(1))
        output[net.inputs[k]] = x
        if net.complements[k] >= 0:
            output[net.complements[k]] = real(1) - x


@inner
def row_ends(net):
    """Where each neuron's connections end in the flat arrays, (n,)."""
    ends = np.empty(net.degree.size, np.int64)
    for j in range(ends.size):
        ends[j] = net.first[j] + net.degree[j]
    return ends


@inner
def fire_layers(net, strength, stop, threshold, aggregation, before, output, drive):
    """Prime and fire every neuron in firing order.

    strength, stop (n,) and threshold are either the current ones (rows end at their degree) or the slow ones (whole
    rows); before and output (n,) are the outputs of the cycle before and of this one.
    """
    first, source, delay = net.first, net.source, net.delay
    code, power, gain, custom = net.activation, net.power, net.gain, net.custom
    for j in net.order:
        s = type(output[0])(0)
        for c in range(first[j], stop[j]):
            s += strength[c] * (before[source[c]] if delay[c] else output[source[c]])
        if aggregation == MEAN and stop[j] > first[j]:
            s /= type(s)(stop[j] - first[j])
        drive[j] = s
        output[j] = fire(code[j], s, power[j], gain[j], threshold[j], custom)


@compiled
def propagate(net, memory, rule, values):
    """One cycle from outside values of shape (i,), remembered in the next row of the memory."""
    rows = memory.output.shape[0]
    row = memory.cycles[0] % rows
    write_inputs(net, values, memory.output[row])
    fire_layers(
        net,
        net.strength,
        row_ends(net),
        net.threshold,
        rule.aggregation,
        memory.output[(row - 1) % rows],
        memory.output[row],
        memory.drive[row],
    )
    memory.cycles[0] += 1


@inner
def spread_credit(net, memory, rule, rewards, hops, cycle, depth):
    """Send rewards (o,) for `cycle` back through at most `hops` connections and `depth` cycles.

    Afterwards credit[d, j] is the sum of all rewards neuron j got for cycle - d, and distance[d, j] the number of
    connections to the nearest output neuron; a neuron is within reach where distance < hops.
    """
    first, degree, source, delay, strength = net.first, net.degree, net.source, net.delay, net.strength
    credit, distance = memory.credit, memory.distance
    real = type(strength[0])
    rows = memory.output.shape[0]
    original = rule.kind == ORIGINAL
    uniform = original or rule.share == UNIFORM
    for d in range(depth):
        for j in range(degree.size):
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
            n = real(degree[j])
            if hop >= hops or degree[j] == 0:
                continue
            share = credit[d, j]
            if not original:
                share *= slope(
                    net.activation[j],
                    memory.drive[row, j],
                    memory.output[row, j],
                    net.power[j],
                    net.gain[j],
                    net.threshold[j],
                    net.custom,
                )
                share *= n if rule.credit_gain == 0 else real(rule.credit_gain)
                if rule.aggregation == MEAN:
                    share /= n
            share = bounded(share)
            for c in range(first[j], first[j] + degree[j]):
                back = d + delay[c]
                if back < depth:
                    i = source[c]
                    credit[back, i] += share / n if uniform else share * strength[c]
                    distance[back, i] = min(distance[back, i], hop)


@inner
def form_signals(net, memory, rule, hops, cycle, d):
    """Write the signals e x of all connections in reach at cycle - d into memory.signal, and e = ρ · slope to error."""
    first, degree, source, delay = net.first, net.degree, net.source, net.delay
    output, signal, reached = memory.output, memory.signal, memory.reached
    rows = output.shape[0]
    row = (cycle - d) % rows
    before = (row - 1) % rows
    mean_of_products = rule.aggregation == MEAN and rule.kind != ORIGINAL
    for j in net.order:
        reached[j] = memory.distance[d, j] < hops
        if not reached[j]:
            continue
        start, stop = first[j], first[j] + degree[j]
        drive = memory.drive[row, j]
        e = memory.credit[d, j]
        if rule.kind != ORIGINAL:
            e *= slope(
                net.activation[j], drive, output[row, j], net.power[j], net.gain[j], net.threshold[j], net.custom
            )
        e = bounded(e)
        memory.error[j] = e
        n = type(e)(stop - start)
        for c in range(start, stop):
            x = output[before, source[c]] if delay[c] else output[row, source[c]]
            # The mean of products divides by n, so Σ w x is n · drive.
            signal[c] = e * (x - n * drive) / n if mean_of_products else e * x


@compiled
def reinforce(net, memory, rule, rewards, hops, ago):
    """Reward the output neurons (o,) for the cycle `ago` cycles before the last one; every neuron in reach learns.

    All credit is passed on before the first strength changes, so it is the credit of the strengths as they are.
    """
    cycle = memory.cycles[0] - 1 - ago
    depth = min(hops, memory.output.shape[0] - 1 - ago, cycle + 1)
    spread_credit(net, memory, rule, rewards, hops, cycle, depth)
    for d in range(depth):
        form_signals(net, memory, rule, hops, cycle, d)
        update_all(net, rule, memory.reached, memory.signal, memory.error, memory.credit[d], rule.learning_rate)


@compiled
def mark(net, memory, rule, rewards, hops, decay):
    """Let every tag fade by `decay` and add what a reward (o,) for the last cycle would ask of each connection now."""
    cycle = memory.cycles[0] - 1
    spread_credit(net, memory, rule, rewards, hops, cycle, 1)
    form_signals(net, memory, rule, hops, cycle, 0)
    first, degree, tag, threshold_tag, signal = net.first, net.degree, net.tag, net.threshold_tag, memory.signal
    fade = type(tag[0])(decay)
    for j in net.order:
        start, stop = first[j], first[j] + degree[j]
        for c in range(start, stop):
            tag[c] *= fade
        threshold_tag[j] *= fade
        if memory.reached[j] and stop > start:
            centre = fade - fade if rule.reserve else row_mean(signal[start:stop])
            for c in range(start, stop):
                tag[c] += signal[c] - centre
            if net.has_threshold[j]:
                threshold_tag[j] -= memory.error[j]


@compiled
def surprise(net, rule, delta, bound):
    """Move every strength and threshold by delta · tag, the step bounded over the whole network.

    step = min(rate, 1 / (bound · max(|delta|, 1) · ‖tags‖₁)), the overshooting bound of Elsayed, Vasan & Mahmood (2024).
    """
    first, degree, strength, tag, rates = net.first, net.degree, net.strength, net.tag, net.rate
    threshold, threshold_tag = net.threshold, net.threshold_tag
    real = type(strength[0])
    norm = 0.0
    for j in net.order:
        norm += abs(threshold_tag[j])
        for c in range(first[j], first[j] + degree[j]):
            norm += abs(tag[c])
    step = min(rule.learning_rate, 1.0 / (bound * max(abs(delta), 1.0) * max(norm, 1e-12)))
    for j in net.order:
        start, stop = first[j], first[j] + degree[j]
        pace = step * delta * rates[j]
        threshold[j] += real(pace) * threshold_tag[j]
        if stop > start:
            step_plainly(strength[start:stop], tag[start:stop], real(0), pace)
            floor = max(rule.prune_floor, rule.prune_fraction / (first[j + 1] - start))
            if weakest(strength[start:stop]) <= floor:
                prune(net, j, floor, not rule.reserve)
            if degree[j] > 0:
                normalise(strength[start : start + degree[j]], rule.reserve)


@compiled
def reset(net, memory):
    """Forget all remembered cycles and all tags: the next cycle is the first. Strengths stay."""
    memory.cycles[0] = 0
    memory.output.fill(0)
    memory.drive.fill(0)
    net.tag.fill(0)
    net.threshold_tag.fill(0)
