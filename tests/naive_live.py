"""Live learning once more, slow and obvious: cells with plain floats and lists, written from the equations."""

from math import cos, exp, log, pi, sin, sqrt

from naive import logistic


class NaiveCell:
    """A recruited cell: what it answers to, and what it is worth to every output neuron."""

    def __init__(self, sources, neutral, outputs):
        self.total = sum(sources)
        self.strengths = [x / self.total for x in sources]
        self.usage = 2.0
        self.worth = [neutral] * outputs
        self.tags = [0.0] * outputs
        self.says = self.said = 0.0

    def answer(self, sources, square_radius):
        drive = sum(w * x for w, x in zip(self.strengths, sources, strict=True))
        square_distance = 2 * (len(sources) / 2 - self.total * drive)  # both have length √(outside values)
        return max(1 - square_distance / square_radius, 0.0) ** 2


class NaiveLive:
    """Live learning in one environment and with one choice; it is told the actions and says the probabilities."""

    def __init__(self, scaled, options, config, room):
        self.config, self.scaled, self.options, self.room = config, scaled, options, room
        self.layers = [[] for _ in range(config.layers)]
        self.seen, self.mean, self.variance = 0, [0.0] * len(scaled), [1.0] * len(scaled)
        self.rails = [0.0] * (2 * len(scaled))
        self.range = self.error_square = self.shift = 0.0
        self.steps = 0

    @property
    def cells(self):
        return [cell for layer in self.layers for cell in layer]

    def reading(self, k, said=False):
        pool = self.room * len(self.layers)
        return sum((c.said if said else c.says) * (2 * pool * c.worth[k] - 1) for c in self.cells)

    def policy(self):
        logits = [self.config.policy_range * self.reading(1 + k) for k in range(self.options)]
        powers = [exp(x - max(logits)) for x in logits]
        return [p / sum(powers) for p in powers]

    def look(self, observation):
        self.seen += 1
        code = []
        for i, x in enumerate(observation):
            if self.scaled[i]:
                distance = x - self.mean[i]
                self.mean[i] += distance / self.seen
                self.variance[i] += (distance * (x - self.mean[i]) - self.variance[i]) / self.seen
                x = logistic((x - self.mean[i]) / sqrt(self.variance[i] + 1e-8))
            code.append(x)
        sources = [sin(pi / 2 * z) for z in code] + [cos(pi / 2 * z) for z in code]
        self.rails = [m + (x - m) / self.seen for m, x in zip(self.rails, sources, strict=True)]
        spread = max(len(code) - sum(m * m for m in self.rails), 1e-3)
        pool = self.room * len(self.layers)
        parent = None
        for depth, layer in enumerate(self.layers):
            square = self.config.radius * spread / 4**depth
            answers = [cell.answer(sources, square) for cell in layer]
            far = max(answers, default=0.0) < self.config.recruit_below**2
            if far and (depth == 0 or (parent is not None and parent.usage >= self.config.mature)):
                born = NaiveCell(sources, 0.5 / pool, 1 + self.options)
                least = min(layer, key=lambda cell: cell.usage, default=None)
                if len(layer) < self.room:
                    layer.append(born)
                elif least.usage < 1:
                    layer[layer.index(least)] = born
                answers = [cell.answer(sources, square) for cell in layer]
            for cell, answer in zip(layer, answers, strict=True):
                cell.says = answer / sum(answers) if sum(answers) > 0 else 0.0
                cell.usage = (1 - 1 / self.config.usage_span) * cell.usage + cell.says
            parent = layer[answers.index(max(answers))] if max(answers, default=0.0) > 0 else None

    def begin(self, observation):
        for cell in self.cells:
            cell.tags = [0.0] * len(cell.tags)
        self.look(observation)
        self.shift = 0.0
        self.chances = self.policy()

    def observe(self, action, reward, observation, terminated):
        for cell in self.cells:
            cell.said = cell.says
        self.look(observation)
        self.steps += 1
        self.learn(action, reward, terminated)
        self.chances = self.policy()

    def learn(self, action, reward, terminated):
        config, pool = self.config, self.room * len(self.layers)
        if self.range == 0:
            self.range = 16 * abs(reward)
        value = self.range * self.reading(0, said=True)
        following = 0.0 if terminated else self.range * self.reading(0)
        target = reward + config.discount * following
        while self.range < 8 * max(abs(target), abs(value)):  # a wider range: values stay what they are
            self.range *= 2
            for cell in self.cells:
                cell.worth[0] = 0.5 / pool + (cell.worth[0] - 0.5 / pool) / 2
        if self.range == 0:
            return
        error, shift = target - value, self.shift
        self.error_square += (error**2 - self.error_square) * max(1e-3, 1 / self.steps)
        clip = config.advantage_clip
        advantage = min(max(error / sqrt(self.error_square + 1e-30), -clip), clip)
        share = 1 / max(sum(cell.said**2 for cell in self.cells), 1e-6)
        fade = config.discount * config.trace_decay
        overlap = sum(cell.tags[0] * cell.said for cell in self.cells)
        rate = config.critic_rate * share
        mark, pace, bonus = rate * (1 - fade * overlap), (error + shift) / self.range, -rate * shift / self.range
        self.move(0, fade, mark, pace, bonus)
        self.shift = 0.0 if terminated else self.range * self.reading(0) - following
        rate = config.actor_rate * share / config.policy_range
        entropy = -sum(p * log(p + 1e-12) for p in self.chances)
        for k, p in enumerate(self.chances):
            wider = -p * (log(p + 1e-12) + entropy)
            self.move(1 + k, fade, rate * ((k == action) - p), advantage, rate * config.entropy * wider)

    def move(self, k, fade, mark, pace, bonus):
        pool = self.room * len(self.layers)
        for cell in self.cells:
            cell.tags[k] = fade * cell.tags[k] + mark * cell.said
            cell.worth[k] = max(cell.worth[k] + (pace * cell.tags[k] + bonus * cell.said) / (2 * pool), 0.0)
        whole = sum(cell.worth[k] for cell in self.cells)
        if whole > 1:
            for cell in self.cells:
                cell.worth[k] /= whole
