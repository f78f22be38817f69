"""`learn`: what it counts and reports, how it is stopped, and that it is the same again."""

import logging
import subprocess
import sys

import numpy as np
import pytest
from gymnasium.spaces import Discrete
from gymnasium.wrappers import TimeLimit
from numpy.testing import assert_array_equal

from dynlive_rl import DynLiveAgent
from dynlive_rl.agents.kernels import actor_critic, live
from dynlive_rl.agents.kernels.experience import RowKind
from helpers import assert_same_state, assert_strengths_are_shares, cart, experience, own
from networks import refused
from worlds import Broken, Counting

MODES = ("rehearsal", "live")


# -- what it counts and reports ------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", MODES)
def test_learn_returns_the_agent_and_counts_steps(mode):
    agent = cart(mode=mode)
    assert agent.learn(150) is agent
    assert agent.num_timesteps == 150
    assert agent.learn(100).num_timesteps == 100
    assert agent.learn(50, reset_num_timesteps=False).num_timesteps == 150
    assert agent.learn(0).num_timesteps == 0
    assert agent.episodes > 0


@pytest.mark.parametrize("mode", MODES)
def test_learning_in_pieces_is_learning_at_once(mode):
    once = cart(mode=mode).learn(400)
    pieces = cart(mode=mode)
    for steps in (1, 99, 0, 300):
        pieces.learn(steps)
    assert_same_state(once.get_state(), pieces.get_state())


def test_the_callback_gets_every_step_and_the_episodes():
    reports = []
    agent = DynLiveAgent(Counting(length=4), seed=0)
    agent.learn(10, callback=reports.append)
    assert [report.new_steps for report in reports] == [1] * 10
    assert all(report.agent is agent for report in reports)
    finished = [episode for report in reports for episode in report.finished]
    assert [(e.episode_return, e.length) for e in finished] == [(10, 4), (410, 4)]
    assert agent.episodes == 2


def test_the_callback_can_stop_learning():
    agent = cart()
    agent.learn(500, callback=lambda report: report.agent.num_timesteps < 37)
    assert agent.num_timesteps == 37
    assert agent.learn(100, callback=lambda report: None).num_timesteps == 100
    assert agent.learn(100, callback=lambda report: np.bool_(report.agent.num_timesteps < 5)).num_timesteps == 5


def test_log_interval_logs_every_so_many_episodes(caplog):
    with caplog.at_level(logging.INFO, logger="dynlive_rl.agents.agent"):
        DynLiveAgent(Counting(length=4), seed=0).learn(41, log_interval=3)
    assert [record.message.split(":")[0] for record in caplog.records] == [
        "step 12, 3 episodes", "step 24, 6 episodes", "step 36, 9 episodes",
    ]  # fmt: skip


def test_it_says_what_it_is():
    agent = cart().learn(100)
    assert repr(agent) == f"DynLiveAgent(100 steps, {agent.episodes} episodes, {agent.connections} connections)"
    assert agent.connections == agent.actor.connections + agent.critic.connections
    assert agent.td_error_mse == 0  # nothing was rehearsed so far
    assert agent.learn(100).td_error_mse > 0


@pytest.mark.parametrize("steps", [-1, 1.5, True, None, "abc", np.inf])
def test_learn_refuses_other_numbers_of_steps(steps):
    refused(f"total_timesteps must be a whole number ≥ 0, not {steps!r}", cart().learn, steps)
    assert cart().learn(1e1).num_timesteps == 10


def test_learn_refuses_other_intervals():
    refused("log_interval must be a whole number ≥ 0, not 1.5", cart().learn, 10, log_interval=1.5)


def test_learn_needs_an_environment():
    message = "this agent has no environment to learn in: pass env=, or call act and observe yourself"
    refused(message, own().learn, 10)


def test_spaces_and_environment_go_together():
    message = "give an env, or both observation_space and action_space"
    refused(message, DynLiveAgent)
    refused(message, DynLiveAgent, observation_space=Discrete(2))
    with pytest.raises(ValueError, match="env brings its own spaces"):
        DynLiveAgent("CartPole-v1", observation_space=Discrete(2))
    refused(
        "env must be an environment id, a Gymnasium environment or a VecEnv, not 3", DynLiveAgent, 3, error=TypeError
    )


# -- interrupted -----------------------------------------------------------------------------------------------------


def interrupt(env, action):
    raise KeyboardInterrupt


def interrupt_afterwards(env, action):
    env.step(action)
    raise KeyboardInterrupt


@pytest.mark.parametrize("what", [interrupt, interrupt_afterwards])
@pytest.mark.parametrize("at", [1, 40, 200])
def test_ctrl_c_ends_learn_and_learning_can_go_on(what, at, caplog):
    agent = DynLiveAgent(Broken(TimeLimit(Counting(length=50), 40), at, what), seed=0)
    agent.learn(300)
    assert agent.num_timesteps == at - 1
    assert "what was learned is kept" in caplog.text
    agent.learn(300, reset_num_timesteps=False)
    assert agent.num_timesteps == at - 1 + 300
    assert_strengths_are_shares(agent)
    # Whatever had been going on, every step that was learned from follows its own observation.
    kept = experience(agent)
    rows = int(kept.rows[0])
    for observation, kind, following in zip(
        kept.observation[0, : rows - 1], kept.kind[0, : rows - 1], kept.observation[0, 1:rows], strict=True
    ):
        if kind == RowKind.STEP:
            assert_array_equal(following, [observation[0], observation[1] + 1])


@pytest.mark.parametrize(("mode", "kernels"), [("rehearsal", actor_critic), ("live", live)])
def test_one_compiled_call_per_step_and_one_per_reset(monkeypatch, mode, kernels):
    agent, calls = DynLiveAgent(Counting(length=4), mode=mode, seed=0), []
    agent.warm_up()
    for name in ("begin", "observe"):
        kernel = getattr(kernels, name)
        monkeypatch.setattr(kernels, name, lambda *a, n=name, k=kernel: (calls.append(n), k(*a))[1])
    agent.learn(20)
    assert calls == (["begin"] + ["observe"] * 4) * 5


# -- the same again --------------------------------------------------------------------------------------------------

FINGERPRINT = """
import hashlib
from dynlive_rl import DynLiveAgent
state = DynLiveAgent("CartPole-v1", seed=5).learn(600).get_state()
digest = hashlib.sha256(b"".join(name.encode() + state[name].tobytes() for name in sorted(state))).hexdigest()
"""


def test_the_same_seed_is_the_same_agent_in_a_new_process_too():
    here = {}
    exec(FINGERPRINT, here)
    again = cart(5).learn(600).get_state()
    assert_same_state(here["state"], again)
    done = subprocess.run(
        [sys.executable, "-c", FINGERPRINT + "print(digest)"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == here["digest"]
    other = cart(6).learn(600).get_state()
    assert not np.array_equal(again["actor.strength"], other["actor.strength"])


@pytest.mark.parametrize("mode", MODES)
def test_no_global_random_state_is_touched(mode):
    np.random.seed(1)  # noqa: NPY002
    before = np.random.get_state()  # noqa: NPY002
    cart(mode=mode).learn(300).evaluate(2, seed=0)
    after = np.random.get_state()  # noqa: NPY002
    assert_array_equal(before[1], after[1])
    assert before[2:] == after[2:]


def test_strengths_stay_shares():
    assert_strengths_are_shares(cart().learn(2000))


@pytest.mark.parametrize("seed", [-1, 1.5, "a"])
def test_seeds_are_whole_numbers(seed):
    refused(f"seed must be a whole number ≥ 0, not {seed!r}", own, seed)
