"""What the output neurons are rewarded with: rewards as they are, or the errors of what they should have put out."""

from enum import IntEnum
from math import exp, log

from .jit import jit_internal


class LossCode(IntEnum):
    """What is wanted of the output neurons: rewards as they are, or targets of a loss."""

    REWARDS = 0
    SQUARED_ERROR = 1
    CROSS_ENTROPY = 2


@jit_internal
def reward_outputs(outputs, output, credit, wanted, meaning, sharpness):
    """Add a batch's rewards to the credit of the output neurons in the last r cycles, and return the sum of its losses.

    wanted (r, o, b) holds rewards, or targets: then the reward is less the gradient of the loss by the output, divided
    by the size of the batch. The losses are half the squared error (returned as mean squared error of the outputs), and
    the cross-entropy of softmax(sharpness · outputs); of a single output neuron, the cross-entropy of its output as a
    probability.
    """
    cycles, o, size = wanted.shape
    share, losses = 1.0 / size, 0.0
    for r in range(cycles):
        t = output.shape[0] - cycles + r
        for b in range(size):
            if meaning == LossCode.REWARDS:
                for k in range(o):
                    credit[t, outputs[k], b] += wanted[r, k, b]
            elif meaning == LossCode.SQUARED_ERROR:
                for k in range(o):
                    missing = wanted[r, k, b] - output[t, outputs[k], b]
                    credit[t, outputs[k], b] += share * missing
                    losses += missing * missing / o
            elif o == 1:
                target, p = wanted[r, 0, b], min(max(output[t, outputs[0], b], 1e-6), 1.0 - 1e-6)
                credit[t, outputs[0], b] += share * (target - p) / (p * (1.0 - p))
                losses -= target * log(p) + (1.0 - target) * log(1.0 - p)
            else:
                top, whole = output[t, outputs[0], b], 0.0
                for k in range(o):
                    top = max(top, output[t, outputs[k], b])
                for k in range(o):
                    whole += exp(sharpness * (output[t, outputs[k], b] - top))
                for k in range(o):
                    z = sharpness * (output[t, outputs[k], b] - top)
                    credit[t, outputs[k], b] += share * sharpness * (wanted[r, k, b] - exp(z) / whole)
                    losses += wanted[r, k, b] * (log(whole) - z)
    return losses / cycles
