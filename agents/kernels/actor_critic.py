"""The rehearsed Retrace actor-critic: one compiled call per environment step, which learns and chooses the next action."""

from math import sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynlive_rl.kernels.batch import forward, learn, start_credit
from dynlive_rl.kernels.jit import jit_entry, jit_internal
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
from dynlive_rl.kernels.online import propagate, row_ends, write_inputs
from dynlive_rl.kernels.rng import random_integer
from dynlive_rl.kernels.update import update_target

from .acting import sample_action
from .experience import Experience, RowKind, all_moderate, append_row
from .progress import (
    ADVANTAGE_SCALE,
    BOOST,
    BROKEN_OFF,
    COLLAPSES,
    CONTENT,
    ENDINGS,
    HIGHEST,
    LOWEST,
    REHEARSALS,
    RETURN_COUNT,
    RETURN_SQUARE,
    REWARD_SQUARE,
    REWARDS_DIFFER,
    SINCE_REHEARSAL,
    STEPS,
    STRUCTURE,
    SURPRISE,
    TARGET_VARIANCE,
    TRIED,
    WORLD,
    WORLD_EPISODES,
    discount,
    interval,
    keep_track,
    look_for_structure,
)
from .retrace import credit_policy, credit_values, gather_inputs, read_policies, read_values, retrace, share_steps
from .scaling import encode, refit_scaler

EVERYWHERE = 2**31  # hops without limit
MOST_STEPS = 4.0  # steps that the samples of a batch take together where they are alike


class Settings(NamedTuple):
    """The numbers of a configuration, see `dynlive_rl.agents.config`."""

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
    warm_up: int
    rate_half_life: float
    prune_half_life: float
    rehearsal_half_life: float
    policy_gain: float
    value_gain_low: float
    value_gain_high: float
    target_spread: float
    error_clip: float
    advantage_clip: float
    importance_clip: float
    entropy: float
    entropy_half_life: float
    anchor: float
    slow_rate: float
    longest_hold: float
    stuck_share: float
    structure: float
    boost: float
    fall: float
    established_episodes: int
    established_steps: int
    collapse: float
    learned: float
    setback: float
    content_within: float
    content_rate: float
    content_interval: int
    neutral: float  # output of a value neuron that stands for 0
    cells: bool  # whether output neurons read cells that never change and step plainly


class Agent(NamedTuple):
    """Everything a step reads and writes; both networks have the same shape and take turns in the batches."""

    critic: NetworkArrays
    actor: NetworkArrays
    rule: Rule
    memory: Memory  # of the actor's cycles
    wide: Batch  # all segments at once, for targets
    narrow: Batch  # one minibatch, for learning
    scratch: Workspace
    experience: Experience
    choices: Integer  # (d + 1,) where each choice's output neurons start
    scaler: NDArray[np.float64]  # (4, f) whether scaled, running mean, running variance, count
    track: NDArray[np.float64]  # (track.TRACKED,)
    recent: NDArray[np.float64]  # (2, 5) lengths and returns of the last episodes
    outcomes: NDArray[np.float64]  # (2, slots) how often actions of one kind were taken, and their mean reward
    running: NDArray[np.float64]  # (3, e) length, return and discounted return of the running episodes
    hold: NDArray[np.float64]  # (e, d, 2) the option last chosen, and the probability of keeping it
    action: Integer  # (e, d) the next action of every environment
    random: NDArray[np.uint64]  # (4,)


@jit_internal
def act(agent, settings, env):
    """Choose the next action of an environment from its newest row."""
    experience, memory = agent.experience, agent.memory
    code = np.empty(experience.observation.shape[2], np.float32)
    row = (experience.rows[env] - 1) % experience.kind.shape[1]
    encode(agent.scaler, experience.observation[env, row], code)
    propagate(agent.actor, memory, agent.rule, code)
    last = (memory.cycles[0] - 1) % memory.output.shape[0]
    output = memory.output[last, agent.actor.outputs[0] :]
    # Until the rewards show more than a price of actions, there may be something far away that only steady steps find.
    # Where cells remember that it was never tried, that is a better guide, once there are rewards at all.
    searching = agent.track[STRUCTURE] == 0 and not (settings.cells and agent.track[REWARD_SQUARE] > 0)
    uniform = 0.0
    if searching and agent.track[REWARDS_DIFFER] > 0:
        uniform = 1.0
    elif agent.track[BROKEN_OFF] > 0 and agent.track[ENDINGS] == 0:
        # Where episodes end by themselves, random choices would mostly make them end badly.
        uniform = settings.stuck_share
    sample_action(
        output, agent.choices, settings.policy_gain, uniform, searching, settings.longest_hold,
        experience, env, agent.hold, agent.action, agent.random,
    )  # fmt: skip


@jit_entry
def begin(agent, settings, starting, observations):
    """Start an episode in every environment e where starting[e], at observations[e], and choose its first action.

    Returns False, and does nothing, if an observation is not a number within ±1e30.
    """
    if not all_moderate(observations):
        return False
    experience = agent.experience
    for env in range(observations.shape[0]):
        if starting[env]:
            last = (experience.rows[env] - 1) % experience.kind.shape[1]
            if experience.rows[env] > 0 and experience.kind[env, last] == RowKind.STEP:
                experience.kind[env, last] = (
                    RowKind.TRUNCATED
                )  # the episode was broken off: its last action led nowhere
            append_row(experience, agent.scaler, env, observations[env], RowKind.STEP)
            for k in range(agent.running.shape[0]):
                agent.running[k, env] = 0.0
            act(agent, settings, env)
    return True


@jit_entry
def observe(agent, settings, stepped, rewards, observations, terminated, truncated):
    """Learn from one step of every environment e where stepped[e], and choose the next actions of those that go on.

    Parameters have shape (e,), observations (e, f). Learning comes first, so that the action is the newest strengths'.
    Returns False, and learns nothing, if an observation or reward is not a number within ±1e30.
    """
    if not (all_moderate(observations) and all_moderate(rewards.reshape(-1, 1))):
        return False
    experience, track = agent.experience, agent.track
    collapses = track[COLLAPSES]
    for env in range(rewards.size):
        if stepped[env]:
            experience.reward[env, (experience.rows[env] - 1) % experience.kind.shape[1]] = rewards[env]
            kind = RowKind.TERMINATED if terminated[env] else (RowKind.TRUNCATED if truncated[env] else RowKind.STEP)
            look_for_structure(experience, env, agent.outcomes, track, rewards[env], kind, settings.structure)
            append_row(experience, agent.scaler, env, observations[env], kind)
            keep_track(track, agent.running[:, env], agent.recent, rewards[env], kind, settings)
    if track[COLLAPSES] > collapses:
        refit_scaler(experience, agent.scaler, world_age(track, experience.rows.size))
        track[RETURN_COUNT] = track[REHEARSALS] = 0
    if track[STEPS] >= settings.first_rehearsal and track[SINCE_REHEARSAL] >= interval(track, settings):
        track[SINCE_REHEARSAL] = 0
        track[REHEARSALS] += 1
        rehearse(agent, settings)
    for env in range(rewards.size):
        if stepped[env] and not terminated[env] and not truncated[env]:
            act(agent, settings, env)
    return True


@jit_internal
def world_age(track, environments):
    """Return how many rows an environment has of the present world, about; an episode has one row more than steps."""
    return np.int64((track[STEPS] - track[WORLD]) / environments) + np.int64(track[WORLD_EPISODES] / environments) + 1


@jit_internal
def sample_segments(experience, segments, length, age, random):
    """Choose stretches of `length` steps: environment and first row of each (2, segments), the first one the newest.

    The others come from the last `age` rows of any environment, or from all it has if these are fewer than `length`.
    """
    where = np.empty((2, segments), np.int64)
    capacity = experience.kind.shape[1]
    for s in range(segments):
        env = random_integer(random, experience.rows.size)
        while min(experience.rows[env], capacity) <= length:
            env = random_integer(random, experience.rows.size)
        newest = experience.rows[env] - length - 1
        oldest = min(max(experience.rows[env] - min(age, capacity), 0), newest)
        where[0, s] = env
        where[1, s] = newest if s == 0 else oldest + random_integer(random, newest - oldest + 1)
    return where


@jit_internal
def rehearse(agent, settings):
    """Rehearse: sample segments, compute Retrace targets and advantages, and let both networks learn from them."""
    critic, actor, wide, narrow, track = agent.critic, agent.actor, agent.wide, agent.narrow, agent.track
    experience, choices, rule = agent.experience, agent.choices, agent.rule
    scale = max(sqrt(track[RETURN_SQUARE]), 1e-3)
    gain = settings.value_gain_low
    if track[REHEARSALS] > 1:
        spread = sqrt(track[TARGET_VARIANCE]) / settings.target_spread / scale
        gain = min(max(spread, settings.value_gain_low), settings.value_gain_high)
    gamma = discount(track, settings.discount_low, settings.discount_high)
    longest = np.int64(0)
    for env in range(experience.rows.size):
        longest = max(longest, min(experience.rows[env], experience.kind.shape[1]) - 1)
    length = min(settings.segment_length, longest)
    age = world_age(track, experience.rows.size)
    where = sample_segments(experience, settings.segments, length, age, agent.random)

    # What the networks say now about every row, the one after each segment included.
    width = length + 1
    rows = settings.segments * width
    code = np.empty((rows, agent.scaler.shape[1]), np.float32)
    for s in range(settings.segments):
        for t in range(width):
            row = (where[1, s] + t) % experience.kind.shape[1]
            encode(agent.scaler, experience.observation[where[0, s], row], code[s * width + t])
    write_inputs(critic.inputs, code.T, wide.output[1], False)
    values = np.empty((choices[-1], rows), np.float32)
    policy, log_policy = np.empty((choices[-1], rows)), np.empty((choices[-1], rows))
    slow_policy, slow_log_policy = np.empty((choices[-1], rows)), np.empty((choices[-1], rows))
    forward(
        critic,
        wide,
        rule,
        critic.connection[ConnectionRow.STRENGTH],
        row_ends(critic.table),
        critic.neuron[NeuronRow.THRESHOLD],
    )
    read_values(wide.output, critic.outputs[0], scale * gain, settings.neutral, track, gamma, values)
    ends = actor.table[TableRow.FIRST, 1:]
    forward(
        actor,
        wide,
        rule,
        actor.connection[ConnectionRow.TARGET_STRENGTH],
        ends,
        actor.neuron[NeuronRow.TARGET_THRESHOLD],
    )
    read_policies(wide.output, actor.outputs[0], choices, settings.policy_gain, slow_policy, slow_log_policy)
    forward(
        actor,
        wide,
        rule,
        actor.connection[ConnectionRow.STRENGTH],
        row_ends(actor.table),
        actor.neuron[NeuronRow.THRESHOLD],
    )
    read_policies(wide.output, actor.outputs[0], choices, settings.policy_gain, policy, log_policy)

    target = np.empty(rows, np.float32)
    advantage = np.empty((choices[-1], rows), np.float32)
    chosen = np.empty((choices.size - 1, rows), np.int64)
    sampled = np.empty(rows, np.int64)
    count = retrace(
        experience, choices, where, width, values, policy, gamma, settings, target, advantage, chosen, sampled, track
    )

    size = narrow.drive.shape[2]
    world_steps = track[STEPS] - track[WORLD]
    fade = 1.0 / (1.0 + world_steps / settings.rate_half_life)
    # What carries little goes while there is something to carry, and while nothing of it is lost.
    holds = track[HIGHEST] > track[LOWEST] and track[BOOST] <= 1
    prune_fraction = rule.prune_fraction * (world_steps / (world_steps + settings.prune_half_life)) ** 2 * holds
    entropy = settings.entropy / (1.0 + (track[TRIED] / settings.entropy_half_life) ** 2)
    pace = fade * (settings.content_rate if track[CONTENT] else max(track[BOOST], 1.0))
    pace *= min(1.0, track[REHEARSALS] / settings.warm_up)
    slow_pace = settings.slow_rate * max(fade, 0.1) * max(track[BOOST], 1.0)
    hops, critic_pace = EVERYWHERE, settings.critic_rate * pace
    if settings.cells:
        # Cells learn nothing. A plain step moves a value by gain times itself: the same share of an error at any gain.
        hops, critic_pace = 1, critic_pace * settings.value_gain_low / gain
    square = 0.0
    batches = 0
    for _ in range(settings.passes):
        for i in range(count - 1, 0, -1):
            k = random_integer(agent.random, i + 1)
            sampled[i], sampled[k] = sampled[k], sampled[i]
        for first in range(0, count - size + 1, size):
            batch = sampled[first : first + size]
            gather_inputs(critic.inputs, wide.output, narrow.output, batch)
            forward(
                critic,
                narrow,
                rule,
                critic.connection[ConnectionRow.STRENGTH],
                row_ends(critic.table),
                critic.neuron[NeuronRow.THRESHOLD],
            )
            start_credit(critic.outputs, agent.scratch, hops)
            square += credit_values(
                narrow.output,
                critic.outputs[0],
                batch,
                chosen,
                target,
                scale,
                gain,
                settings.error_clip,
                settings.neutral,
                agent.scratch.credit,
            )
            if settings.cells:
                share_steps(critic, narrow.output, MOST_STEPS, agent.scratch.credit)
            learn(critic, narrow, agent.scratch, rule, critic_pace, hops, prune_fraction)

            forward(
                actor,
                narrow,
                rule,
                actor.connection[ConnectionRow.STRENGTH],
                row_ends(actor.table),
                actor.neuron[NeuronRow.THRESHOLD],
            )
            start_credit(actor.outputs, agent.scratch, hops)
            credit_policy(
                narrow.output, actor.outputs[0], batch, choices, advantage, slow_log_policy, settings,
                entropy, track[ADVANTAGE_SCALE], agent.scratch.credit,
            )  # fmt: skip
            if settings.cells:
                share_steps(actor, narrow.output, MOST_STEPS, agent.scratch.credit)
            learn(actor, narrow, agent.scratch, rule, settings.actor_rate * pace, hops, prune_fraction)
            update_target(actor, slow_pace)
            batches += 1
    if batches > 0:
        track[SURPRISE] = square / batches
