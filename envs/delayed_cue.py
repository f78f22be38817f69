"""A cue seen once, and a choice that depends on it many steps later."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from dynlive_rl.checks import positive

Row = NDArray[np.float32]


class DelayedCue(gym.Env[Row, Any]):
    """A cue at the beginning says which of two actions is right `delay` steps later; in between there are distractors.

    An observation has three values: the cue, -1 or 1 in the first one and 0 in all others; a distractor, -1 or 1 at random
    in every one; and 1 where the choice is due, otherwise 0. What is done before has no effect. The choice ends the
    episode: action 1 is right after the cue 1, action 0 after -1. The return is 1 for the right choice and 0 for the wrong
    one: 1 is the best possible in the mean, 0.5 what one gets without memory.

    Parameters
    ----------
    delay
        Steps from the cue to the choice, ≥ 1.
    render_mode
        "ansi": `render` returns the step, the cue and what is seen as a line of text.
    """

    metadata = {"render_modes": ["ansi"], "render_fps": 10}  # noqa: RUF012

    def __init__(self, *, delay: int = 5, render_mode: str | None = None) -> None:
        self.delay, self.render_mode = positive("delay", delay), render_mode
        self.observation_space = spaces.Box(-1, 1, (3,), np.float32)
        self.action_space = spaces.Discrete(2)
        self.cue, self.distractor, self.steps = 1, 1, 0

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Row, dict[str, Any]]:
        """Show a cue."""
        super().reset(seed=seed)
        self.cue, self.steps = self._side(), 0
        return self._observe(), {}

    def step(self, action: int) -> tuple[Row, float, bool, bool, dict[str, Any]]:
        """Wait, or choose where the choice is due."""
        if action not in (0, 1):
            raise ValueError(f"action must be 0 or 1, not {action!r}")
        chosen = self.steps == self.delay
        right = chosen and (action == 1) == (self.cue == 1)
        self.steps += 1
        return self._observe(), float(right), chosen, False, {}

    def render(self) -> Any:
        """Return the step, the cue and the distractor as text."""
        if self.render_mode != "ansi":
            return None
        return f"step {self.steps} of {self.delay}, cue {self.cue:+d}, distractor {self.distractor:+d}"

    def _side(self) -> int:
        return 2 * int(self.np_random.integers(2)) - 1

    def _observe(self) -> Row:
        self.distractor = self._side()
        cue = self.cue if self.steps == 0 else 0
        return np.array([cue, self.distractor, self.steps == self.delay], np.float32)
