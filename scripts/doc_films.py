"""Make the animations of the documentation from real runs: docs/pictures/neuron.svg, structure.svg, credit.svg, cells.webp.

The drawings are SVG that CSS moves: small, sharp, and at rest for readers who ask for less motion.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from dynlive_rl import DynLiveAgent, LearningRule, Network, NetworkBuilder
from dynlive_rl.agents import AgentConfig, NetworkConfig, Report
from dynlive_rl.agents.kernels.live_layout import CellRow
from dynlive_rl.agents.kernels.scaling import ScalerRow

mpl.use("Agg")
import matplotlib.pyplot as plt

INPUTS = ("position", "speed", "angle", "turning")
BLUE, RED, GREEN, GREY, INK = "#1f4e9c", "#c0392b", "#1e8449", "#b0b7c3", "#20242c"
HELD = 0.85  # share of a film's time in which something happens; the rest shows how it ended


# -- SVG that moves ------------------------------------------------------------------------------------------------------


class Drawing:
    """An SVG under construction: elements, and the keyframes that move them."""

    def __init__(self, width: int, height: int, seconds: float, title: str) -> None:
        self.size, self.seconds, self.title = (width, height), seconds, title
        self._elements: list[str] = []
        self._rules: list[str] = []

    def add(self, element: str, *, jumps: bool = False, **moved: Sequence[Any]) -> None:
        """Add an element; keywords are CSS properties with their values over time, the last of which stays.

        The element's text holds `{}` where its attributes go. With `jumps` nothing is between two values.
        """
        if not moved:
            self._elements.append(element.format(""))
            return
        name = f"k{len(self._rules)}"
        keys: dict[str, list[str]] = {}
        for prop, values in moved.items():
            last = len(values) - 1
            for number, value in enumerate(values):
                if 0 < number < last and values[number - 1] == value and (jumps or value == values[number + 1]):
                    continue
                keys.setdefault(f"{100 * HELD * number / last:.3g}%", []).append(f"{prop.replace('_', '-')}:{value}")
            keys.setdefault("to", []).append(f"{prop.replace('_', '-')}:{values[-1]}")
        frames = "".join(f"{at}{{{';'.join(rules)}}}" for at, rules in keys.items())
        final = ";".join(f"{prop.replace('_', '-')}:{values[-1]}" for prop, values in moved.items())
        pace = ";animation-timing-function:step-end" if jumps else ""
        self._rules.append(f"@keyframes {name}{{{frames}}}.{name}{{{final};animation-name:{name}{pace}}}")
        self._elements.append(element.format(f'class="m {name}"'))

    def text(self, x: float, y: float, words: str, *, align: str = "start", size: int = 13, fill: str = INK) -> None:
        """Write a line of text that stays."""
        self.add(f'<text x="{x:g}" y="{y:g}" text-align="{align}" font-size="{size}" fill="{fill}">{words}</text>')

    def counter(self, x: float, y: float, lines: Sequence[str]) -> None:
        """Write lines of text one after the other at one place."""
        for number, words in enumerate(lines):
            shown = ["visible" if k == number else "hidden" for k in range(len(lines))]
            self.add(
                f'<text {{}} x="{x:g}" y="{y:g}" font-size="13" fill="{INK}">{words}</text>',
                jumps=True,
                visibility=shown,
            )

    def save(self, path: Path) -> None:
        """Write the file."""
        width, height = self.size
        style = (
            f".m{{animation:{self.seconds:g}s linear infinite}}"
            "@media(prefers-reduced-motion:reduce){.m{animation:none!important}}" + "".join(self._rules)
        )
        path.write_text(
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
            f'font-family="system-ui, sans-serif" role="img"><title>{self.title}</title><style>{style}</style>'
            f'<rect width="{width}" height="{height}" fill="#fff"/>' + "\n".join(self._elements) + "</svg>\n",
            encoding="utf-8",
        )
        print(f"wrote {path}, {path.stat().st_size // 1024} KB")


def px(values: Any) -> list[str]:
    """Return lengths as CSS writes them."""
    return [f"{value:.1f}px" for value in values]


# -- runs ----------------------------------------------------------------------------------------------------------------


def watch_actor(
    config: AgentConfig, steps: int, frames: int, seed: int
) -> tuple[DynLiveAgent, NDArray[Any], list[tuple[int, float]]]:
    """Learn CartPole; return the agent, the actor's strengths (frames + 1, n, n) by reader and source, and the returns."""
    agent = DynLiveAgent("CartPole-v1", seed=seed, config=config)
    seen, returns = [strengths_of(agent.actor)], []

    def look(report: Report) -> None:
        returns.extend((agent.num_timesteps, episode.episode_return) for episode in report.finished)
        if agent.num_timesteps % (steps // frames) == 0:
            seen.append(strengths_of(agent.actor))

    agent.learn(steps, callback=look, progress_bar=False)
    return agent, np.array(seen), returns


def strengths_of(net: Network) -> NDArray[np.float64]:
    """Return all strengths (n, n) by reader and source; 0 where there is no connection."""
    table = np.zeros((net.neurons, net.neurons))
    for layer in net.layers[1:]:
        for neuron in layer.ids:
            table[neuron, net.sources(neuron)] = net.strengths(neuron)
    return table


def input_names(net: Network) -> dict[int, str]:
    """Return what the input neurons of an actor on CartPole are called."""
    plain, complements = net.arrays.inputs
    names = dict(zip(plain.tolist(), INPUTS, strict=True))
    return names | {i: f"1 − {name}" for i, name in zip(complements.tolist(), INPUTS, strict=True)}


# -- films ---------------------------------------------------------------------------------------------------------------


def neuron_film(path: Path) -> None:
    """Show one neuron's strengths while the agent learns, beside the returns."""
    steps, frames = 3_000, 40
    agent, seen, returns = watch_actor(AgentConfig(), steps, frames, seed=0)
    net = agent.actor
    hidden = next(layer for layer in net.layers if layer.kind == "hidden").ids
    widest = 0.6
    moved = np.abs(np.diff(seen[:, hidden], axis=0)).sum(axis=(0, 2))
    neuron = hidden[int(np.argmax(moved * seen[-1][list(net.output_ids)][:, hidden].max(axis=0)))]
    names = input_names(net)
    drawing = Drawing(
        760, 330, 12, "The strengths of one neuron while the agent learns, and the returns of its episodes"
    )
    drawing.text(20, 26, "one hidden neuron: strengths of its eight sources", size=14)
    for place, (source, name) in enumerate(names.items()):
        y, over_time = 56 + 33 * place, seen[:, neuron, source]
        colour = RED if name.startswith("1") else BLUE
        drawing.text(110, y + 5, name, align="end", fill=colour)
        drawing.add(
            f'<rect {{}} x="120" y="{y - 9}" width="130" height="18" rx="3" fill="{colour}" '
            f'style="transform-origin:120px {y}px"/>',
            transform=[f"scaleX({min(value / widest, 1):.3f})" for value in over_time],
        )
        drawing.add(
            f'<path {{}} d="M258 {y}C310 {y} 320 171 376 171" fill="none" stroke="{colour}" stroke-opacity=".75"/>',
            stroke_width=px(14 * over_time),
        )
    drawing.add(f'<circle cx="392" cy="171" r="17" fill="#fff" stroke="{INK}" stroke-width="2"/>')
    drawing.text(392, 176, "Σ=1", align="middle", size=12)
    at = np.linspace(0, steps, frames + 1)
    x = 470 + 270 * at / steps
    smooth = [np.mean([r for step, r in returns if step <= end][-5:] or [0]) for end in at]
    y = 290 - 230 * np.array(smooth) / 500
    drawing.text(470, 26, "mean return of five episodes", size=14)
    for level in (0, 250, 500):
        drawing.add(f'<path d="M470 {290 - 0.46 * level:g}H740" stroke="{GREY}" stroke-width="1"/>')
        drawing.text(464, 294 - 0.46 * level, str(level), align="end", size=11)
    line = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x, y, strict=True))
    drawing.add(f'<polyline points="{line}" fill="none" stroke="{GREEN}" stroke-width="2"/>')
    drawing.add(
        f'<circle {{}} r="6" fill="{GREEN}"/>',
        transform=[f"translate({a:.1f}px,{b:.1f}px)" for a, b in zip(x, y, strict=True)],
    )
    drawing.text(605, 314, f"{steps:,} steps of CartPole", align="middle", size=12)
    drawing.save(path)


def structure_film(path: Path) -> None:
    """Show a small actor's connections form and go."""
    steps, frames = 12_000, 48
    rule = replace(NetworkConfig().rule, prune_fraction=2.5)
    network = NetworkConfig(hidden=12, connect=0.25, rule=rule, prune_half_life=4_000.0)
    agent, seen, returns = watch_actor(AgentConfig(network=network), steps, frames, seed=4)
    net, names = agent.actor, input_names(agent.actor)
    hidden = next(layer for layer in net.layers if layer.kind == "hidden").ids
    places = {source: (150.0, 50 + 44 * k) for k, source in enumerate(names)}
    places |= {j: (380.0, 34 + 31 * k) for k, j in enumerate(hidden)}
    places |= {j: (610.0, 120 + 170 * k) for k, j in enumerate(net.output_ids)}
    drawing = Drawing(760, 440, 18, "Connections of a small network form and go while it learns")
    for reader, source in np.argwhere(seen.max(axis=0) > 0).tolist():
        (x, y), (to_x, to_y) = places[source], places[reader]
        over_time = seen[:, reader, source]
        there = over_time > 0
        born = there & ~np.concatenate([[True], there[:-1]])
        colour = RED if names.get(source, "").startswith("1") else BLUE
        drawing.add(
            f'<path {{}} d="M{x:g} {y:g}L{to_x:g} {to_y:g}" stroke-linecap="round" stroke-opacity=".7"/>',
            stroke_width=px(np.where(born, 5.0, np.where(there, 0.6 + 9 * over_time, 0))),
            stroke=["#27ae60" if new else colour for new in born],
        )
    for neuron, (x, y) in places.items():
        drawing.add(f'<circle cx="{x:g}" cy="{y:g}" r="9" fill="#fff" stroke="{INK}" stroke-width="1.5"/>')
        if neuron in names:
            drawing.text(x - 16, y + 5, names[neuron], align="end", fill=RED if names[neuron][0] == "1" else BLUE)
    for name, neuron in zip(("left", "right"), net.output_ids, strict=True):
        drawing.text(places[neuron][0] + 16, places[neuron][1] + 5, name)
    lines = []
    for k, table in enumerate(seen):
        done = [r for step, r in returns if step <= k * steps // frames][-5:]
        lines.append(
            f"step {k * steps // frames:,}: {np.count_nonzero(table)} connections, return {np.mean(done or [0]):.0f}"
        )
    drawing.counter(150, 428, lines)
    drawing.add('<path d="M520 424h26" stroke="#27ae60" stroke-width="5" stroke-linecap="round"/>')
    drawing.text(554, 428, "new connection")
    drawing.save(path)


def xor_network() -> tuple[Network, list[int], int]:
    """Return a network that has half learned exclusive or, its hidden neurons and its output neuron."""
    rule = LearningRule(step="adam", learning_rate=0.02, credit_gain=1.0)
    build = NetworkBuilder(seed=3, rule=rule, dual_rail=True, dtype="float64")
    inputs = build.add_inputs(2)
    hidden = build.add_neurons(4, gain=6.0)
    out = build.add_outputs(1, "identity")
    build.allow(hidden, sources=inputs)
    build.allow(out, sources=hidden)
    net = build.build()
    examples = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], float)
    for _ in range(40):
        net.rehearse(examples, (examples.sum(axis=1) == 1)[:, None] - net.predict(examples))
    net.reset()
    net.rule = replace(rule, step="sgd", learning_rate=0.6)  # one step that can be seen
    return net, hidden, out[0]


def credit_film(path: Path) -> None:
    """Show a cycle, the way of a reward back, and the update, in a small network that is learning XOR."""
    net, hidden, out = xor_network()
    before, output = strengths_of(net), float(net.propagate([1.0, 0.0])[0])
    activity, reward = net.activity.astype(float).copy(), 1.0 - output
    net.reinforce([reward])
    after = strengths_of(net)
    plain, complements = net.arrays.inputs.tolist()
    order = [plain[0], complements[0], plain[1], complements[1]]
    names = dict(zip(order, ("x1 = 1", "1 − x1 = 0", "x2 = 0", "1 − x2 = 1"), strict=True))
    places = {i: (150.0, 60 + 66 * k) for k, i in enumerate(order)}
    places |= {j: (370.0, 48 + 74 * k) for k, j in enumerate(hidden)} | {out: (590.0, 160.0)}
    shares = dict.fromkeys(places, 0.0) | {out: reward}
    for j in hidden:
        shares[j] = reward * before[out, j]
    drawing = Drawing(760, 350, 10, "One cycle, the way of a reward back, and the update")
    stages = {"inputs": 0, "hidden": 2, "output": 4, "reward": 6, "back": 8, "end": 11}
    frames = stages["end"] + 1
    for j, i in np.argwhere(before + after > 0).tolist():
        (x, y), (to_x, to_y) = places[i], places[j]
        width = [before[j, i]] * (frames - 1) + [after[j, i]]
        colour = RED if names.get(i, "").startswith("1 −") else BLUE
        drawing.add(
            f'<path {{}} d="M{x:g} {y:g}L{to_x:g} {to_y:g}" stroke="{colour}" stroke-opacity=".45"/>',
            stroke_width=px(1 + 14 * np.array(width)),
        )
        begin = stages["reward"] if j == out else stages["back"]
        error = shares[j] * (1 if j == out else 6.0 * activity[j] * (1 - activity[j]))
        radius = min(3 + 30 * abs(error * before[j, i]), 13)
        path_back = [(to_x, to_y) if k <= begin else (x, y) for k in range(frames)]
        seen = ["1" if begin <= k <= begin + 2 else "0" for k in range(frames)]
        drawing.add(
            f'<circle {{}} r="{radius:.1f}" fill="{GREEN if error > 0 else RED}"/>',
            transform=[f"translate({a:g}px,{b:g}px)" for a, b in path_back],
            opacity=[*seen[:-1], "0"],
        )
    for neuron, (x, y) in places.items():
        lit = stages["inputs"] if neuron in names else stages["output"] if neuron == out else stages["hidden"]
        grey = f"rgb({255 - 195 * activity[neuron]:.0f},{255 - 90 * activity[neuron]:.0f},255)"
        drawing.add(
            f'<circle {{}} cx="{x:g}" cy="{y:g}" r="19" stroke="{INK}" stroke-width="1.5"/>',
            fill=["#fff" if k < lit else grey for k in range(frames)],
        )
        if neuron in names:
            drawing.text(x - 28, y + 5, names[neuron], align="end")
        else:
            drawing.text(x, y + 4, f"{activity[neuron]:.2f}", align="middle", size=11)
    drawing.text(616, 152, f"output {output:.2f}")
    drawing.text(616, 172, f"reward {reward:+.2f}", fill=GREEN)
    said = {
        "a cycle: every layer fires": 6,
        "the reward goes back, by strength × slope": 5,
        "every neuron updates itself": 1,
    }
    drawing.counter(150, 336, [words for words, count in said.items() for _ in range(count)])
    drawing.save(path)


def cells_film(path: Path) -> None:
    """Show live mode recruit cells on MountainCar, with the value that they add up to."""
    steps, frames = 24_000, 40
    agent = DynLiveAgent("MountainCar-v0", mode="live", seed=3)
    images: list[Image.Image] = []
    returns: list[float] = []
    figure, axes = plt.subplots(figsize=(7.2, 3.6), dpi=100, layout="constrained")
    scale = mpl.cm.ScalarMappable(mpl.colors.Normalize(-100, 0), "viridis")
    figure.colorbar(scale, ax=axes, label="value: return to come, discounted")

    def look(report: Report) -> None:
        returns.extend(episode.episode_return for episode in report.finished)
        if agent.num_timesteps % (steps // frames) == 0:
            draw_cells(axes, agent, f"step {agent.num_timesteps:,}, return {np.mean(returns[-5:] or [-200]):.0f}")
            figure.canvas.draw()
            images.append(Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3].copy()))

    agent.learn(steps, callback=look, progress_bar=False)
    plt.close(figure)
    durations = [180] * (len(images) - 1) + [2500]
    images[0].save(path, save_all=True, append_images=images[1:], duration=durations, loop=0, quality=55, method=6)
    print(f"wrote {path}, {path.stat().st_size // 1024} KB")


def draw_cells(axes: Any, agent: DynLiveAgent, title: str) -> None:
    """Draw the value over position and velocity, and a dot where each cell was recruited."""
    state, config = agent.interaction.learner.state, agent.config.cells
    mean, variance = state.scaler[ScalerRow.MEAN], state.scaler[ScalerRow.VARIANCE]
    position, velocity = np.meshgrid(np.linspace(-1.2, 0.6, 90), np.linspace(-0.07, 0.07, 60))
    observed = np.stack([position, velocity], axis=-1)
    code = 1 / (1 + np.exp(-(observed - mean) / np.sqrt(np.maximum(variance, 1e-12))))
    features = np.concatenate([np.sin(np.pi * code / 2), np.cos(np.pi * code / 2)], axis=-1)
    spread, per_layer = float(state.scalars["feature_spread"][0]), state.cell.shape[1] // config.layers
    value, centres = np.zeros(position.shape), []
    for layer, alive in enumerate(state.num_cells.tolist()):
        row = slice(layer * per_layer, layer * per_layer + alive)
        born = state.cell[:4, row] * state.cell[CellRow.FEATURE_SUM, row]
        distance = ((features[..., None] - born) ** 2).sum(axis=-2)
        response = np.maximum(1 - distance / (config.radius * spread / 4**layer), 0) ** 2
        response /= np.maximum(response.sum(axis=-1, keepdims=True), 1e-9)
        value += response @ (2 * state.num_cells.sum() * state.strength[0, row] - 1)
        code_born = np.clip(np.arctan2(born[:2], born[2:]) * 2 / np.pi, 1e-4, 1 - 1e-4)
        centres.append(mean[:, None] + np.sqrt(variance)[:, None] * np.log(code_born / (1 - code_born)))
    axes.clear()
    value *= float(state.scalars["value_range"][0])
    axes.pcolormesh(position, velocity, value, vmin=-100, vmax=0, cmap="viridis", shading="gouraud")
    for centre, size in zip(centres, (70, 28, 9), strict=True):
        axes.scatter(*centre, s=size, facecolors="none", edgecolors="white", linewidths=1.1)
    axes.set(xlim=(-1.2, 0.6), ylim=(-0.07, 0.07), xlabel="position", ylabel="velocity")
    axes.set_title(f"{title}: {int(state.num_cells.sum())} cells", fontsize=10)


FILMS: dict[str, Callable[[Path], None]] = {
    "neuron.svg": neuron_film,
    "structure.svg": structure_film,
    "credit.svg": credit_film,
    "cells.webp": cells_film,
}


def chosen(names: Sequence[str]) -> Iterator[tuple[str, Callable[[Path], None]]]:
    """Yield the films of these names, or all."""
    for name, film in FILMS.items():
        if not names or name in names:
            yield name, film


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("films", nargs="*", help=f"which: {', '.join(FILMS)} (default: all)")
    parser.add_argument("--out", type=Path, default=Path("docs/pictures"), help="folder (default: %(default)s)")
    arguments = parser.parse_args()
    for name, film in chosen(arguments.films):
        film(arguments.out / name)


if __name__ == "__main__":
    main()
