"""Save in the middle of an episode, go on tomorrow: the same bits as if nothing had happened in between."""

import numpy as np

from dynlive_rl import DynLiveAgent

DynLiveAgent("CartPole-v1", seed=0).learn(400).save("today.dynlive")  # learned, remembered, and where the pole is

tomorrow = DynLiveAgent.load("today.dynlive").learn(300, reset_num_timesteps=False)
at_once = DynLiveAgent("CartPole-v1", seed=0).learn(700)

same = all(np.array_equal(array, tomorrow.get_state()[name]) for name, array in at_once.get_state().items())
print(f"{tomorrow.num_timesteps} steps in two parts, the same as {at_once.num_timesteps} at once: {same}")

tomorrow.save("small.dynlive", include_experience=False)  # to predict with, or to send
