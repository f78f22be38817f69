"""The student: an agent in an environment, with its handles, its camera and what looks into it."""

import io
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import gymnasium as gym
import numpy as np
from gymnasium.envs.registration import EnvSpec

from dynlive_rl.agents import AgentConfig, DynLiveAgent, one_hot
from dynlive_rl.agents.environments import make, spec_described
from dynlive_rl.agents.files import read_agent
from dynlive_rl.agents.kernels.progress import RecentRow
from dynlive_rl.agents.names import names

from .gallery import World, world_of
from .handles import Handles
from .insight import Names, insight_into
from .picture import Camera, mode_for


class Choice(NamedTuple):
    """What a new agent is made of.

    Attributes
    ----------
    world
        An environment's id, or its spec.
    mode, seed, hidden
        Of the agent; hidden neurons count in rehearsal only.
    """

    world: EnvSpec | str
    mode: str = "rehearsal"
    seed: int = 0
    hidden: int = 32


class Student:
    """An agent that learns in an environment, and everything by which it is looked at and handled.

    Parameters
    ----------
    agent, env
        The agent and its environment.
    choice
        What another one like it would be made of.
    """

    def __init__(self, agent: DynLiveAgent, env: gym.Env[Any, Any], choice: Choice) -> None:
        self.agent, self.env, self.choice = agent, env, choice
        self.handles = Handles(env)
        self.camera = Camera(env)
        self.world: World = world_of(env.spec.id if env.spec is not None else "")
        self.names = names_for(agent, self.world)
        self.insight = insight_into(agent, self.names)
        self.steps_per_second = float(env.metadata.get("render_fps") or 30)
        self.killed = self.cut = 0

    @property
    def has_cells(self) -> bool:
        """Whether the world decides how many hidden neurons there are, see `one_hot`."""
        config = self.agent.config
        components = self.agent.interaction.encoder.components
        return isinstance(config, AgentConfig) and one_hot.is_applicable(components, config.network)

    @property
    def hidden(self) -> int | None:
        """Number of hidden neurons; None where it is not for choosing."""
        config = self.agent.config
        return config.network.hidden if isinstance(config, AgentConfig) and not self.has_cells else None

    def close(self) -> None:
        """Close the environment."""
        self.env.close()

    # -- hurting -----------------------------------------------------------------------------------------------------

    def cut_connection(self, neuron: int, source: int) -> str:
        """Cut a connection of the drawn network and say which; ValueError if there is none."""
        network = self._network()
        strength = dict(zip(network.sources(neuron).tolist(), network.strengths(neuron).tolist(), strict=True))
        connection = f"{self.name_of(source)} → {self.name_of(neuron)}"
        if source not in strength:
            raise ValueError(f"there is no connection {connection} any more")
        if len(strength) == 1 and neuron not in network.output_ids:
            raise ValueError(f"{self.name_of(neuron)} has no other connection to live on: kill it instead")
        network.remove_connection(neuron, source)
        self.cut += 1
        return f"Cut {connection} (strength {strength[source]:.2f})"

    def kill_neuron(self, neuron: int) -> str:
        """Kill a hidden or input neuron of the drawn network and say which; ValueError if it is neither."""
        network = self._network()
        if neuron in network.output_ids:
            raise ValueError(f"{self.name_of(neuron)} is an action: without it there is nothing to choose")
        if not 0 <= neuron < network.arrays.degree.size:
            raise ValueError(f"there is no neuron {neuron}")
        network.kill(neuron)
        self.killed += 1
        return f"Killed {self.name_of(neuron)}"

    def hurt(self, what: str, share: float) -> str:
        """Kill a share of the living hidden neurons, or cut a share of the connections, of both networks; says how many."""
        self._network()
        random = np.random.default_rng((self.choice.seed, self.killed, self.cut))
        count = 0
        for network in (self.agent.actor, self.agent.critic):
            if what == "connections":
                count += network.cut(share, int(random.integers(2**31)))
                continue
            hidden = [j for layer in network.layers if layer.kind == "hidden" for j in layer.ids]
            alive = [j for j in hidden if network.arrays.gain[j] > 0]
            dying = random.permutation(alive)[: max(0, min(round(share * len(alive)), len(alive) - 1))].tolist()
            network.kill(dying)
            count += len(dying)
        self.killed += count if what == "neurons" else 0
        self.cut += count if what == "connections" else 0
        return f"{'Killed' if what == 'neurons' else 'Cut'} {count} {what} in both networks"

    def _network(self) -> Any:
        if self.agent.mode == "live":
            raise ValueError("a live agent recruits its cells by itself: damage by hand is for rehearsal")
        return getattr(self.agent, self.insight.which)

    def name_of(self, neuron: int) -> str:
        """Return what a neuron is called."""
        return self.insight.drawn.names.get(neuron, f"neuron {neuron}")


def new_student(choice: Choice) -> Student:
    """Make an agent that has learned nothing, and its environment."""
    env = shown_environment(choice.world)
    config: Any = None
    if choice.mode == "rehearsal":
        config = AgentConfig()
        config = replace(config, network=replace(config.network, hidden=choice.hidden))
    mode: Any = choice.mode
    return Student(DynLiveAgent(env, mode=mode, seed=choice.seed, config=config), env, choice)


def loaded_student(file: io.BytesIO | Path, seed: int | None = None) -> Student:
    """Make the agent that a file holds, and the environment in which it goes on.

    Raises
    ------
    CheckpointError
        If it is no agent, or is damaged.
    ValueError
        If its environment is not known, or cannot be made here.
    """
    saved = read_agent(file)
    if saved.env is None:
        raise ValueError("the agent in this file was trained in an environment that an id does not describe")
    spec = spec_described(saved.env)
    env = shown_environment(spec)
    if isinstance(file, io.BytesIO):
        file.seek(0)
    agent = DynLiveAgent.load(file, env=env)
    hidden = agent.config.network.hidden if isinstance(agent.config, AgentConfig) else Choice("").hidden
    return Student(agent, env, Choice(spec, agent.mode, agent.seed or 0 if seed is None else seed, hidden))


def shown_environment(world: EnvSpec | str) -> gym.Env[Any, Any]:
    """Make an environment that can be drawn, if it can be; ValueError if it cannot be made."""
    env = make(world)
    mode = mode_for(list(env.metadata.get("render_modes") or []))
    if mode is not None:
        env.close()
        env = make(world, mode)
    assert isinstance(env, gym.Env)
    return env


def names_for(agent: DynLiveAgent, world: World) -> Names:
    """Return the names of an agent's inputs and outputs: the gallery's where these fit, or what `names` finds."""
    told = names(agent)
    observations, actions = (
        own if len(own) == len(other) else tuple(other)
        for own, other in zip((world.observations, world.actions), told, strict=True)
    )
    return Names(observations, actions)


def saved_bytes(agent: DynLiveAgent) -> bytes:
    """Return what `save` would write."""
    out = io.BytesIO()
    agent.save(out)
    return out.getvalue()


def last_returns(agent: DynLiveAgent, count: int) -> list[float]:
    """Return the returns of the last episodes: as many as asked for, or as many as the learner remembers."""
    learner: Any = agent.interaction.learner
    returns = learner.state.recent[RecentRow.RETURN]
    count = min(count, returns.size)
    return [float(returns[k % returns.size]) for k in range(agent.episodes - count, agent.episodes)]
