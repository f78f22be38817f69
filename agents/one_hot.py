"""Networks for observations made of one-hot values and bits: a hidden neuron for every value and every combination of them."""

from itertools import product
from math import prod

import numpy as np

from dynlive_rl.builder import NetworkBuilder
from dynlive_rl.kernels.layout import ConnectionRow, NeuronRow
from dynlive_rl.network import Network
from dynlive_rl.rule import LearningRule

from .config import AgentConfig
from .kernels.actor_critic import Settings

Components = tuple[tuple[int, ...], ...]
"""Of every component of an observation, the columns that are 1 for each of its values; -1 - column: for a 0 there."""


def fit(components: Components, config: AgentConfig) -> bool:
    """Tell whether observations are made of such components alone, and of few enough for a cell per combination."""
    return bool(components) and prod(map(len, components)) <= config.cells


def cell_network(
    features: int, components: Components, outputs: int, config: AgentConfig, seed: np.random.SeedSequence
) -> Network:
    """Make a network of cells that never change, and of output neurons that read them, at half of what they may.

    A cell says 1 where all its sources do, else 0. Output neurons keep a reserve: what one value is worth can rise without
    another one's falling, and what was never tried stays what it was.
    """
    rule = LearningRule(step="sgd", growth="signal", reserve=True)
    build = NetworkBuilder(seed, rule=rule, dual_rail=True, memory=1)
    eyes = build.add_inputs(features)
    parts = [[eyes[c] if c >= 0 else eyes[features - 1 - c] for c in columns] for columns in components]
    together = len(parts)
    cells: list[int] = []
    if together > 1:
        values = [eye for part in parts for eye in part]
        cells = build.add_neurons(len(values), "relu", gain=1.0, rate=0.0)
        for j, eye in zip(cells, values, strict=True):
            build.allow(j, sources=eye)
    conjunctions = build.add_neurons(prod(map(len, parts)), "relu", gain=together, strengths="equal", rate=0.0)
    for j, combination in zip(conjunctions, product(*parts), strict=True):
        build.allow(j, sources=combination)
    cells = [*cells, *conjunctions]
    out = build.add_outputs(outputs, "identity", rate=config.cell_rate / len(cells))
    build.allow(out, sources=cells)
    network = build.build()
    arrays = network.arrays
    arrays.neuron[[NeuronRow.THRESHOLD, NeuronRow.TARGET_THRESHOLD]] = 0
    for row in (NeuronRow.THRESHOLD, NeuronRow.TARGET_THRESHOLD):
        arrays.neuron[row, conjunctions] = 1 - 1 / together
    arrays.connection[[ConnectionRow.STRENGTH, ConnectionRow.TARGET_STRENGTH], arrays.first[out[0]] :] *= 0.5
    network.shape_is_fixed = True
    return network


def cell_settings(components: Components, config: AgentConfig) -> Settings:
    """Return a configuration's settings for networks of cells.

    Few of the cells speak at once, so that an output neuron's sum is small: gains make up for it.
    """
    together, conjunctions = len(components), prod(map(len, components))
    cells, active = (conjunctions + sum(map(len, components)), together + 1) if together > 1 else (conjunctions, 1)
    reach = cells / active
    return config.settings()._replace(
        policy_gain=config.policy_gain * reach,
        value_gain_low=config.value_gain_low * reach,
        value_gain_high=config.value_gain_high * reach,
        target_spread=config.target_spread / reach,
        rate_half_life=np.inf,
        neutral=0.5 / reach,
        cells=True,
    )
