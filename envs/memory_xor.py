"""Two cues at different times, of which neither alone says what to do."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from dynlive_rl.checks import positive

Row = NDArray[np.float32]


class MemoryXor(gym.Env[Row, Any]):
    """Two cues are seen at different times; whether they are equal says which action is right in the end.

    An observation has three values: the first cue, -1 or 1 in the first observation and 0 in all others; the second cue, the
    same `gap` steps later; and 1 where the choice is due, another `gap` steps later. What is done before has no effect. Action
    1 is right if the cues differ, action 0 if they are equal. The return is 1 for the right choice and 0 for the wrong one:
    1 is the best possible in the mean; without both cues it is 0.5.

    Parameters
    ----------
    gap
        Steps from the first cue to the second one, and from that to the choice, ≥ 1.
    render_mode
        "ansi": `render` returns the step and both cues as a line of text.
    """

    metadata = {"render_modes": ["ansi"], "render_fps": 10}  # noqa: RUF012

    def __init__(self, *, gap: int = 5, render_mode: str | None = None) -> None:
        self.gap, self.render_mode = positive("gap", gap), render_mode
        self.observation_space = spaces.Box(-1, 1, (3,), np.float32)
        self.action_space = spaces.Discrete(2)
        self.cues, self.steps = (1, 1), 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Row, dict[str, Any]]:
        """Draw both cues and show the first one."""
        super().reset(seed=seed)
        first, second = 2 * self.np_random.integers(2, size=2) - 1
        self.cues, self.steps = (int(first), int(second)), 0
        return self._observe(), {}

    def step(self, action: int) -> tuple[Row, float, bool, bool, dict[str, Any]]:
        """Wait, or choose where the choice is due."""
        if action not in (0, 1):
            raise ValueError(f"action must be 0 or 1, not {action!r}")
        chosen = self.steps == 2 * self.gap
        right = chosen and (action == 1) == (self.cues[0] != self.cues[1])
        self.steps += 1
        return self._observe(), float(right), chosen, False, {}

    def render(self) -> Any:
        """Return the step and both cues as text."""
        if self.render_mode != "ansi":
            return None
        return f"step {self.steps} of {2 * self.gap}, cues {self.cues[0]:+d} {self.cues[1]:+d}"

    def _observe(self) -> Row:
        first, second = self.cues
        return np.array(
            [first * (self.steps == 0), second * (self.steps == self.gap), self.steps == 2 * self.gap], np.float32
        )
