"""Evaluation: whole episodes of the learned policy, with nothing learned."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from gymnasium.vector.utils import concatenate, create_empty_array, iterate
from numpy.typing import NDArray
from tqdm.auto import tqdm

from dynlive_rl.checks import positive

from .checks import check_reset, check_reward, check_row, check_step, finite
from .environments import Environment, Recipe, layers, parts_of
from .masks import mask_of, masks_of, merged
from .protocols import Policy
from .true_rewards import TrueRewards, as_evaluated

UNLIMITED = 10_000  # steps of an episode, where the environment itself sets no limit
SIDE_BY_SIDE = 16  # most copies at once
SECONDS_UNTIL_PROGRESS = 2.0

Act = Callable[[Any, Any, list[Any]], tuple[Any, Any]]
"""Returns the action for an observation, or actions for a batch, and the states after, a row for each, or None.

It takes the observation or batch; a mask, rows of masks, or None; and the states before: None where an episode begins.
"""


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

    def __repr__(self) -> str:
        counts = (
            f"episodes={self.returns.size}, steps={self.lengths.sum()}, truncated={np.count_nonzero(self.truncated)}"
        )
        return f"Evaluation(mean={self.mean:.6g}, std={self.std:.6g}, {counts})"


class Played(NamedTuple):
    """An episode: its return, its length in steps, and whether it was broken off."""

    episode_return: float
    length: int
    truncated: bool


def evaluate(
    act: Act,
    place: Environment | Recipe,
    episodes: int,
    seed: int | None,
    max_steps: int | None,
    progress_bar: bool | None = None,
) -> Evaluation:
    """Play episodes in an environment, or side by side in environments made by a recipe; see `DynLiveAgent.evaluate`.

    Episode k begins with the seed `seed` + k, in whichever environment; those of a vector environment as its reset wants.
    """
    if isinstance(place, Recipe):
        environments = place.make_several(min(episodes, SIDE_BY_SIDE))
        limit = max_steps or _limit(environments[0])
        try:
            return collected(play_single(act, environments, episodes, seed, limit), episodes, progress_bar)
        finally:
            for env in environments:
                env.close()
    limit = max_steps or _limit(place)
    with as_evaluated(place) as true_rewards:
        if isinstance(place, gym.vector.VectorEnv):
            played = play_vector(act, place, episodes, seed, limit, true_rewards)
        else:
            played = play_single(act, [place], episodes, seed, limit, true_rewards)
        return collected(played, episodes, progress_bar)


def play(
    policy: Policy,
    environments: gym.vector.VectorEnv[Any, Any, Any],
    seed: int | None,
    deterministic: bool,
    max_steps: int | None = None,
) -> Evaluation:
    """Play the first episode of every environment of a vector environment, with anything that predicts."""
    count = environments.num_envs
    memory: dict[str, Any] = {}  # of who has any: nobody's episode begins but with the first call

    def act(observations: Any, masks: Any, states: list[Any]) -> tuple[Any, Any]:
        actions, state = policy.predict(observations, deterministic=deterministic, **memory)
        if state is not None:
            memory.update(state=state, episode_start=np.zeros(count, np.bool_))
        return actions, None

    return collected(play_vector(act, environments, count, seed, max_steps), count, progress_bar=False)


def check_episodes(episodes: Any, max_steps: Any) -> tuple[int, int | None]:
    """Return both as whole numbers; ValueError unless they are ≥ 1, the latter may be None."""
    return positive("episodes", episodes), None if max_steps is None else positive("max_steps", max_steps)


def _limit(env: Environment) -> int | None:
    """Return the steps after which an episode is broken off; None where the environment has a time limit of its own."""
    one, *_ = parts_of(env) or [env]
    spec = one.spec
    has_limit = spec is not None and (spec.max_episode_steps or spec.kwargs.get("max_episode_steps"))
    return None if has_limit or any(isinstance(layer, gym.wrappers.TimeLimit) for layer in layers(one)) else UNLIMITED


def collected(played: Iterator[tuple[int, Played]], episodes: int, progress_bar: bool | None) -> Evaluation:
    """Return what numbered episodes were; those that take long show their progress, by default on a terminal only."""
    done: dict[int, Played] = {}
    hidden = None if progress_bar is None else not progress_bar
    bar = tqdm(
        total=episodes, desc="evaluating", unit="episode", disable=hidden, leave=False, delay=SECONDS_UNTIL_PROGRESS
    )
    with bar:
        for number, episode in played:
            done[number] = episode
            bar.update()
    returns = np.array([done[number].episode_return for number in sorted(done)], np.float64)
    lengths = np.array([done[number].length for number in sorted(done)], np.int64)
    truncated = np.array([done[number].truncated for number in sorted(done)], np.bool_)
    return Evaluation(float(returns.mean()), float(returns.std()), returns, lengths, truncated)


def play_single(
    act: Act,
    environments: Sequence[gym.Env[Any, Any]],
    episodes: int,
    seed: int | None,
    max_steps: int | None,
    true_rewards: TrueRewards | None = None,
) -> Iterator[tuple[int, Played]]:
    """Play one episode after the other in each of some like environments, and yield every one with its number.

    None is stepped after its episode's end, or reset more often than there are episodes.
    """
    waiting = iter(range(episodes))
    running = [one for env in environments for one in _begin(env, waiting, seed)]
    while running:
        actions = _actions_for(act, running)
        going = []
        for one, action in zip(running, actions, strict=True):
            env = one.env
            answer = env.step(action)
            check_step(answer)
            one.observation, reward, terminated, truncated, info = answer
            one.mask = mask_of(info)
            one.episode_return += finite(check_reward(reward if true_rewards is None else true_rewards.of_step(reward)))
            one.length += 1
            if terminated or truncated or one.length == max_steps:
                yield one.number, Played(one.episode_return, one.length, not terminated)
                going += _begin(env, waiting, seed)
            else:
                going.append(one)
        running = going


class _Running:
    """An episode that is being played, and its environment."""

    def __init__(self, env: gym.Env[Any, Any], number: int, observation: Any, mask: Any) -> None:
        self.env, self.number, self.observation, self.mask = env, number, observation, mask
        self.state: Any = None
        self.episode_return, self.length = 0.0, 0


def _begin(env: gym.Env[Any, Any], waiting: Iterator[int], seed: int | None) -> list[_Running]:
    """Begin the next waiting episode in an environment; [] if there is none."""
    for number in waiting:
        observation, info = check_reset(env.reset(seed=None if seed is None else seed + number))
        return [_Running(env, number, observation, mask_of(info))]
    return []


def _actions_for(act: Act, running: list[_Running]) -> Any:
    """Return the action of every environment: of several with one call."""
    if len(running) == 1:
        action, states = act(running[0].observation, running[0].mask, [running[0].state])
        _keep_states(running, states)
        return [action]
    space, action_space = running[0].env.observation_space, running[0].env.action_space
    observations = [one.observation for one in running]
    empty: Any = create_empty_array(space, len(running))
    batch = concatenate(space, observations, empty)
    masks = [one.mask for one in running]
    actions, states = act(batch, None if all(mask is None for mask in masks) else masks, [one.state for one in running])
    _keep_states(running, states)
    return iterate(gym.vector.utils.batch_space(action_space, len(running)), actions)


def _keep_states(running: list[_Running], states: Any) -> None:
    if states is not None:
        for one, state in zip(running, states, strict=True):
            one.state = state


def play_vector(
    act: Act,
    env: gym.vector.VectorEnv[Any, Any, Any],
    episodes: int,
    seed: int | None,
    max_steps: int | None,
    true_rewards: TrueRewards | None = None,
) -> Iterator[tuple[int, Played]]:
    """Play episodes in a vector environment, and yield every one with its number.

    Every environment plays as many as the others, or one more: the first ones to end would be the shortest ones. One whose
    episode is broken off waits until all can be reset, unless it can be reset alone.
    """
    mode, count = env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP), env.num_envs
    left = (episodes + np.arange(count)[::-1]) // count
    played, latest = np.zeros(count, np.int64), np.zeros(count)
    while (left > 0).any():
        observations, info = env.reset(seed=seed)
        seed = None
        masks, states = masks_of(info, count), [None] * count
        returns, lengths = np.zeros(count), np.zeros(count, np.int64)
        resetting, stuck = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
        while ((left > 0) & ~stuck).any():
            if mode == AutoresetMode.DISABLED and resetting.any():
                observations, info = env.reset(options={"reset_mask": resetting})
                masks = merged(masks, masks_of(info, count), resetting)
            stepped = ~resetting if mode == AutoresetMode.NEXT_STEP else np.ones(count, np.bool_)
            allowed = None if masks is None else merged(masks, None, ~stepped | stuck)
            actions, after = act(observations, allowed, states)
            observations, rewards, terminated, truncated, info = env.step(actions)
            masks = masks_of(info, count)
            rewards = rewards if true_rewards is None else true_rewards.of_step(rewards)
            check_row("rewards", rewards, latest)
            returns, lengths = returns + finite(np.where(stepped, latest, 0)), lengths + stepped
            ended = stepped & np.logical_or(terminated, truncated)
            broken_off = stepped & ~ended & (lengths == max_steps) & ~stuck
            for k in np.flatnonzero((ended | broken_off) & (left > 0) & ~stuck):
                yield int(played[k] * count + k), Played(float(returns[k]), int(lengths[k]), not terminated[k])
                played[k] += 1
                left[k] -= 1
            if mode == AutoresetMode.DISABLED:
                resetting = ended | broken_off
            else:
                stuck |= broken_off
                resetting = ended & (mode == AutoresetMode.NEXT_STEP)
            returns[ended | broken_off], lengths[ended | broken_off] = 0, 0
            if after is not None:
                fresh = ended | broken_off | ~stepped
                states = [None if begins else state for begins, state in zip(fresh, after, strict=True)]
