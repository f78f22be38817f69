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
    require_pyplot,
)

from .films import make_like, pixels_of, play, write_film

if TYPE_CHECKING:
    from .agent import DynLiveAgent
from .learning import Report

MOST_FRAMES = 40


def draw_agent(agent: "DynLiveAgent", path: str | PathLike[str], *, critic: bool = False) -> None:
    """Draw the actor's (or the critic's) network with the names of inputs and actions; see `draw_network`.

    The actor's colours are its outputs for the observation that the agent learned from last; the critic is drawn at rest.
    """
    network = agent.critic if critic else agent.actor
    inputs, outputs = names(agent)
    activity = network.activity if critic else _last_activity(agent)
    draw_network(network, path, inputs=inputs, outputs=outputs, activity=activity)


def names(agent: "DynLiveAgent") -> tuple[list[str], list[str]]:
    """Return the names of what an agent's networks read and of what their output neurons stand for."""
    return agent.interaction.encoder.names, agent.interaction.decoder.names


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
        upper.plot(steps, alive, color="black")
        upper.axhline(allowed, color="gray", lw=0.8, ls="--")
        upper.set(ylabel="connections", ylim=(0, 1.08 * allowed), title=f"{allowed:,} allowed (dashed)")
        width = 0.8 * self._every
        lower.bar(steps, born, width, color="tab:green", label="born")
        lower.bar(steps, [-count for count in died], width, color=COMPLEMENT, label="died")
        lower.axhline(0, color="black", lw=0.8)
        lower.set(xlabel="environment steps", ylabel=f"in {self._every:,} steps")
        lower.margins(y=0.2)
        lower.legend(loc="upper right", ncols=2)
        figure.savefig(path, dpi=100)
        plt.close(figure)

    def animate(self, path: str | PathLike[str]) -> None:
        """Save an animation of the actor's network as it learned, beside the learning curve: GIF, or MP4 with ffmpeg."""
        plt = require_pyplot()
        inputs, outputs = names(self.agent)
        net = self.agent.actor.arrays
        now = {name: getattr(net, name).copy() for name in self._looks[0][1]}
        figure = plt.figure(figsize=(11, 5), dpi=70, layout="constrained")
        picture = NetworkPicture(self.agent.actor, inputs, outputs)  # everything stays where the last look has it
        picture.size = (6.6, 5.0)
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
            write_film(path, frames(), frames_per_second=8)
        finally:
            plt.close(figure)


def draw_episode(
    agent: "DynLiveAgent", path: str | PathLike[str], *, env: Any = None, seed: int | None = None, steps: int = 500
) -> None:
    """Draw the actor's hidden neurons over one episode of its best actions as a heat map, and save the picture.

    Neurons are sorted by when they are most active; below are the chosen actions and the rewards.

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
    """
    plt = require_pyplot()
    chosen = make_like(agent, env, None)
    activity: list[NDArray[np.floating]] = []
    choices: list[NDArray[np.int64]] = []
    rewards: list[float] = []
    try:
        for _, reward in play(agent, chosen, seed, steps):
            activity.append(agent.interaction.learner.activity)
            choices.append(np.array([int(np.argmax(activity[-1][list(ids)])) for ids in _choices(agent)]))
            rewards.append(reward)
    finally:
        chosen.close()
    hidden = [j for layer in agent.actor.layers if layer.kind == "hidden" for j in layer.ids]
    table = np.array(activity)[:, hidden].T
    table = table[np.lexsort((table.max(axis=1), table.argmax(axis=1)))]
    figure, (top, middle, bottom) = plt.subplots(
        3, figsize=(9, 6.5), sharex=True, height_ratios=(8, 1.5, 1.5), layout="constrained"
    )
    drawn = top.imshow(table, aspect="auto", vmin=0, vmax=1, cmap="viridis", interpolation="nearest")
    top.set(ylabel="hidden neurons", title=f"{len(rewards)} steps, return {sum(rewards):.4g}")
    figure.colorbar(drawn, ax=top, label="output", pad=0.01)
    for k, series in enumerate(np.array(choices).T):
        middle.step(range(len(series)), series, where="mid", lw=0.8, label=f"choice {k}")
    _, outputs = names(agent)
    if len(_choices(agent)) == 1 and len(outputs) <= 8:
        middle.set_yticks(range(len(outputs)), outputs, fontsize=8)
    middle.set(ylabel="action")
    bottom.plot(rewards, color="tab:orange", lw=0.9)
    bottom.set(xlabel="step", ylabel="reward")
    figure.savefig(path, dpi=100)
    plt.close(figure)


def _last_activity(agent: "DynLiveAgent") -> NDArray[np.floating]:
    """Return the actor's outputs (n,) for the observation that the agent learned from last, in its first environment."""
    agent.interaction.learner.predict(agent.interaction.observations[:1], deterministic=True)
    return agent.interaction.learner.activity


def _choices(agent: "DynLiveAgent") -> list[NDArray[np.int64]]:
    """Return the output neurons of every choice."""
    return np.split(agent.actor.arrays.outputs, np.cumsum(agent.interaction.decoder.num_actions)[:-1])


def _connected(kept: dict[str, NDArray[Any]]) -> set[int]:
    first, degree = kept["table"][0], kept["table"][1, :-1]
    owner = np.repeat(np.arange(degree.size), np.diff(first))
    connected = np.arange(owner.size) - first[owner] < degree[owner]
    return set((owner[connected] * degree.size + kept["link"][0, connected]).tolist())
