"""What the agent keeps track of: returns and their scale, whether rewards show structure, and when the world changed."""

import numpy as np

from .arithmetic import inner
from .policy import STEP, TERMINATED, TRUNCATED

# What the agent keeps track of, by position in `Agent.track`. A "world" begins with the first step, and again whenever
# surprise says that what was learned no longer holds.
STEPS, EPISODES, SINCE_REHEARSAL, REHEARSALS = 0, 1, 2, 3
RETURN_COUNT, RETURN_SQUARE = 4, 5  # running mean square of the discounted reward sum: the scale of values
TARGET_VARIANCE, ADVANTAGE_SCALE, SURPRISE = 6, 7, 8
WORLD, WORLD_EPISODES, LOWEST, HIGHEST, BEST, BOOST = 9, 10, 11, 12, 13, 14
STRUCTURE, REWARDS_DIFFER, FIRST_REWARD, REWARD_SQUARE, WITHIN_SQUARE = 15, 16, 17, 18, 19
WORLDS, CONTENT, STUCK = 20, 21, 22
FAILURES, FAILURE_SHARE = 23, 24  # in a row so far, and the share of episodes that failed before them
TRACKED = 25
UNLIKELY = 1e-6


@inner
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
    if kind == TERMINATED or varied:
        track[STRUCTURE] = 1


@inner
def keep_track(track, running, recent, reward, kind, settings):
    """Count a step: returns, their scale, episodes as they end, and whether the world still is what it was."""
    track[STEPS] += 1
    track[SINCE_REHEARSAL] += 1
    running[0] += 1
    running[1] += reward
    running[2] = settings.discount_low * running[2] + reward
    track[RETURN_COUNT] += 1
    track[RETURN_SQUARE] += (running[2] * running[2] - track[RETURN_SQUARE]) / track[RETURN_COUNT]
    if kind == STEP:
        return
    episodes = recent.shape[1]
    recent[0, np.int64(track[EPISODES]) % episodes] = running[0]
    recent[1, np.int64(track[EPISODES]) % episodes] = running[1]
    track[EPISODES] += 1
    track[WORLD_EPISODES] += 1
    if track[WORLD_EPISODES] == 1:
        track[LOWEST] = track[HIGHEST] = running[1]
    track[LOWEST] = min(track[LOWEST], running[1])
    track[HIGHEST] = max(track[HIGHEST], running[1])
    track[CONTENT] = 0
    spread = track[HIGHEST] - track[LOWEST]
    track[STUCK] = kind == TRUNCATED and running[1] < track[HIGHEST] - settings.content_within * spread
    if track[WORLD_EPISODES] < episodes:
        return
    lately, steps, worst, top = 0.0, 0.0, recent[1, 0], recent[1, 0]
    for k in range(episodes):
        steps += recent[0, k]
        lately += recent[1, k] / episodes
        worst, top = min(worst, recent[1, k]), max(top, recent[1, k])
    # An episode that was broken off and only cost something could at least have been shorter.
    costly = kind == TRUNCATED and running[1] < 0
    track[CONTENT] = spread > 0 and worst >= track[HIGHEST] - settings.content_within * spread and not costly
    if track[WORLD_EPISODES] == episodes:
        track[BEST] = lately
    track[BEST] = max(track[BEST], lately)
    gained = track[BEST] - track[LOWEST]
    lost = track[BEST] - lately
    track[BOOST] = settings.boost if lost > settings.fall * gained else 1.0
    established = (
        track[WORLD_EPISODES] >= settings.established_episodes
        and track[STEPS] - track[WORLD] > settings.established_steps
    )
    if track[BEST] - running[1] > settings.collapse * gained:
        track[FAILURES] += 1
    else:
        for _ in range(np.int64(track[FAILURES])):
            track[FAILURE_SHARE] += 0.05 * (1.0 - track[FAILURE_SHARE])
        track[FAILURE_SHARE] -= 0.05 * track[FAILURE_SHARE]
        track[FAILURES] = 0
    # Where luck decides, failing five times in a row is nothing new.
    surprising = track[FAILURE_SHARE] ** track[FAILURES] < UNLIKELY
    fallen = surprising and track[BEST] - top > settings.collapse * gained
    if established and fallen and gained > settings.learned * spread:
        # In no episode lately is there much left of what had been learned: another world began with them.
        track[WORLDS] += 1
        track[WORLD] = track[STEPS] - steps
        track[WORLD_EPISODES] = 1
        track[FAILURES] = track[FAILURE_SHARE] = 0
        track[LOWEST] = track[HIGHEST] = running[1]
        track[BOOST] = 1.0


@inner
def interval(track, settings):
    """Return the steps between rehearsals: few at first, more as the world gets old or while the agent is content."""
    # While all episodes return the same there is nothing to tell good from bad, and learning only narrows what is tried.
    blind = track[HIGHEST] == track[LOWEST]
    every = settings.rehearse_every_blind if blind else settings.rehearse_every
    if track[CONTENT]:
        every *= settings.content_interval
    return np.round(every * (1.0 + (track[STEPS] - track[WORLD]) / settings.rehearsal_half_life))


@inner
def discount(track, lengths, low, high):
    """1 - 2 / mean length of the last episodes, between low and high: as far-sighted as episodes are long."""
    episodes = min(np.int64(track[EPISODES]), lengths.size)
    if episodes < 3:
        return low
    whole = 0.0
    for k in range(episodes):
        whole += lengths[k]
    return min(max(1.0 - 2.0 * episodes / whole, low), high)
