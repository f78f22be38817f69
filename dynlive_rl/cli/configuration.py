"""Configurations from the command line: `--config FILE`, `--set group.name=value` and `--print-config`."""

import argparse
import dataclasses
import difflib
import inspect
import json
import re
import textwrap
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from dynlive_rl.agents.config import AgentConfig
from dynlive_rl.agents.live_config import LiveConfig
from dynlive_rl.agents.modes import CONFIGS

Config = AgentConfig | LiveConfig
WIDTH = 78


def configuration(mode: str, changes: Sequence[Mapping[str, Any]]) -> Config:
    """Return a mode's default configuration with changes, the last of which count most; each is a tree by name.

    Raises
    ------
    ValueError
        If there is no setting of a name, or a value is out of range.
    """
    config: Any = CONFIGS[mode]()
    for change in changes:
        config = _changed(config, change, "", mode)
    return config  # type: ignore[no-any-return]


def read_options(options: argparse.Namespace, before: tuple[str, Mapping[str, Any]] | None) -> tuple[str, Config]:
    """Return the mode and the configuration that `--mode`, `--config` and `--set` ask for.

    Parameters
    ----------
    options
        What was given.
    before
        Mode and settings of a run to go on with, which count less; None: there is none.
    """
    file_mode, settings = read(options.config) if options.config else (None, {})
    if options.mode and file_mode and options.mode != file_mode:
        raise ValueError(f"{options.config} is of mode {file_mode}, not {options.mode}: leave one of them out")
    mode = options.mode or file_mode or (before[0] if before else "rehearsal")
    known = [before[1]] if before and before[0] == mode and not options.config else []
    return mode, configuration(mode, [*known, settings, tree(options.set or ())])


def nearest(name: str, known: Sequence[str]) -> str:
    """Return a question for the name that may have been meant; nothing if none is near."""
    near = difflib.get_close_matches(name, known, n=1)
    return f": did you mean {near[0]}?" if near else ""


def _changed(group: Any, change: Mapping[str, Any], path: str, mode: str) -> Any:
    """Return a group with some of its settings changed, and those of the groups in it."""
    values = {}
    for name, value in change.items():
        where = f"{path}{name}"
        if name not in {field.name for field in dataclasses.fields(group)}:
            raise ValueError(_unknown(where, mode))
        inner = getattr(group, name)
        if dataclasses.is_dataclass(inner):
            if not isinstance(value, Mapping):
                raise ValueError(
                    f"{where} is a group of settings, not one: set {where}.{_first(inner)} or another of them"
                )
            value = _changed(inner, value, f"{where}.", mode)
        elif isinstance(value, Mapping):
            raise ValueError(f"{where} is a setting, and has no {'.'.join(value)} in it")
        values[name] = value
    try:
        return dataclasses.replace(group, **values)
    except (ValueError, TypeError) as error:
        said = str(error)
        culprit = next((name for name in values if said.startswith(name)), None)
        raise ValueError(path + said if culprit else f"{path.rstrip('.') or 'the configuration'}: {said}") from None


def _first(group: Any) -> str:
    return dataclasses.fields(group)[0].name


def _unknown(name: str, mode: str) -> str:
    known = list(names(CONFIGS[mode]()))
    last = name.rpartition(".")[2]
    near = [path for path in known if path.rpartition(".")[2] == last]
    near = near or difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    near = near or [path for path in known if difflib.get_close_matches(last, [path.rpartition(".")[2]], cutoff=0.8)]
    hint = f"did you mean {near[0]}?" if near else "--print-config shows them all"
    return f"mode {mode} has no setting {name}: {hint}"


def names(group: Any, path: str = "") -> Iterator[str]:
    """Yield the names of all settings of a group and of the groups in it, as group.name."""
    for field in dataclasses.fields(group):
        value = getattr(group, field.name)
        if dataclasses.is_dataclass(value):
            yield from names(value, f"{path}{field.name}.")
        else:
            yield f"{path}{field.name}"


# -- from text ---------------------------------------------------------------------------------------------------------


def tree(assignments: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    """Return assignments to group.name as a tree by name; later ones count."""
    whole: dict[str, Any] = {}
    for path, value in assignments:
        *groups, name = path.split(".")
        branch = whole
        for group in groups:
            inner = branch.setdefault(group, {})
            if not isinstance(inner, dict):
                raise ValueError(f"{path} is set beside what it is part of")
            branch = inner
        branch[name] = value
    return whole


def read(path: Path) -> tuple[str | None, dict[str, Any]]:
    """Read a TOML or JSON file: the mode that it names, if any, and its settings as a tree by name.

    The run.json of a run will do too.

    Raises
    ------
    ValueError
        If it is neither.
    OSError
        If there is no such file, or it may not be read.
    """
    try:
        text = path.read_text(encoding="utf-8")
        content = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except FileNotFoundError:
        raise FileNotFoundError(f"there is no file {path}") from None
    except ValueError as error:
        kind = "JSON" if path.suffix.lower() == ".json" else "TOML"
        raise ValueError(f"{path} is no {kind} file: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"{path} must hold settings by name, not a {type(content).__name__}")
    mode = content.pop("mode", None)
    if mode is not None and mode not in CONFIGS:
        raise ValueError(f"mode in {path} must be one of {', '.join(CONFIGS)}, not {mode!r}")
    if isinstance(content.get("config"), dict):  # a run.json
        content = content["config"]
    return mode, content


# -- to text -----------------------------------------------------------------------------------------------------------


def as_toml(mode: str, config: Config) -> str:
    """Return a configuration as a TOML file that `read` understands, with what every setting means."""
    lines = [f"# Every setting of mode {mode}, for `dynlive train --config FILE`.", f'mode = "{mode}"']
    for field in dataclasses.fields(config):
        lines += ["", *_table(field.name, getattr(config, field.name))]
    return "\n".join(lines) + "\n"


def _table(path: str, group: Any) -> list[str]:
    meanings = _meanings(type(group))
    lines, inner = [f"[{path}]"], []
    for field in dataclasses.fields(group):
        value = getattr(group, field.name)
        if dataclasses.is_dataclass(value):
            inner += ["", *_table(f"{path}.{field.name}", value)]
            continue
        lines += textwrap.wrap(
            meanings.pop(field.name, ""), WIDTH, initial_indent="# ", subsequent_indent="# ", break_on_hyphens=False
        )
        lines.append(f"# {field.name} is not set" if value is None else f"{field.name} = {_toml(value)}")
    return lines + inner


def _meanings(kind: type) -> dict[str, str]:
    """Return what a dataclass's docstring says of its fields; of several in one entry, under the name of the first."""
    meanings: dict[str, str] = {}
    for entry in re.split(r"\n(?=\w)", inspect.getdoc(kind) or ""):
        head, _, body = entry.partition("\n")
        if re.fullmatch(r"\w+(, \w+)*", head) and body.startswith("    "):
            meanings[head.partition(",")[0]] = " ".join(body.split())
    return meanings


def _toml(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return json.dumps(value)
    if isinstance(value, (tuple, list)):
        return f"[{', '.join(map(_toml, value))}]"
    return repr(value)
