"""Live learning: an actor-critic with tags over recruited cells, one compiled call per environment step, nothing stored.

One value neuron and one action neuron per option read all cells, with strengths that sum to at most 1 (the reserve). A
cell is born with a share of 1 / (2 · pool), which is neutral: a neuron's reading is Σ x (2 · pool · strength - 1).
"""

from math import log, sqrt

import numpy as np

from dynlive_rl.kernels.jit import jit_entry, jit_inline, jit_internal, jit_reduction
from dynlive_rl.kernels.numerics import total
from dynlive_rl.kernels.rng import random_uniform

from .acting import log_softmax, sample_categorical
from .experience import RowKind, all_moderate
from .live_cells import fire_and_recruit, fire_cells, notice, sense
from .live_layout import BEFORE, ERROR_SQUARE, NOW, RANGE, SPREAD, TAGS, named, unfolded
from .progress import COLLAPSES, STEPS, SURPRISE, judge_episode

MARGIN = 8.0  # values and targets stay below the range of the value neuron divided by this


@jit_reduction
def product(a, b):
    """Return the sum of the products of two rows."""
    result = np.float32(0)
    for i in range(a.size):
        result += a[i] * b[i]
    return result


@jit_reduction
def follow_tag(strength, tag, cells, fade, mark, pace, bonus):
    """Renew a tag, move the strengths along it (and by a bonus where cells are active), and return the strengths' sum.

    What has all but faded becomes 0: the smallest numbers there are take a hundred times as long to multiply.
    """
    whole = np.float32(0)
    for i in range(tag.size):
        z = fade * tag[i] + mark * cells[i]
        z = z if abs(z) > np.float32(1e-15) else np.float32(0)
        w = strength[i] + pace * z + bonus * cells[i]
        w = w if w > np.float32(0) else np.float32(0)
        tag[i] = z
        strength[i] = w
        whole += w
    return whole


@jit_inline
def read(strength, born, cells):
    """Return an output neuron's reading: Σ x (2 · pool · strength - 1) over all living cells."""
    size = cells.size // born.size
    result = 0.0
    for layer in range(born.size):
        first = layer * size
        stop = first + born[layer]
        result += 2.0 * cells.size * product(strength[first:stop], cells[first:stop]) - total(cells[first:stop])
    return result


@jit_inline
def policy_of(strength, born, choices, policy_range, cells, chance, log_chance):
    """Probability of every option, and its logarithm: softmax of the action neurons' readings, choice by choice."""
    readings = np.empty(chance.size)
    for k in range(chance.size):
        readings[k] = read(strength[1 + k], born, cells)
    for d in range(choices.size - 1):
        log_softmax(readings, choices[d], choices[d + 1], policy_range, chance, log_chance)


@jit_inline
def act(strength, born, choices, policy_range, cells, chance, action, random):
    """Choose the next action (d,) of an environment from what its cells say now, and note with which chances (o,)."""
    log_chance = np.empty(chance.size)
    policy_of(strength, born, choices, policy_range, cells, chance, log_chance)
    for d in range(choices.size - 1):
        number = random_uniform(random)
        action[d] = sample_categorical(chance, choices[d], choices[d + 1], number) - choices[d]


@jit_internal
def move(strength, tag, cells, born, fade, mark, pace, bonus):
    """Let an output neuron learn: tags (c,), strengths (c,), and their sum at most 1."""
    pool = strength.size
    size = pool // born.size
    fade, mark = np.float32(fade), np.float32(mark)
    pace, bonus = np.float32(pace / (2.0 * pool)), np.float32(bonus / (2.0 * pool))
    whole = 0.0
    for layer in range(born.size):
        first = layer * size
        stop = first + born[layer]
        whole += follow_tag(strength[first:stop], tag[first:stop], cells[first:stop], fade, mark, pace, bonus)
    if whole > 1.0:
        share = np.float32(1.0 / whole)
        for i in range(pool):
            strength[i] *= share


@jit_internal
def widen(level, strength, born, size):
    """Widen the value neuron's range until values up to `size` are small in it; what the cells stand for stays."""
    shrink = 1.0
    while level[RANGE] < MARGIN * size:
        level[RANGE] *= 2.0
        shrink *= 0.5
    neutral = np.float32(0.5 / strength.size)
    per_layer = strength.size // born.size
    for layer in range(born.size):
        for i in range(layer * per_layer, layer * per_layer + born[layer]):
            strength[i] = neutral + np.float32(shrink) * (strength[i] - neutral)


@jit_internal
def start_afresh(agent):
    """Let all output neurons read the cells as at their birth, and forget how large values are."""
    size = agent.strength.shape[1] // agent.born.size
    for layer in range(agent.born.size):
        agent.strength[:, layer * size : layer * size + agent.born[layer]] = 0.5 / agent.strength.shape[1]
    agent.trace[:, TAGS:] = 0
    agent.level[RANGE] = 0
    agent.shift[:] = 0


@jit_inline
def learn(strength, born, trace, chance, choices, action, shift, level, track, settings, reward, terminated):
    """Learn from one step of an environment: from BEFORE with its action (d,) to NOW.

    trace (3 + o, c) and chance (o,) are the environment's; shift (1,) is by how much learning from its
    last step moved the value of BEFORE; what other environments have taught since is no part of it.
    """
    before = trace[BEFORE]
    expected = read(strength[0], born, before)
    following = 0.0 if terminated else read(strength[0], born, trace[NOW])
    if level[RANGE] == 0 and reward != 0:
        level[RANGE] = 2.0 * MARGIN * abs(reward)
    target = reward + settings.discount * level[RANGE] * following
    widen_to = max(abs(target), abs(level[RANGE] * expected))
    if MARGIN * widen_to > level[RANGE]:
        before_widening = level[RANGE]
        widen(level, strength[0], born, widen_to)
        expected *= before_widening / level[RANGE]
        following *= before_widening / level[RANGE]
    if level[RANGE] == 0:
        return  # no reward so far: nothing is better or worse than anything
    error = target - level[RANGE] * expected
    steps = track[STEPS]
    level[ERROR_SQUARE] += (error * error - level[ERROR_SQUARE]) * max(1e-3, 1.0 / steps)
    track[SURPRISE] = level[ERROR_SQUARE] * (MARGIN / level[RANGE]) ** 2
    clip = settings.advantage_clip
    advantage = min(max(error / sqrt(level[ERROR_SQUARE] + 1e-30), -clip), clip)

    active = 0.0
    size = before.size // born.size
    for layer in range(born.size):
        cells = before[layer * size : layer * size + born[layer]]
        active += product(cells, cells)
    share = 1.0 / max(active, 1e-6)
    fade = settings.discount * settings.trace_decay
    # The tag of true online TD(λ) (van Seijen & Sutton, 2014): what is already marked is marked less.
    overlap = 0.0
    for layer in range(born.size):
        first = layer * size
        stop = first + born[layer]
        overlap += product(trace[TAGS, first:stop], before[first:stop])
    rate = settings.critic_rate * share
    moved = shift[0] / level[RANGE]
    pace = error / level[RANGE] + moved
    move(strength[0], trace[TAGS], before, born, fade, rate * (1.0 - fade * overlap), pace, -rate * moved)
    shift[0] = 0.0 if terminated else level[RANGE] * (read(strength[0], born, trace[NOW]) - following)

    rate = settings.actor_rate * share / settings.policy_range
    for d in range(choices.size - 1):
        chosen = choices[d] + action[d]
        entropy = 0.0
        for k in range(choices[d], choices[d + 1]):
            entropy -= chance[k] * log(chance[k] + 1e-12)
        for k in range(choices[d], choices[d + 1]):
            mark = (1.0 if k == chosen else 0.0) - chance[k]
            widening = -chance[k] * (log(chance[k] + 1e-12) + entropy)
            tag, bonus = trace[TAGS + 1 + k], rate * settings.entropy * widening
            move(strength[1 + k], tag, before, born, fade, rate * mark, advantage, bonus)


@jit_entry
def begin(buffer, starting, observations):
    """Start an episode in every environment e where starting[e], at observations[e], and choose its first action.

    Returns False, and does nothing, if an observation is not a number within ±1e30.
    """
    if not all_moderate(observations):
        return False
    agent = unfolded(buffer)
    settings = named(agent.settings)
    strength, born, choices, level = agent.strength, agent.born, agent.choices, agent.level
    sources = np.empty(agent.rails.size, np.float32)
    for env in range(observations.shape[0]):
        if starting[env]:
            cells = agent.trace[env, NOW]
            agent.trace[env, TAGS:] = 0
            agent.running[:, env] = 0
            notice(agent.scaler, agent.rails, level, observations[env], sources)
            fire_and_recruit(agent.cell, born, strength, agent.trace, settings, level[SPREAD], sources, cells)
            agent.shift[env] = 0
            chance, action = agent.chance[env], agent.action[env]
            act(strength, born, choices, settings.policy_range, cells, chance, action, agent.random)
    return True


@jit_entry
def observe(buffer, observations):
    """Learn from one step of every environment that stepped, and choose the next actions of those that go on.

    The agent's `brought` says what the step brought, observations (e, f) where it led. Returns False, and learns nothing,
    if an observation or reward is not a number within ±1e30.
    """
    agent = unfolded(buffer)
    brought, settings = agent.brought, named(agent.settings)
    stepped, rewards, terminated, truncated = brought[0], brought[1], brought[2], brought[3]
    if not (all_moderate(observations) and all_moderate(brought)):
        return False
    strength, born, choices, level = agent.strength, agent.born, agent.choices, agent.level
    sources = np.empty(agent.rails.size, np.float32)
    for env in range(rewards.size):
        if stepped[env] != 0:
            trace, cells, chance, action = agent.trace[env], agent.trace[env, NOW], agent.chance[env], agent.action[env]
            trace[BEFORE] = cells
            notice(agent.scaler, agent.rails, level, observations[env], sources)
            fire_and_recruit(agent.cell, born, strength, agent.trace, settings, level[SPREAD], sources, cells)
            agent.track[STEPS] += 1
            learn(
                strength, born, trace, chance, choices, action, agent.shift[env : env + 1], level, agent.track,
                settings, rewards[env], terminated[env] != 0,
            )  # fmt: skip
            agent.running[0, env] += 1
            agent.running[1, env] += rewards[env]
            kind = (
                RowKind.TERMINATED
                if terminated[env] != 0
                else (RowKind.TRUNCATED if truncated[env] != 0 else RowKind.STEP)
            )
            if kind == RowKind.STEP:
                act(strength, born, choices, settings.policy_range, cells, chance, action, agent.random)
            else:
                collapses = agent.track[COLLAPSES]
                steps, episode_return = agent.running[0, env], agent.running[1, env]
                judge_episode(agent.track, agent.recent, steps, episode_return, kind, settings)
                if agent.track[COLLAPSES] > collapses:
                    start_afresh(agent)
    return True


@jit_entry
def predict(buffer, observations, deterministic, random, actions):
    """Write the policy's choices (b, d), its best or sampled ones, for every observation (b, f)."""
    agent = unfolded(buffer)
    settings = named(agent.settings)
    choices = agent.choices
    sources = np.empty(agent.rails.size, np.float32)
    cells = np.empty(agent.cell.shape[1], np.float32)
    chance, log_chance = np.empty(choices[-1]), np.empty(choices[-1])
    for b in range(observations.shape[0]):
        sense(agent.scaler, observations[b], sources)
        fire_cells(agent.cell, agent.born, settings.radius, agent.level[SPREAD], sources, cells)
        policy_of(agent.strength, agent.born, choices, settings.policy_range, cells, chance, log_chance)
        for d in range(choices.size - 1):
            start, stop = choices[d], choices[d + 1]
            if deterministic:
                actions[b, d] = np.argmax(chance[start:stop])
            else:
                actions[b, d] = sample_categorical(chance, start, stop, random_uniform(random)) - start
