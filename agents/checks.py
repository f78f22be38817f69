"""What agents refuse, in one sentence."""

import numpy as np
from numpy.typing import NDArray

from dynlive_rl.checks import natural


def raise_invalid(observations: NDArray[np.float32], rewards: NDArray[np.float64] | None = None) -> None:
    """Raise ValueError with the first observation or reward that is not a number within ±1e30."""
    for name, values in (("rewards", rewards), ("observations", observations)):
        bad = None if values is None else values[~(np.abs(values) <= 1e30)]
        if bad is not None and bad.size:
            raise ValueError(f"{name} must be numbers within ±1e30, not {bad[0]}; nothing was learned from it")


def whole_steps(total_timesteps: float) -> int:
    """Return a number of steps; 1e6 is a whole number too: people write it."""
    is_whole = isinstance(total_timesteps, float) and total_timesteps.is_integer()
    return natural("total_timesteps", int(total_timesteps) if is_whole else total_timesteps)
