"""The rehearsed Retrace actor-critic: one compiled call per environment step, which learns and chooses the next action.

An action is a tuple of independent choices (one for Discrete, one per component otherwise); the actor has one output
neuron per option of every choice, the critic likewise. Every environment's experience is one stream of rows: an
observation, the action taken there and the reward for it. The row after the last action of an episode holds its final
observation and no action, so that row i + 1 is what followed row i, always.
"""

# mypy: disable-error-code="no-untyped-def, no-untyped-call, no-any-return"
from math import exp, log, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .arithmetic import compiled, inner, logistic, random_integer, random_uniform
from .arrays import Batch, Integer, Memory, NetworkArrays, Rule
from .cycle import propagate, row_ends
from .rehearsal import backward, forward, grow_by_signal, start_credit
from .update import follow_slowly, update_all

# Kinds of experience rows.
STEP, TERMINATED, TRUNCATED = 0, 1, 2

# What the agent keeps track of, by position in `Agent.track`.
STEPS, EPISODES, REHEARSALS, SINCE_REHEARSAL = 0, 1, 2, 3
RETURN_COUNT, RETURN_SQUARE, VALUE_SCALE = 4, 5, 6
TARGET_COUNT, TARGET_MEAN, TARGET_VARIANCE, ADVANTAGE_SCALE = 7, 8, 9, 10
LOWEST_RETURN, HIGHEST_RETURN, SURPRISE, TERMINATIONS = 11, 12, 13, 14
TRACKED = 15


class Experience(NamedTuple):
    """Rows of e environments in rings of c rows each."""

    observation: NDArray[np.float32]  # (e, c, f)
    action: NDArray[np.int32]  # (e, c, d)
    probability: NDArray[np.float32]  # (e, c, d) with which each choice was made
    reward: NDArray[np.float32]  # (e, c)
    kind: NDArray[np.int8]  # (e, c)
    rows: Integer  # (e,) rows written so far


class Settings(NamedTuple):
    """The numbers of the default configuration, see `dynlive_rl.agents.config`."""

    first_rehearsal: int
    rehearse_every: int
    rehearse_every_blind: int
    segments: int
    segment_length: int
    passes: int
    trace_decay: float
    discount_low: float
    discount_high: float
    critic_rate: float
    actor_rate: float
    rate_half_life: float
    policy_gain: float
    value_gain_low: float
    value_gain_high: float
    target_spread: float
    error_clip: float
    advantage_clip: float
    importance_clip: float
    entropy: float
    anchor: float
    slow_rate: float
    persistence: float


class Agent(NamedTuple):
    """Everything a step reads and writes."""

    critic: NetworkArrays
    actor: NetworkArrays
    rule: Rule
    memory: Memory  # of the actor's cycles
    wide: Batch  # all segments at once, for targets: both networks have the same shape and take turns
    narrow: Batch  # one minibatch, for learning
    experience: Experience
    choices: Integer  # (d + 1,) where each choice's output neurons start
    scaled: NDArray[np.int8]  # (f,) 1 where an input is scaled by its running statistics
    mean: NDArray[np.float64]  # (f,)
    variance: NDArray[np.float64]  # (f,)
    track: NDArray[np.float64]  # (TRACKED,)
    recent_lengths: NDArray[np.float64]  # (5,) of the last episodes
    running: NDArray[np.float64]  # (3, e) length, return and discounted return of the running episodes
    dice: NDArray[np.float64]  # (e, d) the number in [0, 1) that last picked each choice
    action: Integer  # (e, d) the next action of every environment
    random: NDArray[np.uint64]  # (4,)


@inner
def encode(agent, observation, code):
    """Scale an observation (f,) into [0, 1] (f,): ½ + ½ tanh((x - mean) / 2 deviations) where scaled, else as it is."""
    for i in range(observation.size):
        if agent.scaled[i]:
            deviation = sqrt(agent.variance[i] + 1e-8)
            code[i] = logistic(np.float32((observation[i] - agent.mean[i]) / deviation))
        else:
            code[i] = observation[i]


@inner
def log_softmax(output, start, stop, gain, policy, log_policy):
    """Policy of one choice over the output neurons start to stop: softmax of gain · output, and its logarithm."""
    top = output[start]
    for k in range(start, stop):
        top = max(top, output[k])
    total = 0.0
    for k in range(start, stop):
        log_policy[k] = gain * (output[k] - top)
        policy[k] = exp(log_policy[k])
        total += policy[k]
    normaliser = log(total)
    for k in range(start, stop):
        policy[k] /= total
        log_policy[k] -= normaliser


@inner
def pick(policy, start, stop, number):
    """Option of one choice that a number in [0, 1) falls on, with the probabilities policy[start:stop]."""
    k = start
    while k < stop - 1 and number >= policy[k]:
        number -= policy[k]
        k += 1
    return k


@inner
def all_finite(values):
    """Tell whether all values (e, f) are finite numbers."""
    for e in range(values.shape[0]):
        for i in range(values.shape[1]):
            if not np.isfinite(values[e, i]):
                return False
    return True


@inner
def append_row(agent, env, observation, kind):
    """Write an observation as the next row of an environment's stream and let the scaler see it; returns the row."""
    experience = agent.experience
    row = experience.rows[env] % experience.kind.shape[1]
    experience.observation[env, row] = observation
    experience.kind[env, row] = kind
    experience.rows[env] += 1
    seen = 0
    for e in range(experience.rows.size):
        seen += experience.rows[e]
    for i in range(observation.size):
        if agent.scaled[i]:
            distance = observation[i] - agent.mean[i]
            agent.mean[i] += distance / seen
            agent.variance[i] += (distance * (observation[i] - agent.mean[i]) - agent.variance[i]) / seen
    return row


@inner
def choose(agent, settings, env, row, code, policy, log_policy):
    """Choose the next action of an environment from its newest row, and remember it there."""
    experience = agent.experience
    encode(agent, experience.observation[env, row], code)
    propagate(agent.actor, agent.memory, agent.rule, code)
    last = (agent.memory.cycles[0] - 1) % agent.memory.output.shape[0]
    output = agent.memory.output[last, agent.actor.outputs[0] :]
    for d in range(agent.choices.size - 1):
        start, stop = agent.choices[d], agent.choices[d + 1]
        log_softmax(output, start, stop, settings.policy_gain, policy, log_policy)
        # Until an episode has ended by itself, there may be something far away that steady steps would find.
        persistence = settings.persistence if agent.track[TERMINATIONS] == 0 else 0.0
        kept = pick(policy, start, stop, agent.dice[env, d])
        if random_uniform(agent.random) >= persistence:
            agent.dice[env, d] = random_uniform(agent.random)
        k = pick(policy, start, stop, agent.dice[env, d])
        agent.action[env, d] = k - start
        experience.action[env, row, d] = k - start
        experience.probability[env, row, d] = (1.0 - persistence) * policy[k] + (persistence if k == kept else 0.0)


@compiled
def begin(agent, settings, starting, observations):
    """Start an episode in every environment e where starting[e], at observations[e], and choose its first action.

    Returns False, and does nothing, if an observation is not finite.
    """
    if not all_finite(observations):
        return False
    code = np.empty(observations.shape[1], np.float32)
    policy, log_policy = np.empty(agent.choices[-1]), np.empty(agent.choices[-1])
    experience = agent.experience
    for env in range(observations.shape[0]):
        if starting[env]:
            last = (experience.rows[env] - 1) % experience.kind.shape[1]
            if experience.rows[env] > 0 and experience.kind[env, last] == STEP:
                experience.kind[env, last] = TRUNCATED  # the episode was broken off: its last action led nowhere
            row = append_row(agent, env, observations[env], STEP)
            for k in range(agent.running.shape[0]):
                agent.running[k, env] = 0.0
            choose(agent, settings, env, row, code, policy, log_policy)
    return True


@compiled
def observe(agent, settings, stepped, rewards, observations, terminated, truncated):
    """Learn from one step of every environment e where stepped[e], and choose the next actions of those that go on.

    Parameters have shape (e,), observations (e, f). Learning comes first, so that the action is the newest strengths'.
    Returns False, and learns nothing, if an observation or reward is not finite.
    """
    if not (all_finite(observations) and all_finite(rewards.reshape(-1, 1))):
        return False
    code = np.empty(observations.shape[1], np.float32)
    policy, log_policy = np.empty(agent.choices[-1]), np.empty(agent.choices[-1])
    experience, track = agent.experience, agent.track
    for env in range(rewards.size):
        if not stepped[env]:
            continue
        capacity = experience.kind.shape[1]
        experience.reward[env, (experience.rows[env] - 1) % capacity] = rewards[env]
        kind = TERMINATED if terminated[env] else (TRUNCATED if truncated[env] else STEP)
        append_row(agent, env, observations[env], kind)
        track[STEPS] += 1
        track[SINCE_REHEARSAL] += 1
        running = agent.running[:, env]
        running[0] += 1
        running[1] += rewards[env]
        running[2] = settings.discount_low * running[2] + rewards[env]
        track[RETURN_COUNT] += 1
        track[RETURN_SQUARE] += (running[2] * running[2] - track[RETURN_SQUARE]) / track[RETURN_COUNT]
        if kind != STEP:
            if track[EPISODES] == 0:
                track[LOWEST_RETURN] = track[HIGHEST_RETURN] = running[1]
            track[LOWEST_RETURN] = min(track[LOWEST_RETURN], running[1])
            track[HIGHEST_RETURN] = max(track[HIGHEST_RETURN], running[1])
            agent.recent_lengths[np.int64(track[EPISODES]) % agent.recent_lengths.size] = running[0]
            track[EPISODES] += 1
            track[TERMINATIONS] += kind == TERMINATED
    every = settings.rehearse_every_blind
    if track[HIGHEST_RETURN] > track[LOWEST_RETURN]:
        every = settings.rehearse_every
    if track[STEPS] >= settings.first_rehearsal and track[SINCE_REHEARSAL] >= every:
        track[SINCE_REHEARSAL] = 0
        rehearse_all(agent, settings)
    for env in range(rewards.size):
        if stepped[env] and not terminated[env] and not truncated[env]:
            row = (experience.rows[env] - 1) % experience.kind.shape[1]
            choose(agent, settings, env, row, code, policy, log_policy)
    return True


@inner
def discount(agent, settings):
    """1 - 2 / mean length of the last episodes, within the settings' bounds: as far-sighted as episodes are long."""
    episodes = min(np.int64(agent.track[EPISODES]), agent.recent_lengths.size)
    if episodes < 3:
        return settings.discount_low
    total = 0.0
    for k in range(episodes):
        total += agent.recent_lengths[k]
    return min(max(1.0 - 2.0 * episodes / total, settings.discount_low), settings.discount_high)


@inner
def write_codes(net, output, observation_code, column):
    """Lay an encoded observation (f,) on the input neurons of one column of a batch, with its complements."""
    for i in range(observation_code.size):
        output[1, net.inputs[i], column] = observation_code[i]
        output[1, net.complements[i], column] = np.float32(1) - observation_code[i]


@inner
def rehearse_all(agent, settings):
    """Rehearse: sample segments, compute Retrace targets and advantages, and let both networks learn from them."""
    track, experience = agent.track, agent.experience
    capacity = experience.kind.shape[1]
    critic, actor = agent.critic, agent.actor
    options = agent.choices[-1]
    track[REHEARSALS] += 1
    track[VALUE_SCALE] = max(sqrt(track[RETURN_SQUARE]), 1e-3)
    scale = track[VALUE_SCALE]
    gain = settings.value_gain_low
    if track[TARGET_COUNT] > 0:
        spread = sqrt(track[TARGET_VARIANCE]) / settings.target_spread / scale
        gain = min(max(spread, settings.value_gain_low), settings.value_gain_high)
    gamma = discount(agent, settings)

    # Sample segments of consecutive rows: the newest one, and others anywhere.
    longest = np.int64(0)
    for env in range(experience.rows.size):
        longest = max(longest, min(experience.rows[env], capacity) - 1)
    length = min(settings.segment_length, longest)
    width = length + 1
    rows = settings.segments * width
    where_env = np.empty(settings.segments, np.int64)
    where_row = np.empty(settings.segments, np.int64)
    for s in range(settings.segments):
        env = random_integer(agent.random, experience.rows.size)
        while min(experience.rows[env], capacity) - 1 < length:
            env = random_integer(agent.random, experience.rows.size)
        newest = experience.rows[env] - width
        oldest = max(experience.rows[env] - capacity, 0)
        where_env[s] = env
        where_row[s] = newest if s == 0 else oldest + random_integer(agent.random, newest - oldest + 1)

    # What both networks say now about every row.
    code = np.empty(agent.mean.size, np.float32)
    for s in range(settings.segments):
        for t in range(width):
            row = (where_row[s] + t) % capacity
            encode(agent, experience.observation[where_env[s], row], code)
            write_codes(critic, agent.wide.output, code, s * width + t)
    first_value, first_action = critic.outputs[0], actor.outputs[0]
    forward(critic, agent.wide, agent.rule, critic.strength, row_ends(critic), critic.threshold)
    values = np.empty((options, rows), np.float32)
    for k in range(options):
        for r in range(rows):
            values[k, r] = scale * gain * (agent.wide.output[1, first_value + k, r] - 0.5)
    policy, log_policy = np.empty(options), np.empty(options)
    output = np.empty(options, np.float32)
    slow_log_policy = np.empty((options, rows), np.float32)
    forward(actor, agent.wide, agent.rule, actor.slow_strength, actor.first[1:], actor.slow_threshold)
    for r in range(rows):
        for k in range(options):
            output[k] = agent.wide.output[1, first_action + k, r]
        for d in range(agent.choices.size - 1):
            log_softmax(output, agent.choices[d], agent.choices[d + 1], settings.policy_gain, policy, log_policy)
        for k in range(options):
            slow_log_policy[k, r] = log_policy[k]
    forward(actor, agent.wide, agent.rule, actor.strength, row_ends(actor), actor.threshold)

    # Retrace targets and advantages, each segment from its end (Munos et al., 2016).
    dimensions = agent.choices.size - 1
    target = np.empty(rows, np.float32)
    advantage = np.empty((options, rows), np.float32)
    chosen = np.empty((dimensions, rows), np.int64)
    sampled = np.empty(rows, np.int64)
    count = 0
    sum_advantage = sum_target = sum_square = 0.0
    for s in range(settings.segments):
        env = where_env[s]
        next_value = carry = 0.0
        for t in range(width - 1, -1, -1):
            r = s * width + t
            row = (where_row[s] + t) % capacity
            for k in range(options):
                output[k] = agent.wide.output[1, first_action + k, r]
            value = 0.0
            ratio = 1.0
            predicted = 0.0
            for d in range(dimensions):
                start, stop = agent.choices[d], agent.choices[d + 1]
                log_softmax(output, start, stop, settings.policy_gain, policy, log_policy)
                for k in range(start, stop):
                    value += policy[k] * values[k, r]
                if t < width - 1 and experience.kind[env, row] == STEP:
                    k = start + experience.action[env, row, d]
                    chosen[d, r] = k
                    predicted += values[k, r]
                    ratio *= policy[k] / max(experience.probability[env, row, d], 1e-6)
            value /= dimensions
            predicted /= dimensions
            if t < width - 1 and experience.kind[env, row] == STEP:
                y = experience.reward[env, row] + gamma * (next_value + carry)
                error = y - predicted
                carry = settings.trace_decay * min(1.0, ratio) * error
                target[r] = y
                sum_target += y
                sum_square += y * y
                for d in range(dimensions):
                    start, stop = agent.choices[d], agent.choices[d + 1]
                    mean = centre = 0.0
                    for k in range(start, stop):
                        mean += policy[k] * values[k, r]
                    weight = min(settings.importance_clip, 1.0 / max(experience.probability[env, row, d], 1e-3))
                    for k in range(start, stop):
                        advantage[k, r] = values[k, r] - mean
                        if k == chosen[d, r]:
                            advantage[k, r] += weight * error
                        centre += policy[k] * advantage[k, r]
                    for k in range(start, stop):
                        sum_advantage += policy[k] * (advantage[k, r] - centre) ** 2 / dimensions
                sampled[count] = r
                count += 1
            else:
                carry = 0.0
            next_value = 0.0 if experience.kind[env, row] == TERMINATED else value
    spread = sqrt(sum_advantage / count) + 1e-6
    mean_target = sum_target / count
    variance = max(sum_square / count - mean_target * mean_target, 0.0)
    if track[TARGET_COUNT] == 0:
        track[ADVANTAGE_SCALE] = spread
        track[TARGET_VARIANCE] = variance
    track[TARGET_COUNT] += 1
    track[ADVANTAGE_SCALE] += 0.05 * (spread - track[ADVANTAGE_SCALE])
    track[TARGET_VARIANCE] += 0.01 * (variance - track[TARGET_VARIANCE])

    # Learn in shuffled minibatches.
    size = agent.narrow.drive.shape[2]
    fade = 1.0 / sqrt(1.0 + track[STEPS] / settings.rate_half_life)
    surprise = 0.0
    batches = 0
    for _ in range(settings.passes):
        for i in range(count - 1, 0, -1):
            k = random_integer(agent.random, i + 1)
            sampled[i], sampled[k] = sampled[k], sampled[i]
        for first in range(0, count - size + 1, size):
            batch = sampled[first : first + size]
            surprise += learn_values(agent, settings, batch, chosen, target, scale, gain, fade)
            learn_policy(agent, settings, batch, advantage, slow_log_policy, fade)
            batches += 1
    if batches > 0:
        track[SURPRISE] = surprise / batches


@inner
def gather_inputs(net, wide, narrow, batch):
    """Copy the input neurons of some columns of the wide batch into the narrow one."""
    for i in range(net.inputs.size):
        for j in (net.inputs[i], net.complements[i]):
            source, destination = wide.output[1, j], narrow.output[1, j]
            for b in range(batch.size):
                destination[b] = source[batch[b]]


@inner
def learn_values(agent, settings, batch, chosen, target, scale, gain, fade):
    """One minibatch for the value neurons: the clipped temporal-difference error; returns its mean square."""
    critic, narrow = agent.critic, agent.narrow
    gather_inputs(critic, agent.wide, narrow, batch)
    forward(critic, narrow, agent.rule, critic.strength, row_ends(critic), critic.threshold)
    start_credit(critic, narrow, 2**31)
    dimensions = chosen.shape[0]
    first_value = critic.outputs[0]
    square = 0.0
    for b in range(batch.size):
        r = batch[b]
        predicted = 0.0
        for d in range(dimensions):
            predicted += narrow.output[1, first_value + chosen[d, r], b] - 0.5
        error = target[r] / scale - gain * predicted / dimensions
        square += error * error
        error = min(max(error, -settings.error_clip), settings.error_clip)
        for d in range(dimensions):
            narrow.credit[1, first_value + chosen[d, r], b] = error
    backward(critic, narrow, agent.rule, 2**31)
    grow_by_signal(critic, narrow, agent.rule)
    update_all(
        critic,
        agent.rule,
        narrow.reached,
        narrow.signal,
        narrow.error,
        narrow.error,
        settings.critic_rate * fade,
    )
    return square / batch.size


@inner
def learn_policy(agent, settings, batch, advantage, slow_log_policy, fade):
    """One minibatch for the action neurons: advantage, entropy and the pull towards the slow policy, centred by policy."""
    actor, narrow = agent.actor, agent.narrow
    forward(actor, narrow, agent.rule, actor.strength, row_ends(actor), actor.threshold)
    start_credit(actor, narrow, 2**31)
    options = agent.choices[-1]
    first_action = actor.outputs[0]
    output = np.empty(options, np.float32)
    policy, log_policy = np.empty(options), np.empty(options)
    wish = np.empty(options)
    limit = settings.advantage_clip
    for b in range(batch.size):
        r = batch[b]
        for k in range(options):
            output[k] = narrow.output[1, first_action + k, b]
        for d in range(agent.choices.size - 1):
            start, stop = agent.choices[d], agent.choices[d + 1]
            log_softmax(output, start, stop, settings.policy_gain, policy, log_policy)
            mean = 0.0
            for k in range(start, stop):
                wish[k] = (
                    min(max(advantage[k, r] / agent.track[ADVANTAGE_SCALE], -limit), limit)
                    - settings.entropy * log_policy[k]
                    - settings.anchor * (log_policy[k] - slow_log_policy[k, r])
                )
                mean += policy[k] * wish[k]
            for k in range(start, stop):
                narrow.credit[1, first_action + k, b] = policy[k] * (wish[k] - mean)
    backward(actor, narrow, agent.rule, 2**31)
    grow_by_signal(actor, narrow, agent.rule)
    update_all(actor, agent.rule, narrow.reached, narrow.signal, narrow.error, narrow.error, settings.actor_rate * fade)
    follow_slowly(actor, settings.slow_rate * max(fade, 0.1))


@compiled
def predict(agent, settings, batch, observations, deterministic, random, actions):
    """Write the slow policy's choices (b, d), its best or sampled ones, for every observation (b, f).

    Touches neither the agent's memory nor its random state: `random` is another one.
    """
    actor = agent.actor
    code = np.empty(observations.shape[1], np.float32)
    for b in range(observations.shape[0]):
        encode(agent, observations[b], code)
        write_codes(actor, batch.output, code, b)
    forward(actor, batch, agent.rule, actor.slow_strength, actor.first[1:], actor.slow_threshold)
    options = agent.choices[-1]
    output = np.empty(options, np.float32)
    policy, log_policy = np.empty(options), np.empty(options)
    for b in range(observations.shape[0]):
        for k in range(options):
            output[k] = batch.output[1, actor.outputs[k], b]
        for d in range(agent.choices.size - 1):
            start, stop = agent.choices[d], agent.choices[d + 1]
            log_softmax(output, start, stop, settings.policy_gain, policy, log_policy)
            if deterministic:
                actions[b, d] = np.argmax(policy[start:stop])
            else:
                actions[b, d] = pick(policy, start, stop, random_uniform(random)) - start
