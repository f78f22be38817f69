"""Observation scaling: running mean and variance, ranks where these tell nothing apart, and the encoding into [0, 1]."""

from math import log, sqrt

import numpy as np

from dynlive_rl.kernels.codes import Code
from dynlive_rl.kernels.jit import jit_inline, jit_internal
from dynlive_rl.kernels.numerics import logistic

SAMPLE_SIZE = 256  # values kept of a feature whose range is not declared
LEAST_SAMPLE = 64  # values that a share of ranks takes
TOLD_APART = 0.125  # deviations: where the middle half spans no more, ranks decide alone; twice as many, and not at all
LOGIT_DEVIATION = 0.6  # the log-odds of a rank times this are nearly its quantile of the normal distribution
RESOLUTION = 1e-6  # relative: values that differ by less may differ by single precision's rounding alone
GOLDEN_RATIO = 0.6180339887498949


class Scaling(Code):
    """How a feature is scaled: not at all, by running statistics, or by these and, where they fail, by ranks."""

    NONE = 0
    STATISTICS = 1
    RANKS_TOO = 2


class ScalerRow(Code):
    """Rows of a scaler (5, f): a feature's Scaling, running mean and variance, how many values these are of, share of ranks."""

    SCALED = 0
    MEAN = 1
    VARIANCE = 2
    COUNT = 3
    RANKED = 4


def new_scaler(scaled: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the scaler (5, f) and the samples (s, SAMPLE_SIZE) of features (f,) that are so scaled; nothing seen yet."""
    scaler = np.zeros((len(ScalerRow), scaled.size))
    scaler[ScalerRow.SCALED], scaler[ScalerRow.VARIANCE] = scaled, 1
    return scaler, np.zeros((np.count_nonzero(scaled == Scaling.RANKS_TOO), SAMPLE_SIZE), np.float32)


def fill_samples(scaler: np.ndarray, sample: np.ndarray) -> None:
    """Make the samples (s, n) of a scaler (5, f) what its means and variances say of normal values."""
    ranked = np.flatnonzero(scaler[ScalerRow.SCALED] == Scaling.RANKS_TOO)
    for place, i in enumerate(ranked):
        size = int(min(scaler[ScalerRow.COUNT, i], sample.shape[1]))
        rank = np.arange(size) + 0.5
        deviation = sqrt(scaler[ScalerRow.VARIANCE, i])
        sample[place, :size] = scaler[ScalerRow.MEAN, i] + deviation * LOGIT_DEVIATION * np.log(rank / (size - rank))


@jit_inline
def smallest_square(mean, variance):
    """Return the variance that an observation is divided by the root of.

    Small units are as good as large ones; what varies by no more than single precision rounds is no signal.
    """
    return max(variance + min(1e-8, 0.5 * variance), 1e-12 * mean * mean) + 1e-60


@jit_inline
def encode(scaler, sample, observation, code):
    """Scale an observation (f,) into code (f,), in [0, 1]: σ(score) of scaled features, the others as they are.

    The score is (1 - ρ) (x - mean) / deviation + ρ · `rank_score`, ρ the share of ranks.

    scaler has shape (5, f), sample (s, n) a sorted sample of every feature that can be ranked.
    """
    place = 0
    for i in range(observation.size):
        if scaler[ScalerRow.SCALED, i] > 0:
            square = smallest_square(scaler[ScalerRow.MEAN, i], scaler[ScalerRow.VARIANCE, i])
            score = (observation[i] - scaler[ScalerRow.MEAN, i]) / sqrt(square)
            share = scaler[ScalerRow.RANKED, i]
            if share > 0:
                size = min(np.int64(scaler[ScalerRow.COUNT, i]), sample.shape[1])
                score += share * (rank_score(sample[place, :size], observation[i]) - score)
            code[i] = logistic(np.float32(score))
            place += scaler[ScalerRow.SCALED, i] == Scaling.RANKS_TOO
        else:
            code[i] = observation[i]


@jit_internal
def encode_column(scaler, sample, i, place, code):
    """Scale many values of feature i, code (b,), as `encode` does, in place.

    scaler has shape (5, f), sample (s, n), of which the feature's is in row `place` if it can be ranked.
    """
    if scaler[ScalerRow.SCALED, i] == Scaling.NONE:
        return
    mean, share = scaler[ScalerRow.MEAN, i], scaler[ScalerRow.RANKED, i]
    deviation = sqrt(smallest_square(mean, scaler[ScalerRow.VARIANCE, i]))
    if share > 0:
        size = min(np.int64(scaler[ScalerRow.COUNT, i]), sample.shape[1])
        for b in range(code.size):
            score = (code[b] - mean) / deviation
            score += share * (rank_score(sample[place, :size], code[b]) - score)
            code[b] = logistic(np.float32(score))
    else:
        for b in range(code.size):
            code[b] = logistic(np.float32((code[b] - mean) / deviation))


@jit_inline
def count_below(sample, x, low, high):
    """Return how many values of a sorted sample (n,) are below x: between low and high, by bisection."""
    while low < high:
        middle = (low + high) // 2
        if sample[middle] < x:
            low = middle + 1
        else:
            high = middle
    return low


@jit_internal
def rank_score(sample, value):
    """Return the deviations that a normal distribution has at a value's rank in a sorted sample (n,), about.

    0.6 · log(r / (n - r)) with r the rank in (0, n): the mean one of equal values, interpolated in between. Beyond all n
    values it is that of the outermost.
    """
    size, x = sample.size, np.float64(value)
    same = RESOLUTION * abs(x)
    first = count_below(sample, x - same, 0, size)
    rank = min(max(np.float64(first), 0.5), size - 0.5)
    if first < size and sample[first] <= x + same:
        rank = 0.5 * (first + count_below(sample, np.nextafter(x + same, np.inf), first, size))
    elif 0 < first < size:
        left = np.float64(sample[first - 1])
        rank = first - 0.5 + (x - left) / (sample[first] - left)
    return LOGIT_DEVIATION * log(rank / (size - rank))


@jit_internal
def update_scaler(scaler, sample, observation):
    """Update running means and variances (Welford, 1962), samples and shares of ranks with an observation (f,), in place.

    Parameters: scaler (5, f); sample (s, n) of the features that can be ranked, each sorted; observation.
    """
    place = 0
    for i in range(observation.size):
        if scaler[ScalerRow.SCALED, i] > 0:
            scaler[ScalerRow.COUNT, i] += 1
            distance = observation[i] - scaler[ScalerRow.MEAN, i]
            scaler[ScalerRow.MEAN, i] += distance / scaler[ScalerRow.COUNT, i]
            square = distance * (observation[i] - scaler[ScalerRow.MEAN, i])
            scaler[ScalerRow.VARIANCE, i] += (square - scaler[ScalerRow.VARIANCE, i]) / scaler[ScalerRow.COUNT, i]
            if scaler[ScalerRow.SCALED, i] == Scaling.RANKS_TOO:
                update_sample(sample[place], np.int64(scaler[ScalerRow.COUNT, i]), observation[i])
                square = smallest_square(scaler[ScalerRow.MEAN, i], scaler[ScalerRow.VARIANCE, i])
                scaler[ScalerRow.RANKED, i] = share_of_ranks(sample[place], scaler[ScalerRow.COUNT, i], square)
                place += 1


@jit_inline
def update_sample(sample, count, x):
    """Let a sorted sample (n,) take in the count-th value of a feature, in place.

    It takes the place ⌊count · frac(count · golden ratio)⌋ if that is below n: with probability n / count, so that all values
    so far are equally likely to be in it (reservoir sampling, Vitter, 1985). Multiples of the golden ratio are spread
    evenly, whatever the period of what is observed.
    """
    size = min(count, sample.size)
    place = count - 1 if count == size else np.int64(count * GOLDEN_RATIO % 1.0 * count)
    if place < size:
        while place > 0 and sample[place - 1] > x:
            sample[place] = sample[place - 1]
            place -= 1
        while place < size - 1 and sample[place + 1] < x:
            sample[place] = sample[place + 1]
            place += 1
        sample[place] = x


@jit_inline
def share_of_ranks(sample, count, square):
    """Return ρ = 2 - (x_¾ - x_¼) / (⅛ deviation), in [0, 1]: above 0 where most values look alike beside a few others.

    Such are heavy tails, sentinels, a glitch, another unit since lately.

    Parameters: sorted sample (n,); how many values it is of; the variance `square` that distances are measured by.
    """
    size = min(np.int64(count), sample.size)
    if size < LEAST_SAMPLE:
        return 0.0
    half = np.float64(sample[size - 1 - size // 4]) - np.float64(sample[size // 4])
    return min(max(2.0 - half / (TOLD_APART * sqrt(square)), 0.0), 1.0)
