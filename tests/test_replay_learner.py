"""The rehearsing learner: what it remembers of every step, its networks, and its state by name."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.wrappers import TransformReward
from numpy.testing import assert_allclose, assert_array_equal

from dynlive_rl import DynLiveAgent
from dynlive_rl.agents import AgentConfig, NetworkConfig, RehearsalConfig
from dynlive_rl.agents.kernels.experience import RowKind
from dynlive_rl.agents.kernels.novelty import SLOTS
from dynlive_rl.agents.kernels.progress import PROGRESS
from dynlive_rl.agents.replay_learner import FIRST_ROWS
from helpers import (
    assert_all_finite,
    assert_same_state,
    assert_strengths_are_shares,
    cart,
    experience,
    feed,
    hidden_activations,
    own,
    progress_of,
)

# -- experience ------------------------------------------------------------------------------------------------------


def test_a_time_limit_is_no_end():
    agent = own()
    for terminated, truncated in ((False, False), (True, False), (False, True), (True, True)):
        agent.act([0.1, 0.1])
        agent.observe(1.0, [0.1, 0.1], terminated, truncated)
    # Rows: two steps and how they ended, then a step each and how it ended.
    assert experience(agent).kind[0, :7].tolist() == [
        RowKind.STEP,
        RowKind.STEP,
        RowKind.TERMINATED,
        RowKind.STEP,
        RowKind.TRUNCATED,
        RowKind.STEP,
        RowKind.TERMINATED,
    ]


def test_another_observation_starts_an_episode():
    agent = own()
    agent.act([0.1, 0.1])
    agent.observe(1.0, [0.2, 0.2], False, False)
    agent.act([0.2, 0.2])
    agent.act([0.9, 0.9])  # the user reset
    agent.observe(1.0, [0.8, 0.8], False, False)
    assert experience(agent).kind[0, :4].tolist() == [RowKind.STEP, RowKind.TRUNCATED, RowKind.STEP, RowKind.STEP]
    assert experience(agent).reward[0, :3].tolist() == [1, 0, 1]


@pytest.mark.parametrize("memory", [64, 300])
def test_a_small_memory_wraps(memory):
    agent = cart(config=AgentConfig(rehearsal=RehearsalConfig(memory=memory))).learn(1000)
    assert experience(agent).kind.shape == (1, memory)
    assert experience(agent).rows[0] > 1000
    assert_strengths_are_shares(agent)
    assert_all_finite(agent)


def test_the_room_for_experience_grows_with_it():
    agent = own()
    assert experience(agent).kind.shape == (1, FIRST_ROWS)
    feed(agent, 900, seed=1)
    before = {name: array.copy() for name, array in experience(agent)._asdict().items()}
    feed(agent, 900, seed=2)
    after = experience(agent)
    assert after.kind.shape == (1, 2 * FIRST_ROWS)
    rows = int(before["rows"][0]) - 1  # what followed the last one was not known yet
    for name in ("observation", "action", "probability", "reward"):
        assert_array_equal(getattr(after, name)[0, :rows], before[name][0, :rows])


def test_the_remembered_probability_of_a_choice_is_the_true_one_while_choices_are_repeated():
    agent = own(seed=3, config=AgentConfig(rehearsal=RehearsalConfig(first_rehearsal=10**6)))
    for step in range(20_000):  # the reward is always the same and no episode ends by itself: it goes on searching
        agent.act([step, 0])
        agent.observe(-1.0, [step + 1, 0], False, step % 200 == 199)
    state = agent.get_state()
    acted = state["experience.kind"][0] == RowKind.STEP
    action, probability = state["experience.action"][0, acted, 0], state["experience.probability"][0, acted, 0]
    action, probability = action[:20_000], probability[:20_000]
    assert (action[1:] == action[:-1]).mean() > 0.7  # repeated
    for k in range(3):
        # Whatever the past, 1 / probability of what is chosen is 1 on average, once where it is chosen and 0 elsewhere.
        assert np.mean((action == k) / probability) == pytest.approx(1, abs=0.35)


# -- progress --------------------------------------------------------------------------------------------------------


def test_the_range_of_rewards_is_kept_track_of():
    agent = DynLiveAgent(TransformReward(gym.make("CartPole-v1"), lambda reward: reward - 3.0), seed=0).learn(50)
    assert progress_of(agent)["lowest_reward"] == -2.0
    assert progress_of(agent)["highest_reward"] == -2.0


def test_it_rehearses_as_often_as_it_should():
    agent = own(config=AgentConfig(rehearsal=RehearsalConfig(first_rehearsal=150, rehearse_every=3)))
    feed(agent, 149, seed=1)
    assert progress_of(agent)["rehearsals"] == 0
    assert agent.td_error_mse == 0
    feed(agent, 300, seed=1)
    assert progress_of(agent)["rehearsals"] == 1 + 299 // 3  # returns differ since the second episode
    assert progress_of(agent)["steps"] == 449
    assert agent.td_error_mse > 0


# -- networks --------------------------------------------------------------------------------------------------------


def test_when_reset_networks_are_as_new_and_the_dead_stay_dead():
    agent = DynLiveAgent(gym.make("CartPole-v1"), seed=0).learn(300)
    hidden = agent.actor.sources(agent.actor.output_ids[0])
    agent.actor.kill(hidden[:5])
    before = agent.actor.strengths(agent.actor.output_ids[0])
    agent.interaction.learner.reset_networks()
    for neuron in agent.actor.output_ids:
        assert not np.isin(hidden[:5], agent.actor.sources(neuron)).any()
        assert_allclose(agent.actor.strengths(neuron), 1 / (hidden.size - 5), rtol=1e-5)
    assert before.std() > 0
    agent.learn(300)


def test_hidden_neurons_are_a_setting():
    agent = own(config=AgentConfig(network=NetworkConfig(hidden=7)))
    for network in (agent.actor, agent.critic):
        assert sum(len(layer.ids) for layer in network.layers if layer.kind == "hidden") == 7
    assert hidden_activations(agent.actor) == ["sigmoid"]


@pytest.mark.parametrize("mode", ["rehearsal", "live"])
def test_warming_up_changes_nothing(mode):
    agent = own(mode=mode)
    before = agent.get_state()
    agent.warm_up()
    assert_same_state(before, agent.get_state())


# -- state by name ---------------------------------------------------------------------------------------------------


def test_state_has_names():
    agent = own()
    feed(agent, 150, seed=1)
    state = agent.get_state()
    assert {name.partition(".")[0] for name in state} == {
        "action", "action_repeat", "actor", "critic", "ended", "experience", "observations", "outcomes", "predict_random",
        "progress", "random", "recent", "running", "sample", "scaler", "visits",
    }  # fmt: skip
    shapes = {
        "scaler.scaled": (2,), "scaler.mean": (2,), "scaler.variance": (2,), "scaler.count": (2,),
        "scaler.ranked": (2,), "sample": (0, 256), "visits": (SLOTS,),
        "recent.length": (5,), "recent.return": (5,), "outcomes.count": (256,), "outcomes.mean": (256,),
        "running.length": (1,), "running.return": (1,), "running.discounted_return": (1,),
        "running.explored": (1,), "running.discounted_steps": (1,),
        "action_repeat.action": (1, 1), "action_repeat.probability": (1, 1), "action": (1, 1),
        "observations": (1, 2), "ended": (1,), "random": (4,), "predict_random": (4,),
    } | {f"progress.{name}": (1,) for name in PROGRESS.names}  # fmt: skip
    assert {name: state[name].shape for name in shapes} == shapes
    others = {name for name in state if name.partition(".")[0] not in ("actor", "critic", "experience")}
    assert others == set(shapes)
    assert state["progress.steps"] == 150
    assert state["progress.episodes"] == agent.episodes == 150 // 17 + 150 // 29
    assert state["scaler.count"].tolist() == [150 + agent.episodes + 1] * 2  # every row, final ones too
