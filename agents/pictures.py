"""An agent in pictures: its networks with named inputs and actions, an episode, and how it learned. Needs the extra `viz`."""

from collections.abc import Iterator
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dynlive_rl.drawing import (
    COMPLEMENT,
    NetworkPicture,
    curve,
    draw_learning_curve,
    draw_network,
    draw_strengths,
    ink,
    on_ground,
    require_pyplot,
)

from .films import make_like, pixels_of, play, write_film
from .names import Names
from .names import names as names_of
from .reports import Report

if TYPE_CHECKING:
    from .agent import DynLiveAgent

MOST_FRAMES = 40
MOST_TICKS = 24
SILENT = 0.01  # outputs below are those of a neuron that is not active


def draw_agent(
    agent: "DynLiveAgent", path: str | PathLike[str], *, critic: bool = False, names: Names | None = None
) -> None:
    """Draw the actor's (or the critic's) network with the names of inputs and actions; see `draw_network`.

    Colours are the outputs for the observation that the agent learned from last. Names are {"observations": […],
    "actions": […]}, either of which may be missing; by default what the environment says, see `dynlive_rl.agents.names`.
    """
    inputs, outputs = names_of(agent, names)
    if critic:
        outputs = [f"value of {name}" for name in outputs]
    activity = agent.interaction.learner.activities(agent.interaction.observations[:1])[1 if critic else 0]
    draw_network(agent.critic if critic else agent.actor, path, inputs=inputs, outputs=outputs, activity=activity)


class LearningRecord:
    """Watches an agent learn: pass it to `learn` as its callback, and draw afterwards what it saw.

    Parameters
    ----------
    agent
        The agent.
    steps
        Environment steps that it is going to learn for; the actor is looked at up to 40 times on the way.

    Examples
    --------
    >>> from dynlive_rl import DynLiveAgent
    >>> agent = DynLiveAgent("CartPole-v1", seed=0)
    >>> record = LearningRecord(agent, steps=300)
    >>> _ = agent.learn(300, callback=record, progress_bar=False)
    >>> len(record.steps) == agent.episodes
    True
    """

    def __init__(self, agent: "DynLiveAgent", steps: int) -> None:
        self.agent = agent
        self.steps: list[int] = []
        self.returns: list[float] = []
        self._every = max(25, steps // MOST_FRAMES)
        self._next = 0
        self._looks: list[tuple[int, dict[str, NDArray[Any]], NDArray[np.floating]]] = []
        self._look()

    def __call__(self, report: "Report") -> None:
        """Take note of a step."""
        self.steps += [self.agent.num_timesteps] * len(report.finished)
        self.returns += [episode.episode_return for episode in report.finished]
        if self.agent.num_timesteps >= self._next:
            self._look()

    def _look(self) -> None:
        step = self.agent.num_timesteps
        self._next = step + self._every
        net = self.agent.actor.arrays
        kept = {name: getattr(net, name).copy() for name in ("table", "link", "connection")}
        self._looks.append((step, kept, _last_activity(self.agent)))

    def turnover(self) -> tuple[list[int], list[int], list[int], list[int]]:
        """Return steps, and the actor's connections then, and how many were born and died since the look before."""
        steps, alive, born, died = [], [], [0], [0]
        before: set[int] | None = None
        for step, kept, _ in self._looks:
            now = _connected(kept)
            steps.append(step)
            alive.append(len(now))
            if before is not None:
                born.append(len(now - before))
                died.append(len(before - now))
            before = now
        return steps, alive, born, died

    def draw(self, folder: str | PathLike[str]) -> None:
        """Write all pictures of the training into a folder: learning curve, networks, strengths, turnover, animation."""
        folder = Path(folder)
        draw_learning_curve(folder / "learning_curve.png", self.steps, self.returns)
        draw_agent(self.agent, folder / "actor.png")
        draw_agent(self.agent, folder / "critic.png", critic=True)
        draw_strengths(self.agent.actor, folder / "strengths.png")
        self.draw_turnover(folder / "turnover.png")
        self.animate(folder / "learning.gif")

    def draw_turnover(self, path: str | PathLike[str]) -> None:
        """Draw how many of the actor's connections live, are born and die over time, and save the picture."""
        plt = require_pyplot()
        steps, alive, born, died = self.turnover()
        figure, (upper, lower) = plt.subplots(2, figsize=(7, 5), sharex=True, layout="constrained")
        allowed = self.agent.actor.allowed_connections
        upper.plot(steps, alive, color=ink())
        upper.axhline(allowed, color="gray", lw=0.8, ls="--")
        upper.set(ylabel="connections", ylim=(0, 1.08 * allowed), title=f"{allowed:,} allowed (dashed)")
        width = 0.8 * self._every
        lower.bar(steps, born, width, color="tab:green", label="born")
        lower.bar(steps, [-count for count in died], width, color=on_ground(COMPLEMENT), label="died")
        lower.axhline(0, color=ink(), lw=0.8)
        lower.set(xlabel="environment steps", ylabel=f"in {self._every:,} steps")
        lower.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, borderpad=0.1)
        figure.savefig(path, dpi=100)
        plt.close(figure)

    def animate(self, path: str | PathLike[str]) -> None:
        """Save an animation of the actor's network as it learned, beside the learning curve: GIF, or MP4 with ffmpeg."""
        plt = require_pyplot()
        inputs, outputs = names_of(self.agent)
        net = self.agent.actor.arrays
        now = {name: getattr(net, name).copy() for name in self._looks[0][1]}
        figure = plt.figure(figsize=(11, 5), dpi=70, layout="constrained")
        picture = NetworkPicture(self.agent.actor, inputs, outputs)  # everything stays where the last look has it
        picture.size, picture.with_numbers = (6.6, 5.0), False
        left, right = figure.subplots(1, 2, width_ratios=(3, 2))
        most = max(step for step, _, _ in self._looks)

        def frames() -> Iterator[NDArray[np.uint8]]:
            try:
                for step, kept, activity in self._looks:
                    for name, array in kept.items():
                        getattr(net, name)[...] = array
                    left.clear()
                    right.clear()
                    picture.draw(left, activity)
                    left.set_title(f"step {step:,}: {self.agent.actor.connections:,} connections")
                    count = int(np.searchsorted(self.steps, step, side="right"))
                    curve(right, self.steps[:count], self.returns[:count])
                    low, high = min(self.returns, default=0.0), max(self.returns, default=1.0)
                    margin = 0.05 * (high - low) or 0.5
                    right.set(xlim=(0, max(most, 1)), ylim=(low - margin, high + margin))
                    yield pixels_of(figure)
                    figure.set_layout_engine("none")  # laid out once: it is slow
            finally:
                for name, array in now.items():
                    getattr(net, name)[...] = array

        try:
            write_film(path, frames(), frames_per_second=8, total=len(self._looks))
        finally:
            plt.close(figure)


def draw_episode(
    agent: "DynLiveAgent",
    path: str | PathLike[str],
    *,
    env: Any = None,
    seed: int | None = None,
    steps: int = 500,
    names: Names | None = None,
) -> None:
    """Draw the actor's hidden neurons over one episode of its best actions as a heat map, and save the picture.

    Neurons are sorted by when they are most active, and bear their numbers (those of one-hot worlds what they stand for); the
    ones that never are active are left out. Below are the chosen actions and the rewards.

    Parameters
    ----------
    agent
        The agent.
    path
        File to write; its ending names the format.
    env
        The environment, or its id; default: the one it was made with.
    seed
        Seed of the episode.
    steps
        An episode is broken off after so many.
    names
        As in `draw_agent`.
    """
    plt = require_pyplot()
    chosen = make_like(agent, env, None)
    activity: list[NDArray[np.floating]] = []
    rewards: list[float] = []
    try:
        for _, reward in play(agent, chosen, seed, steps):
            activity.append(agent.interaction.learner.activity)
            rewards.append(reward)
    finally:
        chosen.close()
    figure, (top, middle, bottom) = plt.subplots(
        3, figsize=(9, 6.5), sharex=True, height_ratios=(8, 1.6, 1.4), layout="constrained"
    )
    inputs, outputs = names_of(agent, names)
    _draw_neurons(figure, top, agent, np.array(activity), inputs)
    top.set_title(f"{len(rewards)} steps, return {sum(rewards):.4g}")
    choices, size = _choices(agent), float(np.clip(600 / len(rewards), 1.5, 9))
    for k, ids in enumerate(choices):
        middle.plot(np.argmax(np.array(activity)[:, ids], axis=1), ".", ms=size, label=f"component {k}")
    if len(choices) == 1 and len(outputs) <= 8:
        middle.set_yticks(range(len(outputs)), outputs, fontsize=8)
        middle.set_ylim(-0.5, len(outputs) - 0.5)
    elif len(choices) > 1:
        middle.legend(loc="center left", bbox_to_anchor=(1, 0.5), fontsize=7, frameon=False)
    middle.set(ylabel="action")
    bottom.step(range(len(rewards)), rewards, where="mid", color="tab:orange", lw=0.9)
    low, high = min(*rewards, 0.0), max(*rewards, 0.0)
    bottom.xaxis.get_major_locator().set_params(integer=True)
    bottom.set(xlabel="step", ylabel="reward", ylim=(low - 0.1 * (high - low or 1), high + 0.1 * (high - low or 1)))
    figure.savefig(path, dpi=100)
    plt.close(figure)


def _draw_neurons(
    figure: Any, axes: Any, agent: "DynLiveAgent", activity: NDArray[np.floating], inputs: list[str]
) -> None:
    """Draw a heat map of the hidden neurons' outputs, with numbers, from the outputs of all neurons (steps, n)."""
    hidden = np.array([j for layer in agent.actor.layers if layer.kind == "hidden" for j in layer.ids])
    table = activity[:, hidden].T
    order = np.lexsort((table.max(axis=1), table.argmax(axis=1)))
    order = order[table[order].max(axis=1) > SILENT] if (table.max(axis=1) > SILENT).any() else order
    drawn = axes.imshow(table[order], aspect="auto", vmin=0, vmax=1, cmap="viridis", interpolation="nearest")
    figure.colorbar(drawn, ax=axes, label="output", pad=0.01)
    ticks = np.unique(np.linspace(0, order.size - 1, min(order.size, MOST_TICKS)).round().astype(int))
    axes.set_yticks(ticks, [_name_of(agent, int(hidden[order[k]]), inputs) for k in ticks], fontsize=7)
    silent = hidden.size - order.size
    axes.set_ylabel("hidden neurons" + (f" ({silent:,} of {hidden.size:,} never active)" if silent else ""))


def _name_of(agent: "DynLiveAgent", neuron: int, inputs: list[str]) -> str:
    """Return a hidden neuron's number, and where it stands for one-hot values which these are."""
    direct = agent.actor.arrays.inputs[0].tolist()
    read = [inputs[direct.index(i)] for i in agent.actor.sources(neuron).tolist() if i in direct]
    is_cell = agent.interaction.encoder.components and len(read) == agent.actor.sources(neuron).size
    return f"{', '.join(read)}  ({neuron})" if is_cell and len(read) <= 3 else str(neuron)


def _last_activity(agent: "DynLiveAgent") -> NDArray[np.floating]:
    """Return the actor's outputs (n,) for the observation that the agent learned from last, in its first environment."""
    return agent.interaction.learner.activities(agent.interaction.observations[:1])[0]


def _choices(agent: "DynLiveAgent") -> list[NDArray[np.int64]]:
    """Return the output neurons of every choice."""
    return np.split(agent.actor.arrays.outputs, np.cumsum(agent.interaction.decoder.num_actions)[:-1])


def _connected(kept: dict[str, NDArray[Any]]) -> set[int]:
    first, degree = kept["table"][0], kept["table"][1, :-1]
    owner = np.repeat(np.arange(degree.size), np.diff(first))
    connected = np.arange(owner.size) - first[owner] < degree[owner]
    return set((owner[connected] * degree.size + kept["link"][0, connected]).tolist())
