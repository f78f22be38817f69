"""A chain of states with one reward at its far end: sparse, and never negative."""

from typing import Any

import gymnasium as gym
from gymnasium import spaces


class Chain(gym.Env[Any, Any]):
    """States in a row; an episode starts at the first one and ends at the last, with reward 1. Every other reward is 0.

    Action 1 goes one state forward, action 0 one back. The best return is 1, in length - 1 steps.

    Parameters
    ----------
    length
        Number of states, ≥ 2.
    render_mode
        "ansi": `render` returns the chain as a line of text.
    """

    metadata = {"render_modes": ["ansi"], "render_fps": 10}  # noqa: RUF012

    def __init__(self, *, length: int = 20, render_mode: str | None = None) -> None:
        if isinstance(length, bool) or not isinstance(length, int) or length < 2:
            raise ValueError(f"length must be a whole number of states ≥ 2, not {length!r}")
        self.observation_space = spaces.Discrete(length)
        self.action_space = spaces.Discrete(2)
        self.length, self.render_mode = length, render_mode
        self.state = 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[int, dict[str, Any]]:
        """Go back to the first state."""
        super().reset(seed=seed)
        self.state = 0
        return self.state, {}

    def step(self, action: int) -> tuple[int, float, bool, bool, dict[str, Any]]:
        """Go one state forward (1) or back (0)."""
        if action not in (0, 1):
            raise ValueError(f"action must be 0 or 1, not {action!r}")
        self.state = max(self.state + (1 if action == 1 else -1), 0)
        there = self.state == self.length - 1
        return self.state, float(there), there, False, {}

    def render(self) -> Any:
        """Return the chain as text."""
        if self.render_mode != "ansi":
            return None
        return "".join("●" if k == self.state else "·" for k in range(self.length))
