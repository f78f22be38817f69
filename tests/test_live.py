"""Live agents: what they learn, in which spaces, and in constant memory."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TransformReward
from numpy.testing import assert_allclose, assert_array_equal

from dynlive_rl import DynLiveAgent
from dynlive_rl.agents import CellConfig, LiveConfig
from dynlive_rl.agents.kernels.live_layout import SCALARS
from dynlive_rl.agents.kernels.progress import PROGRESS
from dynlive_rl.envs import Cycle, changing_cartpole
from helpers import assert_all_finite, assert_strengths_are_shares, cart, feed, own
from worlds import Bandit, Corridor, Counting


def state(agent):
    return agent.interaction.learner.state


# -- what it learns --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("space", "best"),
    [
        (Discrete(3, start=5), 7),
        (MultiDiscrete([2, 3]), [1, 2]),
        (MultiBinary(3), [0, 1, 1]),
        (Box(-1, 1, (2,)), [1, -1]),
    ],
    ids=str,
)
def test_the_best_arm_of_a_bandit_is_found(space, best):
    agent = DynLiveAgent(Bandit(space, best), mode="live", seed=0).learn(1500)
    assert_array_equal(agent.predict(0, deterministic=True)[0], best)


@pytest.mark.parametrize("price", [0.0, 1.0])
def test_a_corridor_is_walked_straight(price):
    agent = DynLiveAgent(Corridor(6, price), mode="live", seed=0).learn(3000)
    assert [int(agent.predict(place, deterministic=True)[0]) for place in range(5)] == [1] * 5


def test_cartpole_is_balanced():
    agent = cart(seed=1, mode="live").learn(12_000)
    assert agent.evaluate(20, seed=0).mean > 300
    assert_strengths_are_shares(agent)


@pytest.mark.parametrize("scale", [1e-3, 1024.0])
def test_the_scale_of_rewards_does_not_matter(scale):
    policies = []
    for factor in (1.0, scale):
        env = TransformReward(gym.make("CartPole-v1"), lambda reward, factor=factor: factor * reward)
        agent = DynLiveAgent(env, mode="live", seed=0).learn(1000)
        policies.append(state(agent).policy.copy())
    assert_allclose(*policies, atol=0.02 if scale < 1 else 0)


def test_a_change_of_task_is_noticed():
    agent = DynLiveAgent(changing_cartpole(swap=Cycle((0, 1), every=4_000)), mode="live", seed=0).learn(4_000)
    assert agent.task_changes == 0
    assert agent.learn(1_000).task_changes == 1


# -- memory ----------------------------------------------------------------------------------------------------------


def test_memory_does_not_grow():
    agent = cart(mode="live", config=LiveConfig(cells=CellConfig(cells=16, mature=1, usage_span=50)))
    agent.learn(200)
    buffers = {name: array.nbytes for name, array in agent.get_state().items()}
    addresses = [array.ctypes.data for array in state(agent)]
    agent.learn(3000)
    assert {name: array.nbytes for name, array in agent.get_state().items()} == buffers
    assert [array.ctypes.data for array in state(agent)] == addresses
    assert (state(agent).num_cells == 16).all()
    assert agent.interaction.learner.cells == 3 * 16
    assert_strengths_are_shares(agent)


def test_large_observations_get_fewer_cells():
    agent = DynLiveAgent(
        mode="live", seed=0, observation_space=Box(0, 255, (84, 84, 3), np.uint8), action_space=Discrete(2)
    )
    agent.act(np.zeros((84, 84, 3), np.uint8))
    agent.observe(1.0, np.full((84, 84, 3), 255, np.uint8), False, False)
    assert sum(array.nbytes for array in agent.get_state().values()) < 2**26


def test_state_has_names():
    agent = own(mode="live")
    feed(agent, 150, seed=1)
    found = agent.get_state()
    records = {f"progress.{name}" for name in PROGRESS.names} | {f"scalars.{name}" for name in SCALARS.names}
    assert found.keys() == records | {
        "cell", "num_cells", "strength", "trace", "value_shift", "policy", "action", "feature_mean", "random",
        "predict_random", "sample", "scaler.scaled", "scaler.mean", "scaler.variance", "scaler.count", "scaler.ranked",
         "recent.length", "recent.return",
        "running.length", "running.return", "observations", "ended",
    }  # fmt: skip
    assert found["progress.steps"] == 150
    assert found["scalars.observations"] == 150 + agent.episodes + 1  # final ones too


def test_it_has_no_networks_of_its_own_for_acting():
    agent = cart(mode="live").learn(20)
    for what in ("actor", "critic"):
        with pytest.raises(ValueError, match="read the same cells and are no networks of their own"):
            getattr(agent, what)
    with pytest.raises(ValueError, match="are no networks of their own"):
        _ = agent.interaction.learner.activity
    assert agent.connections > agent.interaction.learner.cells > 0


# -- spaces and environments -----------------------------------------------------------------------------------------

SPACES = [
    Box(-np.inf, np.inf, (2, 3)),
    Box(0, 1, ()),
    Discrete(4, start=-1),
    MultiDiscrete([2, 3]),
    MultiBinary(3),
    Dict({"a": Discrete(2), "b": Tuple([Box(-1, 1, (2,)), MultiBinary(2)])}),
]


@pytest.mark.parametrize("space", SPACES, ids=str)
def test_every_observation_space(space):
    agent = DynLiveAgent(mode="live", seed=0, observation_space=space, action_space=Discrete(2))
    space.seed(0)
    observation = space.sample()
    for t in range(100):
        agent.act(observation)
        observation = space.sample()
        agent.observe(1.0, observation, t % 9 == 0, False)
    assert agent.predict(observation, deterministic=True)[0] in (0, 1)
    assert_strengths_are_shares(agent)


@pytest.mark.parametrize("mode", list(AutoresetMode), ids=str)
def test_environments_side_by_side(mode):
    environments = [lambda i=i: Counting(3 + i, stride=i) for i in range(3)]
    env = SyncVectorEnv(environments, autoreset_mode=mode)
    agent = DynLiveAgent(env, mode="live", seed=0).learn(300)
    assert agent.num_timesteps >= 300
    assert agent.episodes > 50
    assert_strengths_are_shares(agent)


@pytest.mark.parametrize("environments", [2, 8])
def test_environments_side_by_side_teach_the_same_neurons(environments):
    agent = DynLiveAgent(gym.make_vec("CartPole-v1", num_envs=environments), mode="live", seed=0).learn(16_000)
    assert_all_finite(agent)
    assert agent.task_changes == 0
    assert agent.evaluate(20, seed=0).mean > 300
