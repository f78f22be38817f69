"""The same network as one asyncio task per neuron: slow, and written to be read. It is the executable specification.

No neuron sees another's strengths, and there is no global step: a neuron knows what arrives in its inbox. It

1. waits for the activity of all its inputs, and remembers the connections it came by,
2. computes its own activity,
3. sends it up the axon, where the receiving neuron's synapse weighs it,
4. waits for the answers of all it feeds, empty ones where there is no credit,
5. forms its own error from them, the strengths and its last activity,
6. sends a share of it back down the dendrites,
7. updates its strengths.

A neuron in the same or a later layer (itself included) is read in the cycle before: such recurrent connections start
with a token, so that nobody waits for ever.
"""

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable
from math import exp, sqrt
from typing import Any, NamedTuple

from ..activations import Activation
from ..kernels.layout import MOST_WEAK
from ..network import Network

OUTSIDE = -1  # the sender of inputs and rewards
BIAS = -1  # the threshold's place among the moments


class Activity(NamedTuple):
    """What a neuron sends up its axon."""

    sender: int
    value: float


class Answer(NamedTuple):
    """What comes back down a dendrite: a share of reward (None: empty), and how many connections it may still travel."""

    sender: int
    reward: float | None = None
    hops: int = 0


class Cycle(NamedTuple):
    """What a neuron remembers of a cycle: which connection brought what, and what came of it."""

    inputs: dict[int, float]
    drive: float
    output: float


class InputNeuron:
    """Holds a value from outside; weighs nothing and learns nothing."""

    def __init__(self, number: int) -> None:
        self.number, self.axon = number, list[Neuron]()
        self.clear()

    def clear(self) -> None:
        """Empty the inbox."""
        self.inbox: defaultdict[tuple[type, int], deque[Any]] = defaultdict(deque)
        self.news = asyncio.Event()

    def tell(self, message: Activity | Answer) -> None:
        """Put a message into this neuron's inbox."""
        self.inbox[type(message), message.sender].append(message)
        self.news.set()

    async def hear(self, kind: type, senders: Iterable[int]) -> list[Any]:
        """Wait for the next message of a kind from every sender; what else arrives meanwhile stays in the inbox."""
        received = []
        for sender in senders:
            queue = self.inbox[kind, sender]
            while not queue:
                self.news.clear()
                await self.news.wait()
            received.append(queue.popleft())
        return received

    def send_up(self, value: float) -> None:
        """Tell everyone on the axon."""
        activity = Activity(self.number, value)
        for target in self.axon:
            target.tell(activity)

    async def fire(self) -> None:
        """Pass a value from outside on."""
        (given,) = await self.hear(Activity, [OUTSIDE])
        self.send_up(given.value)

    async def learn(self, cycles: int, ago: int) -> None:
        """Take the answers for some cycles and let them be."""
        for _ in range(cycles):
            await self.hear(Answer, [target.number for target in self.axon])


class Neuron(InputNeuron):
    """A neuron that learns."""

    def __init__(self, net: Network, number: int, function: Activation) -> None:
        arrays = net.arrays
        row = slice(int(arrays.first[number]), int(arrays.first[number] + arrays.degree[number]))
        connected = arrays.source[row].tolist()
        self.function, self.rule, self.is_output = function, net.rule, number in net.output_ids
        numbers = (arrays.power, arrays.gain, arrays.rate, arrays.threshold)
        self.power, self.gain, self.rate, self.threshold = (float(row[number]) for row in numbers)
        self.strengths: dict[int, float] = dict(zip(connected, arrays.strength[row].tolist(), strict=True))
        self.sources: dict[int, InputNeuron] = {}  # all allowed ones; strengths has the connected ones only
        self.recurrent: set[int] = set()  # sources that are read in the cycle before
        self.memory: deque[Cycle] = deque(maxlen=net.memory.output.shape[0] - 1)
        means, squares = arrays.mean_signal[row].tolist(), arrays.square_signal[row].tolist()
        self.moments: dict[int, list[float]] = {
            i: [mean, square] for i, mean, square in zip(connected, means, squares, strict=True)
        }
        self.moments[BIAS] = [float(arrays.threshold_mean[number]), float(arrays.threshold_square[number])]
        self.updates = int(arrays.updates[number])
        super().__init__(number)

    def clear(self) -> None:
        """Forget all cycles; there is a token on every recurrent connection again."""
        super().clear()
        self.memory.clear()
        for i in self.recurrent:
            self.tell(Activity(i, 0.0))

    async def fire(self) -> None:
        """Run one cycle."""
        activities = await self.hear(Activity, self.sources)  # 1
        inputs = {activity.sender: activity.value for activity in activities}
        drive = sum(strength * inputs[i] for i, strength in self.strengths.items())
        if self.rule.aggregation == "mean" and self.strengths:
            drive /= len(self.strengths)
        output = self.activity(drive)  # 2
        self.memory.append(Cycle(inputs, drive, output))
        self.send_up(output)  # 3

    async def learn(self, cycles: int, ago: int) -> None:
        """Learn from the answers for some remembered cycles, the latest of them `ago` before the last."""
        nothing, lessons = Answer(self.number), []
        for i in self.recurrent:
            self.sources[i].tell(nothing)  # a token: later cycles have no answer
        fed = [target.number for target in self.axon] + [OUTSIDE] * self.is_output
        for k in range(cycles):
            cycle, oldest = self.memory[-1 - ago - k], k + 1 == cycles
            answers = [answer for answer in await self.hear(Answer, fed) if answer.reward is not None]  # 4
            error = sum(answer.reward for answer in answers)  # 5
            if answers and self.rule.kind != "original":
                error *= self.slope(cycle)
            hops = max((answer.hops for answer in answers), default=0) - 1
            for i, source in self.sources.items():  # 6
                if not (oldest and i in self.recurrent):  # before the oldest cycle nothing is remembered
                    credited = hops > 0 and i in self.strengths
                    source.tell(Answer(self.number, self.share(i, error), hops) if credited else nothing)
            if answers:
                lessons.append((cycle, bounded(error)))
        for cycle, error in lessons:  # only now: what was passed on belongs to the strengths that earned it
            self.update(cycle, error)  # 7

    def activity(self, s: float) -> float:
        """Return the output for a drive s."""
        name, z = self.function.name, self.gain * (s - self.threshold)
        if self.gain == 0:  # dead
            return 0.0
        if name == "sigmoid":
            return 1 / (1 + exp(-z)) if z > -700 else 0.0
        if name in ("square", "power"):
            a: float = s**self.power
        elif name in ("relu", "identity"):
            a = z if name == "relu" else s
        else:
            a = float(self.function.function.ctypes(s))
        if self.rule.constraint == "free":
            return z if name == "identity" else max(z, 0.0)
        return min(max(a, 0.0), 1.0)

    def slope(self, cycle: Cycle) -> float:
        """Slope of the activation in a cycle, by its output where there is a threshold, which may have moved."""
        name, s, a = self.function.name, cycle.drive, cycle.output
        if name == "sigmoid":
            return self.gain * a * (1 - a)
        if self.rule.constraint == "free":
            return self.gain if name == "identity" or a > 0 else 0.0
        if name == "relu":
            return self.gain if 0 < a < 1 else 0.0
        if name in ("square", "power"):
            return float(self.power * s ** (self.power - 1))
        return 1.0 if name == "identity" else float(self.function.derivative.ctypes(s))

    def share(self, source: int, error: float) -> float:
        """Return what a connected source gets of an error."""
        n, rule = len(self.strengths), self.rule
        gain = n if rule.credit_gain is None else rule.credit_gain
        if rule.aggregation == "mean":
            gain /= n
        if rule.kind == "original":
            return bounded(error) / n
        return bounded(error * gain) * (1 / n if rule.share == "uniform" else self.strengths[source])

    def update(self, cycle: Cycle, error: float) -> None:
        """Move every strength and the threshold by what an error asks of them."""
        w, rule, n = self.strengths, self.rule, len(self.strengths)
        if n == 0:
            return
        self.updates += 1
        original = rule.kind == "original"
        signal = {i: error * cycle.inputs[i] for i in w}
        if rule.aggregation == "mean" and not original:
            signal = {i: error * (cycle.inputs[i] - n * cycle.drive) / n for i in w}
        free = rule.constraint == "free"
        centre = 0.0 if original or free or rule.reserve else sum(signal.values()) / n
        for i in w:
            w[i] += self.step(i, signal[i] - centre)
        if self.function.has_threshold and not original:
            self.threshold -= self.step(BIAS, error)
        if not free:
            self.prune_and_normalise()

    def prune_and_normalise(self) -> None:
        """Clip and prune what has become too weak, and divide the strengths by their sum."""
        w, rule, original = self.strengths, self.rule, self.rule.kind == "original"
        for i in w:
            w[i] = max(w[i], 0.0)
        judges = not original and self.updates >= rule.mature
        weak = min(rule.prune_fraction / len(self.sources), MOST_WEAK) if judges else 0.0
        strongest = None if original or rule.reserve else max(w.values())
        fading = [i for i in w if w[i] <= weak and self.moments[i][0] <= 0 and not self.is_young(self.sources[i])]
        for i in [i for i in w if w[i] <= rule.prune_floor or i in fading]:
            if w[i] != strongest:
                del w[i]
        total = sum(w.values())
        for i in w if total > 1 or not rule.reserve else ():
            w[i] = w[i] / total if total > 0 else 1 / len(w)

    def is_young(self, source: "InputNeuron") -> bool:
        """Tell whether a source has not had its chance yet."""
        return isinstance(source, Neuron) and source.updates < self.rule.mature

    def step(self, place: int, signal: float) -> float:
        """Return how far a signal moves a strength or the threshold."""
        rate = self.rule.learning_rate * self.rate
        if self.rule.step == "sgd" or self.rule.kind == "original":
            self.moments[place] = [signal, 0.0]
            return rate * signal
        (d1, d2), (m, v) = self.rule.decays, self.moments[place]
        m, v = self.moments[place] = [d1 * m + (1 - d1) * signal, d2 * v + (1 - d2) * signal * signal]
        return rate * m / (1 - d1**self.updates) / (sqrt(v / (1 - d2**self.updates)) + 1e-8)


def bounded(error: float) -> float:
    """Keep an error finite even where credit explodes on its way through the cycles."""
    return min(max(error, -1e12), 1e12)
