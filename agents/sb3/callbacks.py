"""stable-baselines3's callbacks on `agent.learn`: they see the agent as a model, and the loop's variables by their names."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dynlive_rl.agents.training import NO_ANSWER, Episode, TrainingLoop

from .infos import NAMES, Step, is_no
from .model import DynLive

if TYPE_CHECKING:
    from dynlive_rl.agents.agent import DynLiveAgent


class LoopLocals(dict[str, Any]):
    """The local variables of the training loop; each of a step's is made when somebody asks for it.

    Parameters
    ----------
    fixed
        Those that stay.
    loop
        The loop.

    Attributes
    ----------
    step
        The step that some have been made of; None: none.
    finished
        The episodes that finished with the last step.
    """

    def __init__(self, fixed: dict[str, Any], loop: TrainingLoop) -> None:
        super().__init__(fixed)
        self._loop = loop
        self.step: Step | None = None
        self.finished: Sequence[Episode] = ()

    def forget(self) -> None:
        """Forget the step before."""
        self.step = None
        for name in NAMES:
            self.pop(name, None)

    def __missing__(self, name: str) -> Any:
        if name not in NAMES or self._loop.latest[1] is NO_ANSWER:
            raise KeyError(name)
        if self.step is None:
            self.step = Step(self._loop.env, *self._loop.latest, self.finished)
        value = self[name] = getattr(self.step, name)
        return value

    def __contains__(self, name: object) -> bool:
        return super().__contains__(name) or (name in NAMES and self._loop.latest[1] is not NO_ANSWER)

    def get(self, name: str, default: Any = None) -> Any:
        """Return a variable, or something else if there is none."""
        try:
            return self[name]
        except KeyError:
            return default

    def keys(self) -> Any:
        """All of them."""
        for name in NAMES:
            if name in self:
                self[name]
        return super().keys()

    def __iter__(self) -> Iterator[str]:
        return iter(self.keys())

    def items(self) -> Any:
        """All of them, with their names."""
        self.keys()
        return super().items()

    def values(self) -> Any:
        """All of them, without their names."""
        self.keys()
        return super().values()


@contextmanager
def following(
    agent: "DynLiveAgent", loop: TrainingLoop, callbacks: list[Any], call: dict[str, Any]
) -> Iterator[Callable[[int, Sequence[Episode]], bool]]:
    """Begin and end callbacks of stable-baselines3; yields what is to be called after every step, False if one said so.

    A rollout ends with a rehearsal, and in live mode, where every step is learned from at once, with an episode.
    """
    model = DynLive.of(agent)
    variables = LoopLocals({"self": model, "env": model.get_env(), **call}, loop)
    rehearsals = agent.interaction.learner.progress["rehearsals"]
    seen = rehearsals[0]
    is_live = agent.mode == "live"
    for callback in callbacks:
        callback.init_callback(model)
    for callback in callbacks:
        callback.on_training_start(variables, globals())
    for callback in callbacks:
        callback.on_rollout_start()
    each_step = [callback.on_step for callback in callbacks]

    def follow(new_steps: int, finished: Sequence[Episode]) -> bool:
        nonlocal seen
        variables.finished = finished
        if variables.step is not None:
            variables.forget()
        goes_on = True
        for on_step in each_step:
            answer = on_step()
            if answer is not True and is_no(answer):
                goes_on = False
        if finished if is_live else rehearsals[0] != seen:
            seen = rehearsals[0]
            for callback in callbacks:
                callback.on_rollout_end()
            for callback in callbacks:
                callback.on_rollout_start()
        return goes_on

    yield follow
    for callback in callbacks:
        callback.on_rollout_end()
    for callback in callbacks:
        callback.on_training_end()
