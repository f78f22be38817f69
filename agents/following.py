"""What follows an agent as it learns: functions of a report, callbacks of stable-baselines3, and its logger."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from .progress_bar import ProgressBar
from .reports import EventCallback, Report
from .sb3.infos import Step, is_no
from .sb3.recording import LOG_INTERVAL, Recorder, recorder_of
from .training import Episode, TrainingLoop

if TYPE_CHECKING:
    from .agent import DynLiveAgent


class Call(NamedTuple):
    """What `learn` was called with.

    Attributes
    ----------
    steps
        Environment steps.
    log_interval
        Episodes between two lines of the log; 0: there are none; None: the default.
    reset_num_timesteps
        Whether a run begins, and none goes on.
    tb_log_name
        What TensorBoard calls the run.
    progress_bar
        Whether to show one.
    """

    steps: int
    log_interval: int | None
    reset_num_timesteps: bool
    tb_log_name: str
    progress_bar: bool | ProgressBar | None


Callback = Callable[[Report], Any] | Sequence[Any] | Any
"""A function of a report, a callback of stable-baselines3, or a list or tuple of these."""

Follower = Callable[[int, tuple[Episode, ...]], bool]
"""Takes the number of steps and the episodes that ended; returns whether learning goes on."""


class Followers:
    """What is called as an agent learns.

    Attributes
    ----------
    each_step
        Called after every step.
    each_episode
        Called only when episodes have ended.
    events
        Event callbacks, which are called then and from the step on that they name.
    """

    def __init__(self) -> None:
        self.each_step: list[Follower] = []
        self.each_episode: list[Follower] = []
        self.events: list[tuple[EventCallback, Follower]] = []

    def is_due(self, step: int) -> bool:
        """Tell whether any has to be called after a step with which no episode ended."""
        if self.each_step:
            return True
        for event, _ in self.events:  # noqa: SIM110  any(…) would take longer than all else
            if step >= event.next_step:
                return True
        return False

    def follow(self, step: int, new_steps: int, finished: tuple[Episode, ...]) -> bool:
        """Call all whose turn it is, and return whether learning goes on."""
        goes_on = True
        for follower in self.each_step:
            if not follower(new_steps, finished):
                goes_on = False
        for event, follower in self.events:
            if (finished or step >= event.next_step) and not follower(new_steps, finished):
                goes_on = False
        if finished:
            for follower in self.each_episode:
                if not follower(new_steps, finished):
                    goes_on = False
        return goes_on


def callbacks_of(callback: Callback | None) -> list[Any]:
    """Return all callbacks of a list of callbacks, in their order, or of one.

    Raises
    ------
    TypeError
        If something is none.
    """
    if callback is None:
        return []
    if isinstance(callback, (list, tuple)):
        return [one for part in callback for one in callbacks_of(part)]
    if isinstance(callback, type) or not (callable(callback) or is_sb3_callback(callback)):
        raise TypeError(
            "callback must be a function of a report, a callback of stable-baselines3 or a list of these, "
            f"not {callback!r:.200}"
        )
    return [callback]


def is_sb3_callback(callback: Any) -> bool:
    """Tell whether something is a callback object of stable-baselines3's kind."""
    needed = ("init_callback", "on_training_start", "on_step", "on_rollout_start")
    return not isinstance(callback, type) and all(hasattr(callback, name) for name in needed)


@contextmanager
def following(
    agent: "DynLiveAgent", loop: TrainingLoop, callbacks: list[Any], call: Call
) -> Iterator[Followers | None]:
    """Begin and end what follows an agent during a call of `learn`; yields whom to call, None where there is nobody."""
    sb3 = [callback for callback in callbacks if is_sb3_callback(callback)]
    recorder = recorder_of(agent)
    is_recorded = bool(sb3) or recorder.model is not None or recorder.writes(agent)
    if not callbacks and not is_recorded:
        yield None
        return
    followers = Followers()
    with ExitStack() as stack:
        if is_recorded:
            recorder.begin(agent, call.reset_num_timesteps, call.tb_log_name)
            stack.callback(recorder.end)
        if sb3:
            followers.each_step.append(stack.enter_context(_sb3(agent, loop, sb3, call)))
        for callback in callbacks:
            if isinstance(callback, EventCallback):
                followers.events.append((callback, _told(agent, loop, callback)))
            elif not is_sb3_callback(callback):
                followers.each_step.append(_told(agent, loop, callback))
        if is_recorded:
            followers.each_episode.append(_recording(agent, loop, recorder, call.log_interval))
        yield followers


def _told(agent: "DynLiveAgent", loop: TrainingLoop, callback: Callable[[Report], Any]) -> Follower:
    def tell(new_steps: int, finished: tuple[Episode, ...]) -> bool:
        answer = callback(Report(agent, new_steps, finished, *loop.latest))
        return answer is None or not is_no(answer)

    return tell


def _sb3(agent: "DynLiveAgent", loop: TrainingLoop, sb3: list[Any], call: Call) -> Any:
    from .sb3 import callbacks  # needs stable-baselines3, where they come from

    told = call._asdict()
    total = told.pop("steps") + agent.num_timesteps
    return callbacks.following(agent, loop, sb3, {"total_timesteps": total, **told})


def _recording(agent: "DynLiveAgent", loop: TrainingLoop, recorder: Recorder, log_interval: int | None) -> Follower:
    interval = LOG_INTERVAL if log_interval is None else log_interval
    writes = interval > 0 and recorder.writes(agent)

    def record(new_steps: int, finished: tuple[Episode, ...]) -> bool:
        recorder.note(finished, Step(loop.env, *loop.latest, finished).last_infos())
        if writes and agent.episodes % interval < len(finished):
            recorder.dump(agent)
        return True

    return record
