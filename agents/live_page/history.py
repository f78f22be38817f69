"""What happened so far, for the curves: the return of every episode, samples of other numbers, and what was done by hand."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

MOST_POINTS = 800
MOST_INTERVENTIONS = 60
RECENT = 10


class Intervention(NamedTuple):
    """Something that was done by hand at a step."""

    step: int
    kind: str
    label: str
    key: str


class Series:
    """Points over steps; where they get too many, neighbours are averaged."""

    def __init__(self, columns: int) -> None:
        self._points = np.zeros((2 * MOST_POINTS, 1 + columns))
        self._count = 0
        self._every, self._pending = 1, 0
        self._sum = np.zeros(1 + columns)

    def add(self, step: int, *values: float) -> None:
        """Add a point at a step."""
        self._sum += (step, *values)
        self._pending += 1
        if self._pending < self._every:
            return
        self._points[self._count] = self._sum / self._pending
        self._sum[:], self._pending = 0, 0
        self._count += 1
        if self._count == len(self._points):
            self._points[:MOST_POINTS] = self._points.reshape(MOST_POINTS, 2, -1).mean(axis=1)
            self._count, self._every = MOST_POINTS, 2 * self._every

    @property
    def points(self) -> NDArray[np.float64]:
        """Shape (p, 1 + columns): step and values."""
        return self._points[: self._count]


class History:
    """Everything that the curves show."""

    def __init__(self) -> None:
        self.episodes = Series(1)
        self.samples = Series(3)
        self.interventions: list[Intervention] = []
        self._recent: list[float] = []

    def add_episode(self, step: int, episode_return: float) -> None:
        """Take note of an episode that ended."""
        self.episodes.add(step, episode_return)
        self._recent = [*self._recent[1 - RECENT :], episode_return]

    def add_sample(self, step: int, td_error: float, connections: int, steps_per_second: float) -> None:
        """Take note of how learning goes."""
        self.samples.add(step, td_error, connections, steps_per_second)

    def add_intervention(self, step: int, kind: str, label: str, key: str = "") -> None:
        """Take note of something done by hand; it replaces the last one if that has the same key."""
        if key and self.interventions and self.interventions[-1].key == key:
            self.interventions.pop()
        self.interventions = [*self.interventions[1 - MOST_INTERVENTIONS :], Intervention(step, kind, label, key)]

    @property
    def mean_return(self) -> float | None:
        """Mean return of the last episodes."""
        return float(np.mean(self._recent)) if self._recent else None

    def message(self) -> tuple[dict[str, Any], dict[str, NDArray[np.float32]]]:
        """Return header and parts of a message: steps and returns, steps and samples by column."""
        episodes, samples = self.episodes.points.T, self.samples.points.T
        names = ("sample_steps", "td_error", "connections", "steps_per_second")
        parts = dict(zip(("episode_steps", "returns"), episodes, strict=True)) | dict(zip(names, samples, strict=True))
        header = {"kind": "history", "interventions": [one._asdict() for one in self.interventions]}
        return header, {name: values.astype(np.float32) for name, values in parts.items()}
