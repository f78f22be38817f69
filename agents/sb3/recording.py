"""What an agent's logger records, with the keys of stable-baselines3, and what of it goes on from one `learn` to the next."""

import time
from collections import deque
from collections.abc import Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from dynlive_rl.agents.training import Episode

from .logger import Logger, for_run

if TYPE_CHECKING:
    from dynlive_rl.agents.agent import DynLiveAgent

LAST_EPISODES = 100  # that means are of, unless told otherwise
LOG_INTERVAL = 4  # episodes between two lines, as of stable-baselines3's off-policy algorithms


class Recorder:
    """The logger of an agent, and the statistics that it writes.

    Attributes
    ----------
    logger
        The logger: the one that was given, or one that `learn` makes as the agent's `verbose` and `tensorboard_log` say.
    episodes, successes
        The last episodes, as dicts with return r, length l and time t in seconds since learning began; and which of those
        that told so were a success.
    model
        A weak reference to the agent as stable-baselines3's tools see it, if any of them does.
    """

    def __init__(self) -> None:
        self.logger: Any = Logger()
        self.model: Any = None
        self._is_given = False
        self.episodes: deque[dict[str, Any]] = deque(maxlen=LAST_EPISODES)
        self.successes: deque[bool] = deque(maxlen=LAST_EPISODES)
        self._start, self._first_step, self._dumps = time.perf_counter(), 0, 0
        self._connections: NDArray[np.int64] | None = None

    def set_logger(self, logger: Any) -> None:
        """Take a logger."""
        self.logger, self._is_given = logger, True

    def writes(self, agent: "DynLiveAgent") -> bool:
        """Tell whether what is recorded goes anywhere."""
        if self._is_given:
            return bool(self.logger.output_formats)
        return bool(agent.verbose or agent.tensorboard_log)

    def begin(self, agent: "DynLiveAgent", is_new: bool, name: str) -> None:
        """Prepare for a call of `learn`, a new run or one that goes on."""
        if not self._is_given:
            self.logger.close()
            self.logger = for_run(agent.tensorboard_log, name, agent.verbose, is_new)
        if is_new:
            self.episodes.clear()
            self.successes.clear()
            self._dumps = 0
        self._start, self._first_step = time.perf_counter(), agent.num_timesteps
        if self.writes(agent) and self._connections is None:
            self._connections = agent.interaction.learner.connection_ids()

    def end(self) -> None:
        """Close a logger that was made for the run."""
        if not self._is_given:
            self.logger.close()
            self.logger = Logger(self.logger.get_dir())

    def note(self, finished: Sequence[Episode], infos: Iterable[dict[str, Any]]) -> None:
        """Take note of episodes that ended, with the infos of their last steps.

        What `Monitor` and the like say of an episode counts more than what the agent saw: rewards may have been scaled.
        """
        seconds = round(time.perf_counter() - self._start, 6)
        for episode, info in zip(finished, infos, strict=True):
            told = info.get("episode")
            if not told:
                told = {"r": episode.episode_return, "l": episode.length, "t": seconds}
            elif not isinstance(told["r"], float):  # Gymnasium has arrays
                told = {key: np.asarray(value).item() for key, value in told.items()}
            self.episodes.append(told)
            if info.get("is_success") is not None:
                self.successes.append(bool(info["is_success"]))

    def dump(self, agent: "DynLiveAgent") -> None:
        """Write a line of everything, as of now."""
        record = self.logger.record
        elapsed = max(time.perf_counter() - self._start, 1e-9)
        self._dumps += 1
        if self.episodes:
            record("rollout/ep_rew_mean", _mean([episode["r"] for episode in self.episodes]))
            record("rollout/ep_len_mean", _mean([episode["l"] for episode in self.episodes]))
        if self.successes:
            record("rollout/success_rate", _mean(self.successes))
        record("time/fps", int((agent.num_timesteps - self._first_step) / elapsed))
        record("time/episodes", agent.episodes, exclude="tensorboard")
        record("time/iterations", self._dumps, exclude="tensorboard")
        record("time/time_elapsed", int(elapsed), exclude="tensorboard")
        record("time/total_timesteps", agent.num_timesteps, exclude="tensorboard")
        record("train/td_error", agent.td_error_mse)
        self._record_network(agent)
        self.logger.dump(step=agent.num_timesteps)

    def _record_network(self, agent: "DynLiveAgent") -> None:
        before, now = self._connections, agent.interaction.learner.connection_ids()
        self._connections = now
        self.logger.record("network/connections", now.size)
        if before is not None:
            kept = int(np.count_nonzero(np.isin(before, now, assume_unique=True)))
            self.logger.record("network/grown", now.size - kept)
            self.logger.record("network/pruned", before.size - kept)


def _mean(values: Collection[float]) -> float:
    """Return a mean; `np.mean` of a list takes five times as long."""
    return sum(values) / len(values)


_RECORDERS: "WeakKeyDictionary[DynLiveAgent, Recorder]" = WeakKeyDictionary()


def recorder_of(agent: "DynLiveAgent") -> Recorder:
    """Return an agent's recorder, which is no part of it: copies and files of an agent have none."""
    recorder = _RECORDERS.get(agent)
    if recorder is None:
        recorder = _RECORDERS[agent] = Recorder()
    return recorder
