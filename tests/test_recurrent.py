"""Recurrent agents: what slow neurons hold, whose state it is, and what they are good for."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete, MultiDiscrete
from numpy.testing import assert_allclose, assert_array_equal

from dynlive_rl import DynLiveAgent, Network
from dynlive_rl.agents.config import AgentConfig, RecurrenceConfig
from dynlive_rl.agents.export import export_numpy
from dynlive_rl.agents.names import names
from dynlive_rl.agents.pictures import draw_episode
from dynlive_rl.agents.slow_neurons import SlowNeurons
from helpers import assert_same_state
from naive_slow import Slow

MASKED = "dynlive_rl.envs:DynLive/MaskedCartPole-v0"
CUE = "dynlive_rl.envs:DynLive/DelayedCue-v0"
XOR = "dynlive_rl.envs:DynLive/MemoryXor-v0"
CONSTANTS = (1.0, 3.0, 50.0)


def recurrent(env=CUE, **settings):
    return DynLiveAgent(env, seed=0, recurrent=True, **settings)


# -- what they hold --------------------------------------------------------------------------------------------------


def test_they_hold_what_their_slow_twins_do():
    rng = np.random.default_rng(0)
    num_actions, environments = (2, 3), 2
    neurons = SlowNeurons(np.ones(2, np.int8), num_actions, CONSTANTS, environments, usual_steps=1)
    usual = np.array([0.5, -1.0])
    neurons.first[0], neurons.num_first[0] = usual, 1
    twins = [Slow(usual, num_actions, CONSTANTS) for _ in range(environments)]
    rows, following = (
        np.zeros((environments, neurons.size), np.float32),
        np.zeros((environments, neurons.size), np.float32),
    )
    rows[:, :2] = rng.normal(size=(environments, 2))
    neurons.begin(np.ones(environments, np.bool_), rows)
    for step in range(30):
        assert_allclose(
            rows, [twin.row(row[:2]) for twin, row in zip(twins, rows.astype(float), strict=True)], atol=1e-5
        )
        actions = np.column_stack([rng.integers(n, size=environments) for n in num_actions])
        stepped = np.array([True, step % 3 != 0])
        following[:, :2] = rng.normal(size=(environments, 2))
        neurons.write_next(rows, actions, stepped, following)
        neurons.keep(rows, stepped)
        for env in np.flatnonzero(stepped):
            twins[env].step(rows[env, :2].tolist(), actions[env])
        rows, following = following, rows


def test_fast_ones_hold_what_moved_and_what_was_done():
    neurons = SlowNeurons(np.ones(1, np.int8), (2,), (1.0,), 1, usual_steps=10)
    before, after = np.array([[3.0, 0, 0, 0]], np.float32), np.array([[5.0, 0, 0, 0]], np.float32)
    neurons.begin(np.array([True]), before)
    neurons.write_next(before, np.array([[1]]), np.array([True]), after)
    assert_array_equal(after, [[5, 2, 0, 1]])


@pytest.mark.parametrize("mode", ["rehearsal", "live"])
def test_predict_with_its_state_sees_what_act_saw(mode):
    agent = recurrent(mode=mode)
    env, state = gym.make(CUE, delay=7), None
    agent.learn(200, progress_bar=False)
    agent.interaction.end_episodes()
    observation, _ = env.reset(seed=3)
    for _ in range(7):
        action = agent.act(observation)
        _, rows, memory = agent.interaction._encoded(observation, state)
        assert_allclose(rows, agent.interaction.observations, atol=0.02)  # usual values move a little
        state = agent.interaction.recurrence.state_after(memory, rows, np.array([[action]]))
        observation, reward, terminated, truncated, _ = env.step(action)
        agent.observe(reward, observation, terminated, truncated)


def test_states_of_a_batch_are_those_of_each():
    agent = recurrent().learn(300, progress_bar=False)
    observations = np.random.default_rng(0).choice([-1.0, 1.0], size=(5, 3, 3)).astype(np.float32)
    together, alone = None, [None] * 3
    for k, batch in enumerate(observations):
        starts = np.array([False, k == 2, False])
        actions, together = agent.predict(batch, together, starts, deterministic=True)
        for i in range(3):
            action, alone[i] = agent.predict(batch[i], None if starts[i] else alone[i], deterministic=True)
            assert action == actions[i]
            assert_array_equal(alone[i][0], together[i])


def test_several_components_and_dictionaries():
    space = gym.spaces.Dict({"a": Box(-1, 1, (2,)), "b": Discrete(3)})
    agent = DynLiveAgent(observation_space=space, action_space=MultiDiscrete([2, 3]), seed=0, recurrent=True)
    for _ in range(5):
        observation = space.sample()
        action = agent.act(observation)
        agent.observe(0.0, space.sample(), False, False)
    _, state = agent.predict(observation)
    assert state.shape == (1, 7, 5 + 5)
    assert_array_equal(state[0, -1, 5:].sum(), 2)  # one action of either component
    assert action.shape == (2,)


def test_what_is_usual_is_the_median_of_the_first_observations_and_stays():
    agent = recurrent(gym.make(CUE, delay=50)).learn(60, progress_bar=False)
    slow = agent.interaction.recurrence
    assert_array_equal(slow.usual, np.median(slow.first[:60], axis=0))
    agent.learn(100, progress_bar=False)
    usual = slow.usual
    assert_array_equal(usual[[0, 2]], 0)  # the cue and its being due are rare; their mean is not 0
    agent.learn(200, progress_bar=False)
    assert_array_equal(slow.usual, usual)


def test_hidden_neurons_read_the_present_and_one_time_constant_at_most():
    agent = recurrent(config=AgentConfig(recurrence=RecurrenceConfig(present_share=0.25)))
    columns, arrays = agent.interaction.recurrence.columns, agent.interaction.learner.actor.arrays
    present, slower = set(columns.present.tolist()), [set(group.tolist()) for group in columns.slower]
    hidden = arrays.order[: -arrays.outputs.size]
    read = [
        set((arrays.source[arrays.first[j] : arrays.first[j + 1]] % agent.interaction.recurrence.size).tolist())
        for j in hidden
    ]
    assert all(each >= present for each in read)
    assert sum(each == present for each in read) == 32
    assert {slower.index(each - present) for each in read if each != present} == set(range(5))


def test_memory_does_not_depend_on_how_long_it_lasts():
    short, long = (
        recurrent(config=AgentConfig(recurrence=RecurrenceConfig(time_constants=(1, last)))) for last in (2, 1e6)
    )
    sizes = [sum(array.nbytes for array in agent.get_state().values()) for agent in (short, long)]
    assert sizes[0] == sizes[1]


def test_500_cycles_of_256_neurons_are_remembered_in_10_megabytes():
    network = Network.layered(inputs=8, hidden=(246,), outputs=2, memory=500, seed=0)
    assert sum(array.nbytes for array in network.memory) < 10e6


# -- whose they are --------------------------------------------------------------------------------------------------


def test_others_have_none():
    agent = DynLiveAgent("CartPole-v1", seed=0)
    assert agent.interaction.recurrence is None
    assert agent.predict(np.zeros(4), "anything")[1] == "anything"


@pytest.mark.parametrize("mode", ["rehearsal", "live"])
@pytest.mark.parametrize("environments", [1, 3])
def test_it_goes_on_from_a_file_as_if_never_stopped(tmp_path, mode, environments):
    def made():
        env = gym.make(CUE, delay=20) if environments == 1 else gym.make_vec(CUE, environments, "sync", delay=20)
        return recurrent(env, mode=mode)

    agent, unbroken = made(), made()
    agent.learn(330, progress_bar=False).save(tmp_path / "agent.dynlive")
    unbroken.learn(330, progress_bar=False)
    loaded = DynLiveAgent.load(tmp_path / "agent.dynlive")
    assert loaded.config == agent.config
    learned = [one.learn(330, progress_bar=False).get_state() for one in (loaded, unbroken)]
    assert_same_state(*learned)


def test_it_goes_on_in_another_number_of_environments(tmp_path):
    recurrent().learn(300, progress_bar=False).save(tmp_path / "agent.dynlive")
    loaded = DynLiveAgent.load(tmp_path / "agent.dynlive", env=gym.make_vec(CUE, 3, "sync"))
    assert loaded.interaction.recurrence.memory.shape[0] == 3
    assert loaded.learn(100, progress_bar=False).num_timesteps >= 100


def test_side_by_side_is_evaluated_as_one_after_the_other():
    agent = recurrent(MASKED).learn(400, progress_bar=False)
    one = agent.evaluate(4, env=gym.make(MASKED), seed=5)
    assert_array_equal(one.returns, agent.evaluate(4, env=MASKED, seed=5).returns)
    several = gym.make_vec(MASKED, 4, "sync")
    assert_array_equal(np.sort(one.returns), np.sort(agent.evaluate(4, env=several, seed=5).returns))


def test_a_copy_from_a_mapped_file_goes_on_alike(tmp_path):
    joblib = pytest.importorskip("joblib")
    agent = recurrent().learn(200, progress_bar=False)
    joblib.dump(agent, tmp_path / "agent")
    copy = joblib.load(tmp_path / "agent", mmap_mode="r")
    assert_same_state(agent.learn(100, progress_bar=False).get_state(), copy.learn(100, progress_bar=False).get_state())


def test_what_is_drawn_has_names(tmp_path):
    agent = recurrent()
    observed, _ = names(agent, {"observations": ["cue", "distractor", "due"], "actions": ["left", "right"]})
    assert observed[:6] == ["cue", "distractor", "due"] + [f"change of {name} over 1 step" for name in observed[:3]]
    assert observed[6:9] == ["left over 1 step", "right over 1 step", "cue over 4 steps"]
    assert observed[-1] == "due over 1024 steps"
    assert len(observed) == agent.interaction.recurrence.size
    draw_episode(agent, tmp_path / "episode.png", seed=1)
    assert (tmp_path / "episode.png").stat().st_size > 10_000


def test_it_is_not_exported_without_its_memory(tmp_path):
    with pytest.raises(ValueError, match="a recurrent agent remembers"):
        export_numpy(recurrent(), tmp_path / "agent.py")


# -- what does not fit -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("constants", [(0.5,), (4.0, 1.0), (1.0, 1.0), "1", 3, ("a",), (float("nan"),), (1e9,)])
def test_time_constants_are_checked(constants):
    with pytest.raises(ValueError, match="time_constants"):
        RecurrenceConfig(time_constants=constants)


@pytest.mark.parametrize(("state", "starts"), [(np.zeros((1, 2)), None), (np.zeros((1, 7, 5)), np.zeros(3))])
def test_states_of_another_shape_are_refused(state, starts):
    agent = recurrent()
    with pytest.raises(ValueError, match="must have"):
        agent.predict(np.zeros(3, np.float32), state, starts)


def test_a_configuration_of_ones_own():
    config = AgentConfig(recurrence=RecurrenceConfig(time_constants=[1, 8]))
    assert DynLiveAgent(CUE, config=config).interaction.recurrence.memory.shape == (1, 2, 5)
    assert recurrent(config=config).config == config
    plain = AgentConfig()
    assert len(recurrent(config=plain).config.recurrence.time_constants) == 6


# -- what they are good for ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("delay", [5, 50])
def test_a_cue_is_remembered(delay):
    agent = recurrent(gym.make(CUE, delay=delay)).learn(30 * delay + 3000, progress_bar=False)
    assert agent.evaluate(100, seed=1).mean >= 0.95


@pytest.mark.parametrize(
    ("env", "settings", "steps", "mark"), [(CUE, {"delay": 5}, 4_000, 0.95), (XOR, {}, 10_000, 0.95)]
)
def test_live_mode_remembers(env, settings, steps, mark):
    agent = recurrent(gym.make(env, **settings), mode="live").learn(steps, progress_bar=False)
    assert agent.evaluate(100, seed=1).mean >= mark


@pytest.mark.slow
def test_a_cue_is_remembered_for_500_steps():
    agent = recurrent(gym.make(CUE, delay=500)).learn(40_000, progress_bar=False)
    assert agent.evaluate(50, seed=1).mean >= 0.95


def test_without_memory_a_cue_is_forgotten():
    agent = DynLiveAgent(gym.make(CUE, delay=5), seed=0).learn(3000, progress_bar=False)
    assert agent.evaluate(100, seed=1).mean < 0.7


def test_velocities_are_missed_by_none_but_the_forgetful():
    assert recurrent(MASKED).learn(6000, progress_bar=False).evaluate(20, seed=1).mean > 350
    assert DynLiveAgent(MASKED, seed=0).learn(6000, progress_bar=False).evaluate(20, seed=1).mean < 250
