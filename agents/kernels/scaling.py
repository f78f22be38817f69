"""Observation scaling: running mean and variance, and the encoding into [0, 1]."""

from math import sqrt

import numpy as np

from dynlive_rl.kernels.codes import Code
from dynlive_rl.kernels.jit import jit_inline, jit_internal
from dynlive_rl.kernels.numerics import logistic


class ScalerRow(Code):
    """Rows of a scaler (4, f): whether a feature is scaled, its running mean and variance, and how many these are of.

    The count is a rehearsing agent's alone; a live one has three rows and one count for all.
    """

    SCALED = 0
    MEAN = 1
    VARIANCE = 2
    COUNT = 3


@jit_inline
def encode(scaler, observation, code):
    """Scale an observation (f,) into code (f,), in [0, 1]: ½ + ½ tanh((x - mean) / 2 deviations); unscaled values as they are.

    scaler has shape (≥ 3, f).
    """
    for i in range(observation.size):
        if scaler[ScalerRow.SCALED, i] > 0:
            mean, variance = scaler[ScalerRow.MEAN, i], scaler[ScalerRow.VARIANCE, i]
            # Small units are as good as large ones; what varies by no more than single precision rounds is no signal.
            square = max(variance + min(1e-8, 0.5 * variance), 1e-12 * mean * mean) + 1e-60
            code[i] = logistic(np.float32((observation[i] - mean) / sqrt(square)))
        else:
            code[i] = observation[i]


@jit_internal
def update_scaler(scaler, observation):
    """Update a scaler's (4, f) running means and variances with an observation (f,) (Welford, 1962)."""
    for i in range(observation.size):
        if scaler[ScalerRow.SCALED, i] > 0:
            scaler[ScalerRow.COUNT, i] += 1
            distance = observation[i] - scaler[ScalerRow.MEAN, i]
            scaler[ScalerRow.MEAN, i] += distance / scaler[ScalerRow.COUNT, i]
            square = distance * (observation[i] - scaler[ScalerRow.MEAN, i])
            scaler[ScalerRow.VARIANCE, i] += (square - scaler[ScalerRow.VARIANCE, i]) / scaler[ScalerRow.COUNT, i]


@jit_internal
def refit_scaler(scaler, experience, age):
    """Make a scaler's (4, f) statistics those of the last `age` rows of every environment."""
    scaler[ScalerRow.COUNT] = 0
    capacity = experience.kind.shape[1]
    for env in range(experience.rows.size):
        for row in range(max(experience.rows[env] - min(age, capacity), 0), experience.rows[env]):
            update_scaler(scaler, experience.observation[env, row % capacity])
