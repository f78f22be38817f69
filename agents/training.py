"""The training loop: act, step, observe, over one environment or several, yielding a report after every step."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode

from .environments import Environment

if TYPE_CHECKING:
    from .agent import DynLiveAgent


@dataclass(frozen=True, slots=True)
class Episode:
    """A finished episode: its return and its length in steps."""

    episode_return: float
    length: int


class Report(NamedTuple):
    """What one call of the environment's `step` brought.

    Attributes
    ----------
    agent
        The learning agent.
    new_steps
        Environment steps taken by this call: 1, or as many as environments stepped.
    finished
        Episodes that ended with it.
    """

    agent: "DynLiveAgent"
    new_steps: int
    finished: tuple[Episode, ...]


def run(agent: "DynLiveAgent", steps: int) -> Iterator[Report]:
    """Let the agent act and learn in its environment, for at least `steps` steps."""
    if steps == 0:
        return iter(())
    if isinstance(agent.env, gym.vector.VectorEnv):
        return _run_vector(agent, agent.env, steps)
    assert agent.env is not None
    return _run_single(agent, agent.env, steps)


def summary(report: Report | None, agent: "DynLiveAgent | None" = None) -> dict[str, Any]:
    """Return what a progress bar shows: return, surprise and number of connections."""
    shown = agent or (report.agent if report else None)
    assert shown is not None
    values: dict[str, Any] = {"surprise": f"{shown.surprise:.3f}", "connections": shown.connections}
    if report is not None and report.finished:
        values = {"return": f"{report.finished[-1].episode_return:.1f}", **values}
    return values


def _reset_seed(agent: "DynLiveAgent") -> int | None:
    """Only the first reset is seeded: later ones go on with the environment's own random state.

    A loaded agent's environment is a fresh one: its first episodes should not be those of the first training again.
    """
    first, agent._first_reset = agent._first_reset, False
    return agent.seed + agent.episodes if first and agent.seed is not None else None


def _reset(agent: "DynLiveAgent", env: Environment) -> Any:
    """Reset the environment to begin with, whatever the agent did before."""
    observation, _ = env.reset(seed=_reset_seed(agent))
    agent._ended[:] = True
    agent._some_ended = True
    return observation


def _run_single(agent: "DynLiveAgent", env: gym.Env[Any, Any], steps: int) -> Iterator[Report]:
    observation, episode_return, length = agent._resume or (_reset(agent, env), 0.0, 0)
    for _ in range(steps):
        action = agent.act(observation)
        agent._resume = None  # where a broken-off step led is not known: after it, learning begins with a reset
        observation, reward, terminated, truncated, _ = env.step(action)
        agent.observe(reward, observation, terminated, truncated)
        episode_return += float(reward)
        length += 1
        finished: tuple[Episode, ...] = ()
        if terminated or truncated:
            finished = (Episode(episode_return, length),)
            observation, _ = env.reset(seed=_reset_seed(agent))
            episode_return, length = 0.0, 0
        agent._resume = observation, episode_return, length
        yield Report(agent, 1, finished)


def _run_vector(agent: "DynLiveAgent", env: gym.vector.VectorEnv[Any, Any, Any], steps: int) -> Iterator[Report]:
    mode = env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)
    count = env.num_envs
    observations, returns, lengths, resetting = agent._resume or (
        _reset(agent, env), np.zeros(count), np.zeros(count, np.int64), np.zeros(count, np.bool_)
    )  # fmt: skip
    taken = 0
    while taken < steps:
        # In next-step mode the step after an episode's last one only resets: nothing is done, nothing is learned.
        stepped = ~resetting
        actions = agent._act(stepped, observations)
        agent._resume = None
        observations, rewards, terminated, truncated, info = env.step(actions)
        done = (terminated | truncated) & stepped
        agent._observe_vector(stepped, rewards, _final(observations, info, done, mode), terminated, truncated)
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
        agent._resume = observations, returns, lengths, resetting
        yield Report(agent, new_steps, finished)


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
