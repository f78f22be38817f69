"""`dynlive info`: what is in a file."""

import argparse
import textwrap
from pathlib import Path
from typing import Any

from .common import WIDTH, Commands, add_command, add_json, agent_file

EXAMPLES = ("dynlive info runs/pole", "dynlive info runs/pole/best.dynlive --json")
LABEL = 20


def add_parser(commands: Commands) -> None:
    """Say what `dynlive info` takes."""
    parser = add_command(commands, "info", "FILE [options]", "say what a saved agent or network is", run, EXAMPLES)
    parser.add_argument(
        "file", type=agent_file, metavar="FILE", help="file of an agent or a network, or the folder of a run"
    )
    add_json(parser)


def run(options: argparse.Namespace) -> dict[str, Any]:
    """Say what a saved agent or network is, where and for how long it was trained, and what is not as by default."""
    from dynlive_rl.checkpoint import header_of

    header = header_of(options.file)
    said = _network(options.file) if header.get("kind") == "network" else _agent(options.file)
    result = {"file": str(options.file), "kind": header.get("kind"), **said}
    result |= {"size": options.file.stat().st_size, "format": header.get("format"), "version": header.get("version")}
    if not options.json:
        for name, value in result.items():
            _print(name.replace("_", " "), value)
    return result


def _agent(file: Path) -> dict[str, Any]:
    from dynlive_rl.agents import DynLiveAgent
    from dynlive_rl.agents.files import read_agent
    from dynlive_rl.agents.modes import CONFIGS
    from dynlive_rl.agents.one_hot import is_applicable

    saved = read_agent(file)
    agent = DynLiveAgent.load(file)
    encoder, decoder = agent.interaction.encoder, agent.interaction.decoder
    said: dict[str, Any] = {"mode": agent.mode, **_environment(saved.env), "environments": saved.environments}
    said |= {"observations": _one_line(agent.observation_space), "actions": _one_line(agent.action_space)}
    said |= {"steps": agent.num_timesteps, "episodes": agent.episodes, "mean_return": _mean_return(saved.state)}
    said |= {"task_changes": agent.task_changes, "skipped": agent.skipped, "seed": agent.seed}
    said |= {"connections": agent.connections, "inputs": encoder.size, "outputs": sum(decoder.num_actions)}
    if agent.mode == "rehearsal":
        has_cells = is_applicable(encoder.components, agent.config.network)  # type: ignore[union-attr]
        said["hidden"] = {"activation": "relu (cells)" if has_cells else "sigmoid", **_sizes(agent)}
        said["rows_of_experience"] = int(
            saved.state["experience.rows"].clip(max=saved.state["experience.kind"].shape[1]).sum()
        )
    else:
        said["hidden"] = {"activation": "relu (cells)", "actor and critic": int(saved.state["num_cells"].sum())}
    said["not_default"] = dict(_differences(saved.config, CONFIGS[agent.mode]()))
    return said


def _one_line(value: object) -> str:
    return " ".join(str(value).split())


def _environment(env: dict[str, Any] | None) -> dict[str, Any]:
    """Return what is known of the environment that it was trained in."""
    if env is None:
        return {"env": None}
    name = f"{env['module']}:{env['id']}" if env.get("module") else env["id"]
    return {"env": name, "env_kwargs": env["kwargs"], "max_episode_steps": env["max_episode_steps"]}


def _mean_return(state: dict[str, Any]) -> dict[str, float] | None:
    """Return the mean return of the last episodes, and how many these are."""
    episodes = int(state["progress.task_episodes"][0])
    returns = state["recent.return"]
    count = min(episodes, len(returns))
    return {"mean": float(returns[:count].mean()), "episodes": count} if count else None


def _sizes(agent: Any) -> dict[str, int]:
    return {
        name: sum(len(layer.ids) for layer in network.layers if layer.kind == "hidden")
        for name, network in (("actor", agent.actor), ("critic", agent.critic))
    }


def _differences(config: Any, default: Any) -> Any:
    """Yield the settings that are not as by default, by name, with what they are and what would be the default."""
    from operator import attrgetter

    from .configuration import names

    for name in names(config):
        value, usual = attrgetter(name)(config), attrgetter(name)(default)
        if value != usual:
            yield name, {"is": value, "default": usual}


def _network(file: Path) -> dict[str, Any]:
    from dataclasses import fields

    from dynlive_rl import LearningRule, Network

    network, usual = Network.load(file), LearningRule()
    layers = [f"{len(layer.ids)} {layer.kind} ({layer.activation})" for layer in network.layers]
    changed = {
        field.name: {"is": getattr(network.rule, field.name), "default": getattr(usual, field.name)}
        for field in fields(usual)
        if getattr(network.rule, field.name) != getattr(usual, field.name)
    }
    return {
        "layers": layers,
        "connections": network.connections,
        "allowed_connections": network.allowed_connections,
        "not_default": changed,
    }


# -- for people --------------------------------------------------------------------------------------------------------


def _print(name: str, value: Any) -> None:
    """Print a name and its value in lines of at most 79 columns."""
    if name == "not default":
        lines = [f"{key} = {one['is']!r} (default {one['default']!r})" for key, one in value.items()] or ["nothing"]
    elif name == "mean return":
        lines = [f"{value['mean']:.1f} (last {value['episodes']})"] if value else ["no episode has ended"]
    elif isinstance(value, dict):
        lines = [", ".join(f"{key} {one}" for key, one in value.items()) or "none"]
    elif isinstance(value, list):
        lines = [str(one) for one in value]
    else:
        lines = [
            "not known" if value is None else f"{value:,}" if type(value) is int and name != "seed" else str(value)
        ]
    for k, line in enumerate(lines):
        label = name.ljust(LABEL) if k == 0 else " " * LABEL
        folded = textwrap.wrap(_one_line(line), WIDTH - LABEL - 2, break_on_hyphens=False)
        print(label + ("\n" + " " * LABEL).join(folded))
