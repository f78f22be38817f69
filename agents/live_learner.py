"""The live learner behind an agent: recruited cells, an actor-critic with tags, and no stored experience."""

from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from dynlive_rl import checkpoint
from dynlive_rl.kernels.rng import random_state
from dynlive_rl.network import Network

from .config import LiveConfig
from .kernels import live
from .kernels.live_layout import RAILS_SUM, LiveAgent, new_buffer, unfold
from .kernels.scaling import ScalerRow
from .replay_learner import Brought, refuse

MOST_STRENGTHS = 2**23  # of all cells together: where observations are large, there are fewer cells


class LiveLearner:
    """Learns from steps and chooses actions, in arrays of constant size; knows no spaces and no environments.

    Parameters
    ----------
    scaled, options, environments, config, seed
        As in `Learner`.
    """

    def __init__(
        self,
        scaled: NDArray[np.int8],
        options: tuple[int, ...],
        environments: int,
        config: LiveConfig,
        seed: int | None,
    ) -> None:
        self.config = config
        features, outputs = scaled.size, sum(options)
        size = min(config.cells, max(MOST_STRENGTHS // (2 * features * config.layers), 16))
        pool = size * config.layers
        acting, predicting = np.random.SeedSequence(seed).spawn(2)
        self._buffer = new_buffer(features, outputs, len(options), config.layers, pool, environments)
        self.state = unfold(self._buffer)
        self.state.settings[:] = config.settings()
        self.brought = Brought(*self.state.brought)
        self.brought.stepped[:] = True
        self.state.choices[:] = np.cumsum([0, *options])
        self.state.scaler[ScalerRow.SCALED], self.state.scaler[ScalerRow.VARIANCE] = scaled, 1
        self.state.random[:] = random_state(acting)
        self._predict_random = random_state(predicting)

    def warm_up(self) -> None:
        """Compile (or load) all kernels now, on a throwaway twin, so that the first steps do not wait for it."""
        environments = self.state.action.shape[0]
        options = tuple(np.diff(self.state.choices).tolist())
        twin = LiveLearner(
            self.state.scaler[ScalerRow.SCALED].astype(np.int8), options, environments, self.config, seed=0
        )
        observations = np.zeros((environments, self.state.scaler.shape[1]), np.float32)
        twin.begin(np.ones(environments, np.bool_), observations)
        twin.observe(observations)
        twin.predict(observations, deterministic=True)

    @property
    def connections(self) -> int:
        """Number of connections: of the living cells, and of the output neurons that read them."""
        state = self.state
        return int(np.count_nonzero(state.cell[:RAILS_SUM]) + np.count_nonzero(state.strength))

    @property
    def cells(self) -> int:
        """Number of living cells."""
        return int(self.state.born.sum())

    @property
    def actor(self) -> Network:
        """There is none by itself."""
        _no_network()

    @property
    def critic(self) -> Network:
        """There is none by itself."""
        _no_network()

    @property
    def activity(self) -> NDArray[np.float32]:
        """There are no networks to be active."""
        _no_network()

    def tracked(self, what: int) -> float:
        """Return one of the tracked numbers, by its position in `kernels.track`."""
        return float(self.state.track[what])

    def begin(self, starting: NDArray[np.bool_], observations: NDArray[np.float32]) -> None:
        """Start an episode in some environments; their next actions are in `state.action`."""
        if not live.begin(self._buffer, starting, observations):
            refuse(observations, None)

    def observe(self, observations: NDArray[np.float32]) -> None:
        """Learn from what a step `brought`, and where it led; the next actions of those that go on are in `state.action`."""
        if not live.observe(self._buffer, observations):
            refuse(observations, self.brought.rewards)

    def predict(self, observations: NDArray[np.float32], deterministic: bool) -> NDArray[np.int64]:
        """Return the policy's choices (b, d) for observations (b, f), the best ones or sampled."""
        choices = np.empty((observations.shape[0], self.state.action.shape[1]), np.int64)
        live.predict(self._buffer, observations, deterministic, self._predict_random, choices)
        return choices

    def get_state(self) -> dict[str, NDArray[Any]]:
        """Return copies of all arrays that learning changes, by name."""
        return {name: array.copy() for name, array in self._arrays().items()}

    def set_state(self, state: dict[str, NDArray[Any]]) -> None:
        """Take over what `get_state` of an equally built learner returned."""
        checkpoint.copy_into(self._arrays(), state)

    def _arrays(self) -> dict[str, NDArray[Any]]:
        learned = {name: getattr(self.state, name) for name in _LEARNED}
        return learned | {"predict_random": self._predict_random}


_LEARNED = tuple(name for name in LiveAgent._fields if name not in ("settings", "brought", "choices"))


def _no_network() -> NoReturn:
    raise ValueError("a live agent's actor and critic read the same cells and are no networks of their own")
