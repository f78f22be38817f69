"""Live learning for a very long time: nothing grows, nothing drifts, nothing is forgotten."""

import os
from math import cos, sin

import numpy as np
import pytest
from numba import njit

from dynlive_rl import DynLiveAgent
from dynlive_rl.agents.kernels import live
from dynlive_rl.agents.kernels.live_cells import CellRow
from dynlive_rl.agents.kernels.live_layout import unfold, unfolded
from dynlive_rl.kernels.rng import random_state, random_uniform
from helpers import assert_all_finite

STEPS = int(os.environ.get("DYNLIVE_LONG_STEPS", 10**8))


@njit(nogil=True)
def push(state, action):
    """One step of CartPole-v1; returns whether it fell."""
    force = 10.0 if action == 1 else -10.0
    x, v, angle, turning = state
    pull = (force + 0.05 * turning**2 * sin(angle)) / 1.1
    turn = (9.8 * sin(angle) - cos(angle) * pull) / (0.5 * (4.0 / 3.0 - 0.1 * cos(angle) ** 2 / 1.1))
    acceleration = pull - 0.05 * turn * cos(angle) / 1.1
    state[0], state[1] = x + 0.02 * v, v + 0.02 * acceleration
    state[2], state[3] = angle + 0.02 * turning, turning + 0.02 * turn
    return abs(state[0]) > 2.4 or abs(state[2]) > 12 * 2 * np.pi / 360


@njit(nogil=True)
def begin(buffer, state, observation, random):
    for i in range(4):
        state[i] = 0.1 * random_uniform(random) - 0.05
        observation[0, i] = state[i]
    live.begin(buffer, np.ones(1, np.bool_), observation)


@njit(nogil=True)
def live_on(buffer, state, observation, random, time, steps):
    """Learn for a number of steps; returns the steps of the episodes that ended, and how many did."""
    agent = unfolded(buffer)
    lived, episodes = 0, 0
    for _ in range(steps):
        fell = push(state, agent.action[0, 0])
        time[0] += 1
        for i in range(4):
            observation[0, i] = state[i]
        agent.step[0, 0] = agent.step[1, 0] = 1.0
        agent.step[2, 0] = 1.0 if fell else 0.0
        agent.step[3, 0] = 1.0 if time[0] == 500 else 0.0
        live.observe(buffer, observation)
        if fell or time[0] == 500:
            lived, episodes = lived + time[0], episodes + 1
            time[0] = 0
            begin(buffer, state, observation, random)
    return lived, episodes


def resident_memory():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def largest_error(state):
    """How far any neuron's strengths are from summing to 1, or beyond it where there is a reserve."""
    sums = state.cell[: CellRow.FEATURE_SUM].sum(axis=0, dtype=np.float64)
    readouts = state.strength.sum(axis=1, dtype=np.float64)
    assert (state.cell >= 0).all()
    assert (state.strength >= 0).all()
    return max(np.abs(sums[sums > 0] - 1).max(), (readouts - 1).max())


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="memory is read from /proc")
def test_a_hundred_million_live_steps():
    agent = DynLiveAgent("CartPole-v1", mode="live", seed=0)
    learner = agent.interaction.learner
    buffer = learner.__getstate__()["_buffer"]
    state, observation, time = np.zeros(4), np.zeros((1, 4), np.float32), np.zeros(1, np.int64)
    random = random_state(np.random.SeedSequence(0))
    begin(buffer, state, observation, random)
    pieces, lengths, memory, errors = 50, [], [], []
    for piece in range(pieces):
        lived, episodes = live_on(buffer, state, observation, random, time, STEPS // pieces)
        lengths.append(lived / max(episodes, 1))
        memory.append(resident_memory())
        errors.append(largest_error(unfold(buffer)))
        print(f"{piece + 1} of {pieces}: episodes of {lengths[-1]:.0f}, {memory[-1] / 2**20:.1f} MiB, {errors[-1]:.1e}")
    assert learner.progress["steps"][0] == STEPS // pieces * pieces
    assert max(memory[1:]) <= 1.01 * memory[1]
    assert max(errors) <= 1e-6
    assert_all_finite(agent)
    assert np.mean(lengths[-5:]) > 450
    assert agent.evaluate(50, seed=0).mean >= 475
