"""Pictures: a network with its activity and strengths, and learning curves. Needs the extra `viz`."""

from collections.abc import Sequence
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .network import Network

MOST_LINES = 4_000


def draw_network(network: "Network", path: str | PathLike[str], title: str | None = None) -> None:
    """Draw a network's layers from left to right and save the picture.

    Neurons are coloured by their outputs in the last cycle. Connections are lines as wide as they are strong, and as dark
    as they are strong among their neuron's; those from the complement (1 - x) of an input are red. Of very many
    connections only the strongest are drawn.

    Parameters
    ----------
    network
        The network.
    path
        File to write; its ending names the format (png, svg, pdf).
    title
        Default: the numbers of neurons and connections.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    """
    plt = _pyplot()
    layers = network.layers
    tallest = max(len(layer.ids) for layer in layers)
    figure, axes = plt.subplots(figsize=(3.0 * len(layers) + 1.5, min(max(4.0, 0.09 * tallest), 14.0)))
    place = {}
    for depth, layer in enumerate(layers):
        for k, j in enumerate(layer.ids):
            place[j] = (float(depth), 1.0 - (k + 0.5) / len(layer.ids))
    complements = set(network.arrays.inputs[1].tolist()) - {-1}
    _draw_connections(axes, network, place, complements)
    activity = network.activity
    for depth, layer in enumerate(layers):
        points = np.array([place[j] for j in layer.ids])
        size = float(np.clip(9000 / len(layer.ids), 12, 300))
        drawn = axes.scatter(
            *points.T, s=size, c=activity[list(layer.ids)], cmap="viridis", vmin=0, vmax=1, edgecolors="black",
            linewidths=0.5, zorder=3,
        )  # fmt: skip
        name = layer.kind if layer.kind != "hidden" else f"hidden ({layer.activation})"
        axes.text(depth, 1.03, f"{len(layer.ids)} {name}", ha="center", fontsize=9)
        if len(layer.ids) <= 16:
            for j in layer.ids:
                x, y = place[j]
                axes.annotate(
                    _label(network, j, layer.kind), (x, y), (14 if layer.kind == "output" else -14, 0),
                    textcoords="offset points", ha="left" if layer.kind == "output" else "right", va="center", fontsize=8,
                )  # fmt: skip
    axes.set_xlim(-0.45, len(layers) - 0.55)
    axes.set_ylim(-0.02, 1.08)
    axes.axis("off")
    axes.set_title(
        title or f"{network.neurons} neurons, {network.connections} of {network.allowed_connections} connections"
    )
    figure.colorbar(drawn, ax=axes, label="output", fraction=0.03, pad=0.02)
    figure.savefig(path, dpi=130, bbox_inches="tight")
    plt.close(figure)


def draw_learning_curve(
    path: str | PathLike[str], steps: Sequence[int], returns: Sequence[float], title: str = ""
) -> None:
    """Draw the return of every episode and their running mean over the last five, against environment steps."""
    plt = _pyplot()
    figure, axes = plt.subplots(figsize=(7, 4))
    axes.plot(steps, returns, ".", color="tab:blue", alpha=0.4, label="episode")
    if returns:
        mean = [float(np.mean(returns[max(0, i - 4) : i + 1])) for i in range(len(returns))]
        axes.plot(steps, mean, color="tab:orange", label="mean of the last 5")
    axes.set(xlabel="environment steps", ylabel="return", title=title)
    axes.legend(loc="lower right")
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=130, bbox_inches="tight")
    plt.close(figure)


def _draw_connections(
    axes: "Axes", network: "Network", place: dict[int, tuple[float, float]], complements: set[int]
) -> None:
    from matplotlib.collections import LineCollection

    lines, widths, shades = [], [], []
    colours: list[tuple[float, float, float, float]] = []
    for layer in network.layers:
        for j in layer.ids:
            strengths = network.strengths(j).tolist()
            for i, w in zip(network.sources(j).tolist(), strengths, strict=True):
                lines.append((place[i], place[j]))
                widths.append(w)
                shades.append(w / max(strengths))
                colours.append((0.8, 0.1, 0.1, 1.0) if i in complements else (0.1, 0.2, 0.5, 1.0))
    if not lines:
        return
    strongest = np.argsort(widths)[-MOST_LINES:]
    weight = np.array(widths)[strongest]
    shade = np.array(colours)[strongest]
    shade[:, 3] = 0.03 + 0.6 * np.array(shades)[strongest]
    axes.add_collection(
        LineCollection([lines[k] for k in strongest], linewidths=0.2 + 2.5 * weight, colors=shade, zorder=1)
    )


def _label(network: "Network", neuron: int, kind: str) -> str:
    arrays = network.arrays
    if kind == "input":
        direct, complements = arrays.inputs.tolist()
        return f"x{direct.index(neuron)}" if neuron in direct else f"1 - x{complements.index(neuron)}"
    return f"y{arrays.outputs.tolist().index(neuron)}" if kind == "output" else str(neuron)


def _pyplot() -> Any:
    try:
        import matplotlib
    except ImportError:
        raise ImportError("pictures need matplotlib: pip install 'dynlive-rl[viz]'") from None
    matplotlib.use("Agg", force=False)
    import matplotlib.pyplot as plt

    return plt
