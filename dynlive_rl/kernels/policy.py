"""From observations to actions: encoding, the policy of every choice, and experience as it is written down.

An action is a tuple of independent choices (one for Discrete, one per component otherwise); the actor has one output
neuron per option of every choice.
"""

from math import exp, log, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .arithmetic import compiled, inlined, inner, logistic, random_integer, random_uniform
from .arrays import FIRST, SLOW_STRENGTH, SLOW_THRESHOLD, Integer
from .rehearsal import forward

# Kinds of experience rows.
STEP, TERMINATED, TRUNCATED = 0, 1, 2
# Rows of a scaler. How many observations mean and variance are of stands in the last one of a rehearsing agent.
SCALED, MEAN, VARIANCE, COUNT = 0, 1, 2, 3


class Experience(NamedTuple):
    """Rows of e environments in rings of c rows each.

    A row is an observation, the action taken there and the reward for it. The row after the last action of an episode
    holds its final observation and no action, so that row i + 1 is what followed row i, always.
    """

    observation: NDArray[np.float32]  # (e, c, f)
    action: NDArray[np.int32]  # (e, c, d)
    probability: NDArray[np.float32]  # (e, c, d) with which each choice was made
    reward: NDArray[np.float32]  # (e, c)
    kind: NDArray[np.int8]  # (e, c)
    rows: Integer  # (e,) rows written so far


@inlined
def encode(scaler, observation, code):
    """Scale an observation (f,) into [0, 1] (f,): ½ + ½ tanh((x - mean) / 2 deviations) where scaled, else as it is."""
    for i in range(observation.size):
        if scaler[SCALED, i] > 0:
            mean, variance = scaler[MEAN, i], scaler[VARIANCE, i]
            # Small units are as good as large ones; what varies by no more than single precision rounds is no signal.
            square = max(variance + min(1e-8, 0.5 * variance), 1e-12 * mean * mean) + 1e-60
            code[i] = logistic(np.float32((observation[i] - mean) / sqrt(square)))
        else:
            code[i] = observation[i]


@inlined
def lay(inputs, code, output, column):
    """Lay an encoded observation (f,) on the input neurons of one column of a batch, with its complements."""
    for i in range(code.size):
        output[1, inputs[0, i], column] = code[i]
        output[1, inputs[1, i], column] = np.float32(1) - code[i]


@inlined
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


@inlined
def pick(policy, start, stop, number):
    """Option of one choice that a number in [0, 1) falls on, with the probabilities policy[start:stop]."""
    k = start
    while k < stop - 1 and number >= policy[k]:
        number -= policy[k]
        k += 1
    return k


@inner
def all_moderate(values):
    """Tell whether all values (e, f) are numbers within ±1e30, so that float32 can hold what becomes of them."""
    for e in range(values.shape[0]):
        for i in range(values.shape[1]):
            if not abs(values[e, i]) <= 1e30:
                return False
    return True


@inner
def append_row(experience, scaler, env, observation, kind):
    """Write an observation as the next row of an environment's stream, and let the scaler see it."""
    row = experience.rows[env] % experience.kind.shape[1]
    experience.kind[env, row] = kind
    experience.rows[env] += 1
    for i in range(observation.size):
        experience.observation[env, row, i] = observation[i]
    see(scaler, observation)


@inner
def see(scaler, observation):
    """Let a scaler's running mean and variance take in an observation (f,)."""
    for i in range(observation.size):
        if scaler[SCALED, i] > 0:
            scaler[COUNT, i] += 1
            distance = observation[i] - scaler[MEAN, i]
            scaler[MEAN, i] += distance / scaler[COUNT, i]
            square = distance * (observation[i] - scaler[MEAN, i])
            scaler[VARIANCE, i] += (square - scaler[VARIANCE, i]) / scaler[COUNT, i]


@inner
def look_again(experience, scaler, age):
    """Make a scaler's statistics those of the last `age` rows of every environment."""
    scaler[COUNT:] = 0
    capacity = experience.kind.shape[1]
    for env in range(experience.rows.size):
        for row in range(max(experience.rows[env] - min(age, capacity), 0), experience.rows[env]):
            see(scaler, experience.observation[env, row % capacity])


@inner
def choose(output, choices, gain, uniform, steady, longest, experience, env, hold, action, random):
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
                else pick(policy, start, stop, random_uniform(random))
            )
            hold[env, d, 0] = k - start
            hold[env, d, 1] = 1.0 - longest ** -random_uniform(random) if steady or at_will else 0.0
        chosen = (1.0 - uniform) * policy[k] + uniform / (stop - start)
        action[env, d] = k - start
        experience.action[env, row, d] = k - start
        experience.probability[env, row, d] = (1.0 - keeping) * chosen + (keeping if k == kept else 0.0)


@compiled
def predict(actor, batch, rule, scaler, choices, gain, observations, deterministic, random, actions):
    """Write the slow policy's choices (b, d), its best or sampled ones, for every observation (b, f)."""
    code = np.empty(observations.shape[1], np.float32)
    for b in range(observations.shape[0]):
        encode(scaler, observations[b], code)
        lay(actor.inputs, code, batch.output, b)
    ends = actor.table[FIRST, 1:]
    forward(actor, batch, rule, actor.connection[SLOW_STRENGTH], ends, actor.neuron[SLOW_THRESHOLD])
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
                actions[b, d] = pick(policy, start, stop, random_uniform(random)) - start
