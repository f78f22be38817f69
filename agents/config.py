"""The default configuration: one for every environment, and the only place where its numbers stand."""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from dynlive_rl.checks import number
from dynlive_rl.rule import LearningRule

from .kernels.actor_critic import Settings
from .kernels.live_layout import LiveSettings

RULE = LearningRule(step="adam", growth="signal", mature=1000)


@dataclass(frozen=True, kw_only=True)
class AgentConfig:
    """Configuration of the rehearsed Retrace actor-critic.

    Nothing here depends on the environment: value scale and gain, observation ranges, discount and advantage scale
    adapt by themselves.

    Attributes
    ----------
    hidden
        Hidden neurons of each network (actor and critic), ≥ 1.
    gain_low, gain_high
        Range of the hidden neurons' gains, drawn at birth and kept.
    memory
        Steps of experience kept for rehearsal, over all environments.
    first_rehearsal
        Steps before the first rehearsal.
    rehearse_every
        Steps between rehearsals once episode returns differ, so that there is a difference to learn. However many
        environments step side by side, one rehearsal follows at most: several in a row on one policy's steps learn worse.
    rehearse_every_blind
        Steps between rehearsals until then.
    segments, segment_length
        What one rehearsal looks at: so many stretches of so many consecutive steps, one of them the newest.
    passes, batch
        How often a rehearsal goes over them, in shuffled batches of so many steps.
    trace_decay
        λ of Retrace(λ), in [0, 1].
    discount_low, discount_high
        Bounds of the discount 1 - 2 / mean length of the last episodes that ended by themselves.
    critic_rate, actor_rate
        Step sizes of both networks' hidden neurons; less by (4 / n)² where an observation has n > 4 values (n ≤ 32).
    output_rate
        Step size of output neurons relative to hidden ones, times the number of hidden neurons.
    warm_up
        Rehearsals over which the rates rise to what they are: steps by moments are too long before these are known.
    rate_half_life
        Steps t₀ in the rates' factor 1 / (1 + t / t₀); t counts from the last time the world changed.
    prune_half_life
        Steps t₃ in the factor (t / (t + t₃))² on the rule's prune_fraction: structure is found first, and then what carries
        little goes. Nothing goes while all episodes have returned the same, nor while the fraction `fall` is lost.
    rehearsal_half_life
        Steps t₁ in the rehearsal interval's factor 1 + t / t₁.
    policy_gain
        The policy is softmax(policy_gain · outputs).
    value_gain_low, value_gain_high, target_spread
        A value is scale · G · (output - ½), with G the running deviation of the targets in scales over target_spread,
        within these bounds.
    error_clip, advantage_clip, importance_clip
        Bounds of the value error (in scales), of advantages (in their running deviations), and of 1 / probability.
    entropy, entropy_half_life
        Weight of the policy's entropy, and steps t₂ in its factor 1 / (1 + (t / t₂)²): much is tried at first, and later
        the best action is what counts. t runs backwards after an episode that was broken off below the best return, where
        episodes can end by themselves: then there is something better to be found.
    anchor
        Weight of the pull towards the slow policy.
    slow_rate
        Pace at which the slow policy, the one that acts greedily, follows the fast one.
    longest_hold
        Options are held for 1 to so many steps on average until the rewards show structure: steady exploration finds what
        is far away.
    stuck_share
        Share of choices at random, and held, while the last episode was broken off with less than the best return and none has
        ever ended by itself.
    structure
        Rewards show structure once an episode has ended by itself, or once the rewards of equal actions vary by more than
        this share of the rewards' mean square.
    boost, fall
        Factor on all rates while the mean return of the last episodes is below the best one by more than the fraction
        `fall` of what had been gained.
    established_episodes, established_steps, collapse, learned
        Another world has begun when, at least so many episodes and steps into the present one, each of the last episodes
        lost more than the fraction `collapse` of what had been gained, and that was more than the fraction `learned` of all
        that returns have spanned. Then rates, scales and the age of what is rehearsed start again, and new neurons are
        born. Where episodes fail now and then, it takes more failures in a row, so many that they are no accident.
    setback
        After the agent has been content, it is another world already when each of the last episodes lost more than this
        fraction: rates and the age of what is rehearsed start again, scales and neurons go on. If the loss is not made
        good within `established_steps`, it is another world.
    content_within, content_rate, content_interval
        The agent is content while each of the last episodes returned as much as the best one ever, within this share of
        all that returns have spanned: there is little left to learn. It never is after an episode that was broken off with
        a negative return: that could at least have been shorter. While it is content, the factors apply to the rates and to the
        rehearsal interval.
    rule
        The learning rule of both networks; its step size is not used. Cells have a rule of their own.
    connect
        Share of every neuron's allowed connections that there are at first, at random and at least two, in (0, 1]. Cells
        have all.
    cells
        Where observations are one-hot values and bits alone, in at most so many combinations, every value and every
        combination has a hidden neuron of its own instead.
    cell_rate
        Step size of output neurons that read such cells, times the number of cells. It is plain (no moments) and stays:
        where there are many cells, there is something to try for long. What was never tried keeps its value there, which is
        reason enough to try it where rewards are costs. Action neurons follow the natural gradient there.
    """

    hidden: int = 128
    gain_low: float = 24.0
    gain_high: float = 48.0
    memory: int = 100_000
    first_rehearsal: int = 128
    rehearse_every: int = 2
    rehearse_every_blind: int = 8
    segments: int = 8
    segment_length: int = 64
    passes: int = 2
    batch: int = 64
    trace_decay: float = 0.95
    discount_low: float = 0.99
    discount_high: float = 0.998
    critic_rate: float = 4e-3
    actor_rate: float = 1e-3
    output_rate: float = 4.0
    warm_up: int = 10
    rate_half_life: float = 3000.0
    prune_half_life: float = 10_000.0
    rehearsal_half_life: float = 10_000.0
    policy_gain: float = 20.0
    value_gain_low: float = 10.0
    value_gain_high: float = 64.0
    target_spread: float = 0.03
    error_clip: float = 2.0
    advantage_clip: float = 3.0
    importance_clip: float = 2.0
    entropy: float = 0.3
    entropy_half_life: float = 4000.0
    anchor: float = 2.0
    slow_rate: float = 0.02
    longest_hold: float = 64.0
    stuck_share: float = 0.01
    structure: float = 0.01
    boost: float = 2.0
    fall: float = 0.3
    established_episodes: int = 20
    established_steps: int = 1500
    collapse: float = 0.5
    learned: float = 0.3
    setback: float = 0.1
    content_within: float = 0.01
    content_rate: float = 0.1
    content_interval: int = 12
    rule: LearningRule = RULE
    connect: float = 1.0
    cells: int = 1024
    cell_rate: float = 5.0

    def __post_init__(self) -> None:
        if isinstance(self.rule, Mapping):  # as a saved agent has it
            object.__setattr__(self, "rule", LearningRule(**self.rule))
        if not isinstance(self.rule, LearningRule):
            raise TypeError(f"rule must be a LearningRule, not {self.rule!r}")
        _check_numbers(self)
        if self.batch > self.segments * self.segment_length:
            raise ValueError(
                f"batch must be at most segments · segment_length ({self.segments * self.segment_length}), not {self.batch}"
            )
        if self.longest_hold < 1:
            raise ValueError(f"longest_hold must be at least 1, not {self.longest_hold}")
        if self.stuck_share > 1:
            raise ValueError(f"stuck_share must be in [0, 1], not {self.stuck_share}")
        if self.slow_rate * max(self.boost, 1.0) > 1:
            raise ValueError(f"slow_rate · boost must be at most 1, not {self.slow_rate} · {self.boost}")
        for name in ("rate_half_life", "prune_half_life", "rehearsal_half_life", "entropy_half_life", "target_spread"):
            if getattr(self, name) == 0:
                raise ValueError(f"{name} must be above 0")
        for low, high in (
            ("gain_low", "gain_high"),
            ("discount_low", "discount_high"),
            ("value_gain_low", "value_gain_high"),
        ):
            if getattr(self, low) > getattr(self, high):
                raise ValueError(f"{low} must not be above {high}, but {getattr(self, low)} > {getattr(self, high)}")
        if self.discount_high >= 1 or self.trace_decay > 1:
            raise ValueError(
                f"discount_high must be below 1 and trace_decay at most 1, not {self.discount_high}, {self.trace_decay}"
            )
        if not 0 < self.connect <= 1:
            raise ValueError(f"connect must be in (0, 1], not {self.connect}")
        for name in ("memory", "first_rehearsal"):
            if getattr(self, name) < self.batch:
                raise ValueError(f"{name} must be at least one batch ({self.batch}), not {getattr(self, name)}")

    def settings(self) -> Settings:
        """Return what the kernels need of it."""
        numbers = {name: getattr(self, name) for name in Settings._fields if name not in ("neutral", "cells")}
        return Settings(**numbers, neutral=0.5, cells=False)


@dataclass(frozen=True, kw_only=True)
class LiveConfig:
    """Configuration of live learning: recruited cells and an actor-critic with tags.

    Nothing here depends on the environment: value range, observation ranges, radius and advantage scale adapt by
    themselves.

    Attributes
    ----------
    cells, layers
        Room for so many cells in each of so many layers, each twice as fine as the one before; ≥ 1.
    radius
        Square of the first layer's cells' radius, in mean square distances of inputs to their mean; > 0.
    recruit_below
        A cell is born where none of its layer would say more than this, in [0, 1]; 1 where it was born, 0 at its radius.
    mature
        A finer cell is born only where the coarser one nearby has been used for so many steps lately.
    usage_span
        Steps after which half-forgotten use counts only 1 / e; a cell hardly used lately is retired for a new one.
    discount
        γ, in [0, 1).
    trace_decay
        λ of the tags, in [0, 1].
    critic_rate, actor_rate
        Share of an error that a step corrects at once; and the same for preferences, per standard deviation of errors.
    entropy
        Weight of the policy's entropy.
    advantage_clip
        Bound of advantages in standard deviations.
    policy_range
        The policy is softmax(policy_range · readings), with readings ≥ -1 per layer of cells.
    established_episodes, established_steps, collapse, learned, setback, content_within
        As in `AgentConfig`: when another world has begun, in which the output neurons start again.
    """

    cells: int = 256
    layers: int = 3
    radius: float = 2.5
    recruit_below: float = 0.6
    mature: float = 50.0
    usage_span: float = 10_000.0
    discount: float = 0.995
    trace_decay: float = 0.85
    critic_rate: float = 0.3
    actor_rate: float = 0.07
    entropy: float = 0.1
    advantage_clip: float = 3.0
    policy_range: float = 32.0
    established_episodes: int = 20
    established_steps: int = 1500
    collapse: float = 0.5
    learned: float = 0.3
    setback: float = 0.1
    content_within: float = 0.01

    def __post_init__(self) -> None:
        _check_numbers(self)
        for name in ("discount", "trace_decay", "recruit_below", "critic_rate"):
            if getattr(self, name) > 1:
                raise ValueError(f"{name} must be at most 1, not {getattr(self, name)!r}")
        for name, least in (("radius", 1e-6), ("usage_span", 1.0), ("policy_range", 1e-6)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, not {getattr(self, name)!r}")
        if self.discount == 1:
            raise ValueError(f"discount must be below 1, not {self.discount!r}")

    def settings(self) -> LiveSettings:
        """Return what the kernels need of it."""
        return LiveSettings(**{name: getattr(self, name) for name in LiveSettings._fields})


def _check_numbers(config: "AgentConfig | LiveConfig") -> None:
    for field in fields(config):
        value = getattr(config, field.name)
        if field.name == "rule":  # has checked itself
            continue
        if not 0 <= number(field.name, value) < float("inf"):
            raise ValueError(f"{field.name} must be a finite number ≥ 0, not {value!r}")
        if field.type is int and (int(value) != value or value < 1):
            raise ValueError(f"{field.name} must be a whole number ≥ 1, not {value!r}")
        # Kernels are compiled for types: a whole number where a fraction is meant would have them compiled once more.
        object.__setattr__(config, field.name, field.type(value))  # type: ignore[operator]
