"""What the agent keeps track of: returns and their scale, whether rewards show structure, and when the world changed."""

import numpy as np

from dynlive_rl.kernels.jit import jit_internal

from .experience import RowKind

# What the agent keeps track of, by position in `Agent.track`. A "world" begins with the first step, and again whenever
# surprise says that what was learned no longer holds.
STEPS, EPISODES, SINCE_REHEARSAL, REHEARSALS = 0, 1, 2, 3
RETURN_COUNT, RETURN_SQUARE = 4, 5  # running mean square of the discounted reward sum: the scale of values
TARGET_VARIANCE, ADVANTAGE_SCALE, SURPRISE = 6, 7, 8
WORLD, WORLD_EPISODES, LOWEST, HIGHEST, BEST, BOOST = 9, 10, 11, 12, 13, 14
STRUCTURE, REWARDS_DIFFER, FIRST_REWARD, REWARD_SQUARE, WITHIN_SQUARE = 15, 16, 17, 18, 19
COLLAPSES, CONTENT, MASTERED, SETBACKS = 20, 21, 22, 23
FAILURES, FAILURE_SHARE = 24, 25  # in a row so far, and the share of episodes that failed before them
LEAST_REWARD, MOST_REWARD = 26, 27  # of all steps, and 0
ENDINGS, ENDING_LENGTH = 28, 29  # episodes that ended by themselves, and the mean length of the last of these
BROKEN_OFF = 30  # whether the last episode was broken off with less than the best return
TRIED = 31  # steps towards less entropy
TRACKED = 32
UNLIKELY, SELDOM = 1e-6, 0.05


@jit_internal
def look_for_structure(experience, env, outcomes, track, reward, kind, share):
    """Decide whether the rewards so far are more than a price of actions.

    They are once an episode has ended by itself, or once the rewards of equal actions vary by more than a share of their
    mean square. Actions are told apart by a hash of their choices.
    """
    if track[RETURN_COUNT] == 0:
        track[FIRST_REWARD] = reward
    track[REWARDS_DIFFER] = max(track[REWARDS_DIFFER], reward != track[FIRST_REWARD])
    row = (experience.rows[env] - 1) % experience.kind.shape[1]
    slot = 0
    for d in range(experience.action.shape[2]):
        slot = (31 * slot + experience.action[env, row, d]) % outcomes.shape[1]
    outcomes[0, slot] += 1
    distance = reward - outcomes[1, slot]
    outcomes[1, slot] += distance / outcomes[0, slot]
    track[WITHIN_SQUARE] += distance * (reward - outcomes[1, slot])
    track[REWARD_SQUARE] += reward * reward
    varied = track[RETURN_COUNT] >= 20 and track[WITHIN_SQUARE] > share * track[REWARD_SQUARE]
    if kind == RowKind.TERMINATED or varied:
        track[STRUCTURE] = 1


@jit_internal
def keep_track(track, running, recent, reward, kind, settings):
    """Count a step: returns, their scale, episodes as they end, and whether the world still is what it was."""
    track[STEPS] += 1
    track[SINCE_REHEARSAL] += 1
    # Where episodes can end by themselves but the last one did not, there is more to be tried.
    forward = track[BROKEN_OFF] == 0 or track[ENDINGS] == 0
    track[TRIED] = max(track[TRIED] + (1.0 if forward else -1.0), 0.0)
    track[LEAST_REWARD] = min(track[LEAST_REWARD], reward)
    track[MOST_REWARD] = max(track[MOST_REWARD], reward)
    running[0] += 1
    running[1] += reward
    running[2] = settings.discount_low * running[2] + reward
    track[RETURN_COUNT] += 1
    track[RETURN_SQUARE] += (running[2] * running[2] - track[RETURN_SQUARE]) / track[RETURN_COUNT]
    if kind != RowKind.STEP:
        lost = judge_episode(track, recent, running[0], running[1], kind, settings)
        track[BOOST] = settings.boost if lost > settings.fall else 1.0


@jit_internal
def judge_episode(track, recent, steps, episode_return, kind, settings):
    """Count an episode, decide whether the world still is what it was, and return the share of the gain lost lately."""
    episodes = recent.shape[1]
    recent[0, np.int64(track[EPISODES]) % episodes] = steps
    recent[1, np.int64(track[EPISODES]) % episodes] = episode_return
    track[EPISODES] += 1
    track[WORLD_EPISODES] += 1
    if track[WORLD_EPISODES] == 1:
        track[LOWEST] = track[HIGHEST] = episode_return
        track[MASTERED] = 0
    track[LOWEST] = min(track[LOWEST], episode_return)
    track[HIGHEST] = max(track[HIGHEST], episode_return)
    track[CONTENT] = 0
    spread = track[HIGHEST] - track[LOWEST]
    if kind == RowKind.TERMINATED:
        track[ENDINGS] += 1
        track[ENDING_LENGTH] += (steps - track[ENDING_LENGTH]) / min(track[ENDINGS], float(episodes))
    track[BROKEN_OFF] = kind == RowKind.TRUNCATED and episode_return < track[HIGHEST] - settings.content_within * spread
    if track[WORLD_EPISODES] < episodes:
        return 0.0
    lately, age, worst, top = 0.0, 0.0, recent[1, 0], recent[1, 0]
    for k in range(episodes):
        age += recent[0, k]
        lately += recent[1, k] / episodes
        worst, top = min(worst, recent[1, k]), max(top, recent[1, k])
    # An episode that was broken off and only cost something could at least have been shorter.
    costly = kind == RowKind.TRUNCATED and episode_return < 0
    track[CONTENT] = spread > 0 and worst >= track[HIGHEST] - settings.content_within * spread and not costly
    if track[CONTENT] and track[MASTERED] != 1:
        track[MASTERED] = 1
        track[FAILURES] = track[FAILURE_SHARE] = 0
    if track[WORLD_EPISODES] == episodes:
        track[BEST] = lately
    track[BEST] = max(track[BEST], lately)
    gained = track[BEST] - track[LOWEST]
    lost = track[BEST] - top  # in the best of the last episodes
    established = (
        track[WORLD_EPISODES] >= settings.established_episodes
        and track[STEPS] - track[WORLD] > settings.established_steps
    )
    known = established or track[MASTERED] > 0
    loss = settings.setback if track[MASTERED] > 0 else settings.collapse
    count_failures(track, episode_return < track[BEST] - loss * gained)
    # Where luck decides, failing five times in a row is nothing new.
    surprising = max(track[FAILURE_SHARE], SELDOM) ** track[FAILURES] < UNLIKELY
    collapsed = known and lost > settings.collapse * gained and gained > settings.learned * spread
    healing = track[STEPS] - track[WORLD] <= settings.established_steps
    if surprising and (collapsed or (track[MASTERED] == 2 and lost > settings.setback * gained and not healing)):
        # In no episode lately is there much left of what had been learned: another world began with them.
        track[COLLAPSES] += 1
        track[WORLD] = track[STEPS] - age
        track[TRIED] = age
        track[WORLD_EPISODES] = 1
        track[LOWEST] = track[HIGHEST] = episode_return
        track[MASTERED] = track[FAILURES] = track[FAILURE_SHARE] = 0
        return 0.0
    if surprising and track[MASTERED] == 1 and lost > settings.setback * gained:
        track[SETBACKS] += 1
        track[WORLD] = track[STEPS] - age
        track[TRIED] = age
        track[MASTERED] = 2  # once, until it is content again
    return (track[BEST] - lately) / gained if gained > 0 else 0.0


@jit_internal
def count_failures(track, failed):
    """Count episodes that failed in a row, and the share of episodes, older ones half-forgotten, that failed before them."""
    if failed:
        track[FAILURES] += 1
        return
    for _ in range(np.int64(track[FAILURES])):
        track[FAILURE_SHARE] += 0.05 * (1.0 - track[FAILURE_SHARE])
    track[FAILURE_SHARE] -= 0.05 * track[FAILURE_SHARE]
    track[FAILURES] = 0


@jit_internal
def interval(track, settings):
    """Return the steps between rehearsals: more as the world gets old, and while the agent is blind or content."""
    # While all episodes return the same there is nothing to tell good from bad, and learning only narrows what is tried.
    blind = track[HIGHEST] == track[LOWEST]
    every = settings.rehearse_every_blind if blind else settings.rehearse_every
    if track[CONTENT]:
        every *= settings.content_interval
    return np.round(every * (1.0 + (track[STEPS] - track[WORLD]) / settings.rehearsal_half_life))


@jit_internal
def discount(track, low, high):
    """1 - 2 / mean length of the last episodes that ended by themselves, between low and high: as far-sighted as these."""
    return low if track[ENDINGS] == 0 else min(max(1.0 - 2.0 / track[ENDING_LENGTH], low), high)
