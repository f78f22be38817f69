"""What steps an environment: between spaces and a learner's arrays, one environment or several."""

import inspect

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from numpy.testing import assert_array_equal

from dynlive_rl.agents import AgentConfig, LiveConfig
from dynlive_rl.agents.interaction import NO_ACTION, Interaction
from dynlive_rl.agents.live_learner import LiveLearner
from dynlive_rl.agents.protocols import Learner
from dynlive_rl.agents.replay_learner import ReplayLearner
from dynlive_rl.agents.training import TrainingLoop
from helpers import assert_same_state, feed, own
from networks import refused
from worlds import Counting

CONFIGS = {"rehearsal": AgentConfig(), "live": LiveConfig()}
BOX = Box(-1, 1, (2,))


@pytest.fixture(params=CONFIGS)
def config(request):
    return CONFIGS[request.param]


def single(config, seed=0):
    return Interaction(BOX, Discrete(3, start=5), config, seed)


def several(config, environments=3, seed=0):
    return Interaction(BOX, Discrete(3, start=5), config, seed, environments, is_vector=True)


# -- learners --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in vars(Learner) if not name.startswith("_")])
def test_learners_do_what_the_protocol_says(config, name):
    learner = single(config).learner
    asked, given = vars(Learner)[name], vars(type(learner)).get(name)
    if inspect.isfunction(asked):
        assert inspect.signature(given).parameters.keys() == inspect.signature(asked).parameters.keys()
    else:
        assert isinstance(given, property) or name in vars(learner)


def test_the_configuration_decides_what_learns():
    assert isinstance(single(AgentConfig()).learner, ReplayLearner)
    assert isinstance(single(LiveConfig()).learner, LiveLearner)


def test_a_learner_has_a_row_for_every_environment(config):
    learner = several(config).learner
    assert learner.action.shape == (3, 1)
    assert learner.progress.shape == (1,)
    assert learner.step.stepped.all()
    assert all(part.shape == (3,) for part in learner.step)
    one = Interaction(BOX, Box(-1, 1, (4,)), config, 0).learner
    assert one.action.shape == (1, 4)


# -- one environment -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", CONFIGS)
def test_it_is_all_that_an_agent_does_in_a_loop_of_ones_own(mode):
    agent, interaction = own(mode=mode), Interaction(BOX, Discrete(3), CONFIGS[mode], 0)
    assert feed(agent, 300, seed=1) == feed(interaction, 300, seed=1)
    assert_same_state(agent.get_state(), interaction.get_state())
    assert (interaction.num_timesteps, interaction.episodes) == (agent.num_timesteps, agent.episodes) == (300, 27)


def test_actions_are_the_spaces_and_observations_are_rows(config):
    interaction = single(config)
    action = interaction.act([0.25, -0.5])
    assert type(action) is int
    assert action in (5, 6, 7)
    assert interaction.observations.tolist() == [[0.25, -0.5]]
    interaction.observe(1.0, [0.5, 0.75], False, False)
    assert interaction.observations.tolist() == [[0.5, 0.75]]
    assert interaction.predict([0.5, 0.75], deterministic=True)[0] in (5, 6, 7)
    assert interaction.predict([[0.5, 0.75]] * 4, deterministic=False)[0].shape == (4,)


def test_the_very_same_array_counts_as_the_same_observation(config):
    interaction = single(config)
    observation = np.zeros(2, np.float32)
    interaction.act(observation)
    before = interaction.get_state()
    observation[:] = 0.5  # some environments write into one array again and again
    interaction.act(observation)
    assert_same_state(before, interaction.get_state())
    interaction.act(np.array([0.5, 0.5]))
    assert interaction.observations.tolist() == [[0.5, 0.5]]


@pytest.mark.parametrize("ending", [(True, False), (False, True), (True, True)])
def test_after_an_end_an_episode_starts_even_at_the_same_observation(config, ending):
    interaction = single(config)
    observation = np.zeros(2, np.float32)
    interaction.act(observation)
    interaction.observe(1.0, observation, *ending)
    assert interaction.episodes == 1
    refused(NO_ACTION, interaction.observe, 1.0, observation, False, False)
    interaction.act(observation)
    interaction.observe(1.0, observation, False, False)
    assert interaction.num_timesteps == 2


def test_episodes_can_be_ended_from_outside(config):
    interaction = single(config)
    interaction.act([0, 0])
    interaction.observe(1.0, [0, 0], False, False)
    interaction.end_episodes()
    refused(NO_ACTION, interaction.observe, 1.0, [0, 0], False, False)
    interaction.act([0, 0])
    interaction.observe(1.0, [0, 0], False, False)
    assert interaction.episodes == 0  # none came to an end


def test_state_comes_back(config):
    one, other = single(config, seed=1), single(config, seed=2)
    feed(one, 140, seed=1)
    other.set_state(one.get_state())
    assert feed(one, 100, seed=2) == feed(other, 100, seed=2)
    assert_same_state(one.get_state(), other.get_state())


# -- several environments --------------------------------------------------------------------------------------------


def test_a_vector_of_one_environment_is_a_vector(config):
    interaction = several(config, environments=1)
    assert interaction.environments == 1
    assert interaction.act([[0.0, 0.5]]).shape == (1,)
    interaction.observe([1.0], [[0.0, 0.25]], [False], [True])
    assert (interaction.num_timesteps, interaction.episodes) == (1, 1)


def test_only_those_that_step_begin_and_are_learned_from(config):
    interaction = several(config)
    observations = np.arange(6, dtype=np.float32).reshape(3, 2) / 10
    stepping = np.array([True, False, True])
    actions = interaction.act(observations, stepping)
    assert actions.shape == (3,)
    assert interaction.observations.tolist() == [observations[0].tolist(), [0, 0], observations[2].tolist()]
    none, zeros = np.zeros(3, np.bool_), np.zeros(3)
    message = "there is no action to learn about: call act(observation) before observe"
    refused(message, interaction.observe_batch, zeros, observations, none, none)
    interaction.observe_batch(zeros, observations, none, none, stepping)
    assert interaction.num_timesteps == 2
    interaction.act(observations + np.float32(0.1))  # all: new observations begin episodes
    interaction.observe_batch(zeros, observations, np.array([False, True, False]), none)
    assert interaction.num_timesteps == 5
    assert interaction.episodes == 1


def test_what_did_not_step_is_not_remembered():
    interaction = several(AgentConfig())
    rows = interaction.learner.state.experience.rows
    observations, none = np.zeros((3, 2), np.float32), np.zeros(3, np.bool_)
    interaction.act(observations)
    assert rows.tolist() == [1, 1, 1]
    interaction.observe_batch([1, 2, 3], observations, none, none, np.array([True, False, True]))
    assert rows.tolist() == [2, 1, 2]
    assert interaction.learner.state.experience.reward[:, 0].tolist() == [1, 0, 3]


# -- the loop over them ----------------------------------------------------------------------------------------------


def test_the_loop_yields_every_step_and_goes_on_where_it_stopped(config):
    env = Counting(length=4)
    interaction = Interaction(env.observation_space, env.action_space, config, 0)
    loop = TrainingLoop(interaction, env, seed=0)
    steps = list(loop.run(6))
    assert [step.new_steps for step in steps] == [1] * 6
    assert [[e.length for e in step.finished] for step in steps] == [[], [], [], [4], [], []]
    (finished,) = [step.finished for step in loop.run(3) if step.finished]
    assert [(e.episode_return, e.length) for e in finished] == [(400 + 1 + 2 + 3 + 4, 4)]
    assert list(loop.run(0)) == []
    assert interaction.num_timesteps == 9


def test_after_an_abandoned_episode_it_begins_with_a_reset(config):
    env = Counting(length=4)
    loop = TrainingLoop(Interaction(env.observation_space, env.action_space, config, 0), env, seed=0)
    list(loop.run(2))
    loop.abandon_episode()
    list(loop.run(1))
    assert_array_equal(loop.interaction.observations, [[1, 1]])  # episode 1, after its first step
