"""How one neuron learns: step, clip, prune and normalise its strengths; and how connections come and go."""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, no-any-return"
from math import sqrt

from .arithmetic import compiled, random_integer, random_uniform
from .arrays import ADAM, ORIGINAL


@compiled
def swap_slots(net, a, b):
    """Exchange two allowed connections of one row, with everything they remember."""
    net.source[a], net.source[b] = net.source[b], net.source[a]
    net.delay[a], net.delay[b] = net.delay[b], net.delay[a]
    net.strength[a], net.strength[b] = net.strength[b], net.strength[a]
    net.slow_strength[a], net.slow_strength[b] = net.slow_strength[b], net.slow_strength[a]
    net.tag[a], net.tag[b] = net.tag[b], net.tag[a]
    for k in range(2):
        net.moments[k, a], net.moments[k, b] = net.moments[k, b], net.moments[k, a]


@compiled
def disconnect(net, neuron, slot):
    """Remove the connection in `slot`: it forgets its tag and moments and becomes an allowed source again."""
    last = net.first[neuron] + net.degree[neuron] - 1
    swap_slots(net, slot, last)
    net.degree[neuron] -= 1
    net.strength[last] = 0
    net.tag[last] = 0
    net.moments[0, last] = 0
    net.moments[1, last] = 0


@compiled
def connect(net, neuron, slot, strength):
    """Form the allowed connection in `slot` with the given strength > 0; the caller normalises the row."""
    target = net.first[neuron] + net.degree[neuron]
    swap_slots(net, slot, target)
    net.degree[neuron] += 1
    net.strength[target] = strength


@compiled
def normalise(net, neuron, reserve):
    """Divide a row by its sum; with a reserve only where the sum is above 1."""
    real = type(net.strength[0])
    start = net.first[neuron]
    stop = start + net.degree[neuron]
    total = real(0)
    for c in range(start, stop):
        total += net.strength[c]
    if total <= 0:
        # One step took everything: it says nothing about who is better, so the survivors start afresh as equals.
        for c in range(start, stop):
            net.strength[c] = real(1) / real(stop - start)
    elif not (reserve and total <= 1):
        scale = real(1) / total
        for c in range(start, stop):
            net.strength[c] *= scale


@compiled
def prune(net, neuron, floor, keep):
    """Remove the connections of strength <= floor; where `keep`, the strongest ones stay whatever their strength."""
    start = net.first[neuron]
    stop = start + net.degree[neuron]
    weakest = strongest = net.strength[start]
    for c in range(start, stop):
        weakest = min(weakest, net.strength[c])
        strongest = max(strongest, net.strength[c])
    if weakest > floor:
        return
    c = start
    while c < start + net.degree[neuron]:
        w = net.strength[c]
        if w <= floor and not (keep and w == strongest):
            disconnect(net, neuron, c)
        else:
            c += 1


@compiled
def step_row(net, rule, neuron, signal, rate):
    """Move a row's strengths along the centred signal by plain steps or by Adam's, before clipping."""
    real = type(net.strength[0])
    start = net.first[neuron]
    stop = start + net.degree[neuron]
    mean = real(0)
    if not rule.reserve:
        for c in range(start, stop):
            mean += signal[c]
        mean /= real(stop - start)
    if rule.step == ADAM:
        decay1, decay2, one = real(rule.decay1), real(rule.decay2), real(1)
        count = net.updates[neuron]
        scale1 = real(rate / (1.0 - rule.decay1**count))
        scale2 = real(1.0 / (1.0 - rule.decay2**count))
        epsilon = real(1e-8)
        for c in range(start, stop):
            g = signal[c] - mean
            m = decay1 * net.moments[0, c] + (one - decay1) * g
            v = decay2 * net.moments[1, c] + (one - decay2) * g * g
            net.moments[0, c] = m
            net.moments[1, c] = v
            net.strength[c] = max(net.strength[c] + scale1 * m / (sqrt(v * scale2) + epsilon), real(0))
    else:
        pace = real(rate)
        for c in range(start, stop):
            net.strength[c] = max(net.strength[c] + pace * (signal[c] - mean), real(0))


@compiled
def step_threshold(net, rule, neuron, signal, rate):
    """Move a neuron's threshold against the signal."""
    real = type(net.strength[0])
    if rule.step == ADAM:
        count = net.updates[neuron]
        m = real(rule.decay1) * net.threshold_moments[0, neuron] + real(1.0 - rule.decay1) * signal
        v = real(rule.decay2) * net.threshold_moments[1, neuron] + real(1.0 - rule.decay2) * signal * signal
        net.threshold_moments[0, neuron] = m
        net.threshold_moments[1, neuron] = v
        scale = real(rate / (1.0 - rule.decay1**count))
        net.threshold[neuron] -= scale * m / (sqrt(v * real(1.0 / (1.0 - rule.decay2**count))) + real(1e-8))
    else:
        net.threshold[neuron] -= real(rate) * signal


@compiled
def update_neuron(net, rule, neuron, signal, threshold_signal, reward, learning_rate):
    """Let one neuron learn, once.

    signal (c,) holds Σ e x for each of its connections and threshold_signal Σ e (design: e = reward · slope); reward is
    what the neuron itself was given, and only the original rule looks at it. learning_rate replaces the rule's.
    """
    start = net.first[neuron]
    degree = net.degree[neuron]
    allowed = net.first[neuron + 1] - start
    if degree == 0 and rule.kind != ORIGINAL:
        return
    net.updates[neuron] += 1
    rate = learning_rate * net.rate[neuron]
    if rule.kind == ORIGINAL:
        real = type(net.strength[0])
        for c in range(start, start + degree):
            net.strength[c] = max(net.strength[c] + real(rate) * signal[c], real(0))
        if degree > 0:
            prune(net, neuron, rule.prune_floor, False)
        if reward < 0:
            grow_at_random(net, rule, neuron)
    else:
        step_row(net, rule, neuron, signal, rate)
        if net.has_threshold[neuron]:
            step_threshold(net, rule, neuron, threshold_signal, rate)
        prune(net, neuron, max(rule.prune_floor, rule.prune_fraction / allowed), not rule.reserve)
    normalise(net, neuron, rule.reserve)


@compiled
def grow_at_random(net, rule, neuron):
    """Bring each missing connection back with the rule's probability, at a strength drawn from 0 to its growth strength."""
    real = type(net.strength[0])
    # Slots move to the front as they connect, so the unvisited ones are always behind.
    for slot in range(net.first[neuron] + net.degree[neuron], net.first[neuron + 1]):
        if random_uniform(net.random) < rule.growth_probability:
            connect(net, neuron, slot, real(rule.growth_strength * (1.0 - random_uniform(net.random))))


@compiled
def random_slot(net, neuron):
    """Slot of a random unconnected allowed source, or -1 if there is none."""
    free = net.first[neuron] + net.degree[neuron]
    missing = net.first[neuron + 1] - free
    return free + random_integer(net.random, missing) if missing > 0 else -1


@compiled
def follow_slowly(net, pace):
    """Move the slow strengths and thresholds towards the current ones by a fraction `pace`."""
    real = type(net.strength[0])
    for j in net.order:
        start = net.first[j]
        for c in range(start, net.first[j + 1]):
            net.slow_strength[c] += real(pace) * (net.strength[c] - net.slow_strength[c])
        net.slow_threshold[j] += real(pace) * (net.threshold[j] - net.slow_threshold[j])
