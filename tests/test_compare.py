"""Other libraries' tools work on the agent."""

import gymnasium as gym
import pytest

from dynlive_rl import DynLiveAgent


def test_stable_baselines_evaluates_the_agent():
    evaluation = pytest.importorskip("stable_baselines3.common.evaluation")
    monitor = pytest.importorskip("stable_baselines3.common.monitor")
    agent = DynLiveAgent("CartPole-v1", seed=0).learn(400)
    env = monitor.Monitor(gym.make("CartPole-v1"))
    env.reset(seed=0)
    returns, lengths = evaluation.evaluate_policy(agent, env, n_eval_episodes=40, return_episode_rewards=True)
    own = agent.evaluate(40, seed=1)
    assert len(returns) == len(lengths) == 40
    assert returns == lengths
    margin = 4 * own.std / 40**0.5 + 5
    assert sum(returns) / 40 == pytest.approx(own.mean, abs=margin)
