"""The default configuration of live mode, and the only place where its numbers stand."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .config import ActionConfig, WorldChangeConfig
from .recurrence_config import RecurrenceConfig
from .settings import check_groups, check_least, check_numbers, settings_dtype, settings_record, tunable


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

    cells: int = tunable(256, 32, 1_024, at_birth=True)
    layers: int = tunable(3, 1, 5, at_birth=True)
    max_strengths: int = 2**23
    min_cells: int = 16
    radius: float = tunable(2.5, 0.5, 10.0)
    recruit_below: float = tunable(0.6, 0.2, 0.9, log=False)
    mature: float = tunable(50.0, 5.0, 500.0)
    usage_span: float = tunable(10_000.0, 1_000.0, 100_000.0)
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

    discount: float = tunable(0.995, 0.95, 0.9995, log=False)
    trace_decay: float = tunable(0.85, 0.5, 0.99, log=False)
    critic_rate: float = tunable(0.3, 0.03, 1.0)
    actor_rate: float = tunable(0.07, 0.007, 0.7)
    advantage_clip: float = tunable(3.0, 1.0, 10.0)
    error_rate: float = tunable(1e-3, 1e-4, 1e-2)
    value_margin: float = tunable(8.0, 1.0, 64.0)

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

    entropy: float = tunable(0.1, 0.01, 1.0)
    policy_range: float = tunable(32.0, 4.0, 256.0)

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
