"""Callbacks of stable-baselines3, as they are: evaluate on the way, keep the best, stop when it is good enough."""

import gymnasium as gym
from stable_baselines3.common.callbacks import BaseCallback, EvalCallback, StopTrainingOnRewardThreshold
from stable_baselines3.common.monitor import Monitor

from dynlive_rl import DynLiveAgent


class Connections(BaseCallback):
    """One of your own: takes note of how many connections there are."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def _on_step(self):
        self.seen.append(self.model.agent.connections)
        return True


evaluate = EvalCallback(
    Monitor(gym.make("CartPole-v1")),
    callback_on_new_best=StopTrainingOnRewardThreshold(reward_threshold=475, verbose=0),
    eval_freq=250,
    best_model_save_path="best",
    verbose=0,
)
connections = Connections()
agent = DynLiveAgent("CartPole-v1", seed=0).learn(10_000, callback=[evaluate, connections])

best = DynLiveAgent.load("best/best_model.zip")
print(f"stopped after {agent.num_timesteps:,} steps, at a mean return of {evaluate.best_mean_reward:.0f}")
print(f"connections: {connections.seen[0]:,} at first, {connections.seen[-1]:,} at the end")
