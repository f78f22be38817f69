"""An environment of your own: a lift that picks up one passenger, registered under an id."""

import gymnasium as gym
import numpy as np
from gymnasium.spaces import Discrete, MultiDiscrete

from dynlive_rl import DynLiveAgent


class Lift(gym.Env):
    """Six floors: ride to where somebody waits (0: down, 1: up, 2: open the door). Each step costs 1, a wrong door 5."""

    observation_space, action_space = MultiDiscrete([6, 6]), Discrete(3)

    def reset(self, *, seed=None, options=None):
        super().reset(seed=seed)
        self.floor, self.passenger = (int(floor) for floor in self.np_random.integers(6, size=2))
        return np.array([self.floor, self.passenger]), {}

    def step(self, action):
        arrived = action == 2 and self.floor == self.passenger
        if action < 2:
            self.floor = min(max(self.floor + (1 if action else -1), 0), 5)
        reward = 0.0 if arrived else -5.0 if action == 2 else -1.0
        return np.array([self.floor, self.passenger]), reward, arrived, False, {}


gym.register("Example/Lift-v0", Lift, max_episode_steps=50)

agent = DynLiveAgent("Example/Lift-v0", seed=0).learn(4_000)
result = agent.evaluate(episodes=100, seed=1)
print(f"mean return {result.mean:.2f} (the best possible is about -1.94), {result.lengths.mean():.2f} steps a ride")
