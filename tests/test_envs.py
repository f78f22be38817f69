"""Environments whose world changes: the contract, the physics, and what changes when."""

import re
import warnings
from itertools import pairwise
from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete, MultiBinary, MultiDiscrete
from gymnasium.utils.env_checker import check_env
from numpy.testing import assert_allclose, assert_array_equal

import dynlive_rl.envs
from dynlive_rl import DynLiveAgent
from dynlive_rl.cli import main
from dynlive_rl.envs import (
    Chain,
    ChangingActions,
    ChangingSensors,
    Cycle,
    Draw,
    DriftCartPole,
    changing_cartpole,
    world_at,
)
from dynlive_rl.envs.plugins import load_plugins
from worlds import Bandit

# A study's environments have a number in their names, and are registered where its scripts were imported.
IDS = sorted(name for name in gym.registry if re.fullmatch(r"DynLive/\D+-v0", name))


# -- the contract --------------------------------------------------------------------------------------------------


def test_all_are_registered():
    assert len(IDS) == 12
    assert gym.make("dynlive_rl.envs:DynLive/DriftCartPole-v0").spec.max_episode_steps == 500


@pytest.mark.parametrize("name", IDS)
def test_the_contract_is_kept(name):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        check_env(gym.make(name), skip_render_check=True)
    usual = ("Box observation space", "is different from the unwrapped version")  # CartPole's own; that it is wrapped
    assert [w for w in caught if not any(words in str(w.message) for words in usual)] == []


def walk(env, actions, seed):
    """Everything that happens with these actions, resets included."""
    seen = [env.reset(seed=seed)]
    for action in actions:
        seen.append(env.step(action))
        if seen[-1][2] or seen[-1][3]:
            seen.append(env.reset())
    return seen


def assert_same(one, other):
    for a, b in zip(one, other, strict=True):
        assert_array_equal(a[0], b[0])
        assert a[1:] == b[1:]


@pytest.mark.parametrize("name", IDS)
def test_a_seeded_reset_begins_the_life_again(name):
    env, actions = gym.make(name), np.random.default_rng(0).integers(2, size=300)
    first = walk(env, actions, seed=5)
    assert_same(first, walk(env, actions, seed=5))
    assert_same(first, walk(gym.make(name), actions, seed=5))


@pytest.mark.parametrize("name", IDS)
def test_copies_are_the_same_environments(name):
    agent = DynLiveAgent(gym.make(name), seed=0)
    result = agent.evaluate(3, seed=1)
    assert_array_equal(result.returns, agent.evaluate(3, seed=1).returns)
    assert (result.lengths <= (agent.env.spec.max_episode_steps or 200)).all()


# -- schedules -----------------------------------------------------------------------------------------------------


def test_draws_jump_when_they_should():
    draw = Draw(2.0, 3.0, every=10, before=0.5, first=4)
    values = np.array([draw.at(t, (1, 2)) for t in range(34)])
    assert (values[:4] == 0.5).all()
    for k in range(3):
        assert np.unique(values[4 + 10 * k : 14 + 10 * k]).size == 1
    assert np.unique(values).size == 4
    assert ((values[4:] >= 2) & (values[4:] <= 3)).all()
    assert draw.bounds == (0.5, 3.0)
    assert values.tolist() != [draw.at(t, (1, 3)) for t in range(34)]
    assert values.tolist() != [draw.at(t, (2, 2)) for t in range(34)]


def test_draws_drift_in_straight_lines():
    draw = Draw(-1.0, 1.0, every=10, smooth=True)
    values = np.array([draw.at(t, (0, 0)) for t in range(51)])
    assert values[0] == 0
    for k in range(5):
        steps = np.diff(values[10 * k : 10 * k + 11])
        assert_allclose(steps, steps[0], atol=1e-12)
    assert np.unique(np.round(np.diff(values), 12)).size == 5
    corners = [Draw(-1.0, 1.0, every=10).at(10 * k, (0, 0)) for k in range(1, 6)]
    assert_allclose(values[10::10], corners)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: Cycle((), 5), r"values must be one or more finite numbers, not \(\)"),
        (lambda: Cycle((1.0,), 0), "every must be a whole number of steps ≥ 1, not 0"),
        (lambda: Cycle(3.0, 5), "values must be one or more finite numbers, such as .0, 1., not 3.0"),
        (lambda: Draw(0, 1, every=5, before=np.nan), "before must be a finite number, not nan"),
        (lambda: Draw(0, 1, every=5, first=-3), "first must be a whole number ≥ 0, not -3"),
        (lambda: Draw(0, 1, every=5, first=2.5), "first must be a whole number ≥ 0, not 2.5"),
        (lambda: DriftCartPole(force="long"), "force must be a finite number, a Cycle or a Draw, not 'long'"),
        (lambda: Draw(2, 1, every=5), "low and high must be finite with low ≤ high, not 2 and 1"),
        (lambda: DriftCartPole(gravity=-1.0), "gravity must always be above 0, not -1.0"),
        (lambda: DriftCartPole(half_length=Draw(0, 1, every=5)), "half_length must always be above 0, not Draw"),
        (lambda: DriftCartPole(friction=Cycle((0, -1), 5)), "friction must never be below 0, not Cycle"),
        (lambda: DriftCartPole(force=np.nan), "force must be a finite number, a Cycle or a Draw, not nan"),
        (lambda: DriftCartPole(world=-1), "world must be a whole number ≥ 0, not -1"),
        (lambda: DriftCartPole(start=0.5), "start must be a whole number ≥ 0, not 0.5"),
        (
            lambda: ChangingSensors(Chain(), scale=0.0),
            r"sensors can only change in a Box of floats, not Discrete\(20\)",
        ),
        (lambda: ChangingSensors(DriftCartPole(), scale=0.0, sensor=4), "sensor must be in -1 to 3, not 4"),
        (lambda: ChangingActions(Bandit(Box(0, np.inf), 0), swap=1.0), "finite Box actions can be swapped, not "),
        (lambda: Chain(length=1), "length must be a whole number of states ≥ 2, not 1"),
    ],
)
def test_what_cannot_be_is_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()


# -- physics -------------------------------------------------------------------------------------------------------


def test_with_its_defaults_it_is_cartpole():
    actions = np.random.default_rng(0).integers(2, size=500)
    ours, theirs = walk(gym.make("DynLive/JumpCartPole-v0"), actions, 3), walk(gym.make("CartPole-v1"), actions, 3)
    for one, other in zip(ours, theirs, strict=True):
        assert_array_equal(one[0], other[0])
        assert one[1:-1] == other[1:-1]


def accelerations(state, force, g, half, friction, pole_friction):
    """Barto, Sutton & Anderson's equations as they stand, with CartPole-v1's masses."""
    _, velocity, angle, turning = state
    cart, pole = 1.0, 0.1
    s, c = np.sin(angle), np.cos(angle)
    pushed = (-force - pole * half * turning**2 * s + friction * np.sign(velocity)) / (cart + pole)
    turn = (g * s + c * pushed - pole_friction * turning / (pole * half)) / (
        half * (4 / 3 - pole * c**2 / (cart + pole))
    )
    push = (force + pole * half * (turning**2 * s - turn * c) - friction * np.sign(velocity)) / (cart + pole)
    return push, turn


@pytest.mark.parametrize(
    "physics",
    [
        {},
        {"half_length": 0.2, "gravity": 5.0, "force": 17.0},
        {"friction": 0.7, "pole_friction": 0.003, "half_length": 0.9},
        {"friction": Draw(0, 1, every=3), "gravity": Draw(5, 15, every=7, smooth=True)},
    ],
    ids=str,
)
def test_the_cart_follows_the_equations(physics):
    env, rng = DriftCartPole(**physics), np.random.default_rng(1)
    env.reset(seed=2)
    env.theta_threshold_radians = np.pi
    for _ in range(40):
        before = env.state.astype(float)
        action = int(rng.integers(2))
        observation, *_, info = env.step(action)
        force = info["force"] * (2 * action - 1)
        push, turn = accelerations(
            before, force, info["gravity"], info["half_length"], info["friction"], info["pole_friction"]
        )
        expected = before + 0.02 * np.array([before[1], push, before[3], turn])
        assert_allclose(env.state, expected, rtol=1e-12, atol=1e-13)
        assert_allclose(observation, expected, rtol=1e-6)


def test_the_world_changes_over_the_lifetime_and_not_with_episodes():
    env = gym.make("DynLive/JumpCartPole-v0", half_length=Draw(0.2, 0.4, every=100, before=0.5))
    lengths = [seen[-1]["half_length"] for seen in walk(env, [1] * 350, seed=0) if len(seen) == 5]
    assert len(lengths) == 350
    assert set(lengths[:100]) == {0.5}
    assert [len(set(lengths[100 * k : 100 * (k + 1)])) for k in range(3)] == [1, 1, 1]
    assert len(set(lengths)) == 4
    later = gym.make("DynLive/JumpCartPole-v0", half_length=Draw(0.2, 0.4, every=100, before=0.5), start=210)
    assert later.reset(seed=9)[1]["half_length"] == lengths[210]
    elsewhere = gym.make("DynLive/JumpCartPole-v0", half_length=Draw(0.2, 0.4, every=100), start=210, world=1)
    assert elsewhere.reset(seed=9)[1]["half_length"] != lengths[210]


def test_all_the_changes_come_in_turn():
    worlds = []
    for k in range(50):
        env = changing_cartpole(**gym.spec("DynLive/ChangingCartPole-v0").kwargs, start=5_000 * k)
        info = env.reset(seed=0)[1]
        worlds.append((info["swap"], info["half_length"], info["scale"]))
    for one, other in pairwise(worlds):
        assert sum(a != b for a, b in zip(one, other, strict=True)) == 1


# -- wrappers ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("space", "action", "swapped"),
    [
        (Discrete(3, start=5), 5, 7),
        (MultiDiscrete([2, 3], start=[-1, 10]), [0, 10], [-1, 12]),
        (MultiBinary(3), [1, 0, 0], [0, 1, 1]),
        (Box(np.float32([-1, 0]), np.float32([1, 4])), [-0.5, 1], [0.5, 3]),
    ],
    ids=str,
)
def test_actions_are_swapped(space, action, swapped):
    env = ChangingActions(Bandit(space, swapped), swap=Cycle((0, 1), every=2))
    env.reset(seed=0)
    action = action if isinstance(space, Discrete) else np.array(action, space.dtype)
    assert [env.step(action)[1] for _ in range(6)] == [0, 0, 1, 1, 0, 0]


class Still(gym.Env):
    observation_space, action_space = Box(-1, 2, (2, 2), np.float32), Discrete(1)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.float32([[1, 2], [0.5, -1]]), {}

    def step(self, action):
        return np.float32([[1, 2], [0.5, -1]]), 0.0, False, False, {}


def test_sensors_die_and_are_rescaled():
    env = ChangingSensors(Still(), scale=Cycle((1, 0, 3), every=1), sensor=1)
    seen = [env.reset(seed=0)[0], *(env.step(0)[0] for _ in range(4))]
    assert [observation[0, 1] for observation in seen] == [2, 2, 0, 6, 2]
    for observation in seen:
        assert observation in env.observation_space
        assert_array_equal(observation.ravel()[[0, 2, 3]], [1, 0.5, -1])
    all_of_them = ChangingSensors(Still(), scale=0.0)
    assert_array_equal(all_of_them.reset(seed=0)[0], np.zeros((2, 2)))
    in_turn = ChangingSensors(Still(), scale=0.0, sensor=Cycle((0, 3), every=1))
    in_turn.reset(seed=0)
    assert [np.argwhere(in_turn.step(0)[0].ravel() == 0).item() for _ in range(3)] == [0, 3, 0]


# -- the chain -----------------------------------------------------------------------------------------------------


def test_the_chain_rewards_its_far_end():
    env = Chain(length=4, render_mode="ansi")
    env.reset(seed=0)
    assert [env.step(a)[:3] for a in (0, 1, 1, 0, 1)] == [(k, 0.0, False) for k in (0, 1, 2, 1, 2)]
    assert env.render() == "··●·"
    assert env.step(1)[:3] == (3, 1.0, True)


# -- plugins -------------------------------------------------------------------------------------------------------


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Put a plugin of one module on the path."""
    monkeypatch.syspath_prepend(tmp_path)

    def put(name, code):
        (tmp_path / f"{name}.py").write_text(code)
        info = tmp_path / f"{name}-0.1.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1\n")
        (info / "entry_points.txt").write_text(f"[dynlive_rl.envs]\n{name} = {name}\n")

    return put


def test_the_plugin_in_the_documentation_is_found(install, capsys, tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", Path("docs/environments.md").read_text(), re.DOTALL)
    code = next(block for block in blocks if "class Coin" in block)
    install("my_worlds", f'{code}\n\ngym.register("MyWorlds/Coin-v0", Coin)\n')
    assert main(["train", "MyWorlds/Coin-v0", "--steps", "10", "--out", str(tmp_path / "run")]) == 0
    assert main(["evaluate", str(tmp_path / "run" / "agent.dynlive"), "--episodes", "2"]) == 0
    assert capsys.readouterr().err == ""
    check_env(gym.make("MyWorlds/Coin-v0").unwrapped)


def test_a_broken_plugin_costs_one_line(install, capsys, tmp_path):
    install("broken_worlds", "raise RuntimeError('no\\nworld')\n")
    assert main(["train", "DynLive/Chain-v0", "--steps", "10", "--out", str(tmp_path)]) == 0
    assert capsys.readouterr().err == (
        "dynlive: warning: the plugin 'broken_worlds' (broken_worlds) cannot be loaded: RuntimeError: no world\n"
    )
    assert len(load_plugins()) == 1


def test_every_public_name_is_there():
    assert all(hasattr(dynlive_rl.envs, name) for name in dynlive_rl.envs.__all__)


# -- many at once --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changes",
    [
        {
            "swap": Cycle((0, 1), every=7),
            "half_length": Draw(0.2, 0.9, every=5),
            "sensor_scale": Cycle((1, 0), every=3),
        },
        {"friction": Draw(0, 1, every=3), "pole_friction": 0.003, "gravity": Draw(5, 15, every=7, smooth=True)},
        {"sensor": Cycle((2, 0), every=4), "sensor_scale": 0.5, "force": 12.0, "start": 30, "world": 2},
    ],
    ids=str,
)
def test_cartpoles_as_arrays_are_the_single_ones(changes):
    many = gym.make_vec(
        "DynLive/DriftCartPole-v0", num_envs=3, vectorization_mode="vector_entry_point", **{**STILL, **changes}
    )
    singles = [changing_cartpole(**{**STILL, **changes}) for _ in range(3)]
    assert many.single_observation_space == singles[0].observation_space
    many.reset(seed=0)
    for k, env in enumerate(singles):
        env.reset(seed=0)
        env.unwrapped.state = many.unwrapped.state[:, k].copy()
    rng = np.random.default_rng(0)
    for _ in range(9):  # the pole falls later
        actions = rng.integers(2, size=3)
        observations, *_ = many.step(actions)
        for k, env in enumerate(singles):
            assert_allclose(observations[k], env.step(int(actions[k]))[0], rtol=1e-5, atol=1e-7)


STILL = {"half_length": 0.5, "gravity": 9.8, "force": 10.0, "friction": 0.0}


def test_a_world_can_be_kept_as_it_is():
    kwargs = gym.spec("DynLive/ChangingCartPole-v0").kwargs
    for step in (0, 7_000, 32_000):
        now = changing_cartpole(**kwargs, world=4, start=step).reset(seed=0)[1]
        still = changing_cartpole(**world_at(step, world=4, **kwargs))
        for _ in range(3):
            info = still.reset(seed=0)[1]
            still.unwrapped.lifetime.step += 10_000
            assert info == {name: value for name, value in now.items() if name in info}
        assert {name for name in now if name not in info} <= {"swap", "scale", "sensor"}  # those that do nothing
