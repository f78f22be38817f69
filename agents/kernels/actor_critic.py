"""The rehearsing Retrace actor-critic: a compiled call per environment step, and another one where a rehearsal is due.

`observe` takes a step in and chooses the next actions; where it says that a rehearsal is due, `rehearse` chooses them. Two
entry points compile side by side.

`settings` is the record of numbers that `AgentConfig.settings` makes; entry points take it as an array of shape (1,). What is
called once is inlined: handing on an agent's hundred numbers costs 1 µs a call.
"""

from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynlive_rl.kernels.batch import forward, learn, start_credit
from dynlive_rl.kernels.codes import Code
from dynlive_rl.kernels.jit import jit_entry, jit_inline, jit_internal
from dynlive_rl.kernels.layout import (
    Batch,
    ConnectionRow,
    Integer,
    Memory,
    NetworkArrays,
    NeuronRow,
    Rule,
    TableRow,
    Workspace,
)
from dynlive_rl.kernels.online import row_ends, run_cycle
from dynlive_rl.kernels.rng import random_integer
from dynlive_rl.kernels.update import update_target

from .acting import end_known_repeats, sample_action
from .experience import (
    Experience,
    Kept,
    RowKind,
    all_moderate,
    append_row,
    changed_values,
    read_row,
    refit_scaler,
    write_mask,
)
from .novelty import count_visit, forget_visits, write_bonuses
from .progress import (
    RunningRow,
    is_established,
    reward_base,
    square_value_scale,
    task_rows,
    update_progress,
    update_reward_range,
    update_reward_statistics,
)
from .rates import discount, is_optimistic, novelty_weight, rates_now, rehearsal_interval, value_gain
from .reading import (
    gather_inputs,
    mark_further,
    mark_sources,
    most_steps,
    nth_batch,
    read_rows,
    sample_segments,
)
from .retrace import (
    credit_policy,
    credit_values,
    read_masks,
    read_policies,
    read_values,
    retrace,
    share_steps,
)
from .scaling import encode


class Outcome(Code):
    """What became of a step: it cannot be learned from, was taken in, or that and a rehearsal is due."""

    REFUSED = 0
    TAKEN = 1
    REHEARSAL_DUE = 2


class Agent(NamedTuple):
    """Everything a step reads and writes; both networks have the same shape and take turns in the batches."""

    critic: NetworkArrays
    actor: NetworkArrays
    rule: Rule
    memory: Memory  # of the actor's cycles
    rollout_batch: Batch  # all segments at once, for targets
    minibatches: Batch  # for learning, arrays (k, …): so many minibatches take their rows together
    workspace: Workspace
    experience: Experience
    kept: Kept  # how experience keeps an observation
    action_offsets: Integer  # (d + 1,) where each component's output neurons start
    scaler: NDArray[np.float64]  # (5, f) rows by ScalerRow
    sample: NDArray[np.float32]  # (s, n) sorted values of every feature that can be ranked
    progress: NDArray[np.void]  # (1,) a PROGRESS record
    recent: NDArray[np.float64]  # (2, m) rows by RecentRow
    outcomes: NDArray[np.float64]  # (2, slots) rows by OutcomeRow
    running: NDArray[np.float64]  # (5, e) rows by RunningRow
    visits: NDArray[np.int32]  # (slots,) how often observations came, by their hashes
    action_repeat: NDArray[np.float64]  # (e, d, 2) columns by RepeatColumn
    action: Integer  # (e, d) the next action of every environment
    policy: NDArray[np.float64]  # (e, a) that chose it, where its mean counts; else (e, 0)
    forbidden: NDArray[np.bool_]  # (e, a) which actions were masked where it is taken
    random: NDArray[np.uint64]  # (4,)


class Rollout(NamedTuple):
    """What the networks say about every row r of the sampled segments, the one after each segment included."""

    values: NDArray[np.float32]  # (a, r)
    policy: NDArray[np.float64]  # (a, r)
    log_target_policy: NDArray[np.float64]  # (a, r)
    forbidden: NDArray[np.bool_]  # (r, a) which actions were masked


class Targets(NamedTuple):
    """What is learned from the rows r of the sampled segments."""

    target: NDArray[np.float32]  # (r,) Retrace target
    advantage: NDArray[np.float32]  # (a, r)
    chosen: Integer  # (d, r) output neuron of every component's action
    sampled: Integer  # (r,) the rows with an action come first


@jit_internal
def act(agent, settings, env):
    """Choose the next action of an environment from its newest row, into agent.action (e, d)."""
    experience, memory, progress = agent.experience, agent.memory, agent.progress[0]
    observation, code = np.empty(agent.scaler.shape[1], np.float32), np.empty(agent.scaler.shape[1], np.float32)
    row = (experience.rows[env] - 1) % experience.kind.shape[1]
    read_row(experience, agent.kept, env, row, observation)
    encode(agent.scaler, agent.sample, observation, code)
    run_cycle(agent.actor, memory, agent.rule, code)
    last = (memory.cycles[0] - 1) % memory.output.shape[0]
    output = memory.output[last, agent.actor.outputs[0] :]
    # Until rewards are more than a price of actions, there may be something far away that only steady steps find; but not
    # for ever. Where what was never tried looks better, that is a better guide.
    in_vain = progress.rewards_differ > 0 and is_established(progress, settings)
    searching = progress.reward_is_informative == 0 and not in_vain and not is_optimistic(progress, settings)
    uniform = 0.0
    if searching and progress.rewards_differ > 0:
        uniform = 1.0
    elif progress.last_truncated_below_best > 0 and progress.terminations == 0:
        # Where episodes terminate, random actions would mostly make them end badly.
        uniform = settings.stuck_share
    if searching or uniform > 0:
        end_known_repeats(experience, agent.action_repeat, env, settings)
    explored = sample_action(
        output, agent.action_offsets, settings.policy_gain, uniform, searching, settings.max_mean_repeat,
        experience, env, agent.action_repeat, agent.action, agent.policy, agent.forbidden[env], agent.random,
    )  # fmt: skip
    agent.running[RunningRow.EXPLORED, env] += 0.0 if searching else explored


@jit_entry(seconds=0.5)
def begin(
    experience, kept, scaler, sample, progress, visits, running, forbidden, observed, starting, observations
):  # fmt: skip
    """Start an episode in every environment e where starting[e], at observations (e, f); `choose_actions` comes after.

    Returns False, and does nothing, if an observation is not a number within ±1e30.

    experience and how it is kept; scaler (5, f) and its samples; progress (1,); visits (slots,); running (5, e); forbidden
    (e, a), the masks there; observed, the number of values of single precision that are no memory
    """
    if not all_moderate(observations):
        return False
    for env in range(observations.shape[0]):
        if starting[env]:
            last = (experience.rows[env] - 1) % experience.kind.shape[1]
            if experience.rows[env] > 0 and experience.kind[env, last] == RowKind.STEP:
                experience.kind[env, last] = RowKind.TRUNCATED  # the action taken there led nowhere
            append_row(experience, kept, scaler, sample, env, observations[env], forbidden[env], RowKind.STEP)
            count_visit(progress[0], visits, experience, env, observed)
            for k in range(running.shape[0]):
                running[k, env] = 0.0
    return True


@jit_entry
def write_masks(experience, forbidden, which):
    """Remember masks (e, a) anew with the newest rows of some environments (e,); `choose_actions` comes after."""
    for env in range(which.size):
        if which[env]:
            write_mask(experience, env, (experience.rows[env] - 1) % experience.kind.shape[1], forbidden[env])


@jit_entry(seconds=1)
def choose_actions(agent, settings, acting):
    """Choose the next action of every environment e where acting[e]."""
    for env in range(acting.size):
        if acting[env]:
            act(agent, settings[0], env)


@jit_entry(seconds=5)
def observe(agent, settings, stepped, rewards, observations, terminated, truncated):
    """Take in one step of every environment e where stepped[e], and choose the next actions of those that go on.

    Parameters have shape (e,), observations (e, f). Returns an `Outcome`. Nothing happens where an observation or reward is
    not a number within ±1e30; where a rehearsal is due nothing is chosen, so that the action is the newest strengths'.
    """
    if not (all_moderate(observations) and all_moderate(rewards.reshape(-1, 1))):
        return Outcome.REFUSED
    experience, progress, numbers = agent.experience, agent.progress[0], settings[0]
    task_changes = progress.task_changes
    for env in range(rewards.size):
        if stepped[env]:
            reward = rewards[env]
            experience.reward[env, (experience.rows[env] - 1) % experience.kind.shape[1]] = reward
            kind = RowKind.TERMINATED if terminated[env] else (RowKind.TRUNCATED if truncated[env] else RowKind.STEP)
            update_reward_range(progress, reward)
            update_reward_statistics(progress, experience, agent.outcomes, env, reward, kind, numbers)
            append_row(
                experience, agent.kept, agent.scaler, agent.sample, env, observations[env], agent.forbidden[env], kind
            )
            count_visit(progress, agent.visits, experience, env, numbers.observed)
            if numbers.values_if_wide > 0:
                share = changed_values(experience, env, numbers.observed) / numbers.values_if_wide
                progress.change_share += (share - progress.change_share) / (progress.return_count + 1)
            update_progress(progress, agent.running, agent.recent, env, reward, kind, numbers)
    if progress.task_changes > task_changes:
        age = task_rows(progress, experience.rows.size)
        refit_scaler(agent.scaler, agent.sample, experience, agent.kept, age)
        progress.return_count = progress.rehearsals = 0
        forget_visits(progress, agent.visits)
    is_due = progress.steps_since_rehearsal >= rehearsal_interval(progress, numbers)
    if progress.steps >= numbers.first_rehearsal and is_due:
        progress.steps_since_rehearsal = 0
        progress.rehearsals += 1
        return Outcome.REHEARSAL_DUE
    for env in range(rewards.size):
        if stepped[env] and not terminated[env] and not truncated[env]:
            act(agent, numbers, env)
    return Outcome.TAKEN


@jit_entry(seconds=15)
def rehearse(agent, settings, going_on, recruiting):
    """Rehearse: sample segments, compute Retrace targets and advantages, and let both networks learn from them.

    Then the next action is chosen of every environment e where going_on[e]. recruiting: as in `learn`.
    """
    progress, experience, action_offsets = agent.progress[0], agent.experience, agent.action_offsets
    numbers = settings[0]
    square = square_value_scale(progress, reward_base(progress))
    scale = sqrt(square) if square > 0 else 1.0
    gain = value_gain(progress, scale, numbers)
    gamma = discount(progress, numbers.discount_low, numbers.discount_high, numbers.endless_discount)
    steps = most_steps(experience)
    recent = min(progress.reward_delay, steps - 1)  # less than the delay where experience was not saved
    length = min(numbers.segment_length, steps - recent)
    age = task_rows(progress, experience.rows.size)
    where = sample_segments(experience, numbers.segments, length, age, recent, agent.random)
    width = length + 1
    rows = numbers.segments * width
    bonus, most_bonus = np.zeros(rows), novelty_weight(progress, numbers)
    if most_bonus > 0:
        write_bonuses(experience, agent.visits, where, width, numbers.observed, most_bonus, bonus)
    rollout = read_rollout(agent, numbers, where, width, scale * gain, gamma, most_bonus)
    targets = Targets(
        np.empty(rows, np.float32), np.empty((action_offsets[-1], rows), np.float32),
        np.empty((action_offsets.size - 1, rows), np.int64), np.empty(rows, np.int64),
    )  # fmt: skip
    count = retrace(
        experience, action_offsets, where, width, rollout.values, rollout.policy, bonus, gamma, numbers,
        targets.target, targets.advantage, targets.chosen, targets.sampled, progress,
    )  # fmt: skip
    rates = rates_now(progress, agent.rule, gain, numbers)
    learn_batches(agent, numbers, targets, rollout, count, scale, gain, rates, recruiting)
    for env in range(going_on.size):
        if going_on[env]:
            act(agent, numbers, env)


@jit_inline
def read_rollout(agent, settings, where, width, gain, gamma, most_bonus):
    """Let both networks read all rows of the segments where (2, s): their values, policies and target policies."""
    critic, actor, batch, rule = agent.critic, agent.actor, agent.rollout_batch, agent.rule
    experience, action_offsets = agent.experience, agent.action_offsets
    rows = where.shape[1] * width
    is_read = np.zeros(batch.state.size, np.int8)
    mark_sources(critic, is_read)
    mark_sources(actor, is_read)
    mark_further(critic.inputs, is_read, agent.random)
    read_rows(experience, agent.kept, agent.scaler, agent.sample, where, width, critic.inputs, is_read, batch)
    num_actions = action_offsets[-1]
    forbidden = read_masks(experience, where, width, num_actions)
    values = np.empty((num_actions, rows), np.float32)
    policy, log_policy = np.empty((num_actions, rows)), np.empty((num_actions, rows))
    target_policy, log_target_policy = np.empty((num_actions, rows)), np.empty((num_actions, rows))
    strength, threshold = critic.connection[ConnectionRow.STRENGTH], critic.neuron[NeuronRow.THRESHOLD]
    forward(critic, batch, rule, strength, row_ends(critic), threshold)
    read_values(batch.output, critic.outputs[0], gain, settings.neutral, agent.progress[0], gamma, most_bonus, values)
    strength, threshold = actor.connection[ConnectionRow.TARGET_STRENGTH], actor.neuron[NeuronRow.TARGET_THRESHOLD]
    forward(actor, batch, rule, strength, actor.table[TableRow.FIRST, 1:], threshold)
    first = actor.outputs[0]
    policy_gain = settings.policy_gain
    read_policies(batch.output, first, action_offsets, policy_gain, forbidden, target_policy, log_target_policy)
    strength, threshold = actor.connection[ConnectionRow.STRENGTH], actor.neuron[NeuronRow.THRESHOLD]
    forward(actor, batch, rule, strength, row_ends(actor), threshold)
    read_policies(batch.output, first, action_offsets, policy_gain, forbidden, policy, log_policy)
    return Rollout(values, policy, log_target_policy, forbidden)


@jit_inline
def learn_batches(agent, settings, targets, rollout, count, scale, gain, rates, recruiting):
    """Let both networks learn from the first `count` sampled rows, in shuffled minibatches, for some epochs."""
    sampled, size = targets.sampled, agent.minibatches.drive.shape[3]
    together = agent.minibatches.drive.shape[0]
    square = 0.0
    batches = 0
    for _ in range(settings.epochs):
        for i in range(count - 1, 0, -1):
            k = random_integer(agent.random, i + 1)
            sampled[i], sampled[k] = sampled[k], sampled[i]
        for number in range(count // size):
            place = number % together
            if place == 0:
                some = min(together, count // size - number)
                gather_inputs(
                    agent.critic.inputs, agent.rollout_batch, agent.minibatches, sampled[number * size :], some
                )
            rows, batch = sampled[number * size : (number + 1) * size], nth_batch(agent.minibatches, place)
            # In a loop, so that what both do is compiled once.
            for is_actor in range(2):
                square += learn_batch(
                    agent, settings, batch, targets, rollout, rows, scale, gain, rates, is_actor, recruiting
                )
            update_target(agent.actor, rates.target)
            batches += 1
    if batches > 0:
        agent.progress[0].td_error_mse = square / batches


@jit_inline
def learn_batch(agent, settings, batch, targets, rollout, rows, scale, gain, rates, is_actor, recruiting):
    """Let one network learn from some rows (b,), whose inputs a batch holds; returns the critic's mean square TD error.

    The error is in scales; the actor returns 0.
    """
    net, rate = (agent.actor, rates.actor) if is_actor else (agent.critic, rates.critic)
    rule, workspace = agent.rule, agent.workspace
    strength, threshold, first = net.connection[ConnectionRow.STRENGTH], net.neuron[NeuronRow.THRESHOLD], net.outputs[0]
    square = 0.0
    forward(net, batch, rule, strength, row_ends(net), threshold)
    start_credit(net, workspace, rates.hops)
    if is_actor:
        credit_policy(
            batch.output, first, rows, agent.action_offsets, targets.advantage, rollout.log_target_policy,
            rollout.forbidden, settings, rates.entropy, agent.progress[0].advantage_scale,
            rates.advantage_limit, workspace.credit,
        )  # fmt: skip
    else:
        square = credit_values(
            batch.output, first, rows, targets.chosen, targets.target, scale, gain, settings.error_clip,
            settings.neutral, workspace.credit,
        )  # fmt: skip
    if settings.natural_gradient:
        share_steps(net, batch.state, batch.output, settings.max_shared_steps, workspace.credit)
    learn(net, batch, workspace, rule, rate, rates.hops, rates.prune_fraction, recruiting)
    return square
