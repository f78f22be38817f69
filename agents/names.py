"""What to call an agent's observations and actions: as its user or its environment says, otherwise by where they stand."""

from collections.abc import Mapping, Sequence
from enum import EnumMeta
from typing import TYPE_CHECKING, Any

from gymnasium import spaces

from .environments import parts_of

if TYPE_CHECKING:
    from .agent import DynLiveAgent

Names = Mapping[str, Sequence[str]]
"""Names of "observations" (one for each value of an observation) and of "actions"; either may be missing."""


def names(agent: "DynLiveAgent", given: Names | None = None) -> tuple[list[str], list[str]]:
    """Return the names of what an agent's networks read and of what their output neurons stand for.

    Parameters
    ----------
    agent
        The agent.
    given
        Names to use. Default: `observation_names` and `action_names` of the environment, what its `get_action_meanings` says
        or the members of its enumeration `actions`; otherwise where a value stands in the observation, and the action.

    Raises
    ------
    ValueError
        If there are more or fewer names than values or actions, or names of something else.
    """
    given = given or {}
    if unknown := set(given) - {"observations", "actions"}:
        raise ValueError(f"names are of 'observations' and 'actions', not of {sorted(unknown)[0]!r}")
    encoder, decoder = agent.interaction.encoder, agent.interaction.decoder
    told = told_by(agent.env)
    observed = _replaced("observations", encoder.names, given.get("observations"), told.get("observations"), _base)
    actions = _replaced("actions", decoder.names, given.get("actions"), told.get("actions"), _component)
    recurrence = agent.interaction.recurrence
    return observed if recurrence is None else recurrence.names(observed, actions), actions


def told_by(env: Any) -> dict[str, list[str]]:
    """Return the names that an environment gives its observations and actions; {} if it gives none."""
    one, *_ = parts_of(env) or [env]
    innermost = getattr(one, "unwrapped", None)
    told: dict[str, list[str]] = {}
    for key, attribute in (("observations", "observation_names"), ("actions", "action_names")):
        value = getattr(innermost, attribute, None)
        if isinstance(value, (list, tuple)):
            told[key] = [str(name) for name in value]
    if "actions" not in told and isinstance(getattr(innermost, "action_space", None), spaces.Discrete):
        meanings, members = getattr(innermost, "get_action_meanings", None), getattr(innermost, "actions", None)
        if callable(meanings):
            told["actions"] = [str(name).lower() for name in meanings()]
        elif isinstance(members, EnumMeta):
            told["actions"] = [str(name) for name in members.__members__]
    return told


def _base(name: str) -> str:
    """Return a value's name without which of its states it stands for."""
    return name.split(" = ")[0]


def _component(name: str) -> str:
    return name.split(" = ")[0]


def _replaced(
    what: str, own: list[str], given: Sequence[str] | None, told: Sequence[str] | None, base: Any
) -> list[str]:
    """Return one's own names, or others: one for each of them, or for each value or component that they are of."""
    bases = list(dict.fromkeys(base(name) for name in own))
    for source, others in (("given", given), ("told", told)):
        if others is None:
            continue
        if len(others) == len(own):
            return [str(name) for name in others]
        if len(others) == len(bases):
            new = dict(zip(bases, others, strict=True))
            return [name.replace(base(name), str(new[base(name)]), 1) for name in own]
        if source == "given":
            counts = f"{len(bases)} or {len(own)}" if len(bases) != len(own) else f"{len(own)}"
            raise ValueError(f"names of {what} must be {counts}, not {len(others)}: {list(others)}")
    return own
