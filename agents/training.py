"""The training loop: act, step, observe, over one environment or several."""

import logging
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from time import sleep
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium.vector import AutoresetMode
from numpy.typing import NDArray

from .checks import BadInputError, check_ends, check_reset, check_step
from .data import NoDataError, from_json, to_json
from .environment_state import get_environment_state, set_environment_state
from .environments import Environment
from .interaction import Interaction
from .locks import renewed_in_forks
from .masks import mask_of, masks_of, merged

logger = logging.getLogger(__name__)

NO_ANSWER: Any = object()
MOST_SKIPS = 100  # in a row: an environment that brings nothing else is broken


@dataclass(frozen=True, slots=True)
class Episode:
    """A finished episode: its return and its length in steps."""

    episode_return: float
    length: int


class LoopStep(NamedTuple):
    """What one call of the environment's `step` brought: environment steps taken, and episodes that ended with it."""

    new_steps: int
    finished: tuple[Episode, ...]


ONE_STEP = LoopStep(1, ())


class Position(NamedTuple):
    """Where a loop stands between two steps.

    Attributes
    ----------
    begun
        Whether its environment has been reset: only the first reset is seeded.
    unfinished
        What an unfinished episode goes on from; None: the next step begins with a reset.
    """

    begun: bool = False
    unfinished: Any = None


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

    Attributes
    ----------
    lock
        Held while it runs, see `still`.
    runner
        The process in which it runs; None while it does not.
    latest
        What the environment's `step` was given last, and what it returned.
    """

    lock: Any
    runner: int | None = None

    def __init__(self, interaction: Interaction, env: Environment, seed: int | None) -> None:
        self.interaction, self.env = interaction, env
        self._seed = seed
        self._unfinished: Any = None  # as in `position`
        self._begun = False
        self._notice: str | None = None  # to be given when it goes on
        self._is_awaited = False  # by another thread, between two steps
        self._door = Lock()
        self._skips = 0, 0  # the step of the last one, and how many there were in a row
        self.latest: tuple[Any, Any] = NO_ANSWER, NO_ANSWER
        renewed_in_forks(self)

    @property
    def position(self) -> Position:
        """Where it stands."""
        return Position(self._begun, self._unfinished)

    @position.setter
    def position(self, position: Position) -> None:
        self._begun, self._unfinished = position

    def run(self, steps: int) -> Generator[LoopStep, None, None]:
        """Act and learn for at least `steps` environment steps, yielding after every call of `step`.

        Raises
        ------
        BadInputError
            If the environment brings what cannot be learned from, unless the interaction skips that.
        """
        if steps and self._notice is not None:
            logger.warning("%s", self._notice)
            self._notice = None
        if isinstance(self.env, gym.vector.VectorEnv):
            return self._run_vector(self.env, steps)
        return self._run_single(self.env, steps)

    def abandon_episode(self) -> None:
        """Begin the next call with a reset: the environment may have stopped in the middle of a step."""
        self._unfinished = None

    def reseed(self, seed: int) -> None:
        """Begin the next call with a seeded reset."""
        self._seed = seed
        self.position = Position()

    def begin_anew(self, why: str) -> None:
        """Begin the next call with a new episode in an environment that is not where it was, and let it say why."""
        self._begun, self._unfinished = False, None
        self._notice = f"{why}: learning goes on with a new episode"

    @contextmanager
    def still(self) -> Iterator[None]:
        """Let a thread find everything between two steps.

        A lock per step would take its time from every step. Whoever runs holds it throughout, and lets in who waits.
        """
        if not self.lock.acquire(blocking=False):
            with self._door:
                self._is_awaited = True
                self.lock.acquire()
                self._is_awaited = False
        try:
            yield
        finally:
            self.lock.release()

    def _let_in(self) -> None:
        self.lock.release()
        try:
            while self._is_awaited:
                sleep(1e-5)
        finally:
            self.lock.acquire()

    # -- in files ----------------------------------------------------------------------------------------------------

    def get_state(self) -> dict[str, Any]:
        """Return where it and its environment stand, as JSON."""
        state = {"begun": self._begun, "unfinished": None, "environment": None}
        if self._begun:
            try:
                unfinished = to_json(self._unfinished)
            except NoDataError:  # observations of another kind
                return state
            state |= {"unfinished": unfinished, "environment": get_environment_state(self.env)}
        return state

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on, with its environment, where `get_state` found another loop and its environment; else begin anew."""
        if not state["begun"]:
            return
        if state["environment"] is None:
            self.begin_anew(f"the state of {self.env} cannot be kept in a file")
        elif set_environment_state(self.env, state["environment"]):
            self.position = Position(True, from_json(state["unfinished"]))
        else:
            self.begin_anew(f"{self.env} is another environment than the one whose state the file holds")

    # -- one step after the other ------------------------------------------------------------------------------------

    def _reset(self) -> tuple[Any, Any]:
        """Reset the environment to begin with, whatever happened before; return its observation and info.

        Only the first reset is seeded: later ones go on with the environment's own random state. A loaded agent whose
        environment is a fresh one begins with other episodes than those of the first training.
        """
        seed = None if self._begun or self._seed is None else self._seed + self.interaction.episodes
        observation, info = check_reset(self.env.reset(seed=seed))
        self._begun = True
        self.interaction.end_episodes()
        return observation, info

    def _run_single(self, env: gym.Env[Any, Any], steps: int) -> Generator[LoopStep, None, None]:
        act, observe = self.interaction.act, self.interaction.observe
        taken = 0
        with self.lock:
            while taken < steps:
                if self._is_awaited:
                    self._let_in()
                answer = NO_ANSWER
                try:
                    mask = None
                    if self._unfinished is None:
                        (observation, info), episode_return, length = self._reset(), 0.0, 0
                        mask = mask_of(info)
                    else:
                        observation, episode_return, length = self._unfinished
                    self._unfinished = None  # where a broken-off step led is not known: after it comes a reset
                    action = act(observation, None, mask)
                    answer = env.step(action)
                    observation, reward, terminated, truncated, info = answer
                    observe(reward, observation, terminated, truncated, mask_of(info) if info else None)
                except Exception as error:
                    self._skip_or_raise(error, answer)
                    continue
                self.latest = action, answer
                episode_return += float(reward)
                length += 1
                taken += 1
                if terminated or truncated:
                    yield LoopStep(1, (Episode(episode_return, length),))
                else:
                    self._unfinished = observation, episode_return, length
                    yield ONE_STEP

    def _run_vector(self, env: gym.vector.VectorEnv[Any, Any, Any], steps: int) -> Generator[LoopStep, None, None]:
        mode = env.metadata.get("autoreset_mode", AutoresetMode.NEXT_STEP)
        taken = 0
        with self.lock:
            while taken < steps:
                if self._is_awaited:
                    self._let_in()
                answer = NO_ANSWER
                try:
                    state = self._unfinished or self._begin_vector(env.num_envs)
                    observations, returns, lengths, resetting, masks = (*state, None)[:5]  # older files have no masks
                    self._unfinished = None
                    if mode == AutoresetMode.DISABLED and resetting.any():
                        observations, info = check_reset(env.reset(options={"reset_mask": resetting}))
                        masks = merged(masks, masks_of(info, env.num_envs), resetting)
                    # In next-step mode the step after an episode's last one only resets: nothing is learned.
                    stepped = ~resetting if mode == AutoresetMode.NEXT_STEP else np.ones_like(resetting)
                    actions = self.interaction.act(observations, stepped, masks)
                    answer = env.step(actions)
                    observations, rewards, terminated, truncated, info = answer
                    done = check_ends(terminated, truncated, env.num_envs) & stepped
                    ends = _final(observations, info, done, mode)
                    masks = masks_of(info, env.num_envs)
                    last = _final_masks(masks, info, done, mode)
                    self.interaction.observe_batch(rewards, ends, terminated, truncated, stepped, last)
                except Exception as error:
                    self._skip_or_raise(error, answer)
                    continue
                self.latest = actions, answer
                returns, lengths = returns + np.where(stepped, rewards, 0), lengths + stepped
                finished = tuple(Episode(float(returns[i]), int(lengths[i])) for i in np.flatnonzero(done))
                returns[done], lengths[done] = 0, 0
                resetting = done if mode != AutoresetMode.SAME_STEP else np.zeros_like(done)
                self._unfinished = observations, returns, lengths, resetting, masks
                new_steps = int(np.count_nonzero(stepped))
                taken += new_steps
                yield LoopStep(new_steps, finished)

    def _begin_vector(self, count: int) -> tuple[Any, ...]:
        observations, info = self._reset()
        masks = masks_of(info, count)
        return observations, np.zeros(count), np.zeros(count, np.int64), np.zeros(count, np.bool_), masks

    def _skip_or_raise(self, error: Exception, answer: Any) -> None:
        """Count and log what cannot be learned from, or raise it, with the step.

        What `step` returned is `answer`, NO_ANSWER if it did not return.
        """
        step = self.interaction.num_timesteps + 1
        self._unfinished = None
        if answer is not NO_ANSWER and not isinstance(error, BadInputError):
            try:
                check_step(answer)
            except BadInputError as misfit:
                error = misfit
        in_a_row = self._skips[1] + 1 if self._skips[0] == step else 1
        if self.interaction.skips_bad_input and in_a_row <= MOST_SKIPS:
            self._skips = step, in_a_row
            self.interaction.count_skip(f"in step {step}, {type(error).__name__}: {error}")
        elif isinstance(error, BadInputError):
            raise BadInputError(f"in step {step}, {error}") from None
        else:
            error.add_note(f"in step {step} of learning; nothing was learned from it")
            raise error


def _final(observations: Any, info: dict[str, Any], done: Any, mode: AutoresetMode) -> Any:
    """Return the observations that ended steps: where the environment has reset already, they are in its info."""
    if mode != AutoresetMode.SAME_STEP or not done.any():
        return observations
    ended = np.flatnonzero(done)
    return _replaced(observations, ended, [info["final_obs"][i] for i in ended])


def _final_masks(masks: Any, info: dict[str, Any], done: NDArray[np.bool_], mode: AutoresetMode) -> Any:
    """Return the masks of the observations that ended steps, None for those that are not known."""
    if mode != AutoresetMode.SAME_STEP:
        return masks
    return merged(masks, masks_of(info.get("final_info"), done.size), done)


def _replaced(observations: Any, places: Any, finals: list[Any]) -> Any:
    """Return a copy of batched observations, dicts and tuples of arrays too, with single ones put in some places."""
    if isinstance(observations, Mapping):
        return {key: _replaced(part, places, [final[key] for final in finals]) for key, part in observations.items()}
    if isinstance(observations, tuple):
        return tuple(_replaced(part, places, [final[k] for final in finals]) for k, part in enumerate(observations))
    replaced = np.array(observations)
    replaced[places] = finals
    return replaced
