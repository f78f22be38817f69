"""The network once more, slow and obvious: plain floats, dictionaries and lists, written from the equations.

A neuron-cycle (j, t) is what neuron j did in cycle t. Its sources are neuron-cycles too: (i, t) where i is an input or
in an earlier layer, otherwise (i, t - 1).
"""

from collections import deque
from dataclasses import dataclass, field
from math import exp, sqrt


def logistic(x):
    return 1 / (1 + exp(-x)) if x > -700 else 0.0


@dataclass
class NaiveNeuron:
    activation: str
    power: float
    gain: float
    rate: float
    threshold: float
    allowed: set
    strengths: dict  # source -> strength > 0
    free: bool
    lag: dict  # source -> 0: read in the same cycle, 1: in the cycle before
    updates: int = 0
    moments: dict = field(default_factory=dict)  # source -> (mean, mean square)
    threshold_moments: tuple = (0.0, 0.0)
    tags: dict = field(default_factory=dict)
    threshold_tag: float = 0.0

    @property
    def has_threshold(self):
        return self.activation in ("relu", "sigmoid") or self.free


class NaiveNetwork:
    """A copy of a Network; `own` maps the names of registered activations to (function, derivative)."""

    def __init__(self, net, own=None):
        self.rule = net.rule
        self.own = own or {}
        self.memory = net.memory.output.shape[0] - 1
        self.inputs = [int(i) for i in net.arrays.inputs[0]]
        self.complements = [int(i) for i in net.arrays.inputs[1]]
        self.outputs = list(net.output_ids)
        self.order = [j for layer in net.layers if layer.kind != "input" for j in layer.ids]
        self.neurons = {}
        place = {j: number for number, layer in enumerate(net.layers) for j in layer.ids}
        input_ids = {j for layer in net.layers if layer.kind == "input" for j in layer.ids}
        for layer in net.layers:
            for j in layer.ids if layer.kind != "input" else ():
                allowed = {int(i) for i in net.allowed(j)}
                self.neurons[j] = NaiveNeuron(
                    activation=layer.activation,
                    power=float(net.arrays.power[j]),
                    gain=float(net.arrays.gain[j]),
                    rate=float(net.arrays.rate[j]),
                    threshold=net.threshold(j),
                    free=net.rule.constraint == "free",
                    allowed=allowed,
                    strengths={int(i): float(w) for i, w in zip(net.sources(j), net.strengths(j), strict=True)},
                    lag={i: 0 if i in input_ids or place[i] < place[j] else 1 for i in allowed},
                )
        self.reset()

    def reset(self):
        self.history = []  # one dictionary per cycle: neuron -> (drive, output)
        for neuron in self.neurons.values():
            neuron.tags, neuron.threshold_tag = {}, 0.0

    # -- forward -----------------------------------------------------------------------------------------------------

    def propagate(self, inputs):
        self._run(self.history, inputs)
        return [self.history[-1][k][1] for k in self.outputs]

    def _run(self, history, inputs):
        now = {}
        for x, direct, complement in zip(inputs, self.inputs, self.complements, strict=True):
            x = float(x) if self.rule.constraint == "free" else min(max(float(x), 0.0), 1.0)
            now[direct] = (None, x)
            if complement >= 0:
                now[complement] = (None, 1 - x)
        history.append(now)
        for j in self.order:
            neuron = self.neurons[j]
            products = [w * self._seen(history, len(history) - 1, j, i) for i, w in neuron.strengths.items()]
            drive = sum(products)
            if self.rule.aggregation == "mean" and products:
                drive /= len(products)
            now[j] = (drive, self._fire(neuron, drive))

    def _seen(self, history, t, j, i):
        """Output of source i as neuron j read it in cycle t."""
        t -= self.neurons[j].lag[i]
        return history[t][i][1] if t >= 0 else 0.0

    def _fire(self, neuron, s):
        name = neuron.activation
        if name == "sigmoid":
            return logistic(neuron.gain * (s - neuron.threshold))
        if neuron.free:
            a = neuron.gain * (s - neuron.threshold)
            return a if name == "identity" else max(a, 0.0)
        if name == "relu":
            a = neuron.gain * (s - neuron.threshold)
        elif name == "identity":
            a = s
        elif name in ("square", "power"):
            a = s**neuron.power
        else:
            a = self.own[name][0](s)
        return min(max(a, 0.0), 1.0)

    def _slope(self, neuron, s, a):
        """da/ds of a neuron-cycle with drive s and output a."""
        name = neuron.activation
        if name == "sigmoid":
            return neuron.gain * a * (1 - a)
        if neuron.free:
            return neuron.gain if name == "identity" or a > 0 else 0.0
        if name == "relu":
            return neuron.gain if 0 < a < 1 else 0.0
        if name == "identity":
            return 1.0
        if name in ("square", "power"):
            return neuron.power * s ** (neuron.power - 1)
        return self.own[name][1](s)

    # -- credit ------------------------------------------------------------------------------------------------------

    def _sources(self, j, t):
        return [((i, t - self.neurons[j].lag[i]), w) for i, w in self.neurons[j].strengths.items()]

    def _distances(self, starts, oldest, hops):
        """Connections from the nearest start to every neuron-cycle within reach: breadth first."""
        distance = dict.fromkeys(starts, 0)
        waiting = deque(starts)
        while waiting:
            j, t = waiting.popleft()
            for (i, back), _ in self._sources(j, t):
                near = distance[j, t] + 1
                if i in self.neurons and back >= oldest and near < hops and (i, back) not in distance:
                    distance[i, back] = near
                    waiting.append((i, back))
        return distance

    def _credit(self, history, rewards, oldest, hops):
        """Reward of every neuron-cycle within reach, latest first; rewards: {(output neuron, cycle): ρ}."""
        distance = self._distances(list(rewards), oldest, hops)
        credit = dict.fromkeys(distance, 0.0)
        credit.update(rewards)
        for t in range(max(t for _, t in rewards), oldest - 1, -1):
            for j in reversed(self.order):
                if (j, t) not in distance or distance[j, t] + 1 >= hops:
                    continue
                neuron, n = self.neurons[j], len(self.neurons[j].strengths)
                if self.rule.kind == "original":
                    share = {i: credit[j, t] / n for i in neuron.strengths}
                else:
                    kappa = n if self.rule.credit_gain is None else self.rule.credit_gain
                    if self.rule.aggregation == "mean" and n:
                        kappa /= n
                    e = credit[j, t] * self._slope(neuron, *history[t][j])
                    part = {i: 1 / n if self.rule.share == "uniform" else w for i, w in neuron.strengths.items()}
                    share = {i: kappa * e * part[i] for i in neuron.strengths}
                for (i, back), _ in self._sources(j, t):
                    if (i, back) in credit:
                        credit[i, back] += share[i]
        return {(j, t): credit[j, t] for j, t in sorted(credit, key=lambda c: (-c[1], -self.order.index(c[0])))}

    def _asked(self, history, j, t, reward):
        """What a reward asks of each connection of neuron-cycle (j, t), and its error."""
        neuron = self.neurons[j]
        drive, output = history[t][j]
        x = {i: self._seen(history, t, j, i) for i in neuron.strengths}
        if self.rule.kind == "original":
            return {i: reward * x[i] for i in x}, reward
        e = reward * self._slope(neuron, drive, output)
        if self.rule.aggregation == "mean":
            n = len(x)
            return {i: e * (x[i] - n * drive) / n for i in x}, e
        return {i: e * x[i] for i in x}, e

    # -- learning ----------------------------------------------------------------------------------------------------

    def reinforce(self, rewards, hops=10**9, cycle=0):
        t = len(self.history) - 1 - cycle
        oldest = max(len(self.history) - self.memory, 0)
        given = {(k, t): float(r) for k, r in zip(self.outputs, rewards, strict=True)}
        for (j, back), reward in self._credit(self.history, given, oldest, hops).items():
            signal, e = self._asked(self.history, j, back, reward)
            self._count(self.neurons[j])
            self._learn(j, signal, e, reward)

    def rehearse(self, inputs, rewards, hops=10**9):
        """inputs[b][t][i], rewards[b][t][k] → outputs[b][t][k]."""
        signals, errors, outputs, histories = {}, {}, [], []
        for sequence, given in zip(inputs, rewards, strict=True):
            history = []
            histories.append(history)
            for values in sequence:
                self._run(history, values)
            outputs.append([[now[k][1] for k in self.outputs] for now in history])
            starts = {(k, t): float(r) for t, row in enumerate(given) for k, r in zip(self.outputs, row, strict=True)}
            for (j, t), reward in self._credit(history, starts, 0, hops).items():
                signal, e = self._asked(history, j, t, reward)
                total = signals.setdefault(j, dict.fromkeys(signal, 0.0))
                for i in signal:
                    total[i] += signal[i]
                errors[j] = errors.get(j, 0.0) + e
        for j in signals:
            self._count(self.neurons[j])
        for j in reversed(self.order):
            if j in signals:
                self._learn(j, signals[j], errors[j], errors[j])
        if self.rule.prune_fraction > 0:
            self._release_unread()
        if self.rule.recruit_below > 0:
            self._recruit(histories)
        return outputs

    def _release_unread(self):
        """Take the connections of the hidden neurons that had no reader when this began, once outputs have learned enough."""
        if max(self.neurons[k].updates for k in self.outputs) < self.rule.mature:
            return
        heard = {i for neuron in self.neurons.values() for i in neuron.strengths} | set(self.outputs)
        for j in self.order:
            neuron = self.neurons[j]
            if j not in heard and neuron.strengths:
                neuron.strengths, neuron.moments, neuron.tags = {}, {}, {}

    def _recruit(self, histories):
        """Let a free hidden neuron stand for the last input of the sequence that the others know least."""
        rule, n = self.rule, len(histories)
        hidden = [j for j in self.order if j not in self.outputs]

        def said(i):
            return [history[-1][i][1] for history in histories]

        def knows(j, b):
            return said(j)[b] - sum(said(j)) / n

        known = [max([0.0, *(knows(j, b) for j in hidden if self.neurons[j].strengths)]) for b in range(n)]
        place = known.index(min(known))
        budget = 10**9 if rule.max_connections is None else rule.max_connections
        room = budget - sum(len(neuron.strengths) for neuron in self.neurons.values())
        heard = {i for neuron in self.neurons.values() for i in neuron.strengths}
        unread = [j for j in hidden if j not in heard and self.neurons[j].allowed]
        free = [j for j in unread if not self.neurons[j].strengths]
        if max(self.neurons[k].updates for k in self.outputs) >= rule.mature:
            free += [j for j in unread if self.neurons[j].strengths]
        if known[place] >= rule.recruit_below or room <= len(self.outputs) or not free:
            return
        new = self.neurons[free[0]]
        new.strengths, new.moments, new.tags, new.updates = {}, {}, {}, 0
        read = {i: [self._seen(h, len(h) - 1, free[0], i) for h in histories] for i in new.allowed}
        usual = {i: sum(row) / n for i, row in read.items()}
        excess = {i: read[i][place] - usual[i] for i in read}
        chosen = {i: d for i, d in excess.items() if d >= max(excess.values()) / 2 > 0}
        if not chosen:
            return
        if len(chosen) > room - len(self.outputs):
            raise NotImplementedError("the twin does not know the order of slots")
        new.strengths = {i: d / sum(chosen.values()) for i, d in chosen.items()}
        there = sum(w * read[i][place] for i, w in new.strengths.items())
        new.threshold = (there + sum(w * usual[i] for i, w in new.strengths.items())) / 2
        new.threshold_moments, new.threshold_tag = (0.0, 0.0), 0.0
        for k, reader in self.neurons.items():
            if k != free[0] and free[0] in reader.allowed and reader.strengths:
                reader.strengths[free[0]] = rule.growth_strength / len(reader.allowed)
                self._normalise(reader)

    def _count(self, neuron):
        neuron.updates += neuron.strengths != {} and self.rule.kind != "original"

    def _learn(self, j, signal, e, reward):
        neuron, rule = self.neurons[j], self.rule
        w = neuron.strengths
        if rule.kind == "original":
            if rule.growth_probability > 0 and reward < 0 and len(w) < len(neuron.allowed):
                raise NotImplementedError("the twin does not draw the network's random numbers")
            for i in w:
                w[i] = max(w[i] + rule.learning_rate * neuron.rate * signal[i], 0.0)
            self._prune(neuron, rule.prune_floor, keep_strongest=False)
        elif w:
            g = signal if rule.reserve or neuron.free else self._centred(signal)
            for i in w:
                step, neuron.moments[i] = self._step(neuron, g[i], neuron.moments.get(i, (0.0, 0.0)))
                w[i] = w[i] + step if neuron.free else max(w[i] + step, 0.0)
            if neuron.has_threshold:
                step, neuron.threshold_moments = self._step(neuron, e, neuron.threshold_moments)
                neuron.threshold -= step
            if not neuron.free:
                self._prune_by_rule(neuron)
        if not neuron.free:
            self._normalise(neuron)

    def _step(self, neuron, g, moments):
        rate = self.rule.learning_rate * neuron.rate
        if self.rule.step == "sgd":
            return rate * g, (g, 0.0)
        b1, b2 = self.rule.decays
        m, v = b1 * moments[0] + (1 - b1) * g, b2 * moments[1] + (1 - b2) * g * g
        corrected = m / (1 - b1**neuron.updates), v / (1 - b2**neuron.updates)
        return rate * corrected[0] / (sqrt(corrected[1]) + 1e-8), (m, v)

    @staticmethod
    def _centred(signal):
        mean = sum(signal.values()) / len(signal)
        return {i: g - mean for i, g in signal.items()}

    def _prune_by_rule(self, neuron):
        weak = min(self.rule.prune_fraction / len(neuron.allowed), 0.02) if self._mature(neuron) else 0.0
        fading = {
            i
            for i, w in neuron.strengths.items()
            if w <= weak and neuron.moments.get(i, (0.0, 0.0))[0] <= 0 and self._mature(self.neurons.get(i))
        }
        self._prune(neuron, self.rule.prune_floor, keep_strongest=not self.rule.reserve, fading=fading)

    def _mature(self, neuron):
        """Inputs, which are no neurons here, always are."""
        return neuron is None or not neuron.allowed or neuron.updates >= self.rule.mature

    def _prune(self, neuron, floor, keep_strongest, fading=frozenset()):
        w = neuron.strengths
        strongest = max(w.values(), default=0.0)
        too_weak = [i for i in w if w[i] <= floor or i in fading]
        for i in [i for i in too_weak if not (keep_strongest and w[i] == strongest)]:
            for memory in (w, neuron.moments, neuron.tags):
                memory.pop(i, None)

    def _normalise(self, neuron):
        w = neuron.strengths
        total = sum(w.values())
        if total > 1 or not self.rule.reserve:
            for i in w:
                w[i] = w[i] / total if total > 0 else 1 / len(w)

    # -- tags --------------------------------------------------------------------------------------------------------

    def mark(self, rewards, decay, hops=10**9):
        t = len(self.history) - 1
        for neuron in self.neurons.values():
            neuron.tags = {i: decay * z for i, z in neuron.tags.items()}
            neuron.threshold_tag *= decay
        given = {(k, t): float(r) for k, r in zip(self.outputs, rewards, strict=True)}
        for (j, _), reward in self._credit(self.history, given, t, hops).items():
            neuron = self.neurons[j]
            if not neuron.strengths:
                continue
            signal, e = self._asked(self.history, j, t, reward)
            for i, c in (signal if self.rule.reserve or neuron.free else self._centred(signal)).items():
                neuron.tags[i] = neuron.tags.get(i, 0.0) + c
            if neuron.has_threshold:
                neuron.threshold_tag -= e

    def surprise(self, delta, bound=2.0):
        norm = sum(abs(z) for n in self.neurons.values() for z in (*n.tags.values(), n.threshold_tag))
        step = self.rule.learning_rate
        if norm > 0:
            step = min(step, 1 / (bound * max(abs(delta), 1.0) * norm))
        for neuron in self.neurons.values():
            pace = step * delta * neuron.rate
            for i in neuron.strengths:
                moved = neuron.strengths[i] + pace * neuron.tags.get(i, 0.0)
                neuron.strengths[i] = moved if neuron.free else max(moved, 0.0)
            neuron.threshold += pace * neuron.threshold_tag
            if neuron.strengths and not neuron.free:
                self._prune_by_rule(neuron)
                self._normalise(neuron)
