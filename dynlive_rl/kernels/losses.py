"""What the output neurons are rewarded with: rewards as they are, or the errors of what they should have put out."""

from math import exp, log

from .codes import Code
from .jit import jit_internal


class LossCode(Code):
    """What is wanted of the output neurons: rewards as they are, or targets of a loss."""

    REWARDS = 0
    SQUARED_ERROR = 1
    CROSS_ENTROPY = 2


@jit_internal
def reward_outputs(outputs, output, credit, wanted, meaning, sharpness):
    """Add a batch's rewards to the credit ρ of the output neurons in the last cycles, and return the sum of its losses L.

    Of a loss the reward is less its gradient by the output a, divided by the size of the batch: ρ += -∂L/∂a / b.

    outputs (o,): ids of the output neurons
    output (t + 1, n, b): what all neurons said
    credit (t + 1, n, b): added to, in the rows of the output neurons
    wanted (≤ t, o, b): rewards, or targets y, of the last cycles
    meaning: a `LossCode`. SQUARED_ERROR: L = ½ Σ (y - a)² (returned as the mean of (y - a)²). CROSS_ENTROPY: L = -Σ y log p
    with p = softmax(sharpness · a); of a single output neuron p = a and L = -y log a - (1 - y) log(1 - a)
    sharpness: β of that softmax
    """
    cycles, count, size = wanted.shape
    share, losses = 1.0 / size, 0.0
    for k in range(cycles):
        t = output.shape[0] - cycles + k
        for b in range(size):
            if meaning == LossCode.REWARDS:
                for o in range(count):
                    credit[t, outputs[o], b] += wanted[k, o, b]
            elif meaning == LossCode.SQUARED_ERROR:
                for o in range(count):
                    missing = wanted[k, o, b] - output[t, outputs[o], b]
                    credit[t, outputs[o], b] += share * missing
                    losses += missing * missing / count
            elif count == 1:
                target, p = wanted[k, 0, b], min(max(output[t, outputs[0], b], 1e-6), 1.0 - 1e-6)
                credit[t, outputs[0], b] += share * (target - p) / (p * (1.0 - p))
                losses -= target * log(p) + (1.0 - target) * log(1.0 - p)
            else:
                top, whole = output[t, outputs[0], b], 0.0
                for o in range(count):
                    top = max(top, output[t, outputs[o], b])
                for o in range(count):
                    whole += exp(sharpness * (output[t, outputs[o], b] - top))
                for o in range(count):
                    z = sharpness * (output[t, outputs[o], b] - top)
                    credit[t, outputs[o], b] += share * sharpness * (wanted[k, o, b] - exp(z) / whole)
                    losses += wanted[k, o, b] * (log(whole) - z)
    return losses / cycles
