"""Export and deploy: a policy as one Python file that needs NumPy alone, for a machine that has nothing else."""

import subprocess
import sys
from pathlib import Path

import gymnasium as gym

from dynlive_rl import DynLiveAgent
from dynlive_rl.agents.export import export_numpy

agent = DynLiveAgent("CartPole-v1", seed=0).learn(2_000)
export_numpy(agent, "policy.py")  # or `dynlive export pole.dynlive policy.py`; policy.onnx for ONNX
print(f"policy.py: {Path('policy.py').stat().st_size // 1024} KB")

# What the other machine runs: no dynlive_rl, no Gymnasium, no Numba.
there = "import sys, policy; assert 'numba' not in sys.modules; print(policy.act([0.0, 0.1, 0.02, -0.1]))"
answer = subprocess.run([sys.executable, "-c", there], capture_output=True, text=True, check=True).stdout
here = agent.predict([0.0, 0.1, 0.02, -0.1], deterministic=True)[0]
print(f"action there: {answer.strip()}, here: {here}")

sys.path.insert(0, "")
import policy  # noqa: E402  it has just been written

env = gym.make("CartPole-v1")
observation, _ = env.reset(seed=1)
total, ended = 0.0, False
while not ended:
    observation, reward, terminated, truncated, _ = env.step(policy.act(observation))
    total, ended = total + reward, terminated or truncated
print(f"an episode of the exported policy returns {total:.0f}")
