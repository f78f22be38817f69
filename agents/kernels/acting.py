"""From observations to actions: encoding, the policy of every choice, and experience as it is written down.

An action is a tuple of independent choices (one for Discrete, one per component otherwise); the actor has one output
neuron per option of every choice.
"""

from math import exp, log

import numpy as np

from dynlive_rl.kernels.batch import forward
from dynlive_rl.kernels.jit import jit_entry, jit_inline, jit_internal
from dynlive_rl.kernels.layout import ConnectionRow, NeuronRow, TableRow
from dynlive_rl.kernels.online import write_inputs
from dynlive_rl.kernels.rng import random_integer, random_uniform

from .scaling import encode


@jit_inline
def log_softmax(output, start, stop, gain, policy, log_policy):
    """Policy of one choice over the output neurons start to stop: softmax of gain · output, and its logarithm."""
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
    """Option of one choice that a number in [0, 1) falls on, with the probabilities policy[start:stop]."""
    k = start
    while k < stop - 1 and number >= policy[k]:
        number -= policy[k]
        k += 1
    return k


@jit_internal
def sample_action(output, choices, gain, uniform, steady, longest, experience, env, hold, action, random):
    """Choose an environment's next action from the action neurons' outputs, and remember it in its newest row.

    A share `uniform` of the choices is drawn from all options alike. These choices, and all of them where `steady`, are
    held for a while: 1 to `longest` steps on average, every order of magnitude as likely. The probability that is
    remembered knows about it.
    """
    row = (experience.rows[env] - 1) % experience.kind.shape[1]
    policy, log_policy = np.empty(choices[-1]), np.empty(choices[-1])
    for d in range(choices.size - 1):
        start, stop = choices[d], choices[d + 1]
        log_softmax(output, start, stop, gain, policy, log_policy)
        kept, keeping = start + np.int64(hold[env, d, 0]), hold[env, d, 1]
        k = kept
        if random_uniform(random) >= keeping:
            at_will = random_uniform(random) < uniform
            k = (
                start + random_integer(random, stop - start)
                if at_will
                else sample_categorical(policy, start, stop, random_uniform(random))
            )
            hold[env, d, 0] = k - start
            hold[env, d, 1] = 1.0 - longest ** -random_uniform(random) if steady or at_will else 0.0
        chosen = (1.0 - uniform) * policy[k] + uniform / (stop - start)
        action[env, d] = k - start
        experience.action[env, row, d] = k - start
        experience.probability[env, row, d] = (1.0 - keeping) * chosen + (keeping if k == kept else 0.0)


@jit_entry
def predict(actor, batch, rule, scaler, choices, gain, observations, deterministic, random, actions):
    """Write the slow policy's choices (b, d), its best or sampled ones, for every observation (b, f)."""
    code = np.empty(observations.shape, np.float32)
    for b in range(observations.shape[0]):
        encode(scaler, observations[b], code[b])
    write_inputs(actor.inputs, code.T, batch.output[1], False)
    ends = actor.table[TableRow.FIRST, 1:]
    forward(
        actor,
        batch,
        rule,
        actor.connection[ConnectionRow.TARGET_STRENGTH],
        ends,
        actor.neuron[NeuronRow.TARGET_THRESHOLD],
    )
    output = np.empty(choices[-1], np.float32)
    policy, log_policy = np.empty(choices[-1]), np.empty(choices[-1])
    for b in range(observations.shape[0]):
        for k in range(output.size):
            output[k] = batch.output[1, actor.outputs[k], b]
        for d in range(choices.size - 1):
            start, stop = choices[d], choices[d + 1]
            log_softmax(output, start, stop, gain, policy, log_policy)
            if deterministic:
                actions[b, d] = np.argmax(policy[start:stop])
            else:
                actions[b, d] = sample_categorical(policy, start, stop, random_uniform(random)) - start
