"""Plain data in and out, and the state of environments by it."""

import json
from collections import deque

import gymnasium as gym
import numpy as np
import pytest
from numpy.testing import assert_array_equal

from dynlive_rl.agents.data import NoDataError, from_json, to_json
from dynlive_rl.agents.environment_state import get_environment_state, set_environment_state

TAXI = max(name for name in gym.registry if name.startswith("Taxi-v"))
CLIFF = "CliffWalking-v1" if "CliffWalking-v1" in gym.registry else "CliffWalking-v0"


def there_and_back(value):
    return from_json(json.loads(json.dumps(to_json(value))))


@pytest.mark.parametrize(
    "value",
    [
        None, True, 7, 2**80, -0.0, float("inf"), "text", (1, [2.5, ("x", None)]), deque([1, 2], 3), {"a": 1, 2: (3,)},
        np.float32(0.1), np.int64(-3), np.bool_(True), np.str_("K"),
        np.array([[0.1, np.nan], [np.inf, -0.0]]), np.zeros((0, 3), np.float32), np.array(5, np.uint8), np.array(["a"]),
    ],
    ids=repr,
)  # fmt: skip
def test_plain_data_comes_back_as_it_was(value):
    back = there_and_back(value)
    assert type(back) is type(value)
    if isinstance(value, (np.ndarray, np.generic)):
        assert_array_equal(back, value, strict=True)
        assert back.tobytes() == value.tobytes()
    else:
        assert repr(back) == repr(value)


@pytest.mark.parametrize("kind", [np.random.PCG64, np.random.PCG64DXSM, np.random.MT19937])
def test_a_generator_goes_on(kind):
    one = np.random.Generator(kind(3))
    one.normal(size=5)
    one.integers(7, dtype=np.uint32)  # half of a number is left over
    other = there_and_back(one)
    assert_array_equal(one.random(9), other.random(9))
    assert_array_equal(one.integers(7, size=9, dtype=np.uint32), other.integers(7, size=9, dtype=np.uint32))


@pytest.mark.parametrize("value", [object(), lambda: 0, np.array([None]), [print], {1, 2}, 1j], ids=repr)
def test_other_things_are_no_plain_data(value):
    with pytest.raises(NoDataError):
        to_json(value)


@pytest.mark.parametrize(
    "description",
    [
        {}, {"dict": 3}, {"array": [1], "dtype": "O", "shape": [1]}, {"array": [1], "dtype": "f8", "shape": [7]},
        {"generator": {"dict": [["bit_generator", "Popen"]]}}, {"deque": [1], "maxlen": "x"}, {"tuple": None},
    ],
    ids=repr,
)  # fmt: skip
def test_forged_descriptions_are_refused(description):
    with pytest.raises(NoDataError):
        from_json(description)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize(
    "name", [CLIFF, "Blackjack-v1", TAXI, "dynlive_rl.envs:DynLive/Chain-v0"]
)  # fmt: skip
@pytest.mark.parametrize("steps", [0, 5])
def test_an_environment_goes_on_where_another_one_was(name, steps):
    one, other = gym.make(name), gym.make(name)
    one.reset(seed=1)
    one.action_space.seed(0)
    for _ in range(steps):
        if any(one.step(one.action_space.sample())[2:4]):
            one.reset()
    assert set_environment_state(other, json.loads(json.dumps(get_environment_state(one))))
    for _ in range(100):
        action = one.action_space.sample()
        expected, got = one.step(action), other.step(action)
        assert expected[:4] == got[:4]
        if any(expected[2:4]):
            assert one.reset()[0] == other.reset()[0]


def test_wrappers_that_remember_go_on_too():
    def wrapped():
        env = gym.wrappers.FrameStackObservation(gym.make("Pendulum-v1"), 3)
        env = gym.wrappers.NormalizeReward(gym.wrappers.NormalizeObservation(env))
        return gym.wrappers.RecordEpisodeStatistics(env)

    one, other = wrapped(), wrapped()
    one.reset(seed=1)
    for _ in range(20):
        one.step(np.float32([1.0]))
    assert set_environment_state(other, get_environment_state(one))
    for _ in range(20):
        expected, got = one.step(np.float32([0.5])), other.step(np.float32([0.5]))
        assert_array_equal(expected[0], got[0], strict=True)
        assert expected[1:4] == got[1:4]


def test_what_is_not_known_has_no_state():
    class Mine(gym.envs.classic_control.CartPoleEnv):  # may have more state than it inherits
        pass

    assert get_environment_state(Mine()) is None
    assert get_environment_state(gym.wrappers.StickyAction(gym.make("CartPole-v1"), 0.5)) is None
    state = get_environment_state(gym.make("CartPole-v1"))
    assert not set_environment_state(gym.make("Acrobot-v1"), state)
    assert not set_environment_state(gym.make("CartPole-v1"), [{"class": "os:system"}])
    assert not set_environment_state(gym.make("CartPole-v1"), None)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", ["Hopper-v5", "Ant-v5"])
def test_physics_goes_on(name):
    pytest.importorskip("mujoco")
    one, other = gym.make(name), gym.make(name)
    one.reset(seed=1)
    one.action_space.seed(0)
    for _ in range(7):
        one.step(one.action_space.sample())
    assert set_environment_state(other, json.loads(json.dumps(get_environment_state(one))))
    for _ in range(5):
        action = one.action_space.sample()
        expected, got = one.step(action), other.step(action)
        assert_array_equal(expected[0], got[0])
        assert expected[1] == got[1]
