"""The rehearsing learner: its two networks, its experience and everything it tracks, and the kernels at work."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynlive_rl import checkpoint
from dynlive_rl.core import owned
from dynlive_rl.invariants import need
from dynlive_rl.kernels.first_start import Call, prepare
from dynlive_rl.kernels.layout import Batch, NeuronRow, new_batch, new_batches, new_workspace
from dynlive_rl.kernels.rng import random_state
from dynlive_rl.network import Network

from . import one_hot
from .checks import raise_invalid
from .config import AgentConfig
from .invariants import check_rehearsal, checked
from .kernels import acting, actor_critic, delays, valuing
from .kernels.acting import RepeatColumn
from .kernels.actor_critic import Outcome
from .kernels.experience import Experience, Kept, as_singles, new_experience
from .kernels.progress import OutcomeRow, RecentRow, RunningRow
from .kernels.scaling import ScalerRow
from .networks import connection_ids, new_networks
from .protocols import StepBatch
from .remembered import capacity_of, row_bytes, split_observations, tell_costs
from .replay_state import new_state
from .slow_neurons import Columns
from .state import record_fields, rows

FIRST_ROWS = 1024  # of experience; the room grows with it
CACHED = 2**21  # bytes that are quick to look up in


class ReplayLearner:
    """Learns from remembered steps, see `Learner`.

    Parameters
    ----------
    scaled
        Shape (f,): the `Scaling` of every value of an observation; those that are not scaled are in [0, 1].
    num_actions
        Number of actions of each of the d independent components that make an action.
    environments
        Number of environments e stepped side by side.
    config
        The configuration.
    seed
        Seed of everything random; None: fresh entropy.
    examples
        Shape (m, f): what observations may look like once they are encoded. Where some values are not scaled, the hidden
        neurons are adjusted to tell these apart. Default: anything is possible.
    one_hot_components
        What observations are made of where they are one-hot values and bits alone, see `one_hot`. Default: something else.
    columns
        Where in observations the slow neurons of a recurrent agent are. Default: nowhere.
    kept
        How experience keeps an observation. Default: in single precision.
    parts
        Shapes of the parts of an observation, see `networks.new_network`.
    keeps_policy
        Whether actions are told with the policy that chose them.

    Raises
    ------
    ValueError
        If experience may not take as many bytes as a rehearsal needs.
    """

    def __init__(
        self,
        scaled: NDArray[np.int8],
        num_actions: tuple[int, ...],
        environments: int,
        config: AgentConfig,
        seed: int | None,
        examples: NDArray[np.float32] | None = None,
        one_hot_components: one_hot.Components = (),
        columns: Columns | None = None,
        kept: Kept | None = None,
        parts: Sequence[tuple[int, ...]] = (),
        keeps_policy: bool = False,
    ) -> None:
        self.config = config
        kept = as_singles(scaled.size) if kept is None else kept
        self._scaled, self._num_actions, self._examples = scaled, num_actions, examples
        self._one_hot_components, self._columns, self._parts = one_hot_components, columns, parts
        self._has_cells = one_hot.is_applicable(one_hot_components, config.network)
        self._settings = config.settings()
        observed = scaled.size if columns is None else columns.observed
        self._observed = np.count_nonzero(kept.single < observed)
        self._settings["observed"] = self._observed
        is_wide = observed > config.network.max_fan_in // 2 and not self._has_cells
        self._settings["values_if_wide"] = observed if is_wide else 0
        if self._has_cells:
            one_hot.adjust_settings(self._settings, one_hot_components)
        self._policy_gain = float(self._settings["policy_gain"][0])
        seeds = np.random.SeedSequence(seed).spawn(4)
        self.critic, self.actor = self._networks(seeds[:2])
        size = row_bytes(kept, num_actions)
        self._capacity = capacity_of(config.rehearsal, environments, size)
        self._room = 0  # rows that every stream has room for before that must be looked at again
        if not self._has_cells:
            tell_costs(scaled.size, self.actor.connections, config, environments, self._capacity, size)
        rows = min(FIRST_ROWS, self._capacity)
        self.state = new_state(
            self.critic, self.actor, scaled, kept, num_actions, environments, rows, config, random_state(seeds[2]),
            keeps_policy,
        )  # fmt: skip
        self.step = StepBatch(
            stepped=np.ones(environments, np.bool_),
            rewards=np.zeros(environments),
            terminated=np.zeros(environments, np.bool_),
            truncated=np.zeros(environments, np.bool_),
        )
        self._view()
        self._predict_random = random_state(seeds[3])
        self._predict_batch = new_batch(self.actor.arrays, 1, 1)
        self._is_warm = False

    def _view(self) -> None:
        self.action, self.policy = self.state.action, self.state.policy
        self.progress, self.forbidden = self.state.progress, self.state.forbidden

    def __getstate__(self) -> dict[str, Any]:
        aliases = ("action", "policy", "progress", "forbidden")
        return {name: value for name, value in self.__dict__.items() if name not in aliases}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        networks = {"critic": self.critic.arrays, "actor": self.actor.arrays, "memory": self.actor.memory}
        self.state = owned(state["state"])._replace(**networks)
        self.step, self._predict_batch = owned(state["step"]), owned(state["_predict_batch"])
        self._settings, self._predict_random = np.array(state["_settings"]), np.array(state["_predict_random"])
        self._view()
        self._is_warm = False

    def warm_up(self) -> None:
        """Compile (or load) all kernels now, so that no step waits for it."""
        if self._is_warm:
            return
        state, agent = self.state, (self.state, self._settings)
        observations = np.zeros((self.action.shape[0], self._scaled.size), np.float32)
        predicting = state.actor, self._predict_batch, state.rule, state.scaler, state.sample, state.action_offsets
        late = [Call(delays.look_for_delay, agent)] if self.config.optimisation.reward_delays > 1 else []
        prepare(
            [
                Call(actor_critic.begin, self._begin_arguments(self.step.stepped, observations)),
                Call(actor_critic.choose_actions, (*agent, self.step.stepped)),
                Call(actor_critic.observe, (*agent, *self._step_arguments(observations))),
                Call(actor_critic.rehearse, (*agent, self.step.stepped, state.rule.recruiting)),
                Call(
                    acting.predict,
                    (*predicting, self._policy_gain, observations, True, self._predict_random, self.action),
                ),
                *late,
            ]
        )
        self._is_warm = True

    @property
    def connections(self) -> int:
        """Number of connections in both networks."""
        return self.critic.connections + self.actor.connections

    def connection_ids(self) -> NDArray[np.int64]:
        """Return a number for every connection (c,), which stays the same as long as there is the connection."""
        return connection_ids(self.critic, self.actor)

    def begin(self, starting: NDArray[np.bool_], observations: NDArray[np.float32]) -> None:
        """Start an episode in some environments; their next actions are in `action`."""
        self.warm_up()
        self._make_room()
        if not actor_critic.begin(*self._begin_arguments(starting, observations)):
            raise_invalid(observations)
        actor_critic.choose_actions(self.state, self._settings, starting)

    def observe(self, observations: NDArray[np.float32]) -> None:
        """Learn from what `step` brought, and where it led; the next actions of those that go on are in `action`."""
        if not self._is_warm:
            self.warm_up()
        self._make_room()
        task_changes = self.progress["task_changes"][0]
        outcome = actor_critic.observe(self.state, self._settings, *self._step_arguments(observations))
        if outcome != Outcome.TAKEN:
            step = self.step
            if outcome == Outcome.REFUSED:
                raise_invalid(observations, step.rewards)
            going_on = step.stepped & ~(step.terminated | step.truncated)
            if self.config.optimisation.reward_delays > 1:
                delays.look_for_delay(self.state, self._settings)
            actor_critic.rehearse(self.state, self._settings, going_on, self.state.rule.recruiting)
        if self.progress["task_changes"][0] > task_changes:
            self.reset_networks()

    def _begin_arguments(self, starting: NDArray[np.bool_], observations: NDArray[np.float32]) -> tuple[Any, ...]:
        state = self.state
        return (
            state.experience, state.kept, state.scaler, state.sample, state.progress, state.visits, state.running,
            state.forbidden, self._observed, starting, observations,
        )  # fmt: skip

    def _step_arguments(self, observations: NDArray[np.float32]) -> tuple[NDArray[Any], ...]:
        stepped, rewards, terminated, truncated = self.step
        return stepped, rewards, observations, terminated, truncated

    def _networks(self, seeds: list[np.random.SeedSequence]) -> list[Network]:
        """Make a critic and an actor."""
        features, outputs, config = self._scaled.size, sum(self._num_actions), self.config
        if self._has_cells:
            components = self._one_hot_components
            return [one_hot.cell_network(features, components, outputs, config.network, seed) for seed in seeds]
        examples = None if self._scaled.all() else self._examples
        return new_networks(features, outputs, config, seeds, self._columns, self._parts, examples)

    def reset_networks(self) -> None:
        """Re-initialise both networks; features from before a change no longer fit. The dead stay dead."""
        seed = np.random.SeedSequence(self.state.random.tolist())
        for network, new in zip((self.critic, self.actor), self._networks(seed.spawn(2)), strict=True):
            dead = np.flatnonzero(network.arrays.neuron[NeuronRow.GAIN] == 0)
            network.set_state(new.get_state())
            network.kill(dead)

    @property
    def is_masked(self) -> bool:
        """Whether any actions ever were masked."""
        return bool(self.state.experience.forbidden.shape[2])

    def reseed(self, seed: int) -> None:
        """Sample from here on as a learner with this seed would."""
        seeds = np.random.SeedSequence(seed).spawn(4)
        self.state.random[:], self._predict_random[:] = random_state(seeds[2]), random_state(seeds[3])

    def begin_masking(self) -> None:
        """Remember masks from now on."""
        if not self.is_masked:
            self._set_experience(self.state.experience.kind.shape[1], is_masked=True)

    def choose_again(self, which: NDArray[np.bool_]) -> None:
        """Choose the next actions of some environments (e,) anew, after `forbidden` was changed."""
        actor_critic.write_masks(self.state.experience, self.state.forbidden, which)
        actor_critic.choose_actions(self.state, self._settings, which)

    def predict(
        self, observations: NDArray[np.float32], deterministic: bool, random: NDArray[np.uint64] | None = None
    ) -> NDArray[np.int64]:
        """Return the target policy's actions (b, d) for observations (b, f), the most likely ones or sampled."""
        count, state = observations.shape[0], self.state
        actions = np.empty((count, self.action.shape[1]), np.int64)
        batch = self._predict_batch if count == self._predict_batch.drive.shape[2] else self._batch_of(count)
        acting.predict(
            state.actor, batch, state.rule, state.scaler, state.sample, state.action_offsets, self._policy_gain,
            observations, deterministic, self._predict_random if random is None else random, actions,
        )  # fmt: skip
        return actions

    def policies(
        self,
        observations: NDArray[np.float32],
        forbidden: NDArray[np.bool_],
        deterministic: bool = True,
        random: NDArray[np.uint64] | None = None,
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Return the target policy (b, a) at observations, and actions; see `Learner`."""
        count = observations.shape[0]
        policy, actions = np.empty((count, self.forbidden.shape[1])), np.empty((count, self.action.shape[1]), np.int64)
        random, state = self._predict_random if random is None else random, self.state
        acting.policies(
            state.actor, self._batch_of(count), state.rule, state.scaler, state.sample, state.action_offsets,
            self._policy_gain, observations, forbidden, deterministic, random, policy, actions,
        )  # fmt: skip
        return policy, actions

    def _batch_of(self, count: int) -> Batch:
        if count != self._predict_batch.drive.shape[2]:
            self._predict_batch = new_batch(self.actor.arrays, 1, count)
        return self._predict_batch

    def values(
        self, observations: NDArray[np.float32], forbidden: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the values (b,) of observations under the target policy, and of the actions (b, a) there."""
        values, _ = self._action_values(observations)
        policy, _ = self.policies(observations, forbidden)
        of_actions = values.T.astype(np.float64)
        return (policy * of_actions).sum(axis=1) / len(self._num_actions), of_actions

    def _action_values(self, observations: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the values of actions (a, b), and the outputs (2, n, b) of the critic's neurons."""
        values = np.empty((self.forbidden.shape[1], observations.shape[0]), np.float32)
        batch = new_batch(self.critic.arrays, 1, observations.shape[0])
        valuing.action_values(self.state, self._settings, batch, observations, values)
        return values, batch.output

    @property
    def activity(self) -> NDArray[np.float32]:
        """Outputs (n,) of the target policy's neurons for the first observation that was predicted last."""
        return self._predict_batch.output[1, :, 0].copy()

    def activities(self, observations: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the outputs (n,) of the actor's and the critic's neurons for the first observation of (b, f)."""
        self.predict(observations, deterministic=True)
        _, output = self._action_values(observations)
        return self.activity, output[1, :, 0].copy()

    def get_state(self) -> dict[str, NDArray[Any]]:
        """Return copies of all arrays that learning changes, by name."""
        counted = bool(self.state.visits.any())
        return {name: array.copy() for name, array in self._named_arrays(counted).items()}

    def set_state(self, state: dict[str, NDArray[Any]]) -> None:
        """Take over what `get_state` of an equally built learner returned; if it is none, CheckpointError and no change."""
        state = split_observations(state, self.state.kept)
        old, masks = self.state, "experience.forbidden" in state
        kinds = state.get("experience.kind")
        stored = kinds.shape[1] if isinstance(kinds, np.ndarray) and kinds.ndim == 2 else 0
        if 0 < stored != old.experience.kind.shape[1] or masks != self.is_masked:
            need(stored <= self._capacity, f"there must be at most {self._capacity} rows of experience, not {stored}")
            self._set_experience(max(stored, 1), masks)
        try:
            current = self._named_arrays(counted="visits" in state)
            new = checked(current, state)
            check_rehearsal(new, self._scaled, self.state.kept, self._num_actions, self._capacity)
            for name, network in (("critic", self.critic), ("actor", self.actor)):
                network.check_state({part: new[f"{name}.{part}"] for part in network.live_arrays()})
        except ValueError:
            self.state = old
            raise
        checkpoint.copy_into(current, new)
        if not masks:
            self.forbidden[:] = False
        if "visits" not in state:
            self.state.visits[:] = 0
        self._room = 0

    def _named_arrays(self, counted: bool) -> dict[str, NDArray[Any]]:
        """Return all arrays that learning changes, by name; counters of observations where any are `counted`."""
        state = self.state
        experience = state.experience._asdict()
        experience = {name: array for name, array in experience.items() if array.ndim < 3 or array.shape[2]}
        return (
            {f"critic.{name}": array for name, array in self.critic.live_arrays().items()}
            | {f"actor.{name}": array for name, array in self.actor.live_arrays().items()}
            | {f"experience.{name}": array for name, array in experience.items()}
            | record_fields("progress", state.progress)
            | rows("scaler", state.scaler, ScalerRow)
            | rows("recent", state.recent, RecentRow)
            | rows("outcomes", state.outcomes, OutcomeRow)
            | rows("running", state.running, RunningRow)
            | rows("action_repeat", state.action_repeat, RepeatColumn, axis=2)
            | {"action": state.action, "random": state.random, "predict_random": self._predict_random}
            | ({"policy": state.policy} if state.policy.shape[1] else {})
            | ({"forbidden": state.forbidden} if self.is_masked else {})
            | ({"visits": state.visits} if counted else {})
            | {"sample": state.sample}
        )

    def _make_room(self) -> None:
        """Double the experience when it is full and smaller than it may be; called before at most one row per stream.

        What rehearsal works on is made here too, so that an agent that only predicts does without.
        """
        self._room -= 1
        if self._room >= 0:
            return
        if self.state.minibatches.drive.shape[3] == 0:
            self._make_workplace()
        experience = self.state.experience
        stored = experience.kind.shape[1]
        if stored < self._capacity and experience.rows.max() >= stored:
            stored = min(2 * stored, self._capacity)
            self._set_experience(stored)
        # Once it has its full size there is nothing to look after: old rows are overwritten.
        self._room = stored - int(experience.rows.max()) - 1 if stored < self._capacity else self._capacity

    def _make_workplace(self) -> None:
        rehearsal, net = self.config.rehearsal, self.actor.arrays
        rows = rehearsal.segments * (rehearsal.segment_length + 1)
        is_wide = net.inputs.size * rows * net.strength.itemsize > CACHED
        together = rehearsal.segments * rehearsal.segment_length // rehearsal.batch if is_wide else 1
        self.state = self.state._replace(
            rollout_batch=new_batch(net, 1, rows),
            minibatches=new_batches(net, together, rehearsal.batch),
            workspace=new_workspace(net, 1, rehearsal.batch),
        )

    def _set_experience(self, stored: int, is_masked: bool | None = None) -> None:
        """Make room for so many rows, with or without masks, for others than now too."""
        old = self.state.experience
        masked = self.forbidden.shape[1] if (self.is_masked if is_masked is None else is_masked) else 0
        new = new_experience(old.rows.size, stored, self.state.kept, old.action.shape[2], masked)
        kept = min(stored, old.kind.shape[1])
        for name in Experience._fields[:-1]:
            if getattr(new, name).shape[2:] == getattr(old, name).shape[2:]:
                getattr(new, name)[:, :kept] = getattr(old, name)[:, :kept]
        new.rows[:] = old.rows
        self.state = self.state._replace(experience=new)
