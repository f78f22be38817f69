"""Where an agent learns: its environment, made when it is first needed, and the loop over it."""

import os
import pickle
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from copy import deepcopy
from typing import Any, NamedTuple

from gymnasium.utils import EzPickle

from .environment_state import get_environment_state, set_environment_state
from .environments import Environment, describe, insides_of, layers, make_described, vector_of
from .files import SavedAgent
from .interaction import Interaction
from .memory_state import for_environments
from .modes import memory_of
from .training import Position, TrainingLoop


class Stored(NamedTuple):
    """What a file holds of a workplace.

    Attributes
    ----------
    env
        How to make the environment, or one of several; None where that is not known. See `environments.describe`.
    vector
        How several are made; None for a single one. See `environments.vector_of`.
    loop
        Where the loop stands, see `TrainingLoop.get_state`; None where there is none.
    """

    env: dict[str, Any] | None
    vector: dict[str, Any] | None
    loop: dict[str, Any] | None


class Workplace:
    """The environment of an interaction and the loop over it, or what makes them.

    Parameters
    ----------
    interaction
        What acts and learns.
    seed
        Of the environment's first reset.
    env
        The environment, if there is one already.
    stored
        What to make it from otherwise; None: there is none.

    Attributes
    ----------
    env
        The environment; None while there is none.
    """

    def __init__(
        self, interaction: Interaction, seed: int | None, env: Environment | None = None, stored: Stored | None = None
    ) -> None:
        self.interaction, self.seed, self.env, self._stored = interaction, seed, env, stored
        self._is_lost = False
        self._loop = None if env is None else TrainingLoop(interaction, env, seed)

    def loop(self) -> TrainingLoop:
        """Return the loop, making the environment if need be.

        Raises
        ------
        ValueError
            If there is none, or it cannot be made here.
        """
        if self._loop is None:
            if self._is_lost:
                raise ValueError(
                    "this copy of an agent has no environment, as the agent's cannot be copied: save and load it, with env="
                )
            if self._stored is None or self._stored.env is None:
                raise ValueError(
                    "this agent has no environment to learn in: pass env=, or call act and observe yourself"
                )
            self.env = make_described(self._stored.env, self._stored.vector, self.interaction.environments)
            self._loop = TrainingLoop(self.interaction, self.env, self.seed)
            if self._stored.loop is not None:
                self._loop.set_state(self._stored.loop)
        return self._loop

    def environment(self) -> Environment:
        """Return the environment, making it if need be; ValueError as in `loop`."""
        if self.env is None and (self._stored is None or self._stored.env is None):
            raise ValueError("this agent has no environment to be evaluated in: pass env=")
        return self.loop().env

    def made(self) -> Environment | None:
        """Return the environment, making it if need be; None if there is none."""
        is_known = self.env is not None or (self._stored is not None and self._stored.env is not None)
        return self.loop().env if is_known else None

    def take(self, saved: SavedAgent, path: str) -> None:
        """Go on where a file's agent was; in another number of environments with new episodes."""
        interaction, before = self.interaction, saved.environments
        self.take_state(saved.state, memory_of(saved.config))
        interaction.num_timesteps, interaction.skipped = saved.num_timesteps, saved.training.get("skipped", 0)
        if self._loop is None:
            return
        if interaction.environments != before:
            plural = "" if before == 1 else "s"
            self._loop.begin_anew(f"{path} was saved with {before} environment{plural}, not {interaction.environments}")
        elif saved.training.get("loop") is not None:
            self._loop.set_state(saved.training["loop"])

    def take_state(self, state: dict[str, Any], memory: int) -> None:
        """Go on with what was learned in as many environments or others; memory is the steps that may be remembered."""
        self.interaction.set_state(for_environments(state, self.interaction.environments, memory))

    def check_idle(self) -> None:
        """Raise RuntimeError while the loop runs."""
        if self._loop is not None and self._loop.runner == os.getpid():
            raise RuntimeError("this agent is learning: let that call of learn return first")

    def reseed(self, seed: int) -> None:
        """Begin with a seeded reset next."""
        self.seed = seed
        if self._loop is None:
            self._stored = None if self._stored is None else self._stored._replace(loop=None)
        else:
            self._loop.reseed(seed)

    @contextmanager
    def lent(self, env: Environment) -> Iterator[None]:
        """Let others play in an environment; if it is this one, nobody else does meanwhile, and then an episode begins."""
        if self._loop is None or not _share(self._loop.env, env):
            yield
            return
        with self._loop.still():
            try:
                yield
            finally:
                self._loop.abandon_episode()

    @contextmanager
    def still(self) -> Iterator[None]:
        """Keep everything between two steps."""
        with nullcontext() if self._loop is None else self._loop.still(), self.interaction.lock:
            yield

    def stored(self) -> Stored:
        """Return what a file keeps."""
        if self.env is None or self._loop is None:
            return self._stored or Stored(None, None, None)
        return Stored(describe(self.env), vector_of(self.env), self._loop.get_state())

    # -- copies ------------------------------------------------------------------------------------------------------

    def __getstate__(self) -> dict[str, Any]:
        return self._parts(_packed)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Workplace":
        twin = memo[id(self)] = object.__new__(Workplace)
        parts = self._parts(_copied)
        env = parts.pop("env")  # a copy already
        twin.__setstate__(deepcopy(parts, memo) | {"env": env})
        return twin

    def _parts(self, carry: Any) -> dict[str, Any]:
        """Return what a copy is made of; `carry` makes the environment what can be carried along, None if it cannot be."""
        with self.still():
            position = Position() if self._loop is None else self._loop.position
            return {
                "interaction": self.interaction,
                "seed": self.seed,
                "env": None if self.env is None else carry(self.env),
                "stored": self.stored(),
                "is_lost": self._is_lost or self.env is not None,
                "position": position,
                "state": get_environment_state(self.env) if self.env is not None and position.begun else None,
            }

    def __setstate__(self, parts: dict[str, Any]) -> None:
        env = pickle.loads(parts["env"]) if isinstance(parts["env"], bytes) else parts["env"]
        stored: Stored = parts["stored"]
        Workplace.__init__(self, parts["interaction"], parts["seed"], env, stored)
        self._is_lost = parts["is_lost"] and env is None and stored.env is None
        if self._loop is None:
            return
        is_there = parts["state"] is not None and set_environment_state(env, parts["state"])
        if is_there or not _is_made_anew(env):
            self._loop.position = parts["position"]
        elif parts["position"].begun:
            self._loop.begin_anew(f"the state of {env} cannot be copied")


def _share(env: Environment, other: Environment) -> bool:
    """Tell whether two environments are the same one beneath their wrappers, or have a part in common."""
    ours, theirs = ({id(part) for whole in (one, *insides_of(one)) for part in layers(whole)} for one in (env, other))
    return not ours.isdisjoint(theirs)


def _packed(env: Environment) -> bytes | None:
    """Return an environment as bytes; None if it cannot be pickled. What is defined in a notebook needs cloudpickle."""
    for pickler in (pickle, sys.modules.get("cloudpickle")):
        try:
            if pickler is not None:
                return bytes(pickler.dumps(env))
        except Exception:
            continue
    return None


def _copied(env: Environment) -> Environment | None:
    try:
        return deepcopy(env)
    except Exception:
        return None


def _is_made_anew(env: Any) -> bool:
    """Tell whether copying made an environment anew from its arguments, as some of Gymnasium's do."""
    return any(isinstance(one.unwrapped, EzPickle) for one in insides_of(env) or [env])
