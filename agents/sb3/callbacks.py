"""stable-baselines3's callbacks on `agent.learn`: they see the agent as a model, and the loop's variables by their names."""

from collections import UserDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from dynlive_rl.agents.training import Episode, TrainingLoop

from .infos import Step
from .model import DynLive

if TYPE_CHECKING:
    from dynlive_rl.agents.agent import DynLiveAgent


class LoopLocals(UserDict[str, Any]):
    """The local variables of the training loop; those of a step are made when somebody asks for them.

    Parameters
    ----------
    fixed
        Those that stay.
    loop
        The loop.
    """

    def __init__(self, fixed: dict[str, Any], loop: TrainingLoop) -> None:
        self._values, self._loop = fixed, loop
        self._stale: Sequence[Episode] | None = None

    def renew(self, finished: Sequence[Episode]) -> None:
        """Take note of a step with which episodes finished."""
        self._stale = finished

    @property
    def data(self) -> dict[str, Any]:  # type: ignore[override]
        """All of them, as of now."""
        if self._stale is not None:
            self._values.update(Step(self._loop.env, *self._loop.latest, self._stale).locals())
            self._stale = None
        return self._values


@contextmanager
def following(
    agent: "DynLiveAgent", loop: TrainingLoop, callback: Any, call: dict[str, Any]
) -> Iterator[Callable[[int, Sequence[Episode]], Any]]:
    """Begin and end a callback of stable-baselines3; yields what is to be called after every step.

    A rollout ends with a rehearsal, and in live mode, where every step is learned from at once, with an episode.
    """
    model = DynLive.of(agent)
    variables = LoopLocals({"self": model, "env": model.get_env(), "callback": callback, **call}, loop)
    rollouts = agent.interaction.learner.progress["rehearsals" if agent.mode == "rehearsal" else "episodes"]
    rollout = rollouts[0]
    callback.init_callback(model)
    callback.on_training_start(variables, globals())
    callback.on_rollout_start()

    def follow(new_steps: int, finished: Sequence[Episode]) -> Any:
        nonlocal rollout
        variables.renew(finished)
        answer = callback.on_step()
        if rollouts[0] != rollout:
            rollout = rollouts[0]
            callback.on_rollout_end()
            callback.on_rollout_start()
        return answer

    yield follow
    callback.on_rollout_end()
    callback.on_training_end()
