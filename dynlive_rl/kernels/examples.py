"""Learning from examples: a pass over all of them in batches, with errors as rewards to the output neurons."""

from math import exp, log

from .arithmetic import compiled, inlined, inner
from .arrays import STRENGTH, THRESHOLD
from .cycle import row_ends
from .rehearsal import forward, learn, start_credit

SQUARED_ERROR, CROSS_ENTROPY = 0, 1


@inlined
def lay_examples(net, batch, inputs, chosen, begin):
    """Lay examples inputs[chosen[begin]], …, (n, t, i), on the input neurons of a batch, with their complements."""
    direct, complements, output = net.inputs[0], net.inputs[1], batch.output
    one = type(output[0, 0, 0])(1)
    for t in range(inputs.shape[1]):
        for k in range(direct.size):
            for b in range(output.shape[2]):
                x = inputs[chosen[begin + b], t, k]
                output[t + 1, direct[k], b] = x
                if complements[k] >= 0:
                    output[t + 1, complements[k], b] = one - x


@inner
def reward_errors(output, outputs, credit, targets, example, t, b, loss, sharpness, share):
    """Give the output neurons of one example `share` of their errors in a cycle as rewards, and return its loss.

    The reward is less the gradient of the loss: half the squared error, or the cross-entropy of softmax(sharpness ·
    outputs); of a single output neuron, the cross-entropy of its output as a probability.
    """
    row = t - (output.shape[0] - targets.shape[1])
    whole, top, last = 0.0, output[t, outputs[0], b], outputs.size - 1
    if loss == SQUARED_ERROR:
        for k in range(outputs.size):
            missing = targets[example, row, k] - output[t, outputs[k], b]
            credit[t, outputs[k], b] += share * missing
            whole += missing * missing
        return whole / outputs.size
    if last == 0:
        target, o = targets[example, row, 0], min(max(output[t, outputs[0], b], 1e-6), 1.0 - 1e-6)
        credit[t, outputs[0], b] += share * (target - o) / (o * (1.0 - o))
        return -target * log(o) - (1.0 - target) * log(1.0 - o)
    for k in range(outputs.size):
        top = max(top, output[t, outputs[k], b])
    for k in range(outputs.size):
        whole += exp(sharpness * (output[t, outputs[k], b] - top))
    result = 0.0
    for k in range(outputs.size):
        z, target = sharpness * (output[t, outputs[k], b] - top), targets[example, row, k]
        credit[t, outputs[k], b] += share * sharpness * (target - exp(z) / whole)
        result += target * (log(whole) - z)
    return result


@compiled
def learn_examples(net, batch, scratch, rule, inputs, targets, chosen, loss, sharpness, learning_rate, hops):
    """Learn from the examples `chosen`, in their order and in batches as large as `batch`; what is left over waits.

    inputs (n, t, i) as the neurons take them; targets (n, r, o) for the last r cycles. Returns the sum of the losses, of
    every example before it was learned from.
    """
    size, cycles = batch.output.shape[2], targets.shape[1]
    share, losses = 1.0 / size, 0.0
    for begin in range(0, chosen.size - size + 1, size):
        lay_examples(net, batch, inputs, chosen, begin)
        forward(net, batch, rule, net.connection[STRENGTH], row_ends(net.table), net.neuron[THRESHOLD])
        start_credit(net.outputs, scratch, hops)
        for t in range(batch.output.shape[0] - cycles, batch.output.shape[0]):
            for b in range(size):
                losses += reward_errors(
                    batch.output, net.outputs, scratch.credit, targets, chosen[begin + b], t, b, loss, sharpness, share
                )
        learn(net, batch, scratch, rule, learning_rate, hops)
    return losses / cycles


@compiled
def recall(net, batch, rule, inputs, chosen, outputs):
    """Overwrite outputs (n, t, o) of the examples `chosen`, in batches as large as `batch`; what is left over waits."""
    size = batch.output.shape[2]
    for begin in range(0, chosen.size - size + 1, size):
        lay_examples(net, batch, inputs, chosen, begin)
        forward(net, batch, rule, net.connection[STRENGTH], row_ends(net.table), net.neuron[THRESHOLD])
        for b in range(size):
            for t in range(outputs.shape[1]):
                for k in range(net.outputs.size):
                    outputs[chosen[begin + b], t, k] = batch.output[t + 1, net.outputs[k], b]
