"""Making environments from what is given."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.spaces import Box, Discrete

from dynlive_rl import DynLiveAgent


class Plain(gym.Env):
    """An environment that takes no arguments at all."""

    observation_space, action_space = Box(0, 1, (1,)), Discrete(2)

    def __init__(self):
        pass

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return np.zeros(1, np.float32), {}

    def step(self, action):
        return np.zeros(1, np.float32), float(action), True, False, {}


@pytest.mark.parametrize(("settings", "works"), [({}, True), ({"speed": 3}, False)])
def test_an_environment_is_made_with_what_it_takes(monkeypatch, settings, works):
    spec = gym.envs.registration.EnvSpec(id="Plain-v0", entry_point=Plain, kwargs=settings)
    monkeypatch.setitem(gym.registry, "Plain-v0", spec)
    if works:
        assert DynLiveAgent("Plain-v0", seed=0).learn(20, progress_bar=False).episodes == 20
    else:
        with pytest.raises(
            ValueError, match=r"^cannot make environment 'Plain-v0': .*unexpected keyword argument 'speed'"
        ):
            DynLiveAgent("Plain-v0")


def test_an_unknown_id_is_refused():
    with pytest.raises(ValueError, match=r"^cannot make environment 'CartPol-v1': "):
        DynLiveAgent("CartPol-v1")
