"""What is to be seen inside an agent: its neurons and connections, and what it makes of the present observation."""

from collections.abc import Sequence
from math import sqrt
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dynlive_rl.agents import DynLiveAgent, one_hot
from dynlive_rl.agents.config import AgentConfig
from dynlive_rl.agents.export import scaling_of
from dynlive_rl.agents.kernels.live_layout import CellRow
from dynlive_rl.agents.kernels.progress import reward_base, square_value_scale
from dynlive_rl.agents.kernels.rates import value_gain
from dynlive_rl.agents.numpy_policy import scores_of
from dynlive_rl.kernels.layout import ActivationCode
from dynlive_rl.network import Network

MOST_INPUTS = 64  # drawn of a layer
MOST_HIDDEN = 160
MOST_CONNECTIONS = 8_000  # drawn
MOST_CELLS = 96
CELLS_LAST = 300  # frames, until other cells may be the ones used most

Floats = NDArray[np.floating]


class Drawn(NamedTuple):
    """The neurons and connections that are drawn.

    Attributes
    ----------
    layers
        Ids of every layer from inputs to outputs, with its kind ("input", "hidden" or "output") and its true size.
    names
        Of input and output neurons.
    complements
        Ids of input neurons that say 1 − x.
    source, target
        Shape (c,): ids at the ends of every connection there is or may be, in an order that stays.
    """

    layers: tuple[tuple[str, tuple[int, ...], int], ...]
    names: dict[int, str]
    complements: tuple[int, ...]
    source: NDArray[np.int32]
    target: NDArray[np.int32]


class Opinion(NamedTuple):
    """What an agent makes of the present observation.

    Attributes
    ----------
    policy
        Shape (a,): probability of every action, component by component.
    values
        Shape (a,): what the actions are worth, before learning bounds that; (1,) where only the observation is valued.
    """

    policy: Floats
    values: Floats


class Names(NamedTuple):
    """Names of an observation's values and of the actions."""

    observations: Sequence[str]
    actions: Sequence[str]


class NetworkInsight:
    """Looks into a rehearsing agent.

    Parameters
    ----------
    agent
        The agent.
    names
        What its inputs and outputs are called.
    """

    version = 0
    can_hurt = True

    def __init__(self, agent: DynLiveAgent, names: Names) -> None:
        self._agent, self._names = agent, names
        config = agent.config
        assert isinstance(config, AgentConfig)
        settings = config.settings()
        components = agent.interaction.encoder.components
        if one_hot.is_applicable(components, config.network):
            one_hot.adjust_settings(settings, components)
        self._settings: Any = settings.view(np.recarray)[0]
        self._offsets = np.cumsum([0, *agent.interaction.decoder.num_actions])
        self.show("actor")

    def show(self, which: str) -> None:
        """Draw the actor or the critic from now on."""
        self.which = which
        self.network: Network = getattr(self._agent, which)
        self.version += 1
        self.drawn = drawn_network(self.network, self._names)
        self._key = self.drawn.target.astype(np.int64) * self.network.arrays.degree.size + self.drawn.source

    def refresh(self) -> bool:
        """Return False: a network's neurons stay."""
        return False

    def activity(self) -> Floats:
        """Return the outputs (n,) of the drawn network's neurons for the present observation."""
        return forward(self.network, self._inputs())

    def strengths(self) -> Floats:
        """Return the strengths (c,) of the drawn connections, 0 where there is none."""
        arrays = self.network.arrays
        n = arrays.degree.size
        key = _owners(self.network).astype(np.int64) * n + arrays.source
        order = np.argsort(key)
        strengths: Floats = arrays.strength[order[np.searchsorted(key, self._key, sorter=order)]]
        return strengths

    def opinion(self) -> Opinion:
        """Return what the agent makes of the present observation."""
        agent, settings, inputs = self._agent, self._settings, self._inputs()
        logits = settings.policy_gain * forward(agent.actor, inputs)[agent.actor.arrays.outputs]
        parts = np.split(logits, self._offsets[1:-1])
        policy = np.concatenate([np.exp(part - part.max()) / np.exp(part - part.max()).sum() for part in parts])
        progress: Any = agent.interaction.learner.progress.view(np.recarray)[0]
        square = _python(square_value_scale)(progress, _python(reward_base)(progress))
        scale = sqrt(square) if square > 0 else 1.0
        gain = scale * _python(value_gain)(progress, scale, settings)
        answers = forward(agent.critic, inputs)[agent.critic.arrays.outputs]
        return Opinion(policy, gain * (answers - settings.neutral))

    def _inputs(self) -> Floats:
        """Return what the actor's input neurons said last, in its first environment."""
        return self._agent.actor.activity


class CellInsight:
    """Looks into a live agent: its cells, and the value and action neurons that read them."""

    version = 0
    can_hurt = False
    which = "actor"

    def __init__(self, agent: DynLiveAgent, names: Names) -> None:
        self._interaction, self._names = agent.interaction, names
        learner: Any = agent.interaction.learner
        self._learner = learner
        self._features, self._pool = agent.interaction.encoder.size, learner.state.cell.shape[1]
        self._cells: tuple[int, ...] = ()
        self._living, self._frames = -1, 0
        self.refresh()

    def show(self, which: str) -> None:
        """Nothing: both read the same cells."""

    def refresh(self) -> bool:
        """Draw the cells that are used most by now; returns whether these are others than before."""
        living = int(self._learner.state.num_cells.sum())
        self._frames += 1
        if living == self._living and self._frames < CELLS_LAST:
            return False
        self._living, self._frames = living, 0
        cells = self._most_used()
        if cells == self._cells and self.version:
            return False
        self._cells = cells
        self.version += 1
        self.drawn = self._draw()
        return True

    def activity(self) -> Floats:
        """Return outputs by id: features, cells, then the value neuron and the action neurons."""
        state = self._learner.state
        cells = state.trace[0, 0]
        features = np.zeros(2 * self._features)
        code = np.clip(self._encoded(), 0, 1) * np.pi / 2
        features[: self._features], features[self._features :] = np.sin(code), np.cos(code)
        value = 0.5 + 0.5 * np.tanh(float(self._readout(0)))
        return np.concatenate([features, cells, [value], state.policy[0]])

    def strengths(self) -> Floats:
        """Return strengths (c,): a cell's own, and of what reads cells the influence, relative to the largest."""
        state, d, f2 = self._learner.state, self.drawn, 2 * self._features
        result = np.zeros(d.source.size)
        to_cell = d.target < f2 + self._pool
        result[to_cell] = state.cell[d.source[to_cell], d.target[to_cell] - f2]
        rows, columns = d.target[~to_cell] - f2 - self._pool, d.source[~to_cell] - f2
        influence = np.abs(2 * self._pool * state.strength[rows, columns] - 1)
        result[~to_cell] = influence / max(1.0, float(influence.max(initial=0.0)))
        return result

    def opinion(self) -> Opinion:
        """Return the policy and the value of the present observation."""
        state = self._learner.state
        value = float(state.scalars["value_range"][0]) * self._readout(0)
        return Opinion(state.policy[0].copy(), np.array([value]))

    def _readout(self, row: int) -> float:
        state = self._learner.state
        return float(state.trace[0, 0] @ (2 * self._pool * state.strength[row] - 1))

    def _encoded(self) -> Floats:
        state, x = self._learner.state, self._interaction.observations[0]
        scaling = scaling_of(state.scaler, state.sample)
        scores = scores_of(x[None], scaling)[0]
        encoded: Floats = np.where(scaling["is_scaled"], 1 / (1 + np.exp(-np.clip(scores, -50, 50))), x)
        return encoded

    def _most_used(self) -> tuple[int, ...]:
        state = self._learner.state
        size = self._pool // state.num_cells.size
        ids = np.array(
            [layer * size + k for layer, count in enumerate(state.num_cells) for k in range(count)], np.int64
        )
        most = ids[np.argsort(-state.cell[CellRow.USAGE, ids], kind="stable")][:MOST_CELLS]
        return tuple(sorted(most.tolist()))

    def _draw(self) -> Drawn:
        f2 = 2 * self._features
        inputs = _spread(range(f2), MOST_INPUTS)
        cells = tuple(f2 + k for k in self._cells)
        outputs = tuple(f2 + self._pool + k for k in range(1 + len(self._names.actions)))
        names = {i: f"{name} high" for i, name in enumerate(self._names.observations)}
        names |= {self._features + i: f"{name} low" for i, name in enumerate(self._names.observations)}
        names |= dict(zip(outputs, ("value", *self._names.actions), strict=True))
        pairs = [(i, c) for c in cells for i in inputs] + [(c, o) for o in outputs for c in cells]
        source, target = np.array(pairs, np.int32).reshape(-1, 2).T
        layers = (("input", inputs, f2), ("hidden", cells, self._living), ("output", outputs, len(outputs)))
        return Drawn(layers, names, tuple(range(self._features, f2)), source.copy(), target.copy())


Insight = NetworkInsight | CellInsight


def insight_into(agent: DynLiveAgent, names: Names) -> Insight:
    """Return what looks into an agent."""
    return CellInsight(agent, names) if agent.mode == "live" else NetworkInsight(agent, names)


def drawn_network(network: Network, names: Names) -> Drawn:
    """Return what is drawn of a network: all of it, or an even selection of its neurons where there are many."""
    arrays = network.arrays
    direct, complements = arrays.inputs.tolist()
    owner = _owners(network)
    read = set(np.unique(arrays.source).tolist())
    layers = []
    for layer in network.layers:
        ids = [j for j in layer.ids if layer.kind != "input" or j in read]
        kept = _spread(ids, MOST_INPUTS if layer.kind == "input" else MOST_HIDDEN)
        layers.append((layer.kind, kept, len(ids)))
    shown = np.zeros(arrays.degree.size, np.bool_)
    shown[[j for _, ids, _ in layers for j in ids]] = True
    slots = np.flatnonzero(shown[owner] & shown[arrays.source])
    slots = slots[np.lexsort((arrays.source[slots], owner[slots]))][:MOST_CONNECTIONS]
    named = dict(zip(direct, names.observations, strict=True))
    named |= {i: f"1 − {name}" for i, name in zip(complements, names.observations, strict=True) if i >= 0}
    named |= dict(zip(network.output_ids, names.actions, strict=True))
    return Drawn(
        tuple(layers),
        {i: name for i, name in named.items() if shown[i]},
        tuple(i for i in complements if i >= 0 and shown[i]),
        arrays.source[slots].astype(np.int32),
        owner[slots].astype(np.int32),
    )


def forward(network: Network, inputs: Floats) -> Floats:
    """Return the outputs (n,) of a network without delays; what its input neurons say are those of `inputs` (n,).

    The kernels do the same; this leaves everything that they remember alone.
    """
    arrays, owner = network.arrays, _owners(network)
    outputs = np.zeros(arrays.degree.size)
    for layer in network.layers:
        ids = np.array(layer.ids)
        if layer.kind == "input":
            outputs[ids] = inputs[ids]
            continue
        drive = np.bincount(owner, arrays.strength * outputs[arrays.source], minlength=outputs.size)[ids]
        outputs[ids] = _activated(network, ids, drive)
    return outputs


def _activated(network: Network, ids: NDArray[np.int64], drive: Floats) -> Floats:
    arrays = network.arrays
    code, gain, power = arrays.activation[ids], arrays.gain[ids], arrays.power[ids]
    above = gain * (drive - arrays.threshold[ids])
    return np.select(
        [code == ActivationCode.SIGMOID, code == ActivationCode.RELU, code == ActivationCode.POWER],
        [1 / (1 + np.exp(np.clip(-above, -50, 50))), np.clip(above, 0, 1), drive**power],
        drive,
    )


def _owners(network: Network) -> NDArray[np.int64]:
    """Return the neuron (c,) that each allowed connection belongs to."""
    arrays = network.arrays
    return np.repeat(np.arange(arrays.degree.size), np.diff(arrays.first))


def _spread(ids: Sequence[int], most: int) -> tuple[int, ...]:
    """Return all ids, or so many of them at even distances."""
    kept = np.linspace(0, len(ids) - 1, min(len(ids), most)).round().astype(int)
    return tuple(ids[k] for k in kept)


def _python(kernel: Any) -> Any:
    """Return a kernel's Python function: it is not compiled again for what Python hands it."""
    return getattr(kernel, "py_func", kernel)
