"""Live learning once more, slow and obvious: plain floats, and a list of cells for every layer."""

from math import cos, exp, log, pi, sin, sqrt

from naive import logistic


class NaiveCell:
    """A recruited cell: what it answers to, and what it is worth to every output neuron."""

    def __init__(self, sources, neutral, outputs, usage):
        self.total = sum(sources)
        self.strengths = [x / self.total for x in sources]
        self.usage = usage
        self.worth = [neutral] * outputs
        self.traces = [0.0] * outputs
        self.output = self.output_before = 0.0

    def response(self, sources, square_radius):
        drive = sum(w * x for w, x in zip(self.strengths, sources, strict=True))
        square_distance = 2 * (len(sources) / 2 - self.total * drive)  # both have length √(outside values)
        return max(1 - square_distance / square_radius, 0.0) ** 2


class NaiveLive:
    """Live learning in one environment and with one action component; it is told the actions and says the policy."""

    def __init__(self, scaled, num_actions, config, room):
        self.config, self.scaled, self.num_actions, self.room = config, scaled, num_actions, room
        self.layers = [[] for _ in range(config.cells.layers)]
        self.observations, self.mean, self.variance = 0, [0.0] * len(scaled), [1.0] * len(scaled)
        self.feature_mean = [0.0] * (2 * len(scaled))
        self.value_range = self.error_mean_square = self.value_shift = 0.0
        self.steps = 0

    @property
    def cells(self):
        return [cell for layer in self.layers for cell in layer]

    def readout(self, k, before=False):
        pool = self.room * len(self.layers)
        return sum((c.output_before if before else c.output) * (2 * pool * c.worth[k] - 1) for c in self.cells)

    def policy(self):
        logits = [self.config.exploration.policy_range * self.readout(1 + k) for k in range(self.num_actions)]
        powers = [exp(x - max(logits)) for x in logits]
        return [p / sum(powers) for p in powers]

    def look(self, observation):
        self.observations += 1
        code = []
        for i, x in enumerate(observation):
            if self.scaled[i]:
                distance = x - self.mean[i]
                self.mean[i] += distance / self.observations
                self.variance[i] += (distance * (x - self.mean[i]) - self.variance[i]) / self.observations
                x = logistic((x - self.mean[i]) / sqrt(self.variance[i] + 1e-8))
            code.append(x)
        sources = [sin(pi / 2 * z) for z in code] + [cos(pi / 2 * z) for z in code]
        self.feature_mean = [m + (x - m) / self.observations for m, x in zip(self.feature_mean, sources, strict=True)]
        spread = max(len(code) - sum(m * m for m in self.feature_mean), 1e-3)
        pool = self.room * len(self.layers)
        parent = None
        for depth, layer in enumerate(self.layers):
            square = self.config.cells.radius * spread / 4**depth
            responses = [cell.response(sources, square) for cell in layer]
            far = max(responses, default=0.0) < self.config.cells.recruit_below**2
            if far and (depth == 0 or (parent is not None and parent.usage >= self.config.cells.mature)):
                new = NaiveCell(sources, 0.5 / pool, 1 + self.num_actions, self.config.cells.initial_usage)
                least = min(layer, key=lambda cell: cell.usage, default=None)
                if len(layer) < self.room:
                    layer.append(new)
                elif least.usage < self.config.cells.retire_below:
                    layer[layer.index(least)] = new
                responses = [cell.response(sources, square) for cell in layer]
            for cell, response in zip(layer, responses, strict=True):
                cell.output = response / sum(responses) if sum(responses) > 0 else 0.0
                cell.usage = (1 - 1 / self.config.cells.usage_span) * cell.usage + cell.output
            parent = layer[responses.index(max(responses))] if max(responses, default=0.0) > 0 else None

    def begin(self, observation):
        for cell in self.cells:
            cell.traces = [0.0] * len(cell.traces)
        self.look(observation)
        self.value_shift = 0.0
        self.probabilities = self.policy()

    def observe(self, action, reward, observation, terminated):
        for cell in self.cells:
            cell.output_before = cell.output
        self.look(observation)
        self.steps += 1
        self.learn(action, reward, terminated)
        self.probabilities = self.policy()

    def learn(self, action, reward, terminated):
        config, exploration = self.config.optimisation, self.config.exploration
        pool = self.room * len(self.layers)
        if self.value_range == 0:
            self.value_range = 2 * config.value_margin * abs(reward)
        value = self.value_range * self.readout(0, before=True)
        following = 0.0 if terminated else self.value_range * self.readout(0)
        target = reward + config.discount * following
        while self.value_range < config.value_margin * max(abs(target), abs(value)):  # values stay what they are
            self.value_range *= 2
            for cell in self.cells:
                cell.worth[0] = 0.5 / pool + (cell.worth[0] - 0.5 / pool) / 2
        if self.value_range == 0:
            return
        error, shift = target - value, self.value_shift
        self.error_mean_square += (error**2 - self.error_mean_square) * max(config.error_rate, 1 / self.steps)
        clip = config.advantage_clip
        advantage = min(max(error / sqrt(self.error_mean_square + 1e-30), -clip), clip)
        share = 1 / max(sum(cell.output_before**2 for cell in self.cells), 1e-6)
        fade = config.discount * config.trace_decay
        overlap = sum(cell.traces[0] * cell.output_before for cell in self.cells)
        rate = config.critic_rate * share
        pace, bonus = (error + shift) / self.value_range, -rate * shift / self.value_range
        self.update_readout(0, fade, rate * (1 - fade * overlap), pace, bonus)
        self.value_shift = 0.0 if terminated else self.value_range * self.readout(0) - following
        rate = config.actor_rate * share / exploration.policy_range
        entropy = -sum(p * log(p + 1e-12) for p in self.probabilities)
        for k, p in enumerate(self.probabilities):
            wider = -p * (log(p + 1e-12) + entropy)
            self.update_readout(1 + k, fade, rate * ((k == action) - p), advantage, rate * exploration.entropy * wider)

    def update_readout(self, k, fade, increment, pace, bonus):
        pool = self.room * len(self.layers)
        for cell in self.cells:
            cell.traces[k] = fade * cell.traces[k] + increment * cell.output_before
            cell.worth[k] = max(cell.worth[k] + (pace * cell.traces[k] + bonus * cell.output_before) / (2 * pool), 0.0)
        whole = sum(cell.worth[k] for cell in self.cells)
        if whole > 1:
            for cell in self.cells:
                cell.worth[k] /= whole
