"""The training loop: act, step, observe, over one environment or several."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode

from .environments import Environment
from .interaction import Interaction


@dataclass(frozen=True, slots=True)
class Episode:
    """A finished episode: its return and its length in steps."""

    episode_return: float
    length: int


class LoopStep(NamedTuple):
    """What one call of the environment's `step` brought: environment steps taken, and episodes that ended with it."""

    new_steps: int
    finished: tuple[Episode, ...]


class TrainingLoop:
    """Lets an interaction act and learn in an environment; an unfinished episode goes on with the next call.

    Parameters
    ----------
    interaction
        What acts and learns.
    env
        The environment, single or vector as the interaction.
    seed
        Of the environment's first reset; None: as the environment likes.
    """

    def __init__(self, interaction: Interaction, env: Environment, seed: int | None) -> None:
        self.interaction, self.env = interaction, env
        self._seed = seed
        self._resume: Any = None  # the observation where an unfinished episode goes on

    def run(self, steps: int) -> Iterator[LoopStep]:
        """Act and learn for at least `steps` environment steps, yielding after every call of `step`."""
        if steps == 0:
            return iter(())
        if isinstance(self.env, gym.vector.VectorEnv):
            return self._run_vector(self.env, steps)
        return self._run_single(self.env, steps)

    def abandon_episode(self) -> None:
        """Begin the next call with a reset: the environment may have stopped in the middle of a step."""
        self._resume = None

    def _reset_seed(self) -> int | None:
        """Only the first reset is seeded: later ones go on with the environment's own random state.

        A loaded agent's environment is a fresh one: its first episodes should not be those of the first training again.
        """
        seed, self._seed = self._seed, None
        return None if seed is None else seed + self.interaction.episodes

    def _reset(self) -> Any:
        """Reset the environment to begin with, whatever happened before."""
        observation, _ = self.env.reset(seed=self._reset_seed())
        self.interaction.end_episodes()
        return observation

    def _run_single(self, env: gym.Env[Any, Any], steps: int) -> Iterator[LoopStep]:
        act, observe = self.interaction.act, self.interaction.observe
        observation, episode_return, length = self._resume or (self._reset(), 0.0, 0)
        for _ in range(steps):
            action = act(observation)
            self._resume = None  # where a broken-off step led is not known: after it, learning begins with a reset
            observation, reward, terminated, truncated, _ = env.step(action)
            observe(reward, observation, terminated, truncated)
            episode_return += float(reward)
            length += 1
            finished: tuple[Episode, ...] = ()
            if terminated or truncated:
                finished = (Episode(episode_return, length),)
                observation, _ = env.reset(seed=self._reset_seed())
                episode_return, length = 0.0, 0
            self._resume = observation, episode_return, length
            yield LoopStep(1, finished)

    def _run_vector(self, env: gym.vector.VectorEnv[Any, Any, Any], steps: int) -> Iterator[LoopStep]:
        mode = env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)
        count = env.num_envs
        observations, returns, lengths, resetting = self._resume or (
            self._reset(), np.zeros(count), np.zeros(count, np.int64), np.zeros(count, np.bool_)
        )  # fmt: skip
        taken = 0
        while taken < steps:
            # In next-step mode the step after an episode's last one only resets: nothing is done, nothing is learned.
            stepped = ~resetting
            actions = self.interaction.act(observations, stepped)
            self._resume = None
            observations, rewards, terminated, truncated, info = env.step(actions)
            done = (terminated | truncated) & stepped
            ends = _final(observations, info, done, mode)
            self.interaction.observe_batch(rewards, ends, terminated, truncated, stepped)
            returns += rewards * stepped
            lengths += stepped
            finished = tuple(Episode(float(returns[i]), int(lengths[i])) for i in np.flatnonzero(done))
            returns[done] = 0
            lengths[done] = 0
            if mode == AutoresetMode.DISABLED and done.any():
                observations, _ = env.reset(options={"reset_mask": done})
            if mode == AutoresetMode.NEXT_STEP:
                resetting = done
            new_steps = int(np.count_nonzero(stepped))
            taken += new_steps
            self._resume = observations, returns, lengths, resetting
            yield LoopStep(new_steps, finished)


def _final(observations: Any, info: dict[str, Any], done: Any, mode: AutoresetMode) -> Any:
    """Return the observations that ended steps: where the environment has reset already, they are in its info."""
    if mode != AutoresetMode.SAME_STEP or not done.any():
        return observations
    ended = np.flatnonzero(done)
    return _replaced(observations, ended, [info["final_obs"][i] for i in ended])


def _replaced(observations: Any, places: Any, finals: list[Any]) -> Any:
    """Return a copy of batched observations, dicts and tuples of arrays too, with single ones put in some places."""
    if isinstance(observations, Mapping):
        return {key: _replaced(part, places, [final[key] for final in finals]) for key, part in observations.items()}
    if isinstance(observations, tuple):
        return tuple(_replaced(part, places, [final[k] for final in finals]) for k, part in enumerate(observations))
    replaced = np.array(observations)
    replaced[places] = finals
    return replaced
