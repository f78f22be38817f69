"""A network by hand: five neurons learn exclusive or from rewards alone, and their strengths can be read."""

import numpy as np

from dynlive_rl import LearningRule, NetworkBuilder

build = NetworkBuilder(seed=0, rule=LearningRule(step="adam", learning_rate=0.02, credit_gain=1.0), dual_rail=True)
inputs = build.add_inputs(2)  # ids: each value, and its complement
hidden = build.add_neurons(4, gain=12.0)
out = build.add_outputs(1)
build.allow(hidden, sources=inputs)
build.allow(out, sources=hidden)
net = build.build()

examples = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float)
wanted = np.array([[0], [1], [1], [0]])
for _ in range(500):
    net.rehearse(examples, wanted - net.predict(examples))  # reward: how much more it should have been

names = dict(zip(inputs, ("a", "b", "not a", "not b"), strict=True))
for neuron in [*hidden, *out]:
    sources = zip(net.sources(neuron).tolist(), net.strengths(neuron), strict=True)
    print(f"neuron {neuron} =", " + ".join(f"{w:.2f} · {names.get(i, f'neuron {i}')}" for i, w in sources if w > 0.01))
answers = net.predict(examples).ravel()
print("answers to 00, 01, 10, 11:", answers.round(2))
