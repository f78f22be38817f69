"""A learned policy as an ONNX model: the graph of what `NumpyPolicy` computes. Needs the package onnx."""

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from dynlive_rl._version import __version__

from .numpy_policy import SURE

OPSET, IR_VERSION = 17, 8  # what older runtimes read too
Arrays = dict[str, NDArray[Any]]


class Graph:
    """Nodes and constants of a graph, put together by names of what flows between them."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, kind: str, *inputs: str, outputs: int = 1, **settings: Any) -> Any:
        """Add a node; returns the name of its output, or of its outputs."""
        names = [f"{kind.lower()}{len(self.nodes)}.{k}" for k in range(outputs)]
        self.nodes.append(helper.make_node(kind, list(inputs), names, **settings))
        return names[0] if outputs == 1 else names

    def constant(self, value: Any, dtype: Any = None) -> str:
        """Add a constant; returns its name."""
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.array(value, dtype), name))
        return name

    def single(self, value: Any) -> str:
        """Add a constant of single precision."""
        return self.constant(value, np.float32)

    def cast(self, name: str, dtype: Any) -> str:
        """Add a change of type."""
        return str(self.add("Cast", name, to=helper.np_dtype_to_tensor_dtype(np.dtype(dtype))))


def model_of(spec: dict[str, Any], arrays: Arrays, title: str) -> Any:
    """Return the model of a policy, see `dynlive_rl.agents.export.policy_of`."""
    graph = Graph()
    inputs, rows = _encoded(graph, spec, arrays)
    code = _scaled(graph, rows, arrays)
    preferences = (_cells if spec["mode"] == "live" else _network)(graph, code, spec, arrays)
    actions, probabilities = _decoded(graph, preferences, spec, arrays)
    graph.nodes.append(helper.make_node("Identity", [actions], ["action"]))
    graph.nodes.append(helper.make_node("Identity", [probabilities], ["probabilities"]))
    action_type = helper.np_dtype_to_tensor_dtype(arrays["actions"].dtype)
    outputs = [
        helper.make_tensor_value_info("action", action_type, ["batch", *spec["action_shape"]]),
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["batch", sum(spec["num_actions"])]),
    ]
    made = helper.make_graph(graph.nodes, "policy", inputs, outputs, graph.constants, doc_string=title)
    opset = helper.make_opsetid("", OPSET)
    model = helper.make_model(
        made, opset_imports=[opset], ir_version=IR_VERSION, producer_name="dynlive-rl", producer_version=__version__
    )
    onnx.checker.check_model(model)
    return model


def _encoded(graph: Graph, spec: dict[str, Any], arrays: Arrays) -> tuple[list[Any], str]:
    """Add the inputs, and what makes rows (b, f) of them."""
    inputs, parts = [], []
    for k, part in enumerate(spec["observation"]):
        name = ".".join(["observation", *map(str, part["path"])])
        dtype = helper.np_dtype_to_tensor_dtype(np.dtype(part["dtype"]))
        inputs.append(helper.make_tensor_value_info(name, dtype, ["batch", *part["shape"]]))
        size = int(np.prod(part["shape"]))
        if part["is_one_hot"]:
            flat = graph.add("Reshape", graph.cast(name, np.int64), graph.constant([-1, size], np.int64))
            columns = graph.add("Gather", flat, graph.constant(arrays[f"part{k}.component"], np.int64), axis=1)
            hot = graph.add("Equal", columns, graph.constant(arrays[f"part{k}.value"][None], np.int64))
            parts.append(graph.cast(hot, np.float32))
        else:
            parts.append(graph.add("Reshape", graph.cast(name, np.float32), graph.constant([-1, size], np.int64)))
    return inputs, graph.add("Concat", *parts, axis=1)


def _scaled(graph: Graph, rows: str, arrays: Arrays) -> str:
    """Add the scaling of rows by their running statistics, in double precision as the agent does it."""
    if not arrays["is_scaled"].any():
        return rows
    distance = graph.add("Sub", graph.cast(rows, np.float64), graph.constant(arrays["mean"][None], np.float64))
    deviations = graph.add("Div", distance, graph.constant(arrays["deviation"][None], np.float64))
    for sample, i, share in zip(arrays["sample"], arrays["ranked"], arrays["share"], strict=True):
        deviations = _ranked(graph, rows, deviations, arrays["mean"].size, sample, i, share)
    scaled = _sigmoid(graph, graph.cast(deviations, np.float32))
    return str(graph.add("Where", graph.constant(arrays["is_scaled"][None], np.bool_), scaled, rows))


def _ranked(graph: Graph, rows: str, scores: str, width: int, sample: NDArray[np.float64], i: int, share: float) -> str:
    """Add to scores (b, width) what the rank of feature i in a sample makes of its own, see `numpy_policy.scores_of`."""
    size, values = sample.size, graph.constant(sample[None], np.float64)

    def number(value: float) -> str:
        return graph.constant(value, np.float64)

    def count(comparison: str, end: str) -> str:
        held = graph.cast(graph.add(comparison, values, end), np.float64)
        return str(graph.add("ReduceSum", held, graph.constant([1], np.int64), keepdims=1))

    def value_at(place: str, step: float) -> str:
        index = graph.add("Clip", graph.add("Add", place, number(step)), number(0), number(size - 1))
        flat = graph.constant(sample, np.float64)
        return str(graph.add("Gather", flat, graph.cast(index, np.int64), axis=0))

    column = graph.constant([i], np.int64)
    x = graph.cast(graph.add("Gather", rows, column, axis=1), np.float64)
    same = graph.add("Mul", graph.add("Abs", x), number(1e-6))
    below, up_to = count("Less", graph.add("Sub", x, same)), count("LessOrEqual", graph.add("Add", x, same))
    left, right = value_at(below, -1), value_at(below, 0)
    gap = graph.add("Max", graph.add("Sub", right, left), number(1e-300))
    way = graph.add("Min", graph.add("Div", graph.add("Sub", x, left), gap), number(1))
    between = graph.add("Add", graph.add("Sub", below, number(0.5)), way)
    is_inside = graph.add("And", graph.add("Greater", below, number(0)), graph.add("Less", below, number(size)))
    inside = graph.add("Where", is_inside, between, below)
    equal = graph.add("Mul", number(0.5), graph.add("Add", below, up_to))
    rank = graph.add("Where", graph.add("Greater", up_to, below), equal, inside)
    rank = graph.add("Clip", rank, number(0.5), number(size - 0.5))
    log_odds = graph.add("Log", graph.add("Div", rank, graph.add("Sub", number(size), rank)))
    ranked = graph.add("Mul", number(0.6), log_odds)
    change = graph.add("Mul", number(share), graph.add("Sub", ranked, graph.add("Gather", scores, column, axis=1)))
    where = np.arange(width)[None] == i
    return str(graph.add("Add", scores, graph.add("Mul", change, graph.constant(where, np.float64))))


def _sigmoid(graph: Graph, x: str) -> str:
    """Add the logistic function as agents compute it."""
    half, one = graph.single(0.5), graph.single(1)
    h = graph.add("Clip", graph.add("Mul", half, x), graph.single(-4.97), graph.single(4.97))
    y = graph.add("Mul", h, h)
    above, below = one, graph.single(28)
    for coefficients in ((378, 3150), (17325, 62370), (135135, 135135)):
        above = graph.add("Add", graph.single(coefficients[0]), graph.add("Mul", y, above))
        below = graph.add("Add", graph.single(coefficients[1]), graph.add("Mul", y, below))
    tanh = graph.add("Div", graph.add("Mul", graph.add("Mul", half, h), above), below)
    return str(graph.add("Min", graph.add("Add", half, tanh), one))


def _network(graph: Graph, code: str, spec: dict[str, Any], arrays: Arrays) -> str:
    """Add the actor's layers."""
    values: list[str] = [code, graph.add("Sub", graph.single(1), code)]
    for k, activation in enumerate(spec["layers"]):
        sources = graph.constant(arrays[f"layer{k}.sources"], np.int64)
        read = graph.add("Gather", graph.add("Concat", *values, axis=1), sources, axis=1)
        drive = graph.add("MatMul", read, graph.single(arrays[f"layer{k}.weights"]))
        above = graph.add("Sub", drive, graph.single(arrays[f"layer{k}.threshold"][None]))
        gained = graph.add("Mul", graph.single(arrays[f"layer{k}.gain"][None]), above)
        values.append(_fired(graph, activation, drive, gained, arrays[f"layer{k}.power"]))
    return values[-1]


def _fired(graph: Graph, activation: str, drive: str, gained: str, power: NDArray[Any]) -> str:
    if activation == "sigmoid":
        return _sigmoid(graph, gained)
    if activation in ("linear", "rectifier"):
        return gained if activation == "linear" else str(graph.add("Relu", gained))
    bounded = gained if activation == "relu" else drive
    if activation == "power":
        bounded = graph.add("Pow", drive, graph.single(power[None]))
    return str(graph.add("Clip", bounded, graph.single(0), graph.single(1)))


def _cells(graph: Graph, code: str, spec: dict[str, Any], arrays: Arrays) -> str:
    """Add the layers of recruited cells, and what action neurons read out of them."""
    clipped = graph.add("Clip", code, graph.single(0), graph.single(1))
    angle = graph.add("Mul", clipped, graph.single(0.5 * np.pi))
    cosine = graph.add("Relu", graph.add("Cos", angle))
    sources = graph.add("Concat", graph.add("Sin", angle), cosine, axis=1)
    half = graph.single(arrays["mean"].size)
    result = ""
    for k, steep in enumerate(spec["layers"]):
        drive = graph.add("MatMul", sources, graph.single(arrays[f"layer{k}.weights"]))
        product = graph.add("Mul", graph.single(arrays[f"layer{k}.feature_sum"][None]), drive)
        far = graph.add("Mul", graph.single(steep), graph.add("Sub", half, product))
        near = graph.add("Relu", graph.add("Sub", graph.single(1), far))
        cells = graph.add("Mul", near, near)
        whole = graph.add("ReduceSum", cells, graph.constant([1], np.int64), keepdims=1)
        shares = graph.add("Div", cells, graph.add("Max", whole, graph.single(1e-38)))
        readout = graph.constant(arrays[f"layer{k}.readout"], np.float64)
        part = graph.add("MatMul", graph.cast(shares, np.float64), readout)
        result = graph.add("Add", result, part) if result else part
    return result


def _mean(graph: Graph, policy: str, values: NDArray[Any]) -> str:
    """Add the mean of a continuous component's values (n,) under its policy (b, n)."""
    ends = [graph.constant(values[k], np.float64) for k in (0, -1)]
    mean = graph.add("Clip", graph.add("MatMul", policy, graph.constant(values[:, None], np.float64)), *ends)
    likeliest = graph.add(
        "Gather", graph.constant(values, np.float64), graph.add("ArgMax", policy, axis=1, keepdims=1), axis=0
    )
    highest = graph.add("ReduceMax", policy, axes=[1], keepdims=1)
    is_sure = graph.add("GreaterOrEqual", highest, graph.constant(SURE, np.float64))
    mean = graph.add("Where", is_sure, likeliest, mean)
    return graph.cast(graph.add("Round", mean) if np.issubdtype(values.dtype, np.integer) else mean, values.dtype)


def _decoded(graph: Graph, preferences: str, spec: dict[str, Any], arrays: Arrays) -> tuple[str, str]:
    """Add the policy of every component, its best action, and what the environment calls that."""
    counts = spec["num_actions"]
    values = graph.add("Mul", graph.cast(preferences, np.float64), graph.constant(spec["gain"], np.float64))
    split = graph.add("Split", values, graph.constant(counts, np.int64), axis=1, outputs=len(counts))
    policies, actions = [], []
    for d, component in enumerate([split] if len(counts) == 1 else split):
        policies.append(graph.add("Softmax", component, axis=1))
        if spec["spread"] is None:
            best = graph.add("ArgMax", policies[-1], axis=1, keepdims=1)
            actions.append(graph.add("Gather", graph.constant(arrays["actions"][:, d]), best, axis=0))
        else:
            actions.append(_mean(graph, policies[-1], arrays["actions"][:, d]))
    chosen = graph.add("Concat", *actions, axis=1)
    shape = graph.constant([-1, *spec["action_shape"]], np.int64)
    return graph.add("Reshape", chosen, shape), graph.cast(graph.add("Concat", *policies, axis=1), np.float32)
