"""Actions whose rewards arrive many steps later, among those of others."""

from collections import deque
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from dynlive_rl.checks import positive

Row = NDArray[np.float32]


class DelayedReward(gym.Env[Row, Any]):
    """In every step one of two actions is right, as the observation says; its reward arrives `delay` steps later.

    The observation x is one value, uniform in [-1, 1]; action 1 is right where x > 0, action 0 elsewhere. A right action is
    worth 1, and a wrong one 0. The reward of a step is that of the action `delay` steps before, 0 in the first `delay` steps.
    After `scored` + `delay` steps the episode is truncated; the actions of the last `delay` steps are never rewarded. The
    best return is `scored`; any constant policy gets half of it in the mean.

    Parameters
    ----------
    delay
        Steps from an action to its reward, ≥ 1.
    scored
        Actions of an episode that are rewarded, ≥ 1. Default: 2 · delay + 50.
    render_mode
        "ansi": `render` returns the step, the observation and the latest reward as a line of text.
    """

    metadata = {"render_modes": ["ansi"], "render_fps": 10}  # noqa: RUF012

    def __init__(self, *, delay: int = 5, scored: int | None = None, render_mode: str | None = None) -> None:
        self.delay, self.render_mode = positive("delay", delay), render_mode
        self.scored = 2 * self.delay + 50 if scored is None else positive("scored", scored)
        self.observation_space = spaces.Box(-1, 1, (1,), np.float32)
        self.action_space = spaces.Discrete(2)
        self.on_their_way: deque[float] = deque([0.0] * self.delay)
        self.x, self.reward, self.steps = 0.0, 0.0, 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Row, dict[str, Any]]:
        """Begin an episode with no reward on its way."""
        super().reset(seed=seed)
        self.on_their_way = deque([0.0] * self.delay)
        self.reward, self.steps = 0.0, 0
        return self._observe(), {}

    def step(self, action: int) -> tuple[Row, float, bool, bool, dict[str, Any]]:
        """Act, and get the reward of the action `delay` steps ago."""
        if action not in (0, 1):
            raise ValueError(f"action must be 0 or 1, not {action!r}")
        self.on_their_way.append(float((action == 1) == (self.x > 0)))
        self.reward = self.on_their_way.popleft()
        self.steps += 1
        return self._observe(), self.reward, False, self.steps == self.scored + self.delay, {}

    def render(self) -> Any:
        """Return the step, the observation and the latest reward as text."""
        if self.render_mode != "ansi":
            return None
        return f"step {self.steps} of {self.scored + self.delay}, x {self.x:+.2f}, reward {self.reward:g}"

    def _observe(self) -> Row:
        self.x = float(np.float32(self.np_random.uniform(-1, 1)))
        return np.array([self.x], np.float32)
