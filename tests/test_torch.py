"""Free strengths are the classical network: an independent source, PyTorch, finds the same gradients and the same steps."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

from dynlive_rl import LearningRule, NetworkBuilder

torch = pytest.importorskip("torch")
ACT = {"identity": lambda z: z, "relu": torch.relu, "sigmoid": torch.sigmoid}


def classical(rule, activation, *, recurrent=False, seed=0):
    """Two hidden layers and an output layer; a recurrent one reads all hidden neurons of the cycle before."""
    build = NetworkBuilder(seed, rule=rule, dtype="float64")
    inputs = build.add_inputs(3)
    first = build.add_neurons(5, activation)
    second = build.add_neurons(4, activation, gain=2.0)
    out = build.add_outputs(2, "identity", strengths="random")
    build.allow(first, sources=[*inputs, *first, *second] if recurrent else inputs)
    build.allow(second, sources=first)
    build.allow(out, sources=[*second, *inputs])
    net = build.build()
    if rule.constraint == "free":
        net.arrays.threshold[:] = np.random.default_rng(seed).normal(0, 0.3, net.neurons)
    return net


class Twin:
    """Weights (n, n), biases and gains of a network in PyTorch, run cycle by cycle."""

    def __init__(self, net):
        self.net, n = net, net.neurons
        weights = np.zeros((n, n))
        for layer in net.layers[1:]:
            for j in layer.ids:
                weights[j, net.sources(j)] = net.strengths(j)
        self.weights = torch.tensor(weights, requires_grad=True)
        self.threshold = torch.tensor(net.arrays.threshold.copy(), requires_grad=True)
        self.gain = torch.tensor(net.arrays.gain.copy())

    def run(self, sequences):
        """sequences (b, t, i) → outputs (b, t, o)."""
        b, cycles, _ = sequences.shape
        past = torch.zeros(b, self.net.neurons, dtype=torch.float64)
        outputs = []
        for t in range(cycles):
            now = {i: torch.tensor(sequences[:, t, k]) for k, i in enumerate(self.net.layers[0].ids)}
            place = {j: p for p, layer in enumerate(self.net.layers) for j in layer.ids}
            for layer in self.net.layers[1:]:
                for j in layer.ids:
                    z = sum(
                        self.weights[j, i] * (now[i] if place[i] < place[j] else past[:, i])
                        for i in self.net.sources(j).tolist()
                    )
                    now[j] = ACT[layer.activation](self.gain[j] * (z - self.threshold[j]))
            past = torch.stack([now[j] for j in range(self.net.neurons)], dim=1)
            outputs.append(past[:, list(self.net.output_ids)])
        return torch.stack(outputs, dim=1)

    def assert_same(self):
        for layer in self.net.layers[1:]:
            for j in layer.ids:
                expected = self.weights.detach().numpy()[j, self.net.sources(j)]
                assert_allclose(self.net.strengths(j), expected, rtol=0, atol=1e-6)
                assert_allclose(self.net.threshold(j), self.threshold[j].item(), rtol=0, atol=1e-6)


@pytest.mark.parametrize("recurrent", [False, True])
@pytest.mark.parametrize("activation", ACT)
@pytest.mark.parametrize("step", ["sgd", "adam"])
def test_twenty_steps_are_those_of_pytorch(step, activation, recurrent):
    net = classical(LearningRule(constraint="free", step=step, learning_rate=0.01), activation, recurrent=recurrent)
    twin = Twin(net)
    how = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam}[step]
    optimiser = how([twin.weights, twin.threshold], lr=0.01)
    rng = np.random.default_rng(0)
    for _ in range(20):
        x = rng.normal(size=(4, 3 if recurrent else 1, 3))
        target = rng.normal(size=(*x.shape[:2], 2))
        y = twin.run(x)
        rewards = target - y.detach().numpy()  # less the gradient of half the squared error
        assert_allclose(net.rehearse(x, rewards), y.detach().numpy(), rtol=0, atol=1e-6)
        optimiser.zero_grad()
        (0.5 * (torch.tensor(target) - y).square().sum()).backward()
        optimiser.step()
        twin.assert_same()


@pytest.mark.parametrize("activation", ["identity", "sigmoid"])
def test_on_the_simplex_the_step_is_pytorchs_gradient_less_its_mean(activation):
    rate = 1e-3
    net = classical(LearningRule(credit_gain=1.0, learning_rate=rate), activation)
    twin = Twin(net)
    x = np.random.default_rng(0).uniform(0.2, 0.8, (4, 1, 3))
    before = {j: net.strengths(j) for layer in net.layers[1:] for j in layer.ids}
    y = twin.run(x)
    y.sum().backward()
    assert_allclose(net.rehearse(x, np.ones((4, 1, 2))), y.detach().numpy(), rtol=0, atol=1e-12)
    for j, strengths in before.items():
        gradient = twin.weights.grad[j, net.sources(j)].numpy()
        moved = strengths + rate * (gradient - gradient.mean())
        assert moved.min() > 0
        assert_allclose(net.strengths(j), moved, rtol=0, atol=1e-9)


def test_one_live_cycle_is_pytorchs_step_too():
    net = classical(LearningRule(constraint="free", learning_rate=0.1), "sigmoid")
    twin = Twin(net)
    x = np.array([0.3, -2.0, 1.5])
    net.propagate(x)
    net.reinforce([1.0, -0.5])
    y = twin.run(x[None, None])
    (y[0, 0, 0] - 0.5 * y[0, 0, 1]).backward()
    with torch.no_grad():
        twin.weights += 0.1 * twin.weights.grad
        twin.threshold += 0.1 * twin.threshold.grad
    twin.assert_same()
