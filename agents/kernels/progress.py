"""Progress: returns and their scale, whether rewards are informative, and when the task changed.

A task begins with the first step, and again whenever recent returns say that what was learned no longer holds.
"""

from math import atanh, sqrt

import numpy as np

from dynlive_rl.kernels.codes import Code
from dynlive_rl.kernels.jit import jit_internal, record_dtype

from .experience import RowKind

NEAR = 3.0  # ranges of the rewards seen: if 0 is further away, rewards count from what is so near
FEW_RETURNS = 5  # of fewer nothing can be said
SURE = 1.0 - 1e-12  # no correlation is larger


class Mastery(Code):
    """Whether the agent has been content in the present task, and whether it has lost some of that since."""

    NEVER = 0
    MASTERED = 1
    RELAPSED = 2


class RecentRow(Code):
    """Rows of `recent` (2, m): lengths and returns of the last m episodes, a ring."""

    LENGTH = 0
    RETURN = 1


class RunningRow(Code):
    """Rows of `running` (5, e), of every environment's present episode; live mode has the first two.

    EXPLORED counts the actions that were tried for their own sake, after the search for a first reward.
    """

    LENGTH = 0
    RETURN = 1
    DISCOUNTED_RETURN = 2
    EXPLORED = 3
    DISCOUNTED_STEPS = 4


class OutcomeRow(Code):
    """Rows of `outcomes` (2, slots): how often actions of one kind were taken, and their mean reward."""

    COUNT = 0
    MEAN = 1


# A record of 8-byte numbers, so that it can be a view of live mode's buffer too. Flags are 0 or 1.
PROGRESS = record_dtype(
    [
        ("steps", np.int64),  # environment steps learned from
        ("episodes", np.int64),  # finished episodes
        ("steps_since_rehearsal", np.int64),
        ("rehearsals", np.int64),  # in the present task
        ("return_count", np.int64),  # steps that return_mean_square is the mean of
        ("return_mean_square", np.float64),  # of the discounted sum of rewards
        ("return_steps_mean", np.float64),  # mean product of that sum and the discounted sum of steps
        ("steps_mean_square", np.float64),  # mean square of the discounted sum of steps
        ("target_mean_square", np.float64),  # running mean square of the Retrace targets
        ("target_variance", np.float64),  # running variance of the Retrace targets
        ("advantage_scale", np.float64),  # running standard deviation of the advantages
        ("td_error_mse", np.float64),  # mean square error of the value neurons, in scales
        ("task_start_step", np.int64),  # the step before the present task's first one
        ("task_episodes", np.int64),  # episodes of the present task
        ("task_changes", np.int64),
        ("min_return", np.float64),  # lowest and highest return of an episode in the present task
        ("max_return", np.float64),
        ("best_mean_return", np.float64),  # best mean of the recent episodes in the present task
        ("rate_boost", np.float64),  # factor on all rates
        ("reward_is_informative", np.int64),  # flag: rewards are more than a price of actions
        ("rewards_differ", np.int64),  # flag: some reward differed from the first one
        ("first_reward", np.float64),
        ("reward_sum", np.float64),  # Σ r
        ("reward_square_sum", np.float64),  # Σ r²
        ("within_action_square_sum", np.float64),  # Σ (r - mean reward of equal actions)²
        ("content", np.int64),  # flag: every recent episode returned about as much as the best one
        ("mastery", np.int64),  # a Mastery
        ("partial_losses", np.int64),  # times that something of a mastered task was lost
        ("failures", np.int64),  # episodes failed in a row
        ("failure_rate", np.float64),  # share of episodes that failed before them
        ("lowest_reward", np.float64),  # of all steps
        ("highest_reward", np.float64),
        ("terminations", np.int64),  # episodes that ended by themselves
        ("mean_terminated_length", np.float64),  # mean length of the last of these
        ("last_truncated_below_best", np.int64),  # flag: the last episode was truncated below the best return
        ("clock", np.float64),  # steps that rates and rehearsals have faded by
        ("entropy_clock", np.float64),  # steps that the entropy's weight has faded by
        ("certainty", np.float64),  # in [0, 1]: how sure it is that returns have risen in the present task
        ("trend_return_mean", np.float64),  # mean of y, an episode's return in the present task
        ("trend_return_square", np.float64),  # Σ (y - mean)²
        ("trend_product", np.float64),  # Σ (x - mean) (y - mean), with x the episode's number
        ("counted_observations", np.int64),  # of the present task
        ("distinct_observations", np.int64),  # among these, told apart by their hashes
        ("change_share", np.float64),  # mean share of the observed values that a step changes
        ("reward_delay", np.int64),  # steps from an action to its reward, as far as is known
        ("delay_looked_for", np.int64),  # steps of the present task when it was looked for last
    ]
)


def new_progress() -> np.ndarray:
    """Return the progress of an agent that has done nothing: one record, shape (1,)."""
    return np.zeros(1, PROGRESS)


@jit_internal
def update_reward_range(progress, reward):
    """Let the range of rewards take in that of a step which is not counted yet."""
    if progress.steps == 0:
        progress.lowest_reward = progress.highest_reward = reward
    progress.lowest_reward = min(progress.lowest_reward, reward)
    progress.highest_reward = max(progress.highest_reward, reward)


@jit_internal
def reward_base(progress):
    """Return what rewards are counted from: 0, or where they are far from it, what is nearest within three of their ranges.

    As long as no episode terminates, a constant added to all rewards changes no policy; it only drowns their differences
    (reward centring, Naik et al., 2024). Their sign stays, so that what was never tried looks better than what only costs.
    """
    span = NEAR * (progress.highest_reward - progress.lowest_reward)
    if progress.terminations > 0 or span == 0:
        return 0.0
    return min(max(0.0, progress.lowest_reward - span), progress.highest_reward + span)


@jit_internal
def square_value_scale(progress, base):
    """Return the mean square of the discounted sum of rewards, counted from a base."""
    if base == 0:
        return progress.return_mean_square
    return progress.return_mean_square + base * (base * progress.steps_mean_square - 2.0 * progress.return_steps_mean)


@jit_internal
def reward_square_sum(progress, base, steps):
    """Return the sum of the squares of so many steps' rewards, counted from a base."""
    if base == 0:
        return progress.reward_square_sum
    return progress.reward_square_sum + base * (steps * base - 2.0 * progress.reward_sum)


@jit_internal
def update_reward_statistics(progress, experience, outcomes, env, reward, kind, settings):
    """Decide whether the rewards so far are more than a price of actions.

    They are once an episode has terminated and some reward was not 0, or once Σ (r - mean of equal actions)² exceeds the share
    `informative_variance` of Σ (r - base)². Actions are told apart by a hash of their components.

    Parameters: progress record; experience; outcomes (2, slots), changed in place; env; reward of its last step; kind of
    the row it led to; settings record.
    """
    if progress.return_count == 0:
        progress.first_reward = reward
    if reward != progress.first_reward:
        progress.rewards_differ = 1
    row = (experience.rows[env] - 1) % experience.kind.shape[1]
    slot = 0
    for d in range(experience.action.shape[2]):
        slot = (31 * slot + experience.action[env, row, d]) % outcomes.shape[1]
    outcomes[OutcomeRow.COUNT, slot] += 1
    distance = reward - outcomes[OutcomeRow.MEAN, slot]
    outcomes[OutcomeRow.MEAN, slot] += distance / outcomes[OutcomeRow.COUNT, slot]
    progress.within_action_square_sum += distance * (reward - outcomes[OutcomeRow.MEAN, slot])
    progress.reward_sum += reward
    progress.reward_square_sum += reward * reward
    threshold = settings.informative_variance * reward_square_sum(progress, reward_base(progress), progress.steps + 1)
    varied = progress.return_count >= settings.informative_steps and progress.within_action_square_sum > threshold
    ended = (kind == RowKind.TERMINATED or progress.terminations > 0) and progress.reward_square_sum > 0
    if ended or varied:
        progress.reward_is_informative = 1


@jit_internal
def clock_pace(progress, settings):
    """Return what clocks count a step as: nothing before the first reward that is not 0, as there is nothing to learn from.

    With a `rise_significance` they wait until returns have risen.
    """
    if settings.rise_significance > 0:
        return progress.certainty
    return 0.0 if progress.lowest_reward == 0 and progress.highest_reward == 0 else 1.0


@jit_internal
def update_progress(progress, running, recent, env, reward, kind, settings):
    """Count a step: returns, their scale, episodes as they end, and whether the task still is what it was.

    Parameters: progress record; running (5, e) and recent (2, m), changed in place; env; reward; kind of the row that the
    step led to; settings record.
    """
    progress.steps += 1
    progress.steps_since_rehearsal += 1
    pace = clock_pace(progress, settings)
    progress.clock += pace
    # Where episodes can terminate but the last one was truncated below the best return, there is more to be tried.
    forward = progress.last_truncated_below_best == 0 or progress.terminations == 0
    progress.entropy_clock = max(progress.entropy_clock + (pace if forward else -1.0), 0.0)
    running[RunningRow.LENGTH, env] += 1
    running[RunningRow.RETURN, env] += reward
    discounted = settings.discount_low * running[RunningRow.DISCOUNTED_RETURN, env] + reward
    running[RunningRow.DISCOUNTED_RETURN, env] = discounted
    progress.return_count += 1
    steps = settings.discount_low * running[RunningRow.DISCOUNTED_STEPS, env] + 1.0
    running[RunningRow.DISCOUNTED_STEPS, env] = steps
    progress.return_mean_square += (discounted * discounted - progress.return_mean_square) / progress.return_count
    progress.return_steps_mean += (discounted * steps - progress.return_steps_mean) / progress.return_count
    progress.steps_mean_square += (steps * steps - progress.steps_mean_square) / progress.return_count
    if kind != RowKind.STEP:
        length, episode_return = running[RunningRow.LENGTH, env], running[RunningRow.RETURN, env]
        explored = running[RunningRow.EXPLORED, env] / length
        lost = judge_episode(progress, recent, length, episode_return, kind, explored, settings)
        progress.rate_boost = settings.boost if lost > settings.fall else 1.0
        update_trend(progress, episode_return)
        above = rise_of(progress) - settings.rise_significance
        progress.certainty = min(max(progress.certainty, above), 1.0)  # never less than it was in this task


@jit_internal
def update_trend(progress, episode_return):
    """Let the sums of the task's returns y and of their numbers x = 1 … N take in one more (Welford, 1962)."""
    count = float(progress.task_episodes)
    distance = episode_return - progress.trend_return_mean
    progress.trend_return_mean += distance / count
    progress.trend_return_square += distance * (episode_return - progress.trend_return_mean)
    # The numbers before have the mean N / 2.
    progress.trend_product += 0.5 * count * (episode_return - progress.trend_return_mean)


@jit_internal
def rise_of(progress):
    """Return how many deviations the returns of this task have risen by, so that no more than 2 or 3 may be chance.

    With r the correlation of N returns with their numbers, artanh(r) √(N - 3) is nearly normal with deviation 1 where nothing
    rises (Fisher, 1921).
    """
    count = float(progress.task_episodes)
    squares = count * (count * count - 1.0) / 12.0 * progress.trend_return_square
    if count < FEW_RETURNS or progress.trend_product <= 0 or squares <= 0:
        return 0.0
    r = min(progress.trend_product / sqrt(squares), SURE)
    return atanh(r) * sqrt(count - 3.0)


@jit_internal
def judge_episode(progress, recent, length, episode_return, kind, explored, settings):
    """Count an episode, decide whether the task changed, and return the share of the gain that recent episodes lost.

    With gain = best mean return - lowest return, loss = best mean return - best recent return: the task changed if it is
    established or was mastered, loss > collapse · gain and gain > learned · (highest - lowest return), and so many
    failures in a row are unlikely. After mastery, loss > setback · gain is a partial loss first, and a change if it is not
    made good within `established_steps`. An episode that was mostly exploration is no failure of the policy: steady actions
    can spoil several in a row.

    Parameters: progress record and recent (2, m), changed in place; length and return of the episode; kind of its last row;
    share of its actions that were explored; settings record (`WorldChangeConfig`).
    """
    count_episode(progress, recent, length, episode_return, kind, settings)
    episodes = recent.shape[1]
    if progress.task_episodes < episodes:
        return 0.0
    mean, total_length, worst, top = summary_of(recent)
    spread = progress.max_return - progress.min_return
    # What only costs is not mastered as long as it goes on to the time limit: ending earlier would have scored better.
    costly = kind == RowKind.TRUNCATED and episode_return < 0
    if spread > 0 and worst >= progress.max_return - settings.content_within * spread and not costly:
        # A goal that was reached is worth more the sooner it is, though returns do not tell.
        progress.content = 0 if kind == RowKind.TERMINATED and episode_return > 0 else 1
        if progress.mastery == Mastery.RELAPSED:
            progress.failure_rate = 0.0  # what had failed was the loss
        if progress.mastery != Mastery.MASTERED:
            progress.mastery = Mastery.MASTERED
            progress.failures = 0
    if progress.task_episodes == episodes:
        progress.best_mean_return = mean
    progress.best_mean_return = max(progress.best_mean_return, mean)
    gained = progress.best_mean_return - progress.min_return
    lost = progress.best_mean_return - top
    mastered = progress.mastery != Mastery.NEVER
    loss = settings.setback if mastered else settings.collapse
    if explored <= 0.5:
        count_failures(progress, episode_return < progress.best_mean_return - loss * gained, settings.failure_memory)
    established = is_established(progress, settings)
    # Where luck decides, failing five times in a row is nothing new. The exponent is a float: an integer one has other bits.
    chance = max(progress.failure_rate, settings.min_failure_rate) ** float(progress.failures)
    unlikely = chance < settings.change_significance
    collapsed = lost > settings.collapse * gained and gained > settings.learned * spread
    healing = progress.steps - progress.task_start_step <= settings.established_steps
    not_healed = progress.mastery == Mastery.RELAPSED and lost > settings.setback * gained and not healing
    if unlikely and (((established or mastered) and collapsed) or not_healed):
        start_task(progress, episode_return, total_length)
        return 0.0
    if unlikely and progress.mastery == Mastery.MASTERED and lost > settings.setback * gained:
        progress.partial_losses += 1
        restart_clocks(progress, total_length)
        progress.mastery = Mastery.RELAPSED  # once, until it is content again
    return (progress.best_mean_return - mean) / gained if gained > 0 else 0.0


@jit_internal
def is_established(progress, settings):
    """Tell whether the present task is old enough, in episodes and in steps, to be known."""
    age = progress.steps - progress.task_start_step
    return progress.task_episodes >= settings.established_episodes and age > settings.established_steps


@jit_internal
def count_episode(progress, recent, length, episode_return, kind, settings):
    """Remember an episode's length and return, in progress and in recent (2, m)."""
    place = progress.episodes % recent.shape[1]
    recent[RecentRow.LENGTH, place] = length
    recent[RecentRow.RETURN, place] = episode_return
    progress.episodes += 1
    progress.task_episodes += 1
    if progress.task_episodes == 1:
        progress.min_return = progress.max_return = episode_return
        progress.mastery = Mastery.NEVER
    progress.min_return = min(progress.min_return, episode_return)
    progress.max_return = max(progress.max_return, episode_return)
    progress.content = 0
    if kind == RowKind.TERMINATED:
        progress.terminations += 1
        count = min(float(progress.terminations), float(recent.shape[1]))
        progress.mean_terminated_length += (length - progress.mean_terminated_length) / count
    spread = progress.max_return - progress.min_return
    below_best = episode_return < progress.max_return - settings.content_within * spread
    progress.last_truncated_below_best = 1 if kind == RowKind.TRUNCATED and below_best else 0


@jit_internal
def summary_of(recent):
    """Mean return, total length, lowest and highest return of the recent episodes (2, m)."""
    mean, total_length = 0.0, 0.0
    worst = top = recent[RecentRow.RETURN, 0]
    for k in range(recent.shape[1]):
        total_length += recent[RecentRow.LENGTH, k]
        mean += recent[RecentRow.RETURN, k] / recent.shape[1]
        worst, top = min(worst, recent[RecentRow.RETURN, k]), max(top, recent[RecentRow.RETURN, k])
    return mean, total_length, worst, top


@jit_internal
def restart_clocks(progress, age):
    """Let clocks start again as if the task had begun `age` steps ago."""
    progress.task_start_step = progress.steps - np.int64(age)
    progress.clock = progress.entropy_clock = age


@jit_internal
def start_task(progress, episode_return, age):
    """Begin another task, `age` steps ago, whose first known return is this one."""
    progress.task_changes += 1
    restart_clocks(progress, age)
    restart_trend(progress)
    progress.reward_delay = progress.delay_looked_for = 0
    progress.task_episodes = 1
    progress.min_return = progress.max_return = progress.best_mean_return = episode_return
    progress.mastery = Mastery.NEVER
    progress.failures = 0
    progress.failure_rate = 0.0


@jit_internal
def restart_trend(progress):
    """Forget what returns were, so that clocks stand still until they have risen again."""
    progress.certainty = 0.0
    progress.trend_return_mean = progress.trend_return_square = progress.trend_product = 0.0


@jit_internal
def count_failures(progress, failed, memory):
    """Count episodes that failed in a row, and the running share (rate `memory`) of those that failed before them."""
    if failed:
        progress.failures += 1
        return
    for _ in range(progress.failures):
        progress.failure_rate += memory * (1.0 - progress.failure_rate)
    progress.failure_rate -= memory * progress.failure_rate
    progress.failures = 0


@jit_internal
def task_rows(progress, environments):
    """Return how many rows an environment has of the present task, about; an episode has one row more than steps."""
    steps = (progress.steps - progress.task_start_step) / environments
    return np.int64(steps) + np.int64(progress.task_episodes / environments) + 1
