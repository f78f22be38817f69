"""Live learning's kernels: their one buffer, and a step against its slow twin."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit
from numpy.testing import assert_allclose

from dynlive_rl.agents import CellConfig, LiveConfig, LiveExplorationConfig, LiveOptimisationConfig
from dynlive_rl.agents.kernels.live_layout import CellRow, TraceRow, new_buffer, unfold, unfolded
from dynlive_rl.agents.live_learner import LiveLearner
from helpers import feed, own
from naive_live import NaiveLive

pytestmark = pytest.mark.plain


@njit
def write_to_every_part(buffer):
    agent = unfolded(buffer)
    agent.cell[:], agent.num_cells[:], agent.strength[:], agent.trace[:], agent.running[:] = 0, 1, 2, 3, 4
    agent.recent[:], agent.value_shift[:], agent.policy[:], agent.action_offsets[:], agent.action[:] = 5, 6, 7, 8, 9
    agent.scaler[:], agent.sample[:], agent.feature_mean[:], agent.random[:], agent.step[:] = 10, 11, 12, 15, 17
    agent.scalars.view(np.float64)[:] = 13
    agent.progress.view(np.float64)[:] = 14
    agent.settings.view(np.float64)[:] = 16
    agent.forbidden[:] = 18


@given(st.tuples(*[st.integers(1, 3)] * 5), st.integers(1, 3), st.integers(1, 7), st.integers(0, 3))
def test_the_parts_of_the_buffer_do_not_overlap_and_kernels_find_them_where_others_do(
    sizes, environments, recent, samples
):
    features, actions, components, layers, pool = sizes
    buffer = new_buffer(features, actions, components, layers, pool * layers, environments, recent, samples)
    write_to_every_part(buffer)
    parts = unfold(buffer)
    for number, part in enumerate(parts):
        numbers = part if part.dtype.names is None else part.view(np.float64)
        assert (numbers == number).all()
    assert parts.trace.shape == (environments, 3 + actions, pool * layers)
    assert parts.cell.shape == (2 * features + 2, pool * layers)
    assert parts.recent.shape == (2, recent)
    assert parts.scalars.shape == parts.progress.shape == parts.settings.shape == (1,)
    size = 8 * 8 + sum(part.nbytes for part in parts)  # the sizes are at the start
    assert size <= buffer.nbytes <= size + 4


QUICK = {"mature": 3.0, "usage_span": 5.0}
FULL = QUICK | {"cells": 6, "recruit_below": 0.9}


@pytest.mark.parametrize(
    ("config", "scale"),
    [
        (LiveConfig(), 1.0),
        (LiveConfig(cells=CellConfig(**QUICK)), 1.0),
        (LiveConfig(cells=CellConfig(**FULL)), 1.0),  # pools are used up, and cells retired
        (LiveConfig(cells=CellConfig(**FULL | {"initial_usage": 3.0, "retire_below": 0.5})), 1.0),
        (LiveConfig(cells=CellConfig(**QUICK)), 1e6),
        (
            LiveConfig(  # strengths reach 0 and 1
                optimisation=LiveOptimisationConfig(actor_rate=0.9, critic_rate=0.9, value_margin=4.0, error_rate=0.1),
                exploration=LiveExplorationConfig(policy_range=0.1, entropy=0.0),
            ),
            1.0,
        ),
    ],
    ids=["default", "quick", "full", "retiring later", "large rewards", "large steps"],
)
def test_a_live_step_is_the_slow_twins(config, scale):
    scaled, size = np.array([1, 1, 0], np.int8), config.cells.cells
    learner, twin = LiveLearner(scaled, (3,), 1, config, seed=0), NaiveLive(scaled, 3, config, size)
    rng = np.random.default_rng(0)
    s, one = learner.state, np.ones(1, np.bool_)

    def sample():
        return np.array([[*rng.normal(size=2), rng.integers(2)]], np.float32)

    observation = sample()
    learner.begin(one, observation)
    twin.begin(observation[0].tolist())
    retired = 0
    for t in range(200):
        action, before = int(s.action[0, 0]), s.cell[0].copy()
        observation, reward = sample(), scale * (action == 1) * (t > 5) * rng.normal(1)
        terminated, truncated = t % 20 == 19, t % 50 == 49
        step = learner.step
        step.rewards[:], step.terminated[:], step.truncated[:] = reward, terminated, truncated
        learner.observe(observation)
        twin.observe(action, reward, observation[0].tolist(), terminated)
        retired += np.count_nonzero((s.cell[0] != before) & (before > 0))
        if terminated or truncated:
            observation = sample()
            learner.begin(one, observation)
            twin.begin(observation[0].tolist())
        assert s.num_cells.tolist() == [len(layer) for layer in twin.layers]
        place = [layer * size + k for layer, count in enumerate(s.num_cells) for k in range(count)]
        assert_allclose(s.trace[0, TraceRow.NOW, place], [cell.output for cell in twin.cells], atol=2e-4)
        assert_allclose(s.cell[CellRow.USAGE, place], [cell.usage for cell in twin.cells], atol=2e-3)
        pool = size * config.cells.layers
        assert_allclose(
            2 * pool * s.strength[:, place].T, [[2 * pool * w for w in c.worth] for c in twin.cells], atol=4e-3
        )
        assert s.scalars["value_range"][0] == pytest.approx(twin.value_range)
        assert s.scalars["observations"][0] == twin.observations
        assert_allclose(s.policy[0], twin.probabilities, atol=4e-3)
    assert bool(retired) == (size < 16)


def test_traces_of_cells_that_fell_silent_end_at_0():
    """Numbers below the smallest normal one would make every step of a long episode several times slower."""
    agent = own(seed=0, mode="live")
    feed(agent, 200, seed=0)
    spot = [0.3, -0.3]
    agent.act(spot)
    for _ in range(700):
        agent.observe(1.0, spot, False, False)
        agent.act(spot)
    traces = agent.interaction.learner.state.trace[0, TraceRow.TRACES :]
    assert np.any(traces != 0)
    assert np.abs(traces[traces != 0]).min() > np.finfo(np.float32).tiny
