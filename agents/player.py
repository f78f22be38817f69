"""What an agent can do with what it has learned, and what it tells about itself; learning is in `DynLiveAgent`."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import EnvSpec

from dynlive_rl.checks import optional_seed
from dynlive_rl.kernels.rng import random_state
from dynlive_rl.network import Network

from . import evaluation
from .environments import Environment, Recipe, certain_recipe, check_spaces, make
from .evaluation import Evaluation
from .interaction import Interaction
from .slow_neurons import stacked
from .workplace import Workplace


class Player:
    """Acts with what was learned, and learns nothing.

    Attributes
    ----------
    interaction
        What acts and learns.
    observation_space, action_space
        Of one environment.
    """

    interaction: Interaction
    observation_space: gym.Space[Any]
    action_space: gym.Space[Any]
    _workplace: Workplace

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = False,
        *,
        action_mask: Any = None,
    ) -> tuple[Any, Any]:
        """Return the learned policy's action for an observation, or actions for a batch of them; learns nothing.

        Parameters
        ----------
        observation
            One observation or a batch of them.
        state, episode_start
            A recurrent agent's: what the call before returned, None where episodes begin; and shape (b,), where an episode
            begins nevertheless. Other agents ignore both, and return the state as it is.
        deterministic
            The best action, or one drawn from the policy.
        action_mask
            Which actions are allowed, see `act`; a row for each observation of a batch.

        Returns
        -------
        action, state
            As in stable-baselines3. What `env.step` takes: a number for Discrete, otherwise an array of the action space's
            type and shape; for a batch an array of them.

        Raises
        ------
        ValueError
            If the observation does not fit the space or is not finite, or the mask does not fit or allows nothing.
        """
        interaction = self.interaction
        return interaction.predict(observation, deterministic, action_mask, None, state, episode_start)

    def probabilities(self, observation: Any, *, state: Any = None, action_mask: Any = None) -> Any:
        """Return the probability of every action under the policy that `predict` samples from.

        Parameters
        ----------
        observation
            One observation or a batch of b of them.
        state
            As in `predict`.
        action_mask
            As in `predict`: what is masked has probability 0.

        Returns
        -------
        ndarray, or tuple of ndarray
            Shape (n,), or (b, n). A tuple with one of these for every component where an action has several (MultiDiscrete,
            MultiBinary, Box). `interaction.decoder.names` tells which action, or value of a Box's component, is which.

        Raises
        ------
        ValueError
            As in `predict`.
        """
        return self.interaction.probabilities(observation, action_mask, state)

    def value(self, observation: Any, *, state: Any = None, action_mask: Any = None) -> Any:
        """Return what the critic expects to follow: the discounted sum of rewards under the policy.

        Parameters are those of `probabilities`.

        Returns
        -------
        float, or ndarray of shape (b,)
        """
        return self.interaction.values(observation, action_mask, state)[0]

    def action_values(self, observation: Any, *, state: Any = None) -> Any:
        """Return what the critic expects to follow every action: an action's value is the mean of its components'.

        Parameters
        ----------
        observation
            One observation or a batch of them.
        state
            As in `predict`.

        Returns
        -------
        As `probabilities`.

        Raises
        ------
        ValueError
            In live mode, whose critic knows the value of observations alone; otherwise as `predict`.
        """
        values = self.interaction.values(observation, state=state)[1]
        if values is None:
            raise ValueError("a live agent's critic knows no values of actions: ask value(observation)")
        return values

    def evaluate(
        self,
        episodes: int = 100,
        *,
        env: Environment | EnvSpec | str | None = None,
        seed: int | None = None,
        deterministic: bool = True,
        max_steps: int | None = None,
        progress_bar: bool | None = None,
    ) -> Evaluation:
        """Play whole episodes with the learned policy, learning nothing.

        Parameters
        ----------
        episodes
            Number of episodes, ≥ 1.
        env
            An environment or vector environment: they are played in it, one after the other, whatever wraps it. An id or spec:
            in fresh environments, at most 16 side by side. Default: in copies of the agent's environment if they are
            certainly the same, which is where `gymnasium.make` made it of an id and plain arguments, and it has no wrappers
            but those that only watch; otherwise in the agent's environment itself. Learning then goes on with a new episode.
        seed
            Episode k begins with the seed `seed` + k; sampled actions are repeatable too. Default: as the environments like.
        deterministic
            As in `predict`.
        max_steps
            Episodes are broken off after so many steps, ≥ 1. Default: where the environment has no time limit of its own,
            10,000, because a policy that walks in circles would never come to an end there.
        progress_bar
            Whether to show one after two seconds. None: only on a terminal.

        Returns
        -------
        Evaluation
            Mean and standard deviation of the returns; every episode's return and length, and whether it was broken off.

        Notes
        -----
        Statistics by which wrappers scale observations and rewards stand still meanwhile (`update_running_mean`, and
        `training` of stable-baselines3's VecNormalize), and returns are sums of the rewards that are not scaled by them.
        Masks in `info["action_mask"]` are followed.
        """
        episodes, max_steps = evaluation.check_episodes(episodes, max_steps)
        seed = optional_seed(seed)
        random = None if seed is None else random_state(np.random.SeedSequence(seed))

        def act(observation: Any, mask: Any, states: list[Any]) -> tuple[Any, Any]:
            state, starts = stacked(states)
            return self.interaction.predict(observation, deterministic, mask, random, state, starts)

        with self._place(env) as place:
            return evaluation.evaluate(act, place, episodes, seed, max_steps, progress_bar)

    @contextmanager
    def _place(self, env: Environment | EnvSpec | str | None) -> Iterator[Environment | Recipe]:
        """Keep the environment in which to play, or the recipe for several, to be had."""
        place = self._workplace.environment() if env is None else make(env)
        check_spaces(place, self.observation_space, self.action_space, "this agent")
        recipe = certain_recipe(place) if env is None else None
        if isinstance(env, (str, EnvSpec)):
            place.close()
            recipe = Recipe(env)
        if recipe is not None:
            yield recipe
            return
        with self._workplace.lent(place):
            yield place

    # -- what it is --------------------------------------------------------------------------------------------------

    @property
    def env(self) -> Environment | None:
        """The environment; None without one, and for a loaded agent until it is needed."""
        return self._workplace.env

    @property
    def num_timesteps(self) -> int:
        """Environment steps learned from since the counter was last reset."""
        return self.interaction.num_timesteps

    @num_timesteps.setter
    def num_timesteps(self, steps: int) -> None:
        self.interaction.num_timesteps = steps

    @property
    def episodes(self) -> int:
        """Episodes finished so far."""
        return self.interaction.episodes

    @property
    def skipped(self) -> int:
        """Steps so far from which nothing could be learned, see `on_bad_input`."""
        return self.interaction.skipped

    @property
    def td_error_mse(self) -> float:
        """Mean square TD error of the value neurons, lately or in the last rehearsal, in units of the scale of returns."""
        return float(self.interaction.learner.progress["td_error_mse"][0])

    @property
    def task_changes(self) -> int:
        """How often a lasting fall of the returns made the agent start afresh with its rates and its experience."""
        return int(self.interaction.learner.progress["task_changes"][0])

    @property
    def connections(self) -> int:
        """Connections of all its networks."""
        return self.interaction.learner.connections

    @property
    def actor(self) -> Network:
        """The network whose output neurons choose actions."""
        return self.interaction.learner.actor

    @property
    def critic(self) -> Network:
        """The network whose output neurons say what actions are worth."""
        return self.interaction.learner.critic

    def __repr__(self) -> str:
        return f"DynLiveAgent({self.num_timesteps} steps, {self.episodes} episodes, {self.connections} connections)"
