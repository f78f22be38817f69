"""Wide observations: work, memory and growth are bounded, and what is left out changes no number."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete
from numpy.testing import assert_allclose, assert_array_equal

from dynlive_rl import DynLiveAgent
from dynlive_rl.agents import AgentConfig, NetworkConfig, RehearsalConfig
from dynlive_rl.agents.config import OptimisationConfig
from dynlive_rl.agents.kernels.scaling import ScalerRow, Scaling
from dynlive_rl.agents.networks import neighbourhood
from dynlive_rl.agents.remembered import _tell
from dynlive_rl.kernels.layout import RowState
from helpers import assert_same_state
from networks import refused

STILL = OptimisationConfig(critic_rate=0.0, actor_rate=0.0)
MIXED = Dict(
    far=Box(-np.inf, np.inf, (3,)),
    image=Box(0, 255, (5, 4, 2), np.uint8),
    bits=MultiBinary(40),
    kinds=MultiDiscrete([30, 7]),
)
ACTIONS = Discrete(2)


class Random(gym.Env):
    """Observations drawn from a space, episodes of ten steps; action 1 pays."""

    def __init__(self, space):
        self.observation_space, self.action_space = space, ACTIONS
        space.seed(0)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.time = 0
        return self.observation_space.sample(), {}

    def step(self, action):
        self.time += 1
        return self.observation_space.sample(), float(action), False, self.time >= 10, {}


def learned(space, steps=140, seed=0, **groups):
    agent = DynLiveAgent(Random(space), seed=seed, config=AgentConfig(**groups)).learn(steps, progress_bar=False)
    return agent, agent.interaction.learner


def new(space, **groups):
    return DynLiveAgent(observation_space=space, action_space=ACTIONS, seed=0, config=AgentConfig(**groups))


# -- kernels beside slow twins ---------------------------------------------------------------------------------------


def weights(net):
    """The strengths (n, n) of a network, by neuron and source."""
    result = np.zeros((net.degree.size, net.degree.size))
    for j in net.order:
        row = slice(net.first[j], net.first[j] + net.degree[j])
        result[j, net.source[row]] = net.strength[row]
    return result


@pytest.mark.parametrize("space", [Discrete(2000), Discrete(400), MultiDiscrete([20, 20]), MIXED], ids=str)
def test_what_is_off_is_left_out_and_nothing_else(space):
    """With strengths that stay, what a rehearsal leaves behind is what sums over everything give."""
    _, learner = learned(space, optimisation=STILL)
    net, batches, workspace = learner.actor.arrays, learner.state.minibatches, learner.state.workspace
    weight, matches = weights(net), 0
    for output, drive, state in zip(*batches, strict=True):
        assert not output[1, state == RowState.OFF].any()
        seen = np.where((state == RowState.UNSEEN)[:, None], 0, output[1])
        asked, signals = [], []
        for j in net.outputs:
            assert_allclose(drive[0, j], weight[j] @ seen, rtol=1e-4, atol=1e-6)
            row = slice(net.first[j], net.first[j] + net.degree[j])
            signal = output[1, net.source[row]] @ workspace.credit[1, j]
            signals += list(signal if learner.actor.rule.reserve else signal - signal.mean())
            asked += list(workspace.signal[row])
        matches += np.allclose(signals, asked, rtol=1e-3, atol=1e-5 * np.abs(signals).max())
        assert np.any(asked)
    assert matches >= 1  # of the minibatch that came last


def encoded(learner):
    """The codes (r, f) of all rows of experience, one value after another."""
    state = learner.state
    experience, kept, scaler = state.experience, state.kept, state.scaler
    rows = np.zeros((experience.rows[0], scaler.shape[1]))
    rows[:, kept.single] = experience.observation[0, : len(rows)]
    rows[:, kept.byte] = experience.byte[0, : len(rows)]
    for q, first in enumerate(kept.option[0]):
        rows[np.arange(len(rows)), first + experience.option[0, : len(rows), q]] = 1
    scaled = scaler[ScalerRow.SCALED] != Scaling.NONE
    score = (rows - scaler[ScalerRow.MEAN]) / np.sqrt(scaler[ScalerRow.VARIANCE] + 1e-8)
    return np.where(scaled, 1 / (1 + np.exp(-score)), rows)


@pytest.mark.parametrize("space", [MIXED, Box(0, 255, (40, 32), np.uint8)], ids=["mixed", "image"])
def test_a_rehearsal_reads_rows_of_experience_as_they_are_encoded(space):
    agent, learner = learned(space)
    agent.learn(1, progress_bar=False, reset_num_timesteps=False)
    codes, batch, inputs = encoded(learner), learner.state.rollout_batch, learner.actor.arrays.inputs
    for rail, expected in enumerate((codes, 1 - codes)):
        seen = batch.state[inputs[rail]] != RowState.UNSEEN
        assert seen.any()
        columns = batch.output[1, inputs[rail]][seen].T
        distance = [abs(expected[:, seen] - column).max(axis=1).min() for column in columns[::7]]
        assert max(distance) < 0.05  # statistics went on for a step or two
    read = {int(i) for net in (learner.actor.arrays, learner.critic.arrays) for i in net.source[net.strength > 0]}
    assert not [i for i in read & set(inputs.ravel()) if batch.state[i] == RowState.UNSEEN]


# -- bounds ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("space", [MultiBinary(300), Box(0, 255, (40, 32), np.uint8)], ids=["bits", "image"])
def test_growth_goes_no_further_than_the_first_fan_in(space):
    agent, learner = learned(space, 180)
    assert agent.connections <= 2 * 128 * (64 + ACTIONS.n)
    first = new(space).interaction.learner.actor.arrays
    assert (learner.actor.arrays.source[: first.source.size] != first.source).any()  # and yet some moved


def test_experience_is_kept_in_the_types_of_the_space():
    _, learner = learned(MIXED)
    experience = learner.state.experience
    assert experience.observation.shape[2] == 3
    assert (experience.byte.dtype, experience.byte.shape[2]) == (np.uint8, 80)
    assert (experience.option.dtype, experience.option.shape[2]) == (np.int32, 2)


def test_experience_stays_within_its_bytes_and_the_agent_says_so_once(caplog):
    _tell.cache_clear()
    space, config = Box(0, 255, (40, 32), np.uint8), RehearsalConfig(memory_bytes=2**18)
    for _ in range(2):
        agent = new(space, rehearsal=config)
    learner = agent.interaction.learner
    for _ in range(300):
        agent.act(space.sample())
        agent.observe(0.0, space.sample(), False, False)
    assert 150 < learner.state.experience.kind.shape[1] < 300
    assert sum(array.nbytes for array in learner.state.experience) <= 2**18
    (said,) = caplog.messages
    assert "1,280 values" in said
    assert "202 steps (rehearsal.memory_bytes)" in said
    new(Box(-1, 1, (8,)))
    assert len(caplog.messages) == 1


def test_what_cannot_fit_is_refused_in_one_sentence():
    remedy = "wrap the environment, to give fewer values, or the digits of a large number as MultiDiscrete"
    for space, count in ((Discrete(10**9), "1,000,000,000"), (MultiBinary((1025, 1024)), "1,049,600")):
        refused(f"the observation space {space} makes {count} input values, more than 1,048,576: {remedy}", new, space)
    few = RehearsalConfig(memory_bytes=1000)
    message = "rehearsal.memory_bytes must be at least 84175, for 65 steps of 1295 bytes, not 1000"
    refused(message, new, Box(0, 255, (40, 32), np.uint8), rehearsal=few)
    refused("max_sources must be at least 2, a value and its complement, not 1", NetworkConfig, max_sources=1)


def test_a_box_of_bytes_takes_no_other_numbers():
    agent = new(Box(0, 255, (3,), np.uint8))
    agent.act(np.array([0, 7, 255]))
    for other in (np.array([0, 0.5, 1]), [0, 256, 1], [0, -1, 1]):
        refused(f"the observation {other!r} does not fit the space Box(0, 255, (3,), uint8)", agent.act, other)


# -- places ----------------------------------------------------------------------------------------------------------


def test_a_neighbourhood_is_a_patch_of_an_image_and_all_of_what_is_small():
    rng = np.random.default_rng(0)
    for _ in range(20):
        some = neighbourhood([(3,), (30, 40, 4), (50,)], 53 + 256, rng)
        assert some.size == np.unique(some).size == 53 + 256
        assert_array_equal(some[:3], [0, 1, 2])
        assert_array_equal(some[-50:], 3 + 4800 + np.arange(50))
        y, x, colour = np.unravel_index(some[3:-50] - 3, (30, 40, 4))
        assert set(colour) == {0, 1, 2, 3}
        assert max(np.ptp(y), np.ptp(x)) < 17  # 8 × 8, or a strip at the edge


def test_neurons_of_wide_networks_may_read_so_many_sources():
    space = Box(0, 255, (40, 32), np.uint8)
    wide, narrow = (new(space, network=NetworkConfig(max_sources=most)).actor.arrays for most in (2048, 2560))
    assert_array_equal(np.diff(wide.first)[wide.order[:-2]], 2048)
    assert_array_equal(np.diff(narrow.first)[narrow.order[:-2]], 2560)
    assert_array_equal(wide.degree[wide.order[:-2]], 64)


# -- states ----------------------------------------------------------------------------------------------------------


class Line(gym.Env):
    """The right action differs from state to state, of 1,500."""

    observation_space, action_space = Discrete(1500), ACTIONS

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.state = int(self.np_random.integers(20)) * 70
        return self.state, {}

    def step(self, action):
        reward = float(action == self.state // 70 % 2)
        return self.reset()[0], reward, True, False, {}


def test_more_states_than_cells_are_learned_one_by_one():
    agent = DynLiveAgent(Line(), seed=0).learn(1_500, progress_bar=False)
    states = np.arange(20) * 70
    assert np.mean(agent.predict(states, deterministic=True)[0] == states // 70 % 2) >= 0.95


# -- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("space", [MIXED, Discrete(1500)], ids=["mixed", "states"])
def test_wide_agents_go_on_from_files(tmp_path, space):
    agent, _ = learned(space, 160)
    agent.save(tmp_path / "agent")
    loaded = DynLiveAgent.load(tmp_path / "agent")
    assert_same_state(agent.get_state(), loaded.get_state())


def test_states_whose_experience_is_in_single_precision_throughout_are_taken_too():
    agent, learner = learned(MIXED)
    state = agent.get_state()
    kept, whole = (
        learner.state.kept,
        np.zeros((*state["experience.kind"].shape, learner.state.scaler.shape[1]), np.float32),
    )
    whole[..., kept.single], whole[..., kept.byte] = state["experience.observation"], state["experience.byte"]
    for q, first in enumerate(kept.option[0]):
        np.put_along_axis(whole, first + state["experience.option"][..., q : q + 1], 1, axis=2)
    old = {name: array for name, array in state.items() if name not in ("experience.byte", "experience.option")}
    other = DynLiveAgent(Random(MIXED), seed=1)
    other.set_state(old | {"experience.observation": whole})
    assert_same_state(state, other.get_state())
    whole[..., kept.byte[0]] = 0.5
    refused("'experience.observation' must be whole and from 0 to 255 where the space says so",
            other.set_state, old | {"experience.observation": whole})  # fmt: skip
