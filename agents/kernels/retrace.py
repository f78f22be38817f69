"""What a rehearsal makes of remembered experience: values, policies, Retrace targets, and the output neurons' rewards."""

from math import sqrt

import numpy as np

from dynlive_rl.kernels.jit import jit_internal
from dynlive_rl.kernels.layout import LinkRow, TableRow
from dynlive_rl.kernels.numerics import total

from .acting import log_softmax
from .experience import RowKind
from .progress import ADVANTAGE_SCALE, LEAST_REWARD, MOST_REWARD, REHEARSALS, TARGET_VARIANCE


@jit_internal
def read_values(output, first_value, gain, neutral, track, gamma, values):
    """Values (k, b) from the value neurons' outputs in a batch: no more than the best reward for ever, no less than the worst.

    Without these bounds values, their targets and the gain that follows the targets' spread run away together.
    """
    least, most = track[LEAST_REWARD] / (1.0 - gamma), track[MOST_REWARD] / (1.0 - gamma)
    for k in range(values.shape[0]):
        for b in range(values.shape[1]):
            values[k, b] = min(max(gain * (output[1, first_value + k, b] - neutral), least), most)


@jit_internal
def read_policies(output, first_action, choices, gain, policy, log_policy):
    """Policies (k, b) and their logarithms from the action neurons' outputs in a batch."""
    options = choices[-1]
    logits = np.empty(options, np.float32)
    one, log_one = np.empty(options), np.empty(options)
    for b in range(policy.shape[1]):
        for k in range(options):
            logits[k] = output[1, first_action + k, b]
        for d in range(choices.size - 1):
            log_softmax(logits, choices[d], choices[d + 1], gain, one, log_one)
        for k in range(options):
            policy[k, b] = one[k]
            log_policy[k, b] = log_one[k]


@jit_internal
def retrace(
    experience, choices, where, width, values, policy, gamma, settings, target, advantage, chosen, sampled, track
):
    """Targets (r,) and advantages (k, r) of all rows with an action, each segment from its end (Munos et al., 2016).

    Lists these rows in `sampled` and returns their number; tracks the targets' variance and the advantages' scale.
    """
    capacity = experience.kind.shape[1]
    dimensions = choices.size - 1
    count = 0
    sum_advantage = sum_target = sum_square = 0.0
    for s in range(where.shape[1]):
        env = where[0, s]
        next_value = carry = 0.0
        for t in range(width - 1, -1, -1):
            r = s * width + t
            row = (where[1, s] + t) % capacity
            acted = t < width - 1 and experience.kind[env, row] == RowKind.STEP
            value = predicted = 0.0
            ratio = 1.0
            for k in range(choices[-1]):
                value += policy[k, r] * values[k, r]
            if acted:
                for d in range(dimensions):
                    k = choices[d] + experience.action[env, row, d]
                    chosen[d, r] = k
                    predicted += values[k, r]
                    ratio *= policy[k, r] / max(experience.probability[env, row, d], 1e-6)
                y = experience.reward[env, row] + gamma * (next_value + carry)
                error = y - predicted / dimensions
                carry = settings.trace_decay * min(1.0, ratio) * error
                target[r] = y
                sum_target += y
                sum_square += y * y
                for d in range(dimensions):
                    start, stop = choices[d], choices[d + 1]
                    mean = centre = 0.0
                    for k in range(start, stop):
                        mean += policy[k, r] * values[k, r]
                    weight = min(settings.importance_clip, 1.0 / max(experience.probability[env, row, d], 1e-3))
                    for k in range(start, stop):
                        own = (values[k, r] - mean) / dimensions
                        advantage[k, r] = own + (weight * error if k == chosen[d, r] else 0.0)
                        centre += policy[k, r] * advantage[k, r]
                    for k in range(start, stop):
                        sum_advantage += policy[k, r] * (advantage[k, r] - centre) ** 2 / dimensions
                sampled[count] = r
                count += 1
            else:
                carry = 0.0
            next_value = 0.0 if experience.kind[env, row] == RowKind.TERMINATED else value / dimensions
    spread = sqrt(sum_advantage / count) + 1e-6
    variance = max(sum_square / count - (sum_target / count) ** 2, 0.0)
    if track[REHEARSALS] <= 1:
        track[ADVANTAGE_SCALE], track[TARGET_VARIANCE] = spread, variance
    track[ADVANTAGE_SCALE] += 0.05 * (spread - track[ADVANTAGE_SCALE])
    track[TARGET_VARIANCE] += 0.01 * (variance - track[TARGET_VARIANCE])
    return count


@jit_internal
def gather_inputs(inputs, wide, narrow, batch):
    """Copy the input neurons of some columns of the wide batch into the narrow one."""
    for i in range(inputs.shape[1]):
        for j in (inputs[0, i], inputs[1, i]):
            source, destination = wide[1, j], narrow[1, j]
            for b in range(batch.size):
                destination[b] = source[batch[b]]


@jit_internal
def credit_values(output, first_value, batch, chosen, target, scale, gain, clip, neutral, credit):
    """Give the chosen value neurons their clipped temporal-difference error; returns its mean square before clipping."""
    dimensions = chosen.shape[0]
    square = 0.0
    for b in range(batch.size):
        r = batch[b]
        predicted = 0.0
        for d in range(dimensions):
            predicted += output[1, first_value + chosen[d, r], b] - neutral
        error = target[r] / scale - gain * predicted / dimensions
        square += error * error
        for d in range(dimensions):
            credit[1, first_value + chosen[d, r], b] = min(max(error, -clip), clip)
    return square / batch.size


@jit_internal
def share_steps(net, output, most, credit):
    """Let the samples of a batch that excite the same cells take at most `most` full steps together, by less credit each.

    The cells are the sources of the output neurons. Without it a plain step overshoots where one place fills the batch.
    """
    first = net.outputs[0]
    cells = net.link[LinkRow.SOURCE, net.table[TableRow.FIRST, first] : net.table[TableRow.FIRST, first + 1]]
    crowd, active = np.zeros(credit.shape[2]), np.zeros(credit.shape[2])
    for i in cells:
        usage = total(output[1, i])
        if usage > 0:
            for b in range(crowd.size):
                crowd[b] += usage * output[1, i, b]
                active[b] += output[1, i, b]
    for b in range(crowd.size):
        share = min(1.0, most * active[b] / max(crowd[b], 1e-9))
        for k in net.outputs:
            credit[1, k, b] *= share


@jit_internal
def credit_policy(
    output, first_action, batch, choices, advantage, slow_log_policy, settings, entropy, advantage_scale, credit
):
    """Give the action neurons advantage, entropy and the pull towards the slow policy, centred by the policy.

    Weighted by the policy as well, that is the gradient of what is wanted; neurons that read cells get the natural gradient
    (Hennes et al., 2020), which does not fade where the policy is sure of itself.
    """
    options = choices[-1]
    logits = np.empty(options, np.float32)
    policy, log_policy, wish = np.empty(options), np.empty(options), np.empty(options)
    limit = settings.advantage_clip
    for b in range(batch.size):
        r = batch[b]
        for k in range(options):
            logits[k] = output[1, first_action + k, b]
        for d in range(choices.size - 1):
            start, stop = choices[d], choices[d + 1]
            log_softmax(logits, start, stop, settings.policy_gain, policy, log_policy)
            mean = 0.0
            for k in range(start, stop):
                wish[k] = (
                    min(max(advantage[k, r] / advantage_scale, -limit), limit)
                    - entropy * log_policy[k]
                    - settings.anchor * (log_policy[k] - slow_log_policy[k, r])
                )
                mean += policy[k] * wish[k]
            for k in range(start, stop):
                # Cells share nothing, so that what the policy has all but given up can be wished for as loudly as the rest.
                weight = 1.0 / (stop - start) if settings.cells else policy[k]
                credit[1, first_action + k, b] = weight * (wish[k] - mean)
