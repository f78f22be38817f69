"""Agents in other forms act as the agent does: all spaces, both modes, in the real onnxruntime and in NumPy alone."""

import json
import subprocess
import sys
from functools import partial

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Dict, Discrete, MultiBinary, MultiDiscrete, Tuple
from numpy.testing import assert_allclose, assert_array_equal

from dynlive_rl import DynLiveAgent, LearningRule
from dynlive_rl.agents import AgentConfig, NetworkConfig
from dynlive_rl.agents.export import export_numpy, export_onnx, policy_of
from dynlive_rl.agents.numpy_policy import NumpyPolicy
from dynlive_rl.agents.spaces import leaves
from dynlive_rl.cli import main
from test_cli import complaint

OBSERVATIONS = {
    "box": Box(-np.inf, np.inf, (3,), np.float32),
    "picture": Box(0, 255, (2, 3), np.uint8),
    "doubles": Box(-1e6, 1e6, (2,), np.float64),
    "discrete": Discrete(5, start=-2),
    "multi": MultiDiscrete([[2, 3], [4, 2]], start=[[0, 1], [-1, 0]]),
    "bits": MultiBinary(4),
    "dict": Dict({"where": Box(-1, 1, (2,)), "what": Discrete(3), "inner": Dict({"flags": MultiBinary(2)})}),
    "tuple": Tuple((Discrete(4), Box(-1, 1, (1, 2)), Discrete(2, start=1))),
}
ACTIONS = {
    "discrete": Discrete(3, start=1),
    "multi": MultiDiscrete([2, 4, 3], start=[0, -1, 5]),
    "bits": MultiBinary((2, 2)),
    "box": Box(np.array([-1, 0], np.float32), np.array([3, 0.5], np.float32)),
    "whole box": Box(-3, 5, (1, 2), np.int8),
}
PAIRS = [*((name, "discrete") for name in OBSERVATIONS), *(("box", name) for name in ACTIONS), ("dict", "multi")]


def taught(observations, actions, mode, steps=160, **settings):
    """An agent that has learned from made-up steps."""
    agent = DynLiveAgent(observation_space=observations, action_space=actions, mode=mode, seed=1, **settings)
    rng = np.random.default_rng(0)
    observations.seed(0)
    for t in range(1, steps + 1):
        agent.act(observations.sample())
        agent.observe(float(rng.normal()), observations.sample(), t % 7 == 0, False)
    return agent


def batch_of(space, count=40):
    """Observations, and the batch of them: an array, or a dict or tuple of batches."""
    space.seed(5)
    ones = [space.sample() for _ in range(count)]
    return ones, stacked(space, ones)


def stacked(space, ones):
    if isinstance(space, Dict):
        return {key: stacked(part, [one[key] for one in ones]) for key, part in space.items()}
    if isinstance(space, Tuple):
        return tuple(stacked(part, [one[k] for one in ones]) for k, part in enumerate(space))
    return np.array(ones)


def numpy_module(agent, folder):
    """What the exported file defines, when nothing but NumPy can be imported from this package."""
    export_numpy(agent, folder / "policy.py")
    names = {"__name__": "policy"}
    text = (folder / "policy.py").read_text()
    assert "dynlive_rl" not in text
    exec(compile(text, "policy.py", "exec"), names)
    return names


def onnx_answers(agent, folder, batch):
    """Actions and probabilities of the exported model."""
    runtime = pytest.importorskip("onnxruntime")
    export_onnx(agent, folder / "policy.onnx")
    session = runtime.InferenceSession(folder / "policy.onnx", providers=["CPUExecutionProvider"])
    parts = {".".join(["observation", *map(str, path)]): path for path, _ in leaves(agent.observation_space)}
    assert {one.name for one in session.get_inputs()} == set(parts)
    feed = {}
    for name, path in parts.items():
        value = batch
        for key in path:
            value = value[key]
        feed[name] = value
    return session.run(["action", "probabilities"], feed)


def sampled_frequencies(agent, observation, count=4000):
    """How often an agent's drawn actions are which, for a Discrete action space that starts at 1."""
    drawn = [int(agent.predict(observation)[0]) for _ in range(count)]
    return np.bincount(drawn, minlength=4)[1:] / count


@pytest.mark.parametrize("mode", ["rehearsal", "live"])
@pytest.mark.parametrize(("observations", "actions"), PAIRS)
def test_both_forms_act_as_the_agent_does(tmp_path, observations, actions, mode):
    agent = taught(OBSERVATIONS[observations], ACTIONS[actions], mode)
    ones, batch = batch_of(agent.observation_space)
    expected = agent.predict(batch, deterministic=True)[0]
    module = numpy_module(agent, tmp_path)
    is_same = assert_array_equal if not agent.interaction.decoder.is_continuous else partial(assert_allclose, atol=1e-5)
    is_same(module["act"](batch), expected, strict=True)
    single = module["act"](ones[3])
    is_same(single, agent.predict(ones[3], deterministic=True)[0])
    assert agent.action_space.contains(single)
    action, probabilities = onnx_answers(agent, tmp_path, batch)
    is_same(action, expected, strict=True)
    assert_allclose(probabilities, module["probabilities"](batch), rtol=1e-5, atol=2e-6)
    sums = np.add.reduceat(probabilities, np.cumsum([0, *agent.interaction.decoder.num_actions[:-1]]), axis=1)
    assert_allclose(sums, 1, rtol=1e-5)


@pytest.mark.parametrize("mode", ["rehearsal", "live"])
def test_probabilities_are_those_the_agent_draws_by(tmp_path, mode):
    agent = taught(OBSERVATIONS["box"], ACTIONS["discrete"], mode, steps=300)
    module = numpy_module(agent, tmp_path)
    observation = [0.3, -0.2, 0.9]
    probabilities = module["probabilities"](observation)
    assert_allclose(sampled_frequencies(agent, observation), probabilities, atol=0.04)
    rng = np.random.default_rng(0)
    drawn = module["act"](np.array([observation] * 4000), rng)
    assert_allclose(np.bincount(drawn, minlength=4)[1:] / 4000, probabilities, atol=0.04)
    assert drawn.min() >= 1
    assert isinstance(module["act"](observation, rng), int)


@pytest.mark.parametrize("rule", [{"aggregation": "mean"}, {"constraint": "free"}])
def test_other_rules_are_written_too(tmp_path, rule):
    config = AgentConfig(network=NetworkConfig(rule=LearningRule(step="adam", **rule)))
    agent = taught(OBSERVATIONS["box"], ACTIONS["discrete"], "rehearsal", config=config)
    _, batch = batch_of(agent.observation_space)
    expected = agent.predict(batch, deterministic=True)[0]
    assert_array_equal(numpy_module(agent, tmp_path)["act"](batch), expected)
    assert_array_equal(onnx_answers(agent, tmp_path, batch)[0], expected)


def test_offsets_that_single_precision_blurs_are_scaled_alike(tmp_path):
    """A sum of a million and a thousandth is told apart by the statistics, in double precision."""
    agent = taught(Box(-np.inf, np.inf, (2,), np.float32), ACTIONS["discrete"], "rehearsal", steps=10)
    scaler = agent.interaction.learner.state.scaler
    scaler[1], scaler[2] = 70_000.0, 0.01
    batch = np.float32(70_000) + np.linspace(-0.3, 0.3, 40, dtype=np.float32).reshape(20, 2)
    expected = agent.predict(batch, deterministic=True)[0]
    assert_array_equal(numpy_module(agent, tmp_path)["act"](batch), expected)
    assert_array_equal(onnx_answers(agent, tmp_path, batch)[0], expected)


def test_the_spec_is_plain_and_the_class_takes_it():
    agent = taught(OBSERVATIONS["tuple"], ACTIONS["multi"], "live")
    spec, arrays = policy_of(agent)
    policy = NumpyPolicy(json.loads(json.dumps(spec)), arrays)
    one = (2, np.array([[0.5, -0.5]]), 1)
    assert_array_equal(policy.act(one), agent.predict(one, deterministic=True)[0])
    assert policy.probabilities(one).shape == (2 + 4 + 3,)


# -- the command -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pole(tmp_path_factory):
    file = tmp_path_factory.mktemp("export") / "pole.dynlive"
    DynLiveAgent("CartPole-v1", seed=0).learn(300, progress_bar=False).save(file)
    return file


PLAY = """
import sys
import gymnasium
import pole
env = gymnasium.make("CartPole-v1")
observation, _ = env.reset(seed=1)
whole, done = 0.0, False
while not done:
    observation, reward, terminated, truncated, _ = env.step(pole.act(observation))
    whole, done = whole + reward, terminated or truncated
print(whole, "numba" in sys.modules)
"""


def test_the_numpy_file_plays_an_episode_by_itself(capsys, pole):
    out = pole.with_suffix(".py")
    assert main(["export", str(pole), "--format", "numpy"]) == 0
    assert capsys.readouterr().out == f"wrote {out}\n"
    assert "What a DynLive agent learned in 300 steps in CartPole-v1" in out.read_text().splitlines()[0]
    done = subprocess.run([sys.executable, "-c", PLAY], cwd=pole.parent, capture_output=True, text=True, check=True)
    expected = DynLiveAgent.load(pole).evaluate(1, env="CartPole-v1", seed=1)
    assert done.stdout == f"{expected.mean} False\n"


def test_the_onnx_file_says_what_it_is(capsys, pole):
    onnx = pytest.importorskip("onnx")
    out = pole.parent / "deep.onnx"
    assert main(["export", str(pole), "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"file": str(pole), "format": "onnx", "out": str(out)}
    model = onnx.load(out)
    onnx.checker.check_model(model, full_check=True)
    assert model.producer_name == "dynlive-rl"
    assert model.graph.doc_string.startswith("What a DynLive agent learned in 300 steps in CartPole-v1")


def test_bad_input_to_export(capsys, pole, tmp_path, monkeypatch):
    said = complaint(capsys, "export", pole, "--format", "numpy", "--out", tmp_path / "x.onnx")
    assert said == f"dynlive: --out must end in .py for --format numpy, not '{tmp_path / 'x.onnx'}'"
    assert "there is no folder" in complaint(capsys, "export", pole, "--out", tmp_path / "no" / "x.onnx")
    monkeypatch.setitem(sys.modules, "onnx", None)
    monkeypatch.delitem(sys.modules, "dynlive_rl.agents.onnx_graph", raising=False)
    assert complaint(capsys, "export", pole).endswith('pip install "dynlive-rl[tools]"')


def test_a_trained_agent_of_every_kind_keeps_its_return(tmp_path):
    """Exported from a file, in a real environment: the returns of the first episodes are the agent's."""
    agent = DynLiveAgent("FrozenLake-v1", seed=0).learn(400, progress_bar=False)
    agent.save(tmp_path / "lake.dynlive")
    module = numpy_module(DynLiveAgent.load(tmp_path / "lake.dynlive"), tmp_path)
    env = gym.make("FrozenLake-v1", is_slippery=False)
    observation, _ = env.reset(seed=0)
    for _ in range(20):
        action = module["act"](observation)
        assert action == agent.predict(observation, deterministic=True)[0]
        observation, _, terminated, truncated, _ = env.step(action)
        if terminated or truncated:
            break


@pytest.mark.parametrize("mode", ["rehearsal", "live"])
def test_observations_that_are_told_apart_by_ranks_are_in_other_forms_too(mode, tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    rng = np.random.default_rng(0)
    observations = np.sinh(8 * rng.uniform(-1, 1, (400, 2))).astype(np.float32)
    observations[:, 1] = np.round(observations[:, 1])  # many are equal
    agent = DynLiveAgent(observation_space=Box(-np.inf, np.inf, (2,)), action_space=Discrete(3), mode=mode, seed=1)
    for t, observation in enumerate(observations[:-1], start=1):
        agent.act(observation)
        agent.observe(float(rng.normal()), observations[t], t % 7 == 0, False)
    assert agent.get_state()["scaler.ranked"].min() > 0
    asked = np.concatenate([observations, [[1e9, -1e9], [0, 0]]]).astype(np.float32)
    expected, _ = agent.predict(asked, deterministic=True)
    policy = NumpyPolicy(*policy_of(agent))
    assert (policy.act(asked) == expected).mean() >= 0.99
    export_onnx(agent, tmp_path / "policy.onnx")
    session = runtime.InferenceSession(tmp_path / "policy.onnx")
    action, probabilities = session.run(["action", "probabilities"], {"observation": asked})
    assert (action == expected).mean() >= 0.99
    assert_allclose(probabilities, policy.probabilities(asked), atol=1e-4)
