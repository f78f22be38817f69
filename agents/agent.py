"""DynLiveAgent: the agent as its user meets it. Checks what comes in and hands it to the learner."""

import logging
from collections.abc import Callable
from dataclasses import asdict
from os import PathLike
from typing import Any, Literal, Self, get_args

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import EnvSpec
from numpy.typing import NDArray
from tqdm import tqdm

from dynlive_rl import checkpoint
from dynlive_rl.checks import natural, positive
from dynlive_rl.network import Network

from . import evaluation, training
from .config import AgentConfig, LiveConfig
from .environments import Environment, check_spaces, describe, make, spaces_of
from .evaluation import Evaluation
from .kernels import progress
from .live_learner import LiveLearner
from .replay_learner import Learner
from .spaces import ActionDecoder, ObservationEncoder, space_from_json, space_to_json
from .training import Report

logger = logging.getLogger(__name__)

Mode = Literal["rehearsal", "live"]
NO_ACTION = "there is no action to learn about: call act(observation) before observe"
EXAMPLES = 256  # random observations that the hidden neurons are made to tell apart


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
    num_timesteps
        Environment steps learned from since the counter was last reset.
    episodes
        Episodes finished since the agent was made.

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
        self.config = _config(mode, config)
        self.seed = None if seed is None else natural("seed", seed)
        self.num_timesteps = 0
        self._encoder = ObservationEncoder(observation_space)
        self._decoder = ActionDecoder(action_space)
        self._first_reset = True
        self._resume: Any = None  # the observation where an unfinished episode goes on
        self._start(environments)

    def _start(self, environments: int) -> None:
        """Make the learner of so many environments side by side, and room for what they bring."""
        self._learner: Learner | LiveLearner
        scaled, options = self._encoder.scaled, self._decoder.options
        if isinstance(self.config, LiveConfig):
            self._learner = LiveLearner(scaled, options, environments, self.config, self.seed)
        else:
            examples = self._encoder.examples(EXAMPLES, np.random.default_rng(self.seed))
            self._learner = Learner(
                scaled, options, environments, self.config, self.seed, examples, self._encoder.components
            )
        self._vector = environments > 1 or isinstance(self.env, gym.vector.VectorEnv)
        self._rows = np.zeros((environments, self._encoder.size), np.float32)
        self._seen = np.zeros_like(self._rows)  # the observations that the next actions are for
        self._ended = np.ones(environments, np.bool_)
        self._some_ended = True  # whether any did: much quicker to ask
        self._all = np.ones(environments, np.bool_)
        self._latest: Any = None

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
        if self.env is None:
            raise ValueError("this agent has no environment to learn in: pass env=, or call act and observe yourself")
        # 1e6 is a whole number too: people write it.
        is_whole = isinstance(total_timesteps, float) and total_timesteps.is_integer()
        steps = natural("total_timesteps", int(total_timesteps) if is_whole else total_timesteps)
        if log_interval is not None:
            log_interval = positive("log_interval", log_interval)
        if reset_num_timesteps:
            self.num_timesteps = 0
        hidden = None if progress_bar is None else not progress_bar
        with tqdm(total=steps, unit="step", disable=hidden, dynamic_ncols=True) as bar:
            try:
                for report in training.run(self, steps):
                    bar.update(report.new_steps)
                    if report.finished and not bar.disable:
                        bar.set_postfix(training.summary(report), refresh=False)
                    if log_interval and self.episodes % log_interval < len(report.finished):
                        logger.info(
                            "step %d, %d episodes: %s", self.num_timesteps, self.episodes, training.summary(report)
                        )
                    if callback is not None and isinstance(answer := callback(report), (bool, np.bool_)) and not answer:
                        break
                if not bar.disable:
                    bar.set_postfix(training.summary(None, self))
            except KeyboardInterrupt:
                self._resume = None  # the environment may have stopped in the middle of a step
                logger.warning("interrupted after %d steps; what was learned is kept", self.num_timesteps)
        return self

    def warm_up(self) -> None:
        """Compile, or load from the cache, everything that learning needs; otherwise the first step does."""
        self._learner.warm_up()

    def act(self, observation: Any) -> Any:
        """Return the next action for an observation (or for each of a vector environment's observations).

        After `observe` of the same observation it hands out what was chosen then; any other observation starts an
        episode. (The very same array counts as the same observation, whatever is in it by now.)

        Raises
        ------
        ValueError
            If the observation does not fit the space or is not finite.
        """
        return self._act(self._all, observation)

    def _act(self, stepping: NDArray[np.bool_], observation: Any) -> Any:
        if self._some_ended or observation is not self._latest:
            self._encoder.encode(observation, self._rows)
            starting = stepping & (self._ended | (self._rows != self._seen).any(axis=1))
            if starting.any():
                self._learner.begin(starting, self._rows)
                self._seen[starting] = self._rows[starting]
                self._ended[starting] = False
                self._some_ended = bool(self._ended.any())
            self._latest = observation
        action = self._learner.state.action
        return self._decoder.decode(action) if self._vector else self._decoder.decode_one(action[0])

    def observe(self, reward: Any, next_observation: Any, terminated: Any, truncated: Any) -> None:
        """Learn from what the last action led to, now; and choose the next action.

        Parameters
        ----------
        reward
            Finite number.
        next_observation
            What followed; after the last step of an episode its final observation.
        terminated, truncated
            Whether the episode ended by itself, or was broken off (a time limit): then the future is still worth
            something, and the agent reckons with it.

        With a vector environment all four have one row per environment. In a loop of your own, make it with autoreset
        disabled or in the same step (and pass the final observations): every call counts as a step of every environment.

        Raises
        ------
        ValueError
            If no action was taken, the observation does not fit the space, or something is not finite; nothing is
            learned then.
        """
        if self._vector:
            self._observe_vector(self._all, reward, next_observation, terminated, truncated)
            return
        if self._some_ended:
            raise ValueError(NO_ACTION)
        self._encoder.encode(next_observation, self._rows)
        brought = self._learner.brought
        try:
            brought.rewards[0], brought.terminated[0], brought.truncated[0] = reward, terminated, truncated
        except (TypeError, ValueError):
            raise ValueError(
                f"reward, terminated and truncated must be numbers, not {(reward, terminated, truncated)}"
            ) from None
        self._learner.observe(self._rows)
        self._seen, self._rows = self._rows, self._seen
        self._latest = next_observation
        if terminated or truncated:
            self._ended[0] = self._some_ended = True
        self.num_timesteps += 1

    def _observe_vector(
        self, stepped: NDArray[np.bool_], rewards: Any, next_observations: Any, terminated: Any, truncated: Any
    ) -> None:
        if (self._ended & stepped).any():
            raise ValueError(NO_ACTION)
        self._encoder.encode(next_observations, self._rows)
        brought = self._learner.brought
        for name, row, values in zip(brought._fields, brought, (stepped, rewards, terminated, truncated), strict=True):
            array = np.asarray(values)
            if array.shape != row.shape or array.dtype.kind not in "biuf":
                raise ValueError(f"{name} must be {row.size} numbers, one for each environment, not {values!r}")
            row[:] = array
        self._learner.observe(self._rows)
        self._seen, self._rows = self._rows, self._seen
        self._latest = next_observations
        self._ended |= stepped & np.logical_or(terminated, truncated)
        self._some_ended = bool(self._ended.any())
        self.num_timesteps += int(np.count_nonzero(stepped))

    # -- using what was learned --------------------------------------------------------------------------------------

    def predict(
        self,
        observation: Any,
        state: Any = None,
        episode_start: Any = None,
        deterministic: bool = False,
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
        batch = self._encoder.batch_size(observation)
        rows = np.empty((1 if batch is None else batch, self._encoder.size), np.float32)
        self._encoder.encode(observation, rows)
        if not np.isfinite(rows).all():
            raise ValueError(f"observations must be finite, but one contains {rows[~np.isfinite(rows)][0]}")
        choices = self._learner.predict(rows, deterministic)
        one = batch is None
        action = np.asarray(self._decoder.decode_one(choices[0])) if one else self._decoder.decode(choices)
        return action, state

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
    def episodes(self) -> int:
        """Episodes finished so far."""
        return int(self._learner.tracked(progress.EPISODES))

    @property
    def surprise(self) -> float:
        """Mean square error of the value neurons, lately or in the last rehearsal, in units of the scale of returns."""
        return self._learner.tracked(progress.SURPRISE)

    @property
    def worlds(self) -> int:
        """How often a lasting fall of the returns made the agent start afresh with its rates and its experience."""
        return int(self._learner.tracked(progress.COLLAPSES))

    @property
    def connections(self) -> int:
        """Connections of all its networks."""
        return self._learner.connections

    @property
    def actor(self) -> Network:
        """The network whose output neurons choose actions."""
        return self._learner.actor

    @property
    def critic(self) -> Network:
        """The network whose output neurons say what actions are worth."""
        return self._learner.critic

    def __repr__(self) -> str:
        return f"DynLiveAgent({self.num_timesteps} steps, {self.episodes} episodes, {self.connections} connections)"

    # -- keeping it --------------------------------------------------------------------------------------------------

    def get_state(self) -> dict[str, NDArray[Any]]:
        """Return copies of all arrays that learning changes, by name: strengths, moments, scalers, experience.

        `num_timesteps`, which every `learn` may begin anew, is none of them; `save` keeps it.
        """
        return self._learner.get_state() | {"seen": self._seen.copy(), "ended": self._ended.copy()}

    def set_state(self, state: dict[str, NDArray[Any]]) -> None:
        """Take over what `get_state` of an agent for the same spaces returned."""
        self._learner.set_state(state)
        checkpoint.copy_into({"seen": self._seen, "ended": self._ended}, state)
        self._some_ended = bool(self._ended.any())
        self._latest = None

    def save(self, path: str | PathLike[str]) -> None:
        """Write the agent to one file, with everything it needs to go on learning."""
        header = {
            "mode": self.mode,
            "config": asdict(self.config),
            "seed": self.seed,
            "environments": int(self._ended.size),
            "num_timesteps": self.num_timesteps,
            "env": None if self.env is None else describe(self.env),
            "observation_space": space_to_json(self.observation_space),
            "action_space": space_to_json(self.action_space),
        }
        checkpoint.write(path, "agent", header, self.get_state())

    @classmethod
    def load(cls, path: str | PathLike[str], env: Environment | str | None = None) -> Self:
        """Read an agent written by `save`; given an environment, it goes on learning where that one stopped.

        Parameters
        ----------
        path
            The file.
        env
            The environment to go on in. Default: none, the agent can predict, act and observe.

        Raises
        ------
        FileNotFoundError, ValueError
            If there is no such file, it is not an agent, or the environment's spaces are not the agent's.
        """
        header, arrays = checkpoint.read(path, "agent")
        with checkpoint.understood(path, header):
            observation_space = space_from_json(header["observation_space"])
            action_space = space_from_json(header["action_space"])
            mode, seed, environments = header["mode"], header["seed"], header["environments"]
            config, num_timesteps = _CONFIGS[mode](**header["config"]), header["num_timesteps"]
        if env is None:
            agent = cls(
                mode=mode, seed=seed, config=config,
                observation_space=observation_space, action_space=action_space,
            )  # fmt: skip
            agent._start(environments)
        else:
            env = make(env)
            check_spaces(env, observation_space, action_space, str(path))
            agent = cls(env, mode=mode, seed=seed, config=config)
            if environments != agent._ended.size:
                raise ValueError(
                    f"{path} was trained in {environments} environments side by side, not {agent._ended.size}: "
                    "only with as many can it go on learning"
                )
        agent.set_state(arrays)
        agent.num_timesteps = num_timesteps
        return agent


_CONFIGS: dict[str, type[AgentConfig] | type[LiveConfig]] = {"rehearsal": AgentConfig, "live": LiveConfig}


def _config(mode: str, config: AgentConfig | LiveConfig | None) -> AgentConfig | LiveConfig:
    """Return the configuration of a mode, the given or the default one."""
    if mode not in _CONFIGS:
        raise ValueError(f"mode must be one of {', '.join(map(repr, get_args(Mode)))}, not {mode!r}")
    if config is not None and not isinstance(config, _CONFIGS[mode]):
        raise TypeError(f"mode {mode!r} takes a {_CONFIGS[mode].__name__} as config, not {type(config).__name__}")
    return config or _CONFIGS[mode]()
