"""Observation scaling once more, slow and obvious: all values so far in lists."""

from math import exp, floor, log, sqrt
from statistics import fmean, pvariance

SIZE, LEAST, TOLD_APART, RESOLUTION = 256, 64, 0.125, 1e-6
GOLDEN_RATIO = (sqrt(5) - 1) / 2


class NaiveFeature:
    """One value of an observation: whether ranks take part in its scaling, and all it has been."""

    def __init__(self, ranks_too):
        self.ranks_too, self.values, self.sample = ranks_too, [], []

    def see(self, x):
        self.values.append(x)
        count = len(self.values)
        if count <= SIZE:
            self.sample = sorted([*self.sample, x])
            return
        place = floor(count * (count * GOLDEN_RATIO % 1.0))
        if place < SIZE:
            del self.sample[place]
            self.sample = sorted([*self.sample, x])

    @property
    def deviation(self):
        variance = pvariance(self.values)
        return sqrt(max(variance + min(1e-8, variance / 2), 1e-12 * fmean(self.values) ** 2) + 1e-60)

    @property
    def share_of_ranks(self):
        size = len(self.sample)
        if not self.ranks_too or size < LEAST:
            return 0.0
        half = self.sample[size - 1 - size // 4] - self.sample[size // 4]
        return min(max(2 - half / (TOLD_APART * self.deviation), 0.0), 1.0)

    def rank(self, x):
        equal = [k + 0.5 for k, one in enumerate(self.sample) if abs(one - x) <= RESOLUTION * abs(x)]
        below = sum(one < x - RESOLUTION * abs(x) for one in self.sample)
        size = len(self.sample)
        if equal:
            return fmean(equal)
        if below in (0, size):
            return min(max(below, 0.5), size - 0.5)
        left, right = self.sample[below - 1], self.sample[below]
        return below - 0.5 + (x - left) / (right - left)

    def code(self, x):
        score = (x - fmean(self.values)) / self.deviation
        if self.share_of_ranks > 0:
            rank = self.rank(x)
            ranked = 0.6 * log(rank / (len(self.sample) - rank))
            score = (1 - self.share_of_ranks) * score + self.share_of_ranks * ranked
        return 1 / (1 + exp(-min(max(score, -700), 700)))
