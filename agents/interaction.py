"""Interaction: what steps an environment, between its spaces and the learner's arrays."""

import logging
from math import isfinite
from typing import Any

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from dynlive_rl import checkpoint

from .actions import ActionDecoder
from .checks import BadInputError, check_flag, check_reward, check_row
from .config import AgentConfig
from .invariants import checked
from .live_config import LiveConfig
from .live_learner import LiveLearner
from .locks import held_over_forks
from .masks import NO_MASK, forbidden_actions
from .protocols import Learner
from .replay_learner import ReplayLearner
from .slow_neurons import SlowNeurons
from .spaces import ObservationEncoder

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
    recurrence
        The slow neurons of a recurrent agent; None: it is none.
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
        self.decoder = ActionDecoder(action_space, config.actions.values_per_component, config.actions.spread)
        self.recurrence = _slow_neurons(self.encoder, self.decoder, config, environments)
        self.learner = _learner(self.encoder, self.decoder, self.recurrence, config, seed, environments)
        self.num_timesteps = self.skipped = 0
        self.skips_bad_input = False
        self.is_vector = is_vector
        self.observations = np.zeros((environments, self._row_size), np.float32)
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
    def _row_size(self) -> int:
        return self.encoder.size if self.recurrence is None else self.recurrence.size

    @property
    def spread(self) -> float:
        """How far from the policy's mean to the value chosen a continuous component goes, see `ActionConfig`."""
        return self.decoder.spread if self.learner.progress["terminations"][0] == 0 else 1.0

    @property
    def environments(self) -> int:
        """Number of environments stepped side by side."""
        return self._ended.size

    @property
    def episodes(self) -> int:
        """Episodes finished so far."""
        return int(self.learner.progress["episodes"][0])

    def warm_up(self) -> None:
        """Compile, or load from the cache, all kernels that steps need."""
        if self.recurrence is not None:
            self.recurrence.warm_up(self._rows, self.learner.action)
        self.learner.warm_up()
        if self.decoder.is_continuous:  # whose best actions are means under the policy
            self.learner.policies(self._rows, NO_MASK)

    def end_episodes(self) -> None:
        """Take what comes next as the beginning of an episode in every environment."""
        self._ended[:] = True
        self._any_ended = True

    def act(self, observation: Any, stepping: NDArray[np.bool_] | None = None, action_mask: Any = None) -> Any:
        """Return the next action for an observation, or for each of a batch; see `DynLiveAgent.act`.

        Parameters
        ----------
        observation
            One observation, or a batch of e.
        stepping
            Shape (e,): which environments will step. Default: all.
        action_mask
            Which actions are allowed. Default: all where an episode begins, otherwise what `observe` was told.
        """
        forbidden = None
        if action_mask is not None:
            forbidden = self._forbidden(action_mask, None if stepping is None else ~stepping)
        if self._any_ended or observation is not self._latest:
            features = self.encoder.size
            self.encoder.encode(observation, self._rows[:, :features])
            starting = self._ended | (self._rows[:, :features] != self.observations[:, :features]).any(axis=1)
            if stepping is not None:
                starting &= stepping
            if starting.any():
                with self.lock:
                    if self.recurrence is not None:
                        self.recurrence.begin(starting, self._rows)
                    self._write_masks(starting, forbidden)
                    self.learner.begin(starting, self._rows)
                    self.observations[starting] = self._rows[starting]
                    self._ended[starting] = False
                    self._any_ended = bool(self._ended.any())
            self._latest = observation
        if forbidden is not None:
            self._choose_within(forbidden, self._all if stepping is None else stepping)
        action = self.learner.action
        if self.spread < 1:
            return self._between() if self.is_vector else self._between()[0]
        return self.decoder.decode(action) if self.is_vector else self.decoder.decode_one(action)

    def _between(self) -> Any:
        """Return the next actions of all environments, which lie between the values of a Box."""
        learner = self.learner
        forbidden = learner.forbidden if learner.is_masked else NO_MASK
        return self.decoder.between(learner.policy, learner.action, self.spread, forbidden)

    def _forbidden(self, action_mask: Any, optional: NDArray[np.bool_] | None = None) -> NDArray[np.bool_]:
        return forbidden_actions(action_mask, self.decoder.num_actions, self.environments, optional)

    def _write_masks(self, which: NDArray[np.bool_], forbidden: NDArray[np.bool_] | None) -> None:
        """Tell the learner what is forbidden (e, a) in some environments (e,); None: nothing is."""
        learner = self.learner
        if forbidden is None:
            if learner.is_masked:
                learner.forbidden[which] = False
            return
        if not learner.is_masked:
            learner.begin_masking()
        learner.forbidden[which] = forbidden[which]

    def _choose_within(self, forbidden: NDArray[np.bool_], stepping: NDArray[np.bool_]) -> None:
        """Choose again where the next action was chosen with another mask than this (e, a)."""
        differing = stepping & (self.learner.forbidden != forbidden).any(axis=1)
        if differing.any():
            with self.lock:
                self._write_masks(differing, forbidden)
                self.learner.choose_again(differing)

    def observe(
        self, reward: Any, next_observation: Any, terminated: Any, truncated: Any, action_mask: Any = None
    ) -> None:
        """Learn from what the last action led to, and choose the next one; see `DynLiveAgent.observe`."""
        if self.is_vector:
            self.observe_batch(reward, next_observation, terminated, truncated, action_mask=action_mask)
            return
        if self._any_ended:
            raise ValueError(NO_ACTION)
        learner, rows = self.learner, self._rows
        self._encode_next(next_observation, rows, self._all)
        learner.step.rewards[0] = reward if type(reward) is float else check_reward(reward)
        ended = terminated is not False or truncated is not False
        if ended or self._flagged:
            ended = self._flagged = self._write_ends(terminated, truncated)
        forbidden = None if action_mask is None else self._forbidden(action_mask, self._all if ended else None)
        with self.lock:
            if forbidden is not None or learner.is_masked:
                self._write_masks(self._all, forbidden)
            learner.observe(rows)
            if self.recurrence is not None:
                self.recurrence.keep(self.observations, self._all)
            self._rows, self.observations = self.observations, rows
            self._latest = next_observation
            if ended:
                self._ended[0] = self._any_ended = True
            self.num_timesteps += 1

    def _encode_next(self, observations: Any, rows: NDArray[np.float32], stepped: NDArray[np.bool_]) -> None:
        """Write what the environments that stepped (e,) led to into rows, with what slow neurons hold then."""
        if self.recurrence is None:
            self.encoder.encode(observations, rows)
        else:
            self.encoder.encode(observations, rows[:, : self.encoder.size])
            action = self.learner.action if self.spread == 1 else self.decoder.nearest(self._between())
            self.recurrence.write_next(self.observations, action, stepped, rows)

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
        action_mask: Any = None,
    ) -> None:
        """Learn from a step of the environments (e,) that stepped, all by default; masks (e, a) of what followed."""
        stepped = self._all if stepped is None else stepped
        if (self._ended & stepped).any():
            raise ValueError(NO_ACTION)
        self._encode_next(next_observations, self._rows, stepped)
        step = self.learner.step
        for name, row, values in zip(step._fields, step, (stepped, rewards, terminated, truncated), strict=True):
            check_row(name, values, row)
        ended = np.logical_or(terminated, truncated) | ~stepped
        forbidden = None if action_mask is None else self._forbidden(action_mask, ended)
        with self.lock:
            self._write_masks(stepped, forbidden)
            self.learner.observe(self._rows)
            if self.recurrence is not None:
                self.recurrence.keep(self.observations, stepped)
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

    def predict(
        self,
        observation: Any,
        deterministic: bool,
        action_mask: Any = None,
        random: NDArray[np.uint64] | None = None,
        state: Any = None,
        episode_start: Any = None,
    ) -> tuple[Any, Any]:
        """Return the learned policy's action for an observation, or actions for a batch, and the state after.

        They are sampled with a random state (4,), by default one that is kept for that. See `DynLiveAgent.predict`.
        """
        count, rows, memory = self._encoded(observation, state, episode_start)
        decoder, actions = self.decoder, None
        if action_mask is None and not decoder.is_continuous:
            with self.lock:
                choices = self.learner.predict(rows, deterministic, random)
        else:
            forbidden = self._optional_masks(action_mask, len(rows))
            with self.lock:
                policy, choices = self.learner.policies(rows, forbidden, deterministic, random)
            if decoder.is_continuous:
                actions = decoder.between(policy, choices, 0.0 if deterministic else self.spread, forbidden)
        if self.recurrence is not None:
            state = self.recurrence.state_after(memory, rows, choices if actions is None else decoder.nearest(actions))
        if actions is not None:
            return actions[0] if count is None else actions, state
        return decoder.decode_single(choices) if count is None else decoder.decode(choices), state

    def probabilities(self, observation: Any, action_mask: Any = None, state: Any = None) -> Any:
        """Return the probabilities of all actions, see `DynLiveAgent.probabilities`."""
        count, rows, _ = self._encoded(observation, state)
        forbidden = self._optional_masks(action_mask, len(rows))
        with self.lock:
            policy, _ = self.learner.policies(rows, forbidden)
        return self._by_component(policy, count)

    def values(self, observation: Any, action_mask: Any = None, state: Any = None) -> tuple[Any, Any]:
        """Return the value of an observation, and those of its actions; see `DynLiveAgent.value` and `action_values`."""
        count, rows, _ = self._encoded(observation, state)
        forbidden = self._optional_masks(action_mask, len(rows))
        with self.lock:
            values, of_actions = self.learner.values(rows, forbidden)
        of_components = None if of_actions is None else self._by_component(of_actions, count)
        return (float(values[0]) if count is None else values), of_components

    def _encoded(
        self, observation: Any, state: Any = None, episode_start: Any = None
    ) -> tuple[int | None, NDArray[np.float32], Any]:
        """Return of how many observations this is a batch, None for a single one; their rows, and what slow neurons hold."""
        count, features, memory = self.encoder.batch_size(observation), self.encoder.size, None
        rows = np.empty((1 if count is None else count, self._row_size), np.float32)
        self.encoder.encode(observation, rows[:, :features])
        if self.recurrence is not None:
            memory = self.recurrence.recall(state, episode_start, rows)
        if not isfinite(np.vdot(rows, rows)) and not np.isfinite(rows).all():  # the former in a third of the time
            raise BadInputError(f"observations must be finite, but one contains {rows[~np.isfinite(rows)][0]}")
        return count, rows, memory

    def _optional_masks(self, action_mask: Any, count: int) -> NDArray[np.bool_]:
        return NO_MASK if action_mask is None else forbidden_actions(action_mask, self.decoder.num_actions, count)

    def _by_component(self, values: NDArray[np.float64], count: int | None) -> Any:
        """Return numbers (b, a) of actions by component, if there are several; without the batch for a single one."""
        parts = np.split(values if count is not None else values[0], np.cumsum(self.decoder.num_actions)[:-1], axis=-1)
        return parts[0] if len(parts) == 1 else tuple(parts)

    def get_state(self) -> dict[str, NDArray[Any]]:
        """Return copies of all arrays that learning changes, by name."""
        with self.lock:
            return self.learner.get_state() | {name: array.copy() for name, array in self._own_arrays().items()}

    def set_state(self, state: dict[str, NDArray[Any]]) -> None:
        """Take over what `get_state` of an equally built interaction returned; if it is none, CheckpointError and no change."""
        own = self._own_arrays()
        with self.lock:
            checked(own, state)
            self.learner.set_state(state)
            checkpoint.copy_into(own, state)
            self._any_ended = bool(self._ended.any())
            self._latest = None

    def _own_arrays(self) -> dict[str, NDArray[Any]]:
        arrays: dict[str, NDArray[Any]] = {"observations": self.observations, "ended": self._ended}
        return arrays if self.recurrence is None else arrays | self.recurrence.arrays()


def _slow_neurons(
    encoder: ObservationEncoder, decoder: ActionDecoder, config: AgentConfig | LiveConfig, environments: int
) -> SlowNeurons | None:
    settings = config.recurrence
    if not settings.time_constants:
        return None
    parts = encoder.scaled, decoder.num_actions, settings.time_constants
    return SlowNeurons(*parts, environments, settings.usual_steps)


def _learner(
    encoder: ObservationEncoder,
    decoder: ActionDecoder,
    recurrence: SlowNeurons | None,
    config: AgentConfig | LiveConfig,
    seed: int | None,
    environments: int,
) -> Learner:
    scaled = encoder.scaled if recurrence is None else recurrence.scaled
    if isinstance(config, LiveConfig):
        return LiveLearner(scaled, decoder.num_actions, environments, config, seed)
    examples = None
    if not scaled.all():
        examples = encoder.examples(config.network.examples, np.random.default_rng(seed), scaled.size)
    components, columns = (encoder.components, None) if recurrence is None else ((), recurrence.columns)
    return ReplayLearner(
        scaled, decoder.num_actions, environments, config, seed, examples, components, columns,
        encoder.kept(scaled.size), encoder.shapes, decoder.spread < 1,
    )  # fmt: skip
