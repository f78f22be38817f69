"""A learned policy that acts with NumPy alone: `dynlive export` puts this module into a file, with an agent's numbers below.

act(observation)                  the best action, or those for a batch of observations
act(observation, random)          an action drawn by a numpy.random.Generator
probabilities(observation)        of all actions, those of the first component first
"""

from typing import Any

import numpy as np

SURE = 0.99  # what is as likely is done itself, not the mean


def scores_of(rows: Any, arrays: dict[str, Any]) -> Any:
    """Return how far rows (b, f) are from the middle of what they have been: in deviations, and by ranks where these fail."""
    scores = (rows - arrays["mean"]) / arrays["deviation"]
    for sample, i, share in zip(arrays["sample"], arrays["ranked"], arrays["share"], strict=True):
        x, size = rows[:, i].astype(np.float64), sample.size
        same = 1e-6 * np.abs(x)
        below = (sample < (x - same)[:, None]).sum(axis=1)
        up_to = (sample <= (x + same)[:, None]).sum(axis=1)
        left, right = sample[np.maximum(below - 1, 0)], sample[np.minimum(below, size - 1)]
        between = below - 0.5 + (x - left) / np.where(right > left, right - left, 1)
        inside = np.where((below > 0) & (below < size), between, below)
        rank = np.clip(np.where(up_to > below, 0.5 * (below + up_to), inside), 0.5, size - 0.5)
        scores[:, i] += share * (0.6 * np.log(rank / (size - rank)) - scores[:, i])
    return scores


class NumpyPolicy:
    """What an agent has learned, to be acted by.

    Parameters
    ----------
    spec
        How observations are read and actions written, and what is computed in between; JSON.
    arrays
        The numbers for it, by name.
    """

    def __init__(self, spec: dict[str, Any], arrays: dict[str, Any]) -> None:
        self.spec, self.arrays = spec, arrays

    def act(self, observation: Any, random: Any = None) -> Any:
        """Return the best action, or one drawn by a generator; of a batch of observations, one each.

        An observation is what the environment calls one: an array, a whole number, or a dict or tuple of these.
        """
        rows, is_batch = self._rows(observation)
        policy = self._policy(rows)
        chosen = np.empty((len(rows), len(policy)), np.int64)
        for d, component in enumerate(policy):
            if random is None:
                chosen[:, d] = component.argmax(axis=1)
            else:
                reached = component.cumsum(axis=1) > random.random((len(rows), 1))
                chosen[:, d] = np.where(reached.any(axis=1), reached.argmax(axis=1), component.shape[1] - 1)
        values = self.arrays["actions"][chosen, np.arange(len(policy))]
        spread = self.spec["spread"]
        if spread is not None and (random is None or spread < 1):
            values = self._between(values, policy, random is None)
        actions = values.reshape(len(rows), *self.spec["action_shape"])
        if is_batch:
            return actions
        return actions[0] if self.spec["action_shape"] else actions[0].item()

    def probabilities(self, observation: Any) -> Any:
        """Return the probabilities (a,) of all actions of every component, one after the other; of a batch (b, a)."""
        rows, is_batch = self._rows(observation)
        policy = np.concatenate(self._policy(rows), axis=1)
        return policy if is_batch else policy[0]

    def _between(self, values: Any, policy: list[Any], is_mean: bool) -> Any:
        """Return the means (b, d) of continuous actions under the policy, or part of the way from there to the values drawn."""
        known = self.arrays["actions"]
        means = [(component * known[:, d]).sum(axis=1) for d, component in enumerate(policy)]
        likeliest = [known[component.argmax(axis=1), d] for d, component in enumerate(policy)]
        is_sure = [component.max(axis=1) >= SURE for component in policy]
        mean = np.where(np.stack(is_sure, axis=1), np.stack(likeliest, axis=1), np.stack(means, axis=1))
        between = mean if is_mean else mean + self.spec["spread"] * (values - mean)
        inside = np.clip(np.rint(between) if np.issubdtype(known.dtype, np.integer) else between, known[0], known[-1])
        is_high = inside >= known[-1]  # as a fraction it may be larger than its type can hold
        return np.where(is_high, known[-1], np.where(is_high, 0, inside).astype(known.dtype))

    def _rows(self, observation: Any) -> tuple[Any, bool]:
        """Return observations as rows (b, f) of single precision, and whether they were a batch."""
        parts = []
        is_batch = False
        for k, part in enumerate(self.spec["observation"]):
            value = observation
            for key in part["path"]:
                value = value[key]
            array = np.asarray(value)
            if k == 0:
                is_batch = array.ndim > len(part["shape"])
            flat = array.reshape(len(array) if is_batch else 1, -1)
            if part["is_one_hot"]:  # a column for every value of every component
                flat = flat[:, self.arrays[f"part{k}.component"]] == self.arrays[f"part{k}.value"]
            parts.append(flat.astype(np.float32))
        return np.concatenate(parts, axis=1), is_batch

    def _policy(self, rows: Any) -> list[Any]:
        """Return the probabilities (b, actions) of every component."""
        arrays = self.arrays
        scaled = _sigmoid(scores_of(rows, arrays).astype(np.float32))
        code = np.where(arrays["is_scaled"], scaled, rows)
        preferences = (self._cells if self.spec["mode"] == "live" else self._network)(code).astype(np.float64)
        policy = []
        start = 0
        for count in self.spec["num_actions"]:
            values = self.spec["gain"] * preferences[:, start : start + count]
            shares = np.exp(values - values.max(axis=1, keepdims=True))
            policy.append(shares / shares.sum(axis=1, keepdims=True))
            start += count
        return policy

    def _network(self, code: Any) -> Any:
        """Return the outputs (b, a) of the network's last layer."""
        arrays = self.arrays
        values = [code, np.float32(1) - code]
        for k, activation in enumerate(self.spec["layers"]):
            sources = np.concatenate(values, axis=1)[:, arrays[f"layer{k}.sources"]]
            drive = sources @ arrays[f"layer{k}.weights"]
            gained = arrays[f"layer{k}.gain"] * (drive - arrays[f"layer{k}.threshold"])
            values.append(_fired(activation, drive, gained, arrays[f"layer{k}.power"]))
        return values[-1]

    def _cells(self, code: Any) -> Any:
        """Return what the action neurons read out (b, a) of recruited cells."""
        arrays = self.arrays
        angle = 0.5 * np.pi * np.clip(code, 0, 1)
        sources = np.concatenate([np.sin(angle), np.maximum(np.cos(angle), 0)], axis=1).astype(np.float32)
        half = np.float32(code.shape[1])
        result: Any = 0.0
        for k, steep in enumerate(self.spec["layers"]):
            drive = sources @ arrays[f"layer{k}.weights"]
            near = 1 - np.float32(steep) * (half - arrays[f"layer{k}.feature_sum"] * drive)
            cells = np.maximum(near, np.float32(0)) ** 2
            cells /= np.maximum(cells.sum(axis=1, keepdims=True), np.float32(1e-38))
            result = result + cells.astype(np.float64) @ arrays[f"layer{k}.readout"]
        return result


def _fired(activation: str, drive: Any, gained: Any, power: Any) -> Any:
    """Return what neurons output, of their drives and of their gains times what these are above their thresholds."""
    if activation == "sigmoid":
        return _sigmoid(gained)
    if activation in ("linear", "rectifier"):
        return np.maximum(gained, 0) if activation == "rectifier" else gained
    if activation == "relu":
        return np.clip(gained, 0, 1)
    return np.clip(drive**power if activation == "power" else drive, 0, 1)


def _sigmoid(x: Any) -> Any:
    """Return the logistic function as agents compute it: the continued fraction of tanh(x / 2), cut off after x⁷."""
    half = np.float32(0.5)
    h = np.clip(half * x, np.float32(-4.97), np.float32(4.97))
    y = h * h
    above = np.float32(135135) + y * (np.float32(17325) + y * (np.float32(378) + y))
    below = np.float32(135135) + y * (np.float32(62370) + y * (np.float32(3150) + y * np.float32(28)))
    return np.minimum(half + half * h * above / below, np.float32(1))
