"""Records: their fields are read by name, and the settings' are exactly the configuration's numbers."""

import ast
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from gymnasium.spaces import Discrete

import dynlive_rl.agents
from dynlive_rl import DynLiveAgent
from dynlive_rl.agents import AgentConfig, LiveConfig
from dynlive_rl.agents.config import SETTINGS
from dynlive_rl.agents.kernels.live_layout import SCALARS
from dynlive_rl.agents.kernels.progress import PROGRESS
from dynlive_rl.agents.live_config import LIVE_SETTINGS

FOLDER = Path(dynlive_rl.agents.__file__).parent
SOURCES = {str(path.relative_to(FOLDER)): path for path in sorted(FOLDER.rglob("*.py"))}


# -- by name only ----------------------------------------------------------------------------------------------------

NAMES = {"progress", "settings", "_settings", "scalars", "record"}
TAKES_RECORDS = {"jit_internal", "jit_inline", "jit_reduction"}  # not their arrays of shape (1,), as entry points do


def is_index_0(node):
    return isinstance(node, ast.Constant) and type(node.value) is int and node.value == 0


def is_field(node):
    """A field's name, written out or looped over."""
    return (isinstance(node, ast.Constant) and isinstance(node.value, str)) or (
        isinstance(node, ast.Name) and node.id in ("name", "field")
    ) or (isinstance(node, ast.Attribute) and node.attr == "name")  # fmt: skip


class PositionalAccess(ast.NodeVisitor):
    """Finds where a record's field is read by its position.

    An array of a record may be subscripted by 0, which takes the record out, by a field's name, whose only value is [0], and
    by [:]. A record may be subscripted by a field's name, outside of kernels.
    """

    def __init__(self):
        self.found = []
        self.records = set()  # names of records in the present function

    def visit_FunctionDef(self, function):
        around = self.records
        names = {name.id for decorator in function.decorator_list for name in [decorator] if isinstance(name, ast.Name)}
        self.records = {a.arg for a in function.args.args if a.arg in NAMES} if names & TAKES_RECORDS else set()
        for node in ast.walk(function):
            if isinstance(node, ast.Assign):
                self._note_records(node)
        self.generic_visit(function)
        self.records = around

    def _note_records(self, assignment):
        """Note the names that records are given which were taken out of their arrays, several at once too."""
        for target in assignment.targets:
            several = isinstance(target, ast.Tuple) and isinstance(assignment.value, ast.Tuple)
            pairs = zip(target.elts, assignment.value.elts, strict=True) if several else [(target, assignment.value)]
            for name, value in pairs:
                if isinstance(name, ast.Name) and self.kind(value) == "record":
                    self.records.add(name.id)

    def kind(self, node):
        """What an expression is: an "array" of a record, a "record", a "field" of an array, or nothing of these."""
        if isinstance(node, ast.Name) and node.id in self.records:
            return "record"
        if (isinstance(node, ast.Name) and node.id in NAMES) or (
            isinstance(node, ast.Attribute) and node.attr in NAMES
        ):
            return "array"
        if isinstance(node, ast.Subscript) and self.kind(node.value) == "array":
            return "record" if is_index_0(node.slice) else ("field" if is_field(node.slice) else None)
        return None

    def visit_Subscript(self, node):
        kind, index = self.kind(node.value), node.slice
        whole = isinstance(index, ast.Slice) and index.lower is index.upper is index.step is None
        fine = {
            "array": is_index_0(index) or is_field(index) or whole,
            "record": is_field(index),
            "field": is_index_0(index),
        }
        if not fine.get(kind, True):
            self.found.append(ast.unparse(node))
        self.generic_visit(node)


def positional_accesses(source):
    visitor = PositionalAccess()
    visitor.visit(ast.parse(source))
    return visitor.found


@pytest.mark.parametrize("name", SOURCES)
def test_no_record_is_accessed_by_position(name):
    assert positional_accesses(SOURCES[name].read_text(encoding="utf-8")) == []


VIOLATIONS = {
    "progress[3]": "def f(progress):\n    return progress[3]",
    "settings[17]": "@jit_entry\ndef f(agent, settings):\n    return settings[17]",
    "settings[-1]": "def f(settings):\n    return settings[-1]",
    "settings[0:3]": "def f(settings):\n    return settings[0:3]",
    "progress[STEPS]": "def f(progress):\n    progress[STEPS] += 1",
    "progress[ProgressRow.STEPS]": "def f(progress):\n    progress[ProgressRow.STEPS] += 1",
    "agent.progress[2]": "@jit_internal\ndef f(agent):\n    return agent.progress[2]",
    "agent.scalars[0][1]": "@jit_inline\ndef f(agent):\n    return agent.scalars[0][1]",
    "learner.progress['steps'][1]": "def f(learner):\n    return learner.progress['steps'][1]",
    "scalars[0]": "@jit_internal\ndef f(scalars):\n    return scalars[0]",  # of a record, it is the first field
    "numbers[5]": "@jit_entry\ndef f(agent, settings):\n    x, numbers = agent.x, settings[0]\n    return numbers[5]",
    "p[0]": "def f(agent):\n    p = agent.progress[0]\n    if p.steps:\n        return p[0]",
    "self._settings[4]": "class A:\n    def f(self):\n        return self._settings[4]",
}


@pytest.mark.parametrize(("expected", "source"), VIOLATIONS.items(), ids=VIOLATIONS)
def test_positional_access_is_found(expected, source):
    assert positional_accesses(source) == [expected]


def test_access_by_name_is_none():
    source = """
        @jit_entry
        def observe(agent, settings, rewards):
            progress, numbers, scalars = agent.progress[0], settings[0], agent.scalars[0]
            progress.steps += 1
            agent.progress[0].steps += rewards[0]
            return numbers.entropy + rewards[3] + update(progress, numbers, scalars)

        def python(self, config, record):
            self.state.settings[:] = config.settings()
            self._settings["neutral"] /= self.progress["steps"][0]
            for name in ("one", "other"):
                record[name] = self.progress[0]["steps"]
            return self.progress[0].item()[3]
    """
    assert positional_accesses("if True:\n" + source) == []


# -- the configuration's numbers -------------------------------------------------------------------------------------


def nudged(config):
    """A configuration with every number another one than by default."""
    changes = {}
    for group in fields(config):
        values = getattr(config, group.name)
        numbers = {field.name: getattr(values, field.name) for field in fields(values) if field.type in (int, float)}
        others = {name: value + 1 if isinstance(value, int) else 0.999 * value for name, value in numbers.items()}
        changes[group.name] = replace(values, **others)
    return replace(config, **changes)


CASES = [
    (AgentConfig, SETTINGS, {"neutral": 0.5, "natural_gradient": 0, "observed": 0, "values_if_wide": 0}),
    (LiveConfig, LIVE_SETTINGS, {}),
]


@pytest.mark.parametrize("change", [lambda config: config, nudged], ids=["default", "nudged"])
@pytest.mark.parametrize(("kind", "dtype", "more"), CASES, ids=["agent", "live"])
def test_settings_are_exactly_the_configurations_numbers(kind, dtype, more, change):
    config = change(kind())
    groups = [getattr(config, group.name) for group in fields(config)]
    numbers = {
        field.name: getattr(group, field.name)
        for group in groups
        for field in fields(group)
        if type(getattr(group, field.name)) in (int, float)
    }
    assert len(numbers) == sum(field.type in (int, float) for group in groups for field in fields(group))
    settings = config.settings()
    assert settings.dtype == dtype
    assert settings.shape == (1,)
    assert {name: settings[name][0] for name in dtype.names} == numbers | more
    for name, value in (numbers | more).items():
        assert settings[name].dtype == (np.int64 if isinstance(value, int) else np.float64), name


def test_networks_of_one_hot_cells_have_settings_of_their_own():
    settings = []
    for cells in (3, 1024):
        config = AgentConfig(network=replace(AgentConfig().network, cells=cells, states=cells))
        agent = DynLiveAgent(observation_space=Discrete(4), action_space=Discrete(2), seed=0, config=config)
        settings.append(agent.interaction.learner._settings[0])
        assert config.settings()["natural_gradient"] == 0
    usual, cells = settings
    differing = {name for name in SETTINGS.names if usual[name] != cells[name]}
    assert differing == {
        "cells", "states", "policy_gain", "value_gain_low", "value_gain_high", "target_spread", "target_range", "neutral",
        "rate_half_life", "natural_gradient",
    }  # fmt: skip
    assert cells["natural_gradient"] == 1


@pytest.mark.parametrize(
    "dtype", [SETTINGS, LIVE_SETTINGS, PROGRESS, SCALARS], ids=["agent", "live", "progress", "scalars"]
)
def test_a_records_fields_have_8_bytes_each(dtype):
    """So that records can be views of live mode's buffer."""
    assert all(dtype[name] in (np.int64, np.float64) for name in dtype.names)
    assert dtype.itemsize == 8 * len(dtype.names)
