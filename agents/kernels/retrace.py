"""What a rehearsal makes of experience: values, policies, Retrace targets, and the credit of the output neurons."""

from math import sqrt

import numpy as np

from dynlive_rl.kernels.jit import jit_internal
from dynlive_rl.kernels.layout import LinkRow, TableRow
from dynlive_rl.kernels.numerics import total
from dynlive_rl.kernels.sparse import OFF, STRETCH, is_off

from .acting import MASKED, log_softmax, num_allowed
from .experience import RowKind
from .progress import reward_base

AVERAGED = 16  # steps whose errors together are as good as the critic


@jit_internal
def read_values(output, first_value, gain, neutral, progress, gamma, most_bonus, values):
    """Write values (a, b) of the value neurons' outputs in a batch: gain · (output - neutral), within bounds.

    The bounds are the lowest and the highest reward for ever, (r - base ± most_bonus) / (1 - γ), and 0. Without them values,
    their targets and the gain that follows the targets' spread run away together.

    Parameters: output (2, n, b); id of the first value neuron; gain, scale · G; output that stands for 0; progress record;
    γ; most_bonus, what novelty may pay for a step; values.
    """
    base = reward_base(progress)
    least = (min(progress.lowest_reward - base, 0.0) - most_bonus) / (1.0 - gamma)
    most = (max(progress.highest_reward - base, 0.0) + most_bonus) / (1.0 - gamma)
    for k in range(values.shape[0]):
        for b in range(values.shape[1]):
            values[k, b] = min(max(gain * (output[1, first_value + k, b] - neutral), least), most)


@jit_internal
def read_masks(experience, where, width, num_actions):
    """Return the masks (r, a) of all rows of the segments where (2, s), each `width` long; none are masked by default."""
    forbidden = np.zeros((where.shape[1] * width, num_actions), np.bool_)
    for r in range(forbidden.shape[0] if experience.forbidden.shape[2] > 0 else 0):
        s, t = r // width, r % width
        row = (where[1, s] + t) % experience.kind.shape[1]
        for k in range(num_actions):
            forbidden[r, k] = experience.forbidden[where[0, s], row, k]
    return forbidden


@jit_internal
def read_policies(output, first_action, action_offsets, gain, forbidden, policy, log_policy):
    """Write policies (a, b) and their logarithms from the action neurons' outputs (2, n, b) and the masks (b, a)."""
    num_actions = action_offsets[-1]
    logits = np.empty(num_actions, np.float32)
    one, log_one = np.empty(num_actions), np.empty(num_actions)
    for b in range(policy.shape[1]):
        for k in range(num_actions):
            logits[k] = MASKED if forbidden[b, k] else output[1, first_action + k, b]
        for d in range(action_offsets.size - 1):
            log_softmax(logits, action_offsets[d], action_offsets[d + 1], gain, one, log_one)
        for k in range(num_actions):
            policy[k, b] = one[k]
            log_policy[k, b] = log_one[k]


@jit_internal
def retrace(
    experience, action_offsets, where, width, values, policy, bonus, gamma, settings,
    target, advantage, chosen, sampled, progress,
):  # fmt: skip
    """Compute Retrace targets and advantages of all rows with an action, each segment from its end (Munos et al., 2016).

    With Q(s, a) the mean of the components' values and V(s) = Σ π Q:
    y = r + bonus - base + γ (V(s') + carry'),  carry = λ min(1, π(a) / μ(a)) (y - Q(s, a)); see `write_advantages`.
    r is the reward that came `progress.reward_delay` steps after the action, in the same episode. Where none came there is
    nothing to learn.

    Parameters: experience; action_offsets (d + 1,); where (2, s), environment and first row of every segment; width, rows
    of a segment; values and policy (a, r); bonus (r,), for novelty; γ; settings record. Written: target (r,), advantage
    (a, r), chosen (d, r) and sampled (r,), the rows with an action; progress, which tracks the targets' variance and the
    advantages' scale.
    Returns the number of sampled rows.
    """
    capacity = experience.kind.shape[1]
    components = action_offsets.size - 1
    base, delay = reward_base(progress), progress.reward_delay
    errors, weights = np.empty(target.size), np.empty(chosen.shape)
    count = 0
    sum_target = sum_square = 0.0
    for s in range(where.shape[1]):
        env = where[0, s]
        next_value = carry = 0.0
        newest = experience.rows[env] - 1  # it has no reward yet
        ahead = 0  # steps of the same episode after a row, those with a reward
        while ahead < delay and where[1, s] + width + ahead < newest:
            if experience.kind[env, (where[1, s] + width + ahead) % capacity] != RowKind.STEP:
                break
            ahead += 1
        for t in range(width - 1, -1, -1):
            r = s * width + t
            row = (where[1, s] + t) % capacity
            is_step = experience.kind[env, row] == RowKind.STEP
            acted = t < width - 1 and is_step and ahead >= delay
            ahead = ahead + 1 if is_step and where[1, s] + t < newest else 0
            value = predicted = 0.0
            ratio = 1.0
            for k in range(action_offsets[-1]):
                value += policy[k, r] * values[k, r]
            if acted:
                for d in range(components):
                    k = action_offsets[d] + experience.action[env, row, d]
                    chosen[d, r] = k
                    predicted += values[k, r]
                    ratio *= policy[k, r] / max(experience.probability[env, row, d], 1e-6)
                    weights[d, r] = min(settings.importance_clip, 1.0 / max(experience.probability[env, row, d], 1e-3))
                y = experience.reward[env, (row + delay) % capacity] + gamma * (next_value + carry)
                y += bonus[r]
                if base != 0:
                    y -= base
                errors[r] = y - predicted / components
                carry = settings.trace_decay * min(1.0, ratio) * errors[r]
                target[r] = y
                sum_target += y
                sum_square += y * y
                sampled[count] = r
                count += 1
            else:
                carry = 0.0
            next_value = 0.0 if experience.kind[env, row] == RowKind.TERMINATED else value / components
    if count == 0:
        return 0
    mean_square = sum_square / count
    variance = max(mean_square - (sum_target / count) ** 2, 0.0)
    spread = write_advantages(action_offsets, values, policy, errors, weights, chosen, sampled[:count], advantage)
    update_scales(progress, settings, mean_square, variance, spread)
    return count


@jit_internal
def write_advantages(action_offsets, values, policy, errors, weights, chosen, rows, advantage):
    """Write the advantages (a, r) of all actions in some rows, and return their root mean square about their mean.

    Of action k: (q_k - Σ π q) / d + (ν w (y - Q(s, a)) if k was taken), with w = min(clip, 1 / μ) and ν the `credit_share`.

    Parameters: action_offsets (d + 1,); values and policy (a, r); errors (r,), y - Q(s, a); weights (d, r), w; chosen (d, r);
    rows (≤ r,).
    """
    components = action_offsets.size - 1
    share = credit_share(action_offsets, values, policy, errors, weights, chosen, rows) if components > 1 else 1.0
    whole = 0.0
    for r in rows:
        for d in range(components):
            start, stop = action_offsets[d], action_offsets[d + 1]
            mean = centre = 0.0
            for k in range(start, stop):
                mean += policy[k, r] * values[k, r]
            for k in range(start, stop):
                own = (values[k, r] - mean) / components
                advantage[k, r] = own + (share * weights[d, r] * errors[r] if k == chosen[d, r] else 0.0)
                centre += policy[k, r] * advantage[k, r]
            for k in range(start, stop):
                whole += policy[k, r] * (advantage[k, r] - centre) ** 2 / components
    return sqrt(whole / rows.size)


@jit_internal
def credit_share(action_offsets, values, policy, errors, weights, chosen, rows):
    """Return the share of an error that each of several components is credited with: 1 / components to 1.

    One error speaks of all components at once. Each gets all of it where the critic tells actions apart about as well as the
    errors of `AVERAGED` steps do together, and an even share where its differences would drown in it: the variance of the
    critic's differences over that of the errors' mean. Parameters: as in `write_advantages`.
    """
    components = action_offsets.size - 1
    own = residual = 0.0
    for r in rows:
        for d in range(components):
            mean = 0.0
            for k in range(action_offsets[d], action_offsets[d + 1]):
                mean += policy[k, r] * values[k, r]
            for k in range(action_offsets[d], action_offsets[d + 1]):
                own += policy[k, r] * ((values[k, r] - mean) / components) ** 2
            p = policy[chosen[d, r], r]
            residual += p * (1.0 - p) * (weights[d, r] * errors[r]) ** 2
    if residual <= AVERAGED * own:
        return 1.0
    return max(AVERAGED * own / residual, 1.0 / components)


@jit_internal
def update_scales(progress, settings, mean_square, variance, spread):
    """Update the running mean square and variance of the targets, and the running deviation of the advantages.

    Parameters: progress record; settings record; mean square and variance of a rehearsal's targets; deviation of its
    advantages, the first of which that is not 0 begins the running one.
    """
    spread += min(1e-6, 1e-3 * spread)
    if progress.rehearsals <= 1:
        progress.target_mean_square, progress.target_variance = mean_square, variance
    if progress.rehearsals <= 1 or progress.advantage_scale == 0:
        progress.advantage_scale = spread
    progress.advantage_scale += settings.advantage_scale_rate * (spread - progress.advantage_scale)
    rate = settings.target_variance_rate
    progress.target_mean_square += rate * (mean_square - progress.target_mean_square)
    progress.target_variance += rate * (variance - progress.target_variance)


@jit_internal
def credit_values(output, first_value, rows, chosen, target, scale, gain, clip, neutral, credit):
    """Give the value neurons of the actions taken their clipped TD error; return its mean square before clipping.

    error = y / scale - G · mean over components (output - neutral), in scales.

    Parameters: output (2, n, b); id of the first value neuron; rows (b,); chosen (d, r); target (r,); scale; G; clip;
    output that stands for 0; credit (2, n, b), changed in place.
    """
    components = chosen.shape[0]
    square = 0.0
    for b in range(rows.size):
        r = rows[b]
        predicted = 0.0
        for d in range(components):
            predicted += output[1, first_value + chosen[d, r], b] - neutral
        error = target[r] / scale - gain * predicted / components
        square += error * error
        for d in range(components):
            credit[1, first_value + chosen[d, r], b] = min(max(error, -clip), clip)
    return square / rows.size


@jit_internal
def share_steps(net, state, output, most, credit):
    """Scale credit down where samples of a batch excite the same cells, so that these take at most `most` full steps.

    Without it a plain step overshoots where one place fills the batch. The cells are the sources of the output neurons.

    Parameters: net; state (n,), who is off, and output (2, n, b); most; credit (2, n, b), changed in place.
    """
    first = net.outputs[0]
    start, stop = net.table[TableRow.FIRST, first], net.table[TableRow.FIRST, first + 1]
    source = net.link[LinkRow.SOURCE]
    crowd, active = np.zeros(credit.shape[2]), np.zeros(credit.shape[2])
    for begin in range(start, stop, STRETCH):
        if is_off(source, state, begin, stop):
            continue
        for i in source[begin : min(begin + STRETCH, stop)]:
            usage = total(output[1, i]) if state[i] != OFF else output.dtype.type(0)
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
    output, first_action, rows, action_offsets, advantage, log_target_policy, forbidden, settings, entropy,
    advantage_scale, limit, credit,
):  # fmt: skip
    """Give the action neurons advantage, entropy and the pull towards the target policy, centred by the policy.

    wish_k = clip(advantage_k / scale, ± limit) - entropy · log π_k - kl_coefficient · (log π_k - log target π_k),
    credit_k = π_k (wish_k - Σ π wish): the gradient of the policy's expected wish. Neurons that read one-hot cells get the
    natural gradient, with 1 / n instead of π_k, so that unlikely actions get updates as large as likely ones (Hennes et
    al., 2020). Masked actions have no part in the policy, are none of the n, and get nothing.

    Parameters: output (2, n, b); id of the first action neuron; rows (b,); action_offsets (d + 1,); advantage (a, r);
    log_target_policy (a, r); forbidden (r, a), the masks; settings record; entropy weight; advantage_scale; limit;
    credit (2, n, b), changed in place.
    """
    num_actions = action_offsets[-1]
    logits = np.empty(num_actions, np.float32)
    policy, log_policy, wish = np.empty(num_actions), np.empty(num_actions), np.empty(num_actions)
    unit = advantage_scale if advantage_scale > 0 else 1.0
    for b in range(rows.size):
        r = rows[b]
        for k in range(num_actions):
            logits[k] = MASKED if forbidden[r, k] else output[1, first_action + k, b]
        for d in range(action_offsets.size - 1):
            start, stop = action_offsets[d], action_offsets[d + 1]
            log_softmax(logits, start, stop, settings.policy_gain, policy, log_policy)
            mean = 0.0
            for k in range(start, stop):
                wish[k] = (
                    min(max(advantage[k, r] / unit, -limit), limit)
                    - entropy * log_policy[k]
                    - settings.kl_coefficient * (log_policy[k] - log_target_policy[k, r])
                )
                mean += policy[k] * wish[k]
            options = num_allowed(forbidden[r], start, stop)
            for k in range(start, stop):
                weight = 1.0 / options if settings.natural_gradient else policy[k]
                credit[1, first_action + k, b] = 0.0 if forbidden[r, k] else weight * (wish[k] - mean)
