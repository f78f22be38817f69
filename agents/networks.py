"""The networks of a rehearsing agent whose observations are not one-hot values and bits alone."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from dynlive_rl.builder import NetworkBuilder
from dynlive_rl.kernels.layout import NeuronRow
from dynlive_rl.network import Network

from .config import AgentConfig


def new_network(
    features: int, outputs: int, config: AgentConfig, seed: np.random.SeedSequence, observed: int | None = None
) -> Network:
    """Make a network of one layer of sigmoid neurons that read all features and their complements.

    So many features as are observed, by default all, decide about the step size.
    """
    shape = config.network
    build = NetworkBuilder(seed, rule=shape.rule, dual_rail=True, memory=1)
    inputs = build.add_inputs(features)
    # A strength averages 1 / (2 · features), and a neuron is moved by all of them together: steps as long as where there are
    # few features would wipe out what they tell.
    rate = min(1.0, shape.full_rate_inputs / min(observed or features, shape.max_fan_in // 2)) ** 2
    hidden = build.add_neurons(shape.hidden, "sigmoid", gain=(shape.gain_low, shape.gain_high), rate=rate)
    out = build.add_outputs(outputs, "identity", rate=rate * config.optimisation.output_rate / shape.hidden)
    build.allow(hidden, sources=inputs)
    build.allow(out, sources=hidden)
    network = build.build(connect=min(shape.connect, shape.max_fan_in / (2 * features)))
    # All that there may be at first. Growth beyond takes what pruning sets free: connections go where they carry more, and a
    # step costs no more than at first.
    most = shape.hidden * (min(2 * features, shape.max_fan_in) + outputs)
    network.rule = replace(network.rule, max_connections=min(most, network.rule.max_connections or most))
    network.shape_is_fixed = True  # the learner's arrays are laid out for it
    return network


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
