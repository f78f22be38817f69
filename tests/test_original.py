"""The original rule, by hand."""

import numpy as np
from numpy.testing import assert_allclose

from dynlive_rl import LearningRule, NetworkBuilder
from networks import reader


def original(count=2, **settings):
    settings = {"learning_rate": 0.1, "growth_probability": 0.0} | settings
    return reader(count, activation="square", rule=LearningRule(kind="original", **settings))


def test_the_original_rule_squares_and_adds_rate_times_reward_times_input():
    net = original()
    assert net.propagate([1.0, 0.5]) == [0.5625]  # (0.5 + 0.25)²
    net.reinforce([1.0])
    # 0.5 + 0.1 · 1 = 0.6 and 0.5 + 0.1 · 0.5 = 0.55, divided by 1.15
    assert_allclose(net.strengths(2), [0.6 / 1.15, 0.55 / 1.15], rtol=1e-14)


def test_the_original_rule_takes_the_mean_of_products_where_asked():
    assert original(aggregation="mean").propagate([1.0, 0.5]) == [0.140625]  # (0.75 / 2)²


def test_the_original_rule_clips_at_0_and_removes_the_connection():
    net = original(learning_rate=1.0)
    net.propagate([1.0, 0.5])
    net.reinforce([-0.6])  # 0.5 - 0.6 < 0; 0.5 - 0.3 = 0.2
    assert net.sources(2).tolist() == [1]
    assert net.strengths(2).tolist() == [1.0]


def test_the_original_rule_removes_what_falls_to_its_floor():
    net = original(learning_rate=1.0, prune_floor=0.25)
    net.propagate([0.5, 0.25])
    net.reinforce([-0.5])  # 0.5 - 0.25 = 0.25 goes, 0.5 - 0.125 stays
    assert net.sources(2).tolist() == [1]


def test_the_original_rule_shares_its_reward_equally_among_connected_sources():
    build = NetworkBuilder(
        0, rule=LearningRule(kind="original", learning_rate=0.1, growth_probability=0.0), dtype="float64"
    )
    eyes = build.add_inputs(2)
    hidden = [build.add_neurons(1, strengths="equal")[0] for _ in range(2)]
    out = build.add_outputs(1)
    build.allow(hidden, sources=eyes)
    build.allow(out, sources=hidden)
    net = build.build()
    assert net.propagate([1.0, 0.0]) == [0.0625]  # 0.5² = 0.25 in both, 0.25² at the end
    net.reinforce([1.0])
    assert_allclose(net.strengths(out[0]), [0.5, 0.5])  # both got 0.1 · 0.25
    for j in hidden:  # half the reward each: 0.5 + 0.1 · 0.5 · 1, divided by 1.05
        assert_allclose(net.strengths(j), [0.55 / 1.05, 0.5 / 1.05], rtol=1e-14)
    net.reinforce([1.0], hops=1)
    assert_allclose(net.strengths(hidden[0]), [0.55 / 1.05, 0.5 / 1.05], rtol=1e-14)


def test_the_original_rule_brings_missing_connections_back_only_after_negative_reward():
    net = original(3, learning_rate=1e-9, growth_probability=1.0, growth_strength=0.05)
    net.arrays.degree[3] = 1
    net.arrays.strength[:] = [1.0, 0.0, 0.0]
    net.propagate([0.5, 0.5, 0.5])
    net.reinforce([1.0])
    assert net.connections == 1
    net.reinforce([-1.0])
    assert net.connections == 3
    w = net.strengths(3)
    assert_allclose(w.sum(), 1)
    assert (w[1:] / w[0] <= 0.05 + 1e-6).all()
    assert w[1] != w[2]


def test_the_original_rule_grows_as_often_as_its_probability_says():
    grown = 0
    for seed in range(5):
        rule = LearningRule(kind="original", learning_rate=1e-9, growth_probability=0.1)
        build = NetworkBuilder(seed, rule=rule, dtype="float64")
        out, eyes = build.add_outputs(1), build.add_inputs(400)
        build.allow(out, sources=eyes)
        net = build.build(connect=0.0025)
        net.propagate(np.zeros(400))
        net.reinforce([-1.0])
        grown += net.connections - 2
    assert 150 < grown < 250  # 5 · 398 · 0.1 = 199, deviation 13
