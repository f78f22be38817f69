"""docs/algorithm.md: what it names exists, its numbers are the defaults, and its equations are what the kernels compute."""

import re
from dataclasses import asdict
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete
from numpy.testing import assert_allclose

from calls import call_retrace
from dynlive_rl import DynLiveAgent, LearningRule, NetworkBuilder
from dynlive_rl.agents import AgentConfig, LiveConfig
from dynlive_rl.agents.kernels.experience import RowKind, as_singles, new_experience
from dynlive_rl.agents.kernels.progress import new_progress

TEXT = (Path(__file__).parents[1] / "docs" / "algorithm.md").read_text(encoding="utf-8")
REHEARSAL, LIVE = TEXT.split("## 13. Live mode")
NAMES = sorted(set(re.findall(r"`((?:agents|builder|kernels|messages|network)(?:\.\w+)+)`", TEXT)))


# -- what it names ---------------------------------------------------------------------------------------------------


def test_it_names_functions():
    assert len(NAMES) > 50


@pytest.mark.parametrize("name", NAMES)
def test_what_it_names_exists(name):
    assert resolve_name(f"dynlive_rl.{name}")


def leaves(tree):
    """Yield the names and numbers of a configuration, those of its groups too."""
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value)
        else:
            yield name, value


@pytest.mark.parametrize(("text", "config"), [(REHEARSAL, AgentConfig()), (LIVE, LiveConfig())], ids=["agent", "live"])
def test_its_numbers_are_the_defaults(text, config):
    defaults = set(leaves(asdict(config)))
    said = {(name, float(value)) for name, value in re.findall(r"`(\w+) = ([\d_.]+)`", text)}
    assert len(said) > 10
    assert said <= defaults, sorted(said - defaults)


# -- sections 2 to 4: one neuron -------------------------------------------------------------------------------------


def one_neuron(**rule):
    """Return a network of a single sigmoid neuron that reads three values and their complements."""
    build = NetworkBuilder(seed=0, rule=LearningRule(learning_rate=0.02, **rule), dual_rail=True, dtype="float64")
    eyes = build.add_inputs(3)
    neuron = build.add_outputs(1, "sigmoid", gain=5.0, strengths="random", rate=2.0)
    build.allow(neuron, sources=eyes)
    return build.build(), neuron[0]


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


@pytest.mark.parametrize("reserve", [False, True], ids=["simplex", "reserve"])
@pytest.mark.parametrize("step", ["sgd", "adam"])
def test_one_neuron_learns_as_written(step, reserve):
    net, j = one_neuron(step=step, reserve=reserve)
    connected, w, theta, eta_nu, gain = net.sources(j), net.strengths(j), net.threshold(j), 0.02 * 2.0, 5.0
    d1, d2 = 0.9, 0.999
    m, v = np.zeros(7), np.zeros(7)  # of six connections and the threshold
    rng = np.random.default_rng(1)
    for updates in range(1, 30):
        c = rng.uniform(size=3)
        rho = 0.3 * rng.normal()
        x = np.concatenate([c, 1 - c])[connected]
        s = w @ x
        a = sigmoid(gain * (s - theta))
        assert net.propagate(c)[0] == pytest.approx(a, abs=1e-12)
        net.reinforce([rho])

        e = rho * gain * a * (1 - a)
        g = e * x
        signal = np.append(g if reserve else g - g.mean(), e)
        if step == "sgd":
            delta = eta_nu * signal
        else:
            m, v = d1 * m + (1 - d1) * signal, d2 * v + (1 - d2) * signal**2
            delta = eta_nu * m / (1 - d1**updates) / (np.sqrt(v / (1 - d2**updates)) + 1e-8)
        w = np.maximum(w + delta[:-1], 0)
        kept = w > 0  # strength 0 is no connection
        connected, w, m, v = connected[kept], w[kept], m[np.append(kept, True)], v[np.append(kept, True)]
        if not reserve or w.sum() > 1:
            w = w / w.sum()
        theta -= delta[-1]
        assert net.sources(j).tolist() == connected.tolist()
        assert_allclose(net.strengths(j), w, rtol=1e-9)
        assert net.threshold(j) == pytest.approx(theta, rel=1e-9)
    assert len(w) > 1


# -- section 9: a Retrace target -------------------------------------------------------------------------------------


def test_retrace_targets_and_advantages_are_as_written():
    """Four steps of two components, of two and three options; after the second one the episode is truncated."""
    rng = np.random.default_rng(2)
    config = AgentConfig()
    parts = [slice(0, 2), slice(2, 5)]
    taken = np.array([[0, 2], [1, 1], [0, 0], [1, 0], [0, 1], [1, 2]])
    kind = np.array([RowKind.STEP, RowKind.STEP, RowKind.TRUNCATED, RowKind.STEP, RowKind.STEP, RowKind.TERMINATED])
    experience = new_experience(1, 6, as_singles(1), 2)._replace(
        action=taken[None].astype(np.int32),
        probability=rng.uniform(0.2, 1.0, (1, 6, 2)).astype(np.float32),
        reward=rng.normal(size=(1, 6)).astype(np.float32),
        kind=kind[None].astype(np.int8),
        rows=np.array([6]),
    )
    q = rng.normal(size=(5, 6), scale=0.2).astype(np.float32)
    policy = np.vstack([rng.dirichlet(np.ones(n), 6).T for n in (2, 3)])
    out = np.zeros(6, np.float32), np.zeros((5, 6), np.float32), np.zeros((2, 6), np.int64), np.zeros(6, np.int64)
    offsets, where = np.array([0, 2, 5]), np.array([[0], [0]])
    gamma, lambda_, omega = 0.9, 0.95, 2.0
    call_retrace(experience, offsets, where, 6, q, policy, np.zeros(6), gamma, config.settings(), out, new_progress())

    options = taken + offsets[:2]  # k_d among all options
    b, r = experience.probability[0], experience.reward[0]
    V = [np.mean([policy[part, t] @ q[part, t] for part in parts]) for t in range(6)]
    Q = [q[options[t], t].mean() for t in range(6)]
    ratio = [np.prod(policy[options[t], t] / b[t]) for t in range(6)]
    delta = {4: r[4] - Q[4]}  # then it terminated
    delta[3] = r[3] + gamma * (V[4] + lambda_ * min(1, ratio[4]) * delta[4]) - Q[3]
    delta[1] = r[1] + gamma * V[2] - Q[1]  # truncated: the value of the final observation, and no trace
    delta[0] = r[0] + gamma * (V[1] + lambda_ * min(1, ratio[1]) * delta[1]) - Q[0]
    target, advantage = out[0], out[1]
    critic, error = 0.0, 0.0
    for t in (0, 1, 3, 4):
        for d, part in enumerate(parts):
            pi = policy[part, t]
            critic += pi @ ((q[part, t] - pi @ q[part, t]) / 2) ** 2
            chance = pi[taken[t, d]]
            error += chance * (1 - chance) * (min(omega, 1 / b[t, d]) * delta[t]) ** 2
    share = np.clip(16 * critic / error, 1 / 2, 1)
    assert 1 / 2 < share < 1
    for t in (0, 1, 3, 4):
        assert target[t] == pytest.approx(delta[t] + Q[t], abs=1e-5)
        for d, part in enumerate(parts):
            A = (q[part, t] - policy[part, t] @ q[part, t]) / 2
            A[taken[t, d]] += share * min(omega, 1 / b[t, d]) * delta[t]
            assert_allclose(advantage[part, t], A, atol=1e-5)


# -- sections 6 to 8: an action's probability ------------------------------------------------------------------------


def test_an_actions_probability_is_as_written():
    """After a termination choices are no longer repeated, and are the policy's own: that of the newest strengths."""
    agent = DynLiveAgent(observation_space=Box(-np.inf, np.inf, (3,)), action_space=Discrete(4), seed=3)
    rng = np.random.default_rng(3)
    units = [1, 10, 0.1]
    observation = rng.normal(size=3) * units
    seen = [observation]
    for step in range(300):
        action = agent.act(observation)
        observation = rng.normal(size=3) * units
        seen.append(observation)  # the final one of an episode too
        agent.observe(float(action == 2), observation, step % 10 == 8, False)
        if step % 10 == 8:
            observation = rng.normal(size=3) * units
            seen.append(observation)
    action = agent.act(observation)

    o = np.array(seen, np.float32).astype(float)
    c = sigmoid((o[-1] - o.mean(axis=0)) / np.sqrt(o.var(axis=0) + 1e-8))
    net, x = agent.actor, np.concatenate([c, 1 - c])
    hidden = [j for layer in net.layers if layer.kind == "hidden" for j in layer.ids]
    s = np.array([net.strengths(j) @ x[net.sources(j)] for j in hidden])
    a = sigmoid(net.arrays.gain[hidden] * (s - [net.threshold(j) for j in hidden]))
    logits = 20 * np.array([net.strengths(k) @ a[net.sources(k) - hidden[0]] for k in net.output_ids])
    policy = np.exp(logits) / np.exp(logits).sum()
    state = agent.get_state()
    newest = state["experience.rows"][0] - 1
    assert policy.max() > 0.5  # it has learned something
    assert state["experience.action"][0, newest, 0] == action
    assert state["experience.probability"][0, newest, 0] == pytest.approx(policy[action], rel=1e-3)
