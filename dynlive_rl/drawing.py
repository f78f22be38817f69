"""Pictures of a network: its layers with activity and strengths, its strengths' histogram, the graph. Needs the extra `viz`."""

from collections.abc import Sequence
from itertools import pairwise
from os import PathLike
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from .network import Network

MOST_ROWS = 32  # of one layer; more neurons than that share rows
MOST_LINES = 500  # into one layer
DIRECT, COMPLEMENT, BEFORE = (0.10, 0.25, 0.55), (0.80, 0.12, 0.12), (0.45, 0.15, 0.60)
LIGHT = {DIRECT: (0.50, 0.72, 1.00), COMPLEMENT: (1.00, 0.48, 0.44), BEFORE: (0.85, 0.60, 1.00)}  # on a dark ground


def on_ground(colour: tuple[float, float, float]) -> tuple[float, float, float]:
    """Return one of the colours as it can be seen on the ground of matplotlib's current style."""
    from matplotlib import rcParams
    from matplotlib.colors import to_rgb

    return LIGHT[colour] if sum(to_rgb(rcParams["figure.facecolor"])) < 1.5 else colour


def ink() -> str:
    """Return the colour of text in matplotlib's current style."""
    from matplotlib import rcParams

    return str(rcParams["text.color"])


def draw_network(
    network: "Network",
    path: str | PathLike[str],
    title: str | None = None,
    *,
    inputs: Sequence[str] | None = None,
    outputs: Sequence[str] | None = None,
    activity: NDArray[np.floating] | None = None,
) -> None:
    """Draw a network's layers from left to right and save the picture.

    Neurons are coloured by their outputs. In a layer of more than 32 neurons those with neighbouring sources stand in one
    row, as a strip of cells. A line is as wide as the mean strength of the connections from one row's neurons to those of
    another; very thin ones are left out. Lines from the complements (1 - x) of inputs, which stand apart, are red. Inputs
    that nobody reads are not shown. Where there is room neurons bear their numbers. Colours follow matplotlib's style:
    `with matplotlib.style.context("dark_background")` draws on a dark ground.

    Parameters
    ----------
    network
        The network.
    path
        File to write; its ending names the format (png, svg, pdf).
    title
        Default: the numbers of neurons and connections.
    inputs, outputs
        Names of the outside values and of the output neurons. Default: x0, x1, … and y0, y1, …
    activity
        Outputs of all neurons, shape (n,). Default: those of the last cycle.

    Raises
    ------
    ImportError
        If matplotlib is not installed.
    ValueError
        If there are more or fewer names than inputs or outputs.
    """
    plt = require_pyplot()
    picture = NetworkPicture(network, inputs, outputs)
    figure, axes = plt.subplots(figsize=picture.size, layout="constrained")
    picture.draw(axes, network.activity if activity is None else activity)
    axes.set_title(
        title or f"{network.neurons:,} neurons, {network.connections:,} of {network.allowed_connections:,} connections"
    )
    figure.colorbar(picture.cells[-1], ax=axes, label="output", shrink=0.6, aspect=25, pad=0.01)
    figure.savefig(path, dpi=100)
    plt.close(figure)


class NetworkPicture:
    """Where everything of a network stands in its picture; draws it, and recolours what has been drawn.

    Parameters
    ----------
    network, inputs, outputs
        As in `draw_network`.

    Attributes
    ----------
    size
        Width and height that suit it, in inches.
    cells
        What was drawn and carries the colours, one per layer.
    with_numbers
        Whether neurons bear their numbers where there is room.
    """

    def __init__(
        self, network: "Network", inputs: Sequence[str] | None = None, outputs: Sequence[str] | None = None
    ) -> None:
        self.network = network
        direct, complements = network.arrays.inputs.tolist()
        self.complements = [i for i in complements if i >= 0]
        names = _names("inputs", inputs, "x", len(direct))
        self.names = dict(zip(direct, names, strict=True))
        self.names |= {i: _complement(name) for i, name in zip(complements, names, strict=True) if i >= 0}
        self._read = np.unique(network.arrays.source[np.flatnonzero(network.arrays.strength)])
        self._outputs = _names("outputs", outputs, "y", len(network.output_ids))
        self.row = np.full(network.arrays.degree.size, -1)
        self.place: list[tuple[float, float, float]] = []  # of every row: left end, right end, height
        self._layers = [self._arrange(depth) for depth in range(len(network.layers))]
        tallest = max(len(set(self.row[ids])) for ids in self._layers)
        self.size = (2.6 * len(self._layers) + 2.2, float(np.clip(0.26 * tallest + 1.4, 3.5, 9.5)))
        self.cells: list[Any] = []
        self.with_numbers = True

    def _arrange(self, depth: int) -> NDArray[np.int64]:
        """Give every neuron of a layer a row; returns the ids from top to bottom."""
        layer = self.network.layers[depth]
        ids = np.array(layer.ids)
        if layer.kind == "input" and np.isin(ids, self._read).any():
            ids = ids[np.isin(ids, self._read)]
        rails = np.isin(ids, self.complements)
        groups = [group for group in (ids[~rails], ids[rails]) if group.size]
        gap = 0.06 * (len(groups) - 1)
        top = 1.0
        for group in groups:
            if layer.kind == "hidden":
                group[:] = group[np.argsort([self._centre(j) for j in group], kind="stable")]
            share = group.size / ids.size * (1 - gap)
            rows = min(group.size, max(1, MOST_ROWS * group.size // ids.size))
            for members in np.array_split(group, rows):
                self.row[members] = len(self.place)
                half = 0.0 if ids.size <= MOST_ROWS else min(0.25, 0.02 * members.size)
                self.place.append((depth - half, depth + half, top - share / rows / 2))
                top -= share / rows
            top -= gap
        return np.concatenate(groups)

    def _centre(self, neuron: int) -> float:
        """Return the mean height of a neuron's sources, so that those with similar sources come to stand together."""
        sources = self.network.sources(neuron)
        heights = [-self.place[row][2] if row >= 0 else -0.5 for row in self.row[sources]]
        strengths = np.abs(self.network.strengths(neuron)) + 1e-12
        return float(np.average(heights, weights=strengths)) if sources.size else 0.0

    def draw(self, axes: "Axes", activity: NDArray[np.floating]) -> None:
        """Draw everything, coloured by the outputs (n,) of all neurons."""
        from matplotlib.collections import PolyCollection

        self._draw_lines(axes)
        self.cells = []
        ground = axes.get_facecolor()
        for depth, ids in enumerate(self._layers):
            layer = self.network.layers[depth]
            heights = [self.place[row][2] for row in dict.fromkeys(self.row[ids].tolist())]
            step = min(-np.diff(heights), default=0.2)
            if ids.size <= MOST_ROWS:
                x, y = np.full(ids.size, float(depth)), np.array([self.place[row][2] for row in self.row[ids]])
                area = float(np.clip((0.7 * 72 * step * (self.size[1] - 1.2)) ** 2, 16, 420))
                radius = area**0.5 / 2
                cells: Any = axes.scatter(x, y, s=area, edgecolors=ink(), linewidths=0.6, zorder=3)
            else:
                boxes, half, radius = [], 0.42 * step, 0.0
                for row in dict.fromkeys(self.row[ids].tolist()):
                    left, right, y = self.place[row]
                    ends = np.linspace(left, right, int(np.count_nonzero(self.row[ids] == row)) + 1)
                    boxes += [[(a, y - half), (b, y - half), (b, y + half), (a, y + half)] for a, b in pairwise(ends)]
                cells = axes.add_collection(PolyCollection(boxes, edgecolors=ground, linewidths=0.3, zorder=3))
            low, high = min(0.0, float(activity.min())), max(1.0, float(activity.max()))
            cells.set(cmap="viridis", clim=(low, high))
            self.cells.append(cells)
            self._draw_names(axes, depth, ids, radius)
            name = {"input": "inputs", "output": "outputs", "hidden": f"hidden, {layer.activation}"}[layer.kind]
            whole = "" if ids.size == len(layer.ids) else f" of {len(layer.ids):,}"
            axes.text(depth, 1.03, f"{ids.size:,}{whole} {name}", ha="center", va="bottom", fontsize=9)
        self.recolour(activity)
        axes.set(xlim=(-0.75, len(self._layers) - 0.45), ylim=(-0.03, 1.08))
        axes.axis("off")

    def recolour(self, activity: NDArray[np.floating]) -> None:
        """Colour the neurons by other outputs (n,)."""
        for cells, ids in zip(self.cells, self._layers, strict=True):
            cells.set_array(activity[ids])

    def _draw_names(self, axes: "Axes", depth: int, ids: NDArray[np.int64], radius: float) -> None:
        """Write names beside rows, `radius` points away from where they end; numbers into neurons that are large enough."""
        from matplotlib.patheffects import withStroke

        kind = self.network.layers[depth].kind
        outputs = list(self.network.output_ids)
        rows: dict[int, list[int]] = {}
        for j in ids.tolist():
            rows.setdefault(int(self.row[j]), []).append(j)
        for row, members in rows.items():
            left, right, y = self.place[row]
            if self.with_numbers and radius > 5:
                axes.annotate(
                    str(members[0]), (left, y), ha="center", va="center", zorder=4, fontsize=min(8.0, 0.95 * radius),
                    color="white", path_effects=[withStroke(linewidth=1.5, foreground="black")],
                )  # fmt: skip
            if kind == "hidden":
                continue
            is_input = kind == "input"
            names = [self.names[j] if is_input else self._outputs[outputs.index(j)] for j in members]
            is_complement = members[0] in self.complements
            axes.annotate(
                _range(names), (left if is_input else right, y), (-radius - 4 if is_input else radius + 4, 0),
                textcoords="offset points", ha="right" if is_input else "left", va="center", zorder=4,
                fontsize=8 if len(rows) <= 24 else 6.5, color=on_ground(COMPLEMENT) if is_complement else ink(),
            )  # fmt: skip

    def _draw_lines(self, axes: "Axes") -> None:
        from matplotlib.collections import LineCollection
        from matplotlib.lines import Line2D

        net = self.network.arrays
        slots = np.flatnonzero(net.strength)
        owner = np.repeat(np.arange(net.degree.size), np.diff(net.first))[slots]
        kept = self.row[owner] >= 0
        slots, owner = slots[kept], owner[kept]
        if not slots.size:
            return
        rows, members = len(self.place), np.bincount(self.row[self.row >= 0])
        keys = (self.row[owner] * rows + self.row[net.source[slots]]) * 2 + net.delay[slots]
        pairs, index = np.unique(keys, return_inverse=True)
        target, source, before = pairs // 2 // rows, pairs // 2 % rows, pairs % 2
        weight = np.bincount(index, np.abs(net.strength[slots])) / members[target]
        negative = np.bincount(index, net.strength[slots]) < 0
        red = np.zeros(rows, np.bool_)
        red[[self.row[i] for i in self.complements if self.row[i] >= 0]] = True
        place = np.array(self.place)
        depth = np.rint(place[:, :2].mean(axis=1))
        for layer, late in sorted(set(zip(depth[target].tolist(), before.tolist(), strict=True))):
            here = np.flatnonzero((depth[target] == layer) & (before == late))
            here = here[np.argsort(weight[here])][-MOST_LINES:]
            here = here[weight[here] >= 0.08 * weight[here].max()]
            share = weight[here] / weight[here].max()
            colours = np.empty((here.size, 4))
            colours[:, :3] = np.where(
                (red[source[here]] | negative[here])[:, None], on_ground(COMPLEMENT), on_ground(DIRECT)
            )
            if late:
                colours[:, :3] = on_ground(BEFORE)
            crowd = min(1.0, (60 / here.size) ** 0.4)  # many lines must be faint for any of them to be seen
            colours[:, 3] = crowd * (0.06 + 0.64 * share**1.5)
            lines = [
                _line(place[i], place[j], depth[j] - depth[i]) for i, j in zip(source[here], target[here], strict=True)
            ]
            axes.add_collection(
                LineCollection(lines, linewidths=0.3 + 3.2 * crowd * share, colors=colours, zorder=1 + share.mean())
            )
        inhibitory = "negative" if negative.any() else "from 1 − x"
        legend = [("strength of a connection", DIRECT, True),
                  (inhibitory, COMPLEMENT, bool(red[source].any() or negative.any())),
                  ("from the cycle before", BEFORE, bool(before.any()))]  # fmt: skip
        handles = [
            Line2D([], [], color=on_ground(colour), lw=2, label=label) for label, colour, shown in legend if shown
        ]
        axes.legend(
            handles=handles, loc="lower center", bbox_to_anchor=(0.5, -0.05), ncols=3, fontsize=8, frameon=False
        )


def _names(what: str, given: Sequence[str] | None, letter: str, count: int) -> list[str]:
    names = [f"{letter}{k}" for k in range(count)] if given is None else list(given)
    if len(names) != count:
        raise ValueError(f"{what} must be {count} names, not {len(names)}: {names}")
    return names


def _complement(name: str) -> str:
    """Return what to call 1 - x: of a one-hot value that it is another one."""
    return name.replace(" = ", " ≠ ", 1) if " = " in name else f"1 − {name}"


def _range(names: list[str]) -> str:
    """Return names from the first to the last in short: x = 3 … 5."""
    first, last = names[0], names[-1]
    if first == last:
        return first
    for sign in (" = ", " ≠ "):
        if sign in first and first.split(sign)[0] == last.split(sign)[0]:
            return f"{first} … {last.split(sign, 1)[1]}"
    return f"{first} … {last}"


def _line(source: Any, target: Any, layers: float) -> Any:
    """Return the points of a line between two rows: straight to the next layer, else bent around what lies between."""
    start, stop = np.array([source[1], source[2]]), np.array([target[0], target[2]])
    if layers == 1:
        return np.stack([start, stop])
    along = np.linspace(0, 1, 25)[:, None]
    if layers <= 0:  # recurrent: out to the right, back into the right side
        stop = np.array([target[1], target[2]])
        bend = np.array([0.40 + 0.25 * abs(layers), 0.0])
        points = start + along * (stop - start) + 4 * along * (1 - along) * bend * 0.5
        if np.allclose(start, stop):  # itself: a loop
            points[:, 1] += 0.05 * np.sin(2 * np.pi * along[:, 0])
        return points
    room = 1.0 - max(start[1], stop[1])  # above that are the headings
    return start + along * (stop - start) + 4 * along * (1 - along) * np.array([0.0, float(np.clip(room, 0.0, 0.12))])


def draw_strengths(network: "Network", path: str | PathLike[str], title: str | None = None) -> None:
    """Draw a histogram of the strengths of every layer's connections, relative to equal shares, and save the picture.

    1 is what each source would have if all allowed ones were alike; the axis is logarithmic. Of free strengths the sizes
    are shown.
    """
    plt = require_pyplot()
    learners = [layer for layer in network.layers if layer.kind != "input"]
    figure, all_axes = plt.subplots(
        len(learners), figsize=(6.5, 0.8 + 2.2 * len(learners)), sharex=True, squeeze=False, layout="constrained"
    )
    net = network.arrays
    for layer, axes in zip(learners, all_axes[:, 0], strict=True):
        allowed = {j: int(net.first[j + 1] - net.first[j]) for j in layer.ids}
        relative = np.concatenate([np.abs(network.strengths(j)) * allowed[j] for j in layer.ids])
        missing = sum(allowed.values()) - relative.size
        if relative.size:
            top = max(1.0, float(np.log10(relative.max() + 1e-4)))
            axes.hist(np.maximum(relative, 1e-4), np.logspace(-4.0, top, 50), color=on_ground(DIRECT))
        axes.axvline(1, color=ink(), lw=0.8, ls="--")
        axes.set(xscale="log", ylabel="connections")
        share = f"{missing / max(sum(allowed.values()), 1):.0%} of {sum(allowed.values()):,} allowed are missing"
        axes.set_title(f"{len(layer.ids)} {layer.kind} neurons: {relative.size:,} connections, {share}", fontsize=9)
    axes.set_xlabel("strength × number of allowed sources (10⁻⁴: or less)")
    if title:
        figure.suptitle(title)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def draw_learning_curve(
    path: str | PathLike[str], steps: Sequence[int], returns: Sequence[float], title: str = ""
) -> None:
    """Draw the return of every episode and their running mean over the last five, against environment steps."""
    plt = require_pyplot()
    figure, axes = plt.subplots(figsize=(7, 4), layout="constrained")
    curve(axes, steps, returns)
    axes.set_title(title, loc="left", fontsize=11)
    figure.savefig(path, dpi=100)
    plt.close(figure)


def curve(axes: "Axes", steps: Sequence[int], returns: Sequence[float]) -> None:
    """Draw a learning curve into a picture."""
    axes.plot(steps, returns, ".", color=on_ground(DIRECT), alpha=0.5, label="episode")
    if returns:
        mean = [float(np.mean(returns[max(0, i - 4) : i + 1])) for i in range(len(returns))]
        axes.plot(steps, mean, color="tab:orange", label="mean of the last 5")
    axes.set(xlabel="environment steps", ylabel="return")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=2, frameon=False, borderpad=0.1, fontsize=9)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.grid(alpha=0.3)


def to_networkx(network: "Network") -> Any:
    """Return the network as a networkx.DiGraph, see `Network.to_networkx`."""
    try:
        import networkx
    except ImportError:
        raise ImportError("graphs need networkx: pip install 'dynlive-rl[viz]'") from None
    graph = networkx.DiGraph()
    net, activity = network.arrays, network.activity
    for depth, layer in enumerate(network.layers):
        for j in layer.ids:
            graph.add_node(
                j,
                layer=depth,
                kind=layer.kind,
                activation=layer.activation,
                gain=float(net.gain[j]),
                threshold=float(net.threshold[j]),
                output=float(activity[j]),
            )
    for j in graph:
        for c in range(net.first[j], net.first[j] + net.degree[j]):
            graph.add_edge(int(net.source[c]), j, strength=float(net.strength[c]), delay=int(net.delay[c]))
    return graph


def require_pyplot() -> Any:
    """Return matplotlib.pyplot; ImportError with one sentence where it is not installed."""
    try:
        import matplotlib
    except ImportError:
        raise ImportError("pictures need matplotlib: pip install 'dynlive-rl[viz]'") from None
    matplotlib.use("Agg", force=False)
    import matplotlib.pyplot as plt

    return plt
