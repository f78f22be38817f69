"""DynLiveAgent: the agent as its user meets it. Checks what comes in and hands it to the learner."""

from contextlib import AbstractContextManager
from os import PathLike, fspath
from typing import Any, Literal, Self, get_args

import gymnasium as gym
from numpy.typing import NDArray

from dynlive_rl.checkpoint import Source, Target, name_of, understood
from dynlive_rl.checks import drawn_seed, natural

from . import learning
from .checks import BadInputError
from .config import AgentConfig
from .environments import Environment, check_spaces, count_of, make, spaces_of
from .files import read_agent, write_agent
from .following import Call, Callback, callbacks_of
from .foreign import refuse_foreign
from .interaction import Interaction
from .live_config import LiveConfig
from .modes import Mode, config_of, memory_of
from .player import Player
from .progress_bar import ProgressBar
from .sb3.recording import recorder_of
from .sb3.vectors import VecEnvLike
from .workplace import Stored, Workplace

OnBadInput = Literal["raise", "skip"]


class DynLiveAgent(Player):
    """A reinforcement-learning agent whose policy and values are dynamic-live networks.

    Parameters
    ----------
    env
        An environment id, a Gymnasium environment or vector environment, or a `VecEnv` of stable-baselines3. None: you call
        `act` and `observe` yourself.
    seed
        Seed of everything random in the agent, and of the environment's first reset. None: one is drawn; the attribute `seed`
        tells which, so that every run can be repeated.
    mode
        "rehearsal" learns from remembered experience: few environment steps, hundreds of microseconds each. "live" stores
        none: more environment steps, a few microseconds each, in memory that does not grow.
    config
        Another configuration than the mode's default one: an `AgentConfig`, or a `LiveConfig` for live mode.
    recurrent
        Whether it remembers what it saw and did in an episode: for environments that do not show everything at once. See
        `RecurrenceConfig`.
    on_bad_input
        What becomes of a step from which nothing can be learned: numbers not within ±1e30, what does not fit the space, an
        exception of the environment … "raise": an error with the value and the step. "skip": it is counted in `skipped`
        and logged, and an episode begins; a hundred in a row are an error. Learning can go on.
    observation_space, action_space
        Only without env.
    verbose, tensorboard_log
        As in stable-baselines3: 1 prints a table of what is logged while it learns, and a folder gets it for TensorBoard.

    Attributes
    ----------
    seed
        The seed that was given or drawn.
    config, interaction
        The configuration, and what acts and learns; for tools that look inside.

    Raises
    ------
    ValueError, TypeError
        If a space is not supported, or the arguments do not fit together. What stable-baselines3 takes and this agent does
        not is refused with what to write instead.

    Examples
    --------
    >>> agent = DynLiveAgent("CartPole-v1", seed=0).learn(500, progress_bar=False)
    >>> action, state = agent.predict([0.0, 0.1, 0.0, -0.1], deterministic=True)
    >>> int(action) in (0, 1)
    True

    >>> from gymnasium.spaces import Box, Discrete
    >>> agent = DynLiveAgent(observation_space=Box(-1, 1, (2,)), action_space=Discrete(3), seed=0)
    >>> action = agent.act([0.5, -0.5])
    >>> agent.observe(1.0, [0.4, -0.5], terminated=False, truncated=False)
    >>> action = agent.act([0.4, -0.5])
    """

    def __new__(cls, *positional: Any, **named: Any) -> Self:
        """Refuse what stable-baselines3 takes and this agent does not."""
        refuse_foreign(cls.__init__, positional, named)
        return super().__new__(cls)

    def __init__(
        self,
        env: str | Environment | VecEnvLike | None = None,
        *,
        mode: Mode = "rehearsal",
        seed: int | None = None,
        config: AgentConfig | LiveConfig | None = None,
        on_bad_input: OnBadInput = "raise",
        observation_space: gym.Space[Any] | None = None,
        action_space: gym.Space[Any] | None = None,
        verbose: int = 0,
        tensorboard_log: str | PathLike[str] | None = None,
        recurrent: bool = False,
    ) -> None:
        environments, is_vector = 1, False
        if env is not None:
            if observation_space is not None or action_space is not None:
                raise ValueError("give either env or observation_space and action_space: env brings its own spaces")
            env = make(env)
            observation_space, action_space = spaces_of(env)
            environments, is_vector = count_of(env)
        elif observation_space is None or action_space is None:
            raise ValueError("give an env, or both observation_space and action_space")
        if on_bad_input not in get_args(OnBadInput):
            raise ValueError(f"on_bad_input must be 'raise' or 'skip', not {on_bad_input!r}")
        self.observation_space, self.action_space = observation_space, action_space
        self.mode: Mode = mode
        self.config = config_of(mode, config, recurrent)
        self.on_bad_input: OnBadInput = on_bad_input
        self.seed = drawn_seed() if seed is None else natural("seed", seed)
        self.verbose = natural("verbose", verbose)
        self.tensorboard_log = None if tensorboard_log is None else fspath(tensorboard_log)
        self._interact(environments, is_vector, env)

    def _interact(
        self, environments: int, is_vector: bool, env: Environment | None = None, stored: Stored | None = None
    ) -> None:
        """Make what learns from so many environments side by side, and its workplace."""
        self.interaction = Interaction(
            self.observation_space, self.action_space, self.config, self.seed, environments, is_vector
        )
        self.interaction.skips_bad_input = self.on_bad_input == "skip"
        self._workplace = Workplace(self.interaction, self.seed, env, stored)

    # -- learning ----------------------------------------------------------------------------------------------------

    def learn(
        self,
        total_timesteps: float,
        *,
        callback: Callback | None = None,
        log_interval: int | None = None,
        tb_log_name: str = "DynLive",
        reset_num_timesteps: bool = True,
        progress_bar: bool | ProgressBar | None = None,
    ) -> Self:
        """Act in the environment and learn for a number of steps.

        Ctrl-C ends it cleanly: what has been learned is kept, and `learn` returns as usual. An unfinished episode goes on with
        the next call: leave the agent's environment alone in between, and look at episodes in another one.

        Parameters
        ----------
        total_timesteps
            Environment steps, a whole number ≥ 0, counted over all environments of a vector environment.
        callback
            Called after every step with a `Report`; returning False ends learning, anything else (None, 0 …) does not.
            Or a callback of stable-baselines3, or a list of both.
        log_interval
            Log a line every so many episodes (logger "dynlive_rl.agents.agent", level INFO), and let `logger` write. None:
            only the latter, every 4 episodes; 0: never.
        tb_log_name
            What TensorBoard calls the run.
        reset_num_timesteps
            Whether `num_timesteps` starts again at 0. What was learned stays either way.
        progress_bar
            Whether to show one, with the mean return of the last episodes, and a line with that and the seed at its end.
            None: only on a terminal and in a notebook.

        Returns
        -------
        The agent itself.

        Raises
        ------
        ValueError, TypeError
            If the agent has no environment, a number is out of range, the environment has other spaces than before, or it
            brings what cannot be learned from (see `on_bad_input`). What it raises itself comes with a note of the step.
        RuntimeError
            If the agent is learning already.
        """
        loop = self._workplace.loop()
        steps, log_interval = learning.check_learn(total_timesteps, log_interval)
        callbacks = callbacks_of(callback)
        check_spaces(loop.env, self.observation_space, self.action_space, "this agent")
        if reset_num_timesteps:
            self.num_timesteps = 0
        call = Call(steps, log_interval, reset_num_timesteps, tb_log_name, progress_bar)
        learning.learn(self, loop, callbacks, call)
        return self

    def warm_up(self) -> None:
        """Compile, or load from the cache, everything that learning needs; otherwise `learn` and the first `act` do."""
        self.interaction.warm_up()

    def act(self, observation: Any, *, action_mask: Any = None) -> Any:
        """Return the next action for an observation (or for each of a vector environment's observations).

        After `observe` of the same observation it hands out what was chosen then; any other observation starts an
        episode. (The very same array counts as the same observation, whatever is in it by now.)

        Parameters
        ----------
        observation
            What the action is for.
        action_mask
            For every action whether it is allowed: n flags, Gymnasium's `info["action_mask"]`. Those of all components one
            after the other, or a tuple of them, where an action has several (MultiDiscrete); a row for each environment of a
            vector environment. Default: what `observe` was given, all where an episode starts.

        Raises
        ------
        ValueError
            If the observation does not fit the space or is not finite, or the mask does not fit or allows nothing.
        """
        return self.interaction.act(observation, action_mask=action_mask)

    def observe(
        self, reward: Any, next_observation: Any, terminated: Any, truncated: Any, *, action_mask: Any = None
    ) -> None:
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
        action_mask
            Which actions are allowed at the next observation, see `act`. Default: all.

        With a vector environment all four have one row per environment. In a loop of your own, make it with autoreset
        disabled or in the same step (and pass the final observations): every call counts as a step of every environment.

        Raises
        ------
        ValueError
            If no action was taken, the observation does not fit the space, or something is not finite; nothing is
            learned then, and it can be called again. With `on_bad_input="skip"` the last action leads nowhere instead, and
            `act` begins an episode.
        """
        try:
            self.interaction.observe(reward, next_observation, terminated, truncated, action_mask)
        except BadInputError as error:
            if self.on_bad_input == "raise":
                raise
            self.interaction.count_skip(str(error))

    # -- its environment and its seed --------------------------------------------------------------------------------

    def get_env(self) -> Environment | None:
        """Return the environment, made if the agent's file says how; None without one."""
        return self._workplace.made()

    def set_env(self, env: Environment | VecEnvLike | str) -> None:
        """Go on in another environment with the same spaces, with new episodes; in more or fewer side by side too.

        Raises
        ------
        ValueError
            If its spaces are others, or it cannot be made.
        RuntimeError
            While the agent learns.
        """
        self._workplace.check_idle()
        env = make(env)
        check_spaces(env, self.observation_space, self.action_space, "this agent")
        count, is_vector = count_of(env)
        before = self.interaction
        if count == before.environments:
            before.is_vector = is_vector
            self._workplace = Workplace(before, self.seed, env)
            return
        state, counted = before.get_state(), (before.num_timesteps, before.skipped)
        self._interact(count, is_vector, env)
        self._workplace.take_state(state, memory_of(self.config))
        self.interaction.num_timesteps, self.interaction.skipped = counted

    def set_random_seed(self, seed: int | None = None) -> None:
        """Begin everything random anew: what the agent samples, and with the next `learn` its environment.

        Parameters
        ----------
        seed
            A whole number ≥ 0. None: one is drawn; `seed` tells which.

        Raises
        ------
        RuntimeError
            While the agent learns.
        """
        self._workplace.check_idle()
        self.seed = drawn_seed() if seed is None else natural("seed", seed)
        with self.interaction.lock:
            self.interaction.learner.reseed(self.seed)
        self._workplace.reseed(self.seed)

    # -- its logger --------------------------------------------------------------------------------------------------

    @property
    def logger(self) -> Any:
        """What `learn` records values with: a `dynlive_rl.agents.sb3.Logger`, or what `set_logger` was given."""
        return recorder_of(self).logger

    def set_logger(self, logger: Any) -> None:
        """Take a logger of stable-baselines3, or one like it; then `verbose` and `tensorboard_log` do not count."""
        recorder_of(self).set_logger(logger)

    # -- keeping it --------------------------------------------------------------------------------------------------

    def get_state(self) -> dict[str, NDArray[Any]]:
        """Return copies of all arrays that learning changes, by name: strengths, moments, scalers, experience.

        `num_timesteps`, which every `learn` may begin anew, is none of them; `save` keeps it.
        """
        return self.interaction.get_state()

    def set_state(self, state: dict[str, NDArray[Any]]) -> None:
        """Take over what `get_state` of an agent for the same spaces returned; if it is none, CheckpointError and no change."""
        self.interaction.set_state(state)

    def save(self, path: Target, *, include_experience: bool = True) -> None:
        """Write the agent to one file, with everything it needs to go on learning; also while it learns in another thread.

        That is the state of its environment too, where it can be had: then `load` and `learn` go on in the unfinished
        episode, bit for bit as if nothing had happened in between. Otherwise `learn` begins an episode and logs why.

        Parameters
        ----------
        path
            The file; replaced if it exists, and missing folders are made. Or a binary file open for writing.
        include_experience
            Without it a rehearsing agent's file is small. The loaded agent predicts the same and keeps what it has learned,
            but has to fill its memory again: it does not rehearse before it has taken as many steps as before its first
            rehearsal (`RehearsalConfig.first_rehearsal`), and does not learn what the saved one would have.

        Raises
        ------
        OSError
            If it cannot be written; what was there before stays.
        """
        write_agent(path, self, include_experience)

    def still(self) -> AbstractContextManager[None]:
        """Return a context in which the agent stands between two steps, whatever other threads do."""
        return self._workplace.still()

    def training_state(self) -> tuple[dict[str, Any] | None, dict[str, Any]]:
        """Return what a file keeps of how the environment is made, and of the training besides arrays; both as JSON."""
        env, vector, loop = self._workplace.stored()
        return env, {"vector": vector, "loop": loop, "on_bad_input": self.on_bad_input, "skipped": self.skipped}

    @classmethod
    def load(cls, path: Source, env: Environment | VecEnvLike | str | None = None) -> Self:
        """Read an agent written by `save`, which goes on learning where that one stopped.

        Parameters
        ----------
        path
            The file, or a binary file open for reading.
        env
            The environment to go on in, best one like that of the saved agent; several side by side may be more or fewer
            than there were: then everyone begins an episode. Default: `learn` and `evaluate` make what the file says, and
            `predict`, `act` and `observe` need none.

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
        name = name_of(path)
        if env is None:
            stored = Stored(saved.env, saved.training.get("vector"), saved.training.get("loop"))
            count, is_vector = saved.environments, bool(stored.vector) or saved.environments > 1
        else:
            env, stored = make(env), None
            check_spaces(env, saved.observation_space, saved.action_space, name)
            count, is_vector = count_of(env)
        with understood(name, saved.header):
            # The file's spaces, whose parts stand in the order that was learned: an equal Dict may have another one.
            agent = cls(
                mode=saved.mode, seed=saved.seed, config=saved.config,
                on_bad_input=saved.training.get("on_bad_input", "raise"),
                observation_space=saved.observation_space, action_space=saved.action_space,
            )  # fmt: skip
            if is_vector:
                agent._interact(count, is_vector, env, stored)
            else:
                agent._workplace = Workplace(agent.interaction, agent.seed, env, stored)
            agent._workplace.take(saved, name)
        return agent
