"""Agents in other forms: a Python file that needs NumPy alone, and ONNX. Both read observations, act, and learn nothing."""

import base64
import inspect
import io
import json
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from gymnasium import spaces
from numpy.typing import NDArray

from dynlive_rl._version import __version__
from dynlive_rl.core import NetworkCore
from dynlive_rl.kernels.layout import ActivationCode, Aggregation, NeuronRow
from dynlive_rl.writing import write_whole

from . import numpy_policy, one_hot
from .config import AgentConfig
from .kernels.live_layout import CellRow
from .kernels.scaling import SAMPLE_SIZE, ScalerRow, Scaling
from .spaces import leaves

if TYPE_CHECKING:
    from .agent import DynLiveAgent

Spec = dict[str, Any]
Arrays = dict[str, NDArray[Any]]


def export_numpy(agent: "DynLiveAgent", path: str | PathLike[str]) -> None:
    """Write a learned policy as a Python file that needs NumPy alone, with `act` and `probabilities`.

    Parameters
    ----------
    agent
        The agent. What it learned with, such as its experience, is not written.
    path
        The file; replaced if it exists.

    Raises
    ------
    ValueError
        If its network cannot be written so.
    OSError
        If the file cannot be written.
    """
    spec, arrays = policy_of(agent)
    packed = io.BytesIO()
    np.savez_compressed(packed, **arrays)  # type: ignore[arg-type]
    numbers = base64.b85encode(packed.getvalue()).decode()
    lines = "\n".join(numbers[k : k + 120] for k in range(0, len(numbers), 120))
    first_line = (numpy_policy.__doc__ or "").splitlines()[0]
    text = (
        inspect.getsource(numpy_policy)
        .replace(first_line, f"{title_of(agent)} Needs NumPy alone.")
        .replace("from typing import Any\n", "import base64\nimport io\nimport json\nfrom typing import Any\n")
        + f"\n\nSPEC = json.loads({json.dumps(spec)!r})\n"
        + f'NUMBERS = """\n{lines}\n"""\n'
        + 'ARRAYS = dict(np.load(io.BytesIO(base64.b85decode(NUMBERS.replace("\\n", "")))))\n'
        + "policy = NumpyPolicy(SPEC, ARRAYS)\nact, probabilities = policy.act, policy.probabilities\n"
    )
    write_whole(Path(path), [text.encode()])


def export_onnx(agent: "DynLiveAgent", path: str | PathLike[str]) -> None:
    """Write a learned policy as an ONNX model: from observations to the best actions and all probabilities.

    Inputs are a batch of observations: "observation", or for a Dict or Tuple one for each of its parts, which is called
    "observation." and its keys, joined by dots. Outputs are "action", a batch of actions, and "probabilities" (batch, a), of
    all actions of every component, one after the other.

    Parameters
    ----------
    agent, path
        As in `export_numpy`.

    Raises
    ------
    ImportError
        If onnx is not installed: it comes with the extra `tools`.
    ValueError, OSError
        As in `export_numpy`.
    """
    try:
        from .onnx_graph import model_of
    except ImportError as error:
        raise ImportError(f'ONNX needs the package onnx ({error}): pip install "dynlive-rl[tools]"') from None
    spec, arrays = policy_of(agent)
    write_whole(Path(path), [model_of(spec, arrays, title_of(agent)).SerializeToString()])


def title_of(agent: "DynLiveAgent") -> str:
    """Return a sentence on what an agent is."""
    env = agent.training_state()[0]
    where = f" in {env['id']}" if env else ""
    return f"What a DynLive agent learned in {agent.num_timesteps:,} steps{where} (dynlive-rl {__version__})."


# -- what is written ---------------------------------------------------------------------------------------------------


def policy_of(agent: "DynLiveAgent") -> tuple[Spec, Arrays]:
    """Return a learned policy in plain data, as `NumpyPolicy` takes it.

    Raises
    ------
    ValueError
        If the network has connections that go back, or activations of the user's own.
    """
    if agent.interaction.recurrence is not None:
        raise ValueError("a recurrent agent remembers, and what is exported cannot: it cannot be exported")
    with agent.still():
        spec, arrays = _spaces(agent)
        learner: Any = agent.interaction.learner
        arrays |= scaling_of(learner.state.scaler, learner.state.sample)
        more, numbers = _live(learner) if agent.mode == "live" else _rehearsal(agent)
        return spec | more, arrays | numbers


def scaling_of(scaler: NDArray[np.float64], sample: NDArray[np.float32]) -> Arrays:
    """Return how a scaler (5, f) and its samples scale observations, as `numpy_policy.scores_of` takes it."""
    variance, mean = scaler[ScalerRow.VARIANCE], scaler[ScalerRow.MEAN]
    square = np.maximum(variance + np.minimum(1e-8, 0.5 * variance), 1e-12 * mean * mean) + 1e-60
    can_be_ranked = np.flatnonzero(scaler[ScalerRow.SCALED] == Scaling.RANKS_TOO)
    share, counts = scaler[ScalerRow.RANKED, can_be_ranked], scaler[ScalerRow.COUNT, can_be_ranked]
    size = int(min(counts.min(initial=SAMPLE_SIZE), SAMPLE_SIZE))  # all are seen equally often
    return {
        "is_scaled": scaler[ScalerRow.SCALED] > 0,
        "mean": mean.copy(),
        "deviation": np.sqrt(square),
        "ranked": can_be_ranked[share > 0],
        "share": share[share > 0],
        "sample": sample[share > 0, :size].astype(np.float64),
    }


def _spaces(agent: "DynLiveAgent") -> tuple[Spec, Arrays]:
    """Return how observations are read and actions written, see `ObservationEncoder` and `ActionDecoder`."""
    parts: list[Spec] = []
    arrays: Arrays = {}
    for k, (path, space) in enumerate(leaves(agent.observation_space)):
        is_one_hot = isinstance(space, (spaces.Discrete, spaces.MultiDiscrete))
        dtype = str(space.dtype)
        parts.append({"path": list(path), "shape": list(space.shape or ()), "is_one_hot": is_one_hot, "dtype": dtype})
        if isinstance(space, (spaces.Discrete, spaces.MultiDiscrete)):
            counts = np.ravel(space.n if isinstance(space, spaces.Discrete) else space.nvec)
            starts = np.ravel(space.start)
            values = [start + np.arange(count) for start, count in zip(starts, counts, strict=True)]
            arrays[f"part{k}.component"] = np.repeat(np.arange(counts.size), counts)
            arrays[f"part{k}.value"] = np.concatenate(values).astype(np.int64)
    decoder = agent.interaction.decoder
    num_actions = np.array(decoder.num_actions, np.int64)
    choices = np.minimum(np.arange(num_actions.max())[:, None], num_actions - 1)
    decoded = np.asarray(decoder.decode(choices))
    arrays["actions"] = decoded.reshape(len(choices), num_actions.size)  # of every component, one after the other
    spec = {
        "mode": agent.mode,
        "observation": parts,
        "num_actions": num_actions.tolist(),
        "action_shape": list(decoded.shape[1:]),
        "spread": agent.interaction.spread if decoder.is_continuous else None,
    }
    return spec, arrays


def _rehearsal(agent: "DynLiveAgent") -> tuple[Spec, Arrays]:
    """Return the actor of a rehearsing agent, layer by layer, with the strengths that it acts greedily by."""
    config, components = agent.config, agent.interaction.encoder.components
    assert isinstance(config, AgentConfig)
    settings = config.settings()
    if one_hot.is_applicable(components, config.network):
        one_hot.adjust_settings(settings, components)
    net, rule = agent.actor.arrays, agent.actor.numbers
    place = np.full(net.degree.size, -1)  # where each neuron's output stands, input neurons and their complements first
    features = net.inputs.shape[1]
    place[net.inputs[0]], place[net.inputs[1]] = np.arange(features), features + np.arange(features)
    known = 2 * features
    layers: list[str] = []
    arrays: Arrays = {}
    for layer in (layer for layer in agent.actor.layers if layer.kind != "input"):
        ids = np.array(layer.ids)
        weights = np.zeros((known, ids.size), np.float32)
        for column, j in enumerate(ids):
            row = slice(net.first[j], net.first[j + 1])
            sources, strengths = place[net.source[row]], net.target_strength[row]
            if (sources[strengths != 0] < 0).any():
                raise ValueError("an agent whose network has connections that go back cannot be exported")
            weights[sources[strengths != 0], column] = strengths[strengths != 0]
            if rule.aggregation == Aggregation.MEAN and strengths.size:
                weights[:, column] /= strengths.size
        used = np.flatnonzero(weights.any(axis=1))
        name = f"layer{len(layers)}"
        arrays |= {f"{name}.sources": used, f"{name}.weights": weights[used]}
        rows = {"gain": NeuronRow.GAIN, "threshold": NeuronRow.TARGET_THRESHOLD, "power": NeuronRow.POWER}
        arrays |= {f"{name}.{part}": net.neuron[row, ids] for part, row in rows.items()}
        layers.append(_activation(agent.actor, ids))
        place[ids] = known + np.arange(ids.size)
        known += ids.size
    return {"layers": layers, "gain": float(settings["policy_gain"][0])}, arrays


def _activation(network: NetworkCore, ids: NDArray[np.int64]) -> str:
    """Return the name of a layer's activation as kernels call it."""
    code = ActivationCode(int(network.arrays.activation[ids[0]]))
    if code >= ActivationCode.CUSTOM:
        raise ValueError("an agent whose network has activations of your own cannot be exported")
    return str(code.name.lower())


def _live(learner: Any) -> tuple[Spec, Arrays]:
    """Return the living cells of a live agent, layer by layer, and what its action neurons read out of them."""
    state = learner.state
    settings = state.settings[0]
    pool = state.cell.shape[1]
    size = pool // state.num_cells.size
    steepness: list[float] = []
    arrays: Arrays = {}
    for layer, count in enumerate(state.num_cells.tolist()):
        living = slice(layer * size, layer * size + count)
        square_radius = settings["radius"] * state.scalars["feature_spread"][0] / 4.0**layer
        steepness.append(float(2.0 / square_radius))
        arrays |= {
            f"layer{layer}.weights": state.cell[: CellRow.FEATURE_SUM, living].copy(),
            f"layer{layer}.feature_sum": state.cell[CellRow.FEATURE_SUM, living].copy(),
            f"layer{layer}.readout": 2.0 * pool * state.strength[1:, living].T.astype(np.float64) - 1.0,
        }
    return {"layers": steepness, "gain": float(settings["policy_range"])}, arrays
