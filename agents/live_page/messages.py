"""The messages that a learner sends: frames, networks, histories and states, of a student and its history."""

from collections.abc import Callable
from math import isfinite
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .history import History
from .picture import encoded
from .protocol import pack
from .student import Student

Packed = Callable[[], bytes]


def frame(student: Student, history: History, rate: float, hurried: bool) -> Packed:
    """Return what packs how things stand now: everything is copied at once, and encoded where it is called.

    Parameters
    ----------
    student, history
        What is shown.
    rate
        Steps per second.
    hurried
        Whether the picture may be left out for another one that is recent.
    """
    insight, agent = student.insight, student.agent
    opinion, picture = insight.opinion(), student.camera.take(hurried)
    learner: Any = agent.interaction.learner
    header = {
        "kind": "frame",
        "version": insight.version,
        "step": agent.num_timesteps,
        "episodes": agent.episodes,
        "return": _number(learner.state.running[1, 0]),
        "mean_return": _number(history.mean_return),
        "td_error": _number(agent.td_error_mse),
        "connections": agent.connections,
        "rate": _number(rate),
        "policy": numbers(opinion.policy),
        "values": numbers(opinion.values),
        "text": picture.text if picture is not None else None,
    }
    parts = {
        "activity": _quantised(insight.activity(), 255, np.uint8),
        "strength": _quantised(np.sqrt(np.abs(insight.strengths())), 65535, np.uint16),
    }
    pixels = None if picture is None else picture.pixels
    return lambda: pack(header, parts if pixels is None else {**parts, "picture": encoded(pixels)})


def network(student: Student) -> Packed:
    """Return what packs the neurons and connections that are drawn."""
    insight = student.insight
    drawn = insight.drawn
    header = {
        "kind": "network",
        "version": insight.version,
        "shown": insight.which,
        "layers": [{"kind": kind, "ids": list(ids), "size": size} for kind, ids, size in drawn.layers],
        "names": drawn.names,
        "complements": list(drawn.complements),
    }
    return lambda: pack(header, {"source": drawn.source, "target": drawn.target})


def state(status: str, sentence: str, running: bool, speed: str, student: Student | None) -> Packed:
    """Return what packs everything that changes by commands, or slowly."""
    header = {"kind": "state", "status": status, "sentence": sentence, "running": running, "speed": speed}
    if student is not None:
        header |= _described(student)
    return lambda: pack(header)


def _described(student: Student) -> dict[str, Any]:
    handles, world = student.handles, student.world
    values = handles.values()
    turned = [
        {"name": name, "label": one.label, "unit": one.unit, "low": one.low, "high": one.high, "step": one.step}
        | {"value": _number(values[name])}
        for name, one in handles.by_name.items()
    ]
    return {
        "world": {"id": world.id, "title": world.title, "about": world.about, "goal": world.goal},
        "mode": student.agent.mode,
        "seed": student.choice.seed,
        "hidden": student.hidden,
        "has_cells": student.has_cells,
        "observations": list(student.names.observations),
        "actions": list(student.names.actions),
        "components": list(student.agent.interaction.decoder.num_actions),
        "can_hurt": student.insight.can_hurt,
        "can_swap": handles.can_swap,
        "swapped": handles.swapped,
        "killed": student.killed,
        "cut": student.cut,
        "real_rate": student.steps_per_second,
        "sorry": student.camera.sorry,
        "handles": turned,
    }


def numbers(values: NDArray[np.floating]) -> list[float | None]:
    """Return values with five digits, None for those that JSON cannot hold."""
    return [_number(value) for value in values]


def _number(value: Any) -> float | None:
    return float(f"{value:.5g}") if value is not None and isfinite(value) else None


def _quantised(values: NDArray[np.floating], levels: int, kind: Any) -> NDArray[Any]:
    """Return values in [0, 1] as whole numbers up to `levels`; only 0 itself becomes 0."""
    whole: NDArray[Any] = np.ceil(np.clip(np.nan_to_num(values), 0, 1) * levels).astype(kind)
    return whole
