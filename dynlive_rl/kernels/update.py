"""How neurons learn: step, clip, prune and normalise their strengths; and how connections come and go.

Functions called once per neuron take rows and numbers, not the whole network: handing over a tuple of two dozen arrays
costs more than a row of arithmetic.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, no-any-return"
from math import sqrt

from .arithmetic import inner, random_uniform
from .arrays import ADAM, ORIGINAL, RANDOM


@inner
def swap_slots(net, a, b):
    """Exchange two allowed connections of one row, with everything they remember."""
    net.source[a], net.source[b] = net.source[b], net.source[a]
    net.delay[a], net.delay[b] = net.delay[b], net.delay[a]
    net.strength[a], net.strength[b] = net.strength[b], net.strength[a]
    net.slow_strength[a], net.slow_strength[b] = net.slow_strength[b], net.slow_strength[a]
    net.tag[a], net.tag[b] = net.tag[b], net.tag[a]
    for k in range(2):
        net.moments[k, a], net.moments[k, b] = net.moments[k, b], net.moments[k, a]


@inner
def disconnect(net, neuron, slot):
    """Remove the connection in `slot`: it becomes an allowed source again, and forgets all but how large its signal was."""
    last = net.first[neuron] + net.degree[neuron] - 1
    swap_slots(net, slot, last)
    net.degree[neuron] -= 1
    net.strength[last] = 0
    net.tag[last] = 0
    net.moments[0, last] = 0


@inner
def connect(net, neuron, slot, strength):
    """Form the allowed connection in `slot` with the given strength > 0; the caller normalises the row."""
    target = net.first[neuron] + net.degree[neuron]
    swap_slots(net, slot, target)
    net.degree[neuron] += 1
    net.strength[target] = strength


@inner
def grow_at_random(net, rule, neuron):
    """Bring missing connections back with the rule's probability, at strengths drawn from 0 to its growth strength."""
    real = type(net.strength[0])
    # Slots move to the front as they connect, so the unvisited ones are always behind.
    for slot in range(net.first[neuron] + net.degree[neuron], net.first[neuron + 1]):
        if random_uniform(net.random) < rule.growth_probability:
            connect(net, neuron, slot, real(rule.growth_strength * (1.0 - random_uniform(net.random))))


@inner
def prune(net, neuron, floor, keep):
    """Remove the connections of strength <= floor; where `keep`, the strongest ones stay whatever their strength."""
    start = net.first[neuron]
    strongest = net.strength[start]
    for c in range(start, start + net.degree[neuron]):
        strongest = max(strongest, net.strength[c])
    c = start
    while c < start + net.degree[neuron]:
        w = net.strength[c]
        if w <= floor and not (keep and w == strongest):
            disconnect(net, neuron, c)
        else:
            c += 1


@inner
def weakest(strength):
    """Return the lowest strength of a row."""
    low = strength[0]
    for c in range(strength.size):
        low = min(low, strength[c])
    return low


@inner
def normalise(strength, reserve):
    """Divide a row of strengths by its sum; with a reserve only where the sum is above 1."""
    real = type(strength[0])
    total = real(0)
    for c in range(strength.size):
        total += strength[c]
    if total <= 0:
        # One step took everything: it says nothing about who is better, so the survivors start afresh as equals.
        for c in range(strength.size):
            strength[c] = real(1) / real(strength.size)
    elif not (reserve and total <= 1):
        scale = real(1) / total
        for c in range(strength.size):
            strength[c] *= scale


@inner
def row_mean(signal):
    """Mean of a row's signals: subtracting it projects the signal onto strengths of constant sum."""
    total = type(signal[0])(0)
    for c in range(signal.size):
        total += signal[c]
    return total / type(total)(signal.size)


@inner
def step_plainly(strength, signal, centre, pace):
    """Move a row of strengths by pace · (signal - centre), clipped at 0."""
    real = type(centre)
    for c in range(strength.size):
        strength[c] = max(strength[c] + real(pace) * (signal[c] - centre), real(0))


@inner
def step_by_moments(strength, mean, square, signal, centre, decay1, decay2, pace, correction):
    """Move a row of strengths by Adam's steps (Kingma & Ba, 2015) along signal - centre, clipped at 0."""
    real = type(centre)
    d1, d2, one, zero = real(decay1), real(decay2), real(1), real(0)
    p, k, epsilon = real(pace), real(correction), real(1e-8)
    for c in range(strength.size):
        g = signal[c] - centre
        m = d1 * mean[c] + (one - d1) * g
        v = d2 * square[c] + (one - d2) * g * g
        mean[c] = m
        square[c] = v
        strength[c] = max(strength[c] + p * m / (sqrt(v * k) + epsilon), zero)


@inner
def update_all(net, rule, reached, signal, error, reward, learning_rate):
    """Let every neuron j with reached[j] learn once, in reverse firing order.

    signal (c,) holds Σ e x for each connection, error (n,) holds Σ e and reward (n,) Σ ρ, sums over whatever is learned
    from at once (design: e = ρ · slope). learning_rate replaces the rule's. Clears `reached`.
    """
    first, degree, rates, threshold = net.first, net.degree, net.rate, net.threshold
    strength, mean, square, updates = net.strength, net.moments[0], net.moments[1], net.updates
    has_threshold, threshold_moments = net.has_threshold, net.threshold_moments
    original, adam, reserve = rule.kind == ORIGINAL, rule.step == ADAM, rule.reserve
    real = type(strength[0])
    decay1, decay2 = real(rule.decay1), real(rule.decay2)
    for position in range(net.order.size - 1, -1, -1):
        j = net.order[position]
        if not reached[j]:
            continue
        reached[j] = 0
        start, stop = first[j], first[j] + degree[j]
        if stop == start and not original:
            continue
        updates[j] += 1
        rate = learning_rate * rates[j]
        floor = rule.prune_floor
        if original:
            step_plainly(strength[start:stop], signal[start:stop], real(0), rate)
        else:
            floor = max(floor, rule.prune_fraction / (first[j + 1] - start))
            centre = real(0) if reserve else row_mean(signal[start:stop])
            pace, correction = rate, 1.0
            if adam:
                pace = rate / (1.0 - rule.decay1 ** updates[j])
                correction = 1.0 / (1.0 - rule.decay2 ** updates[j])
                step_by_moments(
                    strength[start:stop],
                    mean[start:stop],
                    square[start:stop],
                    signal[start:stop],
                    centre,
                    decay1,
                    decay2,
                    pace,
                    correction,
                )
            else:
                step_plainly(strength[start:stop], signal[start:stop], centre, rate)
            if has_threshold[j]:
                step = real(rate) * error[j]
                if adam:
                    m = decay1 * threshold_moments[0, j] + (real(1) - decay1) * error[j]
                    v = decay2 * threshold_moments[1, j] + (real(1) - decay2) * error[j] * error[j]
                    threshold_moments[0, j] = m
                    threshold_moments[1, j] = v
                    step = real(pace) * m / (sqrt(v * real(correction)) + real(1e-8))
                threshold[j] -= step
        if stop > start and weakest(strength[start:stop]) <= floor:
            prune(net, j, floor, not (reserve or original))
        if rule.growth == RANDOM and reward[j] < 0:
            grow_at_random(net, rule, j)
        if degree[j] > 0:
            normalise(strength[start : start + degree[j]], reserve)


@inner
def follow_slowly(net, pace):
    """Move the slow strengths and thresholds towards the current ones by a fraction `pace`."""
    follow(net.slow_strength, net.strength, pace)
    follow(net.slow_threshold, net.threshold, pace)


@inner
def follow(slow, current, pace):
    """Move `slow` towards `current` by a fraction `pace`; what has all but faded to 0 becomes 0."""
    real = type(slow[0])
    for c in range(slow.size):
        x = slow[c] + real(pace) * (current[c] - slow[c])
        slow[c] = x if abs(x) > real(1e-9) else real(0)
