"""A loop of your own: a thermostat that is no Gymnasium environment, learned live.

Nothing ends by itself here, so nothing is terminated or truncated: one call of `act` and one of `observe` per minute.
"""

import numpy as np
from gymnasium.spaces import Box, Discrete

from dynlive_rl import DynLiveAgent

agent = DynLiveAgent(
    observation_space=Box(-np.inf, np.inf, (2,)),  # room and outside, in °C
    action_space=Discrete(2),  # heater off, on
    mode="live",
    seed=0,
)
room, comfort = 15.0, []
for minute in range(6_000):
    outside = 5 + 5 * np.sin(2 * np.pi * minute / 1440)
    heater = agent.act([room, outside])
    room += 0.02 * (outside - room) + 0.6 * heater
    reward = -abs(room - 20) - 0.1 * heater  # your system's reward
    agent.observe(reward, [room, outside], terminated=False, truncated=False)
    comfort.append(abs(room - 20))

first, last = np.mean(comfort[:300]), np.mean(comfort[-1440:])
print(f"degrees off: {first:.2f} in the first five hours, {last:.2f} in the last day")
