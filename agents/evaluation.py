"""Evaluation: whole episodes of the learned policy, side by side, with nothing learned."""

from typing import TYPE_CHECKING, Any, NamedTuple

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from .environments import Environment, copies

if TYPE_CHECKING:
    from .agent import DynLiveAgent


class Evaluation(NamedTuple):
    """Returns of whole episodes."""

    mean: float
    std: float
    returns: NDArray[np.float64]
    """Shape (episodes,)"""
    lengths: NDArray[np.int64]
    """Shape (episodes,), in steps"""


def evaluate(
    agent: "DynLiveAgent", env: Environment, episodes: int, seed: int | None, deterministic: bool
) -> Evaluation:
    """Play one episode in each of `episodes` fresh copies of an environment; see `DynLiveAgent.evaluate`."""
    if isinstance(episodes, bool) or episodes != int(episodes) or episodes < 1:
        raise ValueError(f"episodes must be a whole number ≥ 1, not {episodes!r}")
    environments = copies(env, int(episodes))
    try:
        return play(agent, environments, seed, deterministic)
    finally:
        environments.close()


def play(
    agent: Any, environments: gym.vector.VectorEnv[Any, Any, Any], seed: int | None, deterministic: bool
) -> Evaluation:
    """Play the first episode of every environment with anything that has a stable-baselines3-like `predict`."""
    observations, _ = environments.reset(seed=seed)
    count = environments.num_envs
    returns, lengths = np.zeros(count), np.zeros(count, np.int64)
    running = np.ones(count, np.bool_)
    while running.any():
        actions, _ = agent.predict(observations, deterministic=deterministic)
        observations, rewards, terminated, truncated, _ = environments.step(actions)
        returns += rewards * running
        lengths += running
        running &= ~(terminated | truncated)
    return Evaluation(float(returns.mean()), float(returns.std()), returns, lengths)
