"""Slow neurons, one number at a time."""


class Slow:
    """What one environment's slow neurons hold, in plain Python."""

    def __init__(self, usual, num_actions, time_constants):
        self.constants, self.num_actions = time_constants, num_actions
        self.seen = [list(usual) for _ in time_constants]
        self.done = [0.0] * sum(num_actions)

    def step(self, observation, actions):
        done = [
            float(a == action) for count, action in zip(self.num_actions, actions, strict=True) for a in range(count)
        ]
        self.done = [held + (x - held) / self.constants[0] for held, x in zip(self.done, done, strict=True)]
        for k, constant in enumerate(self.constants):
            self.seen[k] = [held + (x - held) / constant for held, x in zip(self.seen[k], observation, strict=True)]

    def row(self, observation):
        row = [*observation, *(x - held for x, held in zip(observation, self.seen[0], strict=True)), *self.done]
        for memory in self.seen[1:]:
            row += memory
        return row
