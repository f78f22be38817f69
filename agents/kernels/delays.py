"""How many steps after an action its reward comes, where that is always the same number."""

from math import sqrt

import numpy as np

from dynlive_rl.kernels.jit import jit_entry, jit_internal
from dynlive_rl.kernels.numerics import dot, total

from .experience import RowKind, read_row
from .progress import task_rows
from .scaling import encode

GROWN = 1.5  # the task, since a delay was looked for last
MOST_CONTEXTS = 8  # of an observation, those that come first; what actions are worth may depend on them
WIDE = 1024  # features: of more than that none is looked at
MOST_WORK = 10**8  # products summed up at a time, which takes some ten milliseconds
FEW_PAIRS = 100  # of an action and a reward: fewer say nothing
SURE = 6.0  # deviations: of a thousand delays and a dozen effects of each, one in 10⁵ worlds has as much by chance
BEFORE = 8  # steps before the delay in which no effect is half as sure: what grows little by little is no delay


@jit_entry(seconds=2)
def look_for_delay(agent, settings):
    """Find out how late rewards come, each time the task has grown by half; what was found stays until more is known."""
    progress, numbers = agent.progress[0], settings[0]
    steps = progress.steps - progress.task_start_step
    if steps >= GROWN * max(progress.delay_looked_for, numbers.first_rehearsal):
        progress.delay_looked_for = steps
        age = task_rows(progress, agent.experience.rows.size)
        delay = find_delay(agent, age, numbers.reward_delays)
        if delay >= 0:
            progress.reward_delay = delay


@jit_internal
def find_delay(agent, age, delays):
    """Return the number of steps d < `delays` after which actions first tell in the rewards, or -1 if that is not known.

    With μ_k the probability with which action k was chosen, u_t = [a_t = k] - μ_k has the mean 0 whatever was known at t. So
    have its products with contexts φ_t, which are 1 and the first codes of the observation less ½; and where a_t has no effect
    on r_{t + d}, so has the sum over the steps of an episode, S = Σ u_t φ_t (r_{t + d} - mean r). Then S divided by
    √(Σ (u_t φ_t (r_{t + d} - mean r))²) is nearly normal, with deviation 1. What was not taken counts as equally likely.

    The rows are the newest of every environment, none older than `age`, and no more than `MOST_WORK` allows.
    """
    experience, offsets = agent.experience, agent.action_offsets
    capacity, features = experience.kind.shape[1], agent.scaler.shape[1]
    contexts = 1 + min(features, MOST_CONTEXTS) if features <= WIDE else 1
    effects = offsets[-1] * contexts
    longest = MOST_WORK // (effects * delays * experience.rows.size)
    if longest < FEW_PAIRS:
        return -1
    sums, squares = np.zeros((delays, effects)), np.zeros((delays, effects))
    pairs = np.zeros(delays, np.int64)
    observation, code = np.empty(features, np.float32), np.empty(features, np.float32)
    for env in range(experience.rows.size):
        length = min(experience.rows[env] - 1, capacity - 1, age, longest)  # the newest row has no reward yet
        if length < 1:
            continue
        first = experience.rows[env] - 1 - length
        mean = mean_reward(experience, env, first, length)
        impulse, reward = np.zeros((effects, length), np.float32), np.zeros(length, np.float32)
        end = np.zeros(length, np.int64)  # where the episode ends that a step belongs to
        for t in range(length - 1, -1, -1):
            row = (first + t) % capacity
            ends = experience.kind[env, row] != RowKind.STEP
            end[t] = t if ends else (end[t + 1] if t + 1 < length else length)
            if ends:
                continue
            reward[t] = experience.reward[env, row] - mean
            if contexts > 1:
                read_row(experience, agent.kept, env, row, observation)
                encode(agent.scaler, agent.sample, observation, code)
            for d in range(offsets.size - 1):
                taken = offsets[d] + experience.action[env, row, d]
                rest = 1.0 - experience.probability[env, row, d]
                for k in range(offsets[d], offsets[d + 1]):
                    innovation = rest if k == taken else -rest / (offsets[d + 1] - offsets[d] - 1)
                    impulse[k * contexts, t] = innovation
                    for i in range(1, contexts):
                        impulse[k * contexts + i, t] = innovation * (code[i - 1] - 0.5)
        for d in range(min(delays, length)):
            add_effects(impulse, reward, end, d, sums, squares, pairs)
    return first_delay(sums, squares, pairs)


@jit_internal
def mean_reward(experience, env, first, length):
    """Return the mean reward of the steps among so many rows of an environment from the first one on; 0 if there is none."""
    whole, count = 0.0, 0
    for t in range(first, first + length):
        row = t % experience.kind.shape[1]
        if experience.kind[env, row] == RowKind.STEP:
            whole += experience.reward[env, row]
            count += 1
    return whole / max(count, 1)


@jit_internal
def add_effects(impulse, reward, end, d, sums, squares, pairs):
    """Add what the impulses (p, t) of one environment's steps have to do with the rewards (t,) d steps later.

    end (t,): where each step's episode ends; sums, squares (delays, p) and pairs (delays,), changed in place.
    """
    count = reward.size - d
    later = np.zeros(count, np.float32)
    for t in range(count):
        if t + d < end[t]:
            later[t] = reward[t + d]
            pairs[d] += 1
    product = np.empty(count, np.float32)
    for p in range(impulse.shape[0]):
        for t in range(count):
            product[t] = impulse[p, t] * later[t]
        sums[d, p] += total(product)
        squares[d, p] += dot(product, product)


@jit_internal
def first_delay(sums, squares, pairs):
    """Return the first delay with a sure effect; 0 if it comes little by little or is a small part of all; -1 if none is sure.

    sums, squares (delays, p) of the effects' products, and how many pairs (delays,) they are of.
    """
    score = np.zeros(pairs.size)
    first = -1
    for d in range(pairs.size):
        for p in range(sums.shape[1]):
            if pairs[d] >= FEW_PAIRS and squares[d, p] > 0:
                score[d] = max(score[d], abs(sums[d, p]) / sqrt(squares[d, p]))
        if first < 0 and score[d] >= SURE:
            first = d
    if first > 0:
        before = score[max(first - BEFORE, 0) : first].max()
        if 2.0 * before > score[first] or score.max() > 2.0 * score[first]:
            return 0
    return first
