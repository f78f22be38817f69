"""A T-maze: a sign at the beginning of a corridor says where to turn at its end (Bakker, 2001)."""

from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from dynlive_rl.checks import positive

Bits = NDArray[np.int8]
NORTH, EAST, SOUTH, WEST = range(4)


class TMaze(gym.Env[Bits, Any]):
    """A corridor from west to east with a junction at its end; the goal is to the north or to the south of the junction.

    An observation has three bits, as in Bakker's: at the start 011 if the goal is to the north and 110 if it is to the south,
    in the corridor 101, at the junction 010. Actions go north (0), east (1), south (2) or west (3). Turning at the junction
    ends the episode with a reward of 4 for the goal and of -0.1 for the other arm. Standing still, because there is a wall,
    costs 0.1; other steps cost nothing. The best return is 4; without memory it is 1.95 in the mean.

    Parameters
    ----------
    length
        Steps from the start to the junction, ≥ 1.
    render_mode
        "ansi": `render` returns the maze as a line of text.

    References
    ----------
    B. Bakker: Reinforcement learning with long short-term memory. NIPS 2001.
    """

    metadata = {"render_modes": ["ansi"], "render_fps": 10}  # noqa: RUF012

    def __init__(self, *, length: int = 10, render_mode: str | None = None) -> None:
        self.length, self.render_mode = positive("length", length), render_mode
        self.observation_space = spaces.MultiBinary(3)
        self.action_space = spaces.Discrete(4)
        self.place, self.goal = 0, NORTH

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> tuple[Bits, dict[str, Any]]:
        """Go back to the start; the goal is put to the north or to the south."""
        super().reset(seed=seed)
        self.place, self.goal = 0, SOUTH if self.np_random.integers(2) else NORTH
        return self._observe(), {}

    def step(self, action: int) -> tuple[Bits, float, bool, bool, dict[str, Any]]:
        """Go north (0), east (1), south (2) or west (3)."""
        if action not in (NORTH, EAST, SOUTH, WEST):
            raise ValueError(f"action must be 0, 1, 2 or 3, not {action!r}")
        if self.place == self.length and action in (NORTH, SOUTH):
            return self._observe(), 4.0 if action == self.goal else -0.1, True, False, {}
        before = self.place
        self.place = min(max(before + (action == EAST) - (action == WEST), 0), self.length)
        return self._observe(), 0.0 if self.place != before else -0.1, False, False, {}

    def render(self) -> Any:
        """Return the maze as text."""
        if self.render_mode != "ansi":
            return None
        row = "".join("●" if k == self.place else "·" for k in range(self.length + 1))
        return f"{row}{'↑' if self.goal == NORTH else '↓'}"

    def _observe(self) -> Bits:
        if self.place == 0:
            bits = (0, 1, 1) if self.goal == NORTH else (1, 1, 0)
        else:
            bits = (0, 1, 0) if self.place == self.length else (1, 0, 1)
        return np.array(bits, np.int8)
