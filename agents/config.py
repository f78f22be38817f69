"""The default configuration: one for every environment, and the only place where its numbers stand.

Kernels read the numbers as the fields of one record, which is generated from these groups: see `dynlive_rl.agents.settings`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dynlive_rl.rule import LearningRule

from .recurrence_config import TIME_CONSTANTS, RecurrenceConfig
from .settings import check_groups, check_numbers, check_order, settings_dtype, settings_record, tunable

MOST_REHEARSED = 2**18  # steps at once, and MOST_EXAMPLES: what a file says cannot take hours, or all memory
MOST_EXAMPLES = 2**14
RULE = LearningRule(step="adam", growth="signal", mature=1000)


@dataclass(frozen=True, kw_only=True)
class RehearsalConfig:
    """What is remembered, and how often and how much of it is rehearsed.

    Attributes
    ----------
    memory
        Steps of experience kept for rehearsal, over all environments, at most.
    memory_bytes
        Bytes that experience may take: large observations are kept for fewer steps. Half a gibibyte by default.
    first_rehearsal
        Steps before the first rehearsal.
    rehearse_every
        Steps between rehearsals once episode returns differ, so that there is a difference to learn. However many
        environments step side by side, one rehearsal follows at most: several in a row on one policy's steps learn worse.
    rehearse_every_blind
        Steps between rehearsals until then.
    rehearsal_half_life
        Steps t₁ in the rehearsal interval's factor 1 + t / t₁; t is the clock, see `OptimisationConfig.rise_significance`.
    interval_share
        Steps between rehearsals, at least, as a share of the mean length of the last terminated episodes: what long episodes
        have in common shows in few of their steps, and what sets one of them apart is in all.
    content_interval
        Factor on the interval while the agent is content.
    segments, segment_length
        What one rehearsal looks at: so many stretches of so many consecutive steps, one of them the newest.
    epochs, batch
        How often a rehearsal goes over them, in shuffled minibatches of so many steps.
    """

    memory: int = tunable(100_000, 2_000, 500_000, at_birth=True)
    memory_bytes: int = 2**29
    first_rehearsal: int = tunable(128, 128, 1_024)
    rehearse_every: int = tunable(2, 2, 16)
    rehearse_every_blind: int = tunable(8, 4, 32)
    rehearsal_half_life: float = tunable(10_000.0, 1_000.0, 20_000.0)
    interval_share: float = tunable(0.0, 0.0, 0.05, log=False)
    content_interval: int = tunable(12, 6, 50)
    segments: int = tunable(8, 4, 12)
    segment_length: int = tunable(64, 32, 96)
    epochs: int = tunable(2, 1, 3)
    batch: int = tunable(64, 32, 128)

    def __post_init__(self) -> None:
        check_numbers(self, above_zero=("rehearsal_half_life",))
        if self.batch > self.segments * self.segment_length:
            raise ValueError(
                f"batch must be at most segments · segment_length ({self.segments * self.segment_length}), not {self.batch}"
            )
        for name in ("memory", "first_rehearsal"):
            if getattr(self, name) < self.batch:
                raise ValueError(f"{name} must be at least one batch ({self.batch}), not {getattr(self, name)}")
        steps = self.epochs * self.segments * self.segment_length
        if steps > MOST_REHEARSED:
            raise ValueError(f"epochs · segments · segment_length must be at most {MOST_REHEARSED}, not {steps}")


@dataclass(frozen=True, kw_only=True)
class OptimisationConfig:
    """What values, advantages and steps are.

    Attributes
    ----------
    trace_decay
        λ of Retrace(λ), in [0, 1].
    discount_low, discount_high
        Bounds of the discount 1 - 2 / mean length of the last terminated episodes.
    endless_discount
        The discount while no episode has ever terminated, below 1.
    critic_rate, actor_rate
        Step sizes of both networks' hidden neurons; see `NetworkConfig.full_rate_inputs`.
    output_rate
        Step size of output neurons relative to hidden ones, times the number of hidden neurons.
    reward_delays
        Rewards may come any of so many numbers of steps after their actions, always the same one: 0, 1, …; which it is shows in
        how rewards depend on what was chosen. 1: they come at once, and nothing is looked for.
    warm_up
        Rehearsals over which the rates rise to what they are: steps by moments are too long before these are known.
    rise_significance, early_advantage_clip
        Until returns have risen in the present task by so many deviations of what chance would do, clocks stand still and
        advantages are cut at early_advantage_clip, so that first outcomes settle nothing; from one deviation more on clocks
        count every step and advantage_clip holds. 0: from the beginning.
    rate_half_life
        Steps t₀ in the rates' factor 1 / (1 + t / t₀); t is the clock.
    boost, fall
        Factor on all rates while the mean return of the recent episodes is below the best one by more than the fraction
        `fall` of what had been gained.
    content_rate
        Factor on the rates while the agent is content.
    policy_gain
        The policy is softmax(policy_gain · outputs).
    value_gain_low, value_gain_high, target_spread
        A value is scale · G · (output - ½), with G the running deviation of the targets in scales over target_spread,
        within these bounds.
    target_range
        G is at least this times the targets' root mean square, in scales.
    error_clip, advantage_clip, importance_clip
        Bounds of the value error (in scales), of advantages (in their running deviations), and of 1 / probability.
    advantage_scale_rate, target_variance_rate
        Rates of the running deviation of advantages and of the running variance of targets, per rehearsal.
    kl_coefficient
        Weight of the pull towards the target policy.
    tau, target_fade_floor
        Rate at which the target policy, the one that acts greedily, follows the policy (Polyak average); it fades with the
        other rates, to this fraction at least.
    """

    trace_decay: float = tunable(0.95, 0.7, 1.0, log=False)
    discount_low: float = tunable(0.99, 0.9, 0.99, log=False)
    discount_high: float = tunable(0.998, 0.99, 0.9999, log=False)
    endless_discount: float = tunable(0.99, 0.9, 0.998, log=False)
    critic_rate: float = tunable(4e-3, 4e-4, 4e-2)
    actor_rate: float = tunable(1e-3, 1e-4, 1e-2)
    output_rate: float = tunable(4.0, 0.5, 32.0)
    reward_delays: int = 1
    warm_up: int = tunable(10, 1, 100)
    rise_significance: float = tunable(0.0, 0.0, 4.0, log=False)
    rate_half_life: float = tunable(3000.0, 300.0, 30_000.0)
    boost: float = tunable(2.0, 1.0, 4.0)
    fall: float = tunable(0.3, 0.1, 0.9, log=False)
    content_rate: float = tunable(0.1, 0.01, 1.0)
    policy_gain: float = tunable(20.0, 4.0, 100.0)
    value_gain_low: float = tunable(10.0, 2.0, 32.0)
    value_gain_high: float = tunable(64.0, 32.0, 256.0)
    target_spread: float = tunable(0.03, 0.006, 0.15)
    target_range: float = tunable(2.5, 1.0, 10.0)
    error_clip: float = tunable(2.0, 0.5, 8.0)
    advantage_clip: float = tunable(3.0, 1.0, 10.0)
    early_advantage_clip: float = tunable(0.5, 0.2, 3.0)
    importance_clip: float = tunable(2.0, 1.0, 10.0)
    advantage_scale_rate: float = tunable(0.05, 0.005, 0.5)
    target_variance_rate: float = tunable(0.01, 0.001, 0.1)
    kl_coefficient: float = tunable(2.0, 0.2, 20.0)
    tau: float = tunable(0.02, 0.002, 0.2)
    target_fade_floor: float = tunable(0.1, 0.01, 1.0)

    def __post_init__(self) -> None:
        check_numbers(
            self,
            above_zero=("rate_half_life", "target_spread"),
            at_most_one=("advantage_scale_rate", "target_variance_rate", "target_fade_floor"),
        )
        check_order(self, "discount", "value_gain")
        if self.tau * max(self.boost, 1.0) > 1:
            raise ValueError(f"tau · boost must be at most 1, not {self.tau} · {self.boost}")
        if self.discount_high >= 1 or self.trace_decay > 1:
            raise ValueError(
                f"discount_high must be below 1 and trace_decay at most 1, not {self.discount_high}, {self.trace_decay}"
            )
        if self.endless_discount >= 1:
            raise ValueError(f"endless_discount must be below 1, not {self.endless_discount}")


@dataclass(frozen=True, kw_only=True)
class ExplorationConfig:
    """What is tried for its own sake.

    Attributes
    ----------
    entropy, entropy_half_life
        Weight of the policy's entropy, and steps t₂ in its factor 1 / (1 + (t / t₂)²): much is tried at first, and later
        the best action is what counts. t is a clock as well, and runs backwards after an episode that was truncated below the
        best return, where episodes can terminate: then there is something better to be found.
    max_mean_repeat
        Actions are repeated for 1 to so many steps on average until rewards are informative, as long as they lead to what an
        episode has not seen yet: steady exploration finds what is far away.
    stuck_share
        Share of actions at random, and repeated, while the last episode was truncated below the best return and none has
        ever terminated.
    novelty, novelty_beside_gains, clear_gain
        What is paid for an observation that never came before, where observations recur, in the root mean square of rewards
        (count-based exploration, Bellemare et al., 2016): novelty · (1 / √N - mean) for one that came N times, and
        novelty_beside_gains · (…) once a reward has been above 0, as long as none was above clear_gain times the largest loss:
        noise has both. It fades as the entropy's weight does.
    informative_variance, informative_steps
        Rewards are informative once an episode has terminated and one was not 0, or once, after so many steps, the rewards
        of equal actions vary by more than this share of the rewards' mean square.
    """

    entropy: float = tunable(0.3, 0.01, 3.0)
    entropy_half_life: float = tunable(4000.0, 400.0, 40_000.0)
    max_mean_repeat: float = tunable(64.0, 1.0, 256.0)
    stuck_share: float = tunable(0.01, 0.001, 0.1)
    novelty: float = tunable(30.0, 3.0, 100.0)
    novelty_beside_gains: float = tunable(5.0, 0.5, 20.0)
    clear_gain: float = 3.0
    informative_variance: float = 0.01
    informative_steps: int = 20

    def __post_init__(self) -> None:
        check_numbers(self, above_zero=("entropy_half_life",))
        if self.max_mean_repeat < 1:
            raise ValueError(f"max_mean_repeat must be at least 1, not {self.max_mean_repeat}")
        if self.stuck_share > 1:
            raise ValueError(f"stuck_share must be in [0, 1], not {self.stuck_share}")


@dataclass(frozen=True, kw_only=True)
class WorldChangeConfig:
    """When another task has begun, in both modes.

    Attributes
    ----------
    recent_episodes
        How many episodes are the recent ones.
    established_episodes, established_steps, collapse, learned
        Another task has begun when, at least so many episodes and steps into the present one, each of the recent episodes
        lost more than the fraction `collapse` of what had been gained, and that was more than the fraction `learned` of all
        that returns have spanned. Then rates, scales and the age of what is rehearsed start again, and the networks are
        reset (live mode: the output neurons).
    change_significance, min_failure_rate, failure_memory
        Where episodes fail now and then, it takes more failures in a row: so many that the chance of that is below
        `change_significance`, given the running share of failures (rate `failure_memory`), which counts as
        `min_failure_rate` at least.
    setback
        After the agent has been content, it is another task already when each of the recent episodes lost more than this
        fraction: rates and the age of what is rehearsed start again, scales and neurons go on. If the loss is not made
        good within `established_steps`, it is another task.
    content_within
        The agent is content while each of the recent episodes returned as much as the best one ever, within this share of
        all that returns have spanned: there is little left to learn. Never after a truncated episode with a negative return,
        because ending earlier would have scored better.
    """

    recent_episodes: int = 5
    established_episodes: int = 20
    established_steps: int = 1500
    collapse: float = 0.5
    learned: float = 0.3
    change_significance: float = 1e-6
    min_failure_rate: float = 0.05
    failure_memory: float = 0.05
    setback: float = 0.1
    content_within: float = 0.01

    def __post_init__(self) -> None:
        check_numbers(self, at_most_one=("change_significance", "min_failure_rate", "failure_memory"))


@dataclass(frozen=True, kw_only=True)
class NetworkConfig:
    """What both networks are made of.

    Attributes
    ----------
    hidden
        Hidden neurons of each network (actor and critic), ≥ 1.
    gain_low, gain_high
        Range of the hidden neurons' gains, drawn when they are made and kept.
    rule
        The learning rule of both networks; its step size is not used. One-hot cells have a rule of their own.
    connect
        Share of every neuron's allowed connections that there are at first, at random and at least two, in (0, 1]. One-hot
        cells have all.
    max_fan_in
        Connections of a hidden neuron at first, at most; with growth all of them together have no more than that each.
    max_sources
        Sources that a hidden neuron is allowed, at most, ≥ 2: where there are more, it may read a neighbourhood of a random
        place in each part of the observation, and small parts altogether.
    full_rate_inputs
        Neurons learn at the full rate with so many observation features f at most; with more the rate has the factor
        (full_rate_inputs / min(f, max_fan_in / 2))², because a strength averages 1 / (2 f) and moves with all the others. Of
        more than max_fan_in / 2 features those count, in one of the two factors, that change from step to step.
    examples, drive_spread
        Where some features are not scaled, hidden neurons start at thresholds where so many random examples divide, with
        gains that make up for drives that deviate less than this over the examples.
    prune_half_life
        Steps t₃ in the factor (t / (t + t₃))² on the rule's prune_fraction: structure is found first, and then what carries
        little goes. Nothing goes while all episodes have returned the same, nor while the fraction `fall` is lost.
    cells
        Where observations are one-hot values and bits alone, in at most so many combinations, every value and every
        combination has a hidden neuron of its own instead.
    states
        Where an observation is one of at most so many states, and that alone, output neurons read the states themselves, as
        they read cells, where there are too many for these.
    cell_rate
        Step size of output neurons that read such cells, times the number of cells. It is plain (no moments) and stays:
        where there are many cells, there is something to try for long. What was never tried keeps its value there, which is
        reason enough to try it where rewards are costs. Action neurons follow the natural gradient there.
    max_shared_steps
        Full steps that samples of a minibatch that excite the same cells take together, at most.
    """

    hidden: int = tunable(128, 16, 256, at_birth=True)
    gain_low: float = tunable(24.0, 4.0, 32.0, at_birth=True)
    gain_high: float = tunable(48.0, 32.0, 128.0, at_birth=True)
    rule: LearningRule = RULE
    connect: float = tunable(1.0, 0.1, 1.0, at_birth=True)
    max_fan_in: int = tunable(64, 8, 256, at_birth=True)
    max_sources: int = 2048
    full_rate_inputs: int = tunable(4, 1, 32)
    examples: int = 256
    drive_spread: float = 0.08
    prune_half_life: float = 10_000.0
    cells: int = 1024
    states: int = 2**16
    cell_rate: float = tunable(5.0, 0.5, 50.0)
    max_shared_steps: float = 4.0

    def __post_init__(self) -> None:
        if isinstance(self.rule, Mapping):  # as a saved agent has it
            object.__setattr__(self, "rule", LearningRule(**self.rule))
        if not isinstance(self.rule, LearningRule):
            raise TypeError(f"rule must be a LearningRule, not {self.rule!r}")
        check_numbers(self, above_zero=("prune_half_life", "gain_low"))
        check_order(self, "gain")
        if self.max_sources < 2:
            raise ValueError(f"max_sources must be at least 2, a value and its complement, not {self.max_sources}")
        if self.examples > MOST_EXAMPLES:
            raise ValueError(f"examples must be at most {MOST_EXAMPLES}, not {self.examples}")
        if not 0 < self.connect <= 1:
            raise ValueError(f"connect must be in (0, 1], not {self.connect}")


@dataclass(frozen=True, kw_only=True)
class ActionConfig:
    """How actions are made of what output neurons choose.

    Attributes
    ----------
    values_per_component
        A component of a continuous action is chosen among so many values from its lowest to its highest, ≥ 2.
    spread
        Where no episode has ever terminated, what a component does lies between the policy's mean and the value chosen: mean +
        s · (value - mean). With d components s = spread / √d, at most 1, so that all of them together disturb as much as one
        would. Where episodes do terminate, little disturbance would teach to stand still.
    """

    values_per_component: int = tunable(3, 2, 9, at_birth=True)
    spread: float = tunable(1.0, 0.25, 4.0, at_birth=True)

    def __post_init__(self) -> None:
        check_numbers(self)
        if self.values_per_component < 2:
            raise ValueError(f"values_per_component must be at least 2, not {self.values_per_component}")


@dataclass(frozen=True, kw_only=True)
class AgentConfig:
    """Configuration of the rehearsed Retrace actor-critic, in groups.

    Nothing here depends on the environment: value scale and gain, observation ranges, discount and advantage scale
    adapt by themselves.

    Examples
    --------
    >>> config = AgentConfig(rehearsal=RehearsalConfig(memory=10_000))
    >>> config.rehearsal.memory, config.network.hidden
    (10000, 128)
    """

    rehearsal: RehearsalConfig = field(default_factory=RehearsalConfig)
    optimisation: OptimisationConfig = field(default_factory=OptimisationConfig)
    exploration: ExplorationConfig = field(default_factory=ExplorationConfig)
    world_change: WorldChangeConfig = field(default_factory=WorldChangeConfig)
    network: NetworkConfig = field(default_factory=NetworkConfig)
    actions: ActionConfig = field(default_factory=ActionConfig)
    recurrence: RecurrenceConfig = field(default_factory=RecurrenceConfig)

    def __post_init__(self) -> None:
        check_groups(self)

    def settings(self) -> NDArray[np.void]:
        """Return what the kernels need of it: one record, shape (1,)."""
        return settings_record(self, SETTINGS, neutral=0.5)


# neutral: output of a value neuron that stands for 0; natural_gradient: output neurons read one-hot cells, which never change;
# observed: values of single precision in a row that were observed, and are no memory; values_if_wide: the number of all values
# that were observed, where a hidden neuron does not read them all at first, else 0.
SETTINGS = settings_dtype(AgentConfig, neutral=float, natural_gradient=int, observed=int, values_if_wide=int)

#: The AgentConfig of agents made with recurrent=True and no configuration.
RECURRENT = AgentConfig(
    rehearsal=RehearsalConfig(interval_share=1 / 64),
    optimisation=OptimisationConfig(rise_significance=2.0, reward_delays=1024),
    recurrence=RecurrenceConfig(time_constants=TIME_CONSTANTS),
)
