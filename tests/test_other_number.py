"""An agent goes on in more or fewer environments side by side than it was saved with."""

import gymnasium as gym
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from dynlive_rl import DynLiveAgent
from dynlive_rl.agents.kernels.experience import RowKind
from helpers import assert_strengths_are_shares, experience
from worlds import Counting

MODES = ("rehearsal", "live")


def several(count, make=lambda: gym.make("CartPole-v1")):
    return make() if count == 1 else gym.vector.SyncVectorEnv([make] * count)


def remembered(agent):
    """Observation, reward and next observation of all rows with an action."""
    kept = experience(agent)
    steps = []
    for env, rows in enumerate(kept.rows.tolist()):
        assert rows <= kept.kind.shape[1]
        steps += [
            (*kept.observation[env, i], kept.reward[env, i], *kept.observation[env, i + 1])
            for i in range(rows - 1)
            if kept.kind[env, i] == RowKind.STEP
        ]
    return sorted(steps)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(("before", "after"), [(1, 4), (4, 1), (3, 16), (16, 3)])
def test_it_learns_on_in_another_number_of_environments(tmp_path, caplog, mode, before, after):
    agent = DynLiveAgent(several(before), seed=0, mode=mode).learn(700)
    agent.save(tmp_path / "agent")
    loaded = DynLiveAgent.load(tmp_path / "agent", env=several(after))
    some = np.random.default_rng(0).normal(size=(50, 4))
    assert_array_equal(loaded.predict(some, deterministic=True)[0], agent.predict(some, deterministic=True)[0])
    assert (loaded.num_timesteps, loaded.episodes) == (agent.num_timesteps, agent.episodes)
    loaded.learn(600)
    saved_with = "1 environment" if before == 1 else f"{before} environments"
    assert f"was saved with {saved_with}, not {after}: learning goes on with a new episode" in caplog.text
    assert 600 <= loaded.num_timesteps < 600 + after
    assert_strengths_are_shares(loaded)
    loaded.save(tmp_path / "agent")
    back = DynLiveAgent.load(tmp_path / "agent", env=several(before)).learn(300)
    assert_strengths_are_shares(back)


@pytest.mark.parametrize(("before", "after"), [(1, 4), (4, 1), (3, 16)])
def test_steps_are_remembered_but_for_those_at_a_cut(tmp_path, before, after):
    agent = DynLiveAgent(several(before, Counting), seed=0).learn(150)
    agent.save(tmp_path / "agent")
    loaded = DynLiveAgent.load(tmp_path / "agent", env=several(after, Counting))
    had, has = remembered(agent), remembered(loaded)
    assert len(had) - max(before, after) <= len(has) <= len(had)
    assert set(has) <= set(had)
    assert np.ptp(experience(loaded).rows) <= 1
    kept = experience(loaded)
    for env, rows in enumerate(kept.rows):
        assert kept.kind[env, rows - 1] != RowKind.STEP
