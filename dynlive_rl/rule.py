"""The learning rule of a network: how much a neuron changes, and how it shares its reward."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from .checks import LARGEST, natural, number, positive
from .kernels import layout
from .kernels.layout import Rule

Kind = Literal["simplex", "original"]
Constraint = Literal["simplex", "free"]
Step = Literal["sgd", "adam"]
Share = Literal["contribution", "uniform"]
Aggregation = Literal["sum", "mean"]
Growth = Literal["none", "random", "signal"]

_CODES = {
    "simplex": layout.RuleKind.SIMPLEX,
    "original": layout.RuleKind.ORIGINAL,
    "free": layout.RuleKind.FREE,
    "sgd": layout.StepRule.SGD,
    "adam": layout.StepRule.ADAM,
    "contribution": layout.CreditShare.CONTRIBUTION,
    "uniform": layout.CreditShare.UNIFORM,
    "sum": layout.Aggregation.SUM,
    "mean": layout.Aggregation.MEAN,
    "none": layout.Growth.NONE,
    "random": layout.Growth.RANDOM,
    "signal": layout.Growth.SIGNAL,
}
_NUMBERS = (
    "learning_rate", "credit_gain", "prune_floor", "prune_fraction", "growth_probability", "growth_strength", "recruit_below",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class LearningRule:
    """How every neuron of a network turns reward into strengths.

    Attributes
    ----------
    kind
        "simplex": the signal is the gradient projected onto strengths that sum to 1. "original": the rule the project
        started from, Δw = rate · reward · input, equal shares back, and missing connections that return at random after
        negative reward; kept as a baseline.
    constraint
        What strengths may be. "simplex": never negative, with sum 1. "free": any numbers, as the weights of a classical
        network, with the threshold as (negative) bias; they are neither pruned nor grown.
    learning_rate
        Step size, > 0.
    step
        "sgd": learning_rate · signal. "adam": a per-connection step from the running mean and mean square of the
        connection's own signal (Kingma & Ba, 2015).
    share
        What a source gets of a neuron's error: in proportion to its strength ("contribution"), or all alike ("uniform").
    credit_gain
        κ > 0, the factor on credit passed back. 1 gives exact gradients. None: the neuron's number of connections, which
        keeps deep credit from fading on the simplex; 1 for free strengths.
    aggregation
        What a neuron computes from its sources' outputs: "sum" of the weighted outputs, or their "mean".
    reserve
        If true, a neuron's strengths may sum to less than 1; what is missing is its reserve, and a strength grows
        without taking from the others.
    prune_floor
        A connection whose strength falls to this value or below is removed, in [0, 1).
    prune_fraction
        φ ≥ 0: connections that are weak and do not get stronger are removed too. Weak is a strength of at most φ / number of
        allowed sources, and at most 0.02 whatever φ is; stronger it gets where its signal (with step "adam" the running
        mean) is above 0. Hidden neurons that nobody reads any more become free. 0.1 makes networks sparse, 2 very sparse.
    growth
        How connections form. "none". "random", the original way: after negative reward each missing connection returns
        with growth_probability, at a strength drawn from 0 to growth_strength. "signal": in rehearsal, each missing
        connection is looked at with growth_probability, and forms at strength growth_strength / number of allowed
        sources if the batch asks more of it than of the neuron's average connection. Default: "random" with the original
        rule, else "none".
    growth_probability, growth_strength
        A probability in [0, 1], and a number in (0, 1]. Default strength: 0.05 for "random", 0.001 for "signal".
    max_connections
        Growth stops at this number of connections in the whole network, ≥ 1. None: no such limit.
    recruit_below
        In rehearsal, a free hidden neuron (retired, or never connected) is recruited for an input that no other one says
        more about than this, compared with what it says on average, in [0, 1]; 0: never.
    mature
        How often a neuron must have learned before it removes weak connections, before weak connections to it are removed,
        and, of the output neurons, before hidden ones that nobody reads become free, ≥ 0: the young have not had their chance.
    decays
        "adam" only: decay of the running mean and of the mean square, each in [0, 1).
    """

    kind: Kind = "simplex"
    constraint: Constraint = "simplex"
    learning_rate: float = 0.01
    step: Step = "sgd"
    share: Share = "contribution"
    credit_gain: float | None = None
    aggregation: Aggregation = "sum"
    reserve: bool = False
    prune_floor: float = 0.0
    prune_fraction: float = 0.0
    growth: Growth | None = None
    growth_probability: float = 0.1
    growth_strength: float | None = None
    max_connections: int | None = None
    recruit_below: float = 0.0
    mature: int = 100
    decays: tuple[float, float] = (0.9, 0.999)

    def __post_init__(self) -> None:
        if self.growth is None:
            object.__setattr__(self, "growth", "random" if self.kind == "original" else "none")
        if self.growth_strength is None:
            object.__setattr__(self, "growth_strength", 0.001 if self.growth == "signal" else 0.05)
        for name, choices in (
            ("kind", Kind),
            ("constraint", Constraint),
            ("step", Step),
            ("share", Share),
            ("aggregation", Aggregation),
            ("growth", Growth),
        ):
            value = getattr(self, name)
            if value not in get_args(choices):
                raise ValueError(f"{name} must be one of {', '.join(map(repr, get_args(choices)))}, not {value!r}")
        if not isinstance(self.reserve, (bool, np.bool_)):
            raise ValueError(f"reserve must be True or False, not {self.reserve!r}")
        self._check_numbers()
        if self.constraint == "free":
            self._check_free()

    def _check_numbers(self) -> None:
        """Keep every number as the type it is meant to be, and refuse those out of range."""
        for name in _NUMBERS:
            if (name, getattr(self, name)) != ("credit_gain", None):
                object.__setattr__(self, name, number(name, getattr(self, name)))
        object.__setattr__(self, "mature", natural("mature", self.mature))
        if self.max_connections is not None:
            object.__setattr__(self, "max_connections", positive("max_connections", self.max_connections))
        if np.shape(self.decays) != (2,):
            raise ValueError(f"decays must be two numbers, of the mean and of the mean square, not {self.decays!r}")
        object.__setattr__(self, "decays", tuple(number("decays", decay) for decay in self.decays))
        for name, value in (("prune_floor", self.prune_floor), *(("decays", decay) for decay in self.decays)):
            if not 0 <= value < 1:
                raise ValueError(f"{name} must be in [0, 1), not {value!r}")
        if not 0 < self.learning_rate <= LARGEST:
            raise ValueError(f"learning_rate must be a finite number > 0, not {self.learning_rate!r}")
        if self.credit_gain is not None and not 0 < self.credit_gain <= LARGEST:
            raise ValueError(f"credit_gain must be a finite number > 0 or None, not {self.credit_gain!r}")
        for name in ("growth_probability", "recruit_below"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be in [0, 1], not {getattr(self, name)!r}")
        if not 0 <= self.prune_fraction < float("inf"):
            raise ValueError(f"prune_fraction must be a finite number ≥ 0, not {self.prune_fraction!r}")
        if not 0 < self.growth_strength <= 1:  # type: ignore[operator]
            raise ValueError(f"growth_strength must be in (0, 1], not {self.growth_strength!r}")

    def _check_free(self) -> None:
        if self.credit_gain is None:
            object.__setattr__(self, "credit_gain", 1.0)
        for name, least in (
            ("kind", "simplex"),
            ("reserve", False),
            ("prune_floor", 0.0),
            ("prune_fraction", 0.0),
            ("growth", "none"),
            ("recruit_below", 0.0),
        ):
            value = getattr(self, name)
            if value != least:
                raise ValueError(f"with free strengths {name} must be {least!r}, not {value!r}")

    def numbers(self) -> Rule:
        """Return the rule as the kernels take it: plain numbers, because a call takes 50 µs to look at an enum's member."""
        return Rule(
            kind=int(_CODES["free" if self.constraint == "free" else self.kind]),
            step=int(_CODES[self.step]),
            share=int(_CODES[self.share]),
            aggregation=int(_CODES[self.aggregation]),
            reserve=bool(self.reserve),
            learning_rate=float(self.learning_rate),
            credit_gain=0.0 if self.credit_gain is None else float(self.credit_gain),
            prune_floor=float(self.prune_floor),
            prune_fraction=float(self.prune_fraction),
            growth=int(_CODES[str(self.growth)]),
            growth_probability=float(self.growth_probability),
            growth_strength=float(self.growth_strength or 0.0),
            recruit_below=float(self.recruit_below),
            mature=int(self.mature),
            max_connections=2**62 if self.max_connections is None else int(self.max_connections),
            decay1=float(self.decays[0]),
            decay2=float(self.decays[1]),
        )
