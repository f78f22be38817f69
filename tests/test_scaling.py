"""Observation scaling beside its slow twin, and when ranks take part."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit
from numpy.testing import assert_allclose, assert_array_equal

from dynlive_rl import CheckpointError
from dynlive_rl.agents.kernels import scaling
from dynlive_rl.agents.kernels.scaling import ScalerRow, Scaling, fill_samples, new_scaler
from dynlive_rl.agents.spaces import ObservationEncoder
from helpers import cart
from naive_scaling import NaiveFeature


@njit
def see(scaler, sample, observations, codes):
    for n in range(observations.shape[0]):
        scaling.update_scaler(scaler, sample, observations[n])
        scaling.encode(scaler, sample, observations[n], codes[n])


def seen(scaled, observations):
    """Scaler, samples and codes after observations (n, f)."""
    scaler, sample = new_scaler(np.array(scaled, np.int8))
    codes = np.empty_like(observations)
    see(scaler, sample, observations, codes)
    return scaler, sample, codes


DISTRIBUTIONS = {
    "normal": lambda rng, n: rng.normal(size=n),
    "heavy tails": lambda rng, n: np.sinh(8 * rng.uniform(-1, 1, n)),
    "a glitch": lambda rng, n: np.where(np.arange(n) == 3, 1e6, rng.uniform(-1, 1, n)),
    "a sentinel": lambda rng, n: np.where(rng.random(n) < 0.1, -999, rng.uniform(-1, 1, n)),
    "whole numbers": lambda rng, n: np.round(np.exp(rng.normal(size=n) * 3)),
    "mostly one value": lambda rng, n: np.where(rng.random(n) < 0.1, rng.normal(size=n), 7),
}


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), count=st.integers(1, 600), kind=st.sampled_from(sorted(DISTRIBUTIONS)))
def test_codes_are_the_slow_twins(seed, count, kind):
    rng = np.random.default_rng(seed)
    observations = np.stack([DISTRIBUTIONS[kind](rng, count) for _ in range(2)], axis=1).astype(np.float32)
    scaler, sample, codes = seen([Scaling.STATISTICS, Scaling.RANKS_TOO], observations)
    for column, twin in enumerate((NaiveFeature(False), NaiveFeature(True))):
        for x in observations[:, column].tolist():
            twin.see(x)
        assert codes[-1, column] == pytest.approx(twin.code(x), abs=2e-3)
        assert scaler[ScalerRow.RANKED, column] == pytest.approx(twin.share_of_ranks, abs=1e-5)
    assert sample[0, : min(count, 256)].tolist() == twin.sample


@pytest.mark.parametrize("kind", ["heavy tails", "a glitch", "a sentinel"])
def test_what_statistics_cannot_tell_apart_ranks_can(kind):
    values = DISTRIBUTIONS[kind](np.random.default_rng(0), 2_000)[:, None].astype(np.float32)
    _, _, plain = seen([Scaling.STATISTICS], values)
    _, _, ranked = seen([Scaling.RANKS_TOO], values)
    for codes, low, high in ((plain, 0, 0.1), (ranked, 0.2, 0.5)):
        middle_half = np.subtract(*np.quantile(codes[1_000:], [0.75, 0.25]))
        assert low <= middle_half <= high


@pytest.mark.parametrize("kind", ["normal", "uniform", "two values"])
def test_ranks_take_no_part_where_mean_and_deviation_tell_values_apart(kind):
    draw = {"uniform": lambda rng, n: rng.uniform(-1, 1, n), "two values": lambda rng, n: rng.integers(2, size=n)}
    values = (DISTRIBUTIONS | draw)[kind](np.random.default_rng(0), 3_000)[:, None].astype(np.float32)
    for unit in (1e-12, 1.0, 1e12):
        scaler, _, codes = seen([Scaling.RANKS_TOO], np.float32(unit) * values)
        assert scaler[ScalerRow.RANKED] == 0
        assert_array_equal(codes, seen([Scaling.STATISTICS], np.float32(unit) * values)[2])


def test_ranks_are_for_values_without_a_declared_range():
    low, high = np.array([-1, -np.inf, 0, -1e38, -1e6]), np.array([1, np.inf, np.inf, 1e38, 1e6])
    assert ObservationEncoder(Box(low, high, dtype=np.float64)).scaled.tolist() == [1, 2, 2, 2, 1]
    assert ObservationEncoder(Dict(a=Discrete(2), b=Box(-np.inf, 1, (1,)))).scaled.tolist() == [0, 0, 2]
    assert ObservationEncoder(Box(0, 255, (3,), np.uint8)).scaled.tolist() == [1, 1, 1]


@pytest.mark.parametrize("mode", ["rehearsal", "live"])
def test_classic_observations_are_scaled_by_statistics_alone(mode):
    state = cart(mode=mode).learn(600, progress_bar=False).get_state()
    assert state["scaler.scaled"].tolist() == [1, 2, 1, 2]
    assert state["scaler.ranked"].tolist() == [0] * 4
    for name in ("Acrobot-v1", "MountainCar-v0", "Pendulum-v1", "MountainCarContinuous-v0"):
        assert (ObservationEncoder(gym.make(name).observation_space).scaled == Scaling.STATISTICS).all()


def test_samples_of_older_files_are_what_statistics_say():
    values = np.random.default_rng(0).normal(5, 2, (3_000, 1)).astype(np.float32)
    scaler, sample, _ = seen([Scaling.RANKS_TOO], values)
    filled = np.empty_like(sample)
    fill_samples(scaler, filled)
    assert_allclose(filled[0, 20:-20], sample[0, 20:-20], atol=0.5)
    assert (np.diff(filled[0]) > 0).all()


@pytest.mark.parametrize("mode", ["rehearsal", "live"])
def test_a_sample_that_is_not_sorted_is_refused(mode):
    agent = cart(mode=mode).learn(100, progress_bar=False)
    state = agent.get_state()
    state["sample"][0, 3] = 1e29
    with pytest.raises(CheckpointError, match="'sample' must be sorted"):
        agent.set_state(state)
    state["sample"][0, 3], state["sample"][0, 200] = state["sample"][0, 2], -1e29  # beyond the values that there are
    agent.set_state(state)
