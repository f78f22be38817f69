"""CartPole that shows where things are and not how fast they move."""

from typing import Any

import numpy as np
from gymnasium import spaces
from gymnasium.envs.classic_control.cartpole import CartPoleEnv
from numpy.typing import NDArray

SEEN = [0, 2]  # the cart's position and the pole's angle


class MaskedCartPole(CartPoleEnv):
    """A cart-pole of which only the cart's position and the pole's angle are seen.

    Both velocities are needed to balance the pole: whoever forgets what was seen before cannot. The best return is that of
    CartPole-v1: 500, one for every step.

    Parameters
    ----------
    render_mode
        As Gymnasium's `CartPoleEnv` has it.
    """

    def __init__(self, *, render_mode: str | None = None) -> None:
        super().__init__(render_mode=render_mode)
        whole = self.observation_space
        assert isinstance(whole, spaces.Box)
        self.observation_space = spaces.Box(whole.low[SEEN], whole.high[SEEN], dtype=np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[NDArray[np.float32], dict[str, Any]]:
        """Begin an episode; return position and angle, shape (2,)."""
        observation, info = super().reset(seed=seed, options=options)
        return observation[SEEN], info

    def step(self, action: Any) -> tuple[NDArray[np.float32], float, bool, bool, dict[str, Any]]:
        """Push the cart to the left (0) or to the right (1)."""
        observation, reward, terminated, truncated, info = super().step(action)  # type: ignore[no-untyped-call]
        return observation[SEEN], float(reward), terminated, truncated, info
