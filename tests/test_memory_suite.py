"""The comparison where a memory is needed: who plays, and frames that are stacked."""

import gymnasium as gym
import numpy as np
import pytest
from numpy.testing import assert_array_equal

pytest.importorskip("scipy")
import baselines
import compare
import memory_suite
import tasks


def test_everybody_plays_in_every_environment_of_the_suite():
    agents = "dynlive-recurrent", "dynlive-recurrent-live", "dynlive", "recurrent-ppo", "stacked-ppo"
    assert compare.pairs(list(tasks.MEMORY), list(agents)) == [(env, agent) for env in tasks.MEMORY for agent in agents]


def test_environments_of_the_suite_differ_by_their_delay():
    assert [gym.make(f"DynLive/DelayedCue{delay}-v0").unwrapped.delay for delay in (5, 50, 500)] == [5, 50, 500]
    rewards = [gym.make(f"DynLive/DelayedReward{delay}-v0").unwrapped for delay in (5, 50, 500)]
    assert [tasks.MEMORY[f"DynLive/DelayedReward{env.delay}-v0"].threshold for env in rewards] == [
        0.75 * env.scored for env in rewards
    ]


def test_frames_are_stacked_as_in_training():
    class Model:
        def predict(self, stack, deterministic):
            self.stack = stack
            return np.zeros(len(stack)), None

    model = Model()
    policy, state = baselines.Stacked(model, 3), None
    rows = np.arange(8, dtype=np.float32).reshape(4, 1, 2)
    for observation in rows:
        _, state = policy.predict(observation, state=state)
    assert_array_equal(model.stack, rows[1:].reshape(1, 6))


def test_frames_reach_back_to_what_is_needed_or_64_steps():
    assert all(frames <= 64 for _, _, frames in memory_suite.PLAYED.values())
    assert memory_suite.PLAYED["DynLive/DelayedCue50-v0"][2] == 51


@pytest.mark.slow
def test_both_rivals_learn_to_remember_a_cue():
    pytest.importorskip("sb3_contrib")
    from protocol import Course

    for agent in ("recurrent-ppo", "stacked-ppo"):
        entry = memory_suite.ENTRIES["DynLive/DelayedCue5-v0", agent]
        course = Course("DynLive/DelayedCue5-v0", entry, 5_000, episodes=20)
        entry.train("DynLive/DelayedCue5-v0", 0, course)
        assert course.curve[-1].mean >= 0.9
