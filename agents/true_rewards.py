"""An environment as it is evaluated: what it learned about its observations stands still, and rewards are the true ones."""

from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import wrappers
from gymnasium.wrappers import vector as vector_wrappers

from .environments import Environment, insides_of, layers

SCALES_REWARDS = (wrappers.NormalizeReward, vector_wrappers.NormalizeReward)


class TrueRewards:
    """The rewards beneath the wrappers that scale them by running statistics.

    Attributes
    ----------
    latest
        Of every environment that is listened to, the latest; none are where nothing scales rewards.
    """

    def __init__(self) -> None:
        self.latest: list[Any] = []

    def listener(self, env: Environment) -> Environment:
        """Return an environment with a listener around it."""
        self.latest.append(0.0)
        place = len(self.latest) - 1
        return (_VectorListener if isinstance(env, gym.vector.VectorEnv) else _Listener)(env, self.latest, place)  # type: ignore[arg-type]

    def of_step(self, rewards: Any) -> Any:
        """Return the true reward of a step, or rewards of a vector environment's step."""
        return np.array(self.latest).reshape(np.shape(rewards)) if self.latest else rewards


class _Listener(gym.Wrapper[Any, Any, Any, Any]):
    def __init__(self, env: gym.Env[Any, Any], latest: list[Any], place: int) -> None:
        super().__init__(env)
        self._latest, self._place = latest, place

    def step(self, action: Any) -> Any:
        answer = self.env.step(action)
        self._latest[self._place] = answer[1]
        return answer


class _VectorListener(gym.vector.VectorWrapper):  # Gymnasium 1.1 has no generic one
    def __init__(self, env: gym.vector.VectorEnv[Any, Any, Any], latest: list[Any], place: int) -> None:
        super().__init__(env)
        self._latest, self._place = latest, place

    def step(self, actions: Any) -> Any:
        answer = self.env.step(actions)
        self._latest[self._place] = np.array(answer[1])
        return answer


@contextmanager
def as_evaluated(env: Environment) -> Iterator[TrueRewards]:
    """Let an environment be evaluated, and leave it as it was.

    Running statistics (`update_running_mean` of Gymnasium's wrappers, `training` of stable-baselines3's `VecNormalize`) stand
    still, the rewards beneath `NormalizeReward` can be read, and the random generator goes on where it was. Environments in
    other processes are out of reach.
    """
    true_rewards = TrueRewards()
    undo: list[tuple[Any, str, Any]] = []

    def change(holder: Any, name: str, value: Any) -> None:
        undo.append((holder, name, getattr(holder, name)))
        setattr(holder, name, value)

    for chain in (env, *insides_of(env)):
        scaling: Any = None
        for layer in layers(chain):
            if getattr(layer, "update_running_mean", False) is True:
                change(layer, "update_running_mean", False)
            scaling = layer if isinstance(layer, SCALES_REWARDS) else scaling
        if scaling is not None:
            change(scaling, "env", true_rewards.listener(scaling.env))
            if hasattr(scaling, "discounted_reward"):
                change(scaling, "discounted_reward", scaling.discounted_reward)
        innermost: Any = chain.unwrapped
        generator = getattr(type(innermost), "np_random", None)
        is_its_own = isinstance(innermost, gym.Env) or generator is gym.vector.VectorEnv.np_random
        if is_its_own and not (isinstance(generator, property) and generator.fset is None):
            undo.append((innermost, "np_random", innermost.np_random))
        while hasattr(innermost, "venv"):  # those of stable-baselines3
            innermost = innermost.venv
            if hasattr(innermost, "norm_reward"):
                change(innermost, "training", False)
                change(innermost, "norm_reward", False)
    try:
        yield true_rewards
    finally:
        for holder, name, value in reversed(undo):
            setattr(holder, name, value)


def take_statistics(env: Environment, copy: Environment) -> None:
    """Let a copy made by the same wrappers scale observations and rewards as an environment does, and go on so."""
    for own, other in zip(layers(env), layers(copy), strict=False):
        for name in ("obs_rms", "return_rms"):
            if type(own) is type(other) and hasattr(own, name):
                setattr(other, name, deepcopy(getattr(own, name)))
                other.update_running_mean = False
