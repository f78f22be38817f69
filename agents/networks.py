"""The networks of a rehearsing agent whose observations are not one-hot values and bits alone."""

import numpy as np
from numpy.typing import NDArray

from dynlive_rl.builder import NetworkBuilder
from dynlive_rl.kernels.layout import NeuronRow
from dynlive_rl.network import Network

from .config import AgentConfig
from .slow_neurons import Columns


def new_network(
    features: int, outputs: int, config: AgentConfig, seed: np.random.SeedSequence, columns: Columns | None = None
) -> Network:
    """Make a network of one layer of sigmoid neurons that read all features and their complements.

    Those of a recurrent agent read what `columns` say is present, and some of them one slower time constant each: of all
    time constants at once each would only be a small part. The number of observed features decides about the step size.
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
    if columns is None:
        build.allow(hidden, sources=inputs)
    for j, own in zip(hidden, read, strict=False):
        build.allow(j, sources=[inputs[i] for i in (*own, *(features + own))])
    build.allow(out, sources=hidden)
    network = build.build(connect=min(shape.connect, shape.max_fan_in / (2 * max(map(len, read), default=features))))
    network.shape_is_fixed = True  # the learner's arrays are laid out for it
    return network


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
    seen = np.zeros((len(examples), arrays.degree.size), np.float32)
    seen[:, arrays.inputs[0]], seen[:, arrays.inputs[1]] = examples, 1 - examples
    thresholds = [NeuronRow.THRESHOLD, NeuronRow.TARGET_THRESHOLD]
    for count, j in enumerate(arrays.order[: -arrays.outputs.size]):
        row = slice(arrays.first[j], arrays.first[j] + arrays.degree[j])
        drive = seen[:, arrays.source[row]] @ arrays.strength[row]
        if drive.std() > 1e-5:  # otherwise there is nothing to tell apart
            arrays.neuron[thresholds, j] = drive[count % len(drive)]
            arrays.neuron[NeuronRow.GAIN, j] *= max(1.0, drive_spread / float(drive.std()))
