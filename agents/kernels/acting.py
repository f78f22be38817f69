"""Acting: the policy of every action component, and how an action is sampled from it.

An action is a tuple of d independent components (one for Discrete), each with its own number of actions. The actor has one
output neuron per action of every component; those of component d are action_offsets[d] to action_offsets[d + 1].
"""

from math import exp, log

import numpy as np

from dynlive_rl.kernels.batch import forward
from dynlive_rl.kernels.codes import Code
from dynlive_rl.kernels.jit import jit_entry, jit_inline, jit_internal
from dynlive_rl.kernels.layout import ConnectionRow, NeuronRow, TableRow
from dynlive_rl.kernels.online import write_inputs
from dynlive_rl.kernels.rng import random_integer, random_uniform

from .experience import nothing_new
from .scaling import encode

MASKED = np.float32(-1e9)  # output of a masked action's neuron: its probability is 0, and products with that are 0 too


class RepeatColumn(Code):
    """Columns of `action_repeat` (e, d, 2): the action chosen last, and the probability of repeating it."""

    ACTION = 0
    PROBABILITY = 1


@jit_inline
def log_softmax(output, start, stop, gain, policy, log_policy):
    """Write one component's policy over the output neurons start to stop: softmax(gain · output), and its logarithm."""
    top = output[start]
    for k in range(start, stop):
        top = max(top, output[k])
    whole = 0.0
    for k in range(start, stop):
        log_policy[k] = gain * (output[k] - top)
        policy[k] = exp(log_policy[k])
        whole += policy[k]
    normaliser = log(whole)
    for k in range(start, stop):
        policy[k] /= whole
        log_policy[k] -= normaliser


@jit_inline
def sample_categorical(policy, start, stop, number):
    """Return the action that a uniform number in [0, 1) falls on, with the probabilities policy[start:stop]."""
    k = start
    while k < stop - 1 and number >= policy[k]:
        number -= policy[k]
        k += 1
    while k > start and policy[k] == 0:  # what rounding left of the number fell on a masked one
        k -= 1
    return k


@jit_inline
def num_allowed(forbidden, start, stop):
    """Return the number of actions from start to stop that a mask (a,) does not forbid."""
    count = 0
    for k in range(start, stop):
        count += 0 if forbidden[k] else 1
    return count


@jit_inline
def nth_allowed(forbidden, start, n):
    """Return the allowed action from start on that n allowed ones come before; n is less than there are."""
    k = start
    while forbidden[k] or n > 0:
        n -= 0 if forbidden[k] else 1
        k += 1
    return k


@jit_internal
def end_known_repeats(experience, action_repeat, env, settings):
    """Let no action (e, d, 2) be repeated any longer where the last one led to nothing new.

    What walks against a wall, turns in a circle or ends an episode finds nothing, however often it is repeated.
    """
    repeats = False
    for d in range(action_repeat.shape[1]):
        repeats = repeats or action_repeat[env, d, RepeatColumn.PROBABILITY] > 0
    if repeats and nothing_new(experience, env, settings.observed, settings.segments * settings.segment_length):
        for d in range(action_repeat.shape[1]):
            action_repeat[env, d, RepeatColumn.PROBABILITY] = 0.0


@jit_internal
def sample_action(
    output, action_offsets, gain, uniform, repeating, max_mean_repeat, experience, env, action_repeat, action, kept_policy,
    forbidden, random,
):  # fmt: skip
    """Sample an environment's next action, and remember it in its newest row (Dabney et al., 2021: temporally extended).

    A share `uniform` of the actions is drawn from all alike. These, and all of them if `repeating`, are repeated: for 1 to
    `max_mean_repeat` steps on average, every order of magnitude as likely. The remembered probability takes it into account:
    μ(a) = (1 - q) · ((1 - u) π(a) + u / n) + q · [a is repeated], with q the probability of repeating. Masked actions have
    no part in any of it: π and n are of the others, and q is 0 if the one to be repeated is masked.

    Parameters: output of the action neurons (a,); action_offsets (d + 1,); policy gain; uniform share u; repeating;
    max_mean_repeat; experience; env; action_repeat (e, d, 2), action (e, d) and kept_policy (e, a), or (e, 0), changed in
    place; forbidden (a,), the mask; random state (4,). Kept is π, and [k = a] where π did not choose. Returns the share of
    components that are uniform or repeated, and not the policy's.
    """
    row = (experience.rows[env] - 1) % experience.kind.shape[1]
    logits = np.empty(action_offsets[-1], np.float32)
    for k in range(logits.size):
        logits[k] = MASKED if forbidden[k] else output[k]
    policy, log_policy = np.empty(action_offsets[-1]), np.empty(action_offsets[-1])
    explored = action_offsets.size - 1
    for d in range(action_offsets.size - 1):
        start, stop = action_offsets[d], action_offsets[d + 1]
        log_softmax(logits, start, stop, gain, policy, log_policy)
        options = num_allowed(forbidden, start, stop)
        repeated = start + np.int64(action_repeat[env, d, RepeatColumn.ACTION])
        repeat_probability = 0.0 if forbidden[repeated] else action_repeat[env, d, RepeatColumn.PROBABILITY]
        k, follows_policy = repeated, False
        if random_uniform(random) >= repeat_probability:
            is_uniform = random_uniform(random) < uniform
            if is_uniform:
                k = nth_allowed(forbidden, start, random_integer(random, options))
            else:
                k = sample_categorical(policy, start, stop, random_uniform(random))
                explored -= 1
                follows_policy = not repeating
            extended = repeating or is_uniform
            action_repeat[env, d, RepeatColumn.ACTION] = k - start
            action_repeat[env, d, RepeatColumn.PROBABILITY] = (
                1.0 - max_mean_repeat ** -random_uniform(random) if extended else 0.0
            )
        chosen = (1.0 - uniform) * policy[k] + uniform / options
        action[env, d] = k - start
        for i in range(start, stop if kept_policy.shape[1] > 0 else start):
            kept_policy[env, i] = policy[i] if follows_policy else (1.0 if i == k else 0.0)
        experience.action[env, row, d] = k - start
        experience.probability[env, row, d] = (1.0 - repeat_probability) * chosen + (
            repeat_probability if k == repeated else 0.0
        )
    return explored / (action_offsets.size - 1)


@jit_inline
def forward_target(actor, batch, rule, scaler, sample, observations):
    """Let the target policy's network read observations (b, f), in a batch of b sequences of one cycle."""
    code = np.empty(observations.shape, np.float32)
    for b in range(observations.shape[0]):
        encode(scaler, sample, observations[b], code[b])
    write_inputs(actor.inputs, code.T, batch.output[1], False)
    strength, threshold = actor.connection[ConnectionRow.TARGET_STRENGTH], actor.neuron[NeuronRow.TARGET_THRESHOLD]
    forward(actor, batch, rule, strength, actor.table[TableRow.FIRST, 1:], threshold)


@jit_inline
def take(policy, start, stop, deterministic, random):
    """Return the most likely action of a component with the probabilities policy[start:stop], or a sampled one."""
    if deterministic:
        return np.argmax(policy[start:stop])
    return sample_categorical(policy, start, stop, random_uniform(random)) - start


@jit_entry(seconds=2)
def predict(actor, batch, rule, scaler, sample, action_offsets, gain, observations, deterministic, random, actions):
    """Write the target policy's actions (b, d), the most likely or sampled ones, for every observation (b, f).

    Parameters: actor; batch of b sequences of one cycle; rule; scaler (5, f) and its samples; action_offsets (d + 1,);
    policy gain; observations; deterministic; random state (4,); actions.
    """
    forward_target(actor, batch, rule, scaler, sample, observations)
    output = np.empty(action_offsets[-1], np.float32)
    policy, log_policy = np.empty(action_offsets[-1]), np.empty(action_offsets[-1])
    for b in range(observations.shape[0]):
        for k in range(output.size):
            output[k] = batch.output[1, actor.outputs[k], b]
        for d in range(action_offsets.size - 1):
            start, stop = action_offsets[d], action_offsets[d + 1]
            log_softmax(output, start, stop, gain, policy, log_policy)
            actions[b, d] = take(policy, start, stop, deterministic, random)


@jit_entry
def policies(
    actor,
    batch,
    rule,
    scaler,
    sample,
    action_offsets,
    gain,
    observations,
    forbidden,
    deterministic,
    random,
    policy,
    actions,
):
    """As `predict`, with masks: forbidden (b, a), or empty; and write the policy (b, a) too."""
    forward_target(actor, batch, rule, scaler, sample, observations)
    output, log_policy = np.empty(action_offsets[-1], np.float32), np.empty(action_offsets[-1])
    for b in range(observations.shape[0]):
        for k in range(output.size):
            is_masked = forbidden.size > 0 and forbidden[b, k]
            output[k] = MASKED if is_masked else batch.output[1, actor.outputs[k], b]
        for d in range(action_offsets.size - 1):
            start, stop = action_offsets[d], action_offsets[d + 1]
            log_softmax(output, start, stop, gain, policy[b], log_policy)
            actions[b, d] = take(policy[b], start, stop, deterministic, random)
