"""Tiny environments whose every step is known, for the tests of the agent."""

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Box, Discrete


class Counting(gym.Env):
    """Episodes of a fixed length: observation [episode, step], reward 100 · episode + step, both known beforehand.

    Every third episode ends by itself, the others are broken off; `stride` tells environments side by side apart.
    """

    def __init__(self, length=4, stride=0):
        self.observation_space, self.action_space = Box(-np.inf, np.inf, (2,)), Discrete(2)
        self.length, self.episode = length, 1000 * stride - 1

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.episode, self.time = self.episode + 1, 0
        return np.array([self.episode, 0], np.float32), {}

    def step(self, action):
        self.time += 1
        done, ends = self.time == self.length, self.episode % 3 == 0
        reward = 100.0 * self.episode + self.time
        return np.array([self.episode, self.time], np.float32), reward, done and ends, done and not ends, {}


class Bandit(gym.Env):
    """One step per episode; the reward is the share of the components of the action that equal the best action's."""

    def __init__(self, action_space, best):
        self.observation_space, self.action_space = Discrete(1), action_space
        self.best = np.asarray(best)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return 0, {}

    def step(self, action):
        assert self.action_space.contains(action)
        return 0, float(np.mean(np.asarray(action) == self.best)), True, False, {}


class Telling(gym.Env):
    """One step per episode; the observation is a sample of any space and tells which of two actions is rewarded."""

    def __init__(self, space, answer):
        self.observation_space, self.action_space, self.answer = space, Discrete(2), answer

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        if seed is not None:
            self.observation_space.seed(seed)
        self.seen = self.observation_space.sample()
        return self.seen, {}

    def step(self, action):
        return self.seen, float(action == self.answer(self.seen)), True, False, {}


class Corridor(gym.Env):
    """States in a row, left and right; the walk starts at the left end and ends at the right end, with reward 1."""

    def __init__(self, length, price=0.0):
        self.observation_space, self.action_space = Discrete(length), Discrete(2)
        self.length, self.price = length, price

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.place = 0
        return self.place, {}

    def step(self, action):
        self.place = max(self.place + (1 if action == 1 else -1), 0)
        there = self.place == self.length - 1
        return self.place, (1.0 if there else 0.0) - self.price, there, False, {}


class Endless(gym.Env):
    """Never ends by itself, and every step costs 1."""

    def __init__(self, render_mode=None):
        self.observation_space, self.action_space = Discrete(2), Discrete(2)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        return 0, {}

    def step(self, action):
        return 0, -1.0, False, False, {}


gym.register("Endless-v0", Endless)


class Broken(gym.Wrapper):
    """Does something to step number `at`, once."""

    def __init__(self, env, at, what):
        super().__init__(env)
        self.left, self.what = at, what

    def step(self, action):
        self.left -= 1
        if self.left == 0:
            return self.what(self.env, action)
        return self.env.step(action)
