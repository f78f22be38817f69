"""What the critic thinks of observations, for those who ask."""

from math import sqrt

import numpy as np

from dynlive_rl.kernels.batch import forward
from dynlive_rl.kernels.jit import jit_entry
from dynlive_rl.kernels.layout import ConnectionRow, NeuronRow
from dynlive_rl.kernels.online import row_ends, write_inputs

from .progress import reward_base, square_value_scale
from .rates import discount, value_gain
from .retrace import read_values
from .scaling import encode


@jit_entry
def action_values(agent, settings, batch, observations, values):
    """Write what every action neuron's counterpart in the critic says (a, b) of observations (b, f).

    The value of an action is the mean of its components' values. `batch` has b sequences of one cycle.
    """
    critic, progress, numbers = agent.critic, agent.progress[0], settings[0]
    code = np.empty(observations.shape, np.float32)
    for b in range(observations.shape[0]):
        encode(agent.scaler, agent.sample, observations[b], code[b])
    write_inputs(critic.inputs, code.T, batch.output[1], False)
    strength, threshold = critic.connection[ConnectionRow.STRENGTH], critic.neuron[NeuronRow.THRESHOLD]
    forward(critic, batch, agent.rule, strength, row_ends(critic), threshold)
    base = reward_base(progress)
    square = square_value_scale(progress, base)
    scale = sqrt(square) if square > 0 else 1.0
    gain = scale * value_gain(progress, scale, numbers)
    gamma = discount(progress, numbers.discount_low, numbers.discount_high, numbers.endless_discount)
    read_values(batch.output, critic.outputs[0], gain, numbers.neutral, progress, gamma, 0.0, values)
    for k in range(values.shape[0]):
        for b in range(values.shape[1]):
            values[k, b] += base / (1.0 - gamma)
