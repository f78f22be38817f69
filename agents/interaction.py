"""Interaction: what steps an environment, between its spaces and the learner's arrays."""

import logging
from math import isfinite
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from dynlive_rl import checkpoint

from .checks import BadInputError, check_flag, check_reward, check_row
from .config import AgentConfig
from .invariants import checked
from .live_config import LiveConfig
from .live_learner import LiveLearner
from .locks import held_over_forks
from .protocols import Learner
from .replay_learner import ReplayLearner
from .spaces import ActionDecoder, ObservationEncoder

logger = logging.getLogger(__name__)

NO_ACTION = "there is no action to learn about: call act(observation) before observe"


class Interaction:
    """Encodes what an environment says, lets a learner learn and choose, and decodes its actions.

    Parameters
    ----------
    observation_space, action_space
        Of one environment.
    config
        Decides what learns: a `LiveConfig` a `LiveLearner`, an `AgentConfig` a `ReplayLearner`.
    seed
        Of everything random; None: fresh entropy.
    environments
        Number of environments e stepped side by side.
    is_vector
        Whether observations, actions and rewards come in batches.

    Attributes
    ----------
    encoder, decoder, learner
        The parts.
    observations
        Shape (e, f): the observations that the next actions are for, encoded as rows.
    num_timesteps
        Environment steps observed.
    skips_bad_input, skipped
        Whether what cannot be learned from is skipped instead of raised, and how often it was.
    lock
        Held while the learner is at work: `predict` and `get_state` may be called from any thread.
    """

    lock: Any

    def __init__(
        self,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        config: AgentConfig | LiveConfig,
        seed: int | None,
        environments: int = 1,
        is_vector: bool = False,
    ) -> None:
        self.encoder = ObservationEncoder(observation_space)
        self.decoder = ActionDecoder(action_space, config.actions.values_per_component)
        self.learner: Learner
        scaled, num_actions = self.encoder.scaled, self.decoder.num_actions
        if isinstance(config, LiveConfig):
            self.learner = LiveLearner(scaled, num_actions, environments, config, seed)
        else:
            examples = self.encoder.examples(config.network.examples, np.random.default_rng(seed))
            self.learner = ReplayLearner(
                scaled, num_actions, environments, config, seed, examples, self.encoder.components
            )
        self.num_timesteps = self.skipped = 0
        self.skips_bad_input = False
        self.is_vector = is_vector
        self.observations = np.zeros((environments, self.encoder.size), np.float32)
        self._rows = np.zeros_like(self.observations)  # the next ones
        self._ended = np.ones(environments, np.bool_)
        self._any_ended = True  # much quicker to ask
        self._all = np.ones(environments, np.bool_)
        self._latest: Any = None
        self._flagged = False  # whether the step before ended its episode
        held_over_forks(self)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        for name in ("observations", "_rows", "_ended", "_all"):
            setattr(self, name, np.array(state[name]))  # what was unpickled may be a file, mapped and read-only
        held_over_forks(self)

    @property
    def environments(self) -> int:
        """Number of environments stepped side by side."""
        return self._ended.size

    @property
    def episodes(self) -> int:
        """Episodes finished so far."""
        return int(self.learner.progress["episodes"][0])

    def end_episodes(self) -> None:
        """Take what comes next as the beginning of an episode in every environment."""
        self._ended[:] = True
        self._any_ended = True

    def act(self, observation: Any, stepping: NDArray[np.bool_] | None = None) -> Any:
        """Return the next action for an observation, or for each of a batch; see `DynLiveAgent.act`.

        Parameters
        ----------
        observation
            One observation, or a batch of e.
        stepping
            Shape (e,): which environments will step. Default: all.
        """
        if self._any_ended or observation is not self._latest:
            self.encoder.encode(observation, self._rows)
            starting = self._ended | (self._rows != self.observations).any(axis=1)
            if stepping is not None:
                starting &= stepping
            if starting.any():
                with self.lock:
                    self.learner.begin(starting, self._rows)
                    self.observations[starting] = self._rows[starting]
                    self._ended[starting] = False
                    self._any_ended = bool(self._ended.any())
            self._latest = observation
        action = self.learner.action
        return self.decoder.decode(action) if self.is_vector else self.decoder.decode_one(action)

    def observe(self, reward: Any, next_observation: Any, terminated: Any, truncated: Any) -> None:
        """Learn from what the last action led to, and choose the next one; see `DynLiveAgent.observe`."""
        if self.is_vector:
            self.observe_batch(reward, next_observation, terminated, truncated)
            return
        if self._any_ended:
            raise ValueError(NO_ACTION)
        learner, rows = self.learner, self._rows
        self.encoder.encode(next_observation, rows)
        learner.step.rewards[0] = reward if type(reward) is float else check_reward(reward)
        ended = terminated is not False or truncated is not False
        if ended or self._flagged:
            ended = self._flagged = self._write_ends(terminated, truncated)
        with self.lock:
            learner.observe(rows)
            self._rows, self.observations = self.observations, rows
            self._latest = next_observation
            if ended:
                self._ended[0] = self._any_ended = True
            self.num_timesteps += 1

    def _write_ends(self, terminated: Any, truncated: Any) -> bool:
        """Write whether a single environment's episode ended, and return it."""
        step = self.learner.step
        step.terminated[0] = check_flag("terminated", terminated)
        step.truncated[0] = check_flag("truncated", truncated)
        return bool(terminated or truncated)

    def observe_batch(
        self,
        rewards: Any,
        next_observations: Any,
        terminated: Any,
        truncated: Any,
        stepped: NDArray[np.bool_] | None = None,
    ) -> None:
        """Learn from a step of the environments (e,) that stepped, all by default."""
        stepped = self._all if stepped is None else stepped
        if (self._ended & stepped).any():
            raise ValueError(NO_ACTION)
        self.encoder.encode(next_observations, self._rows)
        step = self.learner.step
        for name, row, values in zip(step._fields, step, (stepped, rewards, terminated, truncated), strict=True):
            check_row(name, values, row)
        with self.lock:
            self.learner.observe(self._rows)
            self.observations, self._rows = self._rows, self.observations
            self._latest = next_observations
            self._ended |= stepped & np.logical_or(terminated, truncated)
            self._any_ended = bool(self._ended.any())
            self.num_timesteps += int(np.count_nonzero(stepped))

    def count_skip(self, why: str) -> None:
        """Count something that nothing is learned from, and log why; episodes end with it."""
        self.end_episodes()
        self.skipped += 1
        logger.warning("skipped, %d so far: %s", self.skipped, why)

    def predict(self, observation: Any, deterministic: bool) -> Any:
        """Return the learned policy's action for an observation, or actions for a batch of them."""
        count = self.encoder.batch_size(observation)
        rows = np.empty((1 if count is None else count, self.encoder.size), np.float32)
        self.encoder.encode(observation, rows)
        if not isfinite(np.vdot(rows, rows)) and not np.isfinite(rows).all():  # the former in a third of the time
            raise BadInputError(f"observations must be finite, but one contains {rows[~np.isfinite(rows)][0]}")
        with self.lock:
            actions = self.learner.predict(rows, deterministic)
        return np.asarray(self.decoder.decode_one(actions[0])) if count is None else self.decoder.decode(actions)

    def get_state(self) -> dict[str, NDArray[Any]]:
        """Return copies of all arrays that learning changes, by name."""
        with self.lock:
            return self.learner.get_state() | {"observations": self.observations.copy(), "ended": self._ended.copy()}

    def set_state(self, state: dict[str, NDArray[Any]]) -> None:
        """Take over what `get_state` of an equally built interaction returned; if it is none, CheckpointError and no change."""
        own = {"observations": self.observations, "ended": self._ended}
        with self.lock:
            checked(own, state)
            self.learner.set_state(state)
            checkpoint.copy_into(own, state)
            self._any_ended = bool(self._ended.any())
            self._latest = None
