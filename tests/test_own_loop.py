"""A loop of one's own: `act` and `observe`, and what they refuse."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box

from helpers import assert_all_finite, assert_same_state, assert_strengths_are_shares, cart, feed, own, play
from networks import refused

MODES = ("rehearsal", "live")
pytestmark = pytest.mark.parametrize("mode", MODES)


def test_a_loop_of_ones_own_is_learn(mode):
    learned, looped = cart(mode=mode).learn(600), cart(mode=mode)
    play(looped, gym.make("CartPole-v1"), 600, seed=0)
    assert_same_state(learned.get_state(), looped.get_state())
    assert looped.num_timesteps == 600


def test_act_again_is_the_same_action(mode):
    agent = own(mode=mode)
    first = agent.act([0.1, 0.2])
    before = agent.get_state()
    assert agent.act([0.1, 0.2]) == first
    assert_same_state(before, agent.get_state())


def test_observe_needs_an_action(mode):
    agent = own(mode=mode)
    message = "there is no action to learn about: call act(observation) before observe"
    refused(message, agent.observe, 1.0, [0, 0], False, False)
    agent.act([0, 0])
    agent.observe(1.0, [0, 0], True, False)
    refused(message, agent.observe, 1.0, [0, 0], False, False)
    assert agent.num_timesteps == 1


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, -1e31])
@pytest.mark.parametrize("what", ["reward", "next_observation"])
def test_what_is_not_moderate_is_refused_and_changes_nothing(mode, bad, what):
    agent = own(mode=mode)
    feed(agent, 150, seed=1)
    action = agent.act([0.5, 0.5])
    before = agent.get_state()
    step = (bad, [0.0, 0.0]) if what == "reward" else (1.0, [0.0, bad])
    # Observations are kept in single precision.
    said = bad if what == "reward" else np.float32(bad)
    message = f"{what.removeprefix('next_')}s must be numbers within ±1e30, not {said}; nothing was learned from it"
    refused(message, agent.observe, *step, False, False)
    assert_same_state(before, agent.get_state())
    assert agent.num_timesteps == 150
    assert agent.act([0.5, 0.5]) == action
    agent.observe(1.0, [0.0, 0.0], False, False)


def test_act_refuses_what_is_not_finite(mode):
    agent = own(mode=mode)
    before = agent.get_state()
    with pytest.raises(ValueError, match=r"^observations must be numbers within ±1e30, not nan"):
        agent.act([np.nan, 0])
    assert_same_state(before, agent.get_state())
    assert agent.act([0, 0]) in (0, 1, 2)


@pytest.mark.parametrize("observation", [[1.0], [1.0, 2.0, 3.0], "left", None])
def test_observations_of_another_shape_are_refused(mode, observation):
    message = f"the observation {observation!r} does not fit the space {Box(-1, 1, (2,))}"
    agent = own(mode=mode)
    refused(message, agent.act, observation)
    agent.act([0, 0])
    refused(message, agent.observe, 0.0, observation, False, False)


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (("much", False, False), "reward must be a number, not 'much'"),
        (([1.0, 2.0], False, False), "reward must be a number, not [1.0, 2.0]"),
        ((1.0, None, False), "terminated must be True or False, not None"),
        ((1.0, False, 0.5), "truncated must be True or False, not 0.5"),
    ],
)
def test_what_a_step_brings_must_be_numbers(mode, step, message):
    agent = own(mode=mode)
    agent.act([0, 0])
    before = agent.get_state()
    reward, terminated, truncated = step
    refused(message, agent.observe, reward, [0, 0], terminated, truncated)
    assert_same_state(before, agent.get_state())


def test_huge_rewards_leave_everything_finite(mode):
    agent = own(mode=mode)
    rng = np.random.default_rng(0)
    agent.act([0, 0])
    for t in range(200):
        agent.observe(rng.choice([1e30, -1e30, 1e-30, 0.0]), rng.uniform(-1, 1, 2) * 1e30, False, t % 9 == 0)
        agent.act(rng.normal(size=2))
    assert_all_finite(agent)
    assert_strengths_are_shares(agent)
