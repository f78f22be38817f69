"""Agents in files: what they hold besides the arrays."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, NamedTuple

import gymnasium as gym
import numpy as np
from numpy.typing import NDArray

from dynlive_rl import checkpoint
from dynlive_rl.checkpoint import Arrays, Header, Source, Target
from dynlive_rl.checks import natural, positive
from dynlive_rl.files import check_whole_numbers
from dynlive_rl.invariants import LARGEST, need

from .config import ActionConfig, AgentConfig
from .environments import MODULE
from .format2 import from_format_2
from .invariants import check_sizes
from .kernels.scaling import ScalerRow, fill_samples, new_scaler
from .live_config import LiveConfig
from .memory_state import without_experience
from .modes import CONFIGS, Mode
from .space_files import space_from_json, space_to_json
from .spaces import ObservationEncoder
from .state import rows

if TYPE_CHECKING:
    from .agent import DynLiveAgent

TREND = "certainty", "trend_return_mean", "trend_return_square", "trend_product"


def from_format_3(header: Header, arrays: Arrays) -> tuple[Header, Arrays]:
    """Translate format 3 to 4: the targets' mean square was not known then, and as 0 it is a bound that does not bind."""
    return header, {"progress.target_mean_square": np.zeros(1)} | arrays


def from_format_5(header: Header, arrays: Arrays) -> tuple[Header, Arrays]:
    """Translate format 5 to 6.

    Samples of values without a range become what the statistics say; nothing was explored; the range of rewards had 0 in it.
    """
    observed = ObservationEncoder(space_from_json(header["observation_space"])).scaled
    scaled = np.ones(arrays["scaler.mean"].size, np.int8)  # what slow neurons hold comes after what is observed
    scaled[: observed.size] = observed
    count = (
        arrays["scaler.count"] if "scaler.count" in arrays else np.full(scaled.size, arrays["scalars.observations"][0])
    )
    scaler, sample = new_scaler(scaled)
    scaler[ScalerRow.MEAN], scaler[ScalerRow.VARIANCE] = arrays["scaler.mean"], arrays["scaler.variance"]
    scaler[ScalerRow.COUNT] = count
    fill_samples(scaler, sample)
    added = {
        name: np.zeros(1)
        for name in ("progress.reward_sum", "progress.return_steps_mean", "progress.steps_mean_square")
    }
    added |= {
        name: np.zeros_like(arrays["running.length"]) for name in ("running.explored", "running.discounted_steps")
    }
    added |= {
        f"progress.{end}_reward": arrays[f"progress.{m}_reward"] for end, m in (("lowest", "min"), ("highest", "max"))
    }
    return header, added | arrays | rows("scaler", scaler, ScalerRow) | {"sample": sample}


def from_format_6(header: Header, arrays: Arrays) -> tuple[Header, Arrays]:
    """Translate format 6 to 7: clocks counted every step of the task, and such an agent's still do."""
    steps = arrays["progress.steps"] - arrays["progress.task_start_step"]
    added: Arrays = {f"progress.{name}": np.zeros(1) for name in TREND}
    added |= {"progress.clock": steps.astype(float)}
    return header, added | arrays


def from_format_7(header: Header, arrays: Arrays) -> tuple[Header, Arrays]:
    """Translate format 7 to 8: rewards came at once, as far as anybody knew. Slow neurons of products are gone."""
    recurrence = dict(header["config"].get("recurrence", {}))
    need(not recurrence.pop("products", False), "it has slow neurons of products, which this version no longer knows")
    names = "progress.reward_delay", "progress.delay_looked_for"
    arrays = dict.fromkeys(names, np.zeros(1, np.int64)) | arrays
    return header | {"config": header["config"] | {"recurrence": recurrence}}, arrays


def from_format_8(header: Header, arrays: Arrays) -> tuple[Header, Arrays]:
    """Translate format 8 to 9: observations were not counted, and count from here on.

    All that is observed counted as changing at every step.
    """
    names = "progress.counted_observations", "progress.distinct_observations"
    return header, dict.fromkeys(names, np.zeros(1, np.int64)) | {"progress.change_share": np.ones(1)} | arrays


def from_format_9(header: Header, arrays: Arrays) -> tuple[Header, Arrays]:
    """Translate format 9 to 10: continuous actions were the values chosen, and the next one still is."""
    if header["mode"] == "live":
        return header, arrays  # it has its policy
    environments, components = arrays["action"].shape
    if components == 1 or not isinstance(space_from_json(header["action_space"]), gym.spaces.Box):
        return header, arrays
    values = header["config"].get("actions", {}).get("values_per_component", ActionConfig.values_per_component)
    need(
        values * components <= arrays["actor.degree"].size,
        f"there are no {values} neurons for every component of an action",
    )
    policy = (np.arange(values) == arrays["action"][..., None]).astype(float)
    return header, {"policy": policy.reshape(environments, -1)} | arrays


UPGRADES = {
    2: from_format_2, 3: from_format_3, 4: checkpoint.unchanged, 5: from_format_5, 6: from_format_6, 7: from_format_7,
    8: from_format_8, 9: from_format_9,
}  # fmt: skip


class SavedAgent(NamedTuple):
    """What a file holds of an agent."""

    observation_space: gym.Space[Any]
    action_space: gym.Space[Any]
    mode: Mode
    config: AgentConfig | LiveConfig
    seed: int | None
    environments: int
    num_timesteps: int
    env: dict[str, Any] | None  # see `environments.describe`
    training: dict[str, Any]  # see `DynLiveAgent.training_state`; empty in older files
    state: dict[str, NDArray[Any]]
    header: dict[str, Any]


def write_agent(file: Target, agent: "DynLiveAgent", include_experience: bool = True) -> None:
    """Write an agent, with everything it needs to go on learning, or without its experience."""
    with agent.still():
        env, training = agent.training_state()
        header = {
            "mode": agent.mode,
            "config": asdict(agent.config),
            "seed": agent.seed,
            "environments": agent.interaction.environments,
            "num_timesteps": agent.num_timesteps,
            "env": env,
            "training": training,
            "observation_space": space_to_json(agent.observation_space),
            "action_space": space_to_json(agent.action_space),
        }
        arrays = agent.get_state()
    if not include_experience and isinstance(agent.config, AgentConfig):
        arrays = without_experience(arrays, agent.config.rehearsal.first_rehearsal)
    checkpoint.write(file, "agent", header, arrays)


def read_agent(file: Source) -> SavedAgent:
    """Read an agent's file: its header is checked here, its arrays by `set_state`.

    Raises
    ------
    CheckpointError
        If it is not an agent, or is damaged.
    OSError
        If there is no such file, or it may not be read.
    """
    header, arrays = checkpoint.read(file, "agent", UPGRADES)
    with checkpoint.understood(checkpoint.name_of(file), header):
        check_whole_numbers(header["config"])
        _keep_sizes(header["config"])
        saved = SavedAgent(
            observation_space=space_from_json(header["observation_space"]),
            action_space=space_from_json(header["action_space"]),
            mode=header["mode"],
            config=CONFIGS[header["mode"]](**header["config"]),
            seed=None if header["seed"] is None else natural("seed", header["seed"]),
            environments=positive("environments", header["environments"]),
            num_timesteps=natural("num_timesteps", header["num_timesteps"]),
            env=_checked_description(header["env"]),
            training=_checked_training(header.get("training", {})),
            state=arrays,
            header=header,
        )
        check_sizes(arrays, saved.config, saved.observation_space, saved.action_space, saved.environments)
    return saved


def _keep_sizes(config: dict[str, Any]) -> None:
    """Let an agent that was saved before experience and allowed sources had bounds, and states were read, go on without."""
    for group, name, value in (
        ("rehearsal", "memory_bytes", LARGEST),
        ("network", "max_sources", LARGEST),
        ("network", "states", 1),
    ):
        if group in config:
            config[group].setdefault(name, value)


def _checked_description(env: Any) -> dict[str, Any] | None:
    """Return what a header says of an environment; CheckpointError if it is no description, see `environments.describe`."""
    if env is None:
        return None
    limit = env["max_episode_steps"]
    is_one = isinstance(env["id"], str) and isinstance(env["kwargs"], dict)
    need(is_one and (limit is None or type(limit) is int), f"{env!r} describes no environment")
    module = env.get("module")
    is_name = isinstance(module, str) and MODULE.fullmatch(module) is not None
    need(module is None or is_name, f"{module!r:.100} is no module's name")
    return dict(env)


def _checked_training(training: Any) -> dict[str, Any]:
    """Return what a header says of the training; CheckpointError if it is no such thing, see `DynLiveAgent.training_state`."""
    need(isinstance(training, dict), f"{training!r:.100} is no training's state")
    parts = (training.get("vector"), training.get("loop"))
    need(all(part is None or isinstance(part, dict) for part in parts), "a training's state lacks names")
    need(training.get("on_bad_input", "raise") in ("raise", "skip"), "on_bad_input must be 'raise' or 'skip'")
    natural("skipped", training.get("skipped", 0))
    return dict(training)
