"""What a step of an environment told, in stable-baselines3's form: one dict for each environment."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynlive_rl.agents.training import Episode

from .vectors import FromVecEnv

NAMES = ("actions", "new_obs", "rewards", "dones", "infos")
"""What a `Step` tells, by the names of local variables in stable-baselines3's loops."""


class Step:
    """What one call of an environment's `step` brought, in arrays with one row for each environment.

    Parameters
    ----------
    env
        The environment, single or several side by side.
    action, answer
        What its `step` was given, and what it returned.
    finished
        The episodes that ended with it.
    """

    def __init__(self, env: Any, action: Any, answer: Any, finished: Sequence[Episode]) -> None:
        self._env, self._action, self._answer, self._finished = env, action, answer, finished
        self._is_vector = hasattr(env, "num_envs")

    @property
    def dones(self) -> NDArray[np.bool_]:
        """Whose episodes ended, shape (e,)."""
        _, _, terminated, truncated, _ = self._answer
        return (
            np.logical_or(terminated, truncated) if self._is_vector else np.array([terminated or truncated], np.bool_)
        )

    @property
    def infos(self) -> list[dict[str, Any]]:
        """What each environment told; with an episode's end, its final observation, return and length."""
        observation, _, terminated, _, info = self._answer
        if isinstance(self._env, FromVecEnv):
            infos = [dict(one) for one in self._env.infos]
        elif self._is_vector:
            infos = unbatched(info, self._env.num_envs)
        else:
            infos = [dict(info)]
        dones = self.dones
        cut_off = dones & ~np.atleast_1d(terminated)
        episodes = iter(self._finished)
        for k, told in enumerate(infos):
            told.setdefault("TimeLimit.truncated", bool(cut_off[k]))
            if not dones[k]:
                continue
            told.setdefault("terminal_observation", self._final(observation, info, k))
            episode = next(episodes, None)
            if episode is not None:
                told.setdefault("episode", {"r": episode.episode_return, "l": episode.length, "t": 0.0})
        return infos

    def last_infos(self) -> list[dict[str, Any]]:
        """Return what those told whose episodes ended."""
        if not self._is_vector:
            return [self._answer[4]]
        return [info for info, done in zip(self.infos, self.dones, strict=True) if done]

    def _final(self, observation: Any, info: dict[str, Any], k: int) -> Any:
        if not self._is_vector:
            return observation
        if "final_obs" in info:
            return info["final_obs"][k]
        return row_of(observation, k)

    @property
    def actions(self) -> Any:
        """What they were given to do, a batch of e."""
        return self._action if self._is_vector else batched(self._action)

    @property
    def new_obs(self) -> Any:
        """What they showed then, a batch of e."""
        return self._answer[0] if self._is_vector else batched(self._answer[0])

    @property
    def rewards(self) -> NDArray[np.float32]:
        """Their rewards, shape (e,)."""
        rewards = self._answer[1]
        return np.asarray(rewards if self._is_vector else [rewards], np.float32)


def batched(value: Any) -> Any:
    """Return one observation or action as a batch of one."""
    if isinstance(value, dict):
        return {key: batched(part) for key, part in value.items()}
    if isinstance(value, tuple):
        return tuple(batched(part) for part in value)
    return np.asarray(value)[None]


def row_of(batch: Any, k: int) -> Any:
    """Return the k-th of a batch of observations."""
    if isinstance(batch, dict):
        return {key: row_of(part, k) for key, part in batch.items()}
    if isinstance(batch, tuple):
        return tuple(row_of(part, k) for part in batch)
    return batch[k]


def unbatched(info: dict[str, Any], count: int) -> list[dict[str, Any]]:
    """Return the info of a Gymnasium vector environment as one dict for each environment.

    A value under a key is of those for whom the mask under the same key with an underscore is true; all, if there is none.
    """
    infos: list[dict[str, Any]] = [{} for _ in range(count)]
    for key, values in info.items():
        if key.startswith("_") and key[1:] in info:
            continue
        mask = info.get(f"_{key}", np.ones(count, np.bool_))
        parts = unbatched(values, count) if isinstance(values, dict) else values
        for k in np.flatnonzero(mask):
            infos[k][key] = parts[k]
    return infos


def is_no(answer: Any) -> bool:
    """Tell whether a callback said False; anything else, such as None or 0, lets learning go on."""
    return isinstance(answer, (bool, np.bool_, np.ndarray)) and np.array_equal(answer, False)
