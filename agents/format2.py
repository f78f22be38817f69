"""Agents' files of format 2, translated: numbers stood in slots, settings side by side, networks in tables."""

from dataclasses import fields
from typing import Any

import numpy as np

from dynlive_rl.checkpoint import Arrays, Header
from dynlive_rl.files import rows_from_tables

from .config import AgentConfig
from .kernels.acting import RepeatColumn
from .kernels.live_layout import SCALARS
from .kernels.progress import PROGRESS, OutcomeRow, RecentRow, RunningRow
from .kernels.scaling import ScalerRow
from .live_config import LiveConfig
from .state import rows

_TRACK = (
    "steps", "episodes", "steps_since_rehearsal", "rehearsals", "return_count", "return_mean_square", "target_variance",
    "advantage_scale", "td_error_mse", "task_start_step", "task_episodes", "min_return", "max_return", "best_mean_return",
    "rate_boost", "reward_is_informative", "rewards_differ", "first_reward", "reward_square_sum",
    "within_action_square_sum", "task_changes", "content", "mastery", "partial_losses", "failures", "failure_rate",
    "min_reward", "max_reward", "terminations", "mean_terminated_length", "last_truncated_below_best", "entropy_clock",
)  # fmt: skip
_LEVEL = ("value_range", "error_mean_square", "observations", "feature_spread")
_ARRAYS = {
    "seen": "observations",
    "born": "num_cells",
    "shift": "value_shift",
    "chance": "policy",
    "rails": "feature_mean",
}
_SETTINGS = {
    "passes": "epochs",
    "anchor": "kl_coefficient",
    "slow_rate": "tau",
    "longest_hold": "max_mean_repeat",
    "structure": "informative_variance",
}


def from_format_2(header: Header, arrays: Arrays) -> tuple[Header, Arrays]:
    """Translate an agent's file of format 2 to format 3."""
    config: type[Any] = LiveConfig if header["mode"] == "live" else AgentConfig
    settings = {_SETTINGS.get(name, name): value for name, value in header["config"].items()}
    groups: dict[str, Any] = {}
    for group in fields(config):
        group_type: Any = group.type
        groups[group.name] = {
            field.name: settings[field.name] for field in fields(group_type) if field.name in settings
        }
    return header | {"config": groups}, _named(arrays)


def _named(arrays: Arrays) -> Arrays:
    named = {_ARRAYS.get(name, name): array for name, array in arrays.items()}
    for network in ("critic.", "actor."):
        if network + "table" in named:
            named = rows_from_tables(named, network)
    track = named.pop("track")
    for k, name in enumerate(_TRACK):  # some have other names by now, see `agents.files`
        kind = PROGRESS[name] if name in (PROGRESS.names or ()) else np.float64
        named[f"progress.{name}"] = track[k : k + 1].astype(kind)
    if "level" in named:
        level = named.pop("level")
        named |= {f"scalars.{name}": level[k : k + 1].astype(SCALARS[name]) for k, name in enumerate(_LEVEL)}
    if "hold" in named:
        named |= rows("action_repeat", named.pop("hold"), RepeatColumn, axis=2)
    for name, code in (
        ("scaler", ScalerRow),
        ("recent", RecentRow),
        ("outcomes", OutcomeRow),
        ("running", RunningRow),
    ):
        if name in named:
            named |= rows(name, named.pop(name), code)
    return named
