"""Progress against its slow twin: every decision about the task."""

from collections import Counter
from math import isclose

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calls import (
    call_reward_base,
    call_square_value_scale,
    call_update_reward_range,
    call_update_reward_statistics,
    count_steps,
    judge_episodes,
)
from dynlive_rl.agents import AgentConfig, LiveConfig, OptimisationConfig, WorldChangeConfig
from dynlive_rl.agents.kernels.experience import RowKind, as_singles, new_experience
from dynlive_rl.agents.kernels.progress import PROGRESS, Mastery, new_progress
from naive_progress import (
    NaiveCounter,
    NaiveProgress,
    NaiveRewardStatistics,
)

pytestmark = pytest.mark.plain

KINDS = {"terminated": RowKind.TERMINATED, "truncated": RowKind.TRUNCATED, None: RowKind.STEP}
MASTERIES = {"never": Mastery.NEVER, "mastered": Mastery.MASTERED, "relapsed": Mastery.RELAPSED}
QUICK = WorldChangeConfig(
    recent_episodes=3, established_episodes=6, established_steps=150, change_significance=0.03, min_failure_rate=0.2
)


# -- the twin --------------------------------------------------------------------------------------------------------


def assert_judged_alike(record, twin):
    """A record says of episodes and tasks what the twin does."""
    expected = {
        "steps": twin.steps,
        "episodes": len(twin.episodes),
        "task_start_step": twin.task_start_step,
        "task_episodes": len(twin.task_returns),
        "task_changes": twin.task_changes,
        "partial_losses": twin.partial_losses,
        "min_return": min(twin.task_returns, default=0.0),
        "max_return": max(twin.task_returns, default=0.0),
        "best_mean_return": twin.best_mean_return,
        "content": twin.content,
        "mastery": MASTERIES[twin.mastery],
        "failures": twin.failures,
        "failure_rate": twin.failure_rate,
        "terminations": len(twin.terminated_lengths),
        "mean_terminated_length": twin.mean_terminated_length,
        "last_truncated_below_best": twin.last_truncated_below_best,
        "clock": twin.clock,
        "entropy_clock": twin.entropy_clock,
    }
    wrong = {}
    for name, value in expected.items():
        if not isclose(record[name], value, rel_tol=1e-7 if "clock" in name else 1e-12):
            wrong[name] = record[name], value
    assert wrong == {}


def judged(episodes, config, explored=None):
    """Judge episodes (length, return, ending), as the twin does after every single one; returns record and twin.

    explored (n,) are the shares of their actions that were tried for their own sake; default: 0.
    """
    explored = np.zeros(len(episodes)) if explored is None else explored
    record, twin = new_progress(), NaiveProgress(config)
    history = np.zeros(len(episodes), PROGRESS)
    lengths = np.array([length for length, _, _ in episodes], np.int64)
    returns = np.array([episode_return for _, episode_return, _ in episodes], float)
    kinds = np.array([KINDS[end] for _, _, end in episodes], np.int64)
    recent = np.zeros((2, config.world_change.recent_episodes))
    lost = judge_episodes(record, recent, lengths, returns, kinds, explored, config.settings(), history)
    for n, (length, episode_return, end) in enumerate(episodes):
        twin.steps += length
        assert isclose(lost[n], twin.judge(length, episode_return, end, explored[n]), rel_tol=1e-12)
        assert_judged_alike(history[n], twin)
    return record[0], twin


def random_life(rng, phases):
    """Episodes that come in phases, each of one of three levels of returns and of a scatter; all are multiples of 30.

    So means of 1, 2, 3 and 5 of them are whole numbers, and no comparison is a matter of rounding.
    """
    episodes, levels = [], rng.choice([-900, -30, 600, 2100, 2400, 3000], 3)
    for _ in range(phases):
        level, scatter = rng.choice(levels), rng.choice([0, 0, 1, 3])
        few = rng.choice([0.1, 0.5, 0.9])
        ends = rng.choice(["terminated", "truncated"], rng.integers(1, 30), p=[few, 1 - few])
        returns = level + 30 * rng.integers(-scatter, scatter + 1, len(ends))
        if rng.random() < 0.3:  # luck decides
            returns[rng.random(len(ends)) < 0.6] -= 900
        lengths = rng.integers(1, 40, len(ends))
        episodes += zip(lengths.tolist(), returns.tolist(), ends.tolist(), strict=True)
    return episodes


EVENTS = {
    "never to mastered", "relapsed to mastered", "mastered to relapsed", "never collapsed", "mastered collapsed",
    "relapsed collapsed", "relapsed and not healed", "collapsed too early", "collapsed by chance",
}  # fmt: skip


@pytest.mark.parametrize(
    "config", [AgentConfig(world_change=QUICK), LiveConfig(world_change=QUICK)], ids=["agent", "live"]
)
def test_every_decision_is_the_twins(config):
    rng, happened = np.random.default_rng(0), Counter()
    for _ in range(300):
        happened.update(judged(random_life(rng, phases=8), config)[1].events)
    assert set(happened) == EVENTS
    assert min(happened.values()) > 10, happened


@settings(max_examples=60)
@given(
    seed=st.integers(0, 10**6),
    phases=st.integers(0, 6),
    change=st.builds(
        WorldChangeConfig,
        recent_episodes=st.sampled_from([1, 2, 3, 5]),
        established_episodes=st.integers(1, 20),
        established_steps=st.sampled_from([1, 30, 200, 1500]),
        collapse=st.sampled_from([0.25, 0.5, 0.8]),
        learned=st.sampled_from([0.0, 0.3, 0.9]),
        change_significance=st.sampled_from([1.0, 0.1, 1e-3, 1e-6]),
        min_failure_rate=st.sampled_from([0.0, 0.05, 0.3]),
        failure_memory=st.sampled_from([0.05, 0.5, 1.0]),
        setback=st.sampled_from([0.0, 0.1, 0.5]),
        content_within=st.sampled_from([0.0, 0.01, 0.2]),
    ),
)
def test_whatever_the_configuration_decisions_are_the_twins(seed, phases, change):
    rng = np.random.default_rng(seed)
    episodes = random_life(rng, phases)
    judged(episodes, AgentConfig(world_change=change), rng.choice([0, 0.5, 0.6], len(episodes)))


@given(
    seed=st.integers(0, 10**6),
    environments=st.integers(1, 3),
    significance=st.sampled_from([0.0, 0.5, 2.0]),
)
def test_every_step_is_counted_as_the_twin_does(seed, environments, significance):
    config = AgentConfig(world_change=QUICK, optimisation=OptimisationConfig(rise_significance=significance))
    rng = np.random.default_rng(seed)
    count = 200
    envs = rng.integers(environments, size=count)
    rewards = 30.0 * rng.integers(-3, 4, count) + rng.choice([0, -3_000, 3_000])
    ends = [rng.choice(["terminated", "truncated"]) if rng.random() < 0.15 else None for _ in range(count)]
    record, twin = new_progress(), NaiveCounter(config, environments)
    history = np.zeros(count, PROGRESS)
    running, recent = np.zeros((5, environments)), np.zeros((2, QUICK.recent_episodes))
    kinds = np.array([KINDS[end] for end in ends], np.int64)
    count_steps(record, running, recent, envs, rewards, kinds, config.settings(), history)
    for n, (env, reward, end) in enumerate(zip(envs, rewards, ends, strict=True)):
        twin.step(env, reward, end)
        assert_judged_alike(history[n], twin.judge)
        assert history[n]["rate_boost"] == twin.rate_boost
        assert history[n]["certainty"] == pytest.approx(twin.certainty, abs=1e-6)
        assert history[n]["lowest_reward"] == min(twin.all_rewards)
        assert history[n]["highest_reward"] == max(twin.all_rewards)
        base = call_reward_base(history[n : n + 1])
        assert base == twin.reward_base
        assert call_square_value_scale(history[n : n + 1], base) == pytest.approx(
            twin.square_value_scale(base), rel=1e-9
        )
        assert history[n]["return_mean_square"] == pytest.approx(twin.return_mean_square, rel=1e-9)
        assert history[n]["return_count"] == history[n]["steps_since_rehearsal"] == n + 1
    lengths, returns = running[0], running[1]
    assert lengths.tolist() == [len(rewards) for rewards in twin.rewards]
    assert returns.tolist() == [sum(rewards) for rewards in twin.rewards]


# -- mastery and its loss --------------------------------------------------------------------------------------------

LEARNING = [10, 20, 30, 40, 50, *[500] * 5]  # it is mastered with the last of these


def after(returns, **settings):
    """The record after terminated episodes of 100 steps each with these returns."""
    episodes = [(100, episode_return, "terminated") for episode_return in returns]
    return judged(episodes, AgentConfig(world_change=WorldChangeConfig(**settings)))[0]


def test_a_goal_may_always_be_reached_sooner_but_a_time_limit_not():
    for end, before, then, content in (
        ("terminated", 0.0, 1.0, 0), ("truncated", 0.0, 1.0, 1), ("terminated", -9.0, -1.0, 1), ("truncated", -9.0, -1.0, 0),
    ):  # fmt: skip
        record = judged([(100, one, end) for one in [before, *[then] * 5]], AgentConfig())[0]
        assert record["content"] == content, (end, then)


def test_who_failed_often_before_mastery_may_fail_again():
    often = [10, 500, 10, 10, 500, 10, 500, 10, 10, *[500] * 5]  # five good ones in a row are luck
    assert after([*often, *[9] * 5])["task_changes"] == 0
    assert after([*often, *[500] * 60, *[9] * 6])["task_changes"] == 1


def test_a_part_lost_after_contentment_makes_rates_start_again_once():
    record = after([*LEARNING, 440, 430, 500])  # one of them was as good as ever
    assert record["partial_losses"] == 0
    assert record["task_start_step"] == 0
    record = after([*LEARNING, *[440] * 5])
    assert record["partial_losses"] == 1
    assert record["task_changes"] == 0
    assert record["task_start_step"] == 1_000  # when the first of the five began
    assert after([*LEARNING, *[440] * 12])["partial_losses"] == 1
    assert after([*LEARNING, *[440] * 5, *[500] * 5, *[440] * 5])["partial_losses"] == 2
    assert after([*range(10, 510, 10), *[440] * 5])["partial_losses"] == 0  # was never content


def test_what_is_not_made_good_in_time_is_another_task():
    assert after([*LEARNING, *[440] * 15], established_steps=1_500)["task_changes"] == 0
    assert after([*LEARNING, *[440] * 16], established_steps=1_500)["task_changes"] == 1
    assert after([*LEARNING, *[440] * 8, *[500] * 20], established_steps=1_500)["task_changes"] == 0


def test_episodes_that_were_mostly_explored_are_no_failures_of_the_policy():
    episodes = [(100, one, "truncated") for one in [*LEARNING, *[100] * 5]]
    config = AgentConfig(world_change=WorldChangeConfig())
    assert judged(episodes, config)[0]["task_changes"] == 1
    explored = np.array([0.0] * len(LEARNING) + [0.51] * 5)
    assert judged(episodes, config, explored)[0]["task_changes"] == 0


def test_most_of_what_was_mastered_lost_is_another_task_at_once():
    record = after([*LEARNING, 300, 9, 9, 9, 9])
    assert record["partial_losses"] == 1  # the first of them had begun in the task before
    assert record["task_changes"] == 0
    record = after([*LEARNING, 300, 9, 9, 9, 9, 9])
    assert record["task_changes"] == 1
    assert record["max_return"] == record["min_return"] == 9
    assert record["mastery"] == Mastery.NEVER
    assert record["task_start_step"] == 1_100  # when the first of the five began


def test_without_mastery_a_task_must_be_established_first():
    learned = [10, *range(100, 500, 25)]  # 17 episodes, getting better
    assert after([*learned, *[9] * 5], established_episodes=22)["task_changes"] == 1
    assert after([*learned, *[9] * 5], established_episodes=23)["task_changes"] == 0
    assert after([*learned, *[9] * 5], established_episodes=22, established_steps=2_199)["task_changes"] == 1
    assert after([*learned, *[9] * 5], established_episodes=22, established_steps=2_200)["task_changes"] == 0


def test_where_luck_decides_more_failures_in_a_row_are_needed():
    lucky = [500, 9, 500, 9, 9] * 8
    assert after([*lucky, *[9] * 5], established_steps=100)["task_changes"] == 0
    assert after([*lucky, *[9] * 40], established_steps=100)["task_changes"] == 1


def test_no_task_is_mastered_while_all_episodes_return_the_same_or_ending_earlier_would_be_better():
    config = AgentConfig()
    assert judged([(10, 1, "terminated")] * 9, config)[0]["mastery"] == Mastery.NEVER
    better = [(10, -50, "truncated")] + [(10, -10, "truncated")] * 9
    assert judged(better, config)[0]["mastery"] == Mastery.NEVER
    assert judged([(n, r, "terminated") for n, r, _ in better], config)[0]["mastery"] == Mastery.MASTERED
    assert judged([(n, r + 90, end) for n, r, end in better], config)[0]["mastery"] == Mastery.MASTERED


# -- whether rewards are informative ---------------------------------------------------------------------------------


@pytest.mark.parametrize("reward_of", [
    lambda rng, action: -1.0,
    lambda rng, action: -float(action.sum()),  # no more than a price of actions
    lambda rng, action: -float(action.sum()) + 0.02 * rng.normal(),
    lambda rng, action: float(rng.normal()),
    lambda rng, action: float(rng.random() < 0.05),
    lambda rng, action: 1000.0 + rng.integers(2),
    lambda rng, action: -1000.0 - float(action.sum()),
    lambda rng, action: 0.0,
], ids=["constant", "price", "noisy price", "noise", "rare", "far from 0", "price far from 0", "none"])  # fmt: skip
@pytest.mark.parametrize("components", [1, 2])
def test_rewards_are_told_from_prices_as_the_twin_does(reward_of, components):
    rng, config = np.random.default_rng(1), AgentConfig()
    record, twin = new_progress(), NaiveRewardStatistics(config)
    experience, outcomes = new_experience(1, 8, as_singles(1), components), np.zeros((2, 256))
    first = None
    some = differ = False
    for n in range(100):
        action = rng.integers(0, 3, components)
        reward = reward_of(rng, action)
        terminated = n == 90
        record["terminations"] = n > 90
        experience.rows[0] += 1
        experience.action[0, (experience.rows[0] - 1) % 8] = action
        kind = RowKind.TERMINATED if terminated else RowKind.STEP
        call_update_reward_range(record, reward)
        call_update_reward_statistics(record, experience, outcomes, 0, reward, kind, config.settings())
        record["return_count"] += 1
        record["steps"] += 1
        twin.step(action, reward, terminated)
        some = some or reward != 0
        first = reward if first is None else first
        differ = differ or reward != first
        assert record["reward_is_informative"] == twin.is_informative == ((n >= 90 and some) or twin.is_informative)
        assert record["rewards_differ"] == differ
        assert record["first_reward"] == first
        assert record["reward_square_sum"] == pytest.approx(twin.square_from(0.0))
        assert record["within_action_square_sum"] == pytest.approx(twin.within, abs=1e-9)
        assert outcomes[0].sum() == n + 1
