"""`dynlive envs`: environments that can be trained in here, and what the others need."""

import argparse
import re
import textwrap
import warnings
from contextlib import closing
from typing import TYPE_CHECKING, Any

from .common import WIDTH, Commands, add_command, add_json, load_environments

if TYPE_CHECKING:
    import gymnasium as gym
    from gymnasium.envs.registration import EnvSpec

EXAMPLES = ("dynlive envs", "dynlive envs cart")
EXTRA = re.compile(r"\w+\[[\w-]+\]")  # of a package, in a message
COLUMNS = ("id", "observations", "actions", "steps", "solved at")


def add_parser(commands: Commands) -> None:
    """Say what `dynlive envs` takes."""
    parser = add_command(commands, "envs", "[TEXT]", "list the environments that can be trained in", run, EXAMPLES)
    parser.add_argument("text", nargs="?", default="", metavar="TEXT", help="only those with this in their ids")
    add_json(parser)


def run(options: argparse.Namespace) -> dict[str, Any]:
    """List this package's environments, those of plugins and Gymnasium's, each by its newest version.

    Of those that cannot be made here it says what is missing. Any other environment that is registered by the import of a
    module is there as module:id.
    """
    import gymnasium as gym

    load_environments()
    found = [_looked_at(spec) for spec in newest(gym.registry.values()) if options.text.lower() in spec.id.lower()]
    if not options.json:
        _print(found, options.text)
    return {"environments": found}


def newest(specs: Any) -> "list[EnvSpec]":
    """Return of every name the specification with the highest version, by name."""
    latest: dict[str, EnvSpec] = {}
    for spec in specs:
        name = f"{spec.namespace or ''}/{spec.name}"
        if name not in latest or (spec.version or 0) >= (latest[name].version or 0):
            latest[name] = spec
    return sorted(latest.values(), key=lambda spec: (_owner(spec), spec.id))


def _owner(spec: "EnvSpec") -> str:
    """Return who registers it, as a heading."""
    point: Any = spec.entry_point
    module = point.partition(":")[0] if isinstance(point, str) else getattr(point, "__module__", "") or ""
    if module.startswith("dynlive_rl."):
        return "DynLive"
    return "Gymnasium" if module.startswith("gymnasium.") else "Plugins"


def _looked_at(spec: "EnvSpec") -> dict[str, Any]:
    """Make one, and say what it is like, or why it cannot be made or learned in."""
    import gymnasium as gym

    from dynlive_rl.agents.actions import ActionDecoder
    from dynlive_rl.agents.spaces import ObservationEncoder

    said: dict[str, Any] = {"id": spec.id, "from": _owner(spec), "missing": None, "observations": None, "actions": None}
    said |= {"max_episode_steps": spec.max_episode_steps, "reward_threshold": spec.reward_threshold}
    try:
        with warnings.catch_warnings(action="ignore"), closing(gym.make(spec.id)) as env:
            said |= {"observations": _short(env.observation_space), "actions": _short(env.action_space)}
            ObservationEncoder(env.observation_space)
            ActionDecoder(env.action_space, 3)
    except Exception as error:  # whatever it raises, it cannot be trained in
        said["missing"] = _missing(error)
    return said


def _missing(error: Exception) -> str:
    """Return what would have to be installed, or else what went wrong."""
    extra = EXTRA.search(str(error))
    if extra is not None:
        return f'needs pip install "{extra[0]}"'
    if isinstance(error, ModuleNotFoundError) and error.name:
        return f"needs pip install {error.name.partition('.')[0]}"
    first = " ".join(str(error).split()).partition(". ")[0]
    return first or type(error).__name__


def _short(space: "gym.Space[Any]") -> str:
    """Return a space in a few letters."""
    from gymnasium import spaces

    if isinstance(space, spaces.Discrete):
        return f"Discrete({space.n})"
    if isinstance(space, (spaces.Tuple, spaces.Dict)):
        return f"{type(space).__name__} of {len(space)}"
    size = "×".join(map(str, space.shape or ()))
    return f"{type(space).__name__}({size})"


def _print(found: list[dict[str, Any]], text: str) -> None:
    if not found:
        print(f"no environment's id contains {text!r}")
    rows = {one["id"]: _row(one) for one in found if one["missing"] is None}
    widths = [max(map(len, column)) for column in zip(COLUMNS, *rows.values(), strict=True)]
    for owner in dict.fromkeys(one["from"] for one in found if one["id"] in rows):
        print(_line((owner, *COLUMNS[1:]), widths))
        for one in found:
            if one["from"] == owner and one["id"] in rows:
                print(_line(rows[one["id"]], widths))
    lacking = [one for one in found if one["missing"] is not None]
    for missing in dict.fromkeys(one["missing"] for one in lacking):
        _print_lacking(missing, [one["id"] for one in lacking if one["missing"] == missing])


def _row(one: dict[str, Any]) -> tuple[str, ...]:
    limit, threshold = one["max_episode_steps"], one["reward_threshold"]
    return (
        f"  {one['id']}",
        one["observations"],
        one["actions"],
        "no limit" if limit is None else str(limit),
        "" if threshold is None else f"{threshold:g}",
    )


def _line(values: tuple[str, ...], widths: list[int]) -> str:
    return "  ".join(value.ljust(width) for value, width in zip(values, widths, strict=True)).rstrip()


def _print_lacking(missing: str, names: list[str]) -> None:
    print(textwrap.shorten(f"Not here: {missing}", WIDTH, placeholder=" …"))
    print(textwrap.fill(", ".join(names), WIDTH, initial_indent="  ", subsequent_indent="  ", break_on_hyphens=False))
