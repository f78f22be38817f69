"""Evaluation: whole episodes of the learned policy, side by side, with nothing learned."""

from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from dynlive_rl.checks import positive

from .environments import Environment, copies, spec_of
from .protocols import Policy


class Evaluation(NamedTuple):
    """Returns of whole episodes."""

    mean: float
    std: float
    returns: NDArray[np.float64]
    """Shape (episodes,)"""
    lengths: NDArray[np.int64]
    """Shape (episodes,), in steps"""
    truncated: NDArray[np.bool_]
    """Shape (episodes,): which episodes were broken off, by the environment or after `max_steps`"""


UNLIMITED = 10_000  # steps of an episode, where the environment itself sets no limit


def evaluate(
    policy: Policy,
    env: Environment,
    episodes: int,
    seed: int | None,
    deterministic: bool,
    max_steps: int | None,
) -> Evaluation:
    """Play one episode in each of `episodes` fresh copies of an environment; see `DynLiveAgent.evaluate`."""
    episodes = positive("episodes", episodes)
    max_steps = None if max_steps is None else positive("max_steps", max_steps)
    spec = spec_of(env)
    if max_steps is None and (spec is None or spec.max_episode_steps is None):
        max_steps = UNLIMITED
    environments = copies(env, episodes)
    try:
        return play(policy, environments, seed, deterministic, max_steps)
    finally:
        environments.close()


def play(
    policy: Policy,
    environments: gym.vector.VectorEnv[Any, Any, Any],
    seed: int | None,
    deterministic: bool,
    max_steps: int | None = None,
) -> Evaluation:
    """Play the first episode of every environment with a policy.

    Episodes that are still going on after `max_steps` are broken off.
    """
    observations, _ = environments.reset(seed=seed)
    count = environments.num_envs
    returns, lengths = np.zeros(count), np.zeros(count, np.int64)
    broken_off, running = np.zeros(count, np.bool_), np.ones(count, np.bool_)
    while running.any() and (max_steps is None or lengths.max() < max_steps):
        actions, _ = policy.predict(observations, deterministic=deterministic)
        observations, rewards, terminated, truncated, _ = environments.step(actions)
        returns += rewards * running
        lengths += running
        broken_off |= running & truncated & ~terminated
        running &= ~(terminated | truncated)
    return Evaluation(float(returns.mean()), float(returns.std()), returns, lengths, broken_off | running)
