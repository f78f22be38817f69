"""Clocks, rates and intervals against their slow twins."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calls import (
    call_discount,
    call_rates_now,
    call_rehearsal_interval,
    call_task_rows,
    call_value_gain,
    count_steps,
)
from dynlive_rl.agents import AgentConfig, NetworkConfig, OptimisationConfig
from dynlive_rl.agents.kernels.experience import RowKind
from dynlive_rl.agents.kernels.progress import PROGRESS, new_progress
from dynlive_rl.agents.kernels.rates import EVERYWHERE
from helpers import own
from naive_progress import rates_by_hand, rehearsal_interval_by_hand, value_gain_by_hand

pytestmark = pytest.mark.plain

DEFAULT = AgentConfig()
KINDS = {"terminated": RowKind.TERMINATED, "truncated": RowKind.TRUNCATED, None: RowKind.STEP}


def lived(*episodes, config=DEFAULT):
    """The record after episodes (length, return, ending) in one environment, with all of the reward at their ends."""
    rewards = [r for length, episode_return, _ in episodes for r in [0.0] * (length - 1) + [episode_return]]
    kinds = [k for length, _, end in episodes for k in [RowKind.STEP] * (length - 1) + [KINDS[end]]]
    record, history, steps = new_progress(), np.zeros(len(rewards), PROGRESS), len(rewards)
    arguments = np.zeros(steps, np.int64), np.array(rewards, float), np.array(kinds, np.int64)
    count_steps(record, np.zeros((5, 1)), np.zeros((2, 5)), *arguments, config.settings(), history)
    return record


def test_much_is_tried_again_while_episodes_are_truncated_below_the_best():
    crash, flight, best = (100, -100, "terminated"), (200, -50, "truncated"), (200, 100, "truncated")
    silent = 99  # steps before the first reward do not count
    assert lived(crash, crash)["entropy_clock"] == 200 - silent
    assert lived(crash, crash, best, crash)["entropy_clock"] == 500 - silent  # as good as ever
    assert lived(crash, crash, best, flight, crash)["entropy_clock"] == 600 - 100 - silent
    assert lived(crash, best, flight, flight, flight)["entropy_clock"] == 100 - silent
    assert lived(crash, best, *[flight] * 5)["entropy_clock"] == 0
    assert lived(best, *[flight] * 5)["entropy_clock"] == 1_001  # where none ever ends by itself


def test_clocks_wait_until_returns_have_risen_for_sure():
    config = AgentConfig(optimisation=OptimisationConfig(rise_significance=2.0))
    luck = [(10, r, "terminated") for r in (0, 1, 1, 0, 1, 0, 0, 1, 0, 1)]
    waiting = lived(*luck, config=config)
    assert waiting["clock"] == waiting["entropy_clock"] == waiting["certainty"] == 0
    assert lived(*luck)["clock"] == 100 - 19  # by default they wait for a first reward alone
    assert lived(*[(10, 0, "terminated")] * 30, config=config)["certainty"] == 0
    learned = lived(*luck, *[(10, 1, "terminated")] * 40, config=config)
    assert learned["certainty"] == 1
    assert 0 < learned["clock"] < 400


def discount_after(*episodes):
    return call_discount(lived(*episodes), 0.99, 0.998)


def test_discount_reaches_as_far_as_episodes_that_end_by_themselves():
    long, short = (1_000, -1, "truncated"), (250, 1, "terminated")
    assert discount_after(long, long) == 0.99
    assert discount_after(long, short, long) == pytest.approx(1 - 2 / 250)
    assert discount_after((10, 0, "terminated")) == 0.99
    assert discount_after(*[(5_000, 0, "terminated")] * 2) == 0.998
    assert discount_after((1_000, 0, "terminated"), *[short] * 30) == pytest.approx(1 - 2 / 250, abs=1e-4)


NUMBERS = own().actor.numbers


def record_with(**values):
    record = new_progress()
    for name, value in values.items():
        record[name] = value
    return record


@given(
    age=st.floats(0, 2e5),
    content=st.booleans(),
    best=st.sampled_from([0.0, 5.0]),
    boost=st.sampled_from([0.0, 1.0, 2.0]),
    clock=st.floats(0, 1e5),
    rehearsals=st.integers(0, 20),
    variance=st.floats(0, 100),
    certainty=st.floats(0, 1),
    significance=st.sampled_from([0.0, 2.0]),
    cells=st.booleans(),
)
def test_rates_and_intervals_are_as_written(
    age, content, best, boost, clock, rehearsals, variance, certainty, significance, cells
):
    rule = replace(AgentConfig().network.rule, prune_fraction=0.3)
    config = AgentConfig(
        network=NetworkConfig(rule=rule), optimisation=OptimisationConfig(rise_significance=significance)
    )
    record = record_with(
        clock=age, content=content, max_return=best, rate_boost=boost,
        entropy_clock=clock, rehearsals=rehearsals, target_variance=variance, certainty=certainty,
    )  # fmt: skip
    numbers = config.settings()
    numbers["natural_gradient"] = cells
    if cells:
        numbers["rate_half_life"] = np.inf
    gain = call_value_gain(record, 2.0, numbers)
    assert gain == pytest.approx(value_gain_by_hand(record[0], 2.0, config))
    found = call_rates_now(record, NUMBERS._replace(prune_fraction=0.3), gain, numbers)
    expected = rates_by_hand(record[0], config, 0.3, gain, cells)
    named = found.critic, found.actor, found.target, found.entropy, found.prune_fraction, found.advantage_limit
    assert named == pytest.approx(expected)
    assert found.hops == (1 if cells else EVERYWHERE)
    assert call_rehearsal_interval(record, numbers) == rehearsal_interval_by_hand(record[0], config)


def test_a_tasks_rows_are_its_steps_and_an_end_of_every_episode():
    record = record_with(steps=1_000, task_start_step=400, task_episodes=12)
    assert call_task_rows(record, 1) == 600 + 12 + 1
    assert call_task_rows(record, 4) == 150 + 3 + 1
    assert call_task_rows(record, 7) == 600 // 7 + 12 // 7 + 1
