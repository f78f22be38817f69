"""Does it learn? Tiny environments of known best return, and CartPole; seeds are fixed, margins generous."""

from copy import deepcopy

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple
from gymnasium.vector import AutoresetMode, SyncVectorEnv
from gymnasium.wrappers import TimeLimit

from dynlive_rl import DynLiveAgent
from dynlive_rl.agents import AgentConfig, NetworkConfig
from helpers import best_return
from worlds import Bandit, Corridor, Telling


@pytest.mark.parametrize("seed", [0, 1])
@pytest.mark.parametrize(
    ("space", "best"),
    [
        (Discrete(5, start=2), 4),
        (MultiDiscrete([3, 4]), [2, 1]),
        (MultiBinary(3), [1, 0, 1]),
        (Box(np.float32([-1, 0]), np.float32([1, 4])), [1, 2]),
    ],
    ids=["Discrete", "MultiDiscrete", "MultiBinary", "Box"],
)
def test_the_best_arm_of_a_bandit_is_found(space, best, seed):
    agent = DynLiveAgent(Bandit(space, best), seed=seed).learn(1500)
    np.testing.assert_array_equal(agent.predict(0, deterministic=True)[0], best)


TELLING = [
    (Box(-1, 1, (2,)), lambda seen: seen[0] > 0),
    (Box(0, 255, (2, 2), np.uint8), lambda seen: seen[1, 1] > 127),
    (Box(-1e6, 1e6, (), np.float64), lambda seen: seen < 0),
    (Box(-1e-7, 1e-7, (2,), np.float64), lambda seen: seen[1] > 0),
    (Discrete(4, start=-1), lambda seen: seen > 0),
    (MultiDiscrete([3, 2]), lambda seen: seen[1] == 0),
    (MultiBinary(3), lambda seen: seen[1]),
    (Dict({"a": Box(-1, 1, (1,)), "b": Discrete(3)}), lambda seen: seen["b"] == 1),
    (Tuple([Discrete(2), MultiBinary(2)]), lambda seen: seen[1][0]),
    (Dict({"in": Tuple([Discrete(3), Dict({"deep": Box(-5, 5, (1,))})])}), lambda seen: seen["in"][1]["deep"][0] > 0),
]
TINY = AgentConfig(network=NetworkConfig(hidden=32))


def share_of_right_answers(agent, space, answer):
    space.seed(10)
    seen = [space.sample() for _ in range(100)]
    return np.mean([agent.predict(one, deterministic=True)[0] == answer(one) for one in seen])


@pytest.mark.parametrize(("space", "answer"), TELLING, ids=[str(space) for space, _ in TELLING])
def test_what_an_observation_tells_is_learned(space, answer):
    agent = DynLiveAgent(Telling(space, answer), seed=0, config=TINY).learn(1500)
    assert share_of_right_answers(agent, space, answer) >= 0.9


@pytest.mark.parametrize("mode", list(AutoresetMode), ids=str)
def test_what_nested_observations_tell_is_learned_in_environments_side_by_side(mode):
    space, answer = TELLING[-1]
    environments = SyncVectorEnv([lambda: Telling(deepcopy(space), answer)] * 4, autoreset_mode=mode)
    agent = DynLiveAgent(environments, seed=0, config=TINY).learn(1500)
    assert share_of_right_answers(agent, space, answer) >= 0.9


@pytest.mark.parametrize("seed", [0, 1])
def test_a_corridor_is_walked_straight(seed):
    env = TimeLimit(Corridor(5, price=0.1), 50)
    agent = DynLiveAgent(env, seed=seed).learn(1500)
    assert best_return(agent, env) == pytest.approx(0.6)


@pytest.mark.parametrize("seed", [0, 1])
def test_a_reward_far_away_is_found(seed):
    env = TimeLimit(Corridor(20), 100)
    agent = DynLiveAgent(env, seed=seed).learn(3000)
    assert best_return(agent, env, limit=60) == 1


@pytest.mark.parametrize("seed", [0, 1])
def test_cartpole_is_balanced(seed):
    agent = DynLiveAgent("CartPole-v1", seed=seed).learn(5000)
    assert agent.evaluate(20, seed=100).mean >= 400


class Swapped(gym.ActionWrapper):
    """CartPole's two actions, the other way round once `swap` is set."""

    swap = False

    def action(self, action):
        return 1 - action if self.swap else action


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1])
def test_swapped_actions_are_relearned(seed):
    env = Swapped(gym.make("CartPole-v1"))
    agent = DynLiveAgent(env, seed=seed).learn(10_000)
    env.swap = True
    agent.learn(20_000)
    returns = []
    agent.learn(5_000, callback=lambda report: returns.extend(e.episode_return for e in report.finished))
    assert agent.task_changes >= 1
    assert np.mean(returns) >= 250
