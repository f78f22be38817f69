"""Random networks for the tests: any neuron may read any other, itself included."""

import numpy as np

from dynlive_rl import LearningRule, NetworkBuilder, register_activation

OWN = {"bump": (lambda s: 4 * s * (1 - s), lambda s: 4 - 8 * s)}
register_activation("bump", *OWN["bump"])

ACTIVATIONS = ("identity", "square", "power", "relu", "sigmoid", "bump")


def random_network(seed, rule=None, *, dtype="float64", memory=6, connect=None, power=3.0, activations=ACTIVATIONS):
    """A few layers, some of them outputs, every neuron allowed a random set of sources from anywhere."""
    rng = np.random.default_rng(seed)
    rule = rule or LearningRule()
    gain = (1.0, 5.0)
    if rule.constraint == "free":  # slopes so gentle that outputs without bounds stay small on their way round
        activations, gain = ("identity", "relu", "sigmoid"), (0.1, 0.5)
    build = NetworkBuilder(int(seed), rule=rule, dual_rail=bool(rng.integers(2)), memory=memory, dtype=dtype)
    inputs = build.add_inputs(int(rng.integers(1, 4)))
    learners = []

    def add(how, strengths):
        name = str(rng.choice(activations))
        rate = float(rng.choice([0.5, 1.0, 2.0]))
        count = int(rng.integers(1, 4))
        learners.extend(how(count, name, gain=gain, power=power, rate=rate, strengths=strengths))

    for _ in range(rng.integers(1, 4)):
        add(build.add_neurons, "random")
    add(build.add_outputs, "equal")
    if rng.integers(2):
        add(build.add_neurons, "random")  # fires after the first outputs
        add(build.add_outputs, "random")
    everyone = inputs + learners
    for j in learners:
        build.allow(j, sources=rng.choice(everyone, rng.integers(2, len(everyone) + 1), replace=False))
    build.allow(learners[0], sources=[learners[0], inputs[0]])
    return build.build(connect=rng.choice([0.5, 1.0]) if connect is None else connect)


def fill(net, rng, cycles):
    """Run some cycles on random inputs, some of them outside [0, 1]; returns the inputs."""
    inputs = rng.uniform(-0.2, 1.2, (cycles, net.input_count))
    for x in inputs:
        net.propagate(x)
    return inputs
