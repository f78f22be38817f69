"""The numbers of a rehearsal that depend on progress: gain, rates, discount, interval, and where advantages are cut."""

from math import sqrt
from typing import NamedTuple

import numpy as np

from dynlive_rl.kernels.jit import jit_internal

from .novelty import observations_recur
from .progress import reward_base, reward_square_sum

EVERYWHERE = 2**31  # hops without limit


class Rates(NamedTuple):
    """The numbers of one rehearsal that depend on progress."""

    critic: float  # step sizes
    actor: float
    target: float  # of the target policy
    entropy: float  # weight of the entropy
    advantage_limit: float  # in running deviations
    prune_fraction: float
    hops: int


@jit_internal
def value_gain(progress, scale, settings):
    """Return G: the running deviation of the targets in scales over `target_spread`, within bounds.

    It is never less than what the targets themselves need, `target_range` times their root mean square: a time limit cuts off
    rewards, but not values.
    """
    if progress.rehearsals <= 1:
        return settings.value_gain_low
    spread = sqrt(progress.target_variance) / settings.target_spread / scale
    gain = min(max(spread, settings.value_gain_low), settings.value_gain_high)
    return max(gain, settings.target_range * sqrt(progress.target_mean_square) / scale)


@jit_internal
def exploration_fade(progress, settings):
    """Return what the weights of entropy and novelty are divided by, at least 1."""
    return 1.0 + (progress.entropy_clock / settings.entropy_half_life) ** 2


@jit_internal
def is_optimistic(progress, settings):
    """Tell whether what was never tried looks better than it is: one-hot cells keep its value, once there are rewards."""
    return settings.natural_gradient != 0 and progress.reward_square_sum > 0


@jit_internal
def novelty_weight(progress, settings):
    """Return what is paid for an observation that never came before: so many times the root mean square of rewards.

    1 while all rewards are 0. Much while they only cost, less once one was above 0, and nothing once one was above all losses
    by far, as there is something to go for: noise has gains and losses alike. Nothing either where observations do not recur,
    or where `is_optimistic`.
    """
    base = reward_base(progress)
    gain, loss = max(progress.highest_reward - base, 0.0), max(base - progress.lowest_reward, 0.0)
    if gain > settings.clear_gain * loss or is_optimistic(progress, settings) or not observations_recur(progress):
        return 0.0
    mean_square = reward_square_sum(progress, base, progress.steps) / progress.steps
    times = settings.novelty_beside_gains if gain > 0 else settings.novelty
    return (times * sqrt(mean_square) if mean_square > 0 else 1.0) / exploration_fade(progress, settings)


@jit_internal
def width_factor(progress, settings):
    """Return what wide networks' rates are multiplied by, 1 where observations are not wide.

    They are made for n values that all change at every step, (full_rate_inputs / n)². Where a step changes a share s of them,
    s n count in one of the two factors: max(s n, full_rate_inputs).
    """
    if settings.values_if_wide == 0:
        return 1.0
    count = settings.max_fan_in // 2
    made_for = min(1.0, settings.full_rate_inputs / count)
    changing = max(count * progress.change_share, settings.full_rate_inputs)
    return settings.full_rate_inputs / changing / made_for


@jit_internal
def rates_now(progress, rule, gain, settings):
    """Return the rates of a rehearsal, see `docs/algorithm.md`."""
    clock = progress.clock
    fade = 1.0 / (1.0 + clock / settings.rate_half_life)
    # What carries little goes while there is something to carry, and while nothing of it is lost.
    holds = progress.max_return > progress.min_return and progress.rate_boost <= 1
    prune_fraction = rule.prune_fraction * (clock / (clock + settings.prune_half_life)) ** 2 * holds
    entropy = settings.entropy / exploration_fade(progress, settings)
    pace = fade * (settings.content_rate if progress.content else max(progress.rate_boost, 1.0))
    pace *= min(1.0, progress.rehearsals / settings.warm_up) * width_factor(progress, settings)
    target = settings.tau * max(fade, settings.target_fade_floor) * max(progress.rate_boost, 1.0)
    hops, critic = EVERYWHERE, settings.critic_rate * pace
    if settings.natural_gradient:
        # Cells learn nothing. A plain step moves a value by gain times itself: the same share of an error at any gain.
        hops, critic = 1, critic * settings.value_gain_low / gain
    return Rates(
        critic, settings.actor_rate * pace, target, entropy, advantage_limit(progress, settings), prune_fraction, hops
    )


@jit_internal
def advantage_limit(progress, settings):
    """Return where advantages are cut, in running deviations: lower until returns have risen for sure."""
    if settings.rise_significance == 0:
        return settings.advantage_clip
    return settings.early_advantage_clip + progress.certainty * (
        settings.advantage_clip - settings.early_advantage_clip
    )


@jit_internal
def rehearsal_interval(progress, settings):
    """Return the steps between rehearsals: more as the clock goes on, and while the agent is blind or content."""
    # While all episodes return the same there is nothing to tell good from bad, and learning only narrows what is tried.
    blind = progress.max_return == progress.min_return
    every = max(settings.rehearse_every, settings.interval_share * progress.mean_terminated_length)
    if blind:
        every = settings.rehearse_every_blind
    if progress.content:
        every *= settings.content_interval
    return np.round(every * (1.0 + progress.clock / settings.rehearsal_half_life))


@jit_internal
def discount(progress, low, high, endless):
    """γ = 1 - 2 / mean length of the last terminated episodes, between low and high: as far-sighted as these are long.

    `endless` while none has ever terminated.
    """
    if progress.terminations == 0:
        return endless
    return min(max(1.0 - 2.0 / progress.mean_terminated_length, low), high)
