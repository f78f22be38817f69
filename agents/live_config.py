"""The default configuration of live mode, and the only place where its numbers stand."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .config import ActionConfig, WorldChangeConfig
from .recurrence_config import RecurrenceConfig
from .settings import check_groups, check_least, check_numbers, settings_dtype, settings_record


@dataclass(frozen=True, kw_only=True)
class CellConfig:
    """The cells of live learning.

    Attributes
    ----------
    cells, layers
        Room for so many cells in each of so many layers, each twice as fine as the one before; ≥ 1.
    max_strengths, min_cells
        Strengths of all cells together, at most: where observations are large, there are fewer cells, but at least so many
        in a layer.
    radius
        Square of the first layer's cells' radius, in mean square distances of inputs to their mean; > 0.
    recruit_below
        A cell is recruited where none of its layer would answer more than this, in [0, 1]; 1 where it was recruited, 0 at
        its radius.
    mature
        A finer cell is recruited only where the coarser one nearby has been used for so many steps lately.
    usage_span
        Steps after which half-forgotten use counts only 1 / e.
    initial_usage, retire_below
        Use that a new cell starts with; a cell is retired for a new one only if it was used less than this lately.
    """

    cells: int = 256
    layers: int = 3
    max_strengths: int = 2**23
    min_cells: int = 16
    radius: float = 2.5
    recruit_below: float = 0.6
    mature: float = 50.0
    usage_span: float = 10_000.0
    initial_usage: float = 2.0
    retire_below: float = 1.0

    def __post_init__(self) -> None:
        check_numbers(self, at_most_one=("recruit_below",))
        check_least(self, radius=1e-6, usage_span=1.0)

    def per_layer(self, features: int) -> int:
        """Return how many cells a layer has room for, where observations have so many values."""
        return min(self.cells, max(self.max_strengths // (2 * features * self.layers), self.min_cells))


@dataclass(frozen=True, kw_only=True)
class LiveOptimisationConfig:
    """What values and steps of live learning are.

    Attributes
    ----------
    discount
        γ, in [0, 1).
    trace_decay
        λ of the eligibility traces, in [0, 1].
    critic_rate, actor_rate
        Share of an error that a step corrects at once; and the same for preferences, per standard deviation of errors.
    advantage_clip
        Bound of advantages in standard deviations.
    error_rate
        Rate of the running mean square of errors, per step.
    value_margin
        Values and targets stay below the value neuron's range divided by this.
    """

    discount: float = 0.995
    trace_decay: float = 0.85
    critic_rate: float = 0.3
    actor_rate: float = 0.07
    advantage_clip: float = 3.0
    error_rate: float = 1e-3
    value_margin: float = 8.0

    def __post_init__(self) -> None:
        check_numbers(self, at_most_one=("discount", "trace_decay", "critic_rate", "error_rate"))
        check_least(self, value_margin=1.0)
        if self.discount == 1:
            raise ValueError(f"discount must be below 1, not {self.discount!r}")


@dataclass(frozen=True, kw_only=True)
class LiveExplorationConfig:
    """What live learning tries for its own sake.

    Attributes
    ----------
    entropy
        Weight of the policy's entropy.
    policy_range
        The policy is softmax(policy_range · readouts), with readouts ≥ -1 per layer of cells.
    """

    entropy: float = 0.1
    policy_range: float = 32.0

    def __post_init__(self) -> None:
        check_numbers(self)
        check_least(self, policy_range=1e-6)


@dataclass(frozen=True, kw_only=True)
class LiveConfig:
    """Configuration of live learning, in groups: recruited cells and an actor-critic with eligibility traces.

    Nothing here depends on the environment: value range, observation ranges, radius and advantage scale adapt by
    themselves.
    """

    cells: CellConfig = field(default_factory=CellConfig)
    optimisation: LiveOptimisationConfig = field(default_factory=LiveOptimisationConfig)
    exploration: LiveExplorationConfig = field(default_factory=LiveExplorationConfig)
    world_change: WorldChangeConfig = field(default_factory=WorldChangeConfig)
    actions: ActionConfig = field(default_factory=ActionConfig)
    recurrence: RecurrenceConfig = field(default_factory=RecurrenceConfig)

    def __post_init__(self) -> None:
        check_groups(self)

    def settings(self) -> NDArray[np.void]:
        """Return what the kernels need of it: one record, shape (1,)."""
        return settings_record(self, LIVE_SETTINGS)


LIVE_SETTINGS = settings_dtype(LiveConfig)
