"""Live learning: an actor-critic with eligibility traces over recruited cells; one compiled call per step, nothing stored.

One value neuron and one action neuron per action read all cells, with strengths that sum to at most 1 (the reserve). A
cell is recruited with a share of 1 / (2 · pool), which is neutral: a readout is Σ x (2 · pool · strength - 1).
"""

from math import log, sqrt

import numpy as np

from dynlive_rl.kernels.jit import jit_entry, jit_inline, jit_internal, jit_reduction
from dynlive_rl.kernels.numerics import total
from dynlive_rl.kernels.rng import random_uniform

from .acting import MASKED, log_softmax, sample_categorical, take
from .experience import RowKind, all_moderate
from .live_cells import encode_features, fire_and_recruit, fire_cells, observe_and_encode
from .live_layout import TraceRow, unfolded
from .progress import RunningRow, judge_episode, reward_base, update_reward_range


@jit_reduction
def product(a, b):
    """Return the sum of the products of two rows."""
    result = np.float32(0)
    for i in range(a.size):
        result += a[i] * b[i]
    return result


@jit_reduction
def step_along_trace(strength, trace, cells, decay, increment, pace, bonus):
    """Renew an eligibility trace, move the strengths along it, and return the strengths' sum; all rows have one size.

    z ← decay · z + increment · x,  w ← max(w + pace · z + bonus · x, 0). What has all but decayed becomes 0: the smallest
    numbers there are take a hundred times as long to multiply.
    """
    whole = np.float32(0)
    for i in range(trace.size):
        z = decay * trace[i] + increment * cells[i]
        z = z if abs(z) > np.float32(1e-15) else np.float32(0)
        w = strength[i] + pace * z + bonus * cells[i]
        w = w if w > np.float32(0) else np.float32(0)
        trace[i] = z
        strength[i] = w
        whole += w
    return whole


@jit_inline
def readout(strength, num_cells, cells):
    """Return an output neuron's readout: Σ x (2 · pool · strength - 1) over all living cells; strength and cells (c,)."""
    size = cells.size // num_cells.size
    result = 0.0
    for layer in range(num_cells.size):
        first = layer * size
        stop = first + num_cells[layer]
        result += 2.0 * cells.size * product(strength[first:stop], cells[first:stop]) - total(cells[first:stop])
    return result


@jit_inline
def policy_of(strength, num_cells, action_offsets, policy_range, cells, forbidden, policy, log_policy):
    """Write the policy (a,) and its logarithm: softmax of the readouts of the actions that a mask (a,) leaves."""
    readouts = np.empty(policy.size)
    for k in range(policy.size):
        is_masked = forbidden.size > 0 and forbidden[k] != 0
        readouts[k] = MASKED if is_masked else readout(strength[1 + k], num_cells, cells)
    for d in range(action_offsets.size - 1):
        log_softmax(readouts, action_offsets[d], action_offsets[d + 1], policy_range, policy, log_policy)


@jit_inline
def act(agent, settings, env):
    """Sample the next action of an environment from its cells' outputs, and remember its policy."""
    action_offsets, policy, action, random = agent.action_offsets, agent.policy[env], agent.action[env], agent.random
    cells, log_policy = agent.trace[env, TraceRow.NOW], np.empty(policy.size)
    policy_of(
        agent.strength, agent.num_cells, action_offsets, settings.policy_range, cells, agent.forbidden[env], policy,
        log_policy,
    )  # fmt: skip
    for d in range(action_offsets.size - 1):
        number = random_uniform(random)
        action[d] = sample_categorical(policy, action_offsets[d], action_offsets[d + 1], number) - action_offsets[d]


@jit_internal
def update_readout(strength, trace, cells, num_cells, decay, increment, pace, bonus):
    """Let an output neuron learn, see `step_along_trace`: its trace and strengths (c,), whose sum is at most 1."""
    pool = strength.size
    size = pool // num_cells.size
    decay, increment = np.float32(decay), np.float32(increment)
    pace, bonus = np.float32(pace / (2.0 * pool)), np.float32(bonus / (2.0 * pool))
    whole = 0.0
    for layer in range(num_cells.size):
        first = layer * size
        stop = first + num_cells[layer]
        whole += step_along_trace(
            strength[first:stop], trace[first:stop], cells[first:stop], decay, increment, pace, bonus
        )
    if whole > 1.0:
        share = np.float32(1.0 / whole)
        for i in range(pool):
            strength[i] *= share


@jit_internal
def widen_value_range(scalars, strength, num_cells, size, margin):
    """Widen the value neuron's range to at least margin · size; the values that its strengths (c,) stand for stay."""
    shrink = 1.0
    while scalars.value_range < margin * size:
        scalars.value_range *= 2.0
        shrink *= 0.5
    neutral = np.float32(0.5 / strength.size)
    per_layer = strength.size // num_cells.size
    for layer in range(num_cells.size):
        for i in range(layer * per_layer, layer * per_layer + num_cells[layer]):
            strength[i] = neutral + np.float32(shrink) * (strength[i] - neutral)


@jit_internal
def reset_readouts(agent):
    """Make all output neurons neutral to all cells again, and forget how large values are."""
    size = agent.strength.shape[1] // agent.num_cells.size
    for layer in range(agent.num_cells.size):
        agent.strength[:, layer * size : layer * size + agent.num_cells[layer]] = 0.5 / agent.strength.shape[1]
    agent.trace[:, TraceRow.TRACES :] = 0
    agent.scalars[0].value_range = 0
    agent.value_shift[:] = 0


@jit_inline
def learn(agent, env, scalars, progress, settings, reward, terminated):
    """Learn from one step of an environment: from BEFORE with its action to NOW (rows of its trace).

    δ = r + γ · R · v(NOW) - R · v(BEFORE), with R the value range and v the value neuron's readout. Both networks share
    the rate 1 / Σ x² of BEFORE, so that critic_rate is the share of δ that a step corrects at once.
    """
    strength, num_cells, trace = agent.strength, agent.num_cells, agent.trace[env]
    before = trace[TraceRow.BEFORE]
    expected = readout(strength[0], num_cells, before)
    following = 0.0 if terminated else readout(strength[0], num_cells, trace[TraceRow.NOW])
    margin = settings.value_margin
    if scalars.value_range == 0 and reward != 0:
        scalars.value_range = 2.0 * margin * abs(reward)
    target = reward + settings.discount * scalars.value_range * following
    size = max(abs(target), abs(scalars.value_range * expected))
    if margin * size > scalars.value_range:
        range_before = scalars.value_range
        widen_value_range(scalars, strength[0], num_cells, size, margin)
        expected *= range_before / scalars.value_range
        following *= range_before / scalars.value_range
    if scalars.value_range == 0:
        return  # no reward so far: nothing is better or worse than anything
    error = target - scalars.value_range * expected
    rate = max(settings.error_rate, 1.0 / progress.steps)
    scalars.error_mean_square += (error * error - scalars.error_mean_square) * rate
    progress.td_error_mse = scalars.error_mean_square * (margin / scalars.value_range) ** 2
    clip = settings.advantage_clip
    advantage = min(max(error / sqrt(scalars.error_mean_square + 1e-30), -clip), clip)

    active = 0.0
    per_layer = before.size // num_cells.size
    for layer in range(num_cells.size):
        cells = before[layer * per_layer : layer * per_layer + num_cells[layer]]
        active += product(cells, cells)
    share = 1.0 / max(active, 1e-6)
    learn_value(agent, env, scalars, settings, share, error, following, terminated)
    learn_policy(agent, env, settings, share, advantage)


@jit_inline
def learn_value(agent, env, scalars, settings, share, error, following, terminated):
    """Move the value neuron's strengths by true online TD(λ) (van Seijen & Sutton, 2014).

    agent.value_shift[env] is by how much learning from the environment's last step moved the value of BEFORE; what other
    environments have taught since is no part of it.
    """
    strength, num_cells, trace, value_shift = agent.strength, agent.num_cells, agent.trace[env], agent.value_shift
    before = trace[TraceRow.BEFORE]
    decay = settings.discount * settings.trace_decay
    overlap = 0.0  # of the trace with the cells: what is in the trace already is added less
    per_layer = before.size // num_cells.size
    for layer in range(num_cells.size):
        first = layer * per_layer
        stop = first + num_cells[layer]
        overlap += product(trace[TraceRow.TRACES, first:stop], before[first:stop])
    rate = settings.critic_rate * share
    moved = value_shift[env] / scalars.value_range
    pace = error / scalars.value_range + moved
    increment = rate * (1.0 - decay * overlap)
    update_readout(strength[0], trace[TraceRow.TRACES], before, num_cells, decay, increment, pace, -rate * moved)
    value_shift[env] = 0.0
    if not terminated:
        value_shift[env] = scalars.value_range * (readout(strength[0], num_cells, trace[TraceRow.NOW]) - following)


@jit_inline
def learn_policy(agent, env, settings, share, advantage):
    """Move the action neurons' strengths along their traces by the advantage, and by the gradient of the entropy."""
    trace, policy, action, action_offsets = agent.trace[env], agent.policy[env], agent.action[env], agent.action_offsets
    before, decay = trace[TraceRow.BEFORE], settings.discount * settings.trace_decay
    rate = settings.actor_rate * share / settings.policy_range
    for d in range(action_offsets.size - 1):
        chosen = action_offsets[d] + action[d]
        entropy = 0.0
        for k in range(action_offsets[d], action_offsets[d + 1]):
            entropy -= policy[k] * log(policy[k] + 1e-12)
        for k in range(action_offsets[d], action_offsets[d + 1]):
            increment = (1.0 if k == chosen else 0.0) - policy[k]
            widening = -policy[k] * (log(policy[k] + 1e-12) + entropy)
            bonus = rate * settings.entropy * widening
            update_readout(
                agent.strength[1 + k], trace[TraceRow.TRACES + 1 + k], before, agent.num_cells, decay,
                rate * increment, advantage, bonus,
            )  # fmt: skip


@jit_inline
def look(agent, settings, scalars, observation, sources, cells):
    """Let the statistics and the cells of an agent see an observation (f,): features (2 f,) and outputs (c,) are written."""
    observe_and_encode(agent.scaler, agent.sample, agent.feature_mean, scalars, observation, sources)
    spread = scalars.feature_spread
    fire_and_recruit(agent.cell, agent.num_cells, agent.strength, agent.trace, settings, spread, sources, cells)


@jit_entry(seconds=2)
def begin(buffer, starting, observations):
    """Start an episode in every environment e where starting[e], at observations (e, f), and choose its first action.

    Returns False, and does nothing, if an observation is not a number within ±1e30.
    """
    if not all_moderate(observations):
        return False
    agent = unfolded(buffer)
    settings, scalars = agent.settings[0], agent.scalars[0]
    sources = np.empty(agent.feature_mean.size, np.float32)
    for env in range(observations.shape[0]):
        if starting[env]:
            cells = agent.trace[env, TraceRow.NOW]
            agent.trace[env, TraceRow.TRACES :] = 0
            agent.running[:, env] = 0
            look(agent, settings, scalars, observations[env], sources, cells)
            agent.value_shift[env] = 0
            act(agent, settings, env)
    return True


@jit_entry
def choose_again(buffer, which):
    """Choose the next actions of some environments (e,) anew: their masks are others than when they were chosen."""
    agent = unfolded(buffer)
    for env in range(which.size):
        if which[env]:
            act(agent, agent.settings[0], env)


@jit_entry(seconds=7)
def observe(buffer, observations):
    """Learn from one step of every environment that stepped, and choose the next actions of those that go on.

    The agent's `step` says what it brought, observations (e, f) where it led. Returns False, and learns nothing, if an
    observation or reward is not a number within ±1e30.
    """
    agent = unfolded(buffer)
    step, settings, scalars, progress = agent.step, agent.settings[0], agent.scalars[0], agent.progress[0]
    stepped, rewards, terminated, truncated = step[0], step[1], step[2], step[3]
    if not (all_moderate(observations) and all_moderate(step)):
        return False
    running = agent.running
    sources = np.empty(agent.feature_mean.size, np.float32)
    for env in range(rewards.size):
        if stepped[env] != 0:
            cells, before = agent.trace[env, TraceRow.NOW], agent.trace[env, TraceRow.BEFORE]
            for i in range(before.size):
                before[i] = cells[i]
            look(agent, settings, scalars, observations[env], sources, cells)
            update_reward_range(progress, rewards[env])
            progress.steps += 1
            reward = rewards[env] - reward_base(progress)
            learn(agent, env, scalars, progress, settings, reward, terminated[env] != 0)
            running[RunningRow.LENGTH, env] += 1
            running[RunningRow.RETURN, env] += rewards[env]
            if terminated[env] == 0 and truncated[env] == 0:
                act(agent, settings, env)
                continue
            kind = RowKind.TERMINATED if terminated[env] != 0 else RowKind.TRUNCATED
            task_changes = progress.task_changes
            length, episode_return = running[RunningRow.LENGTH, env], running[RunningRow.RETURN, env]
            judge_episode(progress, agent.recent, length, episode_return, kind, 0.0, settings)
            if progress.task_changes > task_changes:
                reset_readouts(agent)
    return True


@jit_entry(seconds=1)
def predict(buffer, observations, deterministic, random, actions):
    """Write the policy's actions (b, d), the most likely or sampled ones, for every observation (b, f)."""
    agent = unfolded(buffer)
    settings, action_offsets = agent.settings[0], agent.action_offsets
    spread = agent.scalars[0].feature_spread
    sources = np.empty(agent.feature_mean.size, np.float32)
    cells = np.empty(agent.cell.shape[1], np.float32)
    policy, log_policy = np.empty(action_offsets[-1]), np.empty(action_offsets[-1])
    no_mask = policy[:0]
    for b in range(observations.shape[0]):
        encode_features(agent.scaler, agent.sample, observations[b], sources)
        fire_cells(agent.cell, agent.num_cells, settings.radius, spread, sources, cells)
        policy_range = settings.policy_range
        policy_of(agent.strength, agent.num_cells, action_offsets, policy_range, cells, no_mask, policy, log_policy)
        for d in range(action_offsets.size - 1):
            actions[b, d] = take(policy, action_offsets[d], action_offsets[d + 1], deterministic, random)


@jit_entry
def policies(buffer, observations, forbidden, deterministic, random, policy, actions):
    """As `predict`, with masks: forbidden (b, a), or empty; and write the policy (b, a) too."""
    agent = unfolded(buffer)
    settings, action_offsets = agent.settings[0], agent.action_offsets
    spread = agent.scalars[0].feature_spread
    sources = np.empty(agent.feature_mean.size, np.float32)
    cells = np.empty(agent.cell.shape[1], np.float32)
    log_policy, no_mask = np.empty(action_offsets[-1]), np.empty(0, np.bool_)
    for b in range(observations.shape[0]):
        mask = forbidden[b] if forbidden.size > 0 else no_mask
        encode_features(agent.scaler, agent.sample, observations[b], sources)
        fire_cells(agent.cell, agent.num_cells, settings.radius, spread, sources, cells)
        policy_range = settings.policy_range
        policy_of(agent.strength, agent.num_cells, action_offsets, policy_range, cells, mask, policy[b], log_policy)
        for d in range(action_offsets.size - 1):
            actions[b, d] = take(policy[b], action_offsets[d], action_offsets[d + 1], deterministic, random)


@jit_entry
def values_at(buffer, observations, values):
    """Write the values (b,) of observations (b, f)."""
    agent = unfolded(buffer)
    scalars = agent.scalars[0]
    base = reward_base(agent.progress[0]) / (1.0 - agent.settings[0].discount)
    sources = np.empty(agent.feature_mean.size, np.float32)
    cells = np.empty(agent.cell.shape[1], np.float32)
    for b in range(observations.shape[0]):
        encode_features(agent.scaler, agent.sample, observations[b], sources)
        fire_cells(agent.cell, agent.num_cells, agent.settings[0].radius, scalars.feature_spread, sources, cells)
        values[b] = base + scalars.value_range * readout(agent.strength[0], agent.num_cells, cells)
