"""Networks for observations made of one-hot values and bits: a cell for every value and every combination of them."""

from collections.abc import Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dynlive_rl.builder import NetworkBuilder
from dynlive_rl.kernels.layout import ConnectionRow, NeuronRow
from dynlive_rl.network import Network
from dynlive_rl.rule import LearningRule

from .config import NetworkConfig

Components = tuple[tuple[int, ...], ...]
"""Of every component of an observation, the columns that are 1 for each of its values; -1 - column: for a 0 there."""


def is_applicable(components: Components, config: NetworkConfig) -> bool:
    """Tell whether observations are made of such components alone, and of few enough for a cell per combination."""
    return is_applicable_to_sizes([len(values) for values in components], config)


def is_applicable_to_sizes(sizes: Sequence[int], config: NetworkConfig) -> bool:
    """Tell the same of the numbers of values that components have."""
    return bool(sizes) and (prod(sizes) <= config.cells or are_read_directly(sizes, config))


def are_read_directly(sizes: Sequence[int], config: NetworkConfig) -> bool:
    """Tell whether output neurons read the values of the only component themselves: too many for a cell each."""
    return len(sizes) == 1 and config.cells < sizes[0] <= config.states


def cell_network(
    features: int, components: Components, outputs: int, config: NetworkConfig, seed: np.random.SeedSequence
) -> Network:
    """Make a network of cells that never change, and of output neurons that read them, at half of what they may.

    A cell's output is 1 where all its sources' are, else 0. Output neurons keep a reserve: what one value is worth can rise
    without another one's falling, and what was never tried stays what it was.
    """
    rule = LearningRule(step="sgd", growth="signal", reserve=True)
    build = NetworkBuilder(seed, rule=rule, dual_rail=True, memory=1)
    inputs = build.add_inputs(features)
    parts = [[inputs[c] if c >= 0 else inputs[features - 1 - c] for c in columns] for columns in components]
    together = len(parts)
    value_cells: list[int] = []
    if are_read_directly([len(part) for part in parts], config):
        return _finished(build, parts[0], outputs, config)
    if together > 1:
        values = [source for part in parts for source in part]
        value_cells = build.add_neurons(len(values), "relu", gain=1.0, rate=0.0)
        for j, source in zip(value_cells, values, strict=True):
            build.allow(j, sources=source)
    conjunctions = build.add_neurons(prod(map(len, parts)), "relu", gain=together, strengths="equal", rate=0.0)
    for j, combination in zip(conjunctions, product(*parts), strict=True):
        build.allow(j, sources=combination)
    network = _finished(build, [*value_cells, *conjunctions], outputs, config)
    for row in (NeuronRow.THRESHOLD, NeuronRow.TARGET_THRESHOLD):
        network.arrays.neuron[row, conjunctions] = 1 - 1 / together
    return network


def _finished(build: NetworkBuilder, cells: list[int], outputs: int, config: NetworkConfig) -> Network:
    """Return the network with output neurons that read all cells, and thresholds of 0."""
    out = build.add_outputs(outputs, "identity", rate=config.cell_rate / len(cells))
    build.allow(out, sources=cells)
    network = build.build()
    arrays = network.arrays
    arrays.neuron[[NeuronRow.THRESHOLD, NeuronRow.TARGET_THRESHOLD]] = 0
    arrays.connection[[ConnectionRow.STRENGTH, ConnectionRow.TARGET_STRENGTH], arrays.first[out[0]] :] *= 0.5
    network.shape_is_fixed = True
    return network


def adjust_settings(settings: NDArray[np.void], components: Components) -> None:
    """Change a settings record (1,) into one for networks of cells.

    Few of the cells are active at once, so that an output neuron's sum is small: gains make up for it.
    """
    together, conjunctions = len(components), prod(map(len, components))
    cells, active = (conjunctions + sum(map(len, components)), together + 1) if together > 1 else (conjunctions, 1)
    reach: Any = cells / active
    for name in ("policy_gain", "value_gain_low", "value_gain_high", "target_range"):
        settings[name] *= reach
    for name in ("target_spread", "neutral"):
        settings[name] /= reach
    settings["rate_half_life"] = np.inf
    settings["natural_gradient"] = 1
