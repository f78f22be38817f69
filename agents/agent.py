"""DynLiveAgent: the agent as its user meets it. Checks what comes in and hands it to the learner."""

import logging
from collections.abc import Callable
from typing import Any, NamedTuple, Self

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import EnvSpec
from numpy.typing import NDArray
from tqdm import tqdm

from dynlive_rl.checkpoint import Source, Target, name_of, understood
from dynlive_rl.checks import natural, positive
from dynlive_rl.network import Network

from . import evaluation
from .checks import whole_steps
from .config import AgentConfig
from .environments import Environment, check_spaces, make, spaces_of
from .evaluation import Evaluation
from .files import read_agent, write_agent
from .interaction import Interaction
from .live_config import LiveConfig
from .modes import Mode, config_of
from .training import Episode, TrainingLoop

logger = logging.getLogger(__name__)


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


class DynLiveAgent:
    """A reinforcement-learning agent whose policy and values are dynamic-live networks.

    Parameters
    ----------
    env
        An environment id, a Gymnasium environment, or a Gymnasium vector environment. None: you call `act` and
        `observe` yourself, and give both spaces.
    seed
        Seed of everything random in the agent, and of the environment's first reset. None: fresh entropy.
    mode
        "rehearsal" learns from remembered experience: few environment steps, hundreds of microseconds each. "live" stores
        none: more environment steps, a few microseconds each, in memory that does not grow.
    config
        Another configuration than the mode's default one, which is meant for every environment: an `AgentConfig`, or a
        `LiveConfig` for live mode.
    observation_space, action_space
        Only without env.

    Attributes
    ----------
    env
        The environment, None without one.
    config
        The configuration.
    interaction
        What acts and learns, between the spaces and arrays; for tools that look inside.

    Raises
    ------
    ValueError, TypeError
        If a space is not supported, the environment is unknown, or the arguments do not fit together.

    Examples
    --------
    >>> agent = DynLiveAgent("CartPole-v1", seed=0).learn(500, progress_bar=False)
    >>> action, state = agent.predict([0.0, 0.1, 0.0, -0.1], deterministic=True)
    >>> int(action) in (0, 1)
    True

    In a loop of your own:

    >>> from gymnasium.spaces import Box, Discrete
    >>> agent = DynLiveAgent(observation_space=Box(-1, 1, (2,)), action_space=Discrete(3), seed=0)
    >>> action = agent.act([0.5, -0.5])
    >>> agent.observe(1.0, [0.4, -0.5], terminated=False, truncated=False)
    >>> action = agent.act([0.4, -0.5])
    """

    def __init__(
        self,
        env: str | gym.Env[Any, Any] | gym.vector.VectorEnv[Any, Any, Any] | None = None,
        *,
        mode: Mode = "rehearsal",
        seed: int | None = None,
        config: AgentConfig | LiveConfig | None = None,
        observation_space: gym.Space[Any] | None = None,
        action_space: gym.Space[Any] | None = None,
    ) -> None:
        self.env: Environment | None = None
        environments = 1
        if env is not None:
            if observation_space is not None or action_space is not None:
                raise ValueError("give either env or observation_space and action_space: env brings its own spaces")
            self.env = make(env)
            observation_space, action_space = spaces_of(self.env)
            if isinstance(self.env, gym.vector.VectorEnv):
                environments = self.env.num_envs
        elif observation_space is None or action_space is None:
            raise ValueError("give an env, or both observation_space and action_space")
        self.observation_space, self.action_space = observation_space, action_space
        self.mode: Mode = mode
        self.config = config_of(mode, config)
        self.seed = None if seed is None else natural("seed", seed)
        self._interact(environments)

    def _interact(self, environments: int) -> None:
        """Make what learns from so many environments side by side, and the loop over the agent's own."""
        is_vector = environments > 1 or isinstance(self.env, gym.vector.VectorEnv)
        self.interaction = Interaction(
            self.observation_space, self.action_space, self.config, self.seed, environments, is_vector
        )
        self._loop = None if self.env is None else TrainingLoop(self.interaction, self.env, self.seed)

    # -- learning ----------------------------------------------------------------------------------------------------

    def learn(
        self,
        total_timesteps: float,
        *,
        callback: Callable[[Report], bool | None] | None = None,
        log_interval: int | None = None,
        reset_num_timesteps: bool = True,
        progress_bar: bool | None = None,
    ) -> Self:
        """Act in the environment and learn for a number of steps.

        Ctrl-C ends it cleanly: what has been learned is kept, and `learn` returns as usual. An unfinished episode goes on with
        the next call: leave the agent's environment alone in between, and look at episodes in another one.

        Parameters
        ----------
        total_timesteps
            Environment steps, a whole number ≥ 0, counted over all environments of a vector environment.
        callback
            Called after every step with a `Report`; returning False ends learning.
        log_interval
            Log a line every so many episodes (logger "dynlive_rl.agents.agent", level INFO).
        reset_num_timesteps
            Whether `num_timesteps` starts again at 0. What was learned stays either way.
        progress_bar
            Whether to show one. None: only on a terminal.

        Returns
        -------
        The agent itself.

        Raises
        ------
        ValueError
            If the agent has no environment, a number is out of range, or the environment's observations or rewards are
            not finite.
        """
        if self._loop is None:
            raise ValueError("this agent has no environment to learn in: pass env=, or call act and observe yourself")
        steps = whole_steps(total_timesteps)
        if log_interval is not None:
            log_interval = positive("log_interval", log_interval)
        if reset_num_timesteps:
            self.num_timesteps = 0
        hidden = None if progress_bar is None else not progress_bar
        with tqdm(total=steps, unit="step", disable=hidden, dynamic_ncols=True) as bar:
            try:
                for new_steps, finished in self._loop.run(steps):
                    bar.update(new_steps)
                    if finished and not bar.disable:
                        bar.set_postfix(self._summary(finished), refresh=False)
                    if log_interval and self.episodes % log_interval < len(finished):
                        summary = self._summary(finished)
                        logger.info("step %d, %d episodes: %s", self.num_timesteps, self.episodes, summary)
                    answer = None if callback is None else callback(Report(self, new_steps, finished))
                    if isinstance(answer, (bool, np.bool_)) and not answer:
                        break
                if not bar.disable:
                    bar.set_postfix(self._summary())
            except KeyboardInterrupt:
                self._loop.abandon_episode()
                logger.warning("interrupted after %d steps; what was learned is kept", self.num_timesteps)
        return self

    def _summary(self, finished: tuple[Episode, ...] = ()) -> dict[str, Any]:
        """Return what a progress bar shows: return, TD error and number of connections."""
        values: dict[str, Any] = {"td_error": f"{self.td_error_mse:.3f}", "connections": self.connections}
        return {"return": f"{finished[-1].episode_return:.1f}", **values} if finished else values

    def warm_up(self) -> None:
        """Compile, or load from the cache, everything that learning needs; otherwise the first step does."""
        self.interaction.learner.warm_up()

    def act(self, observation: Any) -> Any:
        """Return the next action for an observation (or for each of a vector environment's observations).

        After `observe` of the same observation it hands out what was chosen then; any other observation starts an
        episode. (The very same array counts as the same observation, whatever is in it by now.)

        Raises
        ------
        ValueError
            If the observation does not fit the space or is not finite.
        """
        return self.interaction.act(observation)

    def observe(self, reward: Any, next_observation: Any, terminated: Any, truncated: Any) -> None:
        """Learn from what the last action led to, now; and choose the next action.

        Parameters
        ----------
        reward
            Finite number.
        next_observation
            What followed; after the last step of an episode its final observation.
        terminated, truncated
            Whether the episode ended by itself, or was cut off (a time limit): then the target bootstraps from the value of
            the final observation.

        With a vector environment all four have one row per environment. In a loop of your own, make it with autoreset
        disabled or in the same step (and pass the final observations): every call counts as a step of every environment.

        Raises
        ------
        ValueError
            If no action was taken, the observation does not fit the space, or something is not finite; nothing is
            learned then.
        """
        self.interaction.observe(reward, next_observation, terminated, truncated)

    # -- using what was learned --------------------------------------------------------------------------------------

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = False
    ) -> tuple[Any, Any]:
        """Return the learned policy's action for an observation, or actions for a batch of them; learns nothing.

        Parameters
        ----------
        observation
            One observation or a batch of them.
        state, episode_start
            Accepted and ignored: the agent has no recurrent state.
        deterministic
            The best action, or one drawn from the policy.

        Returns
        -------
        action, state
            As in stable-baselines3.
        """
        return self.interaction.predict(observation, deterministic), state

    def evaluate(
        self,
        episodes: int = 100,
        *,
        env: Environment | EnvSpec | str | None = None,
        seed: int | None = None,
        deterministic: bool = True,
        max_steps: int | None = None,
    ) -> Evaluation:
        """Play whole episodes with the learned policy, learning nothing.

        Parameters
        ----------
        episodes
            Number of episodes, ≥ 1, played side by side in fresh copies of the environment.
        env
            The environment, its spec or its id; default: a fresh copy of the agent's own.
        seed
            Seed of the episodes' starts.
        deterministic
            As in `predict`.
        max_steps
            Episodes are broken off after so many steps, ≥ 1. Default: where the environment has no time limit of its own,
            10,000, because a policy that walks in circles would never come to an end there.

        Returns
        -------
        Evaluation
            Mean and standard deviation of the returns; every episode's return and length, and whether it was broken off.
        """
        chosen = self.env if env is None else make(env)
        if chosen is None:
            raise ValueError("this agent has no environment to be evaluated in: pass env=")
        check_spaces(chosen, self.observation_space, self.action_space, "this agent")
        return evaluation.evaluate(self, chosen, episodes, seed, deterministic, max_steps)

    # -- what it is --------------------------------------------------------------------------------------------------

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

    # -- keeping it --------------------------------------------------------------------------------------------------

    def get_state(self) -> dict[str, NDArray[Any]]:
        """Return copies of all arrays that learning changes, by name: strengths, moments, scalers, experience.

        `num_timesteps`, which every `learn` may begin anew, is none of them; `save` keeps it.
        """
        return self.interaction.get_state()

    def set_state(self, state: dict[str, NDArray[Any]]) -> None:
        """Take over what `get_state` of an agent for the same spaces returned; if it is none, CheckpointError and no change."""
        self.interaction.set_state(state)

    def save(self, path: Target) -> None:
        """Write the agent to one file, with everything it needs to go on learning.

        Parameters
        ----------
        path
            The file; replaced if it exists, and missing folders are made. Or a binary file open for writing.

        Raises
        ------
        OSError
            If it cannot be written; what was there before stays.
        """
        write_agent(path, self)

    @classmethod
    def load(cls, path: Source, env: Environment | str | None = None) -> Self:
        """Read an agent written by `save`; given an environment, it goes on learning where that one stopped.

        Parameters
        ----------
        path
            The file, or a binary file open for reading.
        env
            The environment to go on in. Default: none, the agent can predict, act and observe.

        Raises
        ------
        CheckpointError
            If it is not an agent, or is damaged.
        OSError
            If there is no such file, or it may not be read.
        ValueError
            If the environment's spaces are not the agent's.
        """
        saved = read_agent(path)
        spaces = {"observation_space": saved.observation_space, "action_space": saved.action_space}
        if env is not None:
            env = make(env)
            check_spaces(env, saved.observation_space, saved.action_space, name_of(path))
            environments = env.num_envs if isinstance(env, gym.vector.VectorEnv) else 1
            if saved.environments != environments:
                raise ValueError(
                    f"{name_of(path)} was trained in {saved.environments} environments side by side, not "
                    f"{environments}: only with as many can it go on learning"
                )
            spaces = {}  # it brings its own
        with understood(name_of(path), saved.header):
            agent = cls(env, mode=saved.mode, seed=saved.seed, config=saved.config, **spaces)
            if env is None:
                agent._interact(saved.environments)
            agent.set_state(saved.state)
        agent.num_timesteps = saved.num_timesteps
        return agent
