"""The live learner: recruited cells, an actor-critic with eligibility traces, and no stored experience."""

from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from dynlive_rl import checkpoint
from dynlive_rl.kernels.first_start import Call, prepare
from dynlive_rl.kernels.rng import random_state
from dynlive_rl.network import Network

from .checks import raise_invalid
from .invariants import check_live, checked
from .kernels import live
from .kernels.live_layout import CellRow, new_buffer, unfold
from .kernels.progress import RecentRow, RunningRow
from .kernels.scaling import ScalerRow, new_scaler
from .live_config import LiveConfig
from .protocols import StepBatch
from .state import record_fields, rows


class LiveLearner:
    """Learns from every step once, in arrays of constant size, see `Learner`.

    Parameters
    ----------
    scaled, num_actions, environments, config, seed
        As in `ReplayLearner`.
    """

    def __init__(
        self,
        scaled: NDArray[np.int8],
        num_actions: tuple[int, ...],
        environments: int,
        config: LiveConfig,
        seed: int | None,
    ) -> None:
        self.config = config
        self._scaled, self._num_actions = scaled, num_actions
        cells, features = config.cells, scaled.size
        per_layer = cells.per_layer(features)
        acting, predicting = np.random.SeedSequence(seed).spawn(2)
        buffer = new_buffer(
            features, sum(num_actions), len(num_actions), cells.layers, per_layer * cells.layers, environments,
            config.world_change.recent_episodes, new_scaler(scaled)[1].shape[0],
        )  # fmt: skip
        self._view(buffer)
        self.is_masked = False
        self.state.settings[:] = config.settings()
        self.step.stepped[:] = True
        self.state.action_offsets[:] = np.cumsum([0, *num_actions])
        self.state.scaler[:] = new_scaler(scaled)[0]
        self.state.random[:] = random_state(acting)
        self._predict_random = random_state(predicting)
        self._is_warm = False

    def _view(self, buffer: NDArray[np.float64]) -> None:
        """Take a buffer, and views of its parts."""
        self._buffer = buffer
        self.state = unfold(buffer)
        self.step = StepBatch(*self.state.step)
        self.action, self.policy = self.state.action, self.state.policy
        self.progress, self.forbidden = self.state.progress, self.state.forbidden

    def __getstate__(self) -> dict[str, Any]:
        views = ("state", "step", "action", "policy", "progress", "forbidden")  # a copy has views of its own buffer
        return {name: value for name, value in self.__dict__.items() if name not in views}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        self._view(np.array(state["_buffer"]))
        self._predict_random = np.array(state["_predict_random"])
        self._is_warm = False

    def warm_up(self) -> None:
        """Compile (or load) all kernels now, so that no step waits for it."""
        if self._is_warm:
            return
        environments = self.action.shape[0]
        observations = np.zeros((environments, self._scaled.size), np.float32)
        prepare(
            [
                Call(live.begin, (self._buffer, np.ones(environments, np.bool_), observations)),
                Call(live.observe, (self._buffer, observations)),
                Call(live.predict, (self._buffer, observations, True, self._predict_random, self.action)),
            ]
        )
        self._is_warm = True

    @property
    def connections(self) -> int:
        """Number of connections: of the living cells, and of the output neurons that read them."""
        state = self.state
        return int(np.count_nonzero(state.cell[: CellRow.FEATURE_SUM] != 0) + np.count_nonzero(state.strength != 0))

    def connection_ids(self) -> NDArray[np.int64]:
        """Return a number for every connection (c,), which stays the same as long as there is the connection."""
        cell, strength = self.state.cell[: CellRow.FEATURE_SUM], self.state.strength
        # Comparing first takes a tenth of the time.
        return np.concatenate([np.flatnonzero(cell != 0), cell.size + np.flatnonzero(strength != 0)])

    @property
    def cells(self) -> int:
        """Number of living cells."""
        return int(self.state.num_cells.sum())

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

    def activities(self, observations: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """There are no networks to be active."""
        _no_network()

    def begin(self, starting: NDArray[np.bool_], observations: NDArray[np.float32]) -> None:
        """Start an episode in some environments; their next actions are in `action`."""
        self.warm_up()
        if not live.begin(self._buffer, starting, observations):
            raise_invalid(observations)

    def observe(self, observations: NDArray[np.float32]) -> None:
        """Learn from what `step` brought, and where it led; the next actions of those that go on are in `action`."""
        if not self._is_warm:
            self.warm_up()
        if not live.observe(self._buffer, observations):
            raise_invalid(observations, self.step.rewards)

    def reseed(self, seed: int) -> None:
        """Sample from here on as a learner with this seed would."""
        acting, predicting = np.random.SeedSequence(seed).spawn(2)
        self.state.random[:], self._predict_random[:] = random_state(acting), random_state(predicting)

    def begin_masking(self) -> None:
        """Remember masks from now on."""
        self.is_masked = True

    def choose_again(self, which: NDArray[np.bool_]) -> None:
        """Choose the next actions of some environments (e,) anew, after `forbidden` was changed."""
        live.choose_again(self._buffer, which)

    def predict(
        self, observations: NDArray[np.float32], deterministic: bool, random: NDArray[np.uint64] | None = None
    ) -> NDArray[np.int64]:
        """Return the policy's actions (b, d) for observations (b, f), the most likely ones or sampled."""
        actions = np.empty((observations.shape[0], self.action.shape[1]), np.int64)
        random = self._predict_random if random is None else random
        live.predict(self._buffer, observations, deterministic, random, actions)
        return actions

    def policies(
        self,
        observations: NDArray[np.float32],
        forbidden: NDArray[np.bool_],
        deterministic: bool = True,
        random: NDArray[np.uint64] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the policy (b, a) at observations, and actions; see `Learner`."""
        count = observations.shape[0]
        policy, actions = np.empty((count, self.forbidden.shape[1])), np.empty((count, self.action.shape[1]), np.int64)
        random = self._predict_random if random is None else random
        live.policies(self._buffer, observations, forbidden, deterministic, random, policy, actions)
        return policy, actions

    def values(
        self, observations: NDArray[np.float32], forbidden: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """Return the values (b,) of observations; of actions it knows none."""
        values = np.empty(observations.shape[0])
        live.values_at(self._buffer, observations, values)
        return values, None

    def get_state(self) -> dict[str, NDArray[Any]]:
        """Return copies of all arrays that learning changes, by name."""
        return {name: array.copy() for name, array in self._named_arrays(self.is_masked).items()}

    def set_state(self, state: dict[str, NDArray[Any]]) -> None:
        """Take over what `get_state` of an equally built learner returned; if it is none, CheckpointError and no change."""
        masks = "forbidden" in state
        current = self._named_arrays(masks)
        new = checked(current, state)
        check_live(new, self._scaled, self._num_actions)
        checkpoint.copy_into(current, new)
        self.is_masked = masks
        if not masks:
            self.forbidden[:] = 0

    def _named_arrays(self, with_masks: bool) -> dict[str, NDArray[Any]]:
        state = self.state
        whole = (
            "cell", "num_cells", "strength", "trace", "value_shift", "policy", "action", "feature_mean", "sample",
            "random",
        )  # fmt: skip
        return (
            {name: getattr(state, name) for name in whole}
            | record_fields("progress", state.progress)
            | record_fields("scalars", state.scalars)
            | rows("scaler", state.scaler, ScalerRow)
            | rows("recent", state.recent, RecentRow)
            | rows("running", state.running, RunningRow)
            | {"predict_random": self._predict_random}
            | ({"forbidden": state.forbidden} if with_masks else {})
        )


def _no_network() -> NoReturn:
    raise ValueError("a live agent's actor and critic read the same cells and are no networks of their own")
