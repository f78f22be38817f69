"""An agent with the face of a stable-baselines3 model: what its callbacks and rl_zoo3 deal with."""

import weakref
from collections import deque
from dataclasses import asdict, fields
from io import BufferedIOBase
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Self

from dynlive_rl.agents.agent import DynLiveAgent
from dynlive_rl.agents.modes import CONFIGS, Mode, config_of

from .recording import LOG_INTERVAL, recorder_of

File = str | PathLike[str] | BufferedIOBase


class DynLive:
    """The agent as a stable-baselines3 model, for tools that make models themselves; every other user wants `DynLiveAgent`.

    Parameters
    ----------
    policy
        Accepted and ignored, whatever it is: the agent has no other policy than its network.
    env
        As of `DynLiveAgent`; `VecEnv` too.
    mode, seed
        As of `DynLiveAgent`.
    verbose
        0: quiet; 1: a table of what is logged.
    tensorboard_log
        Folder for TensorBoard.
    device
        Accepted and ignored: the agent runs on the processor.
    stats_window_size
        Episodes that means are of.
    **groups
        Groups of the mode's configuration as dicts, e.g. rehearsal={"batch": 32}.

    Attributes
    ----------
    agent
        The `DynLiveAgent` that does everything.
    env
        Its environment as a `VecEnv`; None without one.

    Raises
    ------
    TypeError
        If there is a setting that the agent does not have.

    Examples
    --------
    >>> model = DynLive("MlpPolicy", "CartPole-v1", seed=0).learn(100)
    >>> model.num_timesteps, model.get_env().num_envs
    (100, 1)
    """

    def __init__(
        self,
        policy: Any = None,
        env: Any = None,
        *,
        mode: Mode = "rehearsal",
        seed: int | None = None,
        verbose: int = 0,
        tensorboard_log: str | None = None,
        device: Any = "auto",
        stats_window_size: int = 100,
        **groups: Any,
    ) -> None:
        config = _config(mode, groups)
        self._take(
            DynLiveAgent(env, mode=mode, seed=seed, config=config, verbose=verbose, tensorboard_log=tensorboard_log)
        )
        recorder = recorder_of(self.agent)
        recorder.episodes = deque(maxlen=stats_window_size)
        recorder.successes = deque(maxlen=stats_window_size)

    @classmethod
    def of(cls, agent: DynLiveAgent) -> "DynLive":
        """Return an agent as a model: the one that it belongs to, if it does to any."""
        known = recorder_of(agent).model
        model: DynLive | None = None if known is None else known()
        if model is None:
            model = object.__new__(cls)
            model._take(agent)
        model._look()
        return model

    def _take(self, agent: DynLiveAgent) -> None:
        """Be the face of an agent."""
        self.agent = agent
        self.observation_space, self.action_space = agent.observation_space, agent.action_space
        self.hyperparameters = {"mode": agent.mode, **asdict(agent.config)}
        self.env: Any = None
        self._seen: Any = None
        self._look()
        recorder_of(agent).model = weakref.ref(self)

    def _look(self) -> None:
        """See the agent's environment as a `VecEnv`, unless it is still the one that was seen."""
        env = self.agent.env
        if env is None or env is self._seen:
            return
        from .views import vec_env_of

        self._seen, self.env = env, vec_env_of(env)

    # -- what the agent does -----------------------------------------------------------------------------------------

    def learn(
        self,
        total_timesteps: float,
        callback: Any = None,
        log_interval: int | None = LOG_INTERVAL,
        tb_log_name: str = "DynLive",
        reset_num_timesteps: bool = True,
        progress_bar: bool = False,
    ) -> Self:
        """Let the agent learn; see `DynLiveAgent.learn`. Lines are logged every `log_interval` episodes; None: never."""
        self.agent.learn(
            total_timesteps,
            callback=callback,
            log_interval=log_interval or 0,
            tb_log_name=tb_log_name,
            reset_num_timesteps=reset_num_timesteps,
            progress_bar=progress_bar,
        )
        return self

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = False
    ) -> tuple[Any, Any]:
        """Return actions for observations, and the state that came in; see `DynLiveAgent.predict`."""
        return self.agent.predict(observation, state, episode_start, deterministic)

    def save(self, path: File) -> None:
        """Write the agent to a file; a name without an ending gets .zip, where the zoo looks for it."""
        self.agent.save(_with_ending(path))

    @classmethod
    def load(
        cls,
        path: File,
        env: Any = None,
        device: Any = "auto",
        custom_objects: Any = None,
        print_system_info: bool = False,
        force_reset: bool = True,
        **settings: Any,
    ) -> Self:
        """Read what `save` wrote, or `DynLiveAgent.save`.

        Parameters
        ----------
        path
            The file; a name without an ending gets .zip.
        env
            The environment to go on in; see `DynLiveAgent.load`.
        device, custom_objects, print_system_info, force_reset
            Accepted and ignored.
        **settings
            seed, verbose and tensorboard_log as when it is made; others must be what they were.
        """
        model = object.__new__(cls)
        agent = DynLiveAgent.load(_with_ending(path), env=env)
        agent.verbose, agent.tensorboard_log = settings.pop("verbose", 0), settings.pop("tensorboard_log", None)
        model._take(agent)
        model.set_random_seed(settings.pop("seed", None))
        mode = settings.pop("mode", model.agent.mode)
        if settings and _config(mode, settings) != model.agent.config:
            raise ValueError(
                f"the agent in {path} has other settings than {settings}: these cannot be changed any more"
            )
        return model

    # -- what it is --------------------------------------------------------------------------------------------------

    @property
    def num_timesteps(self) -> int:
        """Environment steps learned from since the counter was last reset."""
        return self.agent.interaction.num_timesteps

    @property
    def seed(self) -> int | None:
        """The seed that was given or drawn."""
        return self.agent.seed

    @property
    def verbose(self) -> int:
        """0: quiet."""
        return self.agent.verbose

    @property
    def tensorboard_log(self) -> str | None:
        """Folder for TensorBoard."""
        return self.agent.tensorboard_log

    @property
    def logger(self) -> Any:
        """The logger."""
        return recorder_of(self.agent).logger

    def set_logger(self, logger: Any) -> None:
        """Set the logger, whose outputs count instead of `verbose` and `tensorboard_log`."""
        recorder_of(self.agent).set_logger(logger)

    def dump_logs(self) -> None:
        """Write a line of everything that is logged, now."""
        recorder_of(self.agent).dump(self.agent)

    @property
    def ep_info_buffer(self) -> deque[dict[str, Any]]:
        """The last episodes: return r, length l, time t."""
        return recorder_of(self.agent).episodes

    @property
    def ep_success_buffer(self) -> deque[bool]:
        """Which of the last episodes that told so were a success."""
        return recorder_of(self.agent).successes

    @property
    def n_envs(self) -> int:
        """Number of environments side by side."""
        return self.agent.interaction.environments

    @property
    def policy(self) -> "Policy":
        """What predicts."""
        return Policy(self)

    @property
    def device(self) -> Any:
        """The processor, as PyTorch has it."""
        import torch

        return torch.device("cpu")

    @property
    def learning_rate(self) -> float:
        """Step size of the policy network, before it decays."""
        return self.agent.config.optimisation.actor_rate

    @property
    def gamma(self) -> float:
        """The discount; in rehearsal mode its upper bound."""
        optimisation = self.hyperparameters["optimisation"]
        return float(optimisation["discount" if self.agent.mode == "live" else "discount_high"])

    def get_env(self) -> Any:
        """Return the environment as a `VecEnv`; None without one."""
        return self.env

    def set_env(self, env: Any, force_reset: bool = True) -> None:
        """Go on in another environment; see `DynLiveAgent.set_env`."""
        self.agent.set_env(env)
        self._look()

    def get_vec_normalize_env(self) -> Any:
        """Return the `VecNormalize` around the environment; None where there is none."""
        if self.env is None:
            return None
        from stable_baselines3.common.vec_env import unwrap_vec_normalize

        return unwrap_vec_normalize(self.env)

    def set_random_seed(self, seed: int | None = None) -> None:
        """Seed everything random; see `DynLiveAgent.set_random_seed`."""
        if seed is not None:
            self.agent.set_random_seed(seed)

    def __repr__(self) -> str:
        return f"DynLive({self.agent!r})"


class Policy:
    """What `model.policy` is asked for.

    Parameters
    ----------
    model
        The model whose policy it is.
    """

    def __init__(self, model: DynLive) -> None:
        self._model = model
        self.observation_space, self.action_space = model.observation_space, model.action_space

    @property
    def device(self) -> Any:
        """The processor, as PyTorch has it."""
        return self._model.device

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = False
    ) -> tuple[Any, Any]:
        """Return actions for observations, and the state that came in."""
        return self._model.predict(observation, state, episode_start, deterministic)

    def set_training_mode(self, mode: bool) -> None:
        """Do nothing: predicting never learns."""


def _config(mode: Mode, groups: dict[str, Any]) -> Any:
    """Return a mode's configuration with some groups given as dicts."""
    if not groups:
        return config_of(mode, None)
    config_of(mode, None)  # says what modes there are
    known = [field.name for field in fields(CONFIGS[mode])]
    for name in groups:
        if name not in known:
            raise TypeError(
                f"DynLive has no setting {name!r}: in mode {mode!r} there are {', '.join(known)}, each a dict of its fields"
            )
    return CONFIGS[mode](**groups)


def _with_ending(path: File) -> Any:
    if isinstance(path, BufferedIOBase):
        return path
    path = Path(fspath(path))
    return path if path.suffix else path.with_name(f"{path.name}.zip")
