"""Slow neurons, one number at a time."""


class Slow:
    """What one environment's slow neurons hold, in plain Python."""

    def __init__(self, usual, num_actions, time_constants):
        self.constants = time_constants
        self.held = [list(usual) for _ in time_constants]
        self.held[0] += [0.0] * sum(num_actions)
        self.num_actions = num_actions

    def step(self, observation, actions):
        inputs = list(observation)
        for count, action in zip(self.num_actions, actions, strict=True):
            inputs += [1.0 if a == action else 0.0 for a in range(count)]
        for held, constant in zip(self.held, self.constants, strict=True):
            for i, x in enumerate(inputs[: len(held)]):
                held[i] += (x - held[i]) / constant

    def row(self, observation):
        row = list(observation)
        for k, held in enumerate(self.held):
            for i, value in enumerate(held):
                row.append(observation[i] - value if k == 0 and i < len(observation) else value)
        return row
