"""The networks of a rehearsing agent whose observations are not one-hot values and bits alone."""

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from math import prod

import numpy as np
from numpy.typing import NDArray

from dynlive_rl.builder import NetworkBuilder
from dynlive_rl.kernels.layout import NeuronRow
from dynlive_rl.network import Network

from .config import AgentConfig
from .slow_neurons import Columns


def new_network(
    features: int,
    outputs: int,
    config: AgentConfig,
    seed: np.random.SeedSequence,
    columns: Columns | None = None,
    parts: Sequence[tuple[int, ...]] | None = None,
) -> Network:
    """Make a network of one layer of sigmoid neurons that read features and their complements: all, or a neighbourhood.

    Those of a recurrent agent read what `columns` say is present, and some of them one slower time constant each: of all
    time constants at once each would only be a small part. The number of observed features decides about the step size.

    Parameters
    ----------
    features, outputs
        Numbers of features f and of output neurons.
    config
        The configuration.
    seed
        Seed of first strengths, thresholds, gains and neighbourhoods.
    columns
        Where the slow neurons of a recurrent agent are.
    parts
        Shapes of the parts of an observation, in their order. Default: one of all features.
    """
    shape = config.network
    observed = features if columns is None else columns.observed
    read = [] if columns is None else reading(columns, shape.hidden, config.recurrence.present_share)
    build = NetworkBuilder(seed, rule=shape.rule, dual_rail=True, memory=1)
    inputs = build.add_inputs(features)
    # A strength averages 1 / (2 · features), and a neuron is moved by all of them together: steps as long as where there are
    # few features would wipe out what they tell.
    rate = min(1.0, shape.full_rate_inputs / min(observed, shape.max_fan_in // 2)) ** 2
    hidden = build.add_neurons(shape.hidden, "sigmoid", gain=(shape.gain_low, shape.gain_high), rate=rate)
    out = build.add_outputs(outputs, "identity", rate=rate * config.optimisation.output_rate / shape.hidden)
    if columns is None and 2 * features > shape.max_sources:
        random = np.random.default_rng(seed.spawn(1)[0])
        shapes = parts or [(features,)]
        read = [neighbourhood(shapes, shape.max_sources // 2, random) for _ in hidden]
    elif columns is None:
        build.allow(hidden, sources=inputs)
    for j, own in zip(hidden, read, strict=False):
        build.allow(j, sources=[inputs[i] for i in (*own, *(features + own))])
    build.allow(out, sources=hidden)
    sources = 2 * max(map(len, read), default=features)
    network = build.build(connect=min(shape.connect, shape.max_fan_in / sources))
    if columns is None:
        # All that there may be at first. Growth beyond takes what pruning sets free: connections go where they carry more,
        # and a step costs no more than at first.
        most = shape.hidden * (min(sources, shape.max_fan_in) + outputs)
        network.rule = replace(network.rule, max_connections=min(most, network.rule.max_connections or most))
    network.shape_is_fixed = True  # the learner's arrays are laid out for it
    return network


def neighbourhood(shapes: Sequence[tuple[int, ...]], count: int, random: np.random.Generator) -> NDArray[np.int64]:
    """Return `count` of an observation's values: of every part the same number, around a random place, or all it has.

    Near is what differs little in every index: pixels of a patch, in all their colours.

    Parameters
    ----------
    shapes
        Of the parts, which follow one another.
    count
        How many to return, less than there are.
    random
        Where the places come from.
    """
    sizes = [prod(shape) for shape in shapes]
    firsts = np.cumsum([0, *sizes])
    chosen, left = [], count
    for waiting, k in zip(range(len(sizes), 0, -1), np.argsort(sizes, kind="stable"), strict=True):
        share = min(sizes[k], left // waiting)
        left -= share
        if share < sizes[k]:
            place = [random.integers(length) for length in shapes[k]]
            axes = [abs(np.arange(length) - at) for length, at in zip(shapes[k], place, strict=True)]
            distance = np.zeros(shapes[k], np.int64)
            for axis in np.ix_(*axes):
                np.maximum(distance, axis, out=distance)
            chosen.append(firsts[k] + np.argsort(distance.ravel(), kind="stable")[:share])
        else:
            chosen.append(np.arange(firsts[k], firsts[k + 1]))
    return np.sort(np.concatenate(chosen))


def reading(columns: Columns, hidden: int, present_share: float) -> list[NDArray[np.int64]]:
    """Return the features that each hidden neuron of a recurrent agent may read: every time constant is some neurons'."""
    result = []
    for j in range(hidden):
        others = int((j + 1) * (1 - present_share)) if columns.slower else 0
        is_slow = others > int(j * (1 - present_share))
        slower = [columns.slower[(others - 1) % len(columns.slower)]] if is_slow else []
        result.append(np.concatenate([columns.present, *slower]))
    return result


def fit_to_examples(network: Network, examples: NDArray[np.float32], drive_spread: float) -> None:
    """Set each hidden neuron's threshold at a random example, and raise its gain where examples hardly move it.

    A single active one-hot input changes the weighted sum far less than a few continuous inputs do. Examples have shape
    (m, f).
    """
    arrays = network.arrays
    features = examples.shape[1]
    thresholds = [NeuronRow.THRESHOLD, NeuronRow.TARGET_THRESHOLD]
    for count, j in enumerate(arrays.order[: -arrays.outputs.size]):
        row = slice(arrays.first[j], arrays.first[j] + arrays.degree[j])
        source = arrays.source[row]
        seen = examples[:, source % features]
        drive = np.where(source < features, seen, 1 - seen) @ arrays.strength[row]
        if drive.std() > 1e-5:  # otherwise there is nothing to tell apart
            arrays.neuron[thresholds, j] = drive[count % len(drive)]
            arrays.neuron[NeuronRow.GAIN, j] *= max(1.0, drive_spread / float(drive.std()))


def new_networks(
    features: int,
    outputs: int,
    config: AgentConfig,
    seeds: Sequence[np.random.SeedSequence],
    columns: Columns | None,
    parts: Sequence[tuple[int, ...]],
    examples: NDArray[np.float32] | None,
) -> list[Network]:
    """Make a critic and an actor, fitted to examples (m, f) if there are any; else as in `new_network`.

    Where neurons read neighbourhoods, both networks are alike at first: half as many values have to be encoded.
    """
    if columns is None and 2 * features > config.network.max_sources:
        seeds = [seeds[0]] * len(seeds)
    networks = [new_network(features, outputs, config, copy(seed), columns, parts) for seed in seeds]
    if examples is not None:
        for network in networks:
            fit_to_examples(network, examples, config.network.drive_spread)
    return networks


def connection_ids(*networks: Network) -> NDArray[np.int64]:
    """Return a number for every connection (c,) of networks alike, which stays the same as long as there is the connection."""
    ids = []
    for k, network in enumerate(networks):
        arrays = network.arrays
        rows = np.repeat(np.arange(arrays.degree.size), np.diff(arrays.first))
        connected = np.arange(rows.size) - arrays.first[rows] < arrays.degree[rows]
        reader = rows[connected] + k * arrays.degree.size
        ids.append(reader * arrays.degree.size + arrays.source[: rows.size][connected])
    return np.concatenate(ids)
