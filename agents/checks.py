"""What the kernels refuse to learn from, in one sentence."""

import numpy as np
from numpy.typing import NDArray


def raise_invalid(observations: NDArray[np.float32], rewards: NDArray[np.float64] | None = None) -> None:
    """Raise ValueError with the first observation or reward that is not a number within ±1e30."""
    for name, values in (("rewards", rewards), ("observations", observations)):
        bad = None if values is None else values[~(np.abs(values) <= 1e30)]
        if bad is not None and bad.size:
            raise ValueError(f"{name} must be numbers within ±1e30, not {bad[0]}; nothing was learned from it")
