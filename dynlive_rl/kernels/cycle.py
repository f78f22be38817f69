"""One cycle at a time: propagate, send reward back through remembered cycles, and learn live by tags."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, no-any-return"
from .arithmetic import compiled, fire, slope
from .arrays import MEAN, ORIGINAL, UNIFORM
from .update import normalise, prune, update_neuron


@compiled
def write_inputs(net, values, output):
    """Clamp outside values (i,) to [0, 1] and lay them on the input neurons, directly and as complements."""
    real = type(output[0])
    for k in range(net.inputs.size):
        x = min(max(real(values[k]), real(0)), real(1))
        output[net.inputs[k]] = x
        if net.complements[k] >= 0:
            output[net.complements[k]] = real(1) - x


@compiled
def fire_layers(net, strength, stop, threshold, aggregation, before, output, drive):
    """Prime and fire every neuron in firing order.

    strength, stop (n,) and threshold are either the current ones (rows end at their degree) or the slow ones (whole
    rows); before and output (n,) are the outputs of the cycle before and of this one.
    """
    for j in net.order:
        s = type(output[0])(0)
        for c in range(net.first[j], stop[j]):
            s += strength[c] * (before[net.source[c]] if net.delay[c] else output[net.source[c]])
        if aggregation == MEAN and stop[j] > net.first[j]:
            s /= type(s)(stop[j] - net.first[j])
        drive[j] = s
        output[j] = fire(net.activation[j], s, net.power[j], net.gain[j], threshold[j], net.custom)


@compiled
def propagate(net, memory, rule, values):
    """One cycle from outside values of shape (i,), remembered in the next row of the memory."""
    rows = memory.output.shape[0]
    row = memory.cycles[0] % rows
    write_inputs(net, values, memory.output[row])
    fire_layers(
        net,
        net.strength,
        net.first[:-1] + net.degree,
        net.threshold,
        rule.aggregation,
        memory.output[(row - 1) % rows],
        memory.output[row],
        memory.drive[row],
    )
    memory.cycles[0] += 1


@compiled
def spread_credit(net, memory, rule, rewards, hops, cycle, depth):
    """Send rewards (o,) for `cycle` back through at most `hops` connections and `depth` cycles.

    Afterwards credit[d, j] is the sum of all rewards neuron j got for cycle - d, and distance[d, j] the number of
    connections to the nearest output neuron; a neuron is within reach where distance < hops.
    """
    rows = memory.output.shape[0]
    for d in range(depth):
        memory.credit[d, :] = 0
        memory.distance[d, :] = hops
    for k in range(net.outputs.size):
        memory.credit[0, net.outputs[k]] += rewards[k]
        memory.distance[0, net.outputs[k]] = 0
    for d in range(depth):
        row = (cycle - d) % rows
        for position in range(net.order.size - 1, -1, -1):
            j = net.order[position]
            hop = memory.distance[d, j] + 1
            degree = net.degree[j]
            if hop >= hops or degree == 0:
                continue
            credit = memory.credit[d, j]
            start = net.first[j]
            share = credit / type(credit)(degree)
            if rule.kind != ORIGINAL:
                gain = type(credit)(degree if rule.credit_gain == 0 else rule.credit_gain)
                if rule.aggregation == MEAN:
                    gain /= type(credit)(degree)
                credit *= gain * slope(
                    net.activation[j],
                    memory.drive[row, j],
                    memory.output[row, j],
                    net.power[j],
                    net.gain[j],
                    net.threshold[j],
                    net.custom,
                )
                share = credit / type(credit)(degree)
            uniform = rule.kind == ORIGINAL or rule.share == UNIFORM
            for c in range(start, start + degree):
                back = d + net.delay[c]
                if back < depth:
                    source = net.source[c]
                    memory.credit[back, source] += share if uniform else credit * net.strength[c]
                    memory.distance[back, source] = min(memory.distance[back, source], hop)


@compiled
def form_signal(net, memory, rule, cycle, d, j):
    """Write the signal of neuron j's connections for cycle - d into memory.signal; returns its error e = ρ slope."""
    rows = memory.output.shape[0]
    row = (cycle - d) % rows
    before = (row - 1) % rows
    start = net.first[j]
    stop = start + net.degree[j]
    drive = memory.drive[row, j]
    e = memory.credit[d, j]
    if rule.kind != ORIGINAL:
        e *= slope(
            net.activation[j], drive, memory.output[row, j], net.power[j], net.gain[j], net.threshold[j], net.custom
        )
    mean_of_products = rule.aggregation == MEAN and rule.kind != ORIGINAL
    scale = type(e)(stop - start) if mean_of_products else type(e)(1)
    for c in range(start, stop):
        x = memory.output[before, net.source[c]] if net.delay[c] else memory.output[row, net.source[c]]
        # The mean of products divides by n, so Σ w x is n · drive.
        memory.signal[c] = e * (x - drive * scale) / scale if mean_of_products else e * x
    return e


@compiled
def reinforce(net, memory, rule, rewards, hops, ago):
    """Reward the output neurons (o,) for the cycle `ago` cycles before the last one, and let every neuron in reach learn.

    All credit is passed on before the first strength changes, so it is the credit of the strengths as they are.
    """
    cycle = memory.cycles[0] - 1 - ago
    depth = min(hops, memory.output.shape[0] - 1 - ago, cycle + 1)
    spread_credit(net, memory, rule, rewards, hops, cycle, depth)
    for d in range(depth):
        for position in range(net.order.size - 1, -1, -1):
            j = net.order[position]
            if memory.distance[d, j] < hops:
                e = form_signal(net, memory, rule, cycle, d, j)
                update_neuron(net, rule, j, memory.signal, e, memory.credit[d, j], rule.learning_rate)


@compiled
def mark(net, memory, rule, rewards, hops, decay):
    """Let every tag fade by `decay` and add what a reward (o,) for the last cycle would ask of each connection now."""
    cycle = memory.cycles[0] - 1
    spread_credit(net, memory, rule, rewards, hops, cycle, 1)
    fade = type(net.strength[0])(decay)
    for j in net.order:
        start = net.first[j]
        stop = start + net.degree[j]
        for c in range(start, stop):
            net.tag[c] *= fade
        net.threshold_tag[j] *= fade
        if memory.distance[0, j] < hops and stop > start:
            e = form_signal(net, memory, rule, cycle, 0, j)
            mean = type(e)(0)
            if not rule.reserve:
                for c in range(start, stop):
                    mean += memory.signal[c]
                mean /= type(e)(stop - start)
            for c in range(start, stop):
                net.tag[c] += memory.signal[c] - mean
            if net.has_threshold[j]:
                net.threshold_tag[j] -= e


@compiled
def surprise(net, rule, delta, bound):
    """Move every strength and threshold by delta · tag, the step bounded over the whole network.

    step = min(rate, 1 / (bound · max(|delta|, 1) · ‖tags‖₁)), the overshooting bound of Elsayed, Vasan & Mahmood (2024).
    """
    real = type(net.strength[0])
    norm = 0.0
    for j in net.order:
        start = net.first[j]
        norm += abs(net.threshold_tag[j])
        for c in range(start, start + net.degree[j]):
            norm += abs(net.tag[c])
    step = min(rule.learning_rate, 1.0 / (bound * max(abs(delta), 1.0) * max(norm, 1e-12)))
    for j in net.order:
        start = net.first[j]
        pace = real(step * delta * net.rate[j])
        for c in range(start, start + net.degree[j]):
            net.strength[c] = max(net.strength[c] + pace * net.tag[c], real(0))
        net.threshold[j] += pace * net.threshold_tag[j]
        if net.degree[j] > 0:
            floor = max(rule.prune_floor, rule.prune_fraction / (net.first[j + 1] - start))
            prune(net, j, floor, not rule.reserve)
            normalise(net, j, rule.reserve)


@compiled
def reset(net, memory):
    """Forget all remembered cycles and all tags: the next cycle is the first. Strengths stay."""
    memory.cycles[0] = 0
    memory.output[:] = 0
    memory.drive[:] = 0
    net.tag[:] = 0
    net.threshold_tag[:] = 0
