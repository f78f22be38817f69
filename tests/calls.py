"""Calls of kernels that only other kernels call, and that have no wrapper to be called from Python by.

Records are handed over in their arrays of shape (1,), as the entry points do.
"""

import numpy as np
from numba import njit

from dynlive_rl.agents.kernels import acting, delays, experience, novelty, progress, rates, retrace
from dynlive_rl.agents.kernels.experience import RowKind


@njit
def call_retrace(memory, action_offsets, where, width, values, policy, bonus, gamma, settings, out, record):
    target, advantage, chosen, sampled = out
    return retrace.retrace(
        memory, action_offsets, where, width, values, policy, bonus, gamma, settings[0], target, advantage, chosen,
        sampled, record[0],
    )  # fmt: skip


@njit
def call_find_delay(agent, age, count):
    return delays.find_delay(agent, age, count)


@njit
def call_credit_policy(
    output, rows, action_offsets, advantage, log_target_policy, forbidden, settings, entropy, scale, limit, credit
):
    retrace.credit_policy(
        output, 0, rows, action_offsets, advantage, log_target_policy, forbidden, settings[0], entropy, scale, limit,
        credit,
    )  # fmt: skip


@njit
def call_credit_values(output, rows, chosen, target, scale, gain, clip, neutral, credit):
    return retrace.credit_values(output, 0, rows, chosen, target, scale, gain, clip, neutral, credit)


@njit
def call_read_values(output, gain, neutral, record, gamma, most_bonus, values):
    retrace.read_values(output, 0, gain, neutral, record[0], gamma, most_bonus, values)


@njit
def call_share_steps(net, state, output, most, credit):
    retrace.share_steps(net, state, output, most, credit)


@njit
def call_rates_now(record, rule, gain, settings):
    return rates.rates_now(record[0], rule, gain, settings[0])


@njit
def call_value_gain(record, scale, settings):
    return rates.value_gain(record[0], scale, settings[0])


@njit
def call_discount(record, low, high):
    return rates.discount(record[0], low, high, low)


@njit
def call_rehearsal_interval(record, settings):
    return rates.rehearsal_interval(record[0], settings[0])


@njit
def call_task_rows(record, environments):
    return progress.task_rows(record[0], environments)


@njit
def call_update_reward_statistics(record, experience, outcomes, env, reward, kind, settings):
    progress.update_reward_statistics(record[0], experience, outcomes, env, reward, kind, settings[0])


@njit
def judge_episodes(record, recent, lengths, returns, kinds, explored, settings, history):
    """Judge episodes (n,), of which the shares explored (n,) were; history (n,) is the record after each.

    Returns the share of the gain that recent episodes lost (n,) after each.
    """
    lost = np.zeros(len(returns))
    for n in range(len(returns)):
        record[0].steps += lengths[n]
        lost[n] = progress.judge_episode(record[0], recent, lengths[n], returns[n], kinds[n], explored[n], settings[0])
        history[n] = record[0]
    return lost


@njit
def count_steps(record, running, recent, envs, rewards, kinds, settings, history):
    """Count steps (n,), each of an environment and with a reward and a kind; history (n,) is the record after each."""
    for n in range(len(rewards)):
        progress.update_reward_range(record[0], rewards[n])
        progress.update_progress(record[0], running, recent, envs[n], rewards[n], kinds[n], settings[0])
        history[n] = record[0]
        if kinds[n] != RowKind.STEP:
            running[:, envs[n]] = 0  # as `begin` does


@njit
def call_reward_base(record):
    return progress.reward_base(record[0])


@njit
def call_square_value_scale(record, base):
    return progress.square_value_scale(record[0], base)


@njit
def call_update_reward_range(record, reward):
    progress.update_reward_range(record[0], reward)


@njit
def call_sample_action(
    output, offsets, gain, uniform, repeating, repeat, memory, env, repeats, action, policy, forbidden, random
):
    return acting.sample_action(
        output, offsets, gain, uniform, repeating, repeat, memory, env, repeats, action, policy, forbidden, random
    )


@njit
def call_nothing_new(memory, env, observed, most):
    return experience.nothing_new(memory, env, observed, most)


@njit
def count_visits(record, visits, memory, env, observed):
    """Count an environment's rows (r,) as if they came one after the other."""
    rows = memory.rows[env]
    for row in range(rows):
        memory.rows[env] = row + 1
        novelty.count_visit(record[0], visits, memory, env, observed)


@njit
def call_slot_of(memory, env, row, observed):
    return novelty.slot_of(memory, env, row, observed)


@njit
def call_observations_recur(record):
    return novelty.observations_recur(record[0])


@njit
def call_write_bonuses(memory, visits, where, width, observed, weight, bonus):
    novelty.write_bonuses(memory, visits, where, width, observed, weight, bonus)


@njit
def call_novelty_weight(record, settings):
    return rates.novelty_weight(record[0], settings[0])


@njit
def call_width_factor(record, settings):
    return rates.width_factor(record[0], settings[0])
