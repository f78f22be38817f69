"""What an agent's parts must be able to do, whoever they are."""

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from dynlive_rl.network import Network


class Policy(Protocol):
    """Anything that chooses actions as stable-baselines3's models do."""

    def predict(
        self, observation: Any, state: Any = None, episode_start: Any = None, deterministic: bool = False
    ) -> tuple[Any, Any]:
        """Return actions for a batch of observations, and the next state."""


class StepBatch(NamedTuple):
    """What a step of all environments brought besides observations; written before every `Learner.observe`.

    Attributes
    ----------
    stepped
        Shape (e,), as the others: which environments stepped. All, until this is changed.
    rewards
        Their rewards.
    terminated, truncated
        Whose episodes ended.
    """

    stepped: NDArray[Any]
    rewards: NDArray[np.float64]
    terminated: NDArray[Any]
    truncated: NDArray[Any]


class Learner(Protocol):
    """Learns from steps and chooses actions, in arrays; knows no spaces and no environments.

    Attributes
    ----------
    step
        What the next `observe` learns from.
    action
        Shape (e, d): the next action of every environment, as `begin` and `observe` leave it.
    policy
        Shape (e, a): the policy that chose it, or (e, 0) if nobody needs to know.
    progress
        Shape (1,): a record of what it keeps track of, see `dynlive_rl.agents.kernels.progress`.
    forbidden
        Shape (e, a): which actions of all components are masked at the observations that the next `begin` or `observe`
        brings; none, until this is changed.
    """

    step: StepBatch
    action: NDArray[np.int64]
    policy: NDArray[np.float64]
    progress: NDArray[np.void]
    forbidden: NDArray[Any]

    @property
    def is_masked(self) -> bool:
        """Whether any actions ever were masked."""

    def warm_up(self) -> None:
        """Compile (or load) all kernels now, so that no step waits for it."""

    def begin(self, starting: NDArray[np.bool_], observations: NDArray[np.float32]) -> None:
        """Start an episode in some environments (e,), at observations (e, f)."""

    def observe(self, observations: NDArray[np.float32]) -> None:
        """Learn from what `step` brought, and where it led (e, f)."""

    def reseed(self, seed: int) -> None:
        """Sample from here on as a learner with this seed would."""

    def begin_masking(self) -> None:
        """Remember masks from now on."""

    def choose_again(self, which: NDArray[np.bool_]) -> None:
        """Choose the next actions of some environments (e,) anew, after `forbidden` was changed."""

    def predict(
        self, observations: NDArray[np.float32], deterministic: bool, random: NDArray[np.uint64] | None = None
    ) -> NDArray[np.int64]:
        """Return the learned policy's actions (b, d) for observations (b, f), the most likely ones or sampled.

        They are sampled with a random state (4,), the learner's own by default.
        """

    def policies(
        self,
        observations: NDArray[np.float32],
        forbidden: NDArray[np.bool_],
        deterministic: bool = True,
        random: NDArray[np.uint64] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the learned policy (b, a) at observations, and actions; with masks (b, a), or (0, 0) for none."""

    def values(
        self, observations: NDArray[np.float32], forbidden: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """Return the values (b,) of observations, and of the actions (b, a) where it knows any; masks as in `policies`."""

    @property
    def connections(self) -> int:
        """Number of connections of all its networks."""

    def connection_ids(self) -> NDArray[np.int64]:
        """Return a number for every connection (c,), which stays the same as long as there is the connection."""

    @property
    def actor(self) -> Network:
        """The network whose output neurons choose actions; ValueError where it is none by itself."""

    @property
    def critic(self) -> Network:
        """The network whose output neurons say what actions are worth; ValueError where it is none by itself."""

    @property
    def activity(self) -> NDArray[np.float32]:
        """Outputs (n,) of the actor's neurons for the first observation that was predicted last."""

    def activities(self, observations: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the outputs (n,) of the actor's and the critic's neurons for the first observation of (b, f)."""

    def get_state(self) -> dict[str, NDArray[Any]]:
        """Return copies of all arrays that learning changes, by name."""

    def set_state(self, state: dict[str, NDArray[Any]]) -> None:
        """Take over what `get_state` of an equally built learner returned."""
