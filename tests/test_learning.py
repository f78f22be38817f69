"""Does it learn? Tiny environments of known best return, and CartPole; seeds are fixed, margins generous."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete
from gymnasium.wrappers import TimeLimit

from dynlive_rl import DynLiveAgent
from worlds import Bandit, Corridor


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
    assert agent.worlds >= 1
    assert np.mean(returns) >= 250
