"""The learner behind an agent: its two networks, its experience and everything it tracks, and the kernels at work."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynlive_rl import checkpoint
from dynlive_rl.builder import NetworkBuilder
from dynlive_rl.kernels.layout import NeuronRow, new_batch, new_workspace
from dynlive_rl.kernels.rng import random_state
from dynlive_rl.network import Network

from . import one_hot
from .config import AgentConfig
from .kernels import acting, actor_critic, progress
from .kernels.actor_critic import Agent
from .kernels.experience import Experience
from .kernels.scaling import ScalerRow

FIRST_ROWS = 1024
FEW_FEATURES = 4
MOST_SOURCES = 64
USUAL_SPREAD = 0.08  # deviation of a hidden neuron's drive over scaled observations


class Brought(NamedTuple):
    """What a step of all environments brought besides observations; written before every `observe`.

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


class Learner:
    """Learns from steps and chooses actions, in arrays; knows no spaces and no environments.

    Parameters
    ----------
    scaled
        Shape (f,): which values of an observation are scaled by their running statistics; the others are in [0, 1].
    options
        Number of options of each of the d independent choices that make an action.
    environments
        Number of environments e stepped side by side.
    config
        The configuration.
    seed
        Seed of everything random; None: fresh entropy.
    examples
        Shape (m, f): what observations may look like once they are encoded. Where some values are not scaled, the hidden
        neurons are adjusted to tell these apart. Default: anything is possible.
    components
        What observations are made of where they are one-hot values and bits alone, see `cells`. Default: something else.
    """

    def __init__(
        self,
        scaled: NDArray[np.int8],
        options: tuple[int, ...],
        environments: int,
        config: AgentConfig,
        seed: int | None,
        examples: NDArray[np.float32] | None = None,
        components: one_hot.Components = (),
    ) -> None:
        self.config = config
        self._scaled, self._options, self._examples, self._components = scaled, options, examples, components
        self._celled = one_hot.fit(components, config)
        self._settings = one_hot.cell_settings(components, config) if self._celled else config.settings()
        features = scaled.size
        seeds = np.random.SeedSequence(seed).spawn(4)
        self.critic, self.actor = self._networks(seeds[:2])
        rows = config.segments * (config.segment_length + 1)
        self._capacity = max(2, -(-config.memory // environments))  # a step and what followed it
        self._room = 0  # rows that every stream has room for before that must be looked at again
        self.state = Agent(
            critic=self.critic.arrays,
            actor=self.actor.arrays,
            rule=self.actor.numbers,
            memory=self.actor.memory,
            wide=new_batch(self.actor.arrays, 1, rows),
            narrow=new_batch(self.actor.arrays, 1, config.batch),
            scratch=new_workspace(self.actor.arrays, 1, config.batch),
            experience=_experience(environments, min(FIRST_ROWS, self._capacity), features, len(options)),
            choices=np.cumsum([0, *options]),
            scaler=np.stack([scaled, np.zeros(features), np.ones(features), np.zeros(features)]).astype(float),
            track=np.zeros(progress.TRACKED),
            recent=np.zeros((2, 5)),
            outcomes=np.zeros((2, 256)),
            running=np.zeros((3, environments)),
            hold=np.zeros((environments, len(options), 2)),
            action=np.zeros((environments, len(options)), np.int64),
            random=random_state(seeds[2]),
        )
        self.brought = Brought(
            stepped=np.ones(environments, np.bool_),
            rewards=np.zeros(environments),
            terminated=np.zeros(environments, np.bool_),
            truncated=np.zeros(environments, np.bool_),
        )
        self._predict_random = random_state(seeds[3])
        self._few = new_batch(self.actor.arrays, 1, 1)

    def warm_up(self) -> None:
        """Compile (or load) all kernels now, on a throwaway twin, so that the first steps do not wait for it."""
        environments = self.state.action.shape[0]
        options = tuple(np.diff(self.state.choices).tolist())
        scaled = self.state.scaler[ScalerRow.SCALED].astype(np.int8)
        twin = Learner(scaled, options, environments, self.config, seed=0, components=self._components)
        observations = np.zeros((environments, self.state.scaler.shape[1]), np.float32)
        twin.begin(np.ones(environments, np.bool_), observations)
        twin.observe(observations)
        twin.predict(observations, deterministic=True)

    @property
    def connections(self) -> int:
        """Number of connections in both networks."""
        return self.critic.connections + self.actor.connections

    def tracked(self, what: int) -> float:
        """Return one of the tracked numbers, by its position in `kernels.track`."""
        return float(self.state.track[what])

    def begin(self, starting: NDArray[np.bool_], observations: NDArray[np.float32]) -> None:
        """Start an episode in some environments; their next actions are in `state.action`."""
        self._make_room()
        if not actor_critic.begin(self.state, self._settings, starting, observations):
            refuse(observations, None)

    def observe(self, observations: NDArray[np.float32]) -> None:
        """Learn from what a step `brought`, and where it led; the next actions of those that go on are in `state.action`."""
        self._make_room()
        collapses = self.state.track[progress.COLLAPSES]
        stepped, rewards, terminated, truncated = self.brought
        if not actor_critic.observe(self.state, self._settings, stepped, rewards, observations, terminated, truncated):
            refuse(observations, rewards)
        if self.state.track[progress.COLLAPSES] > collapses:
            self._be_born_again()

    def _networks(self, seeds: list[np.random.SeedSequence]) -> list[Network]:
        """Make a critic and an actor."""
        features, outputs = self._scaled.size, sum(self._options)
        if self._celled:
            return [one_hot.cell_network(features, self._components, outputs, self.config, seed) for seed in seeds]
        networks = [_network(features, outputs, self.config, seed) for seed in seeds]
        if self._examples is not None and not self._scaled.all():
            for network in networks:
                _tell_apart(network, self._examples)
        return networks

    def _be_born_again(self) -> None:
        """Give both networks the neurons of a newborn agent: what old ones tell apart is another world."""
        seed = np.random.SeedSequence(self.state.random.tolist())
        for network, newborn in zip((self.critic, self.actor), self._networks(seed.spawn(2)), strict=True):
            dead = np.flatnonzero(network.arrays.neuron[NeuronRow.GAIN] == 0)
            network.set_state(newborn.get_state())
            network.kill(dead)

    def predict(self, observations: NDArray[np.float32], deterministic: bool) -> NDArray[np.int64]:
        """Return the slow policy's choices (b, d) for observations (b, f), the best ones or sampled."""
        count = observations.shape[0]
        if count != self._few.drive.shape[2]:
            self._few = new_batch(self.actor.arrays, 1, count)
        choices = np.empty((count, self.state.action.shape[1]), np.int64)
        state = self.state
        acting.predict(
            state.actor,
            self._few,
            state.rule,
            state.scaler,
            state.choices,
            self._settings.policy_gain,
            observations,
            deterministic,
            self._predict_random,
            choices,
        )
        return choices

    @property
    def activity(self) -> NDArray[np.float32]:
        """Outputs (n,) of the slow policy's neurons for the first observation that was predicted last."""
        return self._few.output[1, :, 0].copy()

    def get_state(self) -> dict[str, NDArray[Any]]:
        """Return copies of all arrays that learning changes, by name."""
        return {name: array.copy() for name, array in self._arrays().items()}

    def set_state(self, state: dict[str, NDArray[Any]]) -> None:
        """Take over what `get_state` of an equally built learner returned."""
        rows = state["experience.kind"].shape[1] if "experience.kind" in state else 0
        if 0 < rows != self.state.experience.kind.shape[1]:
            self._set_experience(rows)
        checkpoint.copy_into(self._arrays(), state)
        self._room = 0

    def _arrays(self) -> dict[str, NDArray[Any]]:
        state = self.state
        arrays = {name: getattr(state, name) for name in _TRACKED} | {"predict_random": self._predict_random}
        arrays |= {f"experience.{name}": array for name, array in state.experience._asdict().items()}
        for name, network in (("critic", self.critic), ("actor", self.actor)):
            arrays |= {f"{name}.{key}": array for key, array in network.live_arrays().items()}
        return arrays

    def _make_room(self) -> None:
        """Double the experience when it is full and smaller than it may be; called before at most one row per stream."""
        self._room -= 1
        if self._room >= 0:
            return
        experience = self.state.experience
        rows = experience.kind.shape[1]
        if rows < self._capacity and experience.rows.max() >= rows:
            rows = min(2 * rows, self._capacity)
            self._set_experience(rows)
        # Once it has its full size there is nothing to look after: old rows are overwritten.
        self._room = rows - int(experience.rows.max()) - 1 if rows < self._capacity else self._capacity

    def _set_experience(self, rows: int) -> None:
        old = self.state.experience
        new = _experience(old.rows.size, rows, old.observation.shape[2], old.action.shape[2])
        kept = min(rows, old.kind.shape[1])
        for name in Experience._fields[:-1]:
            getattr(new, name)[:, :kept] = getattr(old, name)[:, :kept]
        new.rows[:] = old.rows
        self.state = self.state._replace(experience=new)


_TRACKED = ("scaler", "track", "recent", "outcomes", "running", "hold", "action", "random")


def _network(features: int, outputs: int, config: AgentConfig, seed: np.random.SeedSequence) -> Network:
    build = NetworkBuilder(seed, rule=config.rule, dual_rail=True, memory=1)
    eyes = build.add_inputs(features)
    # A strength averages 1 / (2 · inputs), and a neuron is moved by all of them together: steps as long as where there are
    # few inputs would wipe out what they tell.
    rate = min(1.0, FEW_FEATURES / min(features, MOST_SOURCES // 2)) ** 2
    hidden = build.add_neurons(config.hidden, "sigmoid", gain=(config.gain_low, config.gain_high), rate=rate)
    out = build.add_outputs(outputs, "identity", rate=rate * config.output_rate / config.hidden)
    build.allow(hidden, sources=eyes)
    build.allow(out, sources=hidden)
    network = build.build(connect=min(config.connect, MOST_SOURCES / (2 * features)))
    network.shape_is_fixed = True  # the learner's arrays are laid out for it
    return network


def _tell_apart(network: Network, examples: NDArray[np.float32]) -> None:
    """Set each hidden neuron's threshold at a random example, and raise its gain where examples hardly move it.

    One of many values that is 1 moves a neuron much less than a few values that are anything.
    """
    arrays = network.arrays
    seen = np.zeros((len(examples), arrays.degree.size), np.float32)
    seen[:, arrays.inputs[0]], seen[:, arrays.inputs[1]] = examples, 1 - examples
    for count, j in enumerate(arrays.order[: -arrays.outputs.size]):
        row = slice(arrays.first[j], arrays.first[j] + arrays.degree[j])
        drive = seen[:, arrays.source[row]] @ arrays.strength[row]
        if drive.std() > 1e-5:  # otherwise there is nothing to tell apart
            arrays.neuron[NeuronRow.THRESHOLD, j] = arrays.neuron[NeuronRow.TARGET_THRESHOLD, j] = drive[
                count % len(drive)
            ]
            arrays.neuron[NeuronRow.GAIN, j] *= max(1.0, USUAL_SPREAD / float(drive.std()))


def _experience(environments: int, rows: int, features: int, choices: int) -> Experience:
    return Experience(
        observation=np.zeros((environments, rows, features), np.float32),
        action=np.zeros((environments, rows, choices), np.int32),
        probability=np.ones((environments, rows, choices), np.float32),
        reward=np.zeros((environments, rows), np.float32),
        kind=np.zeros((environments, rows), np.int8),
        rows=np.zeros(environments, np.int64),
    )


def refuse(observations: NDArray[np.float32], rewards: NDArray[np.float64] | None) -> None:
    """Raise ValueError for what the kernels did not want to learn from."""
    for name, values in (("rewards", rewards), ("observations", observations)):
        bad = None if values is None else values[~(np.abs(values) <= 1e30)]
        if bad is not None and bad.size:
            raise ValueError(f"{name} must be numbers within ±1e30, not {bad[0]}; nothing was learned from it")
