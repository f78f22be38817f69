"""What the tests of the agent have in common, in both modes."""

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from numpy.testing import assert_allclose, assert_array_equal

from dynlive_rl import DynLiveAgent
from dynlive_rl.agents.kernels.live_layout import CellRow

# -- agents --------------------------------------------------------------------------------------------------------


def cart(seed=0, **settings):
    """An agent for CartPole."""
    return DynLiveAgent("CartPole-v1", seed=seed, **settings)


def own(seed=0, **settings):
    """An agent without an environment, for loops of one's own: two numbers in, one of three actions out."""
    return DynLiveAgent(observation_space=Box(-1, 1, (2,)), action_space=Discrete(3), seed=seed, **settings)


def experience(agent):
    """What a rehearsing agent remembers."""
    return agent.interaction.learner.state.experience


def progress_of(agent):
    """What an agent keeps track of, as a record."""
    return agent.interaction.learner.progress[0]


def hidden_ids(network):
    return [j for layer in network.layers if layer.kind == "hidden" for j in layer.ids]


def hidden_activations(network):
    return [layer.activation for layer in network.layers if layer.kind == "hidden"]


# -- loops ---------------------------------------------------------------------------------------------------------


def play(agent, env, steps, seed=None):
    """Act and observe in a loop of one's own, from a reset."""
    observation, _ = env.reset(seed=seed)
    for _ in range(steps):
        action = agent.act(observation)
        observation, reward, terminated, truncated, _ = env.step(action)
        agent.observe(reward, observation, terminated, truncated)
        if terminated or truncated:
            observation, _ = env.reset()


def feed(agent, steps, seed):
    """Let the agent learn from made-up steps, the same ones whatever it does; returns its actions."""
    rng = np.random.default_rng(seed)
    observation, actions = rng.uniform(-1, 1, 2), []
    for t in range(1, steps + 1):
        actions.append(agent.act(observation))
        following = rng.uniform(-1, 1, 2)
        agent.observe(rng.normal(), following, t % 17 == 0, t % 29 == 0)
        observation = following if t % 17 and t % 29 else rng.uniform(-1, 1, 2)
    return actions


def best_return(agent, env, limit=200):
    """Return of one episode of the agent's best actions."""
    observation, _ = env.reset()
    whole = 0.0
    for _ in range(limit):
        action, _ = agent.predict(observation, deterministic=True)
        observation, reward, terminated, truncated, _ = env.step(action)
        whole += reward
        if terminated or truncated:
            break
    return whole


# -- what holds ----------------------------------------------------------------------------------------------------


def assert_same_state(one, other, but=()):
    """Two agents' states are the same, bit for bit."""
    assert one.keys() == other.keys()
    for name in one.keys() - set(but):
        assert_array_equal(one[name], other[name], err_msg=name, strict=True)


def assert_all_finite(agent):
    for name, array in agent.get_state().items():
        assert np.isfinite(array).all(), name


def assert_strengths_are_shares(agent):
    """No strength is negative, and those of a neuron sum to 1; where there is a reserve, to at most 1."""
    if agent.mode == "live":
        _assert_live_strengths_are_shares(agent.interaction.learner.state)
        return
    for network in (agent.actor, agent.critic):
        for neuron in (i for layer in network.layers if layer.kind != "input" for i in layer.ids):
            strengths = network.strengths(neuron)
            assert (strengths >= 0).all()
            assert strengths.sum() == pytest.approx(1, abs=1e-4)


def _assert_live_strengths_are_shares(state):
    """Living cells have strengths that sum to 1, the others none; output neurons keep a reserve."""
    assert (state.strength >= 0).all()
    assert (state.strength.sum(axis=1) <= 1 + 1e-4).all()
    assert (state.cell >= 0).all()
    sums = state.cell[: CellRow.FEATURE_SUM].sum(axis=0)
    size = state.cell.shape[1] // state.num_cells.size
    living = np.concatenate([np.arange(size) < count for count in state.num_cells])
    assert_allclose(sums[living], 1, atol=1e-5)
    assert (state.cell[:, ~living] == 0).all()
    assert (state.strength[:, ~living] == 0).all()


def opened(path):
    """A picture that is large enough to show something."""
    from PIL import Image

    picture = Image.open(path)
    assert min(picture.size) > 200
    return picture
