"""What must hold of a learner's arrays before a kernel may see them: kernels trust every number, and check none.

Ranges stand in one table; what connects arrays with each other is checked by a few functions below it. Shapes and types are
those of the learner's own arrays, and before there is a learner those that a file's header speaks of.
"""

from collections.abc import Iterable
from typing import Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from dynlive_rl.checkpoint import Arrays, same_as
from dynlive_rl.invariants import ANY, COUNT, FLAG, POSITIVE, TOLERANCE, Span, check_random, check_span, need

from . import one_hot
from .config import AgentConfig, NetworkConfig
from .kernels.experience import Kept
from .kernels.live_layout import CellRow
from .kernels.novelty import MOST_COUNTED
from .kernels.progress import PROGRESS, Mastery
from .kernels.scaling import SAMPLE_SIZE, Scaling
from .live_config import LiveConfig
from .spaces import is_open

MODERATE = Span(-1e30, 1e30)  # as observations and rewards have to be
LENGTH = Span(0, 1e15)
LOOPED_OVER = Span(0, 10**9)  # counts that a kernel counts up to
CHANCE = Span(0, 1)

SPANS = {
    "observations": MODERATE,
    "slow_neurons": MODERATE,
    "first_observations": MODERATE,
    "num_first_observations": COUNT,
    "experience.observation": MODERATE,
    "experience.byte": Span(0, 255),
    "experience.option": POSITIVE,
    "experience.reward": MODERATE,
    "experience.probability": Span(0, 1 + TOLERANCE),  # 0 where it is too small for its type
    "experience.action": POSITIVE,
    "experience.kind": Span(0, 2),
    "experience.forbidden": FLAG,
    "forbidden": FLAG,
    "experience.rows": COUNT,
    "action": POSITIVE,
    "action_repeat.action": POSITIVE,
    "action_repeat.probability": CHANCE,
    "scaler.scaled": Span(0, max(Scaling)),
    "scaler.mean": MODERATE,
    "scaler.variance": POSITIVE,
    "scaler.count": LENGTH,
    "scaler.ranked": CHANCE,
    "sample": MODERATE,
    "visits": POSITIVE,
    "recent.length": LENGTH,
    "recent.return": ANY,
    "outcomes.count": LENGTH,
    "outcomes.mean": MODERATE,
    "running.length": LENGTH,
    "running.return": ANY,
    "running.discounted_return": ANY,
    "running.explored": LENGTH,
    "cell": POSITIVE,
    "num_cells": COUNT,
    "strength": Span(0, 1 + TOLERANCE),
    "trace": ANY,
    "value_shift": ANY,
    "policy": Span(0, 1 + TOLERANCE),
    "feature_mean": Span(0, 1 + TOLERANCE),
    "scalars.value_range": POSITIVE,
    "scalars.error_mean_square": POSITIVE,
    "scalars.observations": COUNT,
    "scalars.feature_spread": POSITIVE,
}
"""Range of every array that is neither a network's nor of the progress record."""

PROGRESS_SPANS = {
    "failures": LOOPED_OVER,
    "steps_since_rehearsal": Span(-(10**15), 10**15),  # below 0 where experience has to be gathered anew
    "failure_rate": CHANCE,
    "change_share": CHANCE,
    "mastery": Span(0, max(Mastery)),
    "task_start_step": Span(-1e15, 1e15),  # before the first step where a task is older than that
    "clock": LENGTH,
    "entropy_clock": LENGTH,
    "certainty": CHANCE,
    "mean_terminated_length": LENGTH,
    **dict.fromkeys(("reward_is_informative", "rewards_differ", "content", "last_truncated_below_best"), FLAG),
    **dict.fromkeys(("first_reward", "lowest_reward", "highest_reward", "reward_sum", "return_steps_mean"), MODERATE),
    **dict.fromkeys(("min_return", "max_return", "best_mean_return", "trend_return_mean", "trend_product"), ANY),
}
"""Range of the fields of the progress record that are not simply ≥ 0."""


# -- before there is a learner ---------------------------------------------------------------------------------------


def check_sizes(
    arrays: Arrays,
    config: AgentConfig | LiveConfig,
    observation_space: spaces.Space[Any],
    action_space: spaces.Space[Any],
    environments: int,
) -> None:
    """Check that what a file's header speaks of is as large as its arrays, so that nothing larger is ever made.

    Raises
    ------
    CheckpointError
        If a size is another.
    """
    features, num_actions = _features(observation_space), _num_actions(action_space, config)
    recent, observed = config.world_change.recent_episodes, features
    shapes: dict[str, tuple[int, ...]] = {}
    if constants := len(config.recurrence.time_constants):
        shapes["slow_neurons"] = (environments, constants, features + sum(num_actions))
        shapes["first_observations"] = (config.recurrence.usual_steps, features)
        features += features + sum(num_actions) + (constants - 1) * features
    shapes |= {
        "observations": (environments, features),
        "action": (environments, len(num_actions)),
        "sample": (_open_features(observation_space) + features - observed, SAMPLE_SIZE),
        "recent.length": (recent,),
    }
    if isinstance(config, LiveConfig):
        pool = config.cells.per_layer(features) * config.cells.layers
        shapes |= {
            "num_cells": (config.cells.layers,),
            "cell": (2 * features + 2, pool),
            "trace": (environments, 3 + sum(num_actions), pool),
        }
    else:
        if constants:
            neurons, connections = _recurrent_sizes(features, observed, sum(num_actions), config)
        else:
            neurons, connections = _network_sizes(features, sum(num_actions), observation_space, config.network)
        shapes |= {f"{network}.degree": (neurons,) for network in ("critic", "actor")}
        shapes |= {f"{network}.source": (connections,) for network in ("critic", "actor")}
    for name, shape in shapes.items():
        need(name in arrays, f"the state lacks {name!r}")
        need(arrays[name].shape == shape, f"{name!r} has shape {arrays[name].shape}, but the header means {shape}")


def _features(space: spaces.Space[Any]) -> int:
    """Return how many values an observation is encoded as, without encoding any."""
    if isinstance(space, (spaces.Dict, spaces.Tuple)):
        parts: Iterable[spaces.Space[Any]] = space.values() if isinstance(space, spaces.Dict) else space
        return sum(_features(part) for part in parts)
    if isinstance(space, spaces.Discrete):
        return int(space.n)
    if isinstance(space, spaces.MultiDiscrete):
        return sum(space.nvec.ravel().tolist())
    return _product(space.shape or ())


def _open_features(space: spaces.Space[Any]) -> int:
    """Return how many of these values have no range."""
    if isinstance(space, (spaces.Dict, spaces.Tuple)):
        parts: Iterable[spaces.Space[Any]] = space.values() if isinstance(space, spaces.Dict) else space
        return sum(_open_features(part) for part in parts)
    return int(np.count_nonzero(is_open(space))) if isinstance(space, spaces.Box) else 0


def _product(numbers: Iterable[int]) -> int:
    """Return a product of whole numbers that may be larger than NumPy's."""
    result = 1
    for number in numbers:
        result *= int(number)
    return result


def _num_actions(space: spaces.Space[Any], config: AgentConfig | LiveConfig) -> list[int]:
    """Return the number of actions of every component, of as many components as a file can have."""
    if isinstance(space, spaces.Discrete):
        return [int(space.n)]
    if isinstance(space, spaces.MultiDiscrete):
        return [int(n) for n in space.nvec.ravel()]
    is_box = isinstance(space, spaces.Box)
    components = _product(space.shape or ())
    need(components < 2**24, f"there are not {components} components of an action")
    return [config.actions.values_per_component if is_box else 2] * components


def _network_sizes(features: int, outputs: int, space: spaces.Space[Any], config: NetworkConfig) -> tuple[int, int]:
    """Return how many neurons and allowed connections each network of a rehearsing agent has."""
    values = _component_sizes(space)
    if one_hot.are_read_directly(values, config):
        return 2 * features + outputs, features * outputs
    if one_hot.is_applicable_to_sizes(values, config):
        conjunctions = _product(values)
        single = sum(values) if len(values) > 1 else 0
        cells = single + conjunctions
        return 2 * features + cells + outputs, single + conjunctions * len(values) + cells * outputs
    sources = 2 * min(features, config.max_sources // 2)
    return 2 * features + config.hidden + outputs, sources * config.hidden + config.hidden * outputs


def _recurrent_sizes(features: int, observed: int, outputs: int, config: AgentConfig) -> tuple[int, int]:
    """Return the same of a recurrent agent's networks, with slow neurons among the features."""
    hidden, constants = config.network.hidden, len(config.recurrence.time_constants)
    others = int(hidden * (1 - config.recurrence.present_share)) if constants > 1 else 0
    read = (2 * observed + outputs) * hidden + observed * others
    return 2 * features + hidden + outputs, 2 * read + hidden * outputs


def _component_sizes(space: spaces.Space[Any]) -> list[int]:
    """Return the number of values of every one-hot or binary component of observations; [] if any is neither."""
    if isinstance(space, (spaces.Dict, spaces.Tuple)):
        parts: Iterable[spaces.Space[Any]] = space.values() if isinstance(space, spaces.Dict) else space
        several = [_component_sizes(part) for part in parts]
        return [size for sizes in several for size in sizes] if all(several) else []
    if isinstance(space, spaces.Discrete):
        return [int(space.n)]
    if isinstance(space, spaces.MultiDiscrete):
        return [int(n) for n in space.nvec.ravel()]
    if isinstance(space, spaces.MultiBinary):
        return [2] * _product(space.shape)
    return []


# -- a learner's state -----------------------------------------------------------------------------------------------


def checked(current: Arrays, state: Arrays) -> Arrays:
    """Return the arrays of a state that the learner has too, with shapes and types as its own, and ranges that are right.

    Ranges of the networks' arrays are not looked at: `Network.check_state` does that.

    Parameters
    ----------
    current
        The learner's own arrays, by name.
    state
        What is to be checked.

    Raises
    ------
    CheckpointError
        If one is missing, or is not as it has to be.
    """
    arrays = same_as(current, state)
    for name, array in arrays.items():
        if name.startswith("progress."):
            check_span(name, array, _progress_span(name.removeprefix("progress.")))
        elif name in SPANS:
            check_span(name, array, SPANS[name])
        elif name in ("random", "predict_random"):
            check_random(name, array)
    return arrays


def _progress_span(name: str) -> Span:
    """Return the range of a field of the progress record."""
    return PROGRESS_SPANS.get(name, COUNT if PROGRESS[name].kind == "i" else POSITIVE)


def check_progress(state: Arrays) -> None:
    """Check that no part of what was counted is more than the whole."""
    steps, episodes = state["progress.steps"][0], state["progress.episodes"][0]
    for name in ("failures", "terminations", "task_episodes"):
        need(state[f"progress.{name}"][0] <= episodes + 1, f"'progress.{name}' must be at most the number of episodes")
    for name in ("episodes", "return_count", "steps_since_rehearsal", "rehearsals", "task_start_step", "reward_delay"):
        need(state[f"progress.{name}"][0] <= steps, f"'progress.{name}' must be at most the number of steps")


def check_rehearsal(
    state: Arrays, scaled: NDArray[Any], kept: Kept, num_actions: tuple[int, ...], capacity: int
) -> None:
    """Check what a rehearsing agent's arrays say together.

    Parameters
    ----------
    state
        Its arrays by name, with ranges that are right.
    scaled
        Shape (f,): which values of an observation are scaled.
    kept
        How experience keeps an observation.
    num_actions
        Of every component.
    capacity
        Rows of experience that an environment may have.
    """
    check_progress(state)
    _check_scaled(state, scaled)
    for name in ("action", "experience.action"):
        _check_actions(name, state[name], num_actions)
    _check_masks(state, num_actions)
    if "experience.option" in state:
        largest = state["experience.option"].reshape(-1, kept.option.shape[1]).max(axis=0, initial=0)
        need((largest < kept.option[1]).all(), "'experience.option' must hold numbers of values that there are")
    _check_visits(state)
    if "policy" in state:
        _check_policy(state["policy"], num_actions)
    repeated = state["action_repeat.action"]
    need((repeated == np.trunc(repeated)).all(), "'action_repeat.action' must hold whole numbers")
    _check_actions("action_repeat.action", repeated, num_actions)
    room = state["experience.kind"].shape[1]
    need(room <= capacity, f"there must be at most {capacity} rows of experience, not {room}")
    full = state["experience.rows"].max() > room
    need(room == capacity or not full, "'experience.rows' must be at most the number of rows there are")


def _check_visits(state: Arrays) -> None:
    """Check that as many observations are counted as there are said to be: none where there are too many."""
    distinct, visits = state["progress.distinct_observations"][0], state.get("visits", np.zeros(0))
    counted = 0 if distinct > MOST_COUNTED else distinct
    need(np.count_nonzero(visits) == counted, f"'visits' must count {counted} observations")


def check_live(state: Arrays, scaled: NDArray[Any], num_actions: tuple[int, ...]) -> None:
    """Check what a live agent's arrays say together; parameters as in `check_rehearsal`."""
    check_progress(state)
    _check_scaled(state, scaled)
    _check_masks(state, num_actions)
    _check_actions("action", state["action"], num_actions)
    num_cells, cell, strength = state["num_cells"], state["cell"], state["strength"]
    size = cell.shape[1] // num_cells.size
    need((num_cells <= size).all(), f"'num_cells' must be at most {size} in every layer")
    living = (np.arange(size) < num_cells[:, None]).ravel()
    need(not cell[:, ~living].any() and not strength[:, ~living].any(), "cells that there are not must have strength 0")
    sums = cell[: CellRow.FEATURE_SUM, living].sum(axis=0, dtype=np.float64)
    need((abs(sums - 1) <= TOLERANCE).all(), "the strengths of a cell must sum to 1")
    sums = strength.sum(axis=1, dtype=np.float64)
    need((sums <= 1 + TOLERANCE).all(), "the strengths of an output neuron must sum to at most 1")
    _check_policy(state["policy"], num_actions)


def _check_policy(policy: NDArray[Any], num_actions: tuple[int, ...]) -> None:
    sums = np.add.reduceat(policy, np.cumsum([0, *num_actions[:-1]]), axis=1)
    need(((abs(sums - 1) <= TOLERANCE) | (sums == 0)).all(), "'policy' must sum to 1 for every component")


def _check_scaled(state: Arrays, scaled: NDArray[Any]) -> None:
    need(np.array_equal(state["scaler.scaled"], scaled), "'scaler.scaled' must be that of the observation space")
    sample, counts = state["sample"], state["scaler.count"][scaled == Scaling.RANKS_TOO]
    is_used = np.arange(1, sample.shape[1]) < counts[:, None]
    need(((sample[:, 1:] >= sample[:, :-1]) | ~is_used).all(), "'sample' must be sorted")


def _check_actions(name: str, actions: NDArray[Any], num_actions: tuple[int, ...]) -> None:
    """Check that every component (last axis) is one of its actions."""
    largest = actions.reshape(-1, len(num_actions)).max(axis=0, initial=0)
    need((largest < num_actions).all(), f"{name!r} must hold numbers of actions, below {num_actions}")


def _check_masks(state: Arrays, num_actions: tuple[int, ...]) -> None:
    """Check that every mask, where there are any, leaves an action of every component."""
    starts = np.cumsum([0, *num_actions[:-1]])
    for name in ("forbidden", "experience.forbidden"):
        if name in state:
            all_masked = np.logical_and.reduceat(state[name] != 0, starts, axis=-1)
            need(not all_masked.any(), f"{name!r} must leave an action of every component")
